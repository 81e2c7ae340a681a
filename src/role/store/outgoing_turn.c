/* SPDX-License-Identifier: ISC */
/* ATRN (RFC 2645): customers fetch their domains' mail over their own connections. A transport
 * makes the two ends of a stream; one goes to the smtp process that has the connection, and over
 * the other the transport carries what waits for the domains, one message after another, until
 * there is no more. */
#include "role/store/outgoing.h"

#include <stdio.h>
#include <stdlib.h>

enum { TURNS_MAX = 64, AGAIN_S = 1, AGAIN_TIMES = 3 };

struct customer_turn {
    struct list link;
    uint64_t id;
    struct store_smtp *smtp; /* NULL: it is gone, or has been answered */
    uint64_t ask;            /* of its note */
    struct outgoing_transport *transport;
    struct store_role *role;
    struct host_timer *timer;
    unsigned asked;
    bool is_ready;        /* the roles are exchanged */
    struct slice domains; /* with a blank behind each */
    char name[OUTGOING_TURN_NAME_MAX + 1];
    uint8_t bytes[];
};

static struct customer_turn *
find(const struct outgoing *outgoing, uint64_t id)
{
    LIST_EACH (link, &outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        if (turn->id == id)
            return turn;
    }
    return NULL;
}

static struct slice
take_domain(struct slice *rest)
{
    struct slice domain = slice_first(*rest, slice_find_byte(*rest, ' '));

    *rest = slice_skip(*rest, domain.len + 1);
    return domain;
}

static struct customer_turn *
find_domain(const struct outgoing *outgoing, struct slice domain)
{
    LIST_EACH (link, &outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        for (struct slice rest = turn->domains; rest.len > 0;) {
            if (slice_equal(take_domain(&rest), domain))
                return turn;
        }
    }
    return NULL;
}

/* Takes the handle. */
static void
answer(struct store_smtp *smtp, uint64_t id, enum smtp_store_turn_result result, host_handle handle)
{
    struct store_role *role = smtp->role;
    struct smtp_store_turned note = {.id = id, .result = result, .stream = handle};

    buffer_clear(&role->note);
    bool is_put = smtp_store_put_turned(&role->note, &smtp->ledger, &note);
    assert(is_put);
    host_channel_send(smtp->channel, buffer_slice(&role->note), handle);
}

static void
drop(struct customer_turn *turn)
{
    if (turn->smtp && !turn->is_ready)
        answer(turn->smtp, turn->ask, SMTP_STORE_TURN_RESULT_BUSY, HOST_HANDLE_NONE);
    list_remove(&turn->link);
    host_timer_close(&turn->timer);
    free(turn);
}

/* All that waits is due now. What was on its way when the customer called, and is put off only
 * now, is so a moment later. */
static void
ask_for_mail(void *context)
{
    struct customer_turn *turn = context;
    struct store_role *role = turn->role;
    bool is_busy;

    for (struct slice rest = turn->domains; rest.len > 0;)
        (void)!asking_retry(role, take_domain(&rest), &is_busy);
    if (++turn->asked <= AGAIN_TIMES)
        host_timer_set(turn->timer, instant_after(host_now(role->host), duration_s(AGAIN_S)));
}

static bool
take_first(void *context, const struct queue_place *place)
{
    (void)place;
    *(bool *)context = true;
    return false;
}

/* Whether something waits for the domain, also what is on its way just now. */
static bool
has_mail(struct store_role *role, struct slice domain)
{
    bool has = false;

    for (unsigned class = 0; class < QUEUE_CLASSES && !has; class ++) {
        struct queue_place from = {.domain = domain, .class = (uint8_t) class};
        (void)!mailbox_queue_list_due(role->store, &from, take_first, &has);
    }
    return has;
}

/* What stands against it, or READY. */
static enum smtp_store_turn_result
look(struct store_role *role, struct slice domains)
{
    const struct outgoing *outgoing = role->outgoing;
    enum smtp_store_turn_result result = SMTP_STORE_TURN_RESULT_NONE;
    size_t count = 0;

    while (domains.len > 0) {
        struct slice domain = take_domain(&domains);
        if (find_domain(outgoing, domain))
            return SMTP_STORE_TURN_RESULT_BUSY;
        if (has_mail(role, domain))
            result = SMTP_STORE_TURN_RESULT_READY;
    }
    LIST_EACH (link, &outgoing->turns) {
        count++;
    }
    return count < TURNS_MAX ? result : SMTP_STORE_TURN_RESULT_BUSY;
}

