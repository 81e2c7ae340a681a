#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""OAUTHBEARER and XOAUTH2 on IMAP, POP3 and submission, with tokens that openssl(1) has signed, and with curl;
each thing that is wrong with a token, and keys that change while the server runs."""
import base64
import imaplib
import json
import poplib
import shutil
import smtplib
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, Office, main, wait_for

ISSUER, AUDIENCE = "https://id.example.test/", "mail"
CONFIG = f"""auth_mechanisms = {{PLAIN, LOGIN, SCRAM-SHA-256, OAUTHBEARER, XOAUTH2}}
oauth_issuer = "{ISSUER}"
oauth_audience = "{AUDIENCE}"
"""


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Issuer:
    """Signs with Ed25519 and RSA keys of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", "ed")
        self.openssl("genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa")
        self.keys = {"keys": [self.ed25519(), self.rsa()]}

    def openssl(self, *words, data=None):
        return subprocess.run(["openssl", *words], input=data, cwd=self.folder, check=True, capture_output=True).stdout

    def ed25519(self):
        der = self.openssl("pkey", "-in", "ed", "-pubout", "-outform", "DER")
        return {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "x": url64(der[-32:])}

    def rsa(self):
        text = self.openssl("rsa", "-in", "rsa", "-noout", "-modulus").decode()
        modulus = bytes.fromhex(text.split("=")[1].strip())
        return {"kty": "RSA", "kid": "rsa", "alg": "RS256", "n": url64(modulus), "e": "AQAB"}

    def token(self, who=ALICE, key="ed", header=(), **claims):
        head = {"alg": "EdDSA" if key == "ed" else "RS256", "kid": key, **dict(header)}
        body = {"iss": ISSUER, "aud": AUDIENCE, "email": who, "exp": int(time.time()) + 600, **claims}
        text = f"{url64(json.dumps(head).encode())}.{url64(json.dumps(body).encode())}"
        path = self.folder / "text"
        path.write_text(text)
        if key == "ed":
            signature = self.openssl("pkeyutl", "-sign", "-inkey", "ed", "-rawin", "-in", "text")
        else:
            signature = self.openssl("dgst", "-sha256", "-sign", "rsa", "text")
        return f"{text}.{url64(signature)}"


def bearer(token, user=""):
    return f"n,{'a=' + user if user else ''},\1auth=Bearer {token}\1\1".encode()


def google(token, user):
    return f"user={user}\1auth=Bearer {token}\1\1".encode()


