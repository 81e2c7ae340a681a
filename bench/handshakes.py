#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What it costs that private keys are in a process of their own: TLS handshakes a second, and the processor
time of the server's processes for one, with keys of two kinds; on an IMAP port, by `openssl s_time`.

usage: bench/handshakes.py --facteur PROGRAM [--seconds N]

Two clients beside each other (they share the processors with the server), each handshake a full one of TLS 1.3. Prints a table. To compare,
give it the program of another release.
"""
import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

CLIENTS = 2
BASE = 17000
KINDS = {"ECDSA P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "RSA 2048": ["rsa:2048"]}


def make_certificate(folder, kind):
    subprocess.run(["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/tls/key.pem", "-out",
                    f"{folder}/tls/chain.pem"], capture_output=True, check=True)


def start(program, folder):
    server = subprocess.Popen([program, "demo", "--dir", folder, "--port-base", str(BASE)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        if line == "ready\n":
            return server
    raise SystemExit("bench: the server did not start")


def processor_seconds(parent):
    """Of all processes of the server, by role."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            title = (status.parent / "cmdline").read_text().split("\0")[0]
        except OSError:
            continue
        if fields[1] == str(parent):
            role = title.removeprefix("facteur: ").split("/")[0]
            found[role] = found.get(role, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def measure(server, seconds):
    words = ["openssl", "s_time", "-connect", f"localhost:{BASE + 993}", "-new", "-time", str(seconds)]
    before, begun = processor_seconds(server.pid), time.monotonic()
    clients = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(CLIENTS)]
    count = sum(int(re.search(r"(\d+) connections in \d+ real", client.communicate()[0])[1]) for client in clients)
    took, after = time.monotonic() - begun, processor_seconds(server.pid)
    return count / took, {role: (after[role] - before.get(role, 0)) / count * 1e6 for role in after}


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--facteur", required=True)
    words.add_argument("--seconds", type=int, default=8)
    given = words.parse_args()
    print("| key | handshakes/s | µs of CPU: access | keys | all |\n|---|---|---|---|---|")
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="fo-", dir="/tmp") as folder:
            os.chmod(folder, 0o755)
            server = start(given.facteur, folder)
            server.send_signal(signal.SIGINT)
            server.wait()
            make_certificate(folder, kind)
            server = start(given.facteur, folder)
            rate, cost = measure(server, given.seconds)
            server.send_signal(signal.SIGINT)
            server.wait()
        print(f"| {kind} | {rate:.0f} | {cost['access']:.0f} | {cost.get('keys', 0):.0f} | {sum(cost.values()):.0f} |")


if __name__ == "__main__":
    main()
