/* SPDX-License-Identifier: ISC */
#include "delivery/maildir.h"

#include "base/cursor.h"

static const struct {
    uint8_t letter;
    enum maildir_flag flag;
} letters[] = {
    {'D', MAILDIR_DRAFT},   {'F', MAILDIR_FLAGGED}, {'P', MAILDIR_PASSED},
    {'R', MAILDIR_REPLIED}, {'S', MAILDIR_SEEN},    {'T', MAILDIR_TRASHED},
};

static void
put_host(struct buffer *buffer, struct slice hostname)
{
    for (size_t i = 0; i < hostname.len; i++) {
        if (hostname.at[i] == '/')
            buffer_put_text(buffer, "\\057");
        else if (hostname.at[i] == ':')
            buffer_put_text(buffer, "\\072");
        else
            buffer_put_byte(buffer, hostname.at[i]);
    }
}

void
maildir_put_name(struct buffer *buffer, struct wall now, uint64_t random, struct slice hostname,
                 uint64_t size)
{
    buffer_put_decimal(buffer, (uint64_t)wall_seconds(now));
    buffer_put_text(buffer, ".M");
    buffer_put_padded(buffer, (uint64_t)(now.ns / 1000 % 1000000), 6); /* names sort by time */
    buffer_put_byte(buffer, 'R');
    buffer_put_hex(buffer, slice_of(&random, sizeof(random)));
    buffer_put_byte(buffer, '.');
    put_host(buffer, hostname);
    buffer_put_text(buffer, ",S=");
    buffer_put_decimal(buffer, size);
}

void
maildir_put_flags(struct buffer *buffer, unsigned flags)
{
    buffer_put_text(buffer, ":2,");
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        if (flags & letters[i].flag)
            buffer_put_byte(buffer, (uint8_t)letters[i].letter);
    }
}

void
maildir_parse_name(struct slice name, struct slice *ret_unique, unsigned *ret_flags)
{
    size_t len = slice_find(name, SLICE(":2,"));
    struct slice given = slice_skip(name, len + 3);
    unsigned flags = 0;

    for (size_t i = 0; i < given.len && len < name.len; i++) {
        for (size_t k = 0; k < COUNT_OF(letters); k++) {
            if (given.at[i] == letters[k].letter)
                flags |= letters[k].flag;
        }
    }
    *ret_unique = slice_first(name, len);
    *ret_flags = flags;
}

struct wall
maildir_name_time(struct slice name)
{
    struct cursor cursor = cursor_of(name);
    uint64_t seconds;

    if (!cursor_take_u64(&cursor, 0, INT64_MAX / 1000000000, &seconds) ||
        !cursor_take_byte(&cursor, '.'))
        return (struct wall){0};
    return wall_of_seconds((int64_t)seconds);
}

/* Puts `content` line by line with another line end. */
static void
put_with_line_end(struct buffer *buffer, struct slice content, struct slice line_end)
{
    while (content.len) {
        size_t len = slice_find_byte(content, '\n');
        bool is_ended = len < content.len;
        struct slice line = slice_first(content, len);
        if (is_ended && slice_ends_with(line, SLICE("\r")))
            line = slice_first(line, line.len - 1);
        buffer_put(buffer, line);
        if (is_ended)
            buffer_put(buffer, line_end);
        content = slice_skip(content, len + is_ended);
    }
}

void
maildir_put_lf(struct buffer *buffer, struct slice message)
{
    put_with_line_end(buffer, message, SLICE("\n"));
}

void
maildir_put_crlf(struct buffer *buffer, struct slice content)
{
    put_with_line_end(buffer, content, SLICE("\r\n"));
}
