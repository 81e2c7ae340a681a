#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The text index: what SEARCH BODY and TEXT find is what reading finds, in any script; new messages at
once, expunged ones no more; whatever happens to the index."""
import base64
import imaplib
import os
import random
import re
import shutil
import signal
import sqlite3
import time
import unicodedata
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, Office, main, wait_for

WORDS = ["harbour", "captain", "Lighthouse", "caf\u00e9", "\u6771\u4eac\u90fd", "\u65e5\u672c\u8a9e",
         "STRASSE", "naive", "ship-yard", "42nd", "x"]
COUNT = 120
INDEX_BEGINS_S = 3
# Those whose converters are files (src/text/charset_list.c), as Python calls them, with a word that each can write.
CHARSETS = {"gb18030": "\u6771\u4eac", "big5": "\u6771\u4eac", "big5-hkscs": "\u6771\u4eac", "shift_jis": "\u6771\u4eac",
            "euc-jp": "\u6771\u4eac", "iso-2022-jp": "\u6771\u4eac", "euc-kr": "\ud55c\uad6d", "johab": "\ud55c\uad6d",
            "iso-2022-kr": "\ud55c\uad6d", "utf-7": "\u6771\u4eac", "utf-16be": "\u6771\u4eac", "utf-16le": "\u6771\u4eac",
            "utf-32be": "\u6771\u4eac", "utf-32le": "\u6771\u4eac"}


def fold(text):
    """RFC 5051: case and composition do not matter."""
    return unicodedata.normalize("NFKD", text.upper())


class Search(unittest.TestCase):
    def office_with(self, config=""):
        office = Office(config=config)
        self.addCleanup(office.close)
        return office

    def imap(self, office, who=ALICE):
        client = imaplib.IMAP4_SSL("localhost", office.base + 993, timeout=CLIENT_S,
                                   ssl_context=office.context)
        client.login(who, office.people[who])
        client.select()
        return client

    def letter(self, number, chance):
        """A message, and the text that must be found in it."""
        words = [chance.choice(WORDS) for _ in range(chance.randrange(1, 12))]
        text = " ".join(words)
        kind = chance.randrange(3)
        if kind == 0:
            part = ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                    f"{text}\r\n").encode()
        elif kind == 1:
            part = (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                    + base64.encodebytes(text.encode()).replace(b"\n", b"\r\n"))
        else:
            part = ("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                    f"<p title='hidden{number}'>{text}</p>\r\n").encode()
        return (f"From: bob@example.test\r\nSubject: number{number}\r\nMIME-Version: 1.0\r\n").encode() \
            + part, text

    def fill(self, client, chance, first, count):
        texts = {}
        for number in range(first, first + count):
            message, text = self.letter(number, chance)
            code = client.append("INBOX", "()", None, message)[1][0]
            texts[int(re.search(rb"APPENDUID \d+ (\d+)", code)[1])] = text
        return texts

    def find(self, client, key, text):
        client.literal = text.encode()
        result, data = client.uid("SEARCH", "CHARSET", "UTF-8", key)
        self.assertEqual(result, "OK")
        return set(map(int, data[0].split()))

    def expect_right(self, client, texts, chance, tries=40):
        client.noop()
        for _ in range(tries):
            whole = chance.choice(list(texts.values()))
            start = chance.randrange(len(whole))
            part = whole[start:start + chance.randrange(1, 9)].strip()
            if not part:
                continue
            wanted = {uid for uid, text in texts.items() if fold(part) in fold(text)}
            found = self.find(client, "BODY", part)
            self.assertEqual(wanted, found & set(texts), part)

    @staticmethod
    def counter(office, role, name):
        """Once its processes say: under load they may take longer than the tool waits."""
        said = []

        def has_said():
            said.append(office.counter(role, name))
            return said[-1] is not None

        assert wait_for(has_said), f"{role} is silent"
        return said[-1]

    def wait_until_indexed(self, office, bodies):
        self.assertTrue(wait_for(lambda: self.counter(office, "index", "bodies") >= bodies))

    def test_it_finds_what_reading_finds(self):
        chance = random.Random(7)
        office = self.office_with()
        client = self.imap(office)
        texts = self.fill(client, chance, 0, COUNT)
        self.expect_right(client, texts, chance)  # indexed or not
        self.wait_until_indexed(office, COUNT)
        self.expect_right(client, texts, chance)
        searches = self.counter(office, "index", "searches")
        self.assertGreater(searches, 0)
        self.assertEqual(self.find(client, "TEXT", "NUMBER17"), {min(texts) + 17})
        self.assertEqual(self.find(client, "BODY", "NUMBER17"), set())
        # What comes now is found now; what goes is not.
        texts.update(self.fill(client, chance, COUNT, 5))
        self.expect_right(client, texts, chance)
        gone = sorted(texts)[10:40]
        client.uid("STORE", f"{gone[0]}:{gone[-1]}", "+FLAGS", r"(\Deleted)")
        client.expunge()
        for uid in gone:
            del texts[uid]
        self.expect_right(client, texts, chance)
        # Others' mail is not found.
        other = self.imap(office, BOB)
        for _ in range(30):
            other.append("INBOX", "()", None, b"Subject: x\r\n\r\nnothing of that\r\n")
        self.assertEqual(self.find(other, "BODY", "captain"), set())
        # Copies are found in both places.
        client.create("Copies")
        client.uid("COPY", "1:*", "Copies")
        before = self.find(client, "BODY", "captain")
        client.select("Copies")
        self.assertEqual(len(self.find(client, "BODY", "captain")), len(before))
        client.logout()
        other.logout()

    def test_it_is_made_anew_when_it_is_lost(self):
        chance = random.Random(8)
        office = self.office_with()
        client = self.imap(office)
        texts = self.fill(client, chance, 0, COUNT)
        for how in range(4):  # killed while it works
            for pid in office.processes("index"):
                os.kill(pid, signal.SIGKILL)
            self.expect_right(client, texts, chance, 5)
            texts.update(self.fill(client, chance, COUNT + 10 * how, 10))
        client.logout()
        office.stop()
        shutil.rmtree(office.folder / "data/index")
        office.start()
        client = self.imap(office)
        self.expect_right(client, texts, chance)
        self.wait_until_indexed(office, len(texts))
        self.expect_right(client, texts, chance)
        client.logout()
        office.stop()
        with open(office.folder / "data/index/index.db", "r+b") as file:
            file.write(bytes(4096))  # no database any more
        left = office.folder / "data/index/999999.segment"  # of one who was killed while he wrote it
        left.write_bytes(b"left")
        office.start()
        client = self.imap(office)
        self.expect_right(client, texts, chance)
        self.wait_until_indexed(office, len(texts))
        self.expect_right(client, texts, chance)
        self.assertFalse(left.exists())
        client.logout()

    def test_nothing_stays_of_an_account_that_is_removed(self):
        office = self.office_with()
        client = self.imap(office)
        client.append("INBOX", "()", None, b"Subject: x\r\n\r\nsingularwordthatnobodyelsehas\r\n")
        self.fill(client, random.Random(3), 0, 30)
        self.find(client, "BODY", "captain")
        self.wait_until_indexed(office, 31)
        client.logout()
        office.stop()
        # Of each segment a piece from its middle, which is to be found in no file afterwards.
        database = sqlite3.connect(office.folder / "data/index/index.db")
        pieces = [data[len(data) // 2:][:40] for data, in database.execute("SELECT data FROM segments")]
        database.close()
        self.assertTrue(pieces and all(len(piece) == 40 for piece in pieces))
        self.assertTrue(any(piece in self.index_octets(office) for piece in pieces))
        office.start()
        self.wait_until_indexed(office, 31)  # it has opened what it has
        index = min(office.processes("index"))
        os.kill(index, signal.SIGSTOP)
        office.tool("user", "remove", ALICE)
        self.assertIsNone(office.counter("index", "bodies"))
        self.assertEqual({row["state"] for row in office.tool_data("status")["processes"]}, {"ready", "silent"})
        os.kill(index, signal.SIGCONT)
        self.assertTrue(wait_for(lambda: self.counter(office, "index", "bodies") == 0))
        office.stop()
        octets = self.index_octets(office)
        self.assertFalse(any(piece in octets for piece in pieces))
        self.assertNotIn(b"singularword", octets.lower())
        office.start()

    @staticmethod
    def index_octets(office):
        return b"".join(file.read_bytes() for file in (office.folder / "data/index").iterdir())

    def test_what_is_expunged_before_it_is_indexed_is_no_trouble(self):
        """Nobody is warned of ordinary life."""
        office = self.office_with('store_retain = 0\nstore_segment_size = "1 MiB"\n')
        client = self.imap(office)
        self.fill(client, random.Random(8), 0, COUNT)
        for _ in range(2):  # they stand in a segment that has an end, and goes
            client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"large and dull\r\n" * 60_000)
        stopped = list(office.processes("deliver"))
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
            self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.find(client, "BODY", "captain")
        time.sleep(INDEX_BEGINS_S)  # it has chosen what to ask for, and waits for a text
        client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
        self.assertEqual(client.expunge()[0], "OK")
        self.assertTrue(wait_for(lambda: re.search(r"bodies: \d?\d\n", office.tool("check"))), office.tool("check"))
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        late = self.fill(client, random.Random(9), COUNT, 5)
        self.wait_until_indexed(office, 5)
        self.expect_right(client, late, random.Random(10))
        self.assertNotIn("event=not_indexed", office.log_text())

    def test_without_an_index_messages_are_read(self):
        chance = random.Random(9)
        office = self.office_with(config="search_index = no\n")
        self.assertEqual(office.processes("index"), {})
        client = self.imap(office)
        texts = self.fill(client, chance, 0, 40)
        self.expect_right(client, texts, chance)
        client.logout()

    def test_words_are_found_in_every_charset(self):
        """Also where a confined process converts them, which cannot open a converter's file any more."""
        for config in ("", "search_index = no\n"):
            office = self.office_with(config=config)
            client = self.imap(office)
            for number, (charset, word) in enumerate(CHARSETS.items(), 1):
                encoded = f"=?{charset}?b?{base64.b64encode(word.encode(charset)).decode()}?="
                head = (f"From: {encoded} <a{number}@example.test>\r\nX-Word: {encoded}\r\nSubject: {encoded}\r\n"
                        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n").encode()
                client.append("INBOX", None, None, head + base64.encodebytes(word.encode(charset)).replace(b"\n", b"\r\n"))
            for word in sorted(set(CHARSETS.values())):
                wanted = {charset for charset, its in CHARSETS.items() if its == word}
                for key in ("SUBJECT", "FROM", "HEADER X-WORD", "BODY", "TEXT"):
                    with self.subTest(config=config, key=key):
                        client.literal = word.encode()
                        numbers = client.search("UTF-8", key)[1][0].split()
                        found = {list(CHARSETS)[self.number_of(client, number) - 1] for number in numbers}
                        self.assertEqual(found, wanted)
            client.logout()

    @staticmethod
    def number_of(client, message):
        return int(re.search(rb"a(\d+)@", client.fetch(message, "(BODY.PEEK[HEADER.FIELDS (FROM)])")[1][0][1])[1])

    def test_at_rest_it_keeps_no_database_open(self):
        office = self.office_with()
        client = self.imap(office)
        self.fill(client, random.Random(1), 0, 25)
        time.sleep(3)
        # Who never searches has no index.
        self.assertEqual(self.counter(office, "index", "bodies"), 0)
        self.find(client, "BODY", "captain")
        self.wait_until_indexed(office, 25)
        pid, = office.processes("index")
        self.assertTrue(wait_for(lambda: not self.is_open(pid)))
        self.find(client, "BODY", "captain")
        self.assertTrue(self.is_open(pid))
        # From now on what comes is indexed at once.
        office.send("one more")
        self.wait_until_indexed(office, 26)
        client.logout()

    @staticmethod
    def is_open(pid):
        time.sleep(0.05)
        names = []
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                names.append(str(link.readlink()))
            except FileNotFoundError:
                pass  # closed meanwhile
        return any("index.db" in name for name in names)


if __name__ == "__main__":
    main()
