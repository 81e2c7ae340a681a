/* SPDX-License-Identifier: ISC */
#include "routing/fact.h"

void
routing_facts_init(struct routing_facts *facts, struct arena *arena)
{
    *facts = (struct routing_facts){.arena = arena};
}

static struct slice
without_dot(struct slice name)
{
    return name.len > 0 && name.at[name.len - 1] == '.' ? slice_first(name, name.len - 1) : name;
}

static bool
is_same(const struct routing_question *left, const struct routing_question *right)
{
    if (left->kind != right->kind)
        return false;
    if (left->kind == ROUTING_ASK_DNS)
        return left->type == right->type &&
               slice_equal_nocase(without_dot(left->key), without_dot(right->key));
    return slice_equal(left->table, right->table) && slice_equal(left->key, right->key);
}

static struct routing_fact *
add(struct routing_facts *facts, const struct routing_question *question)
{
    if (facts->count == ROUTING_FACTS_MAX)
        return NULL;
    if (facts->count == facts->size) {
        size_t size = facts->size ? facts->size * 2 : 16;
        struct routing_fact *bigger = ARENA_ARRAY(facts->arena, struct routing_fact, size);
        if (!bigger)
            return NULL;
        if (facts->count > 0)
            memcpy(bigger, facts->at, facts->count * sizeof(*bigger));
        facts->at = bigger;
        facts->size = size;
    }
    struct routing_fact *fact = &facts->at[facts->count++];
    *fact = (struct routing_fact){.question = *question};
    fact->question.table = arena_copy(facts->arena, question->table);
    fact->question.key = arena_copy(facts->arena, question->key);
    return fact;
}

bool
routing_facts_add_dns(struct routing_facts *facts, struct slice name, enum dns_type type,
                      const struct dns_answer *answer)
{
    const struct routing_question question = {
        .kind = ROUTING_ASK_DNS, .type = type, .table = SLICE(""), .key = name};
    struct routing_fact *fact = add(facts, &question);
    struct dns_record *records = ARENA_ARRAY(facts->arena, struct dns_record, answer->count + 1);

    if (!fact || !records)
        return false;
    fact->dns = *answer;
    fact->dns.canonical = arena_copy(facts->arena, answer->canonical);
    fact->dns.why = arena_copy(facts->arena, answer->why);
    for (size_t i = 0; i < answer->count; i++) {
        records[i] = answer->records[i];
        records[i].name = arena_copy(facts->arena, answer->records[i].name);
        records[i].data = arena_copy(facts->arena, answer->records[i].data);
    }
    fact->dns.records = records;
    return !arena_failed(facts->arena);
}

bool
routing_facts_add_table(struct routing_facts *facts, struct slice table, struct slice key,
                        enum routing_table_outcome outcome, struct slice value)
{
    const struct routing_question question = {
        .kind = ROUTING_ASK_TABLE, .table = table, .key = key};
    struct routing_fact *fact = add(facts, &question);

    if (!fact)
        return false;
    fact->table = outcome;
    fact->value = arena_copy(facts->arena, value);
    return !arena_failed(facts->arena);
}

static const struct routing_fact *
find(struct routing_facts *facts, const struct routing_question *question)
{
    for (size_t i = 0; i < facts->count; i++) {
        if (is_same(&facts->at[i].question, question))
            return &facts->at[i];
    }
    for (size_t i = 0; i < facts->question_count; i++) {
        if (is_same(&facts->questions[i], question))
            return NULL;
    }
    if (facts->question_count < ROUTING_QUESTIONS_MAX)
        facts->questions[facts->question_count++] =
            (struct routing_question){.kind = question->kind,
                                      .type = question->type,
                                      .table = arena_copy(facts->arena, question->table),
                                      .key = arena_copy(facts->arena, question->key)};
    return NULL;
}

const struct routing_fact *
routing_facts_dns(struct routing_facts *facts, struct slice name, enum dns_type type)
{
    const struct routing_question question = {
        .kind = ROUTING_ASK_DNS, .type = type, .table = SLICE(""), .key = name};

    return find(facts, &question);
}

const struct routing_fact *
routing_facts_table(struct routing_facts *facts, struct slice table, struct slice key)
{
    const struct routing_question question = {
        .kind = ROUTING_ASK_TABLE, .table = table, .key = key};

    return find(facts, &question);
}
