#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Private keys are out of reach of strangers: no process that speaks with them has the key in its
memory, as root reads it; new keys come without a restart; when the process that has them dies,
handshakes fail clearly until it is back, and connections that are open go on. $FACTEUR names the
program."""
import array
import base64
import imaplib
import os
import poplib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import unittest
from pathlib import Path

from office import ALICE, Lines, Office, main, wait_for

PIECE_MAX = 1 << 28  # larger mappings are a sanitizer's shadow
PAGE = os.sysconf("SC_PAGE_SIZE")


def private_octets(pem_path):
    """The secret number of the key, as files and as the library's numbers have it."""
    text = subprocess.run(["openssl", "pkey", "-in", pem_path, "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    name = "privateExponent:" if "privateExponent:" in text else "priv:"
    digits = re.sub(r"[\s:]", "", re.search(name + r"\s+((?:[0-9a-f]{2}[:\s]+)+)", text)[1])
    whole = bytes.fromhex(digits).lstrip(b"\0")
    der = base64.b64decode("".join(Path(pem_path).read_text().split("\n")[1:-2]))
    # Of the text, two pieces: at most one is broken by the end of a line.
    at = -(-der.index(whole) // 3) * 3
    pieces = [base64.b64encode(der[first:first + 12]) for first in (at, at + 12)]
    return [whole[:32], whole[::-1][-32:], *pieces]


def pieces_that_are_there(pid, first, last):
    """The runs of pages of a mapping that have ever been touched: (first, last) octet of each."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        pagemap.seek(first // PAGE * 8)
        pages = array.array("Q", pagemap.read((last - first) // PAGE * 8))
    begun = None
    for i, page in enumerate([*pages, 0]):
        if page >> 62 and begun is None:  # in memory, or swapped out
            begun = i
        elif not page >> 62 and begun is not None:
            yield first + begun * PAGE, first + i * PAGE
            begun = None


def holds(pid, needles):
    """Whether one of these octet strings stands in the writable memory of the process."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights = line.split()[:2]
            first, last = (int(number, 16) for number in place.split("-"))
            if not rights.startswith("rw") or last - first > PIECE_MAX:
                continue
            for begin, end in pieces_that_are_there(pid, first, last):
                memory.seek(begin)
                try:
                    piece = memory.read(end - begin)
                except OSError:
                    continue
                if any(needle in piece for needle in needles):
                    return True
    return False


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.office = Office()
        cls.key, cls.chain = (cls.office.folder / "tls" / name for name in ("key.pem", "chain.pem"))

    @classmethod
    def tearDownClass(cls):
        cls.office.close()

    def shake_hands(self, version=None):
        """Over SMTP with STARTTLS, IMAP and POP3 from the first octet: so all that show a certificate
        have used its key."""
        context = ssl.create_default_context(cafile=self.chain)
        if version:
            context.maximum_version = version
        self.office.context = context
        for _ in range(2 * (os.cpu_count() or 1)):
            with self.office.smtp() as client:
                client.starttls(context=context)
                self.assertEqual(client.noop()[0], 250)
        self.office.pop(ALICE).quit()
        imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=context).shutdown()

    def can_shake_hands(self):
        """Whether all processes have heard of the new one."""
        try:
            self.shake_hands()
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.error, poplib.error_proto):
            return False
        return True

    def expect_in_one_place(self):
        needles = private_octets(self.key)
        for pid, role in self.office.processes().items():
            if role == "parent":
                continue
            self.assertEqual(holds(pid, needles), role == "keys", role)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_1_only_one_process_has_the_key(self):
        self.shake_hands()
        self.expect_in_one_place()

    def test_1_exchanges_of_all_kinds_are_the_librarys_own(self):
        """The keys of an exchange are made by the library, whatever else knows keys of the same kind."""
        for curve, version in [("prime256v1", None), ("X25519", None), ("prime256v1", ssl.TLSVersion.TLSv1_2),
                               ("secp384r1", None)] * 4:
            context = ssl.create_default_context(cafile=self.chain)
            context.set_ecdh_curve(curve)
            context.maximum_version = version or ssl.TLSVersion.TLSv1_3
            imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=context).shutdown()

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_2_a_new_key_of_another_kind_comes_without_a_restart(self):
        before = self.office.processes()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", self.key, "-out", self.chain],
                       capture_output=True, check=True)
        self.office.tool("reload")
        self.shake_hands()
        self.shake_hands(ssl.TLSVersion.TLSv1_2)
        self.expect_in_one_place()
        self.assertEqual(self.office.processes(), before)

    def name_shown_to(self, asked):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("localhost", self.office.base + 993), timeout=60) as plain, \
                context.wrap_socket(plain, server_hostname=asked) as client:
            shown = client.getpeercert(binary_form=True)
        text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=shown,
                              capture_output=True, check=True).stdout.decode()
        return text.strip().split("=")[-1].strip()

    def test_2_a_name_that_is_taken_out_is_shown_no_more(self):
        other = [self.office.folder / "tls" / name for name in ("other-key.pem", "other.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other.test",
                        "-keyout", other[0], "-out", other[1]], capture_output=True, check=True)
        config = self.office.folder / "facteur.conf"
        whole = config.read_text()
        config.write_text(whole + f'\ntls_names = {{"other.test {other[1]} {other[0]}"}}\n')
        self.office.tool("reload")
        for _ in range(8):  # of each process that reads
            self.assertEqual(self.name_shown_to("other.test"), "other.test")
        config.write_text(whole)
        self.office.tool("reload")
        self.assertNotIn("other.test", {self.name_shown_to("other.test") for _ in range(8)})

    def test_3_keys_that_die_come_back(self):
        context = ssl.create_default_context(cafile=self.chain)
        with imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=context) as client:
            client.login(ALICE, self.office.people[ALICE])
            [pid] = self.office.processes("keys")
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(client.noop()[0], "OK")
            self.assertIn(self.try_starttls(context), ("250", "454", "alert"))
            self.assertTrue(wait_for(lambda: self.office.processes("keys") not in ({}, {pid: "keys"})))
            self.assertTrue(wait_for(lambda: self.try_starttls(context) == "250"))
            self.assertEqual(client.noop()[0], "OK")
        self.assertTrue(wait_for(self.can_shake_hands))

    def expect_what_is_said_of_memory(self, office, may_be_locked):
        """Whether it is locked stands in the state, and is so; it is not needed for keys to sign."""
        [row] = [row for row in office.tool_data("status")["processes"] if row["role"] == "keys"]
        locked_kib = int(re.search(r"^VmLck:\s+(\d+) kB", Path(f"/proc/{row['pid']}/status").read_text(), re.M)[1])
        is_said = "memory=locked" in row["confinement"]
        self.assertNotEqual(is_said, "memory=not_locked" in row["confinement"], row)
        self.assertEqual(is_said, locked_kib > 0, row)
        self.assertTrue(may_be_locked or not is_said)
        office.pop(ALICE).quit()

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_1_whether_memory_is_locked_is_said_and_keys_sign_without(self):
        self.expect_what_is_said_of_memory(self.office, True)
        words = ["setpriv", "--bounding-set=-sys_resource,-ipc_lock", "prlimit", "--memlock=65536:65536"]
        office = Office(launcher=words)
        try:
            self.expect_what_is_said_of_memory(office, False)
        finally:
            office.close()

    def try_starttls(self, context):
        """What becomes of a handshake: the reply to the first command in it, or to STARTTLS, or an alert."""
        with Lines(self.office.base + 587) as client:
            client.reply()
            client.ask("EHLO me.example.test")
            answer = client.ask("STARTTLS")
            if not answer.startswith("220"):
                return answer[:3]
            try:
                with context.wrap_socket(client.socket, server_hostname="localhost") as secure:
                    secure.sendall(b"NOOP\r\n")
                    return secure.recv(100)[:3].decode()
            except (ssl.SSLError, ConnectionError):
                return "alert"


if __name__ == "__main__":
    main()
