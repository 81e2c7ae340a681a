/* SPDX-License-Identifier: ISC */
/* The resolver against a name server on loopback, which answers by the first label of what it is
 * asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/filled.h"
#include "dns/resolver.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_MAX = 512,
    HEADER_LEN = 12,
    TTL_S = 300,
    RCODE_SERVER_FAILED = 2,
    RCODE_NO_NAME = 3,
    ANSWER_DEADLINE_MS = 60000,
    SERVER_S = 120,
    TYPE_RRSIG = 46,
    TYPE_DNSKEY = 48,
    ED25519 = 15, /* RFC 8080 */
    DAY_S = 86400
};

#define IS(slice, text) assert_true(slice_equal((slice), SLICE(text)))

/* ---- the name server ------------------------------------------------------------------------- */

static const struct row {
    const char *label;
    uint8_t rcode;
    enum dns_type type; /* of the record in the answer; 0: there is none */
    struct slice data;
} rows[] = {
    {"host", 0, DNS_A, SLICE("\300\0\2\1")},
    {"forged", 0, DNS_A, SLICE("\300\0\2\3")},
    {"mail", 0, DNS_MX, SLICE("\0\012\2MX\7example\3net\0")},
    {"blank", 0, DNS_MX, SLICE("\0\012\3m x\7example\3net\0")},
    {"alias", 0, DNS_CNAME, SLICE("\4Host\7example\3net\0")},
    {"odd", 0, DNS_CNAME, SLICE("\4o(dd\7example\3net\0")},
    {"nothing", 0, 0, SLICE("")},
    {"nobody", RCODE_NO_NAME, 0, SLICE("")},
    {"broken", RCODE_SERVER_FAILED, 0, SLICE("")},
};

static void
put_record(struct buffer *packet, enum dns_type type, struct slice data)
{
    const uint8_t head[] = {0xC0, HEADER_LEN, 0,          (uint8_t)type, 0, 1,
                            0,    0,          TTL_S >> 8, TTL_S & 0xFF,  0, (uint8_t)data.len};

    buffer_put(packet, slice_of(head, sizeof(head)));
    buffer_put(packet, data);
}

static const struct row *
find_row(struct slice question)
{
    static const struct row silent = {"", RCODE_NO_NAME, 0, SLICE("")};
    struct slice label = slice_between(question, 1, 1 + (size_t)question.at[0]);

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_equal_nocase(label, slice_of_string(rows[i].label)))
            return &rows[i];
    /* What the odd name leads to. */
    static const struct row address = {"", 0, DNS_A, SLICE("\300\0\2\2")};
    return slice_equal(label, SLICE("o(dd")) ? &address : &silent;
}

/* The key of example.net, where it has one. */
struct signer {
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES], secret_key[crypto_sign_SECRETKEYBYTES];
};

enum { KEY_HEAD = 4, KEY_LEN = KEY_HEAD + crypto_sign_PUBLICKEYBYTES };

static void
put_key(const struct signer *signer, uint8_t key[static KEY_LEN])
{
    static const uint8_t head[KEY_HEAD] = {1, 1, 3, ED25519}; /* of a zone, and its entry */

    memcpy(key, head, KEY_HEAD);
    memcpy(key + KEY_HEAD, signer->public_key, sizeof(signer->public_key));
}

/* RFC 4034, appendix B. */
static uint32_t
key_tag(const struct signer *signer)
{
    uint8_t key[KEY_LEN];
    uint32_t sum = 0;

    put_key(signer, key);
    for (size_t i = 0; i < sizeof(key); i++)
        sum += i & 1 ? key[i] : (uint32_t)key[i] << 8;
    return (sum + (sum >> 16)) & 0xFFFF;
}

static void
put_number(struct buffer *out, uint32_t number, unsigned octets)
{
    for (unsigned i = octets; i-- > 0;)
        buffer_put_byte(out, (uint8_t)(number >> (8 * i)));
}

/* RFC 4034 §3.1: of one record that `owner` has. */
static void
put_signature(struct buffer *packet, const struct signer *signer, struct slice owner, uint32_t type,
              struct slice data)
{
    uint8_t signature[crypto_sign_BYTES];
    struct buffer record, text;
    uint32_t now = (uint32_t)time(NULL), labels = 0;

