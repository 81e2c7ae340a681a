#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`kill -9` under IMAP load: what was answered OK is so afterwards, what was not is so or not so, but
nothing is half so. $KILL_ROUNDS (1) says how often each role dies."""
import imaplib
import os
import random
import re
import signal
import threading
import time
import unittest

from office import ALICE, Office, main, wait_for

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
WORKERS = 4
STEPS_BEFORE = 30  # acknowledged between two deaths
RECOVERY_S = 60
LOST = (OSError, imaplib.IMAP4.error, EOFError)


class Worker(threading.Thread):
    """Has two mailboxes for itself. Of each message it knows what is certain: None is `either`."""

    def __init__(self, office, number):
        super().__init__(daemon=True)
        self.office, self.number = office, number
        self.random = random.Random(number)
        self.stopping = threading.Event()
        self.boxes = [f"kill{number}", f"kill{number}/other"]
        self.place = {}  # message: mailbox, or "gone", or the set of what may be
        self.uid = {}    # message: its UID in the first mailbox, as APPENDUID said
        self.flagged = {}  # message: True, False, None
        self.steps = 0
        self.client = None

    def run(self):
        while not self.stopping.is_set():
            try:
                self.begin()
                while not self.stopping.is_set():
                    self.random.choice([self.append, self.append, self.flag, self.move, self.remove])()
                    self.steps += 1
                self.client.logout()
            except LOST:
                time.sleep(0.05)

    def begin(self):
        self.client = imaplib.IMAP4("localhost", self.office.base + 143)
        self.client.login(ALICE, self.office.people[ALICE])
        for box in self.boxes:
            self.client.create(box)
        self.ok(self.client.select(self.boxes[0]))

    def ok(self, answer):
        if answer[0] != "OK":
            raise ConnectionError(answer)
        return answer[1]

    def any_there(self):
        there = [m for m, place in self.place.items() if place == self.boxes[0] and m in self.uid]
        return self.random.choice(there) if there else None

    def append(self):
        message = len(self.place) + 1
        self.place[message] = {self.boxes[0], "gone"}
        text = f"Subject: {self.number}-{message}\r\n\r\n{'x' * self.random.choice([9, 100000])}\r\n"
        said = self.ok(self.client.append(self.boxes[0], "", None, text.encode()))
        self.place[message], self.flagged[message] = self.boxes[0], False
        self.uid[message] = int(re.search(rb"APPENDUID \d+ (\d+)", said[0])[1])

    def flag(self):
        message = self.any_there()
        if message:
            self.flagged[message] = None
            self.ok(self.client.uid("STORE", str(self.uid[message]), "+FLAGS", r"(\Flagged kept)"))
            self.flagged[message] = True

    def move(self):
        message = self.any_there()
        if message:
            self.place[message] = set(self.boxes)
            self.ok(self.client.uid("MOVE", str(self.uid[message]), self.boxes[1]))
            self.place[message] = self.boxes[1]

    def remove(self):
        message = self.any_there()
        if message:
            self.ok(self.client.uid("STORE", str(self.uid[message]), "+FLAGS", r"(\Deleted)"))
            self.place[message] = {self.boxes[0], "gone"}
            self.ok(self.client.uid("EXPUNGE", str(self.uid[message])))
            self.place[message] = "gone"


class ImapKill(unittest.TestCase):
    def setUp(self):
        self.office = Office()
        self.workers = [Worker(self.office, number) for number in range(WORKERS)]
        for worker in self.workers:
            worker.start()

    def tearDown(self):
        for worker in self.workers:
            worker.stopping.set()
        self.office.close(may_fail=True)

    def wait_for_load(self):
        before = sum(w.steps for w in self.workers)
        self.assertTrue(wait_for(lambda: sum(w.steps for w in self.workers) >= before + STEPS_BEFORE, RECOVERY_S))

    def kill_one(self, role):
        pids = self.office.processes(role)
        pid = min(pids)
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: len(set(self.office.processes(role)) - {pid}) == len(pids), RECOVERY_S))

    def account(self):
        for worker in self.workers:
            worker.stopping.set()
        for worker in self.workers:
            worker.join(RECOVERY_S)
            self.assertFalse(worker.is_alive())
        client = imaplib.IMAP4("localhost", self.office.base + 143)
        client.login(ALICE, self.office.people[ALICE])
        for worker in self.workers:
            self.hold_against(worker, {box: self.listed(client, box) for box in worker.boxes})
        client.logout()
        self.office.tool("check")

    def listed(self, client, box):
        """{message: (uid, flags)}, from what the messages say of themselves."""
        count = int(client.select(box, readonly=True)[1][0])
        found = {}
        for answer in client.fetch("1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if count else []:
            if isinstance(answer, tuple):
                message = int(re.search(rb"Subject: \d+-(\d+)", answer[1])[1])
                self.assertNotIn(message, found, f"{box}: {message} is there twice")
                found[message] = (int(re.search(rb"UID (\d+)", answer[0])[1]), answer[0])
        self.assertEqual(len(found), count)
        return found

    def hold_against(self, worker, there):
        for message, place in worker.place.items():
            boxes = [box for box in worker.boxes if message in there[box]]
            self.assertLessEqual(len(boxes), 1, f"{message} is in both mailboxes")
            seen = boxes[0] if boxes else "gone"
            allowed = place if isinstance(place, set) else {place}
            self.assertIn(seen, allowed, f"message {worker.number}-{message}")
            if seen == worker.boxes[0] and message in worker.uid:
                uid, flags = there[seen][message]
                self.assertEqual(uid, worker.uid[message])
                if worker.flagged[message] is not None:
                    self.assertEqual(rb"\Flagged" in flags, worker.flagged[message])
                self.assertEqual(rb"\Flagged" in flags, b"kept" in flags, "half a STORE")

    def test_roles_are_killed_under_imap_load(self):
        self.wait_for_load()
        for _ in range(ROUNDS):
            for role in ("store", "access", "deliver", "auth", "store"):
                with self.subTest(role):
                    self.kill_one(role)
                    self.wait_for_load()
        self.account()

    def test_everything_is_killed_under_imap_load(self):
        for _ in range(2 * ROUNDS):
            self.wait_for_load()
            children = list(self.office.processes())
            self.office.stop(signal.SIGKILL)
            self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children),
                                     RECOVERY_S))
            self.office.start()
        self.wait_for_load()
        self.account()


if __name__ == "__main__":
    main()
