/* SPDX-License-Identifier: ISC */
#include "directory/names.h"

#include "base/map.h"

#include <stdlib.h>

enum { LINE_ARENA_MAX = 64 * 1024 };

struct directory_names {
    struct buffer domain;
    struct buffer text; /* the names, one behind the other */
    struct map map;     /* of them */
    bool is_known, is_any;
};

/* ---- those of a domain of ours --------------------------------------------------------------- */

struct naming {
    struct slice domain; /* whose names they are */
    struct slice shown;  /* as which they are told */
    struct buffer *text;
};

static void
put_name(const struct naming *naming, struct slice name, const char *behind)
{
    size_t at = slice_find_last_byte(name, '@');

    if (!slice_equal(slice_skip(name, at + 1), naming->domain))
        return;
    buffer_put(naming->text, slice_first(name, at));
    buffer_put_text(naming->text, behind);
    buffer_put_byte(naming->text, '@');
    buffer_put(naming->text, naming->shown);
    buffer_put_byte(naming->text, '\n');
}

bool
directory_put_names(const struct directory *directory, struct slice domain, struct buffer *text)
{
    const struct directory_domain *ours = directory_domain_find(directory, domain);
    const struct directory_account *account;
    const struct directory_alias *alias;
    const struct directory_moved *moved;
    struct naming naming = {.text = text};

    if (!ours)
        return false;
    naming.domain = ours->same_as.len > 0 ? ours->same_as : ours->name;
    naming.shown = ours->name;
    for (size_t i = 0; (account = directory_account_at(directory, i)); i++) {
        if (account->is_enabled)
            put_name(&naming, account->name, "");
    }
    for (size_t i = 0; (moved = directory_moved_at(directory, i)); i++)
        put_name(&naming, moved->name, "");
    for (size_t i = 0; (alias = directory_alias_at(directory, i)); i++) {
        put_name(&naming, alias->name, "");
        if (alias->kind == DIRECTORY_LIST)
            put_name(&naming, alias->name, "-owner");
    }
    buffer_put_text(text, "abuse@");
    buffer_put(text, ours->name);
    buffer_put_byte(text, '\n');
    return true;
}

/* ---- those of a domain that another server keeps --------------------------------------------- */

bool
directory_name_take(struct arena *arena, struct slice domain, struct slice line,
                    struct slice *ret_name)
{
    struct directory_address address;
    struct buffer name;

    if (line.len > 0 && line.at[0] == '@' && slice_equal_nocase(slice_skip(line, 1), domain)) {
        *ret_name = SLICE("");
        return true;
    }
    if (line.len > DIRECTORY_NAME_MAX || !directory_address_parse(arena, line, &address) ||
        !slice_equal(address.domain, domain))
        return false;
    buffer_init(&name, DIRECTORY_NAME_MAX * 2);
    directory_address_format(&name, &address);
    *ret_name = arena_copy(arena, buffer_slice(&name));
    buffer_finish(&name);
    return ret_name->len > 0;
}

/* Canonical lines, so that the map can point to them once all are there. */
static void
gather(struct directory_names *names, struct slice text)
{
    struct slice domain = buffer_slice(&names->domain), name;
    struct arena arena;

    arena_init(&arena, LINE_ARENA_MAX);
    for (size_t count = 0; text.len > 0 && count < DIRECTORY_NAMES_MAX; count++) {
        size_t end = slice_find_byte(text, '\n');
        arena_reset(&arena);
        if (directory_name_take(&arena, domain, slice_first(text, end), &name)) {
            names->is_any |= name.len == 0;
            buffer_put(&names->text, name);
            buffer_put_byte(&names->text, '\n');
        }
        text = slice_skip(text, end + 1);
    }
    arena_finish(&arena);
}

struct directory_names *
directory_names_open(struct slice domain, bool is_known, struct slice text, uint64_t seed)
{
    struct directory_names *names = calloc(1, sizeof(*names));

    if (!names)
        abort();
    buffer_init(&names->domain, DIRECTORY_DOMAIN_MAX);
    buffer_init(&names->text, DIRECTORY_NAMES_BYTES_MAX);
    map_init(&names->map, seed);
    buffer_put(&names->domain, domain);
    names->is_known = is_known;
    if (is_known)
        gather(names, text);
    for (struct slice rest = buffer_slice(&names->text); rest.len > 0;) {
        size_t end = slice_find_byte(rest, '\n');
        if (end > 0)
            (void)map_set(&names->map, slice_first(rest, end), names);
        rest = slice_skip(rest, end + 1);
    }
    return names;
}

void
directory_names_close(struct directory_names **names)
{
    if (!*names)
        return;
    map_finish(&(*names)->map);
    buffer_finish(&(*names)->domain);
    buffer_finish(&(*names)->text);
    free(*names);
    *names = NULL;
}

struct slice
directory_names_domain(const struct directory_names *names)
{
    return buffer_slice(&names->domain);
}

bool
directory_names_are_known(const struct directory_names *names)
{
    return names->is_known;
}

size_t
directory_names_count(const struct directory_names *names)
{
    return names->map.count;
}

bool
directory_names_have(const struct directory_names *names, struct slice name)
{
    return names->is_any || map_find(&names->map, name) != NULL;
}
