/* SPDX-License-Identifier: ISC */
/* FETCH (RFC 9051 §6.4.5) with CHANGEDSINCE and VANISHED (RFC 7162), PARTIAL (RFC 9394). */
#include "imap/binary.h"
#include "imap/fetch.h"
#include "imap/headline.h"
#include "imap/portion.h"
#include "imap/rights.h"
#include "imap/search_run.h"
#include "imap/server_private.h"
#include "mime/decode.h"

enum {
    OCTETS_INLINE = 32768,
    STREAM_PIECE = 256 * 1024, /* of what is read a piece at a time; a longer header is, too */
};

struct fetch_task {
    struct imap_fetch_items items;
    struct imap_set places;
    struct imap_set uids;  /* for VANISHED, as they were named: what went has no place */
    struct imap_walk walk; /* when the store is not asked */
    uint64_t changed_since;
    bool has_changed_since, wants_vanished;
    bool is_peek; /* no item sets \Seen */
    bool has_envelope;
    bool is_partial;
    struct imap_returns partial; /* PARTIAL only */
    /* The row in hand. */
    bool is_begun;
    size_t item;
    bool is_asked; /* for octets of the item */
    uint32_t streamed;
    struct imap_binary binary;
    bool is_sending, has_piece; /* of binary: the second time; octets have come */
    bool has_unknown;           /* an encoding that nobody can undo */
    enum access_store_result unread; /* why octets of some message could not be had */
    bool is_unread;                  /* of the row in hand: its reader has not seen it */
    size_t marked;              /* ranges of `gathered` that the store was asked to mark */
};

/* ---- what needs no store --------------------------------------------------------------------- */

static void
put_local(struct imap_server *server, enum imap_fetch_kind kind, uint32_t place)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;

    if (kind == IMAP_FETCH_UID) {
        imap_put_number(out, "UID ", mailbox->uids[place], "");
    } else if (kind == IMAP_FETCH_FLAGS) {
        buffer_put_text(out, "FLAGS ");
        imap_put_flags(server, mailbox->flags[place], mailbox->keywords[place]);
    } else {
        imap_put_number(out, "MODSEQ (", mailbox->modseqs[place], ")");
    }
}

static bool
is_wanted(const struct fetch_task *task, const struct imap_mailbox *mailbox, uint32_t place)
{
    return !task->has_changed_since || (mailbox->modseqs[place] > task->changed_since &&
                                        !(mailbox->flags[place] & IMAP_VANISHED));
}

static bool
put_locals(struct imap_server *server)
{
    struct fetch_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;
    uint32_t place, number;

    while (imap_has_room(server)) {
        if (!imap_walk_next(&task->walk, &place, &number)) {
            imap_end(server, IMAP_OK, "done");
            return true;
        }
        if (!is_wanted(task, mailbox, place))
            continue;
        imap_put_fetch(server, place, number, false);
        for (size_t i = 0; i < task->items.count; i++) {
            if (i > 0)
                buffer_put_byte(out, ' ');
            put_local(server, task->items.at[i].kind, place);
        }
        buffer_put_text(out, ")\r\n");
    }
    return true;
}

/* ---- octets ---------------------------------------------------------------------------------- */

/* What of `len` octets the client wants. */
static void
clip(const struct imap_fetch_item *item, uint32_t *offset, uint32_t *len)
{
    if (!item->is_partial)
        return;
    uint32_t start = item->partial_start < *len ? item->partial_start : *len;
    *offset += start;
    *len -= start;
    if (*len > item->partial_len)
        *len = item->partial_len;
}

static void
put_item_name(struct buffer *out, const struct imap_fetch_item *item)
{
    buffer_put(out, item->name);
    if (item->is_partial)
        imap_put_number(out, "<", item->partial_start, ">");
    buffer_put_byte(out, ' ');
}

/* With octet 0 in it a literal8, where the client asked for binary (RFC 3516 §4.3). */
static void
begin_literal(struct buffer *out, const struct imap_fetch_item *item, uint32_t len, bool has_zero)
{
    put_item_name(out, item);
    if (has_zero)
        buffer_put_byte(out, '~');
    imap_put_number(out, "{", len, "}\r\n");
}

static void
put_octets(struct buffer *out, const struct imap_fetch_item *item, struct slice octets)
{
    uint32_t offset = 0, len = (uint32_t)octets.len;

    clip(item, &offset, &len);
    octets = slice_between(octets, offset, (size_t)offset + len);
    bool is_binary = item->kind == IMAP_FETCH_BINARY;
    begin_literal(out, item, len, is_binary && slice_find_byte(octets, 0) < octets.len);
    buffer_put(out, octets);
}

