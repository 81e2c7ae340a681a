#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Clients that are broken, greedy or hostile: memory stays bounded, the answers have the right codes,
and others are served meanwhile. The sizes here are for a test run of a minute; $FLOOD (1) multiplies
them: FLOOD=50 is a line of 1.6 GB, a million recipients, and as many connections as files may be open."""
import os
import poplib
import random
import re
import resource
import smtplib
import socket
import ssl
import time

from office import ALICE, BOB, CLIENT_S, Lines, OfficeCase, main

# What AddressSanitizer keeps of freed memory would hide what the server keeps: set before a server starts.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:malloc_context_size=2"


FLOOD = int(os.environ.get("FLOOD", "1"))
LINE_BYTES = 32 * 1024 * 1024 * FLOOD
RECIPIENTS = 20000 * FLOOD
CONNECTIONS = min(1000 * FLOOD, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 1000, 9000)
GROWTH_KIB_MAX = 48 * 1024  # all processes together, while the flood goes on
SILENT_KIB_MAX = 48         # for each connection, with all that a sanitizer adds
OTHERS_S = 10               # how long another's letter may take meanwhile, on a busy machine


class Flood(OfficeCase):
    config = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.office.base
        cls.plain_ports = [cls.base + port for port in (24, 25, 110, 587)]
        cls.tls_ports = [cls.base + port for port in (465, 995)]
        cls.office.send("warm")
        cls.office.find("warm")

    def setUp(self):
        self.before = self.office.memory_kib()
        self.pids = set(self.office.processes())
        self.random = random.Random(self._testMethodName)

    def tearDown(self):
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")

    def others_are_served(self, growth_kib_max=GROWTH_KIB_MAX):
        """A letter goes in and out, and memory is bounded."""
        subject = f"meanwhile {self._testMethodName} {time.monotonic_ns()}"
        began = time.monotonic()
        self.office.send(subject)
        client = self.office.pop()
        text = b"\n".join(client.retr(client.stat()[0])[1])
        client.quit()
        self.assertIn(subject.encode(), text)
        self.assertLess(time.monotonic() - began, OTHERS_S)
        self.assertLess(self.office.memory_kib() - self.before, growth_kib_max)

    @staticmethod
    def push(client, data):
        """Sends as far as the server lets; it may have closed."""
        try:
            client.sendall(data)
            return True
        except OSError:
            return False

    @staticmethod
    def rest(client):
        """All that still comes."""
        found = b""
        try:
            while piece := client.recv(65536):
                found += piece
        except OSError:
            pass
        return found

    # ---- garbage

    def test_binary_garbage(self):
        for port in self.plain_ports + self.tls_ports:
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", port), CLIENT_S) as client:
                    self.push(client, self.random.randbytes(200000))
                    try:
                        client.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    said = self.rest(client)
                if port in self.plain_ports:
                    lines = said.split(b"\r\n")
                    self.assertTrue(all(re.match(rb"(\d\d\d[ -]|\+OK|-ERR|$)", line) for line in lines),
                                    said[:300])
        self.others_are_served()

    def test_a_line_without_end(self):
        openings = {self.base + 25: (b"", b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\n"
                                          b"DATA\r\n"),
                    self.base + 110: (b"", b"CAPA\r\n"), self.base + 587: (b"EHLO x\r\nAUTH PLAIN ",)}
        chunk = b"x" * (1 << 20)
        for port, beginnings in openings.items():
            for beginning in beginnings:
                with socket.create_connection(("127.0.0.1", port), CLIENT_S) as client:
                    self.push(client, beginning)
                    for number in range(LINE_BYTES // len(chunk)):
                        if not self.push(client, chunk):
                            break
                        if number % 64 == 63:
                            self.others_are_served()
                    self.others_are_served()

    def test_a_long_line_is_answered(self):
        with Lines(self.base + 25) as client:
            client.reply()
            self.assertRegex(client.ask("NOOP " + "x" * 100000), r"^500 5\.5\.[26] ")
            self.assertRegex(client.ask("NOOP"), "^250 ")
        with Lines(self.base + 110) as client:
            client.line()
            client.put(b"NOOP " + b"x" * 100000 + b"\r\n")
            self.assertTrue(client.line().startswith("-ERR"))

    def test_a_flood_of_recipients(self):
        with Lines(self.base + 25) as client:
            client.reply()
            client.ask("EHLO x")
            client.ask(f"MAIL FROM:<{BOB}>")
            codes = {}
            for first in range(0, RECIPIENTS, 1000):
                client.put(b"".join(b"RCPT TO:<alice+%d@example.test>\r\n" % (first + n) for n in range(1000)))
                for _ in range(1000):
                    reply = client.reply()
                    codes[reply[:9]] = codes.get(reply[:9], 0) + 1
            self.assertEqual(codes, {"250 2.1.5": 1000, "452 4.5.3": RECIPIENTS - 1000})
            self.others_are_served()

    def test_answers_that_nobody_reads(self):
        for port, command in ((25, b"HELP\r\n"), (110, b"CAPA\r\n")):
            with socket.create_connection(("127.0.0.1", self.base + port), CLIENT_S) as client:
                client.settimeout(1)
                self.push(client, command * 200000)  # until it takes no more
                self.others_are_served()

    # ---- many, and slow

    def test_silent_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        silent = []
        try:
            for number in range(CONNECTIONS):
                silent.append(socket.create_connection(
                    ("127.0.0.1", self.base + (25, 110, 465, 995)[number % 4]), CLIENT_S))
            self.others_are_served(CONNECTIONS * SILENT_KIB_MAX)
        finally:
            for client in silent:
                client.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_a_reader_that_sleeps(self):
        line = b"%076d\r\n"
        body = b"".join(line % n for n in range(30 * 1024 * 1024 // 78))
        with self.office.smtp() as client:
            client.sendmail(ALICE, [BOB], b"Subject: large\r\n\r\n" + body)
        for make in (self.plain_pop, lambda: self.office.pop(BOB)):
            slow = make()
            number = slow.stat()[0]
            slow._putcmd(f"RETR {number}")
            time.sleep(0.5)
            self.others_are_served()
            text = slow._getlongresp()[1]
            self.assertTrue(b"\r\n".join(text).endswith(body[:-2]))
            slow.quit()

    def plain_pop(self):
        client = poplib.POP3("127.0.0.1", self.base + 110, timeout=CLIENT_S)
        client.user(BOB)
        client.pass_(self.office.people[BOB])
        return client

    # ---- TLS

    def test_tls_that_ends_anywhere(self):
        hello = self.client_hello()
        for port in self.tls_ports:
            for length in [*range(0, len(hello), 37), len(hello)]:
                with socket.create_connection(("127.0.0.1", port), CLIENT_S) as client:
                    self.push(client, hello[:length])
                    if length % 2:
                        self.push(client, b"\x15\x03\x03\x00\x02\x02\x28")  # fatal alert
        self.others_are_served()

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.office.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        return outgoing.read()

    def test_tls_that_breaks_within_a_message_delivers_nothing(self):
        for damage in (b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x20" + b"\0" * 32, b"GET / HTTP/1.0\r\n\r\n"):
            client = smtplib.SMTP_SSL("localhost", self.base + 465, context=self.office.context, timeout=CLIENT_S)
            client.login(BOB, self.office.people[BOB])
            client.mail(BOB)
            client.rcpt(ALICE)
            client.docmd("DATA")
            client.send(b"Subject: broken TLS\r\n\r\nhalf a ")
            with socket.socket(fileno=client.sock.detach()) as raw:
                self.push(raw, damage)
                raw.shutdown(socket.SHUT_WR)
                self.rest(raw)
        self.others_are_served()
        self.assertFalse([m for m in self.office.messages() if b"Subject: broken TLS" in m])

    # ---- half closed

    def test_a_half_closed_client_gets_all_answers(self):
        with Lines(self.base + 25) as client:
            client.put(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n"
                       b"Subject: half closed\r\n\r\nx\r\n.\r\nQUIT\r\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([client.reply()[:3] for _ in range(7)],
                             ["220", "250", "250", "250", "354", "250", "221"])
            self.assertEqual(client.line(), "")
        self.office.find("half closed")


class Envelopes(Flood):
    """Recipients with all that can be said of them take memory, too: it has one bound for all sessions."""

    config = "processes = 1\nbody_memory_max = \"16 MiB\"\nconnections_per_address_max = 10000\nconnection_rate = 1000000\n"
    GROWN_KIB_MAX = 40 * 1024 # the bound, and what sessions take besides, sanitizers too
    FULL, ROUND, CLIENTS_MAX = "452 4.3.1", 500, 200

    def recipients(self, client):
        self.push(client.socket, b"".join(
            b"RCPT TO:<alice+%s%d@example.test> ORCPT=rfc822;%s%d@example.test\r\n" % (b"x" * 40, n, b"o" * 300, n)
            for n in range(self.ROUND)))
        return [client.reply()[:9] for _ in range(self.ROUND)]

    def test_recipients_of_many_sessions_have_one_bound(self):
        clients, said = [], []
        while self.FULL not in said and len(clients) < self.CLIENTS_MAX:
            clients.append(Lines(self.base + 25))
            clients[-1].reply()
            clients[-1].ask("EHLO x")
            clients[-1].ask(f"MAIL FROM:<{BOB}>")
            said = self.recipients(clients[-1])
        self.assertIn(self.FULL, said)
        self.assertGreater(len(clients), 8) # far more than one message needs
        took = self.office.memory_kib() - self.before
        print(f"recipients of {len(clients)} sessions: {took} KiB")
        self.assertLess(took, self.GROWN_KIB_MAX)
        for client in clients:
            client.close()
        self.others_are_served()
        with Lines(self.base + 25) as client: # and all of it is given back
            client.reply()
            client.ask("EHLO x")
            client.ask(f"MAIL FROM:<{BOB}>")
            self.assertEqual(set(self.recipients(client)), {"250 2.1.5"})


class Strangers(Flood):
    """The same without trust: as on the Internet, with an error budget and a tarpit."""

    config = "trusted_networks = {}\ntarpit_errors = 2\ntarpit_delay = \"300 ms\"\n" \
             "connections_per_address_max = 100000\nconnection_rate = 1000000\n"

    def test_a_half_closed_client_gets_the_answers_that_were_held_back(self):
        with Lines(self.base + 25) as client:
            client.put(b"EHLO x\r\n" + b"WRONG\r\n" * 5 + b"QUIT\r\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([client.reply()[:3] for _ in range(8)], ["220", "250", *["500"] * 5, "221"])
        with Lines(self.base + 25) as client:  # the last answer is held when the end of the input is seen
            client.put(b"EHLO x\r\n" + b"WRONG\r\n" * 5)
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([client.reply()[:3] for _ in range(8)], ["220", "250", *["500"] * 5, ""])

    def test_errors_end_the_session(self):
        with Lines(self.base + 25) as client:
            client.put(b"WRONG\r\n" * 25)
            codes = [client.reply()[:9] for _ in range(22)]
            self.assertEqual(codes[0][:3], "220")
            self.assertIn("421 4.7.0", codes)

    def test_a_flood_of_recipients(self):
        """Refusals have a budget here: see errors_max."""
        with Lines(self.base + 25) as client:
            client.reply()
            client.ask("EHLO x")
            client.ask(f"MAIL FROM:<{BOB}>")
            self.push(client.socket, b"".join(b"RCPT TO:<nobody%d@example.test>\r\n" % n for n in range(2000)))
            said = [client.reply()[:9] for _ in range(25)]
            self.assertIn("421 4.7.0", said)
        self.others_are_served()


if __name__ == "__main__":
    main()