    for (size_t at = 0; owner.at[at]; at += 1 + (size_t)owner.at[at])
        labels++;
    buffer_init(&record, PACKET_MAX);
    buffer_init(&text, PACKET_MAX);
    put_number(&record, type, 2);
    put_number(&record, ED25519, 1);
    put_number(&record, labels, 1);
    put_number(&record, TTL_S, 4);
    put_number(&record, now + DAY_S, 4);
    put_number(&record, now - DAY_S, 4);
    put_number(&record, key_tag(signer), 2);
    buffer_put(&record, SLICE("\7example\3net\0"));
    buffer_put(&text, buffer_slice(&record));
    buffer_put(&text, owner);
    put_number(&text, type, 2);
    put_number(&text, 1, 2);
    put_number(&text, TTL_S, 4);
    put_number(&text, (uint32_t)data.len, 2);
    buffer_put(&text, data);
    crypto_sign_detached(signature, NULL, buffer_slice(&text).at, buffer_len(&text),
                         signer->secret_key);
    memory_is_filled(signature, sizeof(signature));
    buffer_put(&record, slice_of(signature, sizeof(signature)));
    put_record(packet, (enum dns_type)TYPE_RRSIG, buffer_slice(&record));
    buffer_finish(&record);
    buffer_finish(&text);
}

/* The record that was asked for, what vouches for it, and that long answers are understood. */
static void
answer_signed(struct slice packet, const struct signer *signer, struct buffer *reply)
{
    struct slice question = slice_skip(packet, HEADER_LEN);
    struct slice owner = slice_first(question, slice_find_byte(question, 0) + 1);
    const struct row *row = find_row(question);
    uint32_t type = question.at[owner.len + 1];
    uint8_t key[KEY_LEN];
    struct slice data = row->data;
    bool has_record = type == row->type && type != 0;

    put_key(signer, key);
    if (type == TYPE_DNSKEY && slice_equal(owner, SLICE("\7example\3net\0"))) {
        data = slice_of(key, sizeof(key));
        has_record = true;
    }
    const uint8_t rest[] = {0x85, 0x80, 0, 1, 0, has_record ? 2 : 0, 0, 0, 0, 1};
    buffer_put(reply, slice_first(packet, 2));
    buffer_put(reply, slice_of(rest, sizeof(rest)));
    buffer_put(reply, slice_first(question, owner.len + 4));
    if (has_record) {
        put_record(reply, (enum dns_type)type, data);
        bool is_forged = slice_equal(slice_of_string(row->label), SLICE("forged"));
        put_signature(reply, signer, owner, type, is_forged ? SLICE("\300\0\2\4") : data);
    }
    buffer_put(reply, SLICE("\0\0\x29\x10\0\0\0\x80\0\0\0"));
}

/* The question comes back, and one record at most. */
static void
answer_packet(struct slice packet, struct buffer *reply)
{
    struct slice question = slice_skip(packet, HEADER_LEN);
    size_t name_len = slice_find_byte(question, 0) + 1;
    const struct row *row = find_row(question);
    enum dns_type asked = question.at[name_len + 1];
    bool has_record = row->type && (row->type == asked || row->type == DNS_CNAME);
    const uint8_t rest[] = {0x81, (uint8_t)(0x80 | row->rcode), 0, 1, 0, has_record, 0, 0, 0, 0};

    buffer_put(reply, slice_first(packet, 2));
    buffer_put(reply, slice_of(rest, sizeof(rest)));
    buffer_put(reply, slice_first(question, name_len + 4));
    if (has_record)
        put_record(reply, row->type, row->data);
}

static void
serve(int descriptor, const struct signer *signer)
{
    uint8_t bytes[PACKET_MAX];
    struct buffer reply;

    alarm(SERVER_S); /* when a test that fails leaves it alone */
    buffer_init(&reply, PACKET_MAX);
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t len =
            recvfrom(descriptor, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
        if (len < HEADER_LEN + 6)
            continue;
        if (signer)
            answer_signed(slice_of(bytes, (size_t)len), signer, &reply);
        else
            answer_packet(slice_of(bytes, (size_t)len), &reply);
        struct slice out = buffer_slice(&reply);
        (void)!sendto(descriptor, out.at, out.len, 0, (struct sockaddr *)&from, from_len);
        buffer_clear(&reply);
    }
}

