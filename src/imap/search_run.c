/* SPDX-License-Identifier: ISC */
#include "imap/search_run.h"

#include <stdlib.h>

/* Return options of RFC 5267 that give nothing themselves. */
enum { GIVE_UPDATE = 1 << 16, GIVE_CONTEXT = 1 << 17 };

enum { INDEX_WORTH = 20, OCTETS_INLINE = 32768, WORK_MAX = 256 << 20 };

void
imap_search_run_init(struct imap_server *server, struct imap_search_run *run)
{
    imap_set_builder_init(&run->sure);
    imap_set_builder_init(&run->open);
    imap_set_builder_init(&run->found);
    imap_set_builder_init(&run->all);
    run->term_at = 0;
    run->is_indexed = false;
    server->search_run = run;
}

void
imap_search_run_finish(struct imap_search_run *run)
{
    imap_search_finish(&run->search);
    imap_set_builder_finish(&run->sure);
    imap_set_builder_finish(&run->open);
    imap_set_builder_finish(&run->found);
    imap_set_builder_finish(&run->all);
}

bool
imap_take_charset(struct imap_server *server, struct cursor *cursor, bool has_word,
                  bool *ret_is_known)
{
    struct slice charset;

    *ret_is_known = true;
    if (has_word && !imap_take_word(cursor, SLICE("CHARSET")))
        return true;
    if (has_word && server->enabled & IMAP_ENABLED_UTF8)
        return false; /* RFC 6855 §3: all is UTF-8 */
    if ((has_word && !imap_take_space(cursor)) ||
        !imap_take_astring(cursor, &server->arena, &charset) || !imap_take_space(cursor))
        return false;
    *ret_is_known = slice_equal_nocase(charset, SLICE("UTF-8")) ||
                    slice_equal_nocase(charset, SLICE("US-ASCII"));
    return true;
}

static bool
take_row(struct imap_server *server, const struct imap_row *row)
{
    struct imap_search_run *run = server->search_run;
    struct imap_message message;
    struct arena work;
    struct imap_candidate candidate = {
        .mailbox = server->view.mailbox,
        .place = row->place,
        .known = run->search.need < IMAP_NEED_RECORD ? run->search.need : IMAP_NEED_RECORD,
        .entry = &row->message,
        .message = &message,
        .now_s = wall_seconds(server->options.wall(server->options.wake_context)),
        .arena = &work,
    };

    if (run->is_asked && server->scan->is_broken) {
        run->is_asked = false;
        if (server->scan->broken_by != ACCESS_STORE_RESULT_EXPUNGED)
            run->unread = server->scan->broken_by;
        return true;
    }
    imap_message_open(&message, row->message.record, row->message.len);
    if (run->search.has_headline && run->search.need >= IMAP_NEED_RECORD)
        imap_headline_keep_opened(server->view.mailbox, row->place, &row->message, &message);
    enum imap_truth truth = imap_search_test(&run->search, &candidate);
    if (truth == IMAP_UNKNOWN) {
        candidate.octets = row->message.octets;
        if (candidate.octets.len < row->message.len && !run->is_asked) {
            run->is_asked = true;
            imap_scan_ask(server, row->message.uid, 0, row->message.len, IMAP_ASK_WHOLE);
            return false;
        }
        if (run->is_asked)
            candidate.octets = buffer_slice(&server->scan->octets);
        candidate.known = IMAP_NEED_OCTETS;
        arena_init(&work, WORK_MAX);
        truth = imap_search_test(&run->search, &candidate);
        arena_finish(&work);
    }
    run->is_asked = false;
    if (truth == IMAP_TRUE)
        imap_set_builder_add(&run->found, row->place, row->place);
    return true;
}

static void
after_rows(struct imap_server *server)
{
    server->more = server->search_run->end;
}

/* ---- the index ------------------------------------------------------------------------------- */

static bool test_columns(struct imap_server *server);

