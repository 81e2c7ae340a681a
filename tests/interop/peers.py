# SPDX-License-Identifier: ISC
"""Other people's mail servers for the interop tests: Debian's Postfix, Exim and OpenSMTPD, as far as they
are installed, each started on loopback with a configuration of its own. Their packages exclude each
other: $EXIM and $OPENSMTPD may name programs that lie elsewhere, as `dpkg -x` leaves them (they want
their users)."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from office import free_port, wait_for

PATIENCE_S = 60
OURS = "example.test"  # the domain whose mail they take from anybody and bring to `our_port`
NAMES = ("jones", "brown", "white")


def postfix_begin(folder, services, main):
    """Starts a Postfix below `folder`, where cert.pem and key.pem lie; `services` are the lines of master.cf for what
    it listens to, `main` what is its own in main.cf. Returns its configuration folder."""
    etc = folder / "etc"
    for name in ("etc", "queue", "lib"):
        (folder / name).mkdir(exist_ok=True)
    shutil.chown(folder / "lib", "postfix")
    (etc / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
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
virtual_minimum_uid = 1
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtputf8_enable = yes
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
{main}""")
    (etc / "master.cf").write_text(services + """pickup unix n - n 60 1 pickup
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
    subprocess.run(["postfix", "-c", etc, "set-permissions"], capture_output=True, check=False)
    subprocess.run(["postfix", "-c", etc, "start"], check=True, capture_output=True)
    return etc


def postfix_end(etc):
    subprocess.run(["postfix", "-c", etc, "stop"], capture_output=True, check=False)


def must(condition, what):
    result = wait_for(condition, PATIENCE_S)
    if not result:
        raise AssertionError(f"waited in vain for {what}")
    return result


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Peer:
    has_utf8 = True
    has_tls = True
    dsn = has_reports = True  # tells of success (RFC 3461), and of failure so that programs can read it (RFC 3464)
    unknown = "^permanent 550 5.1.1 "  # what becomes of a recipient that there is not

    """A server that keeps mail for jones, brown, white and zoé @peer.test, one Maildir each, and brings
    what is for example.test to `our_port` of this machine."""

    def __init__(self, our_port=9, size_max=2000):
        self.our_port, self.size_max = our_port, size_max
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
        user = pwd.getpwnam("mail")
        boxes = ", ".join(f"{{{name}@peer.test = {name}/}}" for name in ("jones", "brown", "white", "zoé"))
        self.etc = postfix_begin(self.folder, f"""127.0.0.1:{self.port} inet n - n - - smtpd
127.0.0.1:{self.poor_port} inet n - n - - smtpd
  -o smtpd_discard_ehlo_keywords=pipelining,chunking,8bitmime,dsn,starttls,enhancedstatuscodes,smtputf8
  -o smtpd_recipient_limit=2 -o message_size_limit=2000
""", f"""virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_mailbox_base = {self.mail}
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
smtpd_tls_security_level = may
smtp_tls_security_level = may
relay_domains = {OURS}
relay_recipient_maps =
transport_maps = inline:{{ {{{OURS} = smtp:[127.0.0.1]:{self.our_port}}} }}
""")

    def stop(self):
        postfix_end(self.etc)


class Exim(Peer):
    name = "Exim"
    program = os.environ.get("EXIM") or shutil.which("exim4") or shutil.which("exim")
    more = ""  # lines of its configuration, for the benchmarks

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
{self.more}acl_smtp_rcpt = rcpt
acl_smtp_data = accept
never_users =
dsn_from = Mail Delivery System <MAILER-DAEMON@peer.test>
begin acl
rcpt:
  deny local_parts = unknown
       message = 5.1.1 no such user
  accept domains = peer.test : {OURS}
  deny message = 5.7.1 relay not permitted
begin routers
ours:
  driver = manualroute
  domains = {OURS}
  route_list = * 127.0.0.1::{self.our_port}
  self = send
  transport = out
  no_more
all:
  driver = accept
  local_parts = jones : brown : white : zoé
  transport = box
begin transports
out:
  driver = smtp
  hosts_try_fastopen =
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
    """Its notifications have no machine-readable part, and it tells nobody of success, though it offers DSN. Its folders have fixed names: it is given empty ones that only it sees. Debian 12's keeps its
    key in another process in a way that OpenSSL 3 does not know: STARTTLS is offered, and fails."""
    name = "OpenSMTPD"
    has_tls = False
    program = os.environ.get("OPENSMTPD") or shutil.which("smtpd")
    spool, more = "mount -t tmpfs none /var/spool", ""  # the benchmarks want it on the disk, and no limits
    has_utf8 = False
    dsn = has_reports = False
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
smtp max-message-size {self.size_max}
{self.more}listen on 127.0.0.1 port {self.port} tls pki peer.test hostname peer.test
listen on 127.0.0.1 port {self.poor_port} no-dsn hostname peer.test
action out relay host "smtp://127.0.0.1:{self.our_port}"
match from any for domain "{OURS}" action out
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
{self.spool.format(folder=self.folder)}
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
