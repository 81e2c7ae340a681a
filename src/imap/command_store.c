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
    struct imap_own_changes own;
    struct imap_set_builder modified; /* UIDs */
};

static void
drop_store(struct imap_server *server)
{
    struct store_task *task = server->task;

    buffer_finish(&task->own.modseqs);
    imap_set_builder_finish(&task->own.raced);
    imap_set_builder_finish(&task->modified);
}

static struct store_task *
new_store(struct imap_server *server)
{
    struct store_task *task = imap_task(server, sizeof(*task));

    buffer_init(&task->own.modseqs, SIZE_MAX / 2);
    imap_set_builder_init(&task->own.raced);
    imap_set_builder_init(&task->modified);
    server->drop = drop_store;
    return task;
}

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
put_modified(struct imap_server *server)
{
    const struct store_task *task = server->task;
    struct imap_set uids = imap_set_builder_set(&task->modified), places;
    struct imap_set_builder numbers;
    struct imap_walk walk;
    uint32_t place, number;

    if (uids.count == 0 ||
        !imap_view_places(&server->view, &uids, true, &server->arena, &places, NULL))
        return;
    imap_set_builder_init(&numbers);
    imap_walk_init(&walk, &server->view, &places);
    while (imap_walk_next(&walk, &place, &number)) {
        uint32_t shown = server->is_uid ? server->view.mailbox->uids[place] : number;
        imap_set_builder_add(&numbers, shown, shown);
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

static void
add_uids(struct imap_set_builder *builder, const struct access_store_uid_range_list *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        imap_set_builder_add(builder, ranges->at[i].first, ranges->at[i].last);
}

/* What a part has changed; between two of them others may have changed something, too. */
static void
add_changed(struct buffer *modseqs, uint64_t first, uint64_t last)
{
    struct imap_modseqs range = {first, last}, *before;

    if (first == 0)
        return;
    if (buffer_len(modseqs) > 0) {
        before = (void *)(modseqs->at + modseqs->end - sizeof(*before));
        if (before->last + 1 == first) {
            before->last = last;
            return;
        }
    }
    buffer_put(modseqs, slice_of(&range, sizeof(range)));
}

static void
on_stored_in_part(struct store_task *task, const struct access_store_flags_were_set_in_part *told)
{
    add_changed(&task->own.modseqs, told->modseq_first, told->modseq_last);
    add_uids(&task->own.raced, &told->raced);
    add_uids(&task->modified, &told->modified);
}

static void
on_stored(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_flags_were_set *told = &note->as.flags_were_set;
    struct store_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_FLAGS_WERE_SET_IN_PART) {
        on_stored_in_part(task, &note->as.flags_were_set_in_part);
        return;
    }
    if (told->result != ACCESS_STORE_RESULT_OK) { /* it hears of what was changed before that */
        imap_end_result(server, told->result, "");
        return;
    }
    server->on_note = NULL;
    add_changed(&task->own.modseqs, told->modseq_first, told->modseq_last);
    add_uids(&task->own.raced, &told->raced);
    add_uids(&task->modified, &told->modified);
    server->own_changes = &task->own;
    put_modified(server);
    if (task->is_silent) {
        imap_end(server, IMAP_OK, "done");
        return;
    }
    imap_put_known_flags(server, false);
    task->own.is_shown = true;
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
    struct store_task *task = new_store(server);
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
    uint32_t uid_validity;
    struct imap_set_builder sources, copies; /* UIDs, in the same order */
    struct imap_growth growth; /* of the other mailbox by parts of a MOVE, not yet noted */
};

static void
drop_copy(struct imap_server *server)
{
    struct copy_task *task = server->task;

    imap_set_builder_finish(&task->sources);
    imap_set_builder_finish(&task->copies);
}

static uint32_t
count_sources(const struct access_store_copied *told)
{
    uint32_t count = 0;

    for (size_t i = 0; i < told->sources.count; i++)
        count += told->sources.at[i].last - told->sources.at[i].first + 1;
    return count;
}

/* resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set (RFC 4315) */
static void
put_copyuid(struct imap_server *server, struct buffer *out)
{
    const struct copy_task *task = server->task;
    struct imap_set sources = imap_set_builder_set(&task->sources);
    struct imap_set copies = imap_set_builder_set(&task->copies);

    imap_put_number(out, "[COPYUID ", task->uid_validity, " ");
    imap_set_put(out, &sources);
    buffer_put_byte(out, ' ');
    imap_set_put(out, &copies);
    buffer_put_text(out, "] ");
}

static void
note_growth(struct imap_server *server)
{
    struct copy_task *task = server->task;

    if (task->growth.count > 0)
        imap_notify_own_messages(server, task->to, &task->growth);
    task->growth.count = 0;
}

/* Parts between which nobody else has changed the mailbox are one growth of it. */
static void
add_growth(struct imap_server *server, const struct access_store_copied *told)
{
    struct copy_task *task = server->task;
    struct imap_growth *growth = &task->growth;
    uint32_t count = count_sources(told);

    if (growth->count > 0 && growth->modseq != told->modseq_before)
        note_growth(server);
    if (growth->count == 0)
        growth->modseq_before = told->modseq_before;
    growth->uid_validity = told->uid_validity;
    growth->uid_last = told->uid_first + count - 1;
    growth->count += count;
    growth->modseq = told->modseq;
}

/* All of a COPY or MOVE, or a part of a MOVE. */
static void
add_copied(struct imap_server *server, const struct access_store_copied *told)
{
    struct copy_task *task = server->task;
    uint32_t count = count_sources(told);

    if (count == 0)
        return;
    task->uid_validity = told->uid_validity;
    for (size_t i = 0; i < told->sources.count; i++)
        imap_set_builder_add(&task->sources, told->sources.at[i].first, told->sources.at[i].last);
    imap_set_builder_add(&task->copies, told->uid_first, told->uid_first + count - 1);
    if (told->sources.count < ACCESS_STORE_COPIED_SOURCES_MAX)
        add_growth(server, told);
}

/* Once, also when a MOVE failed behind its first parts. */
static void
tell_copied(struct imap_server *server)
{
    const struct copy_task *task = server->task;
    size_t count = imap_set_builder_set(&task->sources).count;

    note_growth(server);
    if (count == 0 || count >= ACCESS_STORE_COPIED_SOURCES_MAX)
        return; /* nothing, or more than can be named */
    if (task->is_move) { /* before the messages go (RFC 6851 §4.3) */
        buffer_put_text(&server->output, "* OK ");
        put_copyuid(server, &server->output);
        buffer_put_text(&server->output, "moved\r\n");
    } else {
        put_copyuid(server, &server->text);
    }
}

static void
on_copied(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    const struct access_store_copied *told = &note->as.copied;

    (void)blob;
    if (note->kind == ACCESS_STORE_MOVED_IN_PART) {
        const struct access_store_moved_in_part *part = &note->as.moved_in_part;
        add_copied(server, &(struct access_store_copied){.uid_validity = part->uid_validity,
                                                         .uid_first = part->uid_first,
                                                         .modseq_before = part->modseq_before,
                                                         .modseq = part->modseq,
                                                         .sources = part->sources});
        return;
    }
    if (told->result == ACCESS_STORE_RESULT_OK)
        add_copied(server, told);
    tell_copied(server);
    if (told->result == ACCESS_STORE_RESULT_NOT_FOUND)
        imap_end(server, IMAP_NO, "[TRYCREATE] there is no such mailbox");
    else
        imap_end_result(server, told->result, "done");
}

static void
copy(struct imap_server *server, struct cursor *cursor, bool is_move)
{
    struct copy_task *task = imap_task(server, sizeof(*task));
    struct imap_set places;
    struct slice sent, name;
    bool is_outside = false, is_all;

    task->is_move = is_move;
    imap_set_builder_init(&task->sources);
    imap_set_builder_init(&task->copies);
    server->drop = drop_copy;
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
