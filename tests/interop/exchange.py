#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mail both ways between a whole Facteur and other people's servers (peers.py), through both queues: with
STARTTLS, notifications of success and failure (DSN), and addresses in UTF-8 where both have them."""
import email
import os
import re
import smtplib
import unittest

from office import ALICE, BOB, CLIENT_S, Office, main, skip_all, wait_for
from peers import Exim, OpenSMTPD, Postfix

BODY = b".\r\n..\r\nFrom here\r\n\xc3\xa9t\xc3\xa9\r\nlast line\r\n"


class Exchange:
    """What holds with every server; `peer_class` says with which."""
    size_max = 1000000

    @classmethod
    def setUpClass(cls):
        reason = cls.peer_class.missing()
        if reason is None and os.geteuid() != 0:
            reason = f"{cls.peer_class.name} needs root"
        if reason:
            raise unittest.SkipTest(reason)
        cls.office = Office(config='local_destinations = yes\nreport_language = english\n')
        cls.office.tool("user", "add", "élodie@example.test", "--password-stdin", text="a secret of hers\n")
        cls.peer = cls.peer_class(our_port=cls.office.base + 25, size_max=cls.size_max)
        row = f"peer.test smtp:[127.0.0.1]:{cls.peer.port} tls=may\n"
        (cls.office.folder / "data/directory/transports").write_text(row)
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.peer.close()
        cls.office.close()

    # ---- sending

    def message(self, sender, to, subject):
        return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n").encode() + BODY

    def out(self, to, subject, sender=BOB, options=(), rcpt_options=()):
        with self.office.smtp(BOB) as client:
            client.command_encoding = "utf-8"
            client.sendmail(sender, [to], self.message(sender, to, subject), mail_options=options,
                            rcpt_options=rcpt_options)

    def inward(self, to, subject, sender="jones@peer.test", options=(), rcpt_options=()):
        with smtplib.SMTP("127.0.0.1", self.peer.port, timeout=CLIENT_S) as client:
            client.command_encoding = "utf-8"
            client.sendmail(sender, [to], self.message(sender, to, subject), mail_options=options,
                            rcpt_options=rcpt_options)

    # ---- what has come

    def ours(self, holding, who=ALICE):
        """The message of one of us that holds this."""
        found = wait_for(lambda: [m for m in self.office.messages(who) if holding in m])
        self.assertTrue(found, self.office.log_text()[-3000:])
        return found[0]

    def theirs(self, local, holding):
        return self.peer.received(local, 1, holding)[0].replace(b"\r\n", b"\n")

    def report(self, message):
        """The delivery-status part, as text; of which there must be one (RFC 3464)."""
        letter = email.message_from_bytes(message)
        self.assertEqual(letter.get_content_type(), "multipart/report")
        return "\n".join(str(part) for part in letter.get_payload() if "delivery-status" in part.get_content_type())

    # ---- the tests

    def test_out_and_in_octet_for_octet_under_tls(self):
        self.out("jones@peer.test", "outwards")
        kept = self.theirs("jones", b"Subject: outwards\n")
        self.assertEqual(kept.partition(b"\n\n")[2], BODY.replace(b"\r\n", b"\n"))
        if self.peer.has_tls:
            self.assertRegex(self.office.log_text(), r"to=jones@peer\.test outcome=delivered .*tls=\"?TLSv1\.3")
        self.inward(ALICE, "inwards")
        kept = self.ours(b"Subject: inwards\r\n")
        self.assertEqual(kept.partition(b"\r\n\r\n")[2], BODY)
        if self.tls_inwards:
            self.assertRegex(kept.replace(b"\r\n\t", b" "), rb"by mail\.example\.test with (UTF8)?E?SMTPS ")

    def test_both_tell_of_success(self):
        self.out("brown@peer.test", "tell me", options=["ENVID=outwards-1", "RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS"])
        self.theirs("brown", b"Subject: tell me\n")
        if self.peer.dsn:
            report = self.report(self.ours(b"outwards-1", BOB))
            self.assertIn("Action: delivered", report)
            self.assertIn("brown@peer.test", report)
        self.inward(ALICE, "and me", sender="white@peer.test", options=["ENVID=inwards-1"],
                    rcpt_options=["NOTIFY=SUCCESS"])
        self.ours(b"Subject: and me\r\n")
        if self.peer.dsn:
            report = self.report(self.theirs("white", b"Action: delivered"))
            self.assertIn("Original-Envelope-Id: inwards-1", report)
            self.assertIn(f"Final-Recipient: rfc822; {ALICE}".lower(), re.sub(r";\s*", "; ", report).lower())

    def test_both_give_back_what_has_nobody(self):
        self.out("unknown@peer.test", "to nobody there")
        report = self.report(self.ours(b"unknown@peer.test", BOB))
        self.assertIn("Action: failed", report)
        self.assertRegex(report, r"Status: 5\.\d\.\d")
        self.inward("nobody@example.test", "to nobody here")
        report = self.theirs("jones", b"nobody@example.test")
        if self.peer.has_reports:
            self.assertIn("Action: failed", self.report(report))
            self.assertIn("5.1.1", self.report(report))  # Exim's own status is 5.0.0
        else:
            self.assertIn(b"550 5.1.1", report)

    def test_addresses_in_utf_8(self):
        if not self.peer.has_utf8:
            self.out("zoé@peer.test", "à Zoé", options=["SMTPUTF8", "BODY=8BITMIME"])
            self.assertIn("5.6.7", self.ours("zoé@peer.test".encode(), BOB).decode(errors="replace"))
            return
        self.out("zoé@peer.test", "à Zoé", options=["SMTPUTF8", "BODY=8BITMIME"])
        self.assertIn("Subject: à Zoé\n".encode(), self.theirs("zoé", "Subject: à Zoé".encode()))
        self.inward("élodie@example.test", "à Élodie", sender="zoé@peer.test", options=["SMTPUTF8", "BODY=8BITMIME"])
        self.assertTrue(wait_for(lambda: re.search(r"event=delivered .*to=\"?élodie@example\.test", self.office.log_text())),
                        self.office.log_text()[-3000:])

    def test_many_at_once_arrive_once(self):
        for number in range(20):
            self.out("jones@peer.test", f"many out {number:02}")
            self.inward(BOB, f"many in {number:02}")
        for number in range(20):
            self.assertEqual(len(self.peer.received("jones", 1, b"Subject: many out %02d" % number)), 1)
            self.ours(b"Subject: many in %02d\r\n" % number, BOB)
        subjects = [m.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0] for m in self.office.messages(BOB)]
        self.assertEqual(len([s for s in subjects if s.startswith(b"many in")]), 20)


class WithPostfix(Exchange, unittest.TestCase):
    peer_class, tls_inwards = Postfix, True


class WithExim(Exchange, unittest.TestCase):
    peer_class, tls_inwards = Exim, True


class WithOpenSMTPD(Exchange, unittest.TestCase):
    peer_class, tls_inwards = OpenSMTPD, True


if __name__ == "__main__":
    if os.geteuid() != 0 or all(peer.missing() for peer in (Postfix, Exim, OpenSMTPD)):
        skip_all("needs root, and Postfix, Exim or OpenSMTPD")
    main()
