/* SPDX-License-Identifier: ISC */
/* Mutates what stands in certificates and signatures, however deep, and makes the lengths around it
 * right again (X.690 §8.1): else nearly all that a fuzzer writes ends at the first of them. */
#include "base/tests/fuzz_grammar.h"

#include <string.h>

enum {
    HEAD = 1, /* octets of choice before the elements */
    DEPTH_MAX = 12,
    HEADER_MAX = 4, /* a tag and a length of up to 65535 */
    GROWTH_MAX = 256,
    WORK_MAX = 65536,
    TAG_OCTETS = 0x04,
    TAG_SEQUENCE = 0x30,
    IS_CONSTRUCTED = 0x20
};

struct element {
    size_t start, content, end;
};

static uint32_t state;

static uint32_t
draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* False where none begins, or where it does not end. */
static bool
take_element(const uint8_t *data, size_t at, size_t end, struct element *ret_element)
{
    size_t len = end - at < 2 ? SIZE_MAX : data[at + 1];
    size_t content = at + 2;

    if (len == 0x81 && end - at > 2) {
        len = data[at + 2];
        content = at + 3;
    } else if (len == 0x82 && end - at > 3) {
        len = (size_t)data[at + 2] << 8 | data[at + 3];
        content = at + 4;
    } else if (len >= 0x80) {
        return false;
    }
    if (len > end - content)
        return false;
    *ret_element = (struct element){at, content, content + len};
    return true;
}

/* Sequences and sets, and what an extension wraps in octets. */
static bool
has_elements(const uint8_t *data, struct element element)
{
    uint8_t tag = data[element.start];

    return (tag & IS_CONSTRUCTED) ||
        (tag == TAG_OCTETS && element.content < element.end &&
         data[element.content] == TAG_SEQUENCE);
}

static bool
choose_among(const uint8_t *data, size_t at, size_t end, struct element *ret_chosen)
{
    struct element element;
    uint32_t count = 0;

    for (; take_element(data, at, end, &element); at = element.end) {
        if (draw(++count) == 0)
            *ret_chosen = element;
    }
    return count > 0;
}

/* An element somewhere, and those around it, the outermost first. */
static size_t
choose_path(const uint8_t *data, size_t len, struct element *path)
{
    size_t depth = 0, at = HEAD, end = len;

    while (depth < DEPTH_MAX && choose_among(data, at, end, &path[depth])) {
        struct element chosen = path[depth++];
        if (!has_elements(data, chosen) || draw(8) == 0)
            break;
        at = chosen.content;
        end = chosen.end;
    }
    return depth;
}

static size_t
put_header(uint8_t tag, size_t len, uint8_t *out)
{
    out[0] = tag;
    if (len < 0x80) {
        out[1] = (uint8_t)len;
        return 2;
    }
    out[1] = 0x82;
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    return HEADER_MAX;
}

/* Puts `part` in the place of the element, header and all; the length of all of it. */
static size_t
replace(uint8_t *data, size_t len, struct element old, const uint8_t *part, size_t part_len)
{
    memmove(data + old.start + part_len, data + old.end, len - old.end);
    memcpy(data + old.start, part, part_len);
    return len - (old.end - old.start) + part_len;
}

static size_t
mutate_element(uint8_t *data, size_t len, const struct element *path, size_t depth)
{
    static uint8_t part[WORK_MAX];
    struct element last = path[depth - 1];
    size_t old_len = last.end - last.content;

    memcpy(part + HEADER_MAX, data + last.content, old_len);
    size_t new_len = LLVMFuzzerMutate(part + HEADER_MAX, old_len, old_len + GROWTH_MAX);
    uint8_t header[HEADER_MAX];
    size_t header_len = put_header(data[last.start], new_len, header);
    memcpy(part + HEADER_MAX - header_len, header, header_len);
    size_t now = replace(data, len, last, part + HEADER_MAX - header_len, header_len + new_len);
    for (size_t i = depth - 1; i-- > 0;) {
        struct element outer = path[i];
        size_t content_len = outer.end - outer.content + now - len;
        header_len = put_header(data[outer.start], content_len, header);
        struct element old = {outer.start, 0, outer.content};
        now = replace(data, now, old, header, header_len);
    }
    return now;
}

static size_t
repeat_element(uint8_t *data, size_t len, struct element element)
{
    size_t size = element.end - element.start;

    memmove(data + element.end + size, data + element.end, len - element.end);
    memcpy(data + element.end, data + element.start, size);
    return len + size;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed)
{
    static uint8_t work[2 * WORK_MAX];
    struct element path[DEPTH_MAX];

    state = seed;
    size_t depth = len > HEAD && len < WORK_MAX / 2 ? choose_path(data, len, path) : 0;
    if (depth == 0 || draw(4) == 0)
        return LLVMFuzzerMutate(data, len, len_max);
    memcpy(work, data, len);
    size_t now = draw(16) == 0 ? repeat_element(work, len, path[0])
                               : mutate_element(work, len, path, depth);
    if (now > len_max)
        return LLVMFuzzerMutate(data, len, len_max);
    memcpy(data, work, now);
    return now;
}
