/* SPDX-License-Identifier: ISC */
#include "role/transport/tests/posts.h"

#include "sasl/digest.h"
#include "text/base64.h"
#include "tls/certificate.h"

#include <time.h>

enum { SIDE_TRANSPORT = 1 };

/* ---- a post -------------------------------------------------------------------------------- */

static void
on_process(void *owner)
{
    struct talk *talk = owner;

    office_desk_work(&talk->desk, host_now(talk->post->host));
    if (talk->desk.is_tls_due && talk->connection) {
        talk->desk.is_tls_due = false;
        connection_start_tls(talk->connection, talk->post->tls);
    }
    if (talk->desk.is_closed && talk->connection)
        connection_finish(talk->connection);
}

static void
on_secured(void *owner)
{
    struct talk *talk = owner;

    smtp_server_tls_started(talk->desk.server, false, host_now(talk->post->host));
}

static void
on_closed(void *owner, enum connection_end end)
{
    struct talk *talk = owner;

    (void)end;
    connection_close(&talk->connection);
    smtp_server_close(&talk->desk.server);
}

static void
on_accept(void *context, struct host_stream *stream)
{
    static const struct connection_owner owner_kind = {on_process, on_secured, on_closed};
    static const struct smtp_server_peer peer = {.is_trusted = true};
    struct post *post = context;

    if (post->is_mute) {
        post->mute = stream;
        return;
    }
    assert_true(post->talk_count < TALKS_MAX);
    struct talk *talk = &post->talks[post->talk_count++];
    talk->post = post;
    office_desk_init(&talk->desk, &post->office,
                     smtp_server_open(&post->options, &peer, host_now(post->host)));
    talk->desk.greeting = post->greeting;
    talk->connection = connection_open(&(struct connection_options){
        .shared = post->shared,
        .stream = stream,
        .engine_kind = &smtp_server_kind,
        .engine = talk->desk.server,
        .owner_kind = &owner_kind,
        .owner = talk,
    });
}

struct post *
open_post(struct setup *setup, size_t number)
{
    struct post *post = &setup->posts[number - 1];
    struct host_address address = {.family = HOST_FAMILY_IPV4, .port = 25};

    memcpy(address.bytes, (const uint8_t[]){192, 0, 2, (uint8_t)number}, 4);
    post->host = sim_host_open(setup->world.sim, "post");
    post->shared = connection_shared_open(post->host);
    post->options.hostname = SLICE("foo.com");
    post->listener = host_listener_open(
        post->host, sim_listen(setup->world.sim, post->host, &address), on_accept, post);
    return post;
}

void
post_take_turn(struct post *post, struct world_peer *store)
{
    struct host_stream *stream;

    sim_handle_give(store->world->sim, store->handle, post->host);
    assert_int_equal(host_stream_adopt(post->host, store->handle, &stream), 0);
    on_accept(post, stream);
}

static void
close_post(struct post *post)
{
    if (!post->host)
        return;
    for (size_t i = 0; i < post->talk_count; i++) {
        connection_close(&post->talks[i].connection);
        office_desk_finish(&post->talks[i].desk);
    }
    host_stream_close(&post->mute);
    host_listener_close(&post->listener);
    connection_shared_close(&post->shared);
    tls_context_close(&post->tls);
    office_finish(&post->office);
    sim_host_close(&post->host);
}

/* SHA-256 of the certificate in a PEM text. */
static void
digest_certificate(struct slice pem, uint8_t ret_digest[DIGEST_SIZE])
{
    struct buffer der;
    size_t start = slice_find_byte(pem, '\n');
    struct slice text = slice_between(pem, start, slice_find(pem, SLICE("-----END")));

    buffer_init(&der, 65536);
    (void)base64_decode(text, &der);
    sasl_digest(SASL_HASH_SHA_256, buffer_slice(&der), ret_digest);
    buffer_finish(&der);
}

void
make_certificate(const struct slice *names, size_t count, struct buffer *chain, struct buffer *key)
{
    struct tls_certificate_request request = {.names = names,
                                              .names_count = count,
                                              .now = {time(NULL) * INT64_C(1000000000)},
                                              .days = 30};
    struct buffer problem;

    buffer_init(chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&problem, 1024);
    assert_true(tls_certificate_make(&request, chain, key, &problem));
    buffer_finish(&problem);
}

