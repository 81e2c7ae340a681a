/* SPDX-License-Identifier: ISC */
/* What goes with a message that is made here: files, messages as one digest, and what lies
 * elsewhere. Errors are told here. */
#ifndef TOOL_ENCLOSURE_H
#define TOOL_ENCLOSURE_H

#include "mime/build.h"

struct enclosures {
    struct arena *arena;
    struct mime_draft *draft; /* the message so far: its text, then a multipart with all */
    bool is_mixed;
    struct buffer *files; /* octets that the draft borrows, until finish */
    size_t files_count, files_room;
};

/* With the first thing that is added, the draft becomes the first part of a multipart/mixed; NULL:
 * there is no text, and what is added stands alone if it is one thing. All is in `arena`. */
void enclosures_init(struct enclosures *enclosures, struct arena *arena, struct mime_draft *draft);
void enclosures_finish(struct enclosures *enclosures);

/* A part that is made already; NULL is one that was too large. */
MUST_USE int enclosures_add_part(struct enclosures *enclosures, struct mime_draft *part);

/* A file as an attachment, typed by the ending of its name. */
MUST_USE int enclosures_add_file(struct enclosures *enclosures, const char *path);

/* Something that is to be had at a URL (message/external-body); `domain` is for its Content-ID. */
MUST_USE int enclosures_add_link(struct enclosures *enclosures, const char *url,
                                 struct slice domain);

/* Messages, borrowed: one attached (message/rfc822), several, or one if it is to be, as a digest
 * (multipart/digest, RFC 2046 §5.1.5). Nothing without any. */
MUST_USE int enclosures_add_messages(struct enclosures *enclosures, const struct slice *messages,
                                     size_t count, bool is_digest);

/* "octets@domain", unique for ever, for a Content-ID or Message-ID, without brackets; in the
 * arena. */
struct slice enclosures_new_id(struct arena *arena, struct slice domain);

#endif
