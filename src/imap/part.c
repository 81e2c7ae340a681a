/* SPDX-License-Identifier: ISC */
#include "imap/part.h"

enum { HEADER_MAX = 4 << 20, PIECE_MAX = 256 * 1024 };

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
    struct imap_url *url = &ret_part->url;
    bool is_absolute = text.len >= 7 && slice_equal_nocase(slice_first(text, 7), SLICE("imap://"));
    bool is_url = is_absolute ? imap_url_parse_authorized(text, true, &server->arena, url)
                              : imap_url_parse(text, &server->arena, url);
    if (!is_url || !take_section(server, ret_part) ||
        url->owner.len > ACCESS_STORE_URL_ASK_OWNER_MAX ||
        url->user.len > ACCESS_STORE_URL_ASK_USER_MAX)
        return false;
    struct slice *name = &url->mailbox;
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

enum access_store_url_reach
imap_url_reach(enum imap_url_access access)
{
    static const enum access_store_url_reach reaches[] = {
        [IMAP_URL_USER] = ACCESS_STORE_URL_REACH_USER,
        [IMAP_URL_SUBMIT] = ACCESS_STORE_URL_REACH_SUBMIT,
        [IMAP_URL_AUTHUSER] = ACCESS_STORE_URL_REACH_AUTHUSER,
        [IMAP_URL_ANONYMOUS] = ACCESS_STORE_URL_REACH_ANONYMOUS,
    };

    return reaches[access];
}

/* The note that asks for what the URL permits. */
static struct access_store_url_ask
permission(const struct imap_url *url)
{
    return (struct access_store_url_ask){
        .owner = url->owner,
        .name = url->mailbox,
        .uid = url->uid,
        .expires_s = url->expires_s,
        .reach = imap_url_reach(url->access),
        .user = url->user,
        .rump = url->rump,
        .token = url->token,
    };
}

static bool next_piece(struct imap_server *server);

static void
on_octets(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_part *part = server->part;

    (void)blob;
    if (note->kind == ACCESS_STORE_BYTES) {
        struct slice bytes = slice_first(note->as.bytes.bytes, part->piece_left);
        if (part->is_streamed && part->take)
            part->take(server, bytes);
        else
            buffer_put(is_fields(part)     ? &part->header
                       : part->is_streamed ? &server->output
                                           : part->into,
                       bytes);
        part->piece_left -= (uint32_t)bytes.len;
        part->left -= (uint32_t)bytes.len;
        return;
    }
    enum access_store_result result =
        part->url.is_authorized ? note->as.done.result : note->as.read_done.result;
    bool is_good = result == ACCESS_STORE_RESULT_OK && part->piece_left == 0;
    if (!is_good && part->is_streamed && !part->is_looked_at) {
        imap_shut(server, IMAP_CLOSE_ERRORS, "[EXPUNGEISSUED] a message went while it was sent");
    } else if (is_good && part->left > 0) {
        server->on_note = NULL;
        server->more = next_piece;
    } else {
        if (is_good && is_fields(part))
            put_fields(part);
        end(server, is_good);
    }
}

static bool
next_piece(struct imap_server *server)
{
    struct imap_part *part = server->part;
    uint32_t offset = part->offset + part->len - part->left;

    part->piece_left = part->left < PIECE_MAX ? part->left : (uint32_t)PIECE_MAX;
    server->more = NULL;
    if (part->url.is_authorized) {
        struct access_store_url_ask ask = permission(&part->url);
        ask.offset = offset;
        ask.len = part->piece_left;
        server->note.as.url_ask = ask;
        imap_ask(server, ACCESS_STORE_URL_ASK, on_octets);
    } else {
        server->note.as.read = (struct access_store_read){.owner = part->owner,
                                                          .mailbox = part->mailbox,
                                                          .uid = part->url.uid,
                                                          .offset = offset,
                                                          .len = part->piece_left};
        imap_ask(server, ACCESS_STORE_READ, on_octets);
    }
    return true;
}

/* ---- the message ----------------------------------------------------------------------------- */

/* What is no part of a message has no structure but octets. */
static void
put_structure(struct imap_part *part, const struct imap_message *message)
{
    if (part->item.section == IMAP_SECTION_WHOLE)
        imap_put_part_structure(part->structure, message, &part->item.path, part->decoded);
    else
        imap_put_number(part->structure,
                        "(\"application\" \"octet-stream\" NIL NIL NIL \"BINARY\" ", part->len,
                        " NIL NIL NIL NIL)");
}

static void
find(struct imap_part *part, uint32_t len, struct slice record)
{
    struct imap_message message;

    imap_message_open(&message, record, len);
    part->is_found = imap_section_find(&message, &part->item.path, part->item.section,
                                       &part->offset, &part->len, &part->encoding);
    if (part->is_found && part->structure)
        put_structure(part, &message);
    if (!is_fields(part) && !part->take)
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
    if (part->has_no_octets) {
        end(server, part->is_found);
        return;
    }
    part->is_streamed = part->begin && !is_fields(part) && part->is_found;
    bool has_room = is_fields(part) || part->is_streamed || part->len <= buffer_room(part->into);
    if (part->is_streamed)
        part->begin(server, part->len);
    if (!part->is_found || part->len == 0 || !has_room) {
        if (part->is_found && !has_room)
            part->into->overflowed = true;
        end(server, part->is_found);
        return;
    }
    buffer_init(&part->header, HEADER_MAX);
    part->left = part->len;
    server->on_note = NULL;
    server->more = next_piece;
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
    if (part->url.is_authorized) {
        struct access_store_url_ask ask = permission(&part->url);
        ask.has_record = true;
        server->note.as.url_ask = ask;
        imap_ask(server, ACCESS_STORE_URL_ASK, on_message);
        return;
    }
    if (part->url.mailbox.len == 0) {
        part->mailbox = server->mailbox_id;
        part->owner = server->mailbox_owner;
        ask_message(server);
        return;
    }
    server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = part->url.mailbox};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_mailbox);
}
