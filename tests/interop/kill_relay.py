#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`kill -9` of every role that mail for another host passes, on both hosts, under load, with an
accounting client: each acknowledged message arrives. It may arrive twice only when the process that
waited for the other host's 250, or the store that was about to write it down, was killed: then
nobody can know (RFC 1047). $KILL_ROUNDS (1) says how often each role dies."""
import os
import re
import signal
import unittest
from collections import Counter

from kill import MESSAGES_BEFORE, RECOVERY_S, ROUNDS, SENDERS, Sender
from office import Office, main, wait_for

CAROL, DAVE = "carol@far.test", "dave@far.test"
QUICK = '''
queue_interval_max = "1 s"
local_destinations = yes
relay_networks = {"127.0.0.0/8"}
queue_concurrency = 5
'''
WINDOW_MAX = 21  # transactions with one destination at once (queue/flow.h), and the next


class KillRelay(unittest.TestCase):
    def setUp(self):
        self.far = Office()
        self.far.tool("domain", "add", "far.test")
        for who in (CAROL, DAVE):
            self.far.tool("user", "add", who, "--password-stdin", text="a secret of theirs\n")
            self.far.people[who] = "a secret of theirs"
        self.near = Office(config=QUICK)
        (self.near.folder / "data/directory/transports").write_text(
            f"far.test smtp:[127.0.0.1]:{self.far.base + 25}\n")
        self.near.tool("reload")
        self.kills = 0
        self.senders = [Sender(self.near, f"{self._testMethodName}-{n}", (CAROL, DAVE))
                        for n in range(SENDERS)]
        for sender in self.senders:
            sender.start()

    def tearDown(self):
        for sender in self.senders:
            sender.stopping.set()
        self.near.close(may_fail=True)
        self.far.close(may_fail=True)

    def acknowledged(self):
        return sum(len(sender.acknowledged) for sender in self.senders)

    def carried(self):
        return sum(row["value"] for row in self.near.tool_data("status")["counters"]
                   if row["role"] == "store" and row["counter"] == "carried")

    def wait_for_load(self):
        """The service goes on: more is taken, and more is carried."""
        taken, carried = self.acknowledged(), self.carried()
        self.assertTrue(wait_for(lambda: self.acknowledged() >= taken + MESSAGES_BEFORE, RECOVERY_S))
        self.assertTrue(wait_for(lambda: self.carried() >= carried + MESSAGES_BEFORE, RECOVERY_S))

    def kill_one(self, office, role):
        pid = min(office.processes(role))
        os.kill(pid, signal.SIGKILL)
        self.kills += 1
        self.assertTrue(wait_for(lambda: office.processes(role) and pid not in office.processes(role),
                                 RECOVERY_S), f"{role} was not started again")

    def account(self, windows):
        """Holds what was said against what is there, when the queue is empty."""
        for sender in self.senders:
            sender.stopping.set()
        for sender in self.senders:
            sender.join(RECOVERY_S)
            self.assertFalse(sender.is_alive())
        def is_empty():
            return not self.near.tool_data("queue", "list")["recipients"]
        self.assertTrue(wait_for(is_empty, 2 * RECOVERY_S), self.near.tool("queue", "list")[:3000])
        doubles = 0
        for who in (CAROL, DAVE):
            found = Counter(re.search(rb"\r\nSubject: (\S+)", message)[1].decode()
                            for message in self.far.messages(who)
                            if b"\r\nSubject: test_" in message)
            for sender in self.senders:
                for number, people in sender.tried.items():
                    if who not in people:
                        continue
                    count = found[f"{sender.label}-{number}"]
                    if number in sender.acknowledged:
                        self.assertGreaterEqual(count, 1, f"{sender.label}-{number} is lost")
                    doubles += max(count - 1, 0)
        self.assertLessEqual(doubles, 2 * windows * WINDOW_MAX)
        for office in (self.near, self.far):
            office.tool("check")

    def test_what_never_waits_for_the_other_host_doubles_nothing(self):
        self.wait_for_load()
        for _ in range(ROUNDS):
            for role in ("smtp", "route", "deliver", "resolve"):
                with self.subTest(role):
                    self.kill_one(self.near, role)
                    self.wait_for_load()
        self.account(windows=0)

    def test_who_carries_and_who_keeps_is_killed(self):
        self.wait_for_load()
        for _ in range(ROUNDS):
            for role in ("transport", "store", "transport", "store"):
                with self.subTest(role):
                    self.kill_one(self.near, role)
                    self.wait_for_load()
        self.account(windows=self.kills)

    def test_the_other_host_dies(self):
        self.wait_for_load()
        for role in ("smtp", "store", "smtp"):
            self.kill_one(self.far, role)
            self.wait_for_load()
        self.far.stop(signal.SIGKILL)
        self.far.start()
        self.kills += 1
        self.wait_for_load()
        self.account(windows=self.kills)

    def test_everything_here_is_killed(self):
        for _ in range(2 * ROUNDS):
            self.wait_for_load()
            children = list(self.near.processes())
            self.near.stop(signal.SIGKILL)
            self.kills += 1
            self.assertTrue(wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children),
                                     RECOVERY_S), "children outlive their parent")
            self.near.start()
        self.wait_for_load()
        self.account(windows=self.kills)


if __name__ == "__main__":
    main()
