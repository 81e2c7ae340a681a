/* SPDX-License-Identifier: ISC */
#include "imap/use.h"

static const struct slice names[IMAP_USES_END] = {
    [IMAP_USE_NONE] = {(const uint8_t *)"", 0},
    [IMAP_USE_ARCHIVE] = {(const uint8_t *)"\\Archive", 8},
    [IMAP_USE_DRAFTS] = {(const uint8_t *)"\\Drafts", 7},
    [IMAP_USE_JUNK] = {(const uint8_t *)"\\Junk", 5},
    [IMAP_USE_SENT] = {(const uint8_t *)"\\Sent", 5},
    [IMAP_USE_TRASH] = {(const uint8_t *)"\\Trash", 6},
};

struct slice
imap_use_name(unsigned use)
{
    return use < IMAP_USES_END ? names[use] : names[0];
}

enum imap_use
imap_use_find(struct slice name)
{
    for (enum imap_use use = IMAP_USE_ARCHIVE; use < IMAP_USES_END; use++) {
        if (slice_equal_nocase(names[use], name))
            return use;
    }
    return IMAP_USE_NONE;
}
