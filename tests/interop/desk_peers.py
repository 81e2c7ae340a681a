#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The writing desk against Debian's Postfix (submission, SASL by Dovecot) and Dovecot (IMAP, POP3 on one
Maildir), as somebody's mail provider has them. Needs root: they run under several users."""
import email
import email.policy
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

import dovecot
from office import CLIENT_S, FACTEUR, free_port_base, main, skip_all, wait_for
from peers import postfix_begin, postfix_end
from terminal import Screen

ALICE, BOB, PASSWORD = "alice@peer.test", "bob@peer.test", "püssword with blanks"
REFUSED = 69


class Provider:
    capability = None # of IMAP; None: all that it has

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fp-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.base = free_port_base()
        self.mail, self.etc = self.folder / "mail", self.folder / "etc"
        for path in (self.mail, self.etc, self.folder / "queue", self.folder / "lib", self.folder / "queue/private"):
            path.mkdir()
        shutil.chown(self.mail, "mail", "mail")
        shutil.chown(self.folder / "lib", "postfix")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        self.folder / "key.pem", "-out", self.folder / "cert.pem"],
                       check=True, capture_output=True)
        self.start_dovecot()
        self.start_postfix()

    def people(self):
        """Passwords by name."""
        return dict.fromkeys((ALICE, BOB), PASSWORD)

    def start_dovecot(self):
        (self.folder / "people").write_text("".join(f"{who}:{{PLAIN}}{word}::::::\n" for who, word in self.people().items()))
        ports = {"imap": self.base + 143, "imaps": self.base + 993, "pop3": self.base + 110, "pop3s": self.base + 995}
        dovecot.write(self.folder, ports, auth_socket=self.folder / "queue/private/auth", capability=self.capability)
        self.dovecot = dovecot.start(self.folder)
        self.wait(self.base + 993)

    def start_postfix(self):
        user = pwd.getpwnam("mail")
        boxes = ", ".join(f"{{{who} = {who}/}}" for who in (ALICE, BOB))
        postfix_begin(self.folder, f"""127.0.0.1:{self.base + 587} inet n - n - - smtpd
127.0.0.1:{self.base + 465} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
""", f"""virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_auth_only = yes
smtpd_tls_security_level = encrypt
""")
        self.wait(self.base + 465)

    @staticmethod
    def wait(port):
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        assert wait_for(listens), port

    def close(self):
        postfix_end(self.etc)
        self.dovecot.send_signal(signal.SIGTERM)
        self.dovecot.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


