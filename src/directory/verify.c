/* SPDX-License-Identifier: ISC */
/* VRFY and EXPN: RFC 5321 §3.5. These walk over all accounts: they are for people, not for mail. */
#include "directory/table.h"
#include "directory/unix_aliases.h"

/* Gathers lines up to DIRECTORY_MATCHES_MAX. */
struct gathering {
    struct arena *arena;
    struct slice *lines;
    size_t count;
};

/* "Full Name <address>" */
static bool
add_line(struct gathering *gathering, struct slice full_name, struct slice address)
{
    struct buffer line;

    if (gathering->count == DIRECTORY_MATCHES_MAX)
        return false;
    buffer_init(&line, 480);
    if (full_name.len > 0) {
        buffer_put(&line, full_name);
        buffer_put_byte(&line, ' ');
    }
    buffer_put_byte(&line, '<');
    buffer_put(&line, address);
    buffer_put_byte(&line, '>');
    if (!buffer_overflowed(&line))
        gathering->lines[gathering->count++] = arena_copy(gathering->arena, buffer_slice(&line));
    buffer_finish(&line);
    return true;
}

static bool
is_word_end(struct slice text, size_t at)
{
    return at == 0 || at == text.len || text.at[at] == ' ' || text.at[at - 1] == ' ' ||
           text.at[at] == '-' || text.at[at - 1] == '-';
}

/* One or more whole words of the name, in any case. */
static bool
full_name_matches(struct slice name, struct slice query)
{
    for (size_t i = 0; query.len > 0 && i + query.len <= name.len; i++) {
        if (slice_equal_nocase(slice_between(name, i, i + query.len), query) &&
            is_word_end(name, i) && is_word_end(name, i + query.len))
            return true;
    }
    return false;
}

static bool
local_matches(struct slice name, struct slice query)
{
    return slice_equal_nocase(slice_first(name, slice_find_last_byte(name, '@')), query);
}

static void
gather_matches(const struct directory *directory, struct slice query, struct gathering *gathering)
{
    for (size_t i = 0; i < directory->accounts.count; i++) {
        const struct directory_account *account = directory->accounts.at[i];
        if (account->is_enabled &&
            (local_matches(account->name, query) || full_name_matches(account->full_name, query)) &&
            !add_line(gathering, account->full_name, account->name))
            return;
    }
    for (size_t i = 0; i < directory->aliases.count; i++) {
        const struct directory_alias *alias = directory->aliases.at[i];
        if (alias->kind == DIRECTORY_LIST && local_matches(alias->name, query) &&
            !add_line(gathering, alias->full_name, alias->name))
            return;
    }
}

/* An exact address: what it means, not where an alias leads. */
static enum directory_verdict
verify_address(const struct directory *directory, struct slice query, struct gathering *gathering)
{
    const struct directory_account *account = directory_account_find(directory, query);
    const struct directory_alias *alias = directory_alias_find(directory, query);
    struct directory_answer answer;

    if (account && account->is_enabled) {
        (void)!add_line(gathering, account->full_name, account->name);
        return DIRECTORY_FOUND;
    }
    if (alias && query.at[0] != '@') {
        (void)!add_line(gathering, alias->full_name, alias->name);
        return DIRECTORY_FOUND;
    }
    directory_resolve(directory, query, gathering->arena, &answer);
    if (answer.verdict == DIRECTORY_HAS_MOVED)
        (void)!add_line(gathering, SLICE(""), answer.moved_to);
    else if (answer.verdict == DIRECTORY_FOUND && answer.count == 1 && !answer.targets[0].is_file &&
             !answer.targets[0].is_program)
        (void)!add_line(
            gathering, answer.targets[0].account ? answer.targets[0].account->full_name : SLICE(""),
            answer.targets[0].name);
    else if (answer.verdict == DIRECTORY_FOUND)
        (void)!add_line(gathering, SLICE(""), query);
    return answer.verdict;
}

static struct slice
without_brackets(struct slice query)
{
    query = slice_trim(query);
    if (query.len >= 2 && query.at[0] == '<' && query.at[query.len - 1] == '>')
        query = slice_trim(slice_between(query, 1, query.len - 1));
    return query;
}

static bool
begin(struct gathering *gathering, struct arena *arena)
{
    *gathering = (struct gathering){
        .arena = arena, .lines = ARENA_ARRAY(arena, struct slice, DIRECTORY_MATCHES_MAX)};
    return gathering->lines != NULL;
}

enum directory_verdict
directory_verify(const struct directory *directory, struct slice query, struct arena *arena,
                 struct directory_lines *ret_lines)
{
    enum directory_verdict verdict = DIRECTORY_FOUND;
    struct gathering gathering;

    query = without_brackets(query);
    *ret_lines = (struct directory_lines){0};
    if (!begin(&gathering, arena) || query.len == 0)
        return DIRECTORY_BAD_ADDRESS;
    if (slice_find_byte(query, '@') < query.len || slice_equal_nocase(query, SLICE("postmaster")))
        verdict = verify_address(directory, query, &gathering);
    else
        gather_matches(directory, query, &gathering);
    if (verdict == DIRECTORY_FOUND && gathering.count == 0)
        verdict = DIRECTORY_UNKNOWN;
    *ret_lines = (struct directory_lines){gathering.lines, gathering.count};
    return verdict;
}

/* The one alias or list that has this local part, in whatever domain. */
static const struct directory_alias *
find_list(const struct directory *directory, struct slice query)
{
    const struct directory_alias *found = NULL;

    if (slice_find_byte(query, '@') < query.len)
        return directory_alias_find(directory, query);
    for (size_t i = 0; i < directory->aliases.count; i++) {
        const struct directory_alias *alias = directory->aliases.at[i];
        if (!local_matches(alias->name, query))
            continue;
        if (found)
            return NULL;
        found = alias;
    }
    return found;
}

enum directory_verdict
directory_expand(const struct directory *directory, struct slice query, struct arena *arena,
                 struct directory_lines *ret_lines)
{
    struct gathering gathering;

    query = without_brackets(query);
    *ret_lines = (struct directory_lines){0};
    if (!begin(&gathering, arena) || query.len == 0)
        return DIRECTORY_BAD_ADDRESS;
    const struct directory_alias *alias = find_list(directory, query);
    if (!alias || alias->name.at[0] == '@')
        return DIRECTORY_UNKNOWN;
    if (alias->is_private)
        return DIRECTORY_DISABLED;
    for (size_t i = 0; i < alias->count; i++) {
        const struct directory_account *account =
            directory_account_find(directory, alias->members[i]);
        /* Where files lie, and what is run, is nobody's affair. */
        if (directory_is_file(alias->members[i]) || directory_is_program(alias->members[i]))
            continue;
        if (!add_line(&gathering, account ? account->full_name : SLICE(""), alias->members[i]))
            break;
    }
    *ret_lines = (struct directory_lines){gathering.lines, gathering.count};
    return gathering.count > 0 ? DIRECTORY_FOUND : DIRECTORY_DISABLED;
}
