/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "routing/tls_report.h"

static void
expect(struct slice text, const char *expected)
{
    if (!slice_equal(text, slice_of_string(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.len, text.at, expected);
}

/* RFC 8460 §3 */
static void
a_record_names_addresses(void **state)
{
    static const struct {
        const char *text;
        int count; /* -1: it is no such record */
        const char *first;
    } cases[] = {
        {"v=TLSRPTv1;rua=mailto:reports@Example.com", 1, "reports@example.com"},
        {"v=TLSRPTv1; rua=mailto:a@b.test,https://b.test/x , MAILTO:c@b.test;", 2, "a@b.test"},
        {"v=TLSRPTv1;rua=https://reporting.example.com/v1/tlsrpt", 0, NULL},
        {"v=TLSRPTv1;x=y;rua=mailto:tls%2Breports@b.test?subject=hi", 1, "tls+reports@b.test"},
        {"v=TLSRPTv1;rua=mailto:a@1.test,mailto:a@2.test,mailto:a@3.test,mailto:a@4.test,"
         "mailto:a@5.test",
         4, "a@1.test"},
        {"v=TLSRPTv1;rua=mailto:a%0d%0a@b.test", 0, NULL},
        {"v=TLSRPTv1;rua=mailto:a%2", 0, NULL},
        {"v=TLSRPTv1;rua=mailto:nobody", 0, NULL},
        {"v=TLSRPTv1;rua=mailto:a@[127.0.0.1]", 0, NULL},
        {"v=TLSRPTv1;", -1, NULL},
        {"v=TLSRPTv2;rua=mailto:a@b.test", -1, NULL},
        {"", -1, NULL},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct routing_tls_report report;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        bool is_record = routing_tls_report_parse(slice_of_string(cases[i].text), &arena, &report);
        assert_int_equal(is_record, cases[i].count >= 0);
        if (is_record)
            assert_int_equal(report.count, cases[i].count);
        if (cases[i].first)
            expect(report.addresses[0], cases[i].first);
        arena_finish(&arena);
    }
}

static enum routing_tls_report_outcome
find(struct arena *arena, enum dns_outcome outcome, const struct dns_record *records, size_t count)
{
    struct dns_answer answer = {.outcome = outcome, .records = records, .count = count};
    struct routing_tls_report report;
    struct routing_facts facts;

    routing_facts_init(&facts, arena);
    assert_int_equal(routing_find_tls_report(&facts, SLICE("b.test"), &report),
                     ROUTING_TLS_REPORT_MISSING);
    assert_int_equal(facts.question_count, 1);
    expect(facts.questions[0].key, "_smtp._tls.b.test");
    assert_true(routing_facts_add_dns(&facts, facts.questions[0].key, DNS_TXT, &answer));
    return routing_find_tls_report(&facts, SLICE("b.test"), &report);
}

static void
one_record_is_asked_for(void **state)
{
    static const struct dns_record records[] = {
        {.data = SLICE("v=TLSRPTv1;rua=mailto:a@b.test")},
        {.data = SLICE("something else")},
        {.data = SLICE("v=TLSRPTv1;rua=mailto:c@b.test")},
    };
    struct arena arena;
    (void)state;

    arena_init(&arena, 1 << 20);
    assert_int_equal(find(&arena, DNS_FOUND, records, 2), ROUTING_TLS_REPORT_FOUND);
    assert_int_equal(find(&arena, DNS_FOUND, records, 3), ROUTING_TLS_REPORT_NONE);
    assert_int_equal(find(&arena, DNS_NO_NAME, NULL, 0), ROUTING_TLS_REPORT_NONE);
    assert_int_equal(find(&arena, DNS_TEMPORARY, NULL, 0), ROUTING_TLS_REPORT_TEMPORARY);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_names_addresses),
        cmocka_unit_test(one_record_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
