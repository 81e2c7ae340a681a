#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What our users send from a domain that has keys is signed (DKIM), with RSA and Ed25519, and dkimpy, which
Debian has, finds both signatures good, whatever the body is like; what strangers send in that domain's
name, or a user in another's, is not. $FACTEUR names the program."""
import os
import signal
import smtplib
import sys
import unittest

from office import ALICE, BOB, Office, main, skip_all

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


class Dkim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.office = Office()
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

    def test_only_own_addresses_are_signed(self):
        """A user's addresses are those whose mail reaches him."""
        self.office.tool("alias", "add", "sales@example.test", BOB)
        authors = {BOB: 2, "sales@example.test": 2, ALICE: 0, "sales@elsewhere.test": 0, f"{BOB}, {ALICE}": 0}
        for author, count in authors.items():
            with self.office.smtp(BOB) as client:
                client.sendmail(BOB, [ALICE], f"From: {author}\r\nSubject: as {author}\r\n\r\nHi.\r\n".encode())
            self.assertEqual(self.office.find(f"as {author}").count(b"DKIM-Signature"), count, author)
        self.assertIn("not_signed", self.office.log_text())

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
        with self.office.smtp(BOB) as client:
            client.sendmail(BOB, [ALICE], message)
        self.assertEqual(self.office.find("put off").count(b"DKIM-Signature"), 2)
        self.assertEqual(self.office.log_text().count("no_answer_of_keys"), 1)

    def test_strangers_are_not_signed(self):
        with self.office.smtp() as client:
            client.sendmail("x@elsewhere.test", [ALICE], f"From: {BOB}\r\nSubject: forged\r\n\r\nHi.\r\n".encode())
        self.assertNotIn(b"DKIM-Signature", self.office.find("forged"))


if __name__ == "__main__":
    main()
