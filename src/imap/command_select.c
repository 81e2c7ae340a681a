/* SPDX-License-Identifier: ISC */
/* SELECT, EXAMINE, CLOSE, UNSELECT (RFC 9051 §6.3.2, §6.4), with CONDSTORE and QRESYNC (RFC 7162
 * §3.2.5). */
#include "imap/portion.h"
#include "imap/rights.h"
#include "imap/server_private.h"

#include <stdlib.h>

struct select_task {
    struct slice name;
    bool is_examine;
    bool has_resync;
    uint32_t uid_validity;
    uint64_t modseq;
    struct imap_set known; /* UIDs; none given: count 0 */
    bool has_known, has_match_data;
    struct access_store_mailbox_row row;
    uint32_t rights_serial; /* when the rights were told */
    uint32_t place; /* how far the changed messages have been told */
};

/* ---- what the client wants ------------------------------------------------------------------- */

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static bool
take_resync(struct imap_server *server, struct cursor *cursor, struct select_task *task)
{
    struct imap_set numbers, uids;

    task->has_resync = true;
    if (!imap_take_space(cursor) || !cursor_take_byte(cursor, '(') ||
        !imap_take_nz_number(cursor, &task->uid_validity) || !imap_take_space(cursor) ||
        !imap_take_number64(cursor, &task->modseq))
        return false;
    if (cursor_take_byte(cursor, ')'))
        return true;
    if (!imap_take_space(cursor))
        return false;
    if (cursor_peek(cursor) != '(') {
        if (imap_over(server, imap_set_is_over(cursor), IMAP_SET_LIMIT) ||
            !imap_take_set(cursor, &server->arena, &task->known))
            return false;
        task->has_known = true;
        if (cursor_take_byte(cursor, ')'))
            return true;
        if (!imap_take_space(cursor))
            return false;
    }
    task->has_match_data = true;
    /* The match data only help servers that do not remember what vanished as long as this one. */
    return cursor_take_byte(cursor, '(') && imap_take_set(cursor, &server->arena, &numbers) &&
           imap_take_space(cursor) && imap_take_set(cursor, &server->arena, &uids) &&
           cursor_take_byte(cursor, ')') && cursor_take_byte(cursor, ')');
}

/* select-param *(SP select-param) in brackets (RFC 4466 §2.1) */
static bool
take_parameters(struct imap_server *server, struct cursor *cursor, struct select_task *task)
{
    if (!imap_take_space(cursor))
        return true;
    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_take_word(cursor, SLICE("CONDSTORE")))
            server->enabled |= IMAP_ENABLED_CONDSTORE;
        else if (!imap_take_word(cursor, SLICE("QRESYNC")) || !take_resync(server, cursor, task))
            return false;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')');
}

/* ---- responses ------------------------------------------------------------------------------- */

static void
put_first_unseen(struct imap_server *server)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;

    for (uint32_t place = 0; place < server->view.known; place++) {
        if (mailbox->flags[place] & (IMAP_SEEN | IMAP_VANISHED))
            continue;
        imap_put_number(&server->output, "* OK [UNSEEN ",
                        imap_view_number_of_place(&server->view, place),
                        "] the first unread message\r\n");
        return;
    }
}

static void
put_mailbox(struct imap_server *server, const struct select_task *task)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;

    imap_put_known_flags(server, true);
    imap_put_number(out, "* ", imap_view_count(&server->view), " EXISTS\r\n");
    if (!(server->enabled & IMAP_ENABLED_REV2)) {
        buffer_put_text(out, "* 0 RECENT\r\n");
        put_first_unseen(server);
    }
    imap_put_number(out, "* OK [UIDVALIDITY ", mailbox->uid_validity, "] UIDs are valid\r\n");
    imap_put_number(out, "* OK [UIDNEXT ", mailbox->uid_next, "] predicted next UID\r\n");
    /* Of what is shown here: what came since then comes behind it. */
    imap_put_number(out, "* OK [HIGHESTMODSEQ ", server->view.modseq, "] the last change\r\n");
    buffer_put_text(out, "* OK [MAILBOXID (");
    imap_put_mailbox_id(out, task->row.owner, mailbox->uid_validity);
    buffer_put_text(out, ")] its name for ever\r\n");
    buffer_put_text(out, "* OK [URLMECH INTERNAL] for URLs with a permission\r\n");
    if (server->enabled & IMAP_ENABLED_REV2) {
        buffer_put_text(out, "* LIST () \"/\" ");
        imap_put_name(server, task->row.name);
        buffer_put_text(out, "\r\n");
    }
}

