/* SPDX-License-Identifier: ISC */
/* One message on its way to one destination: hosts in their order, results, history, the answer. */
#include "role/transport/transport_role.h"

#include "host/address.h"
#include "host/log.h"
#include "mime/downgrade.h"

#include <stdlib.h>

enum { SIDE_STORE = 0, PORT_SUBMISSIONS = 465, CONVERT_ARENA_MAX = 64 * 1024 * 1024 };

/* ---- taking the note ----------------------------------------------------------------------- */

/* Sessions are shared only where everything that made them is the same. */
static void
make_key(struct transport_job *job)
{
    const struct store_transport_carry *carry = &job->carry;
    struct buffer key;

    buffer_init(&key, 4096);
    buffer_put(&key, carry->destination);
    buffer_put_byte(&key, 0);
    buffer_put(&key, carry->auth_name);
    buffer_put_byte(&key, 0);
    buffer_put(&key, carry->source_ipv4);
    buffer_put_byte(&key, 0);
    buffer_put(&key, carry->source_ipv6);
    buffer_put_byte(&key, 0);
    buffer_put_le16(&key, carry->port);
    buffer_put_byte(&key, carry->proxy);
    buffer_put_byte(&key, (uint8_t)carry->carrier);
    buffer_put_byte(&key, (uint8_t)carry->tls);
    buffer_put_byte(&key, (uint8_t)job->policy.mode);
    buffer_put_byte(&key, carry->requires_tls);
    buffer_put_byte(&key, (uint8_t)carry->errand); /* it has other times */
    job->key = arena_copy(&job->arena, buffer_slice(&key));
    buffer_finish(&key);
}

static bool
take_body(struct transport_job *job, host_handle handle)
{
    struct host *host = job->transport->start.host;
    struct slice body = job->carry.body;

    if (handle != HOST_HANDLE_NONE) {
        if (host_blob_map(host, handle, &job->mapping) < 0)
            return false;
        job->is_mapped = true;
        body = job->mapping.bytes;
    }
    job->content = slice_skip(body, job->carry.skip);
    return true;
}

static bool
is_turned(const struct transport_job *job)
{
    return job->carry.carrier == STORE_TRANSPORT_CARRIER_SMTP && job->carry.path.len > 0;
}

static bool
is_on_this_machine(const struct transport_job *job)
{
    return job->carry.carrier == STORE_TRANSPORT_CARRIER_LMTP && job->carry.path.len > 0;
}

/* The one host that there is to try is the socket. */
static void
name_socket(struct transport_job *job)
{
    struct store_transport_host *host = ARENA_NEW(&job->arena, struct store_transport_host);

    job->carry.hosts.at = host;
    job->carry.hosts.count = host != NULL;
    if (host)
        host->name = slice_first(job->carry.path, STORE_TRANSPORT_ATTEMPT_HOST_MAX);
}

/* Without recipients, a policy is all that there is to look after. */
static bool
is_job(const struct store_transport_note *note)
{
    const struct store_transport_carry *carry = &note->as.carry;

    if (note->kind == STORE_TRANSPORT_CARRY && carry->errand != STORE_TRANSPORT_ERRAND_NONE)
        return carry->recipients.count == 1 && carry->carrier == STORE_TRANSPORT_CARRIER_SMTP;
    return note->kind == STORE_TRANSPORT_CARRY &&
           (carry->recipients.count > 0 || carry->carrier == STORE_TRANSPORT_CARRIER_DISCARD);
}

/* For as many recipients as there are: a job is short, and most have one. */
static bool
make_tables(struct transport_job *job)
{
    size_t count = job->carry.recipients.count + 1;

    job->results = ARENA_ARRAY(&job->arena, struct store_transport_result, count);
    job->is_settled = ARENA_ARRAY(&job->arena, bool, count);
    job->recipients = ARENA_ARRAY(&job->arena, struct smtp_client_recipient, count);
    job->places = ARENA_ARRAY(&job->arena, uint8_t, count);
    return !arena_failed(&job->arena);
}

