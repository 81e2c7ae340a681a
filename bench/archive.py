#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Measures SEARCH BODY in an archive of many gigabytes, over IMAP, by a server of its own on loopback.

usage: bench/archive.py --facteur PROGRAM [--gigabytes N] [--folder FOLDER] [--keep] [--reindex]

Makes mail (10 GB unless told) and puts it into one mailbox by APPEND, from two connections: words that follow Zipf's
law, one message in twelve Chinese, a third with HTML beside the text, a tenth with an attachment. Each answer of a
search is compared with what the maker of the mail knows. Prints a table. Needs root to empty the page cache; room for
one and a half times the mail in FOLDER (/var/tmp unless told). A FOLDER that was kept is measured without being filled.
$BENCH_PORT_BASE moves its ports (26000).
"""
import argparse
import base64
import json
import multiprocessing
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path

from imap import Client
from machine import cpu_seconds, pss_kib, say, wait_for_port

BASE_PORT = int(os.environ.get("BENCH_PORT_BASE", "26000"))
MAKERS = 2
AT_ONCE = 20  # messages in an APPEND
WORDS = 150_000
BOX = "Paper"
WARM = 7  # times; the middle is told
LATE = 1500  # messages that come when all is indexed
# What is looked for, and how: (name, text, in how many messages it is planted).
ABSENT = [("absent word", "xylokarpazomenon"), ("absent word of usual letters", "sentertalo"),
          ("absent, Chinese, one character", "\u9f98"), ("absent, Chinese, two characters", "\u9f98\u9750"),
          ("absent, Chinese, three characters", "\u9f98\u9750\u9f49")]
RARE = [("rare word: in 12", "quovadimus", 12), ("rare, from the middle of a word: in 12", "ovadimu", 0),
        ("rare, Chinese, two characters: in 12", "\u9f8d\u9cf3", 12)]
PHRASE = "the harbour of bergen"  # in one of a thousand


class Maker:
    """Mail by chance; the same for the same seed."""

    def __init__(self, seed, words):
        self.chance = random.Random(seed)
        self.words, self.weights = words, list(accumulate(1 / (i + 3) for i in range(len(words))))
        self.signs = [chr(0x4E00 + (i * 7919) % 4000) for i in range(3000)]
        self.sign_weights = list(accumulate(1 / (i + 10) for i in range(len(self.signs))))
        self.number = seed << 32

    def text(self):
        octets = min(200_000, max(300, int(self.chance.lognormvariate(8.2, 0.9))))
        if self.chance.random() < 1 / 12:
            signs = self.chance.choices(self.signs, cum_weights=self.sign_weights, k=octets // 3)
            lines = ["".join(signs[i:i + 60]) + "\u3002" for i in range(0, len(signs), 60)]
        else:
            words = self.chance.choices(self.words, cum_weights=self.weights, k=octets // 6)
            lines = [" ".join(words[i:i + 11]) for i in range(0, len(words), 11)]
        if self.chance.random() < 0.001:
            lines.append(PHRASE)
        return lines

    def message(self, planted=""):
        """The octets, and the lines of its text, with the names of files."""
        self.number += 1
        lines = self.text() + ([planted] if planted else [])
        text = "\r\n".join(lines)
        name = self.chance.choice(self.words[:20000])
        head = (f"From: {name.title()} <{name}@bench.test>\r\nTo: Alice <alice@example.test>\r\n"
                f"Subject: {' '.join(self.chance.choices(self.words, cum_weights=self.weights, k=5))}\r\n"
                f"Message-ID: <{self.number}@bench.test>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n")
        plain = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text + "\r\n"
        kind = self.chance.random()
        if kind < 0.33:
            page = "".join(f"<p style='margin:0'>{line}</p>\r\n" for line in lines)
            plain = ("Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt\r\n" + plain + "--alt\r\nContent-Type: text/html; "
                     "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body>" + page + "</body></html>\r\n--alt--\r\n")
            lines = lines + lines  # it says it twice
        whole = (head + plain).encode()
        if kind > 0.9:
            octets = min(8_000_000, int(self.chance.lognormvariate(11.8, 1.1)))
            data = base64.encodebytes(self.chance.randbytes(octets)).replace(b"\n", b"\r\n")
            whole = (head.encode() + b"Content-Type: multipart/mixed; boundary=mix\r\n\r\n--mix\r\n" + plain.encode()
                     + b"--mix\r\nContent-Type: application/pdf; name=paper.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                     + data + b"--mix--\r\n")
            lines = lines + ["paper.pdf"]
        return whole, lines


def make_words(chance):
    """Consonants and vowels by turns, about as often as they are in French; the frequent ones are short."""
    words, seen = [], set()
    while len(words) < WORDS:
        length = 2 + len(words).bit_length() // 3 + chance.randrange(4)
        start = chance.randrange(2)
        word = "".join(chance.choice("eeeeeeaaaaiiiuuoo" if (k + start) % 2 else "ssssttttnnnnrrrrllllddmmccppvqfbghjxz")
                       for k in range(length))
        if word not in seen:
            seen.add(word)
            words.append(word)
    return words


def probes_of(words):
    """Of a language some words are everywhere, some here and there."""
    def signs(*numbers):
        return "".join(chr(0x4E00 + (number * 7919) % 4000) for number in numbers)
    return ([("frequent word", words[150]), ("word in five of a hundred", words[1500]), ("seldom word", words[20000]),
             ("from the middle of a frequent word", words[150][1:-1]), ("from the middle of a word in five of a hundred", words[1500][1:-1]),
             ("the end of a word and the beginning of another, both frequent", words[30][-2:] + " " + words[40][:2]),
             ("phrase of four words", PHRASE), ("phrase of two frequent words", words[12] + " " + words[20]),
             ("one letter", "e"), ("two letters", "re"),
             ("frequent, Chinese, one character", signs(1)), ("seldom, Chinese, one character", signs(2900)),
             ("frequent, Chinese, two characters", signs(1, 2)), ("seldom, Chinese, three characters", signs(90, 40, 7))]
            + [(name, text) for name, text, _ in RARE] + ABSENT)


def fill(seed, octets, user, password, words, result):
    """Appends so much; tells in which UIDs each probe stands."""
    maker, client, found, total, count = Maker(seed, words), Client(BASE_PORT + 143, user, password), {}, 0, 0
    probes = [text for _, text in probes_of(words)]
    planted = {maker.chance.randrange(max(2, octets // 60_000)): text
               for _, text, times in RARE for _ in range(times // MAKERS)}
    while total < octets:
        messages, texts = [], []
        for _ in range(AT_ONCE):
            message, lines = maker.message(planted.pop(count, ""))
            messages.append(b" () {%d+}\r\n%s" % (len(message), message))
            texts.append(" ".join(lines))
            total, count = total + len(message), count + 1
        answer = client.ask("APPEND " + BOX, b"".join(messages))
        first, last = map(int, re.search(rb"APPENDUID \d+ (\d+):(\d+)", answer).groups())
        assert last - first == AT_ONCE - 1
        for uid, text in enumerate(texts, first):
            for probe in probes:
                if probe in text:
                    found.setdefault(probe, set()).add(uid)
    for text in planted.values():
        sys.exit(f"bench: too few messages to plant {text}")
    client.close()
    result.put((count, total, found))


class Server:
    def __init__(self, folder, program):
        self.dir, self.program = folder / "facteur", program

    def start(self, *command):
        with open(f"{self.dir}.log", "ab") as log:
            self.process = subprocess.Popen([self.program, *(command or ("serve", "--config", self.dir / "facteur.conf"))],
                                            stdout=log, stderr=log)
        wait_for_port(BASE_PORT + 143)
        while not (self.dir / "credentials").exists():
            time.sleep(0.1)
        time.sleep(1)
        self.user, self.password = (self.dir / "credentials").read_text().split()[:2]

    def demo(self):
        self.start("demo", "--dir", self.dir, "--port-base", str(BASE_PORT))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def client(self):
        return Client(BASE_PORT + 143, self.user, self.password)

    def indexed(self):
        status = json.loads(subprocess.run([self.program, "status", "--json", "--config", self.dir / "facteur.conf"],
                                           capture_output=True, check=True).stdout)
        return sum(row["value"] for row in status["counters"] if row["role"] == "index" and row["counter"] == "bodies")

    def index_octets(self):
        return sum(path.stat().st_size for path in self.dir.rglob("index/*") if path.is_file())


def fill_archive(server, octets):
    chance = random.Random(1)
    words = make_words(chance)
    client = server.client()
    client.ask(f"CREATE {BOX}")
    client.close()
    result, begun, found, count, total = multiprocessing.Queue(), time.monotonic(), {}, 0, 0
    makers = [multiprocessing.Process(target=fill, args=(seed, octets // MAKERS, server.user, server.password, words, result))
              for seed in range(1, MAKERS + 1)]
    for maker in makers:
        maker.start()
    for _ in makers:
        some, size, uids = result.get()
        count, total = count + some, total + size
        for text, of_it in uids.items():
            found.setdefault(text, set()).update(of_it)
    for maker in makers:
        maker.join()
    return {"words": words, "count": count, "octets": total, "found": found, "seconds": time.monotonic() - begun}


def search(client, text):
    octets = text.encode()
    begun = time.perf_counter()
    answer = client.ask("UID SEARCH CHARSET UTF-8 BODY {%d+}\r\n" % len(octets), octets)
    seconds = time.perf_counter() - begun
    line = next(line for line in answer.split(b"\r\n") if line.startswith(b"* SEARCH"))
    return seconds, set(map(int, line.split()[2:]))


def check(found, wanted, name):
    if found != wanted:
        sys.exit(f"bench: {name}: {len(found)} found, {len(wanted)} there")


def remake_index(server, archive):
    server.stop()
    for path in server.dir.rglob("index/*"):
        path.unlink()
    server.start()
    index_all(server, archive)


def index_all(server, archive):
    """The first search has the account indexed: how long that takes, and what it costs."""
    begun, cpu = time.monotonic(), cpu_seconds([server.process.pid])
    client = server.client()
    client.ask(f"SELECT {BOX}")
    name, text = probes_of(archive["words"])[0]
    seconds, found = search(client, text)
    check(found, archive["found"].get(text, set()), name)
    say(f"the first search, without an index: {seconds:.1f} s")
    client.close()
    count, shown = 0, 0
    while count < archive["count"]:
        time.sleep(0.5)
        count = server.indexed()
        if count - shown > 20000:
            shown = count
            say(f"{count} of {archive['count']} indexed")
    archive["first_s"], archive["index_s"] = seconds, time.monotonic() - begun
    archive["index_cpu_s"] = cpu_seconds([server.process.pid]) - cpu


def measure(server, archive):
    rows = []
    for name, text in probes_of(archive["words"]):
        server.stop()
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
        server.start()
        client = server.client()
        client.ask(f"SELECT {BOX}")
        cold, found = search(client, text)
        check(found, archive["found"].get(text, set()), name)
        warm = sorted(search(client, text)[0] for _ in range(WARM))[WARM // 2]
        rows.append(f"| {name} | {len(found)} | {cold * 1000:.0f} ms | {warm * 1000:.1f} ms |")
        say(rows[-1])
        client.close()
    return rows


def deliver(server, maker, box, count):
    """Messages a second, and how long after the last the index had all of them; both with whatever else it does."""
    before, client = server.indexed(), server.client()
    messages = [maker.message()[0] for _ in range(count)]
    begun = time.monotonic()
    for message in messages:
        client.ask(f"APPEND {box} {{{len(message)}+}}\r\n", message)
    ended = time.monotonic()
    lag = None
    while box == BOX and (lag is None or server.indexed() < before + count):
        time.sleep(0.1)
        lag = time.monotonic() - ended
    client.close()
    return count / (ended - begun), lag


def report(archive, rows, late, server):
    texts = server.index_octets()
    return ["### SEARCH BODY in an archive", "",
            f"{archive['octets'] / 1e9:.1f} GB in {archive['count']:,} messages of one mailbox, made by `bench/archive.py`: words that follow Zipf's law, one "
            "message in twelve Chinese, a third with HTML beside the text, a tenth with an attachment. Every answer is compared with what the maker of the "
            "mail knows. Cold: the server was just started and the page cache emptied, SELECT is done. Warm: the middle of seven.", "",
            "| what is sought | found in | cold | warm |", "|---|--:|--:|--:|", *rows, "",
            f"The index: {texts / 1e9:.2f} GB. The first search of the account, without it, took {archive['first_s']:.1f} s, and had all indexed in "
            f"{archive['index_s']:.0f} s ({archive['count'] / archive['index_s']:.0f} messages a second, {archive['index_cpu_s'] / archive['count'] * 1e6:.0f} µs of CPU "
            f"each, in all processes). Filled in {archive['seconds']:.0f} s by {MAKERS} connections that made the mail meanwhile.", "",
            *late]


def late_mail(server, archive):
    """Mail for an account that is indexed, and for one that is not."""
    maker = Maker(99, archive["words"])
    other = Server(server.dir.parent, server.program)
    other.user, other.password = (server.dir / "credentials").read_text().split()[2:4]
    other.process = server.process
    rates, lags = {BOX: [], "INBOX": []}, []
    for _ in range(3):
        for one, box in ((server, BOX), (other, "INBOX")):
            rate, lag = deliver(one, maker, box, LATE // 3)
            rates[box].append(rate)
            lags += [lag] if lag is not None else []
    with_index, without = (sorted(rates[box])[1] for box in (BOX, "INBOX"))
    return [f"{LATE // 3} messages one after another by APPEND, three times: {with_index:.0f} a second to this account, {without:.0f} to one that nobody has "
            f"searched, whose mail is not indexed; {sorted(lags)[1]:.1f} s after the last was answered, the index had all. Until then SEARCH reads what is missing."]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--facteur", required=True, type=lambda name: Path(name).resolve())
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--reindex", action="store_true", help="throw the index of a FOLDER that was kept away, measure that, too")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="archive-", dir="/var/tmp"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    server, known = Server(folder, options.facteur), folder / "known"
    try:
        if known.exists():
            archive = pickle.loads(known.read_bytes())
            server.start()
        else:
            server.demo()
            archive = fill_archive(server, int(options.gigabytes * 1e9))
            say(f"{archive['octets'] / 1e9:.1f} GB, {archive['count']} messages in {archive['seconds']:.0f} s")
            known.write_bytes(pickle.dumps(archive))
        if "index_s" not in archive or options.reindex:
            remake_index(server, archive)
            known.write_bytes(pickle.dumps(archive))
        memory = pss_kib([server.process.pid])
        rows = measure(server, archive)
        lines = report(archive, rows, late_mail(server, archive), server)
        say(f"{memory} KiB before, {pss_kib([server.process.pid])} KiB after")
        print("\n".join(lines))
    finally:
        server.stop()
        if not options.keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
