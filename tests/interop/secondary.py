#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A secondary server learns the names of a domain from the domain's own server (options relay_feeds and
relay_feed_to): over TLS and a login, by itself; and servers that mean it no good."""
import unittest

from office import ALICE, Listener, Office, main, wait_for

BACKUP = "backup@example.test"
DOMAIN = "machin.test"


class Primary(Office):
    """Keeps machin.test; backup@example.test may know its names."""

    def __init__(self):
        super().__init__(config=f'relay_feed_to = {{"{BACKUP} {DOMAIN}"}}\n')
        self.tool("domain", "add", DOMAIN)
        self.tool("user", "add", BACKUP, "--password-stdin", text="a secret of ours\n")
        self.people[BACKUP] = "a secret of ours"
        self.tool("alias", "add", f"marc@{DOMAIN}", ALICE)


class Hostile(Listener):
    """A server that says what the test has it say to XNAMES; it asks for no login."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        super().__init__()

    def serve(self, stream):
        try:
            with stream, stream.makefile("rb") as lines:
                stream.sendall(b"220 hostile.test\r\n")
                for line in lines:
                    word = line.split()[0].upper()
                    if word == b"XNAMES":
                        self.asked.append(line.split())
                        stream.sendall(self.answer(line.split()))
                    else:
                        stream.sendall(b"250 XNAMES\r\n" if word == b"EHLO" else b"250 ok\r\n")
        except OSError:
            pass


def secondary(way, interval="1 s", text=""):
    return Office(config=f'local_destinations = yes\nrelay_feed_interval = "{interval}"\n'
                         f'relay_feeds = {{"{DOMAIN} {way}"}}\n' + text)


def code_of(office, name):
    """What a stranger hears of a recipient of machin.test."""
    with office.smtp() as client:
        client.ehlo()
        client.mail("stranger@elsewhere.test")
        return client.rcpt(f"{name}@{DOMAIN}")[0]


class Feed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.primary = Primary()
        cls.secondary = secondary(f"smtp:[127.0.0.1]:{cls.primary.base + 587} auth=machin tls=encrypt")
        credentials = cls.secondary.folder / "data/directory/credentials"
        credentials.write_text(f"machin {BACKUP} {cls.primary.people[BACKUP]}\n")

    @classmethod
    def tearDownClass(cls):
        cls.secondary.close()
        cls.primary.close()

    def wait_for_code(self, name, code):
        self.assertTrue(wait_for(lambda: code_of(self.secondary, name) == code), self.secondary.log_text()[-3000:])

    def test_names_come_and_go_by_themselves(self):
        self.wait_for_code("marc", 250)
        self.assertEqual(code_of(self.secondary, "marc+list"), 250)
        self.assertEqual(code_of(self.secondary, "abuse"), 250)
        self.assertEqual(code_of(self.secondary, "nobody"), 550)
        self.primary.tool("alias", "add", f"newcomer@{DOMAIN}", ALICE)
        self.wait_for_code("newcomer", 250)
        self.primary.tool("alias", "remove", f"newcomer@{DOMAIN}")
        self.wait_for_code("newcomer", 550)

    def test_a_long_list_comes_in_pages(self):
        accounts = self.primary.folder / "data/directory/accounts"
        before = accounts.read_text()
        accounts.write_text(before + "".join(
            f"alias a-name-{number:05}-that-is-rather-long@{DOMAIN} to={ALICE}\n" for number in range(3000)))
        self.primary.tool("reload")
        try:
            self.wait_for_code("a-name-02999-that-is-rather-long", 250)
            self.assertEqual(code_of(self.secondary, "a-name-00000-that-is-rather-long"), 250)
            self.assertEqual(code_of(self.secondary, "a-name-03000-that-is-rather-long"), 550)
        finally:
            accounts.write_text(before)
            self.primary.tool("reload")

    def test_what_is_known_stays_when_the_primary_is_away_and_over_a_restart(self):
        self.wait_for_code("marc", 250)
        self.primary.stop()
        try:
            self.secondary.stop()
            self.secondary.start()
            self.assertEqual(code_of(self.secondary, "marc"), 250)
            self.assertEqual(code_of(self.secondary, "nobody"), 550)
        finally:
            self.primary.start()

    def test_the_command_is_for_who_may_know_only(self):
        with self.primary.smtp(BACKUP) as client:
            client.ehlo()
            self.assertTrue(client.has_extn("XNAMES"))
            code, text = client.docmd("XNAMES", f"{DOMAIN} 0 0")
            self.assertEqual(code, 250)
            serial, end = text.split(b"\n")[0].split()[-2:]
            self.assertEqual(end, b"end")
            self.assertIn(b"marc", text)
            code, text = client.docmd("XNAMES", f"{DOMAIN} {serial.decode()} 0")
            self.assertEqual((code, text.split()[-1]), (250, b"same"))
            self.assertEqual(client.docmd("XNAMES", f"{DOMAIN} 0 3")[0], 450)
            self.assertEqual(client.docmd("XNAMES", "example.test 0 0")[0], 550)
            self.assertEqual(client.docmd("XNAMES", "nowhere.test 0 0")[0], 550)
            self.assertEqual(client.docmd("XNAMES", f"{DOMAIN} x 0")[0], 501)
        with self.primary.smtp(ALICE) as client:
            client.ehlo()
            self.assertFalse(client.has_extn("XNAMES"))
            self.assertEqual(client.docmd("XNAMES", f"{DOMAIN} 0 0")[0], 502)
        with self.primary.smtp() as stranger:
            stranger.ehlo()
            self.assertFalse(stranger.has_extn("XNAMES"))
            self.assertEqual(stranger.docmd("XNAMES", f"{DOMAIN} 0 0")[0], 502)


