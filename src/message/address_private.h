/* SPDX-License-Identifier: ISC */
/* The pieces of an address, each read by its own rule. Private to the room. */
#ifndef MESSAGE_ADDRESS_PRIVATE_H
#define MESSAGE_ADDRESS_PRIVATE_H

#include "base/cursor.h"
#include "message/address.h"

/* Gathers over the pieces of one address what belongs to all of it. */
struct words {
    struct arena *arena;
    struct slice comment;  /* of all comments so far, one blank between them */
    uint8_t *comment_at;   /* where they are joined, once there are two */
    size_t comment_size;   /* at most this long: the length of the address */
    uint16_t defects;
    bool has_encoded_word;
    bool has_open_quote;   /* a quote (comment) without end was met: the next are plain octets */
    bool has_open_comment;
};

/* A phrase: words unquoted, one blank where blanks or comments stood. */
struct slice words_take_phrase(struct words *words, struct slice text);

/* A local part: words and dots, blanks and comments round the dots taken out. */
struct slice words_take_local(struct words *words, struct slice text);

/* A domain or a domain literal; the domains of a route, "@a,@b". */
struct slice words_take_domain(struct words *words, struct slice text);
struct slice words_take_route(struct words *words, struct slice text);

/* Passes over "=?charset?q?text?=", whose text may have specials in it that mean nothing. */
MUST_USE bool words_skip_encoded_word(struct cursor *cursor);

/* True when the word is one, whole. */
MUST_USE bool words_is_encoded_word(struct slice word);

#endif
