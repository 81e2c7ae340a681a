#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The lab with a signed zone (`facteur lab start --signed`): mail to foo.com is secured by DANE (RFC 7672),
and waits as long as somebody has tampered with the zone."""
import json
import os
import re
import shutil
import signal
import tempfile
import unittest
from pathlib import Path

import lab as world
from office import main, skip_all, wait_for


class Signed(unittest.TestCase):
    lab = classmethod(world.Lab.lab.__func__)
    send = world.Lab.send
    messages = world.Lab.messages
    address = world.Lab.address

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fl-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.net = world.free_net()
        cls.lab("start", "--net", str(cls.net), "--signed")

    @classmethod
    def tearDownClass(cls):
        cls.lab("stop")
        shutil.rmtree(cls.folder)

    def subjects(self):
        return [message["Subject"] for message in self.messages("alice@foo.com")]

    def restart_names(self):
        pid = json.loads(self.lab("status", "--json"))["names_pid"]
        os.kill(pid, signal.SIGTERM)
        self.assertTrue(wait_for(lambda: json.loads(self.lab("status", "--json"))["names_pid"] == 0))
        self.lab("start")

    def test_a_signed_zone_means_dane(self):
        way = self.send("--to", "alice@foo.com", "--subject", "signed")
        self.assertTrue(way["settled"])
        told = json.dumps(way)
        self.assertIn("TLSA of mail.foo.com: 1 record, DANE is required", told)
        self.assertIn("secured by DNSSEC", told)
        self.assertEqual(self.subjects().count("signed"), 1)

    def test_a_signature_that_is_damaged_holds_mail_back(self):
        zone = self.folder / "names/foo.com.signed"
        good = zone.read_text()
        # One that has not asked yet: nothing is known of the zone there.
        words = ("--from", "jqp@bar.com", "--to", "alice@foo.com", "--subject", "tampered")
        zone.write_text(re.sub(r"(RRSIG\t(?:MX|TLSA|A) .* )(\S)(\S+)", lambda m: m[1] + ("B" if m[2] == "A" else "A") + m[3],
                               good))
        self.assertNotEqual(zone.read_text(), good)
        self.restart_names()
        way = self.send(*words, "--wait", "3")
        self.assertFalse(way["settled"])
        self.assertNotIn("tampered", self.subjects())
        zone.write_text(good)
        self.restart_names()
        self.assertTrue(wait_for(lambda: "tampered" in self.subjects(), 120))


if __name__ == "__main__":
    if not all(map(shutil.which, ("ldns-keygen", "ldns-signzone"))) or not Path("/usr/sbin/nsd").exists():
        skip_all("needs nsd and ldnsutils")
    main()
