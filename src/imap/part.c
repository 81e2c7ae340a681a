/* SPDX-License-Identifier: ISC */
#include "imap/part.h"

enum { HEADER_MAX = 4 << 20 };

static bool
take_section(struct imap_server *server, struct imap_part *part)
{
    struct imap_fetch_items items;
    struct buffer text;

    buffer_init(&text, IMAP_COMMAND_MAX);
    buffer_put_text(&text, "BODY.PEEK[");
    buffer_put(&text, part->url.section);
    buffer_put_text(&text, "]");
    struct slice kept = arena_copy(&server->arena, buffer_slice(&text));
    buffer_finish(&text);
    struct cursor cursor = cursor_of(kept);
    if (!imap_take_fetch_items(&cursor, &server->arena, &items) || !cursor_is_done(&cursor) ||
        items.count != 1)
        return false;
    part->item = items.at[0];
    return true;
}

bool
imap_part_parse(struct imap_server *server, struct slice text, struct imap_part *ret_part)
{
    *ret_part = (struct imap_part){0};
    if (!imap_url_parse(text, &server->arena, &ret_part->url) || !take_section(server, ret_part))
        return false;
    struct slice *name = &ret_part->url.mailbox;
    if (name->len == 0)
        return server->state == IMAP_SELECTED;
    return imap_name_decode(*name, true, &server->arena, name) &&
           name->len <= ACCESS_STORE_MAILBOX_LIST_NAME_MAX;
}

static void
end(struct imap_server *server, bool is_found)
{
    struct imap_part *part = server->part;

    server->part = NULL;
    server->on_note = NULL;
    buffer_finish(&part->header);
    part->then(server, is_found);
}

/* ---- octets ---------------------------------------------------------------------------------- */

/* What PARTIAL leaves of them. */
static void
clip(const struct imap_url *url, uint32_t *offset, uint32_t *len)
{
    uint32_t start = url->partial_start < *len ? url->partial_start : *len;

    if (!url->is_partial)
        return;
    *offset += start;
    *len -= start;
    if (url->partial_len > 0 && *len > url->partial_len)
        *len = url->partial_len;
}

static bool
is_fields(const struct imap_part *part)
{
    return part->item.section == IMAP_SECTION_FIELDS ||
           part->item.section == IMAP_SECTION_FIELDS_NOT;
}

static void
put_fields(struct imap_part *part)
{
    struct buffer made;
    uint32_t offset = 0;

    buffer_init(&made, buffer_len(&part->header) + 16);
    imap_put_fields(&made, buffer_slice(&part->header), part->item.fields, part->item.field_count,
                    part->item.section == IMAP_SECTION_FIELDS_NOT);
    uint32_t len = (uint32_t)buffer_len(&made);
    clip(&part->url, &offset, &len);
    buffer_put(part->into, slice_between(buffer_slice(&made), offset, (size_t)offset + len));
    buffer_finish(&made);
}

static void
on_octets(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_part *part = server->part;

    (void)blob;
    if (note->kind == ACCESS_STORE_BYTES) {
        struct slice bytes = slice_first(note->as.bytes.bytes, part->left);
        buffer_put(is_fields(part) ? &part->header : part->into, bytes);
        part->left -= (uint32_t)bytes.len;
        return;
    }
    bool is_whole = note->as.read_done.result == ACCESS_STORE_RESULT_OK && part->left == 0;
    if (is_whole && is_fields(part))
        put_fields(part);
    end(server, is_whole);
}

/* ---- the message ----------------------------------------------------------------------------- */

static void
find(struct imap_part *part, uint32_t len, struct slice record)
{
    struct imap_message message;
    enum mime_encoding encoding;

    imap_message_open(&message, record, len);
    part->is_found = imap_section_find(&message, &part->item.path, part->item.section,
                                       &part->offset, &part->len, &encoding);
    if (!is_fields(part))
        clip(&part->url, &part->offset, &part->len);
}

static void
on_message(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_part *part = server->part;

    if (note->kind == ACCESS_STORE_MESSAGES) {
        for (size_t i = 0; i < note->as.messages.rows.count; i++)
            find(part, note->as.messages.rows.at[i].len, note->as.messages.rows.at[i].record);
        return;
    }
    if (note->kind == ACCESS_STORE_MESSAGE_BIG) {
        find(part, note->as.message_big.len, blob);
        return;
    }
    bool has_room = is_fields(part) || part->len <= buffer_room(part->into);
    if (!part->is_found || part->len == 0 || !has_room) {
        if (part->is_found && !has_room)
            part->into->overflowed = true;
        end(server, part->is_found);
        return;
    }
    buffer_init(&part->header, HEADER_MAX);
    part->left = part->len;
    server->note.as.read = (struct access_store_read){.owner = part->owner,
                                                      .mailbox = part->mailbox,
                                                      .uid = part->url.uid,
                                                      .offset = part->offset,
                                                      .len = part->len};
    imap_ask(server, ACCESS_STORE_READ, on_octets);
}

static void
ask_message(struct imap_server *server)
{
    struct imap_part *part = server->part;
    struct access_store_uid_range *range = arena_new(&server->arena, sizeof(*range));

    assert(range);
    *range = (struct access_store_uid_range){part->url.uid, part->url.uid};
    server->note.as.messages_ask = (struct access_store_messages_ask){
        .owner = part->owner, .mailbox = part->mailbox, .has_records = true, .ranges = {range, 1}};
    imap_ask(server, ACCESS_STORE_MESSAGES_ASK, on_message);
}

/* ---- the mailbox ----------------------------------------------------------------------------- */

static void
on_mailbox(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_part *part = server->part;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++) {
            const struct access_store_mailbox_row *row = &note->as.mailboxes.rows.at[i];
            if (part->url.uid_validity == 0 || part->url.uid_validity == row->uid_validity) {
                part->mailbox = row->mailbox;
                part->owner = row->owner;
            }
        }
        return;
    }
    if (note->as.done.result == ACCESS_STORE_RESULT_OK && part->mailbox != 0)
        ask_message(server);
    else
        end(server, false);
}

void
imap_part_begin(struct imap_server *server, struct imap_part *part)
{
    server->part = part;
    server->more = NULL;
    if (part->url.mailbox.len == 0) {
        part->mailbox = server->mailbox_id;
        part->owner = server->mailbox_owner;
        ask_message(server);
        return;
    }
    server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = part->url.mailbox};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_mailbox);
}
