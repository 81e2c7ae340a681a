/* SPDX-License-Identifier: ISC */
#include "heard.h"

#include <string.h>

void
heard_forget(struct heard *heard, unsigned box)
{
    heard->boxes[box].is_known = false;
}

static bool
find_number(struct slice line, struct slice word, uint32_t *ret_number)
{
    size_t at = slice_find(line, word);
    uint32_t number = 0;

    if (at == line.len)
        return false;
    for (at += word.len; at < line.len && byte_is_digit(line.at[at]); at++)
        number = number * 10 + (uint32_t)(line.at[at] - '0');
    *ret_number = number;
    return true;
}

/* By the end of its name, whatever namespace it stands in. */
static bool
find_box(struct slice line, unsigned *ret_box)
{
    struct slice name = slice_first(line, slice_find(line, SLICE(" (")));

    if (name.len > 0 && name.at[name.len - 1] == '"')
        name.len--;
    for (unsigned i = 0; i < BOXES * BOXES_NAMES; i++) {
        const char *one = boxes_all_names[i / BOXES_NAMES][i % BOXES_NAMES];
        size_t len = strlen(one);
        if (name.len > len && slice_equal(slice_skip(name, name.len - len), slice_of_string(one))) {
            *ret_box = i / BOXES_NAMES;
            return true;
        }
    }
    return false;
}

void
heard_line(struct heard *heard, struct slice line)
{
    uint32_t number;
    unsigned box;

    if (!slice_starts_with(line, SLICE("STATUS ")) || !find_box(line, &box))
        return;
    if (find_number(line, SLICE("MESSAGES "), &number)) {
        heard->boxes[box].messages = number;
        heard->boxes[box].is_known = true;
    }
    if (find_number(line, SLICE("UNSEEN "), &number))
        heard->boxes[box].unseen = number;
}

void
heard_compare(const struct heard *heard, struct boxes *boxes, unsigned selected, const char *who)
{
    for (unsigned i = 0; i < BOXES; i++) {
        const struct boxes_truth *truth = boxes_settled(boxes, i);
        uint32_t unseen = 0;
        if (i == selected || !heard->boxes[i].is_known)
            continue;
        for (size_t k = 0; k < truth->count; k++)
            unseen += !(truth->rows[k].flags & 1U);
        if (heard->boxes[i].messages != truth->count || heard->boxes[i].unseen != unseen)
            boxes_fail(boxes, "%s: %s has heard of %u messages, %u unseen; there are %zu, %u",
                       boxes_names[i], who, heard->boxes[i].messages, heard->boxes[i].unseen,
                       truth->count, unseen);
    }
}
