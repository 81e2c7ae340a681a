#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Call-ahead: while a stranger waits for the answer to RCPT, the next host of a relay domain is asked whether it
would take the mail (option call_ahead). The next hosts: Facteur, Debian's Postfix, and one that counts what it is asked;
strangers cannot have names tried out through us."""
import os
import unittest

from office import ALICE, Listener, Office, main, wait_for
from peers import Postfix

DOMAIN = "machin.test"


class Counter(Listener):
    """Takes mail for names that begin with g, refuses b…, and cannot say for others. Counts questions; has seen no DATA."""

    def __init__(self):
        self.asked, self.said = [], []
        super().__init__()

    def serve(self, stream):
        try:
            with stream, stream.makefile("rb") as lines:
                stream.sendall(b"220 counter.test\r\n")
                for line in lines:
                    self.said.append(line.strip())
                    answer = b"250 ok\r\n"
                    if line.startswith(b"RCPT TO:<"):
                        self.asked.append(line[9:].split(b"@")[0].decode())
                        answer = {ord("g"): b"250 ok\r\n", ord("b"): b"550 5.1.1 nobody\r\n"}.get(
                            line[9], b"450 4.2.0 later\r\n")
                    elif line.startswith(b"DATA"):
                        answer = b"554 nothing is to be sent\r\n"
                    stream.sendall(answer)
        except OSError:
            pass


def near(port, text="", relay=("relay", "add", DOMAIN), domain=DOMAIN):
    office = Office(config=f'local_destinations = yes\ncall_ahead = {{"{domain}"}}\n' + text)
    office.tool(*relay)
    (office.folder / "data/directory/transports").write_text(f"{domain} smtp:[127.0.0.1]:{port}\n")
    office.tool("reload")
    return office


def codes_of(office, *names, domain=DOMAIN):
    """What a stranger hears of recipients, in one transaction."""
    with office.smtp() as client:
        client.ehlo()
        client.mail("stranger@elsewhere.test")
        return [client.rcpt(f"{name}@{domain}")[0] for name in names]


class CallAhead(unittest.TestCase):
    def setUp(self):
        self.counter = Counter()
        self.addCleanup(self.counter.close)

    def near(self, *words, **options):
        office = near(self.counter.port, *words, **options)
        self.addCleanup(office.close)
        return office

    def test_the_next_host_says_whom_it_takes_and_is_not_asked_twice(self):
        office = self.near()
        for _ in range(2):
            self.assertEqual(codes_of(office, "good", "bad", "later"), [250, 550, 250])
        self.assertEqual(sorted(self.counter.asked), ["bad", "good", "later"])
        self.assertIn(b"MAIL FROM:<>", self.counter.said)
        self.assertNotIn(b"DATA", self.counter.said)

    def test_postmaster_is_not_asked_about_nor_is_what_users_send(self):
        office = self.near()
        self.assertEqual(codes_of(office, "postmaster"), [250])
        with office.smtp(ALICE) as client:
            client.ehlo()
            client.mail(ALICE)
            self.assertEqual(client.rcpt(f"bad@{DOMAIN}")[0], 250)
        self.assertEqual(self.counter.asked, [])

    def test_answers_hold_for_their_times(self):
        office = self.near('call_ahead_good = "1 s"\ncall_ahead_bad = "1 h"\n')

        def questions():
            codes_of(office, "good", "bad")
            return self.counter.asked.count("good")

        self.assertTrue(wait_for(lambda: questions() >= 3))
        self.assertEqual(self.counter.asked.count("bad"), 1)

    def test_who_cannot_be_asked_may_be_put_off(self):
        office = self.near('call_ahead_failure = defer\n')
        self.assertEqual(codes_of(office, "good", "later"), [250, 450])
        self.counter.close()
        (office.folder / "data/directory/transports").write_text(f"{DOMAIN} smtp:[127.0.0.1]:1\n")
        office.tool("reload")
        self.assertTrue(wait_for(lambda: codes_of(office, "gnu") == [450]))
        self.assertEqual(codes_of(office, "good"), [250])  # as was said before

    def test_domains_whose_names_are_known_are_not_asked_about(self):
        office = self.near(relay=("relay", "add", DOMAIN, "--listed"))
        accounts = office.folder / "data/directory/accounts"
        accounts.write_text(accounts.read_text() + f"recipient bert@{DOMAIN}\n")
        office.tool("reload")
        self.assertEqual(codes_of(office, "bert", "good"), [250, 550])
        self.assertEqual(self.counter.asked, [])

    def test_strangers_have_few_names_tried_out(self):
        """By as many connections as they like: what is above the rate is not asked."""
        office = self.near('call_ahead_rate = 10\nerrors_max = 1000\ntarpit_errors = 1000\n')
        codes = []
        for session in range(4):
            codes += codes_of(office, *(f"b{session}x{number}" for number in range(20)))
        self.assertLessEqual(len(self.counter.asked), 20)  # a minute may have ended in between
        self.assertEqual(codes.count(550), len(self.counter.asked))
        self.assertEqual(codes.count(250), 80 - len(self.counter.asked))

    def test_names_that_are_routes_get_nowhere(self):
        office = self.near()
        self.assertEqual(codes_of(office, "good%elsewhere.test", '"good@elsewhere.test"', "elsewhere.test!good"),
                         [550, 550, 550])
        self.assertEqual(self.counter.asked, [])


class Hosts(unittest.TestCase):
    def test_facteur_says_it_of_its_people(self):
        far = Office()
        self.addCleanup(far.close)
        far.tool("domain", "add", DOMAIN)
        far.tool("alias", "add", f"marc@{DOMAIN}", ALICE)
        office = near(far.base + 25)
        self.addCleanup(office.close)
        self.assertEqual(codes_of(office, "marc", "nobody"), [250, 550])

    def test_postfix_says_it_of_its_people(self):
        reason = Postfix.missing() or (None if os.geteuid() == 0 else "Postfix needs root")
        if reason:
            self.skipTest(reason)
        peer = Postfix()
        self.addCleanup(peer.close)
        office = near(peer.port, domain="peer.test", relay=("relay", "add", "peer.test"))
        self.addCleanup(office.close)
        self.assertEqual(codes_of(office, "jones", "unknown", domain="peer.test"), [250, 550])


if __name__ == "__main__":
    main()
