#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What IMAP announces: the list, before and after login, each name with a dialogue that tries it; initial responses
(RFC 4959); special-use mailboxes by other names; and what is announced without TLS."""
import base64
import glob
import imaplib
import os
import re
import unittest

from office import ALICE, BOB, Office, main

DIALOGUES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dialogue")

# Each capability of a session that has logged in, and what a client says in a dialogue to use it.
EXTENSIONS = {
    "IMAP4rev1": r"SELECT", "IMAP4rev2": r"ENABLE IMAP4rev2", "ACL": r"SETACL", "RIGHTS=texk": r"SETACL .* l?rkx",
    "APPENDLIMIT": r"APPENDLIMIT", "BINARY": r"BINARY\.PEEK", "CATENATE": r"CATENATE", "CHILDREN": r"CHILDREN",
    "COMPRESS=DEFLATE": r"COMPRESS DEFLATE", "CONDSTORE": r"UNCHANGEDSINCE|CHANGEDSINCE",
    "CONTEXT=SEARCH": r"RETURN \(UPDATE", "CREATE-SPECIAL-USE": r"\(USE \(", "ENABLE": r"ENABLE",
    "ESEARCH": r"SEARCH RETURN", "ESORT": r"SORT RETURN", "I18NLEVEL=1": r"SEARCH SUBJECT|SORT \(SUBJECT",
    "ID": r" ID \(", "IDLE": r" IDLE", "INPROGRESS": None, "LIST-EXTENDED": r"LIST \(SUBSCRIBED",
    "LIST-METADATA": r"RETURN \(METADATA", "LIST-MYRIGHTS": r"RETURN \(MYRIGHTS", "LIST-STATUS": r"STATUS \(",
    "LITERAL+": r"\{\d+\+\}", "METADATA": r"SETMETADATA", "MOVE": r" MOVE ", "MULTIAPPEND": r"APPEND .*\+\}.*\+\}",
    "MULTISEARCH": r"ESEARCH IN", "NAMESPACE": r"NAMESPACE", "NOTIFY": r"NOTIFY SET", "OBJECTID": r"MAILBOXID|THREADID",
    "PARTIAL": r"PARTIAL", "PREVIEW": r"PREVIEW", "QRESYNC": r"QRESYNC", "QUOTA": r"GETQUOTAROOT",
    "QUOTA=RES-MESSAGE": r"GETQUOTA", "QUOTA=RES-STORAGE": r"GETQUOTA", "REPLACE": r"REPLACE", "SASL-IR": None,
    "SAVELIMIT=100000": None,
    "SAVEDATE": r"SAVEDATE", "SEARCH=FUZZY": r"FUZZY", "SEARCHRES": r"RETURN \(SAVE", "SORT": r"SORT \(",
    "SORT=DISPLAY": r"DISPLAYFROM", "SPECIAL-USE": r"SPECIAL-USE", "STATUS=SIZE": r"SIZE",
    "THREAD=ORDEREDSUBJECT": r"THREAD ORDEREDSUBJECT", "THREAD=REFERENCES": r"THREAD REFERENCES",
    "THREAD=REFS": r"THREAD REFS", "UIDONLY": r"UIDONLY", "UIDPLUS": r"UID EXPUNGE", "UNAUTHENTICATE": r"UNAUTHENTICATE",
    "UNSELECT": r"UNSELECT", "URL-PARTIAL": r";partial=", "URLAUTH": r"GENURLAUTH",
    "URLAUTH=BINARY": r"URLFETCH \(.* BINARY", "UTF8=ACCEPT": r"UTF8=ACCEPT",
    "WITHIN": r"YOUNGER",
}
FRENCH = """
mailbox_drafts = "Brouillons"
mailbox_sent = "Envoyés"
mailbox_junk = "Indésirables"
mailbox_trash = "Corbeille"
mailbox_archive = "Archives"
imap_others = "Autres utilisateurs"
imap_shared = "Partages"
imap_shared_account = "bob@example.test"
imap_share_with_anyone = no
"""


class Announced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.office = Office(config=FRENCH)
        cls.addClassCleanup(cls.office.close)

    def connect(self, user=None):
        client = imaplib.IMAP4("127.0.0.1", self.office.base + 143)
        self.addCleanup(client.shutdown)
        if user:
            client.login(user, self.office.people[user])
        return client

    def capabilities(self, client):
        return set(client.capability()[1][0].decode().split())

    def test_all_that_is_announced_is_known_here(self):
        names = self.capabilities(self.connect(ALICE))
        self.assertEqual({name.split("APPENDLIMIT=")[0] or "APPENDLIMIT" for name in names}, set(EXTENSIONS))

    def test_each_has_a_dialogue(self):
        said = []
        for path in glob.glob(os.path.join(DIALOGUES, "*.dialogue")):
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            if any(line.startswith("connect imap") for line in lines):
                said += [line for line in lines if line.startswith("C")]
        for name, pattern in EXTENSIONS.items():
            if pattern:
                self.assertTrue(any(re.search(pattern, line) for line in said), name)

    def test_before_login_little_is_announced(self):
        names = self.capabilities(self.connect())
        self.assertLessEqual({"IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE", "STARTTLS"}, names)
        self.assertFalse({name for name in names if name in ("IDLE", "ACL", "QUOTA")})
        self.assertTrue({"LOGINDISABLED", "AUTH=PLAIN"} & names)
        self.assertFalse({"LOGINDISABLED", "AUTH=PLAIN"} <= names)

    def test_an_initial_response_is_taken(self):
        for user, word in ((ALICE, self.office.people[ALICE]), (ALICE, "wrong")):
            client = self.connect()
            response = base64.b64encode(f"\0{user}\0{word}".encode()).decode()
            try:
                answer = client._simple_command("AUTHENTICATE", "PLAIN", response)[0]
            except imaplib.IMAP4.error:
                answer = "BAD"
            self.assertEqual(answer, "OK" if word != "wrong" else "NO")

    def test_mailboxes_have_the_names_that_were_chosen(self):
        client = self.connect(BOB)
        rows = [line.decode() for line in client.list()[1]]
        for use, name in (("Drafts", "Brouillons"), ("Sent", "Envoy&AOk-s"), ("Junk", "Ind&AOk-sirables"),
                          ("Trash", "Corbeille"), ("Archive", "Archives")):
            self.assertTrue(any(f"\\{use})" in row and name in row for row in rows), rows)

    def test_one_account_shares_with_all_under_its_own_prefix(self):
        bob, alice = self.connect(BOB), self.connect(ALICE)
        self.assertEqual(bob.create("Recettes")[0], "OK")
        self.assertEqual(bob.setacl("Recettes", "alice", "lrs")[0], "OK")
        self.assertEqual(bob.setacl("Recettes", "anyone", "lr")[0], "NO")
        self.assertIn(b'(("Autres utilisateurs/" "/")) (("Partages/" "/"))', alice.namespace()[1][0])
        self.assertEqual(alice.select("Partages/Recettes")[0], "OK")
        self.assertEqual(alice.myrights("Partages/Recettes")[1][0].split()[-1], b"lrs")
        self.assertEqual(alice.select('"Other Users/bob@example.test/Recettes"')[0], "NO")


if __name__ == "__main__":
    main()
