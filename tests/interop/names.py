#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Next hops with a real name server (NSD) and zones that are signed, unsigned and forged: what
`facteur route` explains is what the role decides, with the same functions and the same resolver."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from nameserver import NameServer
from office import FACTEUR, free_port, main, skip_all

ZONES = {
    "truc.fr": "@ IN MX 10 mail\nmail IN A 192.0.2.10\n",
    "machin.com": "@ IN MX 10 smtp\n@ IN MX 20 backup1\n@ IN MX 20 backup2\n"
                  "smtp IN A 192.0.2.20\nsmtp IN AAAA 2001:db8::20\n"
                  "backup1 IN A 192.0.2.21\nbackup2 IN A 192.0.2.22\n"
                  "_25._tcp.smtp IN TLSA 3 1 1 " + "ab" * 32 + "\n"
                  "*.wild IN MX 5 smtp\n",
    "foo.com": "@ IN A 192.0.2.30\nwww IN A 192.0.2.31\nempty IN TXT \"nothing\"\n"
               "alias IN CNAME target\ntarget IN MX 5 mx\nmx IN A 192.0.2.32\n"
               "local IN MX 5 here\nhere IN A 127.0.0.1\n",
    "bar.com": "@ IN MX 0 .\n",
    # mail.truc.fr is what we call ourselves.
    "xyz.com": "@ IN MX 5 first\n@ IN MX 10 mail.truc.fr.\n@ IN MX 20 last\n"
               "first IN A 192.0.2.40\nlast IN A 192.0.2.41\nback IN MX 0 mail.truc.fr.\n",
    "cnam.fr": "@ IN MX 10 mail\nmail IN A 192.0.2.50\n",
}
SIGNED = ("machin.com", "cnam.fr")
SILENT = "muet.fr"


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-names-", dir="/tmp"))
        cls.silent_port = free_port()
        cls.server = NameServer(cls.folder, ZONES, SIGNED)
        # Somebody between the name server and us who has other plans for cnam.fr.
        forged = cls.server.file("cnam.fr")
        forged.write_text(forged.read_text().replace("192.0.2.50", "198.51.100.66"))
        cls.write_configuration()
        cls.server.start()
        late = time.monotonic() + 60
        while cls.route("known@foo.com")["targets"][0]["way"] != "smtp":
            if time.monotonic() > late:
                raise RuntimeError("the zones are not served")
            time.sleep(0.1)

    @classmethod
    def write_configuration(cls):
        data = cls.folder / "data/directory"
        data.mkdir(parents=True)
        (data / "accounts").write_text(
            "domain truc.fr\naccount fred@truc.fr id=1\nalias away@truc.fr to=marc@machin.com\n"
            "relay foo.com listed\nrecipient known@foo.com\n")
        (data / "transports").write_text("vip.test smtp:[smtp.machin.com]:2525 tls=encrypt\n")
        stubs = ", ".join(f'"{zone} 127.0.0.1@{cls.server.port}"' for zone in ZONES)
        cls.config = cls.folder / "facteur.conf"
        cls.config.write_text(f"""hostname = mail.truc.fr
data_dir = {cls.folder}/data
runtime_dir = {cls.folder}/run
submissions_listen = {{}}
pop3s_listen = {{}}
imaps_listen = {{}}
dns_recursive = yes
dns_stubs = {{{stubs}, "{SILENT} 127.0.0.1@{cls.silent_port}"}}
dns_trust_anchors = {cls.server.anchors}
""")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.folder)

    @classmethod
    def route(cls, address, *words, code=None):
        done = subprocess.run([FACTEUR, "route", address, "--json", "--config", str(cls.config),
                               *words], capture_output=True, text=True, timeout=120, check=False)
        if "ERROR: " in done.stderr or "runtime error" in done.stderr or not done.stdout:
            raise AssertionError(done.stderr)
        if code is not None and done.returncode != code:
            raise AssertionError(f"exit code {done.returncode}: {done.stdout}")
        return json.loads(done.stdout)

    def hosts(self, address, *words):
        """In the order of trial, each once."""
        return list(dict.fromkeys(h["host"] for h in self.route(address, *words, code=0)["hosts"]))

    def test_hosts_come_by_preference_with_their_proof(self):
        found = self.route("marc@machin.com", code=0)
        names = list(dict.fromkeys(h["host"] for h in found["hosts"]))
        self.assertEqual(names[0], "smtp.machin.com")
        self.assertEqual(sorted(names[1:]), ["backup1.machin.com", "backup2.machin.com"])
        self.assertTrue(all(h["dnssec"] for h in found["hosts"]))
        first = [h for h in found["hosts"] if h["host"] == "smtp.machin.com"]
        self.assertEqual({h["address"] for h in first}, {"192.0.2.20", "2001:db8:0:0:0:0:0:20"})
        self.assertTrue(all(h["tlsa"] == 1 for h in first))
        self.assertEqual(self.hosts("a@any.wild.machin.com"), ["smtp.machin.com"])

    def test_unsigned_is_not_secure_but_good(self):
        found = self.route("known@foo.com", code=0)
        self.assertEqual([(h["host"], h["dnssec"]) for h in found["hosts"]], [("foo.com", False)])
        self.assertIn("passed on for everybody", found["verdict"])
        self.assertEqual(self.hosts("a@alias.foo.com"), ["mx.foo.com"])

    def test_a_forged_answer_makes_mail_wait(self):
        found = self.route("a@cnam.fr", code=75)
        self.assertEqual(found["hosts"], [])
        self.assertNotIn("198.51.100.66", json.dumps(found))

    def test_what_cannot_be_is_said_at_once(self):
        for address, status in (("a@bar.com", "5.1.10"), ("a@nowhere.foo.com", "5.1.2"),
                                ("a@empty.foo.com", "5.4.4"), ("a@back.xyz.com", "5.4.6")):
            with self.subTest(address):
                found = self.route(address, code=68)
                self.assertEqual(found["targets"][0]["status"], status)
                self.assertEqual(found["hosts"], [])

    def test_a_silent_server_makes_mail_wait(self):
        self.assertEqual(self.route(f"a@{SILENT}", code=75)["hosts"], [])

    def test_our_own_name_ends_the_list(self):
        self.assertEqual(self.hosts("a@xyz.com"), ["first.xyz.com"])

    def test_loopback_is_refused(self):
        self.assertEqual(self.route("a@local.foo.com")["hosts"], [])

    def test_aliases_tables_and_literals(self):
        self.assertEqual(self.hosts("away@truc.fr")[0], "smtp.machin.com")
        found = self.route("a@vip.test", code=0)
        self.assertEqual({(h["host"], h["port"]) for h in found["hosts"]},
                         {("smtp.machin.com", 2525)})
        self.assertEqual(found["targets"][0]["tls"], "encrypt")
        self.assertEqual(self.hosts("a@[192.0.2.99]"), ["[192.0.2.99]"])
        self.assertEqual(self.route("fred@truc.fr", code=0)["targets"][0]["way"], "an account here")
        self.route("nobody@truc.fr", code=67)
        self.route("stranger@foo.com", code=67)

    def test_every_step_is_told(self):
        steps = " / ".join(s["step"] for s in self.route("marc@machin.com")["steps"])
        for word in ("domain machin.com", "transport table", "MX of machin.com", "192.0.2.20"):
            self.assertIn(word, steps)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    for tool in ("nsd", "ldns-keygen", "ldns-signzone"):
        if not shutil.which(tool):
            skip_all(f"{tool} is missing (packages nsd and ldnsutils)")
    main()
