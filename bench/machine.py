# SPDX-License-Identifier: ISC
"""What the benchmarks ask of the machine: CPU and memory of a server's processes, a quiet disk, equal conditions."""
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
WARM_BYTES = 4 << 30
BEGUN = time.monotonic()
is_quick = False  # a look whether it works: nothing waits long


def milliseconds(value):
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def rest(seconds):
    """Until processes have given back what they do not need at rest."""
    time.sleep(1 if is_quick else seconds)


def say(text):
    print(f"{time.monotonic() - BEGUN:4.0f} s  {text}", file=sys.stderr, flush=True)


def tree(pid):
    """The process and all below it."""
    children = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            fields = stat[stat.rindex(")") + 2:].split()
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        now = todo.pop()
        found.append(now)
        todo += children.get(now, [])
    return found


def cpu_seconds(pids):
    """User and system time of the trees, with that of children that have ended."""
    total = 0
    for root in pids:
        for pid in tree(root):
            try:
                stat = Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            total += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:15]))
    return total / TICKS


def cpu_ns(pid):
    """Exact, of a tree as it runs now: no process may end while it is counted."""
    total = 0
    for one in tree(pid):
        for task in Path(f"/proc/{one}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total


class Group:
    """A control group of the kernel's, for a server whose processes have it forget those that they begin: it counts
    them all. `seconds` is None where there is none (no cgroup2 is mounted, or may be written)."""
    number = 0

    def __init__(self, pid):
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        roots = [Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"]
        Group.number += 1
        self.path = roots[0] / f"facteur-bench-{os.getpid()}-{Group.number}" if roots else None
        try:
            if self.path:
                self.path.mkdir()
                (self.path / "cgroup.procs").write_text(str(pid))
        except OSError:
            self.close()

    def seconds(self):
        if not self.path:
            return None
        return int((self.path / "cpu.stat").read_text().split()[1]) / 1e6

    def close(self):
        try:
            if self.path:
                self.path.rmdir()
        except OSError:
            pass  # a process of it is still at its end: an empty group stays behind
        self.path = None


def pss_kib(pids):
    total = 0
    for root in pids:
        for pid in tree(root):
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


def wait_for_port(port, seconds=30, greeting=b""):
    """Until something listens there, and greets so."""
    end = time.time() + seconds
    while time.time() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                if not greeting or probe.recv(len(greeting)) == greeting:
                    return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"bench: nothing listens on port {port}")


def disk_operations():
    """Reads, writes, discards and flushes that all disks have done."""
    lines = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    return sum(int(fields[i]) for fields in lines for i in (3, 7, 14, 18) if i < len(fields))


def wait_for_disk():
    """Until files deleted before are gone from the disk, too: it answers slowly meanwhile."""
    for _ in range(1 if is_quick else 5):
        before = disk_operations()
        time.sleep(1)
        if disk_operations() - before < 20:
            return


def drop_caches():
    """Every case begins with the same memory, and none with dirty pages of the one before it."""
    os.sync()
    wait_for_disk()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    # A virtual machine pays for each page that it touches for the first time; neither server shall.
    subprocess.run([sys.executable, "-c", f"b'1' * ({WARM_BYTES // (16 if is_quick else 1)})"], check=True)


def sync_ms(folder, count=100):
    """What a write of 4 KiB takes here until it is on the disk: the middle of so many, into room that is there."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(bytes(4096 * count))
        os.fsync(file.fileno())
        for i in range(count):
            start = time.perf_counter()
            os.pwritev(file.fileno(), [b"x" * 4096], 4096 * i, os.RWF_DSYNC)
            times.append(time.perf_counter() - start)
    return sorted(times)[count // 2] * 1000
