/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 9051 §6.4.4): ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394), MODSEQ
 * (RFC 7162 §3.1.5). */
#include "imap/search_run.h"

#include <stdlib.h>

enum give {
    GIVE_MIN = 1,
    GIVE_MAX = 2,
    GIVE_ALL = 4,
    GIVE_COUNT = 8,
    GIVE_SAVE = 16,
    GIVE_PARTIAL = 32,
};

struct search_task {
    struct imap_search_run run;
    unsigned give;
    bool is_extended;
    bool is_last_first; /* PARTIAL -1:-100 */
    struct imap_range partial;
    /* The result. */
    struct imap_set_builder shown; /* numbers or UIDs */
    struct imap_set_builder uids;
    uint32_t count;
    uint64_t modseq;
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

/* ---- what the client wants ------------------------------------------------------------------- */

/* "PARTIAL" SP ("1:100" / "-1:-100") */
static bool
take_partial(struct cursor *cursor, struct search_task *task)
{
    struct imap_range *range = &task->partial;

    if (!imap_take_space(cursor))
        return false;
    task->is_last_first = cursor_take_byte(cursor, '-');
    if (!imap_take_nz_number(cursor, &range->first) || !cursor_take_byte(cursor, ':') ||
        cursor_take_byte(cursor, '-') != task->is_last_first ||
        !imap_take_nz_number(cursor, &range->last))
        return false;
    if (range->first > range->last)
        *range = (struct imap_range){range->last, range->first};
    return true;
}

/* "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" */
static bool
take_returns(struct cursor *cursor, struct search_task *task)
{
    static const struct {
        struct slice name;
        unsigned bit;
    } options[] = {
        {{(const uint8_t *)"MIN", 3}, GIVE_MIN},   {{(const uint8_t *)"MAX", 3}, GIVE_MAX},
        {{(const uint8_t *)"ALL", 3}, GIVE_ALL},   {{(const uint8_t *)"COUNT", 5}, GIVE_COUNT},
        {{(const uint8_t *)"SAVE", 4}, GIVE_SAVE}, {{(const uint8_t *)"PARTIAL", 7}, GIVE_PARTIAL},
    };

    if (!imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    task->is_extended = true;
    while (!cursor_take_byte(cursor, ')')) {
        size_t i = 0;
        (void)!imap_take_space(cursor);
        while (i < COUNT_OF(options) && !imap_take_word(cursor, options[i].name))
            i++;
        if (i == COUNT_OF(options))
            return false;
        task->give |= options[i].bit;
        if (options[i].bit == GIVE_PARTIAL && !take_partial(cursor, task))
            return false;
    }
    if (task->give == 0)
        task->give = GIVE_ALL;
    return !(task->give & GIVE_PARTIAL && task->give & GIVE_ALL);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The part of the results that PARTIAL names. */
static void
put_partial(struct imap_server *server, const struct search_task *task, const struct imap_set *all)
{
    struct buffer *out = &server->output;
    struct imap_set_builder part;
    uint32_t first = task->partial.first, last = task->partial.last, at = 0;

    imap_put_number(out, task->is_last_first ? " PARTIAL (-" : " PARTIAL (", first, ":");
    imap_put_number(out, task->is_last_first ? "-" : "", last, " ");
    if (task->is_last_first) {
        uint32_t end = first <= task->count ? task->count - first + 1 : 0;
        first = last <= task->count ? task->count - last + 1 : 1;
        last = end;
    }
    imap_set_builder_init(&part);
    for (size_t i = 0; i < all->count; i++) {
        uint32_t len = all->at[i].last - all->at[i].first + 1;
        uint32_t from = first > at + 1 ? first - at - 1 : 0;
        uint32_t to = last > at ? last - at : 0;
        to = to < len ? to : len;
        if (from < to)
            imap_set_builder_add(&part, all->at[i].first + from, all->at[i].first + to - 1);
        at += len;
    }
    struct imap_set set = imap_set_builder_set(&part);
    if (set.count > 0)
        imap_set_put(out, &set);
    else
        buffer_put_text(out, "NIL");
    buffer_put_byte(out, ')');
    imap_set_builder_finish(&part);
}

static void
put_extended(struct imap_server *server, const struct search_task *task)
{
    struct buffer *out = &server->output;
    struct imap_set all = imap_set_builder_set(&task->shown);
    bool has_any = all.count > 0;

    if (task->give == GIVE_SAVE)
        return;
    buffer_put_text(out, "* ESEARCH (TAG ");
    imap_put_string(out, slice_of(server->tag, server->tag_len));
    buffer_put_text(out, server->is_uid ? ") UID" : ")");
    if (task->give & GIVE_MIN && has_any)
        imap_put_number(out, " MIN ", all.at[0].first, "");
    if (task->give & GIVE_MAX && has_any)
        imap_put_number(out, " MAX ", all.at[all.count - 1].last, "");
    if (task->give & GIVE_ALL && has_any) {
        buffer_put_text(out, " ALL ");
        imap_set_put(out, &all);
    }
    if (task->give & GIVE_COUNT)
        imap_put_number(out, " COUNT ", task->count, "");
    if (task->give & GIVE_PARTIAL)
        put_partial(server, task, &all);
    if (task->run.search.has_modseq && has_any)
        imap_put_number(out, " MODSEQ ", task->modseq, "");
    buffer_put_text(out, "\r\n");
}

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
    imap_end(server, IMAP_OK, "done");
    return true;
}

/* RFC 5182 §2.1: MIN and MAX alone save only these. */
static void
save(struct imap_server *server, const struct search_task *task)
{
    struct imap_set uids = imap_set_builder_set(&task->uids);
    unsigned ends = task->give & (GIVE_MIN | GIVE_MAX);
    bool has_ends_only = ends && !(task->give & (GIVE_ALL | GIVE_COUNT | GIVE_PARTIAL));
    struct imap_range *copy = calloc(uids.count + 2, sizeof(*copy));

    if (!copy)
        abort();
    free((void *)(uintptr_t)server->saved.at);
    server->saved = (struct imap_set){copy, uids.count};
    if (uids.count > 0)
        memcpy(copy, uids.at, uids.count * sizeof(*copy));
    if (!has_ends_only || uids.count == 0)
        return;
    struct imap_range first = {uids.at[0].first, uids.at[0].first};
    struct imap_range last = {uids.at[uids.count - 1].last, uids.at[uids.count - 1].last};
    copy[0] = ends & GIVE_MIN ? first : last;
    copy[1] = last;
    server->saved.count = ends == (GIVE_MIN | GIVE_MAX) && first.first != last.first ? 2 : 1;
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
        if (task->give & GIVE_SAVE)
            imap_set_builder_add(&task->uids, uid, uid);
        task->count++;
        if (mailbox->modseqs[place] > task->modseq)
            task->modseq = mailbox->modseqs[place];
    }
    if (task->give & GIVE_SAVE)
        save(server, task);
    if (!task->is_extended && !(server->enabled & IMAP_ENABLED_REV2)) {
        buffer_put_text(&server->output, "* SEARCH");
        server->more = put_plain;
        return true;
    }
    put_extended(server, task);
    imap_end(server, IMAP_OK, "done");
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

    if (task->give & GIVE_SAVE) /* RFC 5182 §2.1: what fails saves nothing */
        server->saved.count = 0;
    if (problem)
        imap_end(server, IMAP_NO, problem);
    else
        imap_bad(server, "expected: SEARCH [RETURN (options)] [CHARSET charset] keys");
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
    if (is_good && imap_take_word(cursor, SLICE("RETURN")))
        is_good = take_returns(cursor, task) && imap_take_space(cursor);
    else
        task->give = GIVE_ALL;
    is_good = is_good && imap_take_charset(server, cursor, true, &is_known);
    if (is_good && !is_known) {
        refuse(server, "[BADCHARSET (UTF-8 US-ASCII)] that charset is not known");
        return;
    }
    if (!is_good || !imap_take_search(server, cursor, &task->run.search, &problem) ||
        !imap_take_end(cursor)) {
        refuse(server, problem);
        return;
    }
    imap_search_run_begin(server, show);
}