class Peers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.temporary = tempfile.TemporaryDirectory(prefix="fd-")
        cls.home = Path(cls.temporary.name)
        base = cls.provider.base
        for name, who, incoming, outgoing in (
                ("alice", ALICE, f"imaps://localhost:{base + 993}", f"smtps://localhost:{base + 465}"),
                ("bob", BOB, f"imap://localhost:{base + 143}", f"smtp://localhost:{base + 587}"),
                ("pop", BOB, f"pop3s://localhost:{base + 995}", f"smtps://localhost:{base + 465}"),
                ("stls", BOB, f"pop3://localhost:{base + 110}", f"smtps://localhost:{base + 465}")):
            cls.run_it("account", "add", who, "--as", name, "--incoming", incoming, "--outgoing", outgoing,
                       "--trust", str(cls.provider.folder / "cert.pem"), "--password-stdin", text=PASSWORD + "\n")

    @classmethod
    def tearDownClass(cls):
        cls.provider.close()
        cls.temporary.cleanup()

    @classmethod
    def run_it(cls, *words, text="", code=0):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        environment.update(HOME=str(cls.home), LANG="C.UTF-8")
        done = subprocess.run([FACTEUR, *words], input=text.encode(), capture_output=True, env=environment,
                              cwd=cls.home, check=False, timeout=CLIENT_S)
        cls.said = done.stderr.decode(errors="replace")
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode}: {done.stdout.decode()}{cls.said}")
        return done.stdout

    def send(self, subject, to, account, *words, text="Hello.\n", code=0):
        self.run_it("send", "-s", subject, "--account", account, to, *words, text=text, code=code)

    def find(self, subject, *place):
        """The message's id, when it has come."""
        def look():
            rows = json.loads(self.run_it("list", "--last", "0", *place, "--json"))["messages"]
            return [str(m["id"]) for m in rows if m["subject"] == subject]
        found = wait_for(look, 30)
        self.assertEqual(len(found), 1, subject)
        return found[0]

    def test_a_message_goes_there_and_its_answer_back(self):
        (self.home / "octets.bin").write_bytes(bytes(range(256)) * 500)
        self.send("Grüße", f"Bob <{BOB}>", "alice", "-a", "octets.bin", text="Salut Gérard\n.\n..\n")
        mark = self.find("Grüße", "--account", "bob")
        shown = json.loads(self.run_it("show", mark, "--account", "bob", "--json"))
        self.assertEqual(shown["text"], "Salut Gérard\n.\n..\n")
        (self.home / "saved").mkdir()
        self.run_it("save", mark, "--to", "saved", "--account", "bob")
        self.assertEqual((self.home / "saved/octets.bin").read_bytes(), bytes(range(256)) * 500)
        self.run_it("reply", mark, "--account", "bob", text="Merci\n")
        answer = self.run_it("show", self.find("Re: Grüße", "--account", "alice"), "--raw", "--account", "alice")
        letter = email.message_from_bytes(answer, policy=email.policy.default)
        self.assertEqual(letter["In-Reply-To"], shown["message_id"])
        self.find("Grüße", "--account", "alice", "--folder", "Sent")

    def test_flags_moves_and_searches_are_the_servers(self):
        self.send("flags", BOB, "alice")
        mark = self.find("flags", "--account", "bob")
        self.run_it("flag", mark, "--add", "flagged,seen", "--account", "bob")
        rows = json.loads(self.run_it("search", "flags", "--in", "subject", "--account", "bob", "--json"))["messages"]
        self.assertEqual([(m["flagged"], m["seen"]) for m in rows], [(True, True)])
        self.run_it("move", mark, "--to", "Été", "--account", "bob")
        mark = self.find("flags", "--account", "bob", "--folder", "Été")
        self.run_it("delete", mark, "--account", "bob", "--folder", "Été")
        rows = json.loads(self.run_it("list", "--account", "bob", "--folder", "Été", "--json"))["messages"]
        self.assertEqual(rows, [])

    def test_the_terminal_client_reads_moves_and_brings_back(self):
        for subject in ("on the screen", "moved there"):
            self.send(subject, ALICE, "bob")
            self.find(subject, "--account", "alice")
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env.update(HOME=str(self.home), LANG="C.UTF-8", TZ="UTC")
        with Screen([FACTEUR, "mail", "--account", "alice"], env, 30, 120) as screen:
            screen.wait_until(lambda s: "on the screen" in s and "moved there" in s, "the list")
            screen.wait_for("stls")
            screen.press("/moved\r")
            screen.wait_without("on the screen")
            screen.press("s\x15Été\r")
            screen.wait_for("moved to Été")
            self.find("moved there", "--account", "alice", "--folder", "Été")
            screen.press("u\x1b")
            screen.wait_for("on the screen")
            screen.wait_for("moved there")
            self.assertTrue(wait_for(lambda: json.loads(self.run_it(
                "list", "--account", "alice", "--folder", "Été", "--json"))["messages"] == []))
            self.send("comes by itself", ALICE, "bob")
            screen.wait_for("comes by itself")
            screen.press("/screen\r")
            screen.wait_without("moved there")
            screen.press("\r")
            screen.wait_for("Hello.")
            screen.press("q\x1b")
            screen.wait_for("moved there")

    def test_the_terminal_client_reads_a_maildrop(self):
        self.send("in the drop", BOB, "alice")
        self.find("in the drop", "--account", "pop")
        env = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        env.update(HOME=str(self.home), LANG="C.UTF-8", TZ="UTC")
        with Screen([FACTEUR, "mail", "--account", "pop"], env, 30, 120) as screen:
            screen.wait_for("in the drop")
            screen.press("\r")
            screen.wait_for("Hello.")
            screen.press("qd$")
            screen.wait_for("for good? (y/n)")
            screen.press("y")
            screen.wait_without("in the drop")

    def test_pop3_fetches_only_what_is_new_and_deletes(self):
        for account in ("pop", "stls"):
            self.send("fetch " + account, BOB, "alice")
            self.find("fetch " + account, "--account", account)
            self.run_it("fetch", account, "--to", account + ".mbox")
            self.assertEqual(self.run_it("fetch", account, "--to", account + ".mbox"), b"")
            self.find("fetch " + account, "--box", account + ".mbox")
            self.run_it("delete", self.find("fetch " + account, "--account", account), "--account", account)

    def test_who_does_not_exist_is_refused(self):
        self.send("nobody", "nobody@peer.test", "alice", code=REFUSED)
        self.assertIn("550", self.said)

    def test_many_messages_come_whole(self):
        texts = {f"number {n}": "x" * (n * 997) + "\n.\nFrom me\n" for n in range(30)}
        for subject, text in texts.items():
            self.send(subject, ALICE, "bob", text=text)
        self.find("number 29", "--account", "alice")
        wait_for(lambda: len([m for m in json.loads(self.run_it("list", "--account", "alice", "--json"))["messages"]
                              if m["subject"] in texts]) == 30)
        self.run_it("fetch", "alice", "--to", "all/", "--quiet")
        for subject, text in texts.items():
            shown = json.loads(self.run_it("show", self.find(subject, "--box", "all"), "--box", "all", "--json"))
            self.assertEqual(shown["text"], text)


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("postfix") or not shutil.which("dovecot"):
        skip_all("needs root, Postfix and Dovecot")
    main()
