/* SPDX-License-Identifier: ISC */
/* MTA-STS policies (RFC 8461) that a transport has fetched. Were they forgotten at a restart,
 * whoever can keep a domain's record from us would only have to wait for one. Each is a line of the
 * sheet `sts`: domain, id, when it was fetched, until when it holds, and its text in base64. */
#include "role/store/outgoing.h"

#include "base/cursor.h"
#include "role/store/sheet.h"
#include "routing/sts.h"
#include "text/base64.h"

#include <stdlib.h>

#define SHEET_NAME "sts"
#define SECONDS_MAX UINT64_C(999999999999) /* of a time in a line */

enum {
    POLICIES_MAX = 4096,
    BYTES_MAX = 4 << 20, /* of all their texts */
    LINE_MAX = 32 * 1024,
    SHEET_MAX = 64 << 20,
    LOOK_S = 600,   /* between two looks for those that grow old */
    UNREAD_S = 10,  /* the same while the sheet could not be read */
    AGAIN_S = 3600, /* before one that could not be had is asked for again */
};

struct kept_policy {
    struct list link;              /* in order of their last learning */
    struct slice domain, id, text; /* in `bytes` */
    int64_t fetched_s, until_s;
    int64_t asked_s; /* when it was looked after last */
    uint8_t bytes[];
};

struct policies {
    struct map map; /* by domain */
    struct list order;
    size_t bytes;
    struct sheet sheet;
    struct host_timer *timer;
    uint64_t ask;        /* the question to route that is open, or 0 */
    struct buffer asked; /* about the policy of this domain */
};

/* ---- what is kept -------------------------------------------------------------------------- */

static void
forget(struct policies *policies, struct kept_policy *policy)
{
    (void)!map_remove(&policies->map, policy->domain);
    list_remove(&policy->link);
    policies->bytes -= policy->text.len;
    free(policy);
}

static struct slice
keep_bytes(uint8_t **at, struct slice bytes)
{
    struct slice kept = slice_of(*at, bytes.len);

    memcpy(*at, bytes.at, bytes.len);
    *at += bytes.len;
    return kept;
}

/* In the place of an older one of that domain. */
static struct kept_policy *
keep(struct policies *policies, struct slice domain, struct slice id, struct slice text)
{
    struct kept_policy *old = map_find(&policies->map, domain);
    struct kept_policy *policy = malloc(sizeof(*policy) + domain.len + id.len + text.len);

    if (!policy)
        abort();
    uint8_t *at = policy->bytes;
    *policy = (struct kept_policy){
        .domain = keep_bytes(&at, domain),
        .id = keep_bytes(&at, id),
        .text = keep_bytes(&at, text),
    };
    if (old)
        forget(policies, old);
    while (policies->map.count >= POLICIES_MAX || policies->bytes + text.len > BYTES_MAX)
        forget(policies, LIST_ITEM(policies->order.next, struct kept_policy, link));
    list_init(&policy->link);
    list_append(&policies->order, &policy->link);
    policies->bytes += text.len;
    map_set(&policies->map, policy->domain, policy);
    return policy;
}

/* A word of a line: what is in it cannot be taken for the end of it. */
static bool
is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
            return false;
    }
    return text.len > 0;
}

static bool
is_sound(struct slice domain, struct slice id, struct slice text, int64_t fetched_s,
         int64_t until_s)
{
    return is_word(domain) && domain.len <= STORE_TRANSPORT_POLICY_DOMAIN_MAX && is_word(id) &&
           id.len <= ROUTING_STS_ID_MAX && text.len > 0 && text.len <= ROUTING_STS_TEXT_MAX &&
           fetched_s >= 0 && until_s >= fetched_s && until_s - fetched_s <= ROUTING_STS_AGE_MAX_S;
}

/* ---- the sheet ----------------------------------------------------------------------------- */

static void
put_line(struct buffer *out, const struct kept_policy *policy)
{
    buffer_put(out, policy->domain);
    buffer_put_byte(out, ' ');
    buffer_put(out, policy->id);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, (uint64_t)policy->fetched_s);
    buffer_put_byte(out, ' ');
    buffer_put_decimal(out, (uint64_t)policy->until_s);
    buffer_put_byte(out, ' ');
    base64_format(policy->text, out);
    buffer_put_byte(out, '\n');
}

