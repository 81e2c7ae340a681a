# SPDX-License-Identifier: ISC
"""A program in a terminal of its own, and the person before it who reads and types."""
import fcntl
import os
import pty
import select
import struct
import termios
import time

READ_S = 60


class Terminal:
    """`wait_for` returns when the text has been written since the last key; `press` types."""

    def __init__(self, words, env, rows=40, columns=120):
        self.seen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(str(words[0]), [str(word) for word in words], env)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Reads what it still writes: it ends, or is made to."""
        late = time.monotonic() + READ_S
        while time.monotonic() < late and self.read(0.2) is not None:
            pass
        os.close(self.master)  # the terminal hangs up: SIGHUP
        os.waitpid(self.pid, 0)

    def read(self, seconds):
        """What came within the time; None at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side open
            return None
        self.seen += data
        return data or None

    def wait_for(self, text):
        late = time.monotonic() + READ_S
        while text.encode() not in self.seen:
            if time.monotonic() > late or self.read(0.2) is None:
                raise AssertionError(f"{text!r} was never shown, but {self.seen[-2000:]!r}")

    def press(self, keys):
        self.seen = b""
        os.write(self.master, keys.encode())
