/* SPDX-License-Identifier: ISC */
/* A line has nine fields with tabs between: start, end, domain, policy, count, and of the event
 * result, host, address and reason; or "policy" and its text; or "forget". */
#include "queue/tally.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS = 9, KEY_MAX = TALLY_NAME_MAX + 64 };

static const char *const policy_names[TALLY_POLICIES] = {
    [TALLY_NO_POLICY] = "no-policy-found", [TALLY_STS] = "sts", [TALLY_TLSA] = "tlsa"};

const char *
tally_policy_name(enum tally_policy policy)
{
    return policy_names[policy];
}

void
tally_init(struct tally *tally, uint64_t seed)
{
    *tally = (struct tally){.row_count = 0};
    map_init(&tally->map, seed);
    list_init(&tally->rows);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static struct slice
make_key(char key[KEY_MAX], struct tally_period period, struct slice domain,
         enum tally_policy policy)
{
    int len =
        snprintf(key, KEY_MAX, "%lld %lld %d %.*s", (long long)period.start_s,
                 (long long)period.end_s, (int)policy, (int)domain.len, (const char *)domain.at);

    return slice_of(key, (size_t)len);
}

static void
drop_row(struct tally *tally, struct tally_row *row)
{
    char key[KEY_MAX];

    (void)!map_remove(&tally->map, make_key(key, row->period, row->domain, row->policy));
    while (!list_is_empty(&row->details)) {
        struct tally_detail *detail = LIST_ITEM(row->details.next, struct tally_detail, link);
        list_remove(&detail->link);
        free(detail);
        tally->detail_count--;
    }
    list_remove(&row->link);
    buffer_finish(&row->text);
    free(row);
    tally->row_count--;
}

void
tally_finish(struct tally *tally)
{
    while (!list_is_empty(&tally->rows))
        drop_row(tally, LIST_ITEM(tally->rows.next, struct tally_row, link));
    map_finish(&tally->map);
}

/* What may stand in a line and in a report. */
static struct slice
keep_clean(uint8_t **at, struct slice bytes)
{
    struct slice kept = slice_of(*at, bytes.len);

    for (size_t i = 0; i < bytes.len; i++)
        *(*at)++ = bytes.at[i] < ' ' || bytes.at[i] >= 0x7f ? '?' : bytes.at[i];
    return kept;
}

void
tally_forget(struct tally *tally, struct tally_period period, struct slice domain)
{
    char key[KEY_MAX];
    uint8_t copy[TALLY_NAME_MAX], *at = copy;

    if (domain.len > TALLY_NAME_MAX)
        return;
    domain = keep_clean(&at, domain); /* it may be that of a row which goes */
    for (int policy = 0; policy < TALLY_POLICIES; policy++) {
        struct tally_row *row =
            map_find(&tally->map, make_key(key, period, domain, (enum tally_policy)policy));
        if (row)
            drop_row(tally, row);
    }
}

static struct tally_row *
find_row(struct tally *tally, const struct tally_event *event)
{
    uint8_t clean[TALLY_NAME_MAX], *at = clean;
    struct slice domain = keep_clean(&at, event->domain);
    char key[KEY_MAX];
    struct slice name = make_key(key, event->period, domain, event->policy);
    struct tally_row *row = map_find(&tally->map, name);

    if (row || tally->row_count == TALLY_ROWS_MAX)
        return row;
    row = malloc(sizeof(*row) + domain.len);
    if (!row)
        abort();
    *row = (struct tally_row){.period = event->period, .policy = event->policy};
    at = row->bytes;
    row->domain = keep_clean(&at, domain);
    buffer_init(&row->text, TALLY_TEXT_MAX);
    list_init(&row->details);
    list_init(&row->link);
    list_append(&tally->rows, &row->link);
    tally->row_count++;
    map_set(&tally->map, name, row);
    return row;
}

bool
tally_knows_text(const struct tally *tally, const struct tally_event *event)
{
    char key[KEY_MAX];

    if (event->domain.len > TALLY_NAME_MAX)
        return false;
    const struct tally_row *row =
        map_find(&tally->map, make_key(key, event->period, event->domain, event->policy));
    return row && slice_equal(buffer_slice(&row->text), event->text);
}

static struct tally_detail *
new_detail(const struct tally_event *event)
{
    struct tally_detail *detail = malloc(sizeof(*detail) + event->result.len + event->host.len +
                                         event->address.len + event->reason.len);

    if (!detail)
        abort();
    uint8_t *at = detail->bytes;
    *detail = (struct tally_detail){
        .result = keep_clean(&at, event->result),
        .host = keep_clean(&at, event->host),
        .address = keep_clean(&at, event->address),
        .reason = keep_clean(&at, event->reason),
    };
    list_init(&detail->link);
    return detail;
}

static void
add_failure(struct tally *tally, struct tally_row *row, const struct tally_event *event,
            uint64_t count)
{
    struct tally_detail *detail = new_detail(event);

    row->failures += count;
    LIST_EACH (link, &row->details) {
        struct tally_detail *known = LIST_ITEM(link, struct tally_detail, link);
        if (slice_equal(known->result, detail->result) && slice_equal(known->host, detail->host) &&
            slice_equal(known->address, detail->address)) {
            known->count += count;
            free(detail);
            return;
        }
    }
    if (row->detail_count == TALLY_ROW_DETAILS_MAX || tally->detail_count == TALLY_DETAILS_MAX) {
        free(detail);
        return;
    }
    detail->count = count;
    list_append(&row->details, &detail->link);
    row->detail_count++;
    tally->detail_count++;
}

bool
tally_add(struct tally *tally, const struct tally_event *event, uint64_t count)
{
    if (event->domain.len == 0 || event->domain.len > TALLY_NAME_MAX ||
        event->host.len > TALLY_NAME_MAX || event->result.len > TALLY_NAME_MAX ||
        event->address.len > TALLY_NAME_MAX || event->reason.len > TALLY_REASON_MAX ||
        event->text.len > TALLY_TEXT_MAX)
        return false;
    struct tally_row *row = find_row(tally, event);
    if (!row)
        return false;
    if (event->text.len > 0) {
        buffer_clear(&row->text);
        uint8_t *at = buffer_reserve(&row->text, event->text.len);
        (void)keep_clean(&at, event->text);
        buffer_commit(&row->text, event->text.len);
    }
    if (event->result.len > 0)
        add_failure(tally, row, event, count);
    else
        row->successes += count;
    return true;
}

/* ---- lines --------------------------------------------------------------------------------- */

static void
put_clean(struct buffer *out, struct slice bytes)
{
    uint8_t *at = buffer_reserve(out, bytes.len);

    if (!at)
        return;
    (void)keep_clean(&at, bytes);
    buffer_commit(out, bytes.len);
}

static void
put_head(struct buffer *out, struct tally_period period, struct slice domain, const char *policy,
         uint64_t count)
{
    buffer_put_decimal(out, (uint64_t)period.start_s);
    buffer_put_byte(out, '\t');
    buffer_put_decimal(out, (uint64_t)period.end_s);
    buffer_put_byte(out, '\t');
    put_clean(out, domain);
    buffer_put_byte(out, '\t');
    buffer_put_text(out, policy);
    buffer_put_byte(out, '\t');
    buffer_put_decimal(out, count);
}

static void
put_event(struct buffer *out, const struct tally_event *event, uint64_t count)
{
    const struct slice fields[] = {event->result, event->host, event->address, event->reason};

    put_head(out, event->period, event->domain, policy_names[event->policy], count);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        buffer_put_byte(out, '\t');
        put_clean(out, fields[i]);
    }
    buffer_put_byte(out, '\n');
}

