# SPDX-License-Identifier: ISC
"""What the tests of `facteur sync` share: servers, people with a copy of their own, and looks at both sides."""
import imaplib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from desk_peers import Provider
from office import CLIENT_S, FACTEUR, Office

PASSWORD = "secret-of-theirs"


class Facteur:
    """A server of ours with as many people as tests want."""

    def __init__(self):
        self.office = Office()
        self.port, self.trust = self.office.base + 993, self.office.folder / "tls/chain.pem"

    def add(self, who):
        address = f"{who}@example.test"
        self.office.tool("user", "add", address, "--password-stdin", text=PASSWORD + "\n")
        return address

    def close(self):
        self.office.close()


class Dovecot(Provider):
    """Debian's, alone; with fewer capabilities when they are named."""

    def __init__(self, capability=None):
        self.capability = capability
        super().__init__()
        self.port, self.trust = self.base + 993, self.folder / "cert.pem"

    def people(self):
        return dict.fromkeys((f"person{n}@peer.test" for n in range(1000)), PASSWORD)

    def start_postfix(self):
        pass

    def add(self, who):
        return f"{who}@peer.test"

    def close(self):
        self.dovecot.send_signal(signal.SIGTERM)
        self.dovecot.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


def message(number, size=0, subject=None):
    text = "x" * 70 + "\r\n"
    return (f"From: <writer@example.test>\r\nTo: <reader@example.test>\r\nSubject: {subject or number}\r\n"
            f"Message-ID: <{number}@example.test>\r\nDate: Mon, 02 Feb 2026 10:00:00 +0000\r\n\r\n"
            f"number {number}\r\n{text * (size // 72)}").encode()


def number_of(text):
    return re.search(rb"^Message-ID: <([^@]+)@", text, re.M)[1].decode()


