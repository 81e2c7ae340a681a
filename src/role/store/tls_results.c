/* SPDX-License-Identifier: ISC */
/* What became of TLS with other hosts, in the sheet `tls`: lines are gathered for a second, so a
 * process that is killed forgets the sessions of one second. */
#include "role/store/tls_results.h"

#include "envelope/literal.h"
#include "role/tls_result.h"

#include <stdlib.h>

#define SHEET_NAME "tls"

enum {
    GATHER_MS = 1000,
    PENDING_MAX = 1 << 20,
    SHEET_MAX = 256 << 20,
    LINE_TYPICAL = 200,
    POLICY_PORT = 443, /* of the host that tells an MTA-STS policy */
};

/* ---- what a session was -------------------------------------------------------------------- */

static bool
is_same_host(const struct store_transport_attempt *left,
             const struct store_transport_attempt *right)
{
    return left->port == right->port && slice_equal(left->host, right->host);
}

/* A transaction in the clear, and not because TLS had failed just before. */
static bool
had_no_starttls(const struct store_transport_carried *carried, size_t place)
{
    const struct store_transport_attempt *attempt = &carried->attempts.at[place];
    bool has_result = false;

    if (!attempt->is_connected || attempt->tls_result != STORE_TRANSPORT_TLS_RESULT_UNNEEDED ||
        attempt->tls.len > 0)
        return false;
    for (size_t i = 0; i < carried->results.count; i++)
        has_result |= carried->results.at[i].attempt == place && carried->results.at[i].code > 0;
    for (size_t i = 0; i < place; i++) {
        if (is_same_host(&carried->attempts.at[i], attempt))
            return false;
    }
    return has_result;
}

static bool
has_tlsa(const struct store_route_hop *hop, struct slice host, struct buffer *ret_text)
{
    buffer_clear(ret_text);
    for (size_t i = 0; i < hop->tlsa.count; i++) {
        const struct store_route_tlsa *tlsa = &hop->tlsa.at[i];
        if (tlsa->host >= hop->hosts.count || !slice_equal(hop->hosts.at[tlsa->host].name, host))
            continue;
        if (buffer_len(ret_text) > 0)
            buffer_put_byte(ret_text, ';');
        buffer_put_decimal(ret_text, tlsa->usage);
        buffer_put_byte(ret_text, ' ');
        buffer_put_decimal(ret_text, tlsa->selector);
        buffer_put_byte(ret_text, ' ');
        buffer_put_decimal(ret_text, tlsa->matching);
        buffer_put_byte(ret_text, ' ');
        buffer_put_hex(ret_text, tlsa->data);
    }
    return buffer_len(ret_text) > 0;
}

/* Which policy counts for an attempt (RFC 8461 §2: DANE before MTA-STS), with its text. */
static enum tally_policy
find_policy(struct store_role *role, const struct store_route_hop *hop,
            const struct store_transport_attempt *attempt, struct buffer *ret_text)
{
    bool is_dane = hop->tls == STORE_ROUTE_TLS_DANE && has_tlsa(hop, attempt->host, ret_text);

    if (is_dane || attempt->tls_result == STORE_TRANSPORT_TLS_RESULT_DNSSEC_INVALID)
        return TALLY_TLSA;
    struct slice text = policies_text(role, hop->sts_domain);
    buffer_clear(ret_text);
    for (size_t i = 0; i < text.len; i++)
        buffer_put_byte(ret_text, text.at[i] == '\n' ? ';' : text.at[i]);
    return text.len > 0 || hop->sts_id.len > 0 ? TALLY_STS : TALLY_NO_POLICY;
}

/* A policy is met by a session that was verified, and not by the one in its place. */
static bool
is_success(const struct store_transport_attempt *attempt, enum tally_policy policy)
{
    return attempt->port != POLICY_PORT &&
           (attempt->tls_result == STORE_TRANSPORT_TLS_RESULT_VERIFIED ||
            (attempt->tls_result == STORE_TRANSPORT_TLS_RESULT_ENCRYPTED &&
             policy == TALLY_NO_POLICY));
}

/* ---- counting ------------------------------------------------------------------------------ */

