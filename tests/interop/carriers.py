#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The transport agent and other people's servers (peers.py): they receive what it carries."""
import email
import os
import subprocess
import unittest
from pathlib import Path

from office import FACTEUR, main, skip_all
from peers import Exim, OpenSMTPD, Postfix

CARRY = Path(os.environ.get("CARRY") or Path(FACTEUR).resolve().parents[2] / "tests/interop/carry")
BODY = b".\r\n..\r\n.one\r\nlast line\r\n"
DOTS = b"Subject: dots\r\n\r\n" + BODY


def body_of(message):
    return message.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


class Carrying:
    """What holds with every server; `peer_class` says with which."""

    @classmethod
    def setUpClass(cls):
        reason = cls.peer_class.missing()
        if reason is None and os.geteuid() != 0:
            reason = f"{cls.peer_class.name} needs root"
        if reason:
            raise unittest.SkipTest(reason)
        cls.peer = cls.peer_class()

    @classmethod
    def tearDownClass(cls):
        cls.peer.close()

    def setUp(self):
        self.peer.clear()

    def carry(self, message, *recipients, port=None, sender="fred@bar.com", **options):
        """Results and attempts, as lines."""
        words = [CARRY, "127.0.0.1", str(port or self.peer.port), sender, *(recipients or ("jones@peer.test",))]
        if options:
            words += ["--", *(f"{key}={value}" for key, value in options.items())]
        done = subprocess.run(words, input=message, capture_output=True, timeout=120, check=True)
        lines = done.stdout.decode().splitlines()
        return ([line[7:] for line in lines if line.startswith("result ")],
                [line[8:] for line in lines if line.startswith("attempt ")])

    def test_a_message_arrives_octet_for_octet(self):
        results, attempts = self.carry(DOTS)
        self.assertRegex(results[0], "^delivered 250 ")
        if self.peer.has_tls:
            self.assertIn("TLSv1.3", attempts[0])
        [kept] = self.peer.received("jones")
        self.assertEqual(body_of(kept), body_of(DOTS))

    def test_each_recipient_has_a_result(self):
        results, _ = self.carry(DOTS, "jones@peer.test", "unknown@peer.test", "x@elsewhere.test", "brown@peer.test")
        self.assertEqual([r.split()[0] for r in results], ["delivered", "permanent", "permanent", "delivered"])
        self.assertRegex(results[1], self.peer.unknown)
        self.assertEqual(len(self.peer.received("jones") + self.peer.received("brown")), 2)

    def test_a_server_without_extensions_gets_it_too(self):
        results, attempts = self.carry(DOTS, port=self.peer.poor_port)
        self.assertRegex(results[0], "^delivered 250")
        self.assertIn("[]", attempts[0])
        [kept] = self.peer.received("jones")
        self.assertEqual(body_of(kept), body_of(DOTS))

    def test_what_is_too_large_is_refused_before_it_travels(self):
        results, _ = self.carry(DOTS + b"more\r\n" * 1000, port=self.peer.poor_port)
        self.assertRegex(results[0], "^permanent 0 5.3.4 ")

    def test_one_connection_serves_several_messages(self):
        results, attempts = self.carry(DOTS.replace(b"dots", b"several"), times=3)
        self.assertEqual(len(results), 3)
        self.assertEqual(["reused" in a for a in attempts][-3:], [False, True, True])
        self.assertEqual(len(self.peer.received("jones", 3, b"Subject: several")), 3)

    def test_a_certificate_is_verified_where_it_must_be(self):
        if not self.peer.has_tls:
            self.skipTest(f"{self.peer.name} has no TLS that works")
        trust = self.peer.folder / "cert.pem"
        results, attempts = self.carry(DOTS, tls="verify", host="peer.test", trust=trust)
        self.assertRegex(results[0], "^delivered ")
        results, attempts = self.carry(DOTS, tls="verify", host="other.test", trust=trust)
        self.assertRegex(results[0], "^temporary 0 4.7.5 ")
        results, attempts = self.carry(DOTS, tls="encrypt", port=self.peer.poor_port)
        self.assertRegex(results[0], "^temporary 0 4.7.0 ")

    def test_notifications_of_success_are_left_to_a_server_that_has_dsn(self):
        results, _ = self.carry(DOTS, notify=2)
        self.assertTrue(results[0].endswith("[DSN]"))
        results, _ = self.carry(DOTS, notify=2, port=self.peer.poor_port)
        self.assertFalse(results[0].endswith("[DSN]"))

    def test_utf8_addresses_travel_or_return(self):
        if self.peer.has_utf8:
            results, _ = self.carry("Subject: été\r\n\r\nbonjour\r\n".encode(), "zoé@peer.test", utf8=1)
            self.assertRegex(results[0], "^delivered 250 ")
            [kept] = self.peer.received("zoé")
            self.assertIn("Subject: été".encode(), kept)
        results, _ = self.carry(b"Subject: x\r\n\r\nbonjour\r\n", "zoé@peer.test", utf8=1, port=self.peer.poor_port)
        self.assertRegex(results[0], "^permanent 0 5.6.7 ")


class WithPostfix(Carrying, unittest.TestCase):
    peer_class = Postfix

    def test_eight_bit_text_is_converted_for_a_server_that_takes_seven(self):
        text = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n" \
               b"Content-Transfer-Encoding: 8bit\r\n\r\nG\xe9rard Florin\r\n"
        self.carry(text, port=self.peer.poor_port)
        [kept] = self.peer.received("jones")
        self.assertIn(b"G=E9rard Florin", kept)
        message = email.message_from_bytes(kept)
        self.assertEqual(message["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(message.get_payload(decode=True).strip(), b"G\xe9rard Florin")

    def test_more_recipients_than_the_server_takes_at_once(self):
        names = ("jones", "brown", "white")
        results, attempts = self.carry(DOTS, *(f"{n}@peer.test" for n in names), port=self.peer.poor_port)
        self.assertEqual([r.split()[0] for r in results], ["delivered"] * 3)
        for name in names:
            self.assertEqual(len(self.peer.received(name)), 1)


class WithExim(Carrying, unittest.TestCase):
    peer_class = Exim


class WithOpenSMTPD(Carrying, unittest.TestCase):
    peer_class = OpenSMTPD

    def test_tls_that_fails_keeps_no_mail_back_but_where_it_is_wanted(self):
        results, attempts = self.carry(DOTS)
        self.assertRegex(results[0], "^delivered 250 ")
        if len(attempts) == 1:
            self.skipTest("this one's TLS works")
        self.assertIn("alert", attempts[0])
        self.assertIn("[]", attempts[1])
        results, _ = self.carry(DOTS, tls="encrypt")
        self.assertRegex(results[0], "^temporary 0 4.7.5 ")
        self.assertEqual(len(self.peer.received("jones")), 1)


if __name__ == "__main__":
    if os.geteuid() != 0 or all(peer.missing() for peer in (Postfix, Exim, OpenSMTPD)):
        skip_all("needs root, and Postfix, Exim or OpenSMTPD")
    main()
