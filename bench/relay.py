#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What it costs to take mail for other hosts, durably, and to pass it on: Facteur, and Debian's Postfix
beside it, one after the other. Prints tables.

usage: bench/relay.py --facteur PROGRAM --load PROGRAM [--case pass,many,hang,fair] [--messages N] [--peer-messages N] [--fair N]

  pass   messages of 4 KiB from 20 connections, passed on to a sink
  many   one message to 10,000 recipients of one domain, handed in by one client in ten transactions
  hang   one message to each of 1,000 destinations, of which 100 accept connections and say nothing
  fair   one message to 100,000 recipients, in a hundred transactions, and single ones to the same domain meanwhile

Needs root and Debian's postfix (its smtp-sink is the other host, for both). Nobody speaks TLS. The clock
runs until the last message has reached the sink.
"""
import argparse
import datetime
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import postfix
from machine import cpu_seconds

HERE = Path(__file__).resolve().parent
SINK_PORT, POSTFIX_PORT, SILENT_PORT = (int(os.environ.get("BENCH_PORT_BASE", "21000")) + n for n in (1125, 1126, 1127))
CONNECTIONS, SIZE, WAIT_S = 20, 4096, 600
MANY, TRANSACTION = 10000, 1000
DESTINATIONS, SILENT_EVERY = 1000, 10
FAIR, SINGLE_EVERY_S = 100000, 0.05


# ---- the servers --------------------------------------------------------------------------------

def address_of(number):
    """Each destination has an address of its own: they are told apart by it."""
    return f"127.7.{number // 250}.{number % 250 + 1}"


def is_silent(number):
    return number % SILENT_EVERY == 0


def ways():
    """Domain, address and port of each destination."""
    yield "sink.test", "127.0.0.1", SINK_PORT
    for i in range(DESTINATIONS):
        yield f"d{i}.test", address_of(i), SILENT_PORT if is_silent(i) else SINK_PORT


class Facteur:
    name = "Facteur"

    def __init__(self, program):
        sys.path.append(str(HERE.parent / "tests/interop"))
        os.environ["FACTEUR"] = str(Path(program).resolve())
        from office import Office  # reads the environment
        self.office = Office(config='\nrelay_networks = {"127.0.0.0/8"}\nlocal_destinations = yes\n'
                                    'outgoing_tls = none\n')
        self.port, self.pid = self.office.base + 25, self.office.server.pid
        (self.office.folder / "data/directory/transports").write_text(
            "".join(f"{domain} smtp:[{host}]:{port}\n" for domain, host, port in ways()))
        self.office.tool("reload")

    def passed_on(self):
        return sum(row["value"] for row in self.office.tool_data("status")["counters"]
                   if row["role"] == "store" and row["counter"] == "carried")

    def delays(self):
        """Seconds from 250 to the sink's 250, by recipient."""
        taken, found = {}, {}
        for line in self.office.log_text().splitlines():
            match = re.match(r"(\S+)Z .* event=(queued|carried) .*to=(\S+)", line)
            if not match:
                continue
            at = datetime.datetime.fromisoformat(match[1]).timestamp()
            if match[2] == "queued":
                taken[match[3]] = at
            elif "outcome=delivered" in line:
                found[match[3]] = at
        return {to: found[to] - taken[to] for to in found if to in taken}

    def close(self):
        self.office.close()


class Postfix:
    name = "Postfix"
    port = POSTFIX_PORT

    def __init__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="bench-relay-")
        self.folder = Path(self.scratch.name)
        self.folder.chmod(0o755)
        table = self.folder / "transport"
        table.write_text("".join(f"{domain} smtp:[{host}]:{port}\n" for domain, host, port in ways()))
        subprocess.run(["postmap", table], check=True)
        self.postfix = postfix.Instance(self.folder, POSTFIX_PORT, f"transport_maps = hash:{table}\n")
        self.pid = self.postfix.start()

    def log(self):
        return (self.folder / "postfix.log").read_text(errors="replace")

    def passed_on(self):
        return self.log().count("status=sent")

    def delays(self):
        return {match[1]: float(match[2]) for match in
                re.finditer(r"to=<([^>]+)>.* delay=([\d.]+), .*status=sent", self.log())}

    def close(self):
        self.postfix.stop()
        self.scratch.cleanup()


