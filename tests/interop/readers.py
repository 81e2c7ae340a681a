#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What Facteur builds is read rightly by others: all text, subjects and files of the corpus of messages, built anew
by `facteur mime build`, read by Python's email package, by GMime and by mutt."""
import email
import email.errors
import email.policy
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import CLIENT_S, FACTEUR, main
from terminal import Terminal

CORPUS = Path(__file__).resolve().parent.parent / "corpus" / "messages"
GMIME = Path(FACTEUR).resolve().parent.parent / "mime" / "mime_gmime_test"
BATCH = 24  # messages of the corpus whose words and octets go into one that is built


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def printable(text):
    """As people type it: one kind of line end, no controls but TAB, nothing that is half of a character."""
    text = re.sub(r"\r\n?", "\n", text.encode("utf-8", "replace").decode())
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f" and c not in "\u2028\u2029"))


def words_of(path):
    """The first text and the subject of a message of the corpus, as Python's email package reads them."""
    try:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        subject = printable(str(message["Subject"] or "")).replace("\n", " ").replace("\t", " ")
        text = next((p.get_content() for p in message.walk() if p.get_content_maintype() == "text"), "")
    except (LookupError, ValueError, AttributeError, IndexError, TypeError, RecursionError, email.errors.MessageError):
        return "", ""  # what breaks the reader is not what is tested here
    return printable(text), subject


