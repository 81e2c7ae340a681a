#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Hosts that take our mail and mean ill: replies without end, gigantic lines, NUL, drips, ends in every
state, STARTTLS that lies or is taken away, certificates that are not theirs. Meanwhile memory stays
small, others get their mail, and nothing is given up; when the host has become a good one, all arrives."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from office import ALICE, Office, free_port, main, wait_for

MEMORY_MAX_KIB = 128 * 1024  # what the processes may grow by, sanitizers and all
STATES = ("connected", "greeted", "EHLO", "MAIL", "RCPT", "DATA", ".")
GO = b"220 go ahead\r\n"


class Good:
    """As much of an SMTP server as a client needs; a hostile one overrides what it says."""

    def __init__(self, name):
        self.name, self.port = name, free_port()
        self.is_hostile, self.met, self.taken, self.threads = True, 0, [], []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.closing = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            threading.Thread(target=self.serve, args=[peer], daemon=True).start()

    def serve(self, peer):
        peer.settimeout(120)
        with peer:
            try:
                if self.is_hostile:
                    self.harm(peer)
                else:
                    self.talk(peer)
            except (OSError, EOFError):
                pass

    def harm(self, peer):
        raise NotImplementedError

    def talk(self, peer, last="", features=b""):
        """Up to the state `last`, then it ends; the empty one is never reached."""
        lines = peer.makefile("rb")
        if last == "connected":
            return
        peer.sendall(b"220 here\r\n")
        if last == "greeted":
            return
        while line := lines.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            if verb == "DATA":
                peer.sendall(b"354 go on\r\n")
                if last == "DATA":
                    return
                body = b""
                while (text := lines.readline()) not in (b".\r\n", b""):
                    body += text
                if not text or last == ".":
                    return
                self.taken.append(body)
                peer.sendall(b"250 taken\r\n")
                continue
            if verb == last:
                return
            if verb == "STARTTLS":
                peer.sendall(GO)
                return self.secure(peer)
            peer.sendall(b"250-here\r\n" + features + b"250 PIPELINING\r\n" if verb == "EHLO"
                         else b"221 bye\r\n" if verb == "QUIT" else b"250 yes\r\n")
        return None

    def secure(self, peer):
        raise EOFError

    def close(self):
        self.closing.set()
        self.listener.close()


class Ends(Good):
    def __init__(self, state):
        super().__init__("ends-" + ("dot" if state == "." else state.lower()))
        self.state = state

    def harm(self, peer):
        self.talk(peer, self.state)


class Refuses(Good):
    def harm(self, peer):
        peer.sendall(b"421 not now\r\n")


class Says(Good):
    """Says this without end: at once, or in answer to the EHLO."""

    def __init__(self, name, text, after=b"", pause=0.0):
        super().__init__(name)
        self.text, self.after, self.pause = text, after, pause

    def harm(self, peer):
        if self.after:
            peer.sendall(self.after)
            peer.recv(1000)
        while self.is_hostile:
            peer.sendall(self.text)
            if self.pause and self.closing.wait(self.pause):
                return


class Tls(Good):
    """Offers STARTTLS, and then `secure` decides; a good one has the right certificate."""

    def __init__(self, name, certificate, good, before=b"", garbage=b""):
        super().__init__(name)
        self.certificate, self.good, self.before, self.garbage = certificate, good, before, garbage
        self.is_secured = False

    def harm(self, peer):
        self.talk(peer, features=b"250-STARTTLS\r\n")

    def talk(self, peer, last="", features=b"250-STARTTLS\r\n"):
        return super().talk(peer, last, features)

    def secure(self, peer):
        chain, key = self.certificate if self.is_hostile else self.good
        if self.is_hostile and self.before:
            peer.sendall(self.before)
        if self.is_hostile and self.garbage:
            peer.sendall(self.garbage)
            return peer.recv(1000)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        with context.wrap_socket(peer, server_side=True) as inside:
            return self.inside(inside)

    def inside(self, peer):
        lines = peer.makefile("rb")
        peer.settimeout(120)
        while line := lines.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"DATA":
                peer.sendall(b"354 go on\r\n")
                body = b""
                while (text := lines.readline()) not in (b".\r\n", b""):
                    body += text
                if text:
                    self.taken.append(body)
            peer.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")


class Strips(Tls):
    """Without STARTTLS, as somebody between us and the host would have it."""

    def harm(self, peer):
        Good.talk(self, peer)


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


def certificate(folder, name, names, days=30, more=""):
    """Signed by itself: `names` is the value of its subjectAltName."""
    key, chain = folder / f"{name}.key", folder / f"{name}.pem"
    (folder / f"{name}.cnf").write_text(f"subjectAltName={names}\n")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    run("openssl", "req", "-new", "-key", key, "-subj", "/CN=" + name, "-out", folder / "request")
    run("openssl", "x509", "-req", "-in", folder / "request", "-signkey", key, "-days", str(days),
        "-extfile", folder / f"{name}.cnf", "-out", chain)
    chain.write_text(chain.read_text() + more)
    return chain, key


