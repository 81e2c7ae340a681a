/* SPDX-License-Identifier: ISC */
/* STORE (RFC 9051 §6.4.6) with UNCHANGEDSINCE (RFC 7162 §3.1.3); COPY and MOVE (§6.4.7, §6.4.8). */
#include "imap/portion.h"
#include "imap/server_private.h"

#include <stdlib.h>

/* ---- STORE ----------------------------------------------------------------------------------- */

struct store_task {
    struct imap_set places;
    struct imap_flags flags;
    enum access_store_mode mode;
    bool is_silent;
    uint64_t unchanged_since;
    struct imap_walk walk;
};

/* store-modifier = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" SP */
static bool
take_condition(struct imap_server *server, struct cursor *cursor, struct store_task *task)
{
    task->unchanged_since = UINT64_MAX;
    if (!cursor_take_byte(cursor, '('))
        return true;
    server->enabled |= IMAP_ENABLED_CONDSTORE;
    return imap_take_word(cursor, SLICE("UNCHANGEDSINCE")) && imap_take_space(cursor) &&
           imap_take_number64(cursor, &task->unchanged_since) && cursor_take_byte(cursor, ')') &&
           imap_take_space(cursor);
}

/* store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag))) */
static bool
take_flags(struct imap_server *server, struct cursor *cursor, struct store_task *task)
{
    bool is_good;

    task->mode = cursor_take_byte(cursor, '+')   ? ACCESS_STORE_MODE_ADD
                 : cursor_take_byte(cursor, '-') ? ACCESS_STORE_MODE_REMOVE
                                                 : ACCESS_STORE_MODE_REPLACE;
    if (!cursor_take_text_nocase(cursor, SLICE("FLAGS")))
        return false;
    task->is_silent = cursor_take_text_nocase(cursor, SLICE(".SILENT"));
    if (!imap_take_space(cursor))
        return false;
    if (cursor_peek(cursor) == '(') {
        is_good = imap_take_flag_list(cursor, &task->flags);
    } else {
        do {
            is_good = imap_take_flag(cursor, &task->flags);
        } while (is_good && imap_take_space(cursor));
    }
    return !imap_over(server, task->flags.is_over_limit, IMAP_KEYWORDS_LIMIT) && is_good;
}

/* Which messages another session had changed: [MODIFIED 7,9] in numbers or UIDs. */
static void
put_modified(struct imap_server *server, const struct access_store_uid_range_list *modified)
{
    struct imap_set_builder numbers;

    imap_set_builder_init(&numbers);
    for (size_t i = 0; i < modified->count; i++) {
        struct imap_range range = {modified->at[i].first, modified->at[i].last};
        struct imap_set set = {&range, 1}, places;
        uint32_t place, number;
        struct imap_walk walk;
        if (!imap_view_places(&server->view, &set, true, &server->arena, &places, NULL))
            break;
        imap_walk_init(&walk, &server->view, &places);
        while (imap_walk_next(&walk, &place, &number)) {
            uint32_t shown = server->is_uid ? server->view.mailbox->uids[place] : number;
            imap_set_builder_add(&numbers, shown, shown);
        }
    }
    struct imap_set set = imap_set_builder_set(&numbers);
    buffer_put_text(&server->text, "[MODIFIED ");
    imap_set_put(&server->text, &set);
    buffer_put_text(&server->text, "] ");
    imap_set_builder_finish(&numbers);
}

/* Without .SILENT each message named is shown, changed or not. */
static bool
put_stored(struct imap_server *server)
{
    struct store_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;
    uint32_t place, number;

    while (imap_has_room(server)) {
        if (!imap_walk_next(&task->walk, &place, &number)) {
            imap_end(server, IMAP_OK, "done");
            return true;
        }
        if (mailbox->flags[place] & IMAP_VANISHED)
            continue;
        imap_put_fetch(server, place, number,
                       server->is_uid || server->enabled & IMAP_ENABLED_QRESYNC);
        if (server->enabled & IMAP_ENABLED_CONDSTORE)
            imap_put_number(out, "MODSEQ (", mailbox->modseqs[place], ") ");
        buffer_put_text(out, "FLAGS ");
        imap_put_flags(server, mailbox->flags[place], mailbox->keywords[place]);
        buffer_put_text(out, ")\r\n");
    }
    return true;
}

/* Others changed these too, and the client has not heard of it: it is shown what came of both. */
static void
keep_raced(struct imap_server *server, const struct access_store_uid_range_list *raced)
{
    struct imap_range *ranges = ARENA_ARRAY(&server->arena, struct imap_range, raced->count + 1);

    assert(ranges);
    for (size_t i = 0; i < raced->count; i++)
        ranges[i] = (struct imap_range){raced->at[i].first, raced->at[i].last};
    server->raced = (struct imap_set){ranges, raced->count};
}

static void
on_stored(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_flags_were_set *told = &note->as.flags_were_set;
    struct store_task *task = server->task;

    (void)blob;
    if (told->result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, told->result, "");
        return;
    }
    server->on_note = NULL;
    if (told->modseq_first > 0) {
        server->silent_first = told->modseq_first;
        server->silent_last = told->modseq_last;
        keep_raced(server, &told->raced);
    }
    if (told->modified.count > 0)
        put_modified(server, &told->modified);
    if (task->is_silent) {
        imap_end(server, IMAP_OK, "done");
        return;
    }
    imap_put_known_flags(server, false);
    server->is_shown = true;
    imap_walk_init(&task->walk, &server->view, &task->places);
    server->more = put_stored;
}

static struct access_store_keyword_list
keyword_list(struct imap_server *server, const struct imap_flags *flags)
{
    struct access_store_keyword *names =
        ARENA_ARRAY(&server->arena, struct access_store_keyword, flags->keyword_count + 1);

    assert(names);
    for (size_t i = 0; i < flags->keyword_count; i++)
        names[i].name = flags->keywords[i];
    return (struct access_store_keyword_list){names, flags->keyword_count};
}

