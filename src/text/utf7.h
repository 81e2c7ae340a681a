/* SPDX-License-Identifier: ISC */
/* Modified UTF-7, the alphabet of IMAP4rev1's mailbox names (RFC 3501 §5.1.3), from and to
 * UTF-8. */
#ifndef TEXT_UTF7_H
#define TEXT_UTF7_H

#include "base/buffer.h"

/* Puts the UTF-8 form of a mailbox name. False, and nothing put, for what RFC 3501 does not allow:
 * 8-bit or control octets, a shift that encodes printable US-ASCII or nothing, broken base64,
 * lone surrogates, two adjacent shifts: each name has one form only. */
MUST_USE bool utf7_decode(struct slice name, struct buffer *out);

/* Puts the modified UTF-7 form; false, and nothing put, when `text` is not valid UTF-8. */
MUST_USE bool utf7_encode(struct slice text, struct buffer *out);

#endif
