#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A proxy in front that says for whom it speaks (PROXY protocol, versions 1 and 2)."""
import socket
import struct
import threading
import unittest

from office import ALICE, BOB, CLIENT_S, Lines, Office, main, wait_for

PROXY = "127.0.0.2"  # the tests' own address as a proxy; others are no proxies
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def second(client, family=0x11, command=0x21, more=b""):
    pack = socket.inet_aton if family == 0x11 else lambda a: socket.inet_pton(socket.AF_INET6, a)
    there = "192.0.2.25" if family == 0x11 else "2001:db8::25"
    body = pack(client) + pack(there) + struct.pack(">HH", 4711, 25) + more
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


class Through(Lines):
    """A connection by way of the proxy, which says `header` first."""

    def __init__(self, port, header, address=PROXY):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=CLIENT_S,
                                               source_address=(address, 0))
        self.socket.sendall(header)
        self.file = self.socket.makefile("rb")


class Behind(threading.Thread):
    """A server that wants a PROXY header first, and keeps what it was told."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.headers, self.peers = [], []

    def run(self):
        while True:
            try:
                client, peer = self.socket.accept()
            except OSError:
                return
            client.settimeout(CLIENT_S)
            file = client.makefile("rwb", buffering=0)
            start = file.read(1)
            header = start + (file.readline() if start == b"P" else file.read(15))
            if start != b"P":
                header += file.read(struct.unpack(">H", header[14:16])[0])
            self.headers.append(header)
            self.peers.append(peer)
            file.write(b"220 behind.test\r\n")
            for line in file:
                if line.upper().startswith(b"DATA"):
                    file.write(b"354 go on\r\n")
                    while file.readline() != b".\r\n":
                        pass
                file.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")


class Proxied(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.behind = Behind()
        cls.behind.start()
        cls.office = Office(config='local_destinations = yes\n'
                                   f'proxy_networks = {{"{PROXY}"}}\nconnections_per_address_max = 3\n'
                                   'trusted_networks = {"127.0.0.1"}\n')

        rows = "".join(f"v{version}.test smtp:[127.0.0.1]:{cls.behind.port} proxy={version}\n" for version in (1, 2))
        (cls.office.folder / "data/directory/transports").write_text(rows)
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.behind.socket.close()

    def port(self, service):
        return self.office.base + service

    def deliver(self, header, subject):
        with Through(self.port(25), header) as client:
            self.assertTrue(client.reply().startswith("220 "))
            client.ask("EHLO client.test")
            client.ask("MAIL FROM:<fred@truc.test>")
            client.ask(f"RCPT TO:<{ALICE}>")
            client.ask("DATA")
            self.assertTrue(client.ask(f"Subject: {subject}\r\n\r\nx\r\n.").startswith("250 "))
        return self.office.find(subject)

    def test_the_client_is_who_the_proxy_says(self):
        line = b"PROXY TCP4 192.0.2.77 192.0.2.25 4711 25\r\n"
        self.assertIn(b"from client.test ([192.0.2.77])", self.deliver(line, "v1"))
        self.assertIn(b"([192.0.2.78])", self.deliver(second("192.0.2.78"), "v2"))
        self.assertIn(b"([192.0.2.79])", self.deliver(second("192.0.2.79", more=b"\x04\0\x01x"), "v2 with more"))
        self.assertIn(b"IPv6:2001:db8::7", self.deliver(second("2001:db8::7", 0x21), "v2 by IPv6"))
        self.assertIn(b"IPv6:2001:db8::8",
                      self.deliver(b"PROXY TCP6 2001:db8::8 2001:db8::25 4711 25\r\n", "v1 by IPv6"))

    def test_a_proxy_may_look_whether_we_live(self):
        for header in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0", second("192.0.2.1", command=0x20)):
            with Through(self.port(25), header) as client:
                self.assertTrue(client.reply().startswith("220 "))

    def test_a_header_that_comes_in_pieces(self):
        with Through(self.port(25), b"") as client:
            for octet in second("192.0.2.80"):
                client.put(bytes([octet]))
            self.assertTrue(client.reply().startswith("220 "))

    def test_what_is_no_header_is_sent_away(self):
        for header in (b"EHLO client.test\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 4711\r\n",
                       b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\n" + b"x" * 100,
                       SIGNATURE + b"\x21\x11\xff\xff", SIGNATURE + b"\x31\x11\0\x0c", b"PROXY " + b"x" * 200):
            with Through(self.port(25), header) as client:
                try:
                    self.assertEqual(client.reply(), "")
                except ConnectionResetError:
                    pass
        self.assertIn("proxy_refused", self.office.log_text())

    def test_nobody_else_says_who_he_is(self):
        with Through(self.port(25), b"", address="127.0.0.1") as client:
            self.assertTrue(client.reply().startswith("220 "))
            self.assertTrue(client.ask("PROXY TCP4 192.0.2.1 192.0.2.2 4711 25").startswith("500 "))

    def test_limits_count_the_client_and_not_the_proxy(self):
        clients = [Through(self.port(25), f"PROXY TCP4 198.51.100.{n} 192.0.2.2 1 25\r\n".encode()) for n in range(9)]
        self.assertTrue(all(client.reply().startswith("220 ") for client in clients))
        same = [Through(self.port(25), b"PROXY TCP4 203.0.113.9 192.0.2.2 1 25\r\n") for _ in range(9)]
        self.assertGreaterEqual([client.reply()[:3] for client in same].count("421"), 1)
        for client in clients + same:
            client.close()

    def test_tls_begins_behind_the_header(self):
        through = Through(self.port(465), second("192.0.2.90"))
        with self.office.context.wrap_socket(through.socket, server_hostname="localhost") as secure:
            self.assertTrue(secure.recv(100).startswith(b"220 "))

    def test_a_next_hop_may_want_a_header(self):
        for version in (1, 2):
            before = len(self.behind.headers)
            with self.office.smtp(BOB) as client:
                client.sendmail(BOB, [f"fred@v{version}.test"], "Subject: for a host behind\r\n\r\nx\r\n")
            self.assertTrue(wait_for(lambda: len(self.behind.headers) > before), self.office.log_text()[-2000:])
            header, peer = self.behind.headers[-1], self.behind.peers[-1]
            if version == 1:
                self.assertEqual(header.decode(), f"PROXY TCP4 {peer[0]} 127.0.0.1 {peer[1]} {self.behind.port}\r\n")
            else:
                self.assertEqual(header[:14], SIGNATURE + b"\x21\x11")
                self.assertEqual(struct.unpack(">HH", header[24:28]), (peer[1], self.behind.port))
            self.assertTrue(wait_for(lambda: f"to=fred@v{version}.test outcome=delivered" in self.office.log_text()),
                            self.office.log_text()[-2000:])

    def test_readers_come_through_it_too(self):
        through = Through(self.port(143), b"PROXY TCP4 192.0.2.91 192.0.2.2 4711 143\r\n")
        with through:
            self.assertTrue(through.line().startswith("* OK "))
        self.assertTrue(wait_for(lambda: "192.0.2.91" in self.office.log_text()))


if __name__ == "__main__":
    main()
