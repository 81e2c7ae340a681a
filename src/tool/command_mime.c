/* SPDX-License-Identifier: ISC */
/* facteur mime tree, part, check: what a message is made of. */
#include "mime/decode.h"
#include "mime/part_number.h"
#include "tool/command.h"
#include "tool/letter.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { NAME_MAX_OCTETS = 8192, PART_MAX = 1 << 30 };

static bool
is_text(const struct mime_part *part)
{
    return part->kind == MIME_PART_LEAF && mime_content_type_is(&part->content_type, "text", "");
}

/* ---- tree ---------------------------------------------------------------------------------- */

static void
report_part(struct report *report, const struct mime_tree *tree, uint32_t index)
{
    const struct mime_part *part = &tree->parts[index];
    const struct mime_content_type *type = &part->content_type;
    struct slice name = mime_file_name(&part->disposition, type);
    struct buffer text;

    buffer_init(&text, NAME_MAX_OCTETS);
    report_row(report);
    mime_part_number_put(&text, tree, index);
    report_text(report, "part", buffer_slice(&text));
    buffer_clear(&text);
    buffer_put(&text, type->type);
    buffer_put_byte(&text, '/');
    buffer_put(&text, type->subtype);
    report_text(report, "type", buffer_slice(&text));
    report_text(report, "charset", is_text(part) ? mime_content_type_charset(type) : SLICE(""));
    report_text(report, "encoding", slice_of_string(mime_encoding_name(part->encoding)));
    report_text(report, "disposition", part->disposition.type);
    report_text(report, "name", name);
    report_size(report, "size", part->body_end - part->body_start);
    report_number(report, "offset", part->body_start);
    buffer_finish(&text);
}

static int
run_tree(const struct command_call *call)
{
    struct letter letter = {0};
    int code = letter_open(call->arguments[0], &letter);

    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_list(report, "parts");
        for (uint32_t i = 0; i < letter.tree.count; i++)
            report_part(report, &letter.tree, i);
        report_list_end(report);
        code = report_close(&report);
    }
    letter_finish(&letter);
    return code;
}

/* ---- part ---------------------------------------------------------------------------------- */

static int
write_out(struct slice bytes)
{
    return fwrite(bytes.at, 1, bytes.len, stdout) == bytes.len ? EX_OK : say_output_failed();
}

/* Text in UTF-8, all else as the octets that the sender had. */
static int
write_content(const struct mime_tree *tree, const struct mime_part *part)
{
    struct slice body = mime_part_body(tree, part), piece;
    struct mime_decoder *decoder =
        is_text(part)
            ? mime_decoder_open_text(body, part->encoding,
                                     mime_content_type_charset(&part->content_type), NULL, 0)
            : mime_decoder_open(body, part->encoding, NULL, 0);
    int code = EX_OK;

    while (code == EX_OK && mime_decoder_next(decoder, &piece))
        code = write_out(piece);
    mime_decoder_close(&decoder);
    return code;
}

static int
write_part(const struct letter *letter, const struct command_call *call)
{
    const char *number = call->arguments[1];
    uint32_t index = mime_part_number_find(&letter->tree, slice_of_string(number));

    if (index == MIME_NO_PART)
        return say_error(EX_DATAERR, "there is no part %s; look at: facteur mime tree %s", number,
                         call->arguments[0]);
    const struct mime_part *part = &letter->tree.parts[index];
    int code = EX_OK;
    if (command_has(call, "header"))
        code = write_out(mime_part_header(&letter->tree, part));
    else if (command_has(call, "raw") || part->kind != MIME_PART_LEAF)
        code = write_out(mime_part_body(&letter->tree, part));
    else
        code = write_content(&letter->tree, part);
    return code == EX_OK && fflush(stdout) != 0 ? write_out(SLICE("\n")) : code;
}

static int
run_part(const struct command_call *call)
{
    struct letter letter = {0};
    int code = letter_open(call->arguments[0], &letter);

    if (code == EX_OK)
        code = write_part(&letter, call);
    letter_finish(&letter);
    return code;
}

/* ---- check --------------------------------------------------------------------------------- */

