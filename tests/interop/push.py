#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""How soon others hear of a new message: sessions that flip between IDLE and DONE, stay in IDLE (clear, TLS, packed), use NOTIFY, ask
NOOP, or open the mailbox anew, while messages come by SMTP, LMTP and APPEND at random moments. From the 250 or OK on it may take
LATE_S at most, wherever the session just was. $PUSH_SECONDS (4), $PUSH_SEED (1), $PUSH_BURNERS (0) programs that only burn time."""
import os
import random
import re
import smtplib
import socket
import subprocess
import sys
import threading
import time
import zlib

from office import ALICE, CLIENT_S, OfficeCase, main

SECONDS, SEED = float(os.environ.get("PUSH_SECONDS", "4")), int(os.environ.get("PUSH_SEED", "1"))
BURNERS = int(os.environ.get("PUSH_BURNERS", "0"))
LATE_S = 5
LETTER = b"From: <a@elsewhere.test>\r\nTo: <alice@example.test>\r\nSubject: news\r\n\r\nHello.\r\n"


class Wire:
    """An IMAP connection line by line."""

    def __init__(self, office, tls=False, who=ALICE, password=None):
        self.socket = socket.create_connection(("localhost", office.base + (993 if tls else 143)), timeout=CLIENT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = office.context.wrap_socket(self.socket, server_hostname="localhost")
        self.got, self.number, self.unpack, self.pack = b"", 0, None, None
        self.line()
        self.ask(f'LOGIN {who} "{password or office.people[who]}"'.encode())

    def compress(self):
        self.ask(b"COMPRESS DEFLATE")
        self.unpack = zlib.decompressobj(-15)
        self.pack = zlib.compressobj(wbits=-15)

    def put(self, text):
        if self.pack:
            text = self.pack.compress(text) + self.pack.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(text)

    def take(self):
        some = self.socket.recv(65536)
        if not some:
            raise EOFError("the server has closed")
        self.got += self.unpack.decompress(some) if self.unpack else some

    def line(self):
        while b"\n" not in self.got:
            self.take()
        line, self.got = self.got.split(b"\n", 1)
        return line

    def begin(self, words):
        self.number += 1
        tag = b"t%d" % self.number
        self.put(tag + b" " + words + b"\r\n")
        return tag + b" "

    def until(self, start):
        """Lines up to the one that begins so."""
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1].startswith(start):
                return lines

    def ask(self, words):
        lines = self.until(self.begin(words))
        if b" OK" not in lines[-1]:
            raise AssertionError(lines[-1])
        return lines


class Ear:
    """A session in a thread: `heard` is the highest number of messages that it was told of, and `when`."""

    def __init__(self, case, name, chance, tls=False, packed=False):
        self.case, self.name, self.chance = case, name, chance
        self.wire = Wire(case.office, tls)
        if packed:
            self.wire.compress()
        self.heard, self.fault = 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            getattr(self, self.name)()
        except (OSError, EOFError, AssertionError) as problem:
            if not self.case.is_over:
                self.fault = problem
                self.case.news.set()

    def hear(self, lines):
        for line in lines:
            found = re.match(rb"\* (\d+) EXISTS", line) or re.match(rb"\* STATUS INBOX \(MESSAGES (\d+)", line)
            if found and int(found[1]) > self.heard:
                self.heard = int(found[1])
                self.case.news.set()

    def idle(self):
        tag = self.wire.begin(b"IDLE")
        self.hear(self.wire.until(b"+"))
        return tag

    def stays(self):
        self.hear(self.wire.ask(b"SELECT INBOX"))
        self.idle()
        while True:
            self.hear([self.wire.line()])

    def flips(self):
        self.hear(self.wire.ask(b"SELECT INBOX"))
        while True:
            tag = self.idle()
            end = time.monotonic() + self.chance.random() * 0.02
            while time.monotonic() < end and b"\n" in self.wire.got:
                self.hear([self.wire.line()])
            if self.chance.random() < 0.3:  # until there is news
                self.hear([self.wire.line()])
            self.wire.put(b"DONE\r\n")
            self.hear(self.wire.until(tag))
            if self.chance.random() < 0.5:
                self.hear(self.wire.ask(self.chance.choice((b"FETCH 1 UID", b"STORE 1 +FLAGS (x)", b"SEARCH UNSEEN"))))

    def reopens(self):
        while True:
            self.hear(self.wire.ask(self.chance.choice((b"SELECT INBOX", b"EXAMINE INBOX"))))
            tag = self.idle()
            if self.chance.random() < 0.5:
                self.hear([self.wire.line()])
            self.wire.put(b"DONE\r\n")
            self.hear(self.wire.until(tag))
            if self.chance.random() < 0.3:
                self.wire.ask(b"SELECT Drafts")

    def asks(self):
        self.hear(self.wire.ask(b"SELECT INBOX"))
        while True:
            self.hear(self.wire.ask(self.chance.choice((b"NOOP", b"CHECK"))))
            time.sleep(self.chance.random() * 0.05)

    def notified(self):
        """All of it is of the selected mailbox: told between commands, with and without some."""
        self.hear(self.wire.ask(b"SELECT INBOX"))
        self.hear(self.wire.ask(b"NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))"))
        while True:
            self.hear([self.wire.line()])
            if self.chance.random() < 0.3:
                self.hear(self.wire.ask(b"NOOP"))

    def elsewhere(self):
        """Another mailbox is selected: STATUS tells."""
        self.wire.ask(b"SELECT Drafts")
        self.hear(self.wire.ask(b"NOTIFY SET STATUS (SUBTREE INBOX (MessageNew MessageExpunge))"))
        while True:
            self.hear([self.wire.line()])


class Push(OfficeCase):
    config = "connection_rate = 1000000\nconnections_per_address_max = 1000\n"

    def setUp(self):
        self.chance, self.is_over, self.news = random.Random(SEED), False, threading.Event()
        self.burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BURNERS)]
        self.addCleanup(self.rest)

    def rest(self):
        for burner in self.burners:
            burner.kill()
            burner.wait()

    # ---- messages come; each returns when it was said to be there

    def by_smtp(self):
        code = self.smtp.mail("a@elsewhere.test")[0], self.smtp.rcpt(ALICE)[0], self.smtp.data(LETTER)[0]
        self.assertEqual(code, (250, 250, 250))

    def by_lmtp(self):
        code = self.lmtp.mail("a@elsewhere.test")[0], self.lmtp.rcpt(ALICE)[0], self.lmtp.data(LETTER)[0]
        self.assertEqual(code, (250, 250, 250))

    def by_append(self):
        self.writer.ask(b"APPEND INBOX {%d+}\r\n%s" % (len(LETTER), LETTER))

    def ears(self):
        ways = [("stays", {}), ("stays", {"tls": True}), ("stays", {"tls": True, "packed": True}), ("flips", {}), ("flips", {"tls": True}),
                ("flips", {"packed": True}), ("reopens", {}), ("asks", {}), ("notified", {}), ("elsewhere", {})]
        return [Ear(self, name, random.Random(SEED + number), **how) for number, (name, how) in enumerate(ways)]

    def wait_for_all(self, ears, count):
        """Which have heard late or not at all."""
        late = time.monotonic() + LATE_S
        while time.monotonic() < late:
            self.news.clear()
            waiting = [ear for ear in ears if ear.heard < count and not ear.fault]
            if not waiting or any(ear.fault for ear in ears):
                break
            self.news.wait(late - time.monotonic())
        return [f"{ear.name}: {ear.fault or ear.heard}" for ear in ears if ear.heard < count or ear.fault]

    def test_all_hear_soon(self):
        self.smtp, self.lmtp = self.office.smtp(), smtplib.LMTP("localhost", self.office.base + 24, timeout=CLIENT_S)
        self.smtp.ehlo()
        self.lmtp.ehlo()
        self.writer = Wire(self.office)
        count = int(re.search(rb"MESSAGES (\d+)", self.writer.ask(b"STATUS INBOX (MESSAGES)")[0])[1])
        ears = self.ears()
        for ear in ears:
            ear.thread.start()
        took, end = [], time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(self.chance.random() ** 4 * 0.05)
            some = self.chance.choice((1, 1, 1, 2, 5))
            for _ in range(some):
                self.chance.choice((self.by_smtp, self.by_lmtp, self.by_append))()
            count, begun = count + some, time.monotonic()
            self.assertEqual(self.wait_for_all(ears, count), [], f"{count} messages, round {len(took)}")
            took.append(time.monotonic() - begun)
        self.is_over = True
        took.sort()
        print(f"{len(took)} rounds, {count} messages, {len(ears)} sessions: all had heard half of them within {took[len(took) // 2] * 1000:.0f} ms, "
              f"99 of a hundred {took[len(took) * 99 // 100] * 1000:.0f}, all {took[-1] * 1000:.0f}")
        for ear in ears:
            ear.wire.socket.close()


if __name__ == "__main__":
    main()
