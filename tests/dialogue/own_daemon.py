# SPDX-License-Identifier: ISC
"""A Facteur of our own for dialogues: in a folder that is thrown away, on ports that are free, with the
people whom the dialogues speak of, and started anew for each set of settings."""
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from daemon_world import PORTS, TIMEOUT_S, DaemonWorld
from people import LINES, PASSWORD, PEOPLE, WITH_APOP, config_lines

sys.path.append(str(Path(__file__).resolve().parent.parent / "interop"))
from ports import free_port_base # noqa: E402

START_TIMEOUT_S = 60

class OwnDaemonWorld(DaemonWorld):
    def __init__(self, program):
        # Short: sockets live below it.
        super().__init__(tempfile.mkdtemp(prefix="facteur-", dir="/tmp"), free_port_base())
        # Started by root, each role has a user of its own that must reach its part.
        self.folder.chmod(0o755)
        self.program, self.process, self.running = program, None, None
        self.log = open(self.folder / "log", "ab")
        try:
            self.start(["demo", "--dir", str(self.folder), "--port-base", str(self.port_base)])
            self.stop()
            self.add_people()
            self.original = (self.folder / "facteur.conf").read_text()
        except BaseException:
            self.finish_all(is_failed=True)
            raise

    # ---- the process

    def start(self, arguments):
        self.process = subprocess.Popen([self.program, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        end = time.monotonic() + START_TIMEOUT_S
        while not self.is_open():
            if self.process.poll() is not None or time.monotonic() > end:
                raise OSError("facteur did not start; the end of its log:\n" + self.log_end())
            time.sleep(0.05)

    def is_open(self):
        """All services greet, and with what was to be expected."""
        for service in PORTS:
            try:
                with socket.create_connection(("127.0.0.1", self.port_base + PORTS[service]),
                                              TIMEOUT_S) as probe:
                    probe.settimeout(TIMEOUT_S)
                    if not service.endswith("s") and probe.recv(3) not in (b"220", b"+OK", b"* O"):
                        return False
            except OSError:
                return False
        return True

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=START_TIMEOUT_S)
        self.process = None

    def log_end(self):
        text = (self.folder / "log").read_text(errors="replace")
        return "\n".join("# " + line for line in text.splitlines()[-30:])

    # ---- people and settings

    def tool(self, *arguments, stdin=""):
        done = subprocess.run([self.program, *arguments, "--config",
                               str(self.folder / "facteur.conf")],
                              input=stdin.encode(), capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise OSError(f"facteur {' '.join(arguments)}: {done.stderr.decode()}")

    def add_people(self):
        for domain in sorted({address.split("@")[1] for address in PEOPLE}):
            self.tool("domain", "add", domain)
        for address, full_name in PEOPLE.items():
            more = ["--apop"] if address in WITH_APOP else []
            self.tool("user", "add", address, "--password-stdin", "--full-name", full_name, *more,
                      stdin=PASSWORD + "\n")
        with open(self.folder / "data/directory/accounts", "a", encoding="utf-8") as accounts:
            accounts.write(LINES)

    def password(self, user):
        return PASSWORD if user in PEOPLE else super().password(user)

    def begin(self, dialogue):
        lines, reason = config_lines(dialogue)
        if reason:
            return reason
        if lines != self.running or self.process.poll() is not None:
            self.stop()
            self.configure(lines)
            self.start(["serve", "--config", str(self.folder / "facteur.conf")])
            self.running = lines
        return None

    def configure(self, lines):
        text = self.original
        for line in lines:
            name = line.split(" ")[0]
            text = re.sub(rf"^{name} *=.*\n", "", text, flags=re.M) + line + "\n"
        (self.folder / "facteur.conf").write_text(text)

    def finish_all(self, is_failed):
        self.stop()
        self.log.close()
        if is_failed:
            print(self.log_end())
        shutil.rmtree(self.folder)
