/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 9051 §6.4.4): ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394), UPDATE
 * (RFC 5267 §4.3), MODSEQ (RFC 7162 §3.1.5). */
#include "imap/context.h"
#include "imap/portion.h"

struct search_task {
    struct imap_search_run run;
    struct imap_returns returns;
    /* The result. */
    struct imap_set_builder shown; /* numbers or UIDs */
    struct imap_set_builder uids;
    uint32_t count;
    uint64_t modseq;
    /* For UPDATE: the keys, and how far the mailbox was when the search began. */
    struct slice program;
    uint64_t begun_modseq;
    uint32_t begun_uid;
    size_t range; /* how far a plain answer is told */
    uint32_t next;
};

static void
drop(struct imap_server *server)
{
    struct search_task *task = server->task;

    imap_search_run_finish(&task->run);
    imap_set_builder_finish(&task->shown);
    imap_set_builder_finish(&task->uids);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* "* SEARCH 2 84 882", made while it is sent. */
static bool
put_plain(struct imap_server *server)
{
    struct search_task *task = server->task;
    struct imap_set all = imap_set_builder_set(&task->shown);
    struct buffer *out = &server->output;

    for (; task->range < all.count; task->range++, task->next = 0) {
        const struct imap_range *range = &all.at[task->range];
        if (task->next == 0)
            task->next = range->first;
        for (; task->next <= range->last && task->next != 0; task->next++) {
            if (!imap_has_room(server))
                return true;
            imap_put_number(out, " ", task->next, "");
        }
    }
    if (task->run.search.has_modseq && all.count > 0)
        imap_put_number(out, " (MODSEQ ", task->modseq, ")");
    buffer_put_text(out, "\r\n");
    imap_end_result(server, task->run.unread, "done");
    return true;
}

/* Message numbers mean what they meant when the command came; to keep them would tell nothing. */
static void
keep_context(struct imap_server *server)
{
    struct search_task *task = server->task;

    if (task->run.search.has_numbers || task->run.has_within ||
        task->run.unread != ACCESS_STORE_RESULT_OK)
        imap_context_refuse(server);
    else
        imap_context_open(server, task->program, imap_set_builder_set(&task->uids),
                          task->begun_modseq, task->begun_uid);
}

static bool
show(struct imap_server *server)
{
    struct search_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct imap_set all = imap_search_run_places(server);
    struct imap_walk walk;
    uint32_t place, number;

    imap_walk_init(&walk, &server->view, &all);
    while (imap_walk_next(&walk, &place, &number)) {
        uint32_t uid = mailbox->uids[place], shown = server->is_uid ? uid : number;
        imap_set_builder_add(&task->shown, shown, shown);
        if (task->returns.give & IMAP_GIVE_SAVE || task->returns.wants_update)
            imap_set_builder_add(&task->uids, uid, uid);
        task->count++;
        if (mailbox->modseqs[place] > task->modseq)
            task->modseq = mailbox->modseqs[place];
    }
    if (task->returns.give & IMAP_GIVE_SAVE && task->run.unread == ACCESS_STORE_RESULT_OK)
        imap_save_result(server, task->returns.give, imap_set_builder_set(&task->uids));
    if (!task->returns.is_extended && !(server->enabled & IMAP_ENABLED_REV2)) {
        buffer_put_text(&server->output, "* SEARCH");
        server->more = put_plain;
        return true;
    }
    if (task->returns.wants_update)
        keep_context(server);
    if (task->returns.give != IMAP_GIVE_SAVE) {
        struct imap_set shown = imap_set_builder_set(&task->shown);
        imap_put_esearch(server);
        imap_put_results(server, &task->returns, &shown, task->count,
                         task->run.search.has_modseq ? task->modseq : 0);
    }
    imap_end_result(server, task->run.unread, "done");
    return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

static void
init(struct search_task *task)
{
    imap_set_builder_init(&task->shown);
    imap_set_builder_init(&task->uids);
}

static void
refuse(struct imap_server *server, const char *problem)
{
    struct search_task *task = server->task;

    if (problem)
        imap_end_search_problem(server, problem);
    else
        imap_bad(server, "expected: SEARCH [RETURN (options)] [CHARSET charset] keys");
    if (server->status == IMAP_NO)
        imap_save_nothing(server, task->returns.give);
}

void
imap_command_search(struct imap_server *server, struct cursor *cursor)
{
    struct search_task *task = imap_task(server, sizeof(*task));
    const char *problem = NULL;
    bool is_known = true;

    init(task);
    imap_search_run_init(server, &task->run);
    server->drop = drop;
    bool is_good = imap_take_space(cursor);
    is_good = is_good && imap_take_returns(cursor, &task->returns) &&
              imap_take_charset(server, cursor, true, &is_known);
    if (is_good && !is_known) {
        refuse(server, "[BADCHARSET (UTF-8 US-ASCII)] that charset is not known");
        return;
    }
    task->program = cursor_rest(cursor);
    if (!is_good || !imap_take_search(server, cursor, &task->run.search, &problem) ||
        !imap_take_end(cursor)) {
        refuse(server, problem);
        return;
    }
    if (task->returns.wants_update && imap_context_is_there(server)) {
        imap_bad(server, "the tag is that of a search that goes on");
        return;
    }
    imap_save_nothing(server, task->returns.give);
    const struct imap_view *view = &server->view;
    task->begun_modseq = view->mailbox->modseq;
    task->begun_uid = view->known ? view->mailbox->uids[view->known - 1] : 0;
    task->run.has_within =
        imap_portion_clip_search(server, &task->run.search, &task->run.within);
    imap_search_run_begin(server, show);
}
