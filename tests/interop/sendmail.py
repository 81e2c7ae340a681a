#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The Unix way in: `sendmail` as cron, scripts, mutt, s-nail and git send-email call it."""
import email
import email.policy
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from office import ALICE, BOB, CLIENT_S, FACTEUR, Office, OfficeCase, main, wait_for

USAGE, DATAERR, NOUSER, TEMPFAIL = 64, 65, 67, 75
ME = pwd.getpwuid(os.getuid()).pw_name


class Sendmail(OfficeCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.office.tool("alias", "add", f"{ME}@example.test", ALICE)
        cls.temporary = tempfile.TemporaryDirectory(prefix="fs-")
        cls.folder = Path(cls.temporary.name)
        cls.sendmail = cls.folder / "sendmail"
        cls.sendmail.symlink_to(FACTEUR)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_it(self, *words, text="", code=0, program=None):
        done = subprocess.run([str(program or self.sendmail), *words], input=text.encode(), capture_output=True,
                              env=dict(self.office.environment(), HOME=str(self.folder), LANG="C.UTF-8"),
                              check=False, timeout=CLIENT_S)
        said = (done.stdout + done.stderr).decode(errors="replace")
        self.assertEqual(done.returncode, code, said)
        return said

    def letter(self, subject, who=ALICE):
        return email.message_from_bytes(self.office.find(subject, who).replace(b"\r\n", b"\n"),
                                        policy=email.policy.default)

    def count(self, who):
        client = self.office.pop(who)
        count = client.stat()[0]
        client.quit()
        return count

    def test_t_takes_recipients_from_the_header_and_hides_the_blind(self):
        self.run_it("-t", "-i", text=f"To: Alice <{ALICE}>\nBcc: {BOB}\nSubject: blind\n\n.\n..\nFrom here\n")
        for who in (ALICE, BOB):
            letter = self.letter("blind", who)
            self.assertIsNone(letter["Bcc"])
            self.assertEqual(letter.get_content(), ".\n..\nFrom here\n")
            for field in ("From", "Date", "Message-ID"):
                self.assertTrue(letter[field], field)
            self.assertEqual(letter["From"].addresses[0].addr_spec, f"{ME}@example.test")
            self.assertEqual(letter["Return-Path"], f"<{ME}@example.test>")
            self.assertIn(f"(userid={os.getuid()})", letter["Received"])

    def test_cron_writes_to_a_name_without_a_domain(self):
        """As Debian's cron calls it: the owner of the table is who is written to."""
        self.run_it("-FCronDaemon", "-i", "-B8BITMIME", "-oem", ME,
                    text=f"From: {ME} (Cron Daemon)\nTo: {ME}\nSubject: cron\nAuto-Submitted: auto-generated\n\né\n")
        letter = self.letter("cron")
        self.assertEqual(str(letter["From"]), f"Cron Daemon <{ME}@example.test>")
        self.assertEqual(str(letter["To"]), f"{ME}@example.test")

    def test_a_dot_ends_the_message_unless_told_otherwise(self):
        self.run_it(ALICE, text="Subject: dot\n\nbefore\n.\nbehind\n")
        self.assertEqual(self.letter("dot").get_content(), "before\n")

    def test_senders(self):
        self.run_it("-f", "bounce@list.test", "-F", "Élise Martin", "-i", ALICE, text="Subject: sender\n\nx\n")
        letter = self.letter("sender")
        self.assertEqual(letter["Return-Path"], "<bounce@list.test>")
        self.assertEqual(str(letter["From"]), "Élise Martin <bounce@list.test>")
        self.run_it("-f", "<>", "-i", ALICE, text="Subject: null sender\n\nx\n")
        self.assertEqual(self.letter("null sender")["Return-Path"], "<>")

    def test_words_alone_are_a_message(self):
        before = self.count(ALICE)
        self.run_it("-i", ALICE, text="Just these words.\n")
        self.assertEqual(self.count(ALICE), before + 1)
        self.assertIn(b"\r\n\r\nJust these words.\r\n", self.office.messages(ALICE)[-1])

    def test_a_session_on_standard_input(self):
        said = self.run_it("-bs", text=f"EHLO me\nMAIL FROM:<{BOB}>\nRCPT TO:<{ALICE}>\nDATA\n"
                                       "Subject: bs\n\nx\n.\nQUIT\n")
        self.assertIn("\r\n354 ", said)
        self.assertIn("\r\n221 ", said)
        self.letter("bs")

    def test_a_line_end_may_come_in_two_parts(self):
        """CR now, LF later: one end of a line, and no CR more; alone it would be the end of the session."""
        whole = (f"EHLO me\r\nMAIL FROM:<{BOB}>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
                 "Subject: halves\r\n\r\nx\r\n.\r\nQUIT\r\n").encode()
        with subprocess.Popen([str(self.sendmail), "-bs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(self.office.environment(), HOME=str(self.folder))) as session:
            for part in re.split(rb"(?<=\r)(?=\n)", whole):
                session.stdin.write(part)
                session.stdin.flush()
                time.sleep(0.05)
            session.stdin.close()
            said = session.stdout.read()
        self.assertRegex(said, rb"\r\n354 .*\r\n250 .*\r\n221 ")
        self.letter("halves")

    def test_refusals_have_words_and_exit_codes(self):
        said = self.run_it("-i", "nobody@example.test", ALICE, text="Subject: half\n\nx\n", code=NOUSER)
        self.assertIn("nobody@example.test: 550 ", said)
        self.letter("half")  # the good recipient has it
        self.assertIn("no recipients", self.run_it("-i", "-t", text="Subject: x\n\nx\n", code=USAGE))
        self.assertIn("is no address", self.run_it("-i", "@", text="x\n", code=USAGE))
        self.assertIn("-z", self.run_it("-z", code=USAGE))

    def test_without_a_server_it_says_so_and_can_be_called_again(self):
        config = self.folder / "other.conf"
        config.write_text(f'runtime_dir = "{self.folder}/nothing"\n')
        said = self.run_it("-C", str(config), "-i", ALICE, text="Subject: x\n\nx\n", code=TEMPFAIL)
        self.assertIn("Nothing was sent", said)

    def test_many_recipients_and_a_large_message(self):
        body = "0123456789" * 7 + "\n"
        self.run_it("-i", *[f"alice+{n}@example.test" for n in range(250)],
                    text="Subject: large\n\n" + body * 30000)
        found = [m for m in self.office.messages() if b"\r\nSubject: large\r\n" in m]
        self.assertEqual(len(found), 3)  # transactions of a hundred, each with one copy for alice
        self.assertTrue(found[0].endswith(body.encode().replace(b"\n", b"\r\n") * 3))

    # ---- programs

    def test_mutt(self):
        self.run_it("-e", f"set sendmail='{self.sendmail} -oem -oi'", "-e", "set copy=no", "-s", "by mutt", ALICE,
                    text="Ça va\n", program="mutt")
        self.assertEqual(self.letter("by mutt").get_content(), "Ça va\n")

    def test_s_nail(self):
        self.run_it("-n", "-S", f"mta={self.sendmail}", "-S", "sendcharsets=utf-8", "-s", "by s-nail", ALICE,
                    text="Hello\n", program="s-nail")
        self.letter("by s-nail")

    def test_bsd_mailx(self):
        if not shutil.which("bsd-mailx"):
            self.skipTest("bsd-mailx is not installed")
        (self.folder / ".mailrc").write_text(f"set sendmail={self.sendmail}\nset append\n")
        self.run_it("-s", "by mailx", ALICE, text="Hello\n", program="bsd-mailx")
        self.assertEqual(self.letter("by mailx").get_content(), "Hello\n")

    def test_php_mail(self):
        if not shutil.which("php"):
            self.skipTest("PHP is not installed")
        script = ('exit(mail("alice@example.test, bob@example.test", "=?UTF-8?Q?par_PHP?=", "ligne 1\\r\\n.\\r\\nété\\r\\n", '
                  '"From: bob@example.test\\r\\nBcc: alice+hidden@example.test\\r\\nMIME-Version: 1.0\\r\\n'
                  'Content-Type: text/plain; charset=utf-8", "-fbounce@example.test") ? 0 : 1);')
        self.run_it("-n", "-d", f"sendmail_path={self.sendmail} -t -i", "-r", script, program="php")
        for who in (ALICE, BOB):
            letter = self.letter("=?UTF-8?Q?par_PHP?=", who)
            self.assertEqual(letter.get_content().rstrip(), "ligne 1\n.\nété")
            self.assertEqual(letter["Return-Path"], "<bounce@example.test>")
            self.assertIsNone(letter["Bcc"])
        self.assertEqual(letter["From"], "bob@example.test")

    def test_cron_mails_what_a_job_says(self):
        """Debian's cron itself, with a table and a sendmail that only it sees; it starts jobs at each full minute."""
        cron = shutil.which("cron") or "/usr/sbin/cron"
        if not Path(cron).exists() or os.geteuid() != 0 or not Path("/usr/sbin/sendmail").exists():
            self.skipTest("needs root, cron, and some sendmail in whose place ours is put")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            self.skipTest("needs the right to mount")
        (self.folder / "wrapper").write_text(
            f"#!/bin/sh\nFACTEUR_CONFIG={self.office.folder}/facteur.conf exec {self.sendmail} \"$@\"\n")
        (self.folder / "wrapper").chmod(0o755)
        (self.folder / "table").write_text(f"MAILTO={ALICE}\n* * * * * echo said by a job\n")
        (self.folder / "begin").write_text(f"""set -e
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
install -m 600 {self.folder}/table /var/spool/cron/crontabs/root
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
mount -t tmpfs none /run
mount --bind {self.folder}/wrapper /usr/sbin/sendmail
exec {cron} -f
""")
        process = subprocess.Popen(["unshare", "--mount", "sh", str(self.folder / "begin")], start_new_session=True)
        try:
            found = wait_for(lambda: [m for m in self.office.messages() if b"said by a job" in m], 150)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.assertTrue(found)
        letter = email.message_from_bytes(found[0], policy=email.policy.default)
        self.assertTrue(str(letter["Subject"]).startswith("Cron <root@"))
        self.assertEqual(letter["To"], ALICE)

    def test_git_send_email(self):
        tree = self.folder / "tree"
        git = ["git", "-c", "user.name=Alice", "-c", f"user.email={ALICE}", "-C", str(tree)]
        for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"],
                      ["commit", "-q", "--allow-empty", "-m", "a change"]):
            tree.mkdir(exist_ok=True)
            subprocess.run([*git, *words], check=True, env=dict(os.environ, HOME=str(self.folder)))
        (tree / "file").write_text("x\n")
        subprocess.run([*git, "add", "file"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "by git"], check=True, env=dict(os.environ, HOME=str(self.folder)))
        self.run_it("-c", "user.name=Alice", "-c", f"user.email={ALICE}", "-C", str(tree), "send-email",
                    f"--smtp-server={self.sendmail}", "--confirm=never", "--quiet", "--to", BOB, "-1", program="git")
        self.assertIn("+x\n", self.letter("[PATCH] by git", BOB).get_content())


class Aliases(unittest.TestCase):
    """/etc/aliases: of names, addresses, files and :include:, made known by newaliases."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="fa-")
        self.folder = Path(self.temporary.name)
        self.folder.chmod(0o755)
        self.aliases = self.folder / "aliases"
        (self.folder / "boxes").mkdir()
        (self.folder / "boxes").chmod(0o777)
        self.office = Office(config=f'aliases_file = "{self.aliases}"\n'
                                    f'letterbox_dirs = {{"{self.folder}/boxes"}}\norigin = "example.test"\n')
        self.sendmail, self.newaliases = self.folder / "sendmail", self.folder / "newaliases"
        for link in (self.sendmail, self.newaliases):
            link.symlink_to(FACTEUR)

    def tearDown(self):
        self.office.close()
        self.temporary.cleanup()

    def run_it(self, program, *words, text="", code=0):
        done = subprocess.run([str(program), *words], input=text, capture_output=True, text=True,
                              env=self.office.environment(), check=False, timeout=CLIENT_S)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_names_files_and_included_members(self):
        (self.folder / "team").write_text("# who is there\nalice\nbob@example.test\n")
        self.aliases.write_text(f"root: alice\nteam: :include:{self.folder}/team,\n\tarchive\n"
                                f"archive: {self.folder}/boxes/archive\n")
        self.run_it(self.newaliases)
        self.run_it(self.sendmail, "-i", "root", text="Subject: to root\n\nx\n")
        self.office.find("to root", ALICE)
        self.run_it(self.sendmail, "-i", "team", text="Subject: to all\n\nFrom here\n")
        for who in (ALICE, BOB):
            self.office.find("to all", who)
        box = (self.folder / "boxes/archive").read_text()
        self.assertTrue(box.startswith("From "), box)
        self.assertIn("Subject: to all\n", box)
        self.assertIn("\n>From here\n", box)
        # What is changed is known after the next newaliases; what accounts say stands before it.
        self.aliases.write_text("root: bob\n")
        self.run_it(self.newaliases)
        self.run_it(self.sendmail, "-i", "root", text="Subject: again\n\nx\n")
        self.office.find("again", BOB)
        self.run_it(self.sendmail, "-i", "team", text="Subject: gone\n\nx\n", code=NOUSER)

    def test_a_name_that_leads_to_nobody_is_told(self):
        """As Debian installs it: postmaster is root, and root is nobody."""
        self.aliases.write_text("postmaster: root\nweb: alice\n")
        said = self.run_it(self.newaliases)
        self.assertIn("mail for postmaster@example.test cannot be taken so", said)
        self.assertNotIn("web@", said)
        self.aliases.write_text("postmaster: root\nroot: alice\n")
        self.assertNotIn("cannot be taken", self.run_it(self.newaliases))

    def test_a_line_that_cannot_be_used_is_told_and_its_mail_waits(self):
        self.aliases.write_text("root: alice\nrobot: |/bin/cat\npasswd: /etc/passwd\n")
        said = self.run_it(self.newaliases, code=DATAERR)
        self.assertIn("line 2", said)
        self.assertIn("programs are not permitted", said)
        self.assertIn("line 3", said)
        self.assertIn("letterbox_dirs", said)
        for name in ("robot", "passwd"):
            self.run_it(self.sendmail, "-i", name, text="Subject: x\n\nx\n", code=TEMPFAIL)
        self.run_it(self.sendmail, "-i", "root", text="Subject: fine\n\nx\n")
        self.office.find("fine", ALICE)


if __name__ == "__main__":
    main()