bool
job_open(struct transport *transport, struct slice note, host_handle handle,
         struct transport_job **ret_job)
{
    struct transport_job *job = calloc(1, sizeof(*job));
    struct store_transport_note taken;

    if (!job)
        abort();
    job->transport = transport;
    arena_init(&job->arena, TRANSPORT_JOB_ARENA_MAX);
    buffer_init(&job->converted, UINT32_MAX);
    list_init(&job->link);
    list_init(&job->waiting_link);
    job->reach = STORE_TRANSPORT_REACH_UNREACHABLE;
    job->has_secret = true; /* unless it is seen that there is none */
    job->taken = host_now(transport->start.host);
    struct slice copy = arena_copy(&job->arena, note);
    bool is_good =
        store_transport_take(copy, handle, SIDE_STORE, &transport->ledger, &job->arena, &taken);
    if (!is_good || !is_job(&taken)) {
        if (is_good && taken.kind == STORE_TRANSPORT_TURN)
            turn_open(transport, &taken.as.turn);
        else
            is_good = is_good && taken.kind == STORE_TRANSPORT_POLICY &&
                      sts_take_known(transport, &taken.as.policy);
        job_close(&job);
        return is_good;
    }
    job->carry = taken.as.carry;
    job->has_secret = job->carry.auth_secret.len > 0;
    if (!make_tables(job)) {
        job_close(&job);
        return false;
    }
    if (is_on_this_machine(job))
        name_socket(job);
    list_append(&transport->jobs, &job->link);
    if (!take_body(job, handle))
        job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 3, 0),
                    SLICE("the message cannot be read"));
    *ret_job = job;
    return true;
}

void
job_close(struct transport_job **job)
{
    struct transport_job *old = *job;

    if (!old)
        return;
    dial_close(&old->dial);
    sts_fetch_close(&old->fetch);
    errand_close(&old->errand);
    list_remove(&old->link);
    list_remove(&old->waiting_link);
    if (old->is_mapped)
        host_blob_unmap(old->transport->start.host, &old->mapping);
    buffer_finish(&old->converted);
    if (old->has_secret)
        arena_wipe(&old->arena);
    else
        arena_finish(&old->arena);
    free(old);
    *job = NULL;
}

/* ---- results and history ------------------------------------------------------------------- */

struct store_transport_attempt *
job_attempt(struct transport_job *job, struct slice host, const struct host_address *address)
{
    size_t place = job->attempt_count < TRANSPORT_ATTEMPTS_MAX ? job->attempt_count++
                                                               : TRANSPORT_ATTEMPTS_MAX - 1;
    job->attempts[place] = (struct store_transport_attempt){
        .host = host,
        .address = arena_copy(&job->arena, host_address_bytes(address)),
        .port = address->port,
        .tls = SLICE(""),
        .text = SLICE(""),
    };
    job->attempt = (uint8_t)place;
    return &job->attempts[place];
}

static struct slice
format_status(struct transport_job *job, struct envelope_status status)
{
    struct buffer text;

    buffer_init(&text, STORE_TRANSPORT_CARRY_STATUS_MAX);
    if (envelope_status_is_given(status))
        envelope_status_put(&text, status);
    struct slice copy = arena_copy(&job->arena, buffer_slice(&text));
    buffer_finish(&text);
    return copy;
}

static void
set_result(struct transport_job *job, size_t place, enum store_transport_outcome outcome,
           uint16_t code, struct slice status, struct slice text)
{
    job->results[place] = (struct store_transport_result){
        .outcome = outcome,
        .code = code,
        .status = status,
        .text = text,
        .attempt = job->attempt,
    };
}

void
job_set_all(struct transport_job *job, enum store_transport_outcome outcome, uint16_t code,
            struct envelope_status status, struct slice text)
{
    struct slice status_text = format_status(job, status);
    struct slice copy = arena_copy(&job->arena, slice_first(text, SMTP_CLIENT_TEXT_MAX));

