#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""As whom users may send who have logged in (options submission_senders and send_as): swaks, curl and mutt send as
themselves and as others; programs that may; those who do not log in; and what is said while nobody can tell."""
import os
import re
import signal
import smtplib
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from office import ALICE, BOB, OfficeCase, main, wait_for

CAROL = "carol@example.test"
REFUSED_MAIL, REFUSED_DATA = 23, 26 # exit codes of swaks


class Senders(OfficeCase):
    config = ('subaddress_separator = "+"\ntables = {"team file /etc/facteur-no-such-table"}\n'
              'rewrite = {"boss@pc.example.test alice@example.test"}\n')

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-senders-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.rows = cls.folder / "rows"
        cls.rows.write_text("desk@example.test alice@example.test\nnight@example.test bob@example.test\n")
        cls.config = cls.config.replace("/etc/facteur-no-such-table", str(cls.rows)) + 'alias_tables = {"team"}\n'
        super().setUpClass()
        cls.office.tool("alias", "add", "info@example.test", ALICE, BOB)
        cls.office.tool("alias", "add", "--list", "crew@example.test", ALICE, BOB)
        cls.plain = (cls.office.folder / "facteur.conf").read_text()

    @classmethod
    def tearDownClass(cls):
        cls.rows.unlink()
        cls.folder.rmdir()

    def configure(self, text):
        (self.office.folder / "facteur.conf").write_text(self.plain + text)
        self.addCleanup(self.restore)
        self.office.tool("reload")

    def restore(self):
        (self.office.folder / "facteur.conf").write_text(self.plain)
        self.office.tool("reload")

    def swaks(self, subject, sender=ALICE, author=ALICE, who=ALICE, head=(), to=BOB, code=0):
        words = ["swaks", "--server", f"127.0.0.1:{self.office.base + 587}", "--tls", "--auth", "PLAIN", "--auth-user",
                 who, "--auth-password", self.office.people[who], "--from", sender, "--to", to, "--h-From", author,
                 "--h-Subject", subject]
        for line in head:
            words += ["--add-header", line]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    # ---- himself

    def test_all_names_of_a_user_are_his(self):
        own = (ALICE, "Alice@Example.TEST", "alice+bills@example.test", "info@example.test", "desk@example.test",
               "boss@pc.example.test")
        for number, name in enumerate(own):
            self.swaks(f"own {number}", sender=name, author=f"Alice <{name}>")
            self.swaks(f"other way {number}", author=f"Alice <{name}>", head=[f"Sender: {ALICE}"])
            self.assertIn(b"Subject: own", self.office.find(f"own {number}", BOB))
        self.swaks("bounce", sender="<>", author=ALICE)

    def test_names_of_others_are_not(self):
        """The same words, whether there is somebody of that name or not."""
        texts = set()
        for name in (BOB, "nobody@example.test", "crew@example.test", "night@example.test", "someone@elsewhere.test"):
            said = self.swaks("foreign envelope", sender=name, code=REFUSED_MAIL)
            self.assertIn(f"553 5.7.1 <{name}> is not yours", said)
            texts.add(re.search(r"553 .*", said)[0].replace(name, "NAME"))
            said = self.swaks("foreign author", author=f"Chief <{name}>", code=REFUSED_DATA)
            self.assertIn(f"550 5.7.1 From: or Sender: <{name}> is not yours", said)
            self.swaks("foreign sender", head=[f"Sender: {name}"], code=REFUSED_DATA)
            self.swaks("foreign null", sender="<>", author=name, code=REFUSED_DATA)
            self.swaks("foreign second", author=f"{ALICE}, {name}", code=REFUSED_DATA)
            if name.endswith("@example.test"):
                self.swaks("foreign resent", author=name, head=[f"Resent-From: {ALICE}"], code=REFUSED_DATA)
        self.assertEqual(len(texts), 1, texts)
        for mail in self.office.messages(BOB):
            self.assertNotIn(b"\r\nSubject: foreign", mail)
        self.assertRegex(self.office.log_text(), rf"event=sender_refused .*user={ALICE} where=mail_from address={BOB}")
        self.assertRegex(self.office.log_text(), rf"event=sender_refused .*user={ALICE} where=message address={BOB}")

    def test_curl_is_told(self):
        letter = self.folder / "letter"
        letter.write_text(f"From: {BOB}\r\nSubject: curl forged\r\n\r\nx\r\n")
        self.addCleanup(letter.unlink)
        for sender, code in ((BOB, 55), (ALICE, 8)):
            done = subprocess.run(["curl", "-sS", "-v", f"smtps://localhost:{self.office.base + 465}", "--cacert",
                                   self.office.folder / "tls/chain.pem", "-u", f"{ALICE}:{self.office.people[ALICE]}",
                                   "--mail-from", sender, "--mail-rcpt", BOB, "-T", letter], capture_output=True, text=True,
                                  check=False, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertRegex(done.stderr, f"< 55[03] 5.7.1 .*<{BOB}> is not yours to send as")

    def test_what_strangers_wrote_may_be_sent_on(self):
        stranger = "someone@elsewhere.test"
        for number, resender in enumerate((ALICE, "info@example.test", f"Alice <{ALICE}>, alice+x@example.test")):
            self.swaks(f"sent on {number}", author=stranger, head=[f"Resent-From: {resender}", f"Resent-From: {BOB}"])
            self.assertIn(f"From: {stranger}".encode(), self.office.find(f"sent on {number}", BOB))
        for resender in (BOB, stranger, "alice", f"{ALICE}, {BOB}"):
            said = self.swaks("foreign sent on", author=stranger, head=[f"Resent-From: {resender}", f"Resent-From: {ALICE}"],
                              code=REFUSED_DATA)
            self.assertRegex(said, "550 5.7.1 .* is not yours to send as")
        self.swaks("foreign sent on", author=f"{stranger}, {BOB}", head=[f"Resent-From: {ALICE}"], code=REFUSED_DATA)

    # ---- mutt

    def mutt(self, *words, author=ALICE, text="Hello.\n", keys=""):
        settings = {"smtp_url": f"smtp://{ALICE.replace('@', '%40')}@localhost:{self.office.base + 587}/",
                    "smtp_pass": self.office.people[ALICE], "smtp_authenticators": "plain", "ssl_force_tls": "yes",
                    "ssl_starttls": "yes", "ssl_ca_certificates_file": self.office.folder / "tls/chain.pem",
                    "ssl_verify_host": "no", "from": author, "use_envelope_from": "yes", "copy": "no", "record": "",
                    "header_cache": "", "confirmappend": "no", "certificate_file": self.office.folder / "tls/chain.pem"}
        rc = self.folder / "muttrc"
        rc.write_text("".join(f'set {name}="{value}"\n' for name, value in settings.items()))
        self.addCleanup(rc.unlink, missing_ok=True)
        return subprocess.run(["mutt", "-n", "-F", rc, *words], input=text, capture_output=True, text=True, check=False,
                              timeout=60, env=dict(os.environ, HOME=str(self.folder), TERM="xterm"))

    def test_mutt_sends_as_its_user_only(self):
        done = self.mutt("-s", "mutt own", BOB)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.office.find("mutt own", BOB)
        done = self.mutt("-s", "mutt forged", BOB, author=BOB)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("553 5.7.1", done.stderr + done.stdout)

    # ---- what an operator may say

    def test_programs_send_as_whom_they_may(self):
        self.configure(f'send_as = {{"{ALICE} @shop.test", "{ALICE} crew@example.test"}}\n')
        self.swaks("for the shop", sender="orders@shop.test", author="Shop <news@shop.test>")
        self.swaks("for the crew", author="crew@example.test")
        self.swaks("not this", sender=BOB, code=REFUSED_MAIL)
        self.swaks("not him", sender="orders@shop.test", who=BOB, code=REFUSED_MAIL)
        self.configure(f'send_as = {{"{ALICE} *"}}\n')
        self.swaks("for all", sender="x@elsewhere.test", author=BOB)
        self.assertEqual(len([m for m in self.office.messages(BOB) if b"\r\nSubject: for " in m]), 3)
        for bad in ("x", f"{ALICE}", f"{ALICE} x", f"{ALICE} x@y z"):
            (self.office.folder / "facteur.conf").write_text(self.plain + f'send_as = {{"{bad}"}}\n')
            with self.assertRaisesRegex(AssertionError, "send_as: expected entries"):
                self.office.tool("config", "check")

    def test_the_envelope_alone_may_be_looked_at(self):
        self.configure('submission_senders = envelope\n')
        self.swaks("resent", author="someone@elsewhere.test", head=[f"Resent-From: {ALICE}"])
        self.swaks("not his", sender=BOB, code=REFUSED_MAIL)

    def test_or_nothing(self):
        self.configure('submission_senders = any\n')
        self.swaks("as anybody", sender="someone@elsewhere.test", author=BOB, head=["Sender: nobody@example.test"])

    # ---- who does not log in

    def test_users_of_this_machine_and_strangers_are_not_asked(self):
        letter = self.folder / "letter"
        letter.write_text("From: www@shop.test\r\nSubject: of a program\r\n\r\nx\r\n")
        self.addCleanup(letter.unlink)
        subprocess.run(["curl", "-sS", "--unix-socket", self.office.folder / "run/submit", "smtp://localhost/www",
                        "--mail-from", "www@shop.test", "--mail-rcpt", BOB, "-T", letter], check=True, timeout=60)
        self.office.send("of a stranger", to=BOB, sender="someone@elsewhere.test")
        for subject in ("of a program", "of a stranger"):
            self.office.find(subject, BOB)

    # ---- while nobody can tell

    def test_while_route_is_gone_it_is_put_off(self):
        route, = self.office.processes("route")
        with self.office.smtp(ALICE) as client:
            client.ehlo()
            os.kill(route, signal.SIGSTOP)
            killer = threading.Timer(1, os.kill, [route, signal.SIGKILL])
            killer.start()
            self.assertEqual(client.mail("info@example.test")[0], 451)
            killer.join()
            wait_for(lambda: client.mail("info@example.test")[0] == 250)
            self.assertEqual(client.rcpt(BOB)[0], 250)
            route, = wait_for(lambda: self.office.processes("route"))
            os.kill(route, signal.SIGSTOP)
            killer = threading.Timer(1, os.kill, [route, signal.SIGKILL])
            killer.start()
            self.assertEqual(client.data("From: desk@example.test\r\nSubject: put off\r\n\r\n.\r\n")[0], 451)
            killer.join()
            wait_for(lambda: client.mail("info@example.test")[0] == 250)
            client.rcpt(BOB)
            self.assertEqual(client.data("From: desk@example.test\r\nSubject: put off\r\n\r\n.\r\n")[0], 250)
        self.office.find("put off", BOB)


if __name__ == "__main__":
    main()