static void
walk_whole(struct imap_server *server)
{
    struct imap_search_run *run = server->search_run;
    struct imap_range *whole = arena_new(&server->arena, sizeof(*whole));

    assert(whole);
    if (run->has_within) {
        run->places = run->within;
        imap_walk_init(&run->walk, &server->view, &run->places);
        server->more = test_columns;
        return;
    }
    *whole = (struct imap_range){0, server->view.known ? server->view.known - 1 : 0};
    run->places = (struct imap_set){whole, server->view.known > 0};
    imap_walk_init(&run->walk, &server->view, &run->places);
    server->more = test_columns;
}

static struct imap_term *
next_text(struct imap_search_run *run)
{
    while (run->term_at < run->search.count) {
        struct imap_term *term = &run->search.terms[run->term_at];
        bool is_text = term->kind == IMAP_TERM_BODY || term->kind == IMAP_TERM_TEXT;
        if (is_text && term->text.len > 0 && term->text.len <= ACCESS_STORE_TEXT_SEARCH_TEXT_MAX &&
            !term->found)
            return term;
        run->term_at++;
    }
    return NULL;
}

static bool ask_index(struct imap_server *server);

static void
on_index(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    struct imap_search_run *run = server->search_run;
    struct imap_term *term = &run->search.terms[run->term_at];

    (void)blob;
    if (note->kind == ACCESS_STORE_TEXT_FOUND) {
        for (size_t i = 0; i < note->as.text_found.ranges.count; i++)
            imap_set_builder_add(term->found, note->as.text_found.ranges.at[i].first,
                                 note->as.text_found.ranges.at[i].last);
        return;
    }
    if (note->kind == ACCESS_STORE_TEXT_SEARCHED &&
        note->as.text_searched.result == ACCESS_STORE_RESULT_OK)
        term->indexed_below = note->as.text_searched.uid;
    run->term_at++;
    server->on_note = NULL;
    server->more = ask_index;
}

/* About one term after another; then columns tell all that they can now. */
static bool
ask_index(struct imap_server *server)
{
    struct imap_search_run *run = server->search_run;
    struct imap_term *term = next_text(run);

    server->more = NULL;
    if (!term) {
        run->is_indexed = true;
        imap_set_builder_finish(&run->sure);
        imap_set_builder_finish(&run->open);
        imap_set_builder_init(&run->sure);
        imap_set_builder_init(&run->open);
        walk_whole(server);
        return true;
    }
    term->found = calloc(1, sizeof(*term->found));
    if (!term->found)
        abort();
    imap_set_builder_init(term->found);
    server->note.as.text_search = (struct access_store_text_search){
        .owner = server->mailbox_owner,
        .mailbox = server->mailbox_id,
        .scope = term->kind == IMAP_TERM_TEXT ? ACCESS_STORE_TEXT_SCOPE_TEXT
                                              : ACCESS_STORE_TEXT_SCOPE_BODY,
        .text = term->text,
    };
    imap_ask(server, ACCESS_STORE_TEXT_SEARCH, on_index);
    return true;
}

/* Reading a few messages costs less than asking. */
static bool
is_worth_asking(struct imap_search_run *run)
{
    uint64_t count = 0;

    if (run->is_indexed || !next_text(run))
        return false;
    for (size_t i = 0; i < run->places.count; i++)
        count += run->places.at[i].last - run->places.at[i].first + 1;
    return count >= INDEX_WORTH;
}

/* ---- the way --------------------------------------------------------------------------------- */

/* By columns and headlines alone. */
static bool
test_columns(struct imap_server *server)
{
    struct imap_search_run *run = server->search_run;
    struct imap_candidate candidate = {
        .mailbox = server->view.mailbox,
        .known = IMAP_NEED_COLUMNS,
        .now_s = wall_seconds(server->options.wall(server->options.wake_context)),
    };
    uint32_t number;

    imap_headlines_touch(server->view.mailbox);
    while (imap_walk_next(&run->walk, &candidate.place, &number)) {
        candidate.headline = imap_headline_find(candidate.mailbox, candidate.place);
        enum imap_truth truth = imap_search_test(&run->search, &candidate);
        if (truth != IMAP_FALSE)
            imap_set_builder_add(truth == IMAP_TRUE ? &run->sure : &run->open, candidate.place,
                                 candidate.place);
    }
    run->places = imap_set_builder_set(&run->open);
    if (is_worth_asking(run))
        server->more = ask_index;
    else if (run->places.count == 0)
        server->more = run->end;
    else
        imap_scan_begin(server, &run->places, run->search.need >= IMAP_NEED_RECORD,
                        run->search.need == IMAP_NEED_OCTETS ? OCTETS_INLINE : 0, take_row,
                        after_rows);
    return true;
}

