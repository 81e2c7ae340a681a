/* SPDX-License-Identifier: ISC */
/* ESEARCH (RFC 7377): one search in many mailboxes. Each is opened in its turn, as if it were
 * selected; the selected one is lent for so long (imap_view_lend). */
#include "imap/notify.h"
#include "imap/rights.h"
#include "imap/search_run.h"

enum { SOURCES_MAX = 50 };

struct esearch_task {
    struct imap_search_run run;
    struct imap_returns returns;
    struct imap_notify_filter sources[SOURCES_MAX];
    size_t source_count;
    bool has_selected;
    struct slice program; /* keys, to the end of the line */
    struct imap_rows rows;
    size_t next;
    struct access_store_mailbox_row row; /* that is searched */
    struct imap_set_builder uids;
    uint32_t count;
    uint64_t modseq;
};

static void
drop(struct imap_server *server)
{
    struct esearch_task *task = server->task;

    imap_search_run_finish(&task->run);
    imap_set_builder_finish(&task->uids);
    imap_view_return(server);
}

/* ---- what the client wants ------------------------------------------------------------------- */

/* esearch-source-opts = "IN" SP "(" filter-mailboxes *(SP filter-mailboxes) ")" SP */
static bool
take_sources(struct imap_server *server, struct cursor *cursor, struct esearch_task *task)
{
    if (!imap_take_word(cursor, SLICE("IN"))) {
        task->has_selected = true;
        return true;
    }
    if (!imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_take_word(cursor, SLICE("selected")))
            task->has_selected = true;
        else if (imap_over(server, task->source_count == SOURCES_MAX,
                           "[LIMIT] too many sources") ||
                 !imap_take_filter(server, cursor, &server->arena,
                                   &task->sources[task->source_count++]))
            return false;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')') && imap_take_space(cursor);
}

static bool
is_source(const struct imap_server *server, const struct access_store_mailbox_row *row)
{
    const struct esearch_task *task = server->task;

    if (task->has_selected && server->state == IMAP_SELECTED &&
        row->mailbox == server->mailbox_id && row->owner == server->mailbox_owner)
        return true;
    if (!(row->rights & IMAP_RIGHT_READ))
        return false;
    for (size_t i = 0; i < task->source_count; i++) {
        if (imap_filter_matches(&task->sources[i], row))
            return true;
    }
    return false;
}

/* ---- one mailbox ----------------------------------------------------------------------------- */

static bool next_mailbox(struct imap_server *server);

static bool
show(struct imap_server *server)
{
    struct esearch_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct imap_set found = imap_search_run_places(server);
    struct buffer *out = &server->output;
    struct imap_walk walk;
    uint32_t place, number;

    imap_scan_finish(server);
    imap_set_builder_init(&task->uids);
    task->count = 0;
    task->modseq = 0;
    imap_walk_init(&walk, &server->view, &found);
    while (imap_walk_next(&walk, &place, &number)) {
        imap_set_builder_add(&task->uids, mailbox->uids[place], mailbox->uids[place]);
        task->count++;
        if (mailbox->modseqs[place] > task->modseq)
            task->modseq = mailbox->modseqs[place];
    }
    struct imap_set uids = imap_set_builder_set(&task->uids);
    if (task->count > 0) {
        buffer_put_text(out, "* ESEARCH (TAG ");
        imap_put_string(out, slice_of(server->tag, server->tag_len));
        buffer_put_text(out, " MAILBOX ");
        imap_put_name(server, task->row.name);
        imap_put_number(out, " UIDVALIDITY ", task->row.uid_validity, ") UID");
        imap_put_results(server, &task->returns, &uids, task->count,
                         task->run.search.has_modseq ? task->modseq : 0);
    }
    if (task->returns.give & IMAP_GIVE_SAVE && task->run.unread == ACCESS_STORE_RESULT_OK)
        imap_save_result(server, task->returns.give, uids);
    imap_set_builder_finish(&task->uids);
    imap_search_run_finish(&task->run);
    imap_view_return(server);
    server->more = next_mailbox;
    return true;
}