void
tls_results_keep(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;

    if (tls->timer && !role->is_stopping)
        host_timer_set(tls->timer, instant_after(host_now(role->host), duration_ms(GATHER_MS)));
}

static struct tally_period
period_now(const struct store_role *role)
{
    int64_t interval_s = role->config->tls_report_interval.ns / 1000000000;
    int64_t now_s = wall_seconds(host_wall(role->host));

    return (struct tally_period){now_s - now_s % interval_s,
                                 now_s - now_s % interval_s + interval_s};
}

static void
count_one(struct store_role *role, struct tally_event *event)
{
    struct tls_results *tls = role->outgoing->tls;
    bool is_first = buffer_len(&tls->pending) == 0;

    if (tally_knows_text(&tls->tally, event))
        event->text = SLICE("");
    if (!tally_add(&tls->tally, event, 1)) {
        tls->lost++;
        return;
    }
    tally_put(&tls->pending, event, 1);
    if (is_first)
        tls_results_keep(role);
}

static void
count_attempt(struct store_role *role, const struct store_route_hop *hop,
              const struct store_transport_carried *carried, size_t place)
{
    const struct store_transport_attempt *attempt = &carried->attempts.at[place];
    const char *failure = tls_result_name(attempt->tls_result);
    struct buffer text, address;

    if (attempt->is_reused)
        return;
    if (had_no_starttls(carried, place) && hop->tls != STORE_ROUTE_TLS_NONE)
        failure = tls_result_name(STORE_TRANSPORT_TLS_RESULT_NOT_SUPPORTED);
    buffer_init(&text, TALLY_TEXT_MAX);
    buffer_init(&address, TALLY_NAME_MAX);
    struct tally_event event = {
        .period = period_now(role),
        .domain = hop->destination,
        .policy = find_policy(role, hop, attempt, &text),
        .text = buffer_slice(&text),
    };
    if (failure) {
        if (attempt->address.len == 4 || attempt->address.len == 16)
            envelope_address_put(&address, attempt->address.at, attempt->address.len);
        event.result = slice_of_string(failure);
        event.host = attempt->port == POLICY_PORT ? SLICE("") : attempt->host;
        event.address = buffer_slice(&address);
        event.reason = slice_first(attempt->text, TALLY_REASON_MAX);
        count_one(role, &event);
    } else if (is_success(attempt, event.policy)) {
        count_one(role, &event);
    }
    buffer_finish(&text);
    buffer_finish(&address);
}

/* Only where the domain itself says which hosts there are: others have no policy of its own. */
void
tls_results_count(struct store_role *role, const struct carriage *carriage,
                  const struct store_transport_carried *carried)
{
    const struct store_route_hop *hop = &carriage->hop;
    bool is_by_mx =
        hop->sts_domain.len > 0 || slice_equal_nocase(hop->destination, carriage->batch->domain);

    if (hop->carrier != STORE_ROUTE_CARRIER_SMTP || !is_by_mx || hop->auth_name.len > 0 ||
        carriage->batch->facts.flags & QUEUE_TLS_REPORT)
        return;
    for (size_t i = 0; i < carried->attempts.count; i++)
        count_attempt(role, hop, carried, i);
}

void
tls_results_forget(struct store_role *role, struct tally_period period, struct slice domain)
{
    struct tls_results *tls = role->outgoing->tls;

    tally_put_forgotten(&tls->pending, period, domain);
    tls_results_keep(role);
    tally_forget(&tls->tally, period, domain); /* the name may lie in it */
}

/* ---- the sheet ----------------------------------------------------------------------------- */

static void
write_down(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;
    sheet_read_again(&tls->sheet);
    size_t len = (tls->tally.row_count * 2 + tls->tally.detail_count) * LINE_TYPICAL;

    if (sheet_is_long(&tls->sheet, len) || buffer_overflowed(&tls->pending)) {
        struct buffer all;
        buffer_init(&all, SHEET_MAX);
        tally_put_all(&all, &tls->tally);
        sheet_replace(&tls->sheet, buffer_slice(&all));
        buffer_finish(&all);
    } else if (buffer_len(&tls->pending) > 0) {
        sheet_add(&tls->sheet, buffer_slice(&tls->pending), false);
    }
    buffer_clear(&tls->pending);
    buffer_release_if_empty(&tls->pending);
}

