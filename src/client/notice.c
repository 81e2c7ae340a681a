/* SPDX-License-Identifier: ISC */
#include "client/notice.h"

#include "client/invitation.h"
#include "client/reading.h"
#include "mime/decode.h"
#include "mime/external.h"
#include "mime/part_number.h"

enum { ARENA_MAX = 16 << 20, LINE_MAX = 8192 };

static void
put_label(const char *label, struct buffer *out)
{
    enum { COLUMN = 10 };

    buffer_put_text(out, label);
    for (size_t len = strlen(label); len < COLUMN; len++)
        buffer_put_byte(out, ' ');
}

static void
put_words(const char *before, struct slice words, struct buffer *out)
{
    buffer_put_text(out, before);
    reading_put_line(words, out);
}

/* The content of a part, encoding undone; cut where it is too long. */
static void
read_part(const struct mime_tree *tree, uint32_t index, struct buffer *ret_bytes)
{
    buffer_init(ret_bytes, NOTICE_PART_MAX);
    mime_decode(ret_bytes, mime_part_body(tree, &tree->parts[index]), tree->parts[index].encoding,
                NULL, 0);
}

/* ---- fields of programs -------------------------------------------------------------------- */

/* The body of a field by its name; empty without it. */
static struct slice
field_of(const struct header *header, const char *name)
{
    const struct field *field = header_find_name(header, slice_of_string(name), NULL);

    return field ? field->body : SLICE("");
}

/* What stands behind "type;" (RFC 3464 §2.1.2): the address, the code, the name. */
static struct slice
behind_type(struct slice body)
{
    size_t at = slice_find_byte(body, ';');

    return slice_trim(at < body.len ? slice_skip(body, at + 1) : body);
}

/* ---- reports of delivery ------------------------------------------------------------------- */

/* For reports that say a code alone (RFC 3463 §3). */
static const struct {
    const char *code; /* without its class */
    const char *words;
} meanings[] = {
    {".1.1", "there is no such mailbox"},
    {".1.2", "there is no such domain"},
    {".1.3", "the address is not one"},
    {".1.6", "the mailbox has moved"},
    {".1.10", "the domain takes no mail"},
    {".2.1", "the mailbox is switched off"},
    {".2.2", "the mailbox is full"},
    {".2.3", "the message is too large"},
    {".3.4", "the message is too large"},
    {".4.1", "no answer from the server"},
    {".4.4", "no way to the server is known"},
    {".4.6", "the message went in circles"},
    {".4.7", "it could not be delivered in time"},
    {".7.1", "the server does not take it from you"},
};

static void
put_reason(const struct header *header, struct buffer *out)
{
    struct slice said = behind_type(field_of(header, "Diagnostic-Code"));
    struct slice status = slice_trim(field_of(header, "Status"));
    struct slice host = behind_type(field_of(header, "Remote-MTA"));

    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (status.len > 0 && slice_equal(slice_skip(status, 1), slice_of_string(meanings[i].code)))
            put_words(": ", slice_of_string(meanings[i].words), out);
    }
    if (said.len > 0)
        put_words(": ", said, out);
    else if (status.len > 0)
        put_words(" (", status, out);
    if (said.len == 0 && status.len > 0)
        buffer_put_byte(out, ')');
    if (host.len > 0 && said.len > 0) {
        put_words(" (said by ", host, out);
        buffer_put_byte(out, ')');
    }
}

static const struct {
    const char *action, *before, *after;
    bool has_reason;
} outcomes[] = {
    {"failed", "NOT delivered to ", "", true},
    {"delayed", "not delivered yet to ", ", and tried again", true},
    {"delivered", "delivered to ", "", false},
    {"relayed", "passed on to a server that sends no reports, for ", "", false},
    {"expanded", "delivered to the list ", ", which passes it on", false},
};

