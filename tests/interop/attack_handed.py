#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The local way in, attacked: `sendmail` (no set-id bit: the kernel tells the server who speaks) with hostile arguments, environment
and descriptors; nothing becomes a line, a file or a program that the letter did not name, and nobody is somebody else."""
import os
import pwd
import resource
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, CLIENT_S, FACTEUR, OfficeCase, main

ME = pwd.getpwuid(os.getuid()).pw_name
BREAKS = ("\n", "\r", "\r\n", "\v", "\x1b[2J", "\u2028", "\u0085")


class Handed(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.temporary = tempfile.TemporaryDirectory(prefix="fh-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        cls.sendmail = cls.folder / "sendmail"
        cls.sendmail.symlink_to(FACTEUR)

    def run_it(self, *words, text="Subject: x\n\nx\n", more=None, **options):
        environment = dict(self.office.environment(), HOME=str(self.folder), **(more or {}))
        done = subprocess.run([str(self.sendmail), *words], input=text.encode(), capture_output=True, env=environment, check=False,
                              timeout=CLIENT_S, **options)
        self.assertGreaterEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertNotIn(b"AddressSanitizer", done.stderr)
        return done

    def letters(self):
        return len(self.office.messages(ALICE))

    def test_it_has_no_rights_of_its_own(self):
        program = Path(FACTEUR).resolve()
        for path in [program, *program.parent.glob("facteur-*")]:
            if path.is_file():
                self.assertFalse(path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID), path)

    def test_breaks_in_arguments_make_no_line(self):
        before = self.letters()
        for at in BREAKS:
            evil = f"a{at}RCPT TO:<{ALICE}>{at}X-Evil: 1"
            for words in (("-f", evil + "@example.test", ALICE), ("-F", evil, ALICE), ("-V", evil, ALICE), (f"-oM{evil}", ALICE),
                          (evil + "@example.test",), ("-N", evil, ALICE), ("-r", evil, ALICE), ("-p", evil, ALICE), ("-B", evil, ALICE)):
                self.run_it("-i", *words)
        for letter in self.office.messages(ALICE)[before:]:
            head = letter.split(b"\r\n\r\n")[0]
            self.assertNotIn(b"\nX-Evil", head)
            self.assertNotIn(b"\x1b", head)
            self.assertEqual(head.count(b"\nReceived:"), 1)
        for line in self.office.log_text().splitlines():
            self.assertRegex(line, r"^\S+ level=")

    def test_names_of_programs_and_files_are_names(self):
        mark = self.folder / "mark"
        for evil in (f"|touch {mark}", f'"|touch {mark}"', str(mark), f":include:{mark}", f"-oQ{self.folder}", f"-C{mark}",
                     f"-X{mark}", f"-O QueueDirectory={self.folder}", f"-OProgramMailer={mark}", "../../../etc/passwd"):
            self.run_it("-i", evil)
            self.run_it("-i", evil, ALICE)
            self.run_it("-t", "-i", text=f"To: {evil}\n\nx\n")
        self.assertEqual({path.name for path in self.folder.iterdir()}, {"sendmail"})

    def test_the_environment_moves_nothing(self):
        before = self.letters()
        evil = {"PATH": str(self.folder), "IFS": "/", "TMPDIR": str(self.folder / "none"), "LANG": "../../x", "TZ": ":/etc/passwd",
                "LC_ALL": "A" * 70000, "USER": "root\nX-Evil: 1", "LOGNAME": "root", "NAME": "Root\r\nX-Evil: 1", "REPLYTO": "x\n\ny",
                "OPENSSL_CONF": str(self.folder / "none"), "TERM": "../../x", "SHELL": "/bin/false"}
        done = self.run_it("-i", ALICE, more=evil)
        self.assertEqual(done.returncode, 0, done.stderr)
        letter = self.office.messages(ALICE)[before]
        self.assertNotIn(b"X-Evil", letter)
        self.assertIn(f"Return-Path: <{ME}@".encode(), letter)
        for path in (self.folder, "/etc/passwd", "/dev/null"):
            self.assertNotEqual(self.run_it("-i", ALICE, more={"FACTEUR_CONFIG": str(path)}).returncode, 0)

    def test_closed_descriptors_and_narrow_limits(self):
        before = self.letters()
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            done = subprocess.run(["/bin/sh", "-c", f'"$0" -i {ALICE} {closed}', str(self.sendmail)], env=self.office.environment(),
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=CLIENT_S, check=False)
            self.assertGreaterEqual(done.returncode, 0)
        limited = self.run_it("-i", ALICE, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
        self.assertGreaterEqual(limited.returncode, 0)
        for letter in self.office.messages(ALICE)[before:]:
            self.assertTrue(letter.startswith(b"Return-Path: "))

    def test_more_arguments_than_anybody_needs(self):
        done = self.run_it("-i", *[f"nobody{number}@example.test" for number in range(5000)])
        self.assertNotEqual(done.returncode, 0)
        self.assertNotEqual(self.run_it("-i", "x" * 100000 + "@example.test").returncode, 0)


if __name__ == "__main__":
    main()