class HostilePrimary(unittest.TestCase):
    def with_answer(self, answer, why):
        """The secondary keeps nothing of it, and says why."""
        hostile = Hostile(answer)
        office = secondary(f"smtp:[127.0.0.1]:{hostile.port} tls=none", "1 h")
        try:
            self.assertTrue(wait_for(lambda: "names_not_learned" in office.log_text()))
            self.assertIn(why, office.log_text())
            self.assertEqual(code_of(office, "marc"), 451)
            self.assertEqual(code_of(office, "postmaster"), 250)
        finally:
            office.close()
            hostile.close()
        return hostile.asked

    def test_a_list_without_progress_ends(self):
        asked = self.with_answer(lambda words: b"250-1 5\r\n250 marc\r\n", "is no list of names")
        self.assertEqual(len(asked), 2)

    def test_a_list_that_always_changes_ends(self):
        numbers = iter(range(1, 1000))
        asked = self.with_answer(lambda words: b"250-%d %d\r\n250 marc\r\n" % (next(numbers), int(words[3]) + 5),
                                 "change faster than they are told")
        self.assertLessEqual(len(asked), 8)

    def test_a_name_that_is_none_of_the_domain_spoils_the_list(self):
        for name in (b"a@other.test", b"a+0D+0Abcc", b"x" * 400, b"+ZZ"):
            with self.subTest(name=name):
                self.with_answer(lambda words, name=name: b"250-1 end\r\n250-marc\r\n250 %s\r\n" % name,
                                 "a name in the host's list")

    def test_what_is_no_list_is_none(self):
        self.with_answer(lambda words: b"250 hello\r\n", "is no list of names")

    def test_a_refusal_changes_nothing(self):
        self.with_answer(lambda words: b"550 5.7.1 not for you\r\n", "not for you")

    def test_an_answer_of_too_many_lines_ends(self):
        self.with_answer(lambda words: b"250-1 end\r\n" * 300, "no SMTP reply")

    def test_names_do_not_travel_in_the_clear_beyond_this_machine(self):
        office = secondary("smtp:[192.0.2.1]:587 tls=may", "1 h")
        try:
            self.assertTrue(wait_for(lambda: "it needs tls=verify" in office.log_text()))
        finally:
            office.close()


class Check(unittest.TestCase):
    def test_rows_that_are_wrong_are_named(self):
        office = Office()
        try:
            path = office.folder / "facteur.conf"
            before = path.read_text()
            for row in ('relay_feeds = {"machin.test"}', 'relay_feeds = {"machin.test lmtp:unix:/x"}',
                        'relay_feed_to = {"alice@example.test"}', 'relay_feed_to = {"a b c"}'):
                path.write_text(before + row + "\n")
                option = row.split()[0]
                with self.assertRaises(AssertionError) as raised:
                    office.tool("check")
                self.assertIn(option + ": expected entries", str(raised.exception))
            path.write_text(before)
        finally:
            office.close()


if __name__ == "__main__":
    main()
