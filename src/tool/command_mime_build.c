/* SPDX-License-Identifier: ISC */
/* facteur mime build: a message from text and files. */
#include "message/address.h"
#include "mime/build.h"
#include "text/date.h"
#include "tool/command.h"
#include "tool/enclosure.h"
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
    struct buffer *messages; /* of a digest, one for each argument */
    struct enclosures enclosures;
    struct mime_draft *draft;
    struct slice domain;
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
    if (command_has(building->call, "digest") && !html && buffer_len(&building->text) == 0)
        return EX_OK; /* the digest is all */
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

static int
add_messages(struct building *building)
{
    const struct command_call *call = building->call;
    struct slice *messages = ARENA_ARRAY(&building->arena, struct slice, call->count + 1);
    int code = EX_OK;

    building->messages = calloc(call->count + 1, sizeof(*building->messages));
    if (!messages || !building->messages)
        return too_large();
    for (size_t i = 0; i < call->count && code == EX_OK; i++) {
        code = files_read(call->arguments[i], LETTER_MAX, &building->messages[i]);
        messages[i] = buffer_slice(&building->messages[i]);
    }
    return code == EX_OK
               ? enclosures_add_messages(&building->enclosures, messages, call->count, true)
               : code;
}

static int
add_enclosures(struct building *building)
{
    const struct command_call *call = building->call;
    struct enclosures *enclosures = &building->enclosures;
    const char *url;
    int code = EX_OK;

    if (command_has(call, "digest") && call->count == 0)
        return say_error(EX_USAGE, "--digest: of which messages? Give files with one each");
    if (call->count >= MIME_DRAFT_PARTS_MAX)
        return say_error(EX_USAGE, "a message takes at most %d files", MIME_DRAFT_PARTS_MAX - 1);
    enclosures_init(enclosures, &building->arena, building->draft);
    for (size_t place = 0; code == EX_OK && (url = command_next_value(call, "link", &place));)
        code = enclosures_add_link(enclosures, url, building->domain);
    if (code == EX_OK && command_has(call, "digest"))
        code = add_messages(building);
    for (size_t i = 0; i < call->count && code == EX_OK && !command_has(call, "digest"); i++)
        code = enclosures_add_file(enclosures, call->arguments[i]);
    building->draft = enclosures->draft;
    return code;
}

/* ---- fields -------------------------------------------------------------------------------- */

static int
add_addresses(struct building *building, const char *option, const char *field)
{
    enum { WRONG = ADDRESS_NO_DOMAIN | ADDRESS_NO_LOCAL | ADDRESS_UNCLOSED | ADDRESS_MULTIPLE_AT };
    const char *value = command_value(building->call, option);
    struct address_list list;

    if (!value)
        return EX_OK;
    address_list_parse(&building->arena, slice_of_string(value), &list);
    if (list.count == 0 || list.is_cut || (list.defects & WRONG))
        return say_error(
            EX_USAGE,
            "--%s: expected addresses like 'Jean Dupont <jean@example.org>', separated "
            "by commas, not '%s'",
            option, value);
    mime_draft_add_addresses(building->draft, field, &list);
    return EX_OK;
}

static struct wall
now(void)
{
    struct timespec clock;

    clock_gettime(CLOCK_REALTIME, &clock);
    return (struct wall){clock.tv_sec * (int64_t)1000000000 + clock.tv_nsec};
}

/* Of who writes; for what must be unique. */
static struct slice
domain_of(const char *from)
{
    const char *at = from ? strrchr(from, '@') : NULL;
    size_t len = at ? strcspn(at + 1, "> \t,;)") : 0;

    return len > 0 ? slice_of(at + 1, len) : SLICE("localhost.invalid");
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
    buffer_put_byte(&text, '<');
    buffer_put(&text, enclosures_new_id(&building->arena, building->domain));
    buffer_put_byte(&text, '>');
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
        code = say_output_failed();
    buffer_finish(&message);
    return code;
}

static int
run_build(const struct command_call *call)
{
    struct building building = {.call = call, .domain = domain_of(command_value(call, "from"))};

    arena_init(&building.arena, ARENA_MAX);
    int code = add_texts(&building);
    if (code == EX_OK)
        code = add_enclosures(&building);
    if (code == EX_OK)
        code = add_fields(&building);
    if (code == EX_OK)
        code = write_message(&building);
    for (size_t i = 0; building.messages && i < call->count; i++)
        buffer_finish(&building.messages[i]);
    free(building.messages);
    enclosures_finish(&building.enclosures);
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
             "its name, or, with --digest, is a message of one digest, which is all when there is "
             "no text. Of the charsets us-ascii, iso-8859-1, iso-8859-15 and utf-8 the first is "
             "taken that has all that is written. Lines end in CRLF, ready for SMTP.",
    .examples = "echo 'See you at eight' | facteur mime build --subject Dinner > letter.eml\n"
                "facteur mime build --text letter.txt --html letter.html photo.jpg > letter.eml\n"
                "facteur mime build --subject 'This week' --text intro.txt --digest *.eml\n"
                "facteur mime build --text letter.txt --link https://example.org/film.mp4",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"from", "ADDRESSES", "Who writes."},
                {"to", "ADDRESSES", "To whom, separated by commas."},
                {"cc", "ADDRESSES", "Who gets a copy."},
                {"subject", "TEXT", "What it is about, in any language."},
                {"text", "FILE", "Read the text from here instead of standard input."},
                {"html", "FILE", "The same in HTML, as an alternative for those who show it."},
                {"digest", NULL, "Each FILE is a message: put them together (multipart/digest)."},
                {"link", "URL",
                 "Say where something can be had that is not sent (message/external-body); as "
                 "often as you like.",
                 .is_repeatable = true}},
    .run = run_build,
};
