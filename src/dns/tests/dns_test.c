/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/resolver.h"

#define IS(slice, text) assert_true(slice_equal((slice), SLICE(text)))

static void
records_are_read_off_the_wire(void **state)
{
    struct dns_record record;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_true(dns_record_parse(DNS_MX, SLICE("\0\012\4Mail\4truc\2fr\0"), &arena, &record));
    assert_int_equal(record.preference, 10);
    IS(record.name, "mail.truc.fr");
    assert_true(dns_record_parse(DNS_MX, SLICE("\1\0\0"), &arena, &record)); /* RFC 7505 */
    assert_int_equal(record.preference, 256);
    assert_int_equal(record.name.len, 0);
    assert_true(dns_record_parse(DNS_TXT, SLICE("\5hello\0\6 world"), &arena, &record));
    IS(record.data, "hello world");
    assert_true(dns_record_parse(DNS_A, SLICE("\177\0\0\1"), &arena, &record));
    assert_int_equal(record.data.len, 4);
    assert_true(dns_record_parse(DNS_TLSA, SLICE("\3\1\1abcd"), &arena, &record));
    IS(record.data, "\3\1\1abcd");
    assert_true(dns_record_parse(DNS_SRV, SLICE("\0\1\0\2\3\341\1a\1B\0"), &arena, &record));
    assert_true(record.preference == 1 && record.weight == 2 && record.port == 993);
    IS(record.name, "a.b");
    assert_true(dns_record_parse(DNS_PTR, SLICE("\1a\0"), &arena, &record));
    IS(record.name, "a");
    arena_finish(&arena);
}

static void
what_is_no_record_is_refused(void **state)
{
    static const struct {
        enum dns_type type;
        const char *wire;
        size_t len;
    } rows[] = {
        {DNS_A, "\177\0\0", 3},
        {DNS_AAAA, "\177\0\0\1", 4},
        {DNS_MX, "\0\12", 2},
        {DNS_MX, "\0\12\4mail", 7},    /* no end */
        {DNS_MX, "\0\12\4mail\0x", 9}, /* something behind it */
        {DNS_MX, "\0\12\300\14", 4},   /* compressed */
        {DNS_PTR, "\3a b\0", 5},       /* a blank in a name */
        {DNS_PTR, "\3a.b\0", 5},       /* a dot inside a label */
        {DNS_PTR, "", 0},
        {DNS_TXT, "\5hell", 5},
        {DNS_TXT, "", 0},
        {DNS_TLSA, "\3\1\1", 3},
        {DNS_SRV, "\0\1\0\2\3\341", 6},
    };
    struct dns_record record;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (dns_record_parse(rows[i].type, slice_of(rows[i].wire, rows[i].len), &arena, &record))
            fail_msg("row %zu was taken", i);
    }
    arena_finish(&arena);
}

static void
records_are_bounded(void **state)
{
    static uint8_t wire[DNS_DATA_MAX + 1];
    struct dns_record record;
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_true(dns_record_parse(DNS_TLSA, slice_of(wire, 3 + DNS_TLSA_DATA_MAX), &arena, &record));
    assert_false(
        dns_record_parse(DNS_TLSA, slice_of(wire, 3 + DNS_TLSA_DATA_MAX + 1), &arena, &record));
    /* Empty strings: each is its length. */
    assert_true(dns_record_parse(DNS_TXT, slice_of(wire, DNS_DATA_MAX), &arena, &record));
    assert_false(dns_record_parse(DNS_TXT, slice_of(wire, DNS_DATA_MAX + 1), &arena, &record));
    arena_finish(&arena);
}

