/* SPDX-License-Identifier: ISC */
/* Private to the role: requests (one question to the issuer each), and how its server is reached.
 *
 *     note -> an answer that is kept, or a request -> approach -> fetch -> answer -> notes
 */
#ifndef ROLE_ISSUER_ISSUER_ROLE_H
#define ROLE_ISSUER_ISSUER_ROLE_H

#include "base/list.h"
#include "http/url.h"
#include "note/auth_issuer.h"
#include "note/route_resolve.h"
#include "role/fetch.h"
#include "role/issuer/verdicts.h"
#include "role/role.h"
#include "role/trust.h"

enum {
    ISSUER_REQUESTS_MAX =
        128, /* connections at a time; who comes then is told that nobody answers */
    ISSUER_ADDRESSES_MAX = 8,     /* of the server that are tried, one after another */
    ISSUER_CONNECT_MS = 3 * 1000, /* for each of them but the last */
    ISSUER_BAD_S = 10,            /* how long it is known that a token is bad */
};

struct issuer_request;

struct issuer {
    struct role_start start;
    struct host_channel *auth, *resolve;
    struct note_ledger auth_ledger, resolve_ledger;
    struct connection_shared *shared;
    struct trust trust;
    struct arena texts; /* what stands in the options and in the credentials */
    struct http_url url;
    bool is_introspecting;       /* else keys are fetched */
    struct slice user, secret;   /* for the form; or none */
    struct buffer authorization; /* or none */
    struct verdicts *verdicts;
    struct list requests;
    size_t request_count;
    struct list approaches; /* of requests */
    uint64_t question;      /* the last one to resolve; 0: none yet */
    struct arena arena;     /* of the note in hand */
    struct buffer note;
    uint64_t asked, remembered, good, bad, unanswered, keys_fetched;
};

/* ---- issuer.c */
void issuer_send_told(struct issuer *issuer, uint64_t id, const struct verdict *verdict);
/* Nobody could be asked. */
void issuer_send_untold(struct issuer *issuer, uint64_t id);
/* An empty set: there is none. */
void issuer_send_keys(struct issuer *issuer, uint64_t id, struct slice set);

/* ---- request.c */
void request_about_token(struct issuer *issuer, uint64_t id, struct slice token);
void request_keys(struct issuer *issuer, uint64_t id);
/* Without a word to auth. */
void requests_forget(struct issuer *issuer);
/* What approach_begin has begun: the stream is the callee's. Or why there is none. */
void request_reached(struct issuer_request *request, struct host_stream *stream);
void request_failed(struct issuer_request *request, const char *why);

/* ---- approach.c: name, addresses, connection */
struct approach;
/* request_reached or request_failed follows, from the loop. */
struct approach *approach_open(struct issuer *issuer, struct issuer_request *request,
                               struct instant end);
void approach_close(struct approach **approach);
void approach_on_answer(struct issuer *issuer, const struct route_resolve_answer *answer);
/* Its questions get no answer any more. */
void approach_on_resolve_lost(struct issuer *issuer);
#endif
