#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Mail for programs of this machine (the transport table's pipe:) and for sockets (lmtp:unix:)."""
import json
import os
import pwd
import shutil
import signal
import socket
import tempfile
import threading
import unittest
from pathlib import Path

from office import BOB, Office, main, wait_for

IS_ROOT = os.getuid() == 0
USER = "nobody" if IS_ROOT else pwd.getpwuid(os.getuid()).pw_name

KEEP = """#!/bin/sh
{ printf '<%s>' "$@"; echo; env | sort; id -un; umask; cat; } > "$OUT/kept.$RECIPIENT.tmp" && mv "$OUT/kept.$RECIPIENT.tmp" "$OUT/kept.$RECIPIENT"
"""
EXIT = """#!/bin/sh
cat > /dev/null
echo "$2"
exit $1
"""


class LmtpServer(threading.Thread):
    """Takes all mail, but for `full`, and keeps it."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        os.chmod(path, 0o600)
        self.socket.listen()
        self.greetings, self.messages = [], []

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        names, file = [], client.makefile("rwb", buffering=0)
        file.write(b"220 lmtp.test\r\n")
        for line in file:
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"LHLO":
                self.greetings.append(line)
                file.write(b"250-lmtp.test\r\n250 PIPELINING\r\n")
            elif verb == b"RCPT":
                names.append(line.split(b"<")[1].split(b">")[0].decode())
                file.write(b"250 ok\r\n")
            elif verb == b"DATA":
                file.write(b"354 go on\r\n")
                message = b""
                while not message.endswith(b"\r\n.\r\n"):
                    message += file.readline()
                for name in names:
                    is_full = name.startswith("full@")
                    file.write(b"552 5.2.2 full\r\n" if is_full else b"250 2.0.0 kept\r\n")
                    if not is_full:
                        self.messages.append((name, message))
                names = []
            elif verb == b"QUIT":
                file.write(b"221 bye\r\n")
                return
            else:
                file.write(b"250 ok\r\n")


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Path(tempfile.mkdtemp(prefix="fo-run-", dir="/tmp"))
        cls.place.chmod(0o1777)
        for name, text in (("keep", KEEP.replace("$OUT", str(cls.place))), ("exit", EXIT),
                           ("hang", "#!/bin/sh\ncat > /dev/null\nsleep 1000 & sleep 1000\n"),
                           ("slow", "#!/bin/sh\ncat > /dev/null\nsleep 30\nexit 0\n")):
            (cls.place / name).write_text(text)
            (cls.place / name).chmod(0o755)
        (cls.place / "sockets").mkdir()
        cls.lmtp = LmtpServer(cls.place / "sockets" / "lmtp")
        cls.lmtp.start()
        programs = [f"keep {USER} {cls.place}/keep 'two words' $sender $recipient -l$local $detail $domain $size",
                    f"nouser {USER} {cls.place}/exit 67 ''", f"busy {USER} {cls.place}/exit 75 'come back'",
                    f"spam {USER} {cls.place}/exit 1 '5.7.1 no, thank you'",
                    f"missing {USER} {cls.place}/missing", f"root root {cls.place}/keep",
                    f"hang {USER} {cls.place}/hang", f"slow {USER} {cls.place}/slow", f"option {USER} {cls.place}/keep $local"]
        cls.office = Office(config="programs = {" + ", ".join(json.dumps(p) for p in programs) + "}\n"
                            f'socket_dirs = {{"{cls.place}/sockets"}}\nprogram_timer = "10 s"\n')
        rows = [f"{name}.test pipe:{name}" for name in
                ("keep", "nouser", "busy", "spam", "missing", "root", "hang", "slow", "option", "unknown")]
        rows += [f"lmtp.test lmtp:unix:{cls.place}/sockets/lmtp", "gone.test lmtp:unix:/tmp/elsewhere/lmtp",
                 f"away.test lmtp:unix:{cls.place}/sockets/away"]
        (cls.office.folder / "data/directory/transports").write_text("\n".join(rows) + "\n")
        cls.office.tool("reload")

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.lmtp.socket.close()
        shutil.rmtree(cls.place)

    def send(self, *to, subject="for a program", sender=BOB, body=b".dot\r\n"):
        with self.office.smtp(BOB) as client:
            client.sendmail(sender, list(to), f"From: <{BOB}>\r\nSubject: {subject}\r\n\r\n".encode() + body)

    def report(self, about):
        """The notification for Bob that speaks of this recipient."""
        def find():
            return [m for m in self.office.messages(BOB) if b"message/delivery-status" in m and about.encode() in m]
        found = wait_for(find)
        self.assertEqual(len(found or []), 1, self.office.log_text()[-3000:])
        return found[0].decode(errors="replace")

    def waiting(self, about):
        """What the queue says of this recipient after its first attempt."""
        def find():
            text = self.office.tool("trace", about)
            return text if "4." in text else None
        text = wait_for(find)
        self.assertTrue(text, self.office.log_text()[-3000:])
        return text

    def test_a_program_gets_the_message_and_its_arguments(self):
        self.send("fax+33@keep.test", sender=BOB)
        kept = self.place / "kept.fax+33@keep.test"
        self.assertTrue(wait_for(kept.exists), self.office.log_text()[-3000:])
        lines = kept.read_bytes().decode().split("\n")
        self.assertRegex(lines[0], r"^<two words><bob@example\.test><fax\+33@keep\.test><-lfax><33><keep\.test><\d+>$")
        self.assertIn("SENDER=bob@example.test", lines)
        self.assertIn("RECIPIENT=fax+33@keep.test", lines)
        self.assertFalse([l for l in lines if l.startswith("FACTEUR") or "\r" in l])
        at = lines.index("0077")
        self.assertEqual(lines[at - 1], USER)
        self.assertEqual(lines[at + 1:at + 3], ["Return-Path: <bob@example.test>", "Delivered-To: fax+33@keep.test"])
        self.assertIn("Subject: for a program", lines)
        self.assertEqual(lines[-3:], ["", ".dot", ""])
        self.assertTrue(wait_for(lambda: "delivered" in self.office.tool("trace", "fax+33@keep.test")))

    def test_exit_codes_give_the_message_back(self):
        self.send("a@nouser.test", "b@spam.test", "-oQ@option.test")
        self.assertRegex(self.report("-oQ@option.test"), r"Status: 5\.1\.3\r\n[^$]*hyphen")
        text = self.report("a@nouser.test") + self.report("b@spam.test")
        self.assertRegex(text, r"Status: 5\.1\.1")
        self.assertRegex(text, r"Status: 5\.7\.1")
        self.assertIn("no, thank you", text)

    def test_exit_codes_and_mistakes_of_the_operator_let_it_wait(self):
        self.send("c@busy.test", "d@missing.test", "e@unknown.test", "f@root.test")
        self.assertIn("come back", self.waiting("c@busy.test"))
        self.assertIn("No such file", self.waiting("d@missing.test"))
        self.assertIn("no program of that name", self.waiting("e@unknown.test"))
        self.assertIn("root", self.waiting("f@root.test"))

    def test_a_program_that_hangs_is_stopped(self):
        self.send("h@hang.test")
        self.assertIn("program_timer", self.waiting("h@hang.test"))
        counters = {r["role"]: r for r in self.office.tool_data("status")["processes"]}
        self.assertIn("hand", counters)

    def running(self, program):
        """Processes that run this program of ours."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.place / program).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended
        return found

    def test_a_role_that_is_killed_takes_its_programs_along_and_loses_nothing(self):
        self.send("k@slow.test")
        self.assertTrue(wait_for(lambda: self.running("slow")), self.office.log_text()[-3000:])
        [hand] = self.office.processes("hand")
        os.kill(hand, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: not self.running("slow")))
        self.assertIn("the process that carried it ended", self.waiting("k@slow.test"))
        self.assertTrue(wait_for(lambda: hand not in self.office.processes("hand") and self.office.processes("hand")))
        self.send("after@keep.test")
        self.assertTrue(wait_for((self.place / "kept.after@keep.test").exists))

    def test_a_large_message_arrives_whole(self):
        body = b"0123456789" * 7 + b"\r\n"
        self.send("large@keep.test", subject="large", body=body * 3000)
        kept = self.place / "kept.large@keep.test"
        self.assertTrue(wait_for(kept.exists))
        self.assertTrue(kept.read_bytes().endswith(body.replace(b"\r\n", b"\n") * 3000))

    def test_lmtp_goes_to_a_socket(self):
        self.send("one@lmtp.test", "two@lmtp.test", "full@lmtp.test", subject="by lmtp")
        self.assertTrue(wait_for(lambda: len(self.lmtp.messages) >= 2), self.office.log_text()[-3000:])
        self.assertEqual(sorted(name for name, _ in self.lmtp.messages), ["one@lmtp.test", "two@lmtp.test"])
        self.assertIn(b"\r\n\r\n..dot\r\n.\r\n", self.lmtp.messages[0][1])
        self.assertIn("Status: 5.2.2", self.report("full@lmtp.test"))

    def test_only_named_folders_have_sockets(self):
        self.send("x@gone.test", "y@away.test")
        self.assertIn("socket_dirs", self.waiting("x@gone.test"))
        self.assertIn("No such file", self.waiting("y@away.test"))


if __name__ == "__main__":
    main()
