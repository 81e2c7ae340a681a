#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""CR, LF, NUL and their encoded forms in every field that a stranger or a user chooses, and that reaches
a line of the log, a field of a header, or a line of a protocol: there is one line, and it is ours."""
import base64
import email
import re
import socket
import unittest

from next_hop import NextHop
from office import ALICE, BOB, CLIENT_S, Office, main, wait_for

MARK = "Injected"
# What stands between an honest beginning and what is to become a line of its own.
BREAKS = ["\r\n", "\n", "\r", "\0", "\x85", "\u2028", "\x0b", "\x0c", "\x1b[2K", "%0d%0a", "%0D%0A", "+0D+0A", "\\r\\n",
          "=0D=0A", "=?utf-8?q?=0D=0A?=", "=?utf-8?b?DQo=?=", "&#13;&#10;", "&AA0ACg-", "\\\n", "\r\n ", "\r\n\t"]
LINE = f"{MARK}: yes"


class Imap:
    """Reads answers as strictly as RFC 9051 §9 has them: a quoted string holds no CR, LF or NUL, and what
    stands in a literal is no line."""

    def __init__(self, office, who=BOB, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", office.base + 143), CLIENT_S, (source, 0))
        self.file = self.socket.makefile("rb")
        self.file.readline()
        if who:
            assert self.ask(b"LOGIN %s %s" % (who.encode(), office.people[who].encode()))[-1].startswith(b"x OK")

    def close(self):
        self.file.close()
        self.socket.close()

    def line(self):
        """A whole line, its literals left out."""
        whole = b""
        while True:
            piece = self.file.readline()
            if not re.fullmatch(rb"[^\r\n\0]*\r\n", piece):
                raise AssertionError(f"no line: {piece!r} behind {whole!r}")
            whole += piece[:-2]
            count = re.search(rb"\{(\d+)\}$", piece[:-2])
            if not count:
                return whole
            if MARK.encode() not in (text := self.file.read(int(count[1]))) and b"\0" in text:
                raise AssertionError(f"NUL in a literal: {text!r}")

    def ask(self, command, *literals):
        """`{}` in the command stands for a literal each. The lines of the answer, or what ended it."""
        pieces = (b"x " + command).split(b"{}")
        text = pieces[0]
        for piece, literal in zip(pieces[1:], literals):
            text += b"{%d+}\r\n" % len(literal) + literal + piece
        self.socket.sendall(text + b"\r\n")
        said = []
        while not said or not re.match(rb"x (OK|NO|BAD)|\* BYE", said[-1]):
            said.append(self.line())
            assert re.match(rb"(x (OK|NO|BAD) |\* |\+ )", said[-1]), said[-1]
            assert not said[-1].startswith((b"* " + MARK.encode(), MARK.encode())), said[-1]
        return said


class Injection(unittest.TestCase):
    places = 0

    @classmethod
    def setUpClass(cls):
        cls.hop = NextHop(("8BITMIME", "DSN"))
        cls.office = Office(config='\nqueue_interval_max = "1 s"\nlog_level = "debug"\n')
        (cls.office.folder / "data/directory/transports").write_text(f"far.test smtp:[127.0.0.1]:{cls.hop.port}\n")
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.hop.close()

    def tearDown(self):
        """Looked at after each case: the log, and the headers of all that has come."""
        for line in self.office.log_path.read_bytes().split(b"\n"):
            self.assertNotRegex(line, rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", line[:300])
            self.assertFalse(line.startswith(MARK.encode()), line)
        for who in (ALICE, BOB):
            for text in self.office.messages(who):
                self.is_clean(text)

    def is_clean(self, text):
        """Neither the header nor that of a part of a report has a field that was injected."""
        self.assertNotRegex(text, rb"[^\r]\n|\r[^\n]")
        self.assertNotIn(b"\0", text.split(b"\r\n\r\n")[0])
        for part in email.message_from_bytes(text).walk():
            self.assertNotIn(MARK, part, text[:2000])
        head = text.split(b"\r\n\r\n")[0]
        self.assertNotIn(b"\n" + MARK.encode(), head)

    # ---- SMTP

    def somewhere(self):
        """A customer who has not guessed yet: answers to wrong names come later and later."""
        self.places += 1
        return f"127.1.{self.places // 250}.{self.places % 250 + 1}"

    def say(self, port, *lines):
        """Says all in order; every line that comes back is a reply."""
        with socket.create_connection(("127.0.0.1", self.office.base + port), CLIENT_S, (self.somewhere(), 0)) as client:
            client.settimeout(CLIENT_S)
            said = b""
            try:
                for line in lines:
                    client.sendall(line + b"\r\n")
                client.shutdown(socket.SHUT_WR)
                while piece := client.recv(65536):
                    said += piece
            except ConnectionError:
                pass
        for line in said.split(b"\r\n"):
            self.assertRegex(line, rb"^(\d\d\d[ -][ -~]*|\d\d\d|\+OK.*|-ERR.*|)$", said)
            self.assertNotIn(b"\0", line)
        return said

    def test_greetings_and_addresses(self):
        to = b"RCPT TO:<%s>" % BOB.encode()
        for each in BREAKS:
            evil = each.encode() + LINE.encode()
            with self.subTest(each):
                for verb in (b"EHLO ", b"HELO "):
                    self.say(25, verb + b"client.test" + evil, b"MAIL FROM:<a@b.test>", to, b"DATA", b"\r\nx\r\n.", b"QUIT")
                for sender in (b"<a" + evil + b"@b.test>", b'<"a' + evil + b'"@b.test>', b"<a@b.test" + evil + b">",
                               b"<@a.test" + evil + b":a@b.test>", b"<a@[IPv6:::1" + evil + b"]>",
                               b"<a@b.test> BODY=8BITMIME" + evil, b"<a@b.test> SIZE=1" + evil,
                               b"<a@b.test> ENVID=x" + evil, b"<a@b.test> AUTH=x" + evil, b"<a@b.test> X" + evil):
                    self.say(25, b"EHLO client.test", b"MAIL FROM:" + sender + b" SMTPUTF8", to, b"DATA", b"\r\nx\r\n.")
                for word in (b"VRFY ", b"EXPN ", b"HELP ", b"NOOP ", b"ETRN ", b"AUTH PLAIN ", b"RCPT TO:", b""):
                    self.say(25, b"EHLO client.test", b"MAIL FROM:<a@b.test>", word + b"bob" + evil)

    def test_names_of_users_who_log_in(self):
        for each in ("\r\n", "\0", "\x1b[2K", "=0D=0A"):  # each guess costs the server a slow hash
            name = ("alice" + each + LINE).encode()
            plain = base64.b64encode(b"\0" + name + b"\0secret")
            scram = base64.b64encode(b"n,,n=" + name + b",r=abcdefgh")
            with self.subTest(each):
                self.say(587, b"EHLO client.test", b"AUTH PLAIN " + plain)
                self.say(587, b"EHLO client.test", b"AUTH LOGIN", base64.b64encode(name), base64.b64encode(b"secret"))
                self.say(587, b"EHLO client.test", b"AUTH SCRAM-SHA-256 " + scram, b"*")
                self.say(110, b"USER " + name, b"PASS secret" + name, b"AUTH PLAIN " + plain, b"APOP " + name + b" 0")
                imap = Imap(self.office, None, self.somewhere())
                imap.ask(b"LOGIN {} {}", name, b"secret")
                imap.ask(b"AUTHENTICATE PLAIN " + plain)
                imap.close()

    def test_fields_of_reports(self):
        """ENVID and ORCPT come back in a report: as they were, or not at all."""
        for number, each in enumerate(BREAKS):
            evil = (each + LINE).encode()
            xtext = b"".join(b"+%02X" % octet for octet in evil)
            with self.subTest(each):
                self.say(25, b"EHLO client.test", b"MAIL FROM:<%s> RET=FULL ENVID=a" % ALICE.encode() + xtext,
                         b"RCPT TO:<%s> NOTIFY=SUCCESS ORCPT=rfc822;b" % BOB.encode() + xtext + b"@b.test",
                         b"DATA", b"Subject: report %d\r\n\r\nx\r\n." % number, b"QUIT")

    def test_answers_of_other_hosts(self):
        """A next hop's words reach the log, the report to the sender and the list of the queue."""
        breaks = [each for each in BREAKS if "\n" not in each]  # those would end the line of the answer itself

        def said(line):
            number = int(re.search(rb"carol\+(\d+)", line)[1])
            if number == len(breaks):
                return b"450 4.2.1 later\x1b[2K\0\x85" + LINE.encode() + b"\r\n"
            return f"550 5.1.1 no{breaks[number]}{LINE}{breaks[number]}\r\n".encode()
        self.hop.said = {b"RCPT": said}
        with self.office.smtp(ALICE) as client:
            for number in range(len(breaks) + 1):
                client.sendmail(ALICE, [f"carol+{number}@far.test"], f"Subject: answered {number}.\r\n\r\nx\r\n".encode())
        for number, each in enumerate(breaks):
            with self.subTest(each):
                self.assertTrue(wait_for(lambda number=number: self.report_of(f"answered {number}.")))
                self.assertIn(b"5.1.1", self.report_of(f"answered {number}.")[0])
        self.assertTrue(wait_for(lambda: "later" in self.office.tool("queue", "list")))
        for words in (("queue", "list"), ("queue", "list", "--json")):
            self.assertNotRegex(self.office.tool(*words), r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def report_of(self, subject):
        return [text for text in self.office.messages(ALICE)
                if b"multipart/report" in text and subject.encode() in text]

    # ---- IMAP

    def test_names_flags_and_words_of_imap(self):
        for each in BREAKS:
            evil = ("n" + each + LINE).encode()
            with self.subTest(each):
                imap = Imap(self.office)
                for command in (b"CREATE {}", b"RENAME {} other", b"SUBSCRIBE {}", b"SELECT {}", b"STATUS {} (MESSAGES)",
                                b"DELETE {}", b"LIST {} *", b'LIST "" {}', b"ID (\"name\" {})", b"SEARCH CHARSET {} ALL",
                                b"SEARCH SUBJECT {}", b"GETQUOTAROOT {}", b"GETACL {}", b"SETACL INBOX {} lr",
                                b'GETMETADATA INBOX {}', b"NOSUCH {}", b"CREATE {}"):
                    if imap.ask(command, evil)[-1].startswith(b"* BYE"):
                        imap.close()
                        imap = Imap(self.office)
                for command in (b'LIST "" * RETURN (SUBSCRIBED STATUS (MESSAGES))', b'LSUB "" *', b"GETACL INBOX"):
                    imap.ask(command)
                imap.close()

    def test_messages_that_are_told_of_in_structures(self):
        """ENVELOPE and BODYSTRUCTURE are made of what a stranger wrote."""
        imap = Imap(self.office)
        imap.ask(b"CREATE structures")
        for each in BREAKS:
            evil = (each + LINE).encode()
            text = (b'From: "a' + evil + b'" <a@b.test>\r\nSubject: s' + evil + b"\r\nMessage-ID: <m" + evil + b"@x>\r\n"
                    b'MIME-Version: 1.0\r\nContent-Type: text/plain; name="f' + evil + b"\"; x*=utf-8''f%0D%0A" + evil +
                    b"; y*0*=utf-8''f%00; y*1=" + evil + b"\r\nContent-ID: <c" + evil + b">\r\n"
                    b'Content-Description: d' + evil + b'\r\nContent-Disposition: attachment; filename="g' + evil +
                    b'"\r\nContent-Language: en' + evil + b"\r\nContent-Location: l" + evil + b"\r\n\r\nbody\r\n")
            imap.ask(b"APPEND structures {}", text)
        imap.ask(b"SELECT structures")
        for what in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"PREVIEW", b"BODY[HEADER.FIELDS (subject)]", b"FLAGS"):
            said = imap.ask(b"FETCH 1:* (" + what + b")")
            self.assertRegex(said[-1], rb"^x OK", what)
            self.assertGreater(len(said), len(BREAKS) // 2)
        for command in (b"STORE 1 +FLAGS (a]b)", b"STORE 1 +FLAGS ($ok \\X%s)" % MARK.encode(), b"SORT (SUBJECT) UTF-8 ALL",
                        b"THREAD REFERENCES UTF-8 ALL"):
            imap.ask(command)
        imap.close()


if __name__ == "__main__":
    main()