void
turns_begin(struct store_smtp *smtp, const struct smtp_store_turn *note)
{
    struct store_role *role = smtp->role;
    struct outgoing *outgoing = role->outgoing;
    struct outgoing_transport *transport = outgoing_any_transport(outgoing);
    enum smtp_store_turn_result result = look(role, note->domains);
    struct store_transport_turn ask = {.id = ++outgoing->carriage_count};

    if (result == SMTP_STORE_TURN_RESULT_READY && !transport)
        result = SMTP_STORE_TURN_RESULT_BUSY;
    if (result != SMTP_STORE_TURN_RESULT_READY) {
        answer(smtp, note->id, result, HOST_HANDLE_NONE);
        return;
    }
    struct customer_turn *turn = calloc(1, sizeof(*turn) + note->domains.len);
    if (!turn)
        abort();
    *turn =
        (struct customer_turn){.id = ask.id, .smtp = smtp, .ask = note->id, .transport = transport};
    memcpy(turn->bytes, note->domains.at, note->domains.len);
    turn->domains = slice_of(turn->bytes, note->domains.len);
    snprintf(turn->name, sizeof(turn->name), OUTGOING_TURN "%llu", (unsigned long long)turn->id);
    list_append(&outgoing->turns, &turn->link);
    buffer_clear(&role->note);
    bool is_put = store_transport_put_turn(&role->note, &transport->ledger, &ask);
    assert(is_put);
    host_channel_send(transport->channel, buffer_slice(&role->note), HOST_HANDLE_NONE);
}

void
turns_take(struct store_role *role, const struct store_transport_turned *note, host_handle handle)
{
    struct customer_turn *turn = find(role->outgoing, note->id);

    if (!turn || !turn->smtp || handle == HOST_HANDLE_NONE) {
        host_handle_close(role->host, handle);
        if (turn)
            drop(turn);
        return;
    }
    turn->is_ready = true;
    answer(turn->smtp, turn->ask, SMTP_STORE_TURN_RESULT_READY, handle);
    turn->smtp = NULL;
    turn->role = role;
    turn->timer = host_timer_open(role->host, ask_for_mail, turn);
    ask_for_mail(turn);
}

void
turns_over(struct store_role *role, uint64_t id)
{
    struct customer_turn *turn = find(role->outgoing, id);

    if (turn)
        drop(turn);
}

bool
turns_hop(struct store_role *role, struct slice domain, struct store_route_host *host,
          struct store_route_hop *ret_hop)
{
    struct customer_turn *turn = find_domain(role->outgoing, domain);

    if (!turn || !turn->is_ready)
        return false;
    struct slice name = slice_of_string(turn->name);
    *host = (struct store_route_host){.name = domain};
    *ret_hop = (struct store_route_hop){
        .outcome = STORE_ROUTE_OUTCOME_FOUND,
        .carrier = STORE_ROUTE_CARRIER_SMTP,
        .destination = name,
        .path = name,
        .hosts = {host, 1},
        .is_for_domain = true,
    };
    return true;
}

struct outgoing_transport *
turns_transport(const struct outgoing *outgoing, struct slice path)
{
    LIST_EACH (link, &outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        if (slice_equal(slice_of_string(turn->name), path))
            return turn->transport;
    }
    return NULL;
}

void
turns_lose_transport(struct outgoing_transport *transport)
{
    LIST_EACH (link, &transport->role->outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        if (turn->transport == transport)
            drop(turn);
    }
}

void
turns_lose_smtp(struct store_smtp *smtp)
{
    if (!smtp->role->outgoing)
        return;
    LIST_EACH (link, &smtp->role->outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        if (turn->smtp == smtp)
            turn->smtp = NULL;
    }
}

void
turns_close_all(struct outgoing *outgoing)
{
    LIST_EACH (link, &outgoing->turns) {
        struct customer_turn *turn = LIST_ITEM(link, struct customer_turn, link);
        turn->smtp = NULL;
        drop(turn);
    }
}
