/* SPDX-License-Identifier: ISC */
/* The inner loop of MIME parsing: finds lines that begin with "--" and counts line ends on the
 * way, 64 octets at a time. */
#ifndef MIME_SCAN_H
#define MIME_SCAN_H

#include "base/slice.h"

/* What was passed over. Begins as {.bare_lf = SIZE_MAX}. */
struct mime_tally {
    size_t lines;   /* LF octets */
    size_t bare_lf; /* offset of the first LF without CR before it, or SIZE_MAX */
};

/* Looks from `from` on for an LF that is followed by "--". Returns the offset behind that LF, or
 * bytes.len when there is none; what was passed is added to the tally. */
size_t mime_scan_dashes(struct slice bytes, size_t from, struct mime_tally *tally);

/* The offset behind the next LF at or after `from`, or bytes.len; tallies it. */
size_t mime_scan_line(struct slice bytes, size_t from, struct mime_tally *tally);

#endif
