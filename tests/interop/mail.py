#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The terminal client `facteur mail` on a real pseudo-terminal, read by a terminal emulator (pyte),
against Facteur. Screens lie in screens/; FACTEUR_SCREENS=write makes them anew."""
import email
import email.policy
import imaplib
import os
import re
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, FACTEUR, Office, main, wait_for
from terminal import Screen

SCREENS = Path(__file__).with_name("screens")
LETTERS = {
    "Lunch on Friday?": (BOB, "text/plain; charset=utf-8", """Dear Alice,

the place by the river has opened again. Shall we meet there at noon? They say that the soup is
better than ever, and that nobody minds if one stays until the afternoon.

> > Where was it that we met last year?
> I do not remember.

See https://example.org/menu for what they have.
"""),
    "日本からの手紙 📮 été": ("花子 <hanako@example.org>", "text/plain; charset=utf-8",
                              "こんにちは。東京は雨です。\n\nÀ bientôt – ça va très bien !\n"),
    "Prices": ("shop@example.com", "text/html; charset=utf-8",
               '<html><style>p{color:red}</style><script>alert(1)</script><p>Only <b>today</b>:'
               ' <a href="http://evil.example/x">www.bank.example</a></p>'
               '<img src="http://127.0.0.1:{port}/spy.png" alt="a picture"><ul><li>one<li>two</ul>'),
}


def letter(subject, sender, kind, body, to=ALICE, extra=""):
    encoded = email.header.Header(subject, "utf-8").encode() if not subject.isascii() else subject
    name, _, address = sender.rpartition(" ")
    if name:
        sender = f"{email.header.Header(name, 'utf-8').encode()} {address}"
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {encoded}\r\nDate: Tue, 02 Jan 2024 10:00:00"
            f" +0000\r\nMessage-ID: <{abs(hash(subject))}@x>\r\n{extra}MIME-Version: 1.0\r\n"
            f"Content-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + body.replace("\n", "\r\n")).encode()


class Mail(unittest.TestCase):
    """A post office for each test: screens show all that is in it."""

    def setUp(self):
        self.office = Office()
        self.addCleanup(self.office.close)
        temporary = tempfile.TemporaryDirectory(prefix="fm-")
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name)
        editor = self.home / "editor"
        editor.write_text('#!/bin/sh\n{ printf "Typed by hand: é.\\n"; cat "$1"; } >"$1.new"\n'
                          'mv "$1.new" "$1"\n')
        editor.chmod(0o700)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DISPLAY"))}
        self.env.update(HOME=str(self.home), LANG="C.UTF-8", TZ="UTC", EDITOR=str(editor))
        self.env.pop("VISUAL", None)
        self.env.pop("NO_COLOR", None)

    def imap(self, who=ALICE):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993,
                                   ssl_context=self.office.context)
        client.login(who, self.office.people[who])
        self.addCleanup(client.logout)
        return client

    def empty(self):
        """Without the welcome message: what it shows changes with the day."""
        client = self.imap()
        client.select("INBOX")
        client.store("1:*", "+FLAGS", r"\Deleted")
        client.expunge()

    def put(self, subject, sender=BOB, kind="text/plain", body="Hello.\n", extra=""):
        with self.office.smtp() as client:
            client.sendmail("x@example.org", [ALICE], letter(subject, sender, kind, body, extra=extra))

    def put_all(self, port=1):
        self.empty()
        for subject, (sender, kind, body) in LETTERS.items():
            self.put(subject, sender, kind, body.replace("{port}", str(port)))

    def open(self, *words, rows=24, columns=100):
        words = words or ("--demo", "--dir", self.office.folder)
        screen = Screen([FACTEUR, "mail", *words], self.env, rows, columns)
        self.addCleanup(screen.__exit__)
        return screen

    def compare(self, screen, name):
        """The screen becomes the one that is kept; times of today are not."""
        def plain(text):
            return re.sub(r"\b\d\d:\d\d\b", "HH:MM", text) + "\n"
        path = SCREENS / f"{name}.txt"
        if os.environ.get("FACTEUR_SCREENS") == "write":
            path.write_text(plain(screen.text()))
        screen.wait_until(lambda s: plain(s) == path.read_text(),
                          f"{name} (FACTEUR_SCREENS=write keeps what is)")

    def quit(self, screen):
        screen.press("q")
        self.assertEqual(screen.end(), 0)


class Reading(Mail):
    def test_list_message_and_help(self):
        self.put_all()
        screen = self.open()
        screen.wait_until(lambda s: "Lunch" in s and "Trash" in s and "on line" in s, "the list")
        screen.wait_until(lambda s: s.count("Trash") == 2, "both accounts")
        self.compare(screen, "list")
        screen.press("jj\r")
        screen.wait_for("See https://example.org/menu")
        screen.wait_until(lambda s: re.search("INBOX +2 ", s), "two unread")
        self.compare(screen, "message")
        screen.press("q?")
        screen.wait_for("In a message")
        self.compare(screen, "help")
        screen.press("qjk")
        screen.wait_for("Lunch")
        self.quit(screen)
        status, data = self.imap().status("INBOX", "(UNSEEN)")
        self.assertIn(b"UNSEEN 2", data[0], status)

    def test_wide_characters_stand_in_their_columns(self):
        self.put_all()
        screen = self.open()
        screen.wait_for("手紙")
        screen.press("j\r")
        screen.wait_for("東京は雨です")
        screen.wait_until(lambda s: re.search("INBOX +2 ", s), "two unread")
        self.compare(screen, "wide")

    def test_html_is_text_links_are_bare_and_nothing_is_loaded(self):
        with socket.socket() as spy:
            spy.bind(("127.0.0.1", 0))
            spy.listen()
            spy.settimeout(0.2)
            self.put_all(spy.getsockname()[1])
            screen = self.open()
            screen.wait_for("Prices")
            screen.press("\r")
            screen.wait_for("www.bank.example <http://evil.example/x>")
            self.assertNotIn("alert", screen.text())
            screen.wait_until(lambda s: re.search("INBOX +2 ", s), "two unread")
            self.assertRaises(TimeoutError, spy.accept)

    def test_nothing_of_a_message_reaches_the_terminal(self):
        self.put("evil \x1b]0;title\x07 \x9b2J", "Evil\x1b[31m <e@example.org>",
                 body="\x1b[2J\x1b]52;c;ZXZpbA==\x07 gone?\n")
        screen = self.open()
        screen.wait_for("]0;title")
        written = screen.seen
        screen.press("\r")
        screen.wait_for("gone?")
        written += screen.seen
        for evil in (b"\x1b]0;title", b"\x1b]52", b"\x1b[31m\x1b"):
            self.assertNotIn(evil, written)

    def test_answers_stand_below_what_they_answer(self):
        self.empty()
        self.put("root", extra="X-Number: 1\r\n")
        number = abs(hash("root"))
        self.put("other")
        self.put("Re: root", extra=f"References: <{number}@x>\r\n")
        screen = self.open()
        texts = (" root", "└─›Re: root", "other")
        screen.wait_until(lambda shown: all(text in shown for text in texts), "the three")
        rows = [next(i for i, line in enumerate(screen.lines()) if text in line) for text in texts]
        self.assertEqual(rows, sorted(rows))

    def test_attachments_are_saved_and_nothing_is_overwritten(self):
        body = ("--b\nContent-Type: text/plain\n\nSee it.\n--b\nContent-Type: application/pdf\n"
                "Content-Disposition: attachment; filename=\"../../plan.pdf\"\n\nPDF!\n--b--\n")
        self.put("plan", kind="multipart/mixed; boundary=b", body=body)
        screen = self.open()
        screen.wait_for("plan")
        screen.press("\r")
        screen.wait_for("[1] plan.pdf  application/pdf")
        for shown in ("Saved as", "exists"):
            screen.press("vs")
            screen.wait_for("Save to file: plan.pdf")
            screen.press(f"\x15{self.home}/plan.pdf\r")
            screen.wait_for(shown)
            screen.press("q")
        self.assertEqual((self.home / "plan.pdf").read_bytes().strip(), b"PDF!")

    def test_size_and_mouse(self):
        self.put_all()
        screen = self.open()
        screen.wait_for("Lunch")
        screen.resize(15, 60)
        screen.wait_without("Drafts")  # no room for the side bar
        screen.wait_for("Lunch")
        screen.resize(30, 110)
        screen.wait_for("Drafts")
        row = next(i for i, line in enumerate(screen.lines()) if "Lunch" in line)
        screen.click(row, 60, times=2)
        screen.wait_for("See https://example.org/menu")
        row = next(i for i, line in enumerate(screen.lines()) if line.startswith("  Trash"))
        screen.click(row, 5)
        screen.wait_for("No messages here.")

    def test_new_mail_comes_by_itself(self):
        screen = self.open()
        screen.wait_for("Your post office is open")
        self.put("Just now")
        screen.wait_for("Just now")
        screen.wait_for("1 new message.")

    def test_search_narrows_the_list_as_one_types(self):
        self.put_all()
        screen = self.open()
        screen.wait_for("Lunch")
        screen.press("/lun")
        screen.wait_without("Prices")
        screen.wait_for("Lunch")
        screen.press("\x15the soup is")  # what only the text has: the server finds it
        screen.wait_without("Prices")
        screen.wait_for("Lunch")
        screen.press("\x15gibtesnicht")
        screen.wait_for("Nothing was found.")
        screen.press("\x1b")
        screen.wait_for("Prices")


class Changing(Mail):
    def subjects(self, folder):
        client = self.imap()
        client.select(folder, readonly=True)
        _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return sorted(part[1].decode().strip().removeprefix("Subject: ")
                      for part in data if isinstance(part, tuple))

    def test_deleting_asks_and_can_be_undone(self):
        self.empty()
        for subject in ("one", "two", "three"):
            self.put(subject)
        screen = self.open()
        screen.wait_until(lambda s: all(x in s for x in ("one", "two", "three", "Trash")), "all")
        screen.press("dd")
        screen.wait_for("Marked for deletion")
        screen.press("u$")
        screen.wait_for("Move 1 marked message to Trash?")
        self.assertEqual(len(self.subjects("INBOX")), 3)
        screen.press("y")
        screen.wait_without("three")
        self.assertTrue(wait_for(lambda: self.subjects("Trash") == ["three"]))
        screen.press("u")
        screen.wait_for("three")
        self.assertTrue(wait_for(lambda: len(self.subjects("INBOX")) == 3))
        self.assertEqual(self.subjects("Trash"), [])

    def test_messages_move_and_are_flagged(self):
        self.empty()
        self.put("mover")
        screen = self.open()
        screen.wait_until(lambda s: "mover" in s and "Archive" in s, "the list")
        screen.press("F")
        screen.wait_for("N!")
        screen.press("sarch\r")
        screen.wait_for("moved to Archive")
        self.assertTrue(wait_for(lambda: self.subjects("Archive") == ["mover"]))
        client = self.imap()
        client.select("Archive", readonly=True)
        self.assertIn(b"\\Flagged", client.fetch("1", "(FLAGS)")[1][0])


class Writing(Mail):
    def test_e2_a_stranger_reads_and_answers_in_the_terminal(self):
        self.put_all()
        screen = self.open()
        screen.wait_for("Lunch")
        screen.press("jj\r")
        screen.wait_for("at noon?")
        screen.press("r")
        screen.wait_for("Typed by hand")
        self.compare(screen, "compose")
        screen.press("y")
        screen.wait_for("Sent.")
        screen.press("q")
        screen.wait_for("Prices")
        self.quit(screen)
        answer = email.message_from_bytes(self.office.find("Re: Lunch on Friday?", BOB),
                                          policy=email.policy.default)
        self.assertEqual(answer["From"].addresses[0].addr_spec, ALICE)
        self.assertEqual(answer["In-Reply-To"], f"<{abs(hash('Lunch on Friday?'))}@x>")
        text = answer.get_content()
        self.assertTrue(text.startswith("Typed by hand: é."), text)
        self.assertIn(">> > Where was it", text)
        client = self.imap()
        client.select("INBOX", readonly=True)
        self.assertEqual(client.search(None, "ANSWERED")[1], [b"1"])

    def test_what_an_editor_wrote_in_another_charset_leaves_the_screen_alone(self):
        """The worker that makes the message asks for the machine's charset while the screen draws in UTF-8."""
        self.put_all()
        (self.home / "editor").write_text("#!/bin/sh\nprintf 'In Latin 1: \\351.\\n' >\"$1\"\n")
        self.env.update(LANG="C")
        screen = self.open()
        screen.wait_for("手紙")
        screen.press(f"m{BOB}\rAccents\r")
        screen.wait_for("y send")
        screen.press("y")
        screen.wait_for("Sent.")
        screen.press("j\r")
        screen.wait_for("東京は雨です")
        self.assertIn(b"In Latin 1:", self.office.find("Accents", BOB))

    def test_addresses_that_were_written_to_are_completed(self):
        screen = self.open()
        screen.wait_for("Your post office is open")
        screen.press("m")
        screen.wait_for("To:")
        screen.press(f"Robert <{BOB}>\rFirst\r")
        screen.wait_for("Typed by hand")
        screen.press("y")
        screen.wait_for("Sent.")
        screen.press("mrob")
        screen.wait_for(f"  Robert <{BOB}>")
        screen.press("\t\rSecond\r")
        screen.wait_for("Typed by hand")
        (self.home / "notes.txt").write_text("noted\n")
        screen.press(f"a{self.home}/not")
        screen.wait_for("  " + str(self.home / "notes.txt"))
        screen.press("\t\r")
        screen.wait_for("Attached:")
        screen.press("y")
        screen.wait_for("Sent.")
        second = email.message_from_bytes(self.office.find("Second", BOB), policy=email.policy.default)
        self.assertEqual([part.get_filename() for part in second.iter_attachments()], ["notes.txt"])

    def test_a_draft_is_kept_and_gone_on_with(self):
        screen = self.open()
        screen.wait_until(lambda s: "Drafts" in s and "open" in s, "the list")
        screen.press(f"m{BOB}\rLater\r")
        screen.wait_for("Typed by hand")
        screen.press("P")
        screen.wait_for("Kept in Drafts")
        screen.press("cDrafts\r")
        screen.wait_for("Later")
        screen.press("e")
        screen.wait_for("Typed by hand")
        screen.press("y")
        screen.wait_for("Sent.")
        self.office.find("Later", BOB)

    def test_a_draft_with_half_an_address_is_kept(self):
        screen = self.open()
        screen.wait_until(lambda s: "Drafts" in s and "open" in s, "the list")
        screen.press("mBob <bob@exa\rHalf an address\r")
        screen.wait_for("Typed by hand")
        screen.press("P")
        screen.wait_for("Kept in Drafts")
        screen.press("cDrafts\r")
        screen.wait_for("Half an address")
        screen.press("e")
        screen.wait_for("To: Bob <bob@exa")
        screen.wait_for("Typed by hand")

    def test_what_cannot_be_sent_is_not_lost(self):
        screen = self.open()
        screen.wait_for("Your post office is open")
        screen.press("mnobody@example.test\rMistake\r")
        screen.wait_for("Typed by hand")
        screen.press("y")
        screen.wait_until(lambda s: "550" in s and "y send" in s, "the refusal")
        screen.press("t\x15" + BOB + "\r")
        screen.wait_for(f"To:       {BOB}")
        screen.press("y")
        screen.wait_for("Sent.")

    def test_forwarding_attaches_the_whole_message(self):
        self.put_all()
        screen = self.open()
        screen.wait_for("Lunch")
        screen.press("f")
        screen.wait_for("To:")
        screen.press(BOB + "\r")
        screen.wait_for("Typed by hand")
        screen.press("y")
        screen.wait_for("Sent.")
        sent = email.message_from_bytes(self.office.find("Fwd: Prices", BOB), policy=email.policy.default)
        self.assertEqual([p.get_content_type() for p in sent.iter_attachments()], ["message/rfc822"])


