/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/openssl_private.h"
#include "tls/tests/pair.h"

#include <malloc.h>
#include <openssl/crypto.h>

/* Bytes that OpenSSL holds now. */
static size_t held_bytes;

static void *
count_malloc(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    void *at = malloc(len);
    held_bytes += malloc_usable_size(at);
    return at;
}

static void
count_free(void *at, const char *file, int line)
{
    (void)file, (void)line;
    held_bytes -= malloc_usable_size(at);
    free(at);
}

static void *
count_realloc(void *at, size_t len, const char *file, int line)
{
    (void)file, (void)line;
    held_bytes -= malloc_usable_size(at);
    at = realloc(at, len);
    held_bytes += malloc_usable_size(at);
    return at;
}

static struct buffer plaintext;

static void
expect_open(struct pair *pair)
{
    assert_int_equal(tls_engine_state(pair->client), TLS_OPEN);
    assert_int_equal(tls_engine_state(pair->server), TLS_OPEN);
}

static void
expect_exchange(struct pair *pair, const char *text)
{
    struct slice said = slice_of_string(text);

    buffer_clear(&plaintext);
    assert_int_equal(tls_engine_put(pair->client, said), said.len);
    pair_talk(pair, 0, SIZE_MAX, &plaintext);
    assert_true(slice_equal(buffer_slice(&plaintext), said));
}

static void
connect_and_talk(struct pair *pair, const char *name)
{
    pair_connect(pair, slice_of_string(name));
    pair_talk(pair, 0, SIZE_MAX, &plaintext);
}

static void
a_handshake_survives_a_split_at_every_byte(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    for (size_t split = 1; split < 1400; split++) {
        pair_connect(&pair, SLICE("mail.example.test"));
        pair_talk(&pair, split, SIZE_MAX, &plaintext);
        expect_open(&pair);
    }
    expect_exchange(&pair, "EHLO");
    pair_connect(&pair, SLICE("mail.example.test"));
    pair_talk(&pair, 0, 1, &plaintext);
    expect_open(&pair);
    expect_exchange(&pair, "byte by byte");
    pair_finish(&pair);
}

static void
tickets_resume_in_their_epoch_and_the_next_even_in_another_process(void **state)
{
    static const struct {
        int64_t epoch;
        bool is_other; /* another context with the same key */
        bool is_resumed;
    } turns[] = {{0, false, false}, {0, false, true}, {1, true, true}, {4, true, false},
                 {4, false, true}};
    struct tls_context *other = tls_context_open_server();
    struct pair pair;

    (void)state;
    pair_init(&pair, true);
    assert_true(tls_context_set(other, SLICE(""), buffer_slice(&pair.chain),
                                buffer_slice(&pair.key), &pair.problem));
    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        struct wall now = {pair_now.ns +
                           turns[i].epoch * (int64_t)TLS_TICKET_EPOCH_S * 1000000000};
        tls_context_set_time(pair.server_context, now);
        tls_context_set_time(other, now);
        pair_connect(&pair, SLICE("mail.example.test"));
        if (turns[i].is_other) {
            tls_engine_close(&pair.server);
            pair.server = tls_engine_open_server(other);
        }
        pair_talk(&pair, 0, SIZE_MAX, &plaintext);
        expect_open(&pair);
        assert_int_equal(tls_engine_is_resumed(pair.client), turns[i].is_resumed);
        assert_int_equal(tls_engine_is_resumed(pair.server), turns[i].is_resumed);
        expect_exchange(&pair, "NOOP");
    }
    tls_engine_close(&pair.server);
    tls_context_close(&other);
    pair_finish(&pair);
}

