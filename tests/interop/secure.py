#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mail to domains that say how their hosts are to be known: by TLSA records in signed zones (DANE,
RFC 7672), and by a policy that a web server tells (MTA-STS, RFC 8461). Two Facteurs, a real name
server (NSD), a web server; the ports are those of the Internet, on addresses of loopback's own."""
import contextlib
import email
import email.policy
import gzip
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from nameserver import NameServer
from office import ALICE, Office, main, skip_all, wait_for

NET = f"127.{77 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
HOST, WEB = f"{NET}.1", f"{NET}.2"
MX = "@ IN MX 10 mx\nmx IN A %s\n" % HOST
STS = '_mta-sts IN TXT "v=STSv1; id=1;"\nmta-sts IN A %s\n' % WEB
SIGNED = ("dane.example", "other.example")
# Reports about TLS go to a mailbox of the domain itself, whatever is wrong with its host.
REPORTS = '_smtp._tls IN TXT "v=TLSRPTv1; rua=mailto:carol@{}"\n'
PLAIN = {"sts.example": STS + REPORTS.format("sts.example"), "elsewhere.example": STS, "gone.example": STS, "kept.example": STS,
         "none.example": ""}
POLICY = "version: STSv1\nmode: enforce\nmx: {}\nmax_age: 86400\n"
POLICIES = {"mta-sts.sts.example": POLICY.format("mx.sts.example"),
            "mta-sts.elsewhere.example": POLICY.format("*.example.net"),
            "mta-sts.kept.example": POLICY.format("*.example.net")}


def letter(subject, to):
    return (f"From: <{ALICE}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject}@example.test>\r\n\r\nBody.\r\n").encode()


