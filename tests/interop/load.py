#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A mixed load: strangers' mail, submission to another host that is away now and then, POP3 and IMAP sessions that read and
delete. Then all is deleted, and memory, descriptors and disk are as they were when the server was warm; of memory that is what
is the processes' own, and not pages of the view, which the kernel takes back when it wants. Each kind of session says how long it took. $LOAD_SECONDS (4) is for each of the two halves; `tools/soak load SECONDS`."""
import collections
import imaplib
import os
import poplib
import random
import smtplib
import threading
import time
import unittest
from pathlib import Path

from memory import has_sanitizer
from office import ALICE, BOB, CLIENT_S, Office, main, wait_for

SECONDS = float(os.environ.get("LOAD_SECONDS", "4"))
FAR = "carol@far.test"
CONFIG = """
queue_interval_max = "1 s"
local_destinations = yes
store_retain = "0 s"
"""
REST_S, REST_LOOK_S, MEMORY_SLACK_KIB, DISK_SLACK = 90, 1, 2 * 1024, 160 << 20
REST_LOOKS = 6  # for so long memory has not become less: it is at rest
SIZES = (500, 500, 2_000, 2_000, 20_000, 300_000)


def body(chance):
    return "\r\n".join("x" * 76 for _ in range(chance.choice(SIZES) // 78 + 1))


class Load(unittest.TestCase):
    more_config = ""

    def setUp(self):
        self.far = Office()
        self.addCleanup(self.far.close, may_fail=True)
        self.far.tool("domain", "add", "far.test")
        self.far.tool("user", "add", FAR, "--password-stdin", text="secret of carol\n")
        self.far.people[FAR] = "secret of carol"
        self.near = Office(config=CONFIG + self.more_config)
        self.addCleanup(self.near.close)
        (self.near.folder / "data/directory/transports").write_text(f"far.test smtp:[127.0.0.1]:{self.far.base + 25}\n")
        self.near.tool("reload")
        self.took = collections.defaultdict(list)
        self.lock = threading.Lock()
        self.errors, self.sent, self.is_over = [], 0, False

    # ---- sessions, each one whole

    def deliver(self, chance, first=ALICE, second=BOB):
        with self.near.smtp() as client:
            for _ in range(chance.randrange(1, 4)):
                to = chance.choice([[first], [second], [first, second]])
                client.sendmail("x@elsewhere.test", to, f"Subject: in\r\n\r\n{body(chance)}\r\n")

    def submit(self, chance, who=ALICE, to=FAR):
        with self.near.smtp(who) as client:
            client.sendmail(who, [to], f"From: <{who}>\r\nTo: <{to}>\r\nSubject: out\r\n\r\n{body(chance)}\r\n")
        with self.lock:
            self.sent += to == FAR

    def pop(self, chance, who=BOB):
        client = self.near.pop(who)
        for number in range(1, client.stat()[0] + 1):
            begun = time.monotonic()
            client.retr(number)
            self.took["pop: one RETR"].append(time.monotonic() - begun)
            if chance.random() < 0.8:
                client.dele(number)
        client.quit()

    def inbox(self, who):
        client = imaplib.IMAP4_SSL("localhost", self.near.base + 993, ssl_context=self.near.context, timeout=CLIENT_S)
        client.login(who, self.near.people[who])
        client.select("INBOX")
        return client

    def imap(self, chance, who=ALICE):
        with self.inbox(who) as client:
            client.search(None, "UNSEEN", "SUBJECT", "in")
            client.uid("FETCH", "1:*", "(FLAGS ENVELOPE BODYSTRUCTURE)")
            uids = client.uid("SEARCH", None, "ALL")[1][0].split()[:20]
            for uid in uids[:3]:
                client.uid("FETCH", uid.decode(), "(BODY[])")
            if uids and chance.random() < 0.7:
                client.uid("STORE", b",".join(uids).decode(), "+FLAGS", "(\\Deleted)")
                client.expunge()

    # ---- the load

    def measure(self, what, chance, *who):
        """False when it failed, and nothing can excuse it."""
        begun = time.monotonic()
        try:
            what(chance, *who)
            self.took[what.__name__].append(time.monotonic() - begun)
        except (poplib.error_proto, imaplib.IMAP4.error, smtplib.SMTPException, OSError) as problem:
            if "in use" not in str(problem).lower():  # two POP3 sessions at once
                self.errors.append(f"{what.__name__}: {problem!r}")
                return False
        return True

    def repeat(self, what, seed):
        chance = random.Random(seed)
        while not self.is_over and self.measure(what, chance):
            pass

    def come_and_go(self):
        """The other host is away half of the time."""
        while not self.is_over:
            self.far.stop()
            time.sleep(min(1, SECONDS / 8))
            self.far.start()
            wait_for(lambda: self.is_over, min(4, SECONDS / 4))

    def work(self, seed):
        self.is_over = False
        sessions = (self.deliver, self.deliver, self.submit, self.pop, self.imap, self.imap)
        threads = [threading.Thread(target=self.repeat, args=(what, seed + i)) for i, what in enumerate(sessions)]
        threads.append(threading.Thread(target=self.come_and_go))
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        self.is_over = True
        for thread in threads:
            thread.join()
        self.assertEqual(self.errors, [])

    # ---- at rest

    def empty(self):
        self.assertTrue(wait_for(lambda: self.near.tool_data("queue", "list")["recipients"] == [], REST_S))
        for who in self.near.people:
            with self.inbox(who) as client:
                client.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
                client.expunge()

    def descriptors(self):
        return {role: sum(len(os.listdir(f"/proc/{pid}/fd")) for pid, its in self.near.processes().items() if its == role)
                for role in ("smtp", "access", "auth", "route", "deliver", "transport")}

    def own_kib(self):
        return self.near.memory_kib("Pss_Anon") + self.near.memory_kib("Pss_Shmem")

    def own_kib_at_rest(self, enough=0):
        """Seldom: who is asked for his state is not at rest."""
        least, looks, end = self.own_kib(), 0, time.monotonic() + REST_S
        while least > enough and (enough or looks < REST_LOOKS) and time.monotonic() < end:
            time.sleep(REST_LOOK_S)
            now = self.own_kib()
            looks = looks + 1 if now >= least else 0
            least = min(least, now)
        return least

    def disk(self):
        return sum(path.stat().st_blocks * 512 for path in Path(self.near.folder, "data").rglob("*") if path.is_file())

    def test_all_comes_back_to_rest(self):
        self.work(1)
        self.empty()
        warm = 0 if has_sanitizer() else self.own_kib_at_rest(), self.descriptors(), self.disk()
        self.work(100)
        self.empty()
        self.assertTrue(wait_for(lambda: all(now <= warm[1][role] for role, now in self.descriptors().items()), REST_S),
                        (warm[1], self.descriptors()))
        self.assertTrue(wait_for(lambda: self.disk() <= warm[2] + DISK_SLACK, REST_S), (warm[2], self.disk()))
        if not has_sanitizer():
            self.assertLessEqual(self.own_kib_at_rest(warm[0] + MEMORY_SLACK_KIB), warm[0] + MEMORY_SLACK_KIB)
        self.assertTrue(wait_for(lambda: self.arrived() >= self.sent, REST_S), (self.sent, self.arrived()))
        print(f"memory KiB, own: {warm[0]} {self.own_kib()}, of files: {self.near.memory_kib('Pss_File')}; "
              f"disk {warm[2]} {self.disk()}, descriptors {sum(self.descriptors().values())}")
        self.tell_times()

    def arrived(self):
        client = self.far.pop(FAR)
        count = client.stat()[0]
        client.quit()
        return count

    def tell_times(self):
        for name, took in sorted(self.took.items()):
            took.sort()
            shares = [f"{1000 * took[min(len(took) - 1, int(len(took) * share))]:.0f}" for share in (0.5, 0.95, 0.99, 1)]
            print(f"{name}: {len(took)} times; half within {shares[0]} ms, 95% {shares[1]}, 99% {shares[2]}, all {shares[3]}", flush=True)


if __name__ == "__main__":
    main()
