/* SPDX-License-Identifier: ISC */
/* xtext (RFC 3461 §4): how an address or an envelope id travels in an ESMTP parameter; and the
 * UTF-8 form of addresses (RFC 6533 §3), whose unitext carries characters as \x{HEX}. */
#ifndef ENVELOPE_XTEXT_H
#define ENVELOPE_XTEXT_H

#include "base/arena.h"
#include "base/buffer.h"

/* Decodes a whole slice. False when it is not xtext, or the arena is full. */
MUST_USE bool envelope_xtext_decode(struct slice text, struct arena *arena,
                                    struct slice *ret_bytes);

/* Puts bytes as xtext: everything but printable ASCII, and "+" and "=", becomes +XX. */
void envelope_xtext_put(struct buffer *buffer, struct slice bytes);

/* Decodes a whole slice in utf-8-addr-xtext or utf-8-addr-unitext form: \x{HEX} and, in the second,
 * characters as they are. The result is valid UTF-8. */
MUST_USE bool envelope_unitext_decode(struct slice text, struct arena *arena,
                                      struct slice *ret_bytes);

/* Puts valid UTF-8 in utf-8-addr-xtext form: pure ASCII, for paths without SMTPUTF8. */
void envelope_unitext_put(struct buffer *buffer, struct slice utf8);

#endif
