#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""POP3 sends, by RETR, TOP and DELE, what IMAP sessions remove at the same time (STORE and EXPUNGE, MOVE), while segments of the log are
written anew. Each answer is -ERR, or the message whole; no session is cut off. $BESIDE_SECONDS (4), $BESIDE_SEED (1)."""
import collections
import hashlib
import imaplib
import os
import poplib
import random
import re
import threading
import time

from office import ALICE, BOB, CLIENT_S, Lines, OfficeCase, main

SECONDS, SEED = float(os.environ.get("BESIDE_SECONDS", "4")), int(os.environ.get("BESIDE_SEED", "1"))
SIZES = (300, 3_000, 60_000, 300_000, 700_000)
FILL, LOW = 24, 8
SLOW_BYTES, PIECE = 3_000_000, 65536


def letter(chance, number):
    line = b"%08d " % number + bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz.", k=60)) + b"\r\n"
    text = b"Subject: beside\r\n\r\n" + line * (chance.choice(SIZES) // len(line) + 1)
    return text + b"Sum: " + hashlib.sha256(text).hexdigest().encode() + b"\r\n"


def is_whole(lines):
    """What was appended, and nothing else."""
    text = b"\r\n".join(lines) + b"\r\n"
    body, found = re.fullmatch(rb"(.*)Sum: ([0-9a-f]{64})\r\n", text, re.S).groups()
    return hashlib.sha256(body).hexdigest().encode() == found


class Beside(OfficeCase):
    config = 'connection_rate = 1000000\nconnections_per_address_max = 1000\nstore_retain = "0 s"\n'

    def setUp(self):
        self.is_over, self.problems, self.counts = False, [], collections.Counter()

    def imap(self, who):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=CLIENT_S)
        client.login(who, self.office.people[who])
        client.select("INBOX")
        return client

    # ---- those who remove

    def remove(self, chance):
        client = self.imap(ALICE)
        while not self.is_over:
            client.noop()
            uids = client.uid("SEARCH", None, "ALL")[1][0].split()
            if not uids:
                continue
            some = b",".join(chance.sample(uids, min(len(uids), chance.randrange(1, 5)))).decode()
            if chance.random() < 0.4:
                client.uid("MOVE", some, "Trash")
            else:
                client.uid("STORE", some, "+FLAGS", r"(\Deleted)")
                client.expunge()
            self.counts["removed"] += 1
        client.logout()

    def fill(self, chance):
        client, number = self.imap(ALICE), 0
        while not self.is_over:
            client.noop()
            there = len(client.uid("SEARCH", None, "ALL")[1][0].split())
            for _ in range(FILL - there if there < LOW else 0):
                number += 1
                client.append("INBOX", None, None, letter(chance, number))
        client.select("Trash")
        client.logout()

    # ---- who fetches

    def fetch(self, chance):
        while not self.is_over:
            try:
                client = self.office.pop(ALICE)
            except poplib.error_proto as refused:
                if b"IN-USE" not in refused.args[0]:
                    raise
                continue
            self.session(client, chance)
            client.quit()

    def session(self, client, chance):
        for number in range(1, client.stat()[0] + 1):
            try:
                if chance.random() < 0.2:
                    client.top(number, 3)
                    self.counts["top"] += 1
                    continue
                lines = client.retr(number)[1]
                self.counts["whole"] += 1
                if not is_whole(lines):
                    self.problems.append(f"{number} is not what was kept")
                if chance.random() < 0.3:
                    client.dele(number)
            except poplib.error_proto as said:
                self.counts["gone"] += 1
                if b"gone" not in (said.args[0] if isinstance(said.args[0], bytes) else said.args[0].encode()):
                    raise

    def guard(self, what, seed):
        try:
            what(random.Random(seed))
        except (OSError, EOFError, poplib.error_proto, imaplib.IMAP4.error, AssertionError) as problem:
            self.problems.append(f"{what.__name__}: {problem!r}")
            self.is_over = True

    def test_each_message_comes_whole_or_is_gone(self):
        jobs = (self.fill, self.remove, self.remove, self.fetch, self.fetch)
        threads = [threading.Thread(target=self.guard, args=(what, SEED * 100 + number)) for number, what in enumerate(jobs)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not self.is_over:
            time.sleep(0.1)
        self.is_over = True
        for thread in threads:
            thread.join()
        print(dict(self.counts))
        self.assertEqual(self.problems, [])
        self.assertGreater(self.counts["whole"], 0)


if __name__ == "__main__":
    main()
