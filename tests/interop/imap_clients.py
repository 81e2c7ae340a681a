#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""IMAP programs that people have, against a running Facteur: Python's imaplib, curl, mbsync both ways,
mutt, fetchmail, offlineimap, imapfilter, and imapflow where node finds it."""
import imaplib
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, OfficeCase, main
from terminal import Screen

LETTER = (b"From: Ann <ann@example.test>\r\nTo: alice@example.test\r\nSubject: =?utf-8?q?caf=C3=A9?= %d\r\n"
          b"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <%d@example.test>\r\n\r\nBody number %d\r\n")


def letter(number):
    return LETTER % (number, number, number)


def run(*words, text=b"", env=None):
    done = subprocess.run([str(w) for w in words], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env, check=False, timeout=CLIENT_S)
    if done.returncode != 0:
        raise AssertionError(f"{words[0]}: exit code {done.returncode}: "
                             + done.stdout.decode(errors="replace")[-3000:])
    return done.stdout.decode(errors="replace")


def needs(program):
    return unittest.skipUnless(shutil.which(program), program + " is not installed")


class ImapClients(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.office.base
        cls.chain = cls.office.folder / "tls/chain.pem"

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="fi-")
        self.addCleanup(self.temporary.cleanup)
        self.home = Path(self.temporary.name)
        self.env = dict(os.environ, HOME=str(self.home))

    def login(self, who=ALICE):
        client = imaplib.IMAP4_SSL("localhost", self.base + 993, ssl_context=self.office.context)
        self.addCleanup(client.shutdown)
        client.login(who, self.office.people[who])
        return client

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def fill(self, client, name, count):
        self.ok(client.create(name))
        for number in range(count):
            self.ok(client.append(name, r"(\Seen)" if number % 2 else "", None, letter(number)))

    def count(self, client, name):
        return int(re.search(rb"MESSAGES (\d+)", self.ok(client.status(name, "(MESSAGES)"))[0])[1])

    # ---- imaplib

    def test_imaplib_starttls_and_capabilities(self):
        client = imaplib.IMAP4("localhost", self.base + 143)
        self.assertIn("STARTTLS", client.capabilities)
        client.starttls(ssl_context=self.office.context)
        client.login(ALICE, self.office.people[ALICE])
        self.assertIn("CONDSTORE", self.ok(client.capability())[0].decode())
        client.logout()

    def test_imaplib_a_whole_session(self):
        client = self.login()
        self.fill(client, "whole", 10)
        self.assertEqual(self.ok(client.select("whole")), [b"10"])
        self.assertEqual(self.ok(client.search(None, "UNSEEN"))[0], b"1 3 5 7 9")
        self.assertEqual(self.ok(client.search(None, "BODY", '"number 7"'))[0], b"8")
        rows = self.ok(client.fetch("3", "(BODY.PEEK[] UID FLAGS)"))
        self.assertEqual(rows[0][1], letter(2))
        self.ok(client.store("1:5", "+FLAGS", r"(\Deleted)"))
        self.assertEqual(self.ok(client.expunge()), [b"1"] * 5)
        self.ok(client.copy("1:2", "Archive"))
        self.assertIn(b"MESSAGES 2", self.ok(client.status("Archive", "(MESSAGES)"))[0])
        self.ok(client.close())
        self.ok(client.delete("whole"))

    def test_two_clients_see_each_other(self):
        first, second = self.login(), self.login()
        self.fill(first, "shared", 3)
        self.ok(first.select("shared"))
        self.ok(second.select("shared"))
        self.ok(first.store("2", "+FLAGS", r"(\Flagged)"))
        self.ok(second.noop())
        self.assertIn(rb"2 (FLAGS (\Flagged \Seen))", second.response("FETCH")[1])
        self.ok(second.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(second.expunge())
        # A sequence number does not change while FETCH by numbers is answered.
        self.assertEqual(len(self.ok(first.fetch("1:3", "(UID)"))), 3)
        self.ok(first.noop())
        self.assertEqual(first.response("EXPUNGE")[1], [b"1"])
        self.assertEqual(self.ok(first.fetch("1", "(UID)")), [b"1 (UID 2)"])

    def test_a_large_message_comes_back_as_it_was(self):
        client = self.login()
        text = letter(1) + b"".join(b"%070d\r\n" % i for i in range(60000))
        self.ok(client.append("Drafts", "", None, text))
        self.ok(client.select("Drafts"))
        self.assertEqual(self.ok(client.fetch("*", "(BODY.PEEK[])"))[0][1], text)

    # ---- programs

    def test_curl(self):
        client = self.login()
        self.fill(client, "curl", 3)
        where = f"imaps://localhost:{self.base + 993}"
        words = ["curl", "-sS", "--cacert", self.chain, "-u", f"{ALICE}:{self.office.people[ALICE]}"]
        self.assertIn("Body number 1", run(*words, where + "/curl;UID=2"))
        self.assertIn("* SEARCH 2", run(*words, where + "/curl?SUBJECT%201"))
        new = self.home / "new"
        new.write_bytes(letter(77))
        run(*words, "-T", new, where + "/curl")
        self.assertIn("* 4 EXISTS", run(*words, where + "/curl", "-X", "EXAMINE curl"))

    @needs("mbsync")
    def test_mbsync_both_ways(self):
        client = self.login()
        self.fill(client, "sync", 20)
        (self.home / "mail").mkdir()
        (self.home / "rc").write_text(f"""
