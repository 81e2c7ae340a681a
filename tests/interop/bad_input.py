#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What is wrong around a server: options, files, ports, permissions, a damaged store. Each gets one clear
sentence with the place and the remedy and an exit code that is not 0; nothing is overwritten, and what
is sound is served."""
import os
import poplib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, FACTEUR, Office, STOP_S, free_port_base, main, wait_for

SENT = 12
DAMAGED = 5  # of them, counted from 0


class Starting(unittest.TestCase):
    """Before anything serves."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="fo-bad-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = self.folder / "facteur.conf"

    def complaint(self, *words, launcher=()):
        """What the program says before it gives up: one sentence, and the exit code is not 0."""
        done = subprocess.run([*launcher, FACTEUR, *words], capture_output=True, text=True, check=False,
                              timeout=STOP_S, env=dict(os.environ, FACTEUR_CONFIG=str(self.config)))
        self.assertNotEqual(done.returncode, 0)
        said = [line for line in done.stderr.splitlines() if "level=info" not in line]
        self.assertLessEqual(len(said), 2, done.stderr)
        self.assertNotIn("AddressSanitizer", done.stderr)
        return "\n".join(said)

    def write(self, more):
        base = free_port_base()
        self.config.write_text(
            f'data_dir = "{self.folder}/data"\nruntime_dir = "{self.folder}/run"\nhostname = mail.example.test\n'
            + "".join(f"{name} = {{}}\n" for name in self.listeners() - {"smtp_listen"})
            + f'smtp_listen = "127.0.0.1:{base + 25}"\n{more}')

    @staticmethod
    def listeners():
        shown = subprocess.run([FACTEUR, "config", "show", "--default"], capture_output=True, text=True, check=True)
        return set(re.findall(r"(?m)^(\w+_listen) ", shown.stdout))

    def test_a_missing_configuration(self):
        said = self.complaint("serve", "--config", str(self.folder / "none.conf"))
        self.assertIn("none.conf", said)
        self.assertIn("facteur config show --default", said)

    def test_a_program_that_cannot_be_run_is_named(self):
        """One of those that Facteur is made of: missing, or no program at all, as after half an installation."""
        self.write("")
        place = self.folder / "programs"
        place.mkdir()
        for program in Path(FACTEUR).resolve().parent.glob("facteur*"):
            if program.is_file() and os.access(program, os.X_OK):
                (place / program.name).symlink_to(program)
        shutil.copy(FACTEUR, place / "copy")  # /proc/self/exe must be in this folder
        (place / "copy").rename(place / "facteur")
        shutil.copy(Path(FACTEUR).parent / "facteur-parent", place / "copy")
        (place / "copy").rename(place / "facteur-parent")
        network = place / "facteur-network"
        for damage, words in ((None, ("cannot be opened", "No such file")), ("not a program", ("cannot be run", "ldd"))):
            network.unlink()
            if damage:
                network.write_text(damage)
                network.chmod(0o755)
            done = subprocess.run([str(place / "facteur"), "serve", "--config", str(self.config)], capture_output=True,
                                  text=True, check=False, timeout=STOP_S)
            self.assertEqual(done.returncode, 71, done.stderr)
            said = [line for line in done.stderr.splitlines() if line.startswith("facteur: ")]
            self.assertEqual(len(said), 1, done.stderr)
            for word in (str(network), "install Facteur anew", *words):
                self.assertIn(word, said[0])
            network.touch()

    def test_an_option_that_is_none(self):
        self.write("smpt_listen = 1\n")
        said = self.complaint("serve", "--config", str(self.config))
        self.assertRegex(said, r"facteur\.conf:\d+: .*smpt_listen.*smtp_listen")
        said = self.complaint("serve", "--confog", "x")
        self.assertIn("--confog", said)
        self.assertIn("did you mean --config?", said)

    def test_values_that_are_none(self):
        for line, expected in (("message_size_max = much\n", "message_size_max"), ("tls_key = relative\n", "tls_key"),
                               ("smtp_listen = \"300.1.1.1:25\"\n", "smtp_listen"), ("hostname = \"a\n", "facteur.conf"),
                               ("hostname = {a, b}\n", "name = value")):
            with self.subTest(line):
                self.write(line)
                said = self.complaint("serve", "--config", str(self.config))
                self.assertIn(expected, said)
                self.assertRegex(said, r"facteur\.conf:\d+: ")

    def test_a_port_that_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            self.write(f'smtp_listen = "127.0.0.1:{port}"\n')
            said = self.complaint("serve", "--config", str(self.config))
        for part in ("smtp_listen", f"127.0.0.1:{port}", "another program listens there"):
            self.assertIn(part, said)

    def test_folders_that_cannot_be(self):
        (self.folder / "data").write_text("I am a file")
        self.write("")
        said = self.complaint("serve", "--config", str(self.config))
        self.assertIn(f"{self.folder}/data", said)
        self.assertEqual((self.folder / "data").read_text(), "I am a file")

    def test_files_that_may_not_be_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if subprocess.run([*nobody, "test", "-x", FACTEUR], capture_output=True, check=False).returncode != 0:
            self.skipTest("nobody else reaches the program, below a folder that is only root's")
        self.write("")
        (self.folder / "data").mkdir(mode=0o700)
        said = self.complaint("serve", "--config", str(self.config), launcher=nobody)
        self.assertIn(f"{self.folder}/data", said)
        self.assertIn("ermission denied", said)
        self.config.chmod(0o600)
        said = self.complaint("serve", "--config", str(self.config), launcher=nobody)
        self.assertIn("facteur.conf", said)
        self.assertIn("ermission denied", said)

    def test_a_root_that_may_not_give_its_folders_away(self):
        if os.geteuid() != 0:
            self.skipTest("only root is without what root has")
        self.write("")
        said = self.complaint("serve", "--config", str(self.config),
                              launcher=["setpriv", "--bounding-set=-chown"])
        self.assertIn("CAP_CHOWN", said)

    def test_a_namespace_that_has_none_of_our_users(self):
        alone = ["unshare", "-r"]
        if os.geteuid() != 0 or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no namespace of users can be made")
        self.write("")
        self.assertIn("61200", self.complaint("serve", "--config", str(self.config), launcher=alone))

    def test_a_certificate_that_is_none(self):
        (self.folder / "chain.pem").write_text("not a certificate")
        self.write(f'tls_certificate = "{self.folder}/chain.pem"\ntls_key = "{self.folder}/key.pem"\n')
        said = self.complaint("serve", "--config", str(self.config))
        self.assertRegex(said, r"chain\.pem|key\.pem")

    def test_a_tool_without_a_server(self):
        self.write("")
        for words in (("status",), ("mailbox", "list"), ("check",), ("stop",)):
            said = self.complaint(*words)
            self.assertIn("facteur serve", said, words)


