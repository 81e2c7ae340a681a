#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Tables that servers keep: OpenLDAP's slapd and PostgreSQL, each started here on loopback with a
password, asked by the daemon for aliases, stopped and started again under it."""
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from office import ALICE, BOB, Office, free_port, main, skip_all, wait_for

SECRET = "correct horse"


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Slapd:
    """ou=people with one entry."""

    SUFFIX = "dc=example,dc=test"

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "ldap").mkdir()
        (folder / "slapd.conf").write_text(f"""include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
disallow bind_anon
database mdb
directory {folder}/ldap
suffix "{self.SUFFIX}"
rootdn "cn=admin,{self.SUFFIX}"
rootpw "{SECRET}"
""")
        (folder / "start.ldif").write_text(f"""dn: {self.SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example

dn: uid=sales,{self.SUFFIX}
objectClass: inetOrgPerson
uid: sales@example.test
cn: Sales
sn: Sales
mail: {ALICE}
mail: {BOB}
""")
        subprocess.run(["slapadd", "-f", folder / "slapd.conf", "-l", folder / "start.ldif"],
                       check=True, capture_output=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["slapd", "-f", self.folder / "slapd.conf", "-h", f"ldap://127.0.0.1:{self.port}/",
             "-d", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for(lambda: is_open(self.port)), "slapd does not listen"

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Postgresql:
    """Names and targets in the table `aliases`. As root it must run as somebody else."""

    def __init__(self, folder):
        self.folder, self.port = folder / "pg", free_port()
        self.folder.mkdir(mode=0o700)
        self.programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.launcher = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.launcher = ["runuser", "-u", "postgres", "--"]
        password = folder / "password"
        password.write_text(SECRET + "\n")
        password.chmod(0o644)
        self.run("initdb", "-D", self.folder / "data", "-U", "mail", "-A", "scram-sha-256",
                 f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()
        self.sql("CREATE TABLE aliases (name text, target text);"
                 f"INSERT INTO aliases VALUES ('info@example.test', '{BOB}'), ('info@example.test', '{ALICE}'),"
                 f" ('slow@example.test', '{BOB}')")

    def run(self, program, *words, **more):
        subprocess.run([*self.launcher, f"{self.programs}/{program}", *words], check=True,
                       capture_output=True, cwd="/tmp", **more)

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run([*self.launcher, f"{self.programs}/pg_ctl", "-D", self.folder / "data", "-w",
                        "-l", self.folder / "log", "-o", options, "start"], check=True, cwd="/tmp",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")

    def sql(self, text):
        self.run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mail", "-d", "postgres", "-c", text,
                 env=dict(os.environ, PGPASSWORD=SECRET))


class Servers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="fo-servers-", dir="/tmp"))
        cls.folder.chmod(0o755)
        cls.slapd, cls.postgresql = Slapd(cls.folder), Postgresql(cls.folder)
        base = Slapd.SUFFIX
        cls.office = Office(config=f'''
tables = {{"people ldap ldap://127.0.0.1:{cls.slapd.port}/{base}?mail?sub?(uid=$1)",
    "crm postgresql postgresql://127.0.0.1:{cls.postgresql.port}/postgres SELECT target FROM aliases WHERE name = $1"}}
alias_tables = {{"people", "crm"}}
''')
        # Passwords are read when the processes begin.
        cls.office.stop()
        path = cls.office.folder / "data/directory/credentials"
        path.write_text(f"people cn=admin,{base} {SECRET}\ncrm mail {SECRET}\n")
        accounts = path.with_name("accounts").stat()
        os.chown(path, accounts.st_uid, accounts.st_gid)
        path.chmod(0o640)
        cls.office.start()

    @classmethod
    def tearDownClass(cls):
        cls.office.close()
        cls.slapd.stop()
        cls.postgresql.stop()
        shutil.rmtree(cls.folder)

    def ask(self, address):
        with self.office.smtp() as client:
            client.ehlo("client.test")
            client.mail("someone@elsewhere.test")
            return client.rcpt(address)[0]

    def test_mail_goes_where_servers_say(self):
        for address in ("sales@example.test", "info@example.test"):
            with self.office.smtp() as client:
                client.sendmail("someone@elsewhere.test", [address],
                                f"Subject: to {address}\r\n\r\nHello.\r\n")
            for who in (ALICE, BOB):
                self.office.find(f"to {address}", who)
        self.assertEqual(self.ask("nobody@example.test"), 550)

    def test_a_key_stays_a_key(self):
        for address in ("*@example.test", "sal*s@example.test", "\"sales)(uid=*\"@example.test",
                        "\"' OR 'a'='a\"@example.test"):
            with self.subTest(address):
                self.assertEqual(self.ask(address), 550)

    def test_a_server_that_goes_and_comes_back(self):
        for server, address in ((self.slapd, "sales@example.test"), (self.postgresql, "info@example.test")):
            with self.subTest(address):
                self.assertEqual(self.ask(address), 250)
                server.stop()
                self.assertEqual(self.ask(address), 451)
                server.start()
                self.assertTrue(wait_for(lambda a=address: self.ask(a) == 250))

    def test_a_query_that_waits_is_given_up(self):
        self.postgresql.sql("ALTER TABLE aliases RENAME TO real; CREATE VIEW aliases AS "
                            "SELECT name, target FROM real WHERE pg_sleep(60) IS NOT NULL")
        self.assertEqual(self.ask("slow@example.test"), 451)
        self.postgresql.sql("DROP VIEW aliases; ALTER TABLE real RENAME TO aliases")
        self.assertEqual(self.ask("slow@example.test"), 250)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    if not shutil.which("slapd") or not glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        skip_all("packages slapd and postgresql are missing")
    main()
