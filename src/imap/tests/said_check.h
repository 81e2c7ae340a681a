/* SPDX-License-Identifier: ISC */
/* Whether what a server says is what RFC 9051 section 9 (and 3501, 5464, 9208, …) lets servers say:
 * lines that end, literals as long as they are announced, quoted strings with what may stand in
 * them, brackets that close, single spaces; ENVELOPE and BODYSTRUCTURE with the parts they must
 * have; sequence numbers that exist at that moment. Fails an assertion at the first octet that is
 * not. */
#ifndef IMAP_TESTS_SAID_CHECK_H
#define IMAP_TESTS_SAID_CHECK_H

#include "base/slice.h"

/* All of what one session said, from the greeting on. `may_stop`: the connection was closed in the
 * middle of a response, which may be cut off anywhere. */
void said_check(struct slice said, bool may_stop);

#endif
