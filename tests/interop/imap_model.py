#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Many clients on few mailboxes, doing anything, against a model: a dictionary of mailboxes. Each client keeps
what it was told; whatever it is told must fit, and after NOOP it knows exactly what the model has. The mailboxes
are Alice's; every other client is Bob's, with whom she shares them. Each has a search that goes on (RFC 5267).
$STEPS (default 3000) and $SEED may be given."""
import os
import random
import re
import socket
import time
import unittest

from office import ALICE, BOB, Office, main

STEPS = int(os.environ.get("STEPS", "3000"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 1000000)))
BOXES = ["INBOX", "Archive", "Trash"]
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "$Work", "$Junk"]


class Client:
    """One connection; `uids` is the mailbox as its server has told it: None for what is not known."""

    def __init__(self, office, number):
        self.socket = socket.create_connection(("127.0.0.1", office.base + 143), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.number, self.count, self.box, self.uids, self.flags = number, 0, None, [], {}
        self.is_resync = number % 3 == 2
        self.user = BOB if number % 2 else ALICE
        self.searches, self.flagged = 0, None
        self.file.readline()
        self.do(f"LOGIN {self.user} {office.people[self.user]}")
        if self.is_resync:
            self.do("ENABLE QRESYNC")

    def close(self):
        self.socket.close()

    def name(self, box):
        return box if self.user == ALICE else f'"Other Users/{ALICE}/{box}"'

    def send(self, command, literal=None):
        self.count += 1
        tag = f"t{self.count}"
        if literal is None:
            self.socket.sendall(f"{tag} {command}\r\n".encode())
        else:
            self.socket.sendall(f"{tag} {command} {{{len(literal)}+}}\r\n".encode() + literal + b"\r\n")
        return tag

    def do(self, command, literal=None, wanted="OK"):
        tag, told = self.send(command, literal), []
        by_number = re.match(r"(FETCH|STORE|SEARCH) ", command)
        while True:
            line = self.file.readline().decode()
            assert line, f"closed after {command}"
            if line.startswith(tag + " "):
                assert line.split()[1] == wanted, (command, line)
                return line, told
            assert not (by_number and " EXPUNGE" in line), (command, line)
            told.append(line)
            self.take(line)

    def take(self, line):
        if m := re.match(r"\* (\d+) EXISTS", line):
            assert int(m[1]) >= len(self.uids), (line, len(self.uids))
            self.uids += [None] * (int(m[1]) - len(self.uids))
        elif m := re.match(r"\* (\d+) EXPUNGE", line):
            assert not self.is_resync and 1 <= int(m[1]) <= len(self.uids), line
            self.uids.pop(int(m[1]) - 1)
        elif m := re.match(r"\* VANISHED ([\d:,]+)", line):
            assert self.is_resync, line
            gone = numbers(m[1])
            self.uids = [uid for uid in self.uids if uid not in gone]
        elif m := re.match(r"\* (\d+) FETCH \((.*)\)\r\n", line):
            number = int(m[1])
            assert 1 <= number <= len(self.uids), (line, len(self.uids))
            if uid := re.search(r"UID (\d+)", m[2]):
                assert self.uids[number - 1] in (None, int(uid[1])), (line, self.uids)
                self.uids[number - 1] = int(uid[1])
            if flags := re.search(r"FLAGS \(([^)]*)\)", m[2]):
                self.flags[self.uids[number - 1]] = set(flags[1].split())

        elif m := re.match(r"\* ESEARCH \(TAG \"t(\d+)\"\) UID(.*)\r\n", line):
            assert int(m[1]) == self.searches, line
            if self.flagged is None: # it was on its way when the mailbox was closed
                return
            for word, uids in re.findall(r"(ALL|REMOVEFROM|ADDTO) (?:\(0 )?([\d:,]+)", m[2]):
                uids = numbers(uids)
                if word == "REMOVEFROM":
                    assert uids <= self.flagged, (line, self.flagged)
                    self.flagged -= uids
                else:
                    assert not uids & self.flagged, (line, self.flagged)
                    self.flagged |= uids

    def search_on(self):
        """From now on the server tells which messages are flagged."""
        self.searches, self.flagged = self.count + 1, set()
        self.do(r"UID SEARCH RETURN (ALL UPDATE) FLAGGED")

    def learn(self):
        while None in self.uids or any(uid not in self.flags for uid in self.uids):
            self.do("FETCH 1:* (UID FLAGS)")


def numbers(text):
    found = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        found.update(range(int(first), int(last or first) + 1))
    return found


class Model(unittest.TestCase):
    def setUp(self):
        self.office = Office()
        self.addCleanup(self.office.close)
        self.random = random.Random(SEED)
        print("seed", SEED)
        self.boxes = {name: {} for name in BOXES}
        self.next = {name: 1 for name in BOXES}
        self.clients = [Client(self.office, i) for i in range(6)]
        for client in self.clients:
            self.addCleanup(client.close)
        for name in BOXES:
            self.clients[0].do(f"SETACL {name} {BOB} lrswite")
        self.boxes["INBOX"][1], self.next["INBOX"] = set(), 2 # the welcome
        for client in self.clients:
            self.select(client, "INBOX")

    # ---- steps

    def select(self, client, name=None):
        client.box = name or self.random.choice(BOXES)
        client.uids, client.flags, client.flagged = [], {}, None
        client.do("SELECT " + client.name(client.box))
        self.assertEqual(len(client.uids), len(self.boxes[client.box]))
        if client.uids:
            client.learn()
            self.compare(client)
        client.search_on()

    def compare(self, client):
        box = self.boxes[client.box]
        self.assertEqual(client.uids, sorted(box))
        if client.flagged is not None:
            self.assertEqual(client.flagged, {uid for uid in box if r"\Flagged" in box[uid]})
        for uid in client.uids:
            self.assertEqual(client.flags[uid], box[uid], (client.number, client.box, uid))

    def noop(self, client):
        client.do("NOOP")
        client.do("NOOP") # what a search has to say comes behind a command
        if client.uids:
            client.learn()
        self.compare(client)

    def append(self, client):
        name, flags = self.random.choice(BOXES), set(self.random.sample(FLAGS, 2))
        count = self.random.choice([1, 1, 1, 3])
        text = f"Subject: {self.next[name]}\r\n\r\ntext\r\n".encode()
        head = b"".join(b" (%b) {%d+}\r\n%b" % (" ".join(flags).encode(), len(text), text)
                        for _ in range(count))
        tag = f"APPEND {client.name(name)}" + head.decode()
        line, _ = client.do(tag)
        uids = sorted(numbers(re.search(r"\[APPENDUID \d+ (\S+)\]", line)[1]))
        self.assertEqual(uids, list(range(self.next[name], self.next[name] + count)))
        for uid in uids:
            self.boxes[name][uid] = set(flags)
        self.next[name] += count

    def some(self, client):
        """A set of numbers or UIDs that the client knows, and which messages it means."""
        first = self.random.randrange(len(client.uids))
        last = min(len(client.uids) - 1, first + self.random.choice([0, 0, 1, 5, 1000]))
        uids = client.uids[first:last + 1]
        if self.random.random() < 0.5:
            return "UID ", f"{uids[0]}:{uids[-1]}", uids
        return "", f"{first + 1}:{last + 1}", uids

    def store(self, client):
        if not client.uids:
            return
        uid, text, uids = self.some(client)
        flags, sign = set(self.random.sample(FLAGS, self.random.randrange(3))), self.random.choice("+- ")
        silent = self.random.choice(["", ".SILENT"])
        client.do(f"{uid}STORE {text} {sign.strip()}FLAGS{silent} ({' '.join(flags)})")
        box = self.boxes[client.box]
        for one in uids:
            if one in box:
                box[one] = (box[one] | flags if sign == "+" else box[one] - flags if sign == "-"
                            else set(flags))
                if silent:
                    client.flags[one] = set(box[one])

    def expunge(self, client):
        box, gone = self.boxes[client.box], None
        if client.uids and self.random.random() < 0.5:
            chosen = self.random.choice(client.uids)
            client.do(f"UID EXPUNGE {chosen}")
            gone = {chosen}
        else:
            gone = set(client.uids)
            client.do("EXPUNGE")
        for uid in [u for u in box if r"\Deleted" in box[u] and u in gone]:
            del box[uid]

    def copy(self, client):
        if not client.uids or len(self.boxes["INBOX"]) > 300:
            return
        uid, text, uids = self.some(client)
        move, name = self.random.choice(["COPY", "MOVE"]), self.random.choice(BOXES)
        line, told = client.do(f"{uid}{move} {text} {client.name(name)}")
        box = self.boxes[client.box]
        there = [one for one in uids if one in box]
        code = re.search(r"\[COPYUID \d+ (\S+) (\S+)\]", "".join(told) + line)
        self.assertEqual(bool(code), bool(there))
        if code:
            self.assertEqual(numbers(code[1]), set(there))
            self.assertEqual(min(numbers(code[2])), self.next[name])
        for one in there:
            self.boxes[name][self.next[name]] = set(box[one])
            self.next[name] += 1
            if move == "MOVE":
                del box[one]

    def search(self, client):
        if not client.uids:
            return
        client.do("NOOP")
        client.learn()
        flag = self.random.choice(FLAGS)
        key = f"KEYWORD {flag}" if flag[0] == "$" else flag[1:].upper()
        _, told = client.do(f"UID SEARCH {key} UID 1:*")
        found = next(line for line in told if line.startswith("* SEARCH"))
        box = self.boxes[client.box]
        self.assertEqual([int(n) for n in found.split()[2:]], sorted(u for u in box if flag in box[u]))

    def resync(self, client):
        """Leaves, and comes back by what it remembers (RFC 7162)."""
        if not client.is_resync or not client.uids:
            return
        self.noop(client)
        if not client.uids:
            return
        line, _ = client.do(f"STATUS {client.name(client.box)} (HIGHESTMODSEQ UIDVALIDITY)")[1], None
        values = dict(re.findall(r"(HIGHESTMODSEQ|UIDVALIDITY) (\d+)", line[0]))
        uids, flags, name = list(client.uids), dict(client.flags), client.box
        client.do("UNSELECT")
        for _ in range(3):
            other = self.random.choice(self.clients)
            if other is not client and other.box == name:
                if other.uids:
                    other.learn()
                self.random.choice([self.store, self.expunge, self.append])(other)
        client.uids, client.flags, client.flagged = [], {}, None
        known = f"{values['UIDVALIDITY']} {values['HIGHESTMODSEQ']}"
        _, told = client.do(f"SELECT {client.name(name)} (QRESYNC ({known}))")
        gone = set()
        for line in told:
            if m := re.match(r"\* VANISHED \(EARLIER\) (\S+)", line):
                gone |= numbers(m[1])
        self.assertFalse(gone & set(self.boxes[name]), told)
        left = [uid for uid in uids if uid not in gone]
        left += sorted(uid for uid in client.flags if uid not in left and uid is not None)
        self.assertEqual(left, sorted(self.boxes[name]))
        for uid in left:
            self.assertEqual(client.flags.get(uid, flags.get(uid)), self.boxes[name][uid])
        client.uids, client.flags = left, {u: set(self.boxes[name][u]) for u in left}

    def test_what_clients_are_told_is_true(self):
        steps = [self.noop] * 3 + [self.append] * 3 + [self.store] * 4 + [self.expunge, self.copy,
                 self.search, self.resync, self.select]
        for at in range(STEPS):
            client, step = self.random.choice(self.clients), self.random.choice(steps)
            if client.uids and None in client.uids:
                client.learn()
            try:
                step(client)
            except Exception as wrong:
                raise AssertionError(f"seed {SEED}, step {at} ({step.__name__}, client "
                                     f"{client.number}): {wrong}") from wrong
        for client in self.clients:
            self.noop(client)


if __name__ == "__main__":
    main()