class Person:
    """One user of a server with a home, an account in it and a copy."""

    def __init__(self, server, name, below=None, outgoing=1):
        self.server, self.address = server, server.add(name)
        self.temporary = tempfile.TemporaryDirectory(prefix="fs-", dir=below)
        self.home = Path(self.temporary.name)
        self.root = self.home / "Mail/home"
        self.run("account", "add", self.address, "--as", "home", "--incoming",
                 f"imaps://localhost:{server.port}", "--trust", str(server.trust),
                 "--outgoing", f"smtps://localhost:{outgoing}", "--password-stdin", "--untested",
                 text=PASSWORD + "\n")
        self.context = ssl.create_default_context(cafile=server.trust)

    def close(self):
        self.temporary.cleanup()

    # ---- the program

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        return dict(kept, HOME=str(self.home), LANG="C.UTF-8")

    def start(self, *words):
        return subprocess.Popen([FACTEUR, *words], env=self.environment(), cwd=self.home,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, *words, text="", code=0):
        done = subprocess.run([FACTEUR, *words], input=text.encode(), capture_output=True, cwd=self.home,
                              env=self.environment(), check=False, timeout=2 * CLIENT_S)
        self.said, self.code = done.stderr.decode(errors="replace"), done.returncode
        if code is not None and done.returncode != code:
            raise AssertionError(f"{words}: exit code {done.returncode}: {done.stdout.decode()}{self.said}")
        return done.stdout.decode()

    def sync(self, *words, code=0):
        """What was done (code None: well or not), without what was not: {"fetched": 3}."""
        account = json.loads(self.run("sync", "--json", *words, code=code))["accounts"][0]
        return {k: v for k, v in account.items() if v and k not in ("name", "problem")}

    # ---- the server's side

    def imap(self):
        client = imaplib.IMAP4_SSL("localhost", self.server.port, ssl_context=self.context,
                                   timeout=CLIENT_S)
        client.login(self.address, PASSWORD)
        return client

    def append(self, number, box="INBOX", flags="", size=0):
        with self.imap() as client:
            ok(client.append(box, flags, None, message(number, size)))

    def uid(self, client, number):
        found = ok(client.uid("SEARCH", "HEADER", "Message-ID", f"<{number}@example.test>"))[0].split()
        assert len(found) == 1, (number, found)
        return found[0].decode()

    def store(self, number, sign, flags, box="INBOX"):
        with self.imap() as client:
            ok(client.select(box))
            ok(client.uid("STORE", self.uid(client, number), sign + "FLAGS", f"({flags})"))

    def remove_there(self, number, box="INBOX"):
        with self.imap() as client:
            ok(client.select(box))
            ok(client.uid("STORE", self.uid(client, number), "+FLAGS", r"(\Deleted)"))
            ok(client.expunge())

    def move_there(self, number, box, to):
        with self.imap() as client:
            ok(client.select(box))
            ok(client.uid("MOVE", self.uid(client, number), to))

    def boxes(self):
        with self.imap() as client:
            self.delimiter = re.search(rb'\) "(.)"', ok(client.list())[0])[1].decode()
            return sorted(re.search(rb' "?([^" ]+)"?$', line)[1].decode() for line in ok(client.list())
                          if b"\\Noselect" not in line and b"\\NonExistent" not in line)

    def there(self):
        """{(box, number): flags} of the server; a message that stands twice is counted: (box, number, 2)."""
        found = {}
        with self.imap() as client:
            for box in self.boxes():
                count = int(ok(client.select(f'"{box}"', readonly=True))[0])
                data = ok(client.fetch("1:*", "(FLAGS BODY.PEEK[])")) if count else []
                for item, after in zip(data, data[1:] + [b""]):
                    if isinstance(item, tuple):
                        # The flags stand before the message, or behind it.
                        flags = re.search(rb"FLAGS \(([^)]*)\)", item[0] + (after if isinstance(after, bytes) else b""))
                        put(found, box.replace(self.delimiter, "/"), item[1], letters(flags[1].decode()))
        return found

    # ---- this machine's side

    def folder(self, box="INBOX"):
        return self.root / box

    def files(self, box="INBOX"):
        return [f for part in ("cur", "new") for f in (self.folder(box) / part).iterdir()]

    def file(self, number, box="INBOX"):
        found = [f for f in self.files(box) if number_of(f.read_bytes()) == str(number)]
        assert len(found) == 1, (number, found)
        return found[0]

    def here(self):
        found = {}
        for cur in self.root.glob("**/cur"):
            box = str(cur.parent.relative_to(self.root))
            for file in self.files(box):
                text = file.read_bytes().replace(b"\n", b"\r\n")
                flags = file.name.partition(":2,")[2]
                put(found, box, text, "".join(sorted(flags)))
        return found

    def write_here(self, number, box="INBOX", flags=None, size=0):
        for part in ("tmp", "new", "cur"):
            (self.folder(box) / part).mkdir(parents=True, exist_ok=True)
        name = f"{int(time.time())}.{number}.here"
        target = f"new/{name}" if flags is None else f"cur/{name}:2,{flags}"
        (self.folder(box) / "tmp" / name).write_bytes(message(number, size).replace(b"\r\n", b"\n"))
        (self.folder(box) / "tmp" / name).rename(self.folder(box) / target)

    def mark_here(self, number, flags, box="INBOX"):
        file = self.file(number, box)
        file.rename(self.folder(box) / "cur" / (file.name.partition(":2,")[0] + ":2," + flags))

    def move_here(self, number, box, to):
        for part in ("tmp", "new", "cur"):
            (self.folder(to) / part).mkdir(parents=True, exist_ok=True)
        file = self.file(number, box)
        file.rename(self.folder(to) / "cur" / file.name)


def put(found, box, text, flags):
    number = number_of(text)
    assert text == message(number, len(text) - len(message(number))), f"{box}: {number} has changed"
    key = (box, number)
    while key in found:
        key = (*key[:2], (key[2] if len(key) > 2 else 1) + 1)
    found[key] = flags


def ok(answer):
    if answer[0] != "OK":
        raise AssertionError(answer)
    return answer[1]


def letters(flags):
    """As a Maildir writes them."""
    known = {"\\Draft": "D", "\\Flagged": "F", "$Forwarded": "P", "\\Answered": "R", "\\Seen": "S",
             "\\Deleted": "T"}
    return "".join(sorted(known[f] for f in flags.split() if f in known))
