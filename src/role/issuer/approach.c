/* SPDX-License-Identifier: ISC */
/* The server's name is asked for, then its addresses are tried one after another, until one stands
 * or the time is over. */
#include "role/issuer/issuer_role.h"

#include "dns/dns.h"
#include "host/address.h"

#include <errno.h>
#include <stdlib.h>

enum { QUESTION_A, QUESTION_AAAA, QUESTIONS };

struct approach {
    struct list link; /* in issuer->approaches */
    struct issuer *issuer;
    struct issuer_request *request;
    struct instant end, connect_end;
    struct host_timer *timer;
    uint64_t questions[QUESTIONS]; /* 0: none is open */
    struct host_address addresses[ISSUER_ADDRESSES_MAX];
    size_t count, next;
    struct host_stream *stream;
    const char *why;
};

static void advance(struct approach *approach);

/* ---- connecting ---------------------------------------------------------------------------- */

static void
give_up_stream(struct approach *approach, const char *why)
{
    host_stream_close(&approach->stream);
    approach->why = why;
}

/* Only reading tells whether it stands; a server of TLS says nothing first. */
static void
on_stream(void *context, unsigned events)
{
    struct approach *approach = context;
    uint8_t octet;
    (void)events;

    int64_t len = host_stream_read(approach->stream, &octet, 1);
    if (len != -EAGAIN) {
        give_up_stream(approach, "its server cannot be reached");
        advance(approach);
        return;
    }
    struct host_stream *stream = approach->stream;
    approach->stream = NULL;
    memset(approach->questions, 0, sizeof(approach->questions)); /* their answers come too late */
    host_timer_set(approach->timer, INSTANT_NEVER);
    request_reached(approach->request, stream);
}

static void
connect_next(struct approach *approach)
{
    struct host *host = approach->issuer->start.host;
    const struct host_address *address = &approach->addresses[approach->next++];

    if (host_stream_connect(host, address, &approach->stream) < 0) {
        give_up_stream(approach, "its server cannot be reached");
        return;
    }
    approach->connect_end = instant_after(host_now(host), duration_ms(ISSUER_CONNECT_MS));
    host_stream_watch(approach->stream, HOST_WRITABLE, on_stream, approach);
}

static bool
is_asking(const struct approach *approach)
{
    return approach->questions[QUESTION_A] || approach->questions[QUESTION_AAAA];
}

/* Does what can be done now, arms the timer, or tells that nothing is left; then `approach` is
 * gone.
 */
static void
advance(struct approach *approach)
{
    struct instant now = host_now(approach->issuer->start.host), when = approach->end;

    if (!instant_is_before(now, approach->end)) {
        request_failed(approach->request, "it does not answer");
        return;
    }
    /* The last address has all the time that there is. */
    if (approach->stream && approach->next < approach->count &&
        !instant_is_before(now, approach->connect_end))
        give_up_stream(approach, "it does not answer");
    while (!approach->stream && approach->next < approach->count)
        connect_next(approach);
    if (!approach->stream && !is_asking(approach)) {
        request_failed(approach->request, approach->why);
        return;
    }
    if (approach->stream && approach->next < approach->count &&
        instant_is_before(approach->connect_end, when))
        when = approach->connect_end;
    host_timer_set(approach->timer, when);
}

static void
on_timer(void *context)
{
    advance(context);
}

/* ---- names --------------------------------------------------------------------------------- */

static void
ask(struct approach *approach, size_t which, enum dns_type type)
{
    struct issuer *issuer = approach->issuer;
    struct route_resolve_ask note = {
        .id = ++issuer->question, .type = (uint16_t)type, .name = issuer->url.host};

    if (issuer->resolve && route_resolve_put_ask(&issuer->note, &issuer->resolve_ledger, &note)) {
        approach->questions[which] = note.id;
        host_channel_send(issuer->resolve, buffer_slice(&issuer->note), HOST_HANDLE_NONE);
    }
    buffer_clear(&issuer->note);
}

static void
add_address(struct approach *approach, struct slice data)
{
    bool is_ipv4 = data.len == 4;
    struct host_address address = {.family = is_ipv4 ? HOST_FAMILY_IPV4 : HOST_FAMILY_IPV6,
                                   .port = approach->issuer->url.port};

    if (approach->count == ISSUER_ADDRESSES_MAX || (!is_ipv4 && data.len != sizeof(address.bytes)))
        return;
    memcpy(address.bytes, data.at, data.len);
    approach->addresses[approach->count++] = address;
}

void
approach_on_answer(struct issuer *issuer, const struct route_resolve_answer *answer)
{
    LIST_EACH (link, &issuer->approaches) {
        struct approach *approach = LIST_ITEM(link, struct approach, link);
        size_t which = approach->questions[QUESTION_A] == answer->id ? QUESTION_A : QUESTION_AAAA;
        if (approach->questions[which] != answer->id)
            continue;
        approach->questions[which] = 0;
        for (size_t i = 0; i < answer->records.count; i++)
            add_address(approach, answer->records.at[i].data);
        if (answer->outcome == ROUTE_RESOLVE_OUTCOME_BOGUS)
            approach->why = "its server's name is not to be believed (DNSSEC)";
        advance(approach);
        return;
    }
}

void
approach_on_resolve_lost(struct issuer *issuer)
{
    LIST_EACH (link, &issuer->approaches) {
        struct approach *approach = LIST_ITEM(link, struct approach, link);
        if (!is_asking(approach))
            continue;
        memset(approach->questions, 0, sizeof(approach->questions));
        advance(approach);
    }
}

/* ---- opening and closing ------------------------------------------------------------------- */

struct approach *
approach_open(struct issuer *issuer, struct issuer_request *request, struct instant end)
{
    struct approach *approach = calloc(1, sizeof(*approach));
    struct host *host = issuer->start.host;

    if (!approach)
        abort();
    approach->issuer = issuer;
    approach->request = request;
    approach->end = end;
    approach->why = "its server's name is not known";
    approach->timer = host_timer_open(host, on_timer, approach);
    list_append(&issuer->approaches, &approach->link);
    if (host_address_parse(issuer->url.host, issuer->url.port, &approach->addresses[0])) {
        approach->count = 1;
    } else {
        ask(approach, QUESTION_A, DNS_A);
        ask(approach, QUESTION_AAAA, DNS_AAAA);
    }
    /* Whatever comes of it, it comes from the loop. */
    host_timer_set(approach->timer, is_asking(approach) ? end : host_now(host));
    return approach;
}

void
approach_close(struct approach **approach)
{
    struct approach *old = *approach;

    if (!old)
        return;
    list_remove(&old->link);
    host_stream_close(&old->stream);
    host_timer_close(&old->timer);
    free(old);
    *approach = NULL;
}
