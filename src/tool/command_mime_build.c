/* SPDX-License-Identifier: ISC */
/* facteur mime build: a message from text and files. */
#include "message/address.h"
#include "mime/build.h"
#include "mime/encoded_word.h"
#include "mime/file_type.h"
#include "text/date.h"
#include "text/utf8.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/say.h"

#include <stdlib.h>
#include <time.h>

enum { ARENA_MAX = 64 << 20, FIELD_MAX = 1 << 20 };

struct building {
    const struct command_call *call;
    struct arena arena;
    struct buffer text;
    struct buffer html;
    struct buffer *files; /* one for each argument */
    struct mime_draft *draft;
};

/* What could not be allocated in the arena. */
static int
too_large(void)
{
    return say_error(EX_DATAERR, "the message becomes too large; give fewer or smaller files");
}

/* text, or text and HTML as alternatives, the richest last (RFC 2046 5.1.4). */
static int
add_texts(struct building *building)
{
    const char *html = command_value(building->call, "html");
    const char *text = command_value(building->call, "text");
    int code = files_read_or_stdin(text ? text : "-", LETTER_MAX, &building->text);

    if (code == EX_OK && html)
        code = files_read(html, LETTER_MAX, &building->html);
    if (code != EX_OK)
        return code;
    struct mime_draft *plain =
        mime_draft_new_text(&building->arena, "plain", buffer_slice(&building->text));
    building->draft = plain;
    if (!html || !plain)
        return plain ? EX_OK : too_large();
    struct mime_draft *rich =
        mime_draft_new_text(&building->arena, "html", buffer_slice(&building->html));
    building->draft = mime_draft_new_multipart(&building->arena, "alternative");
    if (!rich || !building->draft)
        return too_large();
    mime_draft_append(building->draft, plain);
    mime_draft_append(building->draft, rich);
    return EX_OK;
}

/* Files go octet for octet. Text that is not UTF-8 is in a charset nobody told us. */
static struct mime_draft *
new_attachment(struct building *building, const char *path, struct slice bytes)
{
    const char *slash = strrchr(path, '/');
    struct slice name = slice_of_string(slash ? slash + 1 : path);
    const char *type = mime_file_type(name);
    bool is_text = strncmp(type, "text/", 5) == 0;
    bool is_utf8 = is_text && utf8_is_valid(bytes);

    if (is_text && !is_utf8)
        type = "application/octet-stream";
    struct mime_draft *part = strcmp(type, "message/rfc822") == 0
                                  ? mime_draft_new_message(&building->arena, bytes)
                                  : mime_draft_new_bytes(&building->arena, type, bytes);
    if (part && is_utf8)
        mime_draft_add_parameter(part, "charset", SLICE("utf-8"));
    if (part)
        mime_draft_set_disposition(part, "attachment", name);
    return part;
}

static int
add_attachments(struct building *building)
{
    size_t count = building->call->count;
    struct mime_draft *mixed = mime_draft_new_multipart(&building->arena, "mixed");

    if (count == 0)
        return EX_OK;
    if (count >= MIME_DRAFT_PARTS_MAX)
        return say_error(EX_USAGE, "a message takes at most %d files", MIME_DRAFT_PARTS_MAX - 1);
    building->files = calloc(count, sizeof(*building->files));
    if (!mixed || !building->files)
        return too_large();
    mime_draft_append(mixed, building->draft);
    building->draft = mixed;
    for (size_t i = 0; i < count; i++) {
        const char *path = building->call->arguments[i];
        int code = files_read(path, LETTER_MAX, &building->files[i]);
        if (code != EX_OK)
            return code;
        struct mime_draft *part = new_attachment(building, path, buffer_slice(&building->files[i]));
        if (!part)
            return too_large();
        mime_draft_append(mixed, part);
    }
    return EX_OK;
}

/* ---- fields -------------------------------------------------------------------------------- */

/* Names that are not ASCII become encoded words (RFC 2047 5). */
static void
encode_names(struct building *building, struct address_list *list)
{
    for (struct address *address = list->first; address; address = address->next) {
        struct buffer name;
        if (utf8_is_ascii(address->name))
            continue;
        buffer_init(&name, FIELD_MAX);
        mime_encoded_words_put(&name, address->name, MIME_WORD_PHRASE, 0);
        address->name = arena_copy(&building->arena, buffer_slice(&name));
        address->has_encoded_word = true;
        buffer_finish(&name);
    }
}