static void
a_certificate_for_another_name_or_from_nobody_fails_on_both_sides(void **state)
{
    static const struct {
        const char *asked;
        bool is_trusted;
    } cases[] = {
        {"mail.example.test", true}, {"MAIL.example.test", true}, {"other.example.test", false},
        {"a.wild.test", false},      {"mail.example.tes", false}, {"127.0.0.1", false},
    };
    struct pair pair;

    (void)state;
    pair_init(&pair, true);
    pair_add(&pair, SLICE("*.wild.test"), SLICE("*.wild.test"));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum tls_state expected = cases[i].is_trusted ? TLS_OPEN : TLS_FAILED;
        connect_and_talk(&pair, cases[i].asked);
        assert_int_equal(tls_engine_state(pair.client), expected);
        assert_int_equal(tls_engine_problem(pair.client).len == 0, cases[i].is_trusted);
        /* The alert has told the server. */
        assert_int_equal(tls_engine_state(pair.server), expected);
    }
    pair_connect(&pair, SLICE(""));
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    pair_finish(&pair);
}

static void
connect_expecting(struct pair *pair, const struct tls_expectation *expectation)
{
    tls_engine_close(&pair->server);
    tls_engine_close(&pair->client);
    pair->server = tls_engine_open_server(pair->server_context);
    pair->client = tls_engine_open_expecting(pair->client_context, expectation);
    pair_talk(pair, 0, SIZE_MAX, &plaintext);
}

static void
any_of_several_names_will_do(void **state)
{
    struct slice names[] = {SLICE("x.test"), SLICE("mail.example.test")};
    struct tls_expectation expectation = {
        .server_name = SLICE("next.test"), .names = names, .name_count = 2};
    struct pair pair;

    (void)state;
    pair_init(&pair, true);
    connect_expecting(&pair, &expectation);
    expect_open(&pair);
    assert_true(tls_engine_is_verified(pair.client));
    expectation.name_count = 1;
    connect_expecting(&pair, &expectation);
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    assert_int_equal(tls_engine_fault(pair.client), TLS_FAULT_HOST_MISMATCH);
    pair_finish(&pair);
}

/* A name of a hundred octets with more behind it would be looked for as those. */
static void
what_cannot_be_a_name_is_not_looked_for(void **state)
{
    uint8_t longest[TLS_NAME_MAX + 1];
    struct slice name = SLICE("mail.example.test");
    struct tls_expectation expectation = {.server_name = name, .names = &name, .name_count = 1};
    struct pair pair;

    (void)state;
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 50; i < sizeof(longest); i += 50)
        longest[i] = '.';
    pair_init(&pair, true);
    for (size_t more = 0; more < 2; more++) {
        struct slice text = slice_of(longest, TLS_NAME_MAX + more);
        pair_connect(&pair, text);
        assert_int_equal(tls_engine_state(pair.client), more ? TLS_FAILED : TLS_HANDSHAKE);
        name = text;
        connect_expecting(&pair, &expectation);
        assert_int_equal(tls_engine_state(pair.client), more ? TLS_FAILED : TLS_OPEN);
    }
    pair_connect(&pair, SLICE("mail.example.test\0.other.test"));
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    name = SLICE("mail.example.test\0.other.test");
    expectation.server_name = SLICE("next.test");
    connect_expecting(&pair, &expectation);
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    name = SLICE("");
    connect_expecting(&pair, &expectation);
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    pair_finish(&pair);
}

/* A stranger who says hello octet by octet, each in a record of its own. */
static void
a_handshake_has_its_limit(void **state)
{
    uint8_t plain[16];
    struct pair pair;
    size_t sent = 0;

    (void)state;
    pair_init(&pair, false);
    pair_connect(&pair, SLICE("mail.example.test"));
    for (unsigned i = 0; tls_engine_state(pair.server) == TLS_HANDSHAKE; i++) {
        /* client_hello, of 65,536 octets */
        uint8_t record[] = {22, 3, 1, 0, 1, i < 2};
        struct slice rest = slice_of(record, sizeof(record));
        assert_int_equal(tls_engine_take(pair.server, &rest, plain, sizeof(plain)), 0);
        sent += sizeof(record);
        assert_true(sent < 3 * (size_t)TLS_HANDSHAKE_BYTES_MAX);
    }
    assert_int_equal(tls_engine_state(pair.server), TLS_FAILED);
    assert_true(slice_equal(tls_engine_problem(pair.server), SLICE("the handshake is too long")));
    assert_in_range(sent, TLS_HANDSHAKE_BYTES_MAX + 1, TLS_HANDSHAKE_BYTES_MAX + 6);
    pair_finish(&pair);
}

