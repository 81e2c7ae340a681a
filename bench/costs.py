# SPDX-License-Identifier: ISC
"""What a message costs in system calls, octets that the kernel copies, and syncs (strace), beside the least possible;
and where the time goes (perf)."""
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


# ---- where the time goes ------------------------------------------------------------------------

# What the symbols are, and why they are there still.
EXPLAINED = (
    ("copy_folio_from_iter_atomic", "the log's octets into the page cache: once, the least with a cache that readers use; on a virtual machine also its first touch of the page"),
    ("_copy_from_iter", "octets into sockets: notes from process to process (the price of separated processes), answers"),
    ("_copy_to_iter", "octets out of sockets: the message from its sender, notes"),
    ("iowrite16", "the disk is told of a write: one a turn, and a flush"),
    ("finish_task_switch", "from idle to work: a process that waited is woken"),
    ("_raw_spin_unlock_irqrestore", "waking a process, often on the other core"),
    ("memmove", "the message between buffers of one process"),
    ("memcpy", "the message between buffers of one process"),
    ("memchr", "looking for the ends of lines, and for dots"),
    ("clear_page", "new pages: read from here once, they are the page cache's"),
    ("syscall", "entering the kernel; each process has a seccomp filter"),
    ("seccomp", "the filter of system calls, which each process has"),
    ("mime_", "the tree of parts and the parse record, from which ENVELOPE and SEARCH are answered"),
    ("epoll_wait", "waiting for work"),
    ("XXH3", "the hash of body and record, by which damage is found"),
    ("malloc", "memory of sessions, messages and records"),
    ("_int_free", "memory of sessions, messages and records"),
    ("tcp_", "the connection to the sender"),
    ("softirq", "the connection to the sender, on loopback its other end, too"),
    ("smtp_frame", "ends of lines and dots taken off the message"),
    ("_raw_spin", "locks of the kernel: sockets, page cache, disk"),
    ("unix_", "notes: the sockets between our processes"),
    ("skb", "packets and notes: buffers of the kernel"),
    ("exc_page_fault", "memory that is touched for the first time"),
    ("try_to_wake_up", "waking a process"),
    ("list_del_entry", "lists of free pages of the kernel"),
)


def explained(symbol):
    return next((text for part, text in EXPLAINED if part in symbol), "")


def expensive(server, messages):
    """The ten most expensive functions while 20 connections hand in 4 KiB; [] without perf."""
    if not shutil.which("perf"):
        say("costs: perf is not there")
        return []
    say("costs: where the time goes")
    with tempfile.TemporaryDirectory(prefix="facteur-perf-") as folder:
        data = Path(folder) / "data"
        pids = ",".join(str(pid) for root in server.pids() for pid in tree(root))
        load(server, 4096, 20, 1000)
        recorder = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-o", data, "-p", pids], stderr=subprocess.DEVNULL)
        while not data.exists():
            time.sleep(0.05)
        load(server, 4096, 20, messages)
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        report = subprocess.run(["perf", "report", "-i", data, "--no-children", "-g", "none", "--sort", "sym"],
                                capture_output=True, text=True).stdout
    rows = re.findall(r"^ +([\d.]+)% +\[(.)\] (\S+)", report, re.MULTILINE)[:10]
    return ["", "| share | function | whose | what it is |", "|--:|---|---|---|"] + [
        f"| {share} % | `{symbol}` | {'the kernel' if kind == 'k' else 'ours'} | {explained(symbol)} |"
        for share, kind, symbol in rows]


def costs(servers, scale):
    ours = servers[0]
    text = (f"System calls of all processes of the server for one message (strace, which slows all: more messages share a wake-up "
            f"than in earnest). The least possible from one connection is {LEAST_CALLS} calls for any server (two waits, two reads, two answers, one write "
            f"that syncs), {LEAST_OURS} for one whose parsers hold nothing valuable (`smtp` 9, `deliver` 3, `store` 7), 2 times the message (from the socket, to the "
            "disk) for the first and 6 for the second, and one sync; with 20 connections one turn, and so one sync, serves many. "
            "Zeros that go ahead of small turns ([why](../docs/why/050-what-a-message-costs.md)) are counted.")
    return ["### What a message costs", "", text, "", *counted(servers, scale), *expensive(ours, int(20000 * scale))]
