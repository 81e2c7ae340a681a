#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Types what README.md and docs/guide/*.md show, in their order, and compares what comes out.

Blocks marked `console` are run: a line behind "$ " or "# " is typed into a shell, the lines below it
are what it prints; … stands for anything, alone on a line for any lines. Under `nc` the lines are a
dialogue. A block marked `conf` in the operator's guide becomes the configuration. Only this is put in
for what is shown: the ports of a demo that runs beside (10025 → its own), a folder of the test before
/etc/facteur, /var/lib/facteur, /var/backups, PASSWORD, the answers to password prompts, and stand-ins
for systemctl, journalctl, make and others that would change this machine. $FACTEUR names the program."""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import office

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90
MARK = "--done-with-it--"
ELLIPSIS = "…"


def blocks(page, kind):
    """(line number, lines) of each fenced block of this kind."""
    number, found = None, []
    for at, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if number is None and line == f"```{kind}":
            number, lines = at, []
        elif number is not None and line == "```":
            found.append((number, lines))
            number = None
        elif number is not None:
            lines.append(line)
    return found


def steps(page):
    """(place, command, what stands below it) of all console blocks."""
    found = []
    for number, lines in blocks(page, "console"):
        for at, line in enumerate(lines, number + 1):
            if line.startswith(("$ ", "# ")):
                found.append((f"{page}:{at}", line[2:], []))
            else:
                found[-1][2].append(line)
    return found


def pattern_of(lines):
    parts = []
    for line in lines:
        words = [ELLIPSIS if w == ELLIPSIS else re.escape(w).replace(ELLIPSIS, ".*") for w in line.split()]
        if words == [ELLIPSIS]:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[ \t]+".join(words).replace(ELLIPSIS, ".*").replace(r".*[ \t]+", r".*[ \t]*") + r"[ \t]*\n")
    return re.compile("".join(parts))


class Shell:
    """One bash for a whole page: variables stay."""

    def __init__(self, folder, config, preamble=":"):
        environment = dict(os.environ, PATH=f"{Path(office.FACTEUR).parent}:{os.environ['PATH']}",
                           FACTEUR_CONFIG=str(config), HOME=str(folder))
        self.bash = subprocess.Popen(["bash", "--norc"], cwd=folder, env=environment, text=True, bufsize=1,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.folder, self.environment = folder, environment
        self.run(preamble)

    def run(self, command):
        """(exit code, what it printed)"""
        self.bash.stdin.write(f"{{ {command}\n}} </dev/null\necho; echo {MARK} $?\n")
        printed = []
        for line in self.bash.stdout:
            if line.startswith(MARK):
                text = "".join(printed)
                return int(line.split()[1]), text[:-1] if text.endswith("\n") else text
            printed.append(line)
        raise RuntimeError(f"the shell ended at: {command}")

    def run_on_terminal(self, command, answer):
        """For what asks for a password."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execvpe("bash", ["bash", "-c", command], self.environment)
        printed, asked, late = "", 0, time.monotonic() + PATIENCE_S
        while time.monotonic() < late:
            if not select.select([terminal], [], [], 1)[0]:
                continue
            try:
                piece = os.read(terminal, 4096).decode()
            except OSError:
                break
            if not piece:
                break
            printed += piece.replace("\r", "")
            if len(re.findall(r"(?:password|again): ", printed)) > asked:
                asked += 1
                os.write(terminal, answer.encode() + b"\n")
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed

    def close(self):
        self.bash.stdin.close()
        self.bash.wait(PATIENCE_S)
        self.bash.stdout.close()


def split_dialogue(lines):
    """[(what is typed, or None; what answers)] of a session by hand."""
    turns, inside = [(None, [])], None
    for line in lines:
        if inside == "typed":
            turns[-1][0].append(line)
            inside = None if line == "." else inside
        elif inside == "answer":
            turns[-1][1].append(line)
            inside = None if line == "." else inside
        elif re.match(r"\d{3}[ -]|\+OK|-ERR", line):
            turns[-1][1].append(line)
            last = (turns[-1][0] or [""])[-1].split(" ")[0].upper()
            if line.startswith("354"):
                turns.append(([], []))
                inside = "typed"
            elif last in ("RETR", "TOP", "LIST", "UIDL", "CAPA"):
                inside = "answer"
        else:
            turns.append(([line], []))
    return turns


