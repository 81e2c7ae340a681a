#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Commands of IMAP that change many messages, and QUIT of POP3, are done in parts: others are served between them, and the answer is that
of the whole."""
import imaplib
import os
import poplib
import re
import select
import signal
import socket
import threading
import time
from pathlib import Path

from office import ALICE, OfficeCase, main, wait_for

MESSAGES, PART, OTHERS = 20_000, 200, 20
KEPT, DROPPED, TRIES = 3, 6_000, 5  # of a maildrop
APPENDED = 200  # of 57 KB, by one command
HELD, SILENCE_S = 16, 3  # commands, of which a process that stands still has no room for all


class LongCommands(OfficeCase):
    config = f"store_part_messages = {PART}\nprocesses = 2\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mbox = cls.office.folder / "many.mbox"
        mbox.write_text("".join(f"From a@b Mon Jan  1 00:00:00 2024\nSubject: {n}\n\nx\n\n" for n in range(MESSAGES)))
        for mailbox in ("many", "going"):
            cls.office.tool("import", ALICE, str(mbox), "--mailbox", mailbox)

    def setUp(self):
        self.client, self.other = self.session(), self.session()

    def session(self):
        client = imaplib.IMAP4("localhost", self.office.base + 143, timeout=120)
        self.addCleanup(client.shutdown)
        client.login(ALICE, self.office.people[ALICE])
        client.enable("CONDSTORE")
        client.select("many")
        return client

    def begin(self, client, *commands):
        tags = [client._new_tag() for _ in commands]
        client.send(b"".join(tag + b" " + command.encode() + b"\r\n" for tag, command in zip(tags, commands)))
        return tags

    def end(self, client, tag):
        """The untagged lines, and the tagged one without its tag."""
        lines = []
        while True:
            line = client.readline().rstrip(b"\r\n").decode()
            if line.startswith(tag.decode()):
                return lines, line.split(" ", 1)[1]
            lines.append(line)

    def ask(self, client, command):
        return self.end(client, self.begin(client, command)[0])

    def count(self, keys):
        lines, _ = self.ask(self.other, f"SEARCH RETURN (COUNT) {keys}")
        return int(re.search(r"\* ESEARCH .*COUNT (\d+)", "\n".join(lines))[1])

    def both(self, command):
        """That, while the other changes its message often: the lines of the one, its end, and the modseqs of the other's. Each
        message that is changed has a modseq of its own, which shows how much of the long command came between two of them."""
        tag, = self.begin(self.client, command)
        tags = self.begin(self.other, *(f"UID STORE 1 {'+-'[n % 2]}FLAGS ($other)" for n in range(OTHERS)))
        answers = [self.end(self.other, one) for one in tags]
        lines, end = self.end(self.client, tag)
        modseqs = [int(re.search(r"UID 1\b.*MODSEQ \((\d+)\)", "\n".join(told))[1]) for told, _ in answers]
        return lines, end, [later - before for before, later in zip(modseqs, modseqs[1:])]

    def test_others_are_served_between_the_parts(self):
        for turn in range(10):  # the other may be through before, or begin too late
            flag = f"$long{turn}"
            lines, end, gaps = self.both(f"STORE 2:* +FLAGS.SILENT ({flag})")
            self.assertRegex(end, "^OK")
            self.assertEqual(self.count(f"KEYWORD {flag}"), MESSAGES - 1)
            # Its own changes are silent (RFC 7162 wants their modseqs), the other's are told.
            self.assertFalse([line for line in lines if "FLAGS" in line and line.startswith("* ") and " FETCH " in line
                              and not line.startswith("* 1 FETCH")])
            waited = [gap for gap in gaps if gap > 1]
            if len(waited) < OTHERS // 2:
                continue
            # One turn at most is on its way when it asks, and one goes before its own; some more when the machine is busy.
            self.assertLess(sorted(gaps)[OTHERS // 2], 5 * PART, gaps)
            self.assertLess(max(gaps), MESSAGES // 2, gaps)
            return
        self.fail("they never met")

    def process_of(self, client):
        """The one of the server's that has its connection."""
        here, there = client.sock.getsockname()[1], client.sock.getpeername()[1]
        for family in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{there:04X}") and fields[2].endswith(f":{here:04X}"):
                    socket_name = f"socket:[{fields[9]}]"
        for pid in self.office.processes("access"):
            if any(os.path.exists(fd) and os.readlink(fd) == socket_name for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return pid
        raise AssertionError("nobody has it")

    def test_who_does_not_read_holds_long_commands_and_nothing_else(self):
        stopped = self.process_of(self.other)
        os.kill(stopped, signal.SIGSTOP)
        self.addCleanup(os.kill, stopped, signal.SIGCONT)
        beside = self.session()  # the other process takes it, and this:
        long = socket.create_connection(("localhost", self.office.base + 143), SILENCE_S)
        self.addCleanup(long.close)
        beside.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        beside.select("INBOX")
        commands = [f"LOGIN {ALICE} {self.office.people[ALICE]}", "SELECT many"]
        commands += [f"STORE 1:* {'+-'[n % 2]}FLAGS.SILENT ($held)" for n in range(HELD)]
        long.sendall("".join(f"a{n} {command}\r\n" for n, command in enumerate(commands)).encode())
        said, last = b"", b"a%d OK" % (len(commands) - 1)
        with self.assertRaises(socket.timeout):
            while last not in said:
                said += long.recv(65536)
        for n in range(OTHERS):
            self.assertRegex(self.ask(beside, f"STORE 1 {'+-'[n % 2]}FLAGS.SILENT ($beside)")[1], "^OK")
        os.kill(stopped, signal.SIGCONT)
        long.settimeout(60)
        while last not in said:
            said += long.recv(65536)
        self.assertEqual(said.count(b" OK "), len(commands) + said.count(b"* OK "))
        self.assertTrue(wait_for(lambda: self.count("KEYWORD $held") == 0))  # the last took it away, and that is told

    def test_a_condition_holds_for_all_parts(self):
        highest = self.ask(self.other, "STATUS many (HIGHESTMODSEQ)")[0]
        since = int(re.search(r"HIGHESTMODSEQ (\d+)", "\n".join(highest))[1])
        changed = [5, PART + 7, 40 * PART + 1, MESSAGES]
        for number in changed:
            self.ask(self.other, f"STORE {number} +FLAGS.SILENT ($first)")
        end = self.ask(self.client, f"STORE 1:* (UNCHANGEDSINCE {since}) +FLAGS.SILENT ($second)")[1]
        self.assertIn(f"[MODIFIED {','.join(map(str, changed))}]", end)
        self.assertEqual(self.count("KEYWORD $second"), MESSAGES - len(changed))
        self.assertEqual(self.count("KEYWORD $first KEYWORD $second"), 0)

    def test_who_leaves_in_the_middle_has_asked_for_all_of_it(self):
        leaving = imaplib.IMAP4("localhost", self.office.base + 143, timeout=120)
        leaving.login(ALICE, self.office.people[ALICE])
        leaving.select("many")
        self.begin(leaving, "STORE 1:* +FLAGS.SILENT ($left)")
        leaving.shutdown()
        self.assertTrue(wait_for(lambda: self.count("KEYWORD $left") == MESSAGES))

    def pop_beside(self, client):
        """A maildrop, opened through the same process."""
        while True:
            pop = poplib.POP3("localhost", self.office.base + 110, timeout=120)
            self.addCleanup(pop.close)
            if self.process_of(pop) == self.process_of(client):
                break
            pop.quit()
        pop.user(ALICE)
        pop.pass_(self.office.people[ALICE])
        return pop

    def test_many_messages_of_one_append_wait_for_the_store_and_refuse_nobody(self):
        """More octets than may wait on the way to the store, and others of the same process beside them."""
        letter = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 800
        others = [self.session() for _ in range(4)]
        self.office.send("long", body=(b"z" * 70 + b"\r\n") * 15_000)
        pop = self.pop_beside(self.client)
        self.client.create("appended")
        for turn in range(1, 4):
            tag = self.client._new_tag()
            command = b" APPEND appended" + (b" {%d+}\r\n" % len(letter) + letter) * APPENDED + b"\r\n"
            sender = threading.Thread(target=self.client.send, args=(tag + command,))
            sender.start()
            while not select.select([self.client.sock], [], [], 0)[0]:
                for other in others:
                    self.assertRegex(self.ask(other, "STATUS many (MESSAGES)")[1], "^OK")
                self.assertGreater(pop.retr(pop.stat()[0])[2], 1_000_000)
            self.assertRegex(self.end(self.client, tag)[1], r"^OK \[APPENDUID ")
            sender.join()
            self.assertIn(f"MESSAGES {turn * APPENDED}", self.ask(others[0], "STATUS appended (MESSAGES)")[0][0])

    def test_move_and_expunge_have_one_answer(self):
        self.client.create("moved")
        self.client.select("going")
        lines, end = self.ask(self.client, "MOVE 1:* moved")
        self.assertRegex(end, "^OK")
        codes = [line for line in lines if "COPYUID" in line]
        self.assertRegex(codes[0], rf"^\* OK \[COPYUID \d+ 1:{MESSAGES} 1:{MESSAGES}\]")
        self.assertEqual((len(codes), sum("EXPUNGE" in line for line in lines)), (1, MESSAGES))
        self.client.select("moved")
        self.assertEqual(self.ask(self.client, f"STORE 1:{MESSAGES - PART} +FLAGS.SILENT (\\Deleted)")[1][:2], "OK")
        lines, end = self.ask(self.client, "EXPUNGE")
        self.assertEqual((end[:2], sum("EXPUNGE" in line for line in lines)), ("OK", MESSAGES - PART))
        lines, _ = self.ask(self.other, "STATUS moved (MESSAGES)")
        self.assertIn(f"* STATUS moved (MESSAGES {PART})", lines)


class LongQuits(OfficeCase):
    config = f"store_part_messages = {PART}\nprocesses = 2\n"

    def setUp(self):
        """The first KEPT messages stay, the others are marked."""
        self.modseq()  # the first login by IMAP makes mailboxes
        mbox = self.office.folder / "drop.mbox"
        missing = KEPT + DROPPED - self.left()
        mbox.write_text("".join(f"From a@b Mon Jan  1 00:00:00 2024\nSubject: {n}-{time.time()}\n\nx\n\n" for n in range(missing)))
        self.office.tool("import", ALICE, str(mbox))
        self.assertEqual(self.left(), KEPT + DROPPED)

    def said(self, drop, count=1):
        return [drop.readline().decode().rstrip("\r\n") for _ in range(count)]

    def open(self):
        """A session that is logged in, and what it was told of its maildrop."""
        connection = socket.create_connection(("localhost", self.office.base + 110), 60)
        self.addCleanup(connection.close)
        drop = connection.makefile("rwb")
        drop.write(f"USER {ALICE}\r\nPASS {self.office.people[ALICE]}\r\n".encode())
        drop.flush()
        return connection, drop, self.said(drop, 3)[2]

    def left(self):
        """Messages in the maildrop, when it is free."""
        answers = []
        self.assertTrue(wait_for(lambda: answers.append(self.open()) or answers[-1][2].startswith("+OK")), answers)
        connection, drop, told = answers[-1]
        for other, _, refusal in answers[:-1]:
            self.assertRegex(refusal, r"^(-ERR \[(IN-USE|SYS/TEMP)\].*|)$")
        drop.write(b"QUIT\r\n")
        drop.flush()
        self.said(drop)
        connection.close()
        return int(told.split()[3])

    def mark(self):
        connection, drop, _ = self.open()
        drop.write(b"".join(b"DELE %d\r\n" % (KEPT + 1 + n) for n in range(DROPPED)))
        drop.flush()
        self.assertTrue(all(line.startswith("+OK") for line in self.said(drop, DROPPED)))
        return connection, drop

    def quit(self, drop):
        drop.write(b"QUIT\r\n")
        drop.flush()

    def modseq(self):
        client = imaplib.IMAP4("localhost", self.office.base + 143, timeout=120)
        client.login(ALICE, self.office.people[ALICE])
        told = client.status("INBOX", "(HIGHESTMODSEQ)")[1][0].decode()
        client.logout()
        return int(re.search(r"HIGHESTMODSEQ (\d+)", told)[1])

    def test_each_part_is_a_turn(self):
        before = self.modseq()
        _, drop = self.mark()
        self.quit(drop)
        self.assertRegex(self.said(drop)[0], r"^\+OK")
        self.assertEqual(self.left(), KEPT)
        self.assertEqual(self.modseq() - before, DROPPED // PART)

    def test_who_leaves_at_once_has_asked_for_all_of_it(self):
        connection, drop = self.mark()
        self.quit(drop)
        connection.close()
        self.assertEqual(self.left(), KEPT)

    def test_what_was_not_removed_is_told(self):
        for turn in range(TRIES):
            store = min(self.office.processes("store"))
            _, drop = self.mark()
            self.quit(drop)
            time.sleep(0.01 * turn)
            os.kill(store, signal.SIGKILL)
            told = self.said(drop)[0]
            left = self.left()
            self.assertRegex(told, r"^\+OK" if left == KEPT and told.startswith("+") else "^-ERR", left)  # or it died before it could say so
            self.assertGreaterEqual(left, KEPT)
            if KEPT < left < KEPT + DROPPED:
                return
            self.setUp()
        self.fail("the store never died in the middle of it")


if __name__ == "__main__":
    main()
