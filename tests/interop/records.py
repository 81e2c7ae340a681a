#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur domain records` against a name server (NSD) that serves just what it prints: nothing is missing then, and
each thing that is changed in a zone is found by --check. No server of ours runs: all is made from the configuration."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from nameserver import NameServer
from office import FACTEUR, main
from ports import free_port

DATAERR, NOUSER, TEMPFAIL, CONFIG = 65, 67, 75, 78
HOST, ADDRESS = "mail.truc.fr", "11.22.33.44"
DOMAINS = ["truc.fr", "a.truc.fr", "b.truc.fr", "c.truc.fr", "d.truc.fr"]
BACK = "44 IN PTR mail.truc.fr.\n"


@unittest.skipUnless(shutil.which("nsd") and shutil.which("openssl"), "needs NSD and openssl")
class Records(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fr-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout",
                        self.folder / "key.pem", "-out", self.folder / "chain.pem"], check=True, capture_output=True)
        self.port = free_port()
        for number, domain in enumerate(DOMAINS):
            self.configure(number)
            self.do("dkim", "generate", domain, "--file", f"{self.folder}/keys/{domain}.pem")
            self.do("domain", "add", domain)
        self.configure(len(DOMAINS))

    def configure(self, keys, more=""):
        names = ", ".join(f'"mail._domainkey.{d} {self.folder}/keys/{d}.pem"' for d in DOMAINS[:keys])
        zones = ", ".join(f'"{zone} 127.0.0.1@{self.port}"' for zone in (*DOMAINS, "33.22.11.in-addr.arpa"))
        (self.folder / "facteur.conf").write_text(
            f'data_dir = "{self.folder}/data"\nruntime_dir = "{self.folder}/run"\nhostname = {HOST}\n'
            f'tls_certificate = "{self.folder}/chain.pem"\ntls_key = "{self.folder}/key.pem"\npop3_listen = {{}}\n'
            f"dkim_keys = {{{names}}}\ndns_stubs = {{{zones}}}\n{more}")

    def do(self, *words, code=0):
        done = subprocess.run([FACTEUR, *words], capture_output=True, text=True, check=False, timeout=240,
                              env=dict(os.environ, FACTEUR_CONFIG=str(self.folder / "facteur.conf")))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.said = done.stderr
        return done.stdout

    def serve(self, zones):
        server = NameServer(self.folder, zones)
        server.port = self.port
        server.start()
        self.addCleanup(server.stop)

    def zone(self, domain):
        """What is printed, with what only the operator knows put in, and the row for signed zones taken as well."""
        text = self.do("domain", "records", domain)
        self.assertIn(f"; {HOST}. IN A ...\n", text)
        self.assertRegex(text, rf"; _25\._tcp\.{HOST}\. IN TLSA 3 1 1 [0-9a-f]{{64}}\n")
        text = text.replace(f"; {HOST}. IN A ...", f"{HOST}. IN A {ADDRESS}").replace("; _25._tcp", "_25._tcp")
        if domain != "truc.fr":  # the host is in the zone above
            text = re.sub(rf"(?m)^(\S+\.)?{re.escape(HOST)}\. .*\n", "", text)
        return text

    def states(self, domain, code=0):
        rows = json.loads(self.do("domain", "records", "--check", "--json", domain, code=code))["records"]
        return {(row["type"], row["name"]): row["state"] for row in rows}

    def test_what_is_printed_is_what_is_looked_for(self):
        zone = self.zone("truc.fr")
        self.assertNotIn("_pop3._tcp", zone)
        self.serve({"truc.fr": zone, "33.22.11.in-addr.arpa": BACK})
        states = self.states("truc.fr")
        self.assertEqual(set(states.values()), {"right"}, states)
        for row in (("MX", "truc.fr"), ("A", HOST), ("PTR", "44.33.22.11.in-addr.arpa"), ("TXT", "truc.fr"),
                    ("TXT", HOST), ("TXT", "mail._domainkey.truc.fr"), ("TXT", "_dmarc.truc.fr"),
                    ("TXT", "_smtp._tls.truc.fr"), ("SRV", "_imaps._tcp.truc.fr"), ("TLSA", f"_25._tcp.{HOST}")):
            self.assertIn(row, states)
        self.assertRegex(self.do("domain", "records", "--check", "truc.fr"), r"(?m)^right +MX +truc\.fr +10 mail\.truc\.fr$")
        self.assertIn("needed", json.loads(self.do("domain", "records", "truc.fr", "--json"))["records"][0])

    def test_what_is_wrong_is_found(self):
        zones = {domain: self.zone(domain) for domain in DOMAINS}
        zones["truc.fr"] = re.sub("TLSA 3 1 1 ....", "TLSA 3 1 1 0123", zones["truc.fr"])
        zones["a.truc.fr"] = zones["a.truc.fr"].replace(f"MX 10 {HOST}", "MX 10 elsewhere.truc.fr")
        zones["b.truc.fr"] += '@ IN TXT "v=spf1 -all"\n'
        zones["c.truc.fr"] = zones["c.truc.fr"].replace("p=MII", "p=MIJ")
        zones["d.truc.fr"] = re.sub(r"(?m)^_dmarc.*\n", "", zones["d.truc.fr"])
        self.serve(zones | {"33.22.11.in-addr.arpa": "44 IN PTR customer-44.example.\n"})
        states = self.states("truc.fr", code=DATAERR)
        self.assertEqual(states["TLSA", f"_25._tcp.{HOST}"], "wrong")
        self.assertEqual(states["PTR", "44.33.22.11.in-addr.arpa"], "wrong")
        for domain, row, state in (("a", ("MX", "a.truc.fr"), "wrong"), ("b", ("TXT", "b.truc.fr"), "more than one"),
                                   ("c", ("TXT", "mail._domainkey.c.truc.fr"), "wrong"),
                                   ("d", ("TXT", "_dmarc.d.truc.fr"), "missing")):
            states = self.states(f"{domain}.truc.fr", code=DATAERR)
            own = {r: s for r, s in states.items() if HOST not in r[1] and r[0] != "PTR" and s != "right"}
            self.assertEqual(own, {row: state})

    def test_what_is_only_advised_may_be_missing(self):
        text = re.sub(r"(?m)^_(imaps|smtp|25)\..*\n", "", self.zone("truc.fr"))
        text = text.replace("v=spf1 mx ~all", "v=spf1 mx include:x.example -all") + '@ IN TXT "some-verification=1"\n'
        self.serve({"truc.fr": text, "33.22.11.in-addr.arpa": BACK})
        states = self.states("truc.fr")
        self.assertEqual({r for r, s in states.items() if s == "missing"},
                         {("SRV", "_imaps._tcp.truc.fr"), ("TXT", "_smtp._tls.truc.fr")})
        self.assertNotIn(("TLSA", f"_25._tcp.{HOST}"), states)

    def test_nobody_answers(self):
        states = self.states("truc.fr", code=TEMPFAIL)
        self.assertEqual(set(states.values()), {"not answered"})
        self.assertGreater(len(states), 5)  # the first question took its time, the others were not asked

    def test_refusals_and_files(self):
        self.do("domain", "records", "elsewhere.example", code=NOUSER)
        self.assertIn("no domain of this server", self.said)
        testing, first = self.do("domain", "sts", "truc.fr"), self.said
        self.assertEqual(testing, f"version: STSv1\nmode: testing\nmx: {HOST}\nmax_age: 604800\n")
        self.assertIn("mode: enforce\n", self.do("domain", "sts", "--enforce", "truc.fr"))
        ids = [re.search(r'_mta-sts\.truc\.fr\. IN TXT "v=STSv1; id=([0-9a-f]{16});"', said)[1] for said in (first, self.said)]
        self.assertNotEqual(*ids)
        self.configure(0, "imap_listen = {}\n")
        self.do("domain", "records", "truc.fr")
        self.assertIn("no key signs mail of truc.fr", self.said)
        self.assertEqual((self.folder / "keys").stat().st_mode & 0o777, 0o700)
        (self.folder / "keys/truc.fr.pem").write_text("no key\n")
        self.configure(1)
        self.do("domain", "records", "truc.fr", code=DATAERR)
        self.assertIn("not a key", self.said)


if __name__ == "__main__":
    main()