static void
names_are_bounded(void **state)
{
    char label[65], name[300];
    struct arena arena;
    struct slice text;
    uint8_t wire[300];
    size_t len;

    (void)state;
    memset(label, 'a', sizeof(label));
    assert_true(dns_name_is_sound(slice_of(label, 63)));
    assert_false(dns_name_is_sound(slice_of(label, 64)));
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_true(dns_name_is_sound(slice_of(name, 253)));
    assert_false(dns_name_is_sound(slice_of(name, 255)));
    assert_true(dns_name_is_sound(SLICE("_25._tcp.mail.truc.fr.")));
    assert_false(dns_name_is_sound(SLICE("")));
    assert_false(dns_name_is_sound(SLICE("a..b")));
    assert_false(dns_name_is_sound(SLICE(".")));
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof(wire); i++)
        wire[i] = i % 2 ? 'A' : 1;
    wire[254] = 0; /* 127 labels of one octet: 253 octets of text */
    assert_true(dns_name_parse(slice_of(wire, 300), &arena, &text, &len));
    assert_int_equal(text.len, 253);
    assert_int_equal(len, 255);
    for (uint8_t i = 63; i < 65; i++) {
        memset(wire, 'a', sizeof(wire));
        wire[0] = i;
        wire[1 + i] = 0;
        bool is_good = dns_name_parse(slice_of(wire, 2 + (size_t)i), &arena, &text, &len);
        assert_int_equal(is_good, i < 64);
    }
    for (size_t i = 0; i < sizeof(wire); i++)
        wire[i] = i % 2 ? 'A' : 1;
    wire[256] = 0;
    assert_false(dns_name_parse(slice_of(wire, 300), &arena, &text, &len));
    arena_finish(&arena);
}

struct seen {
    unsigned count;
    enum dns_outcome outcome;
    size_t records;
};

static void
on_answer(void *context, const struct dns_answer *answer)
{
    struct seen *seen = context;

    seen->count++;
    seen->outcome = answer->outcome;
    seen->records = answer->count;
}

/* What the library knows by itself: nobody is asked. */
static void
a_resolver_answers_with_and_without_waiting(void **state)
{
    static const struct slice nobody = {(const uint8_t *)"127.0.0.1@9", 11};
    const struct dns_resolver_options options = {.forwarders = &nobody, .forwarder_count = 1};
    struct seen seen = {0};
    struct dns_answer answer;
    struct arena arena;
    const char *why = "";

    (void)state;
    arena_init(&arena, 1 << 20);
    struct dns_resolver *resolver = dns_resolver_open(&options, &why);
    assert_non_null(resolver);
    dns_resolver_look_up(resolver, SLICE("localhost"), DNS_A, &arena, &answer);
    assert_int_equal(answer.outcome, DNS_FOUND);
    assert_int_equal(answer.count, 1);
    assert_memory_equal(answer.records[0].data.at, "\177\0\0\1", 4);
    dns_resolver_look_up(resolver, SLICE("a b"), DNS_A, &arena, &answer);
    assert_int_equal(answer.outcome, DNS_NO_NAME);
    assert_true(dns_resolver_descriptor(resolver) >= 0);
    assert_true(dns_resolver_ask(resolver, SLICE("localhost."), DNS_AAAA, on_answer, &seen));
    assert_false(dns_resolver_ask(resolver, SLICE("a b"), DNS_AAAA, on_answer, &seen));
    while (seen.count == 0)
        dns_resolver_process(resolver);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.outcome, DNS_FOUND);
    assert_int_equal(seen.records, 1);
    dns_resolver_close(&resolver, NULL);
    assert_null(resolver);
    arena_finish(&arena);
}

static void
options_that_cannot_be_taken_are_named(void **state)
{
    static const struct slice bad = {(const uint8_t *)"nonsense", 8};
    struct dns_resolver_options options = {.forwarders = &bad, .forwarder_count = 1};
    const char *why = NULL;

    (void)state;
    assert_null(dns_resolver_open(&options, &why));
    assert_non_null(strstr(why, "address of a resolver"));
    options = (struct dns_resolver_options){.is_recursive = true, .stubs = &bad, .stub_count = 1};
    assert_null(dns_resolver_open(&options, &why));
    assert_non_null(strstr(why, "zone"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_off_the_wire),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(records_are_bounded),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(a_resolver_answers_with_and_without_waiting),
        cmocka_unit_test(options_that_cannot_be_taken_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
