/* SPDX-License-Identifier: ISC */
#include "tool/migrate.h"

#include "text/utf8.h"

/* One level: no '/' of its own, nothing that commands a terminal, valid UTF-8. */
static void
put_level(struct slice level, struct buffer *out)
{
    struct buffer whole;
    uint32_t character;

    buffer_init(&whole, 3 * (MIGRATE_NAME_MAX + 1)); /* one more: what is too long stays so */
    (void)utf8_put_repaired(&whole, slice_first(level, MIGRATE_NAME_MAX + 1));
    struct cursor cursor = cursor_of(buffer_slice(&whole));
    while (utf8_take(&cursor, &character))
        utf8_put(out, !utf8_is_printable(character) ? '?' : character == '/' ? '-' : character);
    buffer_finish(&whole);
}

static void
put_levels(struct slice name, uint8_t delimiter, struct buffer *out)
{
    while (name.len > 0) {
        size_t end = delimiter == 0 ? name.len : slice_find_byte(name, delimiter);
        struct slice level = slice_first(name, end);
        if (level.len > 0 && buffer_len(out) > 0)
            buffer_put_byte(out, '/');
        put_level(level, out);
        name = slice_skip(name, end + 1);
    }
}

/* INBOX in any case, alone or as the first level. */
static bool
is_inbox(struct slice name, uint8_t delimiter)
{
    struct slice inbox = SLICE("INBOX");

    return slice_starts_with_nocase(name, inbox) &&
           (name.len == inbox.len || (delimiter != 0 && name.at[inbox.len] == delimiter));
}

bool
migrate_put_name(struct slice name, uint8_t delimiter, struct slice prefix, struct buffer *out)
{
    bool has_prefix =
        prefix.len > 0 && name.len > prefix.len && slice_starts_with_nocase(name, prefix);

    if (has_prefix)
        name = slice_skip(name, prefix.len);
    if (is_inbox(name, delimiter)) {
        buffer_put_text(out, "INBOX");
        name = slice_skip(name, SLICE("INBOX").len);
    }
    put_levels(name, delimiter, out);
    if (buffer_len(out) > 0 && buffer_len(out) <= MIGRATE_NAME_MAX && !buffer_overflowed(out))
        return true;
    buffer_clear(out);
    return false;
}
