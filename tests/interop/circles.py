#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a server does to what is handed in: addresses that are replaced (canonical, masquerade), messages that run in a
circle, mailing lists that do (case B6, B9)."""
import json
import subprocess

from office import ALICE, BOB, FACTEUR, OfficeCase, main, wait_for

CONFIG = '''
submission_senders = envelope
rewrite = {"al@pc.example.test alice@example.test", "@*.example.test @example.test"}
'''


class Circles(OfficeCase):
    config = CONFIG

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.office.tool("alias", "add", "--list", "crew@example.test", ALICE, BOB,
                        "--unsubscribe", "https://example.test/leave")

    def hand_in(self, text, to, who=None, sender="someone@elsewhere.test"):
        """The code behind the final dot."""
        with self.office.smtp(who) as client:
            client.ehlo("client.test")
            self.assertEqual(client.mail(sender)[0], 250)
            self.assertEqual(client.rcpt(to)[0], 250)
            return client.data(text)[0]

    def copies(self, subject, who):
        return len([m for m in self.office.messages(who) if f"\r\nSubject: {subject}\r\n".encode() in m])

    # ---- addresses

    HEAD = ('From: "Al" (me) <al@pc.example.test>\r\nTo: Bob <bob@host.sub.example.test>,\r\n bob@example.test\r\n'
            'Subject: {}\r\n\r\nFrom: al@pc.example.test\r\n')

    def test_addresses_of_users_are_replaced_in_header_and_envelope(self):
        self.assertEqual(self.hand_in(self.HEAD.format("canonical"), "bob@pc.example.test", who=ALICE,
                                      sender="al@pc.example.test"), 250)
        text = self.office.find("canonical", BOB)
        self.assertTrue(text.startswith(b"Return-Path: <alice@example.test>\r\n"), text[:100])
        self.assertIn(b'From: "Al" (me) <alice@example.test>\r\n', text)
        self.assertIn(b"To: Bob <bob@example.test>,\r\n bob@example.test\r\n", text)
        self.assertIn(b"\r\n\r\nFrom: al@pc.example.test\r\n", text)
        self.assertIn(b"\r\nMessage-ID: ", text)

    def test_strangers_mail_stays_as_it_is(self):
        self.assertEqual(self.hand_in(self.HEAD.format("strange"), BOB, sender="al@pc.example.test"), 250)
        text = self.office.find("strange", BOB)
        self.assertTrue(text.startswith(b"Return-Path: <al@pc.example.test>\r\n"))
        self.assertIn(b'From: "Al" (me) <al@pc.example.test>\r\n', text)

    def test_route_shows_what_becomes_of_an_address(self):
        # What a stranger hands in stays; no name system knows the domain, or can be asked.
        done = subprocess.run([FACTEUR, "route", "x@pc.example.test", "--json"], env=self.office.environment(),
                              capture_output=True, text=True, check=False, timeout=120)
        self.assertIn(done.returncode, (68, 75), done.stderr)
        stranger = json.loads(done.stdout)
        self.assertEqual(stranger["rewritten"], "x@example.test")
        self.assertTrue(stranger["verdict"].startswith("of another host"), stranger)
        user = self.office.tool_data("route", "bob@pc.example.test", "--from", "al@pc.example.test", "--submitted")
        self.assertEqual((user["rewritten"], user["rewritten_sender"]), (BOB, ALICE))
        self.assertEqual([row["target"] for row in user["targets"]], [BOB])
        self.assertIn("al@pc.example.test → alice@example.test", user["steps"][0]["step"])
        self.assertEqual(self.office.tool_data("route", BOB)["rewritten"], "")

    def test_a_damaged_rule_is_refused_by_name_and_line(self):
        path = self.office.folder / "facteur.conf"
        before = path.read_text()
        self.addCleanup(path.write_text, before)
        path.write_text(before + 'rewrite += "@pc.example.test alice@example.test"\n')
        line = before.count("\n") + 1
        with self.assertRaisesRegex(AssertionError, rf"exit code 78: .*facteur\.conf:{line}: rewrite: "
                                                    r"expected @ in front of the second"):
            self.office.tool("config", "check")
        with self.assertRaises(AssertionError):
            self.office.tool("reload")
        # What was right goes on.
        self.assertEqual(self.hand_in(self.HEAD.format("goes on"), BOB, who=ALICE, sender="al@pc.example.test"), 250)
        self.assertIn(b"<alice@example.test>", self.office.find("goes on", BOB))

    def test_headers_of_any_size_pass(self):
        for size in (10, 100_000, 300_000):
            lines = "".join(f"X-Number: {number:060}\r\n" for number in range(size // 74))
            subject = f"size {size}"
            text = f"{lines}From: <al@pc.example.test>\r\nSubject: {subject}\r\n\r\nx\r\n"
            self.assertEqual(self.hand_in(text, BOB, who=ALICE, sender=ALICE), 250)
            found = self.office.find(subject, BOB)
            self.assertEqual(found.count(b"X-Number: "), size // 74)
            self.assertEqual(b"From: <alice@example.test>" in found, size < 128 * 1024)
        # No header at all, and nothing but a header.
        self.assertEqual(self.hand_in("just text\r\n", BOB, who=ALICE, sender=ALICE), 250)
        self.assertEqual(self.hand_in("Subject: head\r\nFrom: <al@pc.example.test>\r\n", BOB, who=ALICE, sender=ALICE),
                         250)
        self.assertIn(b"From: <alice@example.test>", self.office.find("head", BOB))

    # ---- circles

    def test_what_has_come_through_a_hundred_servers_is_in_a_circle(self):
        trace = "Received: from a.test by b.test; Tue, 3 Mar 2026 10:00:00 +0000\r\n"
        text = "Subject: hops {0}\r\n\r\nReceived: in the text\r\n"
        self.assertEqual(self.hand_in(trace * 100 + text.format(100), BOB), 250)
        self.assertEqual(self.hand_in(trace * 101 + text.format(101), BOB), 554)
        self.office.find("hops 100", BOB)
        self.assertFalse([m for m in self.office.messages(BOB) if b"Subject: hops 101\r\n" in m])

    def test_a_list_takes_nothing_twice(self):
        self.assertEqual(self.hand_in("Subject: to the crew\r\n\r\nx\r\n", "crew@example.test"), 250)
        self.assertTrue(wait_for(lambda: self.copies("to the crew", BOB) == 1))
        text = self.office.find("to the crew", BOB)
        self.assertIn(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", text)
        self.assertIn(b"List-Id: ", text)
        self.assertTrue(text.startswith(b"Return-Path: <crew-owner@example.test>\r\n"))
        # A member that is a list elsewhere sends it back.
        self.assertEqual(self.hand_in(text.decode(), "crew@example.test"), 554)
        self.assertEqual(self.hand_in(text.decode().replace("to the crew", "to one"), BOB), 250)
        self.office.find("to one", BOB)
        self.office.find("to the crew", BOB)

    def test_a_list_that_leads_to_one_mailbox_twice_delivers_once(self):
        self.office.tool("alias", "add", "--list", "all@example.test", "crew@example.test", ALICE, "bob@example.test")
        with self.office.smtp() as client:
            client.sendmail("someone@elsewhere.test", ["all@example.test", ALICE], "Subject: once\r\n\r\nx\r\n")
        for who in (ALICE, BOB):
            self.assertTrue(wait_for(lambda who=who: self.copies("once", who) == 1), who)
        self.office.send("later", to="all@example.test")
        self.assertTrue(wait_for(lambda: self.copies("later", ALICE) == 1))
        for who in (ALICE, BOB):
            self.assertEqual(self.copies("once", who), 1)


if __name__ == "__main__":
    main()
