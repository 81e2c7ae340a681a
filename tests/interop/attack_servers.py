#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Servers of other people that do not come to an end, at a person's own desk: greetings, lines, notices, mailboxes, rows and
literals for ever, and literals of 2^63. `facteur list` and `facteur sync` end with a word; their memory is bounded."""
import itertools
import re
import subprocess
import tempfile
import threading
import time
import unittest

from memory import has_sanitizer
from office import FACTEUR, Listener, main

END_S = 120  # with sanitizers, on a busy machine
PEAK_KIB_MAX, SANITIZED_KIB_MAX = 128 * 1024, 512 * 1024
FACTS = b"IMAP4rev1 UIDPLUS LITERAL+"
ROW = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "01-Jan-2024 00:00:00 +0000" RFC822.SIZE 5 BODY[] '
ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY " + FACTS + b"\r\n", b"LIST": b'* LIST () "/" INBOX\r\n', b"SEARCH": b"* SEARCH 1\r\n", b"LOGOUT": b"* BYE\r\n",
    b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n", b"FETCH": ROW + b"{2}\r\nx\n)\r\n",
}
ANSWERS[b"EXAMINE"] = ANSWERS[b"SELECT"]
# At which word (None: before the first) what is said for ever, behind what.
WAYS = {
    "one line": (None, b"* OK ", b"x" * 65536),
    "greetings": (None, b"", b"* OK hello\r\n" * 1000),
    "notices": (b"EXAMINE", b"", b"* OK still here\r\n" * 1000),
    "counts": (b"EXAMINE", b"", b"* 1 EXISTS\r\n" * 1000),
    "nonsense": (b"FETCH", b"", b"* XYZZY (1 2 3)\r\n" * 1000),
    "a literal of 2^63": (b"FETCH", ROW + b"{9223372036854775807}\r\n", b"x" * 65536),
    "a literal of 2^64": (b"FETCH", ROW + b"{18446744073709551616}\r\n", b"x" * 65536),
    "a literal of 2^30": (b"FETCH", ROW + b"{1073741824}\r\n", b"x" * 65536),
    "literals": (b"FETCH", b"* 1 FETCH (X", b' {1}\r\nx' * 1000),
    "parentheses": (b"FETCH", b"* 1 FETCH (BODYSTRUCTURE ", b"(" * 65536),
}


class Endless(Listener):
    def __init__(self, way):
        self.at, self.before, self.piece = WAYS[way]
        super().__init__()

    def serve(self, stream):
        with stream, stream.makefile("rb") as lines:
            try:
                self.say(stream, None, b"* OK [CAPABILITY " + FACTS + b"] hello\r\n")
                for line in lines:
                    tag, *words = line.upper().split()
                    word = words[words[0] == b"UID"]
                    if word == b"SELECT" and self.at == b"EXAMINE":
                        word = self.at
                    self.say(stream, word, ANSWERS.get(word, b"") + tag + b" OK done\r\n")
            except OSError:
                pass  # it has heard enough

    def say(self, stream, word, otherwise):
        if word != self.at:
            stream.sendall(otherwise)
            return
        stream.sendall(self.before)
        for _ in itertools.count():
            stream.sendall(self.piece)


class Servers(unittest.TestCase):
    def run_it(self, environment, *words):
        """Exit code, what was said, and the most memory that it had."""
        with tempfile.TemporaryFile() as said:
            done = subprocess.Popen([FACTEUR, *words], env=environment, stdout=said, stderr=said)  # pylint: disable=consider-using-with
            killer = threading.Timer(END_S, done.kill)
            killer.start()
            peak = 0
            while done.poll() is None:
                try:
                    with open(f"/proc/{done.pid}/status", encoding="ascii") as status:
                        peak = max([peak, *(int(kib) for kib in re.findall(r"VmHWM:\s+(\d+)", status.read()))])
                except OSError:
                    pass
                time.sleep(0.02)
            killer.cancel()
            said.seek(0)
            return done.returncode, said.read().decode(), peak

    def test_our_client_comes_to_an_end(self):
        most = SANITIZED_KIB_MAX if has_sanitizer() else PEAK_KIB_MAX
        for way in WAYS:
            for words in (("list", "--account", "a"), ("sync", "a")):
                server = Endless(way)
                self.addCleanup(server.close)
                with self.subTest(way=way, words=words[0]), tempfile.TemporaryDirectory(prefix="fe-") as home:
                    environment = {"HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
                    code, said, _ = self.run_it(environment, "account", "add", "a@x.test", "--as", "a", "--incoming",
                                                f"imap://127.0.0.1:{server.port}", "--outgoing", f"smtp://127.0.0.1:{server.port}",
                                                "--tls", "never", "--password-command", "echo secret", "--untested")
                    self.assertEqual(code, 0, said)
                    code, said, peak = self.run_it(environment, *words)
                    self.assertEqual(code, 76, said)
                    self.assertRegex(said, "facteur: .*(too long|makes no sense|does not come to an end|too many)")
                    self.assertLess(peak, most)


if __name__ == "__main__":
    main()
