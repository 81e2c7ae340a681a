/* SPDX-License-Identifier: ISC */
/* ATRN (RFC 2645): the store has a transport carry what waits over the customer's own connection.
 * TLS stays here, so what both say passes through here, and is not looked at. */
#include "role/smtp/smtp.h"

#include <errno.h>
#include <stdlib.h>

enum { PIPE_MAX = 64 * 1024, PIECE_MAX = 16 * 1024 };

struct smtp_turned {
    struct smtp_session *session;
    struct host_stream *stream; /* to the transport */
    struct buffer coming;       /* from it */
    bool is_blocked;            /* it takes no more for now */
    bool has_ended;
};

/* ---- bytes --------------------------------------------------------------------------------- */

static void on_pipe(void *context, unsigned events);

static void
watch(struct smtp_turned *turned)
{
    unsigned events = turned->is_blocked ? HOST_WRITABLE : 0;

    if (buffer_len(&turned->coming) < PIPE_MAX)
        events |= HOST_READABLE;
    host_stream_watch(turned->stream, turned->has_ended ? 0 : events, on_pipe, turned);
}

static void
on_pipe(void *context, unsigned events)
{
    struct smtp_turned *turned = context;
    uint8_t piece[PIECE_MAX];

    if (events & HOST_WRITABLE)
        turned->is_blocked = false;
    if (events & HOST_READABLE) {
        int64_t len = host_stream_read(turned->stream, piece, sizeof(piece));
        if (len > 0)
            buffer_put(&turned->coming, slice_of(piece, (size_t)len));
        else if (len != -EAGAIN)
            turned->has_ended = true;
    }
    watch(turned);
    connection_wake(turned->session->connection);
}

/* ---- the engine, as the connection sees it: first the last words of the one before ----------- */

static size_t
engine_feed(void *engine, struct slice input, struct instant now)
{
    struct smtp_turned *turned = engine;
    (void)now;

    int64_t len = turned->has_ended ? (int64_t)input.len : host_stream_write(turned->stream, input);
    if (len >= 0 && (turned->has_ended || len == (int64_t)input.len))
        return (size_t)len;
    turned->is_blocked = len >= 0 || len == -EAGAIN;
    turned->has_ended = !turned->is_blocked;
    watch(turned);
    return len > 0 ? (size_t)len : 0;
}

static struct slice
engine_output(const void *engine)
{
    const struct smtp_turned *turned = engine;
    struct slice before = smtp_server_output(turned->session->engine);

    return before.len > 0 ? before : buffer_slice(&turned->coming);
}

static void
engine_sent(void *engine, size_t len, struct instant now)
{
    struct smtp_turned *turned = engine;

    if (smtp_server_output(turned->session->engine).len > 0) {
        smtp_server_sent(turned->session->engine, len, now);
        return;
    }
    buffer_consume(&turned->coming, len);
    watch(turned);
}

/* The transport's clock counts. */
static const struct engine_kind engine_kind = {
    .feed = engine_feed,
    .output = engine_output,
    .sent = engine_sent,
};

void
smtp_turned_process(struct smtp_session *session)
{
    if (session->turned->has_ended && buffer_len(&session->turned->coming) == 0)
        connection_finish(session->connection);
}

void
smtp_turned_close(struct smtp_turned **turned)
{
    if (!*turned)
        return;
    host_stream_close(&(*turned)->stream);
    buffer_finish(&(*turned)->coming);
    free(*turned);
    *turned = NULL;
}

/* ---- whose mail ---------------------------------------------------------------------------- */

/* Puts the customer's domains; those that were asked for, or all. False when one of them is not
 * the customer's, or there is none. */