# ---- cases --------------------------------------------------------------------------------------

def wait_until(server, count):
    end = time.monotonic() + WAIT_S
    while server.passed_on() < count:
        if time.monotonic() > end:
            sys.exit(f"relay: {server.name}: {server.passed_on()} of {count} were passed on")
        time.sleep(0.02)


def pass_on(server, load, messages):
    """Messages a second accepted, and until the last is passed on; CPU for each."""
    before, cpu, start = server.passed_on(), cpu_seconds([server.pid]), time.monotonic()
    done = subprocess.run([load, "--port", str(server.port), "--connections", str(CONNECTIONS), "--messages",
                           str(messages), "--size", str(SIZE), "--to", "anyone@sink.test"],
                          capture_output=True, text=True, check=True)
    wait_until(server, before + messages)
    seconds = time.monotonic() - start
    return json.loads(done.stdout)["rate"], messages / seconds, (cpu_seconds([server.pid]) - cpu) / messages * 1e6


class Client:
    """Commands of a whole transaction at once, as RFC 2920 allows."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")
        self.reply()
        self.socket.sendall(b"EHLO bench.test\r\n")
        self.reply()

    def reply(self):
        line = self.file.readline()
        while line[3:4] == b"-":
            line = self.file.readline()
        if line[:1] not in (b"2", b"3"):
            sys.exit(f"relay: {line!r}")

    def send(self, recipients):
        commands = "".join(f"RCPT TO:<{one}>\r\n" for one in recipients)
        self.socket.sendall(f"MAIL FROM:<load@bench.test>\r\n{commands}DATA\r\n".encode())
        for _ in range(len(recipients) + 2):
            self.reply()
        self.socket.sendall(b"From: <load@bench.test>\r\nSubject: to all\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56 + b".\r\n")
        self.reply()


def to_many(server):
    """Seconds until the last recipient has it, and CPU seconds."""
    client = Client(server.port)
    before, cpu, start = server.passed_on(), cpu_seconds([server.pid]), time.monotonic()
    for first in range(0, MANY, TRANSACTION):
        client.send([f"user{first + i}@sink.test" for i in range(TRANSACTION)])
    wait_until(server, before + MANY)
    return time.monotonic() - start, cpu_seconds([server.pid]) - cpu


def beside_silent(server):
    """Seconds of delay of those that do not hang: the middle one and the longest."""
    client = Client(server.port)
    before = server.passed_on()
    good = [i for i in range(DESTINATIONS) if not is_silent(i)]
    for i in sorted(range(DESTINATIONS), key=lambda i: not is_silent(i)):  # the silent ones first
        client.send([f"user@d{i}.test"])
    wait_until(server, before + len(good))
    time.sleep(0.5)  # lines of the log come a little later
    delays = sorted(server.delays().values())
    if len(delays) < len(good):
        sys.exit(f"relay: {server.name}: the log tells of {len(delays)} of {len(good)}")
    return delays[len(delays) // 2], delays[-1]


def beside_many(server, many_count):
    """Seconds of delay of single messages, the middle one and the longest, while one goes to very many; and how long those took."""
    def hand_in():
        client = Client(server.port)
        for first in range(0, many_count, TRANSACTION):
            client.send([f"user{first + i}@sink.test" for i in range(TRANSACTION)])

    before, start, count = server.passed_on(), time.monotonic(), 0
    many, single = threading.Thread(target=hand_in), Client(server.port)
    many.start()
    while many.is_alive() or count % 10 or server.passed_on() < before + many_count:
        single.send([f"single{count}@sink.test"])
        count += 1
        time.sleep(SINGLE_EVERY_S)
    wait_until(server, before + many_count + count)
    seconds = time.monotonic() - start
    time.sleep(0.5)  # lines of the log come a little later
    delays = sorted(delay for to, delay in server.delays().items() if to.startswith("single"))
    if len(delays) < count:
        sys.exit(f"relay: {server.name}: the log tells of {len(delays)} of {count}")
    return count, delays[len(delays) // 2], delays[-1], seconds


def say(server):
    print(f"relay: {server.name}", file=sys.stderr, flush=True)


def in_turn(arguments, measure):
    """The figures of Postfix and ours; each server is new."""
    figures = []
    for make in (Postfix, lambda: Facteur(arguments.facteur)):
        server = make()
        say(server)
        try:
            figures.append((server.name, *measure(server)))
        finally:
            server.close()
    return figures


def verdict(is_met):
    return "met" if is_met else "missed"


def case_pass(arguments):
    def measure(server):
        is_ours = isinstance(server, Facteur)
        return pass_on(server, arguments.load, arguments.messages if is_ours else arguments.peer_messages)
    rows = in_turn(arguments, measure)
    print("| 4 KiB, 20 connections | accepted a second | passed on a second | CPU per message | ratio of rates "
          "| ratio of CPU | wanted |\n|---|--:|--:|--:|--:|--:|---|")
    for name, accepted, rate, cpu in rows:
        rates, cpus = rate / rows[0][2], rows[0][3] / cpu
        wanted = f"15 ×, 1/15: {verdict(rates >= 15 and cpus >= 15)}" if name == "Facteur" else ""
        print(f"| {name} | {accepted:.0f} | {rate:.0f} | {cpu:.0f} µs | {rates:.1f} × | 1/{cpus:.1f} | {wanted} |")


def case_many(arguments):
    rows = in_turn(arguments, to_many)
    print("| one message to 10,000 recipients of one domain | until the last has it | CPU | ratio of times | wanted |\n"
          "|---|--:|--:|--:|---|")
    for name, seconds, cpu in rows:
        ratio = rows[0][1] / seconds
        wanted = f"5 ×: {verdict(ratio >= 5)}" if name == "Facteur" else ""
        print(f"| {name} | {seconds:.2f} s | {cpu:.2f} s | {ratio:.1f} × | {wanted} |")


def case_hang(arguments):
    rows = in_turn(arguments, beside_silent)
    print("| 1,000 destinations of which 100 hang: delay of the others | middle | longest | wanted |\n|---|--:|--:|---|")
    for name, middle, longest in rows:
        wanted = f"1 s: {verdict(longest <= 1)}" if name == "Facteur" else ""
        print(f"| {name} | {middle:.3f} s | {longest:.3f} s | {wanted} |")


def case_fair(arguments):
    rows = in_turn(arguments, lambda server: beside_many(server, arguments.fair))
    print(f"| single messages while one goes to {arguments.fair:,} recipients of the same domain | how many | delay, middle | longest | the {arguments.fair:,} |\n"
          "|---|--:|--:|--:|--:|")
    for name, count, middle, longest, seconds in rows:
        print(f"| {name} | {count} | {middle:.3f} s | {longest:.3f} s | {seconds:.1f} s |")


@contextmanager
def sinks():
    """The other hosts: one that takes all, and one that accepts and says nothing."""
    sink = subprocess.Popen(["smtp-sink", "-u", "postfix", "-m", "4000", "-c", f":{SINK_PORT}", "500"],
                            stdout=subprocess.DEVNULL)
    silent = socket.create_server(("", SILENT_PORT), backlog=4096)  # the kernel accepts, and nobody speaks
    try:
        yield
    finally:
        sink.terminate()
        silent.close()


def main():
    cases = {"pass": case_pass, "many": case_many, "hang": case_hang, "fair": case_fair}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--case", default=",".join(cases))
    parser.add_argument("--messages", type=int, default=40000)
    parser.add_argument("--peer-messages", type=int, default=2000)
    parser.add_argument("--fair", type=int, default=FAIR)
    arguments = parser.parse_args()
    with sinks():
        for name in arguments.case.split(","):
            cases[name](arguments)
            print()


if __name__ == "__main__":
    main()
