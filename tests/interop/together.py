#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Ten clients at two mailboxes of one account at once: imaplib, curl, mutt, mbsync, offlineimap, fetchmail, imapfilter, `facteur sync`, a
session in IDLE and one with NOTIFY (and imapflow, where node finds it). Each puts letters in, flags, moves and removes those that
bear its name, by the ways it has, and reads all. At the end every letter is where its client left it, once, and all views agree."""
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

from office import CLIENT_S, main, wait_for
from push import Wire
from sync_world import PASSWORD, Facteur, Person, ok
from terminal import Screen

ROUNDS, BOXES = 2, ("team", "done")


def letter(name):
    return (f"From: <{name}@elsewhere.test>\r\nTo: <reader@example.test>\r\nSubject: {name}\r\nMessage-ID: <{name}@elsewhere.test>\r\n"
            f"Date: Mon, 02 Feb 2026 10:00:00 +0000\r\n\r\nBody of {name}.\r\n").encode()


def subject(text):
    return re.search(rb"^Subject: (\S+)", text, re.M)[1].decode()


class Ear(Wire):
    """A session that believes what it is told: the names of the letters, by their numbers."""

    def __init__(self, case, notify):
        super().__init__(case.office, tls=True, who=case.person.address, password=PASSWORD)
        self.names, self.flagged = [], set()
        self.hear(self.ask(b"SELECT team"))
        if notify:  # delayed: whoever uses numbers wants no EXPUNGE while a command is on its way (RFC 5465 §6.1.2)
            self.hear(self.ask(b"NOTIFY SET (SELECTED-DELAYED (MessageNew (BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))"))

    def hear(self, lines):
        number = None
        for line in lines:
            if found := re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)", line):
                number, what = int(found[1]), found[2]
                if what == b"EXPUNGE":
                    del self.names[number - 1]
                elif what == b"EXISTS":
                    assert number >= len(self.names), line
                    self.names += [None] * (number - len(self.names))
            elif number and line.startswith(b"Subject:"):
                self.names[number - 1] = subject(line)

    def learn(self):
        """By its own numbers, what it was not told. Their names must be what it knew."""
        known = list(self.names)
        if known:
            self.hear(self.ask(b"FETCH 1:%d (BODY.PEEK[HEADER.FIELDS (SUBJECT)])" % len(known)))
        for before, after in zip(known, self.names):
            assert before in (None, after), (before, after)

    def number_of(self, name):
        return self.names.index(name) + 1


class Together(unittest.TestCase):
    def setUp(self):
        self.server = Facteur()
        self.addCleanup(self.server.close)
        self.office = self.server.office
        self.person = Person(self.server, "reader")
        self.addCleanup(self.person.close)
        self.home, self.user, self.trust = self.person.home, self.person.address, self.server.trust
        self.where, self.flagged, self.problems, self.lock = {}, set(), [], threading.Lock()
        self.is_over = False
        with self.person.imap() as client:
            for box in BOXES:
                ok(client.create(box))
            for name in ("mutt", "imapfilter"):
                for number in range(3):
                    self.put(client, f"{name}-{number}")

    # ---- what must come of it

    def note(self, name, box):
        with self.lock:
            self.where[name] = box

    def put(self, client, name):
        ok(client.append("team", None, None, letter(name)))
        self.note(name, "team")

    # ---- the clients

    def run_program(self, *words, env=None):
        try:
            done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=dict(os.environ, HOME=str(self.home), **(env or {})), check=False, timeout=CLIENT_S)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{words}: no end: {(late.stdout or b'').decode(errors='replace')[-2000:]}") from late
        if done.returncode != 0:
            raise AssertionError(f"{words}: exit code {done.returncode}: {done.stdout.decode(errors='replace')[-2000:]}")
        return done.stdout.decode(errors="replace")

    def run_until(self, excuse, *words):
        """Once more when others have removed what it had counted: it fails with such words."""
        while True:
            try:
                return self.run_program(*words)
            except AssertionError as problem:
                if not re.search(excuse, str(problem)):
                    raise

    def find(self, client, name):
        uids = ok(client.uid("SEARCH", "SUBJECT", f'"{name}"'))[0].split()
        assert len(uids) == 1, (name, uids)
        return uids[0].decode()

    def imaplib(self):
        with self.person.imap() as client:
            ok(client.select("team"))
            for number in range(ROUNDS):
                keep, move, gone = (f"imaplib-{what}-{number}" for what in ("keep", "move", "gone"))
                for name in (keep, move, gone):
                    self.put(client, name)
                ok(client.uid("STORE", self.find(client, keep), "+FLAGS", r"(\Flagged)"))
                self.flagged.add(keep)
                ok(client.uid("MOVE", self.find(client, move), "done"))
                self.note(move, "done")
                uid = self.find(client, gone)
                ok(client.uid("STORE", uid, "+FLAGS", r"(\Deleted)"))
                ok(client.uid("EXPUNGE", uid))
                self.note(gone, None)
                ok(client.uid("FETCH", "1:*", "(FLAGS ENVELOPE BODY.PEEK[])"))

    def curl(self):
        words = ["curl", "-sS", "--cacert", self.trust, "-u", f"{self.user}:{PASSWORD}"]
        where = f"imaps://localhost:{self.server.port}/team"
        for number in range(ROUNDS):
            name, path = f"curl-{number}", self.home / "curl"
            path.write_bytes(letter(name))
            self.run_program(*words, "-T", path, where)
            uid = re.search(r"SEARCH (\d+)", self.run_program(*words, where, "-X", f"UID SEARCH SUBJECT {name}"))[1]
            self.assertIn(f"Body of {name}.", self.run_program(*words, f"{where};UID={uid}"))
            self.run_program(*words, where, "-X", f"UID STORE {uid} +FLAGS.SILENT (\\Flagged)")
            self.flagged.add(name)
            if number:
                self.run_program(*words, where, "-X", f"UID MOVE {uid} done")
            self.note(name, "done" if number else "team")

    def mutt(self):
        account = self.user.replace("@", "%40")
        (self.home / "muttrc").write_text(
            f'set folder="imaps://{account}@localhost:{self.server.port}/" spoolfile="=team" imap_pass="{PASSWORD}"\n'
            f'set certificate_file="{self.trust}" ssl_ca_certificates_file="{self.trust}" imap_authenticators="plain"\n'
            'set quit=yes delete=yes move=no confirmappend=no confirmcreate=no mark_old=no sort=mailbox-order\n'
            r'push "<tag-pattern>~s mutt-0\n<tag-prefix><flag-message><untag-pattern>.\n<tag-pattern>~s mutt-1\n<tag-prefix><save-message>'
            r'=done\n<untag-pattern>.\n<delete-pattern>~s mutt-2\n<sync-mailbox><quit>"' "\n")
        with Screen(["mutt", "-F", self.home / "muttrc"], dict(os.environ, HOME=str(self.home), LANG="C.UTF-8")) as screen:
            if screen.end() != 0:
                raise AssertionError("mutt failed")
        self.flagged.add("mutt-0")
        self.note("mutt-1", "done")
        self.note("mutt-2", None)

    def keep_maildir(self, name, root, run, rounds=ROUNDS):
        """Puts a file into the copy of `team`, removes another, and lets the program run."""
        run()
        for number in range(rounds):
            keep, gone = f"{name}-keep-{number}", f"{name}-gone-{number}"
            for one in (keep, gone):
                (root / "team/new" / f"{time.time_ns()}.{one}").write_bytes(letter(one).replace(b"\r\n", b"\n"))
            run()
            self.note(keep, "team")
            for path in (root / "team").glob("*/*"):
                if subject(path.read_bytes()) == gone:
                    path.unlink()
            run()
            self.note(gone, None)

    def run_mbsync(self):
        self.run_program("mbsync", "-c", self.home / "mbsyncrc", "c")

    def mbsync(self):
        (self.home / "mb").mkdir()
        (self.home / "mbsyncrc").write_text(f"""