class Elsewhere(Mail):
    def test_a_maildir_and_an_mbox(self):
        for part in ("cur", "new", "tmp"):
            (self.home / "box" / part).mkdir(parents=True)
        (self.home / "box/new/1.x").write_text("From: a@b.c\nSubject: from a file\n\nIt is here.\n")
        screen = self.open("--box", self.home / "box")
        screen.wait_for("from a file")
        screen.press("\r")
        screen.wait_for("It is here.")
        (self.home / "box/new/2.x").write_text("From: a@b.c\nSubject: a second\n\nLater.\n")
        screen.press("q")
        screen.wait_for("a second")
        self.quit(screen)
        self.assertTrue(list((self.home / "box/cur").glob("1.x:2,*S*")))
        (self.home / "m.mbox").write_text("From x Thu Jan  1 00:00:00 1970\nSubject: in mbox\n\nx\n")
        screen = self.open("--box", self.home / "m.mbox")
        screen.wait_for("in mbox")
        self.quit(screen)

    def test_the_first_start_asks_for_an_address(self):
        screen = self.open("--theme", "dark")
        screen.wait_for("There is no account yet.")
        screen.press("\r")
        screen.end()
        self.assertNotIn("INBOX", screen.text())

    def test_without_a_terminal_it_says_what_does(self):
        done = subprocess.run([FACTEUR, "mail"], capture_output=True, env=self.env, check=False,
                              stdin=subprocess.DEVNULL, text=True)
        self.assertEqual(done.returncode, 64)
        self.assertIn("facteur list", done.stderr)


if __name__ == "__main__":
    main()
