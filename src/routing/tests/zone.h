/* SPDX-License-Identifier: ISC */
/* A small world of names for tests: rows of text that answer a decision's questions. */
#ifndef ROUTING_TESTS_ZONE_H
#define ROUTING_TESTS_ZONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "routing/next_hop.h"

/* data: "10 host" for MX (several with commas), "1.2.3.4" for A, hexadecimal for AAAA and TLSA,
 * the text for TXT; "!bogus", "!temporary", "!none" (the name exists). A leading "*" says that it
 * is secure. */
struct zone_row {
    const char *name;
    enum dns_type type;
    const char *data;
};

static inline uint8_t
zone_hex(char digit)
{
    return (uint8_t)(byte_is_digit((uint8_t)digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
}

static inline void
zone_read_record(struct arena *arena, enum dns_type type, struct slice text,
                 struct dns_record *record)
{
    char copy[300];
    unsigned part[4];
    char host[256] = "";

    *record = (struct dns_record){.name = SLICE(""), .data = SLICE("")};
    snprintf(copy, sizeof(copy), "%.*s", (int)text.len, (const char *)text.at);
    if (type == DNS_MX) {
        assert_true(sscanf(copy, "%u %255s", &part[0], host) >= 1);
        record->preference = (uint16_t)part[0];
        record->name = arena_copy(arena, slice_of_string(strcmp(host, ".") == 0 ? "" : host));
        return;
    }
    if (type == DNS_TXT) {
        record->data = arena_copy(arena, text);
        return;
    }
    uint8_t *bytes = arena_new(arena, 256);
    if (type == DNS_A) {
        assert_int_equal(sscanf(copy, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]), 4);
        for (size_t i = 0; i < 4; i++)
            bytes[i] = (uint8_t)part[i];
        record->data = slice_of(bytes, 4);
        return;
    }
    for (size_t i = 0; i < text.len / 2; i++)
        bytes[i] = (uint8_t)(zone_hex(copy[2 * i]) << 4 | zone_hex(copy[2 * i + 1]));
    record->data = slice_of(bytes, text.len / 2);
}

static inline void
zone_answer(const struct zone_row *rows, size_t count, const struct routing_question *question,
            struct arena *arena, struct dns_answer *answer)
{
    struct dns_record *records = ARENA_ARRAY(arena, struct dns_record, 64);

    *answer = (struct dns_answer){.outcome = DNS_NO_NAME,
                                  .ttl_s = 60,
                                  .canonical = question->key,
                                  .why = SLICE(""),
                                  .records = records};
    for (size_t i = 0; i < count; i++) {
        struct slice data = slice_of_string(rows[i].data);
        if (!slice_equal_nocase(slice_of_string(rows[i].name), question->key))
            continue;
        if (rows[i].type != question->type) {
            answer->outcome = DNS_NO_DATA;
            continue;
        }
        answer->is_secure = data.at[0] == '*';
        data = slice_skip(data, answer->is_secure);
        if (data.len > 0 && data.at[0] == '!') {
            answer->outcome = data.at[1] == 'b'   ? DNS_BOGUS
                              : data.at[1] == 't' ? DNS_TEMPORARY
                                                  : DNS_NO_DATA;
            return;
        }
        answer->outcome = DNS_FOUND;
        while (data.len > 0) {
            size_t end = slice_find_byte(data, ',');
            zone_read_record(arena, question->type, slice_first(data, end),
                             &records[answer->count++]);
            data = slice_skip(data, end + 1);
        }
        return;
    }
}

/* Decides, and answers what is asked, until there is a decision. */
static inline enum routing_outcome
zone_decide(const struct zone_row *rows, size_t count, const struct routing_settings *settings,
            const char *sender, const char *recipient, uint64_t seed, struct arena *arena,
            struct routing_steps *steps, struct routing_hop *hop)
{
    struct routing_facts facts;
    struct dns_answer answer;
    enum routing_outcome outcome;

    routing_facts_init(&facts, arena);
    for (unsigned round = 0;; round++) {
        assert_true(round < 10);
        outcome = routing_next_hop(settings, slice_of_string(sender), slice_of_string(recipient),
                                   seed, &facts, steps, hop);
        if (outcome != ROUTING_MISSING)
            return outcome;
        assert_true(facts.question_count > 0);
        for (size_t i = 0; i < facts.question_count; i++) {
            struct routing_question question = facts.questions[i];
            if (question.kind == ROUTING_ASK_TABLE) {
                assert_true(routing_facts_add_table(
                    &facts, question.table, question.key,
                    slice_equal(question.key, SLICE("*.table.test")) ? ROUTING_TABLE_FOUND
                    : slice_equal(question.key, SLICE("down.test"))  ? ROUTING_TABLE_TEMPORARY
                                                                     : ROUTING_TABLE_NOT_FOUND,
                    SLICE("smtp:[192.0.2.99]:2525")));
                continue;
            }
            zone_answer(rows, count, &question, arena, &answer);
            assert_true(routing_facts_add_dns(&facts, question.key, question.type, &answer));
        }
    }
}

#endif
