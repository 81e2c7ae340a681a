#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Many clients on few mailboxes, doing anything, against a model: a dictionary of mailboxes. Each client keeps
what it was told; whatever it is told must fit, and after NOOP it knows exactly what the model has. The mailboxes
are Alice's; every other client is Bob's, with whom she shares them. Each has a search that goes on (RFC 5267); two
come back by QRESYNC, three hear by NOTIFY of the mailboxes that they have not opened, and know those exactly, too.
$STEPS (default 1200), $SEED and $PATIENCE_S may be given."""
import collections
import os
import random
import re
import socket
import time
import unittest

from office import ALICE, BOB, Office, main

STEPS = int(os.environ.get("STEPS", "1200"))
SEED = int(os.environ.get("SEED", str(time.time_ns() % 1000000)))
BOXES = ["INBOX", "Archive", "Archive/Deep", "Trash"] # their first names; in the model they are numbers
TOPS = ["Archive", "Trash", "Attic", "Papers"]
PATIENCE_S = int(os.environ.get("PATIENCE_S", "180")) # with the server
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "$Work", "$Junk"]


class Client:
    """One connection; `uids` is the mailbox as its server has told it: None for what is not known."""

    def __init__(self, office, number, names):
        self.socket = socket.create_connection(("127.0.0.1", office.base + 143), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.number, self.count, self.box, self.uids, self.flags = number, 0, None, [], {}
        self.modseqs = {} # by UID, as they were told
        self.names = names # of all mailboxes, as they are
        self.notify = {1: "selected", 4: "selected-delayed", 5: "selected"}.get(number)
        self.words = collections.deque(maxlen=20) # said last, for when something is wrong
        self.heard, self.heard_names = {}, {} # by NOTIFY: the status of mailboxes, and how they are called
        self.is_resync = number % 3 == 2
        self.user = BOB if number % 2 else ALICE
        self.searches, self.flagged = 0, None
        self.file.readline()
        self.do(f"LOGIN {self.user} {office.people[self.user]}")
        if self.is_resync:
            self.do("ENABLE QRESYNC")

    def close(self):
        self.socket.close()

    def name(self, box, names=None):
        name = (names or self.names)[box]
        return name if self.user == ALICE else f'"Other Users/{ALICE}/{name}"'

    def listen(self):
        """From now on the server tells what comes to other mailboxes than the selected one (RFC 5465)."""
        self.heard, self.heard_names = {}, dict(enumerate(self.names))
        whose = "personal" if self.user == ALICE else f'subtree "Other Users/{ALICE}"'
        self.do(f"NOTIFY SET STATUS ({self.notify} (MessageNew (UID FLAGS) MessageExpunge FlagChange)) "
                f"({whose} (MessageNew MessageExpunge FlagChange MailboxName))")

    def send(self, command, literal=None):
        self.count += 1
        tag = f"t{self.count}"
        self.words.append(f"{tag} {command[:100]}")
        if literal is None:
            self.socket.sendall(f"{tag} {command}\r\n".encode())
        else:
            self.socket.sendall(f"{tag} {command} {{{len(literal)}+}}\r\n".encode() + literal + b"\r\n")
        return tag

    def do(self, command, literal=None, wanted="OK"):
        tag, told = self.send(command, literal), []
        # With NOTIFY for "selected" messages go at any time, and numbers mean nothing to this client (RFC 5465 §5.2).
        by_number = self.notify != "selected" and re.match(r"(FETCH|STORE|SEARCH) ", command)
        while True:
            line = self.file.readline().decode()
            assert line, f"closed after {command}"
            self.words.append(line.strip()[:200])
            if line.startswith(tag + " "):
                assert line.split()[1] in wanted, (command, line)
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
            for gone in sorted(numbers(m[1])):
                self.vanish(gone)
        elif m := re.match(r"\* (\d+) FETCH \((.*)\)\r\n", line):
            number = int(m[1])
            assert 1 <= number <= len(self.uids), (line, len(self.uids))
            if uid := re.search(r"UID (\d+)", m[2]):
                assert self.uids[number - 1] in (None, int(uid[1])), (line, self.uids)
                self.uids[number - 1] = int(uid[1])
            if flags := re.search(r"FLAGS \(([^)]*)\)", m[2]):
                self.flags[self.uids[number - 1]] = set(flags[1].split())
            if modseq := re.search(r"MODSEQ \((\d+)\)", m[2]):
                self.modseqs[self.uids[number - 1]] = int(modseq[1])
        elif self.notify and (m := re.match(r'\* STATUS ("[^"]*"|\S+) \((.*)\)\r\n', line)):
            self.hear_status(m[1], dict(re.findall(r"(MESSAGES|UIDNEXT|UNSEEN) (\d+)", m[2])))
        elif self.notify and (m := re.match(r'\* LIST \([^)]*\) "/" ("[^"]*"|\S+) \("OLDNAME" \((.*)\)\)\r\n',
                                          line)):
            self.hear_name(self.plain(m[2]), self.plain(m[1]))
        elif line.startswith("* OK [CLOSED]"): # until here it was told of the mailbox before
            self.uids, self.flags, self.modseqs, self.flagged = [], {}, {}, None
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

    def plain(self, name):
        name = name.strip('"')
        return name if self.user == ALICE else name.removeprefix(f"Other Users/{ALICE}/")

    def hear_status(self, name, values):
        for box, known in self.heard_names.items(): # accounts have others besides
            if known == self.plain(name):
                self.heard.setdefault(box, {}).update({key: int(value) for key, value in values.items()})

    def hear_name(self, old, new):
        """It and those below it are called otherwise."""
        assert old in self.heard_names.values(), (old, self.heard_names)
        for box, name in self.heard_names.items():
            if name == old or name.startswith(old + "/"):
                self.heard_names[box] = new + name[len(old):]

    def put_there(self, box, messages, unseen, uid_next):
        """Of what it does itself it hears nothing (RFC 5465 §5)."""
        heard = self.heard.get(box, {})
        for key, more in (("MESSAGES", messages), ("UNSEEN", unseen)):
            if key in heard:
                heard[key] += more
        if heard:
            heard["UIDNEXT"] = uid_next

    def search_on(self):
        """From now on the server tells which messages are flagged."""
        self.searches, self.flagged = self.count + 1, set()
        self.do(r"UID SEARCH RETURN (ALL UPDATE) FLAGGED")

    def vanish(self, gone):
        """One whose UID is not known yet stands behind all that have smaller ones."""
        at = max((i + 1 for i, uid in enumerate(self.uids) if uid is not None and uid < gone), default=0)
        at = self.uids.index(gone) if gone in self.uids else at
        assert self.uids[at] in (gone, None), (gone, self.uids)
        self.uids.pop(at)

    def learn(self):
        while None in self.uids or any(uid not in self.flags for uid in self.uids):
            self.do("UID FETCH 1:* (FLAGS)" if self.notify else "FETCH 1:* (UID FLAGS)")


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
        self.names = list(BOXES)
        self.boxes = [{} for _ in BOXES]
        self.next = [1 for _ in BOXES]
        self.records = [{} for _ in BOXES] # modseq and flags of each message when it was last looked at
        self.control = Client(self.office, 6, self.names)
        self.clients = [Client(self.office, i, self.names) for i in range(6)]
        for client in [*self.clients, self.control]:
            self.addCleanup(client.close)
        self.control.do("CREATE Archive/Deep")
        for name in BOXES:
            self.control.do(f"SETACL {name} {BOB} lrswite")
        self.boxes[0][1], self.next[0] = set(), 2 # the welcome
        for client in self.clients:
            self.select(client, 0)
            if client.notify:
                client.listen()

    def draw_box(self):
        return self.random.randrange(len(self.boxes))

    # ---- steps

    def select(self, client, box=None):
        if client.notify and client.box is not None:
            client.do("NOOP") # it may have been told of the old one what it has not read
        old, client.box = client.box, self.draw_box() if box is None else box
        client.do("SELECT " + client.name(client.box))
        for one in (old, client.box): # of these it knew by themselves
            client.heard.pop(one, None)
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

    def has_heard_all(self, client):
        """Of the others by NOTIFY; what has been told of each is what is there."""
        return all(client.heard_names[i] == self.names[i] for i in client.heard_names) and all(
            value == {"MESSAGES": len(self.boxes[box]), "UIDNEXT": self.next[box],
                      "UNSEEN": sum(r"\Seen" not in flags for flags in self.boxes[box].values())}[key]
            for box, heard in client.heard.items() if box != client.box for key, value in heard.items())

    def hear(self, client):
        end = time.monotonic() + PATIENCE_S
        while not self.has_heard_all(client):
            client.do("NOOP")
            self.assertLess(time.monotonic(), end, (client.number, client.box, client.heard, client.heard_names,
                                                    self.names, self.boxes, self.next))

    def noop(self, client):
        client.do("NOOP")
        client.do("NOOP") # what a search has to say comes behind a command
        if client.uids:
            client.learn()
        self.compare(client)
        if client.notify:
            self.hear(client)

    def listen(self, client):
        if client.notify:
            client.listen()

    def added(self, client, box, flags_of_each):
        """By this client; it knows what it does."""
        for flags in flags_of_each:
            self.boxes[box][self.next[box]] = set(flags)
            self.next[box] += 1
        if box != client.box:
            client.put_there(box, len(flags_of_each), sum(r"\Seen" not in flags for flags in flags_of_each),
                             self.next[box])

    def append(self, client):
        name, flags = self.draw_box(), set(self.random.sample(FLAGS, 2))
        count = self.random.choice([1, 1, 1, 3])
        text = f"Subject: {self.next[name]}\r\n\r\ntext\r\n".encode()
        head = b"".join(b" (%b) {%d+}\r\n%b" % (" ".join(flags).encode(), len(text), text)
                        for _ in range(count))
        tag = f"APPEND {client.name(name)}" + head.decode()
        line, _ = client.do(tag)
        uids = sorted(numbers(re.search(r"\[APPENDUID \d+ (\S+)\]", line)[1]))
        self.assertEqual(uids, list(range(self.next[name], self.next[name] + count)))
        self.added(client, name, [flags] * count)

    def some(self, client):
        """A set of numbers or UIDs that the client knows, and which messages it means."""
        first = self.random.randrange(len(client.uids))
        last = min(len(client.uids) - 1, first + self.random.choice([0, 0, 1, 5, 1000]))
        uids = client.uids[first:last + 1]
        if client.notify == "selected" or self.random.random() < 0.5:
            return "UID ", f"{uids[0]}:{uids[-1]}", uids
        return "", f"{first + 1}:{last + 1}", uids

    def look(self, box):
        """The number of the last change of each message, for what is conditional; it rises with each (RFC 7162)."""
        found = {}
        self.control.uids, self.control.flags = [], {}
        self.control.do("EXAMINE " + self.control.name(box))
        for line in self.control.do("FETCH 1:* (UID FLAGS MODSEQ)")[1] if self.boxes[box] else []:
            if m := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)", line):
                found[int(m[1])] = int(m[3]), set(m[2].split())
        self.assertEqual({uid: flags for uid, (_, flags) in found.items()}, self.boxes[box])
        for uid, (modseq, flags) in self.records[box].items():
            if uid in found:
                self.assertGreaterEqual(found[uid][0], modseq + (found[uid][1] != flags), (box, uid))
        self.records[box] = found
        return {uid: modseq for uid, (modseq, _) in found.items()}

    def store(self, client):
        if not client.uids:
            return
        uid, text, uids = self.some(client)
        flags, sign = set(self.random.sample(FLAGS, self.random.randrange(3))), self.random.choice("+- ")
        silent = self.random.choice(["", ".SILENT"])
        box, failed, condition = self.boxes[client.box], set(), ""
        known = [client.modseqs[one] for one in uids if one in client.modseqs]
        if client.is_resync and known and self.random.random() < 0.5:
            since, modseqs = self.random.choice(known), self.look(client.box)
            failed = {one for one in uids if modseqs.get(one, 0) > since}
            condition = f"(UNCHANGEDSINCE {since}) "
        line, _ = client.do(f"{uid}STORE {text} {condition}{sign.strip()}FLAGS{silent} ({' '.join(flags)})")
        if told := re.search(r"\[MODIFIED (\S+)\]", line):
            told = numbers(told[1])
            told = told if uid else {client.uids[number - 1] for number in told}
        self.assertEqual((told or set()) & set(box), failed & set(box), line)
        for one in uids:
            if one in box and one not in failed:
                box[one] = (box[one] | flags if sign == "+" else box[one] - flags if sign == "-"
                            else set(flags))
                if silent:
                    client.flags[one] = set(box[one])

    def replace(self, client):
        """RFC 8508: a message comes, another goes, both or neither."""
        if not client.uids:
            return
        at, dest, flags = self.random.randrange(len(client.uids)), self.draw_box(), {self.random.choice(FLAGS)}
        uid, text = client.uids[at], "Subject: another\r\n\r\ntext\r\n"
        by_uid = client.notify == "selected" or self.random.random() < 0.5
        line, told = client.do(f"{'UID ' if by_uid else ''}REPLACE {uid if by_uid else at + 1} {client.name(dest)} "
                               f"({' '.join(flags)}) {{{len(text)}+}}\r\n{text}", wanted=("OK", "NO"))
        box = self.boxes[client.box]
        self.assertEqual(line.split()[1] == "OK", uid in box, line)
        if uid in box:
            code = re.search(r"\[APPENDUID \d+ (\d+)\]", "".join(told) + line)
            self.assertEqual(int(code[1]), self.next[dest])
            del box[uid]
            self.added(client, dest, [flags])

    def rename(self, client):
        """Of a mailbox, and with it of those below it."""
        if client.user != ALICE:
            return
        box, old = self.random.choice(list(enumerate(self.names))[1:])
        wanted = [top for top in TOPS if top not in self.names]
        wanted += [f"{top}/Deep" for top in self.names[1:]
                   if f"{top}/Deep" not in self.names and top != old and not top.startswith(old + "/")]
        new = self.random.choice(wanted)
        client.do(f"RENAME {old} {new}")
        for i, name in enumerate(self.names):
            if name == old or name.startswith(old + "/"):
                self.names[i] = new + name[len(old):]
        if client.notify:
            client.heard_names = dict(enumerate(self.names))
        for other in self.clients:
            if other.notify and other.uids and None in other.uids:
                other.learn()
            if other.notify:
                self.hear(other)

    def expunge(self, client):
        box, gone = self.boxes[client.box], None
        if client.notify:
            self.noop(client) # it has been told of messages that it has not read of
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
        if not client.uids or sum(len(box) for box in self.boxes) > 600:
            return
        uid, text, uids = self.some(client)
        move, name = self.random.choice(["COPY", "MOVE"]), self.draw_box()
        line, told = client.do(f"{uid}{move} {text} {client.name(name)}")
        box = self.boxes[client.box]
        there = [one for one in uids if one in box]
        code = re.search(r"\[COPYUID \d+ (\S+) (\S+)\]", "".join(told) + line)
        self.assertEqual(bool(code), bool(there))
        if code:
            self.assertEqual(numbers(code[1]), set(there))
            self.assertEqual(min(numbers(code[2])), self.next[name])
        self.added(client, name, [box[one] for one in there])
        for one in there if move == "MOVE" else []:
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
        client.heard.pop(name, None)
        client.do("UNSELECT")
        client.box = None
        for _ in range(3):
            other = self.random.choice(self.clients)
            if other is not client and other.box == name:
                if other.uids:
                    other.learn()
                self.random.choice([self.store, self.expunge, self.append])(other)
        client.uids, client.flags, client.modseqs, client.flagged = [], {}, {}, None
        client.box = name
        known = f"{values['UIDVALIDITY']} {values['HIGHESTMODSEQ']}"
        _, told = client.do(f"SELECT {client.name(name)} (QRESYNC ({known}))")
        gone = set()
        for line in told:
            if m := re.match(r"\* VANISHED \(EARLIER\) (\S+)", line):
                gone |= numbers(m[1])
        self.assertFalse(gone & set(self.boxes[name]), told)
        left = [uid for uid in uids if uid not in gone]
        left += sorted(uid for uid in client.flags if uid not in left and uid is not None)
        client.heard.pop(name, None)
        self.assertEqual(left, sorted(self.boxes[name]))
        for uid in left:
            self.assertEqual(client.flags.get(uid, flags.get(uid)), self.boxes[name][uid])
        client.uids, client.flags = left, {u: set(self.boxes[name][u]) for u in left}

    def test_what_clients_are_told_is_true(self):
        steps = [self.noop] * 3 + [self.append] * 3 + [self.store] * 4 + [self.expunge] * 2 + [self.copy,
                 self.search, self.resync, self.select, self.replace, self.rename, self.listen]
        for at in range(STEPS):
            client, step = self.random.choice(self.clients), self.random.choice(steps)
            try:
                if client.uids and None in client.uids:
                    client.learn()
                step(client)
            except Exception as wrong:
                raise AssertionError(f"seed {SEED}, step {at} ({step.__name__}, client "
                                     f"{client.number}): {wrong}\n" + "\n".join(client.words)) from wrong
        for client in self.clients:
            self.noop(client)


if __name__ == "__main__":
    main()
