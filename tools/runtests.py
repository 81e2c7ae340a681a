#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Runs the meson tests of a build folder and the scripts of tests/interop, and counts them.

usage: runtests.py BUILD_FOLDER [SUITE…]
An interop script that fails beside others is run once more when all others are done, alone; what it
wrote the first time is shown whatever comes of that, and the last lines name it.
A test that says how many cases it has (cmocka's summary, TAP, or a line "N passed, N failed") counts
as that many; any other counts as one. What a failing test wrote is shown. The last line is
"N passed, N failed"; exit code 1 when any failed.
"""
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTEROP_TIMEOUT_S = 300
BEGIN_WITH = ("sync.py", "attack_web.py", "exchange.py", "lab.py", "sync_kill.py", "imap_attack.py") # the longest: none is left alone at the end
SHOWN_LINES = 60
SKIPPED = 77


def count_cases(text):
    """(passed, failed) as the output tells it, or None."""
    line = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    if line:
        return sum(int(p) for p, _ in line), sum(int(f) for _, f in line)
    cmocka = re.findall(r"\[  PASSED  \] (\d+) test\(s\)", text)
    if cmocka:
        failed = re.findall(r"\[  FAILED  \] (\d+) test\(s\)", text)
        return sum(map(int, cmocka)), sum(map(int, failed))
    if re.search(r"^1\.\.\d+", text, re.M):
        skips = len(re.findall(r"^ok\b.*# SKIP", text, re.M | re.I))
        return len(re.findall(r"^ok\b", text, re.M)) - skips, len(re.findall(r"^not ok\b", text, re.M))
    return None


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.repeated = []

    @staticmethod
    def show(name, text, seconds):
        print(f"\n---- {name} failed after {seconds:.1f} s; the end of what it wrote:")
        print("\n".join(text.splitlines()[-SHOWN_LINES:]))
        print("----", flush=True)

    def add(self, name, is_good, text, seconds):
        counted = count_cases(text)
        passed, failed = counted if counted else (1 if is_good else 0, 0)
        if not is_good and failed == 0:
            failed = 1
        if is_good and failed:
            is_good = False
        self.passed += passed
        self.failed += failed
        if not is_good:
            self.show(name, text, seconds)
        else:
            print(f"ok {name}: {passed} ({seconds:.1f} s)", flush=True)


def run_meson(build, suites, tally):
    log = build / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--timeout-multiplier", "4",
               "--num-processes", str(os.cpu_count() or 1)]
    for suite in suites:
        command += ["--suite", suite]
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0",
                       UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=False)
    if not log.is_file():
        print("meson test did not run; try: " + " ".join(command))
        tally.failed += 1
        return
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        name = entry["name"].split(" / ")[-1]
        if entry["result"] == "SKIP":
            tally.skipped += 1
            print(f"skipped {name}")
            continue
        text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
        tally.add(name, entry["result"] in ("OK", "EXPECTEDFAIL"), text, entry["duration"])


def run_script(script, environment):
    """(exit code, text, seconds) of one script."""
    start = time.monotonic()
    try:
        done = subprocess.run([str(script)], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=INTEROP_TIMEOUT_S, check=False)
        code, text = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        code, text = 1, (late.stdout or b"").decode(errors="replace") + "\ntimed out"
    return code, text, time.monotonic() - start


def run_interop(build, tally):
    """Each script has servers of its own and waits most of the time: two for each processor at once."""
    environment = dict(os.environ, FACTEUR=str(build / "src" / "tool" / "facteur"))
    scripts = [p for p in sorted((ROOT / "tests" / "interop").glob("*"), key=lambda p: (p.name not in BEGIN_WITH, p.name))
               if p.suffix in (".py", ".sh") and os.access(p, os.X_OK)]
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        runs = [pool.submit(run_script, script, environment) for script in scripts]
        for script, run in zip(scripts, runs):
            code, text, seconds = run.result()
            if code == SKIPPED:
                tally.skipped += 1
                print(f"skipped interop/{script.name}")
            elif code == 0:
                tally.add(f"interop/{script.name}", True, text, seconds)
            else:
                tally.show(f"interop/{script.name}", text, seconds)
                tally.repeated.append(script)
    for script in tally.repeated:
        code, text, seconds = run_script(script, environment)
        tally.add(f"interop/{script.name}, once more and alone", code == 0, text, seconds)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, suites = Path(sys.argv[1]).resolve(), sys.argv[2:]
    tally = Tally()
    meson_suites = [s for s in suites if s != "interop"]
    if meson_suites or not suites:
        run_meson(build, meson_suites, tally)
    if not suites or "interop" in suites:
        run_interop(build, tally)
    if tally.skipped:
        print(f"{tally.skipped} skipped")
    for script in tally.repeated:
        print(f"interop/{script.name} failed beside others and was run once more")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