void
imap_command_store(struct imap_server *server, struct cursor *cursor)
{
    struct store_task *task = imap_task(server, sizeof(*task));
    bool is_outside = false, is_all;

    if (!imap_take_space(cursor) || !imap_take_places(server, cursor, &task->places, &is_outside) ||
        !imap_take_space(cursor) || !take_condition(server, cursor, task) ||
        !take_flags(server, cursor, task) || !imap_take_end(cursor) || is_outside) {
        imap_bad(server, is_outside ? "there are not so many messages"
                                    : "expected: STORE set [+-]FLAGS[.SILENT] flags");
        return;
    }
    if (server->is_read_only) {
        imap_end(server, IMAP_NO, "[READ-ONLY] it was opened to be read only");
        return;
    }
    imap_portion_clip(server, &task->places, false);
    server->note.as.flags_set = (struct access_store_flags_set){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .mode = task->mode,
        .flags = task->flags.bits,
        .keywords = keyword_list(server, &task->flags),
        .unchanged_since = task->unchanged_since,
        .told = server->view.modseq,
        .ranges =
            imap_uid_ranges(server, &task->places, ACCESS_STORE_FLAGS_SET_RANGES_MAX, &is_all),
    };
    if (!is_all)
        imap_end(server, IMAP_NO, "[LIMIT] name fewer ranges at once");
    else if (task->places.count == 0)
        imap_end(server, IMAP_OK, "nothing to do");
    else
        imap_ask(server, ACCESS_STORE_FLAGS_SET, on_stored);
}

/* ---- COPY and MOVE --------------------------------------------------------------------------- */

struct copy_task {
    bool is_move;
    struct slice to;
};

/* resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set (RFC 4315) */
static void
put_copyuid(struct buffer *out, const struct access_store_copied *told)
{
    uint32_t count = 0;

    imap_put_number(out, "[COPYUID ", told->uid_validity, " ");
    for (size_t i = 0; i < told->sources.count; i++) {
        struct imap_range range = {told->sources.at[i].first, told->sources.at[i].last};
        struct imap_set set = {&range, 1};
        if (i > 0)
            buffer_put_byte(out, ',');
        imap_set_put(out, &set);
        count += range.last - range.first + 1;
    }
    struct imap_range range = {told->uid_first, told->uid_first + count - 1};
    struct imap_set set = {&range, 1};
    buffer_put_byte(out, ' ');
    imap_set_put(out, &set);
    buffer_put_text(out, "] ");
}

static void
on_copied(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_copied *told = &note->as.copied;
    struct copy_task *task = server->task;
    bool has_code =
        told->sources.count > 0 && told->sources.count < ACCESS_STORE_COPIED_SOURCES_MAX;

    (void)blob;
    if (told->result == ACCESS_STORE_RESULT_NOT_FOUND) {
        imap_end(server, IMAP_NO, "[TRYCREATE] there is no such mailbox");
        return;
    }
    if (told->result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, told->result, "");
        return;
    }
    uint32_t count = 0;
    for (size_t i = 0; i < told->sources.count; i++)
        count += told->sources.at[i].last - told->sources.at[i].first + 1;
    if (has_code)
        imap_notify_own_messages(server, task->to,
                                 &(struct imap_growth){told->uid_validity,
                                                       told->uid_first + count - 1, count,
                                                       told->modseq_before, told->modseq});
    if (has_code && task->is_move) { /* before the messages go (RFC 6851 §4.3) */
        buffer_put_text(&server->output, "* OK ");
        put_copyuid(&server->output, told);
        buffer_put_text(&server->output, "moved\r\n");
    } else if (has_code) {
        put_copyuid(&server->text, told);
    }
    imap_end(server, IMAP_OK, "done");
}

static void
copy(struct imap_server *server, struct cursor *cursor, bool is_move)
{
    struct copy_task *task = imap_task(server, sizeof(*task));
    struct imap_set places;
    struct slice sent, name;
    bool is_outside = false, is_all;

    task->is_move = is_move;
    if (!imap_take_space(cursor) || !imap_take_places(server, cursor, &places, &is_outside) ||
        !imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent) ||
        !imap_take_end(cursor) || is_outside) {
        imap_bad(server,
                 is_outside ? "there are not so many messages" : "expected: COPY set mailbox");
        return;
    }
    if (is_move && server->is_read_only) {
        imap_end(server, IMAP_NO, "[READ-ONLY] it was opened to be read only");
        return;
    }
    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, &name) || name.len == 0 ||
        name.len > ACCESS_STORE_COPY_TO_MAX) {
        imap_end(server, IMAP_NO, "[TRYCREATE] there is no such mailbox");
        return;
    }
    if (is_move) {
        imap_portion_clip(server, &places, false);
    } else if (imap_portion_is_copy_over(server, &places)) { /* all or nothing (§6.4.7) */
        imap_portion_refuse(server);
        return;
    }
    task->to = name;
    server->note.as.copy = (struct access_store_copy){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .to = name,
        .is_move = is_move,
        .ranges = imap_uid_ranges(server, &places, ACCESS_STORE_COPY_RANGES_MAX, &is_all),
    };
    if (!is_all)
        imap_end(server, IMAP_NO, "[LIMIT] name fewer ranges at once");
    else
        imap_ask(server, ACCESS_STORE_COPY, on_copied);
}

void
imap_command_copy(struct imap_server *server, struct cursor *cursor)
{
    copy(server, cursor, false);
}

void
imap_command_move(struct imap_server *server, struct cursor *cursor)
{
    copy(server, cursor, true);
}
