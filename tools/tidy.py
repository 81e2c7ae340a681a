#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Checks what the compiler cannot: layers, sizes, headers, words. One fast run over the tree.

usage: tidy.py [--order] [FOLDER]
Prints one line FILE:LINE: what is wrong, for each thing; exit code 1 when there is any.
--order prints the rooms, lowest first, as their includes have it.
"""
import ast
import fnmatch
import os
import re
import sys
from pathlib import Path

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 800
README_LINES_MAX = 40
COLUMNS_MAX = 100

SKIPPED = re.compile(r"^(\.git|build[^/]*|var)(/|$)|/__pycache__(/|$)|/corpus/")
SOURCES = (".c", ".h", ".def", ".py", ".sh", ".notes", ".build", ".dialogue")

# Rooms whose code runs in the world; all others take bytes and give bytes.
WORLD = ("host", "role/parent", "tool", "client", "sync")
IO_HEADERS = re.compile(r"^(sys/(?!types\.h)|netinet/|net/|linux/|unistd|fcntl|dirent|poll|signal|"
                        r"pthread|threads|netdb|pwd|grp|termios|syslog|sched|ifaddrs)")

# Who may know a library: paths that may include its headers. Public headers never do.
LIBRARIES = {
    r"gpgme\.h": ("src/openpgp/gnupg.c",),
    r"unbound\.h": ("src/dns/resolver.c",),
    r"confuse\.h": ("src/config/parse.c",),
    r"uv\.h": ("src/host/linux/*",),
    r"seccomp\.h": ("src/host/linux/*",),
    r"lmdb\.h": ("src/mailbox/*.c", "src/table/lmdb.c", "src/table/tests/*"),
    r"xxhash\.h": ("src/base/hash.c",),
    r"zstd\.h": ("src/mailbox/*.c",),
    r"sqlite3\.h": ("src/search/index*", "src/table/sqlite.c", "src/table/tests/*"),
    r"pcre2\.h": ("src/table/regex.c",),
    r"libpq-fe\.h": ("src/table/postgresql.c",),
    r"ldap\.h": ("src/table/ldap.c",),
    r"openssl/.*": ("src/tls/*", "src/smime/*.c", "src/smime/openssl_private.h", "src/sasl/*.c", "src/token/*", "src/directory/*.c", "src/role/auth/*.c", "bench/load.c"),
    r"gsasl\.h": ("src/sasl/*.c", "src/sasl/tests/*"),
    r"zlib\.h": ("src/imap/compress.c", "src/imap/tests/server_test.c", "src/dsn/tls_report.c",
                 "src/dsn/tests/tls_report_test.c"),
    r"sodium(/.*)?\.h": ("src/directory/*.c", "src/routing/srs.c", "src/sasl/*.c",
                           "src/dns/tests/resolver_test.c"),
    r"crypt\.h": ("src/directory/*.c",),
    r"security/.*": ("src/role/auth/*.c", "src/directory/*.c", "src/host/linux/*.c"),
    r"jansson\.h": ("src/tool/json.c", "src/token/*"),
    r"n?curses(w/.*)?\.h": ("src/tool/terminal/display.c",),
    r"expat\.h": ("src/tool/mail/autoconfig.c",),
    r"iconv\.h": ("src/text/*.c",),
    r"(unistr|uninorm|unicase|uniwidth|unictype|unitypes|uniconv|unigbrk|unistring/.*)(\.h)?":
        ("src/text/*.c", "src/sasl/*.c", "src/directory/*.c"),
    r"idn2\.h": ("src/text/*.c", "src/sasl/*.c", "src/directory/*.c"),
    r"stringprep\.h": ("src/sasl/*.c",),
    r"gmime/.*|glib.*": ("*/tests/*", "bench/*", "tests/*"),
    r"cmocka\.h": ("*/tests/*", "tests/*"),
    r"sanitizer/.*": ("src/base/*", "src/host/*", "*/tests/*"),
}
STANDARD = re.compile(r"^(assert|ctype|errno|float|inttypes|limits|locale|math|setjmp|stdalign|stdarg|"
                      r"stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|uchar|wchar|"
                      r"endian|getopt|sysexits|arpa/inet|sys/types|langinfo|malloc|emmintrin|immintrin|"
                      r"cpuid|x86intrin|arm_neon|fnmatch|glob|libgen|ftw|spawn|utime|pty|ucontext)\.h$")

# Scripts that are lists of what they write, one entry after another: cut, they would not be clearer.
LISTS = ("tests/corpus/make_messages.py",)

# In halves, so that no search for them ends here.
BANNED_WORDS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(home/(?!\*)\w|root/|Users/|work/|mnt/)")
DECLARATION = re.compile(r"^(?!typedef|static|extern \"C\"|#|struct \w+ \{|enum|union)[A-Za-z_].*\b(\w+)\(")
# Functions whose name says all.
SPEAKING = re.compile(r"^const char \*\w+_name\(|^void \w+_(close|finish)\(")
# Takes bytes that others wrote: a fuzz target must name it, or the one that it is reached through.
READER = re.compile(r"\b(\w+_(?:parse|decode|feed|take)(?:_\w+)?)\(([^;{}]*)\);")
REACHED = {
    "src/base/*": "slice_of", "src/imap/*": "lobby_say", "src/pop3/*": "pop3_server_feed", "src/sasl/*": "sasl_server_feed",
    "src/config/*": "config_parse", "src/directory/*": "directory_parse", "src/routing/transports.h": "routing_transports_parse",
    "src/envelope/path.h": "envelope_path_take_forward", "src/envelope/status.h": "envelope_status_take",
    "src/message/lexer.h": "address_list_parse", "src/message/rewrite.h": "rewrite_header", "src/mime/parameter.h": "mime_content_type_parse",
    "src/mime/content_type.h": "mime_tree_parse", "src/mime/decode.h": "mime_decoder_next",
    "src/text/utf8.h": "utf8_put_repaired", "src/token/json.h": "token_verify",
}


class Tree:
    def __init__(self, root):
        self.root, self.problems = root, []
        self.files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
        self.files = [f for f in self.files if not SKIPPED.search(f)]
        self.known = set(self.files)
        self.text = {}
        for name in self.files:
            if name.endswith(SOURCES) or name in ("run", "test", ".ci/run") or re.match(r"(tools|bench)/[\w-]+$", name):
                self.text[name] = (root / name).read_text(errors="replace")
        self.rooms = sorted({f.split("/")[1] for f in self.files if f.startswith("src/") and f.count("/") > 1})
        self.edges = {room: set() for room in self.rooms}

    def problem(self, name, line, what):
        self.problems.append((name, line, what))

    def lines(self, name):
        return enumerate(self.text[name].splitlines(), 1)


def room_of(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def is_test(name):
    return "/tests/" in name or name.startswith(("tests/", "bench/"))


def is_c(name):
    return name.endswith((".c", ".h"))


def patterns_for(tree, name):
    """What a file may include: its nearest .may_include, and for tests the one above it too."""
    patterns, folder = [], name.rsplit("/", 1)[0]
    while folder and folder != "src":
        path = tree.root / folder / ".may_include"
        if path.is_file():
            patterns += [l.strip() for l in path.read_text().splitlines()
                         if l.strip() and not l.startswith("#")]
            if not folder.endswith("/tests"):
                break
        folder = folder.rsplit("/", 1)[0] if "/" in folder else ""
    return patterns


def check_own_include(tree, name, number, path):
    room = room_of(name)
    if room is None:
        return
    target = path.split("/")[0]
    if not any(fnmatch.fnmatch(path, p) for p in patterns_for(tree, name)):
        tree.problem(name, number, f"includes {path}, which src/{room}/.may_include does not list")
    made = target == "note" and f"src/note/{path.split('/')[-1][:-2]}.notes" in tree.known
    made = made or f"src/{path[:-2]}.py" in tree.known
    if f"src/{path}" not in tree.known and path not in tree.known and not made:
        tree.problem(name, number, f"includes {path}, which does not exist (name it from src/ on)")
    if target in tree.edges and target != room and not is_test(name):
        tree.edges[room].add(target)


def check_system_include(tree, name, number, path):
    for library, places in LIBRARIES.items():
        if re.fullmatch(library, path):
            if not any(fnmatch.fnmatch(name, place) for place in places):
                tree.problem(name, number, f"includes <{path}>; only {', '.join(places)} may know that library")
            return
    inside = name[len("src/"):]
    if STANDARD.match(path) or is_test(name) or not name.startswith("src/"):
        return
    if not any(inside.startswith(room + "/") for room in WORLD):
        what = "enters the kernel" if IO_HEADERS.match(path) else "is not standard C"
        tree.problem(name, number, f"includes <{path}>, which {what}; only {', '.join(WORLD)} may")


def check_includes(tree, name):
    for number, line in tree.lines(name):
        found = re.match(r'\s*#\s*include\s+(["<])([^">]+)', line)
        if found and found[1] == '"':
            check_own_include(tree, name, number, found[2])
        elif found:
            check_system_include(tree, name, number, found[2])


def check_sizes(tree, name):
    start = None
    for number, line in tree.lines(name):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            if number - start + 1 > FUNCTION_LINES_MAX:
                tree.problem(name, start, f"a function of {number - start + 1} lines; at most {FUNCTION_LINES_MAX}")
            start = None
        if len(line) > COLUMNS_MAX:
            tree.problem(name, number, f"{len(line)} columns; at most {COLUMNS_MAX}")
    if number > FILE_LINES_MAX:
        tree.problem(name, number, f"{number} lines; at most {FILE_LINES_MAX}")


def check_script(tree, name):
    """Tools and tests in Python have the limits of C, but for their columns."""
    functions = [node for node in ast.walk(ast.parse(tree.text[name])) if isinstance(node, ast.FunctionDef)]
    for node in functions:
        count = node.end_lineno - node.lineno + 1
        if count > FUNCTION_LINES_MAX and name not in LISTS:
            tree.problem(name, node.lineno, f"a function of {count} lines; at most {FUNCTION_LINES_MAX}")
    count = len(tree.text[name].splitlines())
    if count > FILE_LINES_MAX and name not in LISTS:
        tree.problem(name, count, f"{count} lines; at most {FILE_LINES_MAX}")


def check_header(tree, name):
    inside = name[len("src/"):] if name.startswith("src/") else name
    guard = re.sub(r"\W", "_", inside).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in tree.text[name]:
        tree.problem(name, 1, f"has no guard {guard}")


def check_documented(tree, name):
    """In each paragraph of a header that declares functions there is a comment."""
    paragraph, start, depth = [], 1, 0
    for number, line in list(tree.lines(name)) + [(0, "")]:
        depth += line.count("{") - line.count("}")
        if line.strip() or depth > 0:
            start = start if paragraph else number
            paragraph.append(line)
            continue
        text = "\n".join(paragraph)
        declares = [l for l in paragraph if DECLARATION.match(l) and not SPEAKING.search(l)]
        declares = declares and text.rstrip().endswith(");")
        if declares and "/*" not in text and "#define" not in text:
            tree.problem(name, start, "declares functions without a comment in their paragraph")
        paragraph = []


def check_language(tree, name):
    for number, line in tree.lines(name):
        if re.match(r"\s*goto\b", line):
            tree.problem(name, number, "goto")
        if re.match(r"\s*typedef (struct|union|enum)\b[^(]*$", line):
            tree.problem(name, number, "typedef of a struct, union or enum")


def check_words(tree, name):
    if name == "tools/tidy.py":
        return
    for number, line in tree.lines(name):
        banned = BANNED_WORDS.search(line)
        if banned:
            tree.problem(name, number, f"the word {banned[0]}: finish it, or open an issue")
        if MACHINE_PATHS.search(line) and not is_test(name):
            tree.problem(name, number, "a path of somebody's own machine")


def check_head(tree, name):
    head = tree.text[name].splitlines()[:2]
    wanted = name.endswith((".c", ".h", ".def", ".py", ".sh")) or head[:1] and head[0].startswith("#!")
    if wanted and not any("SPDX-License-Identifier: ISC" in line for line in head):
        tree.problem(name, 1, "no line SPDX-License-Identifier: ISC at the top")
    if head and head[0].startswith("#!") and not os.access(tree.root / name, os.X_OK):
        tree.problem(name, 1, "begins with #! and is not executable: who runs all scripts leaves it out")
    if head and "Made by tools/" in " ".join(head):
        tree.problem(name, 1, "is generated; the build makes it, so it must not be kept here")


def check_rooms(tree):
    listed = re.findall(r"^  '(\w+)',$", tree.text.get("src/meson.build", ""), re.M)
    for room in tree.rooms:
        if room not in listed:
            tree.problem("src/meson.build", 1, f"does not list the room {room}")
        for needed in ("README.md", ".may_include", "meson.build"):
            if f"src/{room}/{needed}" not in tree.known:
                tree.problem(f"src/{room}/{needed}", 1, "is missing")
    for name in tree.files:
        if re.fullmatch(r"src/(\w+/)+README\.md", name):
            count = len((tree.root / name).read_text().splitlines())
            if count > README_LINES_MAX:
                tree.problem(name, count, f"{count} lines; at most {README_LINES_MAX}")


def check_tested(tree):
    """Each header's functions are called, at least one of them, by some test."""
    tests = "\n".join(text for name, text in tree.text.items() if is_test(name))
    words = set(re.findall(r"\w+", tests))
    for name, text in tree.text.items():
        if not name.startswith("src/") or not name.endswith(".h") or is_test(name):
            continue
        declared = {m[1] for m in (DECLARATION.match(l) for l in text.splitlines()) if m}
        declared |= set(re.findall(r"^(\w+)\(", text, re.M)) | set(re.findall(r"\b(role_\w+)[,;]", text))
        names = {d for d in declared if not d.isupper()}
        is_private = "Private to the room" in text
        if names and not names & words and not is_private and room_of(name) not in ("role", "tool"):
            tree.problem(name, 1, "no test calls any of its functions")


