/* SPDX-License-Identifier: ISC */
#include "mime/part_number.h"

/* The place among its siblings, from 1; 0 for a part that adds nothing to the number: a multipart
 * that is a whole message. */
static uint32_t
place_of(const struct mime_tree *tree, uint32_t index)
{
    const struct mime_part *part = &tree->parts[index];
    uint32_t place = 1;

    if (part->parent == MIME_NO_PART || tree->parts[part->parent].kind == MIME_PART_MESSAGE)
        return part->kind == MIME_PART_MULTIPART ? 0 : 1;
    for (uint32_t at = part->parent + 1; at < index; at = tree->parts[at].after)
        place++;
    return place;
}

void
mime_part_number_put(struct buffer *buffer, const struct mime_tree *tree, uint32_t index)
{
    uint32_t places[MIME_DEPTH_MAX + 1];
    size_t count = 0;
    bool is_first = true;

    for (uint32_t at = index; at != MIME_NO_PART && count < COUNT_OF(places);
         at = tree->parts[at].parent)
        places[count++] = place_of(tree, at);
    while (count-- > 0) {
        if (places[count] == 0)
            continue;
        if (!is_first)
            buffer_put_byte(buffer, '.');
        buffer_put_decimal(buffer, places[count]);
        is_first = false;
    }
}

uint32_t
mime_part_number_find(const struct mime_tree *tree, struct slice number)
{
    struct buffer name;
    uint32_t found = MIME_NO_PART;

    if (slice_is_empty(number))
        return tree->count > 0 ? 0 : MIME_NO_PART;
    buffer_init(&name, 11 * (MIME_DEPTH_MAX + 1));
    for (uint32_t i = 0; found == MIME_NO_PART && i < tree->count; i++) {
        buffer_clear(&name);
        mime_part_number_put(&name, tree, i);
        if (slice_equal(buffer_slice(&name), number))
            found = i;
    }
    buffer_finish(&name);
    return found;
}
