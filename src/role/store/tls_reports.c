/* SPDX-License-Identifier: ISC */
/* Reports about TLS to domains that ask for them (RFC 8460): when a period is over, route is asked
 * where a domain wants its report; the report is entered in the queue as mail of our own, and what
 * it told is forgotten. */
#include "role/store/tls_results.h"

#include "dsn/tls_report.h"

#include <stdio.h>
#include <stdlib.h>

#define RETURN_PATH "Return-Path: <>\r\n"

enum {
    LOOK_MS = 60 * 1000, /* between two looks, at most */
    LOOK_PARTS = 10,     /* of a period */
    DELAY_PARTS = 24,    /* of a period: not all the world at midnight (RFC 8460 §4.1) */
    RETRY_S = 3600,
    KEEP_PERIODS = 7,
    ID_MAX = 40,
    ADDRESS_MAX = STORE_ROUTE_REPORT_MAILBOX_ADDRESS_MAX,
    ARENA_MAX = 32 << 20,
};

/* One report on its way into the queue. */
struct posting {
    struct list link;
    struct tally_period period;
    struct slice domain;
    struct buffer text;
    struct slice recipient;
    char id[ID_MAX];
    struct queue_place place;
    uint8_t domain_bytes[TALLY_NAME_MAX], recipient_bytes[ADDRESS_MAX];
    uint8_t lane_bytes[QUEUE_DOMAIN_MAX];
};

static void
close_posting(struct posting *posting)
{
    list_remove(&posting->link);
    buffer_finish(&posting->text);
    free(posting);
}

/* ---- writing ------------------------------------------------------------------------------- */

static struct dsn_tls_policy
gather_policy(struct arena *arena, const struct tally_row *row)
{
    struct dsn_tls_failure *failures =
        ARENA_ARRAY(arena, struct dsn_tls_failure, row->detail_count + 1);
    struct dsn_tls_policy policy = {
        .type = tally_policy_name(row->policy),
        .text = buffer_slice(&row->text),
        .successes = row->successes,
        .failures = row->failures,
        .details = failures,
    };

    LIST_EACH (link, &row->details) {
        const struct tally_detail *detail = LIST_ITEM(link, struct tally_detail, link);
        if (failures)
            failures[policy.count++] = (struct dsn_tls_failure){
                detail->result, detail->host, detail->address, detail->reason, detail->count};
    }
    return policy;
}

static bool
is_of(const struct tally_row *row, struct tally_period period, struct slice domain)
{
    return row->period.start_s == period.start_s && row->period.end_s == period.end_s &&
           slice_equal(row->domain, domain);
}

static bool
write_report(struct store_role *role, struct posting *posting)
{
    struct dsn_tls_policy policies[TALLY_POLICIES];
    struct dsn_tls_report report = {
        .domain = posting->domain,
        .submitter = role->config->hostname,
        .id = slice_of_string(posting->id),
        .recipient = posting->recipient,
        .start_s = posting->period.start_s,
        .end_s = posting->period.end_s,
        .policies = policies,
        .date = host_wall(role->host),
    };
    struct arena arena;

    arena_init(&arena, ARENA_MAX);
    LIST_EACH (link, &role->outgoing->tls->tally.rows) {
        const struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        if (report.count < COUNT_OF(policies) && is_of(row, posting->period, posting->domain))
            policies[report.count++] = gather_policy(&arena, row);
    }
    host_random(role->host, report.entropy.bytes, sizeof(report.entropy.bytes));
    buffer_put_text(&posting->text, RETURN_PATH);
    bool is_put = report.count > 0 && dsn_tls_report_put(&posting->text, &arena, &report);
    arena_finish(&arena);
    return is_put;
}

static void
post(struct store_role *role, struct slice address)
{
    struct tls_results *tls = role->outgoing->tls;
    struct posting *posting = calloc(1, sizeof(*posting));
    struct slice domain = buffer_slice(&tls->domain);
    uint32_t random;

    if (!posting)
        abort();
    list_init(&posting->link);
    posting->period = tls->period;
    memcpy(posting->domain_bytes, domain.at, domain.len);
    posting->domain = slice_of(posting->domain_bytes, domain.len);
    memcpy(posting->recipient_bytes, address.at, address.len);
    posting->recipient = slice_of(posting->recipient_bytes, address.len);
    buffer_init(&posting->text, DSN_TLS_MESSAGE_MAX);
    host_random(role->host, &random, sizeof(random));
    snprintf(posting->id, sizeof(posting->id), "T%llx%08x", (unsigned long long)tls->period.start_s,
             (unsigned)random);
    if (write_report(role, posting)) {
        list_append(&tls->ready, &posting->link);
        store_role_turn_soon(role);
        return;
    }
    log_event(role->host, HOST_LEVEL_ERROR, "tls_report_not_built", "domain", posting->domain);
    close_posting(posting);
}

/* ---- when and for whom --------------------------------------------------------------------- */

static void
set_timer(struct store_role *role)
{
    int64_t ms = role->config->tls_report_interval.ns / 1000000 / LOOK_PARTS;

    host_timer_set(role->outgoing->tls->report_timer,
                   instant_after(host_now(role->host), duration_ms(ms < LOOK_MS ? ms : LOOK_MS)));
}

/* Nobody wants to know any more. */
static void
forget_old(struct store_role *role, int64_t now_s)
{
    LIST_EACH (link, &role->outgoing->tls->tally.rows) {
        const struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        int64_t keep_s = (row->period.end_s - row->period.start_s) * KEEP_PERIODS;
        if (row->period.end_s + keep_s > now_s)
            break; /* the oldest come first */
        tls_results_forget(role, row->period, row->domain);
        link_next = role->outgoing->tls->tally.rows.next; /* several may have gone */
    }
}

