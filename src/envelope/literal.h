/* SPDX-License-Identifier: ISC */
/* Address literals: RFC 5321 §4.1.3. */
#ifndef ENVELOPE_LITERAL_H
#define ENVELOPE_LITERAL_H

#include "base/buffer.h"
#include "envelope/path.h"

/* Reads what stands between "[" and "]": an IPv4 address, "IPv6:" and an address (any form of
 * RFC 4291 §2.2, no zone), or "tag:" and text. ret_address receives 4 octets (IPv4) or 16 (IPv6).
 */
MUST_USE bool envelope_literal_parse(struct slice inside, enum envelope_domain_kind *ret_kind,
                                     uint8_t ret_address[16]);

/* Puts the text of an address, without brackets: "192.0.2.1", or RFC 5952's form for 16 octets. */
void envelope_address_put(struct buffer *buffer, const uint8_t *address, size_t len);

#endif
