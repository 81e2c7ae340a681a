#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What it costs to take a message for another host, durably, and to pass it on to a sink: Facteur, and
Debian's Postfix beside it. Prints a table.

usage: bench/relay.py --facteur PROGRAM --load PROGRAM [--messages N] [--peer-messages N]

Needs root and Debian's postfix (its smtp-sink is the other host, for both). Clients and sink speak no
TLS; 20 connections each way. The clock runs until the last message has reached the sink.
"""
import argparse
import json
import os
import pwd
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SINK_PORT, POSTFIX_PORT = 22125, 22126
CONNECTIONS, SIZE, WAIT_S = 20, 4096, 600
TICKS = os.sysconf("SC_CLK_TCK")


def children(pid):
    """The process and all below it."""
    found, todo = [], [pid]
    while todo:
        now = todo.pop()
        found.append(now)
        for task in Path(f"/proc/{now}/task").glob("*/children"):
            todo += map(int, task.read_text().split())
    return found


def cpu_seconds(pid):
    """User and system time of the tree, with that of children that have ended."""
    total = 0
    for one in children(pid):
        stat = Path(f"/proc/{one}/stat").read_text()
        total += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:15]))
    return total / TICKS


def load(program, port, messages):
    done = subprocess.run([program, "--port", str(port), "--connections", str(CONNECTIONS), "--messages",
                           str(messages), "--size", str(SIZE), "--to", "anyone@sink.test"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["rate"]


def measure(program, port, pid, messages, passed_on):
    """Messages a second until the last is passed on, and CPU for each."""
    cpu, start = cpu_seconds(pid), time.monotonic()
    accepted = load(program, port, messages)
    while passed_on() < messages:
        if time.monotonic() > start + WAIT_S:
            sys.exit(f"relay: {passed_on()} of {messages} were passed on")
        time.sleep(0.02)
    seconds = time.monotonic() - start
    return accepted, messages / seconds, (cpu_seconds(pid) - cpu) / messages * 1e6


def facteur(arguments):
    sys.path.insert(0, str(HERE.parent / "tests/interop"))
    os.environ["FACTEUR"] = str(Path(arguments.facteur).resolve())
    from office import Office  # reads the environment
    office = Office(config='\nrelay_networks = {"127.0.0.0/8"}\nlocal_destinations = yes\n'
                           'outgoing_tls = none\n')
    (office.folder / "data/directory/transports").write_text(f"sink.test smtp:[127.0.0.1]:{SINK_PORT}\n")
    office.tool("reload")

    def passed_on():
        return sum(row["value"] for row in office.tool_data("status")["counters"]
                   if row["role"] == "store" and row["counter"] == "carried")
    try:
        return measure(arguments.load, office.base + 25, office.server.pid, arguments.messages, passed_on)
    finally:
        office.close()


def postfix(arguments):
    with tempfile.TemporaryDirectory(prefix="bench-relay-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        etc = folder / "etc"
        for part in ("etc", "queue", "lib"):
            (folder / part).mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(folder / "lib", owner.pw_uid, owner.pw_gid)
        (etc / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{SINK_PORT}
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions = permit_mynetworks, reject
in_flow_delay = 0
default_process_limit = 200
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
""")
        rows = [f"127.0.0.1:{POSTFIX_PORT} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup",
                "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
                *(f"{service} unix - - n - 0 bounce" for service in ("bounce", "defer", "trace")),
                "smtp unix - - n - - smtp", "relay unix - - n - - smtp", "error unix - - n - - error",
                "retry unix - - n - - error", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache",
                "proxymap unix - - n - - proxymap", "postlog unix-dgram n - n - 1 postlogd"]
        (etc / "master.cf").write_text("\n".join(rows) + "\n")
        subprocess.run(["postfix", "-c", etc, "set-permissions"], capture_output=True, check=False)
        subprocess.run(["postfix", "-c", etc, "start"], capture_output=True, check=True)
        master = int((folder / "queue/pid/master.pid").read_text())

        def passed_on():
            return (folder / "postfix.log").read_text(errors="replace").count("status=sent")
        try:
            return measure(arguments.load, POSTFIX_PORT, master, arguments.peer_messages, passed_on)
        finally:
            subprocess.run(["postfix", "-c", etc, "stop"], capture_output=True, check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--facteur", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--peer-messages", type=int, default=2000)
    arguments = parser.parse_args()
    sink = subprocess.Popen(["smtp-sink", "-u", "postfix", "-c", f"127.0.0.1:{SINK_PORT}", "500"],
                            stdout=subprocess.DEVNULL)
    try:
        rows = [("Postfix", *postfix(arguments)), ("Facteur", *facteur(arguments))]
    finally:
        sink.terminate()
    print("| server | accepted a second | passed on a second | CPU per message | ratio of rates | ratio of CPU |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, accepted, rate, cpu in rows:
        print(f"| {name} | {accepted:.0f} | {rate:.0f} | {cpu:.0f} µs | {rate / rows[0][2]:.1f} × | "
              f"1/{rows[0][3] / cpu:.1f} |")


if __name__ == "__main__":
    main()