/* Its address stands in the text; it is ended with end_server. */
static pid_t
start_server(const struct signer *signer, char ret_address[40])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);

    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &len), 0);
    snprintf(ret_address, 40, "127.0.0.1@%u", ntohs(address.sin_port));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        serve(descriptor, signer);
    close(descriptor);
    return child;
}

static void
end_server(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

struct world {
    pid_t server;
    struct dns_resolver *resolver;
    struct arena arena;
};

/* `anchors` is a file, or NULL; so is who signs. */
static void
open_signed_world(struct world *world, bool is_stub, const char *anchors,
                  const struct signer *signer)
{
    char address[40], stub_text[80];
    const char *why = NULL;

    world->server = start_server(signer, address);
    snprintf(stub_text, sizeof(stub_text), "example.net %s", address);
    struct slice forwarder = slice_of_string(address), stub = slice_of_string(stub_text);
    struct dns_resolver_options options = {
        .is_recursive = true,
        .is_local_allowed = true,
        .cache_bytes = 1 << 20,
        .trust_anchors = slice_of_string(anchors ? anchors : ""),
    };
    if (is_stub) {
        options.stubs = &stub;
        options.stub_count = 1;
    } else {
        options.forwarders = &forwarder;
        options.forwarder_count = 1;
    }
    world->resolver = dns_resolver_open(&options, &why);
    if (!world->resolver)
        fail_msg("%s", why);
    arena_init(&world->arena, 1 << 20);
}

static void
open_world(struct world *world, bool is_stub, const char *anchors)
{
    open_signed_world(world, is_stub, anchors, NULL);
}

static void
close_world(struct world *world)
{
    dns_resolver_close(&world->resolver, NULL);
    arena_finish(&world->arena);
    end_server(world->server);
}

static struct dns_answer
look_up(struct world *world, const char *name, enum dns_type type)
{
    struct dns_answer answer;

    dns_resolver_look_up(world->resolver, slice_of_string(name), type, &world->arena, &answer);
    return answer;
}

static void
what_a_server_says_is_told(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, false, NULL);
    struct dns_answer answer = look_up(&world, "host.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_int_equal(answer.count, 1);
    IS(answer.records[0].data, "\300\0\2\1");
    IS(answer.canonical, "host.example.net");
    assert_in_range(answer.ttl_s, 1, TTL_S);
    assert_false(answer.is_secure);

    answer = look_up(&world, "Mail.Example.net.", DNS_MX);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_int_equal(answer.records[0].preference, 10);
    IS(answer.records[0].name, "mx.example.net");
    assert_int_equal(look_up(&world, "nothing.example.net", DNS_A).outcome, DNS_NO_DATA);
    assert_int_equal(look_up(&world, "host.example.net", DNS_MX).outcome, DNS_NO_DATA);
    assert_int_equal(look_up(&world, "nobody.example.net", DNS_A).outcome, DNS_NO_NAME);
    assert_int_equal(look_up(&world, "broken.example.net", DNS_A).outcome, DNS_TEMPORARY);
    close_world(&world);
}

static void
an_alias_has_the_name_behind_it(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, false, NULL);
    struct dns_answer answer = look_up(&world, "alias.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_FOUND);
    IS(answer.canonical, "host.example.net");
    IS(answer.records[0].data, "\300\0\2\1");
    answer = look_up(&world, "odd.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_FOUND);
    IS(answer.canonical, ""); /* a name that would not be passed on */
    close_world(&world);
}

static void
records_that_make_no_sense_are_no_answer_for_good(void **state)
{
    struct world world;

    (void)state;
    open_world(&world, false, NULL);
    struct dns_answer answer = look_up(&world, "blank.example.net", DNS_MX);
    assert_int_equal(answer.outcome, DNS_TEMPORARY);
    assert_int_equal(answer.count, 0);
    IS(answer.why, "no record of the answer makes sense");
    close_world(&world);
}

/* The server signs nothing: below a trust anchor that is forgery. */
static void
what_is_not_signed_below_an_anchor_is_bogus(void **state)
{
    static const char anchor[] =
        "example.net. IN DS 60485 8 2 "
        "D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n";
    char path[] = "/tmp/resolver_test_XXXXXX";
    struct world world;
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(write(file, anchor, sizeof(anchor) - 1), sizeof(anchor) - 1);
    close(file);
    open_world(&world, true, path);
    struct dns_answer answer = look_up(&world, "host.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_BOGUS);
    assert_true(answer.why.len > 0);
    assert_false(answer.is_secure);
    assert_int_equal(answer.count, 0);
    close_world(&world);
    assert_int_equal(truncate(path, 10), 0);
    const char *why = NULL;
    const struct dns_resolver_options damaged = {.is_recursive = true,
                                                 .trust_anchors = slice_of_string(path)};
    assert_null(dns_resolver_open(&damaged, &why));
    assert_string_equal(why, "the trust anchors or root hints are damaged");
    unlink(path);
}

/* An office's own zone, of which the signed root knows nothing; but who has an anchor for it, or
 * for one above it, wants it to hold. */
static void
a_zone_of_ones_own_needs_no_signature_from_above(void **state)
{
    static const struct {
        const char *owner;
        enum dns_outcome outcome;
    } anchors[] = {
        {".", DNS_FOUND},           {"example.org.", DNS_FOUND},
        {"ample.net.", DNS_FOUND},  {"a.example.net.", DNS_FOUND},
        {"Example.NET", DNS_BOGUS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(anchors); i++) {
        char path[] = "/tmp/resolver_test_XXXXXX";
        struct world world;
        int file = mkstemp(path);
        assert_true(file >= 0);
        dprintf(file,
                "; anchors\n%s IN DS 60485 8 2 "
                "D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n",
                anchors[i].owner);
        close(file);
        open_world(&world, true, path);
        struct dns_answer answer = look_up(&world, "host.example.net", DNS_A);
        if (answer.outcome != anchors[i].outcome)
            fail_msg("%s: %d", anchors[i].owner, (int)answer.outcome);
        assert_false(answer.is_secure);
        close_world(&world);
        unlink(path);
    }
}

/* DANE and all that rests on it believe only what is said to be secure here. */
static void
what_is_signed_below_an_anchor_is_secure_and_what_is_changed_is_bogus(void **state)
{
    char path[] = "/tmp/resolver_test_XXXXXX", text[100];
    uint8_t key[KEY_LEN];
    struct signer signer;
    struct world world;
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0 && sodium_init() >= 0);
    crypto_sign_keypair(signer.public_key, signer.secret_key);
    put_key(&signer, key);
    sodium_bin2base64(text, sizeof(text), signer.public_key, sizeof(signer.public_key),
                      sodium_base64_VARIANT_ORIGINAL);
    dprintf(file, "example.net. IN DNSKEY 257 3 15 %s\n", text);
    close(file);
    open_signed_world(&world, true, path, &signer);
    struct dns_answer answer = look_up(&world, "host.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_true(answer.is_secure);
    IS(answer.records[0].data, "\300\0\2\1");
    answer = look_up(&world, "forged.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_BOGUS);
    assert_false(answer.is_secure);
    /* Nor is it proven that there is none. */
    answer = look_up(&world, "nothing.example.net", DNS_A);
    assert_int_equal(answer.outcome, DNS_BOGUS);
    assert_false(answer.is_secure);
    close_world(&world);
    unlink(path);
}

struct heard {
    unsigned answers, drops;
    enum dns_outcome outcome;
};

static void
on_answer(void *context, const struct dns_answer *answer)
{
    struct heard *heard = context;

    heard->answers++;
    heard->outcome = answer->outcome;
}

static void
on_drop(void *context)
{
    struct heard *heard = context;

    heard->drops++;
}

static void
what_is_asked_is_answered_once_or_dropped(void **state)
{
    struct heard heard = {0};
    struct world world;

    (void)state;
    open_world(&world, true, NULL);
    assert_true(
        dns_resolver_ask(world.resolver, SLICE("host.example.net"), DNS_A, on_answer, &heard));
    struct pollfd watched = {.fd = dns_resolver_descriptor(world.resolver), .events = POLLIN};
    while (heard.answers == 0) {
        assert_int_equal(poll(&watched, 1, ANSWER_DEADLINE_MS), 1);
        dns_resolver_process(world.resolver);
    }
    assert_int_equal(heard.outcome, DNS_FOUND);
    assert_true(
        dns_resolver_ask(world.resolver, SLICE("nobody.example.net"), DNS_A, on_answer, &heard));
    dns_resolver_close(&world.resolver, on_drop);
    assert_int_equal(heard.answers, 1);
    assert_int_equal(heard.drops, 1);
    close_world(&world);
}

/* The library answers for some zones itself, of which an office may have its own. */
static void
zones_that_are_somebodys_own_are_asked_of_their_server(void **state)
{
    static const char *const zones[] = {"test", "test.", "168.192.in-addr.arpa",
                                        "1.10.in-addr.arpa"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        char address[40], stub_text[80], name[80];
        const char *why = NULL;
        struct world world = {.server = start_server(NULL, address)};
        snprintf(stub_text, sizeof(stub_text), "%s %s", zones[i], address);
        snprintf(name, sizeof(name), "host.%s", zones[i]);
        struct slice stub = slice_of_string(stub_text);
        /* A server that is named may be on loopback, whatever else may not. */
        world.resolver = dns_resolver_open(
            &(struct dns_resolver_options){.is_recursive = true, .stubs = &stub, .stub_count = 1},
            &why);
        assert_non_null(world.resolver);
        arena_init(&world.arena, 1 << 20);
        if (look_up(&world, name, DNS_A).outcome != DNS_FOUND)
            fail_msg("%s", zones[i]);
        close_world(&world);
    }
}

static void
files_that_are_there_are_taken(void **state)
{
    static const char hints[] = ". 3600000 NS a.root.test.\na.root.test. 3600000 A 127.0.0.1\n";
    char path[] = "/tmp/resolver_test_XXXXXX";
    const char *why = NULL;
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(write(file, hints, sizeof(hints) - 1), sizeof(hints) - 1);
    close(file);
    struct dns_resolver *resolver = dns_resolver_open(
        &(struct dns_resolver_options){.is_recursive = true, .root_hints = slice_of_string(path)},
        &why);
    unlink(path);
    assert_non_null(resolver);
    dns_resolver_close(&resolver, NULL);
}

static void
files_that_are_not_there_are_refused(void **state)
{
    const struct slice none = SLICE("/nonexistent/file"), cut = SLICE("a\0b");
    const struct slice folder = SLICE("/tmp"); /* of which the library would read for ever */
    const struct dns_resolver_options bad[] = {
        {.is_recursive = true, .trust_anchors = none},
        {.is_recursive = true, .trust_anchors = cut},
        {.is_recursive = true, .trust_anchors = folder},
        {.is_recursive = true, .root_hints = cut},
        {.is_recursive = true, .root_hints = none},
        {.is_recursive = true, .root_hints = folder},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *why = NULL;
        assert_null(dns_resolver_open(&bad[i], &why));
        assert_non_null(strstr(why, i < 3 ? "trust anchors" : "root hints"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_says_is_told),
        cmocka_unit_test(an_alias_has_the_name_behind_it),
        cmocka_unit_test(records_that_make_no_sense_are_no_answer_for_good),
        cmocka_unit_test(what_is_not_signed_below_an_anchor_is_bogus),
        cmocka_unit_test(a_zone_of_ones_own_needs_no_signature_from_above),
        cmocka_unit_test(what_is_signed_below_an_anchor_is_secure_and_what_is_changed_is_bogus),
        cmocka_unit_test(what_is_asked_is_answered_once_or_dropped),
        cmocka_unit_test(zones_that_are_somebodys_own_are_asked_of_their_server),
        cmocka_unit_test(files_that_are_there_are_taken),
        cmocka_unit_test(files_that_are_not_there_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
