# SPDX-License-Identifier: ISC
"""Where Facteur's time goes (perf): the ten most expensive functions of what it is asked for most, and what they are."""
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import machine
import relay
from imap import LETTER, Client
from machine import say, tree
from servers import BUILD

TOP = 10
SECONDS, SECONDS_QUICK = 3, 0.5  # of each but SMTP
FREQUENCY = "1999"

# What the symbols are, and why they are there still.
EXPLAINED = (
    ("copy_folio_from_iter_atomic", "the log's octets into the page cache: once, the least with a cache that readers use; on a virtual machine also its first touch of the page"),
    ("_copy_from_iter", "octets into sockets: notes from process to process (the price of separated processes), answers"),
    ("_copy_to_iter", "octets out of sockets and of the page cache: the message from its sender, notes, what is read of the log"),
    ("copy_page_to_iter", "octets out of the page cache: what is read of the log"),
    ("filemap_", "what is read of the log, found in the page cache"),
    ("iowrite16", "the disk is told of a write: one a turn, and a flush"),
    ("finish_task_switch", "from idle to work: a process that waited (for a note, a client, the disk) is woken"),
    ("_raw_spin_unlock_irqrestore", "waking a process, often on the other core"),
    ("memmove", "octets between buffers of one process"),
    ("memcpy", "octets between buffers of one process"),
    ("memset", "memory is cleared before it is used"),
    ("memmem", "looking for lines that begin with a dot; since these figures memchr does it, eight times as fast"),
    ("memcmp", "keys are compared on the way through the view (LMDB)"),
    ("liblmdb", "the view: pages of its tree are searched and changed"),
    ("key_", "keys of the view are made and taken apart"),
    ("memchr", "looking for the ends of lines, and for dots"),
    ("strlen", "constant texts of answers"),
    ("clear_page", "new pages: read from here once, they are the page cache's"),
    ("syscall", "entering the kernel; each process has a seccomp filter"),
    ("seccomp", "the filter of system calls, which each process has"),
    ("mime_record", "a parse record is checked before it is believed, and read"),
    ("mime_", "the tree of parts and the parse record, from which ENVELOPE and SEARCH are answered"),
    ("imap_put_string", "strings of an answer: whether they may be quoted, eight octets at a time"),
    ("put_summary", "ENVELOPE, put from the parse record"),
    ("put_lists", "ENVELOPE, put from the parse record"),
    ("buffer_put_padded", "numbers and dates of an answer"),
    ("date_", "numbers and dates of an answer"),
    ("epoll_wait", "waiting for work"),
    ("epoll", "waiting for work"),
    ("XXH", "the hash of each body, record and value, by which damage is found"),
    ("xxhash", "the hash of each body, record and value, by which damage is found"),
    ("malloc", "memory of sessions, messages and records"),
    ("calloc", "memory of sessions, messages and records"),
    ("_int_free", "memory of sessions, messages and records"),
    ("cfree", "memory of sessions, messages and records"),
    ("tcp_", "the connection to the client"),
    ("softirq", "the connection to the client, on loopback its other end, too"),
    ("smtp_frame", "ends of lines and dots taken off the message"),
    ("pop3_", "lines of a message that begin with a dot"),
    ("_raw_spin", "locks of the kernel: sockets, page cache, disk"),
    ("unix_", "notes: the sockets between our processes"),
    ("skb", "packets and notes: buffers of the kernel"),
    ("sock_", "packets and notes: sockets of the kernel"),
    ("page_fault", "memory that is touched for the first time"),
    ("anonymous_page", "memory that is touched for the first time"),
    ("unmap_page_range", "a large message's memory is given back"),
    ("try_to_wake_up", "waking a process"),
    ("__schedule", "waking a process"),
    ("free_pages", "pages of the kernel: notes and packets are given back"),
    ("get_page_from_freelist", "pages of the kernel for notes and packets"),
    ("list_del_entry", "lists of free pages of the kernel"),
    ("ext4_", "the file system"),
    ("blk_", "the disk"),
    ("clock_gettime", "the loop reads the time once a turn, the log for each line"),
    ("uv_", "the loop: what is ready, what is due"),
    ("libuv", "the loop: what is ready, what is due"),
    ("hrtimer", "waiting for work: until the next thing that is due"),
    ("fdget", "entering the kernel: sockets and files"),
    ("virt_addr_valid", "the kernel's hardening: what is copied lies in one object"),
    ("check_object_size", "the kernel's hardening: what is copied lies in one object"),
    ("security_", "the kernel's hooks of security modules"),
    ("process_backlog", "the connection to the client, on loopback its other end, too"),
    ("mdb_", "the view: pages of its tree are searched and changed"),
    ("wbt_", "the disk: how much of it background writes may take"),
    ("buffer_", "answers and notes are put together"),
    ("arena_", "answers and notes are put together"),
    ("take_row", "one message of an answer"),
    ("cursor_take", "notes and entries are decoded, each field within its bounds"),
    ("_take", "notes and entries are decoded, each field within its bounds"),
    ("on_channel", "notes are fetched, many with one system call, and handed over one by one"),
    ("pwritev64v2", "a turn is written and synced: what is counted where the kernel comes back"),
    ("view_get", "a value of the view is found, and its hash looked at before it is believed"),
    ("_put", "notes and answers are encoded"),
)


