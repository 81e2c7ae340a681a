#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Receipts (RFC 8098, RFC 3503): asked for, given only when the reader says so, once, never to lists, and read by others;
by the commands on a terminal and by `facteur mail`, against Facteur."""
import email
import email.message
import email.policy
import imaplib
import subprocess
import unittest

from correspondents import Correspondents
from office import ALICE, BOB, CLIENT_S, FACTEUR, main
from terminal import Screen, Terminal

DATAERR = 65
ASKS = f"Disposition-Notification-To: Alice <{ALICE}>\r\n"


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


class Receipts(Correspondents):
    def ask(self, subject, more="", sender=ALICE, head=ASKS):
        """A message to Bob that asks for a receipt; its number."""
        self.deliver(f"Message-ID: <{abs(hash(subject))}@example.org>\r\n{head}{more}\r\nHello.\r\n".encode(), subject, sender=sender)
        return self.find(subject)

    def receipts(self, subject):
        """Those that Alice has for it."""
        found = [parsed(m) for m in self.office.messages(ALICE) if b"disposition-notification" in m]
        return [m for m in found if m["Subject"] == f"Shown: {subject}"]

    def set_receipts(self, word):
        path = self.config / "accounts"
        path.write_text(path.read_text() + f"receipts = {word}\n")  # Bob's section is the last

    def bob(self):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context)
        client.login(BOB, self.office.people[BOB])
        self.addCleanup(client.logout)
        client.select("INBOX")
        return client

    def flags(self, mark):
        return self.bob().uid("FETCH", mark, "(FLAGS)")[1][0].decode()

    def show_on_terminal(self, mark, answer, *words):
        """What is asked is answered; without an answer nothing may be asked. What was written."""
        with Terminal([FACTEUR, "show", mark, "--account", "bob", *words], self.environment()) as person:
            person.wait_for("Hello.")
            before = b""
            if answer is not None:
                person.wait_for("[y/N]")
                before = person.seen
                person.press(answer)
            while person.read(0.2) is not None:
                pass
            return (before + person.seen).decode()

    # ---- by commands

    def test_who_says_yes_sends_one_and_only_one(self):
        mark = self.ask("Read it")
        said = self.show_on_terminal(mark, "y\n")
        self.assertIn("A receipt was sent.", said)
        self.assertEqual(len(self.receipts("Read it")), 1)
        self.assertIn("$MDNSent", self.flags(mark))
        self.assertNotIn("receipt?", self.show_on_terminal(mark, None))
        self.run_it("receipt", mark, "--account", "bob", code=DATAERR)
        self.assertIn("sent before", self.said)
        self.bob().uid("STORE", mark, "-FLAGS", "($MDNSent)")  # another program's mistake
        self.run_it("receipt", mark, "--account", "bob", code=DATAERR)
        self.assertEqual(len(self.receipts("Read it")), 1)

    def test_who_says_no_is_not_asked_again_and_silence_is_no_answer(self):
        mark = self.ask("Not now")
        self.show_on_terminal(mark, "\n")
        self.assertNotIn("$MDNSent", self.flags(mark))
        self.show_on_terminal(mark, "n\n")
        self.assertIn("$MDNSent", self.flags(mark))
        self.assertNotIn("[y/N]", self.show_on_terminal(mark, None))
        self.assertEqual(self.receipts("Not now"), [])

    def test_nobody_is_asked_who_cannot_answer_or_only_looks(self):
        mark = self.ask("Quiet")
        self.run_it("show", mark, "--account", "bob")
        self.assertNotIn("[y/N]", self.said)
        self.assertNotIn("[y/N]", self.show_on_terminal(mark, None, "--peek"))
        self.assertNotIn("[y/N]", self.show_on_terminal(mark, None, "--raw"))
        self.assertEqual(self.receipts("Quiet"), [])

    def test_never_and_always_are_obeyed(self):
        self.set_receipts("never")
        first = self.ask("Never")
        self.assertNotIn("[y/N]", self.show_on_terminal(first, None))
        self.set_receipts("always")
        self.run_it("show", self.ask("Always"), "--account", "bob")
        self.assertIn("A receipt was sent.", self.said)
        self.run_it("show", self.find("Always"), "--account", "bob")
        self.assertNotIn("receipt", self.said)
        notification = self.receipts("Always")[0].get_payload()[1].get_payload()
        self.assertIn("automatic-action/MDN-sent-automatically; displayed", str(notification[0]))
        # It would go elsewhere than where the message came from: a person must say so (RFC 8098 2.1).
        bomb = self.ask("Bomb", sender="stranger@example.org")
        self.run_it("show", bomb, "--account", "bob")
        self.assertEqual(self.receipts("Bomb"), [])
        self.assertIn("where the message came from", self.show_on_terminal(bomb, "n\n"))
        self.assertEqual((self.receipts("Bomb"), self.receipts("Never")), ([], []))

    def test_lists_programs_and_receipts_get_none(self):
        self.set_receipts("always")
        for name, more in (("list", "List-Id: <l.example.org>\r\n"), ("machine", "Auto-Submitted: auto-generated\r\n"),
                           ("report", "Content-Type: multipart/report; report-type=x; boundary=b\r\n"),
                           ("demand", "Disposition-Notification-Options: x=required,1\r\n")):
            mark = self.ask(name, more)
            self.run_it("show", mark, "--account", "bob")
            self.run_it("receipt", mark, "--account", "bob", code=DATAERR)
            self.assertIn("asks for a receipt, but", self.said)
            self.assertEqual(self.receipts(name), [])

    def test_what_another_program_has_sent_is_not_sent_again(self):
        mark = self.ask("Elsewhere")
        self.bob().uid("STORE", mark, "+FLAGS", "($MDNSent)")
        self.assertNotIn("[y/N]", self.show_on_terminal(mark, None))
        self.run_it("receipt", mark, "--account", "bob", code=DATAERR)

    def test_by_pop3_this_machine_remembers(self):
        mark = self.ask("By POP")
        self.add_account("pop", BOB)
        self.run_it("account", "add", BOB, "--as", "pop", "--incoming", f"pop3s://localhost:{self.office.base + 995}", "--outgoing",
                    f"smtps://localhost:{self.office.base + 465}", "--trust", str(self.office.folder / "tls/chain.pem"),
                    "--password-stdin", "--untested", text=self.office.people[BOB] + "\n")
        self.run_it("receipt", "last", "--account", "pop")
        self.run_it("receipt", "last", "--account", "pop", code=DATAERR)
        self.assertEqual(len(self.receipts("By POP")), 1)
        self.assertNotIn("$MDNSent", self.flags(mark))

    def test_what_is_sent_asks_its_writer_for_nothing(self):
        self.send("Mine", "--receipt")
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context)
        client.login(ALICE, self.office.people[ALICE])
        client.select("Sent")
        found = client.uid("SEARCH", "SUBJECT", "Mine")[1][0].decode()
        self.assertIn("$MDNSent", client.uid("FETCH", found, "(FLAGS)")[1][0].decode())
        client.logout()

    # ---- in the terminal client

    def open_mail(self):
        screen = Screen([FACTEUR, "mail", "--account", "bob"], self.environment(), 24, 110)
        self.addCleanup(screen.__exit__)
        return screen

    def test_the_terminal_client_asks_below_the_message(self):
        first, second = self.ask("First letter"), self.ask("Second letter")
        screen = self.open_mail()
        screen.wait_for("Second letter")
        screen.press("\r")
        screen.wait_for(f"{ALICE} asks for a receipt. Send it? (y/n)")
        screen.press("y")
        screen.wait_for("The receipt was sent.")
        screen.press("k" if screen.text().find("First letter") < 0 else "j")
        screen.press("q")
        screen.wait_for("First letter")
        self.assertIn("$MDNSent", self.flags(second))
        self.assertEqual(len(self.receipts("Second letter")), 1)
        screen.press("/First\r")
        screen.wait_without("Second letter")
        screen.press("\r")
        screen.wait_for("Send it? (y/n)")
        screen.press("h")  # any other key goes on reading
        screen.wait_for("Disposition-Notification-To")
        self.assertNotIn("$MDNSent", self.flags(first))
        screen.press("qq")
        self.assertEqual(screen.end(), 0)
        self.assertEqual(self.receipts("First letter"), [])

    # ---- read by others, and theirs read here

    def test_python_and_mutt_read_it(self):
        self.run_it("receipt", self.ask("Été", head=ASKS + "Original-Recipient: rfc822;b@example.org\r\n"), "--account", "bob")
        report = self.receipts("Été")[0]
        self.assertEqual([p.get_content_type() for p in report.walk()][:3],
                         ["multipart/report", "text/plain", "message/disposition-notification"])
        self.assertEqual([d for p in report.walk() for d in p.defects], [])
        fields = report.get_payload()[1].get_payload()[0]
        self.assertEqual((fields["Final-Recipient"], fields["Original-Recipient"], fields["Original-Message-ID"]),
                         (f"rfc822; {BOB}", "rfc822; b@example.org", report["In-Reply-To"]))
        box = self.home / "receipt.mbox"
        box.write_bytes(b"From x Mon Jan  1 00:00:00 2024\n" + report.as_bytes().replace(b"\r\n", b"\n") + b"\n")
        (self.home / "muttrc").write_text(f'set folder="{self.home}" wait_key=no\n')
        with Screen(["mutt", "-F", self.home / "muttrc", "-R", "-f", box], self.environment(), 50, 110) as mutt:
            mutt.wait_for("Msgs:1")
            mutt.press("\r")
            mutt.wait_for("That does not mean that it was read or understood.")
            mutt.press("v")
            mutt.wait_for("message/disposition-notification")

    def test_mutt_asks_and_python_answers(self):
        out = self.home / "out.eml"
        (self.home / "sendmail").write_text(f'#!/bin/sh\ncat >"{out}"\n')
        (self.home / "sendmail").chmod(0o700)
        subprocess.run(["mutt", "-n", "-F", "/dev/null", "-e", f'set sendmail="{self.home}/sendmail" from={ALICE} use_from=yes copy=no',
                        "-e", f"my_hdr Disposition-Notification-To: {ALICE}", "-s", "By mutt", BOB], input=b"Hello.\n",
                       env=self.environment(), cwd=self.home, check=True, timeout=CLIENT_S, capture_output=True)
        with self.office.smtp() as client:
            client.sendmail(ALICE, [BOB], b"\r\n".join(out.read_bytes().splitlines()) + b"\r\n")
        shown, mark = self.show("By mutt")
        self.assertEqual(shown["notices"], f"Asks:     for a receipt, to be sent to {ALICE}\n")
        asked = parsed(out.read_bytes())
        part = email.message.Message()
        part["Content-Type"] = "message/disposition-notification"
        part.set_payload(f"Reporting-UA: python\r\nFinal-Recipient: rfc822;{BOB}\r\nOriginal-Message-ID: {asked['Message-ID']}\r\n"
                         "Disposition: manual-action/MDN-sent-manually; displayed\r\n")
        text = email.message.Message()
        text.set_payload("Shown.")
        report = email.message.Message()
        report["From"], report["To"], report["Subject"] = BOB, ALICE, "By Python"
        report.add_header("Content-Type", "multipart/report", report_type="disposition-notification")
        report.set_payload([text, part])
        with self.office.smtp() as client:
            client.sendmail("", [ALICE], b"\r\n".join(report.as_bytes().splitlines()) + b"\r\n")
        shown, _ = self.show("By Python", "alice")
        self.assertEqual(shown["notices"], f"Receipt:  it was shown to {BOB}; whether it was read, nobody knows\n")
        self.run_it("receipt", mark, "--account", "bob")


if __name__ == "__main__":
    main()
