#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The process that has the private keys stands still (SIGSTOP) while many want TLS and users hand in mail that it should
sign: a process waits for it once and not for each who wants something, whoever has TLS already goes on, whoever has not hears
that there is none, what cannot be signed is put off, nothing that was taken is lost; and when it goes on, so does all else."""
import os
import signal
import smtplib
import ssl
import threading
import time
import unittest

from office import ALICE, BOB, CLIENT_S, Lines, Office, main, wait_for

PATIENCE_S, STILL_S = 5, 20  # IDENTITY_PATIENCE_S; how long it stands still
SLOW_S = 4                   # who had to wait for it
SLOW_MAX = 2                 # in each session: once, or twice on a machine that is busy otherwise
HANDSHAKERS, SENDERS = 3, 2


class Stopped(unittest.TestCase):
    def setUp(self):
        self.office = Office(config="connections_per_address_max = 1000\nconnection_rate = 1000000\n")
        self.addCleanup(self.office.close)
        path = self.office.folder / "tls/mail.pem"
        self.office.tool("dkim", "generate", "example.test", "--selector", "one", "--file", str(path))
        config = self.office.folder / "facteur.conf"
        config.write_text(config.read_text() + f'\ndkim_keys = {{"one._domainkey.example.test {path}"}}\n')
        self.office.tool("reload")
        self.is_over, self.problems, self.taken = threading.Event(), [], []
        self.outcomes, self.put_off = {}, 0

    def in_threads(self, *works):
        def run(work, words):
            try:
                work(*words)
            except (OSError, smtplib.SMTPException, AssertionError) as problem:
                self.problems.append(f"{work.__name__}: {problem!r}")
        threads = [threading.Thread(target=run, args=[work, words]) for work, *words in works]
        for thread in threads:
            thread.start()
        return threads

    def want_tls(self, ask):
        """Again and again: what became of it, and how long that took."""
        while not self.is_over.is_set():
            begun = time.monotonic()
            outcome = ask()
            self.outcomes[outcome] = max(self.outcomes.get(outcome, 0), time.monotonic() - begun)

    def shake_hands(self, client, last):
        try:
            with self.office.context.wrap_socket(client.socket, server_hostname="localhost") as secure:
                secure.sendall(last + b"\r\n")
                return secure.recv(100)[:3].decode()
        except (ssl.SSLError, ConnectionError):
            return "alert"

    def starttls(self):
        with Lines(self.office.base + 587) as client:
            client.reply()
            client.ask("EHLO me.example.test")
            answer = client.ask("STARTTLS")
            return self.shake_hands(client, b"NOOP") if answer.startswith("220") else answer[:3]

    def stls(self):
        with Lines(self.office.base + 110) as client:
            client.line()
            client.put(b"STLS\r\n")
            answer = client.line()
            return self.shake_hands(client, b"QUIT") if answer.startswith("+OK") else answer[:4]

    def hand_in(self, client, who):
        number = 0
        while not self.is_over.is_set():
            subject = f"{who.split('@')[0]}-{number}"
            try:
                client.sendmail(who, [ALICE], f"From: <{who}>\r\nTo: <{ALICE}>\r\nSubject: {subject}\r\n\r\nHi.\r\n".encode())
                self.taken.append(subject)
            except smtplib.SMTPDataError as answer:
                self.assertEqual(answer.smtp_code, 451)
                self.put_off += 1
            number += 1
            time.sleep(0.1)

    def deliver(self):
        """A stranger, without TLS."""
        number = 0
        while not self.is_over.is_set():
            self.office.send(f"stranger-{number}")
            self.taken.append(f"stranger-{number}")
            number += 1
            time.sleep(0.1)

    def ask_on(self, client, took):
        """Somebody who is there already."""
        while not self.is_over.is_set():
            begun = time.monotonic()
            self.assertTrue(client.noop().startswith(b"+OK"))
            took.append(time.monotonic() - begun)
            time.sleep(0.05)

    def subjects(self):
        return [line[9:].decode() for message in self.office.messages(ALICE) for line in message.split(b"\r\n\r\n")[0].split(b"\r\n")
                if line.startswith(b"Subject: ")]

    def test_keys_that_stand_still_are_waited_for_once(self):
        before = self.office.processes()
        [keys] = self.office.processes("keys")
        welcomes = len(self.subjects())
        readers = [(self.office.pop(BOB), [])]
        clients = [(self.office.smtp(who), who) for who in [ALICE, BOB][:SENDERS]]
        os.kill(keys, signal.SIGSTOP)
        try:
            threads = self.in_threads(*[(self.want_tls, self.starttls), (self.want_tls, self.stls)] * HANDSHAKERS, (self.deliver,),
                                      *[(self.hand_in, *client) for client in clients],
                                      *[(self.ask_on, *reader) for reader in readers])
            time.sleep(STILL_S)
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join(CLIENT_S)
            os.kill(keys, signal.SIGCONT)
        self.assertEqual(self.problems, [])
        for _, took in readers:
            self.assertLessEqual(sum(seconds > SLOW_S for seconds in took), SLOW_MAX, sorted(took)[-5:])
            self.assertGreater(len(took), STILL_S)
        self.assertLessEqual({"454", "-ERR"}, self.outcomes.keys())
        self.assertLessEqual(self.outcomes.keys(), {"454", "-ERR", "alert"})
        self.assertLess(max(self.outcomes.values()), 3 * PATIENCE_S, self.outcomes)
        self.assertIn("event=no_answer_of_keys", self.office.log_text())
        self.assertGreater(self.put_off, 0)
        self.assertFalse(any(subject.startswith("alice") for subject in self.taken))
        self.assertTrue(wait_for(lambda: all(self.starttls() == "250" and self.stls() == "+OK" for _ in range(8))))
        self.assertEqual(sorted(set(self.subjects()) & set(self.taken)), sorted(self.taken))
        self.assertEqual(len(self.subjects()), welcomes + len(self.taken))
        self.assertGreater(len(self.taken), 20)
        for client, who in clients:
            client.sendmail(who, [ALICE], f"From: <{who}>\r\nSubject: signed again {who}\r\n\r\nHi.\r\n".encode())
            self.assertIn(b"\r\nDKIM-Signature:", b"\r\n" + self.office.find(f"signed again {who}"))
            client.quit()
        self.assertEqual(self.office.processes(), before)


if __name__ == "__main__":
    main()
