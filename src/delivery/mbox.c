/* SPDX-License-Identifier: ISC */
#include "delivery/mbox.h"

#include "base/cursor.h"
#include "text/date.h"

/* The line that begins at the start of `rest`, without its end; *ret_next is behind its end. */
static struct slice
first_line(struct slice rest, size_t *ret_next)
{
    size_t len = slice_find_byte(rest, '\n');

    *ret_next = len < rest.len ? len + 1 : len;
    if (len > 0 && len < rest.len && rest.at[len - 1] == '\r')
        len--;
    return slice_first(rest, len);
}

/* How many `>` stand before `From ` at the start of the line; -1 when it is another line. */
static int
from_quotes(struct slice line)
{
    size_t quotes = 0;

    while (quotes < line.len && line.at[quotes] == '>')
        quotes++;
    return slice_starts_with(slice_skip(line, quotes), SLICE("From ")) ? (int)quotes : -1;
}

/* The sender stands in one word: blanks and control characters in a quoted local part would break
 * the line for every reader. */
static void
put_sender(struct buffer *buffer, struct slice sender)
{
    if (slice_is_empty(sender))
        sender = SLICE("MAILER-DAEMON");
    for (size_t i = 0; i < sender.len; i++)
        buffer_put_byte(buffer, sender.at[i] <= ' ' || sender.at[i] == 0x7F ? '_' : sender.at[i]);
}

void
mbox_put_from_line(struct buffer *buffer, struct slice sender, struct wall received)
{
    buffer_put_text(buffer, "From ");
    put_sender(buffer, sender);
    buffer_put_byte(buffer, ' ');
    date_format_asctime(received, buffer);
    buffer_put_byte(buffer, '\n');
}

void
mbox_put_message(struct buffer *buffer, struct slice sender, struct wall received,
                 struct slice message)
{
    mbox_put_from_line(buffer, sender, received);
    while (message.len) {
        size_t next;
        struct slice line = first_line(message, &next);
        if (from_quotes(line) >= 0)
            buffer_put_byte(buffer, '>');
        buffer_put(buffer, line);
        buffer_put_byte(buffer, '\n');
        message = slice_skip(message, next);
    }
    buffer_put_byte(buffer, '\n');
}

/* `From SENDER DATE`: a sender without blanks and something that reads as a date. Body lines that a
 * careless program left unquoted do not look so. */
static bool
parse_from_line(struct slice line, struct mbox_item *item)
{
    struct cursor cursor = cursor_of(line);
    struct date date;

    if (!cursor_take_text(&cursor, SLICE("From ")))
        return false;
    cursor_skip_blanks(&cursor);
    struct slice rest = cursor_rest(&cursor);
    size_t len = slice_find_byte(rest, ' ');
    item->sender = slice_first(rest, len);
    if (!date_parse(slice_trim(slice_skip(rest, len)), &date))
        return false;
    item->received = date.wall;
    if (slice_equal(item->sender, SLICE("MAILER-DAEMON")))
        item->sender = slice_of("", 0);
    return true;
}

/* True when a line that begins at `offset` follows an empty line or begins the file. */
static bool
is_after_blank(struct slice file, size_t offset)
{
    struct slice before = slice_first(file, offset);

    if (slice_ends_with(before, SLICE("\r\n")))
        before = slice_first(before, before.len - 2);
    else if (slice_ends_with(before, SLICE("\n")))
        before = slice_first(before, before.len - 1);
    return before.len == 0 || before.at[before.len - 1] == '\n';
}

/* Offset of the next `From ` line at or after `offset`; file.len when there is none. */
static size_t
find_from_line(struct slice file, size_t offset)
{
    while (offset < file.len) {
        size_t next;
        struct slice rest = slice_skip(file, offset);
        struct mbox_item probe;
        if (is_after_blank(file, offset) && parse_from_line(first_line(rest, &next), &probe))
            return offset;
        size_t found = slice_find(rest, SLICE("\nFrom "));
        if (found == rest.len)
            break;
        offset += found + 1;
    }
    return file.len;
}

/* Without the empty line that ends every message of a box. */
static struct slice
without_last_blank(struct slice content)
{
    if (slice_ends_with(content, SLICE("\r\n\r\n")))
        return slice_first(content, content.len - 2);
    if (slice_ends_with(content, SLICE("\n\n")) || slice_equal(content, SLICE("\n")))
        return slice_first(content, content.len - 1);
    return content;
}

bool
mbox_next(struct slice file, size_t *offset, struct mbox_item *ret_item)
{
    struct mbox_item item;
    size_t next, start = find_from_line(file, *offset);

    if (start == file.len) {
        *offset = file.len;
        return false;
    }
    if (!parse_from_line(first_line(slice_skip(file, start), &next), &item))
        return false;
    size_t end = find_from_line(file, start + next);
    item.offset = start;
    item.content = without_last_blank(slice_between(file, start + next, end));
    *offset = end;
    *ret_item = item;
    return true;
}

bool
mbox_is_likely(struct slice file)
{
    struct mbox_item probe;
    size_t next;

    return slice_is_empty(file) || parse_from_line(first_line(file, &next), &probe);
}

void
mbox_put_content(struct buffer *buffer, const struct mbox_item *item, enum mbox_variant variant)
{
    struct slice rest = item->content;

    while (rest.len) {
        size_t next;
        struct slice line = first_line(rest, &next);
        int quotes = from_quotes(line);
        if (quotes == 1 || (quotes > 1 && variant == MBOX_RD))
            line = slice_skip(line, 1);
        buffer_put(buffer, line);
        buffer_put_text(buffer, "\r\n");
        rest = slice_skip(rest, next);
    }
}