def check_fuzzed(tree):
    """What reads bytes of others is called by a fuzz target, or by what one calls."""
    targets = "\n".join(text for name, text in tree.text.items()
                        if name.endswith(".c") and is_test(name) and not name.endswith("_test.c"))
    words = set(re.findall(r"\w+", targets))
    for name, text in tree.text.items():
        if not name.startswith("src/") or not name.endswith(".h") or is_test(name) or "Private to" in text:
            continue
        through = [way for place, way in REACHED.items() if fnmatch.fnmatch(name, place)]
        for found in READER.finditer(text):
            takes_bytes = "struct slice " in found[2] or "struct cursor " in found[2]
            if takes_bytes and found[1] not in words and not set(through) & words:
                tree.problem(name, text[:found.start()].count("\n") + 1, f"no fuzz target reaches {found[1]}")


def check_reasons(tree):
    """No two notes of docs/why have one number, and a link to one leads somewhere."""
    numbers = {}
    for name in (n for n in tree.files if n.startswith("docs/why/")):
        first = numbers.setdefault(name[len("docs/why/"):][:3], name)
        if first != name:
            tree.problem(name, 1, f"has the number of {first}")
    for name in (n for n in tree.files if n.endswith(".md")):
        for link in re.findall(r"\(((?:\.\./)*docs/why/[\w.-]+)\)", (tree.root / name).read_text()):
            if link.split("../")[-1] not in tree.known:
                tree.problem(name, 1, f"links to {link}, which is not there")