/* RFC 7672 §3.1.1: the record's certificate is enough, whatever its name and signer. */
static void
a_tlsa_record_vouches_for_a_certificate(void **state)
{
    struct tls_tlsa record = {.usage = 3, .selector = 0, .matching = 1};
    struct tls_expectation expectation = {
        .server_name = SLICE("any.test"), .tlsa = &record, .tlsa_count = 1};
    struct buffer digest;
    struct pair pair;

    (void)state;
    buffer_init(&digest, TLS_BINDING_MAX);
    pair_init(&pair, false);
    connect_and_talk(&pair, "mail.example.test");
    assert_false(tls_engine_is_verified(pair.client));
    assert_true(tls_engine_put_binding(pair.client, TLS_BINDING_END_POINT, &digest));
    record.data = buffer_slice(&digest);
    connect_expecting(&pair, &expectation);
    expect_open(&pair);
    assert_true(tls_engine_is_verified(pair.client));
    /* Another certificate under the same name. */
    pair_add(&pair, SLICE(""), SLICE("any.test"));
    connect_expecting(&pair, &expectation);
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    assert_int_equal(tls_engine_fault(pair.client), TLS_FAULT_TLSA);
    /* §3.1.3: what cannot be used leaves the connection encrypted, and not verified. */
    record.usage = 1;
    connect_expecting(&pair, &expectation);
    expect_open(&pair);
    assert_false(tls_engine_is_verified(pair.client));
    pair_finish(&pair);
    buffer_finish(&digest);
}

/* The digest that tells which certificate was shown. */
static void
put_end_point_of(struct pair *pair, const char *name, struct buffer *ret_binding)
{
    struct buffer mirror;

    buffer_init(&mirror, TLS_BINDING_MAX);
    buffer_clear(ret_binding);
    connect_and_talk(pair, name);
    expect_open(pair);
    assert_true(tls_engine_put_binding(pair->client, TLS_BINDING_END_POINT, ret_binding));
    assert_true(tls_engine_put_binding(pair->server, TLS_BINDING_END_POINT, &mirror));
    assert_true(slice_equal(buffer_slice(ret_binding), buffer_slice(&mirror)));
    buffer_finish(&mirror);
}

