/* SPDX-License-Identifier: ISC */
#include "routing/forward.h"

#include "directory/unix_aliases.h"

/* A target, and how many .forward files led to it. Those behind `next` have not been looked at. */
struct forward_run {
    const struct routing_names *names;
    struct routing_facts *facts;
    struct routing_steps *steps;
    struct directory_target *work, *done;
    unsigned *depths;
    size_t next, count, done_count;
    bool is_over, is_missing, is_temporary;
};

static bool
is_same(const struct directory_target *left, const struct directory_target *right)
{
    return left->account == right->account && slice_equal(left->detail, right->detail) &&
           left->is_file == right->is_file && left->list == right->list &&
           (left->account || slice_equal_nocase(left->name, right->name));
}

static void
finish_target(struct forward_run *run, const struct directory_target *target)
{
    for (size_t i = 0; i < run->done_count; i++) {
        if (is_same(&run->done[i], target))
            return;
    }
    if (run->done_count == DIRECTORY_TARGETS_MAX)
        run->is_over = true;
    else
        run->done[run->done_count++] = *target;
}

static void
add_work(struct forward_run *run, const struct directory_target *target, unsigned depth)
{
    if (run->count == DIRECTORY_TARGETS_MAX || depth > ROUTING_FORWARD_DEPTH_MAX) {
        run->is_over = true;
        return;
    }
    run->work[run->count] = *target;
    run->depths[run->count++] = depth;
}

/* Whether the .forward of this user has been opened before, for the same detail. */
static bool
is_opened(const struct forward_run *run, const struct directory_target *target)
{
    for (size_t i = 0; i + 1 < run->next; i++) {
        if (run->work[i].account == target->account &&
            slice_equal(run->work[i].detail, target->detail))
            return true;
    }
    return false;
}

/* ---- members ------------------------------------------------------------------------------- */

/* KEY.LOGIN@DOMAIN */
static void
add_program(struct forward_run *run, const struct directory_target *from, struct slice key)
{
    struct slice name = from->account->name;
    struct directory_target target = *from;
    struct buffer made;

    buffer_init(&made, DIRECTORY_NAME_MAX + 64);
    buffer_put(&made, key);
    buffer_put_byte(&made, '.');
    buffer_put(&made, from->account->login);
    buffer_put(&made, slice_skip(name, slice_find_last_byte(name, '@')));
    target.account = NULL;
    target.name = arena_copy(run->facts->arena, buffer_slice(&made));
    target.detail = SLICE("");
    target.is_program = target.is_forwarded = true;
    finish_target(run, &target);
    buffer_finish(&made);
}

/* False: it leads to nobody, or back. */
static bool
add_address(struct forward_run *run, const struct directory_target *from, struct slice address,
            unsigned depth)
{
    struct directory_answer found;
    bool is_good = false;

    directory_resolve(run->names->directory, address, run->facts->arena, &found);
    if (found.verdict == DIRECTORY_FOREIGN || found.verdict == DIRECTORY_RELAYED) {
        finish_target(run, &(struct directory_target){.name = address,
                                                      .detail = SLICE(""),
                                                      .list = from->list,
                                                      .is_forwarded = true});
        return true;
    }
    for (size_t i = 0; found.verdict == DIRECTORY_FOUND && i < found.count; i++) {
        struct directory_target target = found.targets[i];
        if (target.account == from->account)
            continue;
        target.is_forwarded = true;
        target.list = target.list ? target.list : from->list;
        add_work(run, &target, depth + 1);
        is_good = true;
    }
    return is_good;
}

static void
open_forward(struct forward_run *run, const struct directory_target *from, struct slice members,
             unsigned depth)
{
    bool wants_own = false, leads_anywhere = false;

    while (members.len > 0) {
        size_t end = directory_member_end(members);
        struct slice member = slice_first(members, end);
        members = slice_skip(members, end + 1);
        struct directory_target file = {.name = member,
                                        .is_file = true,
                                        .user = from->account->login,
                                        .detail = SLICE(""),
                                        .list = from->list,
                                        .is_forwarded = true};
        if (directory_is_program(member))
            add_program(run, from, member);
        else if (directory_is_file(member))
            finish_target(run, &file);
        else if (slice_equal(member, SLICE("=")) || !add_address(run, from, member, depth))
            wants_own = true;
        leads_anywhere = true;
    }
    if (wants_own || !leads_anywhere)
        finish_target(run, from);
}

/* ---- targets ------------------------------------------------------------------------------- */

static void
look_at(struct forward_run *run, const struct directory_target *target, unsigned depth)
{
    struct directory_address key;
    struct buffer text;

    if (!target->account || target->account->login.len == 0 || is_opened(run, target) ||
        !directory_address_parse(run->facts->arena, target->account->name, &key)) {
        finish_target(run, target);
        return;
    }
    buffer_init(&text, ROUTING_KEY_MAX);
    buffer_put(&text, target->account->login);
    buffer_put_byte(&text, '@');
    buffer_put(&text, key.domain);
    const struct routing_fact *fact =
        routing_facts_table(run->facts, SLICE(ROUTING_FORWARD_TABLE),
                            arena_copy(run->facts->arena, buffer_slice(&text)));
    buffer_finish(&text);
    if (!fact) {
        run->is_missing = true;
    } else if (fact->table == ROUTING_TABLE_TEMPORARY) {
        run->is_temporary = true;
    } else if (fact->table == ROUTING_TABLE_NOT_FOUND) {
        finish_target(run, target);
    } else {
        routing_step(run->steps, run->facts->arena, ".forward of %.*s → %.*s",
                     ROUTING_TEXT(target->account->login), ROUTING_TEXT(fact->value));
        open_forward(run, target, fact->value, depth);
    }
}

static bool
has_system_user(const struct directory_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (answer->targets[i].account && answer->targets[i].account->login.len > 0)
            return true;
    }
    return false;
}

enum routing_outcome
routing_forward(const struct routing_names *names, struct routing_facts *facts,
                struct routing_steps *steps, struct directory_answer *answer)
{
    struct forward_run run = {.names = names, .facts = facts, .steps = steps};

    if (!has_system_user(answer))
        return ROUTING_FOUND;
    run.work = ARENA_ARRAY(facts->arena, struct directory_target, DIRECTORY_TARGETS_MAX);
    run.done = ARENA_ARRAY(facts->arena, struct directory_target, DIRECTORY_TARGETS_MAX);
    run.depths = ARENA_ARRAY(facts->arena, unsigned, DIRECTORY_TARGETS_MAX);
    if (!run.work || !run.done || !run.depths) {
        answer->why = "the address needs too much memory";
        return ROUTING_TEMPORARY;
    }
    for (size_t i = 0; i < answer->count; i++)
        add_work(&run, &answer->targets[i], 0);
    while (run.next < run.count && !run.is_over) {
        struct directory_target target = run.work[run.next++];
        look_at(&run, &target, run.depths[run.next - 1]);
    }
    if (run.is_missing && facts->count < ROUTING_FACTS_MAX && !run.is_over)
        return ROUTING_MISSING;
    if (run.is_over || run.is_temporary || run.is_missing || run.done_count == 0) {
        answer->why = run.is_temporary ? "a .forward file cannot be read now"
                                       : ".forward files lead too deep or to too many";
        return ROUTING_TEMPORARY;
    }
    answer->targets = run.done;
    answer->count = run.done_count;
    return ROUTING_FOUND;
}