/* Sections that are made of the octets, not cut out of them. */
static bool
is_made(const struct imap_fetch_item *item)
{
    return item->section == IMAP_SECTION_FIELDS || item->section == IMAP_SECTION_FIELDS_NOT ||
           item->kind == IMAP_FETCH_BINARY || item->kind == IMAP_FETCH_BINARY_SIZE;
}

static void
put_made(struct imap_server *server, const struct imap_fetch_item *item, struct slice octets,
         enum mime_encoding encoding)
{
    struct buffer *out = &server->output;
    struct buffer made;

    buffer_init(&made, octets.len + 16);
    if (item->kind == IMAP_FETCH_SECTION)
        imap_put_fields(&made, octets, item->fields, item->field_count,
                        item->section == IMAP_SECTION_FIELDS_NOT);
    else
        mime_decode(&made, octets, encoding, NULL, 0);
    if (item->kind == IMAP_FETCH_BINARY_SIZE) {
        buffer_put(out, item->name);
        imap_put_number(out, " ", buffer_len(&made), "");
    } else {
        put_octets(out, item, buffer_slice(&made));
    }
    buffer_finish(&made);
}

static void
put_nothing(struct imap_server *server, const struct imap_fetch_item *item)
{
    put_item_name(&server->output, item);
    buffer_put_text(&server->output, item->kind == IMAP_FETCH_BINARY_SIZE ? "0" : "NIL");
}

/* The octets could not be had. NIL alone would pass for a message without octets: the end says
 * why. */
static void
put_unread(struct imap_server *server, const struct imap_fetch_item *item)
{
    struct fetch_task *task = server->task;

    put_nothing(server, item);
    task->is_unread = true;
    if (server->scan->broken_by == ACCESS_STORE_RESULT_EXPUNGED)
        server->scan->is_gone = true;
    else
        task->unread = server->scan->broken_by;
}

/* Sends octets that did not come with the row, a piece at a time as the client reads. The literal
 * begins when the first piece is there: until then the message may go, and NIL can be said. From
 * then on the store holds it for this session. */
static bool
stream(struct imap_server *server, const struct imap_row *row, const struct imap_fetch_item *item,
       uint32_t offset, uint32_t len)
{
    struct fetch_task *task = server->task;

    clip(item, &offset, &len);
    if (!task->is_asked) {
        task->is_asked = true;
        task->has_piece = false;
        task->streamed = 0;
        if (len == 0)
            begin_literal(&server->output, item, 0, false);
    } else if (task->has_piece) {
        task->has_piece = false;
        if (server->scan->is_broken) {
            put_unread(server, item);
            return true;
        }
        begin_literal(&server->output, item, len, false);
        buffer_put(&server->output, buffer_slice(&server->scan->octets));
        buffer_clear(&server->scan->octets);
        buffer_release_if_empty(&server->scan->octets);
    }
    if (task->streamed == len)
        return true;
    if (!imap_has_room(server))
        return false;
    task->has_piece = task->streamed == 0;
    uint32_t some =
        len - task->streamed < STREAM_PIECE ? len - task->streamed : (uint32_t)STREAM_PIECE;
    imap_scan_ask(server, row->message.uid, (uint64_t)offset + task->streamed, some,
                  task->has_piece ? IMAP_ASK_PIECE : IMAP_ASK_STREAM);
    task->streamed += some;
    return false;
}

static bool
is_binary(const struct imap_fetch_item *item)
{
    return item->kind == IMAP_FETCH_BINARY || item->kind == IMAP_FETCH_BINARY_SIZE;
}

/* Begins to make it: all octets from `offset` on, to below `end`, go to `out`, if there is one. */
static void
begin_making(struct imap_binary *binary, const struct imap_fetch_item *item,
             enum mime_encoding encoding, uint32_t offset, uint64_t end, struct buffer *out)
{
    imap_binary_begin(binary, encoding, offset, end, out);
    if (!is_binary(item))
        imap_binary_pick(binary, item->fields, item->field_count,
                         item->section == IMAP_SECTION_FIELDS_NOT);
}

