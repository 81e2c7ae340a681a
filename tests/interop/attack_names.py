#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Hostile names and words at a person's own desk: what letters, other people's servers and Maildirs call things. Nothing of it
reaches the terminal but text, no file is written outside of the folder that was named, over another or through a link, and
nobody's mail is imported who only had a link led to it."""
import base64
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from office import ALICE, CLIENT_S, FACTEUR, Listener, Office, main

SECRET = "Subject: top secret\n\nof somebody else\n"
# What a terminal would obey, or show where it does not belong.
EVIL = ["\x1b[2J", "\x1b]0;title\x07", "\x1bP+q\x1b\\", "\x9b2J", "\x85", "\x08\x08", "\x7f", "\x0b", "\u202e", "\u2066", "\u2028"]
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
NAMES = ["../../../up", "/etc/up", "a/../../up", "..", ".", "", "\0nul", "a\0b", "new\nline", "-rf", "--to", ".bashrc", "a\\..\\up",
         "C:\\up", "long" * 200, "\u00e9" * 300, "\u202etxt.exe", " blank ", "|id", "$(touch up)", "`touch up`", "~root/up", "x/", "//",
         "%2e%2e%2fup", "\u2025/up", "esc\x1b[2J", "csi\x9b2J"]
CAPABILITIES = b"IMAP4rev1 UIDPLUS LITERAL+"
FOLDERS = ["INBOX", "../up", "../../../../tmp/up", "a/../../b", "..", ".", "/etc/up", "//x", "a//b", "cur", "new", "tmp", "x/cur", "nl\nx",
           "nul\0x", "long" * 60, "d/" * 30 + "e", "-rf", "~", "a\\..\\b", "$(touch up)", ".hidden", ".facteur", *EVIL]


def encoded(text):
    return "=?utf-8?b?" + base64.b64encode(text.encode()).decode() + "?="


def in_utf7(name):
    """A mailbox's name (RFC 3501 §5.1.3)."""
    def shift(match):
        if match[0] == "&":
            return "&-"
        return "&" + base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub(r"&|[^\x20-\x7e]+", shift, name).encode()


def letter(evil, name):
    """Evil in all that is shown of a letter; what is attached has that name, told in three ways."""
    percent = "".join(f"%{octet:02X}" for octet in name.encode())
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    part = "--b\nContent-Type: application/x-y; {}\nContent-Disposition: attachment; {}\n\nattached\n"
    return (f"From: {encoded('a' + evil)} <a@b.test>\nTo: \"t{evil}\" <b@b.test>\nSubject: raw{evil} {encoded('s' + evil)}\n"
            f"Date: Tue, 02 Jan 2024 10:00:00 +0000 ({evil})\nMessage-ID: <m{evil}@x>\nReferences: <r{evil}@x>\nList-Id: {evil} <l.x>\n"
            f"Received: from a{evil} (c{evil} [192.0.2.1]) by d{evil} with ESMTP id x{evil}; Tue, 02 Jan 2024 10:00:00 +0000\n"
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
            f"--b\nContent-Type: text/plain; charset=utf-8\n\ntext {evil}\n"
            f"--b\nContent-Type: text/html; charset=utf-8\n\n<a href=\"http://x/{evil}\">l{evil}</a>&#27;[2J&#155;2J&#8238;<img alt=\"{evil}\">\n"
            f"--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{evil}\nSUMMARY:s{evil}\n"
            f"ORGANIZER;CN=\"{evil}\":mailto:o@x\nDTSTART:20240102T100000Z\nEND:VEVENT\nEND:VCALENDAR\n"
            f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;{evil}\n\nFinal-Recipient: rfc822;{evil}@x\nAction: failed{evil}\n"
            f"Status: 5.1.1\nDiagnostic-Code: smtp;{evil}\n"
            f"--b\nContent-Type: message/rfc822\n\nFrom: {evil}\nSubject: in{evil}\n\nx{evil}\n"
            + part.format(f'name="{evil}"', f'filename="{quoted}"') + part.format("x=y", f'filename="{encoded(name)}"')
            + part.format("x=y", f"filename*=utf-8''{percent}") + "--b--\n").encode()


