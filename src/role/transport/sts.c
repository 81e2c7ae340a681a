/* SPDX-License-Identifier: ISC */
/* MTA-STS (RFC 8461): policies of domains, fetched when the id of their record is new, and kept for
 * as long as they say. What cannot be fetched is as if there were none, unless one is known. */
#include "role/transport/transport_role.h"

#include "host/log.h"
#include "role/fetch.h"

#include <stdlib.h>

enum {
    DOMAINS_MAX = 4096, /* whose policies are kept, or why there is none */
    POLICY_ARENA_MAX = 64 * 1024,
    FETCH_MS = 60 * 1000,     /* RFC 8461 §3.3: a minute */
    RETRY_MS = 5 * 60 * 1000, /* the same: not again for five minutes */
    PORT_HTTPS = 443,
    HOST_MAX = 264 /* "mta-sts." and a domain */
};

struct sts_entry {
    struct list link; /* in transport->sts_recent */
    struct slice domain;
    struct arena arena;
    struct routing_sts_policy policy;
    uint8_t id[ROUTING_STS_ID_MAX];
    size_t id_len; /* of the policy, or of what could not be fetched */
    bool has_policy;
    bool is_current;            /* the policy is that of the id */
    struct instant valid_until; /* of the policy */
    struct instant refresh_at;  /* well before (RFC 8461 §10.2) */
    struct instant retry_at;    /* after a failure */
    struct transport_fetch *fetch;
    struct list jobs; /* that wait for it */
};

struct transport_fetch {
    struct sts_entry *entry;
    struct transport_job *job; /* whose message is the reason */
    struct store_transport_attempt *attempt;
    struct fetch *fetch; /* once the host is reached */
    struct instant end;
    struct slice host;
    uint8_t host_bytes[HOST_MAX];
};

/* ---- entries ------------------------------------------------------------------------------- */

static void
close_entry(struct transport *transport, struct sts_entry *entry)
{
    map_remove(&transport->sts, entry->domain);
    list_remove(&entry->link);
    arena_finish(&entry->arena);
    free(entry);
}

/* The one that nobody has asked about for longest, and that nobody waits for. */
static void
forget_oldest(struct transport *transport)
{
    LIST_EACH (link, &transport->sts_recent) {
        struct sts_entry *entry = LIST_ITEM(link, struct sts_entry, link);
        if (entry->fetch)
            continue;
        close_entry(transport, entry);
        return;
    }
}

static struct sts_entry *
find_entry(struct transport *transport, struct slice domain, bool may_add)
{
    struct sts_entry *entry = map_find(&transport->sts, domain);

    if (!entry && !may_add)
        return NULL;
    if (!entry) {
        if (transport->sts.count >= DOMAINS_MAX)
            forget_oldest(transport);
        entry = calloc(1, sizeof(*entry));
        if (!entry)
            abort();
        arena_init(&entry->arena, POLICY_ARENA_MAX);
        entry->domain = arena_copy(&entry->arena, domain);
        list_init(&entry->link);
        list_init(&entry->jobs);
        map_set(&transport->sts, entry->domain, entry);
    }
    list_remove(&entry->link);
    list_append(&transport->sts_recent, &entry->link);
    return entry;
}

/* Copies the policy, which may be replaced while the message is under way. */
static void
give_policy(struct transport_job *job, const struct sts_entry *entry)
{
    struct instant now = host_now(job->transport->start.host);
    size_t count = entry->policy.pattern_count;
    struct slice *patterns = ARENA_ARRAY(&job->arena, struct slice, count + 1);

    job->is_sts_known = true;
    if (!entry->has_policy || !instant_is_before(now, entry->valid_until) || !patterns)
        return;
    job->policy = entry->policy;
    job->policy.patterns = patterns;
    for (size_t i = 0; i < count; i++)
        patterns[i] = arena_copy(&job->arena, entry->policy.patterns[i]);
}

/* ---- the result ---------------------------------------------------------------------------- */

/* Its key in the map is changed with it: it is taken out before, and set again by the caller. */
static bool
take_policy(struct sts_entry *entry, struct slice text, struct instant now)
{
    struct routing_sts_policy policy;
    struct arena arena;

    arena_init(&arena, POLICY_ARENA_MAX);
    struct slice domain = arena_copy(&arena, entry->domain);
    if (!routing_sts_policy_parse(text, &arena, &policy)) {
        arena_finish(&arena);
        return false;
    }
    /* The key of the map lies in the arena that goes. */
    arena_finish(&entry->arena);
    entry->arena = arena;
    entry->domain = domain;
    entry->policy = policy;
    entry->has_policy = entry->is_current = true;
    entry->valid_until = instant_after(now, duration_s(policy.max_age_s));
    entry->refresh_at = instant_after(now, duration_ms((int64_t)policy.max_age_s * 500));
    return true;
}