class Door:
    """Passes connections to port 25 of an address on to another port. While `strips`, as somebody on the line who takes
    STARTTLS out of what the host offers; `heard` is what the client said then."""

    def __init__(self, address, port):
        self.port, self.strips, self.heard, self.sockets = port, False, b"", []
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                outside, _ = self.listener.accept()
            except OSError:
                return
            inside = socket.create_connection(("127.0.0.1", self.port))
            self.sockets += [outside, inside]
            for pair in ((outside, inside), (inside, outside)):
                threading.Thread(target=self.pass_on, args=(*pair, pair[0] is outside), daemon=True).start()

    def strip(self, strips):
        """Connections that stand already, and may be kept for the next message, end."""
        self.strips, self.heard = strips, b"" if strips else self.heard
        for stream in self.sockets:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    def pass_on(self, source, target, is_client):
        strips = self.strips
        try:
            while octets := source.recv(65536):
                if strips and is_client:
                    self.heard += octets
                elif strips:
                    octets = octets.replace(b"250-STARTTLS\r\n", b"")
                target.sendall(octets)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Web(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        name = self.headers["Host"]
        self.asked.append((name, self.path))
        text = POLICIES.get(name, "").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Case(unittest.TestCase):
    """The world, for tests of several scripts."""
    plain, handler = PLAIN, Web

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-secure-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.web = cls.start_web()
        cls.far = Office()
        for zone in (*SIGNED, *cls.plain):
            cls.far.tool("domain", "add", zone)
            cls.far.tool("user", "add", f"carol@{zone}", "--password-stdin", text="secret of carol\n")
            cls.far.people[f"carol@{zone}"] = "secret of carol"
        cls.certify("mx", [f"mx.{zone}" for zone in (*SIGNED, *cls.plain)] + ["localhost"])
        for name in ("chain", "key"):
            shutil.copyfile(cls.folder / f"mx-{name}.pem", cls.far.folder / f"tls/{name}.pem")
        cls.far.stop()
        cls.far.start()
        cls.far.context = ssl.create_default_context(cafile=cls.folder / "mx-chain.pem")
        cls.door = Door(HOST, cls.far.base + 25)
        cls.start_names()
        trust = (cls.folder / "mx-chain.pem").read_text() + (cls.folder / "web-chain.pem").read_text()
        (cls.folder / "trust.pem").write_text(trust)
        stubs = ", ".join(f'"{zone} 127.0.0.1@{cls.names.port}"' for zone in (*SIGNED, *cls.plain))
        cls.near = Office(config=f"""
queue_interval_max = "1 s"
local_destinations = yes
dns_recursive = yes
dns_stubs = {{{stubs}}}
dns_trust_anchors = {cls.names.anchors}
outbound_trust = {cls.folder}/trust.pem
own_names = {{}}
""")

    @classmethod
    def tearDownClass(cls):
        cls.near.close()
        cls.far.close()
        cls.door.close()
        cls.web.shutdown()
        cls.web.server_close()
        cls.names.stop()
        shutil.rmtree(cls.folder)

    @classmethod
    def certify(cls, what, names):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "30", "-subj", f"/CN={names[0]}", "-addext",
                        "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
                        "-keyout", cls.folder / f"{what}-key.pem", "-out", cls.folder / f"{what}-chain.pem"],
                       check=True, capture_output=True)

    @classmethod
    def start_web(cls):
        cls.certify("web", [f"mta-sts.{zone}" for zone in cls.plain])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.folder / "web-chain.pem", cls.folder / "web-key.pem")
        web = http.server.ThreadingHTTPServer((WEB, 443), cls.handler)
        web.socket = context.wrap_socket(web.socket, server_side=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        return web

    @classmethod
    def start_names(cls):
        der = subprocess.run(["openssl", "x509", "-in", cls.folder / "mx-chain.pem", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        digest = {"dane.example": hashlib.sha256(der).hexdigest(), "other.example": "ab" * 32}
        zones = {zone: MX + f"_25._tcp.mx IN TLSA 3 0 1 {digest[zone]}\n" for zone in SIGNED}
        zones["other.example"] += REPORTS.format("other.example")
        zones |= {zone: MX + text for zone, text in cls.plain.items()}
        cls.names = NameServer(cls.folder, zones, SIGNED)
        cls.names.start()

    # ---- what is seen

    def send(self, subject, to):
        with self.near.smtp(ALICE) as client:
            client.sendmail(ALICE, [to], letter(subject, to))

    def arrived(self, subject, to, is_start=False):
        key = f"\r\nSubject: {subject}".encode() + (b"" if is_start else b"\r\n")
        return [m for m in self.far.messages(to) if key in m]

    def expect_arrival(self, subject, to):
        self.send(subject, to)
        self.assertTrue(wait_for(lambda: self.arrived(subject, to)), self.queue())
        self.assertIn(b" with ESMTPS", self.arrived(subject, to)[0].split(b"\r\nReceived:")[1])

    def queue(self):
        return self.near.tool("queue", "list", "--json")

    def expect_waiting(self, subject, to, why):
        self.send(subject, to)
        self.assertTrue(wait_for(lambda: why in self.queue()), self.queue())
        self.assertEqual(self.arrived(subject, to), [])


class Secure(Case):
    def test_a_host_with_the_right_tlsa_record_gets_its_mail(self):
        self.expect_arrival("dane", "carol@dane.example")

    def test_a_host_with_another_certificate_than_its_record_tells_gets_none(self):
        self.expect_waiting("other", "carol@other.example", "TLSA")
        self.assertRegex(self.near.log_text(),
                         "event=tls_failure .*domain=other.example policy=tlsa result=tlsa-invalid host=mx.other.example")

    def test_a_policy_is_fetched_and_its_host_verified(self):
        self.expect_arrival("sts", "carol@sts.example")
        self.assertIn(("mta-sts.sts.example", "/.well-known/mta-sts.txt"), Web.asked)

    def test_a_host_that_the_policy_does_not_name_gets_none(self):
        self.expect_waiting("elsewhere", "carol@elsewhere.example", "does not name this host")
        self.assertRegex(self.near.log_text(),
                         "event=tls_failure .*domain=elsewhere.example policy=sts result=certificate-host-mismatch")

    def test_a_policy_outlives_the_server(self):
        self.expect_waiting("kept", "carol@kept.example", "does not name this host")
        POLICIES.pop("mta-sts.kept.example")
        self.near.stop(signal.SIGKILL)
        self.near.start()
        self.send("again", "carol@kept.example")
        held = lambda: [m for m in json.loads(self.queue())["recipients"] if "does not name this host" in str(m)
                        and "kept.example" in str(m)]
        self.assertTrue(wait_for(lambda: len(held()) == 2), self.queue())
        self.assertEqual(self.arrived("again", "carol@kept.example"), [])

    def expect_nothing_in_the_clear(self, subject, to, *options):
        """While STARTTLS is stripped the mail waits; then it travels under TLS."""
        self.door.strip(True)
        try:
            with self.near.smtp(ALICE) as client:
                client.sendmail(ALICE, [to], letter(subject, to), mail_options=options)
            self.assertTrue(wait_for(lambda: b"EHLO" in self.door.heard and "TLS is required" in self.queue()), self.queue())
            self.assertEqual(self.arrived(subject, to), [])
            for word in (b"MAIL", b"RCPT", b"DATA", b"BDAT", subject.encode()):
                self.assertNotIn(word, self.door.heard)
        finally:
            self.door.strip(False)
        self.assertTrue(wait_for(lambda: self.arrived(subject, to)), self.queue())

    def test_stripped_starttls_under_dane_sends_nothing_in_the_clear(self):
        self.expect_nothing_in_the_clear("strip-dane", "carol@dane.example")

    def test_stripped_starttls_under_an_enforced_policy_sends_nothing_in_the_clear(self):
        self.expect_nothing_in_the_clear("strip-sts", "carol@sts.example")

    def test_stripped_starttls_with_requiretls_sends_nothing_in_the_clear(self):
        self.expect_nothing_in_the_clear("strip-requiretls", "carol@none.example", "REQUIRETLS")

    def test_where_nobody_asks_for_tls_a_stripped_host_gets_its_mail(self):
        """RFC 7435: so it is the others' demand, and not the lack of STARTTLS, that keeps mail back."""
        self.door.strip(True)
        try:
            self.send("strip-none", "carol@none.example")
            self.assertTrue(wait_for(lambda: self.arrived("strip-none", "carol@none.example")), self.queue())
            self.assertIn(b"strip-none", self.door.heard)
        finally:
            self.door.strip(False)

    def counted(self, domain):
        """{policy: (successes, failures)}, and the kinds of failure."""
        told = self.near.tool_data("tlsrpt", domain)
        return ({row["policy"]: (row["successes"], row["failures"]) for row in told["domains"]},
                {(row["result"], row["host"]): row["count"] for row in told["failures"]})

    def test_sessions_are_counted_also_over_restarts(self):
        self.expect_arrival("counted", "carol@dane.example")
        self.assertTrue(wait_for(lambda: self.counted("dane.example")[0].get("tlsa", (0, 0))[0] >= 1))
        self.expect_waiting("uncounted", "carol@elsewhere.example", "does not name this host")
        before = self.counted("elsewhere.example")
        self.assertGreaterEqual(before[0]["sts"][1], 1)
        self.assertGreaterEqual(before[1][("certificate-host-mismatch", "mx.elsewhere.example")], 1)
        self.near.stop()
        self.near.start()
        after = self.counted("elsewhere.example")
        self.assertGreaterEqual(after[0]["sts"][1], before[0]["sts"][1])
        self.assertGreaterEqual(self.counted("dane.example")[0]["tlsa"][0], 1)
        self.assertIn("TLSA", self.near.tool("help", "tlsrpt"))

    def configure(self, text):
        (self.near.folder / "facteur.conf").write_text(text)
        self.near.tool("reload")

    def reports(self, domain):
        """What the domain's postmaster reads: the JSON of each report."""
        found = []
        for octets in self.arrived(f"Report Domain: {domain}", f"carol@{domain}", is_start=True):
            message = email.message_from_bytes(octets, policy=email.policy.default)
            self.assertEqual(message.get_content_type(), "multipart/report")
            self.assertEqual(message.get_param("report-type"), "tlsrpt")
            self.assertEqual(message["TLS-Report-Domain"], domain)
            self.assertEqual(message["Return-Path"], "<>")
            _, part = message.iter_parts()
            self.assertEqual(part.get_content_type(), "application/tlsrpt+gzip")
            self.assertTrue(part.get_filename().endswith(".json.gz"))
            found.append(json.loads(gzip.decompress(part.get_content())))
            self.assertEqual(found[-1]["organization-name"], message["TLS-Report-Submitter"])
        return found

    def policies(self, domain):
        return [policy for report in self.reports(domain) for policy in report["policies"]]

    def test_reports_reach_their_domains_although_tls_fails(self):
        config = (self.near.folder / "facteur.conf").read_text()
        self.addCleanup(self.configure, config)
        self.configure(config + 'tls_reports = yes\ntls_report_interval = "3 s"\n')
        self.send("bad", "carol@other.example")
        self.expect_arrival("reported", "carol@sts.example")
        self.assertTrue(wait_for(lambda: self.policies("sts.example") and self.policies("other.example")),
                        self.near.log_text()[-3000:])
        good = self.policies("sts.example")[0]
        self.assertEqual(good["policy"]["policy-type"], "sts")
        self.assertIn("mode: enforce", good["policy"]["policy-string"])
        self.assertEqual(good["policy"]["mx-host"], ["mx.sts.example"])
        self.assertEqual(good["summary"], {"total-successful-session-count": 1, "total-failure-session-count": 0})
        bad = self.policies("other.example")[0]
        self.assertEqual((bad["policy"]["policy-type"], bad["policy"]["policy-string"]), ("tlsa", ["3 0 1 " + "ab" * 32]))
        self.assertGreaterEqual(bad["failure-details"][0]["failed-session-count"], 1)
        self.assertEqual((bad["failure-details"][0]["result-type"], bad["failure-details"][0]["receiving-ip"]),
                         ("tlsa-invalid", HOST))

    def test_a_policy_that_is_not_there_keeps_no_mail_back(self):
        self.expect_arrival("gone", "carol@gone.example")
        self.assertIn(("mta-sts.gone.example", "/.well-known/mta-sts.txt"), Web.asked)

    def test_without_record_nobody_is_asked(self):
        self.expect_arrival("none", "carol@none.example")
        self.assertNotIn("mta-sts.none.example", [name for name, _ in Web.asked])


def need_all():
    os.environ["PATH"] += ":/usr/sbin"
    for tool in ("nsd", "ldns-keygen", "ldns-signzone", "openssl"):
        if not shutil.which(tool):
            skip_all(f"{tool} is missing (packages nsd, ldnsutils and openssl)")
    try:
        socket.create_server((HOST, 25)).close()
    except OSError as error:
        skip_all(f"port 25 cannot be had: {error}")


if __name__ == "__main__":
    need_all()
    main()
