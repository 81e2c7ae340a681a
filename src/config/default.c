/* SPDX-License-Identifier: ISC */
/* The defaults of the table, read by the same parser as the values of a file. */
#include "config/option.h"

enum { DEFAULT_ENTRIES_MAX = 16 };

static size_t
split(struct slice text, struct slice ret_entries[DEFAULT_ENTRIES_MAX])
{
    size_t count = 0;

    for (; text.len > 0; text = slice_skip(text, slice_find_byte(text, ',') + 1)) {
        assert(count < DEFAULT_ENTRIES_MAX);
        ret_entries[count++] = slice_trim(slice_first(text, slice_find_byte(text, ',')));
    }
    return count;
}

void
config_default(struct arena *arena, struct config *ret_config)
{
    struct config config = {0};

    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        struct slice entries[DEFAULT_ENTRIES_MAX] = {slice_of_string(o->standard)};
        size_t count = config_kind_is_list(o->kind) ? split(entries[0], entries) : 1;
        bool is_good = config_value_parse(o, entries, count, arena, &config);
        assert(is_good);
    }
    *ret_config = config;
}