/* The store keeps it: a restart must not be the moment at which nobody knows of it. */
static void
tell_store(struct transport *transport, const struct sts_entry *entry)
{
    int64_t now_s = wall_seconds(host_wall(transport->start.host));
    struct store_transport_learned note = {
        .domain = entry->domain,
        .sts_id = slice_of(entry->id, entry->id_len),
        .fetched_s = now_s,
        .until_s = now_s + entry->policy.max_age_s,
    };
    struct buffer text;

    buffer_init(&text, ROUTING_STS_TEXT_MAX);
    routing_sts_policy_put(&text, &entry->policy);
    note.text = buffer_slice(&text);
    bool is_put = store_transport_put_learned(&transport->note, &transport->ledger, &note);
    assert(is_put);
    if (transport->channel)
        host_channel_send(transport->channel, buffer_slice(&transport->note), HOST_HANDLE_NONE);
    buffer_clear(&transport->note);
    buffer_finish(&text);
}

bool
sts_take_known(struct transport *transport, const struct store_transport_policy *known)
{
    struct instant now = host_now(transport->start.host);
    int64_t now_s = wall_seconds(host_wall(transport->start.host));
    int64_t left_s = known->until_s - now_s;
    int64_t half_s = (known->until_s - known->fetched_s) / 2;

    if (known->domain.len == 0 || known->sts_id.len == 0 || known->fetched_s < 0 ||
        known->until_s < known->fetched_s ||
        known->until_s - known->fetched_s > ROUTING_STS_AGE_MAX_S)
        return false;
    struct sts_entry *entry = find_entry(transport, known->domain, true);
    /* What is being fetched is newer. Nor does a clock that goes backwards make a policy last. */
    if (entry->fetch || left_s <= 0 || left_s > ROUTING_STS_AGE_MAX_S)
        return true;
    map_remove(&transport->sts, entry->domain);
    bool is_taken = take_policy(entry, known->text, now);
    map_set(&transport->sts, entry->domain, entry);
    if (!is_taken)
        return false;
    entry->id_len = known->sts_id.len;
    memcpy(entry->id, known->sts_id.at, entry->id_len);
    entry->valid_until = instant_after(now, duration_s(left_s));
    entry->refresh_at = instant_after(now, duration_s(left_s > half_s ? left_s - half_s : 0));
    return true;
}

static void
conclude(struct transport_fetch *fetch, struct slice text, const char *problem)
{
    struct transport_job *first = fetch->job;
    struct transport *transport = first->transport;
    struct sts_entry *entry = fetch->entry;
    struct instant now = host_now(transport->start.host);
    struct log_line line;
    struct list waiting;

    map_remove(&transport->sts, entry->domain);
    enum store_transport_tls_result result = STORE_TRANSPORT_TLS_RESULT_STS_FETCH;
    if (!problem && !take_policy(entry, text, now)) {
        problem = "the policy makes no sense";
        result = STORE_TRANSPORT_TLS_RESULT_STS_INVALID;
    }
    map_set(&transport->sts, entry->domain, entry);
    if (!problem)
        tell_store(transport, entry);
    else
        entry->retry_at = instant_after(now, duration_ms(RETRY_MS));
    if (problem && fetch->attempt && fetch->attempt->text.len == 0) {
        fetch->attempt->text = arena_copy(&first->arena, slice_of_string(problem));
        fetch->attempt->tls_result = result;
    }
    transport->sts_fetched += !problem;
    transport->sts_failures += problem != NULL;
    log_begin(&line, transport->start.host, problem ? HOST_LEVEL_NOTICE : HOST_LEVEL_INFO,
              problem ? "sts_failed" : "sts_policy");
    log_text(&line, "domain", entry->domain);
    if (problem)
        log_text(&line, "why", slice_of_string(problem));
    log_end(&line);
    sts_fetch_close(&first->fetch);
    list_init(&waiting);
    while (!list_is_empty(&entry->jobs)) {
        struct list *link = entry->jobs.next;
        list_remove(link);
        list_append(&waiting, link);
    }
    while (!list_is_empty(&waiting)) {
        struct transport_job *job = LIST_ITEM(waiting.next, struct transport_job, waiting_link);
        list_remove(&job->waiting_link);
        give_policy(job, entry);
        job_advance(job);
    }
}

