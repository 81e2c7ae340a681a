#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The power is cut. A post office works under strace; then folders are made as a disk could have left
them at many moments (see disk.py), the post office is started on each, and accounts for everything it had
said yes to: letters filed, letters queued, what IMAP clients did: with messages, and with mailboxes, subscriptions, rights, annotations.
$POWER_CUTS (24) says how many moments, $POWER_SEED which."""
import imaplib
import os
import random
import re
import shutil
import signal
import tempfile
import threading
import unittest
from pathlib import Path

from disk import STRACE, Recording
from office import ALICE, BOB, Office, main, skip_all, wait_for

imaplib.Commands.update(dict.fromkeys(("SETMETADATA", "GETMETADATA"), ("AUTH", "SELECTED")))

CUTS = int(os.environ.get("POWER_CUTS", "24"))
SEED = int(os.environ.get("POWER_SEED", "1"))
CONFIG = """
store_segment_size = "1 MiB"
store_view_interval = "100 ms"
store_retain = 0
local_destinations = yes
"""
SENDERS, LETTERS, BOXES = 3, 12, 6
SIZES = (10, 3000, 20000, 400000)
AWAY = "somebody@[127.0.0.9]"  # where nobody listens: what goes there waits


class Sender(threading.Thread):
    """Sends letters to one, to both, and to somebody away; keeps what was said to each."""

    def __init__(self, office, name):
        super().__init__()
        self.office, self.chance, self.label = office, random.Random(name), name
        self.letters = {}  # subject: (people, body, what the answer must have said)

    def run(self):
        with self.office.smtp(ALICE, tls=False) as client:
            for number in range(LETTERS):
                subject = f"letter {self.label} {number}"
                people = [[ALICE], [BOB], [ALICE, BOB], [AWAY]][number % 4]
                body = self.chance.randbytes(self.chance.choice(SIZES) // 2).hex()
                body = "\r\n".join(body[i:i + 70] for i in range(0, len(body), 70)) + "\r\n"
                client.mail(ALICE)
                for who in people:
                    client.rcpt(who)
                # Known before the answer comes: the cut may fall between.
                self.letters[subject] = [people, body, None]
                code, text = client.data(f"Subject: {subject}\r\n\r\n{body}")
                assert code == 250, text
                self.letters[subject][2] = text


class Clerk(threading.Thread):
    """Works in Bob's mailboxes by IMAP, one command after the other; keeps the state after each."""

    def __init__(self, office):
        super().__init__()
        self.client = imaplib.IMAP4("localhost", office.base + 143)
        self.client.login(BOB, office.people[BOB])
        self.states = [{"Work": {}, "Done": {}}]
        self.answers = []  # the tagged answer after which states[i + 1] holds

    def did(self, state):
        self.answers.append(self.last_tag() + b" OK")
        self.states.append(state)

    def last_tag(self):
        return self.client.tagpre + str(self.client.tagnum - 1).encode()

    def copy(self):
        return {folder: dict(letters) for folder, letters in self.states[-1].items()}

    def run(self):
        for folder in ("Work", "Done"):
            self.client.create(folder)
        self.client.select("Work")
        for number in range(LETTERS):
            subject = f"note {number}"
            state = self.copy()
            state["Work"][subject] = frozenset({"\\Draft"})
            self.must(self.client.append("Work", "(\\Draft)", None, f"Subject: {subject}\r\n\r\nx\r\n".encode()))
            self.did(state)
            self.client.noop()
            uid = re.search(rb"\d+", self.must(self.client.uid("search", "SUBJECT", f'"{subject}"'))[0])[0].decode()
            state = self.copy()
            state["Work"][subject] = frozenset({"\\Seen", "\\Flagged"})
            self.must(self.client.uid("store", uid, "FLAGS", "(\\Seen \\Flagged)"))
            self.did(state)
            state = self.copy()
            if number % 3 == 0:
                state["Done"][subject] = state["Work"].pop(subject)
                self.must(self.client.uid("move", uid, "Done"))
                self.did(state)
            elif number % 3 == 1:
                state["Work"].pop(subject)
                self.must(self.client.uid("store", uid, "+FLAGS", "(\\Deleted)"))
                marked = self.copy()
                marked["Work"][subject] |= {"\\Deleted"}
                self.did(marked)
                self.must(self.client.expunge())
                self.did(state)
        self.client.shutdown()

    @staticmethod
    def must(answer):
        assert answer[0] == "OK", answer
        return answer[1]


