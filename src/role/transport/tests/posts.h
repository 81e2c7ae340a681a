/* SPDX-License-Identifier: ISC */
/* The role on the simulator's host: a store that gives it messages, and hosts with our own server
 * engine that take them, or do not. */
#ifndef ROLE_TRANSPORT_TESTS_POSTS_H
#define ROLE_TRANSPORT_TESTS_POSTS_H

#include "role/tests/world.h"

#include "note/store_transport.h"
#include "role/connection.h"
#include "smtp/tests/office.h"

enum { POSTS_MAX = 4, TALKS_MAX = 1100, DIGEST_SIZE = 32 };

struct post;

/* One connection of a post. */
struct talk {
    struct post *post;
    struct office_desk desk;
    struct connection *connection;
};

/* A host with an SMTP server. */
struct post {
    struct host *host;
    struct host_listener *listener;
    struct connection_shared *shared;
    struct office office;
    struct smtp_server_options options;
    struct tls_context *tls;
    struct talk talks[TALKS_MAX];
    size_t talk_count;
    uint16_t greeting;
    bool is_mute; /* accepts, and says nothing */
    struct host_stream *mute;
};

struct setup {
    struct world world;
    struct world_peer store;
    struct note_ledger ledger;
    struct arena arena;
    struct post posts[POSTS_MAX];
    struct store_transport_learned learned; /* the last policy that the store was told of */
    unsigned learned_count;
    uint64_t id;
};

/* Posts have the addresses 192.0.2.1, 192.0.2.2 and so on. */
struct post *open_post(struct setup *setup, size_t number);
/* The post speaks over the stream that the store was given last; its first message may come. */
void post_take_turn(struct post *post, struct world_peer *store);
/* Gives the post a certificate; its digest is what a TLSA record 3 0 1 would say. */
void add_tls(struct post *post, uint8_t ret_digest[DIGEST_SIZE]);

/* A certificate of its own making, and a server's context with it. */
void make_certificate(const struct slice *names, size_t count, struct buffer *chain,
                      struct buffer *key);
struct tls_context *open_tls(const struct buffer *chain, const struct buffer *key);

/* For cmocka: a calm world, and its end; and a world whose faults come from a seed. */
int open_setup(void **state);
int close_setup(void **state);
void open_seeded(struct setup *setup, uint64_t seed, const struct sim_options *options);
/* The same, with certificates that the role trusts. */
void open_trusting(struct setup *setup, uint64_t seed, const struct sim_options *options,
                   struct slice trust);

/* To jones@foo.com, whose hosts are the first `count` posts. */
struct store_transport_carry carry_of(struct setup *setup, size_t count);
extern const struct store_transport_recipient jones;

/* The store gives the role a message, waits for the answer, or both. */
void give(struct setup *setup, const struct store_transport_carry *carry, host_handle handle);
struct store_transport_carried answer_of(struct setup *setup);
struct store_transport_carried carry(struct setup *setup, const struct store_transport_carry *note);

/* The store tells the role of a policy. */
void tell_policy(struct setup *setup, const struct store_transport_policy *policy);

/* Fails with both texts when they differ. */
void expect_text(struct slice text, const char *expected);

#endif
