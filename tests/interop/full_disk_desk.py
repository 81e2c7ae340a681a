#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A person's disk is full while `facteur fetch`, `sync` and `send` run: it is said, the exit code tells, nothing is lost on the
server or here, and with room the next run does the rest. Needs root: it mounts a small file system."""
import mailbox
import os
import subprocess
import unittest

from full_disk import small_disk
from office import main, skip_all
from sync_world import Facteur, Person, message, ok

DISK_MIB, ROOM_MIB, MESSAGES, OCTETS = 2, 32, 8, 400_000
NO_ROOM = "No space left on device"


class FullDiskDesk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Facteur()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.disk = small_disk(self, DISK_MIB)
        self.person = Person(self.server, self.id().rsplit("_", 1)[1], below=self.disk)
        self.addCleanup(self.person.close)
        with self.person.imap() as client:
            for number in range(MESSAGES):
                ok(client.append("INBOX", "", None, message(number, OCTETS)))

    def make_room(self):
        subprocess.run(["mount", "-o", f"remount,size={ROOM_MIB}m", self.disk], check=True)

    def there(self):
        with self.person.imap() as client:
            ok(client.select("INBOX", readonly=True))
            return len(ok(client.uid("SEARCH", None, "ALL"))[0].split())

    def fails(self, *words, text=""):
        """Not a word of a crash, and why."""
        self.person.run(*words, text=text, code=None)
        self.assertIn(NO_ROOM, self.person.said, words)
        self.assertEqual(self.person.code, os.EX_IOERR)
        done = subprocess.run(["df", "--output=avail", self.disk], capture_output=True, text=True, check=True)
        self.assertLess(int(done.stdout.split()[1]), 1024)

    def whole(self, letters):
        """The numbers of letters, each with all that it had."""
        numbers = []
        for letter in letters:
            text = letter.replace(b"\r\n", b"\n")
            number = int(text.split(b"\nnumber ", 1)[1].split(b"\n", 1)[0])
            self.assertEqual(text.rstrip(), message(number, OCTETS).replace(b"\r\n", b"\n").rstrip())
            numbers.append(number)
        return sorted(numbers)

    def fetch_into(self, path, letters):
        words = ("fetch", "--to", path, "--delete-after", "0")
        self.fails(*words)
        held = self.whole(letters())
        self.assertGreaterEqual(self.there() + len(held), MESSAGES)
        self.assertLess(len(held), MESSAGES)
        self.make_room()
        self.person.run(*words)
        self.assertEqual(self.whole(letters()), list(range(MESSAGES)))
        self.assertEqual(self.there(), 0)

    def test_fetch_into_a_maildir(self):
        folder = self.person.home / "Maildir"
        self.fetch_into("Maildir/", lambda: [file.read_bytes() for part in ("new", "cur") for file in (folder / part).glob("*")])

    def test_fetch_into_an_mbox(self):
        path = self.person.home / "mbox"
        self.fetch_into("mbox", lambda: [letter.as_bytes() for letter in mailbox.mbox(path, create=False)])

    def test_sync(self):
        self.fails("sync")
        self.assertEqual(self.there(), MESSAGES)
        self.fails("sync")
        self.make_room()
        self.person.run("sync")
        self.assertEqual(self.whole([file.read_bytes() for file in self.person.files()]), list(range(MESSAGES)))
        self.assertEqual(self.there(), MESSAGES)
        self.assertEqual(self.person.sync(), {})

    def test_send(self):
        """The server cannot be reached, and here is no room for what should wait."""
        outgoing = self.person.home / ".local/state/facteur/outgoing"
        big = self.person.home / "big"
        big.write_bytes(b"x" * 1_200_000)
        words = ("send", "--subject", "big", "--attach", "big", "carol@example.test")
        self.fails(*words, text="text\n")
        self.assertEqual([path for path in outgoing.rglob("*") if path.is_file() and path.stat().st_size > 1024], [])
        self.make_room()
        self.person.run(*words, text="text\n", code=None)
        self.assertEqual(sum(path.stat().st_size > 1_200_000 for path in outgoing.rglob("*")), 1, self.person.said)


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip_all("only root can fill a disk of its own")
    main()
