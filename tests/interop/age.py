#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Stores of every released format open, and say what they said when they were made: tests/age/*.tar.xz,
each with what a client saw of it. How one is added: tests/age/README.md.

usage: age.py                 the tests
       age.py --make NAME     makes tests/age/NAME-clean.tar.xz and NAME-killed.tar.xz with this program;
                              once for each release that changes a file's format, never again"""
import hashlib
import imaplib
import json
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, Office, main, wait_for

ARCHIVES = Path(__file__).resolve().parent.parent / "age"
KEPT = ("data", "credentials", "expected.json")
FRIEND = "friend@elsewhere.test"


def ok(answer):
    kind, data = answer
    if kind != "OK":
        raise AssertionError(f"{kind} {data}")
    return data


def imap(office, who):
    client = imaplib.IMAP4_SSL("localhost", office.base + 993, ssl_context=office.context, timeout=60)
    client.login(who, office.people[who])
    return client


# ---- what a store says ----

def messages(client, box):
    """What a client sees of one mailbox."""
    status = ok(client.status(box, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"))[0].decode()
    found = {"status": status[status.rindex("("):], "messages": []}
    ok(client.select(box, readonly=True))
    for uid in ok(client.uid("SEARCH", "ALL"))[0].split():
        head, body = next(part for part in ok(client.uid(
            "FETCH", uid, "(FLAGS INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")) if isinstance(part, tuple))
        facts = re.sub(r"^\d+ \(|BODY\[\].*$", "", head.decode())
        found["messages"].append([facts.strip(), hashlib.sha256(body).hexdigest()])
    return found


def account(office, who):
    with imap(office, who) as client:
        boxes = sorted(line.decode() for line in ok(client.list('""', "*")) if line)
        names = [re.search(r'"/" "?([^"]*)"?$', line)[1] for line in boxes]
        return {
            "list": boxes,
            "subscribed": sorted(line.decode() for line in ok(client.lsub('""', "*")) if line),
            "boxes": {name: messages(client, f'"{name}"') for name, line in zip(names, boxes)
                      if not re.search(r"NoSelect|NonExistent", line, re.I)},
            "rights": [line.decode() for line in ok(client.getacl("Work")) if line] if "Work" in names else [],
            # Where nothing is limited there is no root; the archives have the empty list that was said there once.
            "quota": [line.decode() for line in ok(client.getquotaroot("INBOX"))[1] if line] or ['"" ()'],
        }


def queue(office):
    entries = office.tool_data("queue", "list")
    return sorted([entry["sender"], entry["recipient"], entry["state"]] for entry in entries["recipients"])


def lines_of(client, *words):
    """What IMAP says to a command that imaplib does not know, untagged lines joined."""
    client.send(b"x " + " ".join(words).encode() + b"\r\n")
    told = []
    while not (line := client.readline().decode(errors="replace")).startswith("x "):
        told.append(line.rstrip("\r\n"))
    if not line.startswith("x OK"):
        raise AssertionError(f"{words}: {line}")
    return told


def further(office, url):
    """What is kept of mailboxes beyond what every client asks for."""
    with imap(office, ALICE) as client:
        facts = lines_of(client, "STATUS Work (MAILBOXID SIZE DELETED)")
        facts += lines_of(client, "GETMETADATA (DEPTH infinity)", '""', "/private")
        facts += lines_of(client, "GETMETADATA Work (/private/comment /shared/comment)")
        facts += [re.sub(r"^\S+ \S+ ", "", line) for line in lines_of(client, f'URLFETCH "{url}"')[:1]]
        for box in ("INBOX", "Work", "Work/2026"):
            ok(client.select(box, readonly=True))
            facts += lines_of(client, "UID FETCH 1:* (EMAILID THREADID SAVEDATE MODSEQ PREVIEW)")
        ok(client.select("INBOX", readonly=True))
        for words in ("Besan", "Hello", "nowhere"):
            facts.append(f"{words}: {ok(client.uid('SEARCH', 'BODY', words))[0].decode()}")
        return facts


def waiting(office):
    """All that is kept of messages that wait, attempts and what their senders have asked for among it."""
    entries = sorted(office.tool_data("queue", "list")["recipients"], key=lambda entry: entry["recipient"])
    return [office.tool_data("queue", "show", entry["id"]) for entry in entries] + [office.tool_data("trace", FRIEND)]


def everything(office, url=""):
    found = {"accounts": {who: account(office, who) for who in (ALICE, BOB)}, "queue": queue(office),
             "aliases": json.loads(office.tool("alias", "list", "--json"))}
    return found | {"url": url, "further": further(office, url), "waiting": waiting(office)} if url else found


# ---- making one ----

def fill(office):
    """A little of everything that is kept."""
    (office.folder / "data/directory/transports").write_text("elsewhere.test smtp:[127.0.0.1]:9\n")
    office.tool("reload")
    office.tool("alias", "add", "sales@example.test", ALICE)
    for number in range(5):
        office.send(f"number {number}", body=b"Hello.\r\n" * (10 ** number))
    office.send("for both", to="sales@example.test", body="Voilà l'été à Besançon.\r\n".encode())
    with office.smtp(BOB) as client:
        client.sendmail(BOB, [FRIEND], f"From: <{BOB}>\r\nTo: <{FRIEND}>\r\nSubject: held\r\n\r\nLater.\r\n")
    assert wait_for(lambda: queue(office) and queue(office)[0][2] == "waiting"), queue(office)
    office.tool("queue", "hold", "--all")
    with imap(office, ALICE) as client:
        for box in ("Work", "Work/2026", "Old"):
            ok(client.create(box))
        ok(client.delete("Old"))
        ok(client.subscribe("Work"))
        ok(client.append("Work", r"(\Flagged $Label1)", '"01-Feb-2020 10:20:30 +0100"',
                         b"From: a@b.c\r\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nMIME-Version: 1.0\r\n"
                         b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\n"
                         b"Content-Type: text/html\r\n\r\n<p>two\r\n--x--\r\n"))
        ok(client.setacl("Work", BOB, "lrs"))
        ok(client.select("INBOX"))
        ok(client.store("1", "+FLAGS", r"(\Seen \Answered custom)"))
        ok(client.copy("2:3", "Work/2026"))
        ok(client.store("2", "+FLAGS", r"(\Deleted)"))
        ok(client.expunge())


def fill_further(office):
    """What releases keep since the first of these archives was made; an URL with a permission."""
    with office.smtp(BOB) as client:
        client.sendmail(BOB, ["late@elsewhere.test"], f"From: <{BOB}>\r\nSubject: asked for\r\n\r\nLater.\r\n",
                        ["ENVID=age+2B1", "RET=HDRS", "MT-PRIORITY=3"], ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;late@elsewhere.test"])
    office.tool("queue", "hold", "--all")
    office.tool("user", "set", BOB, "--quota", "20 MiB")
    with imap(office, ALICE) as client:
        lines_of(client, 'SETMETADATA "" (/private/comment "of the account")')
        lines_of(client, 'SETMETADATA Work (/private/comment "mine" /shared/comment {5+}\r\n\xe9t\xe9)'.replace("\xe9t\xe9", "a\r\nb!"))
        told = lines_of(client, f'GENURLAUTH "imap://{ALICE.replace("@", "%40")}@localhost/INBOX/;UID=3;URLAUTH=anonymous" INTERNAL')
    return re.search(r'GENURLAUTH "?([^ "]+)"?', told[0])[1]


def make(name):
    for kind in ("clean", "killed"):
        office = Office()
        try:
            fill(office)
            url = fill_further(office)
            (office.folder / "expected.json").write_text(json.dumps(everything(office, url), indent=1))
            if kind == "killed":
                office.stop(signal.SIGKILL)
            else:
                office.stop()
            with tarfile.open(ARCHIVES / f"{name}-{kind}.tar.xz", "w:xz") as archive:
                for part in KEPT:
                    archive.add(office.folder / part, part)
        finally:
            office.close(may_fail=True)


class Age(unittest.TestCase):
    def open(self, archive):
        folder = Path(tempfile.mkdtemp(prefix="fa-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, folder)
        with tarfile.open(archive) as packed:
            packed.extractall(folder, numeric_owner=True, filter="fully_trusted")
        office = Office(folder)
        self.addCleanup(office.close)
        return office

    def test_what_was_kept_is_there(self):
        archives = sorted(ARCHIVES.glob("*.tar.xz"))
        self.assertGreaterEqual(len(archives), 2)
        for archive in archives:
            with self.subTest(archive.name):
                office = self.open(archive)
                self.maxDiff = None
                expected = json.loads((office.folder / "expected.json").read_text())
                self.assertEqual(everything(office, expected.get("url", "")), expected)
                office.tool("check")
                office.send("new", to=BOB)
                office.find("new", BOB)
                office.tool("queue", "delete", "--all")
                self.assertTrue(wait_for(lambda office=office: not queue(office)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(sys.argv[2])
    else:
        main()
