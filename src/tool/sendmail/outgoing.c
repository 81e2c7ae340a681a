/* SPDX-License-Identifier: ISC */
#include "tool/sendmail/outgoing.h"

#include "envelope/path.h"
#include "message/address.h"
#include "message/header.h"
#include "mime/encoded_word.h"

#include <stdlib.h>

enum { OUTGOING_ARENA_MAX = 64 * 1024 * 1024 };

void
outgoing_init(struct outgoing *outgoing, size_t content_max)
{
    *outgoing = (struct outgoing){0};
    arena_init(&outgoing->arena, OUTGOING_ARENA_MAX);
    buffer_init(&outgoing->content, content_max);
}

void
outgoing_finish(struct outgoing *outgoing)
{
    free(outgoing->recipients);
    buffer_finish(&outgoing->content);
    arena_finish(&outgoing->arena);
}

/* ---- recipients ---------------------------------------------------------------------------- */

static bool
has(const struct outgoing *outgoing, struct slice canonical)
{
    for (size_t i = 0; i < outgoing->count; i++) {
        if (slice_equal(outgoing->recipients[i], canonical))
            return true;
    }
    return false;
}

/* False when it is no address that could be sent to, or when there are too many. */
static bool
add_address(struct outgoing *outgoing, struct address *address, struct slice origin)
{
    struct envelope_path path;
    struct buffer text;

    if (address->domain.len == 0)
        address->domain = origin;
    buffer_init(&text, ENVELOPE_CANONICAL_MAX * 2);
    address_put_spec(&text, address);
    bool is_good =
        address->local.len > 0 && !buffer_overflowed(&text) &&
        envelope_mailbox_parse(buffer_slice(&text), &outgoing->arena, &path) == ENVELOPE_OK;
    buffer_finish(&text);
    if (!is_good || has(outgoing, path.canonical))
        return is_good;
    if (outgoing->count == outgoing->room) {
        outgoing->room = outgoing->room ? outgoing->room * 2 : 16;
        outgoing->recipients =
            realloc(outgoing->recipients, outgoing->room * sizeof(*outgoing->recipients));
        if (!outgoing->recipients)
            abort();
    }
    if (outgoing->count == OUTGOING_RECIPIENTS_MAX)
        return false;
    outgoing->recipients[outgoing->count++] = path.canonical;
    return true;
}

bool
outgoing_add(struct outgoing *outgoing, struct slice text, struct slice origin,
             struct slice *ret_bad)
{
    struct address_list list;

    address_list_parse(&outgoing->arena, text, &list);
    *ret_bad = text;
    for (struct address *address = list.first; address; address = address->next) {
        if (address->kind != ADDRESS_MAILBOX)
            continue;
        *ret_bad = address->raw;
        if (!add_address(outgoing, address, origin))
            return false;
    }
    return list.count > 0 && !list.is_cut;
}

/* False when not all of it can be taken. */
static bool
add_field(struct outgoing *outgoing, const struct field *field, struct slice origin)
{
    struct address_list list;

    if (!field)
        return true;
    address_list_parse(&outgoing->arena, field->body, &list);
    for (struct address *address = list.first; address; address = address->next) {
        if (address->kind == ADDRESS_MAILBOX && !add_address(outgoing, address, origin) &&
            outgoing->count == OUTGOING_RECIPIENTS_MAX)
            return false;
    }
    return !list.is_cut;
}

bool
outgoing_add_from_header(struct outgoing *outgoing, struct slice message, struct slice origin)
{
    static const enum field_id ids[] = {FIELD_TO, FIELD_CC, FIELD_BCC, FIELD_APPARENTLY_TO};
    struct header_resent resent;
    struct header header;

    header_parse(&outgoing->arena, message, &header);
    bool is_whole = !header.is_cut;
    if (header_next_resent(&header, NULL, &resent))
        return is_whole && add_field(outgoing, resent.to, origin) &&
               add_field(outgoing, resent.cc, origin) && add_field(outgoing, resent.bcc, origin);
    for (size_t i = 0; i < COUNT_OF(ids) && is_whole; i++) {
        const struct field *field = NULL;
        while (is_whole && (field = header_find(&header, ids[i], field)))
            is_whole = add_field(outgoing, field, origin);
    }
    return is_whole && !arena_failed(&outgoing->arena);
}