def explained(symbol):
    return next((text for part, text in EXPLAINED if part in symbol), "")


@contextmanager
def recorded(pids, data):
    recorder = subprocess.Popen(["perf", "record", "-q", "-F", FREQUENCY, "-o", data, "-p",
                                 ",".join(str(pid) for root in pids for pid in tree(root))], stderr=subprocess.DEVNULL)
    while not data.exists():
        time.sleep(0.05)
    time.sleep(0.5)  # it has attached itself to all of them by then
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()


def most_expensive(data):
    """[(share, symbol)]; what a library does not name counts for the library."""
    report = subprocess.run(["perf", "report", "-i", data, "--no-children", "-g", "none", "--sort", "dso,sym"],
                            capture_output=True, text=True).stdout
    shares = {}
    for share, owner, symbol in re.findall(r"^ +([\d.]+)% +(\S+) +\[.\] (\S+)", report, re.MULTILINE):
        name = owner.split(".so")[0] if symbol.startswith("0x") else symbol.split(".")[0].split("@")[0]
        shares[name] = shares.get(name, 0) + float(share)
    return sorted(((share, name) for name, share in shares.items()), reverse=True)[:TOP]


# ---- what is asked ------------------------------------------------------------------------------

def hand_in(port, to, messages):
    subprocess.run([BUILD / "load", "--port", str(port), "--connections", "20", "--messages", str(messages), "--to", to],
                   check=True, capture_output=True)


def append(client, count):
    for _ in range(count):
        client.ask("APPEND profile {%d+}\r\n" % len(LETTER), LETTER)


def retrieve(port, user, password, count):
    """POP3: one message after another."""
    with socket.create_connection(("127.0.0.1", port)) as sock, sock.makefile("rb") as file:
        file.readline()
        for command in (f"USER {user}", f"PASS {password}"):
            sock.sendall(command.encode() + b"\r\n")
            if not file.readline().startswith(b"+OK"):
                raise RuntimeError("bench: POP3 does not let in")
        for number in range(1, count + 1):
            sock.sendall(b"RETR %d\r\n" % number)
            while file.readline() != b".\r\n":
                pass
        sock.sendall(b"QUIT\r\n")


def for_a_while(seconds, do):
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        do(i)
        i += 1


def of_sessions(server, count, folder):
    """(what, its functions) of SMTP, IMAP and POP3."""
    user, password = list(server.users.items())[0]
    client = Client(server.imap, user, password)
    client.ask("CREATE profile")
    client.ask("SELECT profile")
    some = count // 10
    append(client, some)
    client.ask("NOOP")
    seconds = SECONDS_QUICK if machine.is_quick else SECONDS
    for what, do in (
            ("SMTP in", lambda: hand_in(server.smtp, server.recipients[0], count)),
            ("IMAP FETCH ENVELOPE", lambda: for_a_while(seconds, lambda i: client.ask("FETCH 1:* (UID FLAGS INTERNALDATE ENVELOPE)"))),
            ("IMAP FETCH BODY[]", lambda: for_a_while(seconds, lambda i: client.ask("FETCH 1:* BODY.PEEK[]"))),
            ("IMAP STORE", lambda: for_a_while(
                seconds, lambda i: client.ask(f"STORE {i % some + 1} {'-+'[i // some % 2 == 0]}FLAGS (\\Seen)"))),
            ("IMAP APPEND", lambda: for_a_while(seconds, lambda i: append(client, 1))),
            ("POP3 RETR", lambda: for_a_while(seconds, lambda i: retrieve(server.pop3, user, password, some)))):
        say(f"profiles: {what}")
        data = folder / what.replace(" ", "-")
        with recorded(server.pids(), data):
            do()
        yield what, most_expensive(data)
    client.close()


def of_relay(count, folder):
    say("profiles: relay")
    with relay.sinks():
        server = relay.Facteur(BUILD / "src/tool/facteur")
        try:
            hand_in(server.port, "anyone@sink.test", count // 10)
            with recorded([server.pid], folder / "relay"):
                hand_in(server.port, "anyone@sink.test", count)
                relay.wait_until(server, count + count // 10)
        finally:
            server.close()
    return "relay", most_expensive(folder / "relay")


def profiles(server, scale):
    lines = ["### Where the time goes", ""]
    if not shutil.which("perf"):
        return [*lines, "Not measured: perf is not there."]
    with tempfile.TemporaryDirectory(prefix="facteur-perf-") as name:
        folder, count = Path(name), int(20000 * scale)
        found = [*of_sessions(server, count, folder), of_relay(count, folder)]
    lines += ["The ten most expensive functions, and their share of all that the server's processes do (perf): 20 connections that hand in 4 KiB, one IMAP client with messages of "
              "2.6 KiB, one POP3 client, and mail that is taken and passed on.", "",
              "| | " + " | ".join(what for what, _ in found) + " |", "|--:|" + "---|" * len(found)]
    for rank in range(TOP):
        cells = [f"`{rows[rank][1]}` {rows[rank][0]:.1f} %" if rank < len(rows) else "" for _, rows in found]
        lines.append(f"| {rank + 1} | " + " | ".join(cells) + " |")
    lines += ["", "| function | what it is, and why it is there still |", "|---|---|"]
    symbols = sorted({symbol for _, rows in found for _, symbol in rows})
    return lines + [f"| `{symbol}` | {explained(symbol)} |" for symbol in symbols]
