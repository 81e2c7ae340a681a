/* SPDX-License-Identifier: ISC */
/* What is wanted of a host beside carrying mail: which names a domain has that it keeps (XNAMES,
 * docs/why/085-names-for-a-secondary.md), or whether it would take mail for an address. The host is
 * not trusted: names are looked at one by one, their number, octets, pages and time are bounded,
 * and a list that is wrong anywhere is as if it had not come. */
#include "role/transport/transport_role.h"

#include "base/cursor.h"
#include "directory/names.h"
#include "envelope/xtext.h"
#include "text/utf8.h"

#include <stdlib.h>

enum {
    LINE_ARENA_MAX = 64 * 1024,
    BEGINNINGS_MAX = 3, /* of a list that changes while it is told */
};

enum probe_step { PROBE_MAIL, PROBE_RCPT, PROBE_RSET };

struct transport_errand {
    struct host_blob *blob; /* the names so far */
    uint64_t serial;
    uint64_t count, bytes;
    uint32_t from; /* where the page begins that was asked for */
    unsigned beginnings;
    enum probe_step step;
};

/* ---- results ------------------------------------------------------------------------------- */

static void
settle(struct transport_job *job, enum store_transport_outcome outcome,
       const struct smtp_client_reply *reply)
{
    job_set_all(job, outcome, reply->code, reply->status, reply->text);
    job->is_settled[0] = true;
    job->reach = STORE_TRANSPORT_REACH_REACHED;
}

static void
give_up(struct transport_job *job, const char *why)
{
    settle(job, STORE_TRANSPORT_OUTCOME_TEMPORARY,
           &(struct smtp_client_reply){.status = ENVELOPE_STATUS(4, 5, 0),
                                       .text = slice_of_string(why)});
}

/* ---- names --------------------------------------------------------------------------------- */

static struct slice
domain_of(const struct transport_job *job)
{
    return job->carry.recipients.at[0].address;
}

/* From the first page; a list that was begun is thrown away. */
static bool
begin_list(struct transport_job *job)
{
    struct transport_errand *errand = job->errand;

    host_blob_close(&errand->blob);
    errand->count = errand->bytes = errand->from = 0;
    if (errand->beginnings++ < BEGINNINGS_MAX &&
        host_blob_open(job->transport->start.host, &errand->blob) == 0)
        return true;
    give_up(job, errand->blob ? "there is no memory for its names"
                              : "its names change faster than they are told");
    return false;
}

static void
put_names_command(const struct transport_job *job, struct buffer *command)
{
    char rest[64];
    bool is_first = job->errand->from == 0;

    buffer_put_text(command, "XNAMES ");
    buffer_put(command, domain_of(job));
    snprintf(rest, sizeof(rest), " %llu %u",
             (unsigned long long)(is_first ? job->carry.errand_serial : job->errand->serial),
             job->errand->from);
    buffer_put_text(command, rest);
}

/* One name of a line. False when it is none. */
static bool
keep_name(struct transport_job *job, struct arena *arena, struct slice word)
{
    struct transport_errand *errand = job->errand;
    struct slice local, name, domain = domain_of(job);
    struct buffer line;

    arena_reset(arena);
    if (++errand->count > DIRECTORY_NAMES_MAX || !envelope_xtext_decode(word, arena, &local))
        return false;
    buffer_init(&line, DIRECTORY_NAME_MAX + 1);
    if (!slice_equal(local, SLICE("@")))
        buffer_put(&line, local);
    buffer_put_byte(&line, '@');
    buffer_put(&line, domain);
    bool is_good =
        !buffer_overflowed(&line) && directory_name_take(arena, domain, buffer_slice(&line), &name);
    buffer_put_byte(&line, '\n');
    errand->bytes += buffer_len(&line);
    is_good = is_good && !buffer_overflowed(&line) && errand->bytes <= DIRECTORY_NAMES_BYTES_MAX &&
              host_blob_put(errand->blob, buffer_slice(&line)) == 0;
    buffer_finish(&line);
    return is_good;
}

/* The lines of a page behind its first. */
static bool
keep_names(struct transport_job *job, struct slice lines)
{
    struct arena arena;
    bool is_good = true;

    arena_init(&arena, LINE_ARENA_MAX);
    while (is_good && lines.len > 0) {
        size_t end = 0;
        while (end < lines.len && lines.at[end] != ' ' && lines.at[end] != '\n')
            end++;
        if (end > 0)
            is_good = keep_name(job, &arena, slice_first(lines, end));
        lines = slice_skip(lines, end + 1);
    }
    arena_finish(&arena);
    return is_good;
}

/* All of it is there. */
static void
tell_names(struct transport_job *job, const struct smtp_client_reply *reply)
{
    struct transport *transport = job->transport;
    struct store_transport_names note = {
        .id = job->carry.id,
        .serial = job->errand->serial,
        .count = (uint32_t)job->errand->count,
    };

    if (host_blob_seal(&job->errand->blob, &note.names) < 0) {
        give_up(job, "there is no memory for its names");
        return;
    }
    bool is_put = store_transport_put_names(&transport->note, &transport->ledger, &note);
    assert(is_put);
    if (transport->channel)
        host_channel_send(transport->channel, buffer_slice(&transport->note), note.names);
    else
        host_handle_close(transport->start.host, note.names);
    buffer_clear(&transport->note);
    settle(job, STORE_TRANSPORT_OUTCOME_DELIVERED, reply);
}

/* A page: "SERIAL same", "SERIAL end" or "SERIAL NEXT", and lines of names. True: another page is
 * to be asked for. */
