#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The transport agent and other people's servers: Debian's Postfix, Exim and OpenSMTPD, as far as
they are installed, each started on loopback with a configuration of its own, receive what it
carries. Their packages exclude each other: $EXIM and $OPENSMTPD may name programs that lie elsewhere,
as `dpkg -x` leaves them (they want their users)."""
import email
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import FACTEUR, free_port, main, skip_all, wait_for

CARRY = Path(os.environ.get("CARRY") or Path(FACTEUR).resolve().parents[2] / "tests/interop/carry")
PATIENCE_S = 60
BODY = b".\r\n..\r\n.one\r\nlast line\r\n"
DOTS = b"Subject: dots\r\n\r\n" + BODY


def must(condition, what):
    result = wait_for(condition, PATIENCE_S)
    if not result:
        raise AssertionError(f"waited in vain for {what}")
    return result


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def body_of(message):
    return message.replace(b"\r\n", b"\n").partition(b"\n\n")[2]


class Peer:
    has_utf8 = True
    has_tls = True
    unknown = "^permanent 550 5.1.1 "  # what becomes of a recipient that there is not

    """A server that keeps mail for jones, brown, white and zoé @peer.test, one Maildir each."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fo-peer-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.mail.chmod(0o1777)
        self.port, self.poor_port = free_port(), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                        "-subj", "/CN=peer.test", "-addext", "subjectAltName=DNS:peer.test",
                        "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"],
                       check=True, capture_output=True)
        # Exim reads them as its own user.
        (self.folder / "key.pem").chmod(0o644)
        self.start()
        must(lambda: listens(self.port) and listens(self.poor_port), f"{self.name} to listen")

    def received(self, local, count=1, holding=b""):
        """The messages in a mailbox that hold these octets, when there are so many. A server that is slow
        files what an earlier test sent only now."""
        def look():
            found = [p.read_bytes() for p in self.mail.glob(f"{local}/new/*") if p.is_file()]
            found = [message for message in found if holding in message]
            return found if len(found) >= count else None
        return must(look, f"{count} messages for {local}")

    def clear(self):
        for path in self.mail.glob("*/new/*"):
            path.unlink()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postfix(Peer):
    name = "Postfix"

    @staticmethod
    def missing():
        return None if shutil.which("postfix") else "Postfix is not installed"

    def start(self):
        etc, user = self.folder / "etc", pwd.getpwnam("mail")
        for name in ("etc", "queue", "lib"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "lib", "postfix")
        boxes = ", ".join(f"{{{name}@peer.test = {name}/}}" for name in ("jones", "brown", "white", "zoé"))
        (etc / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
virtual_mailbox_domains = peer.test
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.folder}/cert.pem
smtpd_tls_key_file = {self.folder}/key.pem
smtputf8_enable = yes
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
""")
        (etc / "master.cf").write_text(f"""127.0.0.1:{self.port} inet n - n - - smtpd
127.0.0.1:{self.poor_port} inet n - n - - smtpd
  -o smtpd_discard_ehlo_keywords=pipelining,chunking,8bitmime,dsn,starttls,enhancedstatuscodes,smtputf8
  -o smtpd_recipient_limit=2 -o message_size_limit=2000
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
        self.etc = etc
        subprocess.run(["postfix", "-c", etc, "set-permissions"], capture_output=True)
        subprocess.run(["postfix", "-c", etc, "start"], check=True, capture_output=True)

    def stop(self):
        subprocess.run(["postfix", "-c", self.etc, "stop"], capture_output=True)


