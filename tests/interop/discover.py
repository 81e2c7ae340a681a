#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`facteur account add ADDRESS` finds the servers by itself (a name server: NSD; a web server: Python's), and
passwords go into the keyring of a session (GNOME's, through secret-tool), or else into a file."""
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from nameserver import NameServer
from office import ALICE, CLIENT_S, FACTEUR, OfficeCase, main

USAGE = 64
FILE = """<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="example.test">
<domain>example.test</domain>
<incomingServer type="imap"><hostname>localhost</hostname><port>{imap}</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username></incomingServer>
<outgoingServer type="smtp"><hostname>localhost</hostname><port>{smtp}</port><socketType>SSL</socketType>
</outgoingServer></emailProvider></clientConfig>"""


class Pages(http.server.BaseHTTPRequestHandler):
    text = ""

    def do_GET(self):
        found = self.path == "/mail/config-v1.1.xml"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        self.wfile.write(self.text.encode() if found else b"no")

    def log_message(self, *_):
        pass


class Resolver(threading.Thread):
    """Passes questions on to a name server and says of its answers that they are a resolver's (RFC 1035 §4.1.1: RA)."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.server = self.socket.getsockname()[1], ("127.0.0.1", port)

    def run(self):
        while True:
            question, client = self.socket.recvfrom(4096)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
                upstream.sendto(question, self.server)
                answer = bytearray(upstream.recv(4096))
            answer[2] &= 0xFB  # not authoritative
            answer[3] |= 0x80
            self.socket.sendto(bytes(answer), client)


class Discovery(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chain = cls.office.folder / "tls/chain.pem"

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fv-", dir="/tmp")
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name)

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "DBUS_"))}
        return dict(kept, HOME=str(self.home), LANG="C.UTF-8")

    def add(self, *words, address=ALICE, code=0):
        done = subprocess.run([FACTEUR, "account", "add", address, "--trust", str(self.chain), "--password-stdin",
                               "--json", *words], input=self.office.people[ALICE] + "\n", text=True,
                              capture_output=True, env=self.environment(), check=False, timeout=2 * CLIENT_S)
        self.said = done.stderr
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return [s["works"] for s in json.loads(done.stdout)["servers"]] if code == 0 else None

    def name_server(self, records):
        """For truc.fr: about .test no resolver asks anybody (RFC 6761)."""
        server = NameServer(self.home, {"truc.fr": records})
        server.start()
        self.addCleanup(server.stop)
        resolver = Resolver(server.port)
        resolver.start()
        return f"127.0.0.1@{resolver.port}"

    @unittest.skipUnless(shutil.which("nsd"), "needs NSD")
    def test_records_of_the_domain_name_the_servers(self):
        base = self.office.base
        resolver = self.name_server(f"_imaps._tcp IN SRV 10 1 1 wrong\n_imaps._tcp IN SRV 0 1 {base + 993} localhost.\n"
                                    f"_imap._tcp IN SRV 0 0 0 .\n"
                                    f"_submissions._tcp IN SRV 0 1 {base + 465} localhost.\n")
        self.assertEqual(self.add("--resolver", resolver, "--yes", "--login", ALICE, address="a@truc.fr"),
                         [True, True])
        self.assertIn(f"SRV records of truc.fr: imaps://localhost:{base + 993}", self.said)

    @unittest.skipUnless(shutil.which("nsd"), "needs NSD")
    def test_servers_elsewhere_are_not_taken_unasked(self):
        resolver = self.name_server("_imaps._tcp IN SRV 0 1 993 mail.elsewhere.test.\n")
        self.add("--resolver", resolver, address="a@truc.fr", code=USAGE)
        self.assertIn("outside of your domain", self.said)
        self.assertFalse((self.home / ".config/facteur/accounts").exists())

    def test_the_file_of_the_domain_names_them(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.office.folder / "tls/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        Pages.text = FILE.format(imap=self.office.base + 993, smtp=self.office.base + 465)
        url = f"https://localhost:{server.server_address[1]}/mail/config-v1.1.xml"
        self.assertEqual(self.add("--settings", url), [True, True])
        own = self.office.tool("domain", "autoconfig", "example.test").replace("mail.example.test", "localhost")
        for text in (own, own.replace("imap", "nntp")):  # POP3 is the other way to read
            Pages.text = text
            shutil.rmtree(self.home / ".config")
            self.assertEqual(self.add("--settings", url), [True, True])
        for text in ("", "<a", FILE.replace("SSL", "plain")):
            Pages.text = text
            self.add("--settings", url, code=USAGE)
        self.add("--settings", url.replace("https", "http"), code=USAGE)
        self.add("--settings", url + "x", code=USAGE)

    @unittest.skipUnless(all(map(shutil.which, ("dbus-run-session", "gnome-keyring-daemon", "secret-tool"))),
                         "needs a keyring")
    def test_the_password_goes_into_the_keyring_of_the_session(self):
        base, config = self.office.base, self.home / ".config/facteur"
        servers = (f"--incoming imaps://localhost:{base + 993} --outgoing smtps://localhost:{base + 465} "
                   f"--trust {self.chain} --password-stdin --as alice")
        script = f"""printf unlock | gnome-keyring-daemon --unlock --components=secrets >/dev/null
            printf '%s\\n' "$SECRET" | {FACTEUR} account add {ALICE} {servers} >/dev/null || exit 1
            {FACTEUR} list --account alice >/dev/null </dev/null || exit 2
            test "$(secret-tool lookup service facteur account alice)" = "$SECRET" || exit 3
            test ! -s {config}/passwords || exit 4
            {FACTEUR} account remove alice || exit 5
            secret-tool lookup service facteur account alice && exit 6
            exit 0"""
        environment = dict(self.environment(), SECRET=self.office.people[ALICE], XDG_RUNTIME_DIR=str(self.home))
        done = subprocess.run(["dbus-run-session", "--", "sh", "-c", script], env=environment, capture_output=True,
                              text=True, check=False, timeout=3 * CLIENT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    main()
