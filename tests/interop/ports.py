# SPDX-License-Identifier: ISC
"""Ports for the servers of tests: free ones, each kept until the script that took it ends, so that scripts which
run at the same time, also from other copies of the project, do not meet."""
import fcntl
import os
import socket
import tempfile
from pathlib import Path

PORTS = (24, 25, 110, 465, 587, 995, 143, 993)

_reserved = []


def _reserve(port):
    """Whether `port` is this script's until it ends: the scripts that run beside it look here too."""
    folder = Path(tempfile.gettempdir()) / f"fo-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = open(folder / str(port), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _reserved.append(lock)
    return True


def _is_free(port):
    """By TCP and by UDP. Connections that have just ended (TIME_WAIT) do not make it unfit."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def _first_free(ports, offsets):
    """Begun at different places by scripts that run side by side."""
    for place in range(len(ports)):
        port = ports[(place + os.getpid() * 7) % len(ports)]
        if all(_is_free(port + offset) for offset in offsets) and _reserve(port):
            return port
    raise RuntimeError("no free ports")


# Both ranges lie below the ports that the kernel gives to clients, which come and go.

def free_port_base():
    """A number that can be added to all ports of the demo."""
    return _first_free(range(11000, 31500, 500), PORTS)


def free_port():
    """A single port for another server, free by TCP and UDP, this script's own."""
    return _first_free(range(32000, 32768), (0,))
