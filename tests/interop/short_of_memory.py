#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Processes that get no more memory (a limit of the address space, set while they serve): whoever cannot go on ends with a word
and is started anew; what was acknowledged is there once, the view of the store is not taken for a damaged one, and all is
served again."""
import os
import signal
import smtplib
import subprocess
import threading
import time
from pathlib import Path

from memory import has_sanitizer
from office import ALICE, BOB, OfficeCase, main, skip_all, wait_for

WORD = "there is no memory for more"
SLACKS_KIB = (0, 1024)             # that a process may still take
LETTERS, LETTER_BYTES = 24, (60_000, 3_000_000) # one goes in a note, the other in a memfd
ROLES = ("store", "deliver", "smtp", "access")
AGAIN_S = 90


def status_of(pid, field):
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(field + ":"))


def limit_space(pid, limit):
    """As the user that the process has: not every root may limit others' (CAP_SYS_RESOURCE). False when it has ended."""
    try:
        user, group = status_of(pid, "Uid"), status_of(pid, "Gid")
    except (OSError, StopIteration):
        return False
    done = subprocess.run(["prlimit", "--pid", str(pid), f"--as={limit}:"], user=user, group=group, extra_groups=[],
                          capture_output=True, check=False)
    return done.returncode == 0


class ShortOfMemory(OfficeCase):
    config = '\nprocesses = 1\nlocal_destinations = yes\n'

    def work(self, tag):
        """A session of each kind, many at once; the subjects that were acknowledged."""
        acknowledged, lock = set(), threading.Lock()

        def deliver(number):
            subject = f"{tag}-{number}"
            body = "\r\n".join(["y" * 70] * (LETTER_BYTES[number % 3 == 0] // 72)).encode()
            try:
                self.office.send(subject, body=body + b"\r\n")
            except (smtplib.SMTPException, OSError):
                return
            with lock:
                acknowledged.add(subject)

        def read(_number):
            try:
                self.office.messages(BOB)
            except Exception: # pylint: disable=broad-except # of any kind: the server is short of memory
                pass

        threads = [threading.Thread(target=deliver if n % 4 else read, args=(n,)) for n in range(LETTERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return acknowledged

    def is_served(self):
        try:
            subject = f"again {time.monotonic_ns()}"
            self.office.send(subject, to=BOB)
            return self.office.find(subject, BOB) is not None
        except Exception: # pylint: disable=broad-except # not yet
            return False

    def take_all(self):
        """The subjects of what ALICE has; none is left."""
        client, subjects = self.office.pop(), []
        for number in range(client.stat()[0]):
            head = client.top(number + 1, 0)[1]
            subjects += [line.decode()[9:] for line in head if line.startswith(b"Subject: ")]
            client.dele(number + 1)
        client.quit()
        bob = self.office.pop(BOB)
        for number in range(bob.stat()[0]):
            bob.dele(number + 1)
        bob.quit()
        return subjects

    def renew(self, role):
        """What work has left free in its heap is no more."""
        old = set(self.office.processes(role))
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: len(new := set(self.office.processes(role))) == len(old) and not new & old, AGAIN_S))
        self.assertTrue(wait_for(self.is_served, AGAIN_S))

    def narrowed(self, role, slack_kib):
        self.renew(role)
        pids = list(self.office.processes(role))
        for pid in pids:
            self.assertTrue(limit_space(pid, (status_of(pid, "VmSize") + slack_kib) << 10))
        try:
            acknowledged = self.work(f"{role}-{slack_kib}")
        finally:
            for pid in pids:
                limit_space(pid, "unlimited")
        self.assertTrue(wait_for(self.is_served, AGAIN_S), (role, slack_kib, self.office.log_text()[-2000:]))
        there = self.take_all()
        self.assertEqual(acknowledged - set(there), set(), (role, slack_kib))
        twice = {subject for subject in acknowledged if there.count(subject) > 1}
        self.assertEqual(twice, set(), (role, slack_kib))
        return set(pids) != set(self.office.processes(role)), len(acknowledged)

    def test_what_is_acknowledged_is_kept_by_whoever_is_short_of_memory(self):
        fell = 0
        for role in ROLES:
            for slack_kib in SLACKS_KIB:
                has_fallen, count = self.narrowed(role, slack_kib)
                fell += has_fallen
                print(f"{role}, {slack_kib} KiB more: {count} of {LETTERS * 3 // 4} acknowledged{', fell' * has_fallen}", flush=True)
        lines = self.office.log_text().splitlines()
        self.assertGreater(fell, 0)
        self.assertGreaterEqual(sum(WORD in line for line in lines), fell)
        self.assertEqual([line for line in lines if "event=damaged" in line], [])
        self.assertFalse((self.office.folder / "data/store/view.damaged").exists())
        self.assertTrue([line for line in lines if "event=role_died" in line and "code=71" in line])

    def test_a_start_without_room_for_the_view_says_so_and_changes_nothing(self):
        self.office.send("before", to=ALICE)
        self.office.stop()
        before = sorted(path.name for path in (self.office.folder / "data/store").iterdir())
        done = subprocess.run(["prlimit", f"--as={8 << 30}", *self.demo()], capture_output=True, text=True, timeout=120, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no room in memory for the map of the view", done.stderr + done.stdout)
        self.assertEqual(sorted(path.name for path in (self.office.folder / "data/store").iterdir()), before)
        self.office.start()
        self.office.find("before")

    def demo(self):
        return self.office.server.args


if __name__ == "__main__":
    if has_sanitizer():
        skip_all("sanitizers have a memory of their own")
    main()
