#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""IMAP clients that are logged in, and greedy or hostile: memory stays bounded, others are served, and
each limit has its answer."""
import base64
import os
import random
import re
import socket
import time

from office import ALICE, BOB, CLIENT_S, OfficeCase, main, wait_for

# What the sanitizers keep of freed memory is not what is measured here.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:malloc_context_size=2"
GROWTH_KIB_MAX = 96 * 1024 # of all that sessions can make grow
# The process of the text index has what is not written yet and the text in hand, in several forms, whoever searches and
# however many: 90 MiB were seen, and sanitizers more than double that.
INDEX_KIB_MAX = 384 * 1024
READERS = 30
LARGE = 4 * 1024 * 1024
SMALL = 400


class Session:
    """A bare connection that is logged in; `ask` gives the last line and all before it."""

    def __init__(self, office, who=ALICE, box="INBOX"):
        self.socket = socket.create_connection(("127.0.0.1", office.base + 143), timeout=CLIENT_S)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.count = 0
        if who:
            self.login = self.ask(f"LOGIN {who} {office.people[who]}")
        if who and box:
            self.ask(f"SELECT {box}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def ask(self, command, literal=None):
        self.count += 1
        tag = f"q{self.count} "
        text = f"{tag}{command}" + ("" if literal is None else f"{{{len(literal)}+}}")
        self.socket.sendall(text.encode() + b"\r\n" + (b"" if literal is None else literal + b"\r\n"))
        told = []
        while not (line := self.file.readline().decode(errors="replace")).startswith(tag):
            if not line:
                return "closed", told
            told.append(line)
        return line[len(tag):].rstrip(), told

    def push(self, data):
        """As much as the server takes."""
        self.socket.settimeout(1)
        try:
            self.socket.sendall(data)
        except OSError:
            pass


class Attack(OfficeCase):
    config = "connections_per_account_max = 100\nmessage_size_max = \"10 MiB\"\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(1)
        with Session(cls.office) as alice:
            assert alice.ask("APPEND INBOX ", b"Subject: large\r\n\r\n" + b"%078d\r\n" % 7 * (LARGE // 80))[0][:2] == "OK"
            cls.binary = chance.randbytes(LARGE // 2)
            text = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(cls.binary).replace(b"\n", b"\r\n")
            assert alice.ask("APPEND INBOX ", text)[0][:2] == "OK"
            for number in range(SMALL):
                text = f"Subject: {number}\r\n\r\n{chance.randbytes(4000).hex()}\r\n".encode()
                assert alice.ask("APPEND INBOX ", text)[0][:2] == "OK"

    def setUp(self):
        self.pids = set(self.office.processes())

    def tearDown(self):
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")

    # ---- nobody reads

    def flood(self, command, times=40, looks=1):
        """Several sessions ask for much, again and again, and read nothing."""
        readers = [Session(self.office) for _ in range(READERS)]
        before = self.office.memory_kib(without="index")
        for reader in readers:
            reader.push(b"".join(b"f%d %s\r\n" % (n, command) for n in range(times)))
        with Session(self.office, BOB) as bob:
            self.assertRegex(bob.ask("APPEND INBOX ", b"Subject: x\r\n\r\nserved\r\n")[0], "^OK")
            self.assertRegex(bob.ask("FETCH * BODY[]")[0], "^OK")
        with Session(self.office) as alice:
            self.assertRegex(alice.ask("FETCH 2:20 (FLAGS ENVELOPE)")[0], "^OK")
        for _ in range(looks):
            self.assertLess(self.office.memory_kib(without="index") - before, GROWTH_KIB_MAX)
            self.assertLess(self.office.memory_kib(role="index"), INDEX_KIB_MAX)
            time.sleep(1)
        for reader in readers:
            reader.close()

    def test_whole_mailboxes(self):
        self.flood(b"FETCH 1:* BODY[]")

    def test_a_large_message(self):
        self.flood(b"FETCH 2:3 (BODY[] BINARY[1] BODY[HEADER.FIELDS (subject)])")

    def test_a_large_part_is_decoded_right(self):
        with Session(self.office) as alice:
            for command, wanted in (("BINARY.SIZE[1]", b" %d)" % len(self.binary)),
                                    ("BINARY[1]", b"{%d}\r\n" % len(self.binary) + self.binary + b")"),
                                    ("BINARY[1]<1000000.70000>", b"{70000}\r\n" + self.binary[1000000:1070000] + b")"),
                                    ("BINARY[1]<2097148.70000>", b"{4}\r\n" + self.binary[2097148:] + b")"),
                                    ("BINARY[1]<9000000.70000>", b"{0}\r\n)")):
                alice.socket.sendall(f"x FETCH 3 {command}\r\n".encode())
                told = b""
                while not re.search(rb"\r\nx (OK|NO|BAD)[^\r]*\r\n$", told[-300:]):
                    told += alice.file.read1()
                self.assertTrue(wanted in told, (command, len(told)))

    def test_envelopes_and_structures(self):
        self.flood(b"FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY[HEADER] PREVIEW)", 500)

    def test_searches_and_lists(self):
        self.flood(b'SEARCH TEXT "not there at all"', looks=10) # for as long as they go on
        self.flood(b'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES UNSEEN SIZE DELETED))', 2000)

    def test_changes_that_nobody_reads(self):
        """Many sleep in IDLE, their windows full, while one changes flags all the time."""
        sleepers = [Session(self.office) for _ in range(READERS)]
        before = self.office.memory_kib()
        for sleeper in sleepers:
            sleeper.push(b"f FETCH 1:* BODY[]\r\ni IDLE\r\n")
        with Session(self.office) as alice:
            for turn in range(60):
                self.assertRegex(alice.ask(f"STORE 1:* {'+-'[turn % 2]}FLAGS.SILENT (\\Flagged)")[0], "^OK")
        self.assertLess(self.office.memory_kib() - before, GROWTH_KIB_MAX)
        for sleeper in sleepers:
            sleeper.close()

    def test_literals_that_never_come(self):
        before = self.office.memory_kib()
        clients = [Session(self.office) for _ in range(READERS)]
        for client in clients:
            client.push(b"a APPEND INBOX {9000000+}\r\n" + b"x" * 100000)
        with Session(self.office) as alice:
            self.assertRegex(alice.ask("NOOP")[0], "^OK")
        self.assertLess(self.office.memory_kib() - before, GROWTH_KIB_MAX)
        for client in clients:
            client.close()

    # ---- limits

    def expect(self, command, answer, literal=None):
        with Session(self.office) as alice:
            line, told = alice.ask(command, literal)
            self.assertRegex(line, answer)
            return told

    def test_commands_and_literals(self):
        self.expect("FETCH 1 (" + "FLAGS " * 50000 + ")", r"^(NO|BAD) \[TOOBIG\]")
        self.expect("APPEND INBOX ", r"^NO \[TOOBIG\]", b"x" * (10 * 1024 * 1024 + 1))
        with Session(self.office, None) as stranger:
            line, told = stranger.ask(f"LOGIN {ALICE} ", b"x" * 30000)
            self.assertTrue("[TOOBIG]" in line or any("[TOOBIG]" in one for one in told), (line, told))

    def test_search_programs(self):
        self.expect("SEARCH " + "SEEN " * 999 + "SEEN", "^OK")
        self.expect("SEARCH " + "SEEN " * 2100 + "SEEN", r"^NO \[LIMIT\]")
        self.expect("SEARCH " + "(" * 49 + "SEEN" + ")" * 49, "^OK")
        self.expect("SEARCH " + "(" * 60 + "SEEN" + ")" * 60, r"^NO \[LIMIT\]")
        self.expect("SEARCH " + "NOT " * 50000 + "SEEN", r"^NO \[LIMIT\]")
        self.expect("SEARCH " + "OR SEEN " * 20000 + "SEEN", r"^NO \[LIMIT\]")
        self.expect('SEARCH BODY "' + "x" * 60000 + '"', r"^(OK|NO \[LIMIT\])")

    def test_mailboxes(self):
        self.expect("CREATE " + "/".join("d" * 32), "^OK")
        self.expect("CREATE " + "/".join("d" * 33), r"^NO \[CANNOT\]")
        self.expect("CREATE " + "n" * 500, "^(NO|BAD)")
        self.expect("RENAME d " + "/".join("e" * 20), r"^NO \[LIMIT\]")
        self.assertEqual(len(self.expect('LIST "" d*', "^OK")), 32)
        self.expect('LIST "" "' + "*%" * 2000 + 'x"', "^OK")

    def test_fetch_items_and_sets(self):
        self.expect("FETCH 1 (" + "UID " * 190 + "UID)", "^OK")
        self.expect("FETCH 1 (" + "UID " * 300 + "UID)", "^(NO|BAD)")
        self.expect("FETCH 1 BODY[" + "1." * 200 + "1]", "^(OK|NO|BAD)")
        self.expect("FETCH " + ",".join(["1:*"] * 20000) + " UID", "^(OK|NO)")
        self.expect("STORE " + ",".join(map(str, range(1, SMALL, 2))) + " +FLAGS ($Odd)", "^OK")
        for command in ("FETCH {} UID", "SEARCH {}", "UID SEARCH UID {}", "UID COPY {} Trash"):
            self.expect(command.format(",".join(["1"] * 100000)), "^OK")
            self.expect(command.format(",".join(["1"] * 100001)), r"^NO \[LIMIT\]")
        with Session(self.office) as alice:
            alice.ask("ENABLE QRESYNC")
            known = ",".join(["1"] * 100001)
            self.assertRegex(alice.ask(f"SELECT INBOX (QRESYNC (1 1 {known[:-2]}))")[0], "^OK")
            self.assertRegex(alice.ask(f"SELECT INBOX (QRESYNC (1 1 {known}))")[0], r"^NO \[LIMIT\]")

    def test_all_that_was_read_is_seen(self):
        """However many ranges it makes: one note to the store has room for 4,000 of them."""
        with Session(self.office, BOB, None) as bob:
            bob.ask("CREATE many")
            bob.ask("APPEND many ", b"Subject: x\r\n\r\none of many\r\n")
            bob.ask("SELECT many")
            for _ in range(13):
                self.assertRegex(bob.ask("COPY 1:* many")[0], "^OK")
            odd = ",".join(map(str, range(1, 8193, 2)))
            line, told = bob.ask(f"FETCH {odd} BODY[]")
            self.assertEqual((line[:2], sum(" FETCH (BODY[] " in one for one in told)), ("OK", 4096))
            self.assertEqual(bob.ask("SEARCH RETURN (COUNT) SEEN")[1][-1].split()[-1], "4096")

    def test_too_many_bad_commands_end_the_session(self):
        with Session(self.office) as alice:
            said = [alice.ask("NONSENSE")[0] for _ in range(60)]
        self.assertEqual(said[-1], "closed")
        self.assertGreater(said.count("closed"), 5)

    def test_too_many_sessions_of_an_account(self):
        def is_alone():
            with Session(self.office, BOB, None) as probe:
                return probe.login[0].startswith("OK")
        self.assertTrue(wait_for(is_alone))
        clients = [Session(self.office, BOB, None) for _ in range(100)]
        said = [client.login[0][:2] for client in clients]
        self.assertIn("OK", said)
        with Session(self.office, BOB, None) as another:
            self.assertRegex(another.login[0], r"^NO \[LIMIT\] too many sessions")
        with Session(self.office) as alice: # others are not concerned
            self.assertRegex(alice.login[0], "^OK")
        for client in clients:
            client.close()
        self.assertTrue(wait_for(is_alone))

    # ---- many

    def test_many_sleep_in_one_mailbox(self):
        """All hear of a message, each once."""
        with Session(self.office, BOB, None) as bob:
            bob.ask("CREATE crowd")
        sleepers = [Session(self.office, BOB, "crowd") for _ in range(30)]
        for sleeper in sleepers:
            sleeper.socket.sendall(b"i IDLE\r\n")
            self.assertRegex(sleeper.file.readline(), rb"^\+")
        with Session(self.office, BOB, None) as bob:
            self.assertRegex(bob.ask("APPEND crowd ", b"Subject: x\r\n\r\nwake up\r\n")[0], "^OK")
        for sleeper in sleepers:
            self.assertEqual(sleeper.file.readline(), b"* 1 EXISTS\r\n")
            sleeper.socket.sendall(b"DONE\r\n")
            self.assertTrue(re.match(rb"i OK", sleeper.file.readline()))
            sleeper.close()


if __name__ == "__main__":
    main()