static struct tally_row *
find_due(struct tls_results *tls, int64_t now_s)
{
    LIST_EACH (link, &tls->tally.rows) {
        struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        int64_t delay_s = (row->period.end_s - row->period.start_s) / DELAY_PARTS;
        if (delay_s > 0)
            delay_s = tls->random % delay_s;
        if (row->period.end_s + delay_s <= now_s && row->retry_s <= now_s)
            return row;
    }
    return NULL;
}

static void
look(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;
    struct outgoing *outgoing = role->outgoing;
    int64_t now_s = wall_seconds(host_wall(role->host));

    forget_old(role, now_s);
    if (!role->config->tls_reports || tls->ask != 0 || !outgoing->route || role->is_stopping ||
        tls_reports_wait(role))
        return;
    const struct tally_row *row = find_due(tls, now_s);
    if (!row)
        return;
    tls->period = row->period;
    buffer_clear(&tls->domain);
    buffer_put(&tls->domain, row->domain);
    struct store_route_report_address note = {.id = ++outgoing->ask_count, .domain = row->domain};
    buffer_clear(&role->note);
    bool is_put = store_route_put_report_address(&role->note, &outgoing->route_ledger, &note);
    assert(is_put);
    host_channel_send(outgoing->route, buffer_slice(&role->note), HOST_HANDLE_NONE);
    tls->ask = note.id;
}

/* Some hours later, as long as it is kept. */
static void
postpone(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;
    int64_t length_s = tls->period.end_s - tls->period.start_s;
    int64_t wait_s = length_s < RETRY_S ? length_s : RETRY_S;

    LIST_EACH (link, &tls->tally.rows) {
        struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        if (is_of(row, tls->period, buffer_slice(&tls->domain)))
            row->retry_s = wall_seconds(host_wall(role->host)) + wait_s;
    }
}

void
tls_reports_on_addresses(struct store_role *role, const struct store_route_report_addresses *note)
{
    struct tls_results *tls = role->outgoing->tls;

    if (note->id != tls->ask)
        return;
    tls->ask = 0;
    if (note->outcome == STORE_ROUTE_OUTCOME_TEMPORARY)
        postpone(role);
    for (size_t i = 0; note->outcome == STORE_ROUTE_OUTCOME_FOUND && i < note->addresses.count; i++)
        post(role, note->addresses.at[i].address);
    if (note->outcome != STORE_ROUTE_OUTCOME_TEMPORARY && !tls_reports_wait(role))
        tls_results_forget(role, tls->period, buffer_slice(&tls->domain));
    look(role);
}

void
tls_reports_lose_route(struct store_role *role)
{
    role->outgoing->tls->ask = 0;
}

static void
on_timer(void *context)
{
    look(context);
    set_timer(context);
}

/* ---- the turn ------------------------------------------------------------------------------ */

bool
tls_reports_wait(const struct store_role *role)
{
    const struct tls_results *tls = role->outgoing->tls;

    return !list_is_empty(&tls->ready) || !list_is_empty(&tls->filing);
}

bool
tls_reports_file(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;
    bool is_good = true;

    LIST_EACH (link, &tls->ready) {
        struct posting *posting = LIST_ITEM(link, struct posting, link);
        struct queue_message facts = {
            .id = slice_of_string(posting->id),
            .message_id = SLICE(""),
            .reverse_path = SLICE(""),
            .envelope_id = SLICE(""),
            .flags = QUEUE_REPORT | QUEUE_TLS_REPORT,
            .arrival = host_wall(role->host),
            .skip = sizeof(RETURN_PATH) - 1,
            .recipients = 1,
            .open = 1,
        };
        list_remove(link);
        list_append(&tls->filing, link);
        is_good =
            is_good && outgoing_enter_own(role, &facts, buffer_slice(&posting->text),
                                          posting->recipient, posting->lane_bytes, &posting->place);
    }
    return is_good;
}

static void
end_posting(struct store_role *role, struct posting *posting)
{
    struct tls_results *tls = role->outgoing->tls;
    struct lane_place at = {posting->place.due_s, posting->place.message, 0};
    struct log_line line;

    lanes_note(&role->outgoing->lanes, posting->place.domain,
               (enum queue_class)posting->place.class, &at);
    log_begin(&line, role->host, HOST_LEVEL_INFO, "tls_report");
    log_string(&line, "id", posting->id);
    log_text(&line, "domain", posting->domain);
    log_address(&line, "to", posting->recipient);
    log_end(&line);
    tls->sent++;
    tls_results_forget(role, posting->period, posting->domain);
    close_posting(posting);
}

void
tls_reports_filed(struct store_role *role, bool is_durable)
{
    struct tls_results *tls = role->outgoing->tls;
    bool was_there = !list_is_empty(&tls->filing);

    LIST_EACH (link, &tls->filing) {
        if (is_durable) {
            end_posting(role, LIST_ITEM(link, struct posting, link));
            continue;
        }
        list_remove(link);
        list_append(&tls->ready, link);
    }
    if (was_there && is_durable) {
        outgoing_run_soon(role);
        look(role);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

void
tls_reports_start(struct store_role *role)
{
    role->outgoing->tls->report_timer = host_timer_open(role->host, on_timer, role);
    set_timer(role);
}

void
tls_reports_reload(struct store_role *role)
{
    if (role->outgoing->tls->report_timer)
        set_timer(role);
}

void
tls_reports_close(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;
    struct list *lists[] = {&tls->ready, &tls->filing};

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        LIST_EACH (link, lists[i]) {
            close_posting(LIST_ITEM(link, struct posting, link));
        }
    }
    host_timer_close(&tls->report_timer);
}
