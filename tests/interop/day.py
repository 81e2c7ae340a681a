#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Days of a firm of $DAY_PEOPLE (3): for each person 20 sessions of strangers with one to three messages, 15 submissions (one of
three for another host, which is away now and then), and a connection that stays in IDLE; nine of ten have 30 IMAP sessions that
read and delete, the tenth fetches by POP3, 40 times; every twentieth has a copy (`facteur sync`), made 20 times. Nobody
pauses between two of them, so that a day takes minutes. $DAY_COUNT (1) days, or $DAY_SHARE (a tenth) of each, follow on a
tenth of one; after each, all is deleted, and memory, descriptors and disk must be what they were after that tenth; from the
third day on memory must also be what it was after one before, and not go on to grow within its bound.
`tools/soak day [DAYS]` is for 200 people."""
import collections
import contextlib
import os
import random
import re
import threading
import time
from pathlib import Path

import load
from load import DISK_SLACK, FAR, MEMORY_SLACK_KIB, REST_S
from memory import has_sanitizer
from office import ALICE, main, wait_for
from sync_world import PASSWORD, Person, ok

PEOPLE, DAYS = int(os.environ.get("DAY_PEOPLE", "3")), int(os.environ.get("DAY_COUNT", "1"))
SHARE = float(os.environ.get("DAY_SHARE", "0.1"))
DELIVERIES, SUBMISSIONS, READINGS, FETCHES, SYNCS = 20, 15, 30, 40, 20
FETCH_EVERY, SYNC_EVERY, FAR_EVERY = 10, 20, 3
WORKERS, AWAY_S, THERE_S = 8, 10, 60
PLATEAU_KIB, PLATEAU_FROM = 256, 2 # from the third day on memory may be so much more than after any before


class Day(load.Load):
    more_config = "connections_per_address_max = 10000\nconnection_rate = 1000000\n"

    def setUp(self):
        super().setUp()
        self.port, self.trust = self.near.base + 993, self.near.folder / "tls/chain.pem"
        for number in range(PEOPLE - len(self.near.people)):
            self.near.people[self.add(f"person{number}")] = PASSWORD
        self.people = list(self.near.people)
        self.turns = collections.defaultdict(threading.Lock) # nobody fetches, or has a copy made, twice at once
        self.copies = {}
        for number in range(1 + PEOPLE // SYNC_EVERY):
            copy = Person(self, f"copy{number}")
            self.addCleanup(copy.close)
            self.near.people[copy.address] = PASSWORD
            self.copies[copy.address] = copy

    def add(self, who):
        address = f"{who}@example.test"
        self.near.tool("user", "add", address, "--password-stdin", text=PASSWORD + "\n")
        return address

    # ---- what a day is made of

    def sync(self, _chance, who):
        self.copies[who].run("sync")

    def plan(self, share, chance):
        jobs = []
        for number, who in enumerate(self.people):
            jobs += [(self.deliver, who, chance.choice(self.people)) for _ in range(max(1, int(DELIVERIES * share)))]
            jobs += [(self.submit, who, chance.choice(self.people) if left else FAR)
                     for left in (n % FAR_EVERY for n in range(max(1, int(SUBMISSIONS * share))))]
            what, times = (self.imap, READINGS) if number % FETCH_EVERY else (self.pop, FETCHES)
            jobs += [(what, who) for _ in range(max(1, int(times * share)))]
        for who in self.copies:
            jobs += [(self.deliver, who, ALICE) for _ in range(max(1, int(DELIVERIES * share)))]
            jobs += [(self.sync, who) for _ in range(max(1, int(SYNCS * share)))]
        chance.shuffle(jobs)
        return jobs

    def come_and_go(self):
        while not wait_for(lambda: self.is_over, THERE_S):
            self.far.stop()
            wait_for(lambda: self.is_over, AWAY_S)
            self.far.start()

    def run_jobs(self, jobs, seed):
        chance = random.Random(seed)
        try:
            while True:
                what, *who = jobs.popleft()
                with self.turns[who[0]] if what in (self.pop, self.sync) else contextlib.nullcontext():
                    if not self.measure(what, chance, *who):
                        return
        except IndexError: # none are left
            pass
        except AssertionError as problem: # of `facteur sync`
            self.errors.append(str(problem))

    def open_idle(self):
        clients = [self.inbox(who) for who in self.people]
        for client in clients:
            client.send(b"i IDLE\r\n")
            self.assertEqual(client.readline()[:1], b"+")
        return clients

    def work_day(self, share, seed):
        self.is_over = False
        jobs = collections.deque(self.plan(share, random.Random(seed)))
        idle = self.open_idle()
        traveller = threading.Thread(target=self.come_and_go)
        threads = [threading.Thread(target=self.run_jobs, args=(jobs, seed + n)) for n in range(WORKERS)]
        for thread in [traveller, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        self.is_over = True
        traveller.join()
        for client in idle:
            client.shutdown()
        self.assertEqual(self.errors, [])

    # ---- and its end

    def look_at_copies(self):
        for copy in self.copies.values():
            copy.run("sync")
            with self.inbox(copy.address) as client:
                there = len(ok(client.uid("SEARCH", None, "ALL"))[0].split())
            self.assertEqual(len(copy.files()), there, copy.address)

    def own_by_role(self):
        """What of memory_kib is whose."""
        found = collections.Counter()
        for pid, role in self.near.processes().items():
            with contextlib.suppress(OSError): # it has just ended
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                found[role] += sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem): +(\d+) kB", text, re.M)))
        return dict(found)

    def at_rest(self):
        self.look_at_copies()
        self.empty()
        for copy in self.copies.values():
            copy.run("sync")
        self.assertTrue(wait_for(lambda: self.arrived() >= self.sent, REST_S), (self.sent, self.arrived()))

    def test_all_comes_back_to_rest(self):
        self.work_day(0.1, 1)
        self.at_rest()
        warm = 0 if has_sanitizer() else self.own_kib_at_rest(), self.descriptors(), self.disk(), self.own_by_role()
        print(f"warm: memory KiB {warm[0]}, disk {warm[2]}", flush=True)
        seen = []
        for day in range(DAYS):
            begun = time.monotonic()
            self.work_day(SHARE, 1000 * (day + 1))
            took = time.monotonic() - begun
            self.at_rest()
            print(f"day {day + 1}: {took:.0f} s", flush=True)
            self.tell_times()
            self.assertTrue(wait_for(lambda: all(now <= warm[1][role] for role, now in self.descriptors().items()), REST_S),
                            (warm[1], self.descriptors()))
            self.assertTrue(wait_for(lambda: self.disk() <= warm[2] + DISK_SLACK, REST_S), (warm[2], self.disk()))
            if not has_sanitizer():
                most = min([warm[0] + MEMORY_SLACK_KIB] + [max(seen) + PLATEAU_KIB] * (day >= PLATEAU_FROM))
                seen.append(self.own_kib_at_rest(most))
                self.assertLessEqual(seen[-1], most, f"{warm[3]}, then {self.own_by_role()}")
            print(f"memory KiB, own: {self.own_kib()}, {self.own_by_role()}, of files: {self.near.memory_kib('Pss_File')}; "
                  f"disk {self.disk()}, descriptors {sum(self.descriptors().values())}", flush=True)


if __name__ == "__main__":
    main()
