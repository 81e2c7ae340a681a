#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The program as a user meets it, without a server: help, manual, completions, configuration,
directory, exit codes, errors.

usage: command_test.py FACTEUR SOURCE_ROOT
"""
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

FACTEUR = sys.argv[1]
SOURCE = Path(sys.argv[2])
USAGE, DATAERR, NOINPUT, NOUSER, UNAVAILABLE, CANTCREAT, CONFIG = 64, 65, 66, 67, 69, 73, 78


def run(*words, text=None, config=None):
    environment = {k: v for k, v in os.environ.items() if k != "FACTEUR_CONFIG"}
    if config:
        environment["FACTEUR_CONFIG"] = str(config)
    return subprocess.run([FACTEUR, *words], input=text or "", capture_output=True, text=True,
                          env=environment, check=False, timeout=60)


def commands():
    """Names of all commands, and the options of each, as --help tells them."""
    names = re.findall(r"^  ((?:[a-z]+ ){1,2}) +[A-Z]", run("help").stdout, re.M)
    found = {}
    for name in (n.strip() for n in names):
        text = run(*name.split(), "--help").stdout
        found[name] = re.findall(r"^  --([a-z0-9-]+)", text, re.M)
    return found


class Help(unittest.TestCase):
    def test_every_command_has_form_and_example(self):
        self.assertGreater(len(commands()), 20)
        for name in commands():
            text = run(*name.split(), "--help").stdout
            self.assertTrue(text.startswith(f"usage: facteur {name}"), name)
            if name not in ("help", "version"):
                self.assertIn("\nexamples:\n", text, name)

    def test_no_help_line_is_wider_than_80_columns(self):
        for name in commands():
            for line in run(*name.split(), "--help").stdout.splitlines():
                if not line.startswith("  facteur "):
                    self.assertLessEqual(len(line), 100, line)

    def test_the_manual_has_every_command_and_option(self):
        page = run("man", "facteur").stdout.replace("\\-", "-")
        for name, options in commands().items():
            self.assertIn(f".SS facteur {name}\n", page)
            part = page.split(f".SS facteur {name}\n")[1].split("\n.SS ")[0]
            for option in options:
                self.assertIn(f"\\fB--{option}\\fR", part, f"{name} --{option}")

    def test_every_command_has_a_page(self):
        with tempfile.TemporaryDirectory(prefix="fm-") as folder:
            run("man", "commands", folder)
            pages = {path.name: path.read_text() for path in Path(folder).iterdir()}
        for name, options in commands().items():
            if name == "mail":
                continue  # written by hand
            page = pages.pop("facteur-" + name.replace(" ", "-") + ".1").replace("\\-", "-")
            for part in (f".B facteur {name}\n", ".SH EXIT STATUS", *(f"\\fB--{option}\\fR" for option in options)):
                self.assertIn(part, page, name)
        for name in pages:  # of a command whose line in the overview is too long for commands()
            self.assertEqual(run(*name.removesuffix(".1").split("-")[1:], "--help").returncode, 0, name)

    def test_the_manual_has_every_option_of_the_configuration(self):
        page = run("man", "facteur.conf").stdout
        options = json.loads(run("config", "show", "--default", "--json").stdout)["options"]
        self.assertGreater(len(options), 50)
        for option in options:
            self.assertIn(f"\\fB{option['name']}\\fR", page)
            self.assertTrue(option["meaning"] and option["reason"] and option["expected"], option)

    def test_the_manual_is_right_roff(self):
        if not shutil.which("mandoc") and not shutil.which("groff"):
            self.skipTest("neither groff nor mandoc is here")
        with tempfile.TemporaryDirectory(prefix="fm-") as folder:
            run("man", "commands", folder)
            ours = "".join(path.read_text() for path in sorted(Path(folder).iterdir()))
        pages = [run("man", "facteur").stdout, run("man", "facteur.conf").stdout, ours,
                 (SOURCE / "docs/man/facteur-directory.5").read_text()]
        for page in pages:
            checked = subprocess.run(["groff", "-man", "-Tutf8", "-wall", "-z"], input=page,
                                     capture_output=True, text=True, check=False)
            self.assertEqual(checked.stderr, "")

    def test_the_manual_of_the_directory_has_every_key_of_its_files(self):
        page = (SOURCE / "docs/man/facteur-directory.5").read_text().replace("\\-", "-")
        source = "".join(p.read_text() for p in (SOURCE / "src/directory").glob("*.c"))
        for word in ("domain", "account", "alias", "list", "moved", "secret", "same-as", "quota",
                     "delivery", "system", "crypt", "apop", "full-name", "postmaster", "removed"):
            self.assertIn(f'"{word}"', source)
            self.assertIn(word, page)

    def test_completions_name_every_command_and_option(self):
        for shell in ("bash", "zsh", "fish"):
            script = run("completion", shell).stdout
            for name, options in commands().items():
                for word in name.split():
                    self.assertIn(word, script)
                for option in options:
                    self.assertIn(option, script, f"{shell}: {name} --{option}")

    def test_bash_completes(self):
        script = run("completion", "bash").stdout
        ask = (script + '\nCOMP_WORDS=(facteur user a) COMP_CWORD=2; _facteur; echo "${COMPREPLY[@]}"'
               '\nCOMP_WORDS=(facteur user add --pass) COMP_CWORD=3; _facteur; echo "${COMPREPLY[@]}"'
               '\nCOMP_WORDS=(facteur sta) COMP_CWORD=1; _facteur; echo "${COMPREPLY[@]}"')
        told = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True).stdout
        self.assertEqual(told.split("\n")[:3], ["add", "--password-stdin", "status"])


class Output(unittest.TestCase):
    def write_to(self, *words, where):
        done = subprocess.run([FACTEUR, *words], stdout=where, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for words in (["config", "show", "--default"], ["version"], ["help"], ["config", "show", "--default", "--json"]):
                code, said = self.write_to(*words, where=full)
                self.assertEqual(code, 74, words)
                self.assertIn("No space left on device", said)

    def test_a_reader_who_has_seen_enough_is_no_error_to_talk_about(self):
        reader, writer = os.pipe()
        os.close(reader)
        script = "import os, signal, sys; signal.signal(signal.SIGPIPE, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
        done = subprocess.run([sys.executable, "-c", script, FACTEUR, "config", "show", "--default"], stdout=writer,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (74, ""))


class Messages(unittest.TestCase):
    """facteur mime and itinerary, on files."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def build(self, text="Salut\n", *words):
        built = subprocess.run([FACTEUR, "mime", "build", *words], input=text.encode(),
                               capture_output=True, check=True, timeout=60).stdout
        (self.path / "letter.eml").write_bytes(built)
        return email.message_from_bytes(built, policy=email.policy.default)

    def test_python_reads_what_is_built(self):
        data = bytes(range(256)) * 300
        (self.path / "données.bin").write_bytes(data)
        (self.path / "note.md").write_text("# Été\n")
        (self.path / "page.html").write_text("<p>Été</p>")
        letter = self.build("Ça va ?\n", "--from", "Zoé <zoe@example.test>", "--to",
                            'a@b.test, "Doe, J." <j@d.test>', "--subject", "Très long " * 20,
                            "--html", str(self.path / "page.html"), str(self.path / "données.bin"),
                            str(self.path / "note.md"))
        self.assertEqual(letter["From"].addresses[0].display_name, "Zoé")
        self.assertEqual([a.addr_spec for a in letter["To"].addresses], ["a@b.test", "j@d.test"])
        self.assertEqual(letter["Subject"].strip(), ("Très long " * 20).strip())
        self.assertEqual(letter.get_body(("plain",)).get_content().strip(), "Ça va ?")
        self.assertEqual(letter.get_body(("html",)).get_content().strip(), "<p>Été</p>")
        attached = list(letter.iter_attachments())
        self.assertEqual([a.get_filename() for a in attached], ["données.bin", "note.md"])
        self.assertEqual(attached[0].get_content(), data)
        self.assertEqual(attached[1].get_content(), "# Été\n")
        self.assertFalse(letter.defects)
        parts = json.loads(run("mime", "tree", str(self.path / "letter.eml"), "--json").stdout)
        self.assertEqual([p["part"] for p in parts["parts"]], ["", "1", "1.1", "1.2", "2", "3"])
        part = subprocess.run([FACTEUR, "mime", "part", str(self.path / "letter.eml"), "2"],
                              capture_output=True, check=True)
        self.assertEqual(part.stdout, data)
        self.assertEqual(run("mime", "check", str(self.path / "letter.eml")).returncode, 0)

    def test_no_field_is_smuggled_in(self):
        letter = self.build("x", "--subject", "a\r\nBcc: evil@example.test", "--to", "a@b.test")
        self.assertIsNone(letter["Bcc"])

    def test_wrong_addresses_and_parts_are_told(self):
        wrong = run("mime", "build", "--to", "nobody", text="x")
        self.assertEqual(wrong.returncode, USAGE)
        self.assertIn("--to: expected addresses", wrong.stderr)
        self.build()
        wrong = run("mime", "part", str(self.path / "letter.eml"), "4")
        self.assertEqual((wrong.returncode, wrong.stdout), (DATAERR, ""))
        self.assertIn("there is no part 4", wrong.stderr)
        self.assertEqual(run("mime", "tree", "/nowhere").returncode, NOINPUT)
        self.assertEqual(run("mime", "tree", "-", text="").returncode, NOINPUT)

    def test_what_is_wrong_has_its_line(self):
        text = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno end\n"
        wrong = run("mime", "check", "-", "--json", text=text)
        self.assertEqual(wrong.returncode, DATAERR)
        defects = json.loads(wrong.stdout)["defects"]
        self.assertEqual(len(defects), 1)
        self.assertIn("closing boundary", defects[0]["defect"])

    def test_an_itinerary_has_every_leg(self):
        text = ("Received: from b.test (b.test [192.0.2.2]) by c.test with ESMTPS;"
                " Mon, 1 Jan 2001 10:00:09 +0000\n"
                "Received: from a.test by b.test with ESMTPSA; Mon, 1 Jan 2001 10:00:05 +0000\n"
                "Date: Mon, 1 Jan 2001 10:00:00 +0000\nSubject: =?utf-8?Q?=C3=A9t=C3=A9?=\n\n")
        way = json.loads(run("itinerary", "-", "--json", text=text).stdout)
        self.assertEqual(way["subject"], "été")
        self.assertEqual(way["total_seconds"], 9)
        self.assertEqual([(h["from"], h["by"], h["delay"], h["tls"]) for h in way["hops"]],
                         [("a.test", "b.test", "+5 s", "yes"), ("b.test", "c.test", "+4 s", "yes")])
        self.assertIn("2 legs", run("itinerary", "-", text=text).stdout)
        page = run("itinerary", "-", "--html", text=text).stdout
        self.assertEqual(page.count("<rect"), 3)
        self.assertNotIn("src=", page)