/* The part was read once, and its length is known; true when no more is wanted of it. */
static bool
begin_sending(struct imap_server *server, const struct imap_fetch_item *item)
{
    struct fetch_task *task = server->task;
    struct imap_binary *binary = &task->binary;
    uint32_t offset = 0, len = (uint32_t)binary->made;

    if (item->kind == IMAP_FETCH_BINARY_SIZE) {
        buffer_put(&server->output, item->name);
        imap_put_number(&server->output, " ", len, "");
        return true;
    }
    clip(item, &offset, &len);
    begin_literal(&server->output, item, len, binary->has_zero && is_binary(item));
    begin_making(binary, item, binary->encoding, offset, (uint64_t)offset + len, &server->output);
    task->is_sending = true;
    task->streamed = 0;
    return len == 0;
}

/* True when the item has ended: it is whole, or its octets cannot be had. */
static bool
take_piece(struct imap_server *server, const struct imap_fetch_item *item, bool is_last)
{
    struct fetch_task *task = server->task;

    if (server->scan->is_broken) {
        if (task->is_sending) /* the literal that was begun cannot be ended */
            imap_shut(server, IMAP_CLOSE_ERRORS,
                      "[EXPUNGEISSUED] a message went while it was sent");
        else
            put_unread(server, item);
        return true;
    }
    imap_binary_feed(&task->binary, buffer_slice(&server->scan->octets));
    if (!is_last)
        return false;
    imap_binary_finish(&task->binary);
    return task->is_sending || begin_sending(server, item);
}

/* Sends a large part without its encoding, or fields of a long header: it is read twice. */
static bool
stream_binary(struct imap_server *server, const struct imap_row *row,
              const struct imap_fetch_item *item, uint32_t offset, uint32_t len)
{
    struct fetch_task *task = server->task;

    if (task->has_piece) {
        task->has_piece = false;
        if (take_piece(server, item, task->streamed == len))
            return true;
    }
    if (task->is_sending && !imap_has_room(server))
        return false;
    uint32_t some =
        len - task->streamed < STREAM_PIECE ? len - task->streamed : (uint32_t)STREAM_PIECE;
    imap_scan_ask(server, row->message.uid, (uint64_t)offset + task->streamed, some,
                  IMAP_ASK_PIECE);
    task->streamed += some;
    task->has_piece = true;
    return false;
}

/* False when it waits for octets. */
static bool
put_section(struct imap_server *server, const struct imap_row *row,
            const struct imap_fetch_item *item, const struct imap_message *message)
{
    struct fetch_task *task = server->task;
    struct slice octets = row->message.octets;
    enum mime_encoding encoding;
    uint32_t offset, len;

    if (!imap_section_find(message, &item->path, item->section, &offset, &len, &encoding)) {
        put_nothing(server, item);
        return true;
    }
    if (is_binary(item) && encoding == MIME_ENCODING_UNKNOWN) { /* RFC 9051 §6.4.5 */
        put_nothing(server, item);
        task->has_unknown = true;
        return true;
    }
    if (octets.len < row->message.len && !is_made(item))
        return stream(server, row, item, offset, len);
    bool is_there = octets.len == row->message.len || len == 0;
    if (!is_there && (is_binary(item) ? imap_binary_can(encoding) : len > STREAM_PIECE)) {
        if (!task->is_asked) {
            begin_making(&task->binary, item, encoding, 0, 0, NULL);
            task->is_sending = task->has_piece = false;
            task->streamed = 0;
            task->is_asked = true;
        }
        return stream_binary(server, row, item, offset, len);
    }
    if (!is_there && !task->is_asked) {
        task->is_asked = true;
        imap_scan_ask(server, row->message.uid, offset, len, IMAP_ASK_PIECE);
        return false;
    }
    octets = task->is_asked ? buffer_slice(&server->scan->octets)
                            : slice_between(octets, offset, (size_t)offset + len);
    if (task->is_asked && server->scan->is_broken)
        put_unread(server, item);
    else if (is_made(item))
        put_made(server, item, octets, encoding);
    else
        put_octets(&server->output, item, octets);
    return true;
}

/* ---- items ----------------------------------------------------------------------------------- */

static void
put_preview(struct buffer *out, const struct imap_message *message)
{
    struct mime_record_message summary;

    buffer_put_text(out, "PREVIEW ");
    if (!message->has_record) {
        buffer_put_text(out, "NIL");
        return;
    }
    mime_record_message(&message->record, 0, &summary);
    imap_put_string(out, summary.preview.at ? summary.preview : slice_of("", 0));
}

