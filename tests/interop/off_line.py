#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur mail` when the server has gone (case C10): the copy of `facteur sync` serves, what is changed in it goes to the
server when it is back, and nothing is lost when the client is killed."""
import os
import re
import shutil
import signal
import subprocess

import mail
from office import BOB, CLIENT_S, FACTEUR, main, wait_for


class OffLine(mail.Mail):
    def setUp(self):
        super().setUp()
        self.put_all()
        self.sync()

    def sync(self):
        config = {"XDG_CONFIG_HOME": str(self.office.folder / "desk/config")}
        done = subprocess.run([FACTEUR, "sync", "--quiet"], env={**self.env, **config}, capture_output=True, text=True,
                              check=False, timeout=2 * CLIENT_S)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def open_list(self):
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "on line" in s and s.count("Trash") == 2, "the list")
        return screen

    def flags(self, subject, box="INBOX"):
        """On the server; None: it is not there."""
        client = self.imap()
        client.select(box, readonly=True)
        _, found = client.search(None, "SUBJECT", f'"{subject}"')
        if not found[0]:
            return None
        self.assertEqual(len(found[0].split()), 1, f"{subject} is there twice")
        return set(re.findall(rb"\\\w+", client.fetch(found[0], "(FLAGS)")[1][0])) - {b"\\Recent"}

    def change(self, screen):
        """Reads one, flags it, deletes another."""
        screen.press("jj\r")
        screen.wait_for("See https://example.org/menu")
        screen.press("qF")
        screen.wait_until(lambda s: re.search(r"! +2024 bob", s), "a flag")
        screen.press("=d")
        screen.wait_until(lambda s: re.search(r"D +2024 shop", s), "a mark")
        screen.press("$y")
        screen.wait_without("Prices")

    def check_server(self):
        wait_for(lambda: self.flags("Prices") is None)
        self.assertEqual(self.flags("Lunch on Friday?"), {rb"\Seen", rb"\Flagged"})
        self.assertIsNotNone(self.flags("Prices", "Trash"))

    def test_c10_the_line_is_cut_and_the_reader_goes_on(self):
        screen = self.open_list()
        self.office.stop()
        self.change(screen)
        screen.wait_for("off line: local copy")
        self.compare(screen, "off_line")
        self.office.start()
        screen.press("R")
        screen.wait_until(lambda s: "Lunch" in s and " on line" in s and s.count("Trash") == 2, "the list, on line")
        self.check_server()
        self.compare(screen, "on_line_again")
        self.quit(screen)

    def test_c10_what_was_changed_off_line_survives_a_kill(self):
        self.office.stop()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "off line: local copy" in s, "the copy")
        self.change(screen)
        screen.kill(signal.SIGKILL)
        self.office.start()
        self.assertIsNotNone(self.flags("Prices"))
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "on line" in s, "the server")
        self.check_server()
        self.quit(screen)

    def test_c10_what_both_sides_changed_meets(self):
        """While the copy is read and changed, mail comes and another program changes flags."""
        self.office.stop()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "off line: local copy" in s, "the copy")
        self.change(screen)
        self.office.start()
        self.put("Meanwhile")
        client = self.imap()
        client.select("INBOX")
        client.store(client.search(None, "FROM", "hanako")[1][0], "+FLAGS", r"\Flagged")
        screen.press("R")
        screen.wait_for("on line")
        screen.wait_for("Meanwhile")
        screen.wait_until(lambda s: re.search(r"! +2024 花子", s), "a flag of the other program")
        self.check_server()
        self.quit(screen)

    def test_c10_the_mailbox_is_there_at_once_and_the_server_is_asked_behind(self):
        """A server that takes the connection and says nothing yet: nobody waits for it."""
        self.office.stop()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "off line: local copy" in s, "the copy")
        self.change(screen)
        self.quit(screen)
        self.office.start()
        doors = list(self.office.processes("access"))
        self.addCleanup(self.signal_all, doors, signal.SIGCONT)
        self.signal_all(doors, signal.SIGSTOP)
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "local copy, asking the server" in s, "the copy, at once")
        screen.press("=\r")
        screen.wait_for("東京は雨です")
        screen.press("qF")  # changed while the server is asked: that goes there, too
        screen.wait_until(lambda s: re.search(r"! +2024 花子", s), "a flag")
        self.signal_all(doors, signal.SIGCONT)
        screen.wait_until(lambda s: "Lunch" in s and " on line" in s, "the server")
        self.check_server()
        wait_for(lambda: self.flags_of_hanako() == {rb"\Seen", rb"\Flagged"})
        self.quit(screen)

    @staticmethod
    def signal_all(processes, how):
        for pid in processes:
            os.kill(pid, how)

    def flags_of_hanako(self):
        client = self.imap()
        client.select("INBOX", readonly=True)
        found = client.search(None, "FROM", "hanako")[1][0]
        return set(re.findall(rb"\\\w+", client.fetch(found, "(FLAGS)")[1][0])) - {b"\\Recent"}

    def test_c10_a_move_is_undone_off_line(self):
        self.office.stop()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "off line: local copy" in s, "the copy")
        screen.press("=sArchive\r")
        screen.wait_without("Prices")
        screen.press("u")
        screen.wait_for("Prices")
        self.quit(screen)
        self.office.start()
        screen = self.open_list()
        self.assertEqual(self.flags("Prices"), set())
        self.assertIsNone(self.flags("Prices", "Archive"))
        self.quit(screen)

    def test_c10_maildirs_that_were_never_synced_can_be_read(self):
        """Of another program, where the copy would be: they are shown, and not changed."""
        copy = next(p for p in self.home.joinpath("Mail").iterdir() if p.name.startswith("alice"))
        shutil.rmtree(copy / ".facteur")
        before = sorted(str(p) for p in copy.rglob("*"))
        self.office.stop()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "off line: local copy" in s, "the Maildirs")
        screen.press("/Lunch\r")
        screen.wait_without("Prices")
        screen.press("\r")
        screen.wait_for("See https://example.org/menu")
        screen.press("qF")
        screen.wait_for("has never compared these Maildirs")
        self.quit(screen)
        self.assertEqual(sorted(str(p) for p in copy.rglob("*")), before)

    def test_c10_what_is_written_off_line_waits_and_goes(self):
        self.office.stop()
        screen = self.open()
        screen.wait_for("off line: local copy")
        screen.press("m")
        screen.wait_for("To:")
        screen.press(f"{BOB}\r")
        screen.wait_for("Subject:")
        screen.press("Later\r")
        screen.wait_for("Typed by hand")
        screen.press("y")
        screen.wait_until(lambda s: "Lunch" in s and "Connection refused" in s, "the list again")
        self.quit(screen)
        self.office.start()
        config = {"XDG_CONFIG_HOME": str(self.office.folder / "desk/config"), "XDG_STATE_HOME": str(self.office.folder / "desk/state")}
        done = subprocess.run([FACTEUR, "send", "--retry"], env={**self.env, **config}, capture_output=True, text=True, check=False,
                              timeout=CLIENT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for(lambda: [m for m in self.office.messages(BOB) if b"Subject: Later" in m])
        self.assertEqual(len([m for m in self.office.messages(BOB) if b"Subject: Later" in m]), 1)


if __name__ == "__main__":
    main()