class Keeper(threading.Thread):
    """Makes, renames, shares, names, annotates and removes Alice's mailboxes, and copies into one; keeps the state after each."""

    def __init__(self, office):
        super().__init__()
        self.client = imaplib.IMAP4("localhost", office.base + 143)
        self.client.login(ALICE, office.people[ALICE])
        self.now = {"copies": 0}
        self.states, self.answers = [dict(self.now)], []

    def do(self, kind, *words, **change):
        Clerk.must(self.client._simple_command(kind, *words))
        self.answers.append(Clerk.last_tag(self) + b" OK")
        self.now.update(change)
        self.states.append({name: value for name, value in self.now.items() if value is not None})

    def run(self):
        self.client.create("Pool")
        for number in range(BOXES):
            name, new = f"box{number}", f"moved{number}"
            self.do("CREATE", name, **{name: ()})
            self.do("SUBSCRIBE", name, **{name: ("subscribed",)})
            self.do("SETACL", name, BOB, "lrs", **{name: ("subscribed", "lrs")})
            self.do("SETMETADATA", name, f'(/private/comment "{number}")', **{name: ("subscribed", "lrs", str(number))})
            Clerk.must(self.client.append(name, "", None, b"Subject: x\r\n\r\nx\r\n"))
            Clerk.must(self.client.select(name))
            self.do("COPY", "1", "Pool", copies=number + 1)
            Clerk.must(self.client.unselect())
            if number % 2:
                self.do("RENAME", name, new, **{name: None, new: ("subscribed", "lrs", str(number))})
                self.do("DELETEACL", new, BOB, **{new: ("subscribed", str(number))})
            else:
                self.do("UNSUBSCRIBE", name, **{name: ("lrs", str(number))})
                self.do("DELETE", name, **{name: None})
        self.client.shutdown()

    @staticmethod
    def look(office):
        """What is there, in the form of the states."""
        client = imaplib.IMAP4("localhost", office.base + 143)
        client.login(ALICE, office.people[ALICE])
        def names(rows):
            return {row.split()[-1].decode().strip('"') for row in rows if row}
        subscribed, found = names(client.lsub()[1]), {"copies": 0}
        for name in names(client.list()[1]):
            if name == "Pool":
                found["copies"] = int(client.select(name, readonly=True)[1][0])
                client.unselect()
            elif re.match(r"box|moved", name):
                rights = re.search(rb"bob@example.test (\w+)", client.getacl(name)[1][0])
                client._simple_command("GETMETADATA", name, "/private/comment")
                comment = re.search(rb'/private/comment "?(\d+)', b"".join(
                    part if isinstance(part, bytes) else b"".join(part) for part in client.response("METADATA")[1] if part))
                found[name] = (*["subscribed"] * (name in subscribed), *[m[1].decode() for m in (rights, comment) if m])
        client.logout()
        return found


