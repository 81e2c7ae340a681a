/* SPDX-License-Identifier: ISC */
/* A URL, a line's end, and a message: what the URL names lies in the message or is made of its
 * header, without PARTIAL it is longer, and PARTIAL is what stands at that place in it. */
#include "imap/url_part.h"
#include "mime/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROOM = 16 << 20 };

static bool
lies_in(struct slice inner, struct slice outer)
{
    return inner.len == 0 || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len);
}

static void
cut(const struct imap_url_part *part, struct slice message, struct slice record)
{
    struct imap_url_part all = *part;
    struct buffer made, made_of_all;
    struct slice octets, whole;

    buffer_init(&made, ROOM);
    buffer_init(&made_of_all, ROOM);
    all.url.is_partial = false;
    bool is_there = imap_url_part_cut(part, message, record, &made, &octets);
    bool is_all_there = imap_url_part_cut(&all, message, record, &made_of_all, &whole);
    assert(is_there == is_all_there);
    if (is_there && imap_url_part_is_made(part)) {
        assert(octets.len <= message.len + 2);
    } else if (is_there) {
        uint32_t start = part->url.partial_start, most = part->url.partial_len;
        struct slice wanted = part->url.is_partial ? slice_skip(whole, start) : whole;
        if (part->url.is_partial && most > 0)
            wanted = slice_first(wanted, most);
        assert(lies_in(octets, message) && lies_in(whole, message));
        assert(slice_equal(octets, wanted));
        bool is_message = part->url.section.len == 0;
        assert(!is_message || slice_equal(whole, message));
    }
    buffer_finish(&made);
    buffer_finish(&made_of_all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    struct slice text = slice_first(input, slice_find_byte(input, '\n'));
    struct slice message = slice_skip(input, text.len + 1);
    struct imap_url_part part;
    struct imap_url url;
    struct buffer record;
    struct mime_tree tree;
    struct arena arena;

    arena_init(&arena, ROOM);
    buffer_init(&record, MIME_RECORD_MAX);
    if (imap_url_part_parse(text, &arena, &part)) {
        mime_tree_parse(message, &arena, &tree);
        mime_record_put(&record, &tree, &arena);
        cut(&part, message, buffer_slice(&record));
        cut(&part, message, SLICE(""));
    }
    /* What is to be signed: the rump is how it begins. */
    if (imap_url_parse_authorized(text, false, &arena, &url))
        assert(url.rump.len <= IMAP_URL_RUMP_MAX && slice_starts_with(text, url.rump));
    buffer_finish(&record);
    arena_finish(&arena);
    return 0;
}
