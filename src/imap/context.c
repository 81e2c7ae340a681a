/* SPDX-License-Identifier: ISC */
#include "imap/context.h"

#include <stdlib.h>

/* ---- sets ------------------------------------------------------------------------------------ */

/* What is left of `set` without `minus`, put into the builder. */
static void
subtract(const struct imap_set *set, const struct imap_set *minus, struct imap_set_builder *out)
{
    size_t at = 0;

    for (size_t i = 0; i < set->count; i++) {
        uint64_t next = set->at[i].first, last = set->at[i].last;
        while (at < minus->count && minus->at[at].last < next)
            at++;
        for (size_t j = at; j < minus->count && minus->at[j].first <= last; j++) {
            if (minus->at[j].first > next)
                imap_set_builder_add(out, (uint32_t)next, minus->at[j].first - 1);
            next = (uint64_t)minus->at[j].last + 1;
        }
        if (next <= last)
            imap_set_builder_add(out, (uint32_t)next, (uint32_t)last);
    }
}

/* Two sets that have nothing in common. */
static void
join(const struct imap_set *left, const struct imap_set *right, struct imap_set_builder *out)
{
    size_t i = 0, j = 0;

    while (i < left->count || j < right->count) {
        bool is_left =
            j == right->count || (i < left->count && left->at[i].first < right->at[j].first);
        const struct imap_range *range = is_left ? &left->at[i++] : &right->at[j++];
        imap_set_builder_add(out, range->first, range->last);
    }
}

static void
set_found(struct imap_context *context, const struct imap_set *uids)
{
    struct imap_range *copy = calloc(uids->count + 1, sizeof(*copy));

    if (!copy)
        abort();
    if (uids->count > 0)
        memcpy(copy, uids->at, uids->count * sizeof(*copy));
    free((void *)(uintptr_t)context->found.at);
    context->found = (struct imap_set){copy, uids->count};
}

/* ---- contexts -------------------------------------------------------------------------------- */

static void
close_context(struct imap_contexts *contexts, size_t index)
{
    struct imap_context *context = &contexts->at[index];

    free((void *)(uintptr_t)context->program.at);
    free((void *)(uintptr_t)context->found.at);
    *context = contexts->at[--contexts->count];
}

void
imap_contexts_close(struct imap_server *server)
{
    if (!server->contexts)
        return;
    while (server->contexts->count > 0)
        close_context(server->contexts, 0);
    free(server->contexts);
    server->contexts = NULL;
}

static size_t
find(const struct imap_server *server, struct slice tag)
{
    const struct imap_contexts *contexts = server->contexts;
    size_t i = 0;

    while (contexts && i < contexts->count &&
           !slice_equal(slice_of(contexts->at[i].tag, contexts->at[i].tag_len), tag))
        i++;
    return i;
}

static size_t
count_of(const struct imap_server *server)
{
    return server->contexts ? server->contexts->count : 0;
}

bool
imap_context_is_there(const struct imap_server *server)
{
    return find(server, slice_of(server->tag, server->tag_len)) < count_of(server);
}

static void
put_refusal(struct imap_server *server, struct slice tag)
{
    buffer_put_text(&server->output, "* NO [NOUPDATE ");
    imap_put_string(&server->output, tag);
    buffer_put_text(&server->output, "] you will not hear of changes\r\n");
}

void
imap_context_refuse(struct imap_server *server)
{
    put_refusal(server, slice_of(server->tag, server->tag_len));
}

