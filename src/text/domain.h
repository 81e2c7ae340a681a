/* SPDX-License-Identifier: ISC */
/* Domain names in mail addresses, and their ASCII form (A-labels): IDNA2008 with UTS 46 (RFC 5890,
 * 5891). Wraps libidn2. */
#ifndef TEXT_DOMAIN_H
#define TEXT_DOMAIN_H

#include "base/buffer.h"

/* Octets of a domain in ASCII (RFC 5321 §4.5.3.1.2) and of a label; the Unicode form of a name that
 * is inside these limits can be longer. */
enum { DOMAIN_BYTES_MAX = 255, DOMAIN_LABEL_MAX = 63, DOMAIN_UNICODE_BYTES_MAX = 1020 };

/* True for RFC 5321's Domain: labels of letters, digits and inner hyphens, within the limits. */
MUST_USE bool domain_is_valid(struct slice domain);

/* Puts the lower-case ASCII form: what is looked up and compared. A dot at the end is dropped.
 * False, and nothing put, when there is none. */
MUST_USE bool domain_to_ascii(struct slice domain, struct buffer *out);

/* True when both have the same ASCII form (or, if either has none, the same octets nocase). */
MUST_USE bool domain_equal(struct slice left, struct slice right);

#endif
