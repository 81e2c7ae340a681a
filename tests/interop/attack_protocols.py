#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""TLS that was meant for another protocol (ALPN, RFC 7301; ALPACA): somebody in between leads a browser, or another program's
client, to our ports, under a certificate that fits. It says in its first words whom it means, and is sent away before it can
say more. Who means us, or says nothing of it, is let in."""
import socket
import ssl
import subprocess
import tempfile
import threading

from office import ALICE, CLIENT_S, FACTEUR, OfficeCase, main

# What is spoken at each port, what is said before TLS and after it, and how the last word of the answer to each begins.
DOORS = {
    465: ("smtp", b"", b"EHLO x\r\n", b"220 "),
    993: ("imap", b"", b"a NOOP\r\n", b"* OK"),
    995: ("pop3", b"", b"CAPA\r\n", b"+OK"),
    25: ("smtp", b"EHLO x\r\nSTARTTLS\r\n", b"EHLO x\r\n", b"250"),
    587: ("smtp", b"EHLO x\r\nSTARTTLS\r\n", b"EHLO x\r\n", b"250"),
    24: ("smtp", b"LHLO x\r\nSTARTTLS\r\n", b"LHLO x\r\n", b"250"),
    143: ("imap", b"b STARTTLS\r\n", b"a NOOP\r\n", b"a OK"),
    110: ("pop3", b"STLS\r\n", b"CAPA\r\n", b"+OK"),
}
AGREED = {"smtp": b"220 ", "imap": b"b OK", "pop3": b"+OK"}


class Doors(OfficeCase):
    @staticmethod
    def line(raw):
        """Not an octet further: what follows may be TLS."""
        text = b""
        while not text.endswith(b"\n") and (octet := raw.recv(1)):
            text += octet
        return text

    def talk(self, port, *names):
        """TLS with that port, naming these: what was agreed, and how the first answer begins."""
        spoken, before, words, _ = DOORS[port]
        context = ssl.create_default_context(cafile=self.office.folder / "tls/chain.pem")
        if names:
            context.set_alpn_protocols(names)
        with socket.create_connection(("127.0.0.1", self.office.base + port), CLIENT_S) as raw:
            if before:
                self.line(raw)
                raw.sendall(before)
                while not (said := self.line(raw)).startswith(AGREED[spoken]):
                    self.assertTrue(said)
            with context.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(words)
                return client.selected_alpn_protocol(), client.recv(4096)

    def test_who_means_another_protocol_is_sent_away(self):
        for port, (spoken, *_) in DOORS.items():
            others = {"smtp", "imap", "pop3"} - {spoken}
            for names in (["http/1.1"], ["h2", "http/1.1"], ["h3"], sorted(others), [spoken.upper()], [spoken + "s"], ["x" * 255]):
                with self.subTest(port=port, names=names):
                    with self.assertRaisesRegex(ssl.SSLError, "no application protocol"):
                        self.talk(port, *names)

    def test_who_means_us_or_says_nothing_is_let_in(self):
        for port, (spoken, *_, answer) in DOORS.items():
            for names in ([spoken], ["h2", "http/1.1", spoken], [], *([["esmtp"]] if spoken == "smtp" else [])):
                with self.subTest(port=port, names=names):
                    agreed, said = self.talk(port, *names)
                    self.assertEqual(agreed, names[-1] if names else None)
                    self.assertTrue(said.startswith(answer), said)

    def test_the_programs_that_people_use_are_let_in(self):
        """curl names HTTP with HTTP only, openssl what it is told to."""
        chain = str(self.office.folder / "tls/chain.pem")
        user = f"{ALICE}:{self.office.people[ALICE]}"
        for url in ("imaps://localhost:{}", "pop3s://localhost:{}", "imap://localhost:{}", "pop3://localhost:{}"):
            port = {"imaps": 993, "pop3s": 995, "imap": 143, "pop3": 110}[url.split(":")[0]]
            subprocess.run(["curl", "-sS", "--ssl-reqd", "--cacert", chain, "--user", user, url.format(self.office.base + port)],
                           check=True, capture_output=True, timeout=CLIENT_S)
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.office.base + 465}", "-alpn", "h2,smtp", "-CAfile",
                               chain], input=b"QUIT\n", check=True, capture_output=True, timeout=CLIENT_S)
        self.assertIn(b"ALPN protocol: smtp", done.stdout)
        web = subprocess.run(["curl", "-sS", "--cacert", chain, f"https://localhost:{self.office.base + 993}"], check=False,
                             capture_output=True, timeout=CLIENT_S)
        self.assertIn(b"no application protocol", web.stderr)


class Clients(OfficeCase):
    def ask(self, scheme):
        """What our client names when it meets a server that would take any of them."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.office.folder / "tls/chain.pem", self.office.folder / "tls/key.pem")
        context.set_alpn_protocols(["h2", "http/1.1", "smtp", "imap", "pop3"])
        named = []

        def serve():
            stream, _ = listener.accept()
            with stream, context.wrap_socket(stream, server_side=True) as client:
                named.append(client.selected_alpn_protocol())
        with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryDirectory() as home:
            server = threading.Thread(target=serve, daemon=True)
            server.start()
            port = listener.getsockname()[1]
            environment = {"HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
                           "SSL_CERT_FILE": str(self.office.folder / "tls/chain.pem")}
            subprocess.run([FACTEUR, "account", "add", "a@localhost", "--as", "a", "--incoming", f"{scheme}://localhost:{port}",
                            "--outgoing", f"smtps://localhost:{port}", "--password-stdin", "--untested"], input=b"secret\n",
                           env=environment, check=True, capture_output=True, timeout=CLIENT_S)
            subprocess.run([FACTEUR, "list", "--account", "a"], env=environment, check=False, capture_output=True, timeout=CLIENT_S)
            server.join(CLIENT_S)
        return named

    def test_they_say_nothing(self):
        """There are providers who refuse those who name what the provider speaks."""
        for scheme in ("imaps", "pop3s"):
            with self.subTest(scheme):
                self.assertEqual(self.ask(scheme), [None])


if __name__ == "__main__":
    main()
