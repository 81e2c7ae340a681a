#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The writing desk: a person's own mail from the command line (cases C5, C6, C10, D6, E1), against
Facteur: accounts, send, list, show, save, reply, forward, flag, move, delete, search, fetch."""
import email
import email.policy
import json
import mailbox
import os
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, OfficeCase, main, wait_for

USAGE, DATAERR, NOINPUT, UNAVAILABLE, CANNOT_CREATE, TEMPFAIL, NOPERM, CONFIG = 64, 65, 66, 69, 73, 75, 77, 78


class Desk(OfficeCase):
    """Each test has its own home; all share the office, so subjects are their own."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fd-")
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name)
        self.add("alice", ALICE, "imaps", 993)
        self.add("bob", BOB, "imaps", 993)
        self.add("pop", BOB, "pop3s", 995)

    def run_it(self, *words, text="", code=0):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        environment.update(HOME=str(self.home), LANG="C.UTF-8", EDITOR="false")
        data = text if isinstance(text, bytes) else text.encode()
        done = subprocess.run([FACTEUR, *words], input=data, capture_output=True, env=environment,
                              cwd=self.home, check=False, timeout=CLIENT_S)
        self.said = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, done.stdout.decode(errors="replace") + self.said)
        return done.stdout

    def data(self, *words):
        return json.loads(self.run_it(*words, "--json"))

    def add(self, name, address, scheme, port, *words, outgoing=None, code=0):
        return self.run_it("account", "add", address, "--as", name, "--name", "Éva Exemple",
                           "--incoming", f"{scheme}://localhost:{self.office.base + port}",
                           "--outgoing", outgoing or f"smtps://localhost:{self.office.base + 465}",
                           "--trust", str(self.office.folder / "tls/chain.pem"),
                           "--password-stdin", "--untested", *words,
                           text=self.office.people[address] + "\n", code=code)

    def send(self, subject, *words, to=ALICE, account="bob", text="Hello.\n", code=0):
        self.run_it("send", "-s", subject, "--account", account, to, *words, text=text, code=code)

    def ids(self, subject, *place):
        return [m["id"] for m in self.data("list", "--last", "0", *place)["messages"]
                if m["subject"] == subject]

    def id(self, subject, *place):
        found = self.ids(subject, *place)
        self.assertEqual(len(found), 1, found)
        return str(found[0])

    def letter(self, subject, who=ALICE):
        return email.message_from_bytes(self.office.find(subject, who).replace(b"\r\n", b"\n"),
                                        policy=email.policy.default)