class Damage(unittest.TestCase):
    """A store that something has written into while nobody served."""

    def setUp(self):
        self.office = Office()
        for number in range(SENT):
            self.office.send(f"damage {number}", body=b"%076d\r\n" % number * 200)
        self.office.stop()
        self.starts = self.office.log_text().count("event=store_open")
        self.store = self.office.folder / "data/store"
        self.segment = max((self.store / "log").glob("*.seg"))
        self.addCleanup(self.close)

    def close(self):
        if self.office.server.poll() is None:
            self.office.stop()
        self.office.close(may_fail=True)

    def readable(self):
        """The numbers of the letters that can be read, and what is said of the others."""
        client = self.office.pop()
        numbers, refusals = [], []
        for number in range(1, client.stat()[0] + 1):
            try:
                lines = client.retr(number)[1]
            except poplib.error_proto as refusal:
                refusals.append(str(refusal))
                continue
            numbers += [int(line.split()[-1]) for line in lines if line.startswith(b"Subject: damage")]
        client.quit()
        return numbers, refusals

    def write_at(self, path, offset, data):
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def test_a_flipped_bit_in_a_body(self):
        at = self.segment.read_bytes().index(b"Subject: damage %d\r\n" % DAMAGED) + 1000
        octet = self.segment.read_bytes()[at]
        self.write_at(self.segment, at, bytes([octet ^ 1]))
        self.office.start()
        said = self.office.tool("check", code=65)
        self.assertRegex(said, r"body \d+ is damaged \(segment 1, octet \d+\), set aside and marked")
        numbers, refusals = self.readable()
        self.assertEqual(numbers, [n for n in range(SENT) if n != DAMAGED])
        self.assertEqual(len(refusals), 1)
        self.assertIn("-ERR [SYS/", refusals[0])
        self.office.send(f"damage {SENT}")
        self.assertEqual(self.readable()[0][-1], SENT)

    def test_a_view_that_is_gone_or_garbage_is_made_anew(self):
        shutil.rmtree(self.store / "view")
        self.office.start()
        self.assertEqual(self.readable(), (list(range(SENT)), []))
        self.office.stop()
        view = self.store / "view/data.mdb"
        view.write_bytes(b"\xaa" * view.stat().st_size)
        self.office.start()
        self.assertEqual(self.readable(), (list(range(SENT)), []))
        self.office.tool("check")

    def test_a_torn_tail_is_cut_off(self):
        data = self.segment.read_bytes()
        at = data.index(b"Subject: damage %d\r\n" % (SENT - 1)) + 500
        self.write_at(self.segment, at, b"\0" * (len(data) - at))
        shutil.rmtree(self.store / "view")  # else it knows that there was one more
        self.office.start()
        self.assertEqual(self.readable(), (list(range(SENT - 1)), []))
        self.office.tool("check")
        self.office.send(f"damage {SENT}")
        self.assertEqual(self.readable()[0], [*range(SENT - 1), SENT])

    def test_a_hole_in_the_log_costs_only_what_lay_there(self):
        """With the view gone too, so that the log alone must do."""
        data = self.segment.read_bytes()
        at = data.index(b"Subject: damage %d\r\n" % DAMAGED) - 300
        self.write_at(self.segment, at, b"\xff" * 600)
        shutil.rmtree(self.store / "view")
        self.office.start()
        self.assertTrue(wait_for(lambda: "damaged=1" in self.office.log_text()))
        self.assertEqual(self.readable()[0], [n for n in range(SENT) if n != DAMAGED])

    def test_damaged_accounts_are_told_and_others_served(self):
        accounts = self.office.folder / "data/directory/accounts"
        text = accounts.read_text()
        accounts.write_text(text + "garbage \x01 here\naccount\n")
        self.office.start()
        self.assertEqual(len(self.readable()[0]), SENT)
        self.assertTrue(wait_for(lambda: "event=accounts_line_damaged" in self.office.log_text()))
        self.assertTrue(accounts.read_text().startswith(text))

    def test_a_damaged_segment_header_hides_nothing(self):
        self.write_at(self.segment, 8, b"\x09")
        self.office.start()
        self.assertTrue(wait_for(lambda: "event=damaged" in self.office.log_text()))
        self.assertEqual(self.readable(), (list(range(SENT)), []))

    def test_a_segment_header_stands_twice(self):
        """With the view gone too, nothing else says how the log is to be read."""
        for path in (self.segment, self.segment.with_suffix(".twin")):
            good = path.read_bytes()[:64]
            self.write_at(path, 8, b"\x09" * 40)
            shutil.rmtree(self.store / "view")
            self.office.start()
            self.assertEqual(self.readable(), (list(range(SENT)), []))
            self.office.stop()
            self.assertEqual(path.read_bytes()[:64], good)

    def test_a_store_that_falls_again_begins_with_a_new_view(self):
        self.office.start()
        for fall in (1, 2):
            pid = min(self.office.processes("store"))
            os.kill(pid, signal.SIGABRT)
            self.assertTrue(wait_for(lambda: set(self.office.processes("store")) - {pid}), fall)
        self.assertTrue(wait_for(lambda: "the store fell again and again" in self.office.log_text()))
        self.assertTrue(wait_for(lambda: self.office.log_text().count("event=store_open") == 3 + self.starts))
        self.assertEqual(self.readable(), (list(range(SENT)), []))


class Twice(unittest.TestCase):
    def test_a_second_server_on_the_same_folder(self):
        office = Office()
        try:
            done = subprocess.run([FACTEUR, "serve", "--config", str(office.folder / "facteur.conf")],
                                  capture_output=True, text=True, check=False, timeout=STOP_S)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("another facteur serves here", done.stderr)
            office.send("still serving")
            office.find("still serving", ALICE)
        finally:
            office.close()


if __name__ == "__main__":
    main()
