#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`meson install` into an empty folder: everything in its place of the FHS, nothing of the operator's
overwritten, the unit sound in systemd's eyes, the completions in their shells'; and the server starts
from there with the configuration that was installed. $FACTEUR names the program in its build folder."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

FACTEUR = Path(os.environ.get("FACTEUR") or "build/src/tool/facteur").resolve()
BUILD = FACTEUR.parents[2]
PATIENCE_S = 90
EXPOSURE_MAX = 3.5  # of systemd-analyze security: 0 is best, 10 no protection at all

PLACES = """bin/facteur libexec/facteur/facteur-parent libexec/facteur/facteur-network libexec/facteur/facteur-office
libexec/facteur/facteur-resolve libexec/facteur/facteur-table libexec/facteur/facteur-index libexec/facteur/facteur-keys libexec/facteur/facteur-openpgp libexec/facteur/facteur-mail
lib/systemd/system/facteur.service lib/sysusers.d/facteur.conf
lib/tmpfiles.d/facteur.conf share/man/man1/facteur.1 share/man/man1/facteur-mail.1 share/man/man1/facteur-send.1 share/man/man1/facteur-account-add.1 share/man/man5/facteur.conf.5
share/man/man5/facteur-directory.5 share/doc/facteur/facteur.conf.example
share/bash-completion/completions/facteur.bash share/zsh/site-functions/_facteur
share/fish/vendor_completions.d/facteur.fish""".split()


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S, **more)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="facteur-install-"))
        cls.root.chmod(0o755)
        cls.install()
        cls.prefix = next(cls.root.rglob("bin/facteur")).parents[1]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    @classmethod
    def install(cls):
        done = run("meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(cls.root))
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def test_everything_is_in_its_place(self):
        for place in PLACES:
            self.assertGreater((self.prefix / place).stat().st_size, 100, place)
        for place in ("etc/facteur/facteur.conf", "etc/pam.d/facteur"):
            self.assertGreater((self.root / place).stat().st_size, 100, place)
        there = {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}
        strange = [p for p in there if not p.startswith(("etc/", str(self.prefix.relative_to(self.root))))]
        self.assertEqual(strange, [])

    def test_what_the_operator_wrote_stays(self):
        for place in ("etc/facteur/facteur.conf", "etc/pam.d/facteur"):
            path = self.root / place
            before = path.read_text()
            path.write_text(before + "# mine\n")
            self.install()
            self.assertEqual(path.read_text(), before + "# mine\n")
            path.write_text(before)

    def test_each_role_has_a_user(self):
        """`facteur check` and the like need none; letterbox and hand stay root to become whoever they work for."""
        profiles = (Path(__file__).parents[2] / "src/host/linux/sandbox.c").read_text()
        roles = {name for name, rest in re.findall(r'\{\.name = "([a-z-]+)",((?:[^{}]|\{[^{}]*\})*)\}', profiles)
                 if "keeps_user" not in rest}
        self.assertIn("smtp", roles)
        users = set(re.findall(r"^u facteur-(\S+)", (self.prefix / "lib/sysusers.d/facteur.conf").read_text(), re.M))
        self.assertEqual(sorted(roles - users), [])

    def unit(self):
        """The unit with its program where it lies in this test."""
        text = (self.prefix / "lib/systemd/system/facteur.service").read_text()
        self.assertRegex(text, r"(?m)^ExecStart=/\S+/bin/facteur serve --config /etc/facteur/facteur.conf$")
        path = self.root / "facteur.service"
        path.write_text(re.sub(r"=\S+/bin/facteur", f"={self.prefix}/bin/facteur", text))
        self.addCleanup(path.unlink)
        return str(path)

    def test_systemd_never_gives_it_up(self):
        """Whatever kept it from starting may pass: no limit on tries, and no exit code that ends them."""
        text = Path(self.unit()).read_text()
        self.assertRegex(text, r"(?ms)^\[Unit\]$.*^StartLimitIntervalSec=0$.*^\[Service\]$.*^Restart=on-failure$")
        self.assertNotIn("RestartPreventExitStatus", text)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_the_unit_is_sound_and_narrow(self):
        unit = self.unit()
        # Told of other units of this machine as well: only ours count. Manual pages are in the folder.
        said = run("systemd-analyze", "verify", "--man=no", unit).stderr
        self.assertEqual([line for line in said.splitlines() if "facteur" in line], [])
        shown = run("systemd-analyze", "security", "--offline=true", unit)
        if "Overall exposure level" not in shown.stdout:
            self.skipTest("this systemd cannot look at a unit that is not loaded")
        self.assertLessEqual(float(re.search(r"Overall exposure level[^:]*: ([\d.]+)", shown.stdout)[1]),
                             EXPOSURE_MAX)

    def test_uninstall_leaves_what_is_the_operators(self):
        """Into folders of its own: what was installed last is what is taken away."""
        for is_changed in (False, True):
            with tempfile.TemporaryDirectory(prefix="facteur-uninstall-") as folder:
                root = Path(folder)
                done = run("meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", folder)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                mine = root / "etc/facteur/facteur.conf"
                if is_changed:
                    mine.write_text(mine.read_text() + "# mine\n")
                done = run("make", "-C", str(Path(__file__).parents[2]), "uninstall", f"BUILD={BUILD}", f"DESTDIR={folder}")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                left = [p for p in root.rglob("*") if not p.is_dir() or p.name == "facteur"]
                self.assertEqual(left, [mine.parent, mine] if is_changed else [])

    def test_the_completions_are_scripts(self):
        for shell, place in (("bash", "share/bash-completion/completions/facteur.bash"),
                             ("zsh", "share/zsh/site-functions/_facteur"),
                             ("fish", "share/fish/vendor_completions.d/facteur.fish")):
            with self.subTest(shell):
                if not shutil.which(shell):
                    self.skipTest(f"no {shell}")
                done = run(shell, "-n", str(self.prefix / place))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = run("bash", "-c", f". {self.prefix}/share/bash-completion/completions/facteur.bash; "
                   "COMP_WORDS=(facteur user ''); COMP_CWORD=2; "
                   "$(complete -p facteur | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[@]}")
        self.assertIn("passwd", done.stdout, done.stderr)

    def test_the_pages_are_manual_pages(self):
        for place in PLACES:
            if "/man/" in place:
                self.assertRegex((self.prefix / place).read_text(), r"(?m)^\.SH NAME$")

    def test_it_serves_with_the_configuration_that_was_installed(self):
        folder = self.root / "machine"
        (folder / "tls").mkdir(parents=True)
        self.addCleanup(shutil.rmtree, folder)
        made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                   "-nodes", "-subj", "/CN=mail.example.test", "-keyout", str(folder / "tls/key.pem"),
                   "-out", str(folder / "tls/chain.pem"))
        self.assertEqual(made.returncode, 0, made.stderr)
        text = (self.root / "etc/facteur/facteur.conf").read_text()
        text = text.replace("/etc/facteur/tls", f"{folder}/tls")
        program = str(self.prefix / "bin/facteur")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        shown = run(program, "config", "show", "--default").stdout
        for name in sorted(set(re.findall(r"(?m)^(\w+_listen) ", shown))):
            text += f"{name} = {{}}\n" if name != "smtp_listen" else f'smtp_listen = "127.0.0.1:{port}"\n'
        text += f'data_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\n'
        config = folder / "facteur.conf"
        config.write_text(text)
        self.assertEqual(run(program, "config", "check", "--config", str(config)).returncode, 0)
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen([program, "serve", "--config", str(config)], stderr=log)
        self.addCleanup(lambda: server.poll() is None and server.kill())
        late = time.monotonic() + PATIENCE_S
        while server.poll() is None and time.monotonic() < late:
            if b"event=ready" in (folder / "log").read_bytes():
                break
            time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
            self.assertTrue(client.recv(1000).startswith(b"220 "))
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(PATIENCE_S), 0, (folder / "log").read_text()[-2000:])


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1, warnings="ignore").result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad, 0)} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)
