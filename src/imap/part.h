/* SPDX-License-Identifier: ISC */
/* Fetching what a URL means, from any mailbox. Private to the room. */
#ifndef IMAP_PART_H
#define IMAP_PART_H

#include "imap/server_private.h"
#include "imap/url_part.h"

struct imap_part {
    struct imap_url_part what;
    struct buffer *into;         /* the octets are put behind what is there */
    /* When not NULL: octets that lie in the message are streamed into the output, after `begin` has
     * said that so many come. A stream that breaks ends the session. */
    void (*begin)(struct imap_server *server, uint32_t len);
    /* When not NULL: they come here, and not into the output. */
    void (*take)(struct imap_server *server, struct slice octets);
    bool is_looked_at; /* they go nowhere: a stream that breaks ends nothing */
    /* When not NULL: BODYPARTSTRUCTURE is put here; of the octets without encoding, `decoded`. */
    struct buffer *structure;
    const struct imap_decoded *decoded;
    bool has_no_octets; /* they are not wanted */
    bool is_streamed;
    void (*then)(struct imap_server *server, bool is_found);
    enum mime_encoding encoding; /* of what was found */
    uint64_t owner; /* 0: the session's own account */
    uint32_t mailbox;
    bool is_found;
    /* Why it could not be looked at, which does not say that it is not there; OK: it could be. */
    enum access_store_result failure;
    uint32_t offset, len, left;
    uint32_t piece_left;  /* octets that were asked for */
    struct buffer header; /* of FIELDS, which are made of it */
};

/* Reads the URL; false when it is none, or means nothing that could be here. */
MUST_USE bool imap_part_parse(struct imap_server *server, struct slice text,
                              struct imap_part *ret_part);
/* As the command's next step: fetches, then calls `then`. Until then server->part is it. */
void imap_part_begin(struct imap_server *server, struct imap_part *part);

enum access_store_url_reach imap_url_reach(enum imap_url_access access);

#endif
