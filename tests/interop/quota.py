#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Full mailboxes: said at RCPT, before the body is sent (RFC 5321 §4.5.3.1.10, RFC 1870 §6.1), and again
when the message is there; others of the same transaction are served."""
import imaplib
import unittest

from office import ALICE, BOB, Lines, Office, main

QUOTA_KIB = 64
BODY = b"x" * 76 + b"\r\n"


class Quota(unittest.TestCase):
    def setUp(self):
        self.office = Office()
        self.addCleanup(self.office.close)

    def session(self, port=25):
        client = Lines(self.office.base + port)
        self.addCleanup(client.close)
        client.reply()
        client.ask("LHLO x" if port == 24 else "EHLO x")
        return client

    def envelope(self, client, *people, size=0):
        """The codes of MAIL and of each RCPT."""
        client.ask("RSET")
        commands = [f"MAIL FROM:<a@b.test> SIZE={size}" if size else "MAIL FROM:<a@b.test>",
                    *(f"RCPT TO:<{who}>" for who in people)]
        return [client.ask(command)[:9] for command in commands]

    def body(self, client, octets=1000):
        self.assertEqual(client.ask("DATA")[:3], "354")
        client.put(b"Subject: quota\r\n\r\n" + BODY * (octets // len(BODY)) + b".\r\n")
        return client.reply()[:9]

    def count(self, who):
        return len(self.office.messages(who))

    def test_a_quota_of_messages(self):
        self.office.tool("user", "set", ALICE, "--messages", str(self.count(ALICE) + 2))
        client, others = self.session(), self.count(BOB)
        for _ in range(2):
            self.assertEqual(self.envelope(client, ALICE), ["250 2.1.0", "250 2.1.5"])
            self.assertEqual(self.body(client), "250 2.0.0")
        self.assertEqual(self.envelope(client, ALICE, BOB), ["250 2.1.0", "452 4.2.2", "250 2.1.5"])
        self.assertEqual(self.body(client), "250 2.0.0")
        self.assertEqual(self.count(BOB), others + 1)
        self.office.tool("user", "set", ALICE, "--messages", "1000")
        self.assertEqual(self.envelope(client, ALICE), ["250 2.1.0", "250 2.1.5"])
        self.assertEqual(self.body(client), "250 2.0.0")

    def test_what_is_deleted_makes_room(self):
        self.office.tool("user", "set", ALICE, "--messages", str(self.count(ALICE)))
        client = self.session()
        self.assertEqual(self.envelope(client, ALICE)[1], "452 4.2.2")
        reader = self.office.pop(ALICE)
        reader.dele(1)
        reader.quit()
        self.assertEqual(self.envelope(client, ALICE)[1], "250 2.1.5")
        self.assertEqual(self.body(client), "250 2.0.0")

    def test_a_quota_of_octets(self):
        self.office.tool("user", "set", ALICE, "--quota", f"{QUOTA_KIB} KiB")
        client = self.session()
        self.assertEqual(self.envelope(client, ALICE, size=QUOTA_KIB * 1024 - 1), ["250 2.1.0", "452 4.2.2"])
        self.assertEqual(self.envelope(client, ALICE, size=QUOTA_KIB * 1024 + 1), ["250 2.1.0", "552 5.2.3"])
        self.assertEqual(self.envelope(client, ALICE, size=1000), ["250 2.1.0", "250 2.1.5"])
        before = self.count(ALICE)
        self.assertEqual(self.body(client, QUOTA_KIB * 1024), "452 4.2.2")  # more than it said
        self.assertEqual(self.count(ALICE), before)

    def inbox(self, who):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context)
        self.addCleanup(client.logout)
        client.login(who, self.office.people[who])
        return client

    def test_imap_tells_the_limits_that_there_are(self):
        """RFC 9208 §4.1.2, §7: no limit, no root; a shared mailbox has its owner's."""
        alice, bob = self.inbox(ALICE), self.inbox(BOB)
        alice.create("ours")
        alice.setacl("ours", BOB, "lr")
        shared = f'"Other Users/{ALICE}/ours"'
        self.assertEqual(alice.getquotaroot("INBOX"), ("OK", [[b"INBOX"], [None]]))
        self.assertEqual(bob.getquotaroot(shared), ("OK", [[shared.encode()], [None]]))
        self.assertEqual(alice.getquota('""')[0], "NO")
        self.office.tool("user", "set", ALICE, "--quota", f"{QUOTA_KIB} KiB", "--messages", "77")
        alice = self.inbox(ALICE)  # the store learns it with the next login
        told = alice.getquotaroot("INBOX")[1]
        self.assertEqual(told[0], [b'INBOX ""'])
        self.assertRegex(told[1][0], rb'^"" \(STORAGE \d+ 64 MESSAGE \d+ 77\)$')
        self.assertEqual(alice.getquota('""')[1], told[1])
        told = bob.getquotaroot(shared)[1]
        self.assertEqual(told[0], [f"{shared} {shared}".encode()])
        self.assertRegex(told[1][0], rb"ours\" \(STORAGE \d+ 64 MESSAGE \d+ 77\)$")

    def test_each_recipient_of_lmtp(self):
        self.office.tool("user", "set", ALICE, "--messages", str(self.count(ALICE)))
        client = self.session(24)
        self.assertEqual(self.envelope(client, BOB, ALICE, BOB)[1:], ["250 2.1.5", "452 4.2.2", "250 2.1.5"])
        self.assertEqual(self.body(client), "250 2.0.0")
        self.assertEqual(client.reply()[:9], "250 2.0.0")

    def test_with_imap_all_or_nothing_finds_room(self):
        self.office.tool("user", "set", ALICE, "--messages", "5")
        reader = imaplib.IMAP4("127.0.0.1", self.office.base + 143)
        self.addCleanup(reader.logout)
        reader.login(ALICE, self.office.people[ALICE])

        def ask(name, *words):
            imaplib.Commands.setdefault(name, ("AUTH", "SELECTED"))
            return reader._simple_command(name, *words)[0]

        def count(box):
            return int(reader.status(box, "(MESSAGES)")[1][0].split()[-1].rstrip(b")"))

        letter = "{11+}\r\nSubject: x\n"
        for _ in range(2):
            self.assertEqual(ask("APPEND", "INBOX", letter), "OK")
        reader.select("INBOX")
        self.assertEqual(count("INBOX"), 3)
        self.assertEqual(ask("COPY", "1:3", "Archive"), "NO")
        self.assertEqual(ask("APPEND", "Archive", letter, letter, letter), "NO")
        self.assertEqual(count("Archive"), 0)
        many = [f"({' '.join(f'{name}{i}' for i in range(40))})" for name in "ab"]
        self.assertEqual(ask("APPEND", "Archive", many[0], letter, many[1], letter), "NO") # 64 in a mailbox
        self.assertEqual(count("Archive"), 0)
        self.assertEqual(ask("COPY", "1:2", "Archive"), "OK")
        self.assertEqual(ask("APPEND", "Archive", letter), "NO")
        self.assertEqual(ask("MOVE", "1:3", "Trash"), "OK") # what is there may go elsewhere
        reader.select("Trash")
        self.assertEqual(ask("REPLACE", "1", "Archive", letter), "OK") # RFC 8508 §3.4: only the difference counts
        self.assertEqual((count("INBOX"), count("Archive"), count("Trash")), (0, 3, 2))

    def test_a_pipelined_group(self):
        self.office.tool("user", "set", ALICE, "--messages", str(self.count(ALICE)))
        client, before = self.session(), self.count(BOB)
        client.put(f"MAIL FROM:<a@b.test>\r\nRCPT TO:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\n"
                   f"RCPT TO:<{ALICE}>\r\nDATA\r\n".encode())
        self.assertEqual([client.reply()[:3] for _ in range(5)], ["250", "452", "250", "452", "354"])
        client.put(b"Subject: x\r\n\r\n.\r\n")
        self.assertEqual(client.reply()[:3], "250")
        self.assertEqual(self.count(BOB), before + 1)


if __name__ == "__main__":
    main()
