#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Makes the codec of one channel of notes from its description (see src/note/README.md).

usage: notegen.py NAME.notes OUTPUT_FOLDER [--doc FILE]
Writes OUTPUT_FOLDER/NAME.h, NAME.c and NAME_fuzz.c.
"""
import re
import sys
from pathlib import Path

NUMBERS = {"u8": ("uint8_t", "le8", 1), "u16": ("uint16_t", "le16", 2),
           "u32": ("uint32_t", "le32", 4), "u64": ("uint64_t", "le64", 8),
           "i64": ("int64_t", "le64", 8)}


class Field:
    def __init__(self, name, words, where):
        self.name, self.kind, self.bound, self.of = name, words[0], 0, None
        rest = words[1:]
        if self.kind in NUMBERS or self.kind in ("bool", "handle"):
            good = not rest
        elif self.kind == "bytes":
            good = len(rest) == 2 and rest[0] == "<="
            self.bound = int(rest[1]) if good else 0
        elif self.kind == "list":
            good = len(rest) == 4 and rest[0] == "<=" and rest[2] == "of"
            if good:
                self.bound, self.of = int(rest[1]), rest[3]
        elif self.kind == "enum":
            good = len(rest) == 1
            self.of = rest[0] if good else None
        else:
            good = False
        if not good:
            sys.exit(f"{where}: '{' '.join(words)}': expected a type (u8 … i64, bool, handle, "
                     "bytes <= N, list <= N of RECORD, enum NAME)")


class Struct:
    def __init__(self, name, sender=None):
        self.name, self.sender, self.fields = name, sender, []
        self.rule, self.rule_field = None, None  # opens, answers, answers-more, continues

    def handle(self):
        return next((f for f in self.fields if f.kind == "handle"), None)


class Channel:
    def __init__(self, path):
        self.path, self.about, self.enums, self.records, self.notes = path, [], {}, [], []
        self.name = None
        self.parse()
        self.sides = self.name.split("_")

    def parse(self):
        current, remark = None, []
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            where = f"{self.path.name}:{number}"
            words = line.split()
            if not words or words[0].startswith("#"):
                remark = remark + [line.lstrip("# ").rstrip()] if words else []
                if words and self.name is None:
                    self.about.append(line.lstrip("# ").rstrip())
            elif line[0] == " ":
                if current is None:
                    sys.exit(f"{where}: a field outside of a note or record")
                if words[0] in ("opens", "answers", "continues"):
                    current.rule = "-".join([words[0]] + words[2:])
                    current.rule_field = words[1]
                else:
                    current.fields.append(Field(words[0], words[1:], where))
            elif words[0] == "channel":
                self.name = words[1]
            elif words[0] == "enum":
                self.enums[words[1]] = words[2:]
            elif words[0] == "record":
                current = Struct(words[1])
                self.records.append(current)
            elif words[0] == "note" and len(words) == 4 and words[2] == "from":
                current = Struct(words[1], words[3])
                current.remark, remark = remark, []
                self.notes.append(current)
            else:
                sys.exit(f"{where}: expected channel, enum, record, 'note NAME from ROLE' or a field")
        openers = {n.sender for n in self.notes if n.rule == "opens"}
        if len(openers) > 1:
            sys.exit(f"{self.path.name}: only one side of a channel may open requests")


def c_type(channel, field):
    if field.kind in NUMBERS:
        return NUMBERS[field.kind][0] + " "
    if field.kind == "bool":
        return "bool "
    if field.kind == "handle":
        return "int "
    if field.kind == "bytes":
        return "struct slice "
    if field.kind == "enum":
        return f"enum {channel.name}_{field.of} "
    return f"struct {channel.name}_{field.of}_list "


def write_struct(channel, struct, out):
    out.append(f"struct {channel.name}_{struct.name} {{")
    for f in struct.fields:
        remark = f" /* at most {f.bound} */" if f.bound else ""
        out.append(f"    {c_type(channel, f)}{f.name};{remark}")
    out.append("};")
    for f in struct.fields:
        if f.bound:
            out.append("#define " + f"{channel.name}_{struct.name}_{f.name}_MAX".upper() + f" {f.bound}")
    out.append("")


def header(channel):
    n, up = channel.name, channel.name.upper()
    out = [f"/* Made by tools/notegen.py from {channel.path.name}; do not edit. */",
           "/* " + "\n * ".join(channel.about) + " */",
           f"#ifndef NOTE_{up}_H", f"#define NOTE_{up}_H", "",
           '#include "base/arena.h"', '#include "base/buffer.h"', '#include "note/ledger.h"', ""]
    for name, values in channel.enums.items():
        out.append(f"enum {n}_{name} {{")
        out += [f"    {n}_{name}_{v},".upper() for v in values]
        out += [f"    {n}_{name}_COUNT".upper(), "};", ""]
    for record in channel.records:
        write_struct(channel, record, out)
        out += [f"struct {n}_{record.name}_list {{",
                f"    const struct {n}_{record.name} *at;", "    size_t count;", "};", ""]
    for note in channel.notes:
        write_struct(channel, note, out)
    out.append(f"enum {n}_kind {{")
    out += [f"    {n}_{note.name} = {i},".upper() for i, note in enumerate(channel.notes, 1)]
    out += ["};", "", f"struct {n}_note {{", f"    enum {n}_kind kind;", "    union {"]
    out += [f"        struct {n}_{note.name} {note.name};" for note in channel.notes]
    out += ["    } as;", "};", ""]
    out += ["/* Each puts one note and enters it into the ledger of this end. False, and nothing put,",
            " * when a field is over its bound or the note is not legal now. */"]
    for note in channel.notes:
        out.append(f"MUST_USE bool {n}_put_{note.name}(struct buffer *buffer, struct note_ledger *ledger,\n"
                   f"    const struct {n}_{note.name} *note);")
    out += ["", "/* Reads one note that came from side `from` (0: " + channel.sides[0] + ", 1: " +
            channel.sides[1] + ") and enters it into the ledger.",
            " * Slices borrow from bytes, lists live in the arena. False: the note is bad, close the channel",
            " * (a handle that came with it is still the caller's). */",
            f"MUST_USE bool {n}_take(struct slice bytes, int handle, unsigned from, struct note_ledger *ledger,",
            f"    struct arena *arena, struct {n}_note *ret_note);", "",
            f"const char *{n}_kind_name(enum {n}_kind kind);", "", "#endif", ""]
    return "\n".join(out)


def put_field(channel, f, access):
    n = channel.name
    if f.kind in NUMBERS:
        cast = "(uint64_t)" if f.kind == "i64" else ""
        return [f"    buffer_put_{NUMBERS[f.kind][1]}(buffer, {cast}{access});"]
    if f.kind == "bool":
        return [f"    buffer_put_le8(buffer, {access} ? 1 : 0);"]
    if f.kind == "enum":
        return [f"    buffer_put_le8(buffer, (uint8_t){access});"]
    if f.kind == "handle":
        return []
    if f.kind == "bytes":
        return [f"    if ({access}.len > {f.bound})", "        return false;",
                f"    buffer_put_le32(buffer, (uint32_t){access}.len);",
                f"    buffer_put(buffer, {access});"]
    return [f"    if ({access}.count > {f.bound})", "        return false;",
            f"    buffer_put_le32(buffer, (uint32_t){access}.count);",
            f"    for (size_t i = 0; i < {access}.count; i++) {{",
            f"        if (!put_{f.of}(buffer, &{access}.at[i]))", "            return false;", "    }"]


def take_field(channel, f, access):
    n, up = channel.name, channel.name.upper()
    if f.kind in NUMBERS and f.kind != "i64":
        return [f"    if (!cursor_take_{NUMBERS[f.kind][1]}(cursor, &{access}))", "        return false;"]
    if f.kind == "i64":
        return ["    if (!cursor_take_le64(cursor, &number))", "        return false;",
                f"    {access} = (int64_t)number;"]
    if f.kind == "bool":
        return ["    if (!cursor_take_le8(cursor, &octet) || octet > 1)", "        return false;",
                f"    {access} = octet == 1;"]
    if f.kind == "enum":
        return [f"    if (!cursor_take_le8(cursor, &octet) || octet >= {up}_{f.of.upper()}_COUNT)",
                "        return false;", f"    {access} = (enum {n}_{f.of})octet;"]
    if f.kind == "handle":
        return [f"    {access} = handle;"]
    if f.kind == "bytes":
        return [f"    if (!cursor_take_le32(cursor, &len) || len > {f.bound} ||",
                f"        !cursor_take_bytes(cursor, len, &{access}))", "        return false;"]
    return [f"    if (!take_{f.of}_list(cursor, arena, &{access}))", "        return false;"]


def uses(struct, *kinds):
    return any(f.kind in kinds for f in struct.fields)


def record_codec(channel, record, out):
    n = channel.name
    out += ["static bool", f"put_{record.name}(struct buffer *buffer, const struct {n}_{record.name} *note)", "{"]
    for f in record.fields:
        out += put_field(channel, f, f"note->{f.name}")
    out += ["    return true;", "}", ""]
    out += ["static bool", f"take_{record.name}(struct cursor *cursor, struct {n}_{record.name} *note)", "{"]
    out += locals_for(record)
    for f in record.fields:
        out += take_field(channel, f, f"note->{f.name}")
    out += ["    return true;", "}", ""]
    bound = max(f.bound for note in channel.notes for f in note.fields if f.of == record.name and f.kind == "list")
    out += ["static bool",
            f"take_{record.name}_list(struct cursor *cursor, struct arena *arena,\n"
            f"    struct {n}_{record.name}_list *list)", "{", "    uint32_t count;", "",
            f"    if (!cursor_take_le32(cursor, &count) || count > {bound} || count > cursor_left(cursor))",
            "        return false;",
            f"    struct {n}_{record.name} *at = ARENA_ARRAY(arena, struct {n}_{record.name}, count);",
            "    if (!at)", "        return false;",
            "    for (size_t i = 0; i < count; i++) {",
            f"        if (!take_{record.name}(cursor, &at[i]))", "            return false;", "    }",
            f"    *list = (struct {n}_{record.name}_list){{at, count}};", "    return true;", "}", ""]


def locals_for(struct):
    out = []
    if uses(struct, "bytes"):
        out.append("    uint32_t len;")
    if uses(struct, "bool", "enum"):
        out.append("    uint8_t octet;")
    if uses(struct, "i64"):
        out.append("    uint64_t number;")
    return out + [""] if out else []


def enter(note, access):
    """The statement that checks and enters a note into the ledger."""
    if note.rule is None:
        return []
    call = {"opens": "note_ledger_open", "answers": "note_ledger_answer",
            "answers-more": "note_ledger_has", "continues": "note_ledger_has"}[note.rule]
    return [f"    if (!{call}(ledger, {access}->{note.rule_field}))", "        return false;"]


def note_codec(channel, note, out):
    n, up = channel.name, channel.name.upper()
    out += ["static bool", f"put_{note.name}_fields(struct buffer *buffer, const struct {n}_{note.name} *note)", "{",
            "    (void)note;", f"    buffer_put_le8(buffer, {up}_{note.name.upper()});"]
    for f in note.fields:
        out += put_field(channel, f, f"note->{f.name}")
    out += ["    return !buffer_overflowed(buffer);", "}", ""]
    out += ["bool", f"{n}_put_{note.name}(struct buffer *buffer, struct note_ledger *ledger,\n"
            f"    const struct {n}_{note.name} *note)", "{", "    size_t len = buffer_len(buffer);", "",
            "    (void)ledger;",
            f"    if (!put_{note.name}_fields(buffer, note)) {{",
            "        buffer_truncate(buffer, len);", "        return false;", "    }"]
    if note.rule:
        check = enter(note, "note")
        out += [check[0] + " {", "        buffer_truncate(buffer, len);", "        return false;", "    }"]
    out += ["    return true;", "}", ""]
    out += ["static bool",
            f"take_{note.name}(struct cursor *cursor, int handle, struct arena *arena,\n"
            f"    struct {n}_{note.name} *note)", "{"]
    out += locals_for(note)
    out += ["    (void)cursor, (void)handle, (void)arena, (void)note;"]
    if not note.handle():
        out += ["    if (handle >= 0)", "        return false;"]
    for f in note.fields:
        out += take_field(channel, f, f"note->{f.name}")
    out += ["    return cursor_is_done(cursor);", "}", ""]


def source(channel):
    n, up = channel.name, channel.name.upper()
    out = [f"/* Made by tools/notegen.py from {channel.path.name}; do not edit. */",
           f'#include "note/{n}.h"', "", '#include "base/cursor.h"', ""]
    for record in channel.records:
        record_codec(channel, record, out)
    for note in channel.notes:
        note_codec(channel, note, out)
    out += ["bool", f"{n}_take(struct slice bytes, int handle, unsigned from, struct note_ledger *ledger,",
            f"    struct arena *arena, struct {n}_note *ret_note)", "{",
            "    struct cursor reader = cursor_of(bytes), *cursor = &reader;",
            f"    struct {n}_note note = {{0}};", "    uint8_t octet;", "",
            "    (void)ledger, (void)from;",
            "    if (!cursor_take_le8(cursor, &octet))", "        return false;",
            f"    note.kind = (enum {n}_kind)octet;",
            "    switch (octet) {"]
    for note in channel.notes:
        direction = "" if note.sender == "both" else f"from != {channel.sides.index(note.sender)} || "
        out.append(f"    case {up}_{note.name.upper()}:")
        out += [f"        if ({direction}!take_{note.name}(cursor, handle, arena, &note.as.{note.name}))",
                "            return false;"]
        out += ["    " + line for line in
                [l.replace(f"note.as.{note.name}->", f"note.as.{note.name}.")
                 for l in enter(note, f"note.as.{note.name}")]]
        out.append("        break;")
    out += ["    default:", "        return false;", "    }", "    *ret_note = note;", "    return true;", "}", ""]
    out += ["const char *", f"{n}_kind_name(enum {n}_kind kind)", "{", "    static const char *const names[] = {"]
    out += [f'        [{up}_{note.name.upper()}] = "{note.name}",' for note in channel.notes]
    out += ["    };", "", "    return (size_t)kind < COUNT_OF(names) && names[kind] ? names[kind] : \"?\";", "}", ""]
    return "\n".join(out)


def shape(channel, fields):
    """As src/note/tests/note_shapes.c reads it."""
    text = ""
    for f in fields:
        if f.kind in NUMBERS:
            text += str(NUMBERS[f.kind][2])
        elif f.kind == "enum":
            text += "e" + chr(ord("a") + len(channel.enums[f.of]) - 1)
        elif f.kind == "list":
            text += "(" + shape(channel, next(r for r in channel.records if r.name == f.of).fields) + ")"
        elif f.kind != "handle":
            text += {"bool": "b", "bytes": "s"}[f.kind]
    return text


def fuzz(channel):
    """What decodes must encode to the same bytes again."""
    n, up = channel.name, channel.name.upper()
    out = [f"/* Made by tools/notegen.py from {channel.path.name}; do not edit. */",
           f'#include "note/{n}.h"', '#include "note/tests/note_shapes.h"', "",
           "int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);",
           "size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed);", "",
           "static const char *const shapes[] = {",
           *[f'    "{shape(channel, note.fields)}", /* {note.name} */' for note in channel.notes], "};", "",
           "size_t", "LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed)", "{",
           "    return note_shapes_mutate(shapes, COUNT_OF(shapes), data, len, len_max, seed);", "}", "",
           "static bool", f"put_again(struct buffer *buffer, const struct {n}_note *note)", "{",
           "    struct note_ledger ledger = {0};", "", "    bool is_put = false;",
           "    switch (note->kind) {"]
    for note in channel.notes:
        out.append(f"    case {up}_{note.name.upper()}:")
        if note.rule and note.rule != "opens":
            out.append(f"        (void)!note_ledger_open(&ledger, note->as.{note.name}.{note.rule_field});")
        out += [f"        is_put = {n}_put_{note.name}(buffer, &ledger, &note->as.{note.name});", "        break;"]
    out += ["    }", "    note_ledger_finish(&ledger);", "    return is_put;", "}", "",
            "int", "LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)", "{",
            "    struct arena arena;", "    struct buffer buffer;", f"    struct {n}_note note;",
            "    struct note_ledger ledger = {.is_lenient = true};", "",
            "    arena_init(&arena, 1 << 22);", "    buffer_init(&buffer, 1 << 22);",
            "    for (int handle = -1; handle <= 0; handle++) {",
            "        for (unsigned from = 0; from < 2; from++) {",
            f"            if ({n}_take(slice_of(data, len), handle, from, &ledger, &arena, &note)) {{",
            "                bool is_put = put_again(&buffer, &note);",
            "                assert(is_put && slice_equal(buffer_slice(&buffer), slice_of(data, len)));",
            "            }", "            buffer_clear(&buffer);", "            arena_reset(&arena);", "        }", "    }",
            "    buffer_finish(&buffer);", "    arena_finish(&arena);", "    note_ledger_finish(&ledger);",
            "    return 0;", "}", ""]
    return "\n".join(out)


def document(channel):
    out = [f"## {channel.sides[0]} ↔ {channel.sides[1]}", "", " ".join(channel.about), "",
           "| note | from | rule | fields |", "|---|---|---|---|"]
    for note in channel.notes:
        fields = ", ".join(f"{f.name} {f.kind}" + (f" ≤ {f.bound}" if f.bound else "") for f in note.fields)
        rule = f"{note.rule} {note.rule_field}" if note.rule else ""
        out.append(f"| {note.name} | {note.sender} | {rule} | {fields} |")
    return "\n".join(out + ["", ""])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    channel, folder = Channel(Path(sys.argv[1])), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{channel.name}.h").write_text(header(channel))
    (folder / f"{channel.name}.c").write_text(source(channel))
    (folder / f"{channel.name}_fuzz.c").write_text(fuzz(channel))
    if "--doc" in sys.argv:
        with open(sys.argv[sys.argv.index("--doc") + 1], "a", encoding="utf-8") as page:
            page.write(document(channel))


main()
