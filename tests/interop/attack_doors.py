#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""At the doors of all protocols: words injected behind STARTTLS, in one segment with it; clients that
send an octet now and then; floods of connections from one address and from many; guesses of passwords,
and what they tell of who exists. Others are served all the while."""
import base64
import contextlib
import re
import socket
import ssl
import statistics
import threading
import time

from office import ALICE, BOB, CLIENT_S, Lines, OfficeCase, main, wait_for

NOBODY = "nobody.of.that.name@example.test"
PER_ADDRESS = 12
CONFIG = f"""
connections_per_address_max = {PER_ADDRESS}
connections_max = 200
connection_rate = 10000
trusted_networks = {"192.0.2.1/32"}
tls_handshake_timer = "1 s"
smtp_greeting_timer = "2 s"
smtp_command_timer = "2 s"
"""
# How each protocol asks for TLS: port, lines said before, the word, what agrees, a command behind it, its answer.
UPGRADES = {
    "SMTP": (25, b"EHLO x\r\n", b"STARTTLS\r\n", rb"220 ", b"MAIL FROM:<evil@b.test>\r\n", b"RCPT TO:<%s>\r\n" % BOB.encode()),
    "submission": (587, b"EHLO x\r\n", b"STARTTLS\r\n", rb"220 ", b"EHLO evil\r\n", b"AUTH PLAIN =\r\n"),
    "LMTP": (24, b"LHLO x\r\n", b"STARTTLS\r\n", rb"220 ", b"MAIL FROM:<evil@b.test>\r\n", b"RCPT TO:<%s>\r\n" % BOB.encode()),
    "POP3": (110, b"CAPA\r\n", b"STLS\r\n", rb"\+OK", b"USER evil\r\n", b"PASS x\r\n"),
    "IMAP": (143, b"a CAPABILITY\r\n", b"b STARTTLS\r\n", rb"b OK", b"c LOGIN evil x\r\n", b"d NOOP\r\n"),
}
# What is said octet by octet at each door whose timers can be set short; POP3 and IMAP wait for minutes, so that
# the tests of their engines say the same in virtual time.
SLOW_S = 25  # less than the timers' defaults, and much more than the timers
HELLO = b"\x16\x03\x01\x02\x00\x01" + b"\0" * 500  # of TLS
SLOW = {25: b"EHLO " + b"x" * 500, 24: b"LHLO " + b"x" * 500, 587: b"AUTH PLAIN " + b"A" * 500, 465: HELLO, 995: HELLO, 993: HELLO}


class Doors(OfficeCase):
    def setUp(self):
        self.pids = set(self.office.processes())

    def tearDown(self):
        self.assertEqual(set(self.office.processes()), self.pids, "a process died")

    # ---- STARTTLS

    def agree(self, raw, upgrade, behind=b""):
        """Up to the answer to STARTTLS, and not an octet further. False: the connection has ended instead."""
        _, before, word, agreed = upgrade[:4]

        def line():
            text = b""
            while not text.endswith(b"\n") and (octet := raw.recv(1)):
                text += octet
            self.assertNotIn(b"evil", text)
            return text
        self.assertRegex(line(), rb"^(220|\+OK|\* OK)")
        raw.sendall(before + word + behind)
        # The word before it has been answered when its last line has come.
        while not re.match(rb"250 |\.\r|a OK", text := line()):
            self.assertTrue(text)
        self.assertRegex(text := line(), rb"^(" + agreed + rb"|$)")
        return text != b""

    def test_words_behind_starttls_count_for_nothing(self):
        """They end the connection, or are forgotten: what builds on them inside of TLS is refused."""
        for name, upgrade in UPGRADES.items():
            port, first, second = upgrade[0], upgrade[4], upgrade[5]
            with self.subTest(name), socket.create_connection(("127.0.0.1", self.office.base + port), CLIENT_S) as raw:
                self.assertTrue(self.agree(raw, upgrade, first))
                try:
                    client = self.office.context.wrap_socket(raw, server_hostname="localhost")
                except (OSError, ssl.SSLError):
                    continue
                with client:
                    client.sendall(second)
                    self.assertRegex(client.recv(4096), rb"^(503|530|501|-ERR|d OK|\* BYE|$)")
                    if name == "IMAP":
                        client.sendall(b"e SELECT INBOX\r\n")
                        self.assertRegex(client.recv(4096), rb"^e (NO|BAD)")

    def test_a_second_starttls_is_refused_within_tls(self):
        for name, upgrade in UPGRADES.items():
            port, before, word = upgrade[:3]
            with self.subTest(name), socket.create_connection(("127.0.0.1", self.office.base + port), CLIENT_S) as raw:
                self.assertTrue(self.agree(raw, upgrade))
                with self.office.context.wrap_socket(raw, server_hostname="localhost") as client:
                    client.sendall(before)
                    self.assertNotRegex(client.recv(4096), rb"STARTTLS|STLS")
                    client.sendall(word)
                    self.assertRegex(client.recv(4096), rb"^(5\d\d |-ERR|b (NO|BAD))")

    # ---- who exists

    def median_times(self, ask, names, rounds):
        """For each name the median of its answers' times; asked in turns, so that the machine's moods meet all."""
        times = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                began = time.perf_counter()
                ask(name)
                times[name].append(time.perf_counter() - began)
        return [statistics.median(times[name]) for name in names]

    def test_a_wrong_password_takes_as_long_for_who_is_not_there(self):
        """The slow hash is done for all. A difference that a median of many shows is less than half of it."""
        places = iter(range(1, 60000))

        def say(port, *lines):
            place = next(places)
            with socket.create_connection(("127.0.0.1", self.office.base + port), CLIENT_S,
                                          (f"127.3.{place // 250}.{place % 250 + 1}", 0)) as client:
                file = client.makefile("rb")
                file.readline()
                for line in lines:
                    client.sendall(line)
                    while not re.match(rb"(334|535|\+OK|-ERR|a (OK|NO|BAD)|250 )", said := file.readline()):
                        self.assertTrue(said)
            return said

        def plain(name):
            return base64.b64encode(b"\0" + name.encode() + b"\0not the password")
        doors = {
            "AUTH": lambda name: say(587, b"EHLO x\r\n", b"AUTH PLAIN " + plain(name) + b"\r\n"),
            "PASS": lambda name: say(110, b"USER %s\r\n" % name.encode(), b"PASS not the password\r\n"),
            "LOGIN": lambda name: say(143, b'a LOGIN %s "not the password"\r\n' % name.encode()),
        }
        for door, ask in doors.items():
            with self.subTest(door):
                self.assertEqual(re.sub(rb"\w{10,}", b"", ask(ALICE)), re.sub(rb"\w{10,}", b"", ask(NOBODY)))
                for attempt in range(3):
                    there, absent = self.median_times(ask, (ALICE, NOBODY), 9)
                    if max(there, absent) < 1.5 * min(there, absent):
                        break
                else:
                    self.fail(f"{door}: {there:.4f} s for who is there, {absent:.4f} s for who is not")

    # ---- guessing

    def test_guesses_lock_the_guesser_out_and_nobody_else(self):
        def log_in(password, source):
            with socket.create_connection(("127.0.0.1", self.office.base + 143), CLIENT_S, (source, 0)) as client:
                file = client.makefile("rb")
                file.readline()
                client.sendall(f'a LOGIN {ALICE} "{password}"\r\n'.encode())
                while not (said := file.readline()).startswith(b"a "):
                    self.assertTrue(said)
            return said
        right = self.office.people[ALICE]
        guesses = []

        def guess(number):
            guesses.append(log_in(f"guess {number}", "127.4.0.1"))
        # Many at once, since each answer comes later than the one before.
        threads = [threading.Thread(target=guess, args=[number]) for number in range(14)]
        for thread in threads:
            thread.start()
        # Meanwhile, and afterwards, she logs in from elsewhere at once.
        self.assertRegex(log_in(right, "127.4.0.2"), rb"^a OK")
        for thread in threads:
            thread.join(CLIENT_S)
        self.assertEqual(len(guesses), len(threads))
        self.assertFalse([said for said in guesses if not said.startswith(b"a NO")])
        # Where the guesses came from even the right one is not tried, and the answer tells nothing.
        self.assertRegex(log_in(right, "127.4.0.1"), rb"^a NO")
        self.assertRegex(log_in(right, "127.4.0.2"), rb"^a OK")

    def test_who_guesses_by_ipv6_is_named_by_the_whole_address(self):
        guess = base64.b64encode(b"\0%s\0wrong" % ALICE.encode())
        for role, port, said in (("smtp", 587, b"EHLO x\r\nAUTH PLAIN %s\r\n"), ("access", 143, b"a AUTHENTICATE PLAIN %s\r\n")):
            with self.subTest(role), socket.create_connection(("::1", self.office.base + port), CLIENT_S) as client:
                client.sendall(said % guess)
                told = rf"event=login_failed service={role} .*peer=::1 "
                self.assertTrue(wait_for(lambda told=told: re.search(told, self.office.log_text())))


class Crowds(OfficeCase):
    """With small limits, so that they are met in a test."""

    config = CONFIG

    def others_are_served(self, source="127.9.9.9"):
        """A letter goes in and is read, by somebody from elsewhere."""
        with socket.create_connection(("127.0.0.1", self.office.base + 25), CLIENT_S, (source, 0)) as client:
            client.sendall(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % BOB.encode())
            file = client.makefile("rb")
            while not (said := file.readline()).startswith(b"354"):
                self.assertTrue(said)
            client.sendall(b"Subject: served\r\n\r\nx\r\n.\r\n")
            self.assertRegex(file.readline(), rb"^250")

    def test_an_octet_now_and_then_buys_no_time(self):
        with contextlib.ExitStack() as stack:
            clients = {}
            for number, (port, text) in enumerate(SLOW.items()):
                client = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", self.office.base + port), CLIENT_S, (f"127.5.0.{number + 1}", 0)))
                client.setblocking(False)
                clients[port] = (client, iter(text))
            late = time.monotonic() + SLOW_S
            while clients and time.monotonic() < late:
                for port, (client, text) in list(clients.items()):
                    try:
                        client.send(bytes([next(text)]))
                        if client.recv(4096) == b"":
                            del clients[port]
                    except BlockingIOError:
                        pass
                    except (OSError, StopIteration):
                        del clients[port]
                time.sleep(0.3)
            self.assertEqual(list(clients), [], "still open")
        self.others_are_served()

    def test_one_address_gets_its_share_and_no_more(self):
        for port in (25, 110, 143):
            with self.subTest(port), contextlib.ExitStack() as stack:
                clients = [stack.enter_context(Lines(self.office.base + port)) for _ in range(PER_ADDRESS * 3)]
                greetings = [client.line() for client in clients]
                good = [line for line in greetings if re.match(r"220|\+OK|\* OK", line)]
                self.assertLessEqual(len(good), PER_ADDRESS * 2)  # each process counts its own
                self.assertTrue(all(re.match(r"220|421|\+OK|-ERR|\* (OK|BYE)|$", line) for line in greetings), greetings)
                self.assertLess(len(good), len(greetings))
                self.others_are_served()

    def test_many_addresses_reach_the_limit_and_the_server_stays(self):
        """Beyond the limit the door is shut with a word; when the crowd goes, it is open."""
        with contextlib.ExitStack() as stack:
            refused = 0
            for number in range(500):
                client = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", self.office.base + 25), CLIENT_S, (f"127.6.{number % 60}.{number // 60 + 1}", 0)))
                client.settimeout(CLIENT_S)
                try:
                    refused += not client.recv(4096).startswith(b"220")
                except ConnectionError:
                    refused += 1
            self.assertGreater(refused, 0)
            self.assertLess(refused, 500)

        def is_open():
            try:
                self.others_are_served()
                return True
            except (OSError, AssertionError):
                return False
        self.assertTrue(wait_for(is_open))


class Share(OfficeCase):
    """Each process takes its part of connections_max: they all together take no more."""

    most = 20
    config = f"connections_max = {most}\ntrusted_networks = {{}}\nprocesses = 2\n"

    @staticmethod
    def is_open(client):
        client.setblocking(False)
        try:
            return client.recv(4096) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    def test_no_more_are_let_in_than_the_limit_says(self):
        """SMTP refuses who comes then; POP3 and IMAP let those go who have been there longest without a login."""
        for port in (25, 110, 143):
            with self.subTest(port), contextlib.ExitStack() as stack:
                clients = []
                for number in range(3 * self.most):
                    clients.append(stack.enter_context(socket.create_connection(
                        ("127.0.0.1", self.office.base + port), CLIENT_S, (f"127.7.0.{number + 1}", 0))))
                    self.assertTrue(clients[-1].recv(4096))
                self.assertTrue(wait_for(lambda clients=clients: sum(map(self.is_open, clients)) <= self.most))


if __name__ == "__main__":
    main()
