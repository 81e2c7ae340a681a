/* SPDX-License-Identifier: ISC */
/* Call-ahead (option call_ahead): whether the next host of a domain that we pass mail on for would
 * take mail for an address. Asked while a stranger waits for the answer to RCPT, so that what
 * nobody has is refused, and not returned later to a sender that may be forged. What was answered
 * is kept; strangers make us ask a number of times a minute, and no more. */
#include "role/store/outgoing.h"

#include <stdlib.h>

enum {
    PROBES_MAX = 10000, /* answers that are kept; the oldest are forgotten */
    PROBES_OPEN_MAX = 100,
    PROBE_TEXT_MAX = SMTP_STORE_PROBED_TEXT_MAX,
    PROBE_PAUSE_S = 60, /* before a host that could not be asked is asked again about an address */
    PROBE_LOST_S = 300, /* an answer that is not there by then will not come */
    PROBE_WINDOW_S = 60,
};

struct waiter {
    struct list link;
    struct store_smtp *smtp;
    uint64_t id; /* of its note */
};

struct probe {
    struct list link;     /* in order of their last asking */
    struct list waiters;  /* while it is open */
    uint64_t ask, carry;  /* open questions to route and to a transport, or 0 */
    struct instant until; /* the answer holds */
    enum smtp_store_probe_verdict verdict;
    uint16_t code;
    uint16_t text_len, address_len;
    uint8_t text[PROBE_TEXT_MAX];
    uint8_t address[];
};

struct probes {
    struct map map; /* by address */
    struct list order;
    size_t open;
    struct instant window_end;
    uint32_t window_count;
};