def hidden_name():
    """As a subjectAltName: localhost, NUL, and somebody's own domain behind it."""
    name = b"localhost\0.evil.test"
    return "DER:" + (bytes([0x30, len(name) + 2, 0x82, len(name)]) + name).hex(":")


class HostileHop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-hop-", dir="/tmp"))
        cls.folder.chmod(0o755)
        good = certificate(cls.folder, "good", "DNS:localhost")
        wrong = certificate(cls.folder, "wrong", "DNS:other.test")
        expired = certificate(cls.folder, "expired", "DNS:localhost", 0)
        hidden = certificate(cls.folder, "hidden", hidden_name())
        # Some hundred KiB of certificates that lead nowhere.
        long = certificate(cls.folder, "long", "DNS:other.test", more=wrong[0].read_text() * 400)
        cls.verified = [Tls("wrong-name", wrong, good), Tls("expired", expired, good), Tls("hidden-nul", hidden, good),
                        Tls("long-chain", long, good), Tls("garbage", good, good, garbage=os.urandom(3000)),
                        Tls("injected", good, good, before=b"250 you are safe\r\n"), Strips("stripped", good, good)]
        cls.open = [Ends(state) for state in STATES] + [
            Says("endless-greeting", b"220-" + b"hello " * 100 + b"\r\n"),
            Says("endless-ehlo", b"250-X" + b"WORD " * 100 + b"\r\n", after=b"220 here\r\n"),
            Says("giant-line", b"220 " + b"x" * 65532), Says("binary", bytes(range(256)) * 16),
            Says("nul", b"220 a\0b\r\n\0\0"), Says("drips", b"2", pause=0.1)]
        trust = "".join(path.read_text() for path, _ in (good, wrong, expired, hidden))
        (cls.folder / "trust.pem").write_text(trust)
        cls.hops, cls.quick = cls.open + cls.verified, Refuses("quick")
        cls.near = Office(config=f"""
queue_interval_max = "1 s"
local_destinations = yes
outbound_trust = {cls.folder}/trust.pem
""")
        rows = [f"{hop.name}.test smtp:[localhost]:{hop.port} tls={'verify' if hop in cls.verified else 'may'}"
                for hop in (*cls.hops, cls.quick)]
        (cls.near.folder / "data/directory/transports").write_text("\n".join(rows) + "\n")
        cls.near.tool("reload")

    @classmethod
    def tearDownClass(cls):
        for hop in (*cls.hops, cls.quick):
            hop.close()
        cls.near.close()
        shutil.rmtree(cls.folder)

    def send(self, hop):
        with self.near.smtp(ALICE) as client:
            client.sendmail(ALICE, [f"jones@{hop.name}.test"],
                            f"From: <{ALICE}>\r\nTo: <jones@{hop.name}.test>\r\nSubject: {hop.name}\r\n\r\nText.\r\n")

    def waiting(self):
        return {row["recipient"].partition("@")[2].removesuffix(".test"): row
                for row in self.near.tool_data("queue", "list")["recipients"]}

    def hold_up(self, pid):
        """connect returns late there: what the other side does at once has been done by then."""
        strace = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=connect", "-e", "inject=connect:delay_exit=300000",
                                   "-p", str(pid)], stderr=subprocess.DEVNULL)
        self.addCleanup(strace.wait)
        self.addCleanup(strace.terminate)
        self.assertTrue(wait_for(lambda: "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()))

    @unittest.skipUnless(shutil.which("strace"), "strace is not there")
    def test_a_host_that_refuses_in_its_first_moment(self):
        """Its word has come, and its end, when the connection is told to be there."""
        carriers = self.near.processes("transport")
        for pid in carriers:
            self.hold_up(pid)
        self.send(self.quick)
        self.assertTrue(wait_for(lambda: self.quick.met >= 3))
        self.quick.is_hostile = False
        self.assertTrue(wait_for(lambda: self.quick.taken))
        self.assertEqual(self.near.processes("transport"), carriers)

    def test_nothing_is_lost_and_nothing_grows(self):
        before = self.near.memory_kib()
        for hop in self.hops:
            self.send(hop)
        hurt = [hop for hop in self.hops if hop.name != "drips"]
        self.assertTrue(wait_for(lambda: all(hop.met >= 2 for hop in hurt)), {hop.name: hop.met for hop in hurt})
        # Between them an honest one is served.
        self.near.send("meanwhile")
        self.assertTrue(wait_for(lambda: self.near.find("meanwhile")))
        waiting = self.waiting()
        self.assertEqual(set(waiting), {hop.name for hop in self.hops})
        self.assertEqual([hop.name for hop in self.hops if hop.taken], [])
        self.assertLess(self.near.memory_kib() - before, MEMORY_MAX_KIB)
        for hop in self.hops:
            hop.is_hostile = False
            if hop.name == "drips":
                hop.closing.set()
        self.assertTrue(wait_for(lambda: not self.waiting(), 90), self.near.tool("queue", "list"))
        for hop in self.hops:
            self.assertEqual([b"Subject: %s\r\n" % hop.name.encode() in body for body in hop.taken], [True], hop.name)


if __name__ == "__main__":
    main()
