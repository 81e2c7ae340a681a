# SPDX-License-Identifier: ISC
"""Debian's Postfix as a program of its own in a folder of its own: nothing of an installed one is touched."""
import os
import pwd
import subprocess
from pathlib import Path

from machine import wait_for_port

MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/lib
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions = permit_mynetworks, reject
in_flow_delay = 0
default_process_limit = 200
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
"""

MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
tlsmgr unix - - n 1000? 1 tlsmgr
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Instance:
    def __init__(self, folder, port, more):
        """`more`: what else stands in its main.cf."""
        self.folder, self.port, self.etc = Path(folder), port, Path(folder) / "postfix"
        for name in ("postfix", "queue", "lib"):
            (self.folder / name).mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(self.folder / "lib", owner.pw_uid, owner.pw_gid)
        (self.etc / "main.cf").write_text(MAIN.format(folder=self.folder) + more)
        (self.etc / "master.cf").write_text(MASTER.format(port=port))
        self.tell("set-permissions", check=False)

    def tell(self, command, check=True):
        subprocess.run(["postfix", "-c", self.etc, command], capture_output=True, check=check)

    def start(self):
        """The process above all others."""
        self.tell("start")
        wait_for_port(self.port)
        return int((self.folder / "queue/pid/master.pid").read_text())

    def stop(self):
        self.tell("stop", check=False)
