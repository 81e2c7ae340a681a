/* SPDX-License-Identifier: ISC */
#include "imap/url_part.h"

#include "imap/grammar.h"

enum { SECTION_MAX = 8192 };

static bool
take_section(struct arena *arena, struct imap_url_part *part)
{
    struct imap_fetch_items items;
    struct buffer text;

    buffer_init(&text, SECTION_MAX);
    buffer_put_text(&text, "BODY.PEEK[");
    buffer_put(&text, part->url.section);
    buffer_put_text(&text, "]");
    bool is_long = buffer_overflowed(&text);
    struct slice kept = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    struct cursor cursor = cursor_of(kept);
    if (is_long || !imap_take_fetch_items(&cursor, arena, &items) || !cursor_is_done(&cursor) ||
        items.count != 1)
        return false;
    part->item = items.at[0];
    return true;
}

bool
imap_url_part_parse(struct slice text, struct arena *arena, struct imap_url_part *ret_part)
{
    struct imap_url_part part = {0};
    struct imap_url *url = &part.url;
    bool is_absolute = text.len >= 7 && slice_equal_nocase(slice_first(text, 7), SLICE("imap://"));
    bool is_url = is_absolute ? imap_url_parse_authorized(text, true, arena, url)
                              : imap_url_parse(text, arena, url);

    if (!is_url || !take_section(arena, &part) ||
        (url->mailbox.len > 0 && !imap_name_decode(url->mailbox, true, arena, &url->mailbox)))
        return false;
    *ret_part = part;
    return true;
}

void
imap_url_clip(const struct imap_url *url, uint32_t *offset, uint32_t *len)
{
    uint32_t start = url->partial_start < *len ? url->partial_start : *len;

    if (!url->is_partial)
        return;
    *offset += start;
    *len -= start;
    if (url->partial_len > 0 && *len > url->partial_len)
        *len = url->partial_len;
}

bool
imap_url_part_is_made(const struct imap_url_part *part)
{
    return part->item.section == IMAP_SECTION_FIELDS ||
           part->item.section == IMAP_SECTION_FIELDS_NOT;
}

void
imap_url_part_put_fields(const struct imap_url_part *part, struct slice header, struct buffer *into)
{
    struct buffer made;
    uint32_t offset = 0;

    buffer_init(&made, header.len + 16);
    imap_put_fields(&made, header, part->item.fields, part->item.field_count,
                    part->item.section == IMAP_SECTION_FIELDS_NOT);
    uint32_t len = (uint32_t)buffer_len(&made);
    imap_url_clip(&part->url, &offset, &len);
    buffer_put(into, slice_between(buffer_slice(&made), offset, (size_t)offset + len));
    buffer_finish(&made);
}

bool
imap_url_part_cut(const struct imap_url_part *part, struct slice message, struct slice record,
                  struct buffer *made, struct slice *ret_octets)
{
    struct imap_message parsed;
    enum mime_encoding encoding;
    uint32_t offset, len;

    imap_message_open(&parsed, record, (uint32_t)message.len);
    if (!imap_section_find(&parsed, &part->item.path, part->item.section, &offset, &len, &encoding))
        return false;
    if (imap_url_part_is_made(part)) {
        imap_url_part_put_fields(part, slice_between(message, offset, (size_t)offset + len), made);
        *ret_octets = buffer_slice(made);
        return true;
    }
    imap_url_clip(&part->url, &offset, &len);
    *ret_octets = slice_between(message, offset, (size_t)offset + len);
    return true;
}