/* ---- content ------------------------------------------------------------------------------- */

/* Blind copies stay unknown; who sends has no say in the path that mail returns on. */
static bool
is_dropped(const struct field *field)
{
    return header_is_blind(field) || field->id == FIELD_RETURN_PATH ||
           field->kind == FIELD_KIND_MBOX_FROM;
}

static bool
has_addresses(enum field_id id)
{
    static const enum field_id ids[] = {
        FIELD_FROM,      FIELD_SENDER,          FIELD_REPLY_TO,      FIELD_TO,
        FIELD_CC,        FIELD_RESENT_FROM,     FIELD_RESENT_SENDER, FIELD_RESENT_TO,
        FIELD_RESENT_CC, FIELD_RESENT_REPLY_TO,
    };

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* "From: root (Cron Daemon)" becomes an address that can be answered. All else stays as it is. */
static void
put_field(struct outgoing *outgoing, const struct field *field, struct slice origin)
{
    struct address_list list;
    bool is_changed = false;

    if (field->kind == FIELD_KIND_FIELD && has_addresses(field->id)) {
        address_list_parse(&outgoing->arena, field->body, &list);
        for (struct address *address = list.first; address; address = address->next) {
            if (address->kind != ADDRESS_MAILBOX || !(address->defects & ADDRESS_NO_DOMAIN) ||
                address->local.len == 0)
                continue;
            address->domain = origin;
            is_changed = true;
        }
        is_changed = is_changed && !list.is_cut; /* what was not read must stay, too */
    }
    if (!is_changed) {
        buffer_put(&outgoing->content, field->raw);
        return;
    }
    buffer_put(&outgoing->content, field->name);
    buffer_put_text(&outgoing->content, ": ");
    address_list_format(&list, field->name.len + 2, &outgoing->content);
    buffer_put_text(&outgoing->content, "\r\n");
}

static void
put_from(struct buffer *content, const struct outgoing_facts *facts)
{
    buffer_put_text(content, "From: ");
    if (facts->full_name.len > 0) {
        mime_encoded_words_put(content, facts->full_name, MIME_WORD_PHRASE, strlen("From: "));
        buffer_put_text(content, " <");
    }
    buffer_put(content, facts->sender);
    buffer_put_text(content, facts->full_name.len > 0 ? ">\r\n" : "\r\n");
}

/* Where the body begins. A message of words alone has no header, whatever its first lines may be
 * taken for. */
static size_t
find_body(struct header *header)
{
    const struct field *junk = NULL;

    for (size_t i = 0; i < header->count; i++) {
        if (header->fields[i].kind == FIELD_KIND_FIELD)
            return header->body_offset;
        if (header->fields[i].kind == FIELD_KIND_JUNK && !junk)
            junk = &header->fields[i];
    }
    header->count = 0;
    return junk ? junk->offset : header->body_offset;
}

bool
outgoing_complete(struct outgoing *outgoing, struct slice message,
                  const struct outgoing_facts *facts)
{
    struct buffer *content = &outgoing->content;
    struct header header;

    header_parse(&outgoing->arena, message, &header);
    size_t body = find_body(&header);
    for (size_t i = 0; i < header.count; i++) {
        if (!is_dropped(&header.fields[i]))
            put_field(outgoing, &header.fields[i], facts->origin);
    }
    struct slice so_far = buffer_slice(content);
    if (so_far.len > 0 && so_far.at[so_far.len - 1] != '\n')
        buffer_put_text(content, "\r\n"); /* a message that ends within its header */
    if (!header_find(&header, FIELD_FROM, NULL))
        put_from(content, facts);
    buffer_put_text(content, "\r\n");
    buffer_put(content, slice_skip(message, body));
    return !header.is_cut && !buffer_overflowed(content);
}
