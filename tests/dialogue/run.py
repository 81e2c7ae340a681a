#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Holds the dialogues of this folder (README.md has the language).

usage: run.py engine --program DIALOGUE_ENGINE [--split N] FILE|FOLDER…
       run.py town --program DIALOGUE_TOWN [--split N] FILE|FOLDER…     all roles, in virtual time
       run.py daemon --dir DIR --port-base N FILE|FOLDER…       daemons that run already
       run.py daemon --facteur PROGRAM FILE|FOLDER…             starts its own
Writes TAP; a failure names file:line and shows what was said before.
"""
import argparse
import hashlib
import re
import sys
import time
import uuid
from pathlib import Path

from parse import DialogueError, parse
from engine_world import EngineWorld
from daemon_world import DaemonWorld
from own_daemon import OwnDaemonWorld
from town_world import TownWorld
import sasl_client


class Mismatch(Exception):
    pass


class Conversation:
    """One run of one dialogue in one world."""

    def __init__(self, dialogue, world):
        self.dialogue, self.world = dialogue, world
        self.connections, self.services, self.current, self.said = {}, {}, None, []
        self.names = {"token": "t" + uuid.uuid4().hex[:12]}

    def connection(self):
        if self.current is None:
            raise Mismatch("no connection: use `connect` first")
        return self.connections[self.current]

    def send(self, data):
        text = data.decode("latin-1")
        shown = text if len(text) < 200 else text[:200] + "…"
        self.said.append("C: " + shown.removesuffix("\r\n").replace("\r\n", "\r\n#        "))
        self.connection().send(data)

    def read_line(self):
        line = self.connection().read_line()
        if line is None:
            raise Mismatch("the connection was closed, or nothing came")
        if not line.endswith(b"\r\n"):
            raise Mismatch(f"a line does not end in CRLF: {line!r}")
        text = line[:-2].decode("utf-8", "surrogateescape")
        self.said.append("S: " + text)
        return text

    # ---- replies

    def read_smtp_reply(self):
        lines = []
        while True:
            line = self.read_line()
            if not re.match(r"[2-5][0-9][0-9][ -]", line):
                raise Mismatch(f"not a reply: {line!r}")
            if lines and line[:3] != lines[0][:3]:
                raise Mismatch(f"the code changes within a reply: {line!r}")
            lines.append(line)
            if line[3] == " ":
                return lines

    def expect_smtp(self, want):
        lines = self.read_smtp_reply()
        code, texts = lines[0][:3], [line[4:] for line in lines]
        if code != want["code"]:
            raise Mismatch(f"expected {want['code']}, got {lines[-1]!r}")
        if want["is_multi"] and len(lines) < 2:
            raise Mismatch(f"expected several lines, got {lines[-1]!r}")
        if want["enhanced"]:
            if any(not t.startswith(want["enhanced"] + " ") for t in texts):
                raise Mismatch(f"expected {want['enhanced']} on each line, got {lines[-1]!r}")
        self.match("\n".join(texts), want["pattern"], want["is_refusal"])

    def match(self, text, pattern, is_refusal=False):
        if not pattern:
            return
        found = re.search(self.fill(pattern, escape=True), text, re.M)
        if bool(found) == is_refusal:
            what = "unwanted" if is_refusal else "no match for"
            raise Mismatch(f"{what} /{pattern}/ in {text!r}")

    def fill(self, text, escape=False):
        def replace(found):
            value = self.names.get(found.group(1))
            if value is None:
                return found.group(0)
            return re.escape(value) if escape else value
        return re.sub(r"\{([a-z]+)\}", replace, text)

    # ---- steps

    def run(self):
        for step in self.dialogue.steps:
            try:
                getattr(self, "do_" + step.verb)(**step.arguments)
            except (Mismatch, OSError) as error:
                raise Mismatch(f"{self.dialogue.path}:{step.line}: {error}") from error

    def do_set(self, name, value):
        self.world.set(name, value)

    def do_connect(self, service, name):
        self.connections[name], self.services[name] = self.world.connect(service), service
        self.current = name

    def do_on(self, name):
        if name not in self.connections:
            raise Mismatch(f"no connection named {name}")
        self.current = name

    def do_send(self, text, count, ends_line):
        whole = b""
        for number in range(1, count + 1):
            self.names["n"] = str(number)
            whole += unescape(self.fill(text)) + (b"\r\n" if ends_line else b"")
        self.send(whole)

    def do_smtp(self, count, **want):
        for _ in range(count):
            self.expect_smtp(want)

    def do_line(self, start, pattern):
        line = self.read_line()
        if not line.startswith(start):
            raise Mismatch(f"expected {start}, got {line!r}")
        self.match(line, pattern)

    def do_tagged(self, tag, status, pattern, is_refusal):
        lines = []
        while not lines or not lines[-1].startswith(tag + " "):
            lines.append(self.read_line())
        if not lines[-1].startswith(f"{tag} {status} "):
            raise Mismatch(f"expected {tag} {status}, got {lines[-1]!r}")
        self.match("\n".join(lines), pattern, is_refusal)

    def do_untagged(self, pattern):
        line = self.read_line()
        if not line.startswith("* "):
            raise Mismatch(f"expected an untagged response, got {line!r}")
        self.match(line, pattern)

    def do_lines(self, pattern, is_refusal):
        lines = []
        while (line := self.read_line()) != ".":
            lines.append(line[1:] if line.startswith(".") else line)
        self.match("\n".join(lines), pattern, is_refusal)

    def do_capture(self, name, pattern):
        found = re.search(pattern, self.said[-1][3:])
        if not found:
            raise Mismatch(f"no match for /{pattern}/ in {self.said[-1]!r}")
        self.names[name] = found.group(1)

    def do_closed(self):
        line = self.connection().read_line()
        if line is not None:
            raise Mismatch(f"expected the connection to be closed, got {line!r}")

    def do_close(self):
        self.connection().close()

    def do_end(self):
        self.connection().end()

    def do_stop(self):
        self.connection().stop()

    def do_starttls(self):
        self.connection().start_tls()

    def do_compress(self):
        self.connection().compress()

    def do_wait(self, seconds):
        self.world.wait(seconds)

    def do_auth(self, mechanism, user, outcome):
        password = self.world.password(user) if outcome != "wrong" else "not the password"
        client = sasl_client.make(mechanism, user, password)
        if self.services[self.current].startswith("pop3"):
            self.expect_login(sasl_client.pop3(self, client), outcome)
            return
        code = sasl_client.smtp(self, client)
        expected = {"right": "235", "wrong": "535"}[outcome]
        if code != expected:
            raise Mismatch(f"expected {expected}, got {self.said[-1]!r}")

    def expect_login(self, line, outcome):
        expected = {"right": "+OK", "wrong": "-ERR [AUTH]"}[outcome]
        if not line.startswith(expected):
            raise Mismatch(f"expected {expected}, got {line!r}")

    def do_apop(self, user, outcome):
        stamp = next(line for line in reversed(self.said) if re.match(r"S: \+OK .*<.*@.*>$", line))
        secret = self.world.password(user) if outcome == "right" else "not the password"
        digest = hashlib.md5((stamp[stamp.index("<"):] + secret).encode()).hexdigest()
        self.send(f"APOP {user} {digest}\r\n".encode())
        self.expect_login(self.read_line(), outcome)

    def do_password(self, name, user):
        self.names[name] = self.world.password(user)

    def aside(self, service, lines):
        """Holds a conversation beside this one: pairs of what is said and what must come."""
        outer = self.connections, self.services, self.current
        self.connections, self.services = {}, {}
        self.do_connect(service, "aside")
        try:
            for said, start in lines:
                if said is not None:
                    self.send(said + b"\r\n")
                line = self.read_line()
                while re.match(r"\d\d\d-", line):
                    line = self.read_line()
                if not line.startswith(start):
                    raise Mismatch(f"expected {start}, got {line!r}")
            return line
        finally:
            self.connection().close()
            self.connections, self.services, self.current = outer

    def do_deliver(self, address, text):
        message = unescape(self.fill(text)).replace(b"\r\n.", b"\r\n..")
        self.aside("lmtp", [(None, "220"), (b"LHLO bar.com", "250"), (b"MAIL FROM:<a@bar.com>", "250"),
                            (f"RCPT TO:<{address}>".encode(), "250"), (b"DATA", "354"),
                            (message + b"\r\n.", "250"), (b"QUIT", "221")])

    def aside_pop(self, address, commands):
        """Logs in beside this conversation. A session that was cut off holds its maildrop until the server
        has noticed: [IN-USE] is asked again."""
        login = [(None, "+OK"), (f"USER {address}".encode(), "+OK"),
                 (f"PASS {self.world.password(address)}".encode(), "+OK")]
        deadline = time.monotonic() + 10
        while True:
            try:
                return self.aside(self.world.aside_pop_service, login + commands)
            except Mismatch as mismatch:
                if "[IN-USE]" not in str(mismatch) or time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def do_empty(self, address):
        count = int(self.aside_pop(address, [(b"STAT", "+OK")]).split()[1])
        self.aside_pop(address, [(f"DELE {n}".encode(), "+OK") for n in range(1, count + 1)]
                       + [(b"QUIT", "+OK")])

    def do_release(self, address):
        self.aside_pop(address, [(b"QUIT", "+OK")])

    def do_mailbox(self, address, count, pattern):
        pattern = self.fill(pattern, escape=True)
        found = [m for m in self.world.messages(address, count, pattern)
                 if re.search(pattern.encode(), m, re.S)]
        if len(found) != count:
            raise Mismatch(f"{address} has {len(found)} message(s) with /{pattern}/, not {count}")

    def finish(self):
        for connection in self.connections.values():
            connection.close()


def unescape(text):
    """\\r \\n \\0 \\\\ \\xHH and {C*N}: N times C."""
    text = re.sub(r"\{(.)\*(\d+)\}", lambda m: m.group(1) * int(m.group(2)), text)
    data = text.encode("utf-8")
    names = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}
    return re.sub(rb"\\(r|n|0|\\|x[0-9a-fA-F]{2})",
                  lambda m: names.get(m.group(1)) or bytes([int(m.group(1)[1:], 16)]), data)


def hold(number, path, make_world, mode):
    """Runs one dialogue; returns whether it went well. Writes its line of TAP."""
    name = f"{path.stem}"
    try:
        dialogue = parse(path)
        reason = dialogue.skip_reason(mode)
        name = f"{dialogue.case}: {path.stem}"
        if reason:
            print(f"ok {number} - {name} # SKIP {reason}")
            return True
        world = make_world()
        conversation = Conversation(dialogue, world)
        try:
            reason = world.begin(dialogue)
            if reason:
                print(f"ok {number} - {name} # SKIP {reason}")
                return True
            conversation.run()
        except (Mismatch, OSError) as error:
            print(f"not ok {number} - {name}\n# {error}")
            for line in conversation.said[-12:]:
                print("#     " + line.encode("ascii", "backslashreplace").decode())
            return False
        finally:
            conversation.finish()
            world.finish()
    except DialogueError as error:
        print(f"not ok {number} - {name}\n# {error}")
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def find_files(places):
    for place in places:
        path = Path(place)
        yield from (sorted(path.glob("*.dialogue")) if path.is_dir() else [path])


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("mode", choices=["engine", "town", "daemon"])
    parser.add_argument("--program")
    parser.add_argument("--split", type=int, default=0)
    parser.add_argument("--facteur")
    parser.add_argument("--dir")
    parser.add_argument("--port-base", type=int)
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    own = None
    if options.mode == "engine":
        make_world = lambda: EngineWorld(options.program, options.split)
    elif options.mode == "town":
        make_world = lambda: TownWorld(options.program, options.split)
    elif options.facteur:
        own = OwnDaemonWorld(options.facteur)
        make_world = lambda: own
    else:
        make_world = lambda: DaemonWorld(options.dir, options.port_base)
    failed = total = 0
    try:
        for total, path in enumerate(find_files(options.files), 1):
            failed += not hold(total, path, make_world, options.mode)
    finally:
        if own:
            own.finish_all(is_failed=failed > 0)
    print(f"1..{total}")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main())