void
imap_search_run_begin(struct imap_server *server, bool (*end)(struct imap_server *server))
{
    server->search_run->end = end;
    walk_whole(server);
}

struct imap_set
imap_search_run_places(struct imap_server *server)
{
    struct imap_search_run *run = server->search_run;
    struct imap_set sets[2] = {imap_set_builder_set(&run->sure), imap_set_builder_set(&run->found)};
    size_t at[2] = {0, 0};

    /* Two rising rows become one; a place is in one of them only. */
    while (at[0] < sets[0].count || at[1] < sets[1].count) {
        size_t next = at[0] == sets[0].count ||
                      (at[1] < sets[1].count && sets[1].at[at[1]].first < sets[0].at[at[0]].first);
        const struct imap_range *range = &sets[next].at[at[next]++];
        imap_set_builder_add(&run->all, range->first, range->last);
    }
    return imap_set_builder_set(&run->all);
}

/* ---- return options -------------------------------------------------------------------------- */

bool
imap_take_partial(struct cursor *cursor, struct imap_returns *returns)
{
    struct imap_range *range = &returns->partial;

    if (!imap_take_space(cursor))
        return false;
    returns->is_last_first = cursor_take_byte(cursor, '-');
    if (!imap_take_nz_number(cursor, &range->first) || !cursor_take_byte(cursor, ':') ||
        cursor_take_byte(cursor, '-') != returns->is_last_first ||
        !imap_take_nz_number(cursor, &range->last))
        return false;
    if (range->first > range->last)
        *range = (struct imap_range){range->last, range->first};
    return true;
}

bool
imap_take_returns(struct cursor *cursor, struct imap_returns *ret_returns)
{
    static const struct {
        struct slice name;
        unsigned bit;
    } options[] = {
        {{(const uint8_t *)"MIN", 3}, IMAP_GIVE_MIN},
        {{(const uint8_t *)"MAX", 3}, IMAP_GIVE_MAX},
        {{(const uint8_t *)"ALL", 3}, IMAP_GIVE_ALL},
        {{(const uint8_t *)"COUNT", 5}, IMAP_GIVE_COUNT},
        {{(const uint8_t *)"SAVE", 4}, IMAP_GIVE_SAVE},
        {{(const uint8_t *)"PARTIAL", 7}, IMAP_GIVE_PARTIAL},
        {{(const uint8_t *)"UPDATE", 6}, GIVE_UPDATE},
        {{(const uint8_t *)"CONTEXT", 7}, GIVE_CONTEXT},
    };

    *ret_returns = (struct imap_returns){.give = IMAP_GIVE_ALL};
    if (!imap_take_word(cursor, SLICE("RETURN")))
        return true;
    if (!imap_take_space(cursor) || !cursor_take_byte(cursor, '('))
        return false;
    *ret_returns = (struct imap_returns){.is_extended = true};
    while (!cursor_take_byte(cursor, ')')) {
        size_t i = 0;
        (void)!imap_take_space(cursor);
        while (i < COUNT_OF(options) && !imap_take_word(cursor, options[i].name))
            i++;
        if (i == COUNT_OF(options))
            return false;
        ret_returns->give |= options[i].bit;
        ret_returns->wants_update = ret_returns->wants_update || options[i].bit == GIVE_UPDATE;
        if (options[i].bit == IMAP_GIVE_PARTIAL && !imap_take_partial(cursor, ret_returns))
            return false;
    }
    if (ret_returns->give == 0)
        ret_returns->give = IMAP_GIVE_ALL;
    ret_returns->give &= ~(unsigned)(GIVE_UPDATE | GIVE_CONTEXT); /* a hint: all is quick here */
    return imap_take_space(cursor) &&
           !(ret_returns->give & IMAP_GIVE_PARTIAL && ret_returns->give & IMAP_GIVE_ALL);
}

