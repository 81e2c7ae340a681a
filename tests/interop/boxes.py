#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Large letter boxes on their way in and out: imports and exports that are killed again and again and
begun anew, each time exactly where they were; order; processes that die meanwhile; the bar that only
a terminal sees. $FACTEUR names the program, $BOXES_MESSAGES the size of the box (default: 3000)."""
import mailbox
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import office
from terminal import Terminal

COUNT = int(os.environ.get("BOXES_MESSAGES", "3000"))
TRIES_MAX = 200


def write_box(path):
    """Some are alike in every octet; some are too large to travel within a note."""
    with open(path, "w", encoding="ascii") as out:
        for number in range(COUNT):
            named = number if number % 10 else 0
            out.write("From bob@example.org Sat Jan  3 01:05:34 2026\n"
                      f"Subject: letter {named}\nDate: Sat, 3 Jan 2026 01:05:34 +0000\n\n")
            out.write("All of it.\n" * (7000 if number % 500 == 7 else 20) + "\n")


def subjects(text):
    return [int(n) for n in re.findall(r"(?m)^Subject: letter (\d+)", text)]


EXPECTED = [number if number % 10 else 0 for number in range(COUNT)]


class Boxes(office.OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.scratch = tempfile.TemporaryDirectory(prefix="boxes-")
        cls.folder = Path(cls.scratch.name)
        write_box(cls.folder / "in.mbox")
        cls.office.tool("import", office.BOB, str(cls.folder / "in.mbox"))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def start(self, *words):
        return subprocess.Popen([office.FACTEUR, *words], env=self.office.environment(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def run_and_kill(self, *words, made=None):
        """Again and again, letting it live a little longer each time, until it comes to its end, which is also
        when it was killed between its last act and its exit: then the file it has `made` is there."""
        kills = 0
        for number in range(TRIES_MAX):
            process = self.start(*words)
            try:
                process.wait(0.01 * 1.3 ** number)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
            process.stderr.close()
            if process.returncode == 0 or (made and process.returncode == os.EX_CANTCREAT and made.exists()):
                return kills
            self.assertEqual(process.returncode, -signal.SIGKILL)
        self.fail("it never came to its end")

    def whole(self, name):
        """The mailbox of Alice as an mbox."""
        path = self.folder / f"{name}.check"
        self.office.tool("export", office.ALICE, str(path), "--mailbox", name)
        return path.read_text()

    def test_an_import_that_is_killed_again_and_again_is_whole_and_in_order(self):
        words = ("import", office.ALICE, str(self.folder / "in.mbox"), "--mailbox", "Killed")
        self.assertGreater(self.run_and_kill(*words), 1)
        self.assertEqual(subjects(self.whole("Killed")), EXPECTED)
        again = self.office.tool_data(*words)
        self.assertEqual((again["imported"], again["already_there"]), (0, COUNT))

    def test_order_survives_the_death_of_those_who_parse(self):
        process = self.start("import", office.ALICE, str(self.folder / "in.mbox"), "--mailbox", "Parsed")
        deaths = 0
        for pid in self.office.processes("deliver"):
            if process.poll() is None:
                os.kill(pid, signal.SIGKILL)
                deaths += 1
            time.sleep(0.05)
        self.assertEqual(process.wait(office.CLIENT_S), 0, process.stderr.read())
        process.stderr.close()
        self.assertGreater(deaths, 0)
        self.assertEqual(subjects(self.whole("Parsed")), EXPECTED)

    def test_an_export_that_is_killed_again_and_again_goes_on(self):
        straight, killed = self.folder / "straight.mbox", self.folder / "killed.mbox"
        self.office.tool("export", office.BOB, str(straight))
        self.assertGreater(self.run_and_kill("export", office.BOB, str(killed), made=killed), 1)
        self.assertTrue(killed.read_bytes() == straight.read_bytes())
        self.assertEqual(list(self.folder.glob("killed.mbox.*")), [])

    def test_a_maildir_that_is_killed_again_and_again_goes_on(self):
        path = self.folder / "maildir"
        self.assertGreater(self.run_and_kill("export", office.BOB, str(path), "--format", "maildir"), 1)
        found = sorted((int(p.name.split(".")[1]), p) for p in (path / "cur").iterdir())
        letters = [p.read_text() for _, p in found]
        mine = [letter for letter in letters if "\nSubject: letter " in "\n" + letter]
        self.assertEqual(subjects("".join(mine)), EXPECTED)
        self.assertEqual(list((path / "tmp").iterdir()), [])
        self.assertEqual(len(mailbox.Maildir(path)), len(letters))

    def test_a_long_list_is_whole(self):
        rows = self.office.tool_data("mailbox", "show", office.BOB)["messages"]
        lines = self.office.tool("mailbox", "show", office.BOB).splitlines()
        self.assertGreaterEqual(len(rows), COUNT)
        self.assertEqual([row["uid"] for row in rows], list(range(1, len(rows) + 1)))
        self.assertEqual([int(line.split()[0]) for line in lines[1:]], [row["uid"] for row in rows])
        self.assertEqual(lines[0].split()[0], "UID")

    def test_only_a_terminal_sees_a_bar(self):
        words = ["export", office.BOB, str(self.folder / "bar.mbox")]
        with Terminal([office.FACTEUR, *words], self.office.environment()) as terminal:
            terminal.wait_for("exporting [####")
        words = ("export", office.BOB, str(self.folder / "no-bar.mbox"))
        done = subprocess.run([office.FACTEUR, *words], env=self.office.environment(), check=True,
                              capture_output=True)
        self.assertEqual(done.stderr, b"")


if __name__ == "__main__":
    office.main()