IMAPAccount f
Host localhost
Port {self.base + 993}
User {ALICE}
Pass "{self.office.people[ALICE]}"
TLSType IMAPS
SSLType IMAPS
CertificateFile {self.chain}

IMAPStore far
Account f

MaildirStore near
Path {self.home}/mail/
Inbox {self.home}/mail/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns sync
Create Both
Expunge Both
SyncState *
""")
        text = (self.home / "rc").read_text()
        version = run("mbsync", "--version")
        drop = "TLSType" if re.search(r" 1\.[0-4]\.", version) else "SSLType"
        (self.home / "rc").write_text("\n".join(l for l in text.split("\n") if not l.startswith(drop)))
        run("mbsync", "-c", self.home / "rc", "c", env=self.env)
        folder = self.home / "mail/sync"
        near = list(folder.glob("*/*"))
        self.assertEqual(len(near), 20)
        self.assertEqual(sum(":2,S" in f.name for f in near), 10)
        (folder / "new/1.new").write_bytes(letter(99).replace(b"\r\n", b"\n"))
        next(f for f in near if ":2,S" in f.name).unlink()
        run("mbsync", "-c", self.home / "rc", "c", env=self.env)
        self.assertEqual(self.ok(client.select("sync")), [b"20"])
        self.assertEqual(self.ok(client.search(None, "SUBJECT", "99"))[0], b"20")

    @needs("fetchmail")
    def test_fetchmail(self):
        client = self.login(BOB)
        self.fill(client, "fetch", 3)
        rc = self.home / "rc"
        rc.write_text(f"poll localhost protocol imap service {self.base + 993} user {BOB} "
                      f"password {self.office.people[BOB]} folder fetch ssl sslcertck "
                      f"sslcertfile {self.chain} fetchall "
                      f"mda \"sh -c 'cat >>{self.home}/box'\"\n")
        rc.chmod(0o600)
        run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", self.home / "pid", env=self.env)
        self.assertEqual((self.home / "box").read_text().count("Body number"), 3)
        self.ok(client.select("fetch"))
        self.assertEqual(self.ok(client.search(None, "ALL"))[0], b"")

    def type(self, screen, keys, expected):
        """What follows is typed when this is seen: programs throw away what was typed before they ask."""
        screen.press(keys)
        screen.wait_until(lambda shown: re.search(expected, shown, re.M), expected)

    @needs("mutt")
    def test_mutt(self):
        """A person flags a letter, saves another elsewhere, deletes one, and hears of a new one by IDLE."""
        client = self.login()
        self.fill(client, "mutt", 4)
        self.ok(client.create("kept"))  # Trash gets letters from the others
        user = f"alice%40example.test@localhost:{self.base + 993}"
        (self.home / "muttrc").write_text(
            f'set folder="imaps://{user}/" spoolfile="=mutt" imap_pass="{self.office.people[ALICE]}"\n'
            f'set certificate_file="{self.chain}" ssl_ca_certificates_file="{self.chain}"\n'
            'set imap_authenticators="scram-sha-256:plain:login" imap_idle=yes imap_qresync=yes imap_condstore=yes\n'
            'set quit=yes delete=yes move=no confirmappend=no confirmcreate=no sort=mailbox-order arrow_cursor=yes\n'
            'set timeout=1 index_format="%C %Z %s"\n')
        with Screen(["mutt", "-F", self.home / "muttrc"], dict(self.env, LANG="C.UTF-8")) as mutt:
            mutt.wait_for("Msgs:4")
            self.type(mutt, "1", r"Jump to message: 1$")
            self.type(mutt, "\r", r"^-> *1 ")
            self.type(mutt, "F", r"^ *1 .*!")  # and goes on to the next
            mutt.wait_until(lambda shown: re.search(r"^-> *2 ", shown, re.M), "the arrow before 2")
            self.type(mutt, "s", r"Save to mailbox.*: =\S+$")
            self.type(mutt, "\x15", r"Save to mailbox.*:$")
            self.type(mutt, "=kept", r"Save to mailbox.*: =kept$")
            self.type(mutt, "\r", r"^ *2 +D")
            self.assertEqual(self.count(client, "kept"), 1)
            self.type(mutt, "4", r"Jump to message: 4$")
            self.type(mutt, "\r", r"^-> *4 ")
            self.type(mutt, "d", r"^[-> ]*4 +D")
            mutt.press("$")
            mutt.wait_for("Msgs:2")
            self.assertEqual(self.count(client, "mutt"), 2)
            self.ok(client.append("mutt", None, None, letter(9)))
            mutt.wait_for("New mail")
            mutt.press("x")
            self.assertEqual(mutt.end(), 0)
        self.ok(client.select("mutt"))
        self.assertEqual(self.ok(client.search(None, "ALL"))[0], b"1 2 3")
        self.assertEqual(self.ok(client.search(None, "FLAGGED"))[0], b"1")
        self.assertIn(b"Body number 2", self.ok(client.fetch("2", "(BODY.PEEK[])"))[0][1])

    @needs("offlineimap")
    def test_offlineimap(self):
        client = self.login()
        self.fill(client, "offline", 5)
        (self.home / "rc").write_text(f"""