/* False when it waits for octets. */
static bool
put_item(struct imap_server *server, const struct imap_row *row, const struct imap_fetch_item *item,
         const struct imap_message *message)
{
    struct buffer *out = &server->output;

    switch (item->kind) {
    case IMAP_FETCH_UID:
    case IMAP_FETCH_FLAGS:
    case IMAP_FETCH_MODSEQ:
        put_local(server, item->kind, row->place);
        break;
    case IMAP_FETCH_INTERNALDATE:
        buffer_put_text(out, "INTERNALDATE ");
        imap_put_date_time(out, row->message.internal_ns);
        break;
    case IMAP_FETCH_SIZE:
        imap_put_number(out, "RFC822.SIZE ", row->message.len, "");
        break;
    case IMAP_FETCH_SAVEDATE:
        buffer_put_text(out, "SAVEDATE ");
        imap_put_date_time(out, row->message.saved_ns);
        break;
    case IMAP_FETCH_EMAILID:
        imap_put_number(out, "EMAILID (M", row->message.body, ")");
        break;
    case IMAP_FETCH_THREADID:
        imap_put_number(out, "THREADID (T", imap_thread_id(message, row->message.body), ")");
        break;
    case IMAP_FETCH_ENVELOPE:
        buffer_put_text(out, "ENVELOPE ");
        imap_put_envelope(out, message);
        break;
    case IMAP_FETCH_BODY:
    case IMAP_FETCH_BODYSTRUCTURE:
        buffer_put_text(out, item->kind == IMAP_FETCH_BODY ? "BODY " : "BODYSTRUCTURE ");
        imap_put_structure(out, message, item->kind == IMAP_FETCH_BODYSTRUCTURE);
        break;
    case IMAP_FETCH_PREVIEW:
        put_preview(out, message);
        break;
    case IMAP_FETCH_SECTION:
    case IMAP_FETCH_RFC822:
    case IMAP_FETCH_RFC822_HEADER:
    case IMAP_FETCH_RFC822_TEXT:
    case IMAP_FETCH_BINARY:
    case IMAP_FETCH_BINARY_SIZE:
        return put_section(server, row, item, message);
    }
    return true;
}

static void
mark_seen(struct imap_server *server, const struct imap_row *row)
{
    struct fetch_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;

    if (!task->is_peek && !task->is_unread && !server->is_read_only &&
        server->rights & IMAP_RIGHT_SEEN &&
        !(mailbox->flags[row->place] & (IMAP_SEEN | IMAP_VANISHED)))
        imap_set_builder_add(&server->gathered, row->message.uid, row->message.uid);
}

static bool
take_row(struct imap_server *server, const struct imap_row *row)
{
    struct fetch_task *task = server->task;
    struct buffer *out = &server->output;
    struct imap_message message;

    if (!task->is_begun && !is_wanted(task, server->view.mailbox, row->place))
        return true;
    imap_message_open(&message, row->message.record, row->message.len);
    if (task->has_envelope) /* who looks at a list searches and sorts it next */
        imap_headline_keep_opened(server->view.mailbox, row->place, &row->message, &message);
    if (!task->is_begun) {
        imap_put_fetch(server, row->place, row->number, false);
        task->is_begun = server->is_line_open = true;
        task->is_unread = false;
        task->item = 0;
    }
    for (; task->item < task->items.count; task->item++) {
        if (task->item > 0 && !task->is_asked)
            buffer_put_byte(out, ' ');
        if (!put_item(server, row, &task->items.at[task->item], &message))
            return false;
        task->is_asked = false;
    }
    buffer_put_text(out, ")\r\n");
    task->is_begun = server->is_line_open = false;
    mark_seen(server, row);
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void
end_fetch(struct imap_server *server)
{
    const struct fetch_task *task = server->task;
    bool is_gone = server->scan && server->scan->is_gone;

    if (task->has_unknown)
        imap_end(server, IMAP_NO, "[UNKNOWN-CTE] a part has an encoding that is not known");
    else
        imap_end_result(server, task->unread,
                        is_gone ? "[EXPUNGEISSUED] done; some are gone" : "done");
}

static bool mark_some(struct imap_server *server);

static void
on_seen(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->kind == ACCESS_STORE_FLAGS_WERE_SET_IN_PART)
        return;
    server->on_note = NULL; /* what was fetched was fetched */
    server->more = mark_some;
}

