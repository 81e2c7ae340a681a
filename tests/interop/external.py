#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""EXTERNAL on IMAP, POP3 and submission, with certificates that openssl(1) has made, and with openssl, curl and
swaks as clients; each thing that is wrong with a certificate."""
import base64
import imaplib
import poplib
import shutil
import smtplib
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, Office, main, wait_for


class Authority:
    """Vouches for people, in a folder: ca.pem, NAME.pem with certificate and key."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "index").touch()
        (self.folder / "config").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n"
            "default_crl_days=30\ncertificate=ca.pem\nprivate_key=ca.key\n")
        (self.folder / "number").write_text("01\n")
        self.openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "30",
                     "-subj", "/CN=Authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.pem")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=CLIENT_S)

    def person(self, name, *emails, days=30, extra=()):
        alternatives = ",".join("email:" + email for email in emails)
        (self.folder / "ext").write_text("\n".join([f"subjectAltName={alternatives}", *extra]) + "\n")
        self.openssl("req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={name}",
                     "-keyout", name + ".key", "-out", name + ".csr")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", str(days), "-extfile", "ext", "-out", name + ".crt")
        path = self.folder / (name + ".pem")
        path.write_text((self.folder / (name + ".crt")).read_text() + (self.folder / (name + ".key")).read_text())
        return path

    def revoke(self, name):
        self.openssl("ca", "-config", "config", "-revoke", name + ".crt")

    def revoked(self):
        self.openssl("ca", "-config", "config", "-gencrl", "-out", "crl.pem")
        return (self.folder / "crl.pem").read_text()


