#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""OpenPGP of the writing desk: with itself, with `gpg` and with mutt as everybody else."""
import email
import mailbox
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from correspondents import Correspondents
from office import ALICE, BOB, CLIENT_S, main, skip_all, wait_for
from terminal import Terminal

NOINPUT, CONFIG, USAGE = 66, 78, 64
EVE = "eve@example.test"
ENTITY = b"Content-Type: text/plain\r\n\r\nFrom elsewhere.\r\n"


class OpenPgp(Correspondents):
    """Everybody has a GnuPG of their own. Alice and Bob know each other's keys; nobody trusts Eve's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.temporary = tempfile.TemporaryDirectory(prefix="fg-")
        cls.rings = Path(cls.temporary.name)
        for who in (ALICE, BOB, EVE):
            (cls.rings / who).mkdir(mode=0o700)
            cls.gpg(who, "--quick-gen-key", f"The Real {who.split('@')[0]} <{who}>", "future-default", "default", "2d")
        for owner, other in ((ALICE, BOB), (BOB, ALICE), (BOB, EVE)):
            cls.gpg(owner, "--import", data=cls.gpg(other, "--export", other))
        for owner, other in ((ALICE, BOB), (BOB, ALICE)):
            cls.gpg(owner, "--quick-lsign-key", cls.fingerprint(other))

    @classmethod
    def tearDownClass(cls):
        for who in (ALICE, BOB, EVE):
            subprocess.run(["gpgconf", "--homedir", cls.rings / who, "--kill", "all"], check=False, timeout=CLIENT_S)
        cls.temporary.cleanup()
        super().tearDownClass()

    @classmethod
    def gpg(cls, who, *words, data=b"", code=0):
        done = subprocess.run(["gpg", "--homedir", cls.rings / who, "--batch", "--yes", "--pinentry-mode", "loopback",
                               "--passphrase", "", *words], input=data, capture_output=True, check=False,
                              timeout=CLIENT_S)
        if done.returncode != code:
            raise AssertionError(done.stderr.decode())
        return done.stdout

    @classmethod
    def fingerprint(cls, who):
        listed = cls.gpg(who, "--list-keys", "--with-colons", who).decode()
        return re.search(r"^fpr:+([0-9A-F]+):", listed, re.M)[1]

    def run_it(self, *words, text="", code=0, more=None):
        who = BOB if "bob" in words or "--box" in words else ALICE
        return super().run_it(*words, text=text, code=code, more={"GNUPGHOME": str(self.rings / who), **(more or {})})

    def signed(self, who, entity=ENTITY, *words):
        """An entity signed by `gpg`, as RFC 3156 has it."""
        signature = self.gpg(who, "--armor", "--detach-sign", *words, data=entity)
        return (b'Content-Type: multipart/signed; micalg=pgp-sha512;\r\n protocol="application/pgp-signature"; boundary=b\r\n'
                b"\r\n--b\r\n" + entity + b"\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\n" + signature
                + b"\r\n--b--\r\n")

    def encrypted(self, armor):
        return (b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n'
                b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
                b"\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" + armor + b"\r\n--b--\r\n")

    # ---- with itself

    def test_a_signature_is_good_and_says_by_whom_and_over_what(self):
        (self.home / "octets.bin").write_bytes(bytes(range(256)))
        self.send("signed", "--sign", "-a", "octets.bin", text="Déjà vu. \nFrom me.\n")
        shown, _ = self.show("signed")
        self.assertEqual(shown["seals"], f"Signed:   yes, all below, by {ALICE} (The Real alice), whose key you trust\n")
        self.assertEqual((shown["signature"], shown["signed_part"]), ("good", ""))
        self.assertEqual(shown["text"], "Déjà vu. \nFrom me.\n")
        self.assertEqual([a["name"] for a in shown["attachments"]], ["octets.bin"])

    def test_what_came_secretly_is_not_answered_in_the_open(self):
        self.send("secret", "--encrypt", "--sign", text="The word is xyzzy.\n")
        shown, mark = self.show("secret")
        self.assertEqual((shown["text"], shown["encrypted"], shown["signature"]), ("The word is xyzzy.\n", True, "good"))
        self.run_it("reply", mark, "--account", "bob", text="ok\n")
        answer, _ = self.show("Re: secret", "alice")
        self.assertEqual((answer["encrypted"], answer["signature"]), (True, "none"))
        self.assertIn("> The word is xyzzy.", answer["text"])
        for who in (ALICE, BOB):
            for message in self.office.messages(who):
                self.assertNotIn(b"xyzzy", message)
        shown, _ = self.show("secret", "alice", "Sent")
        self.assertEqual(shown["text"], "The word is xyzzy.\n")

    def test_without_a_key_that_is_trusted_nothing_is_sent(self):
        self.send("never", "--encrypt", to="nobody@example.test", code=NOINPUT)
        self.assertIn("nobody@example.test", self.said)
        self.send("never", "--encrypt", "--seal", "openpgp", sender="bob", to=EVE, code=NOINPUT)
        self.assertIn("quick-lsign-key", self.said)
        self.send("never", "--encrypt", "--bcc", ALICE, code=USAGE)
        self.send("never", "--sign", "--from", "stranger@example.test", code=CONFIG)
        self.send("never", "--seal", "openpgp", code=USAGE)
        self.send("never", "--sign", "--seal", "pem", code=USAGE)

    # ---- with gpg

    def test_gpg_verifies_and_opens_ours(self):
        for message, is_secret in ((self.send("x", "--sign", "--print"), False),
                                   (self.send("x", "--sign", "--encrypt", "--print"), True)):
            parts = email.message_from_bytes(message).get_payload()
            if is_secret:
                self.assertEqual(parts[0].get_payload().strip(), "Version: 1")
                inside = self.gpg(BOB, "--decrypt", data=parts[1].get_payload(decode=True))
                self.assertEqual(email.message_from_bytes(inside).get_payload(decode=True).decode("iso-8859-1"), "Déjà vu.\r\n")
                continue
            mark = re.search(rb'boundary="([^"]+)"', message)[1]
            entity = message.split(b"\r\n--" + mark)[1].removeprefix(b"\r\n")
            (self.home / "entity").write_bytes(entity)
            self.gpg(BOB, "--verify", "-", str(self.home / "entity"), data=parts[1].get_payload(decode=True))
            self.assertRegex(message, rb"micalg=pgp-sha\d+;")
            (self.home / "entity").write_bytes(entity.replace(b"iso-8859-1", b"iso-8859-2"))
            self.gpg(BOB, "--verify", "-", str(self.home / "entity"), data=parts[1].get_payload(decode=True), code=1)

    def test_theirs_are_verified_and_opened(self):
        self.deliver(self.signed(ALICE), "detached")
        self.deliver(self.encrypted(self.gpg(ALICE, "--armor", "--encrypt", "-r", BOB, data=ENTITY)), "for bob")
        self.deliver(self.encrypted(self.gpg(ALICE, "--armor", "--encrypt", "--sign", "-r", BOB, data=ENTITY)), "both")
        # The older way: what is signed stands in what is encrypted.
        self.deliver(self.encrypted(self.gpg(ALICE, "--armor", "--encrypt", "-r", BOB, data=self.signed(ALICE))), "nested")
        for subject, signature, is_secret in (("detached", "good", False), ("for bob", "none", True),
                                              ("both", "good", True), ("nested", "good", True)):
            shown, _ = self.show(subject)
            self.assertEqual((shown["signature"], shown["encrypted"], shown["text"]),
                             (signature, is_secret, "From elsewhere.\n"), subject)

    def test_what_cannot_be_opened_says_so(self):
        self.deliver(self.encrypted(self.gpg(EVE, "--armor", "--encrypt", "-r", EVE, data=ENTITY)), "for eve")
        shown, _ = self.show("for eve")
        self.assertEqual((shown["encrypted"], shown["text"]), (True, ""))
        self.assertIn("cannot be opened", shown["seals"])

    def test_what_is_not_good_is_told_apart(self):
        pay = b"Content-Type: text/plain\r\n\r\nPay ten.\r\n"
        self.deliver(self.signed(ALICE, pay).replace(b"Pay ten", b"Pay six"), "changed")
        self.deliver(self.signed(EVE, pay), "untrusted", sender=EVE)
        self.deliver(self.signed(BOB, pay), "of another")
        self.deliver(self.signed(EVE, pay), "unknown", to=ALICE)
        self.deliver(self.signed(ALICE, pay).replace(b"BEGIN PGP SIG", b"BEGIN PGP WIG"), "broken")
        for subject, account, signature, words in (
                ("changed", "bob", "changed", "DO NOT TRUST IT: what was signed is not what is here"),
                ("untrusted", "bob", "untrusted", f"nobody knows by whom: it says {EVE} (The Real eve), but: nobody whom"),
                ("of another", "bob", "other", f"NOT BY THE SENDER, but by {BOB}"),
                ("unknown", "alice", "unknown", f"nobody knows by whom: GnuPG does not have the key {self.fingerprint(EVE)}"),
                ("broken", "bob", "broken", "DO NOT TRUST IT")):
            shown, _ = self.show(subject, account)
            self.assertEqual(shown["signature"], signature, subject)
            self.assertIn(words, shown["seals"])
        # A signature that has had its time.
        old = self.signed(ALICE, pay, "--default-sig-expire", "seconds=1")
        self.deliver(old, "old")
        wait_for(lambda: self.show("old")[0]["signature"] != "good", CLIENT_S)
        shown, _ = self.show("old")
        self.assertEqual(shown["signature"], "expired")
        self.assertIn("past their time", shown["seals"])

    def test_a_key_that_was_called_back_is_told(self):
        ring = self.rings / "bob2"
        shutil.copytree(self.rings / BOB, ring, ignore=shutil.ignore_patterns("S.*"))
        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", ring, "--kill", "all"], check=False)
        fingerprint = self.fingerprint(ALICE)
        paper = (self.rings / ALICE / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":---", "---")
        self.gpg("bob2", "--import", data=paper.encode())
        self.deliver(self.signed(ALICE), "called back")
        mark = self.find("called back")
        shown = self.run_it("show", mark, "--account", "bob", more={"GNUPGHOME": str(ring)}).decode()
        self.assertIn("called this key back", shown)

    def test_only_what_was_signed_is_said_to_be(self):
        listed = (b"Content-Type: multipart/mixed; boundary=list\r\n\r\n--list\r\n" + self.signed(ALICE)
                  + b"\r\n--list\r\nContent-Type: text/plain\r\n\r\nSend money to the list.\r\n--list--\r\n")
        self.deliver(listed, "by a list")
        shown, _ = self.show("by a list")
        self.assertEqual((shown["signature"], shown["signed_part"]), ("partial", "1"))
        self.assertIn(f"ONLY PART 1 of the message, by {ALICE}", shown["seals"])

    def test_a_part_for_another_is_not_opened_to_be_quoted(self):
        armor = self.gpg(EVE, "--armor", "--encrypt", "--trust-model", "always", "-r", BOB, data=b"stolen words\n") \
            if self.gpg(EVE, "--import", data=self.gpg(BOB, "--export", BOB)) == b"" else b""
        around = (b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\n"
                  b"Do you agree?\r\n--x\r\n" + self.encrypted(armor) + b"\r\n--x--\r\n")
        self.deliver(around, "agree", sender=EVE)
        self.deliver(b"\r\nDo you agree?\r\n\r\n" + armor, "agree too", sender=EVE)
        for subject in ("agree", "agree too"):
            self.assertNotIn("stolen", self.show(subject)[0]["text"])

    def test_text_that_is_sealed_without_mime(self):
        clear = self.gpg(ALICE, "--clear-sign", data="Déjà signé.\n- tiret\n".encode())
        head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        self.deliver(head + clear, "clear")
        shown, _ = self.show("clear")
        self.assertEqual((shown["signature"], shown["text"]), ("good", "Déjà signé.\n- tiret\n"))
        self.deliver(head + b"Before.\r\n" + clear + b"After.\r\n", "between")
        shown, _ = self.show("between")
        self.assertEqual(shown["signature"], "partial")
        self.assertIn("ABOVE THE MARK", shown["seals"])
        self.assertRegex(shown["text"], r"(?s)^Déjà signé\..*below this mark is not signed.*Before\..*After\.")
        self.deliver(head + clear.replace(b"tiret", b"torit"), "clear but changed")
        self.assertEqual(self.show("clear but changed")[0]["signature"], "changed")
        self.deliver(b"\r\n" + self.gpg(ALICE, "--armor", "--encrypt", "--sign", "-r", BOB, data="Caché.\n".encode()), "inline")
        shown, _ = self.show("inline")
        self.assertEqual((shown["encrypted"], shown["signature"], shown["text"]), (True, "good", "Caché.\n"))

    # ---- with mutt

    def mutt(self, who, *lines):
        rc = self.home / f"muttrc-{who}"
        rc.write_text(f'set from="{who}" realname="" folder="{self.home}" mbox_type=mbox quit=yes delete=no move=no\n'
                      'set copy=no sort=mailbox-order editor=true autoedit=yes edit_headers=yes abort_unmodified=no beep=no wait_key=no\n'
                      'set crypt_use_gpgme=yes pgp_default_key="" crypt_verify_sig=yes\n'
                      f'set sendmail="{self.home}/keep"\n' + "".join(line + "\n" for line in lines))
        (self.home / "keep").write_text(f"#!/bin/sh\ncat > {self.home}/written.part\nmv {self.home}/written.part {self.home}/written\n")
        (self.home / "keep").chmod(0o700)
        return ["mutt", "-F", rc], {**self.environment(), "TERM": "xterm", "GNUPGHOME": str(self.rings / who)}

    @unittest.skipUnless(shutil.which("mutt"), "needs mutt")
    def test_mutt_reads_ours(self):
        box = mailbox.mbox(self.home / "ours")
        for words in (("--sign",), ("--sign", "--encrypt")):
            box.add(self.send(" ".join(words), *words, "--print", text="Déjà vu par mutt.\n").replace(b"\r\n", b"\n"))
        box.flush()
        words, env = self.mutt(BOB, "set pager_stop=yes")
        with Terminal([*words, "-f", self.home / "ours"], env) as mutt:
            mutt.wait_for("Msgs:2")
            mutt.press("1\r\r")
            mutt.wait_for("Déjà vu par mutt.")
            mutt.wait_for("PGP signature successfully verified.")
            mutt.press("q2\r\r")
            mutt.wait_for("Déjà vu par mutt.")
            mutt.wait_for("PGP message successfully decrypted.")
            mutt.press("qx")

    @unittest.skipUnless(shutil.which("mutt"), "needs mutt")
    def test_mutts_are_read(self):
        for option, signature, is_secret in (("crypt_autosign", "good", False), ("crypt_autoencrypt", "none", True)):
            (self.home / "written").unlink(missing_ok=True)
            words, env = self.mutt(ALICE, f"set {option}=yes")
            (self.home / "text").write_text("Écrit par mutt.\n")
            with Terminal([*words, "-s", option, "-i", self.home / "text", BOB], env) as mutt:
                mutt.wait_for("y:Send")
                mutt.press("y")
                wait_for((self.home / "written").exists, CLIENT_S)
            (self.home / "box").write_bytes(b"")
            box = mailbox.mbox(self.home / "box")
            box.add((self.home / "written").read_bytes())
            box.flush()
            shown = self.run_it("show", "1", "--box", str(self.home / "box"))
            self.assertIn("Écrit par mutt.".encode(), shown)
            self.assertEqual(b"yes, all below, by alice" in shown, signature == "good", shown)
            self.assertEqual(b"encrypted for you" in shown, is_secret, shown)


if __name__ == "__main__":
    if not shutil.which("gpg"):
        skip_all("needs the program gpg")
    main()
