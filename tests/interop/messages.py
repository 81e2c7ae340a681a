#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Cases D1 to D7 through the daemon: each message of the courses is sent by SMTP, comes back by POP3
octet for octet, and the tool shows of it what the case says."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, Lines, OfficeCase, main

CASES = Path(__file__).resolve().parent.parent / "corpus" / "messages"


class Messages(OfficeCase):
    def through(self, content):
        """What the server put before the message, and a file with the message as it came back. The
        message goes by BDAT, so that nothing in it needs a client's care."""
        with Lines(self.office.base + 25) as client:
            client.reply()
            client.ask("EHLO soleil.uvsq.fr")
            client.ask(f"MAIL FROM:<{BOB}> BODY=BINARYMIME")
            client.ask(f"RCPT TO:<{ALICE}>")
            client.put(b"BDAT %d LAST\r\n" % len(content) + content)
            self.assertRegex(client.reply(), "^250 ")
            client.ask("QUIT")
        pop = self.office.pop()
        got = b"\r\n".join(pop.retr(pop.stat()[0])[1]) + b"\r\n"
        pop.quit()
        self.assertTrue(got.endswith(content))
        file = tempfile.NamedTemporaryFile(suffix=".eml")
        self.addCleanup(file.close)
        file.write(got)
        file.flush()
        return got[:-len(content)], file.name

    def case(self, name):
        return self.through((CASES / f"case-{name}.eml").read_bytes())[1]

    @staticmethod
    def mime(*words, code=0):
        done = subprocess.run([FACTEUR, "mime", *words], capture_output=True, check=False, timeout=CLIENT_S)
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def tree(self, file):
        return [(p["part"], p["type"], p["name"]) for p in json.loads(self.mime("tree", file, "--json"))["parts"]]

    def test_d1_header_fields(self):
        added, _ = self.through((CASES / "case-d1.eml").read_bytes())
        self.assertRegex(added, rb"^Return-Path: <bob@example\.test>\r\nReceived: from soleil\.uvsq\.fr ")

    def test_d2_every_type_and_encoding_passes(self):
        for path in sorted(CASES.glob("case-d2-*.eml")):
            with self.subTest(path.name):
                content = path.read_bytes()
                if not content.endswith(b"\r\n") or re.search(rb"(?<!\r)\n|\r(?!\n)", content):
                    continue  # POP3 has no way to show bare CR and LF: see the tests of the store
                _, file = self.through(content)
                self.assertTrue(self.tree(file))

    def test_d3_prologue_and_epilogue_are_passed_over(self):
        file = self.case("d3")
        self.assertEqual([part[:2] for part in self.tree(file)],
                         [("", "multipart/mixed"), ("1", "text/plain"), ("2", "text/plain")])
        self.assertEqual(self.mime("part", file, "1"),
                         b"Texte US-ASCII implicite.\r\nIl ne se termine PAS par un saut de ligne.")
        self.assertEqual(self.mime("part", file, "2"),
                         b"Texte US-ASCII explicite.\r\nIl se termine par un saut de ligne.\r\n")

    def test_d4_quoted_printable_is_one_line(self):
        self.assertEqual(self.mime("part", self.case("d4"), "1"),
                         b"Now's the time for all folk to come to the aid of their country.\r\n")

    def test_d5_base64_and_where_it_is_wrong(self):
        self.assertEqual(self.mime("part", self.case("d5"), "1"), b"\x23\x5c\x91")
        bad = (CASES / "case-d5.eml").read_bytes().replace(b"I1yR", b"I1yR\r\nI*w=")
        _, file = self.through(bad)
        defects = json.loads(self.mime("check", file, "--json", code=65))["defects"]
        self.assertEqual(len(defects), 1, defects)
        content = Path(file).read_bytes()
        self.assertEqual(defects[0]["offset"], content.index(b"*"), defects)

    def test_d6_an_attachment_is_listed_shown_and_saved(self):
        file = self.case("d6")
        self.assertEqual(self.tree(file), [("", "multipart/mixed", ""), ("1", "text/plain", ""),
                                           ("2", "application/msword", "publi.doc")])
        self.assertIn("Gérard Florin".encode(), self.mime("part", file, "1"))
        self.assertTrue(self.mime("part", file, "2").startswith(b"\xd0\xcf\x11\xe0"))

    def test_d7_encoded_words_and_parameters(self):
        file = self.case("d7")
        self.assertEqual(self.tree(file), [("1", "application/pdf", "compte rendu de réunion.pdf")])


if __name__ == "__main__":
    main()