    for (size_t i = 0; i < job->carry.recipients.count; i++) {
        if (!job->is_settled[i])
            set_result(job, i, outcome, code, status_text, copy);
    }
}

void
job_take_result(struct transport_job *job, const struct smtp_client_event *event)
{
    static const enum store_transport_outcome outcomes[] = {
        [SMTP_CLIENT_DELIVERED] = STORE_TRANSPORT_OUTCOME_DELIVERED,
        [SMTP_CLIENT_TEMPORARY] = STORE_TRANSPORT_OUTCOME_TEMPORARY,
        [SMTP_CLIENT_PERMANENT] = STORE_TRANSPORT_OUTCOME_PERMANENT,
        [SMTP_CLIENT_UNKNOWN] = STORE_TRANSPORT_OUTCOME_UNKNOWN,
    };
    size_t place = job->places[event->recipient];

    set_result(job, place, outcomes[event->outcome], event->reply.code,
               format_status(job, event->reply.status), arena_copy(&job->arena, event->reply.text));
    job->results[place].dsn_passed = event->dsn_passed;
    job->results[place].by_passed = event->by_passed;
    job->is_settled[place] = !event->is_of_session && !event->is_too_many;
    job->has_progress |= job->is_settled[place];
    job->wants_more |= event->is_too_many;
    if (job->is_settled[place])
        job->reach = STORE_TRANSPORT_REACH_REACHED;
}

bool
job_is_settled(const struct transport_job *job)
{
    for (size_t i = 0; i < job->carry.recipients.count; i++) {
        if (!job->is_settled[i])
            return false;
    }
    return true;
}

/* ---- the transaction ----------------------------------------------------------------------- */

static struct envelope_mail_parameters
parameters_of(const struct transport_job *job)
{
    const struct store_transport_carry *carry = &job->carry;
    struct instant now = host_now(job->transport->start.host);
    /* What it has waited here is part of its time (RFC 2852 §4.1.4). */
    int64_t deliver_by_s = carry->deliver_by_s - instant_since(now, job->taken).ns / 1000000000;
    static const enum envelope_ret rets[] = {
        [STORE_TRANSPORT_RET_NONE] = ENVELOPE_RET_NONE,
        [STORE_TRANSPORT_RET_FULL] = ENVELOPE_RET_FULL,
        [STORE_TRANSPORT_RET_HEADERS] = ENVELOPE_RET_HDRS,
    };
    bool is_priority_sound = carry->has_priority && carry->priority >= -9 && carry->priority <= 9;
    bool is_time_sound = deliver_by_s >= -999999999 && deliver_by_s <= 999999999;

    return (struct envelope_mail_parameters){
        .ret = rets[carry->ret],
        .envid = carry->envelope_id,
        .is_utf8 = carry->is_utf8,
        .requires_tls = carry->requires_tls,
        .has_priority = is_priority_sound,
        .priority = (int8_t)(is_priority_sound ? carry->priority : 0),
        .has_deliver_by = carry->has_deliver_by && is_time_sound,
        .deliver_by_s = is_time_sound ? (int32_t)deliver_by_s : 0,
        .deliver_by_returns = carry->deliver_by_returns,
        .deliver_by_traces = carry->deliver_by_traces,
    };
}

void
job_make_message(struct transport_job *job)
{
    const struct store_transport_carry *carry = &job->carry;
    size_t count = 0;

    for (size_t i = 0; i < carry->recipients.count; i++) {
        const struct store_transport_recipient *from = &carry->recipients.at[i];
        if (job->is_settled[i])
            continue;
        job->places[count] = (uint8_t)i;
        job->recipients[count++] = (struct smtp_client_recipient){
            .address = from->address,
            .parameters = {.notify = from->notify,
                           .orcpt_type = from->original_type,
                           .orcpt = from->original},
        };
    }
    job->has_progress = job->wants_more = false;
    job->message = (struct smtp_client_message){
        .reverse_path = carry->reverse_path,
        .parameters = parameters_of(job),
        .recipients = job->recipients,
        .recipients_count = count,
        .content = job->content,
        .is_binary = carry->content == STORE_TRANSPORT_CONTENT_BINARY,
    };
}

