#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur sync` dies by kill -9 at random points, again and again, while both sides change at random. Then
both sides must be alike, with every message once and where its side has put it. $SYNC_KILL_SECONDS (6) is for
each server, $SYNC_KILL_SEED makes a run again. Of Dovecot only when this runs as root.

So that there is one right end, each message belongs to one side, which alone moves and deletes it; flags are set by
both sides, \\Seen by the owner too, so nothing keeps what the other has deleted. """
import collections
import os
import random
import re
import shutil
import signal
import time
import unittest

from office import main
from sync_world import Dovecot, Facteur, Person, message, number_of, ok

SECONDS = float(os.environ.get("SYNC_KILL_SECONDS", "6"))
SEED = int(os.environ.get("SYNC_KILL_SEED", "0")) or random.randrange(1, 1 << 30)
BOXES = ("INBOX", "One", "Two/Deep")
LONGEST_S = 1.5


class Changes:
    """What both sides do to their messages; `place` is where each must be in the end."""

    def __init__(self, person, chance):
        self.person, self.random = person, chance
        self.place = {}   # number: box, None when it was deleted
        self.count = collections.Counter()
        self.number = 0
        self.client = person.imap()
        self.delimiter = "/"
        person.boxes()
        for box in BOXES[1:]:
            ok(self.client.create(self.name(box)))

    def name(self, box):
        return box.replace("/", self.person.delimiter)

    def new(self):
        self.number += 1
        return str(self.number)

    def size(self):
        return self.random.choice([0, 0, 500, 60000])

    # ---- the server's

    def append_there(self):
        number, box = "t" + self.new(), self.random.choice(BOXES)
        flags = self.random.choice(["", r"(\Seen)", r"(\Flagged)"])
        ok(self.client.append(self.name(box), flags, None, message(number, self.size())))
        self.place[number] = box

    def one_there(self, box, own=True):
        """The UID of some message of the box, which the server's side owns."""
        ok(self.client.select(self.name(box)))
        data = self.client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        found = []
        for item, after in zip(data, data[1:] + [b""]):
            if isinstance(item, tuple):
                said = item[0] + (after if isinstance(after, bytes) else b"") # the UID may stand behind
                number = number_of(item[1])
                if not own or number[0] == "t":
                    found.append((re.search(rb"UID (\d+)", said)[1].decode(), number))
        return self.random.choice(found) if found else (None, None)

    def flag_there(self):
        uid, _ = self.one_there(self.random.choice(BOXES), own=False)
        if uid:
            ok(self.client.uid("STORE", uid, self.random.choice("+-") + "FLAGS.SILENT", r"(\Seen)"))

    def move_there(self):
        box = self.random.choice(BOXES)
        to = self.random.choice([b for b in BOXES if b != box])
        uid, number = self.one_there(box)
        if uid:
            ok(self.client.uid("MOVE", uid, self.name(to)))
            self.place[number] = to

    def delete_there(self):
        uid, number = self.one_there(self.random.choice(BOXES))
        if uid:
            ok(self.client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
            ok(self.client.uid("EXPUNGE", uid))
            self.place[number] = None

    # ---- this machine's

    def write_here(self):
        number, box = "h" + self.new(), self.random.choice(BOXES)
        self.person.write_here(number, box, self.random.choice([None, "", "S", "F"]), self.size())
        self.place[number] = box

    def one_here(self, own=True):
        """A file and its number; what the program has at hand may vanish: then none."""
        box = self.random.choice(BOXES)
        try:
            file = self.random.choice(self.person.files(box))
            number = number_of(file.read_bytes())
        except (OSError, IndexError):
            return box, None, None
        return (box, file, number) if not own or number[0] == "h" else (box, None, None)

    def rename(self, file, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            file.rename(target)
        except FileNotFoundError:
            return False
        return True

    def flag_here(self):
        box, file, _ = self.one_here(own=False)
        if file:
            base, _, flags = file.name.partition(":2,")
            flags = flags.replace("S", "") if "S" in flags else "".join(sorted(flags + "S"))
            self.rename(file, self.person.folder(box) / "cur" / f"{base}:2,{flags}")

    def move_here(self):
        box, file, number = self.one_here()
        to = self.random.choice([b for b in BOXES if b != box])
        name = file and (file.name if ":2," in file.name else file.name + ":2,")
        if file and self.rename(file, self.person.folder(to) / "cur" / name):
            self.place[number] = to

    def delete_here(self):
        _, file, number = self.one_here()
        try:
            if file:
                file.unlink()
                self.place[number] = None
        except FileNotFoundError:
            pass

    def some(self):
        for _ in range(self.random.randrange(1, 8)):
            deed = self.random.choice([self.append_there, self.append_there, self.flag_there, self.move_there,
                                       self.delete_there, self.write_here, self.write_here, self.flag_here,
                                       self.move_here, self.delete_here])
            deed()
            self.count[deed.__name__] += 1


class Kill(unittest.TestCase):
    def die(self, server, person):
        chance = random.Random(SEED)
        changes = Changes(person, chance)
        late, killed, ended = time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < late:
            changes.some()
            process = person.start("sync", "--quiet")
            moment = time.monotonic() + chance.random() ** 2 * LONGEST_S
            while process.poll() is None and time.monotonic() < moment:
                if chance.random() < 0.5:
                    changes.some()
                else:
                    time.sleep(0.01)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
            else:
                ended += 1
                self.assertIn(process.returncode, (0, 69, 75), process.stdout.read().decode())
            process.wait()
            process.stdout.close()
            if (killed + ended) % 25 == 0:
                self.compare(person, changes)
        self.compare(person, changes)
        print(f"seed {SEED}: {killed} killed, {ended} ended, {sum(changes.count.values())} changes, "
              f"{len(changes.place)} messages")

    def compare(self, person, changes):
        for _ in range(3):
            if not person.sync():
                break
        here, there = person.here(), person.there()
        self.assertEqual(here, there, f"seed {SEED}")
        expected = {(box, number) for number, box in changes.place.items() if box}
        self.assertEqual(expected - set(here), set(), f"seed {SEED}: lost")
        self.assertEqual(set(here) - expected, set(), f"seed {SEED}: too many")
        self.assertEqual(person.sync(), {})

    def run_against(self, make_server):
        server = make_server()
        self.addCleanup(server.close)
        person = Person(server, "person1")
        self.addCleanup(person.close)
        self.die(server, person)

    def test_against_facteur(self):
        self.run_against(Facteur)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("dovecot"), "needs root and Dovecot")
    def test_against_dovecot(self):
        self.run_against(Dovecot)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("dovecot"), "needs root and Dovecot")
    def test_against_a_server_with_little(self):
        self.run_against(lambda: Dovecot("IMAP4rev1"))


if __name__ == "__main__":
    main()
