# SPDX-License-Identifier: ISC
"""A host that takes mail, keeps each octet that it was sent, and may answer what it likes."""
import socket
import threading

from office import free_port


class NextHop:
    """`words`: what it offers; `said`: what it answers to a verb, if not 250: a function from the line to
    octets with their line end."""

    def __init__(self, words=(), said=None):
        self.words, self.said, self.sent = words, said or {}, []
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self, client):
        with client, client.makefile("rb") as file:
            client.sendall(b"220 far.test\r\n")
            while line := file.readline():
                verb = line[:4].upper()
                if verb in self.said:
                    client.sendall(self.said[verb](line))
                elif verb == b"EHLO":
                    said = ["far.test", *self.words]
                    client.sendall("".join(f"250{' ' if word is said[-1] else '-'}{word}\r\n" for word in said).encode())
                elif verb == b"DATA":
                    client.sendall(b"354 go on\r\n")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n") and (line := file.readline()):
                        text += line
                    self.sent.append(text)
                    client.sendall(b"250 taken\r\n")
                elif verb == b"BDAT":
                    self.sent.append(file.read(int(line.split()[1])))
                    client.sendall(b"250 taken\r\n")
                elif verb == b"QUIT":
                    client.sendall(b"221 bye\r\n")
                    return
                else:
                    client.sendall(b"250 well\r\n")
