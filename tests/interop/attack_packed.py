#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Little that becomes much: COMPRESS=DEFLATE of a thousand to one, patterns and searches made to be dear,
counts beyond all numbers. Memory stays bounded, and others are served meanwhile, not only afterwards."""
import threading
import time
import zlib

from imap_attack import Session
from office import ALICE, BOB, Lines, OfficeCase, main

GROWTH_KIB_MAX = 64 * 1024
MEGABYTES = 40
NOOPS = 10000
OTHERS = 4


class Packed(Session):
    """A session whose both directions are packed."""

    def __init__(self, office):
        super().__init__(office)
        assert self.ask("COMPRESS DEFLATE")[0].startswith("OK")
        self.packer, self.unpacker = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def put(self, data):
        """How many octets it took on the wire."""
        packed = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.socket.sendall(packed)
        return len(packed)

    def until(self, words):
        told = b""
        while words not in told[-200:]:
            octets = self.socket.recv(65536)
            if not octets:
                return told
            told += self.unpacker.decompress(octets)
        return told


class Attack(OfficeCase):
    config = "trusted_networks = {}\nconnections_per_account_max = 100\nmessage_size_max = \"10 MiB\"\n"

    def setUp(self):
        self.pids = set(self.office.processes())
        self.before = self.office.memory_kib()

    def tearDown(self):
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")
        self.assertLess(self.office.memory_kib() - self.before, GROWTH_KIB_MAX)

    def served_while(self, work):
        """Bob, through as many connections as there are processes and more, asks until the work is done: he
        had several answers from each of them."""
        done, answers = threading.Event(), [0] * OTHERS
        bobs = [Session(self.office, BOB) for _ in range(OTHERS)]

        def ask_on():
            while not done.is_set() or min(answers) < 2:
                for number, bob in enumerate(bobs):
                    answers[number] += bob.ask("NOOP")[0].startswith("OK")
                time.sleep(0.01)

        thread = threading.Thread(target=ask_on)
        thread.start()
        try:
            return work()
        finally:
            done.set()
            thread.join()
            for bob in bobs:
                bob.close()

    def test_a_line_of_many_megabytes_in_a_few_kilobytes(self):
        with Packed(self.office) as alice:
            sent = sum(alice.put(b" " * 1000000) for _ in range(MEGABYTES))
            self.assertLess(sent, MEGABYTES * 2000)
            alice.put(b"\r\nlast NOOP\r\n")
            told = self.served_while(lambda: alice.until(b"last OK"))
        self.assertRegex(told, rb"\[TOOBIG\]")
        self.assertLess(told.count(b"\r\n"), 10)

    def test_thousands_of_commands_in_a_packet(self):
        with Packed(self.office) as alice:
            self.assertLess(alice.put(b"a NOOP\r\n" * NOOPS + b"last NOOP\r\n"), 1400)
            told = self.served_while(lambda: alice.until(b"last OK"))
        self.assertEqual(told.count(b"a OK"), NOOPS)

    def test_answers_to_a_packet_that_nobody_reads(self):
        readers = [Packed(self.office) for _ in range(10)]
        for reader in readers:
            reader.put(b"a CAPABILITY\r\n" * 300000)
        with Session(self.office, BOB) as bob:
            self.assertRegex(bob.ask("NOOP")[0], "^OK")
        self.assertLess(self.office.memory_kib() - self.before, GROWTH_KIB_MAX)
        for reader in readers:
            reader.close()

    def test_a_packed_literal_beyond_the_limit(self):
        with Packed(self.office) as alice:
            alice.put(b"a APPEND INBOX {40000000+}\r\n")
            for _ in range(40):
                alice.put(b" " * 1000000)
            alice.put(b"\r\nlast NOOP\r\n")
            told = alice.until(b"last OK")
        self.assertRegex(told, rb"a NO \[TOOBIG\]")

    def test_what_is_not_deflate_ends_the_session(self):
        with Packed(self.office) as alice:
            alice.socket.sendall(b"\xff" * 100)
            self.assertRegex(alice.until(b"never"), rb"\* BYE")

    def test_searches_and_patterns_made_to_be_dear(self):
        words = "lorem ipsum " * 500
        with Session(self.office) as alice:
            for number in range(30):
                alice.ask("APPEND INBOX ", f"Subject: {number}\r\n\r\n{words}\r\n".encode())
            for length in (150, 199, 200):
                self.assertRegex(alice.ask("CREATE " + "a" * length)[0], "^OK")

            def work():
                return [alice.ask(command)[0] for command in (
                    "SEARCH " + " ".join(f'TEXT "lorem ipsuM {n}"' for n in range(300)),
                    "SEARCH " + " ".join(f"NOT HEADER x{n} y" for n in range(300)),
                    'LIST "" "' + "*a" * 120 + 'b"',
                    'LIST "" "' + "%a*" * 80 + 'b"',
                    'LIST "" (' + " ".join(['"' + "*a" * 60 + 'b"'] * 20) + ")")]

            for answer in self.served_while(work):
                self.assertRegex(answer, r"^(OK|NO \[LIMIT\])")

    def test_counts_beyond_all_numbers(self):
        for size in ("18446744073709551615", "18446744073709551616", "9223372036854775807", "4294967296", "-1", "+5"):
            with Lines(self.office.base + 25) as stranger:
                stranger.reply()
                for line in ("EHLO x", "MAIL FROM:<a@b.example>", f"RCPT TO:<{ALICE}>"):
                    self.assertEqual(stranger.ask(line)[0], "2")
                self.assertRegex(stranger.ask(f"BDAT {size}\r\nx"), "^(501|552) ")
                self.assertEqual(stranger.line(), "", size)
            with Session(self.office, None) as stranger:
                said = stranger.ask(f"LOGIN {{{size}+}}\r\nx")
                self.assertFalse(said[0].startswith("OK"), (size, said))

    def test_empty_chunks_are_small_talk(self):
        with Lines(self.office.base + 25) as stranger:
            stranger.reply()
            for line in ("EHLO x", "MAIL FROM:<a@b.example>", f"RCPT TO:<{ALICE}>"):
                stranger.ask(line)
            said = [stranger.ask("BDAT 0")[:3] for _ in range(101)]
            self.assertEqual(said, ["250"] * 100 + ["421"])


if __name__ == "__main__":
    main()
