/* SPDX-License-Identifier: ISC */
/* Any bytes as directory/accounts: parsing, resolving every name in it, compaction. */
#include "directory/edit.h"
#include "directory/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct directory *
parse(struct slice text)
{
    struct directory_options options = {SLICE("+-"), SLICE("postmaster@example.test"), 1};

    return directory_parse(text, &options);
}

static void
resolve_all(const struct directory *directory)
{
    struct arena arena;
    struct directory_answer answer;
    struct directory_lines lines;
    const struct directory_account *account;
    const struct directory_alias *alias;

    arena_init(&arena, 1 << 20);
    for (size_t i = 0; (account = directory_account_at(directory, i)); i++) {
        assert(directory_account_find(directory, account->name) == account);
        assert(directory_account_find_id(directory, account->id) == account);
        assert(account->id < directory_id_next(directory));
        arena_reset(&arena);
        directory_resolve(directory, account->name, &arena, &answer);
        assert(answer.verdict != DIRECTORY_BAD_ADDRESS);
        (void)directory_verify(directory, account->full_name, &arena, &lines);
    }
    for (size_t i = 0; (alias = directory_alias_at(directory, i)); i++) {
        assert(directory_alias_find(directory, alias->name) == alias);
        arena_reset(&arena);
        directory_resolve(directory, alias->name, &arena, &answer);
        assert(answer.count <= DIRECTORY_TARGETS_MAX);
        (void)directory_expand(directory, alias->name, &arena, &lines);
    }
    arena_finish(&arena);
}

/* What counts, as lines. */
static void
put_all(const struct directory *directory, struct buffer *text)
{
    const struct directory_account *account;
    const struct directory_alias *alias;
    const struct directory_moved *moved;
    const struct directory_domain *domain;

    for (size_t i = 0; (domain = directory_domain_at(directory, i)); i++)
        assert(directory_put_domain(text, domain));
    for (size_t i = 0; (account = directory_account_at(directory, i)); i++)
        assert(directory_put_account(text, account));
    for (size_t i = 0; (alias = directory_alias_at(directory, i)); i++)
        assert(directory_put_alias(text, alias));
    for (size_t i = 0; (moved = directory_moved_at(directory, i)); i++) {
        directory_put_field(text, "moved", moved->name);
        directory_put_field(text, "to", moved->to);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice file = slice_of(data, len);
    struct directory *directory = parse(file), *again;
    struct buffer compact, before, after;

    buffer_init(&compact, len + 64);
    buffer_init(&before, 8 * len + 65536);
    buffer_init(&after, 8 * len + 65536);
    resolve_all(directory);
    directory_compact(file, false, &compact);
    assert(!buffer_overflowed(&compact));
    again = parse(buffer_slice(&compact));
    put_all(directory, &before);
    put_all(again, &after);
    /* Two accounts that claim one id are told apart by who came first, which compaction changes. */
    assert(directory_problem_count(directory) > 0 ||
           slice_equal(buffer_slice(&before), buffer_slice(&after)));
    assert(directory_problem_count(directory) > 0 ||
           directory_id_next(directory) == directory_id_next(again));
    directory_close(&again);
    directory_close(&directory);
    buffer_finish(&after);
    buffer_finish(&before);
    buffer_finish(&compact);
    return 0;
}
