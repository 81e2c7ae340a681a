#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Programs and files of /etc/aliases, and ~/.forward of system users: where permitted, with whose
rights, and what is not believed because others could have written it. The users are in a list of users that only
this server sees, which needs root."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, FACTEUR, Office, main, skip_all, wait_for

KEEP = '#!/bin/sh\n{ printf "<%s>" "$@"; echo; id -un; cat; } > "$OUT/$1.tmp" && mv "$OUT/$1.tmp" "$OUT/$1"\n'
USERS = {"fo-carol": 64101, "fo-dave": 64102}


class Forward(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            skip_all("other users' files need root")
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            skip_all("a list of users of our own needs the right to mount")
        cls.place = Path(tempfile.mkdtemp(prefix="fo-fwd-", dir="/tmp"))
        cls.place.chmod(0o1777)
        (cls.place / "boxes").mkdir()
        (cls.place / "boxes").chmod(0o1777)
        cls.keep = cls.place / "keep"
        cls.keep.write_text(KEEP.replace("$OUT", str(cls.place)))
        cls.keep.chmod(0o755)
        cls.homes = {}
        passwd = Path("/etc/passwd").read_text()
        for user, number in USERS.items():
            home = cls.place / user
            home.mkdir()
            os.chown(home, number, number)
            home.chmod(0o755)
            cls.homes[user] = home
            passwd += f"{user}:x:{number}:{number}::{home}:/bin/sh\n"
        (cls.place / "passwd").write_text(passwd)
        cls.launcher = ["unshare", "--mount", "sh", "-c",
                        f'mount --bind {cls.place}/passwd /etc/passwd && exec "$@"', "sh"]
        cls.aliases = cls.place / "aliases"
        cls.office = Office(launcher=cls.launcher, config=f'aliases_file = "{cls.aliases}"\nalias_programs_user = "nobody"\n'
                            f'forward_files = all\nletterbox_dirs = {{"{cls.place}/boxes"}}\n'
                            f'origin = "example.test"\nsystem_users = yes\n')
        for user in USERS:
            cls.office.tool("user", "add", f"{user[3:]}@example.test", "--system", user)

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        shutil.rmtree(cls.place)

    def tearDown(self):
        for home in self.homes.values():
            (home / ".forward").unlink(missing_ok=True)

    def forward(self, user, text, owner=None, mode=0o644):
        path = self.homes[user] / ".forward"
        path.write_text(text)
        os.chown(path, 0 if owner == "root" else USERS[owner or user], -1)
        path.chmod(mode)

    def make_folder(self):
        path = self.homes["fo-carol"] / ".forward"
        path.unlink()
        path.mkdir()

    def kept(self, name):
        path = self.place / name
        self.assertTrue(wait_for(path.exists), self.office.log_text()[-3000:])
        return path.read_text().split("\n")

    def own_subjects(self, name):
        """What lies in this account's INBOX."""
        path = Path(tempfile.mkdtemp(dir=self.place)) / "box"
        self.office.tool("export", f"{name}@example.test", str(path))
        return [line[9:] for line in path.read_text().splitlines() if line.startswith("Subject: ")]

    def test_an_alias_runs_a_program(self):
        self.aliases.write_text(f'robot: "|{self.keep} robot \'two words\' $SENDER"\n')
        self.office.tool("alias", "build")
        self.office.send("shell", to="robot@example.test")
        self.assertTrue(wait_for(lambda: "no shell" in self.office.log_text()))
        self.aliases.write_text(f'robot: "|{self.keep} robot \'two words\'", {ALICE}\n'
                                f'second: |"{self.keep} second"\n')
        self.office.tool("alias", "build")
        self.office.send("to a robot", to="robot@example.test")
        lines = self.kept("robot")
        self.assertEqual(lines[:2], ["<robot><two words>", "nobody"])
        self.assertRegex(lines[2], r"^From bob@example\.test ")
        self.assertEqual(lines[3], "Return-Path: <bob@example.test>")
        self.office.find("to a robot")
        self.office.send("second", to="second@example.test")
        self.assertEqual(self.kept("second")[1], "nobody")

    def test_nobody_reaches_a_program_by_its_key(self):
        self.aliases.write_text(f'hidden: "|{self.keep} hidden"\n')
        self.office.tool("alias", "build")
        key = (self.office.folder / "data/directory/aliases").read_text().split("to=")[1].split()[0].strip('"')
        self.assertRegex(key, r"^\|[0-9a-f]{16}$")
        with self.office.smtp(BOB) as client:
            client.mail(BOB)
            self.assertEqual(client.rcpt(f"{key}@example.test")[0], 550)
            self.assertEqual(client.rcpt(f"{key}.fo-carol@example.test")[0], 550)

    def test_aliases_that_others_may_write_run_nothing(self):
        self.aliases.write_text(f'open: "|{self.keep} open"\nbox: {self.place}/boxes/open\nplain: {ALICE}\n')
        self.aliases.chmod(0o666)
        self.office.tool("alias", "build", code=65)
        self.office.send("plain", to="plain@example.test")
        self.office.find("plain")
        with self.office.smtp(BOB) as client:
            client.mail(BOB)
            self.assertEqual(client.rcpt("open@example.test")[0], 451)
            self.assertEqual(client.rcpt("box@example.test")[0], 451)
        self.aliases.chmod(0o644)
        self.office.tool("alias", "build")
        self.aliases.chmod(0o666)  # since newaliases
        self.office.send("too late", to="open@example.test")
        self.assertTrue(wait_for(lambda: "others may write to it" in self.office.log_text()))
        self.assertFalse((self.place / "open").exists())
        self.aliases.chmod(0o644)

    def test_the_owner_of_an_alias_gets_its_failures(self):
        self.aliases.write_text(f'crew: {ALICE}, "|{self.keep} crew"\nowner-crew: {BOB}\n')
        self.office.tool("alias", "build")
        self.office.send("crew", to="crew@example.test", sender=ALICE)
        lines = self.kept("crew")
        self.assertIn("Return-Path: <owner-crew@example.test>", lines)
        self.assertFalse([line for line in lines if line.startswith("List-")])

    def test_a_forward_leads_to_addresses_and_to_oneself(self):
        self.forward("fo-carol", f"# away\n{ALICE}, \\fo-carol\nbob\n")
        self.office.send("forwarded", to="carol@example.test", sender="fred@truc.test")
        self.office.find("forwarded")
        self.office.find("forwarded", BOB)
        self.assertIn("forwarded", self.own_subjects("carol"))

    def route(self, address):
        done = subprocess.run([*self.launcher, FACTEUR, "route", address, "--json"], check=True, capture_output=True,
                              env=self.office.environment(), text=True, timeout=120)
        data = json.loads(done.stdout)
        return [row["target"] for row in data["targets"]], [row["step"] for row in data["steps"]], done.stderr

    def test_route_explains_a_forward(self):
        self.forward("fo-carol", f"{ALICE}, \\fo-carol\n")
        targets, steps, said = self.route("carol@example.test")
        self.assertEqual(sorted(targets), [ALICE, "carol@example.test"])
        self.assertTrue([step for step in steps if step.startswith(".forward of fo-carol → alice@example.test,")], steps)
        self.assertEqual(said, "")
        self.forward("fo-carol", ALICE, mode=0o666)
        targets, _, said = self.route("carol@example.test")
        self.assertEqual(targets, ["carol@example.test"])
        self.assertIn("~/.forward of fo-carol does not count: others may write to it", said)

    def test_a_circle_of_forwards_ends_in_a_mailbox(self):
        self.forward("fo-carol", "dave\n")
        self.forward("fo-dave", "carol\n")
        self.office.send("circle", to="carol@example.test")
        self.assertEqual(self.own_subjects("carol").count("circle"), 1)

    def test_a_forward_runs_a_program_and_writes_a_file_as_its_user(self):
        box = self.place / "boxes" / "carol"
        self.forward("fo-carol", f'"|{self.keep} carol x"\n{box}\n')
        self.office.send("by program", to="carol+tag@example.test")
        self.assertEqual(self.kept("carol")[:2], ["<carol><x>", "fo-carol"])
        self.assertTrue(wait_for(box.exists))
        self.assertEqual(box.stat().st_uid, USERS["fo-carol"])
        self.assertNotIn("by program", self.own_subjects("carol"))

    def test_a_forward_that_is_not_the_users_own_is_ignored(self):
        program = f'"|{self.keep} evil"\n'
        cases = {"belongs to another": lambda: self.forward("fo-carol", program, owner="fo-dave"),
                 "group may write": lambda: self.forward("fo-carol", program, mode=0o664),
                 "others may write": lambda: self.forward("fo-carol", program, mode=0o602),
                 "no member": lambda: self.forward("fo-carol", ":include:/etc/passwd\n"),
                 "too long": lambda: self.forward("fo-carol", "# x\n" * 5000 + program),
                 "unreadable": lambda: self.forward("fo-carol", program, owner="root", mode=0o600),
                 "a file elsewhere": lambda: self.forward("fo-carol", "/tmp/elsewhere\n"),
                 "a folder": self.make_folder}
        for subject, make in cases.items():
            with self.subTest(subject):
                make()
                self.office.send(subject, to="carol@example.test")
                self.assertIn(subject, self.own_subjects("carol"))
        (self.homes["fo-carol"] / ".forward").rmdir()
        target = self.place / "somewhere"
        target.write_text(program)
        os.chown(target, USERS["fo-carol"], -1)
        (self.homes["fo-carol"] / ".forward").symlink_to(target)
        self.office.send("a link", to="carol@example.test")
        (self.homes["fo-carol"] / ".forward").unlink()
        os.mkfifo(self.homes["fo-carol"] / ".forward")
        os.chown(self.homes["fo-carol"] / ".forward", USERS["fo-carol"], -1)
        self.office.send("a pipe", to="carol@example.test")
        self.assertTrue({"a link", "a pipe"} <= set(self.own_subjects("carol")))
        self.assertFalse((self.place / "evil").exists())

    def test_a_program_that_is_named_no_more_is_not_run(self):
        hang = self.place / "hang"
        hang.write_text("#!/bin/sh\nexit 75\n")
        hang.chmod(0o755)
        self.forward("fo-carol", f'"|{hang}"\n')
        self.office.send("gone", to="carol@example.test")
        self.assertTrue(wait_for(lambda: "asks to try again later" in self.office.log_text()))
        self.forward("fo-carol", f'"|{self.keep} other"\n')
        self.office.tool("queue", "retry", "--all")
        self.assertTrue(wait_for(lambda: "names it no more" in self.office.log_text()))
        self.assertFalse((self.place / "other").exists())


if __name__ == "__main__":
    main()