static void
put_text(struct buffer *out, struct tally_period period, struct slice domain,
         enum tally_policy policy, struct slice text)
{
    put_head(out, period, domain, policy_names[policy], 0);
    buffer_put_text(out, "\tpolicy\t");
    put_clean(out, text);
    buffer_put_text(out, "\t\t\n");
}

void
tally_put(struct buffer *out, const struct tally_event *event, uint64_t count)
{
    if (event->text.len > 0)
        put_text(out, event->period, event->domain, event->policy, event->text);
    put_event(out, event, count);
}

void
tally_put_forgotten(struct buffer *out, struct tally_period period, struct slice domain)
{
    put_head(out, period, domain, policy_names[TALLY_NO_POLICY], 0);
    buffer_put_text(out, "\tforget\t\t\t\n");
}

void
tally_put_all(struct buffer *out, const struct tally *tally)
{
    LIST_EACH (link, &tally->rows) {
        const struct tally_row *row = LIST_ITEM(link, struct tally_row, link);
        struct tally_event event = {
            .period = row->period, .domain = row->domain, .policy = row->policy};
        uint64_t rest = row->failures;
        if (buffer_len(&row->text) > 0)
            put_text(out, row->period, row->domain, row->policy, buffer_slice(&row->text));
        if (row->successes > 0)
            put_event(out, &event, row->successes);
        LIST_EACH (place, &row->details) {
            const struct tally_detail *detail = LIST_ITEM(place, struct tally_detail, link);
            event.result = detail->result;
            event.host = detail->host;
            event.address = detail->address;
            event.reason = detail->reason;
            put_event(out, &event, detail->count);
            rest -= detail->count;
        }
        if (rest > 0) {
            event = (struct tally_event){.period = row->period,
                                         .domain = row->domain,
                                         .policy = row->policy,
                                         .result = SLICE("validation-failure")};
            put_event(out, &event, rest);
        }
    }
}

static bool
take_number(struct slice word, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (word.len == 0 || word.len > 15)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (!byte_is_digit(word.at[i]))
            return false;
        number = number * 10 + (uint64_t)(word.at[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool
take_policy(struct slice word, enum tally_policy *ret_policy)
{
    for (int i = 0; i < TALLY_POLICIES; i++) {
        if (slice_equal(word, slice_of_string(policy_names[i]))) {
            *ret_policy = (enum tally_policy)i;
            return true;
        }
    }
    return false;
}

static bool
take_text(struct tally *tally, struct tally_event *event)
{
    if (event->host.len > TALLY_TEXT_MAX)
        return false;
    event->text = event->host;
    event->result = event->host = SLICE("");
    return tally_add(tally, event, 0);
}

bool
tally_take(struct tally *tally, struct slice line)
{
    struct slice fields[FIELDS];
    struct tally_event event = {.text = SLICE("")};
    uint64_t start, end, count;

    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = slice_find_byte(line, '\t');
        if ((len == line.len) != (i == FIELDS - 1))
            return false;
        fields[i] = slice_first(line, len);
        line = slice_skip(line, len + 1);
    }
    if (!take_number(fields[0], &start) || !take_number(fields[1], &end) || end <= start ||
        !take_policy(fields[3], &event.policy) || !take_number(fields[4], &count))
        return false;
    event.period = (struct tally_period){(int64_t)start, (int64_t)end};
    event.domain = fields[2];
    event.result = fields[5];
    event.host = fields[6];
    event.address = fields[7];
    event.reason = fields[8];
    if (count > 0)
        return tally_add(tally, &event, count);
    if (slice_equal(event.result, SLICE("policy")))
        return take_text(tally, &event);
    if (!slice_equal(event.result, SLICE("forget")))
        return false;
    tally_forget(tally, event.period, event.domain);
    return true;
}
