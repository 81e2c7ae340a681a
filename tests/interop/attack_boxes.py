#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Letter boxes where other users may write, attacked: in their place lie links, hard links, FIFOs, devices, folders, and what
others may read. Mail goes into boxes only; nothing else is written, read or waited for, and what cannot be delivered is answered 451."""
import os
import shutil
import smtplib
import tempfile
import time
import unittest
from pathlib import Path

from office import ALICE, Office, main

SECRET = b"top secret\n"
PATIENCE_S = 20


class Boxes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.boxes = Path(tempfile.mkdtemp(prefix="fo-boxes-", dir="/tmp"))
        cls.boxes.chmod(0o1777)
        cls.addClassCleanup(shutil.rmtree, cls.boxes, ignore_errors=True)
        before = os.umask(0)  # of the server: nothing but what it asks for itself keeps others out
        try:
            cls.office = Office(config=f'letterbox_dirs = {{"{cls.boxes}"}}\n')
        finally:
            os.umask(before)
        cls.addClassCleanup(cls.office.close)

    def send_to(self, kind, path):
        """None, or the code of the refusal; it does not wait for anybody."""
        begun = time.monotonic()
        self.office.tool("user", "set", ALICE, "--delivery", f"{kind}:{path}")
        try:
            self.office.send("into the box")
            code = None
        except smtplib.SMTPDataError as refusal:
            code = refusal.smtp_code
        self.assertLess(time.monotonic() - begun, PATIENCE_S)
        return code

    def test_what_is_no_file_is_no_mbox(self):
        os.mkfifo(self.boxes / "fifo", 0o666)
        (self.boxes / "folder").mkdir()
        (self.boxes / "null").symlink_to("/dev/null")
        for name in ("fifo", "folder", "null"):
            with self.subTest(name):
                self.assertEqual(self.send_to("mbox", self.boxes / name), 451)

    def test_a_second_name_of_a_file_is_no_mbox(self):
        victim = self.boxes / "victim"
        victim.write_bytes(SECRET)
        os.link(victim, self.boxes / "hard")
        self.assertEqual(self.send_to("mbox", self.boxes / "hard"), 451)
        self.assertEqual(victim.read_bytes(), SECRET)

    def test_links_on_the_way_are_not_followed(self):
        elsewhere = Path(tempfile.mkdtemp(prefix="fo-elsewhere-"))
        self.addCleanup(shutil.rmtree, elsewhere)
        elsewhere.chmod(0o777)
        (self.boxes / "way").symlink_to(elsewhere)
        for kind in ("mbox", "maildir"):
            self.assertEqual(self.send_to(kind, self.boxes / "way" / "box"), 451)
        (self.boxes / "maildir").mkdir(mode=0o700)
        for name in ("tmp", "new", "cur"):
            (self.boxes / "maildir" / name).symlink_to(elsewhere)
        self.assertEqual(self.send_to("maildir", self.boxes / "maildir"), 451)
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_nobody_else_reads_what_is_made(self):
        for kind in ("mbox", "maildir"):
            self.assertIsNone(self.send_to(kind, self.boxes / f"new-{kind}"))
        made = [self.boxes / "new-mbox", self.boxes / "new-maildir", *(self.boxes / "new-maildir").rglob("*")]
        self.assertGreaterEqual(len(made), 6)
        for path in made:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


if __name__ == "__main__":
    main()