/* ---- the connection ------------------------------------------------------------------------ */

static void
on_fetched(void *context, const struct fetch_result *result)
{
    struct transport_fetch *fetch = context;

    if (result->is_secured) {
        fetch->attempt->tls_result = STORE_TRANSPORT_TLS_RESULT_VERIFIED;
    } else if (result->tls_problem.len > 0) {
        /* RFC 8460 §4.3.2.2 */
        fetch->attempt->tls_result = STORE_TRANSPORT_TLS_RESULT_STS_WEBPKI;
        fetch->attempt->text =
            arena_copy(&fetch->job->arena, slice_first(result->tls_problem, 300));
    }
    conclude(fetch, result->text, result->problem);
}

void
sts_dialled(struct transport_job *job, struct transport_stream *stream)
{
    struct transport *transport = job->transport;
    struct transport_fetch *fetch = job->fetch;

    fetch->attempt = stream->attempt;
    fetch->fetch = fetch_open(&(struct fetch_options){
        .shared = transport->shared,
        .stream = stream->stream,
        .tls = transport_tls(transport, true),
        .server_name = fetch->host,
        .request = &(struct http_request){.host = fetch->host,
                                          .path = SLICE("/.well-known/mta-sts.txt"),
                                          .accept = SLICE("text/plain"),
                                          /* RFC 8461 §3.2: what somebody may leave on a web
                                           * server under that path is no policy. */
                                          .type = SLICE("text/plain")},
        .end = fetch->end,
        .done = on_fetched,
        .context = fetch,
    });
}

void
sts_dial_failed(struct transport_job *job)
{
    conclude(job->fetch, SLICE(""), "its host cannot be reached");
}

void
sts_fetch_close(struct transport_fetch **fetch)
{
    struct transport_fetch *old = *fetch;

    if (!old)
        return;
    fetch_close(&old->fetch);
    old->entry->fetch = NULL;
    free(old);
    *fetch = NULL;
}

/* ---- asking -------------------------------------------------------------------------------- */

static void
begin(struct transport_job *job, struct sts_entry *entry)
{
    struct transport_fetch *fetch = calloc(1, sizeof(*fetch));
    struct buffer host;

    if (!fetch)
        abort();
    buffer_init(&host, HOST_MAX);
    buffer_put_text(&host, "mta-sts.");
    buffer_put(&host, entry->domain);
    memcpy(fetch->host_bytes, buffer_slice(&host).at, buffer_len(&host));
    fetch->host = slice_of(fetch->host_bytes, buffer_len(&host));
    buffer_finish(&host);
    fetch->entry = entry;
    fetch->job = job;
    fetch->end = instant_after(host_now(job->transport->start.host), duration_ms(FETCH_MS));
    entry->fetch = job->fetch = fetch;
    entry->is_current = false;
    entry->id_len = job->carry.sts_id.len;
    memcpy(entry->id, job->carry.sts_id.at, entry->id_len);
    list_append(&entry->jobs, &job->waiting_link);
    job->dial = dial_open_policy(job, fetch->host, PORT_HTTPS);
}

bool
sts_prepare(struct transport_job *job)
{
    struct transport *transport = job->transport;
    const struct store_transport_carry *carry = &job->carry;
    struct slice id = carry->sts_id;

    if (job->is_sts_known || carry->sts_domain.len == 0)
        return true;
    struct sts_entry *entry = find_entry(transport, carry->sts_domain, id.len > 0);
    if (!entry) {
        job->is_sts_known = true;
        return true;
    }
    if (entry->fetch) {
        list_append(&entry->jobs, &job->waiting_link);
        return false;
    }
    struct instant now = host_now(transport->start.host);
    bool is_same = slice_equal(id, slice_of(entry->id, entry->id_len));
    bool is_fresh = is_same && entry->is_current && instant_is_before(now, entry->refresh_at);
    bool must_wait = is_same && instant_is_before(now, entry->retry_at);
    if (id.len == 0 || is_fresh || must_wait || carry->sts_addresses.count == 0 ||
        !transport_tls(transport, true)) {
        give_policy(job, entry);
        return true;
    }
    begin(job, entry);
    return false;
}

void
sts_forget_all(struct transport *transport)
{
    while (!list_is_empty(&transport->sts_recent))
        close_entry(transport, LIST_ITEM(transport->sts_recent.next, struct sts_entry, link));
    map_finish(&transport->sts);
}
