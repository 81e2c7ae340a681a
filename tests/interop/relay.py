#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mail from one Facteur to another (cases A5, A14, B1, B3, B4, B8): carried, retried while the other
is down, returned when it is refused; crashes in between lose nothing; strangers are not relayed."""
import os
import signal
import unittest

from office import ALICE, BOB, Lines, Office, main, wait_for

FAR, AWAY = "carol@far.test", "away.test"
QUICK = '\nqueue_interval_max = "1 s"\nlocal_destinations = yes\n'


def letter(subject, to=FAR, sender=ALICE):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Date: Fri, 21 Nov 2025 10:00:00 +0000\r\nMessage-ID: <{subject}@example.test>\r\n\r\n"
            f"Body of {subject}.\r\n").encode()


class Relay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = Office()
        cls.far.tool("domain", "add", "far.test")
        cls.far.tool("user", "add", FAR, "--password-stdin", text="secret of carol\n")
        cls.far.people[FAR] = "secret of carol"
        cls.near = Office(config=QUICK)
        rows = [f"far.test smtp:[127.0.0.1]:{cls.far.base + 25}",
                f"{AWAY} smtp:[127.0.0.1]:{cls.near.base + 26}",  # nobody listens there
                "never.test error:5.7.1 not to never.test"]
        (cls.near.folder / "data/directory/transports").write_text("\n".join(rows) + "\n")
        cls.near.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.near.close()
        cls.far.close()

    def arrived(self, subject, who, office=None):
        key = f"\r\nSubject: {subject}\r\n".encode()
        return [m for m in (office or self.far).messages(who) if key in m]

    def send(self, subject, *to, options=(), rcpt_options=()):
        with self.near.smtp(ALICE) as client:
            client.sendmail(ALICE, to, letter(subject, to[0]), options, rcpt_options)

    def test_a_users_mail_is_carried_to_the_other_host(self):
        self.send("carried", FAR)
        self.assertTrue(wait_for(lambda: self.arrived("carried", FAR)))
        message = self.arrived("carried", FAR)[0]
        self.assertTrue(message.startswith(b"Return-Path: <alice@example.test>\r\n"))
        self.assertEqual(message.count(b"Return-Path:"), 1)
        self.assertEqual(message.count(b"\nReceived: "), 2)
        self.assertIn(b"Body of carried.", message)

    def test_local_and_remote_recipients_share_one_message(self):
        self.send("both", FAR, BOB)
        self.assertTrue(wait_for(lambda: self.arrived("both", FAR)))
        self.assertEqual(len(self.arrived("both", BOB, self.near)), 1)

    def test_strangers_are_not_relayed(self):
        with Lines(self.near.base + 25) as client:
            client.reply()
            client.ask("EHLO stranger.test")
            client.ask("MAIL FROM:<x@stranger.test>")
            for form in (FAR, "carol%far.test@example.test", "@example.test:carol@far.test",
                         '"carol@far.test"@example.test', "far.test!carol"):
                self.assertTrue(client.ask(f"RCPT TO:<{form}>").startswith("5"), form)

    def test_a_refused_recipient_comes_back_to_the_sender(self):
        self.send("refused", "nobody@far.test")
        wait_for(lambda: self.reports("refused"))
        report = self.reports("refused")[0]
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"))
        self.assertIn(b"multipart/report", report)
        self.assertIn(b"Action: failed", report)
        self.assertIn(b"Final-Recipient: rfc822; nobody@far.test", report)
        self.assertIn(b"Status: 5.1.1", report)

    def reports(self, subject):
        return [m for m in self.near.messages(ALICE)
                if b"message/delivery-status" in m and f"{subject}".encode() in m]

    def test_what_the_table_refuses_comes_back_too(self):
        self.send("never", "x@never.test")
        wait_for(lambda: self.reports("never"))
        self.assertIn(b"not to never.test", self.reports("never")[0])

    def test_a_list_of_both_kinds_reports_only_what_failed(self):
        self.send("mixed", FAR, "nobody@far.test")
        wait_for(lambda: self.reports("mixed"))
        self.assertNotIn(b"Final-Recipient: rfc822; carol", self.reports("mixed")[0])
        self.assertEqual(len(self.arrived("mixed", FAR)), 1)

    def test_success_is_reported_when_it_was_asked_for(self):
        with self.near.smtp(ALICE) as client:
            client.ehlo()
            client.mail(ALICE, ["RET=HDRS", "ENVID=QQ314159"])
            client.rcpt(FAR, ["NOTIFY=SUCCESS", f"ORCPT=rfc822;{FAR}"])
            self.assertEqual(client.data(letter("told"))[0], 250)
        self.assertTrue(wait_for(lambda: self.arrived("told", FAR)))

    def test_success_here_is_reported_too(self):
        with self.near.smtp(ALICE) as client:
            client.ehlo()
            client.mail(ALICE, ["RET=HDRS", "ENVID=here-1"])
            client.rcpt(ALICE, ["NOTIFY=SUCCESS", f"ORCPT=rfc822;{ALICE}"])
            self.assertEqual(client.data(letter("told here"))[0], 250)
        self.assertTrue(wait_for(lambda: self.reports("told here")), self.near.log_text()[-3000:])
        [report] = self.reports("told here")
        for line in (b"Action: delivered", b"Original-Envelope-Id: here-1", b"Status: 2.0.0"):
            self.assertIn(line, report)

    def test_a_host_that_was_down_gets_its_mail_later_and_once(self):
        self.far.stop()
        for number in range(20):
            self.send(f"later-{number}", FAR)
        self.near.server.poll()
        store = next(iter(self.near.processes("store")))
        os.kill(store, signal.SIGKILL)
        wait_for(lambda: self.near.processes("store"))
        self.far.start()
        for number in range(20):
            self.assertTrue(wait_for(lambda n=number: self.arrived(f"later-{n}", FAR)), number)
        for number in range(20):
            self.assertEqual(len(self.arrived(f"later-{number}", FAR)), 1)

    def test_a_host_that_never_answers_keeps_the_mail_waiting(self):
        self.send("waiting", f"x@{AWAY}")
        self.assertTrue(wait_for(lambda: "\"delayed\"" in self.near.log_text()
                                 or "event=delayed" in self.near.log_text()
                                 or " delayed " in self.near.log_text()))
        self.assertEqual(self.reports("waiting"), [])


if __name__ == "__main__":
    main()