class Readers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="fr-")
        cls.folder = Path(cls.temporary.name)
        (cls.folder / "built").mkdir()
        paths = sorted(CORPUS.glob("*.eml"))
        cls.batches = [paths[i:i + BATCH] for i in range(0, len(paths), BATCH)]
        cls.wanted = {}
        for number, batch in enumerate(cls.batches):
            cls.build(number, batch)
        for charset, text in (("iso-8859-1", "Déjà vu, señor Grüße " * 9 + "ÿ"), ("iso-8859-15", "Œuvre à 12 € – non, 13 €".replace("–", "-"))):
            cls.build_narrow(len(cls.wanted), charset, text)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def build(cls, number, batch):
        found = [words_of(path) for path in batch]
        text = "\n".join(t for t, _ in found if len(t) < 100_000) + "\n"
        subject = " ".join(" / ".join(s for _, s in found).split())[:300].strip()  # the parse record, which GMime is compared with, keeps some hundred octets
        names = []
        for path in batch:
            # Types follow endings; octets must come back as they were, whatever they are.
            name = cls.folder / f"{path.stem} – été 日本.bin"
            name.write_bytes(path.read_bytes())
            names.append(name)
        cls.put(number, subject, text, names)

    @classmethod
    def build_narrow(cls, number, charset, text):
        """Words that fit into a charset narrower than UTF-8, which is then taken."""
        name = cls.folder / f"{text[:60]}.bin"
        name.write_bytes(bytes(range(256)))
        cls.put(number, text, f"{text}\n", [name])
        octets = (cls.folder / "built" / f"{number:03}.eml").read_bytes().lower()
        for word in (f"subject: =?{charset}?", f"charset={charset}", f"*={charset}''"):
            if word.encode() not in octets:
                raise AssertionError(f"no {word} in {octets[:600]}")

    @classmethod
    def put(cls, number, subject, text, names):
        (cls.folder / "text").write_text(text, encoding="utf-8")
        done = subprocess.run([FACTEUR, "mime", "build", "--subject", subject, "--from", "Zoë <zoe@example.org>", "--to",
                               "bob@example.org", "--text", cls.folder / "text", *names], capture_output=True, check=False,
                              timeout=CLIENT_S)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode())
        (cls.folder / "built" / f"{number:03}.eml").write_bytes(done.stdout)
        cls.wanted[number] = (subject, text, [(n.name, n.read_bytes()) for n in names])

    def built(self):
        return [(n, (self.folder / "built" / f"{n:03}.eml").read_bytes()) for n in self.wanted]

    def test_python_reads_all_of_it(self):
        for number, octets in self.built():
            subject, text, files = self.wanted[number]
            message = parsed(octets)
            with self.subTest(number):
                self.assertEqual(message["Subject"], subject)
                self.assertEqual(message["From"].addresses[0].display_name, "Zoë")
                self.assertEqual(message.get_body().get_content().replace("\r\n", "\n"), text)
                got = [(p.get_filename(), p.get_content()) for p in message.iter_attachments()]
                self.assertEqual([n for n, _ in got], [n for n, _ in files])
                self.assertTrue(all(g[1] == f[1] for g, f in zip(got, files)))
                self.assertEqual([d for p in message.walk() for d in p.defects], [])

    def test_lines_are_as_relays_want_them(self):
        for number, octets in self.built():
            header, body = octets.split(b"\r\n\r\n", 1)
            with self.subTest(number):
                self.assertTrue(octets.isascii() and b"\0" not in octets)
                self.assertNotRegex(octets, rb"(?<!\r)\n|\r(?!\n)")
                for line in header.split(b"\r\n"):  # a long word cannot be folded
                    self.assertTrue(len(line) <= 78 or b" " not in line.strip(), line)
                self.assertLessEqual(max(map(len, body.split(b"\r\n"))), 998)

    def test_facteur_finds_nothing_wrong_with_it(self):
        for number, _ in self.built():
            done = subprocess.run([FACTEUR, "mime", "check", self.folder / "built" / f"{number:03}.eml"], capture_output=True,
                                  check=False, timeout=CLIENT_S)
            self.assertEqual(done.returncode, 0, done.stdout)

    @unittest.skipUnless(GMIME.exists(), "built without GMime")
    def test_gmime_reads_it_as_we_do(self):
        (self.folder / "differences").write_text("")
        done = subprocess.run([GMIME, self.folder / "built", self.folder / "differences"], capture_output=True, check=False,
                              timeout=CLIENT_S)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode(errors="replace")[-2000:])

    @unittest.skipUnless(shutil.which("mutt"), "needs mutt")
    def test_mutt_reads_the_words(self):
        """Mutt decodes the text of each and hands it to a program."""
        box = self.folder / "box"
        with box.open("wb") as mbox:
            for _, octets in self.built():
                lines = re.sub(rb"^(>*From )", rb">\1", octets.replace(b"\r\n", b"\n"), flags=re.M)
                mbox.write(b"From zoe Thu Jan  1 00:00:00 1970\n" + lines + b"\n")
        copy = self.folder / "keep"
        copy.write_text(f'#!/bin/sh\ncat > "{self.folder}/piped.part"\nmv "{self.folder}/piped.part" "{self.folder}/piped"\n')
        copy.chmod(0o700)
        rc = self.folder / "rc"
        rc.write_text(f'set folder="{self.folder}" mbox_type=mbox quit=yes delete=no move=no beep=no sort=mailbox-order\n'
                      'set charset=utf-8 pipe_decode=yes pipe_split=no wait_key=no\nignore *\nunignore subject\n')
        env = {**os.environ, "HOME": str(self.folder), "TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        with Terminal(["mutt", "-F", rc, "-R", "-f", box], env) as mutt:
            mutt.wait_for(f"Msgs:{len(self.wanted)}")
            mutt.press("T~A\r")
            mutt.wait_for("Tag")
            mutt.press(f";|{copy}\r")
            self.wait_for_file(mutt)
            mutt.press("x")
        piped = " ".join((self.folder / "piped").read_text(encoding="utf-8", errors="replace").split())
        for number, (subject, text, _) in self.wanted.items():
            with self.subTest(number):
                self.assertIn(subject, piped)
                for line in text.split("\n"):
                    self.assertIn(" ".join(line.split()), piped)

    def wait_for_file(self, mutt):
        for _ in range(CLIENT_S * 5):
            if (self.folder / "piped").exists():
                return
            mutt.read(0.2)
        self.fail("mutt handed over nothing")


if __name__ == "__main__":
    main()
