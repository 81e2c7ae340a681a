/* SPDX-License-Identifier: ISC */
#include "search/key.h"

#include "text/collate.h"
#include "text/utf8.h"

static bool
is_blank(uint8_t octet)
{
    return octet <= ' ' || octet == 0x7F;
}

/* Puts single blanks for runs of them. */
static void
put_single_blanked(struct buffer *buffer, struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t start = at;
        while (at < text.len && !is_blank(text.at[at]))
            at++;
        collate_put_key(buffer, COLLATION_UNICODE_CASEMAP, slice_between(text, start, at));
        start = at;
        while (at < text.len && is_blank(text.at[at]))
            at++;
        struct slice put = buffer_slice(buffer);
        if (at > start && (put.len == 0 || put.at[put.len - 1] != ' '))
            buffer_put_byte(buffer, ' ');
    }
}

void
search_key_put(struct buffer *buffer, struct slice text)
{
    struct buffer repaired;

    if (utf8_is_valid(text)) {
        put_single_blanked(buffer, text);
        return;
    }
    buffer_init(&repaired, text.len * 3);
    utf8_put_repaired(&repaired, text);
    put_single_blanked(buffer, buffer_slice(&repaired));
    buffer_finish(&repaired);
}