static struct slice
address_of(const struct probe *probe)
{
    return slice_of(probe->address, probe->address_len);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
answer(struct store_smtp *smtp, uint64_t id, const struct probe *probe)
{
    struct store_role *role = smtp->role;
    struct smtp_store_probed note = {.id = id, .verdict = SMTP_STORE_PROBE_VERDICT_UNKNOWN};

    if (probe) {
        note.verdict = probe->verdict;
        note.code = probe->code;
        note.text = slice_of(probe->text, probe->text_len);
    }
    buffer_clear(&role->note);
    bool is_put = smtp_store_put_probed(&role->note, &smtp->ledger, &note);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

static void
drop_waiter(struct waiter *waiter)
{
    list_remove(&waiter->link);
    free(waiter);
}

/* It has ended: who waits is told, and the answer holds for its time. */
static void
conclude(struct store_role *role, struct probe *probe, enum smtp_store_probe_verdict verdict,
         uint16_t code, struct slice text)
{
    struct duration times[] = {
        [SMTP_STORE_PROBE_VERDICT_GOOD] = role->config->call_ahead_good,
        [SMTP_STORE_PROBE_VERDICT_BAD] = role->config->call_ahead_bad,
        [SMTP_STORE_PROBE_VERDICT_UNKNOWN] = duration_s(PROBE_PAUSE_S),
    };

    role->outgoing->probes->open--;
    probe->ask = probe->carry = 0;
    probe->verdict = verdict;
    probe->code = code;
    text = slice_first(text, PROBE_TEXT_MAX);
    memcpy(probe->text, text.at, text.len);
    probe->text_len = (uint16_t)text.len;
    probe->until = instant_after(host_now(role->host), times[verdict]);
    LIST_EACH (link, &probe->waiters) {
        struct waiter *waiter = LIST_ITEM(link, struct waiter, link);
        answer(waiter->smtp, waiter->id, probe);
        drop_waiter(waiter);
    }
}

/* ---- asking -------------------------------------------------------------------------------- */

static bool
is_open(const struct probe *probe)
{
    return probe->ask != 0 || probe->carry != 0;
}

static void
forget(struct probes *probes, struct probe *probe)
{
    LIST_EACH (link, &probe->waiters) {
        drop_waiter(LIST_ITEM(link, struct waiter, link));
    }
    probes->open -= is_open(probe);
    (void)!map_remove(&probes->map, address_of(probe));
    list_remove(&probe->link);
    free(probe);
}

/* The oldest that nobody waits for. */
static void
make_room(struct probes *probes)
{
    LIST_EACH (link, &probes->order) {
        struct probe *probe = LIST_ITEM(link, struct probe, link);
        if (probes->map.count < PROBES_MAX)
            return;
        if (!is_open(probe))
            forget(probes, probe);
    }
}

static struct probe *
get_probe(struct probes *probes, struct slice address)
{
    struct probe *probe = map_find(&probes->map, address);

    if (probe)
        return probe;
    make_room(probes);
    probe = calloc(1, sizeof(*probe) + address.len);
    if (!probe)
        abort();
    memcpy(probe->address, address.at, address.len);
    probe->address_len = (uint16_t)address.len;
    list_init(&probe->link);
    list_init(&probe->waiters);
    map_set(&probes->map, address_of(probe), probe);
    return probe;
}

static bool
may_ask(struct store_role *role)
{
    struct probes *probes = role->outgoing->probes;
    struct instant now = host_now(role->host);

    if (!instant_is_before(now, probes->window_end)) {
        probes->window_end = instant_after(now, duration_s(PROBE_WINDOW_S));
        probes->window_count = 0;
    }
    return probes->open < PROBES_OPEN_MAX && probes->window_count < role->config->call_ahead_rate;
}

static void
begin(struct store_role *role, struct probe *probe)
{
    struct probes *probes = role->outgoing->probes;

    probe->ask = outgoing_ask(role, SLICE(""), address_of(probe));
    probe->until = instant_after(host_now(role->host), duration_s(PROBE_LOST_S));
    list_remove(&probe->link);
    list_append(&probes->order, &probe->link);
    probes->open++;
    probes->window_count++;
    if (probe->ask == 0)
        conclude(role, probe, SMTP_STORE_PROBE_VERDICT_UNKNOWN, 0, SLICE(""));
}

void
probes_open(struct store_smtp *smtp, const struct smtp_store_probe *note)
{
    struct store_role *role = smtp->role;
    struct probes *probes = role->outgoing->probes;
    struct probe *probe = map_find(&probes->map, note->address);
    bool is_kept = probe && instant_is_before(host_now(role->host), probe->until);

    if (is_kept && !is_open(probe)) {
        answer(smtp, note->id, probe);
        return;
    }
    if (probe && is_open(probe) && !is_kept)
        conclude(role, probe, SMTP_STORE_PROBE_VERDICT_UNKNOWN, 0, SLICE(""));
    if (!is_kept && !may_ask(role)) {
        answer(smtp, note->id, NULL);
        return;
    }
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        abort();
    probe = get_probe(probes, note->address);
    *waiter = (struct waiter){.smtp = smtp, .id = note->id};
    list_append(&probe->waiters, &waiter->link);
    if (!is_kept)
        begin(role, probe);
}

/* Those that are open are few, and last asked: they stand at the end of the order. */
static struct probe *
find_open(const struct probes *probes, uint64_t ask, uint64_t carry)
{
    size_t left = probes->open;

    for (struct list *link = probes->order.previous; left > 0 && link != &probes->order;
         link = link->previous) {
        struct probe *probe = LIST_ITEM(link, struct probe, link);
        if ((ask != 0 && probe->ask == ask) || (carry != 0 && probe->carry == carry))
            return probe;
        left -= is_open(probe);
    }
    return NULL;
}

bool
probes_take_hop(struct store_role *role, const struct store_route_hop *hop)
{
    struct probe *probe = find_open(role->outgoing->probes, hop->id, 0);

    if (!probe)
        return false;
    probe->carry = outgoing_errand(role, hop, STORE_TRANSPORT_ERRAND_PROBE, 0, address_of(probe));
    if (probe->carry == 0)
        conclude(role, probe, SMTP_STORE_PROBE_VERDICT_UNKNOWN, 0, SLICE(""));
    probe->ask = 0;
    return true;
}

bool
probes_take_carried(struct store_role *role, const struct store_transport_carried *carried)
{
    static const enum smtp_store_probe_verdict verdicts[STORE_TRANSPORT_OUTCOME_COUNT] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = SMTP_STORE_PROBE_VERDICT_GOOD,
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = SMTP_STORE_PROBE_VERDICT_BAD,
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = SMTP_STORE_PROBE_VERDICT_UNKNOWN,
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = SMTP_STORE_PROBE_VERDICT_UNKNOWN,
    };
    struct probe *probe = find_open(role->outgoing->probes, 0, carried->id);

    if (!probe)
        return false;
    const struct store_transport_result *result =
        carried->results.count > 0 ? &carried->results.at[0] : NULL;
    conclude(role, probe, result ? verdicts[result->outcome] : SMTP_STORE_PROBE_VERDICT_UNKNOWN,
             result ? result->code : 0, result ? result->text : SLICE(""));
    return true;
}

/* ---- what goes away ------------------------------------------------------------------------ */

/* Ends the open questions to route, or those to a transport. */
static void
lose(struct store_role *role, bool is_route)
{
    LIST_EACH (link, &role->outgoing->probes->order) {
        struct probe *probe = LIST_ITEM(link, struct probe, link);
        if (is_route ? probe->ask != 0 : probe->carry != 0)
            conclude(role, probe, SMTP_STORE_PROBE_VERDICT_UNKNOWN, 0, SLICE(""));
    }
}

void
probes_lose_route(struct store_role *role)
{
    lose(role, true);
}

void
probes_lose_transport(struct store_role *role)
{
    lose(role, false);
}

void
probes_lose_smtp(struct store_smtp *smtp)
{
    struct outgoing *outgoing = smtp->role->outgoing;

    if (!outgoing)
        return;
    LIST_EACH (link, &outgoing->probes->order) {
        LIST_EACH (waiting, &LIST_ITEM(link, struct probe, link)->waiters) {
            struct waiter *waiter = LIST_ITEM(waiting, struct waiter, link);
            if (waiter->smtp == smtp)
                drop_waiter(waiter);
        }
    }
}

void
probes_init(struct store_role *role, uint64_t seed)
{
    struct probes *probes = calloc(1, sizeof(*probes));

    if (!probes)
        abort();
    map_init(&probes->map, seed);
    list_init(&probes->order);
    role->outgoing->probes = probes;
}

void
probes_finish(struct store_role *role)
{
    struct probes *probes = role->outgoing->probes;

    while (!list_is_empty(&probes->order))
        forget(probes, LIST_ITEM(probes->order.next, struct probe, link));
    map_finish(&probes->map);
    free(probes);
    role->outgoing->probes = NULL;
}