[general]
accounts = a
metadata = {self.home}/meta
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = {self.home}/mail
[Repository r]
type = IMAP
remotehost = localhost
remoteport = {self.base + 993}
remoteuser = {ALICE}
remotepass = {self.office.people[ALICE]}
ssl = yes
sslcacertfile = {self.chain}
folderfilter = lambda name: name == 'offline'
""")
        run("offlineimap", "-o", "-u", "basic", "-c", self.home / "rc", env=self.env)
        self.assertEqual(len(list((self.home / "mail/offline").glob("*/*:2,*"))), 5)

    @needs("imapfilter")
    def test_imapfilter(self):
        client = self.login()
        self.fill(client, "filter", 4)
        (self.home / "config.lua").write_text(f"""
options.certificates = false
account = IMAP {{ server = 'localhost', port = {self.base + 993}, username = '{ALICE}',
                  password = '{self.office.people[ALICE]}', ssl = 'auto' }}
found = account.filter:contain_subject('2')
found:move_messages(account.Trash)
account.filter:is_unseen():mark_seen()
""")
        run("imapfilter", "-t", self.chain, "-c", self.home / "config.lua", env=self.env)
        self.ok(client.select("filter"))
        self.assertEqual(self.ok(client.search(None, "SEEN"))[0], b"1 2 3")


    # ---- imapflow (npm)

    @needs("node")
    def test_imapflow(self):
        script = Path(__file__).resolve().parent / "imapflow.js"
        found = subprocess.run(["node", "-e", "require('imapflow')"], capture_output=True, check=False)
        if found.returncode != 0:
            self.skipTest("imapflow is not installed")
        self.assertIn("DONE", run("node", script, self.base + 993, BOB, self.office.people[BOB], env=self.env))


if __name__ == "__main__":
    main()
