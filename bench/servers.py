# SPDX-License-Identifier: ISC
"""The servers that are measured, each below a folder of its own and on loopback: Facteur, Debian's Postfix with
Dovecot, and Debian's Exim and OpenSMTPD where they lie (`tools/peers`)."""
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import postfix
from machine import Group, cpu_seconds, wait_for_port

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
BASE_PORT = int(os.environ.get("BENCH_PORT_BASE", "21000"))
POSTFIX_PORT, DOVECOT_LMTP_PORT, DOVECOT_POP3_PORT, DOVECOT_IMAP_PORT = (BASE_PORT + 1000 + n for n in (25, 24, 110, 143))
ACCOUNTS = 10
PASSWORD = "bench-password"


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=bench.test",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)


def count_mail(folder):
    return sum(len(list(box.glob("*"))) for box in folder.glob("*/new"))


def wait_until(server, count):
    """Until the last message is in its mailbox."""
    end = time.time() + 600
    while server.stored() < count and time.time() < end:
        time.sleep(0.05)


class Facteur:
    name, has_tls = "Facteur", True
    smtp, submissions, pop3, pop3s = BASE_PORT + 25, BASE_PORT + 465, BASE_PORT + 110, BASE_PORT + 995
    imap = BASE_PORT + 143

    def __init__(self, folder):
        self.dir = folder / "facteur"
        self.process = None

    def start(self):
        self.log = open(f"{self.dir}.log", "wb")
        self.process = subprocess.Popen([BUILD / "src/tool/facteur", "demo", "--dir", self.dir,
                                         "--port-base", str(BASE_PORT)], stdout=self.log, stderr=self.log)
        wait_for_port(self.smtp)
        credentials = self.dir / "credentials"
        while not credentials.exists():
            time.sleep(0.05)
        with open(self.dir / "facteur.conf", "a", encoding="ascii") as config:
            config.write("connections_max = 100000\n")
        end = time.time() + 30
        while subprocess.run([BUILD / "src/tool/facteur", "reload", "--config", self.dir / "facteur.conf"],
                             capture_output=True).returncode:
            if time.time() > end or self.process.poll() is not None:
                sys.exit(f"bench: Facteur does not serve: {Path(self.log.name).read_text(errors='replace')[-300:]}")
            time.sleep(0.1)  # it does not listen to its tool yet
        time.sleep(1)
        self.users = dict(line.split() for line in credentials.read_text().splitlines())
        self.recipients = list(self.users)

    def pids(self):
        return [self.process.pid]

    def stored(self):
        return None

    def wait_until_stored(self, count):
        """250 meant on disk and in the mailbox."""

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()


class PostfixDovecot:
    name = "Postfix + Dovecot"
    smtp, pop3, imap = POSTFIX_PORT, DOVECOT_POP3_PORT, DOVECOT_IMAP_PORT
    has_tls = True

    def __init__(self, folder):
        self.dir = folder / "peers"
        self.process = None
        self.mail = self.dir / "mail"
        self.users = {f"user{i}@example.test": PASSWORD for i in range(ACCOUNTS)}
        self.recipients = list(self.users)[:2]

    def write_dovecot(self):
        self.mail.mkdir(parents=True)
        nobody = pwd.getpwnam("mail")
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        (self.dir / "dovecot.conf").write_text(f"""protocols = lmtp pop3 imap
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/dovecot.log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{self.mail}/%u
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
default_login_user = dovenull
default_internal_user = dovecot
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={self.mail}/%u allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {DOVECOT_LMTP_PORT}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {DOVECOT_POP3_PORT}
  }}
  inet_listener pop3s {{
    port = 0
  }}
  service_count = 1
  process_limit = 500
}}
service pop3 {{
  process_limit = 500
}}
service imap-login {{
  inet_listener imap {{
    port = {DOVECOT_IMAP_PORT}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
mail_max_userip_connections = 5000
""")

    def start(self):
        self.dir.mkdir()
        make_certificate(self.dir)
        self.write_dovecot()
        self.postfix = postfix.Instance(self.dir, POSTFIX_PORT, f"""virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:{DOVECOT_LMTP_PORT}
message_size_limit = 0
virtual_mailbox_limit = 0
smtpd_tls_cert_file = {self.dir}/cert.pem
smtpd_tls_key_file = {self.dir}/key.pem
smtpd_tls_security_level = may
""")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.dir / "dovecot.conf"])
        wait_for_port(DOVECOT_LMTP_PORT)
        self.master = self.postfix.start()

    def pids(self):
        return [self.master, self.process.pid]

    def stored(self):
        return count_mail(self.mail)

    def wait_until_stored(self, count):
        wait_until(self, count)

    def stop(self):
        self.postfix.stop()
        self.process.terminate()
        self.process.wait(30)


def cpu_of(server):
    """Seconds of CPU that a server has used; None where nobody can tell."""
    return server.group.seconds() if getattr(server, "group", None) else cpu_seconds(server.pids())


# ---- servers of the interop tests ---------------------------------------------------------------

class Peer:
    """Exim or OpenSMTPD as tests/interop/peers.py starts them: they file each message in a Maildir themselves."""
    pop3 = imap = None
    recipients = ["jones@peer.test"]

    def __init__(self, kind):
        self.kind, self.name, self.has_tls = kind, kind.name, kind.has_tls
        self.pipelines = kind.name != "OpenSMTPD"
        self.peer = self.process = self.group = None

    def start(self):
        self.peer = self.kind(size_max=64 << 20)
        self.process, self.smtp = self.peer.process, self.peer.port
        wait_for_port(self.smtp)
        # Processes of Exim's that receive have the kernel forget those that deliver, and what they have used.
        self.group = Group(self.process.pid) if self.name == "Exim" else None

    def pids(self):
        return [self.process.pid]

    def stored(self):
        return count_mail(self.peer.mail)

    def wait_until_stored(self, count):
        wait_until(self, count)

    def stop(self):
        if self.peer:
            self.peer.close()
        if self.group:
            self.group.close()
        self.peer = self.group = None


def other_servers():
    """Those that are there, tuned for a load: without their limits for each connection, their queues on the disk."""
    sys.path.insert(0, str(ROOT / "tests" / "interop"))
    for name, program in (("EXIM", "exim4"), ("OPENSMTPD", "smtpd")):
        unpacked = ROOT / "build/peers/root/usr/sbin" / program
        if unpacked.exists():
            os.environ.setdefault(name, str(unpacked))
    import peers
    peers.Exim.more = """smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
queue_run_max = 5
"""
    peers.OpenSMTPD.spool = "mkdir {folder}/spool && mount --bind {folder}/spool /var/spool"
    peers.OpenSMTPD.more = "smtp limit max-mails 1000000\n"
    found = []
    for kind in (peers.Exim, peers.OpenSMTPD):
        why = kind.missing()
        if why:
            print(f"bench: not measured: {why}", file=sys.stderr)
        else:
            found.append(Peer(kind))
    return found
