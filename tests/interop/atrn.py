#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""ATRN (RFC 2645): a customer without an address of its own logs in, turns the connection round, and gets its
domain's mail over it; also when processes die in the middle."""
import os
import signal
import smtplib
import socket
import ssl
import unittest

from office import ALICE, CLIENT_S, Office, main, wait_for

CUSTOMER, DOMAIN, OTHER = "customer@example.test", "customer.test", "second.test"


class Customer:
    """Logs in at submission over TLS, says ATRN, and is a server then."""

    def __init__(self, office, who=CUSTOMER, argument=""):
        self.client = office.smtp(who)
        self.client.ehlo()
        self.reply = self.client.docmd("ATRN", argument)
        self.received = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def say(self, text):
        self.client.sock.sendall(text.encode() + b"\r\n")

    def line(self):
        return self.client.file.readline().rstrip(b"\r\n")

    def serve(self, stop=lambda customer, line: False, refuse=()):
        """Until QUIT, the end of the connection, or `stop` says so; what came whole is in `received`."""
        self.say("220 customer.test ready to receive email")
        recipients, body = [], None
        while True:
            try:
                line = self.line()
            except (OSError, ssl.SSLError):
                return "lost"
            if stop(self, line):
                return "stopped"
            if body is not None and line != b".":
                if not line:
                    line = b""
                body.append(line)
                if self.client.file.raw is None or len(body) > 100000:
                    return "lost"
                continue
            word = line.split(b" ")[0].upper()
            if body is not None:
                self.received.append((recipients, body))
                recipients, body = [], None
                self.say("250 taken")
            elif word == b"EHLO":
                self.say("250 customer.test")
            elif word == b"RCPT":
                is_bad = any(name in line for name in refuse)
                if not is_bad:
                    recipients.append(line[9:-1].decode())
                self.say("550 5.1.1 nobody" if is_bad else "250 ok")
            elif word == b"DATA":
                body = []
                self.say("354 go on")
            elif word == b"QUIT":
                self.say("221 bye")
                return "quit"
            elif not word:
                return "lost"
            else:
                self.say("250 ok")

    def subjects(self):
        return sorted(line[9:].decode() for _, body in self.received for line in body if line.startswith(b"Subject: "))