static void
on_line(void *context, struct slice line)
{
    struct policies *policies = context;
    struct cursor cursor = cursor_of(line);
    struct slice domain, id;
    struct buffer text;
    uint64_t fetched_s, until_s;

    if (!cursor_take_until(&cursor, ' ', &domain) || !cursor_take_byte(&cursor, ' ') ||
        !cursor_take_until(&cursor, ' ', &id) || !cursor_take_byte(&cursor, ' ') ||
        !cursor_take_u64(&cursor, 0, SECONDS_MAX, &fetched_s) || !cursor_take_byte(&cursor, ' ') ||
        !cursor_take_u64(&cursor, 0, SECONDS_MAX, &until_s) || !cursor_take_byte(&cursor, ' '))
        return;
    buffer_init(&text, ROUTING_STS_TEXT_MAX);
    /* A file that was read late may know less than has been learned since. */
    const struct kept_policy *known = map_find(&policies->map, domain);
    bool is_old = known && known->fetched_s > (int64_t)fetched_s;
    if (!is_old && base64_parse(cursor_rest(&cursor), &text) &&
        is_sound(domain, id, buffer_slice(&text), (int64_t)fetched_s, (int64_t)until_s)) {
        struct kept_policy *policy = keep(policies, domain, id, buffer_slice(&text));
        policy->fetched_s = (int64_t)fetched_s;
        policy->until_s = (int64_t)until_s;
    }
    buffer_finish(&text);
}

static void
forget_old(struct store_role *role)
{
    struct policies *policies = role->outgoing->policies;
    int64_t now_s = wall_seconds(host_wall(role->host));

    LIST_EACH (link, &policies->order) {
        struct kept_policy *policy = LIST_ITEM(link, struct kept_policy, link);
        if (policy->until_s <= now_s)
            forget(policies, policy);
    }
}

/* ---- telling ------------------------------------------------------------------------------- */