class Guide(unittest.TestCase):
    def compare(self, place, command, expected, code, printed):
        self.assertEqual(code, 0, f"{place}: {command}\n{printed}")
        if not pattern_of(expected).fullmatch(printed):
            self.fail(f"{place}: {command}\nprinted:\n{printed}\nbut the page shows:\n" + "\n".join(expected))

    def converse(self, place, command, lines):
        """A session with netcat."""
        nc = subprocess.Popen(command.split(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              bufsize=1)
        try:
            for typed, answers in split_dialogue(lines):
                for line in typed or []:
                    nc.stdin.write(line + "\n")
                if not answers:
                    continue
                printed = nc.stdout.readline()
                while len(answers) > 1 and not printed.endswith("\n.\n"):
                    printed += nc.stdout.readline() or self.fail(f"{place}: the server closed: {printed}")
                if not pattern_of(answers).fullmatch(printed):
                    self.fail(f"{place}: after {typed} came\n{printed}but the page shows:\n"
                              + "\n".join(answers))
            nc.stdin.close()
            nc.wait(PATIENCE_S)
        finally:
            nc.kill()
            nc.wait()
            nc.stdin.close()
            nc.stdout.close()

    def run_page(self, page, shell, put_in):
        count = 0
        for place, command, expected in steps(page):
            with self.subTest(place):
                command, expected = put_in(command), [put_in(line) for line in expected]
                if command.startswith("nc "):
                    self.converse(place, command, expected)
                elif re.match(r"facteur user (add|passwd) (?!.*--password-stdin)", command):
                    self.compare(place, command, expected,
                                 *shell.run_on_terminal(command, "correct horse battery"))
                else:
                    self.compare(place, command, expected, *shell.run(command))
                count += 1
        self.assertGreater(count, 0)

    def run_beside_demo(self, page):
        world = office.Office()
        self.addCleanup(world.close)
        folder = Path(tempfile.mkdtemp(prefix="guide-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "var").mkdir()
        (folder / "var/demo").symlink_to(world.folder)
        shell = Shell(folder, world.folder / "facteur.conf")
        self.addCleanup(shell.close)

        def put_in(line):
            line = re.sub(r"\b10(024|025|110|465|587|995|143|993)\b", lambda m: str(world.base + int(m[1])), line)
            return line.replace("PASSWORD", world.people[office.ALICE])
        for _, lines in blocks(page, "muttrc"):
            (folder / "muttrc").write_text("".join(put_in(line) + "\n" for line in lines))
        self.run_page(page, shell, put_in)

    def test_readme(self):
        self.run_beside_demo("README.md")

    @unittest.skipUnless(shutil.which("swaks") and shutil.which("mutt"), "needs swaks and mutt")
    def test_user(self):
        self.run_beside_demo("docs/guide/user.md")

    def test_operator(self):
        root = Path(tempfile.mkdtemp(prefix="fg-", dir="/tmp"))
        root.chmod(0o755)
        self.addCleanup(shutil.rmtree, root)
        for name in ("etc/facteur", "var/lib", "run", "tools", "log"):
            (root / name).mkdir(parents=True)

        ports = self.own_ports()

        def put_in(line):
            line = line.replace("127.0.0.1:25", f"127.0.0.1:{ports['smtp_listen']}")
            return re.sub(r"(?<![\w.-])/(etc/facteur|var/lib/facteur|var/backups|run/facteur)", rf"{root}/\1", line)
        (root / "tools/install").write_text(f'#!/bin/sh\nexec {ROOT}/tools/install --list "$@" >/dev/null\n')
        (root / "tools/install").chmod(0o755)
        (_, lines), = blocks("docs/guide/operator.md", "conf")
        config = root / "etc/facteur/facteur.conf"
        config.write_text("\n".join(put_in(line) for line in lines) + f'\ndata_dir = "{root}/var/lib/facteur"'
                          + f'\nruntime_dir = "{root}/run/facteur"\n'
                          + "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in ports.items()))
        shell = Shell(root, config, STAND_INS.replace("ROOT", str(root)))
        self.addCleanup(shell.close)
        self.addCleanup(shell.run, "systemctl stop facteur")
        self.run_page("docs/guide/operator.md", shell, put_in)

    @staticmethod
    def own_ports():
        """One for each service, for a server that is not the only one on its machine."""
        shown = subprocess.run([office.FACTEUR, "config", "show", "--default"], capture_output=True,
                               text=True, check=True).stdout
        base = office.free_port_base()
        return {name: base + int(port)
                for name, port in re.findall(r'(?m)^(\w+_listen) = \{"[\d.]+:(\d+)"', shown)}

    def test_every_page_that_is_linked_is_there(self):
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("README.md")]
        for page in pages:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}")

    def test_files_named_in_the_text_exist(self):
        for page in (*ROOT.glob("*.md"), *(ROOT / "docs/guide").glob("*.md")):
            for named in re.findall(r"`((?:src|tests|tools|docs|bench|packaging)/[^` ]*)`", page.read_text()):
                self.assertTrue(any(ROOT.glob(named)), f"{page.name} names {named}")

    def test_commands_named_in_the_text_exist(self):
        words = subprocess.run([office.FACTEUR, "help"], capture_output=True, text=True, check=True).stdout
        known = set(re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?) +[A-Z]", words))
        for page in ("README.md", "SECURITY.md", "docs/guide/user.md", "docs/guide/operator.md"):
            for named in re.findall(r"(?:`|\$ |# |\| )facteur ((?:[a-z]+ ?){1,2})", (ROOT / page).read_text()):
                first, *second = named.split()
                self.assertTrue(first in known or " ".join([first, *second]) in known,
                                f"{page} names facteur {named}")


# What of the operator's guide would change this machine. serve's log is the journal.
STAND_INS = r"""
systemd-sysusers() { :; }
make() { :; }
userdel() { :; }
ln() { [ "$2 $3" = "/usr/local/sbin/sendmail /usr/sbin/sendmail" ] || command ln "$@"; }
sendmail() { bash -c 'exec -a sendmail facteur "$@"' sendmail "$@"; }
journalctl() { cat ROOT/log/journal; }
serve() {
    : > ROOT/log/now
    facteur serve 2> ROOT/log/now > /dev/null & server=$!
    for i in $(seq 900); do
        grep -q event=ready ROOT/log/now && break
        kill -0 $server 2>/dev/null || { cat ROOT/log/now; return 1; }
        sleep 0.1
    done
    cp ROOT/log/now ROOT/log/journal
}
stop() { [ -z "$server" ] || { kill $server; wait $server; local code=$?; server=; return $code; }; }
systemctl() {
    case $* in
    daemon-reload) ;;
    "enable --now facteur" | "start facteur") serve ;;
    "stop facteur" | "disable --now facteur") stop ;;
    "restart facteur") stop && serve ;;
    "reload facteur") facteur reload > /dev/null 2>&1 ;;
    *) echo "no stand-in for systemctl $*"; return 1 ;;
    esac
}"""


if __name__ == "__main__":
    office.main()
