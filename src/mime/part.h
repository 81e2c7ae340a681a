/* SPDX-License-Identifier: ISC */
/* The part tree of a whole message (RFC 2045, 2046), made in one pass over its octets, without
 * recursion. It never fails: every message has a root part, and what was wrong is listed. */
#ifndef MIME_PART_H
#define MIME_PART_H

#include "message/header.h"
#include "mime/content_type.h"
#include "mime/disposition.h"

enum {
    MIME_DEPTH_MAX = 100,    /* levels of multipart and message together; mail uses below 10 */
    MIME_PARTS_MAX = 10000,  /* digests of a mailing list's year stay below */
};
/* Offsets have 32 bits. */
#define MIME_MESSAGE_MAX ((size_t)UINT32_MAX)

enum mime_part_kind {
    MIME_PART_LEAF,
    MIME_PART_MULTIPART, /* children are its parts; may have none when malformed */
    MIME_PART_MESSAGE,   /* message/rfc822 or global, not encoded: one child, the message inside */
};

#define MIME_NO_PART UINT32_MAX

struct mime_part {
    enum mime_part_kind kind;
    uint32_t parent; /* index, or MIME_NO_PART for the root */
    uint32_t after;  /* index of the first part that is not in this one's subtree */
    uint32_t depth;  /* 0 for the root */

    /* The header is [header_start, body_start), with its empty line; the body is
     * [body_start, body_end), without the line end that belongs to the boundary behind it. */
    uint32_t header_start;
    uint32_t body_start;
    uint32_t body_end;
    uint32_t lines; /* line ends in the body, as IMAP wants them */

    enum mime_encoding encoding;
    struct mime_content_type content_type;
    struct mime_disposition disposition;
    /* Field bodies, unfolded and trimmed; at == NULL where the field is absent. */
    struct slice id;
    struct slice description; /* still with its encoded words */
    struct slice encoding_name;
    struct slice language;
    struct slice location;
    struct slice md5;

    /* All header fields, for the root and for messages inside messages (children of
     * MIME_PART_MESSAGE); NULL for others. Offsets in it count from header_start. */
    const struct header *fields;
};

struct mime_tree {
    struct slice message;
    struct mime_part *parts; /* in the order they stand in the message: a parent before its parts */
    size_t count;            /* at least 1 */
    bool has_mime_version; /* its absence changes nothing: many senders forget it */
    struct mime_defects defects;
};

/* Parses. Everything in the tree is borrowed from `message` and `arena`. When the arena is full
 * the tree is cut and has MIME_DEFECT_MEMORY_LIMIT; with an arena that cannot hold even the root
 * count is 0. */
void mime_tree_parse(struct slice message, struct arena *arena, struct mime_tree *ret_tree);

static inline struct slice
mime_part_header(const struct mime_tree *tree, const struct mime_part *part)
{
    return slice_between(tree->message, part->header_start, part->body_start);
}

static inline struct slice
mime_part_body(const struct mime_tree *tree, const struct mime_part *part)
{
    return slice_between(tree->message, part->body_start, part->body_end);
}

/* The first text part to show: text/plain before text/html, no attachment; MIME_NO_PART without. */
uint32_t mime_tree_find_text(const struct mime_tree *tree);

#endif
