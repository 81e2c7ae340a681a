#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Messages in all their forms, made and shown by the writing desk (cases D1 to D8 as a person meets them)."""
import email
import email.policy

from correspondents import Correspondents
from office import ALICE, BOB, main

USAGE, DATAERR, NOINPUT = 64, 65, 66
INVITATION = f"""Content-Type: text/calendar; method=REQUEST; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:42@example.test\r
SUMMARY:Dîner\r
DTSTART;TZID=Europe/Paris:20261127T190000\r
DTEND;TZID=Europe/Paris:20261127T220000\r
LOCATION:12\\, rue Haute\r
ORGANIZER;CN=Alice:mailto:{ALICE}\r
ATTENDEE;RSVP=TRUE:mailto:{BOB}\r
END:VEVENT\r
END:VCALENDAR\r
""".encode()


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


class Forms(Correspondents):
    def print_it(self, *words, text="Hello.\n"):
        return parsed(self.run_it("send", "--account", "alice", "--print", BOB, *words, text=text))

    # ---- receipts

    def test_a_receipt_is_asked_for_and_sent_only_when_the_reader_says_so(self):
        self.send("Déjà lu ?", "--receipt")
        shown, mark = self.show("Déjà lu ?")
        self.assertEqual(shown["notices"], f"Asks:     for a receipt, to be sent to {ALICE}\n")
        self.assertFalse([m for m in self.office.messages(ALICE) if b"disposition-notification;" in m])
        self.run_it("receipt", mark, "--account", "bob")
        shown, _ = self.show("Shown: Déjà lu ?", "alice")
        self.assertIn(f"Receipt:  it was shown to {BOB}; whether it was read, nobody knows\n", shown["notices"])
        self.assertIn('About:    your message "Déjà lu ?" of ', shown["notices"])
        raw = next(m for m in self.office.messages(ALICE) if b"Shown: " in m or b"disposition-notification" in m)
        self.assertTrue(raw.startswith(b"Return-Path: <>\r\n"), raw[:80])
        report = parsed(raw)
        self.assertEqual((report.get_content_type(), report.get_param("report-type")),
                         ("multipart/report", "disposition-notification"))
        fields = report.get_payload()[1].get_payload()
        fields = fields if isinstance(fields, str) else "".join(f.as_string() for f in fields)
        self.assertIn(f"Final-Recipient: rfc822; {BOB}", fields)
        self.assertIn("manual-action/MDN-sent-manually; displayed", fields)
        self.assertRegex(fields, "Original-Message-ID: <[^>]+>")

    def test_nobody_gets_a_receipt_without_having_asked(self):
        self.send("no receipt")
        _, mark = self.show("no receipt")
        self.run_it("receipt", mark, "--account", "bob", code=DATAERR)

    # ---- reports of delivery

    def test_what_came_back_is_told_in_plain_words(self):
        fields = ("Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; nobody@example.org\r\nAction: failed\r\n"
                  "Status: 5.1.1\r\nRemote-MTA: dns; mx.example.org\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n")
        self.deliver(("Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
                      "Content-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + fields
                      + "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Dinner\r\n\r\nHi\r\n--b--\r\n").encode(),
                     "came back", sender=ALICE)
        shown, _ = self.show("came back")
        self.assertEqual(shown["notices"],
                         "Report:   NOT delivered to nobody@example.org: there is no such mailbox: 550 5.1.1 no such user "
                         '(said by mx.example.org)\nAbout:    your message "Dinner"\n')
        self.assertEqual(shown["text"], "Sorry.\n")

    # ---- invitations

    def test_an_invitation_is_shown_and_answered(self):
        self.deliver(INVITATION, "dinner")
        shown, mark = self.show("dinner")
        self.assertEqual(shown["notices"], f"Invited:  Dîner, by Alice <{ALICE}>\nWhen:     2026-11-27 19:00 (Europe/Paris) to 22:00\n"
                                           f"Where:    12, rue Haute\nWho:      {BOB}\n")
        for words, state, subject in ((("accept", mark), "ACCEPTED", "Accepted: dinner"),
                                      (("accept", mark, "--perhaps"), "TENTATIVE", "Perhaps: dinner"),
                                      (("decline", mark), "DECLINED", "Declined: dinner")):
            self.run_it(*words, "--account", "bob")
            shown, _ = self.show(subject, "alice")
            self.assertIn("Answer:   Dîner, by Alice", shown["notices"])
            answer = next(parsed(m) for m in self.office.messages(ALICE) if subject.encode() in m)
            part = next(p for p in answer.walk() if p.get_content_type() == "text/calendar")
            self.assertEqual(part.get_param("method"), "REPLY")
            self.assertIn(f"ATTENDEE;PARTSTAT={state}:mailto:{BOB}", part.get_content())
            self.assertIn("UID:42@example.test", part.get_content())
        _, mark = (self.deliver(b"\r\nNo invitation.\r\n", "plain"), self.find("plain"))
        self.run_it("accept", mark, "--account", "bob", code=DATAERR)

    # ---- pictures

    def test_pictures_stand_in_the_html_that_shows_them(self):
        (self.home / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
        (self.home / "letter.html").write_text('<p>Look: <img src="cid:cat.png"></p>')
        message = self.print_it("--html", "letter.html", "--picture", "cat.png", "-s", "cat")
        self.assertEqual([p.get_content_type() for p in message.walk()],
                         ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"])
        html, picture = list(message.walk())[3:]
        self.assertEqual(list(message.walk())[2].get_param("type"), "text/html")
        self.assertIn(f'src="cid:{picture["Content-ID"][1:-1]}"', html.get_content())
        self.assertEqual((picture.get_content_disposition(), picture.get_content()),
                         ("inline", (self.home / "cat.png").read_bytes()))
        self.run_it("send", "--account", "alice", BOB, "--picture", "cat.png", code=USAGE)

    # ---- pieces, and what lies elsewhere

    def test_pieces_are_told_and_put_together(self):
        (self.home / "large.bin").write_bytes(bytes(range(256)) * 40)
        whole = self.run_it("send", "--account", "alice", "--print", BOB, "-s", "Très long", "-a", "large.bin", text="Voilà.\n")
        (self.home / "whole.eml").write_bytes(whole)
        names = self.run_it("mime", "split", "whole.eml", "--size", "4000", "--to", "part").decode().split()
        self.assertEqual(names, [f"part.{n}" for n in range(1, len(names) + 1)])
        self.assertGreater(len(names), 3)
        for name in names:
            self.assertEqual(parsed((self.home / name).read_bytes()).get_content_type(), "message/partial")
        joined = self.run_it("mime", "join", *reversed(names))
        before, after = parsed(whole), parsed(joined)
        for field in ("From", "To", "Subject", "Message-ID", "Date"):
            self.assertEqual(before[field], after[field], field)
        self.assertEqual([(p.get_content_type(), None if p.is_multipart() else p.get_payload(decode=True)) for p in before.walk()],
                         [(p.get_content_type(), None if p.is_multipart() else p.get_payload(decode=True)) for p in after.walk()])
        self.run_it("mime", "join", *names[:-1], code=NOINPUT)
        self.run_it("mime", "join", "whole.eml", names[0], code=DATAERR)
        self.run_it("mime", "split", "whole.eml", "--size", "4000", "--to", "part", code=73)
        self.deliver((self.home / "part.2").read_bytes().split(b"\r\n\r\n")[0].split(b"MIME-Version")[1].replace(b": 1.0\r\n", b"MIME-Version: 1.0\r\n", 1)
                     + b"\r\n\r\nx\r\n", "second piece")
        shown, _ = self.show("second piece")
        self.assertIn(f"this is piece 2 of {len(names)} of a message that was cut", shown["notices"])

    def test_what_lies_elsewhere_is_told_and_not_fetched(self):
        self.deliver(b'Content-Type: message/external-body; access-type=URL; URL="https://example.org/a.pdf"\r\n\r\n'
                     b"Content-Type: application/pdf\r\n\r\n", "elsewhere")
        shown, _ = self.show("elsewhere")
        self.assertIn("URL https://example.org/a.pdf; it was not fetched", shown["notices"])

    def test_what_is_not_sent_is_said_where_it_is(self):
        self.send("the film", "--link", "https://example.org/film%20one.mp4", "--link", "https://example.org/plan.pdf?v=2", "-a", "a.txt",
                  code=NOINPUT)
        self.send("the film", "--link", "https://example.org/film%20one.mp4", "--link", "https://example.org/plan.pdf?v=2")
        shown, _ = self.show("the film")
        self.assertIn("part 2 (film%20one.mp4, video/mp4) is not in the message, but to be had by URL https://example.org/film%20one.mp4;",
                      shown["notices"])
        raw = next(parsed(m) for m in self.office.messages(BOB) if b"Subject: the film" in m)
        part = raw.get_payload()[2]
        self.assertEqual((part.get_content_type(), part.get_param("access-type"), part.get_param("url")),
                         ("message/external-body", "URL", "https://example.org/plan.pdf?v=2"))
        phantom = part.get_payload()[0]
        self.assertEqual((phantom.get_content_type(), phantom.get_filename()), ("application/pdf", "plan.pdf"))
        self.assertRegex(phantom["Content-ID"], "^<[0-9a-f]{32}@example.test>$")
        self.run_it("send", "--account", "alice", BOB, "--link", "film.mp4", code=USAGE)

    # ---- digests

    def test_messages_are_put_into_a_digest(self):
        for number, text in enumerate(("Salut é\n", "short\r\n")):
            (self.home / f"{number}.eml").write_bytes(f"From: <x{number}@example.org>\nSubject: number {number}\n\n{text}".encode())
        for words, text, types in (((), "Hello.\n", ["multipart/mixed", "text/plain", "multipart/digest"]), ((), "", ["multipart/digest"])):
            message = self.print_it("--digest", "0.eml", "--digest", "1.eml", *words, text=text)
            self.assertEqual([p.get_content_type() for p in message.walk()],
                             types + ["message/rfc822", "text/plain"] * 2)
            inside = [p for p in message.walk() if p.get_content_type() == "message/rfc822"]
            self.assertEqual([p["Content-Type"] for p in inside], [None, None])
            self.assertEqual([p.get_payload()[0]["Subject"] for p in inside], ["number 0", "number 1"])
        built = parsed(self.run_it("mime", "build", "--digest", "1.eml", "0.eml", "--link", "https://example.org/", text="Intro\n"))
        self.assertEqual([p.get_content_type() for p in built.get_payload()], ["text/plain", "message/external-body", "multipart/digest"])

    # ---- charsets

    def test_the_charset_is_as_narrow_as_the_text_allows(self):
        for text, charset in (("plain\n", "us-ascii"), ("déjà\n", "iso-8859-1"), ("12 €\n", "iso-8859-15"), ("“x”\n", "utf-8")):
            name = f"{text.strip()}.bin"
            (self.home / name).write_bytes(b"x")
            message = self.run_it("send", "--account", "alice", "--print", f"{text.strip()} <{BOB}>", "-s", text.strip(), "-a", name, text=text)
            body = parsed(message).get_payload()[0]
            self.assertEqual((body.get_content_charset(), body.get_content().replace("\r", "")), (charset, text))
            self.assertEqual((parsed(message)["Subject"], parsed(message)["To"].addresses[0].display_name), (text.strip(),) * 2)
            self.assertEqual(next(parsed(message).iter_attachments()).get_filename(), name)
            if charset != "us-ascii":
                self.assertIn(f"Subject: =?{charset}?".encode(), message.replace(b"12 =?", b"=?"))
                self.assertIn(f"filename*={charset}''".encode(), message)

    # ---- forwards

    def test_several_messages_are_passed_on_as_a_digest(self):
        for subject in ("part one", "part two"):
            self.send(subject)
        first, second = self.find("part one"), self.find("part two")
        self.run_it("forward", f"{first}-{second}", ALICE, "--account", "bob", text="For you.\n")
        raw = next(parsed(m) for m in self.office.messages(ALICE) if b"Fwd: part one (and 1 more)" in m)
        digest = raw.get_payload()[1]
        self.assertEqual(digest.get_content_type(), "multipart/digest")
        self.assertEqual([p.get_payload()[0]["Subject"] for p in digest.get_payload()], ["part one", "part two"])

    def test_a_message_is_passed_on_whole(self):
        self.send("original", text="L’original.\n")
        mark = self.find("original")
        self.run_it("forward", mark, ALICE, "--account", "bob", text="For you.\n")
        shown, mark = self.show("Fwd: original", "alice")
        self.assertEqual([a["type"] for a in shown["attachments"]], ["message/rfc822"])
        inside = next(parsed(m) for m in self.office.messages(ALICE) if b"Fwd: original" in m).get_payload()[1].get_payload()[0]
        self.assertEqual((inside["Subject"], inside.get_content()), ("original", "L’original.\r\n"))

    # ---- text

    def test_all_text_is_shown_that_is_no_file(self):
        self.deliver(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nOne.\r\n--b\r\nContent-Type: image/png\r\n"
                     b"Content-Disposition: inline\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n\r\nTwo.\r\n--b\r\n"
                     b"Content-Type: text/plain; name=three.txt\r\n\r\nThree.\r\n--b--\r\n", "texts")
        shown, _ = self.show("texts")
        self.assertEqual(shown["text"], "One.\n\nTwo.\n")
        self.assertEqual([a["type"] for a in shown["attachments"]], ["image/png", "text/plain"])

    def test_flowed_text_goes_and_comes(self):
        text = "A paragraph " + "of many words " * 20 + "ends.\n> quoted " + "and long " * 20 + "too.\n-- \nBob\n"
        self.send("flowed", "--flowed", text=text)
        self.assertEqual(self.show("flowed")[0]["text"], text)
        raw = next(m for m in self.office.messages(BOB) if b"Subject: flowed" in m)
        self.assertEqual(parsed(raw)["Content-Type"].params["format"], "flowed")
        for line in parsed(raw).get_content().splitlines():
            self.assertLessEqual(len(line), 79)

    def test_long_subjects_and_names_in_any_language(self):
        subject = "Ελληνικά, 日本語 et « français » : " + "très " * 30 + "long"
        name = "文書—" + "é" * 60 + ".bin"
        (self.home / name).write_bytes(b"x")
        message = self.run_it("send", "--account", "alice", "--print", BOB, "-s", subject, "-a", name, text="x\n")
        for line in message.splitlines():
            self.assertLessEqual(len(line), 78)
            self.assertTrue(line.isascii())
        self.assertEqual(parsed(message)["Subject"], subject)
        self.assertEqual(next(parsed(message).iter_attachments()).get_filename(), name)


if __name__ == "__main__":
    main()
