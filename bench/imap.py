#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures IMAP beside Debian's Dovecot (Maildir), by daemons of its own on loopback, in the clear.

usage: bench/imap.py --facteur PROGRAM [--messages N] [--sessions N] [--only facteur|dovecot]

Fills a mailbox with N messages of 2.6 KiB (20,000 unless told) and does with it what clients do,
once on each server. Costs are CPU of all processes of the server, for each message of the mailbox
or each command; SELECT is what the client waits for. Every answer is checked. Prints a table.
Needs root: Dovecot runs under several users.
"""
import argparse
import multiprocessing
import os
import pwd
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import cpu_ns, cpu_seconds, pss_kib, rest, wait_for_port

FACTEUR_BASE = int(os.environ.get("BENCH_PORT_BASE", "25000"))
DOVECOT_PORT = FACTEUR_BASE + 1143
PASSWORD = "bench-password"
WORDS = """mail letter server answer question river mountain bread window table paper garden summer winter
house street market bridge forest island harbour captain teacher doctor singer painter writer reader""".split()


# ---- the mailbox --------------------------------------------------------------------------------

def message(number, chance):
    """2.6 KiB; every fourth begins a thread that the three after it answer."""
    first = number - number % 4
    subject = f"{chance.choice(WORDS)} and {chance.choice(WORDS)} {first}"
    answers = "" if number == first else (
        f"In-Reply-To: <{number - 1}@bench.test>\nReferences: "
        + " ".join(f"<{n}@bench.test>" for n in range(first, number)) + "\n")
    minute = number % 60
    hour = number // 60 % 24
    day = 1 + number // 1440 % 28
    head = (f"Return-Path: <ann{number % 97}@bench.test>\nReceived: from mx.bench.test by mail.bench.test; "
            f"{day} Jan 2024 {hour:02}:{minute:02}:00 +0000\nFrom: Ann {number % 97} <ann{number % 97}@bench.test>\n"
            f"To: Bob <bob@bench.test>, Carl <carl@bench.test>\nSubject: {'' if number == first else 'Re: '}{subject}\n"
            f"Message-ID: <{number}@bench.test>\n{answers}Date: {day} Jan 2024 {hour:02}:{minute:02}:00 +0000\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n")
    body = []
    size = len(head)
    while size < 2600:
        line = " ".join(chance.choice(WORDS) for _ in range(10))
        body.append(line)
        size += len(line) + 1
    return head + "\n".join(body) + "\n"


# ---- the client ---------------------------------------------------------------------------------

class Client:
    def __init__(self, port, user, password, is_secure=False, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), 300, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.count = 0
        self.until(b"* OK")
        self.ask(f'LOGIN {user} "{password}"')

    def until(self, begin):
        """Reads up to a line that begins so."""
        pieces, tail = [], b""
        while not (tail.endswith(b"\r\n") and tail[tail[:-2].rfind(b"\n") + 1:].startswith(begin)):
            piece = self.socket.recv(1 << 20)
            if not piece:
                sys.exit("bench: the connection ended")
            pieces.append(piece)
            tail = (tail + piece)[-4000:]
        return b"".join(pieces)

    def ask(self, command, literal=b""):
        self.count += 1
        tag = f"a{self.count} ".encode()
        self.socket.sendall(tag + command.encode() + literal + b"\r\n")
        answer = self.until(tag)
        if not answer[answer[:-2].rfind(b"\n") + 1:].startswith(tag + b"OK"):
            sys.exit(f"bench: {command[:60]}: {answer[-300:]!r}")
        return answer

    def close(self):
        self.ask("LOGOUT")
        self.socket.close()


# ---- the servers --------------------------------------------------------------------------------

class Facteur:
    name = "Facteur"
    port, secure_port = FACTEUR_BASE + 143, FACTEUR_BASE + 993

    def __init__(self, folder, program):
        self.dir, self.program = folder / "facteur", program

    def start(self, command=None):
        with open(f"{self.dir}.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, *(command or ["serve", "--config", self.dir / "facteur.conf"])], stdout=log, stderr=log)
        wait_for_port(self.port, greeting=b"* OK")
        time.sleep(0.5)

    def fill(self, messages):
        self.start(["demo", "--dir", self.dir, "--port-base", str(FACTEUR_BASE)])
        self.user, self.password = (self.dir / "credentials").read_text().split()[:2]
        with open(f"{self.dir}.mbox", "w", encoding="ascii") as mbox:
            for text in messages:
                mbox.write("From a@bench.test Mon Jan  1 00:00:00 2024\n" + text + "\n")
        client = Client(self.port, self.user, self.password)
        client.ask("CREATE bench")
        client.ask("CREATE copy")
        subprocess.run([self.program, "import", self.user, f"{self.dir}.mbox", "--mailbox", "bench", "--config",
                        self.dir / "facteur.conf"], check=True, stdout=subprocess.DEVNULL)
        self.stop()
        with open(self.dir / "facteur.conf", "a", encoding="ascii") as config:
            config.write("connections_max = 100000\nconnections_per_account_max = 100000\n")

    def forget(self):
        """Nothing that could be forgotten is kept outside of the store."""

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Dovecot:
    name = "Dovecot"
    port, secure_port = DOVECOT_PORT, 0
    user, password = "bob@bench.test", PASSWORD

    def __init__(self, folder):
        self.dir = folder / "dovecot"
        self.mail = self.dir / "mail" / self.user

    def fill(self, messages):
        owner = pwd.getpwnam("mail")
        bench = self.mail / ".bench"
        for name in ("cur", "new", "tmp"):
            (bench / name).mkdir(parents=True)
            (self.mail / ".copy" / name).mkdir(parents=True)
        for number, text in enumerate(messages):
            path = bench / "cur" / f"{1704067200 + number}.M{number}.bench:2,"
            path.write_text(text)
            os.utime(path, (1704067200 + number,) * 2)
        for path in [self.dir / "mail", *(self.dir / "mail").rglob("*")]:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        (self.dir / "dovecot.conf").write_text(f"""protocols = imap
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/dovecot.log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{self.dir}/mail/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = always
default_login_user = dovenull
default_internal_user = dovecot
mail_max_userip_connections = 1000
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={self.dir}/mail/%u allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {DOVECOT_PORT}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.dir / "dovecot.conf"])
        wait_for_port(self.port, greeting=b"* OK")

    def forget(self):
        for path in self.mail.rglob("dovecot*"):
            path.unlink()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


