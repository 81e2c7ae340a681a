/* SPDX-License-Identifier: ISC */
/* SORT and THREAD (RFC 5256), SORT=DISPLAY (RFC 5957), THREAD=REFS. */
#include "imap/context.h"
#include "imap/portion.h"
#include "imap/search_run.h"
#include "message/sort.h"
#include "message/thread.h"
#include "mime/encoded_word.h"

enum { WORK_MAX = 512 << 20, NAME_MAX_OCTETS = 4 * SORT_TEXT_MAX };

struct sort_task {
    struct imap_search_run run;
    struct imap_set places;
    struct arena work; /* of sorter or threader: bounded for itself */
    struct sorter *sorter;
    struct threader *threader;
    struct sort_term terms[SORT_TERMS_MAX];
    size_t term_count;
    enum thread_algorithm algorithm;
    bool is_thread, is_full;
    struct imap_returns returns;
    const uint32_t *order;
    size_t count, next;
};

static void
drop(struct imap_server *server)
{
    struct sort_task *task = server->task;

    imap_search_run_finish(&task->run);
    arena_finish(&task->work);
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct slice
local_part(const struct mime_record *record, const struct mime_record_message *summary,
           enum mime_record_list list)
{
    struct slice none = slice_of("", 0);

    if (summary->addresses_count[list] == 0)
        return none;
    struct slice mailbox = mime_record_address(record, summary->addresses_first[list]).mailbox;
    return mailbox.at ? mailbox : none;
}

/* RFC 5957 §2: the name, or the address. Puts it into `text` and gives what was put. */
static struct slice
display_name(const struct mime_record *record, const struct mime_record_message *summary,
             enum mime_record_list list, struct buffer *text)
{
    size_t before = buffer_len(text);

    if (summary->addresses_count[list] > 0) {
        struct mime_record_address address =
            mime_record_address(record, summary->addresses_first[list]);
        if (address.name.at) {
            mime_encoded_words_decode(text, address.name);
        } else if (address.mailbox.at) {
            buffer_put(text, address.mailbox);
            if (address.host.at) {
                buffer_put_byte(text, '@');
                buffer_put(text, address.host);
            }
        }
    }
    return slice_skip(buffer_slice(text), before);
}

static struct slice
or_empty(struct slice text)
{
    return text.at ? text : slice_of("", 0);
}

static bool
is_headline_enough(const struct sort_task *task)
{
    static const enum sort_key others[] = {SORT_CC, SORT_FROM, SORT_TO, SORT_DISPLAYFROM,
                                           SORT_DISPLAYTO};

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (sorter_wants(task->sorter, others[i]))
            return false;
    }
    return true;
}

static bool
add_headline(struct sort_task *task, uint32_t number, const struct imap_headline *headline)
{
    struct sort_values values = {
        .arrival = {headline->arrival_ns},
        .date = {headline->has_date ? headline->date_ns : headline->arrival_ns},
        .size = headline->message_len,
        .subject = imap_headline_base(headline),
    };

    return sorter_add(task->sorter, number, &values);
}

static bool
add_sorted(struct sort_task *task, uint32_t number, const struct imap_row *row,
           const struct imap_message *message, const struct mime_record_message *summary)
{
    const struct mime_record *record = &message->record;
    struct sort_values values = {.arrival = {row->message.internal_ns},
                                 .date = {row->message.internal_ns},
                                 .size = row->message.len};
    struct buffer from, to;

    buffer_init(&from, NAME_MAX_OCTETS);
    buffer_init(&to, NAME_MAX_OCTETS);
    if (message->has_record) {
        values.date = summary->has_wall ? summary->wall : values.date;
        values.cc = local_part(record, summary, MIME_RECORD_CC);
        values.from = local_part(record, summary, MIME_RECORD_FROM);
        values.to = local_part(record, summary, MIME_RECORD_TO);
        values.subject = or_empty(summary->base_subject);
        if (sorter_wants(task->sorter, SORT_DISPLAYFROM))
            values.display_from = display_name(record, summary, MIME_RECORD_FROM, &from);
        if (sorter_wants(task->sorter, SORT_DISPLAYTO))
            values.display_to = display_name(record, summary, MIME_RECORD_TO, &to);
    }
    bool is_added = sorter_add(task->sorter, number, &values);
    buffer_finish(&from);
    buffer_finish(&to);
    return is_added;
}

static bool
add_threaded(struct sort_task *task, uint32_t number, const struct imap_row *row,
             const struct imap_message *message, const struct mime_record_message *summary)
{
    struct thread_message added = {.number = number,
                                   .date = {row->message.internal_ns},
                                   .arrival = {row->message.internal_ns}};

    if (message->has_record) {
        added.date = summary->has_wall ? summary->wall : added.date;
        added.message_id = or_empty(summary->message_id);
        added.in_reply_to = or_empty(summary->in_reply_to);
        added.references = or_empty(summary->references);
        added.base_subject = or_empty(summary->base_subject);
        added.is_reply_or_forward = summary->is_reply_or_forward;
    }
    return threader_add(task->threader, &added);
}

