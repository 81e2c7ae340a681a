#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Commands of IMAP that are done in parts, and are broken between two of them: by `kill -9` of the store, and by a disk that fills.
Whatever the client was told: no message is lost, none is in two places by a MOVE, none without \\Deleted is expunged; what OK was
said to is done whole; and the same command once more, with room, does the rest."""
import contextlib
import imaplib
import os
import re
import signal
import time
import unittest

from full_disk import small_disk
from office import ALICE, Office, main, skip_all, wait_for

MESSAGES, PART, DISK_MIB = 6000, 50, 64
KILLS, TRIES = 3, 12
TURNS_MAX = 60
FULL = "NO [UNAVAILABLE] the disk is full"


class Broken:
    """What both have: a mailbox `many`, and what became of its messages."""

    def put_mail(self):
        mbox = self.office.folder / "many.mbox"
        mbox.write_text("".join(f"From a@b Mon Jan  1 00:00:00 2024\nSubject: {n}\n\nx\n\n" for n in range(MESSAGES)))
        self.office.tool("import", ALICE, str(mbox), "--mailbox", "many")
        with self.session() as client:
            client.create("there")

    def session(self, mailbox=None):
        client = imaplib.IMAP4("localhost", self.office.base + 143, timeout=120)
        client.login(ALICE, self.office.people[ALICE])
        if mailbox:
            self.assertEqual(client.select(mailbox)[0], "OK")
        return client

    def patient_session(self, mailbox):
        """Where the store has just died, once it is there again."""
        def once():
            try:
                return self.session(mailbox)
            except (OSError, imaplib.IMAP4.error, AssertionError):
                return None
        client = wait_for(once)
        self.assertTrue(client)
        return client

    def subjects(self, mailbox, keys="ALL"):
        """{subject: its flags} of those."""
        found = {}
        with self.patient_session(mailbox) as client:
            numbers = client.search(None, keys)[1][0].split()
            if not numbers:
                return found
            for part in client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                if isinstance(part, tuple):
                    number = int(re.search(rb"Subject: (\d+)", part[1])[1])
                    self.assertNotIn(number, found, "twice in one mailbox")
                    found[number] = part[0].decode()
        wanted = set(numbers)
        return {subject: flags for subject, flags in found.items() if flags.split()[0].encode() in wanted}

    def begin(self, command, mailbox="many"):
        client = self.patient_session(mailbox)
        client.send(f"long {command}\r\n".encode())
        return client

    def end(self, client):
        """The tagged line; None when the connection ended."""
        try:
            while line := client.readline():
                if line.startswith(b"long "):
                    return line.decode()
        except (OSError, imaplib.IMAP4.error):
            pass
        finally:
            client.shutdown()
        return None

    def expect_all_once(self):
        """Each message is in one of the two mailboxes."""
        here, there = set(self.subjects("many")), set(self.subjects("there"))
        self.assertEqual(here & there, set())
        self.assertEqual(here | there, set(range(MESSAGES)))
        return here, there

    def finish(self, command):
        self.assertTrue(wait_for(lambda: (self.end(self.begin(command)) or "").startswith("long OK")))


class Killed(Broken, unittest.TestCase):
    def setUp(self):
        self.office = Office(config=f"store_part_messages = {PART}\n")
        self.addCleanup(self.office.close)
        self.put_mail()

    def broken(self, command, is_between):
        """Kills the store in the midst of that: True when it was in the midst."""
        client = self.begin(command)
        time.sleep(self.delay)
        for pid in self.office.processes("store"):
            os.kill(pid, signal.SIGKILL)
        said = self.end(client)
        between = is_between()
        if said and said.startswith("long OK"):
            self.assertEqual(between, "all", said)
        self.delay *= 0.6 if between == "all" else 1.4 if between == "none" else 1
        return between == "some"

    def try_often(self, command, is_between, begin_again):
        self.delay, struck = 0.05, 0
        for _ in range(TRIES):
            begin_again()
            struck += self.broken(command, is_between)
            if struck == KILLS:
                break
        self.assertGreater(struck, 0, "never in the midst")
        self.finish(command)
        self.assertEqual(is_between(), "all")

    @staticmethod
    def how_many(count):
        return "all" if count == MESSAGES else "some" if count else "none"

    def test_store(self):
        flagged = lambda: self.how_many(len(self.subjects("many", "KEYWORD $long")))
        self.try_often("STORE 1:* +FLAGS.SILENT ($long)", flagged, lambda: self.finish("STORE 1:* -FLAGS.SILENT ($long)"))
        self.assertEqual(set(self.subjects("many")), set(range(MESSAGES)))
        self.office.tool("check")

    def test_move(self):
        def come_back():
            if self.subjects("there"):
                client = self.patient_session("there")
                client.send(b"long UID MOVE 1:* many\r\n")
                self.assertRegex(self.end(client), "^long OK")

        self.try_often("UID MOVE 1:* there", lambda: self.how_many(len(self.expect_all_once()[1])), come_back)
        self.office.tool("check")

    def test_expunge(self):
        """Two of three go."""
        self.finish(f"STORE 1:{MESSAGES // 3 * 2} +FLAGS.SILENT (\\Deleted)")
        kept = set(range(MESSAGES // 3 * 2, MESSAGES))
        struck, self.delay = False, 0.02

        def how_far():
            left = set(self.subjects("many"))
            self.assertEqual(kept - left, set())
            return "none" if len(left) == MESSAGES else "all" if left == kept else "some"

        for _ in range(TRIES):
            struck |= self.broken("EXPUNGE", how_far)
            if how_far() == "all":
                break
        self.assertTrue(struck, "never in the midst")
        self.finish("EXPUNGE")
        self.assertEqual(set(self.subjects("many")), kept)
        self.office.tool("check")


class Filled(Broken, unittest.TestCase):
    def setUp(self):
        self.disk = small_disk(self, DISK_MIB)
        (self.disk / "home").mkdir()
        (self.disk / "home").chmod(0o755)
        self.office = Office(folder=self.disk / "home", config=f'store_part_messages = {PART}\nstore_segment_size = "1 MiB"\n')
        self.addCleanup(self.office.close)
        self.put_mail()

    def fill(self):
        """To the last page; what the store has put by for deleting is used up by what follows."""
        with open(self.disk / "ballast", "ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096) == 4096:
                pass

    def until_it_is_full(self, commands):
        """Does these in turn, and returns what was said to the first that is not done."""
        for turn in range(TURNS_MAX):
            mailbox, command = commands[turn % len(commands)]
            said = self.end(self.begin(command, mailbox))
            self.assertIsNotNone(said, "the session ended")
            if not said.startswith("long OK"):
                return said
            self.fill()
        return self.fail("it never was full")

    def test_move(self):
        self.fill()
        said = self.until_it_is_full([("many", "UID MOVE 1:* there"), ("there", "UID MOVE 1:* many")])
        here, there = self.expect_all_once()
        self.assertIn(FULL, said)
        self.assertTrue(here and there, "not in the midst")
        (self.disk / "ballast").unlink()
        self.finish("UID MOVE 1:* there")
        self.assertEqual(self.expect_all_once()[0], set())
        self.office.tool("check")

    def test_copy(self):
        """All or nothing."""
        self.fill()
        said = self.until_it_is_full([("many", "UID COPY 1:* there")])
        with self.patient_session("there") as client:
            count = int(client.select("there")[1][0])
        self.assertIn(FULL, said)
        self.assertEqual(count % MESSAGES, 0)
        self.assertEqual(set(self.subjects("many")), set(range(MESSAGES)))
        (self.disk / "ballast").unlink()
        self.finish("UID COPY 1:* there")
        self.office.tool("check")

    def test_store_and_expunge(self):
        self.finish(f"STORE 1:{MESSAGES // 2} +FLAGS.SILENT (\\Deleted)")
        self.fill()
        said = self.until_it_is_full([("many", f"STORE 1:* {sign}FLAGS.SILENT ($long)") for sign in "+-"])
        count = len(self.subjects("many", "KEYWORD $long"))
        self.assertIn(FULL, said)
        self.assertLess(count, MESSAGES)
        self.assertEqual(set(self.subjects("many")), set(range(MESSAGES)))
        # What the store has put by is for this.
        self.assertRegex(self.end(self.begin("EXPUNGE")), "^long OK")
        kept = set(range(MESSAGES // 2, MESSAGES))
        names = os.listdir(self.disk / "home/data/store/log")
        self.assertEqual(len([name for name in names if name.endswith(".seg")]) * 2, len(names), names[:20])
        self.assertEqual(set(self.subjects("many")), kept)
        (self.disk / "ballast").unlink()
        self.finish("STORE 1:* +FLAGS.SILENT ($long)")
        self.assertEqual(set(self.subjects("many", "KEYWORD $long")), kept)
        self.office.tool("check")


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip_all("needs root")
    main()
