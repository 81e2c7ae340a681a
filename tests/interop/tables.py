#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tables that other programs keep, through the whole daemon: a file, patterns, SQLite, and one that
cannot be opened. Strangers ask at port 25 where addresses lead."""
import os
import signal
import sqlite3
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, Office, main, wait_for

CONFIG = '''
tables = {{"names file {0}/names", "patterns regex {0}/patterns",
    "people sqlite {0}/people.db SELECT target FROM people WHERE address = ?",
    "lost sqlite {0}/lost.db SELECT 1 WHERE ? = 2"}}
alias_tables = {{"names", "patterns", "people"{1}}}
'''


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-tables-", dir="/tmp"))
        cls.folder.chmod(0o755)
        (cls.folder / "names").write_text(f"sales@example.test {ALICE}, {BOB}\n"
                                          "circle@example.test circle@example.test\n")
        (cls.folder / "patterns").write_text("/^(alice|bob)-[0-9]+@example\\.test$/ $1@example.test\n")
        cls.database = sqlite3.connect(cls.folder / "people.db")
        cls.database.execute("CREATE TABLE people (address TEXT PRIMARY KEY, target TEXT)")
        cls.add("info@example.test", BOB)
        cls.office = Office(config=CONFIG.format(cls.folder, ""))

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.database.close()
        for path in cls.folder.iterdir():
            path.unlink()
        cls.folder.rmdir()

    @classmethod
    def add(cls, address, target):
        cls.database.execute("INSERT INTO people VALUES (?, ?)", (address, target))
        cls.database.commit()

    def ask(self, address):
        """The code that a stranger's RCPT gets."""
        with self.office.smtp() as client:
            client.ehlo("client.test")
            client.mail("someone@elsewhere.test")
            return client.rcpt(address)[0]

    def test_mail_goes_where_a_file_says(self):
        with self.office.smtp() as client:
            client.sendmail("someone@elsewhere.test", ["Sales@example.test"],
                            "Subject: through a table\r\n\r\nHello.\r\n")
        for who in (ALICE, BOB):
            self.office.find("through a table", who)

    def test_patterns_catch_names(self):
        self.assertEqual(self.ask("alice-2026@example.test"), 250)
        self.assertEqual(self.ask("carol-2026@example.test"), 550)
        self.assertEqual(self.ask("alice-x@example.test"), 550)

    def test_rows_of_a_database_count_at_once(self):
        self.assertEqual(self.ask("info@example.test"), 250)
        self.assertEqual(self.ask("later@example.test"), 550)
        self.add("later@example.test", ALICE)
        self.assertEqual(self.ask("later@example.test"), 250)
        self.database.execute("DELETE FROM people WHERE address = 'later@example.test'")
        self.database.commit()
        self.assertEqual(self.ask("later@example.test"), 550)

    def test_what_the_directory_has_no_table_takes(self):
        self.assertEqual(self.ask(ALICE), 250)
        self.assertEqual(self.ask("postmaster@example.test"), 250)

    def test_circles_wait_and_strangers_names_are_no_queries(self):
        self.assertEqual(self.ask("circle@example.test"), 451)
        self.assertEqual(self.ask("\"' OR 1=1 --\"@example.test"), 550)

    def test_a_process_that_is_killed_comes_back(self):
        before = self.office.processes("table")
        self.assertEqual(len(before), 4)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: self.ask("info@example.test") == 250))
        self.assertTrue(wait_for(lambda: len(self.office.processes("table")) == 4))

    def test_each_is_confined(self):
        for entry in self.office.tool_data("status")["processes"]:
            if entry["role"] == "table":
                self.assertRegex(entry["confinement"], r"landlock=\d|landlock=none")
                self.assertIn("seccomp=on", entry["confinement"])


class Lost(unittest.TestCase):
    """A table that cannot be opened makes mail wait, and starts to work when it can."""

    def test_a_lost_table_is_temporary(self):
        with tempfile.TemporaryDirectory(prefix="fo-lost-", dir="/tmp") as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "names").write_text("")
            (folder / "patterns").write_text("")
            with sqlite3.connect(folder / "people.db") as database:
                database.execute("CREATE TABLE people (address TEXT PRIMARY KEY, target TEXT)")
            office = Office(config=CONFIG.format(folder, ', "lost"'))
            try:
                with office.smtp() as client:
                    client.ehlo("client.test")
                    client.mail("someone@elsewhere.test")
                    self.assertEqual(client.rcpt("nobody@example.test")[0], 451)
                    self.assertEqual(client.rcpt(ALICE)[0], 250)
                sqlite3.connect(folder / "lost.db").execute("CREATE TABLE t (a)").connection.commit()
                with office.smtp() as client:
                    client.ehlo("client.test")
                    client.mail("someone@elsewhere.test")
                    self.assertTrue(wait_for(
                        lambda: client.rcpt("nobody@example.test")[0] == 550))
            finally:
                office.close()


if __name__ == "__main__":
    main()
