/* SPDX-License-Identifier: ISC */
/* The bytes of a file on the simulated disk: pages, of which those that nobody wrote are zeros and
 * cost nothing. Private to the room. */
#ifndef HOST_SIM_PAGES_H
#define HOST_SIM_PAGES_H

#include "base/slice.h"

struct pages {
    uint8_t **at; /* NULL: zeros */
    size_t count;
    uint64_t size; /* of the file, in bytes */
};

void pages_free(struct pages *pages);
void pages_resize(struct pages *pages, uint64_t size);
/* Grows the file where it must. */
void pages_write(struct pages *pages, struct slice bytes, uint64_t offset);
/* As many bytes as there are, up to len. */
size_t pages_read(const struct pages *pages, void *at, size_t len, uint64_t offset);
void pages_copy(struct pages *to, const struct pages *from);

#endif
