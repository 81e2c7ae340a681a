/* SPDX-License-Identifier: ISC */
/* The role with readers that come over the simulator's network, and with peers that answer as auth
 * and store do, or do not. */
#ifndef ROLE_ACCESS_TESTS_ACCESS_WORLD_H
#define ROLE_ACCESS_TESTS_ACCESS_WORLD_H

#include "role/tests/world.h"

#include <errno.h>
#include <stdlib.h>

#include "note/access_auth.h"
#include "note/access_store.h"

enum { ACCOUNT = 7, READERS_MAX = 2, PORT = 110, IMAP_PORT = 143 };

struct reader {
    struct setup *setup;
    struct host_stream *stream;
    struct buffer heard;
    size_t read; /* how much of it has been looked at */
    bool is_closed;
};

struct setup {
    struct world world;
    struct world_peer auth, store;
    struct note_ledger auth_ledger, store_ledger;
    struct arena arena;
    struct buffer note;
    struct host *street; /* where readers come from */
    struct reader readers[READERS_MAX];
};

/* ---- readers ------------------------------------------------------------------------------- */

static inline void
on_stream(void *context, unsigned events)
{
    struct reader *reader = context;
    uint8_t bytes[4096];
    int64_t len;

    (void)events;
    while ((len = host_stream_read(reader->stream, bytes, sizeof(bytes))) > 0)
        buffer_put(&reader->heard, slice_of(bytes, (size_t)len));
    if (len == -EAGAIN)
        return;
    reader->is_closed = true;
    host_stream_watch(reader->stream, 0, on_stream, reader);
}

static const struct host_address door = {
    .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = PORT};
static const struct host_address imap_door = {
    .family = HOST_FAMILY_IPV4, .bytes = {127, 0, 0, 1}, .port = IMAP_PORT};

static inline struct reader *
come_to(struct setup *setup, unsigned number, const struct host_address *address)
{
    struct reader *reader = &setup->readers[number];

    *reader = (struct reader){.setup = setup};
    buffer_init(&reader->heard, 1 << 20);
    assert_int_equal(host_stream_connect(setup->street, address, &reader->stream), 0);
    host_stream_watch(reader->stream, HOST_READABLE, on_stream, reader);
    return reader;
}

static inline struct reader *
come(struct setup *setup, unsigned number)
{
    return come_to(setup, number, &door);
}

static inline void
go(struct reader *reader)
{
    host_stream_close(&reader->stream);
    buffer_finish(&reader->heard);
}

static inline void
say(struct reader *reader, const char *text)
{
    struct slice bytes = slice_of_string(text);

    assert_int_equal(host_stream_write(reader->stream, bytes), bytes.len);
}

/* The next line must begin so; time passes until it is there. */
static inline void
hear(struct reader *reader, const char *start)
{
    struct slice rest;

    for (unsigned i = 0;; i++) {
        rest = slice_skip(buffer_slice(&reader->heard), reader->read);
        if (slice_find(rest, SLICE("\r\n")) < rest.len)
            break;
        assert_true(i < 1000 && !reader->is_closed);
        world_run(&reader->setup->world, 10);
    }
    rest = slice_first(rest, slice_find(rest, SLICE("\r\n")));
    if (!slice_starts_with(rest, slice_of_string(start)))
        fail_msg("wanted %s, heard %.*s", start, (int)rest.len, (const char *)rest.at);
    reader->read += rest.len + 2;
}

static inline void
hear_end(struct reader *reader)
{
    for (unsigned i = 0; i < 1000 && !reader->is_closed; i++)
        world_run(&reader->setup->world, 10);
    assert_true(reader->is_closed);
    assert_int_equal(reader->read, buffer_len(&reader->heard));
}

/* ---- the peers ----------------------------------------------------------------------------- */

static inline void
send(struct setup *setup, struct world_peer *peer, bool is_put)
{
    assert_true(is_put);
    host_channel_send(peer->channel, buffer_slice(&setup->note), HOST_HANDLE_NONE);
    buffer_clear(&setup->note);
}

static inline struct access_auth_note
next_auth(struct setup *setup, enum access_auth_kind kind)
{
    struct access_auth_note note;

    assert_true(access_auth_take(world_next(&setup->auth), HOST_HANDLE_NONE, 0, &setup->auth_ledger,
                                 &setup->arena, &note));
    assert_int_equal(note.kind, kind);
    return note;
}