void
imap_context_open(struct imap_server *server, struct slice program, struct imap_set uids,
                  uint64_t modseq, uint32_t uid_last)
{
    if (count_of(server) == IMAP_CONTEXTS_MAX || program.len > IMAP_CONTEXT_PROGRAM_MAX ||
        uids.count > IMAP_CONTEXT_RANGES_MAX) {
        imap_context_refuse(server);
        return;
    }
    if (!server->contexts)
        server->contexts = calloc(1, sizeof(*server->contexts));
    uint8_t *copy = malloc(program.len + 1);
    if (!server->contexts || !copy)
        abort();
    memcpy(copy, program.at, program.len);
    struct imap_context *context = &server->contexts->at[server->contexts->count++];
    *context = (struct imap_context){
        .tag_len = server->tag_len,
        .is_uid = server->is_uid,
        .program = slice_of(copy, program.len),
        .modseq = modseq,
        .uid_last = uid_last,
    };
    memcpy(context->tag, server->tag, server->tag_len);
    set_found(context, &uids);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
put_list(struct buffer *out, const char *word, const struct imap_set *set)
{
    if (set->count == 0)
        return;
    buffer_put_text(out, word);
    buffer_put_text(out, " (0 ");
    imap_set_put(out, set);
    buffer_put_byte(out, ')');
}

static void
put_update(struct imap_server *server, const struct imap_context *context,
           const struct imap_set *removed, const struct imap_set *added)
{
    if (removed->count == 0 && added->count == 0)
        return;
    buffer_put_text(&server->output, "* ESEARCH (TAG ");
    imap_put_string(&server->output, slice_of(context->tag, context->tag_len));
    buffer_put_text(&server->output, context->is_uid ? ") UID" : ")");
    put_list(&server->output, " REMOVEFROM", removed);
    put_list(&server->output, " ADDTO", added);
    buffer_put_text(&server->output, "\r\n");
}

/* What went out of the results, and what came in: as UIDs, and as they are shown. */
struct difference {
    struct imap_set_builder removed, added, shown_removed, shown_added;
};

static void
difference_init(struct difference *difference)
{
    imap_set_builder_init(&difference->removed);
    imap_set_builder_init(&difference->added);
    imap_set_builder_init(&difference->shown_removed);
    imap_set_builder_init(&difference->shown_added);
}

static void
difference_add(struct difference *difference, const struct imap_context *context, bool is_added,
               uint32_t uid, uint32_t number)
{
    uint32_t shown = context->is_uid ? uid : number;

    imap_set_builder_add(is_added ? &difference->added : &difference->removed, uid, uid);
    imap_set_builder_add(is_added ? &difference->shown_added : &difference->shown_removed, shown,
                         shown);
}

/* Tells it and makes it so. */
static void
difference_finish(struct imap_server *server, struct imap_context *context,
                  struct difference *difference)
{
    struct imap_set removed = imap_set_builder_set(&difference->removed);
    struct imap_set added = imap_set_builder_set(&difference->added);
    struct imap_set shown_removed = imap_set_builder_set(&difference->shown_removed);
    struct imap_set shown_added = imap_set_builder_set(&difference->shown_added);
    struct imap_set_builder left, now;

    imap_set_builder_init(&left);
    imap_set_builder_init(&now);
    put_update(server, context, &shown_removed, &shown_added);
    subtract(&context->found, &removed, &left);
    struct imap_set rest = imap_set_builder_set(&left);
    join(&rest, &added, &now);
    struct imap_set found = imap_set_builder_set(&now);
    set_found(context, &found);
    imap_set_builder_finish(&left);
    imap_set_builder_finish(&now);
    imap_set_builder_finish(&difference->removed);
    imap_set_builder_finish(&difference->added);
    imap_set_builder_finish(&difference->shown_removed);
    imap_set_builder_finish(&difference->shown_added);
}

/* §4.3.4: while the numbers still mean the messages that go. */
void
imap_contexts_expunge(struct imap_server *server)
{
    const struct imap_view *view = &server->view;

    for (size_t i = 0; i < count_of(server); i++) {
        struct imap_context *context = &server->contexts->at[i];
        struct difference difference;
        difference_init(&difference);
        for (size_t j = 0; j < view->mailbox->tomb_count; j++) {
            const struct imap_tomb *tomb = &view->mailbox->tombs[j];
            bool is_new = tomb->serial > view->serial && tomb->place < view->known;
            uint32_t uid = view->mailbox->uids[tomb->place];
            if (is_new && imap_set_has(&context->found, uid))
                difference_add(&difference, context, false, uid,
                               imap_view_number_of_place(view, tomb->place));
        }
        difference_finish(server, context, &difference);
    }
}

/* ---- bringing up to date --------------------------------------------------------------------- */

struct context_task {
    struct imap_search_run run;
    size_t index;
    struct imap_set_builder places; /* that are tried */
    uint64_t modseq;
    uint32_t uid_last;
};

static void
drop(struct imap_server *server)
{
    struct context_task *task = server->task;

    imap_search_run_finish(&task->run);
    imap_set_builder_finish(&task->places);
}

static void
update(struct imap_server *server, struct imap_context *context, struct context_task *task)
{
    struct imap_set tried = imap_set_builder_set(&task->places);
    struct imap_set found = imap_search_run_places(server);
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct difference difference;
    struct imap_walk walk;
    uint32_t place, number;

    difference_init(&difference);
    imap_walk_init(&walk, &server->view, &tried);
    while (imap_walk_next(&walk, &place, &number)) {
        uint32_t uid = mailbox->uids[place];
        bool is_now = imap_set_has(&found, place), was = imap_set_has(&context->found, uid);
        if (is_now != was)
            difference_add(&difference, context, is_now, uid, number);
    }
    difference_finish(server, context, &difference);
    context->modseq = task->modseq;
    context->uid_last = task->uid_last;
}

static bool
show(struct imap_server *server)
{
    struct context_task *task = server->task;
    struct imap_context *context = &server->contexts->at[task->index];

    update(server, context, task);
    if (context->found.count > IMAP_CONTEXT_RANGES_MAX) {
        put_refusal(server, slice_of(context->tag, context->tag_len));
        close_context(server->contexts, task->index);
    }
    imap_end(server, IMAP_OK, "");
    return true;
}

/* The messages that have come or changed; true when there are any. */
static bool
gather(const struct imap_server *server, const struct imap_context *context,
       struct imap_set_builder *places)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    bool has_any = false;

    for (uint32_t place = 0; place < server->view.known; place++) {
        bool is_other =
            mailbox->modseqs[place] > context->modseq || mailbox->uids[place] > context->uid_last;
        if (!is_other || mailbox->flags[place] & IMAP_VANISHED)
            continue;
        imap_set_builder_add(places, place, place);
        has_any = true;
    }
    return has_any;
}

