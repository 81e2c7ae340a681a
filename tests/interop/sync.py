#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur sync`: a copy of an account in Maildirs, alike in both directions; against Facteur and, when this
runs as root, Debian's Dovecot, once as it is and once without what makes it quick. At the end each test holds
both sides against each other, and one more run must find nothing to do."""
import json
import os
import shutil
import unittest

from office import main, wait_for
from sync_world import PASSWORD, Dovecot, Facteur, Person, message, ok

UNAVAILABLE = 69


class Alike:
    """The tests; the class below says against which server."""
    count = 0

    @classmethod
    def setUpClass(cls):
        cls.server = cls.make_server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        Alike.count += 1
        self.person = Person(self.server, f"person{Alike.count}")
        self.addCleanup(self.person.close)

    def settled(self):
        """Both sides, which are alike, and stay as they are."""
        self.assertEqual(self.person.there(), self.person.here())
        self.assertEqual(self.person.sync(), {})
        return self.person.here()

    def begin(self, count=4, box="INBOX"):
        for number in range(1, count + 1):
            self.person.append(number, box)
        self.person.sync()

    def test_messages_come(self):
        self.person.append(1, flags=r"(\Seen \Answered)")
        self.person.append(2)
        self.person.append(3, size=300000)
        self.assertEqual(self.person.sync()["fetched"], 3)
        self.assertEqual(self.settled(), {("INBOX", "1"): "RS", ("INBOX", "2"): "", ("INBOX", "3"): ""})
        self.assertEqual(self.person.file(2).parent.name, "new")
        self.person.append(4)
        self.assertEqual(self.person.sync(), {"fetched": 1})
        self.settled()

    def test_messages_go(self):
        self.begin(1)
        self.person.write_here(2)
        self.person.write_here(3, flags="FS", size=200000)
        self.assertEqual(self.person.sync()["sent"], 2)
        self.assertEqual(self.settled(), {("INBOX", "1"): "", ("INBOX", "2"): "", ("INBOX", "3"): "FS"})

    def test_flags_go_both_ways(self):
        self.begin()
        self.person.store(1, "+", r"\Seen \Flagged")
        self.person.mark_here(2, "RS")
        self.person.store(3, "+", r"\Seen")
        self.person.mark_here(3, "F")
        self.person.sync()
        self.assertEqual(self.settled(), {("INBOX", "1"): "FS", ("INBOX", "2"): "RS", ("INBOX", "3"): "FS",
                                          ("INBOX", "4"): ""})
        self.person.store(1, "-", r"\Seen")
        self.person.mark_here(2, "R")
        self.person.sync()
        self.assertEqual(self.settled()[("INBOX", "1")], "F")
        self.assertEqual(self.settled()[("INBOX", "2")], "R")

    def test_a_forwarded_message_and_letters_of_others(self):
        self.begin(2)
        self.person.mark_here(1, "PSa")
        self.person.store(2, "+", "$Forwarded")
        self.person.sync()
        self.assertEqual(self.person.there(), {("INBOX", "1"): "PS", ("INBOX", "2"): "P"})
        self.person.store(1, "+", r"\Flagged")
        self.person.sync()
        self.assertTrue(self.person.file(1).name.endswith(":2,FPSa"))

    def test_deletions_go_both_ways(self):
        self.begin()
        self.person.remove_there(1)
        self.person.file(2).unlink()
        self.person.remove_there(3)
        self.person.file(3).unlink()
        done = self.person.sync()
        self.assertEqual((done["deleted_here"], done["deleted_there"]), (1, 1))
        self.assertEqual(self.settled(), {("INBOX", "4"): ""})

    def test_what_others_have_marked_is_not_deleted_with_ours(self):
        self.begin(3)
        self.person.store(1, "+", r"\Deleted")
        self.person.file(2).unlink()
        self.person.sync(code=None)
        self.assertIn(("INBOX", "1"), self.person.there())

    def test_moves_go_both_ways(self):
        self.begin()
        with self.person.imap() as client:
            ok(client.create("Away"))
        self.person.move_there(1, "INBOX", "Away")
        self.person.move_here(2, "INBOX", "Local/Deep")
        done = self.person.sync()
        self.assertEqual(done.get("moved"), 1)
        self.assertNotIn("sent", done)
        self.person.sync()
        self.assertEqual(self.settled(), {("Away", "1"): "", ("Local/Deep", "2"): "", ("INBOX", "3"): "",
                                          ("INBOX", "4"): ""})

    def test_a_folder_that_is_renamed_here_is_moved_there(self):
        self.begin(3, "INBOX")
        for number in (11, 12, 13):
            self.person.write_here(number, "Old")
        self.person.sync()
        self.person.folder("Old").rename(self.person.folder("New"))
        done = self.person.sync()
        self.assertEqual((done.get("moved"), done.get("sent")), (3, None))
        self.assertNotIn("Old", self.person.boxes())
        self.assertEqual({box for box, _ in self.settled()}, {"INBOX", "New"})

    def test_folders_come_and_go(self):
        self.begin(1)
        with self.person.imap() as client:
            ok(client.create("There"))
        self.person.append(2, "There")
        self.person.write_here(3, "Here")
        done = self.person.sync()
        self.assertEqual(done["folder_there"], 1)
        self.assertEqual(set(self.settled()), {("INBOX", "1"), ("There", "2"), ("Here", "3")})
        with self.person.imap() as client:
            ok(client.delete("Here"))
        shutil.rmtree(self.person.folder("There"))
        self.person.sync()
        self.assertEqual(set(self.settled()), {("INBOX", "1")})
        self.assertFalse(self.person.folder("Here").exists())
        self.assertNotIn("There", self.person.boxes())

    def test_a_folder_that_went_there_and_got_mail_here_comes_back(self):
        self.person.write_here(1, "Box")
        self.person.sync()
        with self.person.imap() as client:
            ok(client.delete("Box"))
        self.person.write_here(2, "Box")
        self.person.sync()
        self.assertEqual(set(self.settled()), {("Box", "2")})

    def test_names_that_are_no_files_names(self):
        self.person.boxes()
        names = ["cur", "a%b", "a b", ".hidden" if self.person.delimiter == "/" else "hidden"]
        with self.person.imap() as client:
            for name in names:
                ok(client.create(f'"{name}"'))
                ok(client.append(f'"{name}"', "", None, message(name.strip(".").replace(" ", "-"))))
        self.person.sync()
        self.assertEqual(len(self.person.here()), len(names))
        self.assertEqual(self.person.sync(), {})

    def test_deleted_here_and_flagged_there_is_kept_and_the_reverse(self):
        self.begin()
        self.person.store(1, "+", r"\Flagged")
        self.person.file(1).unlink()
        self.person.remove_there(2)
        self.person.mark_here(2, "R")
        self.person.store(3, "+", r"\Seen")
        self.person.file(3).unlink()
        self.assertEqual(self.person.sync()["kept"], 2)
        self.assertEqual(self.settled(), {("INBOX", "1"): "F", ("INBOX", "2"): "R", ("INBOX", "4"): ""})

    def test_without_its_state_a_copy_becomes_pairs(self):
        self.begin()
        self.person.store(1, "+", r"\Seen")
        self.person.mark_here(2, "F")
        shutil.rmtree(self.person.root / ".facteur/state")
        self.assertEqual(self.person.sync()["paired"], 4)
        self.assertEqual(self.settled(), {("INBOX", "1"): "S", ("INBOX", "2"): "F", ("INBOX", "3"): "",
                                          ("INBOX", "4"): ""})

    def test_a_state_that_is_cut_off_anywhere_costs_nothing(self):
        self.begin()
        path = self.person.root / ".facteur/state/INBOX"
        whole = path.read_bytes()
        for end in range(0, len(whole), 23):
            path.write_bytes(whole[:end])
            done = self.person.sync()
            self.assertLessEqual(set(done), {"paired"}, end)
        self.assertEqual(len(self.settled()), 4)

    def test_what_comes_back_after_a_move_that_was_cut_off_is_not_lost(self):
        """The run died when the server had moved the message, and before the folder that it came from knew: there, and
        in the folder that it went to, it has a pair. Then its file comes back."""
        self.begin(2)
        path = self.person.root / ".facteur/state/INBOX"
        before = path.read_bytes()
        self.person.move_here(2, "INBOX", "Away")
        self.person.sync()
        path.write_bytes(before)
        self.person.move_here(2, "Away", "INBOX")
        self.person.sync()
        self.assertEqual(set(self.settled()), {("INBOX", "1"), ("INBOX", "2")})

    def test_new_uids_for_the_same_messages_make_pairs(self):
        self.begin(3)
        box = {}
        with self.person.imap() as client:
            ok(client.create("Box"))
        self.person.append(7, "Box")
        self.person.append(8, "Box")
        self.person.sync()
        with self.person.imap() as client:
            ok(client.delete("Box"))
            ok(client.create("Box"))
            box = {n: ok(client.append("Box", "", None, message(n))) for n in (8, 9)}
        self.assertEqual(set(box), {8, 9})
        self.person.sync()
        self.assertEqual({n for where, n in self.settled() if where == "Box"}, {"7", "8", "9"})

    def test_an_emptied_folder_empties_nothing_unasked(self):
        for number in range(25):
            self.person.write_here(number)
        self.person.sync()
        for file in self.person.files():
            file.unlink()
        self.person.append("new")
        done = self.person.sync(code=UNAVAILABLE)
        self.assertNotIn("deleted_there", done)
        self.assertEqual(len(self.person.there()), 26)
        self.assertEqual(self.person.sync("--when-gone", "delete")["deleted_there"], 25)
        self.assertEqual(set(self.settled()), {("INBOX", "new")})

    def test_a_lost_folder_can_be_fetched_again(self):
        self.begin(2)
        for number in range(25):
            self.person.write_here(number, "Lost")
        self.person.sync()
        shutil.rmtree(self.person.folder("Lost"))
        self.person.sync(code=UNAVAILABLE)
        self.assertEqual(self.person.sync("--when-gone", "fetch")["fetched"], 25)
        self.assertEqual(len(self.settled()), 27)

    def test_a_dry_run_changes_nothing(self):
        self.begin(3)
        self.person.append(10)
        self.person.write_here(11)
        self.person.write_here(12, "Other")
        self.person.file(1).unlink()
        self.person.remove_there(2)
        self.person.move_here(3, "INBOX", "Third")
        before = self.person.there(), self.person.here()
        done = self.person.sync("--dry-run")
        self.assertEqual((self.person.there(), self.person.here()), before)
        self.assertEqual(done, {"fetched": 1, "sent": 2, "deleted_here": 1, "deleted_there": 1, "folder_there": 2,
                                "moved": 1})
        self.assertNotIn("Other", self.person.boxes())

    def test_watching_does_at_once_what_changes(self):
        self.begin(1)
        process = self.person.start("sync", "--watch", "--verbose")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.person.append(2)
        self.assertTrue(wait_for(lambda: len(self.person.files()) == 2))
        self.person.mark_here(1, "F")
        self.person.write_here(3, "Other")
        said = b""
        while not (b"flagged there 1 " in said and b"Other: sent 1 " in said):
            line = process.stdout.readline()
            self.assertTrue(line, said.decode())
            said += line
        self.assertEqual(self.person.there(), self.person.here())

    def test_one_folder_alone(self):
        self.person.append(1)
        with self.person.imap() as client:
            ok(client.create("Other"))
        self.person.append(2, "Other")
        self.person.sync("--folder", "Other")
        self.assertEqual(set(self.person.here()), {("Other", "2")})


class WithFacteur(Alike, unittest.TestCase):
    make_server = Facteur

    def damage(self, number, letter=b"N"):
        """An octet of that message is another one on the server's disk."""
        for path in (self.server.office.folder / "data/store/log").glob("*.seg"):
            with open(path, "r+b") as file:
                at = file.read().find(f"umber {number}\r\n".encode())
                if at >= 0:
                    file.seek(at - 1)
                    file.write(letter)
                    return
        self.fail("it is not there")

    def test_what_the_server_cannot_read_is_named_and_keeps_back_no_other(self):
        """Neither here, nor where all is fetched or brought to another account; nobody gets an empty message for it."""
        for number in range(811, 816):
            self.person.append(number)
        self.damage(813)
        done = self.person.sync(code=UNAVAILABLE)
        self.assertEqual((done["fetched"], done["passed_over"]), (4, 1))
        self.assertIn("damaged", self.person.said)
        whole = {("INBOX", str(number)) for number in (811, 812, 814, 815)}
        self.assertEqual(set(self.person.here()), whole)
        self.assertEqual(self.person.sync(code=UNAVAILABLE), {"passed_over": 1})

        self.person.run("fetch", "--to", "box.mbox", code=UNAVAILABLE)
        self.assertIn("damaged", self.person.said)
        self.assertEqual((self.person.home / "box.mbox").read_text().count("Message-ID: <"), 4)
        self.person.run("fetch", "--to", "box.mbox", code=UNAVAILABLE)
        self.assertEqual((self.person.home / "box.mbox").read_text().count("Message-ID: <"), 4)

        office, other = self.server.office, self.server.add("other")
        told = json.loads(office.tool("migrate", other, f"imaps://localhost:{self.server.port}", "--login", self.person.address,
                                      "--json", "--trust", str(self.server.trust), "--password-stdin", text=PASSWORD + "\n",
                                      code=UNAVAILABLE))
        self.assertEqual((told["migrated"], told["refused"]), (4, 1))
        office.people[other] = PASSWORD
        self.assertEqual(len(office.messages(other)), 4)


class WithDovecot(Alike, unittest.TestCase):
    make_server = Dovecot

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not shutil.which("dovecot"):
            raise unittest.SkipTest("needs root and Dovecot")
        super().setUpClass()


class WithLess(WithDovecot):
    """A server that is not told to have more than RFC 3501."""

    @staticmethod
    def make_server():
        return Dovecot("IMAP4rev1")

    def test_moves_go_both_ways(self):
        self.begin(2)
        self.person.move_here(2, "INBOX", "Away")
        self.person.sync()
        self.assertEqual(set(self.settled()), {("INBOX", "1"), ("Away", "2")})


if __name__ == "__main__":
    main()
