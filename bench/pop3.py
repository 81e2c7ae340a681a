#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures POP3 with a large maildrop, by a daemon of its own on loopback, through TLS.

usage: bench/pop3.py --facteur PROGRAM [--messages N] [--port-base N]

Imports N messages (100,000 unless told) and times what a client waits for: the login with all that
opening the maildrop costs, STAT, LIST, UIDL, one TOP, 1,000 pipelined RETR, and QUIT after DELE of
all. Every answer is checked. Prints a table.
"""
import argparse
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RETR_COUNT = 1000
LOGINS = 5


class Client:
    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 120))
        self.file = self.socket.makefile("rb", 1 << 16)
        self.line()

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.file.readline()
        if not line.startswith(b"+OK"):
            sys.exit(f"bench: the server said {line!r}")
        return line.decode()

    def lines(self):
        self.line()
        count, length = 0, 0
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                sys.exit("bench: the connection ended")
            count, length = count + 1, length + len(line)
        return count, length


def write_mbox(path, count):
    with open(path, "w", encoding="ascii") as mbox:
        for number in range(count):
            mbox.write("From a@bar.com Mon Jan  1 00:00:00 2024\n"
                       f"From: Ann <a@bar.com>\nTo: alice@example.test\nSubject: number {number}\n"
                       f"Message-ID: <{number}@bench.bar.com>\n"
                       "Date: Mon, 1 Jan 2024 00:00:00 +0000\n\n" + "a line of text\n" * 20 + "\n")


def start(program, folder, port_base):
    log = open(folder / "log", "wb")
    process = subprocess.Popen([program, "demo", "--dir", folder / "demo", "--port-base",
                                str(port_base)], stdout=log, stderr=log)
    end = time.monotonic() + 60
    while b"\nready" not in (folder / "log").read_bytes():
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("bench: facteur did not start:\n" + (folder / "log").read_text()[-2000:])
        time.sleep(0.05)
    return process


def log_in(port, user, password):
    client = Client(port)
    client.say(f"USER {user}")
    client.line()
    begin = time.perf_counter()
    client.say(f"PASS {password}")
    client.line()
    return client, time.perf_counter() - begin


def timed(ask):
    begin = time.perf_counter()
    result = ask()
    return result, time.perf_counter() - begin


def ask_line(client, text):
    client.say(text)
    return client.line()


def ask_lines(client, text):
    client.say(text)
    return client.lines()


def retrieve(client, count):
    client.say("\r\n".join(f"RETR {number}" for number in range(1, count + 1)))
    return sum(client.lines()[1] for _ in range(count))


def delete_all(client, count):
    for first in range(1, count + 1, 1000):
        last = min(first + 1000, count + 1)
        client.say("\r\n".join(f"DELE {number}" for number in range(first, last)))
        for _ in range(first, last):
            client.line()


def expect(what, seen, expected):
    if seen != expected:
        sys.exit(f"bench: {what} is {seen}, expected {expected}")


def measure(port, user, password, first_count):
    rows = []
    logins = []
    for _ in range(LOGINS):
        client, seconds = log_in(port, user, password)
        logins.append(seconds)
        client.say("QUIT")
        client.line()
    rows.append(("login, the first", logins[0]))
    rows.append((f"login, the best of {LOGINS}", min(logins)))
    client, _ = log_in(port, user, password)
    answer, seconds = timed(lambda: ask_line(client, "STAT"))
    expect("STAT", int(re.match(r"\+OK (\d+) \d+\r\n$", answer)[1]), first_count)
    rows.append(("STAT", seconds))
    for command in ("LIST", "UIDL"):
        (lines, _), seconds = timed(lambda: ask_lines(client, command))
        expect(command, lines, first_count)
        rows.append((command, seconds))
    rows.append(("TOP of the last", timed(lambda: ask_lines(client, f"TOP {first_count} 0"))[1]))
    count = min(RETR_COUNT, first_count)
    octets, seconds = timed(lambda: retrieve(client, count))
    rows.append((f"{count} RETR, pipelined ({octets} octets)", seconds))
    rows.append(("DELE of all, pipelined", timed(lambda: delete_all(client, first_count))[1]))
    rows.append(("QUIT, which removes all", timed(lambda: ask_line(client, "QUIT"))[1]))
    client, seconds = log_in(port, user, password)
    answer = ask_line(client, "STAT")
    expect("STAT after QUIT", answer, "+OK 0 0\r\n")
    rows.append(("login to the emptied maildrop", seconds))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--messages", type=int, default=100000)
    parser.add_argument("--port-base", type=int, default=23000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="facteur-pop3-", dir="/tmp"))
    folder.chmod(0o755)
    process = None
    try:
        process = start(options.facteur, folder, options.port_base)
        users = (folder / "demo/credentials").read_text().split()
        port = options.port_base + 995
        client, _ = log_in(port, users[0], users[1])
        there = int(ask_line(client, "STAT").split()[1])
        ask_line(client, "QUIT")
        write_mbox(folder / "mbox", options.messages)
        _, seconds = timed(lambda: subprocess.run(
            [options.facteur, "import", users[0], folder / "mbox", "--config",
             folder / "demo/facteur.conf"], check=True, stdout=subprocess.DEVNULL))
        rows = [("import", seconds)]
        rows += measure(port, users[0], users[1], there + options.messages)
        print(f"| {options.messages} messages | ms |\n|---|---:|")
        for name, seconds in rows:
            print(f"| {name} | {seconds * 1000:.1f} |")
    finally:
        if process:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
