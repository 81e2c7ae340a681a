/* SPDX-License-Identifier: ISC */
#include "imap/rights.h"

#include "imap/grammar.h"

static const struct slice letters = {(const uint8_t *)"lrswipkxtea", 11};

enum {
    OLD_CREATE = IMAP_RIGHT_CREATE | IMAP_RIGHT_REMOVE,
    OLD_DELETE = IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE,
};

bool
imap_rights_parse(struct slice text, uint16_t *ret_rights)
{
    unsigned rights = 0;

    for (size_t i = 0; i < text.len; i++) {
        size_t at = slice_find_byte(letters, text.at[i]);
        if (text.at[i] == 'c')
            rights |= OLD_CREATE;
        else if (text.at[i] == 'd')
            rights |= OLD_DELETE;
        else if (at < letters.len)
            rights |= 1U << at;
        else
            return false;
    }
    *ret_rights = (uint16_t)rights;
    return true;
}

void
imap_put_rights(struct buffer *out, uint16_t rights)
{
    if (rights == 0)
        buffer_put_text(out, "\"\"");
    for (size_t i = 0; i < letters.len; i++) {
        if (rights >> i & 1)
            buffer_put_byte(out, letters.at[i]);
    }
    if (rights & OLD_CREATE)
        buffer_put_byte(out, 'c');
    if (rights & OLD_DELETE)
        buffer_put_byte(out, 'd');
}

uint8_t
imap_rights_flags(uint16_t rights)
{
    return (uint8_t)((rights & IMAP_RIGHT_SEEN ? IMAP_SEEN : 0) |
                     (rights & IMAP_RIGHT_DELETE ? IMAP_DELETED : 0) |
                     (rights & IMAP_RIGHT_WRITE ? IMAP_ANSWERED | IMAP_FLAGGED | IMAP_DRAFT : 0));
}
