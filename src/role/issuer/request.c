/* SPDX-License-Identifier: ISC */
/* One question to the issuer: its keys (RFC 7517), or whose a token is (RFC 7662). */
#include "role/issuer/issuer_role.h"

#include "host/log.h"
#include "sasl/digest.h"

#include <stdlib.h>

struct waiter {
    struct list link;
    uint64_t id; /* of auth's note */
};

struct issuer_request {
    struct list link;
    struct issuer *issuer;
    bool is_about_token;
    uint8_t mark[VERDICTS_MARK_LEN];
    struct buffer token;
    struct list waiters;
    struct instant end;
    struct approach *approach;
    struct fetch *fetch;
};

/* ---- beginning and ending ------------------------------------------------------------------ */

static void
add_waiter(struct issuer_request *request, uint64_t id)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));

    if (!waiter)
        abort();
    waiter->id = id;
    list_append(&request->waiters, &waiter->link);
}

static void
close_request(struct issuer_request *request)
{
    fetch_close(&request->fetch);
    approach_close(&request->approach);
    LIST_EACH (link, &request->waiters) {
        list_remove(link);
        free(LIST_ITEM(link, struct waiter, link));
    }
    list_remove(&request->link);
    request->issuer->request_count--;
    sasl_wipe(request->token.at, request->token.size);
    buffer_finish(&request->token);
    free(request);
}

void
requests_forget(struct issuer *issuer)
{
    while (!list_is_empty(&issuer->requests))
        close_request(LIST_ITEM(issuer->requests.next, struct issuer_request, link));
}

/* NULL when there are too many. */
static struct issuer_request *
open_request(struct issuer *issuer, bool is_about_token, struct slice token)
{
    if (issuer->request_count == ISSUER_REQUESTS_MAX)
        return NULL;
    struct issuer_request *request = calloc(1, sizeof(*request));
    if (!request)
        abort();
    request->issuer = issuer;
    request->is_about_token = is_about_token;
    buffer_init(&request->token, TOKEN_LEN_MAX);
    buffer_put(&request->token, token);
    list_init(&request->waiters);
    list_append(&issuer->requests, &request->link);
    issuer->request_count++;
    request->end = instant_after(host_now(issuer->start.host), issuer->start.config->oauth_timer);
    request->approach = approach_open(issuer, request, request->end);
    return request;
}

/* ---- the answer ---------------------------------------------------------------------------- */

/* Nobody is waited for twice: whoever asks next may be luckier. */
static void
fail(struct issuer_request *request, const char *why, unsigned status)
{
    struct issuer *issuer = request->issuer;
    struct log_line line;

    log_begin(&line, issuer->start.host, HOST_LEVEL_WARNING, "issuer_not_asked");
    log_text(&line, "server", issuer->url.authority);
    log_string(&line, "why", why);
    if (status > 0)
        log_number(&line, "status", status);
    log_end(&line);
    issuer->unanswered++;
    LIST_EACH (link, &request->waiters) {
        uint64_t id = LIST_ITEM(link, struct waiter, link)->id;
        if (request->is_about_token)
            issuer_send_untold(issuer, id);
        else
            issuer_send_keys(issuer, id, SLICE(""));
    }
    close_request(request);
}

void
request_failed(struct issuer_request *request, const char *why)
{
    fail(request, why, 0);
}

static void
remember(struct issuer_request *request, const struct verdict *verdict, int64_t until_s)
{
    struct issuer *issuer = request->issuer;
    struct duration kept = issuer->start.config->oauth_cache;
    struct duration bad = duration_s(ISSUER_BAD_S);
    int64_t left_s = until_s - wall_seconds(host_wall(issuer->start.host));

    if (verdict->result != TOKEN_OK && bad.ns < kept.ns)
        kept = bad;
    if (verdict->result == TOKEN_OK && left_s < kept.ns / 1000000000)
        kept = duration_s(left_s > 0 ? left_s : 0);
    if (kept.ns > 0)
        verdicts_add(issuer->verdicts, request->mark, verdict,
                     instant_after(host_now(issuer->start.host), kept));
}

