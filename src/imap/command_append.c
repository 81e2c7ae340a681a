/* SPDX-License-Identifier: ISC */
/* APPEND (RFC 9051 §6.3.12) of one message or many (RFC 3502), in UTF-8 too (RFC 6855 §4); REPLACE
 * (RFC 8508); CATENATE (RFC 4469). */
#include "imap/part.h"
#include "imap/portion.h"

enum { MESSAGES_MAX = 1000, PIECES_MAX = 1000 };

/* cat-part */
struct append_piece {
    bool is_url;
    struct slice text;
};

struct append_message {
    struct imap_flags flags;
    bool has_date;
    struct wall date;
    struct slice octets;
    uint32_t uid;
    /* CATENATE */
    bool is_made;
    const struct append_piece *pieces;
    size_t piece_count;
    struct buffer made;
};

struct append_task {
    struct slice name;
    struct append_message *messages;
    size_t count, sent, answered;
    uint32_t uid_validity;
    enum access_store_result result;
    uint32_t replaced;     /* UID; 0: APPEND */
    size_t message, piece; /* that is to be put together next */
    size_t made;           /* octets of the messages that were */
    struct imap_part part;
};

/* ---- what the client sends ------------------------------------------------------------------- */

/* cat-part = "TEXT" SP literal / "URL" SP astring */
static bool
take_piece(struct imap_server *server, struct cursor *cursor, struct append_piece *piece)
{
    piece->is_url = imap_take_word(cursor, SLICE("URL"));
    if (piece->is_url)
        return imap_take_space(cursor) && imap_take_astring(cursor, &server->arena, &piece->text);
    return imap_take_word(cursor, SLICE("TEXT")) && imap_take_space(cursor) &&
           imap_take_literal(cursor, &piece->text, NULL);
}

/* "CATENATE" SP "(" cat-part *(SP cat-part) ")" */
static bool
take_pieces(struct imap_server *server, struct cursor *cursor, struct append_message *message)
{
    struct append_piece *pieces = ARENA_ARRAY(&server->arena, struct append_piece, PIECES_MAX);

    if (!pieces || !imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_over(server, message->piece_count == PIECES_MAX, "[LIMIT] too many pieces") ||
            !take_piece(server, cursor, &pieces[message->piece_count++]))
            return false;
    } while (imap_take_space(cursor));
    message->is_made = true;
    message->pieces = pieces;
    buffer_init(&message->made, (size_t)server->options.message_bytes_max);
    return cursor_take_byte(cursor, ')');
}

/* append-data = literal / literal8 / "UTF8" SP "(" literal8 ")" / CATENATE … */
static bool
take_data(struct imap_server *server, struct cursor *cursor, struct append_message *message)
{
    struct slice *ret_octets = &message->octets;

    if (imap_take_word(cursor, SLICE("CATENATE")))
        return take_pieces(server, cursor, message);
    if (!imap_take_word(cursor, SLICE("UTF8")))
        return imap_take_literal(cursor, ret_octets, NULL);
    return imap_take_space(cursor) && cursor_take_byte(cursor, '(') &&
           imap_take_literal(cursor, ret_octets, NULL) && cursor_take_byte(cursor, ')');
}

/* append-message = [SP flag-list] [SP date-time] SP append-data */
static bool
take_message(struct imap_server *server, struct cursor *cursor, struct append_message *message)
{
    *message = (struct append_message){0};
    if (!imap_take_space(cursor))
        return false;
    if (cursor_peek(cursor) == '(' &&
        (!imap_take_flag_list(cursor, &message->flags) || !imap_take_space(cursor))) {
        (void)imap_over(server, message->flags.is_over_limit, IMAP_KEYWORDS_LIMIT);
        return false;
    }
    if (cursor_peek(cursor) == '"') {
        message->has_date = true;
        if (!imap_take_date_time(cursor, &message->date) || !imap_take_space(cursor))
            return false;
    }
    return take_data(server, cursor, message);
}

