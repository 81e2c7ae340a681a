#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Is this an open relay? Strangers try every spelling that has ever led mail through somebody else's
server, from every sender, at every port; each must be refused at RCPT (RFC 5321 §3.6, §7.7;
RFC 2505 §2.1)."""
import itertools

from office import ALICE, Lines, OfficeCase, main

OURS, THEIRS = "example.test", "victim.test"
RECIPIENTS = [
    "<user@{theirs}>", "user@{theirs}", "<USER@{theirs}>", "<user@{theirs}.>", "<user @{theirs}>",
    "<user@sub.{theirs}>", "<user@{ours}.{theirs}>", "<user@{theirs}%00>",
    # Source routes (RFC 5321 §4.1.2, appendix C).
    "<@{ours}:user@{theirs}>", "<@{ours},@{theirs}:user@{theirs}>", "<@{host}:user@{theirs}>",
    "<@{theirs}:user@{theirs}>", "<@[127.0.0.1]:user@{theirs}>", "@{ours}:user@{theirs}",
    "<@{ours}:@{theirs}:user@{theirs}>", "<@{ours}:user%{theirs}@{ours}>",
    # The percent hack, with and without quotes.
    "<user%{theirs}@{ours}>", "<user%{theirs}@{host}>", "<user%{theirs}@[127.0.0.1]>",
    "<user%{theirs}%{ours}@{ours}>", "<user%{theirs}>", "<\"user%{theirs}\"@{ours}>",
    "<\"user%{theirs}\">", "<user%{theirs}@localhost>", "<user%{theirs}@>",
    # Bang paths.
    "<{theirs}!user>", "<{theirs}!user@{ours}>", "<{ours}!{theirs}!user>", "<{host}!user@{theirs}>",
    "<{theirs}!user@[127.0.0.1]>", "<\"{theirs}!user\"@{ours}>", "<{ours}!user@{theirs}>",
    # More than one @.
    "<user@{theirs}@{ours}>", "<user@{ours}@{theirs}>", "<\"user@{theirs}\"@{ours}>",
    "<\"user@{theirs}\">", "<user\\@{theirs}@{ours}>", "<\"user\\@{theirs}\"@{ours}>",
    "<user@{theirs}@[127.0.0.1]>", "<\"user@{theirs}\"@[127.0.0.1]>", "<@{theirs}@{ours}>",
    # Address literals: of ours, of others, written oddly.
    "<user@[192.0.2.1]>", "<user@[127.0.0.1]>", "<user@[0x7f.1]>", "<user@[127.1]>",
    "<user@127.0.0.1>", "<user@2130706433>", "<user@[IPv6:2001:db8::1]>", "<user@[IPv6:::1]>",
    "<user@[IPv6:::ffff:192.0.2.1]>", "<user@[]>", "<user@[{theirs}]>", "<user@#2130706433>",
    # Names that somebody else would understand.
    "<user@localhost>", "<user@{host}>", "<user>", "<user@>", "<>", "<@>", "<@{theirs}>",
    "<user@{theirs}:25>", "<user@{theirs},{ours}>", "<user@{theirs};{ours}>", "<user@{theirs} {ours}>",
    "<user@{theirs}(comment)@{ours}>", "<user@{theirs}/{ours}>", "<user@{theirs}\\@{ours}>",
    "<smtp:user@{theirs}>", "<mailto:user@{theirs}>", "<IMCEASMTP-user+40{theirs}@{ours}>",
    "<user+@{theirs}@{ours}>", "<user=40{theirs}@{ours}>", "<user={theirs}@{ours}>",
    # Programs and files in the place of names.
    "<|/bin/cat@{ours}>", "<\"|/bin/cat\"@{ours}>", "</etc/passwd@{ours}>", "<:include:/etc/passwd@{ours}>",
    # Parameters that name somebody else.
    "<user@{theirs}> ORCPT=rfc822;alice@{ours}", "<user@{theirs}> NOTIFY=NEVER",
    # SRS addresses that we have not made.
    "<SRS0=AAAAAAAA=AA={theirs}=user@{ours}>", "<SRS1=AAAAAAAA=AA={theirs}==user@{ours}>",
]
SENDERS = ["<>", "<stranger@{theirs}>", f"<{ALICE}>", "<postmaster@{ours}>", "<postmaster@[127.0.0.1]>",
           "<root@localhost>", "<alice%{theirs}@{ours}>", "<user@{theirs}> AUTH=<alice@{ours}>"]
GREETINGS = ["EHLO client.test", "HELO {ours}", "EHLO {host}", "EHLO [127.0.0.1]"]
# Spellings that change what a line is: they must not become a second command, or another address.
SMUGGLED = ["RCPT TO:<user@{theirs}\r>", "RCPT TO:<alice@{ours}\x00@{theirs}>",
            "RCPT TO:<user\uff20{theirs}>", "RCPT TO:<user@{theirs}\u3002>",
            "RCPT TO:<alice@{ours}>,<user@{theirs}>", "RCPT TO:<alice@{ours}> <user@{theirs}>",
            "RCPT TO:<alice@{ours}><user@{theirs}>", "RCPT TO:alice@{ours},user@{theirs}"]
# What some servers take as a word of honour.
TRUSTING = ["XCLIENT ADDR=127.0.0.1 LOGIN=alice", "XFORWARD ADDR=127.0.0.1", "AUTH ANONYMOUS",
            "AUTH EXTERNAL =", "AUTH PLAIN AGFsaWNlAA==", "ETRN {theirs}", "ATRN {theirs}", "TURN"]


class RelayBattery(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A domain whose mail we pass on for everybody: names only, no routes.
        accounts = cls.office.folder / "data/directory/accounts"
        with accounts.open("a") as file:
            file.write("relay partner.test\nrelay listed.test listed\nrecipient known@listed.test\n")
        cls.office.tool("reload")
        cls.host = cls.office.smtp().connect("localhost", cls.office.base + 25)[1].split()[0].decode()

    def fill(self, text):
        return text.format(ours=OURS, theirs=THEIRS, host=self.host)

    def session(self, port, greeting="EHLO client.test"):
        lines = Lines(self.office.base + port)
        self.addCleanup(lines.close)
        lines.reply()
        lines.ask(self.fill(greeting))
        return lines

    def is_refused(self, lines, sender, recipient):
        """By RCPT, or already by MAIL; what is open must stay usable."""
        lines.ask("RSET")
        answer = lines.ask(f"MAIL FROM:{self.fill(sender)}")
        if answer.startswith("2"):
            answer = lines.ask(f"RCPT TO:{self.fill(recipient)}")
        # Not 421 or 4xx: that would be a limit of this test, not an answer to it.
        self.assertRegex(answer, r"^5\d\d ", f"{sender} → {recipient}")

    def test_no_spelling_passes_from_any_sender(self):
        for greeting in GREETINGS:
            # Many errors end a session, so each gets a few.
            pairs = list(itertools.product(SENDERS, RECIPIENTS))
            pairs = pairs if greeting == GREETINGS[0] else pairs[:len(RECIPIENTS)]
            for sender, recipient in pairs:
                with self.subTest(greeting=greeting, sender=sender, recipient=recipient):
                    with Lines(self.office.base + 25) as lines:
                        lines.reply()
                        lines.ask(self.fill(greeting))
                        self.is_refused(lines, sender, recipient)

    def test_the_submission_port_wants_a_login(self):
        for recipient in RECIPIENTS[:20] + [f"<{ALICE}>"]:
            with self.subTest(recipient), Lines(self.office.base + 587) as lines:
                lines.reply()
                lines.ask("EHLO client.test")
                self.is_refused(lines, f"<{ALICE}>", recipient)

    def test_nothing_is_smuggled_into_a_line(self):
        for line in SMUGGLED:
            with self.subTest(line), Lines(self.office.base + 25) as lines:
                lines.reply()
                lines.ask("EHLO client.test")
                lines.ask("MAIL FROM:<> SMTPUTF8")
                answer = lines.ask(self.fill(line))
                self.assertRegex(answer, r"^([45]\d\d |$)", line)

    def test_words_of_honour_open_nothing(self):
        for word in TRUSTING:
            with self.subTest(word), Lines(self.office.base + 25) as lines:
                lines.reply()
                lines.ask("EHLO client.test")
                answer = lines.ask(self.fill(word))
                if answer.startswith("334"):
                    lines.ask("*")
                self.is_refused(lines, "<stranger@elsewhere.test>", "<user@{theirs}>")

    def test_relay_domains_take_names_and_no_routes(self):
        for recipient in ("<user%{theirs}@partner.test>", "<{theirs}!user@partner.test>",
                          "<\"user@{theirs}\"@partner.test>", "<@partner.test:user@{theirs}>",
                          "<user@sub.partner.test>", "<stranger@listed.test>",
                          "<known%{theirs}@listed.test>"):
            with self.subTest(recipient), Lines(self.office.base + 25) as lines:
                lines.reply()
                lines.ask("EHLO client.test")
                self.is_refused(lines, "<stranger@elsewhere.test>", recipient)

    def test_our_own_are_taken_all_the_same(self):
        """Else this battery would also pass against a server that takes nothing."""
        lines = self.session(25)
        lines.ask("MAIL FROM:<stranger@elsewhere.test>")
        for recipient in (ALICE, f"postmaster@{OURS}", "postmaster", f"@{THEIRS},@{OURS}:{ALICE}"):
            self.assertRegex(lines.ask(f"RCPT TO:<{recipient}>"), r"^250 ")


if __name__ == "__main__":
    main()
