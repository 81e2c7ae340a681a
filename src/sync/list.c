/* SPDX-License-Identifier: ISC */
/* What the server has: only what has changed since the last run (RFC 7162), or all. */
#include "imap/grammar.h"
#include "sync/run.h"

#include <stdlib.h>

static_assert((int)IMAP_SEEN == CLIENT_SEEN && (int)IMAP_ANSWERED == CLIENT_ANSWERED &&
                  (int)IMAP_FLAGGED == CLIENT_FLAGGED && (int)IMAP_DELETED == CLIENT_DELETED &&
                  (int)IMAP_DRAFT == CLIENT_DRAFT,
              "flags of both rooms are alike");

uint32_t
run_flags(const struct imap_client_message *message)
{
    uint32_t flags = message->flag_bits;

    for (struct slice rest = message->flags; rest.len > 0;) {
        struct slice word = slice_first(rest, slice_find_byte(rest, ' '));
        if (slice_equal_nocase(word, SLICE("$Forwarded")))
            flags |= STATE_PASSED;
        rest = slice_skip(rest, word.len + 1);
    }
    return flags & STATE_FLAGS;
}

void
work_add_new(struct work *work, uint32_t uid, uint32_t flags)
{
    if (work->news_count == work->news_room) {
        work->news_room = work->news_room ? work->news_room * 2 : 64;
        struct work_new *news = realloc(work->news, work->news_room * sizeof(*news));
        if (!news)
            abort();
        work->news = news;
    }
    work->news[work->news_count++] = (struct work_new){.uid = uid, .flags = flags};
}

static void
take_vanished(struct work *work, uint32_t first, uint32_t last)
{
    const struct state *state = work->state;

    if (last - first < state->count) {
        for (uint64_t uid = first; uid <= last; uid++) {
            struct state_entry *entry = state_of_uid(state, (uint32_t)uid);
            if (entry)
                entry->is_there = false;
        }
        return;
    }
    for (size_t i = 0; i < state->count; i++) {
        struct state_entry *entry = state->entries[i];
        if (entry->uid >= first && entry->uid <= last)
            entry->is_there = false;
    }
}

static void
take_event(void *context, const struct imap_client_event *event)
{
    struct work *work = context;
    const struct imap_client_message *message = &event->message;

    if (event->kind == IMAP_CLIENT_EVENT_VANISHED) {
        work->gone += (uint64_t)event->last - event->first + 1;
        take_vanished(work, event->first, event->last);
    } else if (event->kind == IMAP_CLIENT_EVENT_EXPUNGE) {
        work->gone++;
    } else if (event->kind == IMAP_CLIENT_EVENT_FETCH && (message->said & IMAP_CLIENT_SAID_UID) &&
               (message->said & IMAP_CLIENT_SAID_FLAGS)) {
        struct state_entry *entry = state_of_uid(work->state, message->uid);
        if (!entry) {
            work_add_new(work, message->uid, run_flags(message));
            return;
        }
        entry->is_there = true;
        entry->there = run_flags(message);
    }
}

static int
by_uid(const void *left, const void *right)
{
    const struct work_new *l = left, *r = right;

    return l->uid < r->uid ? -1 : l->uid > r->uid;
}

/* In order, each once: a server may say things twice. The later word is the better one, but flags
 * are looked at again when the message itself is fetched. */
void
work_tidy_news(struct work *work)
{
    size_t kept = 0;

    if (work->news_count == 0)
        return;
    qsort(work->news, work->news_count, sizeof(*work->news), by_uid);
    for (size_t i = 1; i < work->news_count; i++) {
        if (work->news[i].uid != work->news[kept].uid)
            work->news[++kept] = work->news[i];
        else
            work->news[kept].is_taken = work->news[kept].is_taken || work->news[i].is_taken;
    }
    work->news_count = kept + 1;
}

struct work_new *
work_find_new(const struct work *work, uint32_t uid)
{
    size_t low = 0, high = work->news_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (work->news[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < work->news_count && work->news[low].uid == uid ? &work->news[low] : NULL;
}

/* All entries are there as they were, or none is. */
static void
assume(struct work *work, bool is_there)
{
    struct state *state = work->state;

    for (size_t i = 0; i < state->count; i++) {
        state->entries[i]->is_there = is_there && state->entries[i]->uid != 0;
        state->entries[i]->there = state->entries[i]->flags;
    }
    work->news_count = 0;
    work->gone = 0;
}

static uint64_t
count_there(const struct work *work)
{
    uint64_t count = work->news_count;

    for (size_t i = 0; i < work->state->count; i++)
        count += work->state->entries[i]->is_there;
    return count;
}

static struct imap_client_mailbox
mailbox(const struct work *work)
{
    return client_imap_mailbox(work->run->imap);
}

/* Only what has changed. *ret_whole is false when the sum is not right: then all must be listed. */
static bool
list_changes(struct work *work, bool *ret_whole)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .uids = SLICE("1:*"),
                                            .text = SLICE("FLAGS"),
                                            .changed_since = work->state->end.modseq,
                                            .wants_vanished = true};

    assume(work, true);
    if (work->end.modseq != work->state->end.modseq &&
        !client_imap_ask(work->run->imap, &question, take_event, work, &work->problem))
        return false;
    work_tidy_news(work);
    *ret_whole = count_there(work) == mailbox(work).status.messages;
    return true;
}

static bool
list_all(struct work *work)
{
    struct imap_client_question question = {
        .command = IMAP_CLIENT_FETCH, .uids = SLICE("1:*"), .text = SLICE("FLAGS")};
    uint64_t before = mailbox(work).status.messages;

    assume(work, false);
    if (before > 0 &&
        !client_imap_ask(work->run->imap, &question, take_event, work, &work->problem))
        return false;
    work_tidy_news(work);
    return count_there(work) + work->gone >= before ||
           client_problem_set(&work->problem, CLIENT_PROBLEM_TEMPORARY,
                              "the server lists fewer messages than it says it has");
}

bool
work_list(struct work *work)
{
    struct imap_client_facts facts = client_imap_facts(work->run->imap);
    bool is_whole = false;

    if (facts.has_qresync && work->state->end.modseq > 0 && work->end.modseq > 0 &&
        !list_changes(work, &is_whole))
        return false;
    return is_whole || list_all(work);
}

bool
work_list_newest(struct work *work, uint32_t from)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH, .text = SLICE("FLAGS")};
    struct buffer set;

    buffer_init(&set, 32);
    buffer_put_decimal(&set, from ? from : 1);
    buffer_put_text(&set, ":*");
    question.uids = buffer_slice(&set);
    bool is_good = client_imap_ask(work->run->imap, &question, take_event, work, &work->problem);
    buffer_finish(&set);
    work_tidy_news(work);
    return is_good;
}