static bool
take_page(struct transport_job *job, const struct smtp_client_event *event)
{
    struct transport_errand *errand = job->errand;
    size_t end = slice_find_byte(event->answer, '\n');
    struct cursor cursor = cursor_of(slice_first(event->answer, end));
    bool is_first = errand->from == 0;
    uint64_t serial;
    uint32_t next;

    if (!cursor_take_u64(&cursor, 1, UINT64_MAX, &serial) || !cursor_take_byte(&cursor, ' ')) {
        give_up(job, "what the host said is no list of names");
        return false;
    }
    if (is_first && serial == job->carry.errand_serial &&
        slice_equal(cursor_rest(&cursor), SLICE("same"))) {
        settle(job, STORE_TRANSPORT_OUTCOME_DELIVERED, &event->reply);
        return false;
    }
    if (!is_first && serial != errand->serial)
        return begin_list(job);
    errand->serial = serial;
    bool is_last = slice_equal(cursor_rest(&cursor), SLICE("end"));
    if (!is_last && (!cursor_take_u32(&cursor, 1, UINT32_MAX, &next) || !cursor_is_done(&cursor) ||
                     next <= errand->from || end == event->answer.len)) {
        give_up(job, "what the host said is no list of names");
        return false;
    }
    if (!keep_names(job, slice_skip(event->answer, end + 1))) {
        give_up(job, "a name in the host's list is none of that domain, or there are too many");
        return false;
    }
    if (is_last)
        tell_names(job, &event->reply);
    else
        errand->from = next;
    return !is_last;
}

static bool
take_names(struct transport_job *job, const struct smtp_client_event *event)
{
    struct instant now = host_now(job->transport->start.host);
    struct instant end = instant_after(job->taken, duration_s(TRANSPORT_NAMES_S));

    if (instant_is_before(end, now)) {
        give_up(job, "the host tells its names too slowly");
        return false;
    }
    if (event->reply.code == 450)
        return begin_list(job);
    if (event->reply.code / 100 == 2)
        return take_page(job, event);
    settle(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, &event->reply);
    return false;
}

/* ---- probes -------------------------------------------------------------------------------- */

static void
put_probe_command(const struct transport_job *job, bool has_utf8, struct buffer *command)
{
    static const char *const words[] = {
        [PROBE_MAIL] = "MAIL FROM:<>", [PROBE_RCPT] = "RCPT TO:<", [PROBE_RSET] = "RSET"};
    enum probe_step step = job->errand->step;
    struct slice address = domain_of(job);

    buffer_put_text(command, words[step]);
    if (step == PROBE_MAIL && has_utf8 && !utf8_is_ascii(address))
        buffer_put_text(command, " SMTPUTF8");
    if (step != PROBE_RCPT)
        return;
    buffer_put(command, address);
    buffer_put_byte(command, '>');
}

/* What the host thinks of the null sender says nothing of the address. */
static bool
take_probe(struct transport_job *job, const struct smtp_client_event *event)
{
    static const enum store_transport_outcome outcomes[] = {[2] = STORE_TRANSPORT_OUTCOME_DELIVERED,
                                                            [3] = STORE_TRANSPORT_OUTCOME_TEMPORARY,
                                                            [4] = STORE_TRANSPORT_OUTCOME_TEMPORARY,
                                                            [5] =
                                                                STORE_TRANSPORT_OUTCOME_PERMANENT};
    unsigned class = event->reply.code / 100;

    switch (job->errand->step) {
    case PROBE_MAIL:
        if (class != 2) {
            settle(job, STORE_TRANSPORT_OUTCOME_TEMPORARY, &event->reply);
            return false;
        }
        job->errand->step = PROBE_RCPT;
        return true;
    case PROBE_RCPT:
        settle(job,
               class < COUNT_OF(outcomes) ? outcomes[class] : STORE_TRANSPORT_OUTCOME_TEMPORARY,
               &event->reply);
        job->errand->step = PROBE_RSET;
        return true;
    case PROBE_RSET:
        break;
    }
    return false;
}

/* ---- both ---------------------------------------------------------------------------------- */

bool
errand_begin(struct transport_job *job, const struct smtp_client_facts *facts,
             struct buffer *command)
{
    bool has_utf8 = facts->extensions & ENVELOPE_SMTPUTF8;

    if (!job->errand) {
        job->errand = calloc(1, sizeof(*job->errand));
        if (!job->errand)
            abort();
    }
    job->errand->step = PROBE_MAIL;
    job->errand->beginnings = 0;
    if (job->carry.errand == STORE_TRANSPORT_ERRAND_PROBE) {
        if (has_utf8 || utf8_is_ascii(domain_of(job))) {
            put_probe_command(job, has_utf8, command);
            return true;
        }
        give_up(job, "the host does not take internationalised addresses (SMTPUTF8)");
        return false;
    }
    if (!begin_list(job))
        return false;
    put_names_command(job, command);
    return true;
}

bool
errand_answered(struct transport_job *job, const struct smtp_client_event *event,
                struct buffer *command)
{
    bool is_probe = job->carry.errand == STORE_TRANSPORT_ERRAND_PROBE;
    bool has_more = is_probe ? take_probe(job, event) : take_names(job, event);

    if (has_more && is_probe)
        put_probe_command(job, true, command);
    else if (has_more)
        put_names_command(job, command);
    return has_more;
}

void
errand_close(struct transport_errand **errand)
{
    if (!*errand)
        return;
    host_blob_close(&(*errand)->blob);
    free(*errand);
    *errand = NULL;
}
