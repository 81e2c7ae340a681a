/* SPDX-License-Identifier: ISC */
/* What reports about a message have in common, whoever makes them: fields that name it, its
 * subject, its header sent back. Private to the room. */
#ifndef DSN_FRAME_H
#define DSN_FRAME_H

#include "base/time.h"
#include "message/header.h"
#include "mime/build.h"

enum { DSN_FIELD_MAX = 4096 };

struct dsn_frame {
    struct arena *arena;
    struct slice message; /* that the report is about, whole */
    struct header header; /* its own */
    struct slice subject; /* decoded */
};

/* Reads the message. */
void dsn_frame_open(struct dsn_frame *frame, struct arena *arena, struct slice message);

/* Puts the text into the arena, and finishes it; empty when there is no room. */
struct slice dsn_frame_keep(struct dsn_frame *frame, struct buffer *text);

/* Adds Date, Message-ID <id@domain>, In-Reply-To and References. */
void dsn_frame_add_fields(struct dsn_frame *frame, struct mime_draft *draft, struct wall date,
                          struct slice id, struct slice domain);

/* Adds Subject: these words and the message's own. */
void dsn_frame_add_subject(struct dsn_frame *frame, struct mime_draft *draft, const char *words);

/* True when what is sent back of it is a global message (RFC 6533 §6): `is_utf8` permits it, and
 * it has octets above 127 in its header. */
bool dsn_frame_is_global(const struct dsn_frame *frame, bool is_utf8);

/* The part that holds its header, as it came. */
struct mime_draft *dsn_frame_new_header(struct dsn_frame *frame, bool is_utf8);

#endif
