#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a client of IMAP says that makes no sense: literals of 2^63, dates outside of time, numbers beyond all, a million fields,
names that are neither UTF-7 nor UTF-8, or command a terminal. Each has its answer, and the session goes on."""
from attack_packed import GROWTH_KIB_MAX
from imap_attack import Session
from office import OfficeCase, main

SIZES = {"9223372036854775807": "TOOBIG", "9223372036854775808": "BAD", "18446744073709551616": "BAD", "-1": "BAD", "4294967295+": "TOOBIG"}
DATES = ["Tue, 99 Foo 9999999 99:99:99 +9999", "", "Thu, 1 Jan 1970 00:00:00 -2400", "31 Dec 9999 23:59:60 +0000", "1 Jan 0000 00:00 Z",
         "29 Feb 2023 00:00:00 +0000", "Tue, 02 Jan 2024 10:00:00 +99999999999999999999", "Tue, 02 Jan 99999999999999999999 10:00:00",
         "(((((((((", "\0", "02 Jan -2024 10:00:00", "Tue" * 5000, "Tue, 02 Jan 292277026596 15:30:08 +0000"]
BAD = ["SEARCH SENTON 99-Jan-2024", "SEARCH OLDER 4294967296", "SEARCH LARGER 18446744073709551616", "SEARCH UID 4294967296", "FETCH 0 FLAGS",
       "SEARCH MODSEQ 18446744073709551615", "FETCH 4294967295 FLAGS", "FETCH 1 BODY[]<0.0>", "FETCH 1 BINARY[]<18446744073709551615.1>"]
GOOD = ["SORT (DATE) UTF-8 ALL", "SORT (REVERSE DATE ARRIVAL) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SEARCH SENTBEFORE 1-Jan-0000",
        "SEARCH SENTSINCE 31-Dec-9999", "SEARCH YOUNGER 4294967295", "SEARCH UID 4294967295:1", "FETCH 1:* (ENVELOPE INTERNALDATE)",
        "FETCH 1 BODY[]<4294967295.4294967295>"]
NO_UTF7 = [b"&", b"&AA", b"&AAA-", b"&2AA-", b"&3AA-", b"&AGEAYgBj-", b"&AGE-&AGI-", b"&!!-", b"&AA0ACg-", b"&////-", b"&AJs-", b"&ICg-"]
NO_UTF8 = [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"a\0b", b"a\x01b", b"a\x7f", b"", b"/a", b"a//b",
           b"\xc2\x9b2J", b"\xe2\x80\xa8"]


class Odd(OfficeCase):
    config = "message_size_max = \"20 MiB\"\n"

    def setUp(self):
        self.pids, self.before = set(self.office.processes()), self.office.memory_kib(without="index")

    def tearDown(self):
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")
        self.assertLess(self.office.memory_kib(without="index") - self.before, GROWTH_KIB_MAX)

    def test_sizes_of_literals(self):
        for size, answer in SIZES.items():
            with Session(self.office) as alice, self.subTest(size):
                alice.socket.sendall(f"x APPEND INBOX {{{size}}}\r\n".encode())
                self.assertRegex(alice.file.readline().decode(), f"^x .*{answer}")

    def test_dates_and_numbers(self):
        with Session(self.office) as alice:
            for date in DATES:
                self.assertRegex(alice.ask("APPEND INBOX ", f"Date: {date}\r\n\r\nx\r\n".encode())[0], "^OK")
            for command in GOOD:
                self.assertRegex(alice.ask(command)[0], "^OK", command)
            order = alice.ask("SORT (DATE) UTF-8 ALL")[1][0].split()[2:]
            self.assertEqual(sorted(map(int, order)), list(range(1, len(order) + 1)))
            self.assertGreaterEqual(len(order), len(DATES))
            for command in BAD:
                self.assertRegex(alice.ask(command)[0], "^BAD", command)

    def test_a_million_fields(self):
        with Session(self.office) as alice:
            text = b"".join(b"X-%d: y\r\n" % number for number in range(1000000)) + b"\r\nx\r\n"
            self.assertRegex(alice.ask("APPEND INBOX ", text)[0], "^OK")
            for what in ("(ENVELOPE BODYSTRUCTURE RFC822.SIZE)", "BODY.PEEK[HEADER.FIELDS (X-1)]", "PREVIEW"):
                self.assertRegex(alice.ask(f"FETCH * {what}")[0], "^OK")

    def test_fields_behind_many_are_there(self):
        """Behind the ten thousandth, and behind many octets of others: by each way to ask for them."""
        last = b"Subject: the last of all\r\nFrom: a@b.test\r\nContent-Type: text/html\r\nX-Odd: x\r\n\r\nx\r\n"
        with Session(self.office) as alice:
            alice.ask("CREATE many")
            alice.ask("SELECT many")
            for filler, count in ((b"X: y\r\n", 9996), (b"X: y\r\n", 9999), (b"X: y\r\n", 10000), (b"X: " + b"y" * 994 + b"\r\n", 9000)):
                self.assertRegex(alice.ask("APPEND many ", filler * count + last)[0], "^OK")
                said = "".join(alice.ask("FETCH * (BODY.PEEK[HEADER.FIELDS (X-Odd Subject)] ENVELOPE BODYSTRUCTURE)")[1])
                for what in ("BODY[HEADER.FIELDS (X-Odd Subject)] {38}", "Subject: the last of all", "X-Odd: x", '"the last of all" ((NIL NIL "a" "b.test"))',
                             'BODYSTRUCTURE ("text" "html"'):
                    self.assertIn(what, said, (len(filler), count))
                self.assertIn("<5> {6}\r\nct: th", "".join(alice.ask("FETCH * BODY.PEEK[HEADER.FIELDS (Subject)]<5.6>")[1]))
            for search in ("HEADER X-Odd x", "SUBJECT last", "FROM a@b.test"):
                self.assertEqual(alice.ask(f"SEARCH {search}")[1], ["* SEARCH 1 2 3 4\r\n"], search)

    def test_names(self):
        for commands, names in (([], NO_UTF7 + NO_UTF8), (["ENABLE UTF8=ACCEPT"], NO_UTF8)):
            with Session(self.office) as alice:
                for command in commands:
                    alice.ask(command)
                before = alice.ask('LIST "" *')[1]
                for name in names:
                    self.assertRegex(alice.ask("CREATE ", name)[0], "^(NO|BAD)", name)
                self.assertEqual(alice.ask('LIST "" *')[1], before)
                alice.ask("CREATE tree")
                self.assertRegex(alice.ask("RENAME tree ", b"\xc2\x9b" if commands else b"&AJs-")[0], "^NO")
                alice.ask("DELETE tree")


if __name__ == "__main__":
    main()