/* RFC 3464 §2.3: one recipient. */
static void
put_recipient(const struct header *header, struct buffer *out)
{
    struct slice action = slice_trim(field_of(header, "Action"));
    struct slice original = behind_type(field_of(header, "Original-Recipient"));
    struct slice recipient = behind_type(field_of(header, "Final-Recipient"));
    struct slice until = field_of(header, "Will-Retry-Until");

    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        if (!slice_equal_nocase(action, slice_of_string(outcomes[i].action)))
            continue;
        put_label("Report:", out);
        put_words(outcomes[i].before, recipient.len > 0 ? recipient : original, out);
        if (original.len > 0 && recipient.len > 0 && !slice_equal_nocase(original, recipient)) {
            put_words(" (you wrote to ", original, out);
            buffer_put_byte(out, ')');
        }
        buffer_put_text(out, outcomes[i].after);
        if (until.len > 0 && outcomes[i].has_reason)
            put_words(" until ", until, out);
        if (outcomes[i].has_reason)
            put_reason(header, out);
        buffer_put_byte(out, '\n');
    }
}

/* The message that a report is about, which comes with it, or its header. */
static void
put_subject_of(const struct mime_tree *tree, uint32_t report, struct buffer *out)
{
    const struct mime_part *part = &tree->parts[report];
    struct slice text = SLICE("");
    struct header header;
    struct arena arena;

    for (uint32_t i = report + 1; i < tree->count && tree->parts[i].parent == part->parent;
         i = tree->parts[i].after) {
        if (tree->parts[i].kind == MIME_PART_MESSAGE ||
            mime_content_type_is(&tree->parts[i].content_type, "text", "rfc822-headers"))
            text = mime_part_body(tree, &tree->parts[i]);
    }
    arena_init(&arena, ARENA_MAX);
    header_parse(&arena, text, &header);
    const struct field *subject = header_find(&header, FIELD_SUBJECT, NULL);
    const struct field *date = header_find(&header, FIELD_DATE, NULL);
    if (subject || date) {
        put_label("About:", out);
        buffer_put_text(out, "your message");
        if (subject)
            put_words(" \"", subject->body, out);
        buffer_put_text(out, subject ? "\"" : "");
        if (date)
            put_words(" of ", date->body, out);
        buffer_put_byte(out, '\n');
    }
    arena_finish(&arena);
}

/* RFC 3464 §2.1: groups of fields, the first about the message, each other about a recipient. */
static void
put_report(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    struct buffer bytes;
    struct header header;
    struct arena arena;
    size_t count = 0;

    read_part(tree, index, &bytes);
    arena_init(&arena, ARENA_MAX);
    for (struct slice rest = buffer_slice(&bytes); rest.len > 0;) {
        header_parse(&arena, rest, &header);
        if (header.body_offset == 0)
            break;
        rest = slice_skip(rest, header.body_offset);
        if (field_of(&header, "Action").len > 0 && count++ < NOTICE_RECIPIENTS_MAX)
            put_recipient(&header, out);
        arena_reset(&arena);
    }
    if (count > NOTICE_RECIPIENTS_MAX) {
        put_label("Report:", out);
        buffer_put_text(out, "and ");
        buffer_put_decimal(out, count - NOTICE_RECIPIENTS_MAX);
        buffer_put_text(out, " more\n");
    }
    if (count > 0)
        put_subject_of(tree, index, out);
    arena_finish(&arena);
    buffer_finish(&bytes);
}

/* ---- receipts ------------------------------------------------------------------------------ */

static const struct {
    const char *disposition, *words;
} dispositions[] = {
    {"displayed", "it was shown to "},
    {"deleted", "it was deleted without having been shown, by "},
    {"dispatched", "it was passed on without having been shown, by "},
    {"processed", "it was processed without having been shown, by "},
    {"denied", "no answer is given by "},
};

