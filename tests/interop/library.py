#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""libfacteur: the five programs of docs/examples (case C6), against Facteur, by IMAP and POP3."""
import email
import email.policy
import os
import subprocess
import tempfile
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, OfficeCase, main

EXAMPLES = Path(FACTEUR).parents[2] / "docs/examples"


class Library(OfficeCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fl-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def run_it(self, program, *words, who=BOB, incoming="pop3s", port=995, code=0, **more):
        base = self.office.base
        environment = dict(os.environ, MAIL_ADDRESS=who, MAIL_PASSWORD=self.office.people[who],
                           MAIL_INCOMING=f"{incoming}://localhost:{base + port}",
                           MAIL_OUTGOING=f"smtps://localhost:{base + 465}",
                           MAIL_TRUST=str(self.office.folder / "tls/chain.pem"), **more)
        done = subprocess.run([EXAMPLES / f"example-{program}", *words], capture_output=True, text=True,
                              env=environment, cwd=self.folder, check=False, timeout=CLIENT_S)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_c6_a_message_is_sent_counted_and_read(self):
        before = int(self.run_it("count"))
        self.run_it("send", f"Bob <{BOB}>, {ALICE}", "Très bien", "Salut Gérard\n", who=ALICE)
        for incoming, port in (("pop3s", 995), ("imaps", 993), ("pop3", 110), ("imap", 143)):
            self.assertEqual(int(self.run_it("count", incoming=incoming, port=port)), before + 1)
            self.assertEqual(self.run_it("read", str(before + 1), incoming=incoming, port=port),
                             f"From: {ALICE}\nSubject: Très bien\n\nSalut Gérard\n")

    def test_c5_the_automaton_is_seen(self):
        self.run_it("count", MAIL_TRACE="1")
        states = [line[3:] for line in self.said.splitlines() if line.startswith("-- ")]
        self.assertEqual(states, ["opening", "authentication", "transaction", "update", "waiting"])
        self.assertNotIn(self.office.people[BOB], self.said)

    def test_attachments_are_listed_and_saved(self):
        octets = bytes(range(256))
        with self.office.smtp() as client:
            client.sendmail(ALICE, [BOB], b"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                            b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/png; name=\"../a.png\"\r\n"
                            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                            + b"".join(b"=%02X" % o + (b"=\r\n" if o % 20 == 19 else b"") for o in octets)
                            + b"\r\n--b--\r\n")
        number = self.run_it("count").strip()
        self.assertEqual(self.run_it("attachments", number), "1 a.png image/png 256\n")
        self.run_it("attachments", number, "1")
        self.assertEqual((self.folder / "a.png").read_bytes(), octets)

    def test_messages_go_as_a_digest_with_a_link(self):
        for subject in ("first", "second"):
            self.run_it("send", BOB, subject, "Salut Gérard", who=ALICE)
        before = int(self.run_it("count", who=ALICE))
        self.run_it("digest", "2", ALICE, "https://example.org/all.mbox")
        number = str(before + 1)
        message = self.office.messages(ALICE)[-1]
        digest = email.message_from_bytes(message, policy=email.policy.default).get_payload()[1]
        self.assertEqual(digest.get_content_type(), "multipart/digest")
        self.assertEqual([(part.get_content_type(), part.get_payload()[0]["Subject"]) for part in digest.get_payload()[:2]],
                         [("message/rfc822", "second"), ("message/rfc822", "first")])
        self.assertEqual(digest.get_payload()[2].get_param("URL"), "https://example.org/all.mbox")
        listed = self.run_it("attachments", number, who=ALICE).splitlines()
        self.assertEqual(listed[2:], ["3 https://example.org/all.mbox"])
        self.run_it("digest", "0", ALICE, "no url", code=1)
        self.assertEqual(self.said, "'no url' is no URL\n")

    def test_two_threads_have_a_session_each(self):
        self.run_it("send", BOB, "For two", "Salut Gérard", who=ALICE)
        count = self.run_it("count").strip()
        said = self.run_it("threads", f"pop3s://localhost:{self.office.base + 995}", incoming="imaps", port=993).splitlines()
        self.assertEqual([line.split()[0] for line in said], [count, count])
        self.assertEqual(said[0], said[1])
        self.assertEqual(int(self.run_it("count")), int(count) + 2)

    def test_what_fails_is_told(self):
        self.run_it("read", "9999", code=1)
        self.assertEqual(self.said, "there is no message 9999\n")
        self.run_it("send", "nobody@example.test", "x", "x", code=1)
        self.assertIn("550", self.said)
        self.run_it("count", incoming="gopher", code=1)


if __name__ == "__main__":
    main()
