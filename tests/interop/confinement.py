#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What each process of a running server cannot do, tried inside it: as a debugger, which only root can
be to these processes, the test makes each of them ask for a file, a connection, a program, another
process's memory. The kernel must refuse, or end the process; the server must go on. Once started as
root, once as an ordinary user. Without root, or on another processor than x86-64, /proc is asked
what confinement each process is under. $FACTEUR names the program."""
import ctypes
import errno
import json
import os
import platform
import pwd
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

FACTEUR = os.path.realpath(os.environ.get("FACTEUR") or "build/src/tool/facteur")
PATIENCE_S = 90
EVERY_ROLE = {"parent", "smtp", "access", "auth", "route", "resolve", "deliver", "letterbox", "store", "index",
              "issuer", "keys"}
REACHING_OUT = {"resolve", "transport", "table", "issuer"}  # whose work is to connect: all else is refused them too
WITHOUT_FILES = {"smtp", "access", "deliver", "resolve", "issuer", "keys"}
# Calls that a role was never seen to make (src/host/linux/calls.txt), so that its filter refuses them, with arguments
# that would be refused another way if the filter let them pass.
ACCEPT4, SETSOCKOPT, MEMFD_CREATE, OPENAT, PREAD64, PWRITE64, FSYNC, RENAMEAT, SETRESUID = 288, 54, 319, 257, 17, 18, 74, 264, 117
DOORS, READ, WRITE = [ACCEPT4, SETSOCKOPT], [OPENAT, PREAD64], [PWRITE64, FSYNC, RENAMEAT]
NOT_NEEDED = {"smtp": READ + WRITE, "access": READ + WRITE, "keys": DOORS + READ + WRITE + [MEMFD_CREATE],
              "auth": DOORS + [MEMFD_CREATE], "route": DOORS + WRITE + [MEMFD_CREATE], "deliver": DOORS + READ + WRITE,
              "letterbox": DOORS, "index": DOORS, "store": [SETRESUID], "resolve": READ + WRITE, "issuer": READ + WRITE}
CAN_TRACE = os.geteuid() == 0 and platform.machine() == "x86_64"

# System calls of x86-64.
OPEN, SOCKET, CONNECT, FORK, EXECVE, KILL, PTRACE, CHROOT = 2, 41, 42, 57, 59, 62, 101, 161
PROCESS_VM_READV, MOUNT, SETUID, UNSHARE, BPF = 310, 165, 105, 272, 321
SEIZE, INTERRUPT, CONT, SINGLESTEP, GETREGS, SETREGS, DETACH = 0x4206, 0x4207, 7, 9, 12, 13, 17
WALL = 0x40000000


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in
                ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags"
                 " rsp ss fs_base gs_base ds es fs gs").split()]


libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def syscall_instruction(pid):
    """Where the process has the two bytes `syscall`: in its vdso there always is one."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith("[vdso]"):
            first, last = (int(n, 16) for n in line.split()[0].split("-"))
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(first)
                return first + memory.read(last - first).index(b"\x0f\x05")
    raise RuntimeError("no vdso")


def ask(pid, number, *arguments):
    """Makes the process do one system call: its result, or None when that was its end. Bytes among
    the arguments are put where its stack has room."""
    ptrace(SEIZE, pid)
    ptrace(INTERRUPT, pid)
    os.waitpid(pid, WALL)
    before, now = Registers(), Registers()
    ptrace(GETREGS, pid, ctypes.addressof(before))
    ctypes.pointer(now)[0] = before
    place = (before.rsp - 8192) & ~15
    values = []
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for value in arguments:
            if isinstance(value, bytes):
                memory.seek(place)
                memory.write(value)
                value, place = place, place + 256
            values.append(value)
    values += [0] * (6 - len(values))
    now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9 = values
    now.rax, now.orig_rax, now.rip = number, 2 ** 64 - 1, syscall_instruction(pid)
    ptrace(SETREGS, pid, ctypes.addressof(now))
    ptrace(SINGLESTEP, pid)
    _, status = os.waitpid(pid, WALL)
    if os.WIFSIGNALED(status) or (os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSYS):
        if os.WIFSTOPPED(status):
            ptrace(DETACH, pid, signal.SIGSYS)
        return None
    ptrace(GETREGS, pid, ctypes.addressof(now))
    # An interrupted wait of the loop is begun again: its registers are as they were.
    ptrace(SETREGS, pid, ctypes.addressof(before))
    ptrace(DETACH, pid)
    return ctypes.c_longlong(now.rax).value


