#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What all processes take at rest, and that each has only the libraries of its roles in it (docs/why/051).
$FACTEUR names the program; with sanitizers in it only the libraries are looked at."""
import imaplib
import json
import re
import smtplib
import time
import unittest
from pathlib import Path

from office import ALICE, FACTEUR, OfficeCase, main

REST_KIB_MAX = 15 * 1024        # with two processes of each kind
RARE_KIB = 400                # of code: less than reading keys needs
INDEX_CODE_KIB_MAX = 2000     # without SQLite's, of which the start needs 900
WORKED_KIB_MAX = 22 * 1024    # TLS, and what else the first message needs, stays ready
PATIENCE_S = 60
REST_S = 8                    # until all have rested after the start
REST_LOOK_S = 0.5             # seldom: who is asked for his state is not at rest
MESSAGES = 50
DOUBLINGS = 12                # 4,096 messages
PURGED_KIB = 64               # half of what the pages take that their end changes
# The role that has it, and nobody else: the part of a name in /proc/PID/maps.
OWNED = {
    "libcrypto": {"smtp", "access", "transport", "auth", "keys"},
    "libpam": {"smtp", "access", "transport", "auth"},
    "libunbound": {"resolve"},
    "libldap": {"table"},
    "libpq": {"table"},
    "libgnutls": {"table"},
    "libsqlite3": {"table", "index"},
    "libconfuse": {"parent"},
    "libnss_systemd": set(),
}


def has_sanitizer():
    """Meson says so; a program from elsewhere is one without."""
    path = Path(FACTEUR).resolve().parents[2] / "meson-info" / "intro-buildoptions.json"
    options = json.loads(path.read_text()) if path.exists() else []
    return any(o["name"] == "b_sanitize" and o["value"] != "none" for o in options)


def comes_with_unbound(library, maps):
    """Debian 12's libunbound is made with Nettle, 13's with OpenSSL."""
    return library == "libcrypto" and "/libunbound." in maps and "/libnettle." not in maps


class Memory(OfficeCase):
    config = "\nprocesses = 2\n"

    def wait_for_rest(self, most):
        """Each process gives back what it no longer needs when it has rested for some seconds."""
        end = time.monotonic() + PATIENCE_S
        while (took := self.office.memory_kib()) > most and time.monotonic() < end:
            time.sleep(0.5)
        self.assertLessEqual(took, most)

    def test_each_process_has_the_libraries_of_its_roles(self):
        for pid, role in self.office.processes().items():
            maps = Path(f"/proc/{pid}/maps").read_text()
            self.assertRegex(maps, r"/libc\.so")
            for library, roles in OWNED.items():
                if role not in roles and not comes_with_unbound(library, maps):
                    self.assertIsNone(re.search(rf"/{library}[-.]", maps), f"{library} in {role}")

    @unittest.skipIf(has_sanitizer(), "sanitizers take more than what they look at")
    def test_all_processes_at_rest_are_small(self):
        self.wait_for_rest(REST_KIB_MAX)
        for _ in range(MESSAGES):
            with smtplib.SMTP("127.0.0.1", self.office.base + 25) as client:
                client.starttls(context=self.office.context)
                client.sendmail("a@elsewhere.test", [ALICE], "Subject: x\r\n\r\n" + "x" * 60 + "\r\n")
        self.wait_for_rest(WORKED_KIB_MAX)

    def code_kib(self, role):
        return self.office.memory_kib("Rss", role) - self.office.memory_kib("Anonymous", role)

    def wait_for_code(self, role, is_enough):
        end = time.monotonic() + PATIENCE_S
        while not is_enough(took := self.code_kib(role)) and time.monotonic() < end:
            time.sleep(REST_LOOK_S)
        self.assertTrue(is_enough(took), (role, took))

    @unittest.skipIf(has_sanitizer(), "sanitizers take more than what they look at")
    def test_what_only_rare_work_needs_goes_back_after_it(self):
        time.sleep(REST_S)
        keys = self.code_kib("keys")
        for name in ("chain.pem", "key.pem"):
            path = self.office.folder / "tls" / name
            path.write_text(path.read_text() + "\n")  # another file, the same certificate
        self.office.tool("reload")
        self.wait_for_code("keys", lambda kib: kib > keys + RARE_KIB)
        self.wait_for_code("keys", lambda kib: kib < keys + RARE_KIB)
        # SQLite was opened at the start, and closed after the first rest.
        self.wait_for_code("index", lambda kib: kib < INDEX_CODE_KIB_MAX)


class Rest(OfficeCase):
    config = '\nstore_view_interval = "200 ms"\n' # so that it rests before it looks for what is to go

    def fill(self, client, mailbox):
        client.create(mailbox)
        client.append(mailbox, None, None, b"Subject: x\r\n\r\nx\r\n")
        client.select(mailbox)
        for _ in range(DOUBLINGS):
            self.assertEqual(client.copy("1:*", mailbox)[0], "OK")
            client.noop()
        self.assertEqual(client.select(mailbox)[1], [b"%d" % (1 << DOUBLINGS)])
        client.select("INBOX")

    def store_kib(self):
        return self.office.memory_kib("Pss_Anon", "store")

    @unittest.skipIf(has_sanitizer(), "sanitizers take more than what they look at")
    def test_the_store_rests_again_after_what_it_does_when_nobody_asks(self):
        """A mailbox is gone at once, its messages go later, when the store has rested after the last turn."""
        with imaplib.IMAP4("localhost", self.office.base + 143) as client:
            client.login(ALICE, self.office.people[ALICE])
            for name in ("first", "second"):
                self.fill(client, name)
            time.sleep(REST_S)
            before = self.store_kib()
            for name in ("first", "second"):
                self.assertEqual(client.delete(name)[0], "OK")
                time.sleep(REST_S)
                self.assertLessEqual(self.store_kib(), before + PURGED_KIB)


if __name__ == "__main__":
    main()
