# SPDX-License-Identifier: ISC
"""Runs a program and stays until all its descendants have ended, also those whose parents have: so their CPU time is
found below one process. usage: keeper.py PROGRAM ARGUMENT…"""
import ctypes
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
child = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child.pid, signal.SIGTERM))
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