class Hostile(Listener):
    """An IMAP server whose every word has something for the terminal, and whose mailboxes have names of all kinds."""

    def __init__(self, evil, refused, delimiter="/"):
        self.evil, self.refused, self.delimiter = evil.encode(), refused, delimiter
        super().__init__()

    def serve(self, stream):
        with stream, stream.makefile("rb") as lines:
            try:
                stream.sendall(b"* OK [CAPABILITY " + CAPABILITIES + b"] hello " + self.evil + b"\r\n")
                while (line := lines.readline()) and self.answer(stream, lines, line):
                    pass
            except OSError:
                pass

    def answer(self, stream, lines, line):
        while count := re.search(rb"\{(\d+)(\+?)\}\r\n$", line):
            if not count[2]:
                stream.sendall(b"+ go on " + self.evil + b"\r\n")
            line = line[:count.start()] + b'"' + lines.read(int(count[1])) + b'"' + lines.readline()
        tag, *words = line.upper().split()
        word = words[words[0] == b"UID"]
        said = [] if word == self.refused else list(self.told(word))
        end = b" NO [ALERT] no " if word == self.refused else b" OK [READ-WRITE] done " if word == b"SELECT" else b" OK done "
        stream.sendall(b"".join(one + b"\r\n" for one in [*said, tag + end + self.evil]))
        return word != b"LOGOUT"

    def told(self, word):
        text = b"Subject: x" + self.evil + b"\r\n\r\nx\r\n"
        if word == b"CAPABILITY":
            yield b"* CAPABILITY " + CAPABILITIES
        elif word in (b"LIST", b"LSUB"):
            yield b"* OK [ALERT] alert " + self.evil
            for name in FOLDERS:
                name = in_utf7(name)
                yield b'* %s () "%s" {%d}\r\n%s' % (word, self.delimiter.encode(), len(name), name)
        elif word in (b"SELECT", b"EXAMINE"):
            yield b"* FLAGS (\\Seen)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x"
        elif word == b"SEARCH":
            yield b"* SEARCH 1"
        elif word == b"FETCH":
            octets = b"{%d}\r\n%s" % (len(text), text)
            yield (b"* 1 FETCH (UID 1 FLAGS () INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" RFC822.SIZE %d BODY[] %s BODY[HEADER] %s)"
                   % (len(text), octets, octets))
        elif word == b"LOGOUT":
            yield b"* BYE " + self.evil