def order(tree):
    """Rooms sorted so that each stands behind those it includes; a ring is a problem."""
    left, done = dict(tree.edges), []
    while left:
        free = sorted(room for room, needs in left.items() if not needs & set(left))
        if not free:
            tree.problem("src", 1, "rooms include each other in a ring: " + ", ".join(sorted(left)))
            return done
        done += free
        for room in free:
            del left[room]
    return done


def main():
    arguments = sys.argv[1:]
    shows_order = "--order" in arguments
    folders = [a for a in arguments if a != "--order"]
    tree = Tree(Path(folders[0] if folders else Path(__file__).parent.parent).resolve())
    for name in tree.text:
        check_words(tree, name)
        check_head(tree, name)
        if is_c(name):
            check_includes(tree, name)
            check_sizes(tree, name)
            check_language(tree, name)
        if name.endswith(".py") or tree.text[name].startswith("#!/usr/bin/env python3\n"):
            check_script(tree, name)
        if name.endswith(".h"):
            check_header(tree, name)
            check_documented(tree, name)
    check_rooms(tree)
    check_tested(tree)
    check_fuzzed(tree)
    check_reasons(tree)
    rooms = order(tree)
    if shows_order:
        print("\n".join(rooms))
        return 0
    for name, line, what in sorted(tree.problems):
        print(f"{name}:{line}: {what}")
    print(f"{len(tree.text)} files, {len(tree.problems)} problems")
    return 1 if tree.problems else 0


if __name__ == "__main__":
    sys.exit(main())