static void
tell_one(struct store_role *role, struct outgoing_transport *transport,
         const struct kept_policy *policy)
{
    struct store_transport_policy note = {
        .domain = policy->domain,
        .sts_id = policy->id,
        .text = policy->text,
        .fetched_s = policy->fetched_s,
        .until_s = policy->until_s,
    };

    buffer_clear(&role->note);
    bool is_put = store_transport_put_policy(&role->note, &transport->ledger, &note);
    assert(is_put);
    host_channel_send(transport->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

void
policies_tell(struct store_role *role, struct outgoing_transport *transport)
{
    if (transport->index == OUTGOING_HAND)
        return;
    LIST_EACH (link, &role->outgoing->policies->order) {
        tell_one(role, transport, LIST_ITEM(link, struct kept_policy, link));
    }
}

/* What could not be read at the start may be there, and still hold. */
static void
read_again(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;

    if (!outgoing->policies->sheet.is_unread)
        return;
    sheet_read_again(&outgoing->policies->sheet);
    forget_old(role);
    for (unsigned i = 0; i < STORE_PEERS_MAX && !outgoing->policies->sheet.is_unread; i++) {
        if (outgoing->transports[i].channel)
            policies_tell(role, &outgoing->transports[i]);
    }
}

static void
write_down(struct store_role *role, const struct kept_policy *policy)
{
    struct policies *policies = role->outgoing->policies;
    struct buffer lines;

    bool is_anew = sheet_is_long(&policies->sheet, policies->bytes * 2);
    buffer_init(&lines, is_anew ? SHEET_MAX : LINE_MAX);
    if (is_anew) {
        forget_old(role);
        LIST_EACH (link, &policies->order) {
            put_line(&lines, LIST_ITEM(link, struct kept_policy, link));
        }
        sheet_replace(&policies->sheet, buffer_slice(&lines));
    } else {
        put_line(&lines, policy);
        sheet_add(&policies->sheet, buffer_slice(&lines), true);
    }
    buffer_finish(&lines);
}

bool
policies_learn(struct store_role *role, struct outgoing_transport *transport,
               const struct store_transport_learned *learned)
{
    struct outgoing *outgoing = role->outgoing;

    if (transport->index == OUTGOING_HAND ||
        !is_sound(learned->domain, learned->sts_id, learned->text, learned->fetched_s,
                  learned->until_s))
        return false;
    read_again(role); /* before the new one is there: what is read may drive it out */
    struct kept_policy *policy =
        keep(outgoing->policies, learned->domain, learned->sts_id, learned->text);
    policy->fetched_s = learned->fetched_s;
    policy->until_s = learned->until_s;
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (i != transport->index && outgoing->transports[i].channel)
            tell_one(role, &outgoing->transports[i], policy);
    }
    write_down(role, policy);
    return true;
}

struct slice
policies_text(const struct store_role *role, struct slice domain)
{
    const struct kept_policy *policy = map_find(&role->outgoing->policies->map, domain);

    int64_t now_s = wall_seconds(host_wall(role->host));

    return policy && now_s < policy->until_s ? policy->text : SLICE("");
}

/* ---- before they are too old ---------------------------------------------------------------- */

/* Half of its time is over, and nobody has sent mail there (RFC 8461 §10.2). */
static struct kept_policy *
find_old(const struct policies *policies, int64_t now_s)
{
    LIST_EACH (link, &policies->order) {
        struct kept_policy *policy = LIST_ITEM(link, struct kept_policy, link);
        int64_t half_s = policy->fetched_s + (policy->until_s - policy->fetched_s) / 2;
        bool was_asked = policy->asked_s <= now_s && now_s - policy->asked_s < AGAIN_S;
        if (now_s >= half_s && now_s < policy->until_s && !was_asked)
            return policy;
    }
    return NULL;
}

/* One after the other. */
static void
look_after_next(struct store_role *role)
{
    struct policies *policies = role->outgoing->policies;
    int64_t now_s = wall_seconds(host_wall(role->host));
    struct kept_policy *policy = find_old(policies, now_s);
    struct buffer address;

    if (!policy || policies->ask != 0 || role->is_stopping)
        return;
    policy->asked_s = now_s;
    buffer_clear(&policies->asked);
    buffer_put(&policies->asked, policy->domain);
    buffer_init(&address, STORE_ROUTE_NEXT_HOP_RECIPIENT_MAX);
    buffer_put_text(&address, "postmaster@");
    buffer_put(&address, policy->domain);
    policies->ask = outgoing_ask(role, SLICE(""), buffer_slice(&address));
    buffer_finish(&address);
}

bool
policies_take_hop(struct store_role *role, const struct store_route_hop *hop)
{
    struct policies *policies = role->outgoing->policies;

    if (policies->ask == 0 || hop->id != policies->ask)
        return false;
    policies->ask = 0;
    if (hop->sts_id.len > 0 && slice_equal(hop->sts_domain, buffer_slice(&policies->asked)) &&
        !outgoing_refresh(role, hop))
        return true; /* at the next look */
    look_after_next(role);
    return true;
}

void
policies_lose_route(struct store_role *role)
{
    role->outgoing->policies->ask = 0;
}

static void
on_timer(void *context)
{
    struct store_role *role = context;
    struct policies *policies = role->outgoing->policies;

    read_again(role);
    look_after_next(role);
    host_timer_set(policies->timer,
                   instant_after(host_now(role->host),
                                 duration_s(policies->sheet.is_unread ? UNREAD_S : LOOK_S)));
}

/* ---- life ---------------------------------------------------------------------------------- */

void
policies_open(struct store_role *role, uint64_t seed)
{
    struct policies *policies = calloc(1, sizeof(*policies));

    if (!policies)
        abort();
    map_init(&policies->map, seed);
    list_init(&policies->order);
    buffer_init(&policies->asked, STORE_TRANSPORT_POLICY_DOMAIN_MAX);
    role->outgoing->policies = policies;
}

void
policies_start(struct store_role *role)
{
    struct outgoing *outgoing = role->outgoing;
    struct policies *policies = outgoing->policies;

    sheet_open(&policies->sheet, role->host, role->dir, SHEET_NAME, SHEET_MAX, on_line, policies);
    forget_old(role);
    for (unsigned i = 0; i < STORE_PEERS_MAX; i++) {
        if (outgoing->transports[i].channel)
            policies_tell(role, &outgoing->transports[i]);
    }
    policies->timer = host_timer_open(role->host, on_timer, role);
    on_timer(role);
}

void
policies_close(struct store_role *role)
{
    struct policies *policies = role->outgoing->policies;

    while (!list_is_empty(&policies->order))
        forget(policies, LIST_ITEM(policies->order.next, struct kept_policy, link));
    map_finish(&policies->map);
    sheet_close(&policies->sheet);
    buffer_finish(&policies->asked);
    host_timer_close(&policies->timer);
    free(policies);
    role->outgoing->policies = NULL;
}
