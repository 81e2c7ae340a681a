#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""S/MIME of the writing desk (case D8): with itself, and with `openssl cms` as everybody else."""
import email
import json
import mailbox
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from correspondents import Correspondents
from office import ALICE, BOB, CLIENT_S, main, skip_all, wait_for
from terminal import Terminal

DATAERR, NOINPUT, CONFIG = 65, 66, 78
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

    def test_d8_openssl_verifies_and_opens_ours(self):
        self.know(BOB)
        signed = self.send("x", "--sign", "--print")
        self.assertEqual(self.plain(self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=signed)), "Déjà vu.\r\n")
        outer = email.message_from_bytes(signed)
        self.assertEqual((outer.get_content_type(), outer.get_param("protocol"), outer.get_param("micalg")),
                         ("multipart/signed", "application/pkcs7-signature", "sha-256"))
        self.assertTrue(outer.get_param("boundary"))
        both = self.send("x", "--sign", "--encrypt", "--print")
        inner = self.openssl("cms", "-decrypt", "-recip", f"{BOB}.pem", "-inkey", f"{BOB}.key", data=both)
        self.assertEqual(self.plain(self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=inner)), "Déjà vu.\r\n")
        self.assertIn(b"charset=iso-8859-1", signed)
        self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=signed.replace(b"charset=iso-8859-1", b"charset=iso-8859-2"), code=4)

    def test_d8_what_is_encrypted_in_another_way_is_recognised(self):
        """multipart/encrypted (RFC 1847), of a kind that nobody here opens."""
        self.deliver(b"Content-Type: multipart/encrypted; protocol=\"application/x-none\"; boundary=b\r\n\r\n--b\r\n"
                     b"Content-Type: application/x-none\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n"
                     b"secret\r\n--b--\r\n", "another way")
        shown, _ = self.show("another way")
        self.assertEqual([a["type"] for a in shown["attachments"]], ["application/x-none", "application/octet-stream"])
        self.assertEqual(shown["text"], "")

    @staticmethod
    def plain(entity):
        part = email.message_from_bytes(entity)
        return part.get_payload(decode=True).decode(part.get_content_charset())

    def test_d8_theirs_are_verified_and_opened(self):
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

    # ---- certificates

    def listed(self):
        rows = json.loads(self.run_it("certificate", "list", "--json"))["certificates"]
        return [(row["addresses"], row["name"], row["issuer"], row["account"]) for row in rows]

    def test_a_pkcs12_file_becomes_the_certificate_of_its_account(self):
        for options in (("-passout", "pass:open sesame"), ("-passout", "pass:open sesame", "-legacy"), ("-passout", "pass:")):
            self.openssl("pkcs12", "-export", "-in", f"{ALICE}.pem", "-inkey", f"{ALICE}.key", "-certfile", "ca.pem",
                         "-out", "alice.p12", *options)
            self.add_account("alice", ALICE)  # without the one of before
            self.send("never", "--sign", "--print", code=CONFIG)
            if options[1] != "pass:":
                self.run_it("certificate", "add", str(self.pki / "alice.p12"), "--passphrase-stdin", text="open barley\n",
                            code=DATAERR)
            self.run_it("certificate", "add", str(self.pki / "alice.p12"), "--passphrase-stdin", text="open sesame\n")
            kept = self.config / "keys/alice.pem"
            self.assertEqual((kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777), (0o600, 0o700))
            signed = self.send("x", "--sign", "--print")
            self.openssl("cms", "-verify", "-CAfile", "ca.pem", data=signed)
        self.assertIn(([ALICE], "The Real alice", "Example Authority", "alice"), self.listed())
        self.run_it("certificate", "add", str(self.pki / "ca.key"), code=DATAERR)

    def test_certificates_of_others_are_taken_from_files(self):
        self.openssl("x509", "-in", f"{BOB}.pem", "-outform", "DER", "-out", "bob.der")
        self.send("before", "--encrypt", code=NOINPUT)
        self.run_it("certificate", "add", str(self.pki / "bob.der"))
        self.assertIn(([BOB], "The Real bob", "Example Authority", ""), self.listed())
        self.send("after", "--encrypt")
        self.assertTrue(self.show("after")[0]["encrypted"])
        self.run_it("certificate", "add", str(self.pki / "ca.pem"), code=DATAERR)  # nobody's address

    def test_several_can_open_what_is_for_several(self):
        for who in (BOB, EVE):
            self.run_it("certificate", "add", str(self.pki / f"{who}.pem"))
        message = self.send("x", EVE, "--encrypt", "--print", text="For both.\n")
        for who in (ALICE, BOB, EVE):
            inside = self.openssl("cms", "-decrypt", "-recip", f"{who}.pem", "-inkey", f"{who}.key", data=message)
            self.assertIn(b"For both.", inside)
        self.send("x", EVE, "mallory@example.test", "--encrypt", "--print", code=NOINPUT)

    def test_a_chain_leads_to_the_authority(self):
        (self.pki / "mid").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Middle", "-keyout", "mid.key", "-out", "mid.csr")
        self.openssl("x509", "-req", "-in", "mid.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", "mid", "-out", "mid.pem")
        (self.pki / "leaf").write_text(f"keyUsage=digitalSignature\nextendedKeyUsage=emailProtection\nsubjectAltName=email:{ALICE}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Alice below", "-keyout", "low.key", "-out", "low.csr")
        self.openssl("x509", "-req", "-in", "low.csr", "-CA", "mid.pem", "-CAkey", "mid.key", "-CAcreateserial", "-days", "2",
                     "-extfile", "leaf", "-out", "low.pem")
        both = b"".join((self.pki / name).read_bytes() for name in ("low.key", "low.pem", "mid.pem"))
        (self.pki / "low.both").write_bytes(both)
        self.run_it("certificate", "add", str(self.pki / "low.both"))
        self.send("chained", "--sign")
        shown, _ = self.show("chained")
        self.assertEqual(shown["signature"], "good", shown["seals"])
        self.assertIn("(Alice below), vouched for by Middle", shown["seals"])
        (self.pki / "entity").write_bytes(b"Content-Type: text/plain\r\n\r\nAlone.\r\n")
        self.deliver(self.openssl("cms", "-sign", "-signer", "low.pem", "-inkey", "low.key", "-in", "entity"), "no chain")
        self.assertEqual(self.show("no chain")[0]["signature"], "untrusted")

    def test_a_certificate_for_something_else_signs_no_mail(self):
        (self.pki / "tls").write_text(f"keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=email:{ALICE}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=www", "-keyout", "www.key", "-out", "www.csr")
        self.openssl("x509", "-req", "-in", "www.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", "tls", "-out", "www.pem")
        (self.pki / "entity").write_bytes(b"Content-Type: text/plain\r\n\r\nWeb.\r\n")
        self.deliver(self.openssl("cms", "-sign", "-signer", "www.pem", "-inkey", "www.key", "-in", "entity"), "web")
        self.assertEqual(self.show("web")[0]["signature"], "untrusted")

    def test_both_forms_are_told_apart_by_what_there_is(self):
        signed = self.send("x", "--sign", "--print")
        self.assertIn(b"application/pkcs7-signature", signed)
        self.send("x", "--sign", "--seal", "openpgp", "--print", code=CONFIG)

    # ---- with mutt

    def mutt(self, who, *lines):
        home = self.home / f"mutt-{who}"
        for folder in ("certificates", "keys"):
            (home / folder).mkdir(parents=True)
            (home / folder / ".index").write_text("".join(f"{w} {w[0]}0000000.0 {w[0]} ? t\n" for w in (ALICE, BOB)))
            for w in (ALICE, BOB):
                (home / folder / f"{w[0]}0000000.0").write_bytes(
                    (self.pki / f"{w}.{'pem' if folder == 'certificates' else 'key'}").read_bytes())
        (home / "keep").write_text(f"#!/bin/sh\ncat > {home}/written.part\nmv {home}/written.part {home}/written\n")
        (home / "keep").chmod(0o700)
        (home / "rc").write_text(
            f'set from="{who}" realname="" folder="{home}" mbox_type=mbox quit=yes delete=no move=no copy=no beep=no\n'
            'set editor=true autoedit=yes edit_headers=yes abort_unmodified=no wait_key=no crypt_use_gpgme=no crypt_verify_sig=yes\n'
            f'set smime_certificates="{home}/certificates" smime_keys="{home}/keys" smime_ca_location="{self.pki}/ca.pem"\n'
            f'set smime_default_key="{who[0]}0000000.0" smime_is_default=yes sendmail="{home}/keep"\n'
            'set smime_verify_command="openssl smime -verify -inform DER -in %s %C -content %f"\n'
            'set smime_verify_opaque_command="openssl smime -verify -inform DER -in %s %C"\n'
            'set smime_decrypt_command="openssl cms -decrypt -inform DER -in %f -inkey %k -recip %c"\n'
            'set smime_sign_command="openssl cms -sign -md sha256 -signer %c -inkey %k -in %f -outform DER"\n'
            'set smime_encrypt_command="openssl cms -encrypt -aes256 -in %f -outform DER %c"\n'
            'set smime_get_cert_command="openssl pkcs7 -print_certs -inform DER -in %f"\n'
            'set smime_get_cert_email_command="openssl x509 -in %f -noout -email"\n'
            'set smime_get_signer_cert_command="openssl cms -verify -in %f -noverify -signer %c -out /dev/null"\n'
            + "".join(line + "\n" for line in lines))
        return ["mutt", "-F", home / "rc"], {**self.environment(), "TERM": "xterm"}, home

    @unittest.skipUnless(shutil.which("mutt"), "needs mutt")
    def test_mutt_reads_ours(self):
        self.know(BOB)
        box = mailbox.mbox(self.home / "ours")
        for option in ("--sign", "--encrypt"):
            box.add(self.send(option, option, "--print", text="Déjà vu par mutt.\n").replace(b"\r\n", b"\n"))
        box.flush()
        words, env, _ = self.mutt(BOB)
        with Terminal([*words, "-f", self.home / "ours"], env) as mutt:
            mutt.wait_for("Msgs:2")
            mutt.press("1\r\r")
            mutt.wait_for("S/MIME signature successfully verified.")
            mutt.press("q2\r\r")
            mutt.wait_for("Enter S/MIME passphrase")
            mutt.press("\r")
            mutt.wait_for("Déjà vu par mutt.")
            mutt.press("qx")

    @unittest.skipUnless(shutil.which("mutt"), "needs mutt")
    def test_mutts_are_read(self):
        for option, words in (("crypt_autosign", b"yes, all below, by alice"), ("crypt_autoencrypt", b"encrypted for you")):
            words_of_mutt, env, home = self.mutt(ALICE, f"set {option}=yes")
            (home / "text").write_text("Écrit par mutt.\n")
            with Terminal([*words_of_mutt, "-s", option, "-i", home / "text", BOB], env) as mutt:
                mutt.wait_for("y:Send")
                mutt.press("y\r\r")
                wait_for((home / "written").exists, CLIENT_S)
            box = mailbox.mbox(home / "box")
            box.add((home / "written").read_bytes())
            box.flush()
            shown = self.run_it("show", "1", "--box", str(home / "box"))
            self.assertIn("Écrit par mutt.".encode(), shown)
            self.assertIn(words, shown)
            shutil.rmtree(home)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        skip_all("needs the program openssl")
    main()
