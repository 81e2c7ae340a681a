/* SPDX-License-Identifier: ISC */
#include "role/fetch.h"

#include "tls/engine.h"

#include <stdlib.h>

struct fetch {
    struct connection *connection;
    struct http http;
    struct instant end;
    bool is_secured;
    void (*done)(void *context, const struct fetch_result *result);
    void *context;
};

static size_t
engine_feed(void *engine, struct slice input, struct instant now)
{
    struct fetch *fetch = engine;

    (void)now;
    return http_feed(&fetch->http, input);
}

static struct slice
engine_output(const void *engine)
{
    const struct fetch *fetch = engine;

    return fetch->is_secured ? buffer_slice(&fetch->http.output) : SLICE("");
}

static void
engine_sent(void *engine, size_t len, struct instant now)
{
    struct fetch *fetch = engine;

    (void)now;
    buffer_consume(&fetch->http.output, len);
}

static struct instant
engine_deadline(const void *engine)
{
    const struct fetch *fetch = engine;

    return fetch->end;
}

static void
engine_expire(void *engine, struct instant now)
{
    struct fetch *fetch = engine;

    (void)now;
    fetch->end = INSTANT_NEVER;
    connection_drop(fetch->connection);
}

static void
on_process(void *owner)
{
    struct fetch *fetch = owner;

    if (fetch->http.state >= HTTP_DONE)
        connection_finish(fetch->connection);
}

static void
on_secured(void *owner)
{
    struct fetch *fetch = owner;

    fetch->is_secured = true;
}

/* The server has said that it is through; else its side may have been closed by somebody else. */
static bool
is_end_told(const struct fetch *fetch)
{
    const struct tls_engine *tls = connection_tls(fetch->connection);

    return tls && tls_engine_state(tls) == TLS_ENDED;
}

static void
on_closed(void *owner, enum connection_end end)
{
    struct fetch *fetch = owner;
    struct fetch_result result = {.is_secured = fetch->is_secured, .tls_problem = SLICE("")};

    if (end == CONNECTION_END_PEER)
        http_end(&fetch->http, is_end_told(fetch));
    if (end == CONNECTION_END_TLS && !fetch->is_secured) {
        result.tls_problem = connection_problem(fetch->connection);
        result.problem = "its certificate is not good";
    } else if (fetch->http.state == HTTP_FAILED) {
        result.problem = fetch->http.problem;
    } else if (fetch->http.state != HTTP_DONE) {
        result.problem = "it does not answer";
    }
    result.status = fetch->http.status;
    result.text = buffer_slice(&fetch->http.body);
    fetch->done(fetch->context, &result);
}

struct fetch *
fetch_open(const struct fetch_options *options)
{
    static const struct engine_kind engine_kind = {.feed = engine_feed,
                                                   .output = engine_output,
                                                   .sent = engine_sent,
                                                   .deadline = engine_deadline,
                                                   .expire = engine_expire};
    static const struct connection_owner owner_kind = {on_process, on_secured, on_closed};
    struct tls_expectation expectation = {.server_name = options->server_name,
                                          .protocol = SLICE("http/1.1")};
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (!fetch)
        abort();
    http_init(&fetch->http, options->request);
    fetch->end = options->end;
    fetch->done = options->done;
    fetch->context = options->context;
    fetch->connection = connection_open(&(struct connection_options){
        .shared = options->shared,
        .stream = options->stream,
        .engine_kind = &engine_kind,
        .engine = fetch,
        .owner_kind = &owner_kind,
        .owner = fetch,
    });
    connection_start_tls_client(fetch->connection, options->tls, &expectation);
    connection_wake(fetch->connection);
    return fetch;
}

void
fetch_close(struct fetch **fetch)
{
    struct fetch *old = *fetch;

    if (!old)
        return;
    connection_close(&old->connection);
    http_finish(&old->http);
    free(old);
    *fetch = NULL;
}
