#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Processes that stand still: one that gives no sign of life for `silence_timer` is killed and started anew, and what
hangs on it works again, be it stopped or busy without an end; one that stood still for less, or while its parent did, goes on."""
import os
import platform
import poplib
import re
import signal
import smtplib
import time
import unittest
from pathlib import Path

from office import OfficeCase, main, wait_for

SILENCE_S, LONGER_S = 10, 14
JUMP_TO_ITSELF = b"\xeb\xfe"


class Standstill(OfficeCase):
    config = f'\nsilence_timer = "{SILENCE_S} s"\n'

    def silent_roles(self):
        return re.findall(r"event=role_silent role=(\w+)", self.office.log_text())

    def stand_still(self, pids, seconds):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    def test_1_what_stands_still_with_its_parent_goes_on(self):
        """A machine that slept, or had no processor for anybody: the clock alone would have all of them killed."""
        before = self.office.processes()
        time.sleep(SILENCE_S / 5) # all have been asked once
        self.stand_still([pid for pid, role in before.items() if role != "store"], LONGER_S)
        self.assertTrue(wait_for(lambda: self.office.processes() == before))
        self.assertEqual(self.silent_roles(), [])

    def test_2_what_stands_still_for_less_goes_on(self):
        before = self.office.processes()
        for _ in range(2):
            self.stand_still(list(self.office.processes("auth")), SILENCE_S * 0.6)
            time.sleep(SILENCE_S / 5)
        self.assertEqual(self.office.processes(), before)
        self.assertEqual(self.silent_roles(), [])

    def test_3_what_stands_still_for_good_is_started_anew(self):
        before = self.office.processes()
        roles = ["keys", "route", "store"]
        stopped = [pid for pid, role in before.items() if role in roles]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        self.assertTrue(wait_for(lambda: sorted(self.silent_roles()) == roles, SILENCE_S * 6))
        self.assertTrue(wait_for(lambda: len(self.office.processes()) == len(before)))
        after = self.office.processes()
        self.assertEqual(set(before) - set(after), set(stopped))
        self.office.send("after it")
        self.assertTrue(self.office.find("after it"))
        rows = [row for row in self.office.tool_data("status")["processes"] if row["role"] in roles]
        self.assertEqual([row["restarts"] for row in rows], [1, 1, 1])

    @unittest.skipUnless(os.geteuid() == 0 and platform.machine() == "x86_64", "only root writes into processes; two octets of x86")
    def test_4_what_turns_in_an_endless_loop_is_started_anew(self):
        """Not stopped: busy, as a program is that has a fault. Where it waits for the kernel a jump to itself is put behind."""
        roles = ["access", "smtp", "store"]
        before = {pid: role for pid, role in self.office.processes().items() if role in roles}
        quiet = len(self.silent_roles())
        for pid in before:
            self.assertTrue(wait_for(lambda pid=pid: self.put_loop(pid)))
        self.assertTrue(wait_for(lambda: not set(before) & set(self.office.processes()), SILENCE_S * 6))
        self.assertEqual(set(self.silent_roles()[quiet:]), set(roles))

        def is_served():
            try:
                self.office.send("after the loop")
                return self.office.find("after the loop")
            except (OSError, smtplib.SMTPException, poplib.error_proto):
                return False

        self.assertTrue(wait_for(is_served))

    @staticmethod
    def put_loop(pid):
        """Whether it was in a call."""
        said = Path(f"/proc/{pid}/syscall").read_text().split()
        if said[0] == "running":
            return False
        memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        try:
            return os.pwrite(memory, JUMP_TO_ITSELF, int(said[-1], 16)) == len(JUMP_TO_ITSELF)
        finally:
            os.close(memory)


if __name__ == "__main__":
    main()
