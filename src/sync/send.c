/* SPDX-License-Identifier: ISC */
/* What is new here goes to the server; before that, what is new on both sides and the same becomes
 * a pair: a run that was cut off between the copying and the writing down has left it so. */
#include "sync/run.h"

#include <stdlib.h>

enum { COMMIT_EACH = 16 };

struct candidate {
    struct scan_file *file; /* or, of the last run: */
    struct state_sent *sent;
    struct scan_mark mark;
};

struct pairing {
    struct work *work;
    struct candidate *candidates; /* owned; by size, then by header */
    size_t count;
    bool is_weak; /* the mark is that of the Message-ID alone */
    struct buffer header;
    bool has_header;
};

/* ---- marks --------------------------------------------------------------------------------- */

/* A Message-ID alone; zeros when there is none. */
static struct scan_mark
weak_mark(struct slice message)
{
    size_t end = slice_find(message, SLICE("\r\n\r\n"));

    for (struct slice rest = slice_first(message, end); rest.len > 0;) {
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        rest = slice_skip(rest, line.len + 1);
        if (!slice_starts_with_nocase(line, SLICE("Message-ID:")))
            continue;
        struct slice id = slice_trim(slice_skip(line, strlen("Message-ID:")));
        return (struct scan_mark){.header = id.len > 0 ? scan_header_mark(id) : 0};
    }
    return (struct scan_mark){0};
}

static int
by_mark(const void *left, const void *right)
{
    const struct candidate *l = left, *r = right;

    if (l->mark.size != r->mark.size)
        return l->mark.size < r->mark.size ? -1 : 1;
    return l->mark.header < r->mark.header ? -1 : l->mark.header > r->mark.header;
}

static bool
is_mark(const struct candidate *candidate, struct scan_mark mark)
{
    return candidate->mark.size == mark.size && candidate->mark.header == mark.header;
}

static bool
add_candidate(struct pairing *pairing, struct scan_file *file)
{
    struct work *work = pairing->work;
    struct client_problem found = {0};
    struct buffer message;
    struct wall received;
    bool is_gone;

    buffer_init(&message, CLIENT_MESSAGE_MAX);
    bool is_read = scan_read(work->scan, file, &message, &received, &is_gone, &found);
    if (is_read) {
        struct slice bytes = buffer_slice(&message);
        struct scan_mark mark = pairing->is_weak ? weak_mark(bytes) : scan_mark(bytes);
        if (!pairing->is_weak || mark.header != 0)
            pairing->candidates[pairing->count++] = (struct candidate){.file = file, .mark = mark};
    }
    buffer_finish(&message);
    return is_read || is_gone || client_problem_set(&work->problem, found.kind, "%s", found.text);
}

