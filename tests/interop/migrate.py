#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Moving in: an account of a Dovecot (Debian's), started here on loopback, comes over with folders,
flags, keywords, dates and UIDs; again and again, killed on the way, and through a line that is cut."""
import imaplib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import dovecot
import office
from office import BOB, CLIENT_S, FACTEUR, Office, free_port, main, skip_all, wait_for

PASSWORD = "old \u20ac secret"
NEW = "new@example.test"
LARGE = int(os.environ.get("MIGRATE_MESSAGES", "1200"))


class Dovecot:
    def __init__(self, tls, prefix=""):
        self.folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port, self.secure_port = free_port(), free_port()
        (self.folder / "mail").mkdir()
        shutil.chown(self.folder / "mail", "mail", "mail")
        shutil.copy(tls / "chain.pem", self.folder / "cert.pem")
        shutil.copy(tls / "key.pem", self.folder / "key.pem")
        (self.folder / "people").write_text(f"old:{{PLAIN}}{PASSWORD}::::::\n")
        dovecot.write(self.folder, {"imap": self.port, "imaps": self.secure_port}, ssl="yes", prefix=prefix, mailboxes=dovecot.SENT)
        self.process = dovecot.start(self.folder)
        if not wait_for(self.is_open):
            raise AssertionError((self.folder / "dovecot.log").read_text())

    def is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder)

    def client(self, context):
        client = imaplib.IMAP4("localhost", self.port, timeout=CLIENT_S)
        client.starttls(context)
        client.authenticate("PLAIN", lambda _: b"\0old\0" + PASSWORD.encode())
        return client


class Cutter:
    """A line that breaks after some octets, each time a little later."""

    def __init__(self, port, octets):
        self.target, self.octets, self.count = port, octets, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            far = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.carry, args=[near, far, None], daemon=True).start()
            threading.Thread(target=self.carry, args=[far, near, self.octets], daemon=True).start()

    @staticmethod
    def carry(source, target, left):
        try:
            while left is None or left > 0:
                data = source.recv(4096)
                if not data:
                    break
                target.sendall(data if left is None else data[:left])
                left = None if left is None else left - len(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def letter(number, size=300):
    line = b"words of a letter, again and again\r\n"
    return (b"From: bob@example.org\r\nTo: old@example.org\r\nSubject: letter %d\r\n"
            b"Date: Sat, 3 Jan 2026 01:05:34 +0000\r\nMessage-ID: <%d@example.org>\r\n\r\n"
            % (number, number)) + line * (size // len(line) + 1)


def content(client, name):
    """UIDVALIDITY, and {uid: (flags, date, octets)} of a mailbox."""
    result, data = client.select(f'"{name}"', readonly=True)
    if result != "OK":
        raise AssertionError((name, data))
    validity = int(client.response("UIDVALIDITY")[1][0])
    found = {}
    if int(data[0]) > 0:
        for part in client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                flags = set(re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].split()) - {b"\\Recent"}
                moment = time.mktime(imaplib.Internaldate2tuple(part[0]))
                found[int(re.search(rb"UID (\d+)", part[0])[1])] = (flags, moment, part[1])
    return validity, found


def names_of(client, listed=None):
    pattern = re.compile(rb'\(([^)]*)\) "." "?([^"]*)"?$')
    lines = listed or client.list()[1]
    return {pattern.search(line)[2].decode(): pattern.search(line)[1].decode() for line in lines}


class Migrate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0 or not shutil.which("dovecot"):
            skip_all("needs root and Debian's dovecot-imapd")

    def setUp(self):
        self.office = Office()
        self.addCleanup(self.office.close)
        self.office.tool("user", "add", NEW, "--password-stdin", text="new secret\n")
        self.office.people[NEW] = "new secret"
        self.words = ["--trust", str(self.office.folder / "tls/chain.pem"), "--password-stdin"]

    def dovecot(self, prefix=""):
        server = Dovecot(self.office.folder / "tls", prefix)
        self.addCleanup(server.stop)
        return server

    def migrate(self, url, *words, who=NEW, code=0):
        text = self.office.tool("migrate", who, url, "--login", "old", "--json", *self.words,
                                *words, text=PASSWORD + "\n", code=code)
        return office.json.loads(text) if text else {}

    def imap(self, who=NEW):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, timeout=CLIENT_S,
                                   ssl_context=self.office.context)
        client.login(who, self.office.people[who])
        return client

    def fill(self, client, prefix=""):
        names = [prefix + name for name in ("Sent", "Work", "Work.2026", "&AMk-t&AOk- &- Cie")]
        for name in names:
            client.create(f'"{name}"')
        client.subscribe(f'"{prefix}Work.2026"')
        for number in range(30):
            name = (["INBOX"] + names)[number % 5]
            flags = [r"(\Seen)", r"(\Flagged $Forwarded)", "()", r"(\Answered \Draft Blue)",
                     r"(\Deleted)"][number // 5 % 5]
            size = 90000 if number == 7 else 300
            client.append(f'"{name}"', flags, f'"{number + 1:2}-Mar-2020 11:22:{number:02} +0200"',
                          letter(number, size))
        for name in ["INBOX"] + names:  # holes among the UIDs
            client.select(f'"{name}"')
            client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", "2")
        client.unselect()

    def compare(self, theirs, ours, names):
        for name, local in names.items():
            with self.subTest(name=name):
                self.assertEqual(content(theirs, name), content(ours, local))

    def test_all_comes_over_and_clients_need_not_fetch_it_again(self):
        server = self.dovecot()
        theirs = server.client(self.office.context)
        self.fill(theirs)
        url = f"imap://localhost:{server.port}"
        result = self.migrate(url)
        self.assertEqual((result["migrated"], result["already_there"], result["refused"]),
                         (25, 0, 0))
        ours = self.imap()
        names = {"INBOX": "INBOX", "Sent": "Sent", "Work": "Work", "Work.2026": "Work/2026",
                 "&AMk-t&AOk- &- Cie": "&AMk-t&AOk- &- Cie"}
        self.compare(theirs, ours, names)
        self.assertIn("\\Sent", names_of(ours)["Sent"])
        subscribed = names_of(ours, ours.lsub()[1])
        self.assertEqual([name for name in subscribed if "Noselect" not in subscribed[name]],
                         ["Work/2026"])
        # Again: nothing moves. Then what is new does, and only that.
        self.assertEqual(self.migrate(url)["already_there"], 25)
        theirs.append("INBOX", r"(\Seen)", '" 1-Mar-2020 00:00:00 +0000"', letter(100))
        result = self.migrate(f"imaps://localhost:{server.secure_port}")
        self.assertEqual((result["migrated"], result["already_there"]), (1, 25))
        self.compare(theirs, ours, names)
        ours.logout()
        self.office.tool("check")

    def test_its_maildirs_are_imported_as_they_lie(self):
        server = self.dovecot()
        theirs = server.client(self.office.context)
        self.fill(theirs)
        mail = server.folder / "mail/old"
        for folder, name in ((mail, "INBOX"), (mail / ".Sent", "Sent"), (mail / ".Work.2026", "Work/2026")):
            found = office.json.loads(self.office.tool("import", NEW, str(folder), "--mailbox", name, "--json"))
            self.assertEqual((found["imported"], found["refused"]), (5, 0))
        self.compare(theirs, self.imap(), {"INBOX": "INBOX", "Sent": "Sent", "Work.2026": "Work/2026"})
        found = office.json.loads(self.office.tool("import", NEW, str(mail), "--json"))
        self.assertEqual((found["imported"], found["already_there"]), (0, 5))

    def test_a_prefix_of_all_names_is_taken_off(self):
        server = self.dovecot("INBOX.")
        theirs = server.client(self.office.context)
        self.fill(theirs, "INBOX.")
        self.migrate(f"imap://localhost:{server.port}", "--mailbox", "Work/2026")
        ours = self.imap()
        self.compare(theirs, ours, {"INBOX.Work.2026": "Work/2026"})
        self.assertEqual(content(ours, "INBOX")[1], {})
        self.migrate(f"imap://localhost:{server.port}")
        self.compare(theirs, ours, {"INBOX": "INBOX", "INBOX.Sent": "Sent", "INBOX.Work": "Work",
                                    "INBOX.Work.2026": "Work/2026"})

    def test_a_mailbox_that_is_in_use_gets_new_uids(self):
        self.office.send("already here", to=BOB)
        server = self.dovecot()
        theirs = server.client(self.office.context)
        self.fill(theirs)
        self.migrate(f"imap://localhost:{server.port}", who=BOB)
        before, after = content(theirs, "INBOX")[1], content(self.imap(BOB), "INBOX")[1]
        self.assertEqual(list(before.values()), list(after.values())[-len(before):])
        self.assertGreater(len(after), len(before))

    def fill_large(self, server):
        theirs = server.client(self.office.context)
        for number in range(LARGE):
            theirs.append("INBOX", "()", None, letter(number, 2000))
        return theirs

    def test_killed_and_begun_again_it_brings_each_message_once(self):
        server = self.dovecot()
        theirs = self.fill_large(server)
        command = [FACTEUR, "migrate", NEW, f"imap://localhost:{server.port}", "--login", "old",
                   *self.words]
        for attempt in range(100):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, text=True,
                                       env=self.office.environment())
            process.stdin.write(PASSWORD + "\n")
            process.stdin.close()
            try:
                process.wait(0.3 + attempt * 0.15)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait(60)
            process.stderr.close()
            if process.returncode == 0:
                break
        self.assertEqual(process.returncode, 0)
        self.assertEqual(content(theirs, "INBOX"), content(self.imap(), "INBOX"))

    def test_a_line_that_breaks_is_opened_again(self):
        server = self.dovecot()
        theirs = self.fill_large(server)
        cutter = Cutter(server.port, LARGE * 750)
        self.addCleanup(cutter.close)
        result = self.migrate(f"imap://localhost:{cutter.port}")
        self.assertGreater(cutter.count, 2)
        self.assertEqual((result["migrated"] + result["already_there"], result["refused"]),
                         (LARGE, 0))
        self.assertEqual(content(theirs, "INBOX"), content(self.imap(), "INBOX"))

    def test_what_is_wrong_is_said(self):
        server = self.dovecot()
        url = f"imap://localhost:{server.port}"
        self.office.tool("migrate", NEW, url, "--login", "old", *self.words, text="wrong\n",
                         code=77)
        self.office.tool("migrate", NEW, "pop3://localhost", *self.words, text="x\n", code=64)
        self.office.tool("migrate", "nobody@example.test", url, *self.words, text="x\n", code=67)
        # Without --trust the certificate is nobody's.
        self.office.tool("migrate", NEW, url, "--password-stdin", text="x\n", code=76)
        self.migrate(url, "--mailbox", "None", code=66)
        self.office.tool("migrate", NEW, f"imap://localhost:{free_port()}", *self.words,
                         text="x\n", code=75)


if __name__ == "__main__":
    main()