/* What was read is \Seen now (§6.4.5): as many ranges as one note has room for, then the next. */
static bool
mark_some(struct imap_server *server)
{
    struct fetch_task *task = server->task;
    struct imap_set seen = imap_set_builder_set(&server->gathered);
    size_t count = seen.count - task->marked;

    server->more = NULL;
    if (count == 0) {
        end_fetch(server);
        return true;
    }
    if (count > ACCESS_STORE_FLAGS_SET_RANGES_MAX)
        count = ACCESS_STORE_FLAGS_SET_RANGES_MAX;
    seen.at += task->marked;
    task->marked += count;
    struct access_store_uid_range *ranges =
        ARENA_ARRAY(&server->arena, struct access_store_uid_range, count);
    assert(ranges);
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct access_store_uid_range){seen.at[i].first, seen.at[i].last};
    server->note.as.flags_set = (struct access_store_flags_set){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .mode = ACCESS_STORE_MODE_ADD,
        .flags = IMAP_SEEN,
        .unchanged_since = UINT64_MAX,
        .told = UINT64_MAX,
        .ranges = {ranges, count},
    };
    imap_ask(server, ACCESS_STORE_FLAGS_SET, on_seen);
    return true;
}

static void
after_rows(struct imap_server *server)
{
    server->more = mark_some;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* fetch-modifier: "CHANGEDSINCE" SP number, "VANISHED", "PARTIAL" SP range (RFC 9394 §3.3) */
static bool
take_modifiers(struct cursor *cursor, struct fetch_task *task)
{
    if (!imap_take_space(cursor))
        return true;
    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_take_word(cursor, SLICE("CHANGEDSINCE"))) {
            task->has_changed_since = true;
            if (!imap_take_space(cursor) || !imap_take_number64(cursor, &task->changed_since))
                return false;
        } else if (imap_take_word(cursor, SLICE("VANISHED"))) {
            task->wants_vanished = true;
        } else if (imap_take_word(cursor, SLICE("PARTIAL"))) {
            task->is_partial = true;
            if (!imap_take_partial(cursor, &task->partial))
                return false;
        } else {
            return false;
        }
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')');
}

/* Leaves those of the messages that PARTIAL names, counted as the client knows them. */
static void
clip_places(struct imap_server *server, struct fetch_task *task)
{
    struct imap_walk walk;
    uint32_t place, number, count = 0, first, end;

    imap_walk_init(&walk, &server->view, &task->places);
    while (imap_walk_next(&walk, &place, &number))
        count++;
    imap_partial_window(&task->partial, count, &first, &end);
    imap_walk_init(&walk, &server->view, &task->places);
    for (uint32_t i = 0; i < end && imap_walk_next(&walk, &place, &number); i++) {
        if (i >= first)
            imap_set_builder_add(&server->gathered, place, place);
    }
    struct imap_set kept = imap_set_builder_set(&server->gathered);
    struct slice copy =
        arena_copy(&server->arena, slice_of(kept.at, kept.count * sizeof(*kept.at)));
    task->places = (struct imap_set){(const void *)copy.at, kept.count};
    imap_set_builder_finish(&server->gathered);
    imap_set_builder_init(&server->gathered);
}

/* SP and the set again, for VANISHED. "*" is no lower than what went. */
static bool
take_uids(struct imap_server *server, struct cursor cursor, struct imap_set *ret_uids)
{
    if (!imap_take_space(&cursor))
        return false;
    *ret_uids = server->saved;
    return cursor_take_byte(&cursor, '$') ||
           (imap_take_set(&cursor, &server->arena, ret_uids) &&
            imap_set_resolve(ret_uids, server->view.mailbox->uid_next - 1, &server->arena));
}

static enum imap_fetch_kind
highest_kind(const struct fetch_task *task)
{
    enum imap_fetch_kind kind = IMAP_FETCH_UID;

    for (size_t i = 0; i < task->items.count; i++)
        kind = task->items.at[i].kind > kind ? task->items.at[i].kind : kind;
    return kind;
}

/* True when the parse record is needed; a whole message is found without. */
static bool
needs_records(const struct fetch_task *task)
{
    for (size_t i = 0; i < task->items.count; i++) {
        const struct imap_fetch_item *item = &task->items.at[i];
        bool is_whole = item->section == IMAP_SECTION_WHOLE && item->path.depth == 0;
        if (item->kind >= IMAP_FETCH_ENVELOPE && (item->kind < IMAP_FETCH_SECTION || !is_whole))
            return true;
    }
    return false;
}

