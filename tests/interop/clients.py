#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The mail programs that people have, against a running Facteur: swaks, curl, netcat, mutt, fetchmail,
getmail, and Python's own."""
import email
import email.policy
import mailbox
import os
import poplib
import re
import shutil
import smtplib
import subprocess
import tempfile
import unittest
from email.message import EmailMessage
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, Lines, Office, OfficeCase, main, wait_for
from terminal import Terminal

ATTACHED = bytes(range(256)) * 2000


def run(*words, text=b"", code=0, env=None):
    done = subprocess.run([str(w) for w in words], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env, check=False, timeout=CLIENT_S)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{words[0]}: exit code {done.returncode}: "
                             + done.stdout.decode(errors="replace")[-3000:])
    return done.stdout.decode(errors="replace")


class Clients(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.office.base
        cls.chain = cls.office.folder / "tls/chain.pem"

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="fc-")
        self.addCleanup(self.temporary.cleanup)
        self.home = Path(self.temporary.name)

    # ---- swaks

    def swaks(self, *words, code=0):
        return run("swaks", "--from", BOB, "--to", ALICE, *words, code=code)

    def test_swaks_plain(self):
        said = self.swaks("--server", f"127.0.0.1:{self.base + 25}", "--header", "Subject: swaks 25")
        self.assertRegex(said, r"<-  250 2\.0\.0 filed as ")
        self.office.find("swaks 25")

    def test_swaks_pipelining_and_lmtp(self):
        self.swaks("--server", f"127.0.0.1:{self.base + 25}", "--pipeline",
                   "--header", "Subject: swaks pipelined")
        self.swaks("--server", f"127.0.0.1:{self.base + 24}", "--protocol", "LMTP",
                   "--header", "Subject: swaks lmtp")
        self.office.find("swaks pipelined")
        self.office.find("swaks lmtp")

    def test_swaks_logs_in_by_every_mechanism_it_has(self):
        for mechanism in ("PLAIN", "LOGIN"):
            self.swaks("--server", f"127.0.0.1:{self.base + 587}", "--tls", "--auth", mechanism,
                       "--auth-user", BOB, "--auth-password", self.office.people[BOB],
                       "--header", f"Subject: swaks {mechanism}")
            self.office.find(f"swaks {mechanism}")

    def test_swaks_tls_on_connect(self):
        said = self.swaks("--server", f"127.0.0.1:{self.base + 465}", "--tls-on-connect", "--auth",
                          "PLAIN", "--auth-user", BOB, "--auth-password", self.office.people[BOB],
                          "--attach-type", "application/octet-stream", "--attach", "@/etc/hostname",
                          "--header", "Subject: swaks 465")
        self.assertIn("TLSv1.3", said)
        self.office.find("swaks 465")

    def test_swaks_wrong_password_and_relay(self):
        said = self.swaks("--server", f"127.0.0.1:{self.base + 587}", "--tls", "--auth", "PLAIN",
                          "--auth-user", BOB, "--auth-password", "wrong", code=28)
        self.assertIn("535 5.7.8", said)
        said = run("swaks", "--from", BOB, "--to", "x@elsewhere.test", "--server",
                   f"127.0.0.1:{self.base + 25}", code=24)
        self.assertRegex(said, r"550 5\.7\.1|554 5\.7\.1")

    # ---- curl

    def test_curl_sends(self):
        (self.home / "letter").write_bytes(b"From: <%s>\r\nSubject: curl smtp\r\n\r\n.dot\r\n..\r\n"
                                           % BOB.encode())
        run("curl", "-sS", f"smtp://127.0.0.1:{self.base + 25}", "--mail-from", BOB, "--mail-rcpt",
            ALICE, "-T", self.home / "letter")
        self.assertTrue(self.office.find("curl smtp").endswith(b"\r\n\r\n.dot\r\n..\r\n"))
        for url, words in ((f"smtps://localhost:{self.base + 465}", []),
                           (f"smtp://localhost:{self.base + 587}", ["--ssl-reqd"])):
            (self.home / "letter").write_text(f"Subject: curl {url}\r\n\r\nx\r\n")
            run("curl", "-sS", url, *words, "--cacert", self.chain, "-u",
                f"{BOB}:{self.office.people[BOB]}", "--mail-from", BOB, "--mail-rcpt", ALICE, "-T",
                self.home / "letter")
            head = self.office.find(f"curl {url}").split(b"\r\n\r\n", 1)[0]
            self.assertRegex(head, rb"\r\nDate: \w{3}, ")  # RFC 6409 §8.2, §8.3
            self.assertRegex(head, rb"\r\nMessage-ID: <\w+@mail\.example\.test>")

    def test_curl_reads(self):
        self.office.send("curl reads")
        who = f"{ALICE}:{self.office.people[ALICE]}"
        listing = run("curl", "-sS", "--cacert", self.chain, "-u", who,
                      f"pop3s://localhost:{self.base + 995}/")
        count = len(listing.split("\n")) - 1
        text = run("curl", "-sS", "--cacert", self.chain, "--ssl-reqd", "-u", who,
                   f"pop3://localhost:{self.base + 110}/{count}")
        self.assertIn("Subject: curl reads", text)

    def test_curl_sends_through_the_socket_for_users_of_the_machine(self):
        (self.home / "letter").write_text("Subject: by the socket\r\n\r\nx\r\n")
        run("curl", "-sS", "--unix-socket", self.office.folder / "run/submit", "smtp://localhost/cron.test",
            "--mail-from", "root@example.test", "--mail-rcpt", ALICE, "-T", self.home / "letter")
        self.assertRegex(self.office.find("by the socket"),
                         rb"\r\nReceived: from cron\.test \(userid=%d\)\r\n" % os.getuid())

    # ---- netcat

    def test_netcat_types_the_dialogue_of_the_readme(self):
        typed = (f"HELO me\r\nMAIL FROM:<me@example.org>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
                 "Subject: netcat\r\n\r\nMy first message.\r\n.\r\nQUIT\r\n")
        # Half closed after the last line: netcat -N.
        said = run("nc", "-N", "127.0.0.1", self.base + 25, text=typed.encode())
        self.assertEqual(re.findall(r"^(\d\d\d) ", said, re.M),
                         ["220", "250", "250", "250", "354", "250", "221"])
        typed = f"USER {ALICE}\r\nPASS {self.office.people[ALICE]}\r\nSTAT\r\nLIST\r\nQUIT\r\n"
        said = run("nc", "-N", "127.0.0.1", self.base + 110, text=typed.encode())
        self.assertEqual(said.count("+OK"), 6, said)

    # ---- mutt

    def test_mutt_sends_an_attachment_and_reads_by_pop(self):
        (self.home / "données.bin").write_bytes(ATTACHED)
        env = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "xterm"}
        # Debian 12's mutt takes SCRAM-SHA-256-PLUS when it is offered, but knows no channel binding.
        (self.home / "muttrc").write_text(
            'set smtp_authenticators="scram-sha-256"\n'
            f'set from="{BOB}" realname="Bób" ssl_starttls=yes ssl_force_tls=yes copy=no\n'
            f'set smtp_url="smtp://bob%40example.test@localhost:{self.base + 587}/"\n'
            f'set smtp_pass="{self.office.people[BOB]}" certificate_file="{self.chain}"\n'
            f'set ssl_ca_certificates_file="{self.chain}"\n')
        run("mutt", "-F", self.home / "muttrc", "-s", "mutt: Été à l’œuvre", "-a",
            self.home / "données.bin", "--", ALICE, text="Ça va ?\n".encode(), env=env)
        found = [email.message_from_bytes(m, policy=email.policy.default)
                 for m in self.office.messages()]
        letter = [m for m in found if m["Subject"] == "mutt: Été à l’œuvre"]
        self.assertEqual(len(letter), 1)
        attached = next(letter[0].iter_attachments())
        self.assertEqual(attached.get_filename(), "données.bin")
        self.assertTrue(attached.get_content() == ATTACHED)
        self.assertIn("Ça va ?", letter[0].get_body().get_content())
        self.read_with_mutt(env)

    def read_with_mutt(self, env):
        """A person opens the maildrop, copies the newest message to an mbox, and leaves."""
        (self.home / "poprc").write_text(
            'set pop_authenticators="scram-sha-256"\n'
            f'set ssl_starttls=yes ssl_force_tls=yes certificate_file="{self.chain}"\n'
            f'set ssl_ca_certificates_file="{self.chain}" pop_pass="{self.office.people[ALICE]}"\n'
            'set mbox_type=mbox quit=yes delete=no move=no confirmappend=no confirmcreate=no\n'
            'set pop_checkinterval=3600 sort=mailbox-order\n'
            f'set folder="{self.home}"\n')  # mutt offers to make what is missing
        url = f"pop://alice%40example.test@localhost:{self.base + 110}/"
        with Terminal(["mutt", "-F", self.home / "poprc", "-f", url], env) as mutt:
            mutt.wait_for("Msgs:")
            mutt.press("*")
            mutt.press("C")
            mutt.wait_for("Copy to mailbox")
            mutt.press(f"\x15{self.home}/copied\r")  # Ctrl-U: instead of what it suggests
            wait_for(lambda: self.mbox_is_whole(self.home / "copied"), CLIENT_S)
            mutt.press("x")
        copied = [email.message_from_bytes(m.as_bytes(), policy=email.policy.default)
                  for m in mailbox.mbox(self.home / "copied")]
        self.assertEqual(len(copied), 1)
        self.assertTrue(next(copied[0].iter_attachments()).get_content() == ATTACHED)

    @staticmethod
    def mbox_is_whole(path):
        """The last boundary has arrived."""
        return path.exists() and path.read_bytes().rstrip().endswith(b"--")

    # ---- fetchmail, getmail

    def test_fetchmail_fetches_only_what_is_new(self):
        self.office.send("fetchmail one")
        rc = self.home / "fetchmailrc"
        rc.write_text(
            f'set idfile "{self.home}/ids"\n'
            f'poll localhost protocol POP3 port {self.base + 110} uidl\n'
            f' user "{ALICE}" password "{self.office.people[ALICE]}" keep sslproto "TLS1.2+"\n'
            f' sslcertfile "{self.chain}" sslcertck mda "cat >> {self.home}/box; echo >> '
            f'{self.home}/box"\n')
        rc.chmod(0o600)
        env = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "FETCHMAILHOME": str(self.home)}
        fetch = ("fetchmail", "-f", rc, "--nosyslog", "--pidfile", self.home / "pid")
        run(*fetch, env=env)
        self.assertEqual((self.home / "box").read_bytes().count(b"Subject: fetchmail one"), 1)
        run(*fetch, env=env, code=1)  # 1: there was no new mail
        self.office.send("fetchmail two")
        run(*fetch, env=env)
        box = (self.home / "box").read_bytes()
        self.assertEqual((box.count(b"Subject: fetchmail one"), box.count(b"Subject: fetchmail two")),
                         (1, 1))

    def test_getmail_fills_a_maildir(self):
        self.office.send("getmail", body=b"8-bit: \xc3\xa9\r\n.\r\n..x\r\n")
        shutil.copy(self.chain, self.home / "chain.pem")
        for part in ("cur", "new", "tmp"):
            (self.home / "Maildir" / part).mkdir(parents=True)
        (self.home / "getmailrc").write_text(
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\n"
            f"port = {self.base + 995}\nusername = {ALICE}\npassword = {self.office.people[ALICE]}\n"
            f"ca_certs = {self.home}/chain.pem\n[destination]\ntype = Maildir\npath = {self.home}/Maildir/\n"
            "[options]\ndelete = false\nread_all = false\n")
        env = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        run(*self.as_a_person(), "getmail", "--getmaildir", self.home, "--rcfile", "getmailrc", env=env)
        held = [m for m in mailbox.Maildir(self.home / "Maildir") if m["Subject"] == "getmail"]
        self.assertEqual(len(held), 1)
        self.assertIn(b"8-bit: \xc3\xa9\n.\n..x\n", held[0].as_bytes())
        self.assertEqual(len(mailbox.Maildir(self.home / "Maildir")), len(self.office.messages()))

    def as_a_person(self):
        """getmail refuses to deliver as root."""
        if os.geteuid() != 0:
            return []
        for path in [self.home, *self.home.rglob("*")]:
            os.chown(path, 65534, 65534)
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    # ---- Python

    def test_octets_arrive_as_they_were_sent(self):
        lines = [b"." * n for n in range(5)] + [b"x" * 998, b"\xff\xfe 8-bit \xe9", b"", b"\t ", b"From x"]
        self.office.send("octets", body=b"\r\n".join(lines) + b"\r\n")
        self.assertEqual(self.office.find("octets").split(b"\r\n\r\n", 1)[1].split(b"\r\n")[:-1], lines)

    def test_utf8_addresses(self):
        self.office.tool("user", "add", "émile@example.test", "--password-stdin", text="un mot\n")
        self.office.people["émile@example.test"] = "un mot"
        with self.office.smtp(ALICE) as client:
            message = EmailMessage()
            message["From"], message["To"] = ALICE, "Émile <émile@example.test>"
            message["Subject"] = "smtputf8"
            message.set_content("x")
            client.send_message(message)
        self.assertIn("Émile <émile@example.test>".encode(),
                      self.office.find("smtputf8", "émile@example.test"))

    def test_thirty_mebibytes_and_nothing(self):
        big = b"".join(b"%073d\r\n" % n for n in range(30 * 1024 * 1024 // 75))
        with self.office.smtp(ALICE) as client:
            client.sendmail(ALICE, [BOB], b"Subject: big\r\n\r\n" + big)
        self.assertEqual(self.office.find("big", BOB).split(b"\r\n\r\n", 1)[1], big)
        with self.office.smtp() as client:
            client.sendmail("", [BOB], b"")
        self.assertTrue(self.office.messages(BOB)[-1].startswith(b"Return-Path: <>\r\n"))

    def test_a_thousand_recipients(self):
        self.office.tool("alias", "add", "all@example.test", ALICE, BOB)
        with self.office.smtp() as client:
            client.ehlo()
            client.mail(BOB)
            codes = [client.rcpt(f"alice+{n}@example.test")[0] for n in range(1000)]
            self.assertEqual(set(codes), {250})
            self.assertEqual(client.rcpt(ALICE)[0], 452)  # RFC 5321 §4.5.3.1.10
            self.assertEqual(client.data(b"Subject: thousand\r\n\r\nx\r\n")[0], 250)
        self.office.find("thousand")

    def test_poplib_top_uidl_dele_apop(self):
        self.office.send("one for dele", to=BOB, sender=ALICE, body=b"1\r\n2\r\n3\r\n")
        client = self.office.pop(BOB)
        count = client.stat()[0]
        self.assertEqual(client.top(count, 2)[1][-2:], [b"1", b"2"])
        uids = client.uidl()[1]
        self.assertEqual(len(set(u.split()[1] for u in uids)), count)
        client.dele(count)
        client.quit()
        client = self.office.pop(BOB)
        self.assertEqual(client.uidl()[1], uids[:-1])
        client.quit()

    def test_plain_logins_need_tls_off_loopback_only(self):
        client = poplib.POP3("localhost", self.base + 110, timeout=CLIENT_S)
        client.stls(context=self.office.context)
        client.user(ALICE)
        client.pass_(self.office.people[ALICE])
        client.quit()

    def test_refusals_have_the_codes_of_the_standards(self):
        with Lines(self.base + 25) as client:
            self.assertTrue(client.reply().startswith("220 "))
            client.ask("EHLO me")
            self.assertRegex(client.ask("MAIL FROM:<a@b.test> SIZE=999999999999"), "^552 5.3.4 ")
            self.assertRegex(client.ask("RCPT TO:<alice@example.test>"), "^503 5.5.1 ")
            client.ask("MAIL FROM:<a@b.test>")
            self.assertRegex(client.ask("RCPT TO:<nobody@example.test>"), "^550 5.1.1 ")
            self.assertRegex(client.ask("DATA"), "^(503|554) 5.5.1 ")
            self.assertRegex(client.ask("EXPLODE"), "^500 5.5.1 ")


class ByMistake(unittest.TestCase):
    """Python's client reports what a person sees."""

    def test_a_wrong_password_is_said_in_the_same_words_for_anybody(self):
        office = Office()
        try:
            said = []
            for who in (ALICE, "nobody@example.test"):
                with smtplib.SMTP("localhost", office.base + 587, timeout=CLIENT_S) as client:
                    client.starttls(context=office.context)
                    with self.assertRaises(smtplib.SMTPAuthenticationError) as refused:
                        client.login(who, "wrong")
                    said.append((refused.exception.smtp_code, refused.exception.smtp_error))
            self.assertEqual(said[0], said[1])
        finally:
            office.close()


if __name__ == "__main__":
    main()