class PowerCut(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.office = Office(config=CONFIG)
        cls.office.stop()
        cls.notes = Path(tempfile.mkdtemp(prefix="fo-cut-"))
        cls.data = cls.office.folder / "data"
        recording = Recording(os.path.realpath(cls.data), cls.copy_data())
        cls.office.launcher = [*STRACE, "-o", str(cls.notes / "trace")]
        cls.office.start()
        cls.senders = [Sender(cls.office, name) for name in range(SENDERS)]
        cls.clerk, cls.keeper = Clerk(cls.office), Keeper(cls.office)
        for worker in (*cls.senders, cls.clerk, cls.keeper):
            worker.start()
        for worker in (*cls.senders, cls.clerk, cls.keeper):
            worker.join()
        cls.kill()
        cls.office.launcher = []
        cls.recording = recording.read(cls.notes / "trace")
        cls.find_answers()

    @classmethod
    def copy_data(cls):
        copy = cls.notes / "base"
        shutil.copytree(cls.data, copy)
        for path in [cls.data, *cls.data.rglob("*")]:
            owner = path.stat()
            os.chown(copy / path.relative_to(cls.data), owner.st_uid, owner.st_gid)
        return copy

    @classmethod
    def kill(cls):
        """All at once: nobody has the time to write anything more."""
        everybody = list(cls.office.processes())
        for pid in [cls.office.server.pid, *everybody]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        cls.office.server.wait(60)
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in everybody))
        cls.office.log.close()

    @classmethod
    def find_answers(cls):
        """When each yes was said: the first place at which the words went to a socket."""
        def place_of(words):
            return next(place for place, data in cls.recording.said if words in data)
        cls.filed = {subject: place_of(b"250 " + text)
                     for sender in cls.senders for subject, (_, _, text) in sender.letters.items()}
        cls.worked = [place_of(answer) for answer in cls.clerk.answers]
        cls.kept = [place_of(answer) for answer in cls.keeper.answers]

    @classmethod
    def tearDownClass(cls):
        cls.office.close(may_fail=True)
        shutil.rmtree(cls.notes)

    # ---- accounts

    def folder(self, client, name):
        """{subject: [(flags, octets)]}; no such folder is an empty one."""
        if client.select(name, readonly=True)[0] != "OK":
            return {}
        found = {}
        _, rows = client.fetch("1:*", "(FLAGS BODY.PEEK[])") if client.untagged_responses["EXISTS"][-1] != b"0" \
            else ("OK", [])
        for row in rows:
            if not isinstance(row, tuple):
                continue
            flags = frozenset(flag.decode() for flag in imaplib.ParseFlags(row[0])) - {"\\Recent"}
            subject = re.search(rb"^Subject: (.*)\r$", row[1], re.M)[1].decode()
            found.setdefault(subject, []).append((flags, row[1]))
        return found

    def look(self, place):
        waiting = {entry["id"] for entry in self.office.tool_data("queue", "list")["recipients"]}
        inboxes, work = {}, {}
        for who in (ALICE, BOB):
            client = imaplib.IMAP4("localhost", self.office.base + 143)
            client.login(who, self.office.people[who])
            inboxes[who] = self.folder(client, "INBOX")
            if who == BOB:
                work = {name: self.folder(client, name) for name in ("Work", "Done")}
            client.logout()
        for sender in self.senders:
            for subject, (people, body, text) in sender.letters.items():
                must_be = self.filed[subject] < place
                for who in people:
                    if who == AWAY:
                        name = re.search(rb"as (\S+)", text)[1].decode()
                        self.assertTrue(name in waiting or not must_be, f"{subject} was queued and is gone")
                        continue
                    copies = inboxes[who].get(subject, [])
                    self.assertLessEqual(len(copies), 1, f"{subject} is there more than once")
                    self.assertTrue(copies or not must_be, f"{subject} was filed and is gone")
                    for _, octets in copies:
                        self.assertEqual(octets.split(b"\r\n\r\n", 1)[1].decode(), body, subject)
        done = sum(1 for answer in self.worked if answer < place)
        state = {name: {subject: copies[0][0] for subject, copies in letters.items()}
                 for name, letters in work.items()}
        self.assertIn(state, self.clerk.states[done:done + 2])
        done = sum(1 for answer in self.kept if answer < place)
        self.assertIn(Keeper.look(self.office), self.keeper.states[done:done + 2])
        self.office.tool("check")

    def cut(self, place, chance):
        shutil.rmtree(self.data)
        self.recording.leave(place, self.data, chance)
        self.office.start()
        try:
            self.look(place)
        finally:
            self.kill()

    def test_nothing_that_was_acknowledged_is_lost(self):
        """Moments everywhere, and more of them where a yes had just been said."""
        chance = random.Random(SEED)
        told = sorted([*self.filed.values(), *self.worked, *self.kept])
        for number in range(CUTS):
            place = chance.choice(told) + 1 if number % 2 else chance.randint(1, self.recording.end)
            disk = None if number % 8 == 0 else 0 if number % 4 == 2 else random.Random(SEED * 100000 + number)
            with self.subTest(cut=number, place=place, seed=SEED):
                self.cut(place, disk)


if __name__ == "__main__":
    if not shutil.which("strace"):
        skip_all("strace is not installed")
    main()