# ---- what clients do ----------------------------------------------------------------------------

LETTER = message(0, random.Random(7)).replace("\n", "\r\n").encode()
SMALL = 300  # commands one after another
LOGINS = 1000  # the kernel counts in hundredths of a second, for each process

# What, the command, its repetitions, the least octets of an answer for a message, what is wanted (µs).
COMMANDS = [
    ("FETCH 1:* FLAGS", "FETCH 1:* FLAGS", 20, 15, 0.3),
    ("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE), first",
     "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", 1, 200, 2),
    ("the same again", "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", 5, 200, 2),
    ("FETCH 1:* BODYSTRUCTURE, first", "FETCH 1:* BODYSTRUCTURE", 1, 60, 2),
    ("FETCH 1:* BODY.PEEK[]", "FETCH 1:* BODY.PEEK[]", 3, 2600, 4),
    ("SEARCH SUBJECT", "SEARCH SUBJECT harbour", 5, 0, 0.4),
    ("SORT (SUBJECT)", "SORT (SUBJECT) UTF-8 ALL", 5, 2, 0.6),
    ("THREAD REFERENCES", "THREAD REFERENCES UTF-8 ALL", 3, 2, 3),
    ("COPY 1:*", "COPY 1:* copy", 1, 0, 3),
]
# At the end: the first of them has a text index made, which is kept up from then on.
SEARCHES = [
    ("SEARCH BODY, first", "SEARCH BODY captain", 1, 0, None),
    ("SEARCH BODY, with its index", "SEARCH BODY captain", 5, 0, 1),
]


def cost(server, do, count):
    begin = cpu_ns(server.process.pid)
    do()
    return (cpu_ns(server.process.pid) - begin) / 1000 / count


def settle(server):
    """The first search of an account has its text index made, a while later and in the background."""
    before, quiet = cpu_ns(server.process.pid), 0
    while quiet < 3:
        time.sleep(1)
        now = cpu_ns(server.process.pid)
        quiet, before = quiet + 1 if now - before < 10e6 else 0, now


def measure_commands(server, client, messages, commands):
    found = {}
    for name, command, times, least, _ in commands:
        def do(command=command, times=times, least=least):
            for _ in range(times):
                answer = client.ask(command)
                if len(answer) < least * messages:
                    sys.exit(f"bench: {command}: only {len(answer)} octets")
        if name.endswith("its index"):
            settle(server)
        found[name] = cost(server, do, times * messages)
    return found