static bool
take_row(struct imap_server *server, const struct imap_row *row)
{
    struct sort_task *task = server->task;
    struct mime_record_message summary = {0};
    struct imap_message message;
    uint32_t number = server->is_uid ? row->message.uid : row->number;

    imap_message_open(&message, row->message.record, row->message.len);
    if (message.has_record)
        mime_record_message(&message.record, 0, &summary);
    if (!task->is_thread && is_headline_enough(task))
        imap_headline_keep(server->view.mailbox, row->place, &row->message,
                           message.has_record ? &summary : NULL);
    bool is_added = task->is_thread ? add_threaded(task, number, row, &message, &summary)
                                    : add_sorted(task, number, row, &message, &summary);
    task->is_full = task->is_full || !is_added;
    return true;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool
put_order(struct imap_server *server)
{
    struct sort_task *task = server->task;

    while (task->next < task->count) {
        if (!imap_has_room(server))
            return true;
        imap_put_number(&server->output, " ", task->order[task->next++], "");
    }
    buffer_put_text(&server->output, "\r\n");
    imap_end(server, IMAP_OK, "done");
    return true;
}

/* Numbers as they are sorted: "4:6,2". */
static void
put_sorted(struct buffer *out, const uint32_t *order, size_t count)
{
    for (size_t i = 0, last; i < count; i = last + 1) {
        for (last = i; last + 1 < count && order[last + 1] == order[last] + 1;)
            last++;
        imap_put_number(out, i > 0 ? "," : "", order[i], "");
        if (last > i)
            imap_put_number(out, ":", order[last], "");
    }
}

/* RFC 5267 §3: MIN and MAX are the ends of the order. */
static void
put_extended(struct imap_server *server)
{
    const struct sort_task *task = server->task;
    unsigned give = task->returns.give;
    struct buffer *out = &server->output;
    uint32_t count = (uint32_t)task->count, first, end;

    imap_put_esearch(server);
    if (give & IMAP_GIVE_MIN && count > 0)
        imap_put_number(out, " MIN ", task->order[0], "");
    if (give & IMAP_GIVE_MAX && count > 0)
        imap_put_number(out, " MAX ", task->order[count - 1], "");
    if (give & IMAP_GIVE_ALL && count > 0) {
        buffer_put_text(out, " ALL ");
        put_sorted(out, task->order, count);
    }
    if (give & IMAP_GIVE_COUNT)
        imap_put_number(out, " COUNT ", count, "");
    if (give & IMAP_GIVE_PARTIAL) {
        imap_put_partial(out, &task->returns, count, &first, &end);
        end = end < count ? end : count;
        if (first < end)
            put_sorted(out, task->order + first, end - first);
        else
            buffer_put_text(out, "NIL");
        buffer_put_byte(out, ')');
    }
    buffer_put_text(out, "\r\n");
    imap_end(server, IMAP_OK, "done");
}

/* What SAVE keeps has no order. */
static void
save(struct imap_server *server)
{
    const struct sort_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct imap_set_builder uids;

    imap_set_builder_init(&uids);
    for (size_t i = 0; i < task->places.count; i++) {
        for (uint32_t place = task->places.at[i].first; place <= task->places.at[i].last; place++)
            imap_set_builder_add(&uids, mailbox->uids[place], mailbox->uids[place]);
    }
    imap_save_result(server, IMAP_GIVE_SAVE, imap_set_builder_set(&uids));
    imap_set_builder_finish(&uids);
}

static void
put_threads(struct imap_server *server)
{
    struct sort_task *task = server->task;
    const struct thread_node *first;
    struct buffer list;

    buffer_init(&list, IMAP_OUTPUT_MAX / 2);
    bool is_put = !task->is_full && threader_finish(task->threader, &first) &&
                  thread_list_put(&list, &task->work, first) && !buffer_overflowed(&list);
    if (is_put) {
        buffer_put_text(&server->output, "* THREAD");
        if (buffer_len(&list) > 0)
            buffer_put_byte(&server->output, ' ');
        buffer_put(&server->output, buffer_slice(&list));
        buffer_put_text(&server->output, "\r\n");
        imap_end(server, IMAP_OK, "done");
    } else {
        imap_end(server, IMAP_NO, "[LIMIT] too many messages at once");
    }
    buffer_finish(&list);
}

static void
after_rows(struct imap_server *server)
{
    struct sort_task *task = server->task;

    if (task->is_thread) {
        put_threads(server);
        return;
    }
    task->order = task->is_full ? NULL : sorter_finish(task->sorter, &task->count);
    if (!task->order) {
        imap_end(server, IMAP_NO, "[LIMIT] too many messages at once");
        return;
    }
    if (task->returns.give & IMAP_GIVE_SAVE)
        save(server);
    if (task->returns.wants_update) /* RFC 5267 §4.3.1: only what has no order is kept */
        imap_context_refuse(server);
    if (task->returns.is_extended) {
        put_extended(server);
        return;
    }
    buffer_put_text(&server->output, "* SORT");
    server->more = put_order;
}

/* Sorts by headlines, when all that is needed is there. They are added in the order of messages, so
 * nothing is until it is known that all have one. */
static bool
sort_headlines(struct imap_server *server)
{
    struct sort_task *task = server->task;
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct imap_walk walk;
    uint32_t place, number;

    if (task->is_thread || !is_headline_enough(task))
        return false;
    imap_walk_init(&walk, &server->view, &task->places);
    while (imap_walk_next(&walk, &place, &number)) {
        if (!imap_headline_find(mailbox, place))
            return false;
    }
    imap_walk_init(&walk, &server->view, &task->places);
    while (imap_walk_next(&walk, &place, &number)) {
        bool is_added = add_headline(task, server->is_uid ? mailbox->uids[place] : number,
                                     imap_headline_find(mailbox, place));
        task->is_full = task->is_full || !is_added;
    }
    return true;
}

/* What was found is told of by the store, then put in order. */
static bool
found(struct imap_server *server)
{
    struct sort_task *task = server->task;
    size_t count = 0;

    if (task->run.unread != ACCESS_STORE_RESULT_OK) {
        imap_end_result(server, task->run.unread, "");
        return true;
    }
    imap_scan_finish(server);
    task->places = imap_search_run_places(server);
    for (size_t i = 0; i < task->places.count; i++)
        count += task->places.at[i].last - task->places.at[i].first + 1;
    if (task->is_thread)
        task->threader =
            threader_new(&task->work, task->algorithm, server->view.mailbox->all->map.seed, count);
    else
        task->sorter = sorter_new(&task->work, task->terms, task->term_count, count);
    if (!task->threader && !task->sorter)
        imap_end(server, IMAP_NO, "[LIMIT] too many messages at once");
    else if (sort_headlines(server))
        after_rows(server);
    else
        imap_scan_begin(server, &task->places, true, 0, take_row, after_rows);
    return true;
}

/* ---- the commands ---------------------------------------------------------------------------- */

/* sort-criteria = "(" sort-criterion *(SP sort-criterion) ")" */
static bool
take_criteria(struct imap_server *server, struct cursor *cursor, struct sort_task *task)
{
    struct slice name;

    if (!cursor_take_byte(cursor, '('))
        return false;
    do {
        if (imap_over(server, task->term_count == SORT_TERMS_MAX, "[LIMIT] too many criteria"))
            return false;
        struct sort_term *term = &task->terms[task->term_count++];
        term->is_reverse = imap_take_word(cursor, SLICE("REVERSE"));
        if ((term->is_reverse && !imap_take_space(cursor)) || !imap_take_atom(cursor, &name) ||
            !sort_key_find(name, &term->key))
            return false;
    } while (imap_take_space(cursor));
    return cursor_take_byte(cursor, ')');
}

static bool
take_order(struct imap_server *server, struct cursor *cursor, struct sort_task *task)
{
    struct slice name;

    if (!task->is_thread)
        return take_criteria(server, cursor, task);
    return imap_take_atom(cursor, &name) && thread_algorithm_find(name, &task->algorithm);
}

static void
order(struct imap_server *server, struct cursor *cursor, bool is_thread)
{
    struct sort_task *task = imap_task(server, sizeof(*task));
    const char *problem = NULL;
    bool is_known = true;

    task->is_thread = is_thread;
    arena_init(&task->work, WORK_MAX);
    imap_search_run_init(server, &task->run);
    server->drop = drop;
    bool is_good = imap_take_space(cursor) &&
                   (is_thread || imap_take_returns(cursor, &task->returns)) &&
                   take_order(server, cursor, task) && imap_take_space(cursor) &&
                   imap_take_charset(server, cursor, false, &is_known);
    if (is_good && !is_known) {
        imap_save_nothing(server, task->returns.give);
        imap_end(server, IMAP_NO, "[BADCHARSET (UTF-8 US-ASCII)] that charset is not known");
    } else if (is_good && imap_take_search(server, cursor, &task->run.search, &problem) &&
             imap_take_end(cursor)) {
        imap_save_nothing(server, task->returns.give);
        if (imap_portion_is_search_over(server, &task->run.search))
            imap_portion_refuse(server);
        else
            imap_search_run_begin(server, found);
    } else if (problem) {
        imap_end_search_problem(server, problem);
        if (server->status == IMAP_NO)
            imap_save_nothing(server, task->returns.give);
    } else {
        imap_bad(server, is_thread ? "expected: THREAD algorithm charset keys"
                                   : "expected: SORT [RETURN (options)] (criteria) charset keys");
    }
}

void
imap_command_sort(struct imap_server *server, struct cursor *cursor)
{
    order(server, cursor, false);
}

void
imap_command_thread(struct imap_server *server, struct cursor *cursor)
{
    order(server, cursor, true);
}