static void
begin(struct imap_server *server, size_t index, struct imap_set_builder places, uint64_t modseq,
      uint32_t uid_last)
{
    struct imap_context *context = &server->contexts->at[index];
    struct context_task *task;
    struct cursor cursor = cursor_of(context->program);
    const char *problem = NULL;

    server->is_running = server->is_internal = true;
    server->is_uid = server->may_expunge = false;
    server->view.is_pinned = true;
    task = imap_task(server, sizeof(*task));
    imap_search_run_init(server, &task->run);
    task->index = index;
    task->places = places;
    task->modseq = modseq;
    task->uid_last = uid_last;
    task->run.within = imap_set_builder_set(&task->places);
    task->run.has_within = true;
    server->drop = drop;
    if (imap_take_search(server, &cursor, &task->run.search, &problem)) {
        imap_search_run_begin(server, show);
    } else { /* it could be read before */
        put_refusal(server, slice_of(context->tag, context->tag_len));
        close_context(server->contexts, index);
        imap_end(server, IMAP_OK, "");
    }
}

bool
imap_context_step(struct imap_server *server)
{
    const struct imap_view *view = &server->view;

    if (count_of(server) == 0 || server->state != IMAP_SELECTED)
        return false;
    uint32_t uid_last = view->known ? view->mailbox->uids[view->known - 1] : 0;
    for (size_t i = 0; i < server->contexts->count; i++) {
        struct imap_context *context = &server->contexts->at[i];
        struct imap_set_builder places;
        if (context->modseq >= view->modseq && context->uid_last >= uid_last)
            continue;
        imap_set_builder_init(&places);
        if (gather(server, context, &places)) {
            begin(server, i, places, view->modseq, uid_last);
            return true;
        }
        imap_set_builder_finish(&places);
        context->modseq = view->modseq;
        context->uid_last = uid_last;
    }
    return false;
}

/* ---- CANCELUPDATE ---------------------------------------------------------------------------- */

/* "CANCELUPDATE" 1*(SP quoted) */
void
imap_command_cancelupdate(struct imap_server *server, struct cursor *cursor)
{
    struct slice tags[IMAP_CONTEXTS_MAX];
    size_t count = 0;
    bool is_known = true;

    while (count < IMAP_CONTEXTS_MAX && imap_take_space(cursor)) {
        if (!imap_take_astring(cursor, &server->arena, &tags[count++])) {
            count = 0;
            break;
        }
    }
    if (count == 0 || !imap_take_end(cursor)) {
        imap_bad(server, "expected: CANCELUPDATE and tags in quotes");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        size_t index = find(server, tags[i]);
        bool is_there = index < count_of(server);
        is_known = is_known && is_there;
        if (is_there)
            close_context(server->contexts, index);
    }
    imap_end(server, is_known ? IMAP_OK : IMAP_NO,
             is_known ? "you will hear no more" : "[CANNOT] no search of that tag goes on");
}