/* Kept: another host may want it too. */
const struct slice *
job_convert(struct transport_job *job)
{
    struct mime_downgrade downgrade;
    struct arena arena;
    struct log_line line;

    if (job->converted_content.len > 0)
        return &job->converted_content;
    arena_init(&arena, CONVERT_ARENA_MAX);
    bool is_put = mime_downgrade_put(job->content, &arena, &job->converted, &downgrade);
    arena_finish(&arena);
    if (!is_put)
        return NULL;
    job->converted_content = buffer_slice(&job->converted);
    log_begin(&line, job->transport->start.host, HOST_LEVEL_INFO, "converted");
    log_text(&line, "id", job->carry.queue_id);
    log_number(&line, "parts", downgrade.parts);
    log_bool(&line, "breaks_signature", downgrade.breaks_signature);
    log_end(&line);
    return &job->converted_content;
}

/* ---- hosts --------------------------------------------------------------------------------- */

static bool
has_tlsa(const struct transport_job *job, size_t host)
{
    for (size_t i = 0; i < job->carry.tlsa.count; i++) {
        if (job->carry.tlsa.at[i].host == host)
            return true;
    }
    return false;
}

struct transport_manner
job_manner(const struct transport_job *job, size_t host)
{
    const struct store_transport_carry *carry = &job->carry;
    struct transport_manner manner = {.tls = SMTP_CLIENT_TLS_OFFERED, .may_fall_back = true};
    bool is_dane = carry->tls == STORE_TRANSPORT_TLS_DANE && carry->hosts.at[host].is_secure &&
                   has_tlsa(job, host);

    /* Nobody listens between two processes of one machine. */
    if (is_on_this_machine(job) || is_turned(job))
        return (struct transport_manner){.tls = SMTP_CLIENT_TLS_NEVER};
    /* RFC 8461 §5: a policy in test is tried, and told about when it fails. */
    bool is_testing = job->policy.mode == ROUTING_STS_TESTING;

    /* RFC 8461 §2: where there is DANE, it counts, and not the policy. RFC 8689 §4.2.1: REQUIRETLS
     * needs a host that is proven. */
    if (carry->tls == STORE_TRANSPORT_TLS_VERIFY ||
        (!is_dane && (job->policy.mode == ROUTING_STS_ENFORCE || carry->requires_tls)))
        manner = (struct transport_manner){.tls = SMTP_CLIENT_TLS_REQUIRED, .is_verified = true};
    else if (is_dane || carry->tls == STORE_TRANSPORT_TLS_ENCRYPT)
        manner = (struct transport_manner){.tls = SMTP_CLIENT_TLS_REQUIRED};
    else if (carry->tls == STORE_TRANSPORT_TLS_NONE || job->fallen > is_testing)
        manner = (struct transport_manner){.tls = SMTP_CLIENT_TLS_NEVER};
    else
        manner.is_verified = is_testing && job->fallen == 0;
    manner.is_implicit = carry->port == PORT_SUBMISSIONS && carry->tls != STORE_TRANSPORT_TLS_NONE;
    if (manner.is_implicit)
        manner.may_fall_back = false;
    return manner;
}

static bool
is_allowed_by_policy(const struct transport_job *job, struct slice host)
{
    return job->policy.mode != ROUTING_STS_ENFORCE || routing_sts_allows(&job->policy, host);
}