static void
on_timer(void *context)
{
    write_down(context);
}

static void
on_line(void *context, struct slice line)
{
    (void)!tally_take(context, line);
}

void
tls_results_open(struct store_role *role, uint64_t seed)
{
    struct tls_results *tls = calloc(1, sizeof(*tls));

    if (!tls)
        abort();
    tally_init(&tls->tally, seed);
    tls->random = (uint32_t)seed;
    buffer_init(&tls->pending, PENDING_MAX);
    buffer_init(&tls->domain, TALLY_NAME_MAX);
    list_init(&tls->ready);
    list_init(&tls->filing);
    role->outgoing->tls = tls;
}

void
tls_results_start(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;

    sheet_open(&tls->sheet, role->host, role->dir, SHEET_NAME, SHEET_MAX, on_line, &tls->tally);
    tls->timer = host_timer_open(role->host, on_timer, role);
    tls_reports_start(role);
}

void
tls_results_close(struct store_role *role)
{
    struct tls_results *tls = role->outgoing->tls;

    if (tls->timer)
        write_down(role);
    tls_reports_close(role);
    host_timer_close(&tls->timer);
    sheet_close(&tls->sheet);
    tally_finish(&tls->tally);
    buffer_finish(&tls->pending);
    buffer_finish(&tls->domain);
    free(tls);
    role->outgoing->tls = NULL;
}

/* ---- the operator -------------------------------------------------------------------------- */

void
tls_results_stats(const struct store_role *role, struct role_stats *stats)
{
    const struct tls_results *tls = role->outgoing->tls;

    role_stats_add(stats, "tls_rows", tls->tally.row_count);
    role_stats_add(stats, "tls_uncounted", tls->lost);
    role_stats_add(stats, "tls_reports", tls->sent);
}

static void
tell_row(struct store_tool *tool, uint64_t id, const struct tally_row *row)
{
    struct tool_store_tls_failure details[TALLY_ROW_DETAILS_MAX];
    struct tool_store_tls_row note = {
        .id = id,
        .start_s = row->period.start_s,
        .end_s = row->period.end_s,
        .domain = row->domain,
        .policy = (enum tool_store_tls_policy)row->policy,
        .text = buffer_slice(&row->text),
        .successes = row->successes,
        .failures = row->failures,
        .details.at = details,
    };

    LIST_EACH (link, &row->details) {
        const struct tally_detail *detail = LIST_ITEM(link, struct tally_detail, link);
        details[note.details.count++] = (struct tool_store_tls_failure){
            detail->result, detail->host, detail->address, detail->reason, detail->count};
    }
    buffer_clear(&tool->role->note);
    bool is_put = tool_store_put_tls_row(&tool->role->note, &tool->ledger, &note);
    assert(is_put);
    host_channel_send(tool->channel, buffer_slice(&tool->role->note), HOST_HANDLE_NONE);
}

void
tls_results_tell(struct store_tool *tool, const struct tool_store_tls_ask *ask)
{
    struct tool_store_tls_done done = {.id = ask->id};

    LIST_EACH (link, &tool->role->outgoing->tls->tally.rows) {
        const struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        if (ask->domain.len > 0 && !slice_equal_nocase(row->domain, ask->domain))
            continue;
        done.is_cut = host_channel_is_full(tool->channel);
        if (done.is_cut)
            break;
        tell_row(tool, ask->id, row);
    }
    buffer_clear(&tool->role->note);
    bool is_put = tool_store_put_tls_done(&tool->role->note, &tool->ledger, &done);
    assert(is_put);
    host_channel_send(tool->channel, buffer_slice(&tool->role->note), HOST_HANDLE_NONE);
}

static_assert((int)TOOL_STORE_TLS_POLICY_TLSA == (int)TALLY_TLSA &&
                  (int)TOOL_STORE_TLS_POLICY_STS == (int)TALLY_STS,
              "the note names policies in the order of queue/tally.h");
