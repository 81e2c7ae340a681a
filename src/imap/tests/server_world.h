/* SPDX-License-Identifier: ISC */
/* What happens beside a session while it goes on, written into its input: 0x1E, a letter, and a
 * line's end. As it stands in the input, it happens at the same moment however that is cut. */
#ifndef IMAP_TESTS_SERVER_WORLD_H
#define IMAP_TESTS_SERVER_WORLD_H

#include "imap/tests/lobby.h"

enum { WORLD_MARK = 0x1E };

/* `event`: what stands behind the mark, without the line's end. */
void world_happens(struct lobby *lobby, struct slice event);
/* Three letters in INBOX, whose parts are encoded in all ways. */
void world_begin(struct lobby *lobby);

#endif
