/* SPDX-License-Identifier: ISC */
#include "tool/migrate.h"

#include "text/utf8.h"

/* One level: no '/' of its own, no control characters, valid UTF-8. */
static void
put_level(struct slice level, struct buffer *out)
{
    uint8_t octets[MIGRATE_NAME_MAX + 1]; /* one more: what is too long stays so */
    size_t len = level.len < sizeof(octets) ? level.len : sizeof(octets);

    for (size_t i = 0; i < len; i++) {
        bool is_bad = level.at[i] < 0x20 || level.at[i] == 0x7F;
        octets[i] = is_bad ? '?' : level.at[i] == '/' ? '-' : level.at[i];
    }
    (void)utf8_put_repaired(out, slice_of(octets, len));
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
