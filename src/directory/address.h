/* SPDX-License-Identifier: ISC */
/* An address as the directory compares it. Accepts what may stand in an envelope (RFC 5321 §4.1.2,
 * RFC 6531 §3.3): source routes are passed over, quoted local parts lose quotes that they do not
 * need, `postmaster` may stand alone. */
#ifndef DIRECTORY_ADDRESS_H
#define DIRECTORY_ADDRESS_H

#include "base/arena.h"
#include "base/buffer.h"

enum { DIRECTORY_LOCAL_MAX = 128, DIRECTORY_DOMAIN_MAX = 255, DIRECTORY_NAME_MAX = 320 };

struct directory_address {
    struct slice local;  /* unquoted, lower case, NFC */
    struct slice domain; /* lower case, A-labels; or a literal in brackets; empty for postmaster */
};

/* Takes one whole address, with or without angle brackets. Results live in the arena, or borrow
 * from `text` where nothing had to change. False for what is no address: the arena may have grown.
 */
MUST_USE bool directory_address_parse(struct arena *arena, struct slice text,
                                      struct directory_address *ret_address);

/* Only a domain: lower case and A-labels, without a final dot. */
MUST_USE bool directory_domain_parse(struct arena *arena, struct slice text,
                                     struct slice *ret_domain);

/* "local@domain", with the quotes that the local part needs. */
void directory_address_format(struct buffer *buffer, const struct directory_address *address);

#endif