class OAuth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="fo-id-", dir="/tmp")
        cls.issuer = Issuer(cls.folder)
        cls.office = Office(config=CONFIG)
        cls.publish(cls.issuer.keys)

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        shutil.rmtree(cls.folder)

    @classmethod
    def publish(cls, keys):
        path = cls.office.folder / "data/directory/oauth-keys.json"
        written = path.with_suffix(".new")
        written.write_text(json.dumps(keys))
        written.chmod(0o644)
        written.rename(path)

    def imap(self, mechanism, message):
        """What the server says at the end, and its challenges."""
        told = []

        def answer(challenge):
            told.append(challenge)
            return message if len(told) == 1 else b"\1"
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=CLIENT_S)
        try:
            self.assertIn(f"AUTH={mechanism}", client.capabilities)
            client.authenticate(mechanism, answer)
            client.select("INBOX")
            client.logout()
            return "OK", told
        except imaplib.IMAP4.error as error:
            client.shutdown()
            return str(error), told

    def refuse(self, token, why, **extra):
        """It is told as RFC 7628 has it, and the log says why, a moment later."""
        known = self.refusals()
        said, told = self.imap("OAUTHBEARER", bearer(token, **extra))
        self.assertIn("AUTHENTICATIONFAILED", said)
        self.assertEqual(json.loads(told[1]), {"status": "invalid_token"})
        self.assertTrue(wait_for(lambda: len(self.refusals()) > len(known)))
        self.assertIn(f'reason="{why}"', self.refusals()[-1])

    def refusals(self):
        return [line for line in self.office.log_text().splitlines() if "event=login_failed" in line]

    def test_imap(self):
        for key in ("ed", "rsa"):
            token = self.issuer.token(key=key)
            self.assertEqual(self.imap("OAUTHBEARER", bearer(token))[0], "OK")
            self.assertEqual(self.imap("OAUTHBEARER", bearer(token, ALICE))[0], "OK")
            self.assertEqual(self.imap("XOAUTH2", google(token, ALICE))[0], "OK")

    def test_pop3(self):
        text = base64.b64encode(google(self.issuer.token(), ALICE)).decode()
        client = poplib.POP3_SSL("localhost", self.office.base + 995, context=self.office.context, timeout=CLIENT_S)
        self.assertIn("OAUTHBEARER", client.capa()["SASL"])
        self.assertRegex(client._shortcmd("AUTH XOAUTH2 " + text), rb"^\+OK")
        self.assertGreaterEqual(client.stat()[0], 1)
        client.quit()

    def test_submission(self):
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as client:
            client.starttls(context=self.office.context)
            client.ehlo()
            self.assertIn("OAUTHBEARER", client.esmtp_features["auth"])
            client.auth("OAUTHBEARER", lambda challenge=None: bearer(self.issuer.token()).decode(), initial_response_ok=True)
            client.sendmail(ALICE, [BOB], b"Subject: by token\r\n\r\nhello\r\n")
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as client:
            client.starttls(context=self.office.context)
            client.ehlo()
            old = base64.b64encode(google(self.issuer.token(exp=1000), ALICE)).decode()
            code, text = client.docmd("AUTH", "XOAUTH2 " + old)
            self.assertEqual((code, json.loads(base64.b64decode(text))["status"]), (334, "401"))
            self.assertEqual(client.docmd("")[0], 535)

    def test_what_is_wrong_is_refused_and_logged(self):
        token = self.issuer.token
        for bad, why in ((token(exp=int(time.time()) - 100), "token has expired"),
                         (token(iss="https://id.example.test"), "token is of another issuer"),
                         (token(aud="web"), "token is for another audience"),
                         (token(nbf=int(time.time()) + 1000), "token is not valid yet"),
                         (token(email=7), "token names nobody"),
                         (token(header={"alg": "none"}), "no key fits the token"),
                         (token(header={"kid": "rsa"}), "no key fits the token"),
                         (token()[:-10] + "AAAAAAAAAA", "signature of the token is wrong"),
                         ("x.y.z", "token is malformed"),
                         (token("nobody@example.test"), "unknown or not allowed")):
            self.refuse(bad, why)
        self.refuse(token(), "unknown or not allowed", user=BOB) # of alice, for bob
        self.assertIn("BAD", self.imap("OAUTHBEARER", b"n,,auth=Bearer x")[0])
        self.assertEqual(self.imap("OAUTHBEARER", bearer(token()))[0], "OK") # nothing of this locks anybody out

    def test_keys_change_while_it_runs(self):
        other = Issuer(tempfile.mkdtemp(dir=self.folder))
        self.refuse(other.token(), "signature of the token is wrong")
        self.publish(other.keys)
        self.assertTrue(wait_for(lambda: self.imap("OAUTHBEARER", bearer(other.token()))[0] == "OK"))
        self.refuse(self.issuer.token(), "signature of the token is wrong")
        (self.office.folder / "data/directory/oauth-keys.json").write_text("no JSON")
        self.assertTrue(wait_for(lambda: self.imap("OAUTHBEARER", bearer(other.token()))[0] != "OK"))
        self.publish(self.issuer.keys)
        self.assertTrue(wait_for(lambda: self.imap("OAUTHBEARER", bearer(self.issuer.token()))[0] == "OK"))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        for scheme, port in (("imaps", 993), ("pop3s", 995)):
            done = subprocess.run(
                ["curl", "--silent", "--show-error", "--max-time", str(CLIENT_S), "--cacert", self.office.folder / "tls/chain.pem",
                 "--user", ALICE + ":", "--oauth2-bearer", self.issuer.token(), f"{scheme}://localhost:{self.office.base + port}/"],
                capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout)


if __name__ == "__main__":
    main()
