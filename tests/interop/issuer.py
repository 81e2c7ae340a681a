#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tokens whose issuer is asked over HTTPS: introspection (RFC 7662) and keys by URL (RFC 7517), on IMAP, POP3 and submission;
whatever an issuer may answer, and what is kept of it."""
import base64
import http.server
import imaplib
import json
import os
import poplib
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

from oauth import AUDIENCE, ISSUER, Issuer, bearer, google
from office import ALICE, BOB, CLIENT_S, Office, free_port, main, wait_for

CONFIG = f"""auth_mechanisms = {{PLAIN, LOGIN, SCRAM-SHA-256, OAUTHBEARER, XOAUTH2}}
oauth_issuer = "{ISSUER}"
oauth_audience = "{AUDIENCE}"
"""
USER, SECRET = "mail:server", "open % sesame"
GOOD, BAD, AWAY = "good", "bad", "away"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, token):
        reply = self.server.replies.get(token, {"active": False})
        self.server.seen.append((token, self.path, self.headers.get("Authorization"), self.headers.get("Content-Type")))
        if callable(reply):
            reply = reply()
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"https://localhost:{self.server.server_port}/elsewhere")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        try:
            self.wfile.write(octets)
        except OSError:
            pass # nobody waits for it any more

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.forms.append(form)
        self.answer(form["token"][0])

    def do_GET(self):
        self.answer("keys")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """An issuer on loopback: `replies` by token, `seen` what it was asked; `contexts` whose certificate it shows."""
    daemon_threads, request_queue_size = True, 256

    def __init__(self, folder, port, contexts=None):
        self.contexts = contexts or [self.make(folder, name) for name in ("issuer", "stranger")]
        self.context, self.trust = self.contexts[0], Path(folder) / "issuer.pem"
        self.replies, self.seen, self.forms = {}, [], []
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @staticmethod
    def make(folder, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key",
                        "-out", f"{name}.pem"], cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(folder) / f"{name}.pem", Path(folder) / f"{name}.key")
        return context

    def get_request(self):
        stream, address = super().get_request()
        return self.context.wrap_socket(stream, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass # who does not like the certificate goes away

    def count(self, token):
        return sum(seen[0] == token for seen in self.seen)

    def close(self):
        self.shutdown()
        self.server_close()


class Case(unittest.TestCase):
    @classmethod
    def open(cls, options):
        cls.folder = tempfile.mkdtemp(prefix="fo-id-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        Path(cls.folder).chmod(0o755)
        cls.port = free_port()
        cls.server = Server(cls.folder, cls.port)
        cls.addClassCleanup(lambda: cls.server.close())
        cls.office = Office()
        cls.addClassCleanup(cls.office.close)
        path = cls.office.folder / "data/directory/credentials"
        path.write_text(f"oauth {USER} {SECRET}\n")
        path.chmod(0o600)
        conf = cls.office.folder / "facteur.conf"
        cls.conf = conf.read_text() + CONFIG + f'oauth_trust = "{cls.server.trust}"\n' + options.format(port=cls.port)
        cls.configure("")
        cls.office.stop()
        cls.office.start()

    @classmethod
    def configure(cls, more):
        (cls.office.folder / "facteur.conf").write_text(cls.conf + more)

    def reload(self, more=""):
        self.configure(more)
        self.office.tool("reload")

    def imap(self, token, mechanism="OAUTHBEARER", message=None):
        """GOOD, BAD or AWAY, as IMAP says it (RFC 5530)."""
        told = []

        def answer(challenge):
            told.append(challenge)
            return (message or bearer(token)) if len(told) == 1 else b"\1"
        client = imaplib.IMAP4_SSL("localhost", self.office.base + 993, ssl_context=self.office.context, timeout=CLIENT_S)
        try:
            client.authenticate(mechanism, answer)
            client.select("INBOX")
            client.logout()
            return GOOD
        except imaplib.IMAP4.error as error:
            client.shutdown()
            codes = {"[AUTHENTICATIONFAILED]": BAD, "[UNAVAILABLE]": AWAY}
            return next((what for code, what in codes.items() if code in str(error)), str(error))

    def pop3(self, token):
        client = poplib.POP3_SSL("localhost", self.office.base + 995, context=self.office.context, timeout=CLIENT_S)
        try:
            client._shortcmd("AUTH XOAUTH2 " + base64.b64encode(google(token, ALICE)).decode())
            client.stat()
            return GOOD
        except poplib.error_proto as error:
            text = error.args[0].decode()
            if text.startswith("+ "): # the client is to hear what is wrong, and says nothing to it
                try:
                    client._shortcmd("")
                except poplib.error_proto as last:
                    text = last.args[0].decode()
            return {"-ERR [AUTH]": BAD, "-ERR [SYS/TEMP]": AWAY}.get(text[:text.find("]") + 1], text)
        finally:
            client.close()

    def submission(self, token):
        with smtplib.SMTP("localhost", self.office.base + 587, timeout=CLIENT_S) as client:
            client.starttls(context=self.office.context)
            client.ehlo()
            code, text = client.docmd("AUTH", "OAUTHBEARER " + base64.b64encode(bearer(token)).decode())
            if code == 334:
                code, text = client.docmd("AQ==")
            if code == 235:
                client.sendmail(ALICE, [BOB], b"Subject: by token\r\n\r\nhello\r\n")
            return {235: GOOD, 535: BAD, 454: AWAY}.get(code, (code, text))

    def last(self, event):
        return [line for line in self.office.log_text().splitlines() if f"event={event} " in line][-1:]

    def told(self, event, key, why):
        """The log says why, a moment later."""
        self.assertTrue(wait_for(lambda: any(f'{key}="{why}"' in line for line in self.last(event))), self.last(event))

    def stat(self, name):
        return next(row["value"] for row in self.office.tool_data("status")["counters"]
                    if (row["role"], row["counter"]) == ("issuer", name))


def active(who=ALICE, **more):
    return {"active": True, "aud": [AUDIENCE], "email": who, "exp": int(time.time()) + 600, **more}


class Introspection(Case):
    @classmethod
    def setUpClass(cls):
        cls.open('oauth_introspection = "https://localhost:{port}/introspect?a=b"\noauth_cache = "1 h"\noauth_timer = "1 min"\n')

    def test_an_active_token_is_taken_everywhere(self):
        self.server.replies["fresh"] = active()
        self.assertEqual([self.imap("fresh"), self.pop3("fresh"), self.submission("fresh")], [GOOD] * 3)
        self.assertEqual(self.imap("fresh", "XOAUTH2", google("fresh", ALICE)), GOOD)
        self.assertEqual(self.server.count("fresh"), 1) # asked once, then known
        basic = "Basic " + base64.b64encode(b"mail%3Aserver:open+%25+sesame").decode()
        self.assertIn(("fresh", "/introspect?a=b", basic, "application/x-www-form-urlencoded"), self.server.seen)
        self.assertIn({"token": ["fresh"], "token_type_hint": ["access_token"]}, self.server.forms)

    def test_what_an_issuer_says_no_to_is_refused_everywhere(self):
        self.assertEqual([self.imap("unknown"), self.pop3("unknown"), self.submission("unknown")], [BAD] * 3)
        self.told("login_failed", "reason", "token is not active, says its issuer")
        for name, reply, why in (("old", active(exp=int(time.time()) - 100), "token has expired"),
                                 ("early", active(nbf=int(time.time()) + 1000), "token is not valid yet"),
                                 ("web", active(aud="web"), "token is for another audience"),
                                 ("any", {"active": True, "email": ALICE}, "token is for another audience"),
                                 ("other", active(iss="https://elsewhere.test/"), "token is of another issuer"),
                                 ("nameless", active(email=None), "token names nobody"),
                                 ("nobody", active("nobody@example.test"), "unknown or not allowed")):
            self.server.replies[name] = reply
            self.assertEqual(self.imap(name), BAD)
            self.told("login_failed", "reason", why)
        self.server.replies["mine"] = active()
        self.assertEqual(self.imap("mine", message=bearer("mine", BOB)), BAD) # of alice, for bob
        self.assertEqual(self.imap("mine"), GOOD)

    def test_what_is_no_answer_is_neither_yes_nor_no(self):
        known = self.server.count("elsewhere")
        for name, reply, why in (("garbage", b"<html>active: true</html>", "the issuer's answer makes no sense"),
                                 ("string", {"active": "true", "email": ALICE, "aud": AUDIENCE}, "the issuer's answer makes no sense"),
                                 ("empty", b"", "the issuer's answer makes no sense"),
                                 ("huge", b"x" * 100_000, "the answer is too long"),
                                 ("moved", (302, active()), "the answer is not 200"),
                                 ("forbidden", (401, active()), "the answer is not 200"),
                                 ("broken", (500, active()), "the answer is not 200")):
            self.server.replies[name] = reply
            self.assertEqual(self.imap(name), AWAY)
            self.told("issuer_not_asked", "why", why)
        self.assertEqual([self.pop3("broken"), self.submission("broken")], [AWAY] * 2)
        self.told("login_failed", "reason", "the issuer of tokens cannot be asked")
        self.assertEqual(self.server.count("elsewhere"), known) # nobody went where 302 pointed
        self.server.replies["broken"] = active() # and nothing of it is kept
        self.assertEqual(self.imap("broken"), GOOD)

    def test_a_server_that_is_another_is_told_nothing(self):
        self.server.replies["secret"] = active()
        self.server.context = self.server.contexts[1]
        try:
            self.assertEqual(self.imap("secret"), AWAY)
            self.told("issuer_not_asked", "why", "its certificate is not good")
            self.assertEqual(self.server.count("secret"), 0)
        finally:
            self.server.context = self.server.contexts[0]
        self.assertEqual(self.imap("secret"), GOOD)

    def test_a_server_that_is_away_or_slow_is_not_waited_for(self):
        released = threading.Event()
        self.server.replies["held"] = lambda: (released.wait(CLIENT_S), active())[1]
        self.reload('oauth_timer = "1 s"\n')
        try:
            self.assertEqual(self.imap("held"), AWAY)
            self.told("issuer_not_asked", "why", "it does not answer")
        finally:
            released.set()
            self.reload()
        self.server.close()
        try:
            self.assertEqual([self.imap("away"), self.pop3("away"), self.submission("away")], [AWAY] * 3)
            self.told("issuer_not_asked", "why", "its server cannot be reached")
        finally:
            replies, seen = self.server.replies, self.server.seen
            type(self).server = Server(self.folder, self.port, self.server.contexts)
            self.server.replies, self.server.seen = replies, seen
        self.assertEqual(self.imap("held"), GOOD)

    def test_many_that_bring_one_token_ask_once(self):
        released, said = threading.Event(), []
        self.server.replies["shared"] = lambda: (released.wait(CLIENT_S), active())[1]
        asked = self.stat("asked")
        clients = [threading.Thread(target=lambda: said.append(self.imap("shared"))) for _ in range(4)]
        for client in clients:
            client.start()
        try:
            self.assertTrue(wait_for(lambda: self.stat("asked") == asked + 4))
        finally:
            released.set()
        for client in clients:
            client.join(CLIENT_S)
        self.assertEqual((said, self.server.count("shared")), ([GOOD] * 4, 1))

    def test_a_token_that_was_revoked_is_forgotten_in_time(self):
        self.server.replies["long"], self.server.replies["short"] = active(), active(exp=int(time.time()) + 4)
        self.assertEqual([self.imap("long"), self.imap("short")], [GOOD] * 2)
        del self.server.replies["long"], self.server.replies["short"]
        self.assertEqual(self.imap("long"), GOOD) # for an hour
        self.assertTrue(wait_for(lambda: self.imap("short") == BAD)) # never longer than the token
        self.reload('oauth_cache = "0 s"\n')
        try:
            self.assertEqual(self.imap("long"), BAD)
            self.server.replies["long"] = active()
            asked = self.server.count("long")
            self.assertEqual([self.imap("long"), self.imap("long")], [GOOD] * 2)
            self.assertEqual(self.server.count("long"), asked + 2)
        finally:
            self.reload()

    def test_the_process_that_asks_may_die(self):
        self.server.replies["after"] = active()
        (process,) = self.office.processes("issuer")
        os.kill(process, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: self.imap("after") == GOOD))
        self.assertTrue(wait_for(lambda: process not in self.office.processes("issuer")))


class Keys(Case):
    """JWTs, and keys that the server fetches itself."""

    @classmethod
    def setUpClass(cls):
        cls.open('oauth_jwks = "https://localhost:{port}/jwks"\noauth_timer = "1 min"\n')
        cls.issuer = Issuer(cls.folder)

    def test_keys_are_fetched_when_they_are_wanted(self):
        other = Issuer(tempfile.mkdtemp(dir=self.folder))
        for key in other.keys["keys"]:
            key["kid"] += "-2"
        new = other.token(header={"kid": "ed-2"})
        self.server.replies["keys"] = (503, b"")
        self.assertEqual(self.imap(self.issuer.token()), AWAY) # 1: there are none yet
        self.server.replies["keys"] = self.issuer.keys
        self.assertEqual([self.imap(self.issuer.token(key=key)) for key in ("ed", "rsa")], [GOOD] * 2) # 2
        self.assertEqual([self.pop3(self.issuer.token()), self.submission(self.issuer.token())], [GOOD] * 2)
        self.assertEqual(self.imap(self.issuer.token(exp=1000)), BAD)
        self.assertEqual(self.server.count("keys"), 2)
        self.assertEqual(self.imap(new), BAD) # 3: there may be a new one; there is none
        self.told("login_failed", "reason", "no key fits the token")
        self.server.replies["keys"] = b"<html>"
        self.assertEqual(self.imap(new), AWAY) # 4: nobody can say
        self.told("issuer_not_asked", "why", "what it has for keys is no set of keys")
        self.assertEqual(self.imap(self.issuer.token()), GOOD) # the others stay in force
        self.server.replies["keys"] = other.keys
        self.assertEqual(self.imap(new), GOOD) # 5
        self.assertEqual(self.imap(self.issuer.token()), BAD) # has been fetched often enough
        self.assertEqual(self.server.count("keys"), 5)
        self.assertEqual({seen[1:3] for seen in self.server.seen}, {("/jwks", None)})


if __name__ == "__main__":
    main()