/* ---- QRESYNC --------------------------------------------------------------------------------- */

static bool
is_known(const struct select_task *task, uint32_t uid)
{
    return !task->has_known || imap_set_has(&task->known, uid);
}

static bool
put_changed(struct imap_server *server)
{
    struct select_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;

    for (; task->place < server->view.known; task->place++) {
        uint32_t place = task->place;
        if (mailbox->modseqs[place] <= task->modseq || mailbox->flags[place] & IMAP_VANISHED ||
            !is_known(task, mailbox->uids[place]))
            continue;
        if (!imap_has_room(server))
            return true;
        imap_put_fetch(server, place, imap_view_number_of_place(&server->view, place), true);
        buffer_put_text(out, "FLAGS ");
        imap_put_flags(server, mailbox->flags[place], mailbox->keywords[place]);
        imap_put_number(out, " MODSEQ (", mailbox->modseqs[place], "))\r\n");
    }
    imap_end(server, IMAP_OK,
             server->is_read_only ? "[READ-ONLY] selected" : "[READ-WRITE] selected");
    return true;
}

static void
on_vanished(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct select_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_VANISHED_TOLD) {
        for (size_t i = 0; i < note->as.vanished_told.ranges.count; i++)
            imap_set_builder_add(&server->gathered, note->as.vanished_told.ranges.at[i].first,
                                 note->as.vanished_told.ranges.at[i].last);
        return;
    }
    put_mailbox(server, task);
    imap_put_vanished(server, task->has_known ? &task->known : NULL,
                      note->as.done.result == ACCESS_STORE_RESULT_OK);
    server->on_note = NULL;
    server->more = put_changed;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void
on_view_change(void *context)
{
    struct imap_server *server = context;

    server->is_changed = true;
    server->options.wake(server->options.wake_context);
}

static bool
opened(struct imap_server *server)
{
    struct select_task *task = server->task;
    struct imap_mailbox *mailbox = server->view.mailbox;

    if (!mailbox->is_loaded)
        return false;
    server->more = NULL;
    if (mailbox->result != ACCESS_STORE_RESULT_OK) {
        enum access_store_result result = mailbox->result;
        imap_deselect(server);
        imap_end_result(server, result, "");
        return true;
    }
    imap_view_begin(&server->view);
    server->view.is_pinned = true;
    server->state = IMAP_SELECTED;
    server->rights_serial = task->rights_serial;
    server->is_read_only = task->is_examine || !(task->row.rights & IMAP_RIGHTS_CHANGE);
    server->rights = task->row.rights;
    server->is_changed = false;
    server->mailbox_id = task->row.mailbox;
    server->mailbox_owner = task->row.owner;
    if (task->has_resync && task->uid_validity == mailbox->uid_validity) {
        server->note.as.vanished_ask = (struct access_store_vanished_ask){
            .owner = task->row.owner, .mailbox = task->row.mailbox, .modseq = task->modseq};
        imap_ask(server, ACCESS_STORE_VANISHED_ASK, on_vanished);
        return true;
    }
    put_mailbox(server, task);
    imap_end(server, IMAP_OK,
             server->is_read_only ? "[READ-ONLY] selected" : "[READ-WRITE] selected");
    return true;
}

static void
on_watched(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)note; /* what it was comes with the columns */
    (void)blob;
    server->on_note = NULL;
    server->more = opened;
}

static void
on_found(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct select_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        for (size_t i = 0; i < note->as.mailboxes.rows.count; i++) {
            task->row = note->as.mailboxes.rows.at[i];
            task->row.name = arena_copy(&server->arena, task->row.name);
        }
        return;
    }
    if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
        return;
    }
    if (!(task->row.rights & IMAP_RIGHT_READ)) {
        imap_end_forbidden(server, task->row.rights);
        return;
    }
    imap_view_open(&server->view, server->options.mailboxes, imap_owner(server, task->row.owner),
                   task->row.mailbox, on_view_change, server);
    struct imap_mailbox *mailbox = server->view.mailbox;
    task->rights_serial = mailbox->rights_serial;
    server->on_note = NULL;
    server->more = opened;
    if (mailbox->is_loading || mailbox->is_loaded)
        return;
    mailbox->is_loading = true;
    server->more = NULL;
    server->note.as.watch = (struct access_store_watch){
        .watch = mailbox->watch, .owner = task->row.owner, .mailbox = task->row.mailbox};
    imap_ask(server, ACCESS_STORE_WATCH, on_watched);
}