/* The first of these marks; the index of the first that is not smaller. */
static size_t
find_mark(const struct pairing *pairing, struct scan_mark mark)
{
    const struct candidate wanted = {.mark = mark};
    size_t low = 0, high = pairing->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_mark(&pairing->candidates[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
has_size(const struct pairing *pairing, uint64_t size)
{
    size_t at = find_mark(pairing, (struct scan_mark){.size = size});

    return pairing->is_weak || (at < pairing->count && pairing->candidates[at].mark.size == size);
}

/* ---- pairing ------------------------------------------------------------------------------- */

/* What both sides have now is what they have in common: other flags are added on both. */
static void
make_pair(struct work *work, struct work_new *new, struct scan_file *file, enum sync_deed deed)
{
    struct state_entry *entry =
        state_pair(work->state, new->uid, file->flags & new->flags, file->unique);

    entry->is_here = entry->is_there = true;
    entry->there = new->flags;
    new->is_taken = file->is_taken = true;
    work_tell(work, deed, new->uid, file->unique, NULL);
}

static bool
is_free(const struct candidate *candidate)
{
    return candidate->file ? !candidate->file->is_taken : candidate->sent != NULL;
}

static void
pair_candidate(struct work *work, struct work_new *new, struct candidate *candidate)
{
    if (candidate->file) {
        make_pair(work, new, candidate->file, SYNC_PAIRED);
        return;
    }
    (void)state_pair(work->state, new->uid, candidate->sent->flags, candidate->sent->file);
    run_tell(work->run, work->item, SYNC_PAIRED, new->uid, candidate->sent->file, NULL);
    new->is_taken = true;
    candidate->sent = NULL;
}

static void
take_header(void *context, const struct imap_client_event *event)
{
    struct pairing *pairing = context;

    if (event->kind == IMAP_CLIENT_EVENT_BODY) {
        if (event->body.offset == 0)
            buffer_clear(&pairing->header);
        buffer_put(&pairing->header, event->body.bytes);
        pairing->has_header = true;
    } else if (event->kind == IMAP_CLIENT_EVENT_FETCH && pairing->has_header &&
               (event->message.said & IMAP_CLIENT_SAID_UID)) {
        struct work_new *new = work_find_new(pairing->work, event->message.uid);
        struct slice header = buffer_slice(&pairing->header);
        struct scan_mark mark = {.size = new ? new->size : 0, .header = scan_header_mark(header)};
        if (pairing->is_weak)
            mark = weak_mark(header);
        size_t at = find_mark(pairing, mark);
        struct candidate *candidates = pairing->candidates;
        while (at < pairing->count && !is_free(&candidates[at]) && is_mark(&candidates[at], mark))
            at++;
        if (new && !new->is_taken && at < pairing->count &&is_mark(&candidates[at], mark))
            pair_candidate(pairing->work, new, &candidates[at]);
        pairing->has_header = false;
    }
}

static bool
compare(struct pairing *pairing)
{
    struct imap_client_question question = {.command = IMAP_CLIENT_FETCH,
                                            .text = SLICE("BODY.PEEK[HEADER]")};
    struct work *work = pairing->work;
    struct run_uids uids = {0};

    for (size_t i = 0; i < work->news_count; i++) {
        struct work_new *new = &work->news[i];
        if (!new->is_taken && has_size(pairing, new->size))
            run_uids_add(&uids, new->uid);
    }
    bool is_good =
        run_ask_of_each(work->run, &uids, question, take_header, pairing, &work->problem);
    run_uids_finish(&uids);
    return is_good;
}

static bool
has_news(const struct work *work)
{
    for (size_t i = 0; i < work->news_count; i++) {
        if (!work->news[i].is_taken)
            return true;
    }
    return false;
}

/* Finds the partners of the candidates. */
static bool
search(struct pairing *pairing)
{
    struct work *work = pairing->work;

    qsort(pairing->candidates, pairing->count, sizeof(*pairing->candidates), by_mark);
    buffer_init(&pairing->header, CLIENT_MESSAGE_MAX);
    bool is_good = work_ask_sizes(work) && compare(pairing);
    buffer_finish(&pairing->header);
    return is_good;
}

static bool
pair(struct work *work, bool is_weak)
{
    struct pairing pairing = {.work = work, .is_weak = is_weak};
    bool is_good = true;

    if (!has_news(work))
        return true;
    pairing.candidates = calloc(work->scan->count + 1, sizeof(*pairing.candidates));
    if (!pairing.candidates)
        abort();
    for (size_t i = 0; i < work->scan->count && is_good; i++) {
        struct scan_file *file = work->scan->files[i];
        if (!file->is_taken && (!is_weak || file->was_sent))
            is_good = add_candidate(&pairing, file);
    }
    is_good = is_good && (pairing.count == 0 || search(&pairing));
    free(pairing.candidates);
    return is_good;
}

bool
work_pair_sent(struct work *work)
{
    struct state *state = work->state;
    struct pairing pairing = {.work = work, .count = state->sent_count};

    if (!has_news(work) || state->sent_count == 0)
        return true;
    pairing.candidates = calloc(pairing.count, sizeof(*pairing.candidates));
    if (!pairing.candidates)
        abort();
    for (size_t i = 0; i < pairing.count; i++) {
        struct state_sent *sent = &state->sent[i];
        pairing.candidates[i] =
            (struct candidate){.sent = sent, .mark = {.size = sent->size, .header = sent->header}};
    }
    bool is_good = search(&pairing);
    free(pairing.candidates);
    return is_good;
}

bool
work_pair(struct work *work)
{
    return pair(work, false) && state_commit(work->state, &work->problem);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Which of the server's is the one that we have sent, where it does not say (RFC 4315). */
static void
take_place(struct work *work, struct scan_file *file, uint32_t uid)
{
    uint32_t validity = 0, told;

    file->was_sent = true;
    if (uid == 0 ||
        !imap_client_parse_append_uid(client_imap_code(work->run->imap), &validity, &told) ||
        validity != work->state->validity)
        return;
    struct state_entry *entry = state_pair(work->state, uid, file->flags, file->unique);
    entry->is_here = entry->is_there = file->is_taken = true;
    entry->there = file->flags;
    work_tell(work, SYNC_SENT, uid, file->unique, NULL);
}

/* Also true when the server does not want this one. */
static bool
put(struct work *work, struct scan_file *file, struct slice message, struct wall received)
{
    struct client_imap_letter letter = {
        .mailbox = slice_of_string(work->item->name), .message = message, .received = received};
    struct client_problem found = {0};
    struct buffer flags;
    uint32_t uid;

    buffer_init(&flags, 128);
    run_put_flags(&flags, file->flags & work->mask);
    letter.flags = buffer_slice(&flags);
    bool is_good = client_imap_put(work->run->imap, &letter, &uid, &found);
    buffer_finish(&flags);
    if (is_good)
        take_place(work, file, uid);
    else if (client_imap_is_open(work->run->imap) && found.kind != CLIENT_PROBLEM_MISSING)
        work_tell(work, SYNC_PASSED_OVER, 0, file->unique, found.text);
    else
        return client_problem_set(&work->problem, found.kind, "%s", found.text);
    return true;
}

static bool
announce(struct work *work, const struct scan_file *file, struct slice message)
{
    struct scan_mark mark = scan_mark(message);
    struct state_sent sent = {
        .flags = file->flags, .size = mark.size, .header = mark.header, .file = file->unique};

    return state_sending(work->state, &sent, &work->problem);
}

static bool
send_one(struct work *work, struct scan_file *file)
{
    struct client_problem found = {0};
    struct buffer message;
    struct wall received;
    bool is_gone, is_good = true;

    if (work->run->options->is_dry) {
        work_tell(work, SYNC_SENT, 0, file->unique, NULL);
        return true;
    }
    buffer_init(&message, CLIENT_MESSAGE_MAX);
    if (scan_read(work->scan, file, &message, &received, &is_gone, &found))
        is_good = buffer_len(&message) == 0 || /* that is no message */
                  (announce(work, file, buffer_slice(&message)) &&
                   put(work, file, buffer_slice(&message), received));
    else if (!is_gone)
        work_tell(work, SYNC_PASSED_OVER, 0, file->unique, found.text);
    buffer_finish(&message);
    return is_good;
}

static bool
is_unplaced(const struct scan_file *file)
{
    return file->was_sent && !file->is_taken;
}

/* The last resort: as many new ones as were sent, in the same order. */
static void
pair_in_order(struct work *work, uint32_t from)
{
    size_t files = 0, news = 0, n = 0;

    for (size_t i = 0; i < work->scan->count; i++)
        files += is_unplaced(work->scan->files[i]);
    for (size_t i = 0; i < work->news_count; i++)
        news += !work->news[i].is_taken && work->news[i].uid >= from;
    for (size_t i = 0; i < work->scan->count && files == news; i++) {
        if (!is_unplaced(work->scan->files[i]))
            continue;
        while (work->news[n].is_taken || work->news[n].uid < from)
            n++;
        make_pair(work, &work->news[n], work->scan->files[i], SYNC_SENT);
    }
}

/* A server that does not say which UIDs it gave is asked: first for the very same messages, then
 * for those with the same Message-ID, if it has changed them. */
static bool
find_places(struct work *work, uint32_t from)
{
    bool is_needed = false;

    for (size_t i = 0; i < work->scan->count; i++)
        is_needed = is_needed || is_unplaced(work->scan->files[i]);
    if (!is_needed)
        return true;
    if (!work_list_newest(work, from) || !pair(work, false) || !pair(work, true))
        return false;
    pair_in_order(work, from);
    return true;
}

bool
work_send(struct work *work)
{
    uint32_t from = work->end.uid_next;
    size_t sent = 0;

    for (size_t i = 0; i < work->scan->count; i++) {
        if (work->scan->files[i]->is_taken)
            continue;
        if (!send_one(work, work->scan->files[i]) ||
            (++sent % COMMIT_EACH == 0 && !state_commit(work->state, &work->problem)))
            return false;
    }
    return find_places(work, from) && state_commit(work->state, &work->problem);
}
