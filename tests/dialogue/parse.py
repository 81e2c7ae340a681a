# SPDX-License-Identifier: ISC
"""Reads a dialogue into steps; README.md has the language."""
import re


# Who can hold what is for some only. `virtual`: whose time costs nothing.
HELD_BY = {"engine": {"engine"}, "daemon": {"daemon", "town"}, "virtual": {"engine", "town"}}


class DialogueError(Exception):
    pass


class Step:
    def __init__(self, line, verb, arguments):
        self.line, self.verb, self.arguments = line, verb, arguments


class Dialogue:
    def __init__(self, path, case):
        self.path, self.case, self.steps = path, case, []
        self.only, self.only_reason = None, ""

    def settings(self):
        return {s.arguments["name"]: s.arguments["value"] for s in self.steps if s.verb == "set"}

    def skip_reason(self, mode):
        if self.only and mode not in HELD_BY[self.only]:
            return f"only {self.only}: {self.only_reason}"
        return None


def read_smtp(found):
    return {"count": int(found["count"] or 1), "code": found["code"],
            "is_multi": found["multi"] == "-", "enhanced": found["enhanced"],
            "is_refusal": found["not"] == "!", "pattern": found["pattern"]}


def read_send(found):
    return {"text": found["text"], "count": int(found["count"] or 1),
            "ends_line": found["kind"] == ":"}


def read_mailbox(found):
    number = found["number"]
    return {"address": found["address"], "count": 0 if number == "no" else int(number),
            "pattern": found["pattern"]}


PATTERN = r"(?: (?P<not>!)?/(?P<pattern>.*)/)?"
FORMS = [
    ("send", r"C(?:\*(?P<count>\d+))?(?P<kind>[:-])(?: (?P<text>.*))?", read_send),
    ("smtp", r"S(?:\*(?P<count>\d+))?: (?P<code>[2-5]\d\d)(?P<multi>-)?"
             r"(?: (?P<enhanced>[245]\.\d+\.\d+))?" + PATTERN, read_smtp),
    ("line", r"S: (?P<start>\+OK|-ERR|\+)" + PATTERN,
     lambda f: {"start": f["start"], "pattern": f["pattern"]}),
    ("tagged", r"S: (?P<tag>[a-z]+\d+) (?P<status>OK|NO|BAD)" + PATTERN,
     lambda f: {"tag": f["tag"], "status": f["status"], "pattern": f["pattern"],
                "is_refusal": f["not"] == "!"}),
    ("untagged", r"S: \*" + PATTERN, lambda f: {"pattern": f["pattern"]}),
    ("lines", r"S: \.\.\." + PATTERN,
     lambda f: {"pattern": f["pattern"], "is_refusal": f["not"] == "!"}),
    ("capture", r"capture (?P<name>[a-z]+) /(?P<pattern>.*)/",
     lambda f: {"name": f["name"], "pattern": f["pattern"]}),
    ("connect", r"connect (?P<service>\w+)(?: as (?P<name>\w+))?",
     lambda f: {"service": f["service"], "name": f["name"] or f["service"]}),
    ("on", r"on (?P<name>\w+)", lambda f: {"name": f["name"]}),
    ("set", r"set (?P<name>\w+) (?P<value>\S+)",
     lambda f: {"name": f["name"], "value": f["value"]}),
    ("closed", r"closed", lambda f: {}),
    ("close", r"close", lambda f: {}),
    ("end", r"end", lambda f: {}),
    ("stop", r"stop", lambda f: {}),
    ("compress", r"compress", lambda f: {}),
    ("starttls", r"starttls", lambda f: {}),
    ("wait", r"wait (?P<seconds>[\d.]+)s", lambda f: {"seconds": float(f["seconds"])}),
    ("auth", r"auth (?P<mechanism>[\w-]+) (?P<user>\S+) (?P<outcome>right|wrong)",
     lambda f: {"mechanism": f["mechanism"], "user": f["user"], "outcome": f["outcome"]}),
    ("password", r"password (?P<name>[a-z]+) of (?P<user>\S+)",
     lambda f: {"name": f["name"], "user": f["user"]}),
    ("apop", r"apop (?P<user>\S+) (?P<outcome>right|wrong)",
     lambda f: {"user": f["user"], "outcome": f["outcome"]}),
    ("deliver", r"deliver (?P<address>\S+) (?P<text>.+)",
     lambda f: {"address": f["address"], "text": f["text"]}),
    ("empty", r"empty (?P<address>\S+)", lambda f: {"address": f["address"]}),
    ("release", r"release (?P<address>\S+)", lambda f: {"address": f["address"]}),
    ("mailbox", r"mailbox (?P<address>\S+) has (?P<number>no|\d+) messages? with /(?P<pattern>.*)/",
     read_mailbox),
]


class Groups(dict):
    """Groups that a form does not have read as None."""

    def __missing__(self, key):
        return None


def parse_line(path, number, text):
    for verb, form, read in FORMS:
        found = re.fullmatch(form, text)
        if found:
            groups = Groups(found.groupdict())
            if verb == "send" and groups["text"] is None:
                groups["text"] = ""
            return Step(number, verb, read(groups))
    raise DialogueError(f"{path}:{number}: not understood: {text}")


def parse(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    title = re.fullmatch(r"# ([A-E]\d+) .+", lines[0]) if lines else None
    if not title:
        raise DialogueError(f"{path}:1: the first line must name the case: # A1 what it shows")
    dialogue = Dialogue(path, title.group(1))
    for number, text in enumerate(lines[1:], 2):
        if not text.strip() or text.startswith("#"):
            continue
        only = re.fullmatch(r"only (engine|daemon|virtual): (.+)", text)
        if only:
            dialogue.only, dialogue.only_reason = only.groups()
            continue
        dialogue.steps.append(parse_line(path, number, text))
    return dialogue
