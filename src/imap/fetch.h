/* SPDX-License-Identifier: ISC */
/* The items of FETCH (RFC 9051 §6.4.5 and extensions). */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "base/arena.h"
#include "base/cursor.h"
#include "imap/structure.h"

enum { IMAP_FETCH_ITEMS_MAX = 200, IMAP_FETCH_FIELDS_MAX = 500 };

enum imap_fetch_kind {
    IMAP_FETCH_UID,
    IMAP_FETCH_FLAGS,
    IMAP_FETCH_MODSEQ,
    /* From here on the store is asked. */
    IMAP_FETCH_INTERNALDATE,
    IMAP_FETCH_SIZE,
    IMAP_FETCH_SAVEDATE,
    IMAP_FETCH_EMAILID,
    /* From here on the record is needed. */
    IMAP_FETCH_ENVELOPE,
    IMAP_FETCH_BODY,
    IMAP_FETCH_BODYSTRUCTURE,
    IMAP_FETCH_PREVIEW,
    IMAP_FETCH_THREADID,
    /* From here on octets are needed. */
    IMAP_FETCH_SECTION,
    IMAP_FETCH_RFC822, /* BODY[], under its old names (RFC 3501) */
    IMAP_FETCH_RFC822_HEADER,
    IMAP_FETCH_RFC822_TEXT,
    IMAP_FETCH_BINARY,
    IMAP_FETCH_BINARY_SIZE,
};

struct imap_fetch_item {
    enum imap_fetch_kind kind;
    enum imap_section_kind section;
    struct imap_part_path path;
    struct slice name;          /* of the section, as sent: "BODY[1.MIME]" without ".PEEK" */
    const struct slice *fields; /* of HEADER.FIELDS */
    size_t field_count;
    bool is_peek, is_partial;
    bool is_over_limit; /* more than IMAP_FETCH_FIELDS_MAX */
    uint32_t partial_start, partial_len;
};

struct imap_fetch_items {
    struct imap_fetch_item *at;
    size_t count;
    bool is_over_limit;
};

/* False also for more items, or fields in one, than there may be; is_over_limit says so.
 * "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")" */
MUST_USE bool imap_take_fetch_items(struct cursor *cursor, struct arena *arena,
                                    struct imap_fetch_items *ret_items);
/* The item is there, or is put behind the others when there is room. */
void imap_fetch_items_add(struct imap_fetch_items *items, enum imap_fetch_kind kind);

#endif
