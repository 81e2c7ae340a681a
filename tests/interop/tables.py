#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tables that other programs keep, through the whole daemon: a file, patterns, SQLite, and one that
cannot be opened. Strangers ask at port 25 where addresses lead."""
import os
import signal
import sqlite3
import struct
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, Office, main, wait_for

CONFIG = '''
tables = {{"names file {0}/names", "patterns regex {0}/patterns", "constant cdb {0}/constant",
    "people sqlite {0}/people.db SELECT target FROM people WHERE address = ?",
    "lost sqlite {0}/lost.db SELECT 1 WHERE ? = 2"}}
alias_tables = {{"names", "patterns", "people", "constant"{1}}}
'''


def constant_database(rows):
    """As `cdb -c` makes it."""
    def hash_of(key):
        value = 5381
        for octet in key:
            value = value * 33 & 0xffffffff ^ octet
        return value
    tables, body = [[] for _ in range(256)], b""
    for key, value in rows.items():
        tables[hash_of(key) % 256].append((hash_of(key), 2048 + len(body)))
        body += struct.pack("<II", len(key), len(value)) + key + value
    heads = b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        for value, place in table:
            slot = value // 256 % len(slots)
            while slots[slot][1]:
                slot = (slot + 1) % len(slots)
            slots[slot] = (value, place)
        heads += struct.pack("<II", 2048 + len(body), len(slots))
        body += b"".join(struct.pack("<II", *slot) for slot in slots)
    return heads + body


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-tables-", dir="/tmp"))
        cls.folder.chmod(0o755)
        (cls.folder / "names").write_text(f"sales@example.test {ALICE}, {BOB}\n"
                                          "circle@example.test circle@example.test\n")
        (cls.folder / "patterns").write_text("/^(alice|bob)-[0-9]+@example\\.test$/ $1@example.test\n")
        cls.put("constant", constant_database({b"const@example.test": ALICE.encode()}))
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
    def put(cls, name, octets):
        """As programs do it that make tables: a new file takes the old one's place."""
        (cls.folder / "new").write_bytes(octets)
        (cls.folder / "new").rename(cls.folder / name)

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

    def test_a_constant_database_is_read_and_what_is_none_does_not_take_its_place(self):
        self.assertEqual(self.ask("const@example.test"), 250)
        self.assertEqual(self.ask("other@example.test"), 550)
        octets = (self.folder / "constant").read_bytes()
        self.addCleanup(self.put, "constant", octets)
        self.put("constant", b"no database")
        self.assertTrue(wait_for(lambda: self.ask("nobody-knows@example.test") == 550
                                 and "table_not_opened" in self.office.log_text()))
        self.assertEqual(self.ask("const@example.test"), 250)

    def test_files_that_are_replaced_count_without_a_restart(self):
        before = (self.folder / "names").read_bytes()
        self.assertEqual(self.ask("new-file@example.test"), 550)
        self.put("names", before + f"new-file@example.test {BOB}\n".encode())
        self.assertTrue(wait_for(lambda: self.ask("new-file@example.test") == 250))
        self.assertEqual(self.ask("new-cdb@example.test"), 550)
        self.put("constant", constant_database({b"const@example.test": ALICE.encode(),
                                                b"new-cdb@example.test": BOB.encode()}))
        self.assertTrue(wait_for(lambda: self.ask("new-cdb@example.test") == 250))
        self.assertEqual(self.ask("const@example.test"), 250)

    def test_what_the_directory_has_no_table_takes(self):
        self.assertEqual(self.ask(ALICE), 250)
        self.assertEqual(self.ask("postmaster@example.test"), 250)

    def test_circles_wait_and_strangers_names_are_no_queries(self):
        self.assertEqual(self.ask("circle@example.test"), 451)
        self.assertEqual(self.ask("\"' OR 1=1 --\"@example.test"), 550)

    def test_a_process_that_is_killed_comes_back(self):
        before = self.office.processes("table")
        self.assertEqual(len(before), 5)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: self.ask("info@example.test") == 250))
        self.assertTrue(wait_for(lambda: len(self.office.processes("table")) == 5))

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
            (folder / "constant").write_bytes(constant_database({}))
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