/* False: the host must not be tried, and why is in the history. */
static bool
may_try(struct transport_job *job, size_t place)
{
    const struct store_transport_host *host = &job->carry.hosts.at[place];
    const struct host_address nowhere = {.family = HOST_FAMILY_UNIX, .port = job->carry.port};
    struct store_transport_attempt *attempt;
    const char *why;

    if (host->tlsa_failed) {
        attempt = job_attempt(job, host->name, &nowhere);
        attempt->tls_result = STORE_TRANSPORT_TLS_RESULT_DNSSEC_INVALID;
        why = "its TLSA records could not be had (RFC 7672)";
    } else if (!is_allowed_by_policy(job, host->name)) {
        attempt = job_attempt(job, host->name, &nowhere);
        attempt->tls_result = STORE_TRANSPORT_TLS_RESULT_HOST_MISMATCH;
        why = "the domain's policy does not name this host (RFC 8461)";
    } else {
        return true;
    }
    attempt->text = slice_of_string(why);
    job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 7, 5), attempt->text);
    return false;
}

/* ---- going on ------------------------------------------------------------------------------ */

/* Carriers that need nobody else. True: it was one. */
static bool
settle_alone(struct transport_job *job)
{
    struct cursor status = cursor_of(job->carry.status);
    struct envelope_status parsed = ENVELOPE_STATUS(5, 0, 0);

    switch (job->carry.carrier) {
    case STORE_TRANSPORT_CARRIER_DISCARD:
        job_set_all(job, STORE_TRANSPORT_OUTCOME_DELIVERED, 250, ENVELOPE_STATUS(2, 0, 0),
                    SLICE("discarded"));
        return true;
    case STORE_TRANSPORT_CARRIER_ERROR:
        (void)!envelope_status_take(&status, &parsed);
        job_set_all(job,
                    job->carry.code / 100 == 4 ? STORE_TRANSPORT_OUTCOME_TEMPORARY
                                               : STORE_TRANSPORT_OUTCOME_PERMANENT,
                    job->carry.code, parsed, job->carry.text);
        return true;
    case STORE_TRANSPORT_CARRIER_PIPE:
        job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 3, 5),
                    SLICE("the option programs has no program"));
        return true;
    case STORE_TRANSPORT_CARRIER_LMTP:
    case STORE_TRANSPORT_CARRIER_SMTP:
    case STORE_TRANSPORT_CARRIER_COUNT:
        break;
    }
    return job->content.at == NULL && job->results[0].text.len > 0;
}

void
job_advance(struct transport_job *job)
{
    struct transport *transport = job->transport;
    struct transport_session *kept;

    assert(!job->dial && !job->session);
    if (job->carry.recipients.count == 0 && !sts_prepare(job))
        return;
    if (job_is_settled(job) || settle_alone(job)) {
        job_finish(job);
        return;
    }
    if (!sts_prepare(job))
        return;
    if (job->key.len == 0)
        make_key(job);
    if (is_turned(job)) {
        turn_take(job);
        return;
    }
    kept = job->is_in_vain ? NULL : session_find(transport, job->key);
    if (kept) {
        job->rounds = 0;
        session_take(kept, job);
        return;
    }
    while (job->host < job->carry.hosts.count && !may_try(job, job->host))
        job->host++;
    if (job->host >= job->carry.hosts.count) {
        job_finish(job);
    } else if (transport->session_count >= TRANSPORT_SESSIONS_MAX) {
        list_append(&transport->waiting, &job->waiting_link);
        session_quit_oldest(transport); /* its end brings the job back */
    } else if (is_on_this_machine(job)) {
        job->host++;
        reach_begin(job);
    } else {
        job->dial = dial_open(job, job->host++);
    }
}

void
job_dialled(struct transport_job *job, struct transport_stream *stream)
{
    size_t host = job->host - 1;

    dial_close(&job->dial);
    if (job->fetch) {
        sts_dialled(job, stream);
        return;
    }
    job->attempt = (uint8_t)(stream->attempt - job->attempts);
    job->rounds = 0;
    session_open(job, stream, host, job_manner(job, host));
}

