# SPDX-License-Identifier: ISC
"""What a message costs in system calls, octets that the kernel copies, and syncs (strace), beside the least possible."""
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from machine import say, tree
from servers import BUILD

CASES = (("4 KiB, 1 connection", 4096, 1), ("4 KiB, 20 connections", 4096, 20), ("64 KiB, 20 connections", 65536, 20))
# Of one message from one connection, by any server that answers 250 when it is on the disk: wait, read and answer
# the envelope, the same for the message, and one write that syncs. And by one that is made of ours: see the page.
LEAST_CALLS, LEAST_OURS = 7, 19
MOVES = re.compile(r"^(?:recvfrom|read|readv|pread64|sendto|write|writev|pwrite64|pwritev|pwritev2|recvmsg|sendmsg|sendfile|splice)$")
SYNCS = ("fsync", "fdatasync", "msync", "sync", "syncfs")
CALL = re.compile(r"^\d+ +(?:\d+\.\d+ +)?(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)(.*)")
RESULT = re.compile(r"= (-?\d+)(?: |$)[^=]*$")
GROUPS = (("waits", ("epoll_wait", "epoll_pwait", "poll", "select", "pselect6", "ppoll", "wait4", "nanosleep", "clock_nanosleep")),
          ("sockets and notes", ("recvfrom", "sendto", "recvmsg", "sendmsg", "recvmmsg", "sendmmsg", "accept", "accept4",
                                 "connect", "socket", "getsockopt", "setsockopt", "shutdown", "getpeername", "getsockname", "bind")),
          ("files", ("open", "openat", "close", "stat", "fstat", "newfstatat", "lstat", "link", "linkat", "rename", "unlink",
                     "unlinkat", "mkdir", "read", "write", "writev", "readv", "pread64", "pwrite64", "pwritev", "pwritev2",
                     "fsync", "fdatasync", "sync_file_range", "lseek", "fchmod", "chmod", "fchown", "ftruncate", "utimensat",
                     "flock", "fcntl", "getdents64", "access", "fadvise64", "utime", "renameat2", "chdir", "fallocate")),
          ("processes and memory", ("brk", "mmap", "munmap", "mprotect", "clone", "clone3", "fork", "vfork", "execve", "exit_group",
                                    "madvise", "mremap")))


def load(server, size, connections, messages):
    subprocess.run([BUILD / "load", "--port", str(server.smtp), "--connections", str(connections), "--messages",
                    str(messages), "--size", str(size), "--to", server.recipients[0]], check=True, capture_output=True)


def octets_of(name, rest, result):
    if name in ("recvmmsg", "sendmmsg"):
        return sum(int(n) for n in re.findall(r"msg_len=(\d+)", rest))
    return max(0, result) if MOVES.match(name) else 0


def count(path):
    """Calls by group, octets moved and syncs in what strace has written."""
    groups = {name: 0 for name, _ in GROUPS}
    groups["other"] = octets = syncs = 0
    for line in path.read_text(errors="replace").splitlines():
        call = CALL.match(line)
        if not call:
            continue
        name, rest = call.groups()
        # A call that another process' line interrupts has its arguments in the first part, its result in the second.
        is_begun, is_over = "resumed>" not in line, "<unfinished" not in line
        syncs += is_begun and (name in SYNCS or (name == "pwritev2" and "RWF_DSYNC" in rest))
        if not is_over:
            continue
        result = RESULT.search(line)
        group = next((group for group, names in GROUPS if name in names), "other")
        groups[group] += 1
        octets += octets_of(name, rest, int(result[1]) if result else 0)
    return groups, octets, syncs


def is_traced(pid):
    """Or over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    return "TracerPid:\t0\n" not in status or "State:\tZ" in status


def traced(server, size, connections, messages, folder):
    """What all processes of a server do for so many messages."""
    path = folder / "trace"
    pids = [str(pid) for root in server.pids() for pid in tree(root)]
    stored = server.stored()
    # The pieces of a write are not spelled out (-s 0); the lengths of notes are, wherever they stand (-v).
    tracer = subprocess.Popen(["strace", "-f", "-q", "-v", "-s", "0", "-o", path, *(f"-p{pid}" for pid in pids)],
                              stderr=subprocess.DEVNULL)
    while not all(is_traced(pid) for pid in pids):
        time.sleep(0.05)
    load(server, size, connections, messages)
    if stored is not None:
        server.wait_until_stored(stored + messages)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    groups, octets, syncs = count(path)
    return {name: n / messages for name, n in groups.items()}, octets / messages, syncs / messages


def counted(servers, scale):
    names = [name for name, _ in GROUPS] + ["other"]
    lines = ["| a message of | server | " + " | ".join(names) + " | system calls | octets moved by the kernel | times the message | syncs |",
             "|---|---|" + "--:|" * (len(names) + 4)]
    folder = Path(tempfile.mkdtemp(prefix="facteur-costs-"))
    try:
        for name, size, connections in CASES:
            for server in servers:
                say(f"costs: {name}, {server.name}")
                ours = server.stored() is None
                before = server.stored()
                load(server, size, connections, connections * 10)
                if not ours:
                    server.wait_until_stored(before + connections * 10)
                groups, octets, syncs = traced(server, size, connections, max(40, int((1000 if ours else 400) * scale)), folder)
                cells = [f"{groups[group]:.1f}" for group in names] + [f"{sum(groups.values()):.1f}", f"{octets:.0f}",
                                                                     f"{octets / size:.1f}", f"{syncs:.2f}"]
                lines.append(f"| {name} | {server.name} | " + " | ".join(cells) + " |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return lines


def costs(servers, scale):
    text = (f"System calls of all processes of the server for one message, without TLS (strace, which slows all: more messages share a wake-up "
            f"than in earnest). The least possible from one connection is {LEAST_CALLS} calls for any server (two waits, two reads, two answers, one write "
            f"that syncs), {LEAST_OURS} for one whose parsers hold nothing valuable (`smtp` 9, `deliver` 3, `store` 7), 2 times the message (from the socket, to the "
            "disk) for the first and 6 for the second, and one sync; with 20 connections one turn, and so one sync, serves many. "
            "Zeros that go ahead of small turns ([why](../docs/why/050-what-a-message-costs.md)) are counted.")
    return ["### What a message costs", "", text, "", *counted(servers, scale)]
