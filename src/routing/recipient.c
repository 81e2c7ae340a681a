/* SPDX-License-Identifier: ISC */
#include "routing/recipient.h"

#include "routing/forward.h"

struct expansion {
    const struct routing_names *names;
    struct routing_facts *facts;
    struct routing_steps *steps;
    /* Addresses that tables have named, each once, and how many tables led there. */
    struct slice addresses[ROUTING_ALIAS_ADDRESSES_MAX];
    unsigned depths[ROUTING_ALIAS_ADDRESSES_MAX];
    size_t count;
    struct directory_target *targets;
    size_t target_count;
    const char *why;
};

/* ---- asking -------------------------------------------------------------------------------- */

static enum routing_outcome
ask(struct expansion *run, struct slice key, struct slice *ret_value)
{
    const struct routing_names *names = run->names;

    for (size_t i = 0; i < names->alias_table_count; i++) {
        const struct routing_fact *fact =
            routing_facts_table(run->facts, names->alias_tables[i], key);
        if (!fact)
            return ROUTING_MISSING;
        if (fact->table == ROUTING_TABLE_TEMPORARY) {
            run->why = "a table cannot be asked for now";
            return ROUTING_TEMPORARY;
        }
        if (fact->table == ROUTING_TABLE_FOUND) {
            routing_step(run->steps, run->facts->arena, "table %.*s: %.*s → %.*s",
                         ROUTING_TEXT(names->alias_tables[i]), ROUTING_TEXT(key),
                         ROUTING_TEXT(fact->value));
            *ret_value = fact->value;
            return ROUTING_FOUND;
        }
    }
    return ROUTING_PERMANENT;
}

static struct slice
key_of(struct expansion *run, const struct directory_address *address, size_t local_len)
{
    struct directory_address part = {slice_first(address->local, local_len), address->domain};
    struct buffer text;

    buffer_init(&text, ROUTING_KEY_MAX);
    directory_address_format(&text, &part);
    struct slice key = arena_copy(run->facts->arena, buffer_slice(&text));
    buffer_finish(&text);
    return key;
}

static size_t
find_separator(struct slice local, struct slice separators)
{
    size_t i = 1; /* what begins with one has no name in front of it */

    while (i < local.len && slice_find_byte(separators, local.at[i]) == separators.len)
        i++;
    return i < local.len ? i : local.len;
}

/* FOUND with the row's value; PERMANENT: in no table. */
static enum routing_outcome
find_row(struct expansion *run, struct slice text, struct slice *ret_value)
{
    struct directory_address address;

    if (!directory_address_parse(run->facts->arena, text, &address))
        return ROUTING_PERMANENT;
    struct slice whole = key_of(run, &address, address.local.len);
    size_t plain = find_separator(address.local, run->names->separators);
    enum routing_outcome outcome = ask(run, whole, ret_value);
    if (outcome == ROUTING_PERMANENT && plain < address.local.len)
        outcome = ask(run, key_of(run, &address, plain), ret_value);
    if (outcome == ROUTING_PERMANENT && address.domain.len > 0)
        outcome = ask(run, slice_skip(whole, slice_find_last_byte(whole, '@')), ret_value);
    return outcome;
}

/* ---- expanding ----------------------------------------------------------------------------- */

/* False when there are too many. */
static bool
add_address(struct expansion *run, struct slice text, unsigned depth)
{
    struct directory_address address;
    struct slice key = text;

    if (directory_address_parse(run->facts->arena, text, &address))
        key = key_of(run, &address, address.local.len);
    for (size_t i = 0; i < run->count; i++) {
        if (slice_equal(run->addresses[i], key))
            return true;
    }
    if (run->count == ROUTING_ALIAS_ADDRESSES_MAX || depth > ROUTING_ALIAS_DEPTH_MAX)
        return false;
    run->addresses[run->count] = key;
    run->depths[run->count++] = depth;
    return true;
}

/* Commas stand between addresses; one in a quoted local part does not separate. */
static bool
add_row(struct expansion *run, struct slice value, unsigned depth)
{
    while (value.len > 0) {
        bool is_quoted = false;
        size_t end = 0;
        for (; end < value.len && (is_quoted || value.at[end] != ','); end++) {
            if (value.at[end] == '\\' && end + 1 < value.len)
                end++;
            else if (value.at[end] == '"')
                is_quoted = !is_quoted;
        }
        struct slice address = slice_trim(slice_first(value, end));
        value = slice_skip(value, end + 1);
        if (address.len > 0 && !add_address(run, address, depth))
            return false;
    }
    return true;
}

static bool
is_same_target(const struct directory_target *left, const struct directory_target *right)
{
    return left->account == right->account && slice_equal(left->detail, right->detail) &&
           (left->account || slice_equal_nocase(left->name, right->name));
}

