#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""When mail is to go, by when it is to be there, and before which other mail (case B8): FUTURERELEASE
(RFC 4865), DELIVERBY (RFC 2852) and MT-PRIORITY (RFC 6710), from a user to another host and back."""
import datetime
import re
import socket
import threading
import time
import unittest

from office import ALICE, BOB, Office, free_port, main, wait_for

CAROL, PLAIN, AWAY = "carol@far.test", "dave@plain.test", "nobody@away.test"
HELD_S = 4


def letter(subject, to):
    return (f"From: <{ALICE}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Fri, 21 Nov 2025 10:00:00 +0000\r\n"
            f"Message-ID: <{subject}@example.test>\r\n\r\nBody of {subject}.\r\n").encode()


class PlainHost:
    """A host that knows no extension, and takes everything. It remembers what it was told."""

    def __init__(self, *keywords):
        self.port, self.keywords, self.said = free_port(), keywords, []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=[client], daemon=True).start()

    def talk(self, client):
        lines = client.makefile("rb")
        say = lambda text: client.sendall(text.encode() + b"\r\n")
        say("220 plain.test")
        for line in lines:
            line = line.decode(errors="replace").rstrip()
            self.said.append(line)
            verb = line[:4].upper()
            if verb == "EHLO":
                say("\r\n".join(f"250-{word}" for word in ("plain.test", *self.keywords)) + "\r\n250 HELP")
            elif verb == "DATA":
                say("354 go on")
                while (line := next(lines)) != b".\r\n":
                    self.said.append(line.decode(errors="replace").rstrip())
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                client.close()
                return
            else:
                say("250 ok")

    def heard(self, start):
        return [line for line in self.said if line.startswith(start)]

    def close(self):
        self.listener.close()


class Wishes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = Office(config='\ntrusted_networks = {"127.0.0.0/8"}\nrelay_networks = {"127.0.0.0/8"}\n')
        cls.far.tool("domain", "add", "far.test")
        cls.far.tool("user", "add", CAROL, "--password-stdin", text="secret of carol\n")
        cls.far.people[CAROL] = "secret of carol"
        cls.plain = PlainHost()
        cls.office = Office(config='\nqueue_interval_max = "1 s"\nlocal_destinations = yes\n')
        rows = [f"far.test smtp:[127.0.0.1]:{cls.far.base + 25}", f"plain.test smtp:[127.0.0.1]:{cls.plain.port}",
                f"away.test smtp:[127.0.0.1]:{cls.office.base + 26}"]  # nobody listens there
        (cls.office.folder / "data/directory/transports").write_text("\n".join(rows) + "\n")
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.plain.close()
        cls.far.close()

    def send(self, subject, to, *wishes, rcpt=()):
        with self.office.smtp(ALICE) as client:
            client.sendmail(ALICE, [to], letter(subject, to), wishes, rcpt)
        return time.time()

    def found(self, subject, who, office=None):
        key = f"\r\nSubject: {subject}\r\n".encode()
        return [m.decode(errors="replace") for m in (office or self.office).messages(who) if key in m]

    def arrival(self, subject, who, office=None):
        """When it arrived; what the clock said when it was seen."""
        self.assertTrue(wait_for(lambda: self.found(subject, who, office)), subject)
        return time.time()

    def report(self, subject):
        """The notification about the message of this subject that Alice has got."""
        key = f"<{subject}@example.test>"
        mine = lambda: [m for m in (m.decode(errors="replace") for m in self.office.messages(ALICE))
                        if "multipart/report" in m and key in m]
        self.assertTrue(wait_for(mine), subject)
        return mine()[0]

    def test_held_mail_goes_when_its_time_has_come_and_not_before(self):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=HELD_S + 1)
        cases = [("held-far", CAROL, self.far, f"HOLDFOR={HELD_S}"),
                 ("held-here", BOB, None, f"HOLDUNTIL={until:%Y-%m-%dT%H:%M:%SZ}")]
        sent = {subject: self.send(subject, to, wish) for subject, to, _, wish in cases}
        waiting = {row["recipient"] for row in self.office.tool_data("queue", "list")["recipients"]}
        self.assertLessEqual({CAROL, BOB}, waiting)
        for subject, to, office, _ in cases:
            self.assertGreaterEqual(self.arrival(subject, to, office) - sent[subject], HELD_S - 1.1)

    def test_a_report_of_held_mail_says_what_was_asked_for(self):
        self.send("held-lost", AWAY, "HOLDFOR=1", "BY=3;R")
        text = self.report("held-lost")
        self.assertIn("Future-Release-Request: for;1", text)
        self.assertRegex(text, r"Arrival-Date: \w+")
        self.assertRegex(text, r"Deliver-By-Date: \w+")

    def test_what_must_arrive_in_time_comes_back(self):
        self.send("too-late", AWAY, "BY=2;R")
        text = self.report("too-late")
        self.assertIn("Action: failed", text)
        self.assertIn("Status: 5.4.7", text)

    def test_what_must_arrive_in_time_is_not_given_to_who_does_not_promise_it(self):
        self.send("no-promise", PLAIN, "BY=60;R")
        text = self.report("no-promise")
        self.assertIn("Action: failed", text)
        self.assertIn("Status: 5.3.3", text)
        self.assertFalse([line for line in self.plain.said if "no-promise" in line])

    def test_what_should_arrive_in_time_is_told_about_when_it_does_not(self):
        self.send("late", AWAY, "BY=2;N")
        text = self.report("late")
        self.assertIn("Action: delayed", text)
        self.assertIn("Status: 4.4.7", text)
        self.office.tool("queue", "delete", "--recipient", AWAY)

    def test_the_sender_hears_where_the_time_is_lost_sight_of(self):
        self.send("lost-sight", PLAIN, "BY=60;N")
        text = self.report("lost-sight")
        self.assertIn("Action: relayed", text)
        self.assertIn("Subject: lost-sight", self.plain.said)
        self.assertFalse([line for line in self.plain.heard("MAIL") if "BY=" in line])

    def test_the_time_that_is_left_is_passed_on(self):
        self.send("passed-on", CAROL, "BY=60;NT", "MT-PRIORITY=3")
        self.arrival("passed-on", CAROL, self.far)
        text = self.report("passed-on")
        self.assertIn("Action: relayed", text)  # T asks for it
        message = self.found("passed-on", CAROL, self.far)[0]
        priorities = re.findall(r"PRIORITY (-?\d)", message)
        self.assertEqual(priorities, ["3", "3"])

    def test_urgent_mail_goes_before_what_waits(self):
        """One destination, one transaction at a time: the last comes first."""
        slow = PlainHost("MT-PRIORITY")
        office = Office(config='\nlocal_destinations = yes\nqueue_concurrency = 1\nqueue_rate = 60\n')
        try:
            (office.folder / "data/directory/transports").write_text(f"slow.test smtp:[127.0.0.1]:{slow.port}\n")
            office.tool("reload")
            with office.smtp(ALICE) as client:
                for i, priority in enumerate([-3, 0, -3, 0, -3, 0, 0, 0, 0, 0, 6]):
                    client.sendmail(ALICE, ["x@slow.test"], letter(f"n{i}", "x@slow.test"),
                                    [f"MT-PRIORITY={priority}"])
            self.assertTrue(wait_for(lambda: len(slow.heard("Subject: ")) == 11))
            order = [line.removeprefix("Subject: n") for line in slow.heard("Subject: ")]
            self.assertLess(order.index("10"), 5, order)  # some were on their way already
            self.assertIn("MAIL FROM:<alice@example.test> MT-PRIORITY=6", " ".join(
                re.sub(r" SIZE=\d+", "", line) for line in slow.heard("MAIL")))
        finally:
            office.close()
            slow.close()

    def test_a_message_to_very_many_leaves_room_for_single_ones(self):
        """One destination, one transaction a second: a thousand recipients take ten of them."""
        slow = PlainHost()
        office = Office(config='\nlocal_destinations = yes\nqueue_concurrency = 1\nqueue_rate = 60\n')
        many = [f"user{i}@slow.test" for i in range(1000)]
        try:
            (office.folder / "data/directory/transports").write_text(f"slow.test smtp:[127.0.0.1]:{slow.port}\n")
            office.tool("reload")
            with office.smtp(ALICE) as client:
                client.sendmail(ALICE, many, letter("to-many", "all@slow.test"))
                client.sendmail(ALICE, ["one@slow.test"], letter("to-one", "one@slow.test"))
            self.assertTrue(wait_for(lambda: "Subject: to-one" in slow.said))
            before = slow.said[:slow.said.index("Subject: to-one")].count("Subject: to-many")
            self.assertLess(before, 6, "of ten transactions")
        finally:
            office.close()
            slow.close()


if __name__ == "__main__":
    main()
