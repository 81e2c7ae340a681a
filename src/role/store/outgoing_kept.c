/* SPDX-License-Identifier: ISC */
/* What is kept of messages that are done with, for `facteur trace`: until its time is over, or
 * until there is too much of it. How much there is, is counted after the start, piece by piece; so
 * that no record of it must be put in each turn. */
#include "role/store/outgoing.h"

enum { KEPT_SLACK = 8 }; /* an eighth more than may be: the oldest goes before its minute is over */

static uint64_t
bytes_of_own_records(uint32_t recipients)
{
    return (1 + (uint64_t)recipients) * OUTGOING_FACTS_ABOUT;
}

static uint64_t
bytes_of_record(struct slice record)
{
    return record.len + OUTGOING_FACTS_ABOUT / 8;
}

void
outgoing_keep(struct store_role *role, uint64_t message, const struct queue_message *facts,
              struct slice record)
{
    struct kept_trace *kept = &role->outgoing->kept;
    uint64_t now_s = (uint64_t)wall_seconds(host_wall(role->host));
    uint64_t keep_s = (uint64_t)(role->config->trace_keep.ns / 1000000000);

    mailbox_queue_put_done(role->store, now_s + keep_s, message, record);
    if (kept->is_counted)
        kept->bytes +=
            record.len > 0 ? bytes_of_record(record) : bytes_of_own_records(facts->recipients);
    uint64_t max = role->config->trace_size_max;
    if (kept->is_counted && kept->bytes > max + max / KEPT_SLACK) {
        role->outgoing->purge_s = 0;
        outgoing_run_soon(role);
    }
}

struct rows {
    struct queue_done rows[OUTGOING_COUNT_STEP]; /* without their facts */
    size_t count, most;
};
static_assert(OUTGOING_FORGET_STEP <= OUTGOING_COUNT_STEP, "both walk with these rows");

static bool
note_row(void *context, const struct queue_done *done)
{
    struct rows *rows = context;

    rows->rows[rows->count++] = *done;
    return rows->count < rows->most;
}

/* How many recipients' records a message of its own records has; false when it is not there. */
static bool
find_recipients(struct store_role *role, uint64_t message, uint32_t *ret_recipients)
{
    struct queued_entry entry;
    struct queue_message facts;

    if (mailbox_queue_load(role->store, message, &entry) != STORE_OK ||
        !queue_message_take(entry.facts, &facts))
        return false;
    *ret_recipients = facts.recipients;
    return true;
}

static uint64_t
bytes_of_row(struct store_role *role, const struct queue_done *row)
{
    uint32_t recipients = 0;

    if (row->facts.len > 0)
        return bytes_of_record(row->facts);
    return find_recipients(role, row->message, &recipients) ? bytes_of_own_records(recipients) : 0;
}

/* A piece more of what was there at the start. True when there is more to count. */
static bool
count_piece(struct store_role *role)
{
    struct kept_trace *kept = &role->outgoing->kept;
    struct rows rows = {.count = 0, .most = OUTGOING_COUNT_STEP};

    if (mailbox_queue_list_done(role->store, &kept->next, UINT64_MAX, note_row, &rows) != STORE_OK)
        return false; /* the next time that something is forgotten */
    for (size_t i = 0; i < rows.count; i++)
        kept->bytes += bytes_of_row(role, &rows.rows[i]);
    kept->is_counted = rows.count < rows.most;
    if (rows.count > 0)
        kept->next = (struct queue_done){.when_s = rows.rows[rows.count - 1].when_s,
                                         .message = rows.rows[rows.count - 1].message + 1};
    return !kept->is_counted;
}

static void
forget_row(struct store_role *role, const struct queue_done *row)
{
    struct kept_trace *kept = &role->outgoing->kept;
    uint64_t bytes = bytes_of_row(role, row);
    uint32_t recipients;

    kept->bytes -= bytes < kept->bytes ? bytes : kept->bytes;
    mailbox_queue_del_done(role->store, row->when_s, row->message);
    if (row->facts.len == 0 && find_recipients(role, row->message, &recipients))
        mailbox_queue_remove(role->store, row->message, recipients);
}

void
outgoing_forget(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    struct rows rows = {.count = 0, .most = OUTGOING_FORGET_STEP};
    struct queue_done first = {0};
    uint64_t now_s = (uint64_t)wall_seconds(host_wall(role->host));
    bool has_more = !outgoing->kept.is_counted && count_piece(role);
    size_t forgotten = 0;

    outgoing->is_purge_due = false;
    bool is_much = outgoing->kept.is_counted && outgoing->kept.bytes > role->config->trace_size_max;
    if (mailbox_queue_list_done(role->store, &first, is_much ? UINT64_MAX : now_s, note_row,
                                &rows) != STORE_OK)
        return;
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.rows[i].when_s > now_s && outgoing->kept.bytes <= role->config->trace_size_max)
            break;
        forget_row(role, &rows.rows[i]);
        forgotten++;
    }
    if (has_more || forgotten == rows.most) {
        outgoing->purge_s = 0; /* soon again */
        outgoing_run_soon(role);
    }
}
