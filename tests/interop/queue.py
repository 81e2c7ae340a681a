#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The queue as its operator sees it (cases A14, B1, B3): list, show, hold, release, retry, delete,
bounce, mailq, and where a message went."""
import json
import subprocess
import unittest

from office import ALICE, BOB, FACTEUR, Office, main, wait_for

AWAY = "away.test"
QUICK = '\nqueue_interval_max = "1 h"\nlocal_destinations = yes\n'
NOUSER, USAGE = 67, 64


def letter(subject, to, sender=ALICE):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Date: Fri, 21 Nov 2025 10:00:00 +0000\r\nMessage-ID: <{subject}@example.test>\r\n\r\n"
            f"Body of {subject}.\r\n").encode()


class Queue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = Office()
        cls.far.tool("domain", "add", "far.test")
        cls.far.tool("user", "add", "carol@far.test", "--password-stdin", text="secret of carol\n")
        cls.far.people["carol@far.test"] = "secret of carol"
        cls.office = Office(config=QUICK)
        nowhere = f"smtp:[127.0.0.1]:{cls.office.base + 26}"  # nobody listens there
        rows = [f"{AWAY} {nowhere}", f"*.{AWAY} {nowhere}",
                f"far.test smtp:[127.0.0.1]:{cls.far.base + 25}"]
        (cls.office.folder / "data/directory/transports").write_text("\n".join(rows) + "\n")
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.far.close()

    def tearDown(self):
        self.queue("delete", "--all")
        self.assertTrue(wait_for(lambda: not self.rows() or not self.queue("delete", "--all")))

    def send(self, subject, *to):
        with self.office.smtp(ALICE) as client:
            client.sendmail(ALICE, to, letter(subject, to[0]))

    def queue(self, *words):
        return self.office.tool_data("queue", *words)["recipients"]

    def rows(self, *words):
        return self.queue("list", *words)

    def tried(self, *to):
        """Rows of the queue, once all of these were tried, or passed over because others were."""
        def all_tried():
            rows = {row["recipient"]: row for row in self.rows()}
            return rows if all(t in rows and rows[t]["why"] for t in to) else None
        rows = wait_for(all_tried)
        self.assertTrue(rows, to)
        return rows

    def test_what_waits_is_listed_with_the_reason(self):
        to = f"waits@{AWAY}"
        self.send("waits", to)
        row = self.tried(to)[to]
        self.assertEqual(row["state"], "waiting")
        self.assertEqual(row["sender"], ALICE)
        self.assertTrue(row["status"].startswith("4."), row)
        self.assertTrue(row["why"])
        self.assertGreater(row["next"], row["arrived"])
        self.assertGreater(row["size"], 100)
        self.assertIn(to, self.office.tool("queue", "list"))

    def test_filters_choose(self):
        self.send("filtered", f"one@{AWAY}", f"two@{AWAY}", f"x@other.{AWAY}")
        rows = self.tried(f"one@{AWAY}", f"two@{AWAY}")
        key = rows[f"one@{AWAY}"]["id"]
        self.assertEqual(len(self.rows("--recipient", f"@{AWAY}")), 2)
        self.assertEqual(len(self.rows("--recipient", f"ONE@{AWAY}")), 1)
        self.assertEqual(len(self.rows("--sender", ALICE)), 3)
        self.assertEqual(len(self.rows("--sender", BOB)), 0)
        self.assertEqual(len(self.rows("--older", "1h")), 0)
        self.assertEqual(len(self.rows("--state", "held")), 0)
        self.assertEqual(len(self.rows(key)), 3)
        self.office.tool("queue", "list", "nosuchid", code=NOUSER)
        self.office.tool("queue", "list", "--older", "soon", code=USAGE)
        self.office.tool("queue", "delete", code=USAGE)

    def test_held_mail_stays_until_it_is_released(self):
        to = f"held@{AWAY}"
        self.send("held", to)
        key = self.tried(to)[to]["id"]
        self.assertEqual([r["state"] for r in self.queue("hold", key)], ["held"])
        self.assertEqual(self.queue("retry", "--recipient", to), [])
        self.assertEqual([r["recipient"] for r in self.rows("--state", "held")], [to])
        self.office.stop()
        self.office.start()
        row, = self.rows(key)
        self.assertEqual(row["state"], "held")
        attempts = row["attempts"]
        self.assertEqual([r["state"] for r in self.queue("release", key)], ["waiting"])
        self.assertTrue(wait_for(lambda: self.rows(key)[0]["attempts"] > attempts))

    def test_retry_brings_mail_to_a_host_that_is_back(self):
        self.far.stop()
        for number in range(5):
            self.send(f"back-{number}", "carol@far.test")
        self.assertTrue(wait_for(lambda: all(r["why"] for r in self.rows())))
        self.far.start()
        self.assertTrue(wait_for(lambda: self.queue("retry", "--recipient", "@far.test")))
        self.assertTrue(wait_for(lambda: not self.rows()), self.rows())
        for number in range(5):
            self.far.find(f"back-{number}", "carol@far.test")

    def test_deleted_mail_is_never_heard_of(self):
        to = f"deleted@{AWAY}"
        self.send("deleted", to)
        key = self.tried(to)[to]["id"]
        self.assertEqual([r["state"] for r in self.queue("delete", key)], ["deleted"])
        self.assertEqual(self.rows("--recipient", to), [])
        self.assertEqual(self.trace(key)["recipients"][0]["state"], "deleted")
        self.assertFalse([m for m in self.office.messages(ALICE) if to.encode() in m])

    def test_bounced_mail_comes_back_at_once(self):
        to = f"bounced@{AWAY}"
        self.send("bounced", to)
        key = self.tried(to)[to]["id"]
        self.assertEqual([r["state"] for r in self.queue("bounce", key)], ["failed"])

        def returned():
            return [m for m in self.office.messages(ALICE)
                    if b"Final-Recipient: rfc822; " + to.encode() in m]
        self.assertTrue(wait_for(returned))
        self.assertIn(b"returned by the operator", returned()[0])
        self.assertEqual(len(returned()), 1)

    def test_mailq_shows_what_programs_expect(self):
        to = f"mailq@{AWAY}"
        self.assertIn("Mail queue is empty", self.as_mailq())
        self.send("mailq", to)
        key = self.tried(to)[to]["id"]
        text = self.as_mailq()
        self.assertTrue(text.startswith("-Queue ID-"), text)
        self.assertIn(key, text)
        self.assertIn(to, text)
        self.assertIn("in 1 Request.", text)

    def as_mailq(self, *words):
        done = subprocess.run(["mailq", *words], executable=FACTEUR, capture_output=True, text=True,
                              env=self.office.environment(), check=True, timeout=60)
        return done.stdout

    # ---- time

    def reports(self, to):
        return [m for m in self.office.messages(ALICE)
                if b"Final-Recipient: rfc822; " + to.encode() in m]

    def configure(self, text):
        """More configuration, for the rest of the test."""
        path = self.office.folder / "facteur.conf"
        before = path.read_text()
        path.write_text(before + text)
        self.addCleanup(lambda: (path.write_text(before), self.office.tool("reload")))
        self.office.tool("reload")

    def test_the_sender_is_told_of_a_delay_once(self):
        to = f"late@{AWAY}"
        self.configure('queue_notice = "1 s"\n')
        self.send("late", to)
        self.tried(to)

        def told():
            self.queue("retry", "--recipient", to)
            return self.reports(to)
        self.assertTrue(wait_for(told))
        report, = self.reports(to)
        self.assertIn(b"Action: delayed", report)
        self.assertIn(b"Will-Retry-Until:", report)
        attempts = self.rows("--recipient", to)[0]["attempts"]

        def tried_again():
            self.queue("retry", "--recipient", to)
            return self.rows("--recipient", to)[0]["attempts"] > attempts + 1
        self.assertTrue(wait_for(tried_again))
        self.assertEqual(len(self.reports(to)), 1)

    def test_mail_comes_back_when_its_time_is_over(self):
        to = f"old@{AWAY}"
        self.configure('queue_lifetime = "2 s"\n')
        self.send("old", to)

        def returned():
            self.queue("retry", "--recipient", to)
            return self.reports(to)
        self.assertTrue(wait_for(returned))
        self.assertIn(b"Action: failed", self.reports(to)[0])
        self.assertIn(b"Status: 5.4.7", self.reports(to)[0])
        self.assertEqual(self.rows("--recipient", to), [])

    # ---- trace

    def trace(self, name, code=0):
        text = self.office.tool("trace", name, "--json", code=code)
        return json.loads(text)

    def test_a_delivered_message_can_be_traced(self):
        self.send("traced", BOB, "carol@far.test")
        self.assertTrue(wait_for(lambda: not self.rows()))
        for name in ("<traced@example.test>", "carol@far.test"):
            rows = {r["recipient"]: r for r in self.trace(name)["recipients"]
                    if r["message_id"] == "<traced@example.test>"}
            self.assertEqual(rows["carol@far.test"]["state"], "relayed")
        self.assertEqual(rows["carol@far.test"]["attempts"], 1)
        rows = self.trace("<traced@example.test>")
        states = {r["recipient"]: r["state"] for r in rows["recipients"]}
        self.assertEqual(states, {BOB: "delivered", "carol@far.test": "relayed"})
        replies = {a["recipient"]: a for a in rows["attempts"]}
        self.assertIn("INBOX", replies[BOB]["reply"])
        self.assertEqual(replies["carol@far.test"]["address"], "127.0.0.1")
        self.assertEqual(replies["carol@far.test"]["code"], 250)
        self.assertTrue(replies["carol@far.test"]["tls"].startswith("TLS"))
        key = rows["recipients"][0]["id"]
        self.assertEqual(len(self.trace(key)["recipients"]), 2)
        self.assertIn("carol@far.test", self.office.tool("queue", "show", key))

    def test_what_is_not_known_is_said(self):
        self.assertEqual(self.trace("nobody@nowhere.test", code=NOUSER)["recipients"], [])

    def test_what_was_refused_shows_the_reply(self):
        self.send("refused", "nobody@far.test")
        self.assertTrue(wait_for(lambda: not self.rows()))
        found = self.trace("nobody@far.test")
        self.assertEqual(found["recipients"][0]["state"], "failed")
        self.assertEqual(found["attempts"][0]["code"], 550)


if __name__ == "__main__":
    main()
