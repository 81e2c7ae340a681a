/* SPDX-License-Identifier: ISC */
/* SASLprep (RFC 4013, a profile of RFC 3454): one form for what two keyboards type as the same
 * password. ASCII without control characters stays as it is. */
#ifndef SASL_PREPARE_H
#define SASL_PREPARE_H

#include "base/buffer.h"

/* Puts the prepared form. False, and nothing put, when the text is no UTF-8, holds what is
 * prohibited (control characters, private use, …), breaks the rule for right-to-left text or does
 * not fit into the buffer. An empty result is refused too: nobody has an empty password. */
MUST_USE bool sasl_prepare(struct buffer *buffer, struct slice text);

#endif
