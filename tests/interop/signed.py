#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What our users send from a domain that has keys is signed (DKIM), with RSA and Ed25519, and dkimpy, which
Debian has, finds both signatures good, whatever the body is like; what strangers send in that domain's
name, or a user in another's, is not. $FACTEUR names the program."""
import email
import os
import signal
import smtplib
import sys
import unittest

from next_hop import NextHop
from office import ALICE, BOB, Office, main, skip_all, wait_for

# What dkimpy imports must not find this folder's queue.py; and it is Debian's, whichever Python runs this.
here = sys.path.pop(0)
sys.path.append("/usr/lib/python3/dist-packages")
try:
    import dkim
except ImportError:
    skip_all("needs python3-dkim")
sys.path.insert(0, here)

RSA, ED = "one._domainkey.example.test", "two._domainkey.example.test"
BODIES = {"plain": b"Hello.\r\n", "blanks": b"a \t b  \r\n \r\nc\t\r\n\r\n\r\n", "large": b"x" * 70 + b" \r\n", "no-end": b"end"}
LARGE_LINES = 3000  # more than travels in a note
INLINE_MAX = 66560  # SMTP_STORE_SUBMIT_BODY_MAX


class Dkim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.office = Office(config="local_destinations = yes\nsubmission_senders = envelope\n"
                            f'send_as = {{"{BOB} shop@example.test"}}\n')
        cls.records = {}
        lines = []
        for name, words in ((RSA, []), (ED, ["--ed25519"])):
            path = cls.office.folder / "tls" / name
            cls.office.tool("dkim", "generate", "example.test", "--selector", name.split(".")[0], "--file", str(path), *words)
            lines.append(f'"{name} {path}"')
        config = cls.office.folder / "facteur.conf"
        config.write_text(config.read_text() + f"\ndkim_keys = {{{', '.join(lines)}}}\n")
        cls.office.tool("reload")
        for line in cls.office.tool("dkim", "show").splitlines():
            cls.records[line.split(". IN")[0]] = "".join(line.split('"')[1::2]).encode()

    @classmethod
    def tearDownClass(cls):
        cls.office.close()

    def record(self, name, timeout=5):
        return self.records.get(name.decode().rstrip("."))

    def test_both_signatures_hold(self):
        for subject, body in BODIES.items():
            head = f"From: <{BOB}>\r\nTo: <{ALICE}>\r\nSubject: {subject}\r\n\r\n".encode()
            with self.office.smtp(BOB) as client:
                client.sendmail(BOB, [ALICE], head + body * (LARGE_LINES if subject == "large" else 1))
            message = self.office.find(subject)
            verifier = dkim.DKIM(message)
            self.assertEqual([verifier.verify(index, dnsfunc=self.record) for index in (0, 1)], [True, True], subject)
            self.assertFalse(dkim.DKIM(message.replace(b"\r\nSubject: ", b"\r\nTo: x@y.test\r\nSubject: ", 1)).verify(dnsfunc=self.record))

    def test_a_key_that_is_no_longer_configured_signs_no_more(self):
        config = self.office.folder / "facteur.conf"
        whole = config.read_text()
        self.addCleanup(self.office.tool, "reload")
        self.addCleanup(config.write_text, whole)
        before, rows = whole.split("\ndkim_keys = {")
        config.write_text(before + "\ndkim_keys = {" + rows.split(", ")[1])  # the second row, and the brace
        self.office.tool("reload")
        with self.office.smtp(BOB) as client:
            client.sendmail(BOB, [ALICE], f"From: <{BOB}>\r\nTo: <{ALICE}>\r\nSubject: only one\r\n\r\nHello.\r\n")
        message = self.office.find("only one")
        self.assertEqual(message.count(b"DKIM-Signature:"), 1)
        self.assertIn(b"s=two", message)
        config.write_text(before + "\n")
        self.office.tool("reload")
        with self.office.smtp(BOB) as client:
            client.sendmail(BOB, [ALICE], f"From: <{BOB}>\r\nTo: <{ALICE}>\r\nSubject: no key\r\n\r\nHello.\r\n")
        self.assertNotIn(b"DKIM-Signature:", self.office.find("no key"))

    def send(self, subject, head, body):
        head = f"From: <{BOB}>\r\nDate: Sun, 22 Nov 2026 05:00:00 +0000\r\nMessage-ID: <{subject}@x.test>\r\nSubject: {subject}\r\n{head}\r\n"
        with self.office.smtp(BOB) as client:
            client.sendmail(BOB, [ALICE, "x@far.test"], head.encode() + body, ["BODY=8BITMIME"])
        return self.office.find(subject)

    def verify(self, message):
        verifier = dkim.DKIM(message)
        return [verifier.verify(index, dnsfunc=self.record) for index in (0, 1)]

    def test_a_host_that_takes_7_bits_gets_what_was_signed(self):
        """RFC 6376, 5.3: content is encoded before it is signed, as the host would get it so."""
        old, text = NextHop(), "Grüße aus Köln. 東京は雨です。\r\n".encode()
        self.addCleanup(old.close)
        transports = self.office.folder / "data/directory/transports"
        transports.write_text(f"far.test smtp:[127.0.0.1]:{old.port}\n")
        self.office.tool("reload")
        html = "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n"
        part = b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text
        plain = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        bodies = {"parts": (html, part + part + b"--b--\r\n"), "text": (plain, text), "ascii": ("", b"Hello.\r\n")}
        for subject, (head, body) in bodies.items():
            message = self.send(subject, head, body)
            self.assertTrue(message.isascii(), subject)
            self.assertTrue(wait_for(lambda: len(old.sent) == 1), subject)
            carried = old.sent.pop().replace(b"\r\n..", b"\r\n.").removesuffix(b".\r\n")
            self.assertEqual(self.verify(carried), [True, True], subject)
            self.assertEqual(self.verify(message), [True, True], subject)
            parts = email.message_from_bytes(carried).walk()
            self.assertEqual({part.get_payload(decode=True) for part in parts if not part.is_multipart()},
                             {body if subject == "ascii" else text if subject == "text" else text.removesuffix(b"\r\n")})

    def test_what_is_signed_as_it_came(self):
        """What its author has signed in another way, and what does not travel in a note; at that limit and past it."""
        sealed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha256; boundary=b\r\n"
        part = b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
        end = b"--b\r\nContent-Type: application/pgp-signature\r\n\r\nnone\r\n--b--\r\n"
        plain = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        message = self.send("sealed", sealed, part + end)
        self.assertIn("Grüße".encode(), message)
        self.assertEqual(self.verify(message), [True, True])
        head = len(f"From: <{BOB}>\r\nDate: Sun, 22 Nov 2026 05:00:00 +0000\r\nMessage-ID: <limit@x.test>\r\nSubject: limit\r\n{plain}\r\n")
        body = "üß\r\n".encode()
        body += (b"y" * 60 + b"\r\n") * ((INLINE_MAX - head - len(body) - 2) // 62)
        body += b"z" * (INLINE_MAX - head - len(body) - 2) + b"\r\n"
        for subject, more in ("limit", b""), ("above", b"x"):
            message = self.send(subject, plain, more + body)
            self.assertEqual(message.isascii(), subject == "limit", subject)
            self.assertEqual(self.verify(message), [True, True], subject)

    def test_only_own_addresses_are_signed(self):
        """A user's addresses are those whose mail reaches him, and those that he may send as. (By default others are
        refused: senders.py.)"""
        self.office.tool("alias", "add", "sales@example.test", BOB)
        many = "".join(f"Comments: {number} {'x' * 900}\r\n" for number in range(80))
        for author, more, count, said in ((BOB, "", 2, 0), ("sales@example.test", "", 2, 0),
                                          ("shop@example.test", "", 2, 0), (ALICE, "", 0, 1), ("sales@elsewhere.test", "", 0, 0),
                                          (f"{BOB}, {ALICE}", "", 0, 1), (f"Long <{BOB}>", many, 0, 1)):
            told = self.office.log_text().count("event=not_signed")
            with self.office.smtp(BOB) as client:
                client.sendmail(BOB, [ALICE], f"From: {author}\r\n{more}Subject: as {author}\r\n\r\nHi.\r\n".encode())
            self.assertEqual(self.office.find(f"as {author}").count(b"DKIM-Signature"), count, author)
            self.assertEqual(self.office.log_text().count("event=not_signed") - told, said, author)

    def test_nothing_goes_unsigned_while_the_keys_are_not_there(self):
        """Who has the keys is stopped: the mail is put off, and signed when it comes again."""
        keys, = self.office.processes("keys")
        message = f"From: <{BOB}>\r\nSubject: put off\r\n\r\nHi.\r\n".encode()
        self.addCleanup(os.kill, keys, signal.SIGCONT)
        with self.office.smtp(BOB) as client:
            os.kill(keys, signal.SIGSTOP)
            with self.assertRaises(smtplib.SMTPDataError) as refusal:
                client.sendmail(BOB, [ALICE], message)
        self.assertEqual(refusal.exception.smtp_code, 451)
        os.kill(keys, signal.SIGCONT)
        self.assertTrue(wait_for(lambda: self.is_taken(message)))
        self.assertEqual(self.office.find("put off").count(b"DKIM-Signature"), 2)
        self.assertIn("no_answer_of_keys", self.office.log_text())

    def is_taken(self, message):
        """Who was stopped is asked again when it has given the answer that is late."""
        try:
            with self.office.smtp(BOB) as client:
                client.sendmail(BOB, [ALICE], message)
        except smtplib.SMTPResponseException as refusal:
            self.assertEqual(refusal.smtp_code, 454)
            return False
        return True

    def test_strangers_are_not_signed(self):
        with self.office.smtp() as client:
            client.sendmail("x@elsewhere.test", [ALICE], f"From: {BOB}\r\nSubject: forged\r\n\r\nHi.\r\n".encode())
        self.assertNotIn(b"DKIM-Signature", self.office.find("forged"))


if __name__ == "__main__":
    main()