static void
take_told(struct issuer_request *request, struct slice text)
{
    struct issuer *issuer = request->issuer;
    const struct config *config = issuer->start.config;
    struct token_policy policy = {.issuer = config->oauth_issuer,
                                  .audience = config->oauth_audience,
                                  .claim = config->oauth_claim,
                                  .now = host_wall(issuer->start.host)};
    struct buffer name;
    int64_t until_s = INT64_MAX;

    buffer_init(&name, TOKEN_NAME_MAX);
    struct verdict verdict = {.result = token_introspect(text, &policy, &name, &until_s)};
    verdict.name = buffer_slice(&name);
    if (verdict.result == TOKEN_UNTOLD) {
        fail(request, token_result_name(TOKEN_UNTOLD), 0);
    } else {
        issuer->good += verdict.result == TOKEN_OK;
        issuer->bad += verdict.result != TOKEN_OK;
        remember(request, &verdict, until_s);
        LIST_EACH (link, &request->waiters)
            issuer_send_told(issuer, LIST_ITEM(link, struct waiter, link)->id, &verdict);
        close_request(request);
    }
    buffer_finish(&name);
}

static void
take_keys(struct issuer_request *request, struct slice text)
{
    struct issuer *issuer = request->issuer;

    if (text.len > TOKEN_KEYS_MAX || !token_keys_are_sound(text)) {
        fail(request, "what it has for keys is no set of keys", 0);
        return;
    }
    issuer->keys_fetched++;
    LIST_EACH (link, &request->waiters)
        issuer_send_keys(issuer, LIST_ITEM(link, struct waiter, link)->id, text);
    close_request(request);
}

static void
on_fetched(void *context, const struct fetch_result *result)
{
    struct issuer_request *request = context;

    if (result->problem)
        fail(request, result->problem, result->status);
    else if (request->is_about_token)
        take_told(request, result->text);
    else
        take_keys(request, result->text);
}

/* ---- the question -------------------------------------------------------------------------- */

void
request_reached(struct issuer_request *request, struct host_stream *stream)
{
    struct issuer *issuer = request->issuer;
    struct buffer form;

    buffer_init(&form, HTTP_REQUEST_MAX);
    if (request->is_about_token) {
        http_form_put(&form, "token", buffer_slice(&request->token));
        http_form_put(&form, "token_type_hint", SLICE("access_token"));
        if (issuer->user.len > 0) {
            http_form_put(&form, "client_id", issuer->user);
            http_form_put(&form, "client_secret", issuer->secret);
        }
    }
    request->fetch = fetch_open(&(struct fetch_options){
        .shared = issuer->shared,
        .stream = stream,
        .tls = trust_context(&issuer->trust),
        .server_name = issuer->url.host,
        .request = &(struct http_request){.host = issuer->url.authority,
                                          .path = issuer->url.path,
                                          .accept = SLICE("application/json"),
                                          .authorization = buffer_slice(&issuer->authorization),
                                          .form = buffer_slice(&form)},
        .end = request->end,
        .done = on_fetched,
        .context = request,
    });
    sasl_wipe(form.at, form.size);
    buffer_finish(&form);
}

static struct issuer_request *
find_like(struct issuer *issuer, bool is_about_token, const uint8_t *mark)
{
    LIST_EACH (link, &issuer->requests) {
        struct issuer_request *request = LIST_ITEM(link, struct issuer_request, link);
        if (request->is_about_token == is_about_token &&
            (!is_about_token || sasl_equal(slice_of(request->mark, VERDICTS_MARK_LEN),
                                           slice_of(mark, VERDICTS_MARK_LEN))))
            return request;
    }
    return NULL;
}

void
request_about_token(struct issuer *issuer, uint64_t id, struct slice token)
{
    uint8_t mark[VERDICTS_MARK_LEN];
    struct verdict verdict;

    issuer->asked++;
    verdicts_mark(issuer->verdicts, token, mark);
    if (verdicts_find(issuer->verdicts, mark, host_now(issuer->start.host), &verdict)) {
        issuer->remembered++;
        issuer_send_told(issuer, id, &verdict);
        return;
    }
    struct issuer_request *request = find_like(issuer, true, mark);
    if (!request)
        request = open_request(issuer, true, token);
    if (!request) {
        issuer->unanswered++;
        issuer_send_untold(issuer, id);
        return;
    }
    memcpy(request->mark, mark, sizeof(mark));
    add_waiter(request, id);
}

void
request_keys(struct issuer *issuer, uint64_t id)
{
    struct issuer_request *request = find_like(issuer, false, NULL);

    if (!request)
        request = open_request(issuer, false, SLICE(""));
    if (!request)
        issuer_send_keys(issuer, id, SLICE(""));
    else
        add_waiter(request, id);
}