static bool
add_target(struct expansion *run, struct directory_target target)
{
    target.is_forwarded = true;
    for (size_t i = 0; i < run->target_count; i++) {
        if (is_same_target(&run->targets[i], &target))
            return true;
    }
    if (run->target_count == DIRECTORY_TARGETS_MAX)
        return false;
    run->targets[run->target_count++] = target;
    return true;
}

/* One address that a table has named: whom does it lead to? */
static enum routing_outcome
follow(struct expansion *run, struct slice address, unsigned depth)
{
    struct directory_answer found;
    struct slice value;
    bool is_good = true;

    directory_resolve(run->names->directory, address, run->facts->arena, &found);
    if (found.verdict == DIRECTORY_FOREIGN || found.verdict == DIRECTORY_RELAYED)
        is_good = add_target(run, (struct directory_target){.name = address, .detail = SLICE("")});
    for (size_t i = 0; found.verdict == DIRECTORY_FOUND && i < found.count && is_good; i++)
        is_good = add_target(run, found.targets[i]);
    if (found.verdict == DIRECTORY_UNKNOWN) {
        enum routing_outcome outcome = find_row(run, address, &value);
        if (outcome == ROUTING_MISSING || outcome == ROUTING_TEMPORARY)
            return outcome;
        is_good = outcome == ROUTING_PERMANENT || add_row(run, value, depth + 1);
    }
    if (!is_good)
        run->why = "aliases in tables lead too deep or to too many";
    return is_good ? ROUTING_FOUND : ROUTING_TEMPORARY;
}

/* All rows that can be had are asked for at once: MISSING only when the end is reached. */
static enum routing_outcome
expand(struct expansion *run)
{
    bool is_missing = false;

    for (size_t i = 1; i < run->count; i++) {
        enum routing_outcome outcome = follow(run, run->addresses[i], run->depths[i]);
        if (outcome == ROUTING_TEMPORARY)
            return outcome;
        is_missing = is_missing || outcome == ROUTING_MISSING;
    }
    if (is_missing)
        return ROUTING_MISSING;
    if (run->target_count == 0)
        run->why = "its row in a table leads nowhere or in a circle";
    return run->target_count > 0 ? ROUTING_FOUND : ROUTING_TEMPORARY;
}

static enum routing_outcome
find_targets(const struct routing_names *names, struct slice address, struct routing_facts *facts,
             struct routing_steps *steps, struct directory_answer *ret_answer)
{
    struct slice value;

    directory_resolve(names->directory, address, facts->arena, ret_answer);
    if (ret_answer->verdict != DIRECTORY_UNKNOWN || names->alias_table_count == 0)
        return ROUTING_FOUND;
    struct expansion *run = ARENA_NEW(facts->arena, struct expansion);
    struct directory_target *targets =
        ARENA_ARRAY(facts->arena, struct directory_target, DIRECTORY_TARGETS_MAX);
    ret_answer->why = "the address needs too much memory";
    if (!run || !targets)
        return ROUTING_TEMPORARY;
    *run = (struct expansion){.names = names, .facts = facts, .steps = steps, .targets = targets};
    enum routing_outcome outcome = find_row(run, address, &value);
    if (outcome == ROUTING_PERMANENT)
        return ROUTING_FOUND; /* UNKNOWN it is */
    /* The address itself comes first, so that what leads back to it is not followed again. */
    if (outcome == ROUTING_FOUND && add_address(run, address, 0) && add_row(run, value, 1))
        outcome = expand(run);
    else if (outcome == ROUTING_FOUND)
        outcome = ROUTING_TEMPORARY, run->why = "a row of a table has too many addresses";
    if (outcome == ROUTING_MISSING && facts->count == ROUTING_FACTS_MAX) {
        outcome = ROUTING_TEMPORARY;
        run->why = "aliases in tables need too many look-ups";
    }
    ret_answer->why = run->why ? run->why : "";
    if (outcome == ROUTING_FOUND) {
        ret_answer->verdict = DIRECTORY_FOUND;
        ret_answer->targets = run->targets;
        ret_answer->count = run->target_count;
    } else if (outcome == ROUTING_TEMPORARY) {
        ret_answer->verdict = DIRECTORY_BROKEN;
    }
    return outcome;
}

enum routing_outcome
routing_recipient(const struct routing_names *names, struct slice address,
                  struct routing_facts *facts, struct routing_steps *steps,
                  struct directory_answer *ret_answer)
{
    facts->question_count = 0;
    steps->count = 0;
    enum routing_outcome outcome = find_targets(names, address, facts, steps, ret_answer);
    if (!names->has_forwards || outcome != ROUTING_FOUND ||
        ret_answer->verdict != DIRECTORY_FOUND)
        return outcome;
    outcome = routing_forward(names, facts, steps, ret_answer);
    if (outcome == ROUTING_TEMPORARY)
        ret_answer->verdict = DIRECTORY_BROKEN;
    return outcome;
}