static void
names_wildcards_and_the_default_lead_to_their_certificates(void **state)
{
    struct buffer first, second;
    struct pair pair;

    (void)state;
    buffer_init(&first, TLS_BINDING_MAX);
    buffer_init(&second, TLS_BINDING_MAX);
    pair_init(&pair, false);
    put_end_point_of(&pair, "x.wild.test", &first);
    put_end_point_of(&pair, "", &second);
    assert_true(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    pair_add(&pair, SLICE("*.wild.test"), SLICE("*.wild.test"));
    put_end_point_of(&pair, "X.wild.TEST", &second);
    /* Resumption would show what the first connection saw, but has no part in this: the ticket
     * belongs to the name. */
    assert_int_equal(tls_engine_is_resumed(pair.client), false);
    assert_false(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    put_end_point_of(&pair, "x.y.wild.test", &second);
    assert_true(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    assert_true(tls_context_remove(pair.server_context, SLICE("*.WILD.test")));
    assert_false(tls_context_remove(pair.server_context, SLICE("*.wild.test")));
    pair_finish(&pair);
    buffer_finish(&first);
    buffer_finish(&second);
}

static void
a_replaced_certificate_is_for_newcomers_only(void **state)
{
    struct buffer first, second;
    struct pair pair;

    (void)state;
    buffer_init(&first, TLS_BINDING_MAX);
    buffer_init(&second, TLS_BINDING_MAX);
    pair_init(&pair, false);
    put_end_point_of(&pair, "mail.example.test", &first);
    pair_add(&pair, SLICE(""), SLICE("mail.example.test"));
    expect_exchange(&pair, "still here");
    /* Its tickets were made with the old key: they do not count any more. */
    put_end_point_of(&pair, "mail.example.test", &second);
    assert_false(tls_engine_is_resumed(pair.server));
    assert_false(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    pair_finish(&pair);
    buffer_finish(&first);
    buffer_finish(&second);
}

static void
without_a_certificate_the_handshake_fails_with_an_alert(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    assert_true(tls_context_has_certificate(pair.server_context));
    assert_true(tls_context_remove(pair.server_context, SLICE("")));
    assert_false(tls_context_has_certificate(pair.server_context));
    connect_and_talk(&pair, "mail.example.test");
    assert_int_equal(tls_engine_state(pair.server), TLS_FAILED);
    assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
    assert_true(tls_engine_problem(pair.client).len > 0);
    pair_finish(&pair);
}

static void
wrong_keys_chains_and_names_are_refused_with_a_sentence(void **state)
{
    struct pair pair, other;
    uint8_t name[TLS_NAME_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof(name));
    pair_init(&pair, false);
    pair_init(&other, false);
    struct slice chain = buffer_slice(&pair.chain), key = buffer_slice(&pair.key);
    struct slice bad[][3] = {
        {SLICE(""), SLICE("nothing"), key},
        {SLICE(""), chain, SLICE("nothing")},
        {SLICE(""), chain, buffer_slice(&other.key)},
        {SLICE(""), slice_first(chain, chain.len / 2), key},
        {slice_of(name, sizeof(name)), chain, key},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buffer_clear(&pair.problem);
        assert_false(tls_context_set(pair.server_context, bad[i][0], bad[i][1], bad[i][2],
                                     &pair.problem));
        assert_true(buffer_len(&pair.problem) > 10);
    }
    assert_true(tls_context_set(pair.server_context, slice_of(name, TLS_NAME_MAX), chain, key,
                                &pair.problem));
    assert_null(tls_context_open_client(true, SLICE("nothing"), &pair.problem));
    pair_finish(&pair);
    pair_finish(&other);
}

static void
both_sides_know_the_same_facts_and_exporters_differ(void **state)
{
    struct buffer seen[3];
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        buffer_init(&seen[i], TLS_BINDING_MAX);
    pair_connect(&pair, SLICE("mail.example.test"));
    assert_false(tls_engine_put_binding(pair.server, TLS_BINDING_EXPORTER, &seen[0]));
    pair_talk(&pair, 0, SIZE_MAX, &plaintext);
    assert_true(tls_engine_put_binding(pair.server, TLS_BINDING_EXPORTER, &seen[0]));
    assert_true(tls_engine_put_binding(pair.client, TLS_BINDING_EXPORTER, &seen[1]));
    assert_int_equal(buffer_len(&seen[0]), 32);
    assert_true(slice_equal(buffer_slice(&seen[0]), buffer_slice(&seen[1])));
    assert_true(slice_equal(tls_engine_version(pair.server), SLICE("TLSv1.3")));
    assert_true(slice_starts_with(tls_engine_cipher(pair.server), SLICE("TLS_")));
    assert_true(slice_equal(tls_binding_name(TLS_BINDING_EXPORTER), SLICE("tls-exporter")));
    assert_false(tls_engine_put_peer_subject(pair.server, &pair.problem));
    assert_true(tls_engine_put_peer_subject(pair.client, &pair.problem));
    assert_true(slice_equal(buffer_slice(&pair.problem), SLICE("CN=mail.example.test")));
    connect_and_talk(&pair, "mail.example.test");
    assert_true(tls_engine_put_binding(pair.server, TLS_BINDING_EXPORTER, &seen[2]));
    assert_false(slice_equal(buffer_slice(&seen[0]), buffer_slice(&seen[2])));
    pair_finish(&pair);
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        buffer_finish(&seen[i]);
}

static void
close_notify_ends_one_direction_and_what_follows_is_ignored(void **state)
{
    struct slice junk = SLICE("junk");
    struct pair pair;
    uint8_t plain[64];

    (void)state;
    pair_init(&pair, false);
    connect_and_talk(&pair, "");
    tls_engine_end(pair.client);
    assert_int_equal(tls_engine_put(pair.client, SLICE("more")), 0);
    pair_carry(pair.client, pair.server, 0, SIZE_MAX, &plaintext);
    assert_int_equal(tls_engine_state(pair.server), TLS_ENDED);
    assert_int_equal(tls_engine_take(pair.server, &junk, plain, sizeof(plain)), 0);
    assert_int_equal(junk.len, 0);
    assert_int_equal(tls_engine_state(pair.server), TLS_ENDED);
    buffer_clear(&plaintext);
    assert_int_equal(tls_engine_put(pair.server, SLICE("+OK bye")), 7);
    tls_engine_end(pair.server);
    pair_carry(pair.server, pair.client, 0, SIZE_MAX, &plaintext);
    assert_true(slice_equal(buffer_slice(&plaintext), SLICE("+OK bye")));
    assert_int_equal(tls_engine_state(pair.client), TLS_ENDED);
    pair_finish(&pair);
}

static void
an_engine_may_outlive_its_context(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    connect_and_talk(&pair, "");
    tls_context_close(&pair.server_context);
    tls_context_close(&pair.client_context);
    assert_int_equal(tls_engine_put(pair.client, SLICE("QUIT")), 4);
    buffer_clear(&plaintext);
    pair_carry(pair.client, pair.server, 0, SIZE_MAX, &plaintext);
    assert_true(slice_equal(buffer_slice(&plaintext), SLICE("QUIT")));
    pair_finish(&pair);
}

static void
large_plaintext_arrives_whole_and_output_stays_in_its_bound(void **state)
{
    enum { LEN = 1000000 };
    uint8_t *big = malloc(LEN);
    struct pair pair;
    size_t done = 0;

    (void)state;
    assert_non_null(big);
    for (size_t i = 0; i < LEN; i++)
        big[i] = (uint8_t)(i * 31 + i / 251);
    pair_init(&pair, false);
    connect_and_talk(&pair, "");
    buffer_clear(&plaintext);
    while (done < LEN) {
        size_t taken = tls_engine_put(pair.server, slice_of(big + done, LEN - done));
        assert_true(taken > 0 && tls_engine_output(pair.server).len <= TLS_OUTPUT_MAX);
        /* Full: nothing more of any size, until something is sent. */
        if (taken < LEN - done) {
            assert_true(taken > TLS_OUTPUT_MAX - 4096);
            assert_int_equal(tls_engine_put(pair.server, slice_of(big, 600)), 0);
        }
        done += taken;
        pair_carry(pair.server, pair.client, 0, 777, &plaintext);
    }
    assert_int_equal(buffer_len(&plaintext), LEN);
    assert_memory_equal(buffer_slice(&plaintext).at, big, LEN);
    pair_finish(&pair);
    free(big);
}

static void
garbage_fails_with_a_reason(void **state)
{
    static const struct slice garbage[] = {
        {(const uint8_t *)"EHLO client.example\r\n", 21},
        {(const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18},
        {(const uint8_t *)"\x16\x03\x01\x40\x00", 5},
        {(const uint8_t *)"\x80\x2e\x01\x03\x01", 5},
        {(const uint8_t *)"\x15\x03\x01\x00\x02\x02\x28", 7},
        {(const uint8_t *)"\x17\x03\x03\xff\xff", 5},
    };
    struct pair pair;
    uint8_t plain[256], zeros[1024] = {0};

    (void)state;
    pair_init(&pair, false);
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        pair_connect(&pair, SLICE(""));
        struct slice bytes = garbage[i];
        assert_int_equal(tls_engine_take(pair.server, &bytes, plain, sizeof(plain)), 0);
        for (size_t more = 0; more < 40 && tls_engine_state(pair.server) == TLS_HANDSHAKE; more++) {
            bytes = slice_of(zeros, sizeof(zeros));
            assert_int_equal(tls_engine_take(pair.server, &bytes, plain, sizeof(plain)), 0);
        }
        assert_int_equal(tls_engine_state(pair.server), TLS_FAILED);
        assert_true(tls_engine_problem(pair.server).len > 0);
        assert_int_equal(tls_engine_put(pair.server, SLICE("x")), 0);
        tls_engine_end(pair.server);
    }
    pair_finish(&pair);
}

static void
a_changed_byte_fails_and_truncation_only_waits(void **state)
{
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    for (size_t at = 0; at < 30; at++) {
        uint8_t copy[256], plain[256];
        connect_and_talk(&pair, "");
        assert_int_equal(tls_engine_put(pair.client, SLICE("DELE 1\r\n")), 8);
        struct slice record = tls_engine_output(pair.client);
        assert_int_equal(record.len, 30);
        memcpy(copy, record.at, record.len);
        struct slice cut = slice_of(copy, at);
        assert_int_equal(tls_engine_take(pair.server, &cut, plain, sizeof(plain)), 0);
        assert_int_equal(tls_engine_state(pair.server), TLS_OPEN);
        if (at < 5)
            continue;
        copy[at] ^= 0x40;
        struct slice rest = slice_of(copy + at, record.len - at);
        assert_int_equal(tls_engine_take(pair.server, &rest, plain, sizeof(plain)), 0);
        assert_int_equal(tls_engine_state(pair.server), TLS_FAILED);
        assert_true(tls_engine_output(pair.server).len > 0); /* the alert */
    }
    pair_finish(&pair);
}

static void
who_names_other_protocols_only_is_sent_away(void **state)
{
    static const struct {
        struct slice offered; /* each name behind its length */
        const char *spoken[3];
        bool is_let_in;
    } cases[] = {
        {SLICE(""), {"imap"}, true},
        {SLICE("\x04imap"), {"imap"}, true},
        {SLICE("\x02h2\x08http/1.1\x04imap"), {"imap"}, true},
        {SLICE("\x04smtp"), {"smtp", "esmtp"}, true},
        {SLICE("\005esmtp"), {"smtp", "esmtp"}, true},
        {SLICE("\x08http/1.1"), {"imap"}, false},
        {SLICE("\x02h2\x08http/1.1"), {"smtp", "esmtp"}, false},
        {SLICE("\x04pop3"), {"imap"}, false},
        {SLICE("\x03ima\x05imaps\x04IMAP"), {"imap"}, false},
    };
    struct pair pair;

    (void)state;
    pair_init(&pair, true);
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct slice offered = cases[i / 2].offered;
        int version = i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION;
        SSL_CTX_set_max_proto_version(pair.client_context->ssl_context, version);
        SSL_CTX_set_alpn_protos(pair.client_context->ssl_context, offered.at,
                                (unsigned)offered.len);
        pair_connect(&pair, SLICE("mail.example.test"));
        tls_engine_set_protocols(pair.server, cases[i / 2].spoken);
        pair_talk(&pair, 0, SIZE_MAX, &plaintext);
        if (cases[i / 2].is_let_in) {
            expect_open(&pair);
            continue;
        }
        assert_int_equal(tls_engine_state(pair.server), TLS_FAILED);
        assert_string_equal(pair.server->problem, "no application protocol");
        assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
        assert_string_equal(pair.client->problem, "tlsv1 alert no application protocol");
    }
    pair_finish(&pair);
}

/* Takes whatever the argument says: a name behind its length. */
static int
choose(SSL *ssl, const unsigned char **ret_at, unsigned char *ret_len, const unsigned char *offered,
       unsigned len, void *argument)
{
    const struct slice *name = argument;

    (void)ssl, (void)offered, (void)len;
    *ret_at = name->at;
    *ret_len = (unsigned char)name->len;
    return SSL_TLSEXT_ERR_OK;
}

static void
a_client_says_what_it_wants_to_speak_and_takes_nothing_else(void **state)
{
    static uint8_t longest[TLS_PROTOCOL_MAX];
    struct {
        struct slice wanted, taken;
        bool is_good;
    } cases[] = {
        {SLICE("imap"), SLICE("imap"), true},
        {SLICE("imap"), SLICE("http/1.1"), false},
        {SLICE("imap"), SLICE("ima"), false},
        {SLICE("imap"), SLICE("imap4"), false},
        {SLICE("imap"), slice_of(longest, sizeof(longest)), false},
        {slice_of(longest, sizeof(longest)), slice_of(longest, sizeof(longest)), true},
    };
    struct pair pair;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    pair_init(&pair, true);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SSL_CTX_set_alpn_select_cb(pair.server_context->ssl_context, choose, &cases[i].taken);
        pair_connect(&pair, SLICE("mail.example.test"));
        tls_engine_close(&pair.client);
        pair.client = tls_engine_open_expecting(
            pair.client_context, &(struct tls_expectation){
                                     .server_name = SLICE("mail.example.test"),
                                     .protocol = cases[i].wanted,
                                 });
        pair_talk(&pair, 0, SIZE_MAX, &plaintext);
        if (cases[i].is_good) {
            expect_open(&pair);
            continue;
        }
        assert_int_equal(tls_engine_state(pair.client), TLS_FAILED);
        assert_true(tls_engine_problem(pair.client).len > 0);
    }
    pair_finish(&pair);
}

static void
an_idle_connection_costs_less_than_thirty_kibibytes(void **state)
{
    enum { COUNT = 20 };
    struct tls_engine *servers[COUNT];
    struct pair pair;

    (void)state;
    pair_init(&pair, false);
    connect_and_talk(&pair, "mail.example.test");
    tls_engine_close(&pair.client);
    tls_engine_close(&pair.server);
    size_t before = held_bytes;
    for (size_t i = 0; i < COUNT; i++) {
        connect_and_talk(&pair, "mail.example.test");
        expect_exchange(&pair, "CAPA\r\n");
        assert_int_equal(tls_engine_put(pair.server, SLICE("+OK\r\n")), 5);
        pair_talk(&pair, 0, SIZE_MAX, &plaintext);
        servers[i] = pair.server;
        pair.server = NULL;
    }
    tls_engine_close(&pair.client);
    size_t each = (held_bytes - before) / COUNT;
    print_message("an idle server side holds %zu bytes\n", each);
    assert_true(each > 1000 && each < 30 * 1024);
    for (size_t i = 0; i < COUNT; i++)
        tls_engine_close(&servers[i]);
    pair_finish(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_survives_a_split_at_every_byte),
        cmocka_unit_test(tickets_resume_in_their_epoch_and_the_next_even_in_another_process),
        cmocka_unit_test(a_certificate_for_another_name_or_from_nobody_fails_on_both_sides),
        cmocka_unit_test(any_of_several_names_will_do),
        cmocka_unit_test(what_cannot_be_a_name_is_not_looked_for),
        cmocka_unit_test(a_handshake_has_its_limit),
        cmocka_unit_test(a_tlsa_record_vouches_for_a_certificate),
        cmocka_unit_test(names_wildcards_and_the_default_lead_to_their_certificates),
        cmocka_unit_test(a_replaced_certificate_is_for_newcomers_only),
        cmocka_unit_test(without_a_certificate_the_handshake_fails_with_an_alert),
        cmocka_unit_test(wrong_keys_chains_and_names_are_refused_with_a_sentence),
        cmocka_unit_test(both_sides_know_the_same_facts_and_exporters_differ),
        cmocka_unit_test(close_notify_ends_one_direction_and_what_follows_is_ignored),
        cmocka_unit_test(an_engine_may_outlive_its_context),
        cmocka_unit_test(large_plaintext_arrives_whole_and_output_stays_in_its_bound),
        cmocka_unit_test(garbage_fails_with_a_reason),
        cmocka_unit_test(a_changed_byte_fails_and_truncation_only_waits),
        cmocka_unit_test(who_names_other_protocols_only_is_sent_away),
        cmocka_unit_test(a_client_says_what_it_wants_to_speak_and_takes_nothing_else),
        cmocka_unit_test(an_idle_connection_costs_less_than_thirty_kibibytes),
    };
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
        return 2;
    buffer_init(&plaintext, 4 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_finish(&plaintext);
    return failed;
}