IMAPAccount f
Host localhost
Port {self.server.port}
User {self.user}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {self.trust}

IMAPStore far
Account f

MaildirStore near
Path {self.home}/mb/
Inbox {self.home}/mb/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns team done
Create Both
Expunge Both
SyncState *
""")
        self.keep_maildir("mbsync", self.home / "mb", self.run_mbsync)

    def run_offlineimap(self):
        self.run_until("does not have a message with UID", "offlineimap", "-o", "-u", "basic", "-c", self.home / "offlinerc")

    def offlineimap(self):
        (self.home / "offlinerc").write_text(f"""
[general]
accounts = a
metadata = {self.home}/meta
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = {self.home}/off
[Repository r]
type = IMAP
remotehost = localhost
remoteport = {self.server.port}
remoteuser = {self.user}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {self.trust}
folderfilter = lambda name: name in ('team', 'done')
""")
        self.keep_maildir("offlineimap", self.home / "off", self.run_offlineimap, rounds=1)  # each takes seconds

    def run_sync(self):
        """A mailbox that another client removes behind the list is named, and the rest is done."""
        self.person.run("sync", code=None)
        warnings = [line for line in self.person.said.splitlines() if line.startswith("facteur:")]
        if self.person.code not in (0, 69) or not all("there is no such mailbox" in line for line in warnings):
            raise AssertionError(f"sync: exit code {self.person.code}: {self.person.said}")

    def sync(self):
        self.keep_maildir("sync", self.person.root, self.run_sync)

    def fetchmail(self):
        rc = self.home / "fetchmailrc"
        rc.write_text(f"poll localhost protocol imap service {self.server.port} user {self.user} password {PASSWORD} folder team ssl sslcertck "
                      f"sslcertfile {self.trust} keep fetchall mda \"sh -c 'cat >>{self.home}/fetched'\"\n")
        rc.chmod(0o600)
        # Of a message that is gone it hears OK, or what else is new. When it has the header already, it waits for more than that OK.
        self.run_until(r"Incorrect FETCH response|OK \[EXPUNGEISSUED\].*\n.*timeout after", "fetchmail", "-v", "--timeout", "10", "-f", rc,
                       "--nosyslog", "--pidfile", self.home / "pid")
        if "Body of " not in (self.home / "fetched").read_text():
            raise AssertionError("fetchmail fetched nothing")

    def imapfilter(self):
        (self.home / "config.lua").write_text(f"""