static void
select_mailbox(struct imap_server *server, struct cursor *cursor, bool is_examine)
{
    struct select_task *task = imap_task(server, sizeof(*task));
    struct slice sent;

    task->is_examine = is_examine;
    if (!imap_take_space(cursor) || !imap_take_astring(cursor, &server->arena, &sent) ||
        !take_parameters(server, cursor, task) || !imap_take_end(cursor) ||
        (task->has_known && !imap_set_resolve(&task->known, 0, &server->arena))) {
        imap_bad(server, "expected: SELECT mailbox [(CONDSTORE QRESYNC (...))]");
        return;
    }
    if (task->has_resync && !(server->enabled & IMAP_ENABLED_QRESYNC)) {
        imap_bad(server, "ENABLE QRESYNC first");
        return;
    }
    if (task->has_match_data && server->enabled & IMAP_ENABLED_UIDONLY) { /* RFC 9586 §3.7 */
        imap_bad(server, "[UIDREQUIRED] there are no message numbers with UIDONLY");
        return;
    }
    if (server->state == IMAP_SELECTED) {
        imap_deselect(server);
        buffer_put_text(&server->output, "* OK [CLOSED] the one before\r\n");
    }
    if (!imap_name_decode(sent, imap_is_utf8(server), &server->arena, &task->name) ||
        task->name.len == 0 || task->name.len > ACCESS_STORE_MAILBOX_LIST_NAME_MAX) {
        imap_end_result(server, ACCESS_STORE_RESULT_NOT_FOUND, "");
        return;
    }
    server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = task->name};
    imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_found);
}

void
imap_command_select(struct imap_server *server, struct cursor *cursor)
{
    select_mailbox(server, cursor, false);
}

void
imap_command_examine(struct imap_server *server, struct cursor *cursor)
{
    select_mailbox(server, cursor, true);
}

/* ---- closing --------------------------------------------------------------------------------- */

void
imap_command_unselect(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "UNSELECT takes no arguments");
        return;
    }
    imap_deselect(server);
    imap_end(server, IMAP_OK, "closed, nothing was removed");
}

static void
on_closed(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->kind == ACCESS_STORE_EXPUNGED_IN_PART)
        return;
    imap_deselect(server);
    imap_end_result(server, note->as.done.result, "closed");
}

/* Everything that the client knows of. */
static struct access_store_uid_range_list
all_known(struct imap_server *server)
{
    struct access_store_uid_range *range = arena_new(&server->arena, sizeof(*range));

    assert(range);
    if (server->view.known == 0)
        return (struct access_store_uid_range_list){range, 0};
    range->first = 1;
    range->last = server->view.mailbox->uids[server->view.known - 1];
    return (struct access_store_uid_range_list){range, 1};
}

void
imap_command_close(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "CLOSE takes no arguments");
    } else if (server->is_read_only || !(server->rights & IMAP_RIGHT_EXPUNGE)) {
        imap_deselect(server);
        imap_end(server, IMAP_OK, "closed");
    } else {
        server->note.as.expunge = (struct access_store_expunge){.owner = server->mailbox_owner,
                                                                .mailbox = server->mailbox_id,
                                                                .ranges = all_known(server)};
        imap_ask(server, ACCESS_STORE_EXPUNGE, on_closed);
    }
}

static void
on_expunged(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)blob;
    if (note->kind != ACCESS_STORE_EXPUNGED_IN_PART)
        imap_end_result(server, note->as.done.result, "done");
}

/* EXPUNGE, and UID EXPUNGE with a set (RFC 4315 §2.1). */
void
imap_command_expunge(struct imap_server *server, struct cursor *cursor)
{
    struct imap_set places;
    bool is_all = true, is_good = true;

    if (server->is_uid)
        is_good = imap_take_space(cursor) && imap_take_places(server, cursor, &places, NULL);
    if (!is_good || !imap_take_end(cursor)) {
        imap_bad(server, "expected: EXPUNGE, or UID EXPUNGE set");
        return;
    }
    if (server->is_read_only) {
        imap_end(server, IMAP_NO, "[READ-ONLY] it was opened to be read only");
        return;
    }
    if (server->is_uid)
        imap_portion_clip(server, &places, true);
    server->note.as.expunge = (struct access_store_expunge){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .ranges = server->is_uid
                      ? imap_uid_ranges(server, &places, ACCESS_STORE_EXPUNGE_RANGES_MAX, &is_all)
                      : all_known(server),
    };
    if (!is_all)
        imap_end(server, IMAP_NO, "[LIMIT] name fewer ranges at once");
    else
        imap_ask(server, ACCESS_STORE_EXPUNGE, on_expunged);
}
