# SPDX-License-Identifier: ISC
"""Two people who write to each other with the commands of the writing desk: Alice and Bob of the
office, with one home on this machine, where both have an account."""
import json
import os
import subprocess
import tempfile
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, OfficeCase


class Correspondents(OfficeCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fd-")
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name)
        self.config = self.home / ".config/facteur"
        self.said = ""
        for name, who in (("alice", ALICE), ("bob", BOB)):
            self.add_account(name, who, *self.account_words(who))

    def account_words(self, who):
        """More words for `facteur account add`."""
        return ()

    def add_account(self, name, who, *words):
        self.run_it("account", "add", who, "--as", name, "--incoming", f"imaps://localhost:{self.office.base + 993}",
                    "--outgoing", f"smtps://localhost:{self.office.base + 465}",
                    "--trust", str(self.office.folder / "tls/chain.pem"), "--password-stdin", "--untested", *words,
                    text=self.office.people[who] + "\n")

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "GNUPGHOME", "GPG_"))}
        kept.update(HOME=str(self.home), LANG="C.UTF-8")
        return kept

    def run_it(self, *words, text="", code=0, more=None):
        environment = {**self.environment(), **(more or {})}
        done = subprocess.run([FACTEUR, *words], input=text.encode(), capture_output=True, env=environment,
                              cwd=self.home, check=False, timeout=CLIENT_S)
        self.said = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, done.stdout.decode(errors="replace") + self.said)
        return done.stdout

    def send(self, subject, *words, text="Déjà vu.\n", code=0, sender="alice", to=BOB):
        return self.run_it("send", "-s", subject, "--account", sender, to, *words, text=text, code=code)

    def find(self, subject, account="bob", folder="INBOX"):
        rows = json.loads(self.run_it("list", "--last", "0", "--account", account, "--folder", folder,
                                      "--json"))["messages"]
        found = [str(m["id"]) for m in rows if m["subject"] == subject]
        self.assertEqual(len(found), 1, rows)
        return found[0]

    def show(self, subject, account="bob", folder="INBOX"):
        mark = self.find(subject, account, folder)
        return json.loads(self.run_it("show", mark, "--account", account, "--folder", folder, "--json")), mark

    def deliver(self, message, subject, sender=ALICE, to=BOB):
        """By SMTP, from elsewhere: `message` is what stands below the fields that are put here."""
        head = f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n".encode()
        with self.office.smtp() as client:
            client.sendmail(sender, [to], head + b"\r\n".join(message.splitlines()) + b"\r\n")
