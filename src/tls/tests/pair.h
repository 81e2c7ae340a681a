/* SPDX-License-Identifier: ISC */
/* A client and a server engine that talk to each other in memory. */
#ifndef TLS_TESTS_PAIR_H
#define TLS_TESTS_PAIR_H

#include "tls/certificate.h"
#include "tls/facts.h"

struct pair {
    struct tls_context *server_context, *client_context;
    struct tls_engine *server, *client;
    struct buffer chain, key, problem;
};

static const struct wall pair_now = {1700000000LL * 1000000000};

static inline void
pair_make_certificate(struct pair *pair, struct slice name)
{
    struct tls_certificate_request request = {
        .names = &name,
        .names_count = 1,
        .now = {(int64_t)time(NULL) * 1000000000},
        .days = 3650,
    };

    buffer_clear(&pair->chain);
    buffer_clear(&pair->key);
    bool is_made = tls_certificate_make(&request, &pair->chain, &pair->key, &pair->problem);
    assert(is_made);
}

static inline void
pair_add(struct pair *pair, struct slice sni, struct slice name)
{
    pair_make_certificate(pair, name);
    bool is_set = tls_context_set(pair->server_context, sni, buffer_slice(&pair->chain),
                                  buffer_slice(&pair->key), &pair->problem);
    assert(is_set);
}

static inline void
pair_init(struct pair *pair, bool is_verified)
{
    *pair = (struct pair){.server_context = tls_context_open_server()};
    buffer_init(&pair->chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&pair->key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&pair->problem, 1024);
    pair_add(pair, SLICE(""), SLICE("mail.example.test"));
    tls_context_set_time(pair->server_context, pair_now);
    pair->client_context = tls_context_open_client(
        is_verified, is_verified ? buffer_slice(&pair->chain) : SLICE(""), &pair->problem);
    assert(pair->client_context);
}

static inline void
pair_connect(struct pair *pair, struct slice name)
{
    tls_engine_close(&pair->server);
    tls_engine_close(&pair->client);
    pair->server = tls_engine_open_server(pair->server_context);
    pair->client = tls_engine_open_client(pair->client_context, name);
}

static inline void
pair_finish(struct pair *pair)
{
    tls_engine_close(&pair->server);
    tls_engine_close(&pair->client);
    tls_context_close(&pair->server_context);
    tls_context_close(&pair->client_context);
    buffer_finish(&pair->chain);
    buffer_finish(&pair->key);
    buffer_finish(&pair->problem);
}

/* Carries all that waits from one engine to the other, cut at `split` and then into pieces of at
 * most `piece`; what is decrypted goes into ret_plaintext. Returns the bytes carried. */
static inline size_t
pair_carry(struct tls_engine *from, struct tls_engine *to, size_t split, size_t piece,
           struct buffer *ret_plaintext)
{
    struct slice all = tls_engine_output(from);
    uint8_t plain[4096];
    size_t done = 0;

    while (done < all.len) {
        size_t end = done < split && split < all.len ? split : all.len;
        struct slice part = slice_first(slice_between(all, done, end), piece);
        done += part.len;
        for (;;) {
            size_t got = tls_engine_take(to, &part, plain, sizeof(plain));
            buffer_put(ret_plaintext, slice_of(plain, got));
            if (got < sizeof(plain))
                break;
        }
        assert(part.len == 0);
    }
    tls_engine_sent(from, all.len);
    return all.len;
}

/* Until nobody has anything to say. */
static inline void
pair_talk(struct pair *pair, size_t split, size_t piece, struct buffer *ret_plaintext)
{
    while (pair_carry(pair->client, pair->server, split, piece, ret_plaintext) +
               pair_carry(pair->server, pair->client, split, piece, ret_plaintext) >
           0)
        ;
}

#endif