struct tls_context *
open_tls(const struct buffer *chain, const struct buffer *key)
{
    struct tls_context *tls = tls_context_open_server();
    struct buffer problem;

    buffer_init(&problem, 1024);
    assert_true(tls_context_set(tls, SLICE(""), buffer_slice(chain), buffer_slice(key), &problem));
    buffer_finish(&problem);
    return tls;
}

void
add_tls(struct post *post, uint8_t ret_digest[DIGEST_SIZE])
{
    struct slice name = SLICE("mx.foo.com");
    struct buffer chain, key;

    make_certificate(&name, 1, &chain, &key);
    post->tls = open_tls(&chain, &key);
    if (ret_digest)
        digest_certificate(buffer_slice(&chain), ret_digest);
    post->options.has_tls = true;
    buffer_finish(&chain);
    buffer_finish(&key);
}

/* ---- the store ----------------------------------------------------------------------------- */

void
open_trusting(struct setup *setup, uint64_t seed, const struct sim_options *options,
              struct slice trust)
{
    *setup = (struct setup){.id = 1};
    world_open_seeded(&setup->world, &role_transport, seed, options);
    setup->world.config.hostname = SLICE("bar.com");
    world_write(&setup->world, "trust.pem", trust, false);
    setup->world.config.outbound_trust =
        trust.len > 0 ? SLICE("/data/directory/trust.pem") : SLICE("");
    arena_init(&setup->arena, 1 << 24);
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
}

void
open_seeded(struct setup *setup, uint64_t seed, const struct sim_options *options)
{
    open_trusting(setup, seed, options, SLICE(""));
}

int
open_setup(void **state)
{
    static const struct sim_options calm;
    static struct setup setup;

    open_seeded(&setup, 1, &calm);
    *state = &setup;
    return 0;
}

int
close_setup(void **state)
{
    struct setup *setup = *state;

    setup->world.role->close(setup->world.state);
    setup->world.state = NULL;
    world_detach(&setup->store);
    for (size_t i = 0; i < POSTS_MAX; i++)
        close_post(&setup->posts[i]);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
    return 0;
}

const struct store_transport_recipient jones = {.address = SLICE("jones@foo.com")};
static const struct store_transport_host hosts[] = {
    {.name = SLICE("mx.foo.com"), .is_secure = true},
    {.name = SLICE("mx2.foo.com"), .is_secure = true},
};
static const struct store_transport_address addresses[] = {
    {.host = 0, .bytes = SLICE("\xC0\x00\x02\x01")},
    {.host = 1, .bytes = SLICE("\xC0\x00\x02\x02")},
};

struct store_transport_carry
carry_of(struct setup *setup, size_t count)
{
    return (struct store_transport_carry){
        .id = setup->id++,
        .queue_id = SLICE("Q1"),
        .carrier = STORE_TRANSPORT_CARRIER_SMTP,
        .destination = SLICE("foo.com"),
        .port = 25,
        .tls = STORE_TRANSPORT_TLS_MAY,
        .hosts = {hosts, count},
        .addresses = {addresses, count},
        .reverse_path = SLICE("smith@bar.com"),
        .recipients = {&jones, 1},
        .skip = 5,
        .body = SLICE("SKIP!Subject: hi\r\n\r\nText\r\n"),
    };
}

void
give(struct setup *setup, const struct store_transport_carry *carry, host_handle handle)
{
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_transport_put_carry(&note, &setup->ledger, carry));
    host_channel_send(setup->store.channel, buffer_slice(&note), handle);
    buffer_finish(&note);
}

struct store_transport_carried
answer_of(struct setup *setup)
{
    struct store_transport_note note;

    do {
        for (unsigned i = 0; setup->store.taken == setup->store.count && i < 1000; i++)
            world_run(&setup->world, 1000);
        assert_true(store_transport_take(world_next(&setup->store), -1, SIDE_TRANSPORT,
                                         &setup->ledger, &setup->arena, &note));
        if (note.kind == STORE_TRANSPORT_LEARNED) {
            setup->learned = note.as.learned;
            setup->learned_count++;
        }
    } while (note.kind != STORE_TRANSPORT_CARRIED);
    return note.as.carried;
}

void
tell_policy(struct setup *setup, const struct store_transport_policy *policy)
{
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_transport_put_policy(&note, &setup->ledger, policy));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

struct store_transport_carried
carry(struct setup *setup, const struct store_transport_carry *note)
{
    give(setup, note, HOST_HANDLE_NONE);
    return answer_of(setup);
}

void
expect_text(struct slice text, const char *expected)
{
    if (!slice_equal(text, slice_of_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.at, expected);
}