static bool
take_messages(struct imap_server *server, struct cursor *cursor, struct append_task *task)
{
    size_t size = 0;

    do {
        if (imap_over(server, task->count == MESSAGES_MAX, "[LIMIT] too many messages at once"))
            return false;
        if (task->count == size) {
            size_t larger = size ? size * 4 : 1;
            struct append_message *messages =
                ARENA_ARRAY(&server->arena, struct append_message, larger);
            if (!messages)
                return false;
            if (size > 0)
                memcpy(messages, task->messages, size * sizeof(*messages));
            task->messages = messages;
            size = larger;
        }
        if (!take_message(server, cursor, &task->messages[task->count++]))
            return false;
    } while (cursor_peek(cursor) == ' ');
    return imap_take_end(cursor);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* resp-code-apnd = "APPENDUID" SP nz-number SP uid-set */
static void
put_appenduid(struct imap_server *server, const struct append_task *task)
{
    struct imap_set_builder uids;

    imap_set_builder_init(&uids);
    for (size_t i = 0; i < task->count; i++)
        imap_set_builder_add(&uids, task->messages[i].uid, task->messages[i].uid);
    struct imap_set set = imap_set_builder_set(&uids);
    imap_put_number(&server->text, "[APPENDUID ", task->uid_validity, " ");
    imap_set_put(&server->text, &set);
    buffer_put_text(&server->text, "] ");
    imap_set_builder_finish(&uids);
}

static void
after_appends(struct imap_server *server)
{
    struct append_task *task = server->task;

    if (task->result == ACCESS_STORE_RESULT_NOT_FOUND) {
        imap_end(server, IMAP_NO, "[TRYCREATE] there is no such mailbox");
    } else if (task->result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, task->result, "");
    } else if (task->replaced == 0) {
        put_appenduid(server, task);
        imap_end(server, IMAP_OK, "kept");
    } else {
        buffer_put_text(&server->output, "* OK ");
        put_appenduid(server, task);
        buffer_put(&server->output, buffer_slice(&server->text));
        buffer_put_text(&server->output, "kept\r\n");
        buffer_clear(&server->text);
        imap_end(server, IMAP_OK, "replaced");
    }
}

static void
on_appended(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct append_task *task = server->task;
    const struct access_store_appended *told = &note->as.appended;

    (void)blob;
    task->messages[task->answered++].uid = told->uid;
    if (told->result != ACCESS_STORE_RESULT_OK)
        task->result = told->result;
    task->uid_validity = told->uid_validity;
    if (task->answered == task->count) {
        if (task->result == ACCESS_STORE_RESULT_OK)
            imap_notify_own_messages(server, task->name,
                                     &(struct imap_growth){told->uid_validity, told->uid,
                                                           (uint32_t)task->count,
                                                           told->modseq_before, told->modseq});
        after_appends(server);
    }
}

/* ---- notes ----------------------------------------------------------------------------------- */

/* One note for each message; the store files them when the last has come. */
static bool
send_next(struct imap_server *server)
{
    struct append_task *task = server->task;

    if (task->sent == task->count)
        return false;
    const struct append_message *message = &task->messages[task->sent];
    struct access_store_keyword *names =
        ARENA_ARRAY(&server->arena, struct access_store_keyword, message->flags.keyword_count + 1);
    bool is_long = message->octets.len > ACCESS_STORE_APPEND_BODY_MAX;
    assert(names);
    for (size_t i = 0; i < message->flags.keyword_count; i++)
        names[i].name = message->flags.keywords[i];
    task->sent++;
    server->note.as.append = (struct access_store_append){
        .mailbox = task->name,
        .flags = message->flags.bits,
        .keywords = {names, message->flags.keyword_count},
        .has_internal = message->has_date,
        .internal_ns = message->date.ns,
        .has_more = task->sent < task->count,
        .replaced_owner = task->replaced ? server->mailbox_owner : 0,
        .replaced_mailbox = task->replaced ? server->mailbox_id : 0,
        .replaced_uid = task->replaced,
        .body = is_long ? slice_of("", 0) : message->octets,
    };
    imap_ask(server, ACCESS_STORE_APPEND, on_appended);
    server->event.body = is_long ? message->octets : slice_of("", 0);
    return true;
}

/* ---- CATENATE -------------------------------------------------------------------------------- */

static void
drop(struct imap_server *server)
{
    struct append_task *task = server->task;

    for (size_t i = 0; i < task->count; i++) {
        if (task->messages[i].is_made)
            buffer_finish(&task->messages[i].made);
    }
}

