/* SPDX-License-Identifier: ISC */
/* The inner loop of MIME parsing: finds lines that begin with "--" and counts line ends on the
 * way, 16 or 32 octets at a time. */
#ifndef MIME_SCAN_H
#define MIME_SCAN_H

#include "base/slice.h"

/* Looks from `from` on for an LF that is followed by "--". Returns the offset behind that LF, or
 * bytes.len when there is none, and adds the number of LF octets passed to *lines. */
size_t mime_scan_dashes(struct slice bytes, size_t from, size_t *lines);

/* The number of LF octets. */
size_t mime_scan_lines(struct slice bytes);

/* The index of the first LF that does not follow a CR, or bytes.len. */
size_t mime_scan_bare_lf(struct slice bytes);

#endif