class Accounts(Desk):
    def test_who_only_looks_leaves_nothing_behind(self):
        self.home = self.home / "new"
        self.home.mkdir()
        self.run_it("list", code=78)
        self.run_it("account", "list")
        self.assertEqual(list(self.home.iterdir()), [])

    def test_an_account_is_tried_and_its_files_are_private(self):
        tried = self.data("account", "test", "alice")
        self.assertEqual([s["works"] for s in tried["servers"]], [True, True])
        self.assertGreaterEqual(tried["messages"], 1)
        for name in ("accounts", "passwords"):
            self.assertEqual((self.home / ".config/facteur" / name).stat().st_mode & 0o777, 0o600)
        self.assertNotIn(self.office.people[ALICE],
                         (self.home / ".config/facteur/accounts").read_text())

    def test_e1_the_five_settings_are_used_as_such(self):
        """SMTP server, POP or IMAP server, account name, mail address, reply address."""
        base = self.office.base
        for incoming, port in (("imaps", 993), ("pop3s", 995)):
            self.add("work", ALICE, incoming, port, "--reply-to", "desk@example.test", "--login", ALICE)
            account = next(a for a in self.data("account", "list")["accounts"] if a["name"] == "work")
            self.assertEqual(account["address"], ALICE)
            self.assertEqual((account["incoming"], account["outgoing"]),
                             (f"{incoming}://localhost:{base + port}", f"smtps://localhost:{base + 465}"))
            subject = f"the settings of {incoming}"
            self.send(subject, account="work", to=BOB)
            letter = email.message_from_bytes(self.office.find(subject, BOB), policy=email.policy.default)
            self.assertEqual(letter["From"].addresses[0].addr_spec, ALICE)
            self.assertEqual(letter["Reply-To"].addresses[0].addr_spec, "desk@example.test")
            self.assertRegex(letter["Received"], r"with E?SMTPSA")
            mark = self.id(subject, "--account", "bob")
            answer = self.run_it("show", mark, "--account", "bob").decode()
            self.assertIn("Reply-To: desk@example.test", answer)
        # An account name that is not the address is what is said to the servers.
        self.add("work", ALICE, "imaps", 993, "--login", "nobody")
        self.run_it("list", "--account", "work", code=NOPERM)

    def test_c6_messages_are_counted_read_and_sent_by_commands(self):
        for account in ("bob", "pop"):
            before = len(self.data("list", "--last", "0", "--account", account)["messages"])
            self.send(f"counted by {account}", to=BOB, account="alice", text="The n-th message.\n")
            rows = self.data("list", "--last", "0", "--account", account)["messages"]
            self.assertEqual((len(rows), rows[-1]["subject"]), (before + 1, f"counted by {account}"))
            self.assertEqual(self.data("show", str(rows[-1]["id"]), "--account", account)["text"], "The n-th message.\n")

    def test_c10_three_ways_to_read_the_same_message(self):
        """Off-line (POP), on-line (IMAP), disconnected (a copy that syncs)."""
        self.send("three ways", to=BOB, account="alice")
        self.run_it("fetch", "pop", "--to", "fetched.mbox")
        self.assertIn("three ways", [m["subject"] for m in mailbox.mbox(self.home / "fetched.mbox")])
        mark = self.id("three ways", "--account", "bob")
        self.run_it("flag", mark, "--add", "flagged", "--account", "bob")
        self.run_it("sync", "bob", "--quiet")
        copy = mailbox.Maildir(self.home / "Mail/bob/INBOX")
        key, letter = next((k, m) for k, m in copy.items() if m["subject"] == "three ways")
        self.assertIn("F", letter.get_flags())
        letter.add_flag("R")
        copy[key] = letter
        self.run_it("sync", "bob", "--quiet")
        row = next(m for m in self.data("list", "--last", "0", "--account", "bob")["messages"] if m["subject"] == "three ways")
        self.assertEqual((row["flagged"], row["answered"]), (True, True))

    def test_they_are_listed_replaced_and_removed(self):
        self.add("bob", ALICE, "imaps", 993)
        accounts = {a["name"]: a["address"] for a in self.data("account", "list")["accounts"]}
        self.assertEqual(accounts, {"alice": ALICE, "bob": ALICE, "pop": BOB})
        self.run_it("account", "remove", "bob")
        self.assertEqual(len(self.data("account", "list")["accounts"]), 2)
        self.assertNotIn("\nbob ", (self.home / ".config/facteur/passwords").read_text())
        self.run_it("account", "remove", "bob", code=CONFIG)

    def test_a_wrong_password_is_told(self):
        (self.home / ".config/facteur/passwords").write_text("alice wrong\n")
        self.run_it("list", "--account", "alice", code=NOPERM)

    def test_a_password_may_come_from_a_command(self):
        secret = self.home / "secret"
        secret.write_text(self.office.people[ALICE] + "\n")
        self.add("command", ALICE, "imaps", 993, "--password-command", f"cat {secret}")
        self.run_it("list", "--account", "command")

    def test_a_server_that_nobody_vouches_for_gets_no_password(self):
        self.run_it("account", "add", ALICE, "--as", "system", "--incoming",
                    f"imaps://localhost:{self.office.base + 993}", "--password-stdin", "--untested",
                    text="secret\n")
        self.run_it("list", "--account", "system", code=NOPERM)
        self.assertIn("not to be trusted", self.said)

    def test_c5_the_automaton_of_pop3_is_seen(self):
        self.run_it("account", "test", "pop", "--trace")
        states = [line[3:] for line in self.said.splitlines() if line.startswith("-- ")]
        self.assertEqual(states, ["opening", "authentication", "transaction", "update", "waiting"])
        self.assertNotIn(self.office.people[BOB], self.said)

    def test_starttls_works_for_all_three(self):
        base = self.office.base
        for scheme, port in (("imap", 143), ("pop3", 110)):
            self.add("plain", ALICE, scheme, port, outgoing=f"smtp://localhost:{base + 587}")
            self.assertEqual([s["works"] for s in self.data("account", "test", "plain")["servers"]],
                             [True, True])