/* RFC 8098 §3.2.6: "mode; type/modifier". */
static void
put_receipt(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    struct buffer bytes;
    struct header header;
    struct arena arena;

    read_part(tree, index, &bytes);
    arena_init(&arena, ARENA_MAX);
    header_parse(&arena, buffer_slice(&bytes), &header);
    struct slice type = behind_type(field_of(&header, "Disposition"));
    type = slice_trim(slice_first(type, slice_find_byte(type, '/')));
    for (size_t i = 0; i < COUNT_OF(dispositions); i++) {
        if (!slice_equal_nocase(type, slice_of_string(dispositions[i].disposition)))
            continue;
        put_label("Receipt:", out);
        buffer_put_text(out, dispositions[i].words);
        reading_put_line(behind_type(field_of(&header, "Final-Recipient")), out);
        buffer_put_text(out, i == 0 ? "; whether it was read, nobody knows\n" : "\n");
        put_subject_of(tree, index, out);
    }
    arena_finish(&arena);
    buffer_finish(&bytes);
}

static void
put_request(const struct mime_tree *tree, struct buffer *out)
{
    const struct header *header = tree->parts[0].fields;
    const struct field *field =
        header ? header_find(header, FIELD_DISPOSITION_NOTIFICATION_TO, NULL) : NULL;

    if (!field)
        return;
    put_label("Asks:", out);
    put_words("for a receipt, to be sent to ", field->body, out);
    buffer_put_byte(out, '\n');
}

/* ---- elsewhere, and pieces ----------------------------------------------------------------- */

static struct slice
parameter_of(const struct mime_part *part, const char *name)
{
    return mime_parameters_find(part->content_type.parameters, slice_of_string(name));
}

/* "photo.jpg, image/jpeg, 12345 octets": what the body would be. */
static void
put_absent(const struct mime_external *external, struct buffer *out)
{
    put_words(" (", external->file_name, out);
    put_words(external->file_name.len > 0 ? ", " : "", external->type, out);
    put_words("/", external->subtype, out);
    if (external->size.len > 0) {
        put_words(", ", external->size, out);
        buffer_put_text(out, " octets");
    }
    buffer_put_byte(out, ')');
}

/* RFC 2046 §5.2.3, RFC 2017. */
static void
put_elsewhere(const struct mime_tree *tree, uint32_t index, struct buffer *out)
{
    struct mime_external external;
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    mime_external_parse(tree, index, &arena, &external);
    const struct slice places[] = {external.url, external.server, external.site,
                                   external.directory, external.name};
    put_label("Absent:", out);
    buffer_put_text(out, "part ");
    mime_part_number_put(out, tree, index);
    put_absent(&external, out);
    put_words(" is not in the message, but to be had by ", external.access, out);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (places[i].len > 0)
            put_words(" ", places[i], out);
    }
    if (external.expiration.len > 0)
        put_words(", until ", external.expiration, out);
    buffer_put_text(out, "; it was not fetched\n");
    arena_finish(&arena);
}

/* RFC 2046 §5.2.2. */
static void
put_piece(const struct mime_part *part, struct buffer *out)
{
    struct slice total = parameter_of(part, "total");

    put_label("Piece:", out);
    put_words("this is piece ", parameter_of(part, "number"), out);
    if (total.len > 0)
        put_words(" of ", total, out);
    buffer_put_text(out, " of a message that was cut; with all of them, 'facteur mime join' "
                         "makes it whole\n");
}

void
notice_put(const struct mime_tree *tree, struct buffer *out)
{
    put_request(tree, out);
    for (uint32_t i = 0; i < tree->count;) {
        const struct mime_part *part = &tree->parts[i];
        const struct mime_content_type *type = &part->content_type;
        if (mime_content_type_is(type, "message", "delivery-status") ||
            mime_content_type_is(type, "message", "global-delivery-status"))
            put_report(tree, i, out);
        else if (mime_content_type_is(type, "message", "disposition-notification") ||
                 mime_content_type_is(type, "message", "global-disposition-notification"))
            put_receipt(tree, i, out);
        else if (mime_content_type_is(type, "message", "external-body"))
            put_elsewhere(tree, i, out);
        else if (mime_content_type_is(type, "message", "partial"))
            put_piece(part, out);
        else if (mime_content_type_is(type, "text", "calendar"))
            invitation_put(tree, i, out);
        /* What a message that is attached tells is told when that is opened. */
        i = part->kind == MIME_PART_MESSAGE ? part->after : i + 1;
    }
}
