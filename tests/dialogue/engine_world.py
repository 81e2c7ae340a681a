# SPDX-License-Identifier: ISC
"""Dialogues with the engines alone: connections are sessions of the program dialogue_engine."""
import subprocess

# The office of the engines (src/smtp/tests/office.h) knows alice, the lobby (engine_pop3.c) all.
PASSWORDS = {
    "alice@example.test": "wonderland",
    "mrose@foo.com": "a password for dialogues",
    "jones@foo.com": "a password for dialogues",
}


class EngineConnection:
    # Answers that are held back come within this time.
    patience_ms = 5000

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.input, self.is_closed = b"", False

    def send(self, data):
        if not self.is_closed:
            self.world.ask(f"feed {self.number} {data.hex()}")

    def take(self, data):
        self.input += data

    def read_line(self):
        for patience in (0, self.patience_ms):
            if patience:
                self.world.ask(f"time {patience}")
            if b"\n" in self.input:
                line, _, self.input = self.input.partition(b"\n")
                return line + b"\n"
            if self.is_closed:
                return None
        return None

    def start_tls(self):
        self.world.ask(f"tls {self.number}")

    def end(self):
        self.world.ask(f"end {self.number}")

    def stop(self):
        self.world.ask(f"stop {self.number}")

    def close(self):
        if not self.is_closed and not self.world.is_over():
            self.end()
        self.is_closed = True


class EngineWorld:
    # Where a maildrop is emptied, and the like, beside the conversation.
    aside_pop_service = "pop3s"
    connection_class = EngineConnection

    def __init__(self, program, split):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.connections, self.mail, self.split = [], [], split
        self.ask(f"split {split}")

    def begin(self, dialogue):
        return None

    def is_over(self):
        return self.process.poll() is not None

    def ask(self, request):
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise OSError("the engine program has ended") from error
        while True:
            words = self.process.stdout.readline().decode().split()
            if not words or words[0] == "error":
                raise OSError("the engine program: " + " ".join(words))
            if words[0] == "done":
                return
            if words[0] == "out":
                self.connections[int(words[1])].take(bytes.fromhex(words[2]))
            elif words[0] == "closed":
                self.connections[int(words[1])].is_closed = True
            elif words[0] == "message":
                self.mail.append(bytes.fromhex(words[2] if len(words) > 2 else ""))

    def set(self, name, value):
        self.ask(f"set {name} {value}")

    def connect(self, service):
        connection = self.connection_class(self, len(self.connections))
        self.connections.append(connection)
        self.ask(f"open {connection.number} {service}")
        return connection

    def wait(self, seconds):
        self.ask(f"time {int(seconds * 1000)}")

    def password(self, user):
        return PASSWORDS[user]

    def messages(self, address, count, pattern):
        self.mail = []
        self.ask(f"mail {address.lower()}")
        return self.mail

    def finish(self):
        self.process.stdin.close()
        if self.process.wait(timeout=30) != 0:
            raise OSError("the engine program failed")
