/* SPDX-License-Identifier: ISC */
#include "host/sim/pages.h"

#include <stdlib.h>

enum { PAGE_BYTES = 4096 };

void
pages_free(struct pages *pages)
{
    for (size_t i = 0; i < pages->count; i++)
        free(pages->at[i]);
    free(pages->at);
    *pages = (struct pages){0};
}

static void
make_places(struct pages *pages, uint64_t size)
{
    size_t count = (size_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);

    if (count <= pages->count)
        return;
    size_t places = count < pages->count * 2 ? pages->count * 2 : count;
    pages->at = realloc(pages->at, places * sizeof(uint8_t *));
    if (!pages->at)
        abort();
    memset(pages->at + pages->count, 0, (places - pages->count) * sizeof(uint8_t *));
    pages->count = places;
}

void
pages_resize(struct pages *pages, uint64_t size)
{
    if (size < pages->size) {
        size_t first_gone = (size_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);
        for (size_t i = first_gone; i < pages->count; i++) {
            free(pages->at[i]);
            pages->at[i] = NULL;
        }
        size_t kept = (size_t)(size % PAGE_BYTES);
        if (kept > 0 && size / PAGE_BYTES < pages->count && pages->at[size / PAGE_BYTES])
            memset(pages->at[size / PAGE_BYTES] + kept, 0, PAGE_BYTES - kept);
    }
    pages->size = size;
}

void
pages_write(struct pages *pages, struct slice bytes, uint64_t offset)
{
    if (bytes.len == 0)
        return;
    if (offset + bytes.len > pages->size)
        pages->size = offset + bytes.len;
    make_places(pages, pages->size);
    while (bytes.len > 0) {
        size_t within = (size_t)(offset % PAGE_BYTES);
        struct slice part = slice_first(bytes, PAGE_BYTES - within);
        uint8_t **page = &pages->at[offset / PAGE_BYTES];
        if (!*page)
            *page = calloc(1, PAGE_BYTES);
        if (!*page)
            abort();
        memcpy(*page + within, part.at, part.len);
        offset += part.len;
        bytes = slice_skip(bytes, part.len);
    }
}

size_t
pages_read(const struct pages *pages, void *at, size_t len, uint64_t offset)
{
    uint8_t *to = at;

    if (offset >= pages->size)
        return 0;
    if (len > pages->size - offset)
        len = (size_t)(pages->size - offset);
    for (size_t done = 0; done < len;) {
        size_t within = (size_t)((offset + done) % PAGE_BYTES);
        size_t index = (size_t)((offset + done) / PAGE_BYTES);
        size_t part = len - done < PAGE_BYTES - within ? len - done : PAGE_BYTES - within;
        if (index < pages->count && pages->at[index])
            memcpy(to + done, pages->at[index] + within, part);
        else
            memset(to + done, 0, part);
        done += part;
    }
    return len;
}

void
pages_copy(struct pages *to, const struct pages *from)
{
    pages_free(to);
    for (size_t i = 0; i < from->count; i++) {
        uint64_t offset = (uint64_t)i * PAGE_BYTES;
        uint64_t left = from->size > offset ? from->size - offset : 0;
        if (from->at[i] && left > 0)
            pages_write(to, slice_of(from->at[i], left < PAGE_BYTES ? (size_t)left : PAGE_BYTES),
                        offset);
    }
    to->size = from->size;
}
