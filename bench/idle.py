#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Very many IMAP sessions that wait in IDLE on one mailbox: what each costs, and how soon all of them hear of a
message that is delivered there.

usage: bench/idle.py --facteur PROGRAM [--sessions N] [--secure N]

A daemon of its own on loopback, 20,000 sessions in the clear and 4,000 with TLS unless told; no process has more files open than the hard limit lets it. Cost is
proportional set size of all processes of the server, beside what it was with one session for each
process. Prints a table.
"""
import argparse
import multiprocessing
import resource
import selectors
import shutil
import smtplib
import sys
import tempfile
import time
from pathlib import Path

from imap import FACTEUR_BASE, Client, Facteur
from machine import pss_kib

SLEEPERS = 4              # processes of the client's side
SESSIONS_A_SOURCE = 5000  # of a loopback address: ports are few


def allow_files():
    """As many as may be open: the server's processes inherit that."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def wait_for_mail(clients):
    """When the first and the last of them was told that there is one message more."""
    watched, told = selectors.DefaultSelector(), []
    for client in clients:
        watched.register(client.socket, selectors.EVENT_READ, client)
    end = time.monotonic() + 60
    while len(told) < len(clients) and time.monotonic() < end:
        for key, _ in watched.select(1):
            said = key.data.socket.recv(65536)
            if not said:
                sys.exit("bench: a session was ended")
            if b" EXISTS" in said:
                told.append(time.monotonic())
                watched.unregister(key.fileobj)
    return len(told), told[0], told[-1]


def sleep_in_idle(server, first, count, is_secure, line):
    allow_files()
    port = server.secure_port if is_secure else server.port
    clients = []
    for number in range(first, first + count):
        client = Client(port, server.user, server.password, is_secure,
                        f"127.0.0.{2 + number // SESSIONS_A_SOURCE}")
        client.ask("SELECT INBOX")
        client.socket.sendall(b"i IDLE\r\n")
        client.until(b"+")
        clients.append(client)
    line.send(len(clients))
    line.recv()
    line.send(wait_for_mail(clients))
    line.recv()


def deliver(server):
    begin = time.monotonic()
    with smtplib.SMTP("127.0.0.1", FACTEUR_BASE + 25) as smtp:
        smtp.sendmail("a@bench.test", [server.user], "Subject: to all that wait\r\n\r\ntext\r\n")
    return begin


def measure(server, count, is_secure):
    """KiB a session, and seconds from the sender's connection to the last that is told."""
    server.start()
    port = server.secure_port if is_secure else server.port
    for _ in range(8):  # all processes have loaded what the first session loads
        Client(port, server.user, server.password, is_secure).ask("SELECT INBOX")
    before, sleepers = pss_kib([server.process.pid]), []
    for number in range(SLEEPERS):
        near, far = multiprocessing.Pipe()
        some = count // SLEEPERS
        sleeper = multiprocessing.Process(target=sleep_in_idle,
                                          args=(server, number * some, some, is_secure, far))
        sleeper.start()
        sleepers.append((sleeper, near))
    if sum(line.recv() for _, line in sleepers) != count // SLEEPERS * SLEEPERS:
        sys.exit("bench: not all sleep")
    time.sleep(1)
    cost = (pss_kib([server.process.pid]) - before) / count
    for _, line in sleepers:
        line.send(True)
    time.sleep(1)
    begun = deliver(server)
    heard = [line.recv() for _, line in sleepers]
    if sum(one[0] for one in heard) != count // SLEEPERS * SLEEPERS:
        sys.exit(f"bench: only {heard} heard of it")
    for sleeper, line in sleepers:
        line.send(True)
        sleeper.join()
    server.stop()
    return cost, max(one[2] for one in heard) - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--sessions", type=int, default=20000)
    parser.add_argument("--secure", type=int, default=4000)
    options = parser.parse_args()
    allow_files()
    folder = Path(tempfile.mkdtemp(prefix="facteur-idle-", dir="/var/tmp"))
    server = Facteur(folder, options.facteur)
    try:
        server.fill([])
        print("| sessions in IDLE on one mailbox | KiB each | wanted | from a sender's connection until all are told |")
        print("|---|--:|---|--:|")
        for count, is_secure, wanted in ((options.sessions, False, 8), (options.secure, True, 40)):
            if count == 0:
                continue
            cost, after = measure(server, count, is_secure)
            print(f"| {count}{', with TLS' if is_secure else ''} | {cost:.2f} | {wanted}: "
                  f"{'met' if cost <= wanted else 'missed'} | {after * 1000:.0f} ms |", flush=True)
    finally:
        server.process.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