def measure_changes(server, client):
    found = {}

    def store():
        for number in range(1, SMALL + 1):
            client.ask(f"STORE {number} +FLAGS (\\Seen)")

    def append():
        for _ in range(SMALL):
            client.count += 1
            tag = f"a{client.count} ".encode()
            client.socket.sendall(tag + b"APPEND copy {%d}\r\n" % len(LETTER))
            client.until(b"+")
            client.socket.sendall(LETTER + b"\r\n")
            if b" OK" not in client.until(tag):
                sys.exit("bench: APPEND failed")
    for name, do in (("STORE, one after another", store), ("APPEND, one after another", append)):
        begin = time.perf_counter()
        found[name] = cost(server, do, SMALL)
        found[name + ", time"] = (time.perf_counter() - begin) / SMALL * 1e6
    return found


def measure_logins(server):
    Client(server.port, server.user, server.password).close()
    begin = cpu_seconds([server.process.pid])
    for _ in range(LOGINS):
        Client(server.port, server.user, server.password).close()
    return (cpu_seconds([server.process.pid]) - begin) / LOGINS * 1e6


def sleep_in_idle(server, count, is_secure, line):
    """In a process of its own, since one may have only so many files open."""
    port = server.secure_port if is_secure else server.port
    clients = []
    for _ in range(count):
        client = Client(port, server.user, server.password, is_secure)
        client.ask("SELECT bench")
        client.socket.sendall(b"i IDLE\r\n")
        client.until(b"+")
        clients.append(client)
    line.send(len(clients))
    line.recv()


def measure_idle(server, count, is_secure):
    port = server.secure_port if is_secure else server.port
    server.stop()  # what came before has left memory behind
    server.start()
    for _ in range(8):  # all processes have loaded what the first session loads
        probe = Client(port, server.user, server.password, is_secure)
        probe.ask("SELECT bench")
        probe.ask("FETCH 1:* FLAGS")
    rest(4)  # what starting and these took is given back, not while the sessions are counted
    begin = pss_kib([server.process.pid])
    sleepers, left = [], count
    while left > 0:
        near, far = multiprocessing.Pipe()
        some = min(left, 5000)
        sleeper = multiprocessing.Process(target=sleep_in_idle, args=(server, some, is_secure, far))
        sleeper.start()
        sleepers.append((sleeper, near))
        left -= some
    if sum(line.recv() for _, line in sleepers) != count:
        sys.exit("bench: not all sleep")
    time.sleep(1)
    found = (pss_kib([server.process.pid]) - begin) / count
    for sleeper, line in sleepers:
        line.send(True)
        sleeper.join()
    return found


def measure(server, messages, sessions):
    found = {}
    server.forget()
    server.start()
    client = Client(server.port, server.user, server.password)
    begin = time.perf_counter()
    answer = client.ask("SELECT bench")
    found["SELECT, cold"] = (time.perf_counter() - begin) * 1e6
    if b"* %d EXISTS" % messages not in answer:
        sys.exit(f"bench: SELECT said {answer!r}")
    found |= measure_commands(server, client, messages, COMMANDS)
    found |= measure_changes(server, client)
    found["login, connect to LOGOUT"] = measure_logins(server)
    found |= measure_commands(server, client, messages, SEARCHES)
    client.close()
    found["idle session, KiB"] = measure_idle(server, sessions if server.secure_port else sessions // 10, False)
    if server.secure_port:
        found["idle session with TLS, KiB"] = measure_idle(server, sessions, True)
    server.stop()
    return found


WANTED = {name: wanted for name, _, _, _, wanted in COMMANDS + SEARCHES} | {
    "SELECT, cold": 10000, "STORE, one after another": 150, "APPEND, one after another": 200,
    "login, connect to LOGOUT": 300, "idle session, KiB": 8, "idle session with TLS, KiB": 40}


def print_table(found, messages):
    print(f"| {messages} messages; µs of CPU a message or command | " + " | ".join(found) + " | wanted |")
    print("|---|" + "--:|" * len(found) + "---|")
    for name in next(iter(found.values())):
        ours = found.get("Facteur", {}).get(name)
        wanted = WANTED.get(name)
        verdict = "" if wanted is None or ours is None else f"{wanted}: {'met' if ours <= wanted else 'missed'}"
        values = [f"{one[name]:.2f}" if name in one else "" for one in found.values()]
        print(f"| {name} | " + " | ".join(values) + f" | {verdict} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--only")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="facteur-imap-", dir="/var/tmp"))
    folder.chmod(0o755)
    found = {}
    chance = random.Random(1)
    messages = [message(number, chance) for number in range(options.messages)]
    servers = [Facteur(folder, options.facteur), Dovecot(folder)]
    try:
        for server in servers:
            if options.only in (None, server.name.lower()):
                server.fill(messages)
                found[server.name] = measure(server, options.messages, options.sessions)
        print_table(found, options.messages)
    finally:
        for server in servers:
            if getattr(server, "process", None):
                server.process.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
