# SPDX-License-Identifier: ISC
"""Debian's Dovecot as another server, by one folder: certificates, people, Maildirs below `mail`. Its language
changed with 2.4 (Debian 13); the same is said in either."""
import functools
import re
import subprocess

COMMON = """protocols = {protocols}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = {ssl}
auth_mechanisms = plain login scram-sha-256
auth_username_chars =
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
default_login_user = dovenull
default_internal_user = dovecot
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = .
{mailboxes}}}
"""
SENT = "  mailbox Sent {\n    special_use = \\Sent\n  }\n"
UNTIL_2_3 = """ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = passwd-file
  args = {folder}/people
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
"""
FROM_2_4 = """ssl_server_cert_file = {folder}/cert.pem
ssl_server_key_file = {folder}/key.pem
mail_driver = maildir
mail_path = {folder}/mail/%{{user}}
passdb passwd-file {{
  passwd_file_path = {folder}/people
}}
userdb static {{
  fields {{
    uid = mail
    gid = mail
    home = {folder}/mail/%{{user}}
  }}
}}
"""


@functools.cache
def is_2_4():
    said = subprocess.run(["dovecot", "--version"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", said).groups())) >= (2, 4)


def service(name, ports):
    return f"service {name} {{\n" + "".join(
        f"  inet_listener {listener} {{\n    port = {port}\n  }}\n" for listener, port in ports.items()) + "}\n"


def write(folder, ports, ssl="required", prefix="", mailboxes="", capability=None, auth_socket=None):
    """Into FOLDER/dovecot.conf; `ports` by listener: imap, imaps, pop3, pop3s."""
    protocols = [name for name in ("imap", "pop3") if name in ports]
    version = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" if is_2_4() else ""
    text = version + (COMMON + (FROM_2_4 if is_2_4() else UNTIL_2_3)).format(
        folder=folder, protocols=" ".join(protocols), ssl=ssl, prefix=prefix, mailboxes=mailboxes)
    for name in protocols:
        text += service(name + "-login", {listener: ports[listener] for listener in (name, name + "s")})
    if auth_socket:
        text += f"service auth {{\n  unix_listener {auth_socket} {{\n    mode = 0666\n  }}\n}}\n"
    if capability:
        text += f"imap_capability = {capability}\n"
    (folder / "dovecot.conf").write_text(text)


def start(folder):
    return subprocess.Popen(["dovecot", "-F", "-c", folder / "dovecot.conf"], stderr=subprocess.DEVNULL)
