#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SMTP smuggling: a second message hidden in the first by line ends that two servers read differently.
Inbound, no variant makes two messages of one, however it is cut into segments; outbound, whatever our
own people hand in, by DATA, BDAT or IMAP, leaves this host in lines that end in CRLF, dots stuffed."""
import re
import socket
import unittest

from next_hop import NextHop
from office import ALICE, BOB, CLIENT_S, Lines, Office, main, wait_for

# What one server or another has taken for the end of a message.
ENDS = [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\r\n.\r\r\n",
        b"\r\n.\r\r\n", b"\r\0\n.\r\0\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\0\r\n.\0\n", b"\r\n.\r\0\n", b"\x85.\x85",
        b"\xe2\x80\xa8.\xe2\x80\xa8", b"\x0b.\x0b", b"\x0c.\x0c", b"\r\n.\x1a\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n"]
# These are lines of text to everybody, and pass.
HARMLESS = {b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\x0b.\x0b", b"\x0c.\x0c", b"\r\n.\x1a\r\n", b"\r\n. \r\n",
            b"\r\n.\t\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"}
SECOND = (b"MAIL FROM:<admin@example.test>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\nmine\r\n.\r\n"
          % ALICE.encode())


class Smuggling(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hop, cls.modern = NextHop(), NextHop(("8BITMIME", "CHUNKING", "PIPELINING"))
        cls.office = Office()
        (cls.office.folder / "data/directory/transports").write_text(
            f"far.test smtp:[127.0.0.1]:{cls.hop.port}\nmodern.test smtp:[127.0.0.1]:{cls.modern.port}\n")
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.hop.close()
        cls.modern.close()

    # ---- inbound

    def put_in_pieces(self, text, step):
        """One message up to its end, in pieces of `step` octets, and all that is said to it."""
        with socket.create_connection(("127.0.0.1", self.office.base + 25), CLIENT_S) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            file = client.makefile("rb")
            client.sendall(b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % BOB.encode())
            while not file.readline().startswith(b"354"):
                pass
            try:
                for at in range(0, len(text), step):
                    client.sendall(text[at:at + step])
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            try:
                return file.read()
            except ConnectionResetError:
                return b""

    def test_no_end_but_the_right_one_ends_a_message(self):
        for number, end in enumerate(ENDS):
            text = b"Subject: outer %d\r\n\r\nfirst" % number + end + SECOND + b"QUIT\r\n"
            for step in (len(text), 1):
                with self.subTest(end=end, step=step):
                    said = self.put_in_pieces(text, step)
                    # One message, or none; the words behind it are never answered as commands.
                    self.assertLessEqual(len(re.findall(rb"^250 ", said, re.M)), 1, said)
                    self.assertNotRegex(said, rb"(?m)^354")
                    if end not in HARMLESS:
                        self.assertNotRegex(said, rb"(?m)^250")
        # Not a message of the attacker's making has come in.
        for who in (ALICE, BOB):
            heads = [text.split(b"\r\n\r\n")[0] for text in self.office.messages(who)]
            self.assertFalse([head for head in heads if b"\nSubject: smuggled" in head])

    def test_chunks_hold_octets_and_no_commands(self):
        """What is counted is content, what stands behind it a command, wherever segments are cut."""
        for end in ENDS:
            inner = b"Subject: chunk\r\n\r\nfirst" + end + SECOND
            with Lines(self.office.base + 25) as client:
                client.reply()
                client.ask("EHLO x")
                client.put(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\n" % BOB.encode())
                self.assertEqual([client.reply()[:3] for _ in range(2)], ["250"] * 2)
                client.put(b"BDAT %d LAST\r\n" % len(inner) + inner + b"NOOP\r\nQUIT\r\n")
                said = [client.reply()[:3] for _ in range(3)]
                self.assertIn(said[0], ("250", "554"))
                self.assertEqual(said[1:], ["250", "221"])
        self.assertFalse([text for text in self.office.messages(ALICE) if b"\r\nSubject: smuggled" in
                          text.split(b"\r\n\r\n")[0]])

    def test_counts_that_are_none_are_refused(self):
        for count in (b"-1", b"+5", b"0x5", b"5 5", b"99999999999999999999", b"5\0", b"5 LAST LAST", b""):
            with Lines(self.office.base + 25) as client:
                client.reply()
                client.ask("EHLO x")
                client.put(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<%s>\r\n" % BOB.encode())
                self.assertEqual([client.reply()[:3] for _ in range(2)], ["250"] * 2)
                client.put(b"BDAT " + count + b"\r\n")
                self.assertRegex(client.reply(), r"^5", count)

    # ---- outbound

    def sent_to(self, hop, domain, content, body):
        """The content as it reaches the next hop, after one of our people has handed it in by BDAT."""
        before = len(hop.sent)
        with self.office.smtp(ALICE) as client:
            client.ehlo_or_helo_if_needed()
            self.assertEqual(client.docmd(f"MAIL FROM:<{ALICE}> BODY={body}")[0], 250)
            self.assertEqual(client.docmd(f"RCPT TO:<carol@{domain}>")[0], 250)
            client.send(b"BDAT %d LAST\r\n" % len(content) + content)
            code = client.getreply()[0]
        if code != 250:
            return None
        self.assertTrue(wait_for(lambda: len(hop.sent) > before or self.is_returned(content)))
        return hop.sent[before] if len(hop.sent) > before else None

    def is_returned(self, content):
        """A message that cannot be sent as it is comes back."""
        subject = re.match(rb"Subject: (\S+)", content)[1]
        return any(b"multipart/report" in text and subject in text for text in self.office.messages(ALICE))

    def test_what_leaves_has_right_lines_only(self):
        passed = 0
        for hop, domain in ((self.hop, "far.test"), (self.modern, "modern.test")):
            for body in ("7BIT", "BINARYMIME"):
                for number, end in enumerate(ENDS):
                    if body == "7BIT" and max(end) > 127:
                        continue
                    head = b"Subject: out-%s-%d\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
                    content = head % ((domain + body).encode(), number) + b"first" + end + SECOND
                    with self.subTest(domain=domain, body=body, end=end):
                        text = self.sent_to(hop, domain, content, body)
                        if text is not None:
                            passed += 1
                            self.are_right_lines(text, hop is self.hop)
        self.assertGreater(passed, len(ENDS))

    def are_right_lines(self, text, is_by_data):
        self.assertNotRegex(text, rb"[^\r]\n|\r[^\n]|\0")
        if is_by_data:
            self.assertEqual(text.count(b"\r\n.\r\n"), 1)
            self.assertTrue(all(line.startswith(b"..") for line in text[:-5].split(b"\r\n") if line[:1] == b"."))


if __name__ == "__main__":
    main()