class Errors(unittest.TestCase):
    def told(self, code, sentence, *words, **more):
        done = run(*words, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(sentence, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_misspelt_commands_and_options(self):
        self.told(USAGE, "did you mean 'facteur status'?", "stauts")
        self.told(USAGE, "did you mean 'facteur user add'?", "usr", "add")
        self.told(USAGE, "did you mean --password-stdin?", "user", "add", "--pasword-stdin", "x")
        self.told(USAGE, "user what? There are: user add", "user")
        self.told(USAGE, "'facteur help' lists all", "xyzzyxyzzy")

    def test_a_group_of_commands_tells_what_there_is(self):
        for words in (("user", "--help"), ("help", "user")):
            done = run(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, r"^usage: facteur user COMMAND")
            self.assertRegex(done.stdout, r"\n  user add +Make an account\n")
            self.assertNotIn("alias", done.stdout)

    def test_wrong_arguments(self):
        self.told(USAGE, "facteur user add ADDRESS", "user", "add")
        self.told(USAGE, "--quota needs a value", "user", "add", "x", "--quota")
        self.told(USAGE, "--json takes no value", "user", "list", "--json=yes")
        self.told(USAGE, "was given twice", "user", "list", "--json", "--json")
        self.told(USAGE, "options begin with two dashes", "user", "list", "-j")
        self.told(USAGE, "expected bash, zsh or fish", "completion", "csh")
        self.told(USAGE, "expected a number from 0 to 64540", "demo", "--port-base", "64541")

    def test_missing_configuration(self):
        self.told(NOINPUT, "there is no configuration /nowhere/f.conf", "status", "--config",
                  "/nowhere/f.conf")

    def test_no_arguments_show_the_overview(self):
        done = run()
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("usage: facteur COMMAND", done.stdout)


class Installation(unittest.TestCase):
    """A folder with a configuration and a directory."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="facteur-tool-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = self.folder / "facteur.conf"
        self.write()

    def write(self, more=""):
        self.config.write_text(f'data_dir = "{self.folder}/data"\nruntime_dir = "{self.folder}/run"\n'
                               f'hostname = mail.example.test\nsubmissions_listen = {{}}\n'
                               f'imaps_listen = {{}}\npop3s_listen = {{}}\n{more}')

    def do(self, *words, text=None, code=0):
        done = run(*words, text=text, config=self.config)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done.stderr if code else done.stdout

    def accounts(self):
        return json.loads(self.do("user", "list", "--json"))["accounts"]

    def directory(self, name):
        return (self.folder / "data/directory" / name).read_text()


class Configuration(Installation):
    def test_what_is_shown_is_a_configuration(self):
        self.write("message_size_max = \"10 MiB\"\nletterbox_dirs = {\"/srv/my mail\"}\n")
        shown = self.do("config", "show")
        self.assertIn('message_size_max = "10 MiB"\n', shown)
        again = self.folder / "again.conf"
        again.write_text(shown)
        self.assertEqual(run("config", "show", "--config", str(again)).stdout, shown)

    def test_errors_have_file_line_option_and_remedy(self):
        self.write("recipients_max = many\nvfry = all\n")
        told = self.do("config", "check", code=CONFIG)
        self.assertIn(f"{self.config}:7: recipients_max: expected a number from 100 to 1000", told)
        self.assertIn(f"{self.config}:8: vfry: there is no such option; did you mean vrfy?", told)

    def test_files_that_are_named_must_be_there(self):
        self.write('tls_certificate = "/nowhere/chain.pem"\ntls_key = "/nowhere/key.pem"\n')
        self.assertIn("/nowhere/chain.pem", self.do("config", "check", code=NOINPUT))

    def check(self, more, code=CONFIG):
        self.write(more)
        done = run("config", "check", config=self.config)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_what_a_start_would_stumble_over_is_told(self):
        for line, told in (
                ('smart_host = "foo bar"', 'smart_host: expected smtp:, lmtp:'),
                ('smart_host = "smtp:[a.example]:65536"', "smart_host: expected a port from 1 to 65535"),
                ('tables = {"a ldap2 x"}', "tables, entry 1: expected file, regex"),
                ('alias_tables = {"staff"}', "alias_tables: no table of 'tables' is called 'staff'"),
                ('programs = {"fax"}', "programs, entry 1: expected the name of a user"),
                ('programs = {"fax root /bin/true"}', "never run as root"),
                ('programs = {"fax nobody-here /bin/true"}', "no user 'nobody-here'"),
                ('programs = {"fax nobody /bin/not-here"}', "/bin/not-here cannot be run"),
                ('alias_programs_user = "nobody-here"', "alias_programs_user: this machine has no user"),
                ('dns_resolvers = {"foo"}', "dns_resolvers: expected the address of a resolver"),
                ('dns_stubs = {"foo"}', "dns_stubs: expected a zone and the address"),
                ('dns_trust_anchors = "/tmp"', "dns_trust_anchors: the file of trust anchors cannot be read"),
                ('dns_root_hints = "/not/here"', "dns_root_hints: the file of root hints cannot be read"),
                ('dns_resolvers = {"foo"}\ndns_stubs = {"foo"}', "dns_resolvers, dns_stubs, dns_trust_anchors, dns_root_hints: "),
                ('call_ahead = "two words"', 'call_ahead: expected a domain like example.org, not "two words"'),
                ('own_addresses = {"foo"}', "own_addresses: expected addresses like"),
                ('postmaster = "x"', "postmaster: expected an address"),
                ('socket_dirs = {"run"}', "socket_dirs: expected absolute paths"),
                ('subaddress_separator = "a"', "subaddress_separator: expected a sign"),
                ('smtp_listen = "127.0.0.1:587"\nsubmission_listen = "127.0.0.1:587"',
                 "127.0.0.1:587 stands in smtp_listen, too")):
            said = self.check(line + "\n")
            self.assertIn(told, said, line)
            self.assertNotIn(f"{self.config} is right", said)

    def test_a_row_of_the_transport_table_that_is_wrong_is_told(self):
        folder = self.folder / "data/directory"
        folder.mkdir(parents=True)
        (folder / "transports").write_text("a.example smtp:[192.0.2.1]\nb.example nonsense\n")
        self.assertIn("transports:2: expected smtp:, lmtp:", self.check(""))

    def test_what_is_odd_is_told_and_right(self):
        for line, told in (
                ('hostname = mail', "hostname: mail has no domain"),
                ('vrfy = all\nvrfy = refuse', "facteur.conf:8: vrfy has been set before; what line 7 says does not count"),
                ('smart_host = "smtp:[a.example] auth=us"', "has no line 'us USER SECRET'"),
                ('outbound_trust = "/not/here"', "outbound_trust: /not/here is not there"),
                ('srs_domain = "example.net"', "srs_domain: example.net is no domain of this server"),
                ('imap_shared_account = "all@example.net"', "there is no account all@example.net")):
            said = self.check(line + "\n", code=0)
            self.assertIn("warning: ", said)
            self.assertIn(told, said, line)
            self.assertIn("is right", said)

    def test_an_origin_that_is_no_domain_of_ours_is_told(self):
        """Only where it was not given: cron's mail for root would lead nowhere."""
        self.assertNotIn("origin", self.check("", code=0))
        self.do("domain", "add", "example.test")
        if not Path("/etc/mailname").exists():
            self.assertIn("goes to mail.example.test, which is no domain of this server", self.check("", code=0))
        self.assertIn("reaches nobody; say who gets it with: facteur alias add root@example.test",
                      self.check("origin = example.test\n", code=0))
        self.do("user", "add", "alice@example.test", "--no-password")
        self.do("alias", "add", "root@example.test", "alice@example.test")
        for line in ("origin = example.test\n", "origin = example.net\n", "local_submission = no\n"):
            self.assertNotIn("warning", self.check(line, code=0), line)

    def make_certificate(self, name, hostname="mail.example.test"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", f"/CN={hostname}", "-addext", f"subjectAltName=DNS:{hostname}",
                        "-keyout", self.folder / f"{name}.key", "-out", self.folder / f"{name}.pem"],
                       check=True, capture_output=True)

    def certificate(self, chain, key):
        return f'tls_certificate = "{self.folder}/{chain}.pem"\ntls_key = "{self.folder}/{key}.key"\n'

    def test_certificates_and_keys_are_looked_at(self):
        self.make_certificate("a")
        self.make_certificate("b", hostname="other.example.test")
        self.assertNotIn("warning", self.check(self.certificate("a", "a"), code=0))
        self.assertIn("the key does not belong to the first certificate", self.check(self.certificate("a", "b")))
        self.assertIn("not for mail.example.test", self.check(self.certificate("b", "b"), code=0))
        (self.folder / "b.key").write_text("no key\n")
        self.assertIn("the key is not PEM", self.check(self.certificate("b", "b")))
        names = self.certificate("a", "a") + f'tls_names = {{"*.example.org {self.folder}/a.pem {self.folder}/a.key"}}\n'
        self.assertNotIn("warning", self.check(names, code=0))
        dkim = f'dkim_keys = {{"s._domainkey.example.test {self.folder}/b.key"}}\n'
        self.assertIn("dkim_keys: the key is not PEM", self.check(dkim))

    def test_a_certificate_that_is_over_is_told(self):
        self.make_certificate("a")
        subprocess.run(["openssl", "x509", "-in", self.folder / "a.pem", "-signkey", self.folder / "a.key", "-days", "0",
                        "-out", self.folder / "a.pem"], check=True, capture_output=True)
        time.sleep(1.1) # its last second
        self.assertIn("the certificate expired", self.check(self.certificate("a", "a"), code=0))

    def test_right_is_told(self):
        self.do("config", "check")
        self.do("serve", "--check")

    def test_without_a_server(self):
        for words in (["status"], ["reload"], ["stop"], ["check"], ["mailbox", "list"]):
            self.assertIn("the server is not running", self.do(*words, code=UNAVAILABLE))


class Directory(Installation):
    def setUp(self):
        super().setUp()
        self.do("domain", "add", "Example.Test")
        self.do("user", "add", "Alice@example.test", "--password-stdin", "--quota", "2 GiB",
                "--full-name", 'Alice "A" Liddell', text="secret one\n")

    def test_an_account_is_made_and_changed(self):
        alice = self.accounts()[0]
        self.assertEqual(alice["address"], "alice@example.test")
        self.assertEqual(alice["quota"], 2 << 30)
        self.assertEqual(alice["full_name"], 'Alice "A" Liddell')
        said = self.do("user", "set", "alice", "--delivery", "maildir:/srv/alice", code=CONFIG)
        self.assertIn("letterbox_dirs", said)
        self.write('letterbox_dirs = {"/srv"}\n')
        self.do("user", "set", "alice", "--disable", "--delivery", "maildir:/srv/alice")
        alice = self.accounts()[0]
        self.assertFalse(alice["enabled"])
        self.assertEqual(alice["delivery"], "maildir:/srv/alice")
        self.assertEqual(alice["quota"], 2 << 30)

    def test_a_change_of_nothing_is_a_mistake(self):
        self.do("domain", "add", "example.test")
        self.do("user", "add", "bob@example.test", "--no-password")
        self.assertIn("say what is to change", self.do("user", "set", "bob@example.test", code=USAGE))
        self.assertIn("say what is to change",
                      self.do("user", "set", "--config", str(self.config), "bob@example.test", code=USAGE))
        self.do("user", "set", "bob@example.test", "--full-name", "")

    def test_secrets_are_kept_apart_and_hashed(self):
        secrets = self.folder / "data/directory/secrets"
        self.assertEqual(secrets.stat().st_mode & 0o777, 0o600)
        self.assertNotIn("secret one", secrets.read_text())
        self.assertIn("crypt=$y$", secrets.read_text())
        self.assertIn("installation key=", secrets.read_text())
        self.assertNotIn("$y$", self.directory("accounts"))

    def test_a_new_password_leaves_nothing_of_the_old(self):
        before = re.search(r"crypt=(\S+)", self.directory("secrets"))[1]
        self.do("user", "passwd", "alice", "--password-stdin", "--apop", text="told in the clear\n")
        after = self.directory("secrets")
        self.assertNotIn(before, after)
        self.assertIn("told in the clear", after)
        self.assertEqual(len(re.findall("^secret alice", after, re.M)), 1)

    def test_numbers_are_never_given_twice(self):
        self.do("user", "add", "bob@example.test", "--no-password")
        self.do("user", "remove", "bob", "--keep-mail")
        self.do("user", "add", "bob@example.test", "--no-password")
        self.assertEqual([a["id"] for a in self.accounts()], [1, 3])

    def test_refusals(self):
        add = ("user", "add")
        self.assertIn("there already", self.do(*add, "alice@example.test", "--no-password",
                                               code=CANTCREAT))
        self.assertIn("facteur domain add example.org", self.do(*add, "x@example.org",
                                                                "--no-password", code=DATAERR))
        self.assertIn("is no address", self.do(*add, "x y", "--no-password", code=USAGE))
        self.assertIn("no password", self.do(*add, "c@example.test", "--password-stdin", code=USAGE))
        self.assertIn("--quota: expected a size", self.do(*add, "c@example.test", "--no-password",
                                                          "--quota", "big", code=USAGE))
        self.assertIn("there is no account", self.do("user", "passwd", "zoe", "--password-stdin",
                                                     text="x\n", code=NOUSER))
        self.assertIn("server is not running", self.do("user", "remove", "alice", code=UNAVAILABLE))
        self.assertEqual(len(self.accounts()), 1)

    def test_the_hash_of_another_server_is_taken(self):
        add = ("user", "add", "bob@example.test", "--hash-stdin")
        for wrong in ("secret", "$9$x$y", "{MD5}rL0Y20zC+Fzt72VPzMSk2A=="):
            self.assertIn("no hash that is understood", self.do(*add, text=wrong + "\n", code=DATAERR))
            self.assertEqual(len(self.accounts()), 1)
        self.assertIn("leave out", self.do(*add, "--apop", text="$6$x$y\n", code=USAGE))
        sha = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
        self.do(*add, text="{SHA512-CRYPT}" + sha + "\n")
        [line] = [line for line in self.directory("secrets").splitlines() if line.startswith("secret bob@")]
        self.assertIn(sha, line)
        self.assertNotIn("scram", line)
        self.do("user", "passwd", "bob@example.test", "--password-stdin", text="another one\n")
        self.assertNotIn(sha, self.directory("secrets"))

    def told(self, *words, code=0):
        done = run(*words, config=self.config)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def test_an_alias_that_is_replaced_tells_whom_it_led_to(self):
        self.assertEqual(self.told("alias", "add", "info@example.test", "alice@example.test", "bob@far.test"),
                         "The alias is made.\n")
        self.assertEqual(self.told("alias", "add", "Info@example.test", "bob@far.test"),
                         "info@example.test led to: alice@example.test bob@far.test\nThe alias is changed.\n")

    def test_an_alias_that_leads_nowhere_is_warned_of(self):
        for members in (["loop@example.test"], ["nobody@example.test"]):
            self.assertIn("warning: mail for loop@example.test cannot be taken so",
                          self.told("alias", "add", "loop@example.test", *members))
        self.assertNotIn("warning", self.told("alias", "add", "loop@example.test", "alice@example.test"))

    def test_an_alias_in_a_domain_of_others_is_warned_of(self):
        for name in ("a@elsewhere.example", "@elsewhere.example"):
            self.assertIn("elsewhere.example is no domain of this server",
                          self.told("alias", "add", name, "alice@example.test"))
        self.assertNotIn("warning", self.told("alias", "add", "a@EXAMPLE.test", "alice@example.test"))

    def test_an_alias_of_who_has_gone_is_warned_of(self):
        self.do("user", "add", "carol@example.test", "--no-password")
        self.do("alias", "add", "info@example.test", "Carol@Example.Test", "alice@example.test")
        self.assertIn("the alias info@example.test still leads to carol@example.test",
                      self.told("user", "remove", "carol@example.test", "--keep-mail"))

    def domains(self):
        return {d["domain"]: d for d in json.loads(self.do("domain", "list", "--json"))["domains"]}

    def test_a_domain_keeps_what_is_not_named(self):
        self.assertIn("is changed", self.told("domain", "add", "example.test", "--postmaster", "alice@example.test"))
        self.assertIn("is there already", self.told("domain", "add", "EXAMPLE.test"))
        self.assertEqual(self.domains()["example.test"]["postmaster"], "alice@example.test")
        self.do("domain", "add", "example.test", "--postmaster", "")
        self.assertEqual(self.domains()["example.test"]["postmaster"], "")

    def test_names_of_another_domain_hide_nobody(self):
        self.do("domain", "add", "example.net")
        add = ("domain", "add", "--same-as")
        self.assertIn("has accounts", self.told(*add, "example.net", "example.test", code=DATAERR))
        self.do(*add, "example.test", "example.net")
        self.do("domain", "add", "example.org")
        self.assertIn("from itself", self.told(*add, "example.org", "example.org", code=DATAERR))
        self.assertIn("has its names from example.test", self.told(*add, "example.net", "example.org", code=DATAERR))
        self.do(*add, "example.org", "third.test")
        self.assertIn("third.test has its names from example.org",
                      self.told(*add, "example.test", "example.org", code=DATAERR))
        self.assertIn("third.test has its names from example.org",
                      self.told("domain", "remove", "example.org", code=DATAERR))
        self.do(*add, "", "third.test")
        self.do("alias", "add", "x@example.org", "alice@example.test")
        self.assertIn("still has aliases (1)", self.told("domain", "remove", "example.org"))

    def test_aliases_and_domains(self):
        self.do("alias", "add", "sales@example.test", "alice@example.test", "bob@elsewhere.test")
        aliases = json.loads(self.do("alias", "list", "--json"))["aliases"]
        self.assertEqual(aliases[0]["members"], ["alice@example.test", "bob@elsewhere.test"])
        self.assertIn("is an account", self.do("alias", "add", "alice@example.test", "x@y.test",
                                               code=CANTCREAT))
        self.assertIn("is an alias", self.do("user", "add", "sales@example.test", "--no-password",
                                             code=CANTCREAT))
        self.do("alias", "remove", "sales@example.test")
        self.assertEqual(json.loads(self.do("alias", "list", "--json"))["aliases"], [])
        self.do("domain", "add", "example.net", "--same-as", "example.test")
        self.assertIn("still has accounts", self.do("domain", "remove", "example.test", code=DATAERR))
        self.do("domain", "remove", "example.net")
        domains = json.loads(self.do("domain", "list", "--json"))["domains"]
        self.assertEqual([d["domain"] for d in domains], ["example.test"])

    def test_a_primary_tells_its_secondary_the_names(self):
        self.do("user", "add", "bob@example.test", "--no-password")
        self.do("alias", "add", "--list", "team@example.test", "bob@example.test")
        names = self.do("relay", "export", "example.test")
        self.assertEqual(sorted(names.split()),
                         ["abuse@example.test", "alice@example.test", "bob@example.test",
                          "team-owner@example.test", "team@example.test"])
        names = names.replace("example.test", "far.test")
        self.do("relay", "import", "far.test", "-", text=names)
        self.assertEqual(json.loads(self.do("relay", "list", "--json"))["relays"][0]["names"], 5)
        self.do("relay", "import", "far.test", "-", text="# names\n" + names.replace("team@far.test\n", ""))
        relays = json.loads(self.do("relay", "list", "--json"))["relays"]
        self.assertEqual(relays, [{"domain": "far.test", "listed": True, "fed": False, "names": 4}])
        # What is wrong changes nothing.
        for text in ("", "x@elsewhere.test\n", "bob@far.test\nno address\n"):
            self.do("relay", "import", "far.test", "-", text=text, code=DATAERR)
        self.assertEqual(json.loads(self.do("relay", "list", "--json"))["relays"], relays)
        self.do("relay", "import", "far.test", "-", text="@far.test\n")
        self.assertEqual(json.loads(self.do("relay", "list", "--json"))["relays"],
                         [{"domain": "far.test", "listed": False, "fed": False, "names": 0}])
        self.do("relay", "remove", "far.test")
        self.assertEqual(json.loads(self.do("relay", "list", "--json"))["relays"], [])
        self.do("relay", "export", "far.test", code=NOUSER)
        self.do("relay", "add", "example.test", code=CANTCREAT)

    def test_a_line_cut_off_by_a_crash_harms_nobody(self):
        with open(self.folder / "data/directory/accounts", "a", encoding="utf8") as file:
            file.write("account half@exa")
        done = run("user", "add", "bob@example.test", "--no-password", config=self.config)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"accounts:3: .*; correct the line, it is passed over")
        self.assertEqual([a["address"] for a in self.accounts()],
                         ["alice@example.test", "bob@example.test"])

    def test_many_changes_at_once_lose_none(self):
        environment = dict(os.environ, FACTEUR_CONFIG=str(self.config))
        running = [subprocess.Popen([FACTEUR, "user", "add", f"u{i}@example.test", "--no-password"],
                                    env=environment, stderr=subprocess.DEVNULL) for i in range(12)]
        self.assertEqual([p.wait() for p in running], [0] * 12)
        accounts = self.accounts()
        self.assertEqual(len(accounts), 13)
        self.assertEqual(len({a["id"] for a in accounts}), 13)


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(1 if bad else 0)