static inline struct access_store_note
next_store(struct setup *setup, enum access_store_kind kind)
{
    struct access_store_note note;

    assert_true(access_store_take(world_next(&setup->store), HOST_HANDLE_NONE, 0,
                                  &setup->store_ledger, &setup->arena, &note));
    assert_int_equal(note.kind, kind);
    return note;
}

static inline void
grant(struct setup *setup, uint64_t session)
{
    struct access_auth_granted note = {
        .session = session, .account = ACCOUNT, .name = SLICE("alice@a.test")};

    send(setup, &setup->auth, access_auth_put_granted(&setup->note, &setup->auth_ledger, &note));
}

static inline void
refuse(struct setup *setup, uint64_t session, enum access_auth_failure failure, uint32_t delay_ms)
{
    struct access_auth_failed note = {.session = session, .failure = failure, .delay_ms = delay_ms};

    send(setup, &setup->auth, access_auth_put_failed(&setup->note, &setup->auth_ledger, &note));
}

static inline void
put_page(struct setup *setup, uint64_t id, uint32_t uid, uint64_t len)
{
    struct access_store_drop_message message = {.uid = uid, .len = len};
    struct access_store_maildrop_page note = {
        .id = id, .uid_validity = 9, .messages = {&message, 1}};

    send(setup, &setup->store,
         access_store_put_maildrop_page(&setup->note, &setup->store_ledger, &note));
}

static inline void
opened(struct setup *setup, uint64_t id, enum access_store_result result)
{
    struct access_store_maildrop_opened note = {.id = id, .result = result};

    send(setup, &setup->store,
         access_store_put_maildrop_opened(&setup->note, &setup->store_ledger, &note));
}

static inline void
put_bytes(struct setup *setup, uint64_t id, const char *text)
{
    struct access_store_bytes note = {.id = id, .bytes = slice_of_string(text)};

    send(setup, &setup->store, access_store_put_bytes(&setup->note, &setup->store_ledger, &note));
}

static inline void
read_done(struct setup *setup, uint64_t id, enum access_store_result result)
{
    struct access_store_read_done note = {.id = id, .result = result};

    send(setup, &setup->store,
         access_store_put_read_done(&setup->note, &setup->store_ledger, &note));
}

static inline void
updated(struct setup *setup, uint64_t id, enum access_store_result result)
{
    struct access_store_maildrop_updated note = {.id = id, .result = result};

    send(setup, &setup->store,
         access_store_put_maildrop_updated(&setup->note, &setup->store_ledger, &note));
}

static inline void
lose_peer(struct world_peer *peer, struct note_ledger *ledger)
{
    world_detach(peer);
    note_ledger_finish(ledger);
    *ledger = (struct note_ledger){0};
    *peer = (struct world_peer){0};
}

/* ---- the world ----------------------------------------------------------------------------- */

static inline int
open_setup(void **state)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    assert_non_null(setup);
    world_open(&setup->world, &role_access);
    setup->world.config.auth_plaintext_on_loopback = true;
    arena_init(&setup->arena, 1 << 22);
    buffer_init(&setup->note, HOST_NOTE_MAX);
    setup->street = sim_host_open(setup->world.sim, "street");
    *state = setup;
    return 0;
}

/* Settings are made before. */
static inline void
begin(struct setup *setup)
{
    struct role_start start = {.host = setup->world.host,
                               .config = &setup->world.config,
                               .processes = 1,
                               .fail = world_fail,
                               .fail_context = &setup->world};

    setup->world.state = role_access.open(&start);
    world_attach(&setup->world, &setup->auth, ROLE_AUTH, 0);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    role_access.listen(setup->world.state, SERVICE_POP3,
                       sim_listen(setup->world.sim, setup->world.host, &door));
    role_access.listen(setup->world.state, SERVICE_IMAP,
                       sim_listen(setup->world.sim, setup->world.host, &imap_door));
    assert_true(role_access.start(setup->world.state));
}

static inline int
close_setup(void **state)
{
    struct setup *setup = *state;

    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (setup->readers[i].stream)
            go(&setup->readers[i]);
    }
    if (setup->auth.host)
        world_detach(&setup->auth);
    if (setup->store.host)
        world_detach(&setup->store);
    sim_host_close(&setup->street);
    world_close(&setup->world);
    note_ledger_finish(&setup->auth_ledger);
    note_ledger_finish(&setup->store_ledger);
    arena_finish(&setup->arena);
    buffer_finish(&setup->note);
    free(setup);
    return 0;
}

#endif
