#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mail that an alias sends on to another host leaves under an address of ours (SRS), so that the sender's SPF is not
asked about us; its bounce comes back and finds the sender; nobody else can write to such addresses."""
import base64
import hashlib
import hmac
import re
import time
import unittest

from office import Office, main, wait_for

CAROL, DAVE = "carol@far.test", "dave@far.test"
CONFIG = '\nqueue_interval_max = "1 s"\nlocal_destinations = yes\nsrs_domain = "example.test"\n'
DAY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class Srs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = Office()
        cls.far.tool("domain", "add", "far.test")
        for who in (CAROL, DAVE):
            cls.far.tool("user", "add", who, "--password-stdin", text="secret of both\n")
            cls.far.people[who] = "secret of both"
        cls.near = Office(config=CONFIG)
        (cls.near.folder / "data/directory/transports").write_text(f"far.test smtp:[127.0.0.1]:{cls.far.base + 25}\n")
        cls.near.tool("alias", "add", "on@example.test", DAVE)
        cls.near.tool("alias", "add", "lost@example.test", "ghost@far.test")
        cls.near.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.near.close()
        cls.far.close()

    def hand_in(self, subject, to, sender=CAROL):
        """A stranger at the near office's port 25; the answers to RCPT and to the message."""
        with self.near.smtp() as client:
            client.ehlo("far.test")
            self.assertEqual(client.mail(sender)[0], 250)
            code = client.rcpt(to)[0]
            return code, client.data(f"Subject: {subject}\r\n\r\nx\r\n")[0] if code == 250 else 0

    def found(self, subject, who):
        key = f"\r\nSubject: {subject}\r\n".encode()
        return [message for message in self.far.messages(who) if key in message]

    def made(self, days_ago):
        """The address of that day, by the scheme as it is written, with the server's key."""
        key = (self.near.folder / "data/directory/srs-key").read_bytes().strip()
        day = (int(time.time()) // 86400 - days_ago) % 1024
        payload = f"{DAY_LETTERS[day >> 5]}{DAY_LETTERS[day & 31]}=far.test=carol"
        proof = base64.b32encode(hmac.new(key, b"0" + payload.lower().encode(), hashlib.sha256).digest()[:5]).decode()
        return f"SRS0={proof}={payload}@example.test"

    def test_a_forward_to_another_host_leaves_under_an_address_of_ours(self):
        self.assertEqual(self.hand_in("sent on", "on@example.test"), (250, 250))
        self.assertTrue(wait_for(lambda: self.found("sent on", DAVE)))
        message, = self.found("sent on", DAVE)
        self.assertRegex(message.decode(), r"(?i)^Return-Path: <SRS0=[a-z2-7]{8}=[a-z2-7]{2}=far\.test=carol@example\.test>\r\n")
        self.assertEqual(re.search(rb"(?i)<(SRS0=[^>]*)>", message).group(1).decode().lower(), self.made(0).lower())

    def test_a_bounce_finds_the_sender(self):
        self.assertEqual(self.hand_in("bounced", "lost@example.test"), (250, 250))
        self.assertTrue(wait_for(lambda: self.found("Undelivered: bounced", CAROL)))
        report, = self.found("Undelivered: bounced", CAROL)
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"))
        self.assertIn(b"ghost@far.test", report)

    def test_what_another_host_bounces_later_finds_the_sender(self):
        for number, address in enumerate((self.made(0), self.made(20).lower(), self.made(20).upper())):
            self.assertEqual(self.hand_in(f"late {number}", address, sender=""), (250, 250))
            self.assertTrue(wait_for(lambda number=number: self.found(f"late {number}", CAROL)))

    def test_a_forged_address_is_refused(self):
        good = self.made(0)
        for bad in (good.replace("carol", "dave"), good.replace("far.test", "elsewhere.test"),
                    re.sub(r"SRS0=.{8}", "SRS0=AAAAAAAA", good), re.sub(r"SRS0=.{8}", "SRS0=", good), "SRS0=x@example.test",
                    "SRS0@example.test", good.replace("SRS0", "SRS1")):
            self.assertEqual(self.hand_in("forged", bad, sender="")[0], 550, bad)

    def test_an_address_that_is_too_old_is_refused(self):
        self.assertEqual(self.hand_in("old", self.made(23), sender="")[0], 550)
        self.assertEqual(self.hand_in("from the future", self.made(-3), sender="")[0], 550)

    def test_the_key_stays_when_the_server_starts_anew(self):
        before = self.made(0)
        self.near.stop()
        self.near.start()
        self.assertEqual(self.made(0), before)
        self.assertEqual(self.hand_in("after", before, sender=""), (250, 250))
        self.assertEqual((self.near.folder / "data/directory/srs-key").stat().st_mode & 0o137, 0)


if __name__ == "__main__":
    main()
