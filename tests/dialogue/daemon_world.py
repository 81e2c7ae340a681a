# SPDX-License-Identifier: ISC
"""Dialogues with daemons over sockets."""
import poplib
import re
import socket
import ssl
import time
import zlib
from pathlib import Path

TIMEOUT_S = 15
# Delivery is durable before 250, but a reader's session may be a moment behind.
MAIL_TIMEOUT_S = 5
PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "lmtp": 24, "pop3": 110, "pop3s": 995,
         "imap": 143, "imaps": 993}


def tls_context():
    """The demo's certificate signs itself."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class PackedSocket:
    """Deflate in both directions (RFC 4978)."""

    def __init__(self, inner):
        self.inner = inner
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(wbits=-15)

    def sendall(self, data):
        self.inner.sendall(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH))

    def recv(self, size):
        while more := self.inner.recv(size):
            if data := self.unpacker.decompress(more):
                return data
        return b""

    def shutdown(self, how):
        self.inner.shutdown(how)

    def close(self):
        self.inner.close()


class DaemonConnection:
    def __init__(self, port, is_secure):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.input = b""
        if is_secure:
            self.start_tls()

    def start_tls(self):
        self.socket = tls_context().wrap_socket(self.socket)

    def compress(self):
        self.socket = PackedSocket(self.socket)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what the server said last can still be read

    def read_line(self):
        while b"\n" not in self.input:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, socket.timeout, ssl.SSLError):
                return None
            if not more:
                return None
            self.input += more
        line, _, self.input = self.input.partition(b"\n")
        return line + b"\n"

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def stop(self):
        raise OSError("`stop` is for engines")

    def close(self):
        self.socket.close()


class DaemonWorld:
    aside_pop_service = "pop3s"

    def __init__(self, folder, port_base):
        self.folder, self.port_base = Path(folder), port_base

    def begin(self, dialogue):
        """A reason to leave it out, or None."""
        if dialogue.settings():
            return "needs daemons with other settings: " + ", ".join(dialogue.settings())
        return None

    def set(self, name, value):
        pass  # begin() has seen to it

    def connect(self, service):
        return DaemonConnection(self.port_base + PORTS[service], service.endswith("s"))

    def wait(self, seconds):
        time.sleep(seconds)

    def password(self, user):
        for line in (self.folder / "credentials").read_text().splitlines():
            address, _, password = line.partition(" ")
            if address == user:
                return password
        raise OSError(f"no password of {user} in {self.folder}/credentials")

    def fetch(self, address):
        reader = poplib.POP3_SSL("127.0.0.1", self.port_base + PORTS["pop3s"], timeout=TIMEOUT_S,
                                 context=tls_context())
        try:
            reader.user(address)
            reader.pass_(self.password(address))
            count = reader.stat()[0]
            return [b"\r\n".join(reader.retr(n)[1]) + b"\r\n" for n in range(1, count + 1)]
        finally:
            reader.quit()

    def messages(self, address, count, pattern):
        end = time.monotonic() + MAIL_TIMEOUT_S
        while True:
            messages = self.fetch(address)
            found = [m for m in messages if re.search(pattern.encode(), m, re.S)]
            if len(found) == count or time.monotonic() > end:
                return messages
            time.sleep(0.2)

    def finish(self):
        pass
