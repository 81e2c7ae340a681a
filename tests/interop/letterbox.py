#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Case C1 and its sister: mail of accounts that have an mbox file or a Maildir, through the whole
daemon, beside programs that lock and read such boxes."""
import fcntl
import mailbox
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from office import ALICE, BOB, Office, main, wait_for

BODY = b"From the start\r\n>From quoted before\r\n.\r\n..\r\n\xe9 8-bit\r\nno more\r\n"
HELD_S = 1.5  # how long the tests keep a box locked: shorter than the daemon waits


class Letterbox(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.boxes = Path(tempfile.mkdtemp(prefix="fo-boxes-", dir="/tmp"))
        cls.boxes.chmod(0o1777)
        cls.office = Office(config=f'letterbox_dirs = {{"{cls.boxes}"}}\n')

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        subprocess.run(["rm", "-rf", str(cls.boxes)], check=True)

    def into(self, target, who=ALICE):
        self.office.tool("user", "set", who, "--delivery", target)

    def mbox_subjects(self, path):
        """Read by another process: a lock of ours would end when we close the file."""
        seen = subprocess.run(["grep", "-a", "^Subject: ", str(path)], stdout=subprocess.PIPE, check=False)
        return [line[9:] for line in seen.stdout.decode(errors="replace").splitlines()]

    def test_mail_goes_into_an_mbox_as_the_custom_is(self):
        path = self.boxes / "alice"
        self.into(f"mbox:{path}")
        self.office.send("mbox one", body=BODY)
        self.office.send("mbox two")
        text = path.read_bytes()
        self.assertRegex(text.split(b"\n")[0],
                         rb"^From bob@example\.test  ?\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$")
        self.assertNotIn(b"\r", text)
        self.assertIn(b"\n>From the start\n>>From quoted before\n.\n..\n\xe9 8-bit\n", text)
        self.assertTrue(text.endswith(b"Hello.\n\n"))
        self.assertIn(b"\n\nFrom bob@example.test", text)  # a blank line after each message
        self.assertEqual(self.mbox_subjects(path), ["mbox one", "mbox two"])
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_an_mbox_comes_back_as_it_was(self):
        path = self.boxes / "back"
        self.into(f"mbox:{path}")
        self.office.send("comes back", body=BODY)
        self.office.tool("import", BOB, str(path))
        self.assertTrue(self.office.find("comes back", BOB).endswith(b"\r\n\r\n" + BODY))

    def test_locks_of_other_programs_are_respected(self):
        path = self.boxes / "locked"
        self.into(f"mbox:{path}")
        self.office.send("before")
        for name, locked in (("dot lock", self.dot_lock), ("fcntl", self.fcntl_lock)):
            with self.subTest(name):
                unlock = locked(path)
                there = len(self.mbox_subjects(path))
                sender = subprocess.Popen(
                    ["swaks", "--server", f"127.0.0.1:{self.office.base + 25}", "--from", BOB, "--to",
                     ALICE, "--header", f"Subject: {name}"], stdout=subprocess.PIPE)
                time.sleep(HELD_S)  # the test is that nothing happens
                self.assertEqual(len(self.mbox_subjects(path)), there)
                unlock()
                said = sender.communicate(timeout=120)[0].decode()
                self.assertEqual(sender.returncode, 0, said)
                self.assertTrue(wait_for(lambda there=there: len(self.mbox_subjects(path)) == there + 1))

    @staticmethod
    def dot_lock(path):
        """As procmail's lockfile and mutt_dotlock make it."""
        lock = path.with_name(path.name + ".lock")
        lock.touch(exist_ok=False)
        return lock.unlink

    @staticmethod
    def fcntl_lock(path):
        file = open(path, "r+b")
        fcntl.lockf(file, fcntl.LOCK_EX)
        return file.close

    def test_mail_goes_into_a_maildir(self):
        path = self.boxes / "dir"
        self.into(f"maildir:{path}")
        self.office.send("maildir", body=BODY)
        held = list(mailbox.Maildir(path, create=False))
        self.assertEqual([m["Subject"] for m in held], ["maildir"])
        self.assertIn(BODY.replace(b"\r\n", b"\n"), held[0].as_bytes())
        self.assertEqual([len(list((path / part).iterdir())) for part in ("tmp", "new", "cur")], [0, 1, 0])

    def test_a_box_outside_the_allowed_folders_is_refused(self):
        said = self.refused("mbox:/etc/passwd.mbox")
        self.assertIn("letterbox_dirs", said)
        self.assertIn("/", self.refused("mbox:relative"))
        self.refused(f"mbox:{self.boxes}/../escape")

    def refused(self, target):
        with self.assertRaises(AssertionError) as complaint:
            self.into(target)
        return str(complaint.exception)

    def test_a_link_is_not_followed(self):
        secret = self.boxes / "secret"
        secret.write_text("untouched")
        (self.boxes / "link").symlink_to(secret)
        self.into(f"mbox:{self.boxes}/link")
        said = subprocess.run(["swaks", "--server", f"127.0.0.1:{self.office.base + 25}", "--from", BOB,
                               "--to", ALICE], stdout=subprocess.PIPE, check=False).stdout.decode()
        self.assertRegex(said, r"<\*\* 451 4\.3\.")
        self.assertEqual(secret.read_text(), "untouched")

    def test_back_to_the_store(self):
        self.into("store")

        # Every role works by the change when the command is back: again and again, each letter at once.
        for turn in range(20):
            self.into(f"mbox:{self.boxes}/turns" if turn % 2 else "store")
            self.office.send(f"turn {turn}")
        self.into("store")
        self.office.send("the last")
        inside = b"".join(self.office.messages())
        outside = (self.boxes / "turns").read_bytes()
        for turn in range(20):
            subject = f"Subject: turn {turn}\r\n".encode()
            there = subject.replace(b"\r\n", b"\n") in outside
            self.assertEqual((subject in inside, there), (turn % 2 == 0, turn % 2 == 1), turn)
        self.assertIn(b"Subject: the last\r\n", inside)


if __name__ == "__main__":
    main()