/* Content is only found wrong when it is decoded. */
static void
decode_all(struct letter *letter)
{
    for (size_t i = 0; i < letter->tree.count; i++) {
        const struct mime_part *part = &letter->tree.parts[i];
        struct slice body = mime_part_body(&letter->tree, part), piece;
        struct mime_defects *defects = &letter->tree.defects;
        if (part->kind != MIME_PART_LEAF)
            continue;
        struct mime_decoder *decoder =
            is_text(part) ? mime_decoder_open_text(body, part->encoding,
                                                   mime_content_type_charset(&part->content_type),
                                                   defects, part->body_start)
                          : mime_decoder_open(body, part->encoding, defects, part->body_start);
        while (mime_decoder_next(decoder, &piece))
            continue;
        mime_decoder_close(&decoder);
    }
}

static uint64_t
line_of(const struct letter *letter, size_t offset)
{
    struct slice before = slice_first(buffer_slice(&letter->content), offset);
    uint64_t line = 1;

    for (size_t at; (at = slice_find_byte(before, '\n')) < before.len; line++)
        before = slice_skip(before, at + 1);
    return line;
}

static bool
is_told(const struct letter *letter, enum mime_defect_kind kind)
{
    return kind != MIME_DEFECT_BARE_LF || !letter->has_unix_lines;
}

/* Kinds that are not in the list, which is bounded, have no place any more. */
static size_t
report_defects(struct report *report, const struct letter *letter)
{
    const struct mime_defects *defects = &letter->tree.defects;
    uint64_t listed = 0;
    size_t count = 0;

    for (size_t i = 0; i < defects->count; i++) {
        const struct mime_defect *defect = &defects->items[i];
        listed |= (uint64_t)1 << defect->kind;
        if (!is_told(letter, defect->kind))
            continue;
        report_row(report);
        report_number(report, "line", line_of(letter, defect->offset));
        report_number(report, "offset", defect->offset);
        report_text(report, "defect", slice_of_string(mime_defect_text(defect->kind)));
        count++;
    }
    for (enum mime_defect_kind kind = 1; kind < MIME_DEFECT_KINDS; kind++) {
        if (!mime_defects_have(defects, kind) || (listed >> kind & 1) != 0 ||
            !is_told(letter, kind))
            continue;
        report_row(report);
        report_nothing(report, "line", "");
        report_nothing(report, "offset", "");
        report_text(report, "defect", slice_of_string(mime_defect_text(kind)));
        count++;
    }
    return count;
}

static int
run_check(const struct command_call *call)
{
    struct letter letter = {0};
    int code = letter_open(call->arguments[0], &letter);

    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        decode_all(&letter);
        report_list(report, "defects");
        size_t count = report_defects(report, &letter);
        report_list_end(report);
        code = report_close(&report);
        if (code == EX_OK && count == 0)
            say_line("Nothing is wrong with it.");
        else if (code == EX_OK)
            code = EX_DATAERR;
    }
    letter_finish(&letter);
    return code;
}

const struct command command_mime_tree = {
    .name = "mime tree",
    .arguments = "FILE",
    .summary = "Show the parts of a message",
    .about = "Lists the parts of the message in FILE, in their order, with the numbers by which "
             "IMAP names them (2.1 is the first part of the second). A FILE of - is standard "
             "input. Sizes are as sent; offset is where the content begins in the file.",
    .examples = "facteur mime tree letter.eml\nfacteur mime tree - --json < letter.eml",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_JSON},
    .run = run_tree,
};

const struct command command_mime_part = {
    .name = "mime part",
    .arguments = "FILE NUMBER",
    .summary = "Write the content of one part",
    .about = "Writes the content of a part to standard output: transfer encoding undone, text in "
             "UTF-8. Messages and multiparts come as they stand.",
    .examples = "facteur mime part letter.eml 1\n"
                "facteur mime part letter.eml 2 > photo.jpg\n"
                "facteur mime part letter.eml 2 --header",
    .arguments_min = 2,
    .arguments_max = 2,
    .options = {{"raw", NULL, "Write the content as it was sent, encoded."},
                {"header", NULL, "Write the part's header fields instead."}},
    .run = run_part,
};

const struct command command_mime_check = {
    .name = "mime check",
    .arguments = "FILE",
    .summary = "Tell what is wrong with a message",
    .about = "Parses the message and decodes all of its parts, and lists what is not as the "
             "standards want it, with the line and what was assumed instead. Exit code 65 when "
             "there is something. A file whose lines all end in LF is how Unix keeps text: that "
             "alone is not told.",
    .examples = "facteur mime check letter.eml",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_JSON},
    .run = run_check,
};
