#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A very large mailbox: what the first session that selects it costs, and what each further one does.

usage: bench/large.py --facteur PROGRAM [--messages N] [--sessions N]

A daemon of its own on loopback; 1,000,000 messages of one line and 200 sessions unless told, all on that mailbox.
Time is what the client waits for, CPU and memory (proportional set size) are of all processes of the server. A
process of the server keeps UIDs, flags and keywords of a mailbox once for all of its sessions. Prints a table.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from imap import Client, Facteur
from machine import cpu_ns, milliseconds, pss_kib, rest, tree

REST_S = 12  # a process gives back what it does not need at rest


def fill(server, count):
    server.fill([])
    server.start()
    mbox = Path(f"{server.dir}.mbox")
    with open(mbox, "w", encoding="ascii") as file:
        for number in range(count):
            file.write("From a@bench.test Mon Jan  1 00:00:00 2024\nFrom: a@bench.test\n"
                       f"Subject: number {number}\n\ntext\n\n")
    subprocess.run([server.program, "import", server.user, mbox, "--mailbox", "bench", "--config",
                    server.dir / "facteur.conf"], check=True, stdout=subprocess.DEVNULL)
    mbox.unlink()
    server.stop()
    server.start()


def ask(server, client, command, wanted=""):
    """Milliseconds: of time, of CPU."""
    cpu, begin = cpu_ns(server.process.pid), time.perf_counter()
    answer = client.ask(command)
    if wanted.encode() not in answer:
        sys.exit(f"bench: {command}: {answer[-300:]!r}")
    return (time.perf_counter() - begin) * 1e3, (cpu_ns(server.process.pid) - cpu) / 1e6


def select_often(server, count, exists):
    """The costliest SELECT and the middle of them all; KiB of each process that has the mailbox open, of each session."""
    clients = [Client(server.port, server.user, server.password) for _ in range(count)]
    rest(REST_S)
    found, memory = [], [pss_kib([server.process.pid])]
    for some in (clients[:16], clients[16:]):  # of the first some come to each process
        found += [ask(server, client, "SELECT bench", exists) for client in some]
        rest(REST_S)
        memory.append(pss_kib([server.process.pid]))
    return (clients, max(found), sorted(found)[count // 2], (memory[1] - memory[0]) / os.cpu_count(),
            (memory[2] - memory[1]) / (count - 16))


def peak_mib(server, role, forget=False):
    """The most that the process of a role has had in memory since that was forgotten."""
    for pid in tree(server.process.pid):
        process = Path(f"/proc/{pid}")
        if (process / "comm").read_text().strip() == role:
            if forget:
                (process / "clear_refs").write_text("5")
            status = (process / "status").read_text()
            return int(status[status.index("VmHWM:"):].split()[1]) / 1024
    sys.exit(f"bench: there is no process {role}")


def ask_beside(server, client, other, command):
    """A long command while another session stores flags of a message elsewhere: ((time, CPU) of both, the other's waits in
    ms, MiB of the store)."""
    other.ask("APPEND INBOX {12+}\r\n", b"Subject: x\r\n")
    other.ask("SELECT INBOX")
    peak_mib(server, "store", forget=True)
    found, waits = [], []
    thread = threading.Thread(target=lambda: found.append(ask(server, client, command)))
    thread.start()
    while thread.is_alive():
        begin = time.perf_counter()
        other.ask(f"STORE 1 {'+-'[len(waits) % 2]}FLAGS.SILENT (\\Seen)")
        waits.append((time.perf_counter() - begin) * 1e3)
        time.sleep(0.005)
    thread.join()
    return found[0], sorted(waits), peak_mib(server, "store")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=200)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="facteur-large-", dir="/var/tmp"))
    folder.chmod(0o755)
    server = Facteur(folder, options.facteur)
    try:
        fill(server, options.messages)
        clients, first, further, kib_first, kib_further = select_often(
            server, options.sessions, f"* {options.messages} EXISTS")
        one, other = clients[0], clients[-1]
        rows = [("SELECT, the first in a process", first), ("SELECT, once a session has it open", further),
                ("FETCH of the last 50, UID and FLAGS", ask(server, one, f"FETCH {options.messages - 49}:* (UID FLAGS)")),
                ("FETCH 1:* FLAGS", ask(server, one, "FETCH 1:* FLAGS")),
                ("STORE of a flag of one", ask(server, one, "STORE 1 +FLAGS (\\Flagged)", "Flagged")),
                ("NOOP of another, who hears of it", ask(server, other, "NOOP", "Flagged")),
                ("SEARCH UNSEEN", ask(server, one, "SEARCH RETURN (COUNT) UNSEEN", f"COUNT {options.messages}"))]
        print(f"| a mailbox of {options.messages:,} messages | time | CPU |\n|---|--:|--:|")
        long = [(name, ask_beside(server, one, other, command)) for name, command in (
            ("STORE 1:* of a flag, .SILENT", "STORE 1:* +FLAGS.SILENT (\\Answered)"),
            ("MOVE 1:*", "MOVE 1:* copy"))]
        rows += [(f"{name}; meanwhile another's STORE took {waits[len(waits) // 2]:.3g} ms, at most {waits[-1]:.3g} ms; the store "
                  f"had {mib:.0f} MiB", costs) for name, (costs, waits, mib) in long]
        for name, (elapsed, cpu) in rows:
            print(f"| {name} | {milliseconds(elapsed)} | {milliseconds(cpu)} |")
        print(f"\nMemory: {kib_first / 1024:.1f} MiB for each process in which it is open (there are {os.cpu_count()}), "
              f"{kib_further:.1f} KiB for each session.")
    finally:
        if getattr(server, "process", None):
            server.process.kill()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