void
job_dial_failed(struct transport_job *job)
{
    struct buffer text;

    dial_close(&job->dial);
    if (job->fetch) {
        sts_dial_failed(job);
        return;
    }
    buffer_init(&text, SMTP_CLIENT_TEXT_MAX);
    buffer_put(&text, job->carry.hosts.at[job->host - 1].name);
    buffer_put_text(&text, ": ");
    buffer_put(&text, job->attempts[job->attempt].text);
    /* RFC 3463 §3.5: no answer from host. */
    job_set_all(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, ENVELOPE_STATUS(4, 4, 1),
                buffer_slice(&text));
    buffer_finish(&text);
    job->fallen = 0;
    job_advance(job);
}

void
job_session_over(struct transport_job *job, bool is_tls_failure)
{
    job->session = NULL;
    job->is_in_vain = !job->has_progress;
    /* RFC 7435: what is only opportunistic must not keep mail back. */
    bool falls_back =
        is_tls_failure && job->host > 0 && job_manner(job, job->host - 1).may_fall_back;
    job->fallen = falls_back ? job->fallen + 1 : 0;
    if (falls_back)
        job->host--;
    job_advance(job);
}

/* ---- the answer ---------------------------------------------------------------------------- */

static void
count_results(struct transport_job *job)
{
    struct transport *transport = job->transport;
    uint64_t *const counters[] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = &transport->delivered,
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = &transport->temporary,
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = &transport->permanent,
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = &transport->unknown,
    };

    for (size_t i = 0; i < job->carry.recipients.count; i++)
        (*counters[job->results[i].outcome])++;
    transport->carried++;
}

static void
log_results(const struct transport_job *job)
{
    static const char *const names[] = {
        [STORE_TRANSPORT_OUTCOME_DELIVERED] = "delivered",
        [STORE_TRANSPORT_OUTCOME_TEMPORARY] = "temporary",
        [STORE_TRANSPORT_OUTCOME_PERMANENT] = "permanent",
        [STORE_TRANSPORT_OUTCOME_UNKNOWN] = "unknown",
    };
    struct log_line line;

    for (size_t i = 0; i < job->carry.recipients.count; i++) {
        const struct store_transport_result *result = &job->results[i];
        log_begin(&line, job->transport->start.host, HOST_LEVEL_INFO, "carried");
        log_text(&line, "id", job->carry.queue_id);
        log_address(&line, "to", job->carry.recipients.at[i].address);
        log_string(&line, "outcome", names[result->outcome]);
        if (result->attempt < job->attempt_count) {
            log_text(&line, "host", job->attempts[result->attempt].host);
            log_text(&line, "tls", job->attempts[result->attempt].tls);
        }
        log_number(&line, "code", result->code);
        log_text(&line, "status", result->status);
        log_text(&line, "text", result->text);
        log_end(&line);
    }
}

void
job_finish(struct transport_job *job)
{
    struct transport *transport = job->transport;
    struct store_transport_carried carried = {
        .id = job->carry.id,
        .reach = job->reach,
        .results = {job->results, job->carry.recipients.count},
        .attempts = {job->attempts, job->attempt_count},
    };

    for (size_t i = 0; i < job->carry.recipients.count; i++) {
        if (job->results[i].text.at == NULL)
            set_result(job, i, STORE_TRANSPORT_OUTCOME_TEMPORARY, 0, SLICE("4.4.1"),
                       SLICE("there is no host to carry it to"));
    }
    count_results(job);
    if (job->carry.errand == STORE_TRANSPORT_ERRAND_NONE)
        log_results(job);
    report_tls(job);
    bool is_put = store_transport_put_carried(&transport->note, &transport->ledger, &carried);
    assert(is_put);
    if (transport->channel)
        host_channel_send(transport->channel, buffer_slice(&transport->note), HOST_HANDLE_NONE);
    buffer_clear(&transport->note);
    job_close(&job);
    transport_work_waiting(transport);
}
