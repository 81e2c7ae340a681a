#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Readers that are logged in, and broken or hostile: their lock goes back at once, memory stays
bounded, nothing is removed without QUIT, and what a stranger says before TLS counts for nothing."""
import poplib
import random
import socket

from office import ALICE, BOB, CLIENT_S, Lines, OfficeCase, main

GROWTH_KIB_MAX = 48 * 1024
BODY_LINES = 40000
# Whole records: an alert that ends the session, one that does not decrypt, and no TLS at all.
DAMAGE = (b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x20" + b"\0" * 32, b"QUIT\r\n" * 9,
          b"\x16\x03\x03\xff\xff" + b"\0" * 99)


class Attack(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = cls.office.base + 110
        cls.office.send("large", body=(b"%070d\r\n" % 7) * BODY_LINES)
        cls.count = cls.stat()

    @classmethod
    def stat(cls):
        """A login that must be possible now: nobody else holds the lock."""
        client = cls.office.pop()
        count = client.stat()[0]
        client.quit()
        return count

    def setUp(self):
        self.before, self.pids = self.office.memory_kib(), set(self.office.processes())

    def tearDown(self):
        self.assertEqual(self.wait_for_lock(), self.count)
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")

    def wait_for_lock(self):
        """Whoever was cut off gives the lock back, once the server has seen it."""
        for _ in range(200):
            try:
                return self.stat()
            except poplib.error_proto as error:
                self.assertIn(b"[IN-USE]", error.args[0])
        return self.stat()

    def log_in(self):
        client = Lines(self.port)
        client.line()
        client.put(f"USER {ALICE}\r\nPASS {self.office.people[ALICE]}\r\n".encode())
        for _ in range(2):
            self.assertRegex(client.line(), r"^\+OK")
        return client

    @staticmethod
    def push(client, data):
        """As much as the server takes."""
        client.settimeout(1)
        try:
            client.sendall(data)
        except OSError:
            pass

    def test_a_flood_of_retr_that_nobody_reads(self):
        with self.log_in() as client:
            self.push(client.socket, b"RETR %d\r\n" % self.count * 2000000)
            bob = self.office.pop(BOB)
            bob.quit()
            self.assertLess(self.office.memory_kib() - self.before, GROWTH_KIB_MAX)

    def test_a_flood_of_lists_that_nobody_reads(self):
        with self.log_in() as client:
            self.push(client.socket, b"LIST\r\nUIDL\r\n" * 1500000)
            self.assertLess(self.office.memory_kib() - self.before, GROWTH_KIB_MAX)

    def test_a_half_closed_reader_gets_all_and_deletes(self):
        with Lines(self.port) as client:
            client.put(f"USER {ALICE}\r\nPASS {self.office.people[ALICE]}\r\n".encode()
                       + b"DELE 1\r\nRSET\r\nRETR %d\r\nQUIT\r\n" % self.count)
            client.socket.shutdown(socket.SHUT_WR)
            lines = client.file.read().split(b"\r\n")
        self.assertEqual(lines.count(b"%070d" % 7), BODY_LINES)
        self.assertEqual(lines[-3], b".")
        self.assertRegex(lines[-2], rb"^\+OK .*signing off")

    def test_who_has_quit_may_come_back_at_once(self):
        """Another process may take the new connection: QUIT is answered when the lock has gone."""
        reader = self.log_in()
        for _ in range(1000):
            following = Lines(self.port)
            following.line()
            following.put(f"USER {ALICE}\r\n".encode())
            self.assertRegex(following.line(), r"^\+OK")
            reader.put(b"QUIT\r\n")
            self.assertRegex(reader.line(), r"^\+OK")
            following.put(f"PASS {self.office.people[ALICE]}\r\n".encode())
            self.assertRegex(following.line(), r"^\+OK")
            reader.close()
            reader = following
        reader.close()

    def test_who_vanishes_in_a_message_gives_the_lock_back(self):
        for size in (0, 1, 1000, 100000):
            with self.log_in() as client:
                client.put(b"DELE 1\r\nRETR %d\r\n" % self.count)
                client.file.read(size)
            self.assertEqual(self.wait_for_lock(), self.count)

    def test_tls_that_breaks_within_a_session(self):
        for damage in DAMAGE:
            client = self.office.pop()
            client.dele(1)
            with socket.socket(fileno=client.sock.detach()) as raw:
                self.push(raw, damage)
                raw.shutdown(socket.SHUT_WR)
                while self.receive(raw):
                    pass
            self.assertEqual(self.wait_for_lock(), self.count)

    @staticmethod
    def receive(raw):
        raw.settimeout(CLIENT_S)
        try:
            return raw.recv(65536)
        except ConnectionResetError:
            return b""

    def test_what_is_said_before_tls_is_forgotten(self):
        with socket.create_connection(("127.0.0.1", self.port), CLIENT_S) as raw:
            self.assertTrue(raw.recv(1000).startswith(b"+OK"))
            raw.sendall(b"STLS\r\nUSER mallory\r\nNOOP\r\n")
            self.assertTrue(raw.recv(1000).startswith(b"+OK"))
            with self.office.context.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(b"PASS x\r\n")
                self.assertEqual(client.recv(1000), b"-ERR USER comes first\r\n")

    def test_commands_of_random_octets(self):
        chance = random.Random(7)
        verbs = (b"RETR", b"TOP", b"LIST", b"UIDL", b"DELE", b"AUTH", b"UTF8", b"LANG", b"CAPA", b"\0")
        for _ in range(30):
            with self.log_in() as client:
                lines = [chance.choice(verbs) + b" " + chance.randbytes(chance.randrange(300)).replace(b"\n", b"")
                         for _ in range(15)]
                self.push(client.socket, b"\r\n".join(lines) + b"\r\n")
                client.socket.shutdown(socket.SHUT_WR)
                while self.receive(client.socket):
                    pass
            self.assertEqual(self.wait_for_lock(), self.count)


if __name__ == "__main__":
    main()