static void
begin(struct imap_server *server)
{
    struct fetch_task *task = server->task;
    enum imap_fetch_kind kind = highest_kind(task);

    server->on_note = NULL;
    task->is_peek = true;
    for (size_t i = 0; i < task->items.count; i++) {
        task->is_peek = task->is_peek && task->items.at[i].is_peek;
        task->has_envelope = task->has_envelope || task->items.at[i].kind == IMAP_FETCH_ENVELOPE;
        if (task->items.at[i].kind == IMAP_FETCH_MODSEQ)
            server->enabled |= IMAP_ENABLED_CONDSTORE;
    }
    if (kind < IMAP_FETCH_INTERNALDATE) {
        imap_walk_init(&task->walk, &server->view, &task->places);
        server->more = put_locals;
    } else {
        imap_scan_begin(server, &task->places, needs_records(task),
                        kind >= IMAP_FETCH_SECTION ? OCTETS_INLINE : 0, take_row, after_rows);
    }
}

static void
on_vanished(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->kind == ACCESS_STORE_VANISHED_TOLD) {
        for (size_t i = 0; i < note->as.vanished_told.ranges.count; i++)
            imap_set_builder_add(&server->gathered, note->as.vanished_told.ranges.at[i].first,
                                 note->as.vanished_told.ranges.at[i].last);
        return;
    }
    imap_put_vanished(server, &((const struct fetch_task *)server->task)->uids,
                      note->as.done.result == ACCESS_STORE_RESULT_OK);
    imap_set_builder_finish(&server->gathered);
    imap_set_builder_init(&server->gathered);
    begin(server);
}

void
imap_fetch_places(struct imap_server *server, struct slice items, const struct imap_set *places)
{
    struct fetch_task *task = imap_task(server, sizeof(*task));
    struct cursor cursor = cursor_of(items);

    task->places = *places;
    if (!imap_take_fetch_items(&cursor, &server->arena, &task->items))
        imap_end(server, IMAP_OK, ""); /* no room for them */
    else
        begin(server);
}

static bool
take_items(struct imap_server *server, struct cursor *cursor, struct imap_fetch_items *ret_items)
{
    bool is_good = imap_take_fetch_items(cursor, &server->arena, ret_items);

    return !imap_over(server, ret_items->is_over_limit, "[LIMIT] too many items or fields") &&
           is_good;
}

void
imap_command_fetch(struct imap_server *server, struct cursor *cursor)
{
    struct fetch_task *task = imap_task(server, sizeof(*task));
    struct cursor sent = *cursor;
    bool is_outside = false;

    if (!imap_take_space(cursor) || !imap_take_places(server, cursor, &task->places, &is_outside) ||
        !imap_take_space(cursor) || !take_items(server, cursor, &task->items) ||
        !take_modifiers(cursor, task) || !imap_take_end(cursor)) {
        imap_bad(server, "expected: FETCH set items");
        return;
    }
    if (is_outside || (task->is_partial && !server->is_uid)) {
        imap_bad(server, is_outside ? "there are not so many messages" : "PARTIAL goes with UIDs");
        return;
    }
    if (task->is_partial) {
        clip_places(server, task);
        if (imap_portion_is_over(server, &task->places, false)) {
            imap_portion_refuse(server);
            return;
        }
    }
    imap_portion_clip(server, &task->places, false);
    if (task->wants_vanished &&
        !(server->is_uid && server->enabled & IMAP_ENABLED_QRESYNC && task->has_changed_since)) {
        imap_bad(server, "VANISHED goes with UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
        return;
    }
    if (server->is_uid && !(server->enabled & IMAP_ENABLED_UIDONLY))
        imap_fetch_items_add(&task->items, IMAP_FETCH_UID);
    if (task->has_changed_since) {
        imap_fetch_items_add(&task->items, IMAP_FETCH_MODSEQ);
        server->enabled |= IMAP_ENABLED_CONDSTORE;
    }
    if (task->wants_vanished) {
        if (!take_uids(server, sent, &task->uids)) {
            imap_end(server, IMAP_NO, IMAP_SET_LIMIT); /* it was read before: no room for it */
            return;
        }
        server->note.as.vanished_ask =
            (struct access_store_vanished_ask){.owner = server->mailbox_owner,
                                               .mailbox = server->mailbox_id,
                                               .modseq = task->changed_since};
        imap_ask(server, ACCESS_STORE_VANISHED_ASK, on_vanished);
        return;
    }
    begin(server);
}
