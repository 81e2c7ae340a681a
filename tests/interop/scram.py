#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SCRAM-SHA-1 and -256 (RFC 5802, 7677) on IMAP, POP3 and submission: a client of these few lines, mutt by Cyrus
SASL, and for -PLUS, which those cannot bind to TLS 1.3 (RFC 9266), our own client."""
import base64
import hashlib
import hmac
import imaplib
import json
import os
import poplib
import re
import smtplib
import subprocess

from correspondents import Correspondents
from office import ALICE, BOB, CLIENT_S, main

DIGESTS = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
ALL = [*DIGESTS, "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


class Scram:
    """The client's side of one exchange; called with each challenge."""

    def __init__(self, digest, name, password):
        self.digest, self.password = digest, password.encode()
        self.first = b"n=" + name.encode() + b",r=" + base64.b64encode(os.urandom(18))
        self.steps = iter((self.begin, self.prove, self.finish))

    def __call__(self, challenge):
        return next(self.steps)(challenge)

    def begin(self, _):
        return b"n,," + self.first

    def prove(self, challenge):
        nonce, salt, rounds = (field.split(b"=", 1)[1] for field in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(self.digest, self.password, base64.b64decode(salt), int(rounds))
        key = hmac.digest(salted, b"Client Key", self.digest)
        last = b"c=" + base64.b64encode(b"n,,") + b",r=" + nonce
        said = b",".join((self.first, challenge, last))
        signature = hmac.digest(hashlib.new(self.digest, key).digest(), said, self.digest)
        self.verifier = b"v=" + base64.b64encode(
            hmac.digest(hmac.digest(salted, b"Server Key", self.digest), said, self.digest))
        return last + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(key, signature)))

    def finish(self, challenge):
        assert challenge == self.verifier, challenge
        return b""


class ScramLogins(Correspondents):
    config = "auth_mechanisms = {PLAIN, " + ", ".join(ALL) + "}\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for who in (ALICE, BOB):  # keys for SHA-1 are made with the password
            cls.office.tool("user", "passwd", who, "--password-stdin", text=cls.office.people[who] + "\n")

    def offer(self, *ways):
        path = self.office.folder / "facteur.conf"
        path.write_text(re.sub(r"auth_mechanisms = .*", f"auth_mechanisms = {{{', '.join(ways)}}}", path.read_text()))
        self.office.tool("reload")

    def exchange(self, way, password=None):
        return Scram(DIGESTS[way], ALICE, password or self.office.people[ALICE])

    def imap(self, way, password=None):
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context,
                                   timeout=CLIENT_S)
        self.addCleanup(client.shutdown)
        self.assertLessEqual({"AUTH=" + way for way in ALL}, set(client.capabilities))
        client.authenticate(way, self.exchange(way, password))
        self.assertEqual(client.select("INBOX")[0], "OK")

    def test_imap(self):
        for way in DIGESTS:
            with self.subTest(way):
                self.imap(way)
                with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
                    self.imap(way, password="wrong")

    def test_plus_is_not_offered_without_tls(self):
        client = imaplib.IMAP4("localhost", self.office.base + 143, timeout=CLIENT_S)
        self.addCleanup(client.shutdown)
        self.assertIn("AUTH=SCRAM-SHA-1", client.capabilities)
        self.assertFalse([word for word in client.capabilities if word.endswith("-PLUS")])

    def test_our_client_binds_to_tls(self):
        self.addCleanup(self.offer, "PLAIN", *ALL)
        for way in ALL:
            with self.subTest(way):
                self.offer(way)
                tried = json.loads(self.run_it("account", "test", "alice", "--json"))
                self.assertEqual([server["works"] for server in tried["servers"]], [True, True])

    def test_pop3(self):
        for way in DIGESTS:
            with self.subTest(way):
                client = poplib.POP3_SSL("localhost", self.office.base + 995, context=self.office.context,
                                         timeout=CLIENT_S)
                self.addCleanup(client.close)
                self.assertLessEqual(set(ALL), set(client.capa()["SASL"]))
                scram = self.exchange(way)
                said = client._shortcmd("AUTH " + way)
                while said.startswith(b"+ "):
                    said = client._shortcmd(base64.b64encode(scram(base64.b64decode(said[2:]))).decode())
                self.assertTrue(said.startswith(b"+OK"), said)
                client.quit()

    def test_submission(self):
        for way in DIGESTS:
            with self.subTest(way), smtplib.SMTP_SSL("localhost", self.office.base + 465, timeout=CLIENT_S,
                                                     context=self.office.context) as client:
                client.ehlo()
                self.assertLessEqual(set(ALL), set(client.esmtp_features["auth"].split()))
                scram = self.exchange(way)
                code, said = client.docmd("AUTH", way)
                while code == 334:
                    code, said = client.docmd(base64.b64encode(scram(base64.b64decode(said))).decode())
                self.assertEqual(code, 235, said)

    def test_mutt_sends(self):
        chain = self.office.folder / "tls/chain.pem"
        self.addCleanup(self.offer, "PLAIN", *ALL)
        self.offer("PLAIN", *DIGESTS)  # Cyrus SASL takes -PLUS when it is offered, but knows no channel binding
        for way in map(str.lower, DIGESTS):
            (self.home / "muttrc").write_text(
                f'set smtp_authenticators="{way}" from="{BOB}" ssl_starttls=yes ssl_force_tls=yes copy=no\n'
                f'set smtp_url="smtp://bob%40example.test@localhost:{self.office.base + 587}/"\n'
                f'set smtp_pass="{self.office.people[BOB]}" ssl_ca_certificates_file="{chain}"\n'
                f'set certificate_file="{chain}"\n')
            done = subprocess.run(["mutt", "-F", self.home / "muttrc", "-s", way, "--", ALICE], input="hello\n",
                                  env={**self.environment(), "TERM": "xterm"}, timeout=CLIENT_S, text=True,
                                  capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(any(f"\r\nSubject: {way}\r\n".encode() in letter for letter in self.office.messages()))


if __name__ == "__main__":
    main()
