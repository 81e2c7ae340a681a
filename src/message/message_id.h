/* SPDX-License-Identifier: ISC */
/* Message-IDs: RFC 5322 §3.6.4 and §4.5.4, in Message-ID, References, In-Reply-To and Content-ID;
 * found among whatever else mailers write there. */
#ifndef MESSAGE_MESSAGE_ID_H
#define MESSAGE_MESSAGE_ID_H

#include "base/arena.h"
#include "base/buffer.h"

/* A longer list keeps the first and the last: a thread needs its root and its nearest parents. */
enum { MESSAGE_IDS_MAX = 1000 };

enum message_id_defect {
    MESSAGE_ID_BLANKS = 1 << 0,    /* blanks or comments inside: taken out */
    MESSAGE_ID_NO_AT = 1 << 1,     /* no '@' inside */
    MESSAGE_ID_NO_BRACKETS = 1 << 2, /* a bare a@b taken for one */
    MESSAGE_ID_UNCLOSED = 1 << 3,  /* '>' is missing */
    MESSAGE_ID_JUNK = 1 << 4,      /* phrases and the like around it: obs-in-reply-to */
    MESSAGE_ID_QUOTED = 1 << 5,    /* obs-id-left: a quoted string, unquoted here if it can be */
    MESSAGE_ID_8BIT = 1 << 6
};

struct message_id_list {
    struct slice *ids; /* without '<' and '>', in order; borrowed from the text or in the arena */
    size_t count;
    uint16_t defects;
    bool is_cut;
};

/* Never fails: what is no id is passed over, and the defects say so. */
void message_id_list_parse(struct arena *arena, struct slice text,
                           struct message_id_list *ret_list);

/* The first Message-ID in the text, or an empty slice. For Message-ID and Content-ID. */
struct slice message_id_parse(struct arena *arena, struct slice text);

#endif