options.certificates = false
account = IMAP {{ server = 'localhost', port = {self.server.port}, username = '{self.user}', password = '{PASSWORD}', ssl = 'auto' }}
account.team:contain_subject('imapfilter-0'):mark_flagged()
account.team:contain_subject('imapfilter-1'):move_messages(account.done)
account.team:contain_subject('imapfilter-2'):delete_messages()
""")
        self.run_program("imapfilter", "-t", self.trust, "-c", self.home / "config.lua")
        self.flagged.add("imapfilter-0")
        self.note("imapfilter-1", "done")
        self.note("imapfilter-2", None)

    def imapflow(self):
        self.run_program("node", sys.path[0] + "/imapflow.js", self.server.port, self.user, PASSWORD)

    def idle(self):
        self.idler = Ear(self, notify=False)
        for number in range(10 * ROUNDS):
            tag = self.idler.begin(b"IDLE")
            self.idler.hear(self.idler.until(b"+"))
            if not self.is_over:
                self.idler.hear([self.idler.line()])  # the others are busy: something comes
            self.idler.put(b"DONE\r\n")
            self.idler.hear(self.idler.until(tag))
            if number % 10 == 0:
                self.work(self.idler, f"idle-{number}")

    def notify(self):
        self.notified = Ear(self, notify=True)
        for number in range(ROUNDS):
            self.work(self.notified, f"notify-{number}")

    def work(self, ear, name):
        """By numbers, as the session was told of them."""
        for what in ("keep", "gone"):
            ear.hear(ear.ask(b"APPEND team {%d+}\r\n%s" % (len(letter(f"{name}-{what}")), letter(f"{name}-{what}"))))
            self.note(f"{name}-{what}", "team")
        ear.learn()
        ear.hear(ear.ask(b"STORE %d +FLAGS (\\Flagged)" % ear.number_of(f"{name}-keep")))
        self.flagged.add(f"{name}-keep")
        ear.hear(ear.ask(b"MOVE %d done" % ear.number_of(f"{name}-gone")))
        self.note(f"{name}-gone", "done")

    # ---- and all at once

    def guard(self, what):
        try:
            what()
        except Exception as problem:  # pylint: disable=broad-except # whatever it was, it is told
            self.problems.append(f"{what.__name__}: {problem!r}")

    def names(self, client, box):
        ok(client.select(box, readonly=True))
        rows = ok(client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        return [subject(row[1]) for row in rows if isinstance(row, tuple)]

    def is_settled(self):
        """Of what was removed, nothing waits to be: all programs have run to their end."""
        for run in (self.run_mbsync, self.run_offlineimap, lambda: self.person.run("sync")):
            run()
        with self.person.imap() as client:
            there = {box: sorted(self.names(client, box)) for box in BOXES}
        return all(there[box] == self.copy(root, box) for root in self.roots() for box in BOXES) and there

    def roots(self):
        return self.home / "mb", self.home / "off", self.person.root

    def copy(self, root, box):
        return sorted(subject(path.read_bytes()) for part in ("cur", "new") for path in (root / box / part).iterdir())

    @staticmethod
    def has_imapflow():
        return shutil.which("node") and subprocess.run(["node", "-e", "require('imapflow')"], capture_output=True,
                                                       check=False).returncode == 0

    def test_all_see_the_same(self):
        clients = [self.imaplib, self.curl, self.idle, self.notify, self.sync]
        for program in ("mutt", "mbsync", "offlineimap", "fetchmail", "imapfilter"):
            self.assertTrue(shutil.which(program), program)
            clients.append(getattr(self, program))
        if self.has_imapflow():
            clients.append(self.imapflow)
        threads = [threading.Thread(target=self.guard, args=[client]) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertFalse(self.problems, "\n".join(self.problems))
        settled = wait_for(self.is_settled)
        self.assertTrue(settled, [(str(root), self.copy(root, box)) for root in self.roots() for box in BOXES])
        for box in BOXES:
            self.assertEqual(settled[box], sorted(name for name, place in self.where.items() if place == box))
        for ear in (self.idler, self.notified):
            ear.hear(ear.ask(b"NOOP"))
            ear.learn()
            self.assertEqual(sorted(ear.names), settled["team"])
        with self.person.imap() as client:
            ok(client.select("team", readonly=True))
            for name in self.flagged:
                if self.where[name] == "team":
                    self.assertTrue(ok(client.uid("SEARCH", "FLAGGED", "SUBJECT", f'"{name}"'))[0], name)
        self.office.tool("check")


if __name__ == "__main__":
    main()