static int
add_addresses(struct building *building, const char *option, const char *field)
{
    enum { WRONG = ADDRESS_NO_DOMAIN | ADDRESS_NO_LOCAL | ADDRESS_UNCLOSED | ADDRESS_MULTIPLE_AT };
    const char *value = command_value(building->call, option);
    struct address_list list;
    struct buffer formatted;

    if (!value)
        return EX_OK;
    address_list_parse(&building->arena, slice_of_string(value), &list);
    if (list.count == 0 || list.is_cut || (list.defects & WRONG))
        return say_error(
            EX_USAGE,
            "--%s: expected addresses like 'Jean Dupont <jean@example.org>', separated "
            "by commas, not '%s'",
            option, value);
    encode_names(building, &list);
    buffer_init(&formatted, FIELD_MAX);
    address_list_format(&list, strlen(field) + 2, &formatted);
    mime_draft_add_field(building->draft, field,
                         arena_copy(&building->arena, buffer_slice(&formatted)));
    buffer_finish(&formatted);
    return EX_OK;
}

static struct wall
now(void)
{
    struct timespec clock;

    clock_gettime(CLOCK_REALTIME, &clock);
    return (struct wall){clock.tv_sec * (int64_t)1000000000 + clock.tv_nsec};
}

/* RFC 5322 §3.6.4: unique for ever; random octets are. */
static void
put_message_id(struct buffer *out, const char *from)
{
    const char *at = from ? strrchr(from, '@') : NULL;
    uint8_t random[16];
    size_t len = at ? strcspn(at + 1, "> \t,;)") : 0;

    files_random(random, sizeof(random));
    buffer_put_byte(out, '<');
    buffer_put_hex(out, slice_of(random, sizeof(random)));
    buffer_put_byte(out, '@');
    buffer_put(out, len > 0 ? slice_of(at + 1, len) : SLICE("localhost.invalid"));
    buffer_put_byte(out, '>');
}

static int
add_fields(struct building *building)
{
    static const struct {
        const char *option, *field;
    } rows[] = {{"from", "From"}, {"to", "To"}, {"cc", "Cc"}};
    const char *subject = command_value(building->call, "subject");
    struct buffer text;
    int code = EX_OK;

    buffer_init(&text, FIELD_MAX);
    date_format_rfc5322(now(), 0, &text);
    mime_draft_add_field(building->draft, "Date",
                         arena_copy(&building->arena, buffer_slice(&text)));
    for (size_t i = 0; code == EX_OK && i < COUNT_OF(rows); i++)
        code = add_addresses(building, rows[i].option, rows[i].field);
    if (subject)
        mime_draft_add_text_field(building->draft, "Subject", slice_of_string(subject));
    buffer_clear(&text);
    put_message_id(&text, command_value(building->call, "from"));
    mime_draft_add_field(building->draft, "Message-ID",
                         arena_copy(&building->arena, buffer_slice(&text)));
    buffer_finish(&text);
    return code;
}

static int
write_message(struct building *building)
{
    struct mime_draft_entropy entropy;
    struct buffer message;
    int code = EX_OK;

    files_random(&entropy, sizeof(entropy));
    buffer_init(&message, LETTER_MAX);
    if (!mime_draft_put(building->draft, &entropy, &message))
        code = too_large();
    struct slice bytes = buffer_slice(&message);
    if (code == EX_OK &&
        (fwrite(bytes.at, 1, bytes.len, stdout) != bytes.len || fflush(stdout) != 0))
        code = say_error(EX_IOERR, "cannot write to standard output; look whether there is space");
    buffer_finish(&message);
    return code;
}

static int
run_build(const struct command_call *call)
{
    struct building building = {.call = call};

    arena_init(&building.arena, ARENA_MAX);
    int code = add_texts(&building);
    if (code == EX_OK)
        code = add_attachments(&building);
    if (code == EX_OK)
        code = add_fields(&building);
    if (code == EX_OK)
        code = write_message(&building);
    for (size_t i = 0; building.files && i < call->count; i++)
        buffer_finish(&building.files[i]);
    free(building.files);
    buffer_finish(&building.text);
    buffer_finish(&building.html);
    arena_finish(&building.arena);
    return code;
}

const struct command command_mime_build = {
    .name = "mime build",
    .arguments = "[FILE...]",
    .summary = "Make a message from text and files",
    .about = "Writes a message with Date and Message-ID to standard output. Its text, in UTF-8, is "
             "read from standard input; each FILE becomes an attachment, typed by the ending of "
             "its name. Lines end in CRLF, ready for SMTP.",
    .examples = "echo 'See you at eight' | facteur mime build --subject Dinner > letter.eml\n"
                "facteur mime build --text letter.txt --html letter.html photo.jpg > letter.eml",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"from", "ADDRESSES", "Who writes."},
                {"to", "ADDRESSES", "To whom, separated by commas."},
                {"cc", "ADDRESSES", "Who gets a copy."},
                {"subject", "TEXT", "What it is about, in any language."},
                {"text", "FILE", "Read the text from here instead of standard input."},
                {"html", "FILE", "The same in HTML, as an alternative for those who show it."}},
    .run = run_build,
};
