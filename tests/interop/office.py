# SPDX-License-Identifier: ISC
"""What the interop tests share: a post office of their own (`facteur demo` in a folder that is thrown
away, on free ports), its people, and how a test script closes. $FACTEUR names the program."""
import json
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from ports import free_port, free_port_base # noqa: F401: scripts take free_port from here

FACTEUR = os.path.abspath(os.environ.get("FACTEUR") or "build/src/tool/facteur")
START_S, STOP_S, CLIENT_S = 60, 60, 60
ALICE, BOB = "alice@example.test", "bob@example.test"


class Office:
    """Started on construction. `close` stops it and looks whether it complained."""

    def __init__(self, folder=None, config="", launcher=(), demo_words=()):
        self.is_ours = folder is None
        # Short: sockets live below it. Open: started by root, each role has a user of its own.
        self.folder = Path(folder or tempfile.mkdtemp(prefix="fo-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.log_path = Path(tempfile.mkstemp(prefix="fo-log-")[1])
        self.base, self.config, self.launcher = free_port_base(), config, list(launcher)
        self.demo_words = list(demo_words)
        self.server = None
        self.start("--port-base", str(self.base))
        if config:
            path = self.folder / "facteur.conf"
            path.write_text(path.read_text() + config)
            self.stop()
            self.start()
        self.people = dict(line.split()
                           for line in (self.folder / "credentials").read_text().splitlines())
        self.context = ssl.create_default_context(cafile=self.folder / "tls/chain.pem")

    # ---- the process

    def start(self, *words):
        self.log = open(self.log_path, "ab")
        self.server = subprocess.Popen(
            [*self.launcher, FACTEUR, "demo", "--dir", str(self.folder), *self.demo_words, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.server.stdout:
            if line == "ready\n":
                threading.Thread(target=self._drain, args=[self.server.stdout], daemon=True).start()
                return
        self.server.wait(STOP_S)
        raise RuntimeError("not ready: " + self.log_text()[-3000:])

    @staticmethod
    def _drain(stream):
        with stream:
            for _ in stream:
                pass

    def stop(self, how=signal.SIGINT):
        self.server.send_signal(how)
        code = self.server.wait(STOP_S)
        self.log.close()
        return code

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def close(self, may_fail=False):
        """Stops it; a sanitizer's complaint or a bad exit code is an error."""
        code = self.stop() if self.server.poll() is None else self.server.returncode
        text = self.log_text()
        if self.is_ours:
            shutil.rmtree(self.folder)
        self.log_path.unlink()
        complaint = re.search("ERROR: |runtime error", text)
        if complaint or (code != 0 and not may_fail):
            shown = text[max(complaint.start() - 1000, 0):][:6000] if complaint else text[-6000:]
            raise AssertionError(f"exit code {code}: {shown}")

    def processes(self, role=None):
        """{pid: role} of the children; of one role when it is named."""
        found = {}
        for entry in self.tool_data("status")["processes"]:
            if entry["pid"] and role in (None, entry["role"]):
                found[entry["pid"]] = entry["role"]
        return found

    def counter(self, role, name):
        """The sum over all processes of the role; None while one of them does not serve, or does not say."""
        status = self.tool_data("status")
        if any(row["state"] != "ready" for row in status["processes"] if row["role"] == role):
            return None
        return sum(row["value"] for row in status["counters"] if row["role"] == role and row["counter"] == name)

    def memory_kib(self, part="Pss", role=None, without=None):
        """Proportional set size of all its processes, the parent among them, or of those of one role, or of all but
        those; of a part of it: Pss_Anon is their own, Pss_File are pages of files, the view's among them, which the
        kernel takes back when it wants."""
        total = 0
        for pid, whose in self.processes(role).items():
            if whose == without:
                continue
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += int(re.search(rf"^{part}: +(\d+) kB", text, re.M)[1])
        return total

    # ---- clients

    def environment(self):
        return dict(os.environ, FACTEUR_CONFIG=str(self.folder / "facteur.conf"))

    def tool(self, *words, text="", code=0):
        done = subprocess.run([FACTEUR, *words], input=text, capture_output=True, text=True,
                              env=self.environment(), check=False, timeout=120)
        if done.returncode != code:
            raise AssertionError(f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def tool_data(self, *words):
        return json.loads(self.tool(*words, "--json"))

    def smtp(self, who=None, tls=True):
        """A client that is logged in when `who` is given; without, a stranger at port 25."""
        if who is None:
            return smtplib.SMTP("localhost", self.base + 25, timeout=CLIENT_S)
        client = smtplib.SMTP("localhost", self.base + 587, timeout=CLIENT_S)
        if tls:
            client.starttls(context=self.context)
        client.login(who, self.people[who])
        return client

    def send(self, subject="hello", to=ALICE, sender=BOB, body=b"Hello.\r\n"):
        head = f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n\r\n".encode()
        with self.smtp() as client:
            client.sendmail(sender, [to], head + body)

    def pop(self, who=ALICE):
        client = poplib.POP3_SSL("localhost", self.base + 995, context=self.context,
                                 timeout=CLIENT_S)
        client.user(who)
        client.pass_(self.people[who])
        return client

    def messages(self, who=ALICE):
        """All of an INBOX as the server sends it, oldest first."""
        client = self.pop(who)
        all_of_them = [b"\r\n".join(client.retr(number + 1)[1]) + b"\r\n"
                       for number in range(client.stat()[0])]
        client.quit()
        return all_of_them

    def find(self, subject, who=ALICE):
        """The one message with this subject."""
        found = [m for m in self.messages(who) if b"\r\nSubject: " + subject.encode() + b"\r\n" in m]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} messages have the subject {subject}")
        return found[0]


class OfficeCase(unittest.TestCase):
    """Tests of one office, started before the first and looked at after the last."""
    config = ""

    @classmethod
    def setUpClass(cls):
        cls.office = Office(config=cls.config)
        cls.addClassCleanup(cls.office.close)


class Listener:
    """A server of the test's own: `serve` speaks with each caller, in a thread of its own."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                stream = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=[stream], daemon=True).start()

    def close(self):
        self.socket.close()


class Lines:
    """A bare connection: what a person types into netcat, and what they see."""

    def __init__(self, port, address="127.0.0.1"):
        self.socket = socket.create_connection((address, port), timeout=CLIENT_S)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def put(self, data):
        self.socket.sendall(data)

    def line(self):
        return self.file.readline().decode(errors="replace").rstrip("\r\n")

    def reply(self):
        """The last line of an SMTP reply; "" when the peer has closed."""
        while True:
            line = self.line()
            if len(line) < 4 or line[3] != "-":
                return line

    def ask(self, text):
        self.put(text.encode() + b"\r\n")
        return self.reply()


def wait_for(what, seconds=60):
    """Until what() is true; what it returned."""
    late = time.monotonic() + seconds
    while True:
        result = what()
        if result or time.monotonic() > late:
            return result
        time.sleep(0.05)


def skip_all(why):
    print(f"skipped: {why}")
    sys.exit(77)


def main():
    result = unittest.main(argv=[sys.argv[0], *sys.argv[1:]], exit=False, verbosity=1,
                           warnings="ignore").result
    bad = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    for test, why in result.skipped:
        print(f"skipped {test}: {why}")
    print(f"{max(result.testsRun - bad - skipped, 0)} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)
