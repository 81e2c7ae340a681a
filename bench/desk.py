#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""bench/desk.py [--messages N]: the writing desk as a person meets it, on a pseudo-terminal that is read by a terminal
emulator. From an address to mail that was read and answered, in a fresh HOME; then `facteur mail` over a folder of
100,000 messages: the first screen, the oldest message, a letter of a search. Prints rows for RESULTS.md.
$FACTEUR names the program."""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "interop"))
from office import ALICE, BOB, FACTEUR, Office, wait_for
from terminal import Screen, Terminal

LINE = "x" * 70 + "\n"


def seconds(since):
    return f"{time.monotonic() - since:.2f} s"


def environment(home):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    editor = home / "editor"
    editor.write_text('#!/bin/sh\necho "Yes, gladly." >>"$1"\n')
    editor.chmod(0o700)
    return dict(kept, HOME=str(home), LANG="C.UTF-8", EDITOR=str(editor))


def new_user(office, home):
    """Types what a person types who has an address, a password and the names of two servers."""
    env = environment(home)
    office.send("Lunch on Friday?", to=BOB, sender=ALICE, body=b"Shall we meet at noon?\r\n")
    begin = time.monotonic()
    words = [FACTEUR, "account", "add", BOB, "--trust", office.folder / "tls/chain.pem"]
    with Terminal(words, env) as person:
        for question, answer in (("server for incoming mail", f"imaps://localhost:{office.base + 993}"),
                                 ("server for outgoing mail", f"smtps://localhost:{office.base + 465}"),
                                 ("assword", office.people[BOB])):
            person.wait_for(question)
            person.press(answer + "\n")
    rows = [("an account made and tried", seconds(begin))]
    screen = Screen([FACTEUR, "mail"], env, 30, 100)
    screen.wait_for("Lunch on Friday?")
    rows.append(("and the list of mail is there", seconds(begin)))
    screen.press("\r")
    screen.wait_for("Shall we meet at noon?")
    rows.append(("and a message is read", seconds(begin)))
    screen.press("r")
    screen.wait_for("To:")
    screen.press("\r")
    screen.wait_for("Yes, gladly.")
    screen.press("y")
    wait_for(lambda: [m for m in office.messages(ALICE) if b"Yes, gladly." in m])
    rows.append(("and it is answered, and the answer is there", seconds(begin)))
    screen.press("qq")
    screen.end()
    return rows


def fill(office, home, count):
    box = home / "many.mbox"
    with open(box, "w", encoding="utf-8") as out:
        for n in range(count):
            out.write(f"From a@x Mon Jan  1 00:00:00 2024\nFrom: Writer {n % 977} <w{n % 977}@example.org>\nTo: <{BOB}>\n"
                      f"Subject: {'Re: ' if n % 3 else ''}matter {n // 3}\nMessage-ID: <{n}@example.org>\n"
                      + (f"In-Reply-To: <{n - n % 3}@example.org>\n" if n % 3 else "")
                      + f"Date: Mon, 01 Jan 2024 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02} +0000\n\n{LINE * 4}\n")
    office.tool("import", BOB, str(box), "--mailbox", "Many")


def ends(shown, subject):
    return any(line.rstrip().endswith(subject) for line in shown.splitlines())


def many(office, home, count):
    env = environment(home)
    fill(office, home, count)
    screen = Screen([FACTEUR, "mail"], env, 30, 100)
    screen.wait_for("Many")
    screen.press("c")
    screen.wait_for("Open folder:")
    rows = []
    newest, oldest = f"matter {(count - 1) // 3}", "matter 0"
    screen.press("Many")
    begin = time.monotonic()
    screen.press("\r")
    screen.wait_for(newest)
    rows.append(("the first screen", seconds(begin)))
    begin = time.monotonic()
    screen.press("*")
    screen.wait_until(lambda s: ends(s, oldest), "the oldest")
    rows.append(("from the newest to the oldest message", seconds(begin)))
    screen.press("=")
    screen.wait_for(newest)
    word = f"matter {count // 6}"
    screen.press("/" + word[:-1])
    begin = time.monotonic()
    screen.press(word[-1])
    screen.wait_until(lambda s: ends(s, word) and newest not in s, "what is looked for")
    rows.append(("a letter of a search, found by the server", seconds(begin)))
    screen.press("\x1b")
    screen.kill(9)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        home = Path(folder)
        office = Office()
        try:
            for title, rows in (("from an address to an answer", new_user(office, home)),
                                (f"a folder of {options.messages:,} messages", many(office, home, options.messages))):
                print(f"\n| {title} | time |\n|---|--:|")
                for row in rows:
                    print(f"| {row[0]} | {row[1]} |")
        finally:
            office.close(may_fail=True)


if __name__ == "__main__":
    main()