static bool
opened(struct imap_server *server)
{
    struct esearch_task *task = server->task;
    struct imap_mailbox *mailbox = server->view.mailbox;
    struct cursor cursor = cursor_of(task->program);
    const char *problem = NULL;

    if (!mailbox->is_loaded)
        return false;
    if (mailbox->result != ACCESS_STORE_RESULT_OK) {
        enum access_store_result result = mailbox->result;
        imap_view_return(server);
        server->more = next_mailbox;
        if (result != ACCESS_STORE_RESULT_NOT_FOUND && result != ACCESS_STORE_RESULT_NO_PERMISSION)
            imap_end_result(server, result, "");
        return true; /* it went meanwhile */
    }
    imap_view_begin(&server->view);
    server->view.is_pinned = true;
    imap_search_run_init(server, &task->run);
    bool is_good = imap_take_search(server, &cursor, &task->run.search, &problem) &&
                   imap_take_end(&cursor);
    if (is_good) {
        imap_save_nothing(server, task->returns.give);
        imap_search_run_begin(server, show);
    } else if (problem) {
        imap_end_search_problem(server, problem);
    } else {
        imap_bad(server, "expected: ESEARCH [IN (mailboxes)] [RETURN (options)] keys");
    }
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
on_view_change(void *context)
{
    struct imap_server *server = context;

    server->options.wake(server->options.wake_context);
}

static bool
next_mailbox(struct imap_server *server)
{
    struct esearch_task *task = server->task;

    while (task->next < task->rows.count && !is_source(server, &task->rows.at[task->next]))
        task->next++;
    if (task->next == task->rows.count) {
        imap_end_result(server, task->run.unread, "done");
        return true;
    }
    task->row = task->rows.at[task->next++];
    imap_view_lend(server, task->row.owner, task->row.mailbox);
    imap_view_open(&server->view, server->options.mailboxes, imap_owner(server, task->row.owner),
                   task->row.mailbox, on_view_change, server);
    struct imap_mailbox *mailbox = server->view.mailbox;
    server->more = opened;
    if (mailbox->is_loading || mailbox->is_loaded)
        return true;
    mailbox->is_loading = true;
    server->more = NULL;
    server->note.as.watch = (struct access_store_watch){
        .watch = mailbox->watch, .owner = task->row.owner, .mailbox = task->row.mailbox};
    imap_ask(server, ACCESS_STORE_WATCH, on_watched);
    return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

static void
on_rows(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct esearch_task *task = server->task;

    (void)blob;
    if (note->kind == ACCESS_STORE_MAILBOXES) {
        if (!imap_rows_add(server, &task->rows, &note->as.mailboxes))
            imap_end(server, IMAP_NO, "[LIMIT] too many mailboxes");
    } else if (note->as.done.result != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, note->as.done.result, "");
    } else {
        server->on_note = NULL;
        server->more = next_mailbox;
    }
}

void
imap_command_esearch(struct imap_server *server, struct cursor *cursor)
{
    struct esearch_task *task = imap_task(server, sizeof(*task));
    bool is_known = true;

    imap_set_builder_init(&task->uids);
    imap_search_run_init(server, &task->run);
    server->drop = drop;
    bool is_good = imap_take_space(cursor) && take_sources(server, cursor, task) &&
                   imap_take_returns(cursor, &task->returns) &&
                   imap_take_charset(server, cursor, true, &is_known) && !cursor_is_done(cursor);
    bool is_saving = is_good && task->returns.give & IMAP_GIVE_SAVE;
    if (!is_good || task->returns.wants_update || (is_saving && task->source_count > 0)) {
        imap_bad(server, "expected: ESEARCH [IN (mailboxes)] [RETURN (options)] keys");
    } else if (!is_known) {
        imap_end(server, IMAP_NO, "[BADCHARSET (UTF-8 US-ASCII)] that charset is not known");
    } else if (task->has_selected && server->state != IMAP_SELECTED) {
        imap_bad(server, "select a mailbox first");
    } else {
        task->program = cursor_rest(cursor);
        server->note.as.mailbox_list = (struct access_store_mailbox_list){.name = slice_of("", 0)};
        imap_ask(server, ACCESS_STORE_MAILBOX_LIST, on_rows);
    }
}
