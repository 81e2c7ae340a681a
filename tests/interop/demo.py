#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur demo` from an empty folder, with Python's own mail clients, and every command of the tool
against the running server. $FACTEUR names the program."""
import json
import mailbox
import os
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
from email.message import EmailMessage
from pathlib import Path

FACTEUR = os.environ.get("FACTEUR") or "build/src/tool/facteur"
START_S, STOP_S = 60, 60


def free_port_base():
    """A base from which all six ports are free now."""
    for base in range(23000, 60000, 1000):
        try:
            for port in (24, 25, 110, 465, 587, 995):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + port))
            return base
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="facteur-demo-"))
        cls.base = free_port_base()
        cls.start("--port-base", str(cls.base))
        cls.context = ssl.create_default_context(cafile=cls.folder / "tls/chain.pem")

    @classmethod
    def start(cls, *words):
        cls.log = open(cls.folder.with_suffix(".log"), "ab")
        cls.server = subprocess.Popen([FACTEUR, "demo", "--dir", str(cls.folder), *words],
                                      stdout=subprocess.PIPE, stderr=cls.log, text=True,
                                      start_new_session=True)
        cls.said = []
        late = time.monotonic() + START_S
        for line in cls.server.stdout:
            cls.said.append(line.rstrip("\n"))
            if line == "ready\n":
                break
            if time.monotonic() > late:
                break
        if cls.said[-1:] != ["ready"]:
            raise RuntimeError("not ready: " + cls.folder.with_suffix(".log").read_text()[-2000:])
        cls.people = dict(line.split() for line in (cls.folder / "credentials").read_text().splitlines())

    @classmethod
    def stop(cls, how=signal.SIGINT):
        os.killpg(cls.server.pid, how)  # as a terminal does
        code = cls.server.wait(STOP_S)
        cls.server.stdout.close()
        cls.log.close()
        return code

    @classmethod
    def tearDownClass(cls):
        code = cls.stop()
        text = cls.folder.with_suffix(".log").read_text()
        shutil.rmtree(cls.folder)
        cls.folder.with_suffix(".log").unlink()
        assert code == 0, f"exit code {code}: {text[-2000:]}"
        assert "event=role_died" not in text, text[-4000:]
        assert "ERROR: " not in text and "runtime error" not in text, text[-4000:]

    def run_tool(self, *words, text=None, code=0):
        environment = dict(os.environ, FACTEUR_CONFIG=str(self.folder / "facteur.conf"))
        done = subprocess.run([FACTEUR, *words], input=text or "", capture_output=True, text=True,
                              env=environment, check=False, timeout=90)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def data(self, *words):
        return json.loads(self.run_tool(*words, "--json"))

    def pop(self, who):
        client = poplib.POP3_SSL("localhost", self.base + 995, context=self.context, timeout=30)
        client.user(who)
        client.pass_(self.people[who])
        return client

    def submit(self, subject, to="bob@example.test", text="Bonjour, été.\n"):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "alice@example.test", to, subject
        message.set_content(text)
        with smtplib.SMTP("localhost", self.base + 587, timeout=30) as client:
            client.starttls(context=self.context)
            client.login("alice@example.test", self.people["alice@example.test"])
            client.send_message(message)

    def test_credentials_are_private(self):
        self.assertEqual((self.folder / "credentials").stat().st_mode & 0o777, 0o600)
        self.assertEqual(sorted(self.people), ["alice@example.test", "bob@example.test"])

    def test_the_welcome_message_is_there(self):
        client = self.pop("alice@example.test")
        text = b"\n".join(client.retr(1)[1])
        client.quit()
        self.assertIn(b"Subject: Your post office is open", text)

    def test_a_submitted_message_reaches_the_other(self):
        self.submit("submitted")
        client = self.pop("bob@example.test")
        count = client.stat()[0]
        text = b"\n".join(b"\n".join(client.retr(i + 1)[1]) for i in range(count))
        client.quit()
        self.assertIn(b"Subject: submitted", text)

    def test_a_wrong_password_is_refused(self):
        client = poplib.POP3_SSL("localhost", self.base + 995, context=self.context, timeout=30)
        client.user("alice@example.test")
        with self.assertRaises(poplib.error_proto):
            client.pass_("wrong")
        client.close()

    def test_status_names_every_role_and_port(self):
        status = self.data("status")
        self.assertLessEqual(
            {"parent", "smtp", "access", "auth", "route", "deliver", "store"},
            {p["role"] for p in status["processes"]})
        self.assertEqual({p["state"] for p in status["processes"]}, {"ready"})
        self.assertIn({"service": "smtp", "address": f"127.0.0.1:{self.base + 25}"},
                      status["listeners"])

    def test_check_finds_all_well(self):
        checked = self.data("check")
        self.assertEqual(checked["findings"], [])
        self.assertGreater(checked["messages"], 0)

    def test_a_new_account_works_at_once_and_a_removed_one_no_more(self):
        self.run_tool("user", "add", "carol@example.test", "--password-stdin", text="carols own\n")
        self.people = dict(self.people, **{"carol@example.test": "carols own"})
        self.submit("to carol", to="carol@example.test")
        client = self.pop("carol@example.test")
        self.assertEqual(client.stat()[0], 1)
        client.quit()
        self.run_tool("user", "remove", "carol@example.test")
        with self.assertRaises(poplib.error_proto):
            self.pop("carol@example.test")
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.submit("too late", to="carol@example.test")
        self.assertNotIn("carol@example.test",
                         [m["account"] for m in self.data("mailbox", "list")["mailboxes"]])

    def test_import_and_export_keep_order_content_and_flags(self):
        source = mailbox.mbox(self.folder / "in.mbox")
        for number in range(40):
            message = mailbox.mboxMessage(f"Subject: {number}\n\nFrom {number}\n>From x\n".encode()
                                          + b"y" * 70000 * (number == 7) + b"\n")
            message.set_flags("R" if number % 2 else "")
            source.add(message)
        source.close()
        into = ("import", "alice@example.test", str(self.folder / "in.mbox"), "--mailbox", "Old")
        self.assertEqual(self.data(*into)["imported"], 40)
        again = self.data(*into)
        self.assertEqual((again["imported"], again["already_there"]), (0, 40))
        shown = self.data("mailbox", "show", "alice@example.test", "Old")["messages"]
        self.assertEqual([m["flags"] for m in shown[:2]], [[], ["\\Seen"]])
        self.run_tool("export", "alice@example.test", str(self.folder / "out.mbox"), "--mailbox", "Old")
        out = [m.as_bytes() for m in mailbox.mbox(self.folder / "out.mbox")]
        self.assertEqual(out, [m.as_bytes() for m in mailbox.mbox(self.folder / "in.mbox")])
        self.run_tool("export", "alice@example.test", str(self.folder / "out.mbox"), code=73)
        self.run_tool("export", "alice@example.test", str(self.folder / "md"), "--mailbox", "Old",
                      "--format", "maildir")
        self.assertEqual(len(mailbox.Maildir(self.folder / "md")), 40)

    def test_a_wrong_reload_changes_nothing(self):
        path = self.folder / "facteur.conf"
        good = path.read_text()
        path.write_text(good + "recipients_max = many\n")
        try:
            done = subprocess.run([FACTEUR, "reload", "--config", str(path)], capture_output=True,
                                  text=True, check=False, timeout=60)
            self.assertEqual(done.returncode, 78)
            self.assertIn("recipients_max: expected a number", done.stderr)
        finally:
            path.write_text(good)
        self.run_tool("reload")
        self.submit("after the reload")

    def test_a_reload_says_what_needs_a_restart(self):
        path = self.folder / "facteur.conf"
        good = path.read_text()

        def reload(more):
            path.write_text(good + more)
            return subprocess.run([FACTEUR, "reload", "--config", str(path)], capture_output=True, text=True, check=True, timeout=60).stderr

        try:
            self.assertNotIn("restart", reload("recipients_max = 277\n"))
            for _ in range(2):  # as long as it is so
                self.assertIn("after a restart: processes, local_submission\n", reload("recipients_max = 277\nprocesses = 3\nlocal_submission = no\n"))
        finally:
            self.assertNotIn("restart", reload(""))

    def test_a_reload_says_what_the_next_start_would_stumble_over(self):
        path = self.folder / "facteur.conf"
        good = path.read_text()

        def reload(more):
            path.write_text(good + more)
            return subprocess.run([FACTEUR, "reload", "--config", str(path)], capture_output=True, text=True, check=True, timeout=60).stderr

        try:
            said = reload('dns_recursive = yes\ndns_root_hints = "/nowhere/hints"\nsend_as = {"nobody.here@example.test *"}\n')
            self.assertIn("root hints", said)
            self.assertIn("would not start with this", said)
            self.assertIn("send_as: there is no account nobody.here@example.test", said)
        finally:
            self.assertNotIn("start", reload(""))

    def test_occupied_ports_are_named(self):
        other = Path(tempfile.mkdtemp(prefix="facteur-demo-"))
        done = subprocess.run([FACTEUR, "demo", "--dir", str(other), "--port-base", str(self.base)],
                              capture_output=True, text=True, check=False, timeout=60)
        shutil.rmtree(other)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.base + 25), done.stderr)

    def test_z_a_second_start_finds_everything_as_it_was(self):
        before = self.data("mailbox", "list"), (self.folder / "credentials").read_text()
        self.assertEqual(self.stop(), 0)
        self.start()
        self.assertEqual((self.data("mailbox", "list"), (self.folder / "credentials").read_text()),
                         before)
        self.run_tool("stop")
        self.assertEqual(self.server.wait(STOP_S), 0)
        self.run_tool("status", code=69)
        self.server.stdout.close()
        self.start()


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1, warnings="ignore").result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad, 0)} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)
