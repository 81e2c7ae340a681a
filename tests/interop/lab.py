#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The small Internet of `facteur lab`: servers of their own and a real name server on loopback, and
the courses' cases of routing and transport (A5, A14, B1 to B9) on it."""
import contextlib
import email
import email.policy
import json
import os
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import FACTEUR, main, skip_all, wait_for

PORT, SUBMISSION, POP, NAMES = 10025, 10587, 10110, 10053
PASSWORD = "the lab is on loopback"
PEOPLE = {"fred@truc.fr": "1.1", "marc@machin.com": "2.1", "alice@foo.com": "3.1", "jqp@bar.com": "4.1",
          "jones@xyz.com": "5.1", "bob@cnam.fr": "6.1"}


def free_net():
    """127.N.0.0/16 where no other lab runs."""
    for place in range(250):
        net = 2 + (place + os.getpid()) % 250
        try:
            for address, port in ((f"127.{net}.0.1", NAMES), (f"127.{net}.1.1", PORT)):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
            return net
        except OSError:
            continue
    raise RuntimeError("no free net")


class Lab(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fl-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.net = free_net()
        try:
            cls.lab("start", "--net", str(cls.net))
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.lab("stop")
        said = "".join(path.read_text(errors="replace") for path in cls.folder.glob("*/log"))
        shutil.rmtree(cls.folder)
        if "ERROR: " in said or "runtime error" in said:
            raise AssertionError(said[-6000:])

    # ---- tools

    @classmethod
    def lab(cls, *words, code=0):
        done = subprocess.run([FACTEUR, "lab", *words, "--dir", str(cls.folder)], capture_output=True,
                              text=True, check=False, timeout=180)
        if done.returncode != code:
            raise AssertionError(f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def tool(self, host, *words):
        subprocess.run([FACTEUR, *words, "--config", str(self.folder / host / "facteur.conf")],
                       check=True, capture_output=True, timeout=120)

    def send(self, *words):
        return json.loads(self.lab("send", "--json", *words))

    def address(self, who):
        return f"127.{self.net}.{PEOPLE[who]}"

    def messages(self, who):
        client = poplib.POP3(self.address(who), POP, timeout=60)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.stls(context)
        client.user(who)
        client.pass_(PASSWORD)
        texts = [b"\r\n".join(client.retr(number + 1)[1]) for number in range(client.stat()[0])]
        client.quit()
        return [email.message_from_bytes(text, policy=email.policy.default) for text in texts]

    def find(self, subject, who):
        """All messages of that subject in somebody's mailbox."""
        return [message for message in self.messages(who) if message["Subject"] == subject]

    def smtp(self, who, port=PORT, source=None):
        """With the server of that person; from an address of our own, or that of another host."""
        return smtplib.SMTP(self.address(who), port, local_hostname="client.test", timeout=60,
                            source_address=(source, 0) if source else None)

    def wait_for_the_primary(self):
        """A host that another test has stopped is left alone for a while by those who have tried it."""
        def is_direct():
            way = self.send("--subject", "probe")
            return way["settled"] and not any("backup" in host for _, host in self.kinds(way))
        self.assertTrue(wait_for(is_direct, 150))

    @staticmethod
    def kinds(way):
        return [(part["kind"], part["host"]) for part in way["parts"]]

    @staticmethod
    def lines(way, kind, host):
        return [line for part in way["parts"] if (part["kind"], part["host"]) == (kind, host)
                for line in part["lines"]]

    # ---- B5, B6, B1: the whole journey

    def test_fred_writes_to_marc_and_the_way_is_shown(self):
        self.wait_for_the_primary()
        way = self.send("--subject", "journey")
        self.assertTrue(way["settled"])
        truc, machin = "mail.truc.fr", "smtp.machin.com"
        self.assertEqual(self.kinds(way), [
            ("submission", truc), ("accepted", truc), ("decision", truc), ("dialogue", truc),
            ("result", truc), ("accepted", machin), ("delivered", machin), ("header", machin),
            ("reading", machin)])
        self.assertIn("MX 10 smtp.machin.com", self.lines(way, "decision", truc))
        dialogue = self.lines(way, "dialogue", truc)
        for line in ("C: RCPT TO:<marc@machin.com>", "S: 250 2.1.5 Recipient ok"):
            self.assertIn(line, dialogue)
        self.assertNotIn("Comment allez-vous", "".join(dialogue))
        self.assertIn("C: RETR", "\n".join(self.lines(way, "reading", machin)))
        self.assertNotIn(PASSWORD, json.dumps(way))

    def test_a_session_is_shown_from_its_greeting_on(self):
        """None has been kept open: nobody else writes from there."""
        way = self.send("--from", "bob@cnam.fr", "--to", "jqp@bar.com", "--subject", "greeting")
        dialogue = self.lines(way, "dialogue", "mail.cnam.fr")
        self.assertEqual(dialogue[:2], ["S: 220 mail.bar.com ESMTP Facteur", "C: EHLO mail.cnam.fr"])
        self.assertIn("C: STARTTLS", dialogue)
        self.assertEqual(dialogue.count("C: EHLO mail.cnam.fr"), 2)

    def test_each_station_writes_its_line(self):
        self.wait_for_the_primary()
        self.send("--subject", "trace")
        message = self.find("trace", "marc@machin.com")[0]
        received = [" ".join(field.split()) for field in message.get_all("Received")]
        self.assertRegex(received[0], r"^from mail\.truc\.fr \(\[127\.[0-9.]+\]\) by smtp\.machin\.com with ESMTPS "
                                      r".* id \S+ for <marc@machin\.com>; ")
        self.assertRegex(received[1], r"by mail\.truc\.fr with ESMTPSA .* id \S+ for <marc@machin\.com>; ")
        self.assertEqual(len(received), 2)
        self.assertEqual(message.get_all("Return-Path"), ["<fred@truc.fr>"])
        self.assertEqual(message.keys()[0], "Return-Path")
        # The first server has added what was missing.
        self.assertTrue(message["Date"] and message["Message-ID"].endswith("@mail.truc.fr>"))

    def test_the_way_is_drawn_for_people(self):
        text = self.lab("send", "--subject", "text")
        for part in ("mail.truc.fr", "smtp.machin.com", "MX 20 backup1.machin.com", "C: BDAT", "in INBOX"):
            self.assertIn(part, text)
        page = self.lab("send", "--subject", "<script>", "--html")
        self.assertTrue(page.startswith("<!DOCTYPE html>") and "<svg" in page)
        self.assertNotIn("<script>", page)
        self.assertIn("smtp.machin.com", page)

    # ---- B2

    def test_without_mx_the_address_counts(self):
        way = self.send("--to", "bob@direct.cnam.fr", "--subject", "no MX")
        self.assertTrue(way["settled"])
        self.assertEqual(len(self.find("no MX", "bob@cnam.fr")), 1)

    def test_another_name_is_followed(self):
        self.assertTrue(self.send("--to", "bob@alias.cnam.fr", "--subject", "CNAME")["settled"])
        self.assertEqual(len(self.find("CNAME", "bob@cnam.fr")), 1)

    def test_a_domain_that_takes_no_mail_is_known_at_once(self):
        way = self.send("--to", "bob@nomail.cnam.fr", "--subject", "null MX")
        self.assertTrue(way["settled"])
        self.assertIn("failed", [part["title"] for part in way["parts"] if part["kind"] == "result"][0])
        self.assertTrue(wait_for(lambda: self.reports("bob@nomail.cnam.fr")))
        self.assertIn("5.1.10", self.reports("bob@nomail.cnam.fr")[0].as_string())

    def reports(self, about, who="fred@truc.fr"):
        return [message for message in self.messages(who)
                if message.get_content_type() == "multipart/report" and about in message.as_string()]

    # ---- B4

    def test_a_row_of_the_transport_table_stands_before_mx(self):
        self.tool("mail.foo.com", "domain", "add", "example.com", "--same-as", "foo.com")
        table = self.folder / "mail.truc.fr/data/directory/transports"
        before = table.read_text()
        table.write_text(f"example.com smtp:[127.{self.net}.3.1]:{PORT}\n{before}")
        self.tool("mail.truc.fr", "reload")
        way = self.send("--to", "alice@example.com", "--subject", "table")
        self.assertTrue(way["settled"])
        self.assertFalse([line for line in self.lines(way, "decision", "mail.truc.fr") if line.startswith("MX")])
        self.assertEqual(len(self.find("table", "alice@foo.com")), 1)
        table.write_text(before)
        self.tool("mail.truc.fr", "reload")

    # ---- A5, B7

    LETTER = "From: <jqp@bar.com>\r\nTo: <jones@xyz.com>\r\nSubject: {}\r\n\r\nx\r\n"

    def test_a_source_route_is_dropped_and_the_mail_passed_on(self):
        with self.smtp("alice@foo.com") as client:
            client.ehlo()
            client.docmd("MAIL", "FROM:<JQP@bar.com>")
            self.assertEqual(client.docmd("RCPT", "TO:<@foo.com:Jones@XYZ.COM>")[0], 250)
            self.assertEqual(client.data(self.LETTER.format("source route"))[0], 250)
        self.assertTrue(wait_for(lambda: self.find("source route", "jones@xyz.com")))
        message = self.find("source route", "jones@xyz.com")[0]
        self.assertIn("by mail.xyz.com", message.get_all("Received")[0])
        self.assertIn("by mail.foo.com", message.get_all("Received")[1])
        self.assertEqual(message["Return-Path"].lower(), "<jqp@bar.com>")

    def follow(self, what):
        """What mail.foo.com does with source routes from now on."""
        path = self.folder / "mail.foo.com" / "facteur.conf"
        lines = [line for line in path.read_text().splitlines() if not line.startswith("source_routes")]
        path.write_text("\n".join([*lines, f"source_routes = {what}", ""]))
        self.tool("mail.foo.com", "reload")

    def routed(self, subject, form):
        with self.smtp("alice@foo.com") as client:
            client.ehlo()
            client.docmd("MAIL", "FROM:<JQP@bar.com>")
            code = client.docmd("RCPT", f"TO:<{form}>")[0]
            if code == 250:
                self.assertEqual(client.data(self.LETTER.format(subject))[0], 250)
        return code

    def test_a_source_route_is_followed_or_refused_where_the_operator_wants_it(self):
        log = self.folder / "mail.foo.com" / "log"
        self.addCleanup(self.follow, "drop")
        self.follow("honour")
        self.assertEqual(self.routed("honoured", "@foo.com:Jones@XYZ.COM"), 250)
        self.assertTrue(wait_for(lambda: self.find("honoured", "jones@xyz.com")))
        said = log.read_text(errors="replace")
        self.assertIn("MAIL FROM:<@foo.com:JQP@bar.com>", said)
        self.assertIn("RCPT TO:<Jones@xyz.com>", said)
        # Over one more host: it is given the rest of the way, and drops it, as it is set up.
        self.assertEqual(self.routed("further", "@foo.com,@bar.com:Jones@XYZ.COM"), 250)
        self.assertTrue(wait_for(lambda: "RCPT TO:<@bar.com:Jones@xyz.com>" in log.read_text(errors="replace")))
        # What comes back goes straight to the sender.
        self.assertEqual(self.routed("returned", "@foo.com:nobody@XYZ.COM"), 250)
        self.assertTrue(wait_for(lambda: self.find("Undelivered: returned", "jqp@bar.com")))
        self.follow("refuse")
        self.assertEqual(self.routed("refused", "@foo.com:Jones@XYZ.COM"), 553)
        self.assertEqual(self.routed("plain", "Jones@XYZ.COM"), 250)

    def test_strangers_have_no_route(self):
        with self.smtp("alice@foo.com", source=self.address("jqp@bar.com")) as client:
            client.ehlo()
            client.mail("JQP@bar.com")
            for form in ("@foo.com:Jones@XYZ.COM", "jones@xyz.com", "jones%xyz.com@foo.com",
                         f"jones@[{self.address('jones@xyz.com')}]", "xyz.com!jones"):
                self.assertGreaterEqual(client.docmd("RCPT", f"TO:<{form}>")[0], 500, form)
            self.assertEqual(client.rcpt("alice@foo.com")[0], 250)

    def test_a_literal_is_the_host_itself(self):
        literal = f"[{self.address('alice@foo.com')}]"
        self.tool("mail.foo.com", "domain", "add", literal, "--same-as", "foo.com")
        way = self.send("--to", f"alice@{literal}", "--subject", "literal")
        self.assertTrue(way["settled"])
        self.assertFalse([line for line in self.lines(way, "decision", "mail.truc.fr") if line.startswith("MX")])
        self.assertEqual(len(self.find("literal", "alice@foo.com")), 1)

    # ---- A14, B9

    def test_a_message_goes_once_to_each_host(self):
        self.tool("mail.foo.com", "alias", "add", "sales@foo.com", "alice@foo.com")
        self.tool("mail.foo.com", "alias", "add", "info@foo.com", "alice@foo.com")
        way = self.send("--to", "alice@foo.com,sales@foo.com,info@foo.com,bob@cnam.fr", "--subject", "many")
        self.assertTrue(way["settled"])
        dialogue = self.lines(way, "dialogue", "mail.truc.fr")
        self.assertEqual(len([line for line in dialogue if line.startswith("C: RCPT TO:<") and "foo.com" in line]), 3)
        self.assertEqual(len([line for line in dialogue if line.startswith("C: BDAT")]), 2)
        self.assertEqual(len(self.find("many", "alice@foo.com")), 1)
        self.assertEqual(len(self.find("many", "bob@cnam.fr")), 1)

    def test_a_list_sends_one_copy_to_each_and_takes_the_bounces(self):
        self.tool("mail.foo.com", "alias", "add", "--list", "team@foo.com", "alice@foo.com", "jones@xyz.com",
                  "bob@cnam.fr", "bob@cnam.fr", "marc@machin.com")
        self.assertTrue(self.send("--to", "team@foo.com,alice@foo.com", "--subject", "list")["settled"])
        for who in ("jones@xyz.com", "bob@cnam.fr", "marc@machin.com"):
            self.assertTrue(wait_for(lambda who=who: self.find("list", who)), who)
            message, = self.find("list", who)
            self.assertIn("team.foo.com", message["List-Id"])
            self.assertEqual(message["Return-Path"], "<team-owner@foo.com>")
            self.assertIn("fred@truc.fr", message["From"])
        self.assertEqual(len(self.find("list", "alice@foo.com")), 1)

    # ---- B8

    def test_what_cannot_be_delivered_comes_back(self):
        way = self.send("--to", "nobody@xyz.com", "--subject", "bounce")
        self.assertTrue(way["settled"])
        self.assertTrue(wait_for(lambda: self.reports("nobody@xyz.com")))
        report, = self.reports("nobody@xyz.com")
        self.assertEqual(report["Return-Path"], "<>")
        text = report.as_string()
        for part in ("Action: failed", "Status: 5.1.1", "Reporting-MTA: dns; mail.truc.fr", "Subject: bounce"):
            self.assertIn(part, text)

    def test_a_report_that_cannot_be_delivered_ends_there(self):
        with self.smtp("fred@truc.fr") as client:
            client.sendmail("", ["ghost@xyz.com"], "From: <>\r\nSubject: report\r\n\r\nx\r\n")
        log = self.folder / "mail.truc.fr/log"
        self.assertTrue(wait_for(lambda: "event=failed" in log.read_text() and "ghost@xyz.com" in log.read_text()))
        self.send("--subject", "behind it")
        self.assertEqual(self.reports("ghost@xyz.com"), [])

    # ---- B3

    def test_a_secondary_keeps_the_mail_and_is_no_relay(self):
        self.lab("stop", "machin.com")
        try:
            way = self.send("--subject", "kept", "--wait", "3")
            self.assertFalse(way["settled"])
            backup = [host for kind, host in self.kinds(way) if kind == "accepted"][1]
            self.assertIn(backup, ("backup1.machin.com", "backup2.machin.com"))
            place = f"127.{self.net}.2.{backup[6]}".replace(".2.1", ".2.2") if backup[6] == "1" else f"127.{self.net}.2.3"
            with smtplib.SMTP(place, PORT, local_hostname="x.test", source_address=(self.address("jqp@bar.com"), 0),
                              timeout=60) as client:
                client.ehlo()
                client.mail("jqp@bar.com")
                self.assertEqual(client.rcpt("nobody@machin.com")[0], 550)
                self.assertEqual(client.rcpt("alice@foo.com")[0], 554)
                self.assertEqual(client.rcpt("marc@machin.com")[0], 250)
        finally:
            self.lab("start", "machin.com")
        self.assertTrue(wait_for(lambda: self.find("kept", "marc@machin.com")))
        message, = self.find("kept", "marc@machin.com")
        self.assertEqual([field.split(" by ")[1].split()[0] for field in map(lambda f: " ".join(f.split()),
                                                                          message.get_all("Received"))],
                         ["smtp.machin.com", backup, "mail.truc.fr"])

    def test_a_secondary_learns_the_names_of_its_primary(self):
        """By itself, over TLS and a login (option relay_feeds)."""
        def code_of(name):
            stranger = smtplib.SMTP(f"127.{self.net}.2.3", PORT, timeout=60,
                                    source_address=(self.address("jqp@bar.com"), 0))
            with stranger:
                stranger.ehlo()
                stranger.mail("jqp@bar.com")
                return stranger.rcpt(f"{name}@machin.com")[0]

        self.assertEqual(code_of("boss"), 550)
        self.tool("smtp.machin.com", "alias", "add", "boss@machin.com", "marc@machin.com")
        self.assertTrue(wait_for(lambda: code_of("boss") == 250))
        self.assertEqual(code_of("boss+private"), 250)
        self.assertEqual(code_of("nobody"), 550)
        self.tool("smtp.machin.com", "alias", "remove", "boss@machin.com")
        self.assertTrue(wait_for(lambda: code_of("boss") == 550))

    @contextlib.contextmanager
    def patient(self, host):
        """The host's own next try is far away."""
        config = self.folder / host / "facteur.conf"
        before = config.read_text()
        config.write_text(before.replace('queue_interval_max = "2 s"', 'queue_interval_max = "1 h"'))
        self.tool(host, "reload")
        try:
            yield
        finally:
            config.write_text(before)
            self.tool(host, "reload")

    def leave_at(self, host, place, subject):
        """Fred's message to marc waits at a secondary: the primary was away."""
        table = self.folder / "mail.truc.fr/data/directory/transports"
        before = table.read_text()
        table.write_text(f"machin.com smtp:[{place}]:{PORT}\n{before}")
        self.tool("mail.truc.fr", "reload")
        self.lab("stop", "machin.com")
        try:
            way = self.send("--subject", subject, "--wait", "2")
            self.assertIn(("accepted", host), self.kinds(way))
            log = self.folder / host / "log"
            self.assertTrue(wait_for(lambda: "outcome=temporary" in log.read_text(errors="replace")))
        finally:
            table.write_text(before)
            self.tool("mail.truc.fr", "reload")
            self.lab("start", "machin.com")

    def test_who_may_has_waiting_mail_tried_at_once(self):
        """ETRN (RFC 1985)."""
        place = f"127.{self.net}.2.2"
        with self.patient("backup1.machin.com"):
            self.leave_at("backup1.machin.com", place, "etrn")
            self.assertEqual(self.find("etrn", "marc@machin.com"), [])
            with smtplib.SMTP(place, PORT, timeout=60, source_address=(self.address("jqp@bar.com"), 0)) as stranger:
                stranger.ehlo()
                self.assertEqual(stranger.docmd("ETRN", "machin.com")[0], 502)
            with smtplib.SMTP(place, PORT, timeout=60) as client:
                self.assertTrue(client.ehlo()[0] == 250 and client.has_extn("etrn"))
                self.assertEqual(client.docmd("ETRN", "xyz.com")[0], 251)
                self.assertEqual(client.docmd("ETRN", "MACHIN.com")[0], 250)
                self.assertTrue(wait_for(lambda: self.find("etrn", "marc@machin.com")))
                self.assertTrue(wait_for(lambda: client.docmd("ETRN", "machin.com")[0] == 251))
        self.assertEqual(len(self.find("etrn", "marc@machin.com")), 1)

    def test_a_primary_that_connects_gets_its_mail(self):
        """It says no more than EHLO."""
        place = f"127.{self.net}.2.3"
        with self.patient("backup2.machin.com"):
            self.leave_at("backup2.machin.com", place, "connects")
            for source in (self.address("jqp@bar.com"), self.address("marc@machin.com")):
                self.assertEqual(self.find("connects", "marc@machin.com"), [])
                with smtplib.SMTP(place, PORT, timeout=60, source_address=(source, 0)) as client:
                    client.ehlo()
            self.assertTrue(wait_for(lambda: self.find("connects", "marc@machin.com")))

    def test_a_domain_that_is_down_gets_its_mail_later_and_once(self):
        self.lab("stop", "xyz.com")
        try:
            for number in range(5):
                self.send("--to", "jones@xyz.com", "--subject", f"later {number}", "--wait", "0")
            # Killed in between: what was accepted stays.
            os.kill(self.pid("mail.truc.fr"), signal.SIGKILL)
            wait_for(lambda: not self.is_listening("fred@truc.fr"))
            self.lab("start", "truc.fr")
        finally:
            self.lab("start", "xyz.com")
        for number in range(5):
            subject = f"later {number}"
            self.assertTrue(wait_for(lambda subject=subject: self.find(subject, "jones@xyz.com")), subject)
            self.assertEqual(len(self.find(subject, "jones@xyz.com")), 1)

    def pid(self, host):
        return [row["pid"] for row in json.loads(self.lab("status", "--json"))["hosts"] if row["host"] == host][0]

    def is_listening(self, who):
        try:
            socket.create_connection((self.address(who), PORT), timeout=5).close()
            return True
        except OSError:
            return False


if __name__ == "__main__":
    if not Path("/usr/sbin/nsd").exists():
        skip_all("there is no name server: apt install nsd")
    main()