class Atrn(unittest.TestCase):
    """Each test leaves an empty queue."""

    @classmethod
    def setUpClass(cls):
        cls.office = Office(config=f'atrn = {{"{CUSTOMER} {DOMAIN}", "{CUSTOMER} {OTHER}", "{ALICE} alice.test"}}\n')
        cls.office.tool("user", "add", CUSTOMER, "--password-stdin", text="a secret of theirs\n")
        cls.office.people[CUSTOMER] = "a secret of theirs"
        for domain in (DOMAIN, OTHER, "alice.test"):
            cls.office.tool("relay", "add", domain)

    @classmethod
    def tearDownClass(cls):
        cls.office.close(may_fail=True)

    def leave(self, *subjects, domain=DOMAIN):
        """Mail from a stranger, which waits then."""
        for subject in subjects:
            with self.office.smtp() as client:
                client.sendmail("stranger@elsewhere.test", [f"anna@{domain}"],
                                f"From: <s@elsewhere.test>\r\nSubject: {subject}\r\n\r\n.hello\r\n")

    def waiting(self):
        return len(self.office.tool_data("queue", "list")["recipients"])

    def wait_for_queue(self, count):
        self.assertTrue(wait_for(lambda: self.waiting() == count), self.office.log_text()[-3000:])

    def test_a_customer_fetches_its_mail_and_goes(self):
        self.leave("one", "two", "three")
        with Customer(self.office) as customer:
            self.assertEqual(customer.reply[0], 250)
            self.assertEqual(customer.serve(), "quit")
            self.assertEqual(customer.subjects(), ["one", "three", "two"])
            self.assertEqual(customer.received[0][0], [f"anna@{DOMAIN}"])
        self.wait_for_queue(0)
        with Customer(self.office) as customer:
            self.assertEqual(customer.reply[0], 453)
            self.assertEqual(customer.client.noop()[0], 250)

    def test_only_the_domains_that_were_asked_for_travel(self):
        self.leave("first")
        self.leave("second", domain=OTHER)
        with Customer(self.office, argument=OTHER) as customer:
            self.assertEqual((customer.reply[0], customer.serve()), (250, "quit"))
            self.assertEqual(customer.subjects(), ["second"])
        self.wait_for_queue(1)
        with Customer(self.office, argument=f"{DOMAIN},{OTHER}") as customer:
            self.assertEqual((customer.reply[0], customer.serve()), (250, "quit"))
            self.assertEqual(customer.subjects(), ["first"])
        self.wait_for_queue(0)

    def test_nobody_gets_the_mail_of_others(self):
        self.leave("private")
        with Customer(self.office, argument=f"{DOMAIN},alice.test") as customer:
            self.assertEqual(customer.reply[0], 450)
        with Customer(self.office, who=ALICE, argument=DOMAIN) as customer:
            self.assertEqual(customer.reply[0], 450)
        with Customer(self.office, who=ALICE) as customer:
            self.assertEqual(customer.reply[0], 453)
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as stranger:
            stranger.starttls(context=self.office.context)
            stranger.ehlo()
            self.assertTrue(stranger.has_extn("ATRN"))
            self.assertEqual(stranger.docmd("ATRN", DOMAIN)[0], 530)
        with self.office.smtp() as stranger:
            stranger.ehlo()
            self.assertFalse(stranger.has_extn("ATRN"))
            self.assertEqual(stranger.docmd("ATRN", DOMAIN)[0], 502)
        self.assertEqual(self.waiting(), 1)
        self.fetch_rest(["private"])

    def test_what_the_customer_refuses_comes_back_to_its_sender(self):
        with self.office.smtp(ALICE) as client:
            client.sendmail(ALICE, [f"nobody@{DOMAIN}", f"anna@{DOMAIN}"], "Subject: to both\r\n\r\nhello\r\n")
        with Customer(self.office) as customer:
            self.assertEqual((customer.reply[0], customer.serve(refuse=(b"nobody",))), (250, "quit"))
            self.assertEqual([recipients for recipients, _ in customer.received], [[f"anna@{DOMAIN}"]])
        self.assertTrue(wait_for(lambda: any(b"nobody@customer.test" in m for m in self.office.messages())))
        self.wait_for_queue(0)

    def test_a_turn_that_is_going_on_keeps_a_second_one_away(self):
        self.leave("one")
        with Customer(self.office) as customer:
            self.assertEqual(customer.reply[0], 250)
            with Customer(self.office) as second:
                self.assertEqual(second.reply[0], 451)
            self.assertEqual(customer.serve(), "quit")
        self.wait_for_queue(0)

    def test_a_customer_that_goes_in_the_middle_gets_it_next_time(self):
        self.leave("one", "two")
        with Customer(self.office) as customer:
            customer.serve(stop=lambda c, line: line.startswith(b"Subject:"))
            self.assertEqual(customer.received, [])
        self.fetch_rest(["one", "two"])

    def fetch_rest(self, expected):
        """A new turn may begin as soon as the old one is known to be over."""
        got = []

        def fetch():
            with Customer(self.office) as customer:
                if customer.reply[0] == 250:
                    customer.serve()
                got.extend(customer.subjects())
            return sorted(got) == sorted(expected)

        self.assertTrue(wait_for(fetch), (got, self.office.log_text()[-3000:]))
        self.wait_for_queue(0)
        self.assertEqual(sorted(got), sorted(expected))

    def kill_within(self, role):
        """The process dies while the third message travels: the two before are there for good."""
        self.leave("one", "two", "three", "four")

        def is_third(customer, line):
            return len(customer.received) == 2 and line.startswith(b"Subject:")

        with Customer(self.office) as customer:
            self.assertEqual(customer.reply[0], 250)
            customer.serve(stop=is_third)
            before = customer.subjects()
            self.assertEqual(len(before), 2)
            self.wait_for_queue(2)
            pids = self.office.processes(role)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.assertTrue(wait_for(lambda: len(set(self.office.processes(role)) - set(pids)) == len(pids)))
        self.fetch_rest(sorted({"one", "two", "three", "four"} - set(before)))

    def test_a_transport_that_is_killed_loses_and_doubles_nothing(self):
        self.kill_within("transport")

    def test_an_smtp_that_is_killed_loses_and_doubles_nothing(self):
        self.kill_within("smtp")

    def test_a_store_that_is_killed_loses_and_doubles_nothing(self):
        self.kill_within("store")


if __name__ == "__main__":
    main()