class Desk(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fn-")
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name, "home")
        self.home.mkdir()
        self.secret = self.home.parent / "secret"
        self.secret.write_text(SECRET)

    def maildir(self, name):
        path = self.home / name
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True)
        return path

    def run_it(self, *words, text="", config=None, is_raw=False):
        """Whatever it answers: text and ends of lines, and it does come to an end."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        environment.update(HOME=str(self.home), LANG="C.UTF-8", EDITOR="false", **({"FACTEUR_CONFIG": str(config)} if config else {}))
        done = subprocess.run([FACTEUR, *map(str, words)], input=text.encode(), capture_output=True, env=environment, cwd=self.home,
                              check=False, timeout=CLIENT_S)
        said = done.stderr.decode() + ("" if is_raw else done.stdout.decode())
        self.assertGreaterEqual(done.returncode, 0, (words, said[-2000:]))
        self.assertNotIn("AddressSanitizer", said)
        if found := OBEYED.search(said):
            self.fail(f"{words}: {found[0]!r} in {said[max(found.start() - 100, 0):found.end() + 50]!r}")
        return done

    def outside(self):
        """What lies beside home, and in it beside what a test has made itself."""
        self.assertEqual(self.secret.read_text(), SECRET)
        return {path.name for path in self.home.parent.iterdir()} | {path.name for path in self.home.iterdir()}


class Letters(Desk):
    def test_what_letters_say_commands_no_terminal(self):
        box = self.maildir("box")
        for number, evil in enumerate(EVIL):
            (box / "new" / f"{number + 1}.x.host").write_bytes(letter(evil, "name" + evil))
        place = ("--box", box)
        for words in (("list",), ("list", "--json"), ("thread",), ("search", "x")):
            self.assertEqual(self.run_it(*words, *place).returncode, 0)
        for number in range(1, len(EVIL) + 1):
            for words in (("show", number, "--peek"), ("show", number, "--peek", "--json"), ("save", number, "--to", self.home)):
                self.assertEqual(self.run_it(*words, *place).returncode, 0, words)
        for path in (box / "new").iterdir():
            for words in (("mime", "tree"), ("mime", "check"), ("itinerary",)):
                self.run_it(*words, path)
                self.run_it(*words, path, "--json")

    def test_attachments_stay_in_their_folder_and_replace_nothing(self):
        box, folder = self.maildir("box"), self.home / "saved"
        folder.mkdir()
        for trap in ("up", "passwd", "attachment", "rf", "bashrc"):
            (folder / trap).symlink_to(self.secret)
        (folder / "id").write_text("mine")
        before = self.outside()
        for number, name in enumerate(NAMES):
            (box / "new" / f"{number + 1}.x.host").write_bytes(letter("", name))
        saved = []
        for number in range(len(NAMES)):
            done = self.run_it("save", number + 1, "--box", box, "--to", folder)
            self.assertEqual(done.returncode, 0, (NAMES[number], done.stderr))
            saved += done.stdout.decode().splitlines()
        self.assertEqual(len(saved), len(set(saved)))
        self.assertEqual(self.outside(), before)
        for path in map(Path, saved):
            self.assertEqual(path.parent, folder)
            self.assertFalse(path.is_symlink())
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertGreaterEqual(sum(path.read_bytes().strip() == b"attached" for path in map(Path, saved)), 3 * len(NAMES))
        self.assertEqual((folder / "id").read_text(), "mine")


class Servers(Desk):
    def account(self, evil, refused, delimiter="/"):
        server = Hostile(evil, refused, delimiter)
        self.addCleanup(server.close)
        self.run_it("account", "add", "a@x.test", "--as", "a", "--incoming", f"imap://127.0.0.1:{server.port}", "--outgoing",
                    f"smtp://127.0.0.1:{server.port}", "--tls", "never", "--password-stdin", "--untested", text="secret\n")
        return server

    def test_what_servers_say_commands_no_terminal(self):
        for evil in EVIL:
            for refused in (b"LOGIN", b"LIST", b"EXAMINE", b"FETCH"):
                with self.subTest(evil=evil, refused=refused):
                    self.account(evil, refused)
                    for words in (("list", "--trace"), ("show", "1"), ("move", "1", "--to", "f")):
                        self.run_it(*words, "--account", "a")
                    self.run_it("fetch", "a", "--to", self.home / "fetched")
            self.account(evil, None)
            self.run_it("account", "test", "a")

    def test_their_folders_stay_below_the_copy(self):
        before = self.outside()
        for delimiter in "/.":
            self.account(EVIL[0], None, delimiter)
            done = self.run_it("sync", "a", "--verbose")
            self.assertIn(b"INBOX: fetched 1", done.stdout)
            self.assertEqual([path.name for path in (self.home / "Mail").iterdir()], ["a"])
            shutil.rmtree(self.home / "Mail")
            self.assertIn(b'"fetched"', self.run_it("sync", "a", "--verbose", "--json").stdout)
            shutil.rmtree(self.home / "Mail")
        self.assertEqual(self.outside() - {".config", ".local"}, before)
        self.assertFalse(Path("/tmp/up").exists() or Path("/etc/up").exists())

    def test_a_migration_takes_names_as_names(self):
        office = Office()
        self.addCleanup(office.close)
        for evil in EVIL[::3]:
            server = Hostile(evil, None)
            self.addCleanup(server.close)
            done = self.run_it("migrate", ALICE, f"imap://127.0.0.1:{server.port}", "--clear", "--password-stdin", text="secret\n",
                               config=office.folder / "facteur.conf")
            self.assertRegex(done.stdout, rb"(migrated|already_there): [1-9]", done.stderr)
        for words in (("mailbox", "list", ALICE), ("mailbox", "list", ALICE, "--json"), ("check",)):
            self.assertEqual(self.run_it(*words, config=office.folder / "facteur.conf").returncode, 0)
        for line in office.log_text().splitlines():
            self.assertRegex(line, r"^\S+ level=")


class Boxes(Desk):
    """Maildirs of people, imported by who may read everything."""

    def plant(self):
        box = self.maildir("box")
        (box / "cur" / "1.a.host:2,S").write_text("Subject: mine\n\nx\n")
        (box / "cur" / "2.\x1b[2J\n\u202e.host:2,").write_text("Subject: named\n\nx\n")
        (box / "new" / ("3." + "x" * 250)).write_text("Subject: long\n\nx\n")
        (box / "cur" / "4.link.host:2,").symlink_to(self.secret)
        (box / "new" / "5.zero.host").symlink_to("/dev/zero")
        (box / "new" / "6.nowhere.host").symlink_to("nowhere")
        (box / "cur" / "7.folder.host:2,").mkdir()
        os.mkfifo(box / "cur" / "8.fifo.host:2,")
        (box / "dovecot-uidlist").symlink_to("/dev/zero")
        (box / "dovecot-keywords").symlink_to(self.secret)
        return box

    def test_links_lead_no_import_to_the_mail_of_others(self):
        office = Office()
        self.addCleanup(office.close)
        config, box = office.folder / "facteur.conf", self.plant()
        done = self.run_it("import", ALICE, box, config=config)
        self.assertEqual((done.returncode, done.stdout.splitlines()[0]), (0, b"imported: 3"), done.stderr)
        other = self.home / "other"
        other.mkdir()
        for part in ("cur", "new", "tmp"):
            (other / part).symlink_to(box / part)
        (self.home / "mbox").symlink_to(self.secret)
        for path in (other, self.home / "mbox", box / "cur" / "8.fifo.host:2,", "/dev/zero", self.home / "no\x1b[2J"):
            self.assertNotEqual(self.run_it("import", ALICE, path, config=config).returncode, 0, path)
        self.assertFalse([text for text in office.messages(ALICE) if b"top secret" in text])
        for kind, path in (("maildir", other), ("mbox", self.home / "mbox")):
            self.assertNotEqual(self.run_it("export", ALICE, path, "--format", kind, config=config).returncode, 0)
        self.assertEqual(self.secret.read_text(), SECRET)

    def test_what_is_no_letter_is_not_waited_for(self):
        box = self.plant()
        done = self.run_it("list", "--box", box)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1 + 4)  # a link to a letter is one: search programs make them
        for words in (("search", "x"), ("thread",), ("show", "1", "2", "3", "4", "--peek")):
            self.assertEqual(self.run_it(*words, "--box", box).returncode, 0, words)


if __name__ == "__main__":
    main()
