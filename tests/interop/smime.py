#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""S/MIME of the writing desk (case D8): with itself, and with `openssl cms` as everybody else."""
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from correspondents import Correspondents
from office import ALICE, BOB, CLIENT_S, main, skip_all

NOINPUT, CONFIG = 66, 78
EVE = "eve@example.test"


class Smime(Correspondents):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.temporary = tempfile.TemporaryDirectory(prefix="fs-")
        cls.pki = Path(cls.temporary.name)
        cls.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=Example Authority",
                    "-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=keyCertSign,cRLSign")
        for who in (ALICE, BOB, EVE):
            cls.person(who)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()
        super().tearDownClass()

    @classmethod
    def openssl(cls, *words, data=b"", code=0):
        done = subprocess.run(["openssl", *words], input=data, capture_output=True, cwd=cls.pki, check=False,
                              timeout=CLIENT_S)
        if done.returncode != code:
            raise AssertionError(done.stderr.decode())
        return done.stdout

    @classmethod
    def person(cls, who, days="2"):
        (cls.pki / "ext").write_text("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n"
                                     f"extendedKeyUsage=emailProtection\nsubjectAltName=email:{who}\n")
        cls.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=The Real {who.split('@')[0]}",
                    "-keyout", f"{who}.key", "-out", f"{who}.csr")
        cls.openssl("x509", "-req", "-in", f"{who}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                    "-days", days, "-extfile", "ext", "-out", f"{who}.pem")
        (cls.pki / f"{who}.both").write_bytes((cls.pki / f"{who}.key").read_bytes()
                                              + (cls.pki / f"{who}.pem").read_bytes())

    def setUp(self):
        super().setUp()
        shutil.copy(self.pki / "ca.pem", self.config / "authorities.pem")

    def account_words(self, who):
        return "--certificate", str(self.pki / f"{who}.both")

    def know(self, who):
        (self.config / "certificates").mkdir(exist_ok=True)
        shutil.copy(self.pki / f"{who}.pem", self.config / "certificates" / f"{who}.pem")

    # ---- with itself

    def test_a_signature_is_good_and_lets_answers_be_secret(self):
        (self.home / "octets.bin").write_bytes(bytes(range(256)))
        self.send("signed", "--sign", "-a", "octets.bin")
        shown, mark = self.show("signed")
        self.assertEqual(shown["signature"], "good")
        self.assertEqual(shown["seals"], f"Signed:   yes, all below, by {ALICE} (The Real alice), vouched for by Example Authority\n")
        self.assertEqual(shown["text"], "Déjà vu.\n")
        self.assertEqual([a["name"] for a in shown["attachments"]], ["octets.bin"])
        # Alice's certificate is known now.
        self.run_it("reply", mark, "--account", "bob", "--sign", "--encrypt", text="Secret answer.\n")
        answer, _ = self.show("Re: signed", "alice")
        self.assertEqual((answer["signature"], answer["encrypted"]), ("good", True))
        self.assertIn("Secret answer.", answer["text"])
        for message in self.office.messages(ALICE):
            self.assertNotIn(b"Secret answer", message)

    def test_what_came_secretly_is_not_answered_in_the_open(self):
        self.know(BOB)
        self.send("secret", "--encrypt", text="The word is xyzzy.\n")
        shown, mark = self.show("secret")
        self.assertEqual((shown["text"], shown["encrypted"], shown["signature"]), ("The word is xyzzy.\n", True, "none"))
        self.run_it("reply", mark, "--account", "bob", text="ok\n", code=NOINPUT)
        self.know(ALICE)
        self.run_it("reply", mark, "--account", "bob", text="ok\n")
        for who in (ALICE, BOB):
            for message in self.office.messages(who):
                self.assertNotIn(b"xyzzy", message)
        # The writer can read what was kept.
        rows = json.loads(self.run_it("list", "--folder", "Sent", "--account", "alice", "--json"))["messages"]
        mark = next(str(m["id"]) for m in rows if m["subject"] == "secret")
        self.assertIn(b"xyzzy", self.run_it("show", mark, "--folder", "Sent", "--account", "alice"))

    def test_without_a_certificate_nothing_is_sent(self):
        self.send("never", "--encrypt", code=NOINPUT)
        self.run_it("account", "add", ALICE, "--as", "alice", "--outgoing",
                    f"smtps://localhost:{self.office.base + 465}", "--password-stdin", "--untested", text="x\n")
        self.send("never", "--sign", code=CONFIG)

    # ---- with others

    def test_openssl_verifies_and_opens_ours(self):
        self.know(BOB)
        signed = self.send("x", "--sign", "--print")
        self.assertIn("Déjà vu.".encode("utf-8").hex(), self.plain(self.openssl(
            "cms", "-verify", "-CAfile", "ca.pem", data=signed)).hex())
        both = self.send("x", "--sign", "--encrypt", "--print")
        inner = self.openssl("cms", "-decrypt", "-recip", f"{BOB}.pem", "-inkey", f"{BOB}.key", data=both)
        self.assertIn("Déjà vu.".encode(), self.plain(self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=inner)))
        self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=signed.replace(b"charset=utf-8", b"charset=utf-7"), code=4)

    @staticmethod
    def plain(entity):
        import email
        return email.message_from_bytes(entity).get_payload(decode=True)

    def test_theirs_are_verified_and_opened(self):
        entity = b"Content-Type: text/plain\r\n\r\nFrom elsewhere.\r\n"
        signer = ("-signer", f"{ALICE}.pem", "-inkey", f"{ALICE}.key")
        (self.pki / "entity").write_bytes(entity)
        self.deliver(self.openssl("cms", "-sign", *signer, "-in", "entity"), "detached")
        self.deliver(self.openssl("cms", "-sign", "-nodetach", *signer, "-in", "entity"), "opaque")
        for cipher in ("-aes128", "-aes-256-gcm", "-des3"):
            self.deliver(self.openssl("cms", "-encrypt", cipher, "-in", "entity", f"{BOB}.pem"), "for bob " + cipher)
        self.deliver(self.openssl("cms", "-encrypt", "-in", "entity", f"{EVE}.pem"), "for eve")
        for subject in ("detached", "opaque"):
            shown, _ = self.show(subject)
            self.assertEqual((shown["signature"], shown["text"]), ("good", "From elsewhere.\n"), subject)
        for cipher in ("-aes128", "-aes-256-gcm", "-des3"):
            shown, _ = self.show("for bob " + cipher)
            self.assertEqual((shown["encrypted"], shown["text"]), (True, "From elsewhere.\n"), cipher)
        shown, _ = self.show("for eve")
        self.assertEqual((shown["encrypted"], shown["text"]), (True, ""))
        self.assertIn("cannot be opened", shown["seals"])

    def test_what_is_not_good_is_told_apart(self):
        entity = b"Content-Type: text/plain\r\n\r\nPay ten.\r\n"
        (self.pki / "pay").write_bytes(entity)
        def sign(who):
            return self.openssl("cms", "-sign", "-signer", f"{who}.pem", "-inkey", f"{who}.key", "-in", "pay")
        self.deliver(sign(ALICE).replace(b"Pay ten", b"Pay six"), "changed")
        self.deliver(sign(EVE), "of another")
        shown, _ = self.show("changed")
        self.assertEqual(shown["signature"], "changed")
        self.assertIn("DO NOT TRUST IT", shown["seals"])
        shown, _ = self.show("of another")
        self.assertEqual(shown["signature"], "other")
        self.assertFalse((self.config / "certificates" / f"{EVE}.pem").exists())
        self.deliver(sign(ALICE), "untrusted")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=Example Authority",
                     "-keyout", "other.key", "-out", "other.pem")
        shutil.copy(self.pki / "other.pem", self.config / "authorities.pem")
        shown, _ = self.show("untrusted")
        self.assertEqual(shown["signature"], "untrusted")


if __name__ == "__main__":
    if not shutil.which("openssl"):
        skip_all("needs the program openssl")
    main()
