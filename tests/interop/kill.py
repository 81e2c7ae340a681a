#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`kill -9` of every role under load, with an accounting client: each acknowledged message is there
once, each unacknowledged one at most once, and the service goes on. $KILL_ROUNDS (1) says how often
each role dies."""
import os
import re
import shutil
import signal
import tempfile
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

from office import ALICE, BOB, Lines, Office, main, wait_for

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
SENDERS = 4
MESSAGES_BEFORE = 20  # acknowledged between two deaths: it is load that is interrupted
RECOVERY_S = 60
PADDING = "x" * 70 + "\r\n"


class Sender(threading.Thread):
    """Sends numbered messages, small and large, to one person or to both, until told to stop."""

    def __init__(self, office, name, people=(ALICE, BOB)):
        super().__init__(daemon=True)
        self.office, self.label, self.people = office, name, people
        self.tried, self.acknowledged = {}, {}  # number: recipients
        self.stopping = threading.Event()
        self.refusals = Counter()

    def run(self):
        number = 0
        while not self.stopping.is_set():
            try:
                with Lines(self.office.base + 25) as client:
                    client.reply()
                    client.ask("EHLO sender.test")
                    while not self.stopping.is_set():
                        number += 1
                        self.send(client, number)
            except OSError:
                time.sleep(0.05)  # the port is closed while nobody serves it

    def send(self, client, number):
        people = list(self.people) if number % 3 == 0 else [self.people[number % 3 - 1]]
        commands = ["MAIL FROM:<sender@sender.test>", *(f"RCPT TO:<{who}>" for who in people), "DATA"]
        for command in commands:
            reply = client.ask(command)
            if reply[:1] not in ("2", "3"):
                return self.refused(client, reply)
        self.tried[number] = people
        body = PADDING * (3000 if number % 10 == 0 else 3)
        client.put(f"Subject: {self.label}-{number}\r\n\r\n{body}.\r\n".encode())
        reply = client.reply()
        if reply.startswith("250 "):
            self.acknowledged[number] = people
        else:
            self.refused(client, reply)

    def refused(self, client, reply):
        """Nothing but a temporary refusal is right; "" is a connection that ended."""
        self.refusals[reply[:9]] += 1
        if not reply or reply.startswith("421"):
            raise ConnectionError
        time.sleep(0.02)
        client.ask("RSET")


class Kill(unittest.TestCase):
    def setUp(self):
        self.boxes = Path(tempfile.mkdtemp(prefix="fo-boxes-", dir="/tmp"))
        self.boxes.chmod(0o1777)
        self.addCleanup(shutil.rmtree, self.boxes)
        self.office = Office(config=f'letterbox_dirs = {{"{self.boxes}"}}\n')
        self.senders = [Sender(self.office, f"{self._testMethodName}-{n}") for n in range(SENDERS)]
        for sender in self.senders:
            sender.start()

    def tearDown(self):
        for sender in self.senders:
            sender.stopping.set()
        self.office.close(may_fail=True)

    def acknowledged(self):
        return sum(len(sender.acknowledged) for sender in self.senders)

    def wait_for_load(self):
        """The service goes on: so many more messages are acknowledged."""
        before = self.acknowledged()
        self.assertTrue(wait_for(lambda: self.acknowledged() >= before + MESSAGES_BEFORE, RECOVERY_S),
                        f"{self.acknowledged() - before} messages went through, refusals: "
                        f"{[dict(s.refusals) for s in self.senders]}")

    def account(self):
        """Stops the load, and holds what was said against what is there."""
        for sender in self.senders:
            sender.stopping.set()
        for sender in self.senders:
            sender.join(RECOVERY_S)
            self.assertFalse(sender.is_alive())
        self.hold_against({who: self.office.messages(who) for who in (ALICE, BOB)})
        self.office.tool("check")

    def hold_against(self, mailboxes):
        """What lies in the mailboxes of those that are named."""
        for sender in self.senders:
            for reply in sender.refusals:
                self.assertRegex(reply, r"^(|4[25][0-9] 4\..*)$")
        subjects = {who: Counter(re.search(rb"\r\nSubject: (\S+)", m)[1].decode()
                                 for m in mailbox if b"\r\nSubject: test_" in m)
                    for who, mailbox in mailboxes.items()}
        for sender in self.senders:
            for number, people in sender.tried.items():
                for who in set(people) & set(mailboxes):
                    found = subjects[who][f"{sender.label}-{number}"]
                    self.assertLessEqual(found, 1, f"{sender.label}-{number} is there {found} times")
                    if number in sender.acknowledged:
                        self.assertEqual(found, 1, f"{sender.label}-{number} was acknowledged and is lost")

    def kill_one(self, role):
        pids = self.office.processes(role)
        self.assertTrue(pids, role)
        pid = min(pids)
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: len(set(self.office.processes(role)) - {pid}) == len(pids),
                                 RECOVERY_S), f"{role} was not started again")

    def test_each_role_is_killed_under_load(self):
        self.wait_for_load()
        for _ in range(ROUNDS):
            for role in ("smtp", "route", "deliver", "store", "auth", "access", "resolve", "store"):
                with self.subTest(role):
                    self.kill_one(role)
                    self.wait_for_load()
        self.account()

    def test_everything_is_killed_under_load(self):
        for _ in range(2 * ROUNDS):
            self.wait_for_load()
            children = list(self.office.processes())
            self.office.stop(signal.SIGKILL)
            self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children),
                                     RECOVERY_S), "children outlive their parent")
            self.office.start()
        self.wait_for_load()
        self.account()

    def test_the_letterbox_is_killed_under_load(self):
        """Bob's mail goes into an mbox from here on. A kill leaves no half letter between whole ones."""
        box = self.boxes / "bob"
        self.office.tool("user", "set", BOB, "--delivery", f"mbox:{box}")
        self.wait_for_load()
        for _ in range(5 * ROUNDS):
            self.kill_one("letterbox")
            self.remove_empty_lock(self.boxes / "bob.lock")
            self.wait_for_load()
        for sender in self.senders:
            sender.stopping.set()
        for sender in self.senders:
            sender.join(RECOVERY_S)
        letters = [b"\r\n" + text.replace(b"\n", b"\r\n")
                   for text in re.split(rb"(?:^|\n\n)From sender@[^\n]*\n", box.read_bytes())[1:]]
        self.assertEqual({len(letter.split(b"\r\n\r\n", 1)[1].strip()) for letter in letters},
                         {len(PADDING) * count - 2 for count in (3, 3000)})
        self.hold_against({ALICE: self.office.messages(ALICE), BOB: self.office.messages(BOB) + letters})

    @staticmethod
    def remove_empty_lock(path):
        """One that was made and not yet written into might be mutt's, and is respected for minutes."""
        try:
            before = path.stat()
            time.sleep(1)  # the living have it for less
            if before.st_size == 0 and path.stat().st_ino == before.st_ino:
                path.unlink()
        except FileNotFoundError:
            pass

    def test_all_children_are_killed_at_once(self):
        self.wait_for_load()
        for pid in self.office.processes():
            if pid != self.office.server.pid:
                os.kill(pid, signal.SIGKILL)
        self.wait_for_load()
        self.account()


if __name__ == "__main__":
    main()