class Sending(Desk):
    def test_a_message_arrives_as_it_was_written(self):
        octets = bytes(range(256)) * 3
        (self.home / "octets.bin").write_bytes(octets)
        (self.home / "naïve café.txt").write_text("é\n")
        subject = "Grüße aus München, и ещё много слов, чтобы строка была длинной " + "x" * 80
        self.send(subject, "-a", "octets.bin", "-a", "naïve café.txt", "--cc", f"Bob <{BOB}>",
                  "--reply-to", "team@example.test", text="Façade.\n.\nFrom here\n")
        letter = next(m for m in (email.message_from_bytes(m.replace(b"\r\n", b"\n"), policy=email.policy.default)
                                  for m in self.office.messages()) if m["Subject"] == subject)
        self.assertEqual(letter["From"].addresses[0].display_name, "Éva Exemple")
        self.assertEqual(letter["Reply-To"].addresses[0].addr_spec, "team@example.test")
        self.assertEqual(letter.get_body(("plain",)).get_content(), "Façade.\n.\nFrom here\n")
        first, second = letter.iter_attachments()
        self.assertEqual(first.get_content(), octets)
        self.assertEqual(second.get_filename(), "naïve café.txt")
        for field in ("Date", "Message-ID", "MIME-Version"):
            self.assertEqual(len(letter.get_all(field)), 1, field)

    def test_text_of_another_charset_becomes_right(self):
        self.send("latin", text="G\u00e9rard \u2013 \u0153uvre\n".encode("cp1252"))
        self.assertEqual(self.letter("latin").get_content().replace("\r", ""), "Gérard – œuvre\n")

    def test_blind_copies_are_blind_and_html_is_an_alternative(self):
        (self.home / "page.html").write_text("<p>Hello</p>")
        self.send("blind", "--bcc", BOB, "--html", "page.html")
        letter = self.letter("blind")
        self.assertIsNone(letter["Bcc"])
        self.assertEqual(letter.get_content_type(), "multipart/alternative")
        self.assertEqual(len(self.ids("blind", "--account", "pop")), 1)

    def test_what_was_sent_is_kept(self):
        self.send("kept")
        sent = self.data("list", "--account", "bob", "--folder", "Sent")["messages"]
        self.assertIn(("kept", True), [(m["subject"], m["seen"]) for m in sent])

    def test_a_recipient_that_does_not_exist_is_told_and_the_others_get_it(self):
        self.send("some", "--cc", "nobody@example.test", code=UNAVAILABLE)
        self.assertIn("nobody@example.test: 550", self.said)
        self.assertEqual(len(self.ids("some", "--account", "alice")), 1)

    def test_off_line_it_waits_and_goes_later(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.add("bob", BOB, "imaps", 993,
                     outgoing=f"smtps://localhost:{nobody.getsockname()[1]}")
            self.send("later", "--bcc", BOB)
            self.assertIn("it waits", self.said)
            self.run_it("send", "--retry", code=TEMPFAIL)
        self.add("bob", BOB, "imaps", 993)
        self.run_it("send", "--retry")
        self.run_it("send", "--retry")
        self.assertEqual(len(self.ids("later", "--account", "alice")), 1)
        self.assertEqual(len(self.ids("later", "--account", "pop")), 1)
        self.assertEqual(list((self.home / ".local/state/facteur/outgoing").iterdir()), [])

    def test_what_waits_keeps_back_no_other_and_is_kept_when_nobody_takes_it(self):
        """The first makes no sense, the second is a receipt (without a sender), the third goes to nobody."""
        outgoing = self.home / ".local/state/facteur/outgoing"
        outgoing.mkdir(parents=True)
        for number, (sender, to, subject) in enumerate((("", "", ""), ("", ALICE, "without a sender"),
                                                        (BOB, "nobody@example.test", "to nobody"),
                                                        (BOB, ALICE, "behind the others"))):
            (outgoing / f"000000000{number}-00").write_bytes(
                f"account bob\nfrom {sender}\nto {to}\n\nFrom: {BOB}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
                .encode() if subject else b"no message\n")
        self.run_it("send", "--retry", code=DATAERR)
        self.assertIn(str(outgoing / "0000000002-00.refused"), self.said)
        self.assertEqual(len(self.ids("without a sender", "--account", "alice")), 1)
        self.assertEqual(len(self.ids("behind the others", "--account", "alice")), 1)
        self.assertEqual(sorted(p.name for p in outgoing.iterdir()), ["0000000000-00", "0000000002-00.refused"])
        self.assertIn(b"Subject: to nobody\r\n\r\nHello.\r\n", (outgoing / "0000000002-00.refused").read_bytes())

    def test_what_was_written_in_an_editor_stays_until_it_is_sent(self):
        editor, folder = self.home / "editor", self.home / "tmp"
        editor.write_text("#!/bin/sh\necho 'A long letter.' > \"$1\"\n")
        editor.chmod(0o755)
        folder.mkdir()
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        environment.update(HOME=str(self.home), LANG="C.UTF-8", VISUAL=str(editor), TMPDIR=str(folder))
        for to, code in (("nobody@example.test", UNAVAILABLE), ("not an address <", USAGE), (ALICE, 0)):
            terminal, line = os.openpty()
            done = subprocess.run([FACTEUR, "send", "--account", "bob", "-s", "by hand", to], stdin=line, check=False,
                                  capture_output=True, env=environment, cwd=self.home, timeout=CLIENT_S)
            os.close(terminal)
            os.close(line)
            said = done.stderr.decode()
            self.assertEqual(done.returncode, code, said)
            left = list(folder.iterdir())
            self.assertEqual(len(left), code != 0, said)
            for path in left:
                self.assertIn(str(path), said)
                self.assertEqual(path.read_text(), "A long letter.\n")
                path.unlink()
        self.assertEqual(self.letter("by hand").get_content(), "A long letter.\n")

    def test_nothing_of_an_argument_becomes_a_field(self):
        self.send("one\r\nX-Evil: yes")
        found = [m for m in self.office.messages() if b"X-Evil: yes" in m]
        self.assertEqual(len(found), 1)
        self.assertNotIn("X-Evil", email.message_from_bytes(found[0]))

    def test_wrong_words_send_nothing(self):
        self.run_it("send", "-s", "x", text="", code=USAGE)
        self.run_it("send", "-s", "x", "not an address <", code=USAGE)
        self.run_it("send", "-a", "no-such-file", ALICE, code=NOINPUT)
        self.run_it("send", "--account", "nobody", ALICE, code=CONFIG)

    def test_printing_sends_nothing(self):
        printed = self.run_it("send", "--account", "bob", "-s", "printed", "--print", "--flowed", ALICE,
                              text="word " * 60 + "\nshort\n")
        letter = email.message_from_bytes(printed, policy=email.policy.default)
        self.assertEqual(letter.get_content_type(), "text/plain")
        self.assertEqual(letter.get_param("format"), "flowed")
        lines = letter.get_content().splitlines()
        self.assertTrue(all(len(line) <= 72 for line in lines))
        self.assertTrue(all(line.endswith(" ") for line in lines[:3]))
        self.assertEqual(self.ids("printed", "--account", "alice"), [])


class Reading(Desk):
    """Each on IMAP, POP3, mbox and Maildir."""

    def places(self):
        self.run_it("fetch", "bob", "--to", "box.mbox", "--all", "--quiet")
        self.run_it("fetch", "bob", "--to", "maildir/", "--all", "--quiet")
        return [("--account", "bob"), ("--account", "pop"), ("--box", "box.mbox"),
                ("--box", "maildir")]

    def test_a_message_is_listed_shown_and_its_attachment_saved_everywhere(self):
        (self.home / "note.txt").write_bytes(b"attached\n")
        self.send("everywhere", "-a", "note.txt", to=BOB, text="Salut Gérard\n")
        os.remove(self.home / "note.txt")
        for number, place in enumerate(self.places()):
            with self.subTest(place=place):
                mark = self.id("everywhere", *place)
                shown = self.data("show", mark, "--peek", *place)
                self.assertEqual(shown["text"], "Salut Gérard\n")
                self.assertEqual(shown["from"], f"Éva Exemple <{BOB}>")
                self.assertEqual([(a["part"], a["name"], a["size"]) for a in shown["attachments"]],
                                 [("2", "note.txt", 9)])
                folder = self.home / f"saved{number}/made"
                for _ in range(2):
                    self.run_it("save", mark, "--to", str(folder), *place)
                self.assertEqual({p.name: p.read_bytes() for p in folder.iterdir()},
                                 {"note.txt": b"attached\n", "note-2.txt": b"attached\n"})
                raw = self.run_it("show", mark, "--peek", "--raw", *place)
                self.assertEqual(email.message_from_bytes(raw)["Subject"], "everywhere")
                self.assertTrue(self.data("search", "everywhere", "--in", "subject",
                                          *place)["messages"])
                self.run_it("save", mark, "9", "--to", str(folder), *place, code=NOINPUT)

    def test_folders_are_listed_with_what_is_in_them(self):
        self.send("counted", to=BOB)
        mark = self.id("counted", "--account", "bob")
        self.run_it("move", mark, "--to", "Wörk/2026", "--account", "bob")
        rows = {row["name"]: row for row in self.data("folders", "--account", "bob")["folders"]}
        self.assertEqual(rows["Wörk/2026"], {"name": "Wörk/2026", "use": "", "messages": 1, "unseen": 1})
        self.assertEqual([rows[name]["use"] for name in ("INBOX", "Sent", "Trash")], ["inbox", "sent", "trash"])
        self.run_it("show", "1", "--folder", "Wörk/2026", "--account", "bob")
        self.assertRegex(self.run_it("folders", "--account", "bob").decode(), r"(?m)^Wörk/2026 +1 +0$")
        self.run_it("folders", "--account", "bob", "--box", "x", code=USAGE)
        self.run_it("folders", "--box", "no-such-place", code=NOINPUT)
        self.run_it("list", "--account", "bob", "--folder", "Work", code=NOINPUT)

    def test_a_conversation_is_a_tree_everywhere(self):
        self.send("tree", to=BOB)
        self.run_it("reply", self.id("tree", "--account", "bob"), "--account", "bob", text="Yes.\n")
        self.send("Re: tree", to=BOB)
        for place in self.places():
            with self.subTest(place=place):
                found = [m for m in self.data("thread", "--last", "0", *place)["messages"]
                         if m["subject"].endswith("tree")]
                self.assertEqual([m["depth"] for m in found], [0, 1, 1])
                self.assertEqual({m["parent"] for m in found[1:]}, {found[0]["id"]})
                text = self.run_it("thread", "--last", "0", *place).decode()
                self.assertRegex(text, "  tree\n.*├─> Re: tree\n.*└─> Re: tree\n")

    def test_flags_are_kept_everywhere_but_in_pop3(self):
        self.send("flags", to=BOB)
        for place in self.places():
            mark = self.id("flags", *place)
            if place[1] == "pop":
                self.run_it("flag", mark, "--add", "seen", *place, code=UNAVAILABLE)
                continue
            with self.subTest(place=place):
                self.run_it("show", mark, *place)
                self.run_it("flag", mark, "--add", "flagged,answered", *place)
                self.run_it("flag", mark, "--remove", "answered", *place)
                found = [m for m in self.data("list", "all", *place)["messages"]
                         if m["subject"] == "flags"][0]
                self.assertEqual([found[f] for f in ("seen", "answered", "flagged")],
                                 [True, False, True])
        for kind, path in ((mailbox.mbox, "box.mbox"), (mailbox.Maildir, "maildir")):
            message = next(m for m in kind(self.home / path, create=False) if m["Subject"] == "flags")
            self.assertEqual(set(message.get_flags()) - {"O"}, {"F", "S"} if path == "maildir" else {"F", "R"})

    def test_messages_are_deleted_everywhere(self):
        self.send("gone", to=BOB)
        places = self.places()
        for place in places[1:]:
            with self.subTest(place=place):
                count = len(self.data("list", "all", *place)["messages"])
                self.run_it("delete", self.id("gone", *place), *place)
                self.assertEqual(self.ids("gone", *place), [])
                self.assertEqual(len(self.data("list", "all", *place)["messages"]), count - 1)
        self.assertEqual(self.ids("gone", *places[0]), [])

    def test_messages_are_moved(self):
        self.send("moved", to=BOB)
        self.run_it("move", self.id("moved", "--account", "bob"), "--to", "Archive/Été", "--account", "bob")
        self.assertEqual(self.ids("moved", "--account", "bob"), [])
        place = ("--account", "bob", "--folder", "Archive/Été")
        self.run_it("move", self.id("moved", *place), "--to-box", "here/", *place)
        self.assertEqual(self.ids("moved", *place), [])
        self.run_it("move", "all", "--to-box", "there.mbox", "--box", "here")
        self.assertEqual(self.data("list", "--box", "here")["messages"], [])
        self.assertEqual(len(self.ids("moved", "--box", "there.mbox")), 1)

    def test_an_answer_belongs_to_its_thread(self):
        self.send("question", "--cc", "alice@example.test", to=BOB, account="alice", text="Well?\n")
        first = self.letter("question", BOB)
        self.run_it("reply", self.id("question", "--account", "bob"), "--account", "bob", text="Yes.\n")
        answer = self.letter("Re: question")
        self.assertEqual(answer["In-Reply-To"], first["Message-ID"])
        self.assertEqual(answer["References"], first["Message-ID"])
        self.assertEqual(answer["To"].addresses[0].addr_spec, ALICE)
        self.assertIn("wrote:\n> Well?\n\nYes.\n", answer.get_content())
        self.assertTrue(next(m for m in self.data("list", "--account", "bob")["messages"]
                             if m["subject"] == "question")["answered"])
        self.run_it("reply", self.id("Re: question", "--account", "alice"), "--account", "alice",
                    "--all", "--bare", text="Good.\n")
        again = [m for m in self.office.messages(BOB) if b"\nSubject: Re: question\r" in m]
        self.assertIn(first["Message-ID"].encode() + b" " + answer["Message-ID"].encode(),
                      b" ".join(again[-1].split()))

    def test_a_message_is_passed_on_whole(self):
        self.send("original", to=BOB)
        whole = self.run_it("show", self.id("original", "--account", "bob"), "--raw", "--account", "bob")
        self.run_it("forward", self.id("original", "--account", "bob"), ALICE, "--account", "bob",
                    text="Look.\n")
        part = list(self.letter("Fwd: original").iter_attachments())[0]
        self.assertEqual(part.get_content_type(), "message/rfc822")
        self.assertEqual(part.get_content()["Message-ID"],
                         email.message_from_bytes(whole)["Message-ID"])

    def test_a_message_goes_on_unchanged(self):
        stranger = "someone@elsewhere.test"
        with self.office.smtp() as client:
            client.sendmail(stranger, [BOB], f"From: {stranger}\r\nSubject: for alice\r\nMessage-ID: <1@elsewhere.test>\r\n"
                            "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\n\r\nDéjà vu\r\n".encode())
        mark = self.id("for alice", "--account", "bob")
        before = self.run_it("show", mark, "--raw", "--account", "bob")
        self.run_it("bounce", mark, ALICE, "--account", "bob")
        after = self.office.find("for alice")
        first, again = email.message_from_bytes(before), email.message_from_bytes(after)
        self.assertEqual(again["Resent-From"].split("<")[1], BOB + ">")
        self.assertEqual(again["Resent-To"], ALICE)
        self.assertTrue(again["Resent-Date"] and again["Resent-Message-ID"])
        self.assertEqual(first["Message-ID"], again["Message-ID"])
        self.assertTrue(after.endswith(before[before.index(b"\r\nDate: "):]))
        self.assertLess(after.index(b"Resent-From"), after.index(b"\r\nDate: "))
        # What somebody else of this server wrote could have been forged here.
        self.send("of a colleague", to=BOB, account="alice")
        self.run_it("bounce", self.id("of a colleague", "--account", "bob"), ALICE, "--account", "bob", code=69)
        self.assertIn("not yours to send as", self.said)

    def test_numbers_that_are_none_are_told(self):
        for word, code in (("0", USAGE), ("x", USAGE), ("4000000000", NOINPUT), ("9-3", USAGE),
                           ("last-x", USAGE), ("1-", USAGE)):
            self.run_it("show", word, "--account", "alice", code=code)
        self.run_it("list", "--folder", "No such", "--account", "alice", code=NOINPUT)
        self.run_it("list", "--folder", "Sent", "--account", "pop", code=NOINPUT)
        self.run_it("list", "--box", "no-such", code=NOINPUT)


class Hostile(Desk):
    """What strangers write reaches no terminal and no file that it should not."""

    def box(self, text):
        (self.home / "evil.mbox").write_bytes(b"From x Sat Jan  1 00:00:00 2026\n" + text + b"\n")
        return ("--box", "evil.mbox")

    def test_controls_are_taken_out(self):
        place = self.box(b"From: \x1b]0;title\x07 <a@b.test>\nSubject: =?utf-8?q?=1B[2J=E2=80=AEx?=\n\n"
                         b"\x1b[31mred\x9b2J\r\rtab\there\n")
        for words in (("show", "1"), ("list",)):
            out = self.run_it(*words, *place)
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn(b"\x07", out)
            self.assertNotIn("\u202e".encode(), out)
        self.assertIn(b"tab\there", out if b"tab" in out else self.run_it("show", "1", *place))

    def test_names_of_attachments_stay_in_the_folder(self):
        place = self.box(b"Content-Type: application/x; name=\"../../../tmp/evil\x01\"\n\ndata\n")
        (self.home / "in").mkdir()
        self.run_it("save", "1", "1", "--to", "in", *place)
        self.assertEqual([p.name for p in (self.home / "in").iterdir()], ["evil_"])
        self.run_it("save", "1", "1", "--to", "in/evil_", *place, code=CANNOT_CREATE)
        self.run_it("save", "1", "1", "--to", "", *place, code=NOINPUT)

    def test_html_becomes_text_and_links_show_where_they_lead(self):
        place = self.box(b"Content-Type: text/html; charset=utf-8\n\n<html><head><title>no</title>"
                         b"<style>p{}</style></head><body><script>alert(1)</script>"
                         b"<p>Dear&nbsp;G&eacute;rard,</p><ul><li>one<li>two</ul>"
                         b"<a href=\"http://evil.test/?a=1&amp;b=2\">your bank</a>"
                         b"<img src='http://track.test/x.png' alt='a cat'><p>a &lt; b<br>c</p></body></html>\n")
        text = self.data("show", "1", *place)["text"]
        self.assertEqual(text, "Dear Gérard,\n\n* one\n* two\n\nyour bank <http://evil.test/?a=1&b=2>"
                               "[a cat]\n\na < b\nc\n")

    def test_flowed_text_is_joined(self):
        place = self.box(b"Content-Type: text/plain; format=flowed\n\nOne \nparagraph.\n> quoted \n> too\n"
                         b" From here\n-- \nme\n")
        self.assertEqual(self.data("show", "1", *place)["text"],
                         "One paragraph.\n> quoted too\nFrom here\n-- \nme\n")


class Fetching(Desk):
    def test_only_what_is_new_comes_and_the_server_keeps_it(self):
        for account in ("bob", "pop"):
            with self.subTest(account=account):
                self.send("old for " + account, to=BOB)
                self.run_it("fetch", account, "--to", f"{account}/")
                before = len(self.data("list", "all", "--box", account)["messages"])
                self.assertGreater(before, 0)
                self.send("new for " + account, to=BOB)
                self.run_it("fetch", account, "--to", f"{account}/")
                self.assertEqual(len(self.data("list", "all", "--box", account)["messages"]), before + 1)
                self.assertEqual(self.run_it("fetch", account, "--to", f"{account}/"), b"")
                self.assertEqual(len(self.ids("new for " + account, "--account", account)), 1)

    def test_messages_are_deleted_when_they_are_old_enough(self):
        self.send("old", to=BOB)
        self.run_it("fetch", "pop", "--to", "in/", "--delete-after", "3")
        self.assertEqual(len(self.ids("old", "--account", "pop")), 1)
        seen = self.home / ".local/state/facteur/seen/pop~INBOX"
        seen.write_text("".join(f"{int(day) - 3} {rest}" for day, rest in
                                (line.split(" ", 1) for line in seen.open())))
        self.run_it("fetch", "pop", "--to", "in/", "--delete-after", "3")
        self.assertEqual(self.data("list", "--account", "pop")["messages"], [])
        self.assertEqual(len(self.ids("old", "--box", "in")), 1)

    def test_a_clock_that_goes_back_deletes_nothing_and_half_a_line_counts_for_nothing(self):
        self.send("from tomorrow", to=BOB)
        self.run_it("fetch", "pop", "--to", "in/")
        seen = self.home / ".local/state/facteur/seen/pop~INBOX"
        seen.write_text("".join(f"{int(day) + 2} {rest}" for day, rest in
                                (line.split(" ", 1) for line in seen.open())))
        self.run_it("fetch", "pop", "--to", "in/", "--delete-after", "3")
        self.assertEqual(len(self.ids("from tomorrow", "--account", "pop")), 1)
        self.assertEqual(len(self.ids("from tomorrow", "--box", "in")), 1)
        seen.write_text(seen.read_text().removesuffix("\n"))
        for _ in range(2):
            self.run_it("fetch", "pop", "--to", "in/")
            self.assertEqual(len(self.ids("from tomorrow", "--box", "in")), 2)

    def test_a_command_takes_each_message(self):
        self.send("piped", to=BOB)
        self.run_it("fetch", "bob", "--to-command", "cat >> all.txt", "--quiet")
        self.assertIn("\nSubject: piped\n", (self.home / "all.txt").read_text())
        self.send("not taken", to=BOB)
        self.run_it("fetch", "bob", "--to-command", "exit 3", code=74)
        self.run_it("fetch", "bob", "--to-command", "cat >> all.txt", "--quiet")
        self.assertEqual((self.home / "all.txt").read_text().count("\nSubject: not taken\n"), 1)

    def test_waiting_it_fetches_what_comes(self):
        environment = dict(os.environ, HOME=str(self.home), LANG="C.UTF-8")
        with subprocess.Popen([FACTEUR, "fetch", "bob", "--to", "idle/", "--wait"], cwd=self.home,
                              env=environment, stdout=subprocess.PIPE) as waiting:
            waiting.stdout.readline()
            self.send("while it waits", to=BOB)
            found = wait_for(lambda: self.ids("while it waits", "--box", "idle"), 60)
            waiting.send_signal(signal.SIGTERM)
        self.assertEqual(len(found), 1)

    def test_two_mbox_writers_lose_nothing(self):
        self.send("many", to=BOB)
        threads = [threading.Thread(target=self.run_it, args=("fetch", account, "--to", "both.mbox", "--quiet"))
                   for account in ("bob", "pop")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.ids("many", "--box", "both.mbox")), 2)


if __name__ == "__main__":
    main()
