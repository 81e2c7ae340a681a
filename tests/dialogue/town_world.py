# SPDX-License-Identifier: ISC
"""Dialogues with a whole server in memory: the program dialogue_town holds its roles and the connections."""
import zlib

from engine_world import EngineConnection, EngineWorld
from people import LINES, PASSWORD, PEOPLE, WITH_APOP, config_lines

# Those whom `facteur demo` has, and theirs.
DEMO_PEOPLE = {"alice@example.test": "Alice Liddell", "bob@example.test": "Bob Bag"}
CONFIG = ["hostname = mail.example.test", "origin = example.test", "postmaster = alice@example.test",
          "auth_plaintext_on_loopback = yes", "pop3_apop = no"]
SERVICES = {"smtp", "submission", "lmtp", "pop3", "imap"}


class TownConnection(EngineConnection):
    patience_ms = 15000
    packer = unpacker = None

    def send(self, data):
        super().send(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH) if self.packer else data)

    def compress(self):
        """Deflate in both directions (RFC 4978)."""
        self.packer, self.unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

    def take(self, data):
        self.input += self.unpacker.decompress(data) if self.unpacker else data


class TownWorld(EngineWorld):
    aside_pop_service = "pop3"
    connection_class = TownConnection

    def begin(self, dialogue):
        text = dialogue.path.read_text(encoding="utf-8")
        services = {step.arguments["service"] for step in dialogue.steps if step.verb == "connect"}
        if not services <= SERVICES or "STARTTLS" in text or "STLS" in text:
            return "the town has no certificate"
        if self.split and dialogue.only is None:
            return "its engine alone holds it octet by octet"
        lines, reason = config_lines(dialogue)
        if reason:
            return reason
        for line in CONFIG + lines:
            self.ask(f"set config {line}")
        people = {**DEMO_PEOPLE, **PEOPLE}
        for domain in sorted({address.split("@")[1] for address in people}):
            self.ask(f"set directory domain {domain}")
        for number, (address, full_name) in enumerate(people.items(), 1):
            self.ask(f'set directory account {address} id={number} full-name="{full_name}"')
            if address in text:
                self.ask(f"set {'apop' if address in WITH_APOP else 'password'} {number}:{address}:{PASSWORD}")
        for line in LINES.splitlines():
            self.ask(f"set directory {line}")
        return None

    def set(self, name, value):
        pass  # begin() has seen to it

    def password(self, user):
        return PASSWORD

    def messages(self, address, count, pattern):
        """By POP3, on a connection of its own."""
        reader = self.connect("pop3")

        def ask(line=None):
            if line:
                reader.send(line.encode() + b"\r\n")
            answer = reader.read_line()
            if not answer or not answer.startswith(b"+OK"):
                raise OSError(f"{line}: {answer!r}")
            return answer

        def read_text():
            text = b""
            while (line := reader.read_line()) != b".\r\n":
                text += line[1:] if line.startswith(b".") else line
            return text

        ask()
        ask(f"USER {address}")
        ask(f"PASS {PASSWORD}")
        messages = []
        for number in range(1, int(ask("STAT").split()[1]) + 1):
            ask(f"RETR {number}")
            messages.append(read_text())
        ask("QUIT")
        return messages
