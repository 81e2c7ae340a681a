#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""MESSAGELIMIT and SAVELIMIT (RFC 9738): commands that do a part at a time, those that are all or nothing, and what has no limit."""
import imaplib

from office import ALICE, OfficeCase, main

LIMIT = 3


class Portions(OfficeCase):
    config = f"imap_message_limit = {LIMIT}\n"

    def setUp(self):
        """Five messages, with the UIDs 2 to 6."""
        self.client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=60)
        self.addCleanup(self.client.shutdown)
        self.client.login(ALICE, self.office.people[ALICE])
        self.client.enable("CONDSTORE")
        self.client.create("portions")
        self.addCleanup(self.client.delete, "portions")
        for number in range(6):
            self.client.append("portions", None, None, b"Subject: number %d\r\n\r\nx\r\n" % number)
        self.client.select("portions")
        self.ask("UID STORE 1 FLAGS (\\Deleted)")
        self.ask("UID EXPUNGE 1")

    def ask(self, command):
        """The untagged lines, and the tagged one without its tag."""
        tag = self.client._new_tag()
        self.client.send(tag + b" " + command.encode() + b"\r\n")
        lines = []
        while True:
            line = self.client.readline().rstrip(b"\r\n").decode()
            if line.startswith(tag.decode()):
                return lines, line.split(" ", 1)[1]
            lines.append(line)

    def numbers(self, lines, kind):
        return [line.split()[1] for line in lines if kind in line]

    def test_it_is_announced(self):
        self.assertIn(f"MESSAGELIMIT={LIMIT}", self.ask("CAPABILITY")[0][0])

    def test_fetch_and_store_do_the_highest(self):
        for command in ("FETCH 1:* (FLAGS)", "FETCH 1:* (ENVELOPE)", "STORE 1:* +FLAGS (\\Seen)"):
            lines, end = self.ask(command)
            self.assertEqual(self.numbers(lines, "FETCH"), ["3", "4", "5"], command)
            self.assertRegex(end, r"^OK \[MESSAGELIMIT 3 4\] ")
        lines, end = self.ask("UID FETCH 2:3 (FLAGS)")  # the rest
        self.assertEqual(self.numbers(lines, "FETCH"), ["1", "2"])
        self.assertNotIn("MESSAGELIMIT", end)
        self.assertNotIn("MESSAGELIMIT", self.ask("FETCH 3:5 (FLAGS)")[1])  # at the limit

    def test_a_code_that_is_there_stays(self):
        lines, end = self.ask("STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)")
        self.assertRegex(end, r"^OK \[MODIFIED 3:5\] ")
        self.assertTrue(any(line.startswith("* NO [MESSAGELIMIT 3 4]") for line in lines), lines)

    def test_search_looks_at_the_highest_that_its_keys_leave(self):
        self.ask("UID STORE 2,6 +FLAGS.SILENT (k)")
        for keys, found, told in (("KEYWORD k", "6", "4"), ("ALL", "4 5 6", "4"), ("UID 2:5", "3 4 5", "3"), ("1:4 UNSEEN", "3 4 5", "3"),
                                  ("UIDBEFORE 5", "2 3 4", None), ("UIDAFTER 4", "5 6", None), ("UIDAFTER 2", "4 5 6", "4"),
                                  ("UIDBEFORE 6 KEYWORD k", "", "3"), ("UID 2:4 KEYWORD k", "2", None),
                                  ("OR UID 2 UID 3", "", "4"), ("NOT UID 4", "5 6", "4"), ("UIDAFTER 4294967295", "", None), ("UIDBEFORE 1", "", None)):
            lines, end = self.ask("UID SEARCH " + keys)
            self.assertEqual(lines[0], ("* SEARCH " + found).strip(), keys)
            if told:
                self.assertRegex(end, rf"^OK \[MESSAGELIMIT 3 {told}\] ", keys)
            else:
                self.assertNotIn("MESSAGELIMIT", end, keys)
        lines, end = self.ask("SEARCH RETURN (SAVE) ALL")
        self.assertIn("[MESSAGELIMIT 3 4]", end)
        self.assertEqual(self.numbers(self.ask("FETCH $ (UID)")[0], "FETCH"), ["3", "4", "5"])
        for keys in ("UIDAFTER 0", "UIDAFTER 1:2", "UIDBEFORE *"):
            self.assertRegex(self.ask("SEARCH " + keys)[1], "^BAD", keys)

    def test_what_is_all_or_nothing_is_refused(self):
        for command in ("COPY 1:* portions", "UID COPY 1:* portions", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
                        "UID FETCH 1:* (FLAGS) (PARTIAL -1:-4)"):
            self.assertRegex(self.ask(command)[1], r"^NO \[MESSAGELIMIT 3 4\] ", command)
        for command in ("COPY 3:5 portions", "SORT (SUBJECT) UTF-8 UID 4:6", "UID FETCH 1:* (FLAGS) (PARTIAL 1:3)"):
            self.assertRegex(self.ask(command)[1], "^OK", command)
        letter = " {3+}\r\na:b"
        self.assertRegex(self.ask("APPEND portions" + letter * 4)[1], r"^NO \[MESSAGELIMIT 3\] ")
        self.assertRegex(self.ask("APPEND portions" + letter * 3)[1], "^OK")

    def test_move_and_uid_expunge_go_on_where_they_were(self):
        self.client.create("portions/to")
        self.addCleanup(self.client.delete, "portions/to")
        lines, end = self.ask("MOVE 1:* portions/to")
        self.assertEqual(self.numbers(lines, "EXPUNGE"), ["3", "3", "3"], lines)
        self.assertIn("[MESSAGELIMIT 3 4]", end)
        self.assertNotIn("MESSAGELIMIT", self.ask("MOVE 1:* portions/to")[1])
        self.client.select("portions/to")
        self.ask("STORE 2:* +FLAGS.SILENT (\\Deleted)")  # does 3 of 4
        self.assertNotIn("MESSAGELIMIT", self.ask("UID EXPUNGE 1:*")[1])  # 3 are deleted: at the limit
        self.assertEqual(self.ask("UID SEARCH ALL")[0][0].split()[2:], ["1", "2"])

    def test_only_what_makes_messages_may_have_the_limit(self):
        conf = self.office.folder / "facteur.conf"
        before = conf.read_text()
        conf.write_text(before.replace("imap_message_limit", "imap_save_limit"))
        self.office.tool("reload")
        self.addCleanup(self.office.tool, "reload")
        self.addCleanup(conf.write_text, before)
        self.client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=60)
        self.addCleanup(self.client.shutdown)
        self.client.login(ALICE, self.office.people[ALICE])
        capabilities = self.ask("CAPABILITY")[0][0]
        self.assertIn(f" SAVELIMIT={LIMIT}", capabilities)
        self.assertNotIn("MESSAGELIMIT", capabilities)
        self.client.select("portions")
        for command in ("FETCH 1:* (FLAGS)", "UID SEARCH ALL", "SORT (SUBJECT) UTF-8 ALL", "COPY 3:5 portions"):
            self.assertRegex(self.ask(command)[1], "^OK (?!.MESSAGELIMIT)", command)
        for command in ("COPY 1:5 portions", "UID COPY 1:6 portions"):
            self.assertRegex(self.ask(command)[1], r"^NO \[MESSAGELIMIT 3 4\] ", command)
        self.assertRegex(self.ask("APPEND portions" + " {3+}\r\na:b" * 4)[1], r"^NO \[MESSAGELIMIT 3\] ")
        self.assertEqual(len(self.numbers(self.ask("FETCH 1:* (FLAGS)")[0], "FETCH")), 8)

    def test_expunge_and_status_have_no_limit(self):
        self.ask("UID STORE 2:4 +FLAGS.SILENT (\\Deleted)")
        self.ask("UID STORE 5:6 +FLAGS.SILENT (\\Deleted)")
        self.assertIn("MESSAGES 5", self.ask("STATUS portions (MESSAGES)")[0][0])
        lines, end = self.ask("UID EXPUNGE 1:*")
        self.assertEqual((len(self.numbers(lines, "EXPUNGE")), "[MESSAGELIMIT 3 4]" in end or lines), (3, True))
        lines, end = self.ask("EXPUNGE")
        self.assertEqual((len(self.numbers(lines, "EXPUNGE")), "MESSAGELIMIT" in end), (2, False))


if __name__ == "__main__":
    main()