static void
refuse_url(struct imap_server *server)
{
    struct append_task *task = server->task;
    struct slice url = task->messages[task->message].pieces[task->piece].text;

    buffer_put_text(&server->text, "[BADURL ");
    for (size_t i = 0; i < url.len; i++) { /* url-resp-text */
        uint8_t byte = url.at[i];
        buffer_put_byte(&server->text,
                        byte > ' ' && byte < 0x7F && byte != ']' && byte != '\\' ? byte : '?');
    }
    buffer_put_text(&server->text, "] ");
    imap_end(server, IMAP_NO, "that is no part of a message here");
}

static bool put_together(struct imap_server *server);

static void
on_part(struct imap_server *server, bool is_found)
{
    struct append_task *task = server->task;

    if (task->part.failure != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, task->part.failure, "");
        return;
    }
    if (!is_found) {
        refuse_url(server);
        return;
    }
    task->piece++;
    server->more = put_together;
}

static bool send_all(struct imap_server *server);

/* One piece after another. All messages together are no longer than one may be: a command of many
 * URLs is short, and what they name waits in memory until the last is there. */
static bool
put_together(struct imap_server *server)
{
    struct append_task *task = server->task;

    if (task->message == task->count) {
        server->more = send_all;
        return true;
    }
    struct append_message *message = &task->messages[task->message];
    if (message->is_made)
        message->made.max = (size_t)server->options.message_bytes_max - task->made;
    if (task->piece == message->piece_count) {
        if (message->is_made)
            message->octets = buffer_slice(&message->made);
        if (message->is_made && buffer_overflowed(&message->made)) {
            imap_end(server, IMAP_NO, "[TOOBIG] larger than this server takes");
            return true;
        }
        task->made += message->is_made ? message->octets.len : 0;
        task->message++;
        task->piece = 0;
        return true;
    }
    const struct append_piece *piece = &message->pieces[task->piece];
    if (!piece->is_url) {
        buffer_put(&message->made, piece->text);
        task->piece++;
        return true;
    }
    if (!imap_part_parse(server, piece->text, &task->part)) {
        refuse_url(server);
        return true;
    }
    task->part.into = &message->made;
    task->part.then = on_part;
    imap_part_begin(server, &task->part);
    return true;
}

static bool
send_all(struct imap_server *server)
{
    struct append_task *task = server->task;

    for (size_t i = 0; i < task->count; i++) {
        if (task->messages[i].octets.len > server->options.message_bytes_max) {
            imap_end(server, IMAP_NO, "[TOOBIG] larger than this server takes");
            return true;
        }
        if (task->messages[i].octets.len ==
            0) { /* RFC 3502 §6.3.11: the client has thought better */
            imap_end(server, IMAP_NO, "an empty message is none");
            return true;
        }
    }
    server->more = send_next;
    return true;
}

static void
begin(struct imap_server *server, struct slice sent)
{
    struct append_task *task = server->task;

    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, &task->name) ||
        task->name.len == 0 || task->name.len > ACCESS_STORE_APPEND_MAILBOX_MAX) {
        imap_end(server, IMAP_NO, "[TRYCREATE] there is no such mailbox");
        return;
    }
    server->more = put_together;
}

void
imap_command_append(struct imap_server *server, struct cursor *cursor)
{
    struct append_task *task = imap_task(server, sizeof(*task));
    struct slice sent;

    server->drop = drop;
    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent) ||
        !take_messages(server, cursor, task)) {
        imap_bad(server, "expected: APPEND mailbox [flags] [date-time] literal");
        return;
    }
    if (imap_portion_is_append_over(server, task->count)) {
        imap_portion_refuse(server);
        return;
    }
    begin(server, sent);
}

void
imap_command_replace(struct imap_server *server, struct cursor *cursor)
{
    struct append_task *task = imap_task(server, sizeof(*task));
    struct slice sent;
    uint32_t number;

    server->drop = drop;
    if (!imap_take_space(cursor) || !imap_take_nz_number(cursor, &number) ||
        !imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent) ||
        !take_messages(server, cursor, task) || task->count != 1) {
        imap_bad(server, "expected: REPLACE message mailbox [flags] [date-time] literal");
        return;
    }
    uint32_t place = server->is_uid ? imap_view_place_of_uid(&server->view, number)
                                    : imap_view_place_of_number(&server->view, number);
    if (place == IMAP_NO_PLACE || server->is_read_only) {
        imap_end(server, IMAP_NO,
                 server->is_read_only ? "[READ-ONLY] it is read only" : "there is no such message");
        return;
    }
    task->replaced = server->view.mailbox->uids[place];
    begin(server, sent);
}
