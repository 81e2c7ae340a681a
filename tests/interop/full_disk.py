#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A disk that is full, and one that fails: 452 or 451, nothing that was acknowledged is lost, nothing
comes twice, and the service goes on when the disk is well again. Needs root: it mounts a small file
system and makes system calls of the store fail (strace)."""
import errno
import imaplib
import os
import poplib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, Lines, Office, main, skip_all, wait_for

DISK_MIB, BALLAST_MIB = 96, 48
FILE_MIB = 4 # less than a segment of the log
LINE = b"x" * 76 + b"\r\n"
RECOVERY_S = 60
INDEX_REST_S = 3  # longer than until it commits, and closes


def send(office, subject, octets, to=ALICE):
    """The reply to a message of that size."""
    with Lines(office.base + 25) as client:
        client.reply()
        for command in ("EHLO me", f"MAIL FROM:<{BOB}>", f"RCPT TO:<{to}>", "DATA"):
            reply = client.ask(command)
            if reply[:1] not in ("2", "3"):
                return reply
        client.put(f"Subject: {subject}\r\n\r\n".encode() + LINE * (octets // len(LINE)) + b".\r\n")
        return client.reply()


def subjects(office, who=ALICE):
    return [line.split(b": ", 1)[1].decode() for m in office.messages(who)
            for line in m.split(b"\r\n\r\n", 1)[0].split(b"\r\n") if line.startswith(b"Subject: ")]


def found(office, words):
    """How many messages have that text, by the index or without it."""
    with imaplib.IMAP4_SSL("localhost", office.base + 993, ssl_context=office.context, timeout=CLIENT_S) as client:
        client.login(ALICE, office.people[ALICE])
        client.select("INBOX", readonly=True)
        kind, numbers = client.search(None, "TEXT", words)
        return len(numbers[0].split()) if kind == "OK" else kind


def small_disk(case, mib):
    """A folder that is a file system of that size for as long as the test runs."""
    disk = Path(tempfile.mkdtemp(prefix="fo-disk-", dir="/tmp"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "facteur-test", disk],
                          capture_output=True, check=False)
    if done.returncode != 0:
        disk.rmdir()
        case.skipTest("no file system can be mounted here: " + done.stderr.decode().strip())

    def unmount():
        subprocess.run(["umount", disk], check=True)
        disk.rmdir()

    case.addCleanup(unmount)
    return disk


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.disk = small_disk(self, DISK_MIB)
        (self.disk / "home").mkdir()
        (self.disk / "home").chmod(0o755)
        self.office = Office(folder=self.disk / "home", config="store_segment_size = \"4 MiB\"\n")
        self.addCleanup(self.office.close)
        self.ballast = self.disk / "ballast"
        self.ballast.write_bytes(b"\0" * (BALLAST_MIB << 20))

    def fill(self):
        """Letters until one is refused; which were taken."""
        taken = []
        for number in range(DISK_MIB):
            reply = send(self.office, f"fill {number}", 1 << 20)
            if not reply.startswith("250 "):
                return taken, reply
            taken.append(f"fill {number}")
        self.fail("the disk was never full")

    def take_the_rest(self):
        """To the last page."""
        with open(self.ballast, "ab", buffering=0) as ballast:
            try:
                while ballast.write(b"\0" * 4096) == 4096:
                    pass
            except OSError:
                pass

    def test_a_full_disk_is_452_and_room_is_used_again(self):
        taken, reply = self.fill()
        self.assertRegex(reply, r"^452 4\.3\.1 ")
        self.assertGreater(len(taken), 5)
        self.assertEqual([s for s in subjects(self.office) if s.startswith("fill")], taken)
        self.assertRegex(send(self.office, "still full", 1 << 20), r"^452 4\.3\.1 ")
        self.office.tool("check")
        self.ballast.unlink()
        self.assertTrue(wait_for(lambda: send(self.office, "room again", 1 << 20).startswith("250 "), RECOVERY_S))
        held = subjects(self.office)
        self.assertEqual(held.count("room again"), 1)
        self.assertEqual([s for s in held if s.startswith("fill")], taken)

    def test_mail_can_be_deleted_on_a_full_disk(self):
        taken, _ = self.fill()
        client = self.office.pop()
        for number in range(1, client.stat()[0] + 1):
            client.dele(number)
        client.quit()
        client = self.office.pop()
        self.assertEqual(client.stat()[0], 0)
        client.quit()
        self.assertTrue(taken)

    def test_all_others_go_on_as_far_as_they_can_and_are_whole_again(self):
        """Queue, trace, text index: none has room, none forgets what it has."""
        self.office.send("before", body=b"needle\r\n")
        taken, _ = self.fill()
        self.take_the_rest()
        with self.office.smtp(BOB) as client:
            client.ehlo()
            client.mail(BOB)
            client.rcpt("friend@elsewhere.test")
            code, text = client.data(b"Subject: out\r\n\r\n" + LINE * ((1 << 20) // len(LINE)))
        self.assertEqual((code, text[:6]), (452, b"4.3.1 "))
        self.assertEqual(self.office.tool_data("queue", "list")["recipients"], [])
        self.assertIn(ALICE, self.office.tool("trace", ALICE))
        self.assertEqual((found(self.office, "needle"), found(self.office, "fill")), (1, len(taken)))
        self.ballast.unlink()
        self.assertTrue(wait_for(lambda: send(self.office, "room again needle", 4096).startswith("250 "), RECOVERY_S))
        self.assertEqual((found(self.office, "needle"), found(self.office, "fill")), (2, len(taken)))
        self.office.tool("check")

    def test_a_server_starts_and_reads_on_a_full_disk(self):
        taken, _ = self.fill()
        self.take_the_rest()
        self.office.stop()
        self.office.start()
        self.assertEqual([s for s in subjects(self.office) if s.startswith("fill")], taken)
        self.assertRegex(send(self.office, "full", 4096), r"^452 4\.3\.1 |^250 ")


class SmallFiles(unittest.TestCase):
    """A limit of the size of files (RLIMIT_FSIZE, `ulimit -f`): what is written beyond it ends a process that does not expect it."""

    def test_who_may_write_small_files_only_says_that_there_is_no_room(self):
        office = Office(launcher=["prlimit", f"--fsize={FILE_MIB << 20}"])
        self.addCleanup(office.close)
        stores = office.processes("store")
        self.assertRegex(send(office, "one", 4096), r"^452 4\.3\.1 ")
        self.assertRegex(send(office, "two", 4096), r"^452 4\.3\.1 ")
        self.assertEqual(subjects(office), [])
        self.assertEqual(office.processes("store"), stores)
        office.stop()
        office.launcher = []
        office.start()
        self.assertRegex(send(office, "three", 4096), "^250 ")
        self.assertEqual(subjects(office), ["three"])
        office.tool("check")


class FailingDisk(unittest.TestCase):
    SYNCS = "pwritev2,fdatasync,fsync"  # by which the store makes a turn durable
    WRITES = SYNCS + ",pwritev,pwrite64,ftruncate,fallocate,renameat,renameat2,unlinkat,mkdirat"
    READS = "pread64,preadv,preadv2"

    def setUp(self):
        if not shutil.which("strace"):
            self.skipTest("strace is not there")
        self.office = Office()
        self.addCleanup(self.office.close)

    def breaking(self, error, calls=SYNCS, role="store", pid=None, paths=()):
        """strace that makes the calls of a role fail; or of a process and those that it starts; on some files only."""
        pid = pid or min(self.office.processes(role))
        only = [word for path in paths for word in ("-P", str(path))]
        strace = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                                   f"inject={calls}:error={error}", *only, "-p", str(pid)],
                                  stderr=subprocess.PIPE)
        self.assertTrue(wait_for(lambda: self.tracer(pid) or strace.poll() is not None))
        if strace.poll() is not None:
            self.skipTest("strace cannot attach: " + strace.stderr.read().decode().strip())
        return strace

    @staticmethod
    def tracer(pid):
        try:
            return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return False

    def test_what_could_not_be_synced_was_not_acknowledged(self):
        for error, code in (("EIO", r"^451 4\.3\.0 "), ("ENOSPC", r"^45[12] 4\.3\.[01] ")):
            with self.subTest(error):
                self.assertRegex(send(self.office, f"before {error}", 4096), "^250 ")
                strace = self.breaking(error)
                try:
                    replies = [send(self.office, f"while {error} {n}", 4096) for n in range(3)]
                finally:
                    strace.terminate()
                    strace.wait()
                self.assertRegex(replies[0], code)
                self.assertTrue(wait_for(
                    lambda error=error: send(self.office, f"after {error}", 4096).startswith("250 "), RECOVERY_S))
                held = subjects(self.office)
                self.assertEqual(held.count(f"before {error}"), 1)
                self.assertEqual(held.count(f"after {error}"), 1)
                for number, reply in enumerate(replies):
                    found = held.count(f"while {error} {number}")
                    self.assertIn(found, (1,) if reply.startswith("250 ") else (0, 1), reply)
                self.office.tool("check")

    def stop_breaking(self, strace):
        strace.terminate()
        strace.wait()

    def test_a_disk_that_turns_read_only_is_read_on(self):
        self.assertRegex(send(self.office, "before", 4096), "^250 ")
        strace = self.breaking("EROFS", self.WRITES)
        try:
            self.assertRegex(send(self.office, "while", 4096), r"^45[12] 4\.3\.")
            self.assertEqual(subjects(self.office).count("before"), 1)
        finally:
            self.stop_breaking(strace)
        self.assertTrue(wait_for(lambda: send(self.office, "after", 4096).startswith("250 "), RECOVERY_S))
        held = subjects(self.office)
        self.assertEqual((held.count("before"), held.count("after")), (1, 1))
        self.office.tool("check")

    def test_what_cannot_be_read_is_said_and_the_rest_goes_on(self):
        self.assertRegex(send(self.office, "before", 4096), "^250 ")
        strace = self.breaking("EIO", self.READS)
        try:
            client = self.office.pop()
            with self.assertRaisesRegex(poplib.error_proto, r"\[SYS/"):
                client.retr(client.stat()[0])
            client.quit()
            self.assertRegex(send(self.office, "while", 4096), "^250 ")
            self.assertIn("event=damaged", self.office.log_text())
        finally:
            self.stop_breaking(strace)
        self.assertEqual(subjects(self.office)[-2:], ["before", "while"])
        self.office.tool("check")

    def log_files(self):
        return sorted((self.office.folder / "data/store/log").glob("*.*"))

    def test_a_log_that_cannot_be_read_is_waited_for(self):
        """Who goes on without what was acknowledged gives out its UIDs again."""
        for number in range(3):
            self.assertRegex(send(self.office, f"before {number}", 4096), "^250 ")
        store = min(self.office.processes("store"))
        parent = int(Path(f"/proc/{store}/stat").read_text().rsplit(")", 1)[1].split()[1])
        strace = self.breaking("EIO", self.READS, pid=parent, paths=self.log_files())
        try:
            os.kill(store, signal.SIGKILL)
            self.assertTrue(wait_for(lambda: self.office.log_text().count("event=store_not_open") >= 2, RECOVERY_S))
            self.assertRegex(send(self.office, "while", 4096), r"^4[25]1 4\.3\.")
        finally:
            self.stop_breaking(strace)
        self.assertIn("facteur check --rescue", self.office.log_text())
        self.assertTrue(wait_for(lambda: send(self.office, "after", 4096).startswith("250 "), RECOVERY_S))
        self.assertEqual([s for s in subjects(self.office) if s != "while"][-4:], [f"before {n}" for n in range(3)] + ["after"])
        self.office.tool("check")
        self.office.tool("check", "--rescue", code=75)  # it serves

    def test_a_disk_that_is_away_is_not_written_over(self):
        self.assertRegex(send(self.office, "before", 8192), "^250 ")
        self.office.stop()
        paths = [word for path in self.log_files() for word in ("-P", path)]
        for inject, code, words in (((), 0, "All of the log can be read."),
                                    (("-e", f"inject={self.READS}:error=EIO"), 74, "nothing of it was changed")):
            done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", *paths, "-e", f"trace={self.READS}", *inject,
                                   FACTEUR, "check", "--rescue"], capture_output=True, text=True, check=False,
                                  env=dict(self.office.environment(), ASAN_OPTIONS="detect_leaks=0"))  # not under ptrace
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn(words, done.stderr)
        self.office.start()
        self.assertEqual(subjects(self.office)[-1], "before")
        self.office.tool("check")

    def test_an_account_that_cannot_be_written_is_not_there(self):
        """Its secret comes first, its name second: whichever is refused, the tool says so, and the next try succeeds."""
        before = self.office.tool("user", "list", "--json")
        for number, error in ((1, "ENOSPC"), (1, "EIO"), (2, "ENOSPC"), (2, "EROFS")):
            with self.subTest(number=number, error=error):
                done = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e",
                                       f"inject=write:error={error}:when={number}", FACTEUR, "user", "add", "carol@example.test",
                                       "--password-stdin"], input="a long secret\n", env=self.office.environment(),
                                      capture_output=True, text=True, check=False)
                self.assertNotEqual(done.returncode, 0, done.stderr)
                self.assertIn(os.strerror(getattr(errno, error)), done.stderr)
                self.assertEqual(self.office.tool("user", "list", "--json"), before)
        self.office.tool("user", "add", "carol@example.test", "--password-stdin", text="a long secret\n")
        self.office.people["carol@example.test"] = "a long secret"
        self.office.send("for carol", to="carol@example.test")
        self.office.find("for carol", "carol@example.test")

    def test_a_text_index_that_fails_costs_time_and_no_answer(self):
        """What it lacks is read; when its disk is well again it has all."""
        self.office.send("one", body=b"needle one\r\n")
        self.assertTrue(wait_for(lambda: found(self.office, "needle") == 1))
        index = self.office.processes("index")
        for error, calls in (("EIO", "pwrite64,fdatasync,fsync,ftruncate,openat"), ("EROFS", "pwrite64,ftruncate,unlink,openat"),
                             ("EIO", "pread64,openat"), ("ENOSPC", "pwrite64")):
            with self.subTest(error):
                expected = found(self.office, "needle")
                strace = self.breaking(error, calls, "index")
                try:
                    for number in range(3):
                        self.assertRegex(send(self.office, f"needle {error} {number}", 4096), "^250 ")
                        self.assertEqual(found(self.office, "needle"), expected + number + 1)
                    time.sleep(INDEX_REST_S)
                    self.assertEqual(found(self.office, "needle"), expected + 3)
                finally:
                    self.stop_breaking(strace)
                self.assertEqual(found(self.office, "needle"), expected + 3)
        self.assertIn("event=index_", self.office.log_text())
        self.assertLessEqual(set(index), set(self.office.processes("index")))
        self.office.tool("check")


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip_all("only root can fill a disk of its own or break one")
    main()