class Exim(Peer):
    name = "Exim"
    program = os.environ.get("EXIM") or shutil.which("exim4") or shutil.which("exim")

    @staticmethod
    def missing():
        return None if Exim.program else "Exim is not installed"

    def start(self):
        config = self.folder / "exim.conf"
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, "Debian-exim", "Debian-exim")
        poor = f"{{eq{{$received_port}}{{{self.poor_port}}}{{}}{{*}}}}"
        config.write_text(f"""primary_hostname = peer.test
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log/%slog
keep_environment =
exim_path = {self.program}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port} : {self.poor_port}
domainlist local_domains = peer.test
tls_advertise_hosts = ${{if {poor[1:-1]}}}
tls_certificate = {self.folder}/cert.pem
tls_privatekey = {self.folder}/key.pem
chunking_advertise_hosts = ${{if {poor[1:-1]}}}
pipelining_advertise_hosts = ${{if {poor[1:-1]}}}
dsn_advertise_hosts = ${{if {poor[1:-1]}}}
smtputf8_advertise_hosts = ${{if {poor[1:-1]}}}
accept_8bitmime = true
message_size_limit = ${{if eq{{$received_port}}{{{self.poor_port}}}{{2000}}{{50M}}}}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
never_users =
begin acl
rcpt:
  deny local_parts = unknown
       message = 5.1.1 no such user
  accept domains = peer.test
  deny message = 5.7.1 relay not permitted
begin routers
all:
  driver = accept
  local_parts = jones : brown : white : zoé
  transport = box
begin transports
box:
  driver = appendfile
  directory = {self.mail}/${{local_part_data}}
  maildir_format
  user = Debian-exim
  group = Debian-exim
""")
        self.process = subprocess.Popen([self.program, "-C", config, "-bdf", "-q1m"],
                                        stderr=open(self.folder / "stderr", "wb"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)


class OpenSMTPD(Peer):
    """Its folders have fixed names: it is given empty ones that only it sees. Debian 12's keeps its
    key in another process in a way that OpenSSL 3 does not know: STARTTLS is offered, and fails."""
    name = "OpenSMTPD"
    has_tls = False
    program = os.environ.get("OPENSMTPD") or shutil.which("smtpd")
    has_utf8 = False
    unknown = "^permanent 550 "

    @staticmethod
    def missing():
        if not OpenSMTPD.program or not (Path(OpenSMTPD.program).parent / "smtpctl").exists():
            return "OpenSMTPD is not installed"
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
            return "OpenSMTPD needs the right to mount"
        return None

    def start(self):
        (self.folder / "key.pem").chmod(0o600)
        (self.folder / "smtpd.conf").write_text(f"""pki peer.test cert "{self.folder}/cert.pem"
pki peer.test key "{self.folder}/key.pem"
table users {{ "jones@peer.test" = "mail", "brown@peer.test" = "mail", "white@peer.test" = "mail" }}
table rcpts {{ "jones@peer.test", "brown@peer.test", "white@peer.test" }}
smtp max-message-size 2000
listen on 127.0.0.1 port {self.port} tls pki peer.test hostname peer.test
listen on 127.0.0.1 port {self.poor_port} no-dsn hostname peer.test
action box maildir "{self.mail}/%{{rcpt.user}}" virtual <users>
match from any for rcpt-to <rcpts> action box
""")
        program = Path(self.program).resolve()
        helpers = program.parents[1] / "libexec/opensmtpd"
        (self.folder / "start").write_text(f"""set -e
mkdir {self.folder}/helpers
cp {helpers}/* {self.folder}/helpers
mount -t tmpfs none /var/lib
mkdir -p -m 711 /var/lib/opensmtpd /var/lib/opensmtpd/empty
mount -t tmpfs none /var/spool
mkdir -m 711 /var/spool/smtpd
mount -t tmpfs none /run
mount -t tmpfs none /usr/libexec
cp -r {self.folder}/helpers /usr/libexec/opensmtpd
exec {program} -d -f {self.folder}/smtpd.conf
""")
        self.process = subprocess.Popen(["unshare", "--mount", "sh", self.folder / "start"],
                                        stdout=open(self.folder / "log", "wb"), stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(PATIENCE_S)


class Carrying:
    """What holds with every server; `peer_class` says with which."""

    @classmethod
    def setUpClass(cls):
        reason = cls.peer_class.missing()
        if reason is None and os.geteuid() != 0:
            reason = f"{cls.peer_class.name} needs root"
        if reason:
            raise unittest.SkipTest(reason)
        cls.peer = cls.peer_class()

    @classmethod
    def tearDownClass(cls):
        cls.peer.close()

    def setUp(self):
        self.peer.clear()

    def carry(self, message, *recipients, port=None, sender="fred@bar.com", **options):
        """Results and attempts, as lines."""
        words = [CARRY, "127.0.0.1", str(port or self.peer.port), sender, *(recipients or ("jones@peer.test",))]
        if options:
            words += ["--", *(f"{key}={value}" for key, value in options.items())]
        done = subprocess.run(words, input=message, capture_output=True, timeout=120, check=True)
        lines = done.stdout.decode().splitlines()
        return ([line[7:] for line in lines if line.startswith("result ")],
                [line[8:] for line in lines if line.startswith("attempt ")])

    def test_a_message_arrives_octet_for_octet(self):
        results, attempts = self.carry(DOTS)
        self.assertRegex(results[0], "^delivered 250 ")
        if self.peer.has_tls:
            self.assertIn("TLSv1.3", attempts[0])
        [kept] = self.peer.received("jones")
        self.assertEqual(body_of(kept), body_of(DOTS))

    def test_each_recipient_has_a_result(self):
        results, _ = self.carry(DOTS, "jones@peer.test", "unknown@peer.test", "x@elsewhere.test", "brown@peer.test")
        self.assertEqual([r.split()[0] for r in results], ["delivered", "permanent", "permanent", "delivered"])
        self.assertRegex(results[1], self.peer.unknown)
        self.assertEqual(len(self.peer.received("jones") + self.peer.received("brown")), 2)

    def test_a_server_without_extensions_gets_it_too(self):
        results, attempts = self.carry(DOTS, port=self.peer.poor_port)
        self.assertRegex(results[0], "^delivered 250")
        self.assertIn("[]", attempts[0])
        [kept] = self.peer.received("jones")
        self.assertEqual(body_of(kept), body_of(DOTS))

    def test_what_is_too_large_is_refused_before_it_travels(self):
        results, _ = self.carry(DOTS + b"more\r\n" * 1000, port=self.peer.poor_port)
        self.assertRegex(results[0], "^permanent 0 5.3.4 ")

    def test_one_connection_serves_several_messages(self):
        results, attempts = self.carry(DOTS.replace(b"dots", b"several"), times=3)
        self.assertEqual(len(results), 3)
        self.assertEqual(["reused" in a for a in attempts][-3:], [False, True, True])
        self.assertEqual(len(self.peer.received("jones", 3, b"Subject: several")), 3)

    def test_a_certificate_is_verified_where_it_must_be(self):
        if not self.peer.has_tls:
            self.skipTest(f"{self.peer.name} has no TLS that works")
        trust = self.peer.folder / "cert.pem"
        results, attempts = self.carry(DOTS, tls="verify", host="peer.test", trust=trust)
        self.assertRegex(results[0], "^delivered ")
        results, attempts = self.carry(DOTS, tls="verify", host="other.test", trust=trust)
        self.assertRegex(results[0], "^temporary 0 4.7.5 ")
        results, attempts = self.carry(DOTS, tls="encrypt", port=self.peer.poor_port)
        self.assertRegex(results[0], "^temporary 0 4.7.0 ")

    def test_notifications_of_success_are_left_to_a_server_that_has_dsn(self):
        results, _ = self.carry(DOTS, notify=2)
        self.assertTrue(results[0].endswith("[DSN]"))
        results, _ = self.carry(DOTS, notify=2, port=self.peer.poor_port)
        self.assertFalse(results[0].endswith("[DSN]"))

    def test_utf8_addresses_travel_or_return(self):
        if self.peer.has_utf8:
            results, _ = self.carry("Subject: été\r\n\r\nbonjour\r\n".encode(), "zoé@peer.test", utf8=1)
            self.assertRegex(results[0], "^delivered 250 ")
            [kept] = self.peer.received("zoé")
            self.assertIn("Subject: été".encode(), kept)
        results, _ = self.carry(b"Subject: x\r\n\r\nbonjour\r\n", "zoé@peer.test", utf8=1, port=self.peer.poor_port)
        self.assertRegex(results[0], "^permanent 0 5.6.7 ")


class WithPostfix(Carrying, unittest.TestCase):
    peer_class = Postfix

    def test_eight_bit_text_is_converted_for_a_server_that_takes_seven(self):
        text = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n" \
               b"Content-Transfer-Encoding: 8bit\r\n\r\nG\xe9rard Florin\r\n"
        self.carry(text, port=self.peer.poor_port)
        [kept] = self.peer.received("jones")
        self.assertIn(b"G=E9rard Florin", kept)
        message = email.message_from_bytes(kept)
        self.assertEqual(message["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(message.get_payload(decode=True).strip(), b"G\xe9rard Florin")

    def test_more_recipients_than_the_server_takes_at_once(self):
        names = ("jones", "brown", "white")
        results, attempts = self.carry(DOTS, *(f"{n}@peer.test" for n in names), port=self.peer.poor_port)
        self.assertEqual([r.split()[0] for r in results], ["delivered"] * 3)
        for name in names:
            self.assertEqual(len(self.peer.received(name)), 1)


class WithExim(Carrying, unittest.TestCase):
    peer_class = Exim


class WithOpenSMTPD(Carrying, unittest.TestCase):
    peer_class = OpenSMTPD

    def test_tls_that_fails_keeps_no_mail_back_but_where_it_is_wanted(self):
        results, attempts = self.carry(DOTS)
        self.assertRegex(results[0], "^delivered 250 ")
        if len(attempts) == 1:
            self.skipTest("this one's TLS works")
        self.assertIn("alert", attempts[0])
        self.assertIn("[]", attempts[1])
        results, _ = self.carry(DOTS, tls="encrypt")
        self.assertRegex(results[0], "^temporary 0 4.7.5 ")
        self.assertEqual(len(self.peer.received("jones")), 1)


if __name__ == "__main__":
    if os.geteuid() != 0 or all(peer.missing() for peer in (Postfix, Exim, OpenSMTPD)):
        skip_all("needs root, and Postfix, Exim or OpenSMTPD")
    main()
