/* SPDX-License-Identifier: ISC */
/* The header of a message as a whole: an index of its fields, and the operations on it that do not
 * look into bodies. */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "message/field.h"

/* A header with more fields is cut: of those behind, the first of each id that none had before is
 * indexed, and nothing else. So what a message has once, its From or Content-Type, is found
 * wherever it stands. */
enum { HEADER_FIELDS_MAX = 10000, HEADER_INDEX_MAX = HEADER_FIELDS_MAX + FIELD_ID_COUNT };

struct header {
    struct field *fields; /* in their order, junk included; in the arena */
    size_t count;         /* HEADER_INDEX_MAX at most */
    size_t header_len;    /* octets of fields, without the empty line */
    size_t body_offset;   /* where the body begins */
    uint16_t defects;     /* enum field_defect, of all fields */
    bool is_cut;          /* more than HEADER_FIELDS_MAX fields, or the arena's limit */
};

/* Never fails; slices borrow from the message, the array lives in the arena. */
void header_parse(struct arena *arena, struct slice message, struct header *ret_header);

/* The first field of this id behind `after` (NULL: from the start), or NULL. */
const struct field *header_find(const struct header *header, enum field_id id,
                                const struct field *after);

/* The same by name, for fields without an id. */
const struct field *header_find_name(const struct header *header, struct slice name,
                                     const struct field *after);

/* Puts the header (not the empty line) without the fields that `is_dropped` says: all else octet
 * for octet. For Bcc on sending: RFC 5322 §3.6.3. */
typedef bool (*header_drop_fn)(const struct field *field);
void header_put_without(struct buffer *buffer, struct slice message, header_drop_fn is_dropped);

/* A header_drop_fn: Bcc and Resent-Bcc. */
bool header_is_blind(const struct field *field);

/* One block of Resent-* fields (RFC 5322 §3.6.6): each resending puts its own before the others. A
 * block ends where a field of its names comes a second time, or another field stands between. */
struct header_resent {
    const struct field *first;
    const struct field *last; /* inclusive */
    const struct field *date;
    const struct field *from;
    const struct field *sender;
    const struct field *to;
    const struct field *cc;
    const struct field *bcc;
    const struct field *message_id;
    bool is_complete;         /* has the Resent-Date and Resent-From that it must have */
};

/* The next block behind `after` (NULL: from the start, the most recent); false when none is. */
MUST_USE bool header_next_resent(const struct header *header, const struct header_resent *after,
                                 struct header_resent *ret_resent);

#endif