void
imap_put_esearch(struct imap_server *server)
{
    buffer_put_text(&server->output, "* ESEARCH (TAG ");
    imap_put_string(&server->output, slice_of(server->tag, server->tag_len));
    buffer_put_text(&server->output, server->is_uid ? ") UID" : ")");
}

void
imap_partial_window(const struct imap_returns *returns, uint32_t count, uint32_t *ret_first,
                    uint32_t *ret_end)
{
    uint32_t first = returns->partial.first, last = returns->partial.last;
    bool is_reverse = returns->is_last_first;

    *ret_first = is_reverse ? (last <= count ? count - last : 0) : first - 1;
    *ret_end = is_reverse ? (first <= count ? count - first + 1 : 0) : last;
}

void
imap_put_partial(struct buffer *out, const struct imap_returns *returns, uint32_t count,
                 uint32_t *ret_first, uint32_t *ret_end)
{
    bool is_reverse = returns->is_last_first;

    imap_put_number(out, is_reverse ? " PARTIAL (-" : " PARTIAL (", returns->partial.first, ":");
    imap_put_number(out, is_reverse ? "-" : "", returns->partial.last, " ");
    imap_partial_window(returns, count, ret_first, ret_end);
}

void
imap_save_nothing(struct imap_server *server, unsigned give)
{
    if (give & IMAP_GIVE_SAVE)
        server->saved.count = 0;
}

/* RFC 5182 §2.1: MIN and MAX alone save only these. */
void
imap_save_result(struct imap_server *server, unsigned give, struct imap_set uids)
{
    unsigned ends = give & (IMAP_GIVE_MIN | IMAP_GIVE_MAX);
    bool has_ends_only = ends && !(give & (IMAP_GIVE_ALL | IMAP_GIVE_COUNT | IMAP_GIVE_PARTIAL));
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
    copy[0] = ends & IMAP_GIVE_MIN ? first : last;
    copy[1] = last;
    server->saved.count =
        ends == (IMAP_GIVE_MIN | IMAP_GIVE_MAX) && first.first != last.first ? 2 : 1;
}

void
imap_end_search_problem(struct imap_server *server, const char *problem)
{
    if (slice_starts_with(slice_of_string(problem), SLICE("[UIDREQUIRED]")))
        imap_bad(server, problem);
    else
        imap_end(server, IMAP_NO, problem);
}

/* The part of the results that PARTIAL names. */
static void
put_part(struct buffer *out, const struct imap_returns *returns, const struct imap_set *all,
         uint32_t count)
{
    struct imap_set_builder part;
    uint32_t first, end, at = 0;

    imap_put_partial(out, returns, count, &first, &end);
    imap_set_builder_init(&part);
    for (size_t i = 0; i < all->count; i++) {
        uint32_t len = all->at[i].last - all->at[i].first + 1;
        uint32_t from = first > at ? first - at : 0;
        uint32_t to = end > at ? end - at : 0;
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

void
imap_put_results(struct imap_server *server, const struct imap_returns *returns,
                 const struct imap_set *all, uint32_t count, uint64_t modseq)
{
    struct buffer *out = &server->output;
    bool has_any = all->count > 0;

    if (returns->give & IMAP_GIVE_MIN && has_any)
        imap_put_number(out, " MIN ", all->at[0].first, "");
    if (returns->give & IMAP_GIVE_MAX && has_any)
        imap_put_number(out, " MAX ", all->at[all->count - 1].last, "");
    if (returns->give & IMAP_GIVE_ALL && has_any) {
        buffer_put_text(out, " ALL ");
        imap_set_put(out, all);
    }
    if (returns->give & IMAP_GIVE_COUNT)
        imap_put_number(out, " COUNT ", count, "");
    if (returns->give & IMAP_GIVE_PARTIAL)
        put_part(out, returns, all, count);
    if (modseq > 0 && has_any)
        imap_put_number(out, " MODSEQ ", modseq, "");
    buffer_put_text(out, "\r\n");
}
