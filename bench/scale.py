# SPDX-License-Identifier: ISC
"""How the servers bear more: larger messages, more connections, TLS, fuller mailboxes. Tables and charts."""
import json
import subprocess
import time

from chart import line_chart
from imap import Client
from machine import milliseconds, say, sync_ms
from servers import BUILD, PASSWORD, cpu_of

CHARTS = BUILD / "charts"  # from here they go beside RESULTS.md when it is written
KIB = 1024
SIZES = (1 * KIB, 4 * KIB, 64 * KIB, 1024 * KIB, 10240 * KIB)
CONNECTIONS = (1, 10, 100, 1000, 10_000)
THEIRS_MAX = 1000  # connections to the others (each takes a process there)
BOXES = (1, 100, 10_000, 1_000_000)
SECONDS = 1
BYTES_MAX = 200 << 20  # for one point: a disk has an end
APPEND_MAX = 1000
REPEAT, REPEAT_S = 20, 5  # commands whose middle is told, and how long they may take


def size_name(octets):
    return f"{octets // KIB} KiB" if octets < 1 << 20 else f"{octets >> 20} MiB"


def hand_in(server, size, connections, is_tls, seconds):
    """One point: messages a second until the last is in its mailbox, and CPU for each."""
    stored, cpu = server.stored(), cpu_of(server)
    command = [BUILD / "load", "--port", str(server.smtp), "--connections", str(connections), "--size", str(size),
               "--seconds", str(seconds), "--messages", str(max(connections, min(200_000, BYTES_MAX // size))),
               "--to", server.recipients[0], *(["--tls"] if is_tls else []),
               *(["--no-pipelining"] if not getattr(server, "pipelines", True) else [])]
    output = subprocess.run(command, capture_output=True, text=True)
    if output.returncode:
        say(f"bench: {server.name}, {size_name(size)}, {connections} connections: {output.stderr.strip()[:200]}")
        return None
    result = json.loads(output.stdout)
    taken = result["seconds"]
    if stored is not None:
        before = time.time()
        server.wait_until_stored(stored + result["messages"])
        taken += time.time() - before
    used = None if cpu is None else (cpu_of(server) - cpu) / result["messages"] * 1e6
    return {"rate": result["messages"] / taken, "cpu_us": used, "connections": result["connections"]}


def lines_of(servers):
    """Each server in the clear, then those that can with TLS."""
    return [(server, i, is_tls) for is_tls in (False, True) for i, server in enumerate(servers)
            if server.has_tls or not is_tls]


def table(head, axis, axis_name, rows):
    lines = [f"| {head} | " + " | ".join(axis_name(x) for x in axis) + " |", "|---" * (len(axis) + 1) + "|"]
    return lines + [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows]


def rate_text(rate):
    return f"{rate:.0f}" if rate >= 1000 else f"{rate:.4g}"


def rates_with_ratios(measured, axis):
    """Ours as rates; what the others do is told with how many times ours is theirs."""
    rows = []
    for (name, is_tls), values in measured.items():
        ours = measured[("Facteur", is_tls)]
        cells = []
        for x in axis:
            value = values.get(x)
            mine = ours.get(x)
            ratio = f" ({mine['rate'] / value['rate']:.3g} ×)" if value and mine and name != "Facteur" else ""
            cells.append(f"{rate_text(value['rate'])}{ratio}{value['note']}" if value else "")
        rows.append((name + (", TLS" if is_tls else ""), cells))
    return rows


def cpus(measured, axis):
    """µs of all processes of the server for a message."""
    return [(name + (", TLS" if is_tls else ""),
             [f"{values[x]['cpu_us']:.0f} µs" if values.get(x) and values[x]["cpu_us"] else "" for x in axis])
            for (name, is_tls), values in measured.items()]


def sweep(servers, axis, points, seconds):
    """`points(x)`: size and connections. Returns {(name, is_tls): {x: result}}."""
    measured = {(server.name, is_tls): {} for server, _, is_tls in lines_of(servers)}
    for x in axis:
        size, connections = points(x)
        for server, _, is_tls in lines_of(servers):
            if connections > THEIRS_MAX and server is not servers[0]:
                continue
            result = hand_in(server, size, connections, is_tls, seconds)
            if result:
                some = result["connections"]
                result["note"] = f", {some} got in" if some < connections else ""
                measured[(server.name, is_tls)][x] = result
                say(f"scale: {server.name}{', TLS' if is_tls else ''}, {size_name(size)}, {connections} connections: "
                    f"{result['rate']:.0f} /s{result['note']}")
    return measured


def draw(name, title, x_title, y_title, servers, measured, value, x_name):
    series = [(server.name + (", TLS" if is_tls else ""), i, is_tls,
               [(x, value(r)) for x, r in measured.get((server.name, is_tls), {}).items() if value(r)])
              for server, i, is_tls in lines_of(servers)]
    CHARTS.mkdir(exist_ok=True)
    (CHARTS / f"{name}.svg").write_text(line_chart(title, x_title, y_title, [s for s in series if s[3]], x_name))
    return f"![{title}](charts/{name}.svg)"


def handing_in(servers, is_quick):
    """Messages of all sizes, and from few and many connections."""
    seconds = 0.2 if is_quick else SECONDS
    sizes = (4 * KIB, 1024 * KIB) if is_quick else SIZES
    connections = (100,) if is_quick else CONNECTIONS
    sync = sync_ms(servers[0].dir)
    by_size = sweep(servers, sizes, lambda size: (size, 20), seconds)
    by_connections = sweep(servers, connections, lambda count: (4 * KIB, count), seconds)
    lines = ["Messages a second until the last was in its mailbox; in brackets, how many times that Facteur does. With TLS: "
             "STARTTLS on each connection, before the clock runs. Postfix and Exim take a process for each connection (Postfix at most 200 at a time); "
             "an empty cell: not tried, or it failed. Half of what 10 MiB cost Facteur is the kernel's copy into pages that a virtual machine touches for the first "
             "time ([why](../docs/why/050-what-a-message-costs.md)). "
             f"Before, a write of 4 KiB took {sync:.2f} ms until it was on the disk; so long each sender waits at least.", ""]
    lines += table("20 connections", sizes, size_name, rates_with_ratios(by_size, sizes))
    lines += ["", *table("CPU for each, 20 connections", sizes, size_name, cpus(by_size, sizes))]
    lines += ["", draw("sizes", "Larger messages", "size of a message, 20 connections", "messages a second", servers,
                       by_size, lambda r: r["rate"], size_name),
              draw("sizes-cpu", "What a larger message costs", "size of a message, 20 connections",
                   "µs of CPU a message", servers, by_size, lambda r: r["cpu_us"], size_name), ""]
    lines += table("4 KiB", connections, lambda n: f"{n:,} connections" if n > 1 else "1 connection",
                   rates_with_ratios(by_connections, connections))
    return lines + ["", draw("connections", "More connections", "connections, messages of 4 KiB", "messages a second",
                             servers, by_connections, lambda r: r["rate"], str)]


# ---- mailboxes ----------------------------------------------------------------------------------

def fill_maildir(box, count):
    """Files as Dovecot's LMTP leaves them, some hundred octets each."""
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (box / "cur" / f"{1_700_000_000 + i}.M{i}P1.bench:2,S").write_bytes(b"Subject: %d\n\nshort\n" % i)
    subprocess.run(["chown", "-R", "mail:mail", box], check=True)


def fill_by_append(client, count):
    """MULTIAPPEND, as many at a time as one command takes."""
    for first in range(0, count, APPEND_MAX):
        parts = []
        for i in range(first, min(first + APPEND_MAX, count)):
            text = b"Subject: %d\r\n\r\nshort\r\n" % i
            parts.append(b' (\\Seen) {%d+}\r\n%s' % (len(text), text))
        client.ask("APPEND box", b"".join(parts))


def middle_ms(client, *commands):
    """Of the commands in turn."""
    times = []
    while len(times) < REPEAT and sum(times) < REPEAT_S:
        start = time.perf_counter()
        client.ask(commands[len(times) % len(commands)])
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1000


def read_box(server, user, password, count, name):
    """What a client that knows the mailbox does: SELECT when another client has it open, the newest message, a flag."""
    keeper, client = Client(server.imap, user, password), Client(server.imap, user, password)
    start = time.perf_counter()
    keeper.ask(f"SELECT {name}")
    cold = (time.perf_counter() - start) * 1000
    result = {"first": cold, "select": middle_ms(client, f"SELECT {name}"),
              "fetch": middle_ms(client, f"FETCH {count} (FLAGS ENVELOPE)"),
              "flag": middle_ms(client, f"STORE {count} +FLAGS (\\Flagged)", f"STORE {count} -FLAGS (\\Flagged)")}
    for one in (keeper, client):
        one.close()
    return result


def mailboxes(servers, is_quick):
    """Mailboxes of one message to very many."""
    ours, theirs = servers
    boxes = BOXES[:2] if is_quick else BOXES
    measured = {(server.name, False): {} for server in servers}
    for i, count in enumerate(boxes):
        say(f"scale: a mailbox of {count} messages")
        user, password = list(ours.users.items())[0]
        client = Client(ours.imap, user, password)
        client.ask("CREATE box")
        fill_by_append(client, count)
        measured[(ours.name, False)][count] = read_box(ours, user, password, count, "box")
        client.ask("DELETE box")
        client.close()
        box = theirs.mail / f"box{i}@example.test"
        fill_maildir(box, count)
        measured[(theirs.name, False)][count] = read_box(theirs, box.name, PASSWORD, count, "INBOX")
    rows = []
    for what, name in (("first", "SELECT, when nobody has it open"), ("select", "SELECT again"),
                       ("fetch", "FETCH of the newest, FLAGS and ENVELOPE"), ("flag", "STORE of a flag of the newest")):
        for server in servers:
            rows.append((f"{name}: {server.name}",
                         [milliseconds(measured[(server.name, False)][n][what]) for n in boxes]))
    lines = ["A client waits so long; no TLS. Messages of some 30 octets; for Dovecot they had lain in the Maildir before it saw them. "
             "Facteur's STORE is on the disk when it is answered; Dovecot's is not (mail_fsync = optimized).", ""]
    lines += table("mailbox of", boxes, lambda n: f"{n:,}", rows)
    return lines + ["", draw("mailboxes", "Fuller mailboxes", "messages in the mailbox",
                             "ms until SELECT is answered, when nobody has it open", servers, measured,
                             lambda r: r["first"], lambda n: f"{n:,}")]
