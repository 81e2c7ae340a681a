/* SPDX-License-Identifier: ISC */
/* Looking into a segment. Private to the room. */
#ifndef SEARCH_FIND_H
#define SEARCH_FIND_H

#include "search/gram.h"
#include "search/segment.h"

/* Finds the bodies where the terms stand in step (search/gram.h). *ret_hits: a byte for each body
 * of the segment, not 0 for those; the caller frees it; NULL when there is none. False when the
 * segment cannot be read. */
MUST_USE bool find_in_segment(struct segment *segment, const struct gram_term *terms, size_t count,
                              bool in_body_only, uint8_t **ret_hits);

#endif