def is_refused(result):
    return result is None or result in (-errno.EPERM, -errno.EACCES, -errno.ENOENT)


def status_of(pid):
    pairs = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: value.strip() for key, value in pairs}


class Confinement:
    """The cases; below, once for each way to start."""

    user = None

    # A server for each test: roles that have died often are started anew ever more slowly.
    def setUp(self):
        self.start()

    def tearDown(self):
        self.stop()

    @classmethod
    def start(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="facteur-confined-"))
        cls.folder.chmod(0o755)
        (cls.folder / "boxes").mkdir()
        for name in ("data", "run", "outside"):
            (cls.folder / name).mkdir()
        (cls.folder / "outside/secret").write_text("secret\n")
        (cls.folder / "outside/secret").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cls.port = probe.getsockname()[1]
        cls.config = cls.folder / "facteur.conf"
        cls.config.write_text(f"""hostname = mail.example.test
data_dir = {cls.folder}/data
runtime_dir = {cls.folder}/run
smtp_listen = 127.0.0.1:{cls.port}
letterbox_dirs = {{"{cls.folder}/boxes"}}
oauth_issuer = "https://id.example.test/"
oauth_jwks = "https://127.0.0.1:1/jwks"
processes = 1
""" + "".join(f"{name} = {{}}\n" for name in cls.other_listeners()))
        if cls.user:
            for path in [cls.folder, *cls.folder.rglob("*")]:
                os.chown(path, cls.user.pw_uid, cls.user.pw_gid)
        cls.log = open(cls.folder / "log", "wb")
        identity = {"user": cls.user.pw_uid, "group": cls.user.pw_gid, "extra_groups": []} if cls.user else {}
        cls.server = subprocess.Popen([cls.program(), "serve", "--config", str(cls.config)],
                                      stderr=cls.log, stdin=subprocess.DEVNULL, cwd="/", **identity)
        cls.wait_until_ready()

    @staticmethod
    def other_listeners():
        shown = subprocess.run([FACTEUR, "config", "show", "--default"], capture_output=True, text=True,
                               check=True).stdout
        return sorted(set(re.findall(r"^#?\s*(\w+_listen)\b", shown, re.M)) - {"smtp_listen"})

    @classmethod
    def program(cls):
        """A user who may not walk down to the build folder gets the programs where he can."""
        if not cls.user:
            return FACTEUR
        for path in Path(FACTEUR).parent.glob("facteur*"):
            if path.is_file():
                shutil.copy(path, cls.folder)
        return str(cls.folder / "facteur")

    @classmethod
    def stop(cls):
        cls.server.send_signal(signal.SIGTERM)
        code = cls.server.wait(PATIENCE_S)
        cls.log.close()
        text = (cls.folder / "log").read_text()
        shutil.rmtree(cls.folder)
        assert code == 0, f"exit code {code}: {text[-3000:]}"

    @classmethod
    def processes(cls):
        done = subprocess.run([FACTEUR, "status", "--json", "--config", str(cls.config)],
                              capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        return json.loads(done.stdout)["processes"] if done.returncode == 0 else []

    @classmethod
    def wait_until_ready(cls):
        late = time.monotonic() + PATIENCE_S
        while time.monotonic() < late:
            rows = cls.processes()
            if rows and all(row["state"] == "ready" and row["pid"] for row in rows):
                return {row["role"]: row for row in rows}
            if cls.server.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("not ready: " + (cls.folder / "log").read_text()[-3000:])

    def expect_refusal(self, what, roles, number, *arguments):
        """All these roles at once: so those that this ends are started anew side by side."""
        rows = self.wait_until_ready()
        for role in sorted(roles):
            result = ask(rows[role]["pid"], number, *arguments)
            self.assertTrue(is_refused(result), f"{role} can {what}: result {result}")

    def children(self):
        return set(self.wait_until_ready()) - {"parent"}

    def roles_that_reach_files(self):
        """Without Landlock in the kernel, the rights of the user are what is left: root's, for the
        letter boxes; those of whoever started the server."""
        if "landlock=none" not in self.wait_until_ready()["store"]["confinement"]:
            return set()
        return {"auth", "route", "store", "letterbox", "index"} if self.user else {"letterbox"}

    def test_every_role_runs_confined(self):
        rows = self.wait_until_ready()
        self.assertLessEqual(EVERY_ROLE, set(rows))
        users = []
        for role, row in rows.items():
            status = status_of(row["pid"])
            self.assertEqual((role, status["Seccomp"], status["NoNewPrivs"]), (role, "2", "1"))
            self.assertTrue(row["confinement"].endswith("seccomp=on"), row)
            if role not in ("parent", "letterbox") or self.user:
                self.assertEqual((role, int(status["CapEff"], 16)), (role, 0))
            users.append(status["Uid"].split()[0])
        if os.geteuid() == 0 and not self.user:
            # Two stay root, with few capabilities; each of the others is somebody of its own.
            self.assertEqual(users.count("0"), 2)
            self.assertEqual(len(set(users)), len(rows) - 1)
            self.assertEqual(int(status_of(rows["parent"]["pid"])["CapEff"], 16) >> 21 & 1, 0,
                             "the parent has CAP_SYS_ADMIN")

    def test_helpers_have_no_capabilities(self):
        """Those of auth, which hash what strangers give as passwords."""
        auth = self.wait_until_ready()["auth"]["pid"]
        helpers = Path(f"/proc/{auth}/task/{auth}/children").read_text().split()
        self.assertTrue(helpers)
        for helper in helpers:
            status = status_of(helper)
            self.assertEqual((int(status["CapEff"], 16), int(status["CapPrm"], 16), status["Seccomp"]), (0, 0, "2"))

    def expect_only_what_is_needed(self):
        rows = self.wait_until_ready()
        for role, numbers in NOT_NEEDED.items():
            for number in numbers:
                self.assertEqual(ask(rows[role]["pid"], number, 2 ** 64 - 1), -errno.EPERM, f"{role}, call {number}")

    def test_no_role_opens_a_file_that_is_not_its_own(self):
        if not CAN_TRACE:
            self.skipTest("needs root on x86-64")
        self.expect_only_what_is_needed()
        secret = str(self.folder / "outside/secret").encode() + b"\0"
        free = self.roles_that_reach_files()
        for path in (b"/etc/hostname\0", b"/proc/self/maps\0"):
            self.expect_refusal(f"open {path[:-1].decode()}", WITHOUT_FILES, OPEN, path, os.O_RDONLY)
        for path in (b"/etc/shadow\0", secret):
            self.expect_refusal(f"open {path[:-1].decode()}", self.children() - free, OPEN, path, os.O_RDONLY)

    def test_no_role_reaches_out(self):
        if not CAN_TRACE:
            self.skipTest("needs root on x86-64")
        self.expect_refusal("make a socket", self.children() - REACHING_OUT, SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
        address = b"\x02\x00" + self.port.to_bytes(2, "big") + b"\x7f\x00\x00\x01" + bytes(8)
        self.expect_refusal("connect", self.children() - REACHING_OUT, CONNECT, 0, address, 16)

    def test_no_role_runs_a_program_or_becomes_somebody(self):
        if not CAN_TRACE:
            self.skipTest("needs root on x86-64")
        self.expect_refusal("run a program", self.children(), EXECVE, b"/bin/true\0", 0, 0)
        self.expect_refusal("make a process", self.children(), FORK)
        self.expect_refusal("change its root", self.children(), CHROOT, b"/\0")
        self.expect_refusal("become root", self.children(), SETUID, 0)

    def test_no_process_looks_into_another(self):
        if not CAN_TRACE:
            self.skipTest("needs root on x86-64")
        self.expect_refusal("trace a process", self.children(), PTRACE, 16, os.getpid(), 0, 0)
        self.expect_refusal("read memory", self.children(), PROCESS_VM_READV, os.getpid(), 0, 0, 0, 0, 0)
        self.expect_refusal("signal a process", self.children(), KILL, os.getpid(), 0)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class StartedAsRoot(Confinement, unittest.TestCase):
    pass


class StartedAsUser(Confinement, unittest.TestCase):
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None


# The parent's attempts are its end, so each gets a server of its own.
@unittest.skipUnless(CAN_TRACE, "needs root on x86-64")
class Parent(unittest.TestCase):
    def test_not_even_the_parent_does_what_no_mail_system_does(self):
        for user in (None, pwd.getpwnam("nobody")):
            for number in (PTRACE, PROCESS_VM_READV, MOUNT, UNSHARE, BPF):
                world = type("World", (Confinement,), {"user": user})
                world.start()
                try:
                    result = ask(world.server.pid, number, 16, 1, 0, 0)
                    self.assertIsNone(result, f"parent, call {number}")
                finally:
                    world.server.kill()
                    world.server.wait(PATIENCE_S)
                    world.log.close()
                    shutil.rmtree(world.folder)


if __name__ == "__main__":
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=1, warnings="ignore").result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad - len(result.skipped), 0)} passed, {bad} failed")
    sys.exit(1 if bad or not result.testsRun else 0)