static bool
put_domains(const struct smtp_session *session, struct slice asked, struct buffer *domains)
{
    const struct config_strings *rows = &session->role->config->atrn;
    struct slice identity = smtp_server_facts(session->engine).identity, who, domain;
    size_t wanted = 0, found = 0;

    for (struct slice rest = asked; rest.len > 0;
         rest = slice_skip(rest, slice_find_byte(rest, ',') + 1))
        wanted++;
    for (size_t i = 0; i < rows->count; i++) {
        if (!config_pair(rows->at[i], &who, &domain) || !slice_equal_nocase(who, identity))
            continue;
        bool is_wanted = wanted == 0;
        for (struct slice rest = asked; rest.len > 0 && !is_wanted;
             rest = slice_skip(rest, slice_find_byte(rest, ',') + 1))
            is_wanted = slice_equal_nocase(slice_first(rest, slice_find_byte(rest, ',')), domain);
        if (!is_wanted)
            continue;
        for (size_t k = 0; k < domain.len; k++)
            buffer_put_byte(domains, byte_to_lower(domain.at[k]));
        buffer_put_byte(domains, ' ');
        found++;
    }
    return found > 0 && found >= wanted && !buffer_overflowed(domains);
}

void
smtp_session_on_turn(struct smtp_session *session, struct slice asked)
{
    static const struct smtp_verdict refused = {
        .code = 450, .status = ENVELOPE_STATUS(4, 7, 1), .text = SLICE("ATRN request refused")};
    static const struct smtp_verdict busy = {.code = 451,
                                             .status = ENVELOPE_STATUS(4, 3, 0),
                                             .text = SLICE("Unable to process ATRN request now")};
    struct buffer domains;

    buffer_init(&domains, SMTP_STORE_TURN_DOMAINS_MAX);
    if (session->account == 0 || !put_domains(session, asked, &domains))
        smtp_session_answer(session, &refused);
    else if (!smtp_session_ask_turn(session, buffer_slice(&domains)))
        smtp_session_answer(session, &busy);
    buffer_finish(&domains);
}

/* ---- the turn ------------------------------------------------------------------------------ */

/* The store's transport is at the other end: from here on the connection is its own. */
static bool
turn(struct smtp_session *session, host_handle handle)
{
    struct smtp_turned *turned = calloc(1, sizeof(*turned));
    struct log_line line;

    if (!turned)
        abort();
    if (host_stream_adopt(session->role->host, handle, &turned->stream) < 0) {
        free(turned);
        return false;
    }
    turned->session = session;
    buffer_init(&turned->coming, PIPE_MAX + PIECE_MAX);
    session->turned = turned;
    smtp_session_log(&line, session, HOST_LEVEL_INFO, "turned");
    log_end(&line);
    smtp_session_answer(session, &(struct smtp_verdict){0});
    connection_change_engine(session->connection, &engine_kind, turned);
    watch(turned);
    return true;
}

void
smtp_session_on_turned(struct smtp_session *session, const struct smtp_store_turned *note,
                       host_handle handle)
{
    static const struct smtp_verdict words[SMTP_STORE_TURN_RESULT_COUNT] = {
        [SMTP_STORE_TURN_RESULT_NONE] = {.code = 453,
                                         .status = ENVELOPE_STATUS(4, 2, 0),
                                         .text = SLICE("You have no mail")},
        [SMTP_STORE_TURN_RESULT_BUSY] = {.code = 451,
                                         .status = ENVELOPE_STATUS(4, 3, 0),
                                         .text = SLICE("Unable to process ATRN request now")},
    };
    bool is_ready = note->result == SMTP_STORE_TURN_RESULT_READY && handle != HOST_HANDLE_NONE;

    if (session->waiting != WAITING_TURN) {
        host_handle_close(session->role->host, handle);
        return;
    }
    if (!is_ready || !turn(session, handle))
        smtp_session_answer(session, &words[is_ready || note->result == SMTP_STORE_TURN_RESULT_READY
                                                ? SMTP_STORE_TURN_RESULT_BUSY
                                                : note->result]);
    if (!is_ready)
        host_handle_close(session->role->host, handle);
    connection_wake(session->connection);
}
