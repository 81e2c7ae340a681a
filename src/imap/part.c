/* SPDX-License-Identifier: ISC */
#include "imap/part.h"

enum { HEADER_MAX = 4 << 20, PIECE_MAX = 256 * 1024 };

bool
imap_part_parse(struct imap_server *server, struct slice text, struct imap_part *ret_part)
{
    *ret_part = (struct imap_part){0};
    const struct imap_url *url = &ret_part->what.url;
    if (!imap_url_part_parse(text, &server->arena, &ret_part->what) ||
        url->owner.len > ACCESS_STORE_URL_ASK_OWNER_MAX ||
        url->user.len > ACCESS_STORE_URL_ASK_USER_MAX)
        return false;
    if (url->mailbox.len == 0)
        return server->state == IMAP_SELECTED;
    return url->mailbox.len <= ACCESS_STORE_MAILBOX_LIST_NAME_MAX;
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

/* What the store could not do, other than what is not there or not for this client to see. */
static void
note_failure(struct imap_part *part, enum access_store_result result)
{
    if (result == ACCESS_STORE_RESULT_TEMPORARY || result == ACCESS_STORE_RESULT_DAMAGED)
        part->failure = result;
}

/* ---- octets ---------------------------------------------------------------------------------- */

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
            buffer_put(imap_url_part_is_made(&part->what) ? &part->header
                       : part->is_streamed                ? &server->output
                                                          : part->into,
                       bytes);
        part->piece_left -= (uint32_t)bytes.len;
        part->left -= (uint32_t)bytes.len;
        return;
    }
    enum access_store_result result =
        part->what.url.is_authorized ? note->as.done.result : note->as.read_done.result;
    bool is_good = result == ACCESS_STORE_RESULT_OK && part->piece_left == 0;
    note_failure(part, result);
    if (!is_good && part->is_streamed && !part->is_looked_at) {
        imap_shut(server, IMAP_CLOSE_ERRORS, "[EXPUNGEISSUED] a message went while it was sent");
    } else if (is_good && part->left > 0) {
        server->on_note = NULL;
        server->more = next_piece;
    } else {
        is_good = is_good && !buffer_overflowed(&part->header); /* fields may stand behind that */
        if (is_good && imap_url_part_is_made(&part->what))
            imap_url_part_put_fields(&part->what, buffer_slice(&part->header), part->into);
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
    if (part->what.url.is_authorized) {
        struct access_store_url_ask ask = permission(&part->what.url);
        ask.offset = offset;
        ask.len = part->piece_left;
        server->note.as.url_ask = ask;
        imap_ask(server, ACCESS_STORE_URL_ASK, on_octets);
    } else {
        server->note.as.read = (struct access_store_read){.owner = part->owner,
                                                          .mailbox = part->mailbox,
                                                          .uid = part->what.url.uid,
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
    if (part->what.item.section == IMAP_SECTION_WHOLE)
        imap_put_part_structure(part->structure, message, &part->what.item.path, part->decoded);
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
    part->is_found = imap_section_find(&message, &part->what.item.path, part->what.item.section,
                                       &part->offset, &part->len, &part->encoding);
    if (part->is_found && part->structure)
        put_structure(part, &message);
    if (!imap_url_part_is_made(&part->what) && !part->take)
        imap_url_clip(&part->what.url, &part->offset, &part->len);
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
    note_failure(part, note->as.done.result);
    if (part->has_no_octets) {
        end(server, part->is_found);
        return;
    }
    part->is_streamed = part->begin && !imap_url_part_is_made(&part->what) && part->is_found;
    bool has_room = imap_url_part_is_made(&part->what) || part->is_streamed ||
                    part->len <= buffer_room(part->into);
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
    *range = (struct access_store_uid_range){part->what.url.uid, part->what.url.uid};
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
            if (part->what.url.uid_validity == 0 ||
                part->what.url.uid_validity == row->uid_validity) {
                part->mailbox = row->mailbox;
                part->owner = row->owner;
            }
        }
        return;
    }
    if (note->as.done.result == ACCESS_STORE_RESULT_OK && part->mailbox != 0) {
        ask_message(server);
    } else {
        note_failure(part, note->as.done.result);
        end(server, false);
    }
}

void
imap_part_begin(struct imap_server *server, struct imap_part *part)
{
    server->part = part;
    server->more = NULL;
    if (part->what.url.is_authorized) {
        struct access_store_url_ask ask = permission(&part->what.url);
        ask.has_record = true;
        server->note.as.url_ask = ask;
        imap_ask(server, ACCESS_STORE_URL_ASK, on_message);
        return;
    }
    if (part->what.url.mailbox.len == 0) {
        part->mailbox = server->mailbox_id;
        part->owner = server->mailbox_owner;
        ask_message(server);
        return;
    }
    server->note.as.mailbox_list =
        (struct access_store_mailbox_list){.name = part->what.url.mailbox};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_mailbox);
}
