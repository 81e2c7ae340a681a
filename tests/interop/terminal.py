# SPDX-License-Identifier: ISC
"""A program in a terminal of its own, and the person before it who reads and types."""
import fcntl
import importlib.util
import os
import pty
import select
import signal
import struct
import sys
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
        if self.master < 0:
            return
        late = time.monotonic() + READ_S
        while time.monotonic() < late and self.read(0.2) is not None:
            pass
        os.close(self.master)  # the terminal hangs up: SIGHUP
        self.master = -1
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


def emulator(columns, rows):
    """(screen, stream) of Debian's python3-pyte, also for another Python than Debian's, with three
    things that xterm does and pyte does not: scrolling up and down (SU, SD), repeating (REP)."""
    if not importlib.util.find_spec("pyte"):
        sys.path.append("/usr/lib/python3/dist-packages")
    pyte = importlib.import_module("pyte")

    class Grid(pyte.Screen):
        def draw(self, data):
            super().draw(data)
            self.last = data[-1:]

        def scroll(self, count, remove_at, insert_at):
            before = self.cursor.x, self.cursor.y
            top, bottom = self.margins or (0, self.lines - 1)
            for _ in range(count or 1):
                self.cursor.y = (top, bottom)[remove_at]
                self.delete_lines(1)
                self.cursor.y = (top, bottom)[insert_at]
                self.insert_lines(1)
            self.cursor.x, self.cursor.y = before

        def scroll_up(self, count=1):
            self.scroll(count, 0, 1)

        def scroll_down(self, count=1):
            self.scroll(count, 1, 0)

        def repeat(self, count=1):
            self.draw(self.last * (count or 1))

    class Stream(pyte.ByteStream):
        csi = dict(pyte.ByteStream.csi, S="scroll_up", T="scroll_down", b="repeat")
        events = pyte.ByteStream.events | {"scroll_up", "scroll_down", "repeat"}

    grid = Grid(columns, rows)
    return grid, Stream(grid)


class Screen(Terminal):
    """The same with a terminal emulator (pyte): what is on the screen, not what was written."""

    def __init__(self, words, env, rows=24, columns=80):
        self.grid, self.emulator = emulator(columns, rows)
        super().__init__(words, dict(env, TERM="xterm-256color"), rows, columns)

    def read(self, seconds):
        data = super().read(seconds)
        if data:
            self.emulator.feed(data)
        return data

    def __exit__(self, *_):
        """The terminal is closed under it."""
        if self.master < 0:
            return
        os.close(self.master)
        self.master = -1
        os.waitpid(self.pid, 0)

    def kill(self, how):
        os.kill(self.pid, how)
        self.__exit__()

    def end(self):
        """Reads until it has ended by itself; its exit code."""
        late = time.monotonic() + READ_S
        while self.read(0.2) is not None:
            if time.monotonic() > late:
                raise AssertionError(f"it does not end:\n{self.text()}")
        os.close(self.master)
        self.master = -1
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def lines(self):
        """The rows as a person sees them: the cell right of a wide character is part of it."""
        return ["".join(row[column].data for column in range(self.grid.columns)).rstrip()
                for row in (self.grid.buffer[i] for i in range(self.grid.lines))]

    def text(self):
        return "\n".join(self.lines())

    def wait_until(self, fits, what):
        late = time.monotonic() + READ_S
        while not fits(self.text()):
            if time.monotonic() > late or self.read(0.1) is None:
                raise AssertionError(f"{what} was never shown, but\n{self.text()}")

    def wait_for(self, text):
        self.wait_until(lambda shown: text in shown, repr(text))

    def wait_without(self, text):
        self.wait_until(lambda shown: text not in shown, f"no {text!r}")

    def resize(self, rows, columns):
        self.grid.resize(rows, columns)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def click(self, row, column, times=1):
        """The left button, as xterm tells of it (SGR, 1006)."""
        self.press(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m" * times)