class External(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-ca-", dir="/tmp"))
        ours, other = Authority(cls.folder / "ours"), Authority(cls.folder / "other")
        cls.alice = ours.person("alice", "nobody@example.test", ALICE)
        cls.stolen = ours.person("stolen", ALICE)
        cls.bad = {
            "certificate has expired or is not valid yet": ours.person("old", ALICE, days=0),
            "certificate is of nobody who is trusted": other.person("forged", ALICE),
            "certificate is not for clients": ours.person("server", ALICE, extra=["extendedKeyUsage=serverAuth"]),
            "certificate is revoked, or nobody says that it is not": cls.stolen,
            "unknown or not allowed": ours.person("stranger", "stranger@example.test"),
        }
        ours.revoke("stolen")
        trust = cls.folder / "trust.pem"
        trust.write_text((cls.folder / "ours/ca.pem").read_text() + ours.revoked())
        cls.folder.chmod(0o755)
        cls.office = Office(config='auth_mechanisms = {PLAIN, SCRAM-SHA-256, EXTERNAL}\n'
                                   f'tls_client_trust = "{trust}"\n')

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        shutil.rmtree(cls.folder)

    def context(self, certificate, version=ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=self.office.folder / "tls/chain.pem")
        context.maximum_version = version
        if certificate:
            context.load_cert_chain(certificate)
        return context

    def imap(self, certificate, authzid=b"", **extra):
        """What the server says at the end."""
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.context(certificate, **extra),
                                   timeout=CLIENT_S)
        try:
            self.assertEqual("AUTH=EXTERNAL" in client.capabilities, certificate is not None)
            client.authenticate("EXTERNAL", lambda challenge: authzid)
            client.select("INBOX")
            client.logout()
            return "OK"
        except imaplib.IMAP4.error as error:
            client.shutdown()
            return str(error)

    def refusals(self):
        return [line for line in self.office.log_text().splitlines() if "event=login_failed" in line]

    def refuse(self, why, certificate, authzid=b""):
        known = len(self.refusals())
        self.assertIn("AUTHENTICATIONFAILED", self.imap(certificate, authzid))
        self.assertTrue(wait_for(lambda: len(self.refusals()) > known))
        self.assertIn(f'reason="{why}"', self.refusals()[-1])

    def test_imap(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.imap(self.alice, version=version), "OK")
            self.assertEqual(self.imap(self.alice, ALICE.encode(), version=version), "OK")
        client = imaplib.IMAP4("localhost", self.office.base + 143, timeout=CLIENT_S)
        self.assertNotIn("AUTH=EXTERNAL", client.capabilities)
        client.starttls(self.context(self.alice))
        self.assertIn("AUTH=EXTERNAL", client.capabilities)
        client.authenticate("EXTERNAL", lambda challenge: b"")
        client.logout()

    def test_who_shows_none_is_not_offered_it(self):
        self.assertIn("no such mechanism", self.imap(None))
        self.assertEqual(self.office.pop(BOB).stat()[0] >= 0, True)  # and passwords are as good as ever

    def test_what_is_wrong_is_refused_and_logged(self):
        for why, certificate in self.bad.items():
            self.refuse(why, certificate)
        self.refuse("unknown or not allowed", self.alice, BOB.encode())
        self.assertIn("BAD", self.imap(self.alice, b"a\0b"))
        self.assertEqual(self.imap(self.alice), "OK")  # nothing of this locks anybody out

    def test_a_password_is_taken_whatever_is_shown(self):
        for certificate in (self.alice, self.bad["certificate is of nobody who is trusted"]):
            client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.context(certificate),
                                       timeout=CLIENT_S)
            client.login(BOB, self.office.people[BOB])
            client.logout()

    def test_pop3(self):
        client = poplib.POP3_SSL("localhost", self.office.base + 995, context=self.context(self.alice), timeout=CLIENT_S)
        self.assertIn("EXTERNAL", client.capa()["SASL"])
        self.assertRegex(client._shortcmd("AUTH EXTERNAL ="), rb"^\+OK")
        self.assertGreaterEqual(client.stat()[0], 1)
        client.quit()
        client = poplib.POP3("localhost", self.office.base + 110, timeout=CLIENT_S)
        client.stls(self.context(self.alice))
        self.assertRegex(client._shortcmd("AUTH EXTERNAL " + base64.b64encode(ALICE.encode()).decode()), rb"^\+OK")
        client.quit()
        client = poplib.POP3_SSL("localhost", self.office.base + 995, context=self.context(None), timeout=CLIENT_S)
        self.assertNotIn("EXTERNAL", client.capa()["SASL"])
        self.assertRaisesRegex(poplib.error_proto, "unknown mechanism", client._shortcmd, "AUTH EXTERNAL =")
        client.quit()

    def test_submission(self):
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as client:
            client.starttls(context=self.context(self.alice))
            client.ehlo()
            self.assertIn("EXTERNAL", client.esmtp_features["auth"])
            self.assertEqual(client.docmd("AUTH", "EXTERNAL " + base64.b64encode(BOB.encode()).decode())[0], 535)
            self.assertEqual(client.docmd("AUTH", "EXTERNAL")[0], 334)
            self.assertEqual(client.docmd("")[0], 235)
            client.sendmail(ALICE, [BOB], b"Subject: by certificate\r\n\r\nhello\r\n")
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as client:
            client.starttls(context=self.context(None))
            client.ehlo()
            self.assertNotIn("EXTERNAL", client.esmtp_features["auth"])
            self.assertEqual(client.docmd("AUTH", "EXTERNAL =")[0], 504)

    def asked_for(self, port, *words):
        """Whether the server asks for a certificate there."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{self.office.base + port}", *words],
                              input=b"QUIT\r\n", capture_output=True, check=False, timeout=CLIENT_S)
        return b"Client Certificate Types" in done.stdout or b"Requested Signature Algorithms" in done.stdout

    def test_it_is_asked_for_where_people_log_in_only(self):
        self.assertTrue(self.asked_for(993))
        self.assertTrue(self.asked_for(587, "-starttls", "smtp"))
        self.assertFalse(self.asked_for(25, "-starttls", "smtp"))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        for scheme, port in (("imaps", 993), ("pop3s", 995)):
            done = subprocess.run(
                ["curl", "--silent", "--show-error", "--max-time", str(CLIENT_S), "--cacert", self.office.folder / "tls/chain.pem",
                 "--cert", self.alice, "--user", ALICE + ":", "--login-options", "AUTH=EXTERNAL",
                 f"{scheme}://localhost:{self.office.base + port}/"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout)

    @unittest.skipUnless(shutil.which("swaks"), "swaks is not installed")
    def test_swaks_sends_with_a_certificate_and_a_password(self):
        done = subprocess.run(
            ["swaks", "--server", "localhost", "--port", str(self.office.base + 587), "--tls", "--tls-cert", self.alice,
             "--tls-key", self.alice, "--auth", "PLAIN", "--auth-user", BOB, "--auth-password", self.office.people[BOB],
             "--from", BOB, "--to", ALICE, "--timeout", str(CLIENT_S)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"250-AUTH .*EXTERNAL")


if __name__ == "__main__":
    main()
