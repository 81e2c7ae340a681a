#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Web servers that mean ill: the issuer of tokens, and who tells the policy of a domain (MTA-STS), answer without end, or so
slowly that it comes to the same, packed, elsewhere, or with what makes no sense. Nobody is let in by that and no mail is kept
back; memory stays small, and others are served meanwhile."""
import gzip
import itertools
import json
import socket
import sys
import threading
import time
import unittest

import issuer
import secure
from issuer import AWAY, GOOD, active
from memory import has_sanitizer
from oauth import bearer
from office import ALICE, BOB, CLIENT_S, main, wait_for

GROWTH_KIB_MAX, SANITIZED_KIB_MAX = 24 * 1024, 1024 * 1024  # they keep what was given back, for a while
OTHERS_MAX_S = 5  # for a login with a password, with sanitizers on a busy machine
TIMER_S = 1
LATE = "it does not answer"
WAITING = 150  # tokens that are asked about at the same time; 128 may be
OK = b"HTTP/1.1 200 OK\r\n"
PIECE = b"x" * 65536


def ways(kind, good):
    """{name: (why it is no answer, what is sent: pieces, after each a pause in seconds)}."""
    kind = b"Content-Type: " + kind + b"\r\n"
    head, chunks = OK + kind, OK + kind + b"Transfer-Encoding: chunked\r\n\r\n"
    long, none = "the answer is too long", "the answer is encoded"
    return {
        "endless": (long, itertools.chain([head + b"\r\n"], itertools.repeat(PIECE))),
        "told-huge": (long, itertools.chain([head + b"Content-Length: 99999999999\r\n\r\n"], itertools.repeat(PIECE))),
        "beyond-numbers": ("the answer has no sound length", [head + b"Content-Length: 18446744073709551617\r\n\r\n" + good]),
        "two-lengths": ("the answer has no sound length", [head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n" + good]),
        "fields": (long, itertools.chain([head], itertools.repeat(b"X-Y: z\r\n" * 1000))),
        "one-field": (long, itertools.chain([head + b"X: "], itertools.repeat(PIECE))),
        "status-line": (long, itertools.chain([b"HTTP/1.1 200 "], itertools.repeat(PIECE))),
        "interim": (long, itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
        "chunks": (long, itertools.chain([chunks], itertools.repeat(b"1;" + b"e" * 1000 + b"=1\r\nx\r\n"))),
        "empty-trailer": (long, itertools.chain([chunks + b"0\r\n"], itertools.repeat(b"T: x\r\n" * 1000))),
        "bomb": (none, [head + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(50 << 20))]),
        "elsewhere": ("the answer is not 200", [b"HTTP/1.1 302 Found\r\nLocation: /good\r\n" + kind + b"\r\n" + good]),
        "cut": ("the answer is cut short", [head + b"Content-Length: 60000\r\n\r\n" + good]),
        "cut-in-secret": ("the answer is cut short", [head + b"\r\n" + good]),  # no length, and TLS says nothing of an end
        "no-http": ("the answer is not HTTP", [b"220 mail ESMTP\r\n" * 10]),
        "drip": (LATE, itertools.chain([head + b"Content-Length: 60000\r\n\r\n"], ((b"x", 0.1) for _ in itertools.count()))),
        "silence": (LATE, ((b"", 0.5) for _ in itertools.count())),
    }


class Answering:
    """For a handler of http.server: sends one way, until nobody listens."""
    closing = threading.Event()

    def send_way(self, pieces):
        self.close_connection = True
        try:
            for piece in pieces:
                octets, pause = piece if isinstance(piece, tuple) else (piece, 0)
                self.wfile.write(octets)
                if pause and self.closing.wait(pause) or not octets and not self.is_listened_to():
                    return
        except OSError:
            pass  # nobody waits for it any more

    def is_listened_to(self):
        """After a silence only a look tells."""
        self.connection.settimeout(0.01)
        try:
            return self.connection.recv(1) != b""
        except TimeoutError:
            return True
        finally:
            self.connection.settimeout(None)


class Watched(unittest.TestCase):
    """Bob logs in with his password, again and again, while something is done; memory is as small as before."""

    def others_are_served_while(self, office, work):
        pids, before = set(office.processes()), office.memory_kib()
        done, took, failed = threading.Event(), [], []

        def log_in():
            while not done.is_set() or not took:
                begun = time.monotonic()
                try:
                    client = office.pop(BOB)
                    client.quit()
                except OSError as problem:
                    failed.append(problem)
                    return
                took.append(time.monotonic() - begun)

        bob = threading.Thread(target=log_in)
        bob.start()
        try:
            work()
        finally:
            done.set()
            bob.join()
        self.assertEqual(failed, [])
        self.assertLess(max(took), OTHERS_MAX_S)
        self.assertEqual(set(office.processes()), pids, "a process died")
        self.assertLess(office.memory_kib() - before, GROWTH_KIB_MAX if not has_sanitizer() else SANITIZED_KIB_MAX)


class HostileIssuer(issuer.Handler, Answering):
    """A token names the way."""
    ways = ways(b"application/json", b"")

    def answer(self, token):
        good = json.dumps(active()).encode()
        found = ways(b"application/json", good).get(token)
        if not found:
            super().answer(token)
            return
        self.server.seen.append((token, self.path, None, None))
        self.send_way(found[1])


class Issuer(issuer.Case, Watched):
    @classmethod
    def setUpClass(cls):
        cls.open('oauth_introspection = "https://localhost:{port}/introspect"\noauth_cache = "1 h"\n'
                 'oauth_timer = "1 min"\nconnections_per_address_max = 1000\nconnections_per_account_max = 1000\n')
        cls.server.RequestHandlerClass = HostileIssuer

    def test_1_what_it_answers_lets_nobody_in(self):
        def work():
            for name, (why, _) in sorted(HostileIssuer.ways.items(), key=lambda way: way[1][0] == LATE):
                if why == LATE:
                    self.reload(f'oauth_timer = "{TIMER_S} s"\n')
                with self.subTest(name):
                    begun = time.monotonic()
                    self.assertEqual(self.imap(name), AWAY)
                    self.assertLess(time.monotonic() - begun, TIMER_S + OTHERS_MAX_S if why == LATE else CLIENT_S)
                    self.told("issuer_not_asked", "why", why)
        try:
            self.others_are_served_while(self.office, work)
        finally:
            self.reload()
        self.assertNotIn("/good", [seen[1] for seen in self.server.seen])
        self.server.replies["after"] = active()
        self.assertEqual(self.imap("after"), GOOD)

    def test_2_json_that_is_no_answer_lets_nobody_in(self):
        deep = b'{"active": ' + b"[" * 30000
        same = json.dumps(active()).encode()
        answers = {"deep": deep, "deep-whole": deep + b"]" * 30000 + b"}", "nul": bytes(60000), "twice": same + same,
                   "both": same[:-1] + b', "active": false}', "number": b'{"active": 1e999999}', "not-utf-8": same + b"\xff",
                   "names": b'{"active": true, ' + b", ".join(b'"k%d": 1' % n for n in range(4000)) + b"}"}

        def work():
            for name, body in answers.items():
                self.server.replies[name] = body
                with self.subTest(name):
                    self.assertIn(self.imap(name), (AWAY, issuer.BAD))
        self.others_are_served_while(self.office, work)

    def test_3_more_tokens_than_may_be_asked_about(self):
        """From as many addresses, for of one only some may wait. Each hears something, and others are served."""
        released, said = threading.Event(), []
        alice = active()

        def ask(number):
            name = f"flood-{number}"
            self.server.replies[name] = lambda: (released.wait(CLIENT_S), alice)[1]
            stream = socket.create_connection(("127.0.0.1", self.office.base + 143), CLIENT_S, (f"127.0.1.{number + 1}", 0))
            with stream, stream.makefile("rb") as lines:
                lines.readline()
                first = issuer.base64.b64encode(bearer(name)).decode()
                stream.sendall(f"a AUTHENTICATE OAUTHBEARER {first}\r\n".encode())
                answer = lines.readline()
                if answer.startswith(b"+"):
                    stream.sendall(b"AQ==\r\n")
                    answer = lines.readline()
                said.append(answer)

        threads = [threading.Thread(target=ask, args=[number]) for number in range(WAITING)]

        def work():
            for thread in threads:
                thread.start()
            try:
                self.assertTrue(wait_for(lambda: self.stat("questions_open") == WAITING - len(said) == 128),
                                (self.stat("questions_open"), said))
                time.sleep(1)
            finally:
                released.set()
            for thread in threads:
                thread.join(CLIENT_S)
        self.others_are_served_while(self.office, work)
        good = sum(answer.startswith(b"a OK") for answer in said)
        away = sum(b"[UNAVAILABLE]" in answer for answer in said)
        self.assertEqual((good, away), (128, WAITING - 128), said)
        self.assertEqual(self.imap("flood-0"), GOOD)

    def test_4_where_it_is_asked_is_not_changed_by_a_reload(self):
        """What would lead all tokens to another server takes a restart."""
        before = self.conf
        self.server.replies["moved"] = active()
        try:
            type(self).conf = before.replace("/introspect", "/elsewhere")
            self.reload()
            self.assertEqual(self.imap("moved"), GOOD)
            self.assertEqual([path for token, path, *_ in self.server.seen if token == "moved"], ["/introspect"])
        finally:
            type(self).conf = before
            self.reload()


def told(text):
    """A whole answer with its length."""
    return OK + b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text) + text


POLICY = secure.POLICY.format("nobody.example").encode()  # would keep the mail back
POLICY_WAYS = ways(b"text/plain", POLICY) | {
    "another-type": ("the answer is of another type", [OK + b"Content-Type: text/html\r\n\r\n" + POLICY]),
    "no-type": ("the answer is of another type", [OK + b"\r\n" + POLICY]),
    "nul": ("the policy makes no sense", [told(bytes(60000))]),
    "hosts": ("the policy makes no sense", [told(POLICY + b"mx: a.b.example\n" * 3700)]),
}


class HostileWeb(secure.Web, Answering):
    def do_GET(self):
        name = self.headers["Host"].split(".")[1]
        self.send_way(dict(POLICY_WAYS)[name][1])


class Policies(secure.Case, Watched):
    handler = HostileWeb
    plain = {f"{name}.example": secure.STS for name in POLICY_WAYS} | {"wrong-host.example": secure.STS, "none.example": ""}

    @classmethod
    def certify(cls, what, names):
        super().certify(what, [name for name in names if what != "web" or "wrong-host" not in name])

    def why(self):
        return dict(line.split("domain=")[1].split(" why=") for line in self.near.log_text().splitlines()
                    if "event=sts_failed" in line)

    def test_what_it_answers_keeps_no_mail_back(self):
        wanted = {f"{name}.example": why for name, (why, _) in POLICY_WAYS.items()}
        wanted["wrong-host.example"] = "its certificate is not good"
        slow = {domain for domain, why in wanted.items() if why == LATE}  # for a minute

        def work():
            for domain in wanted:
                self.send("policy", f"carol@{domain}")
            self.expect_arrival("others", "carol@none.example")
            for domain in wanted.keys() - slow:
                self.assertTrue(wait_for(lambda domain=domain: self.arrived("policy", f"carol@{domain}")), domain)
            for domain in slow:
                self.assertTrue(wait_for(lambda domain=domain: self.arrived("policy", f"carol@{domain}"), 120), domain)
        self.others_are_served_while(self.near, work)
        self.assertEqual({domain: why.strip('"') for domain, why in self.why().items()}, wanted)


if __name__ == "__main__":
    if sys.argv[1:] != ["Issuer"]:
        secure.need_all()
    main()
