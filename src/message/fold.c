/* SPDX-License-Identifier: ISC */
#include "message/fold.h"

static bool
is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

/* Puts blanks, a run of line ends among them as one blank. */
static void
put_blanks(struct buffer *buffer, struct slice blanks)
{
    bool was_line_end = false;

    for (size_t i = 0; i < blanks.len; i++) {
        uint8_t octet = blanks.at[i];
        bool is_line_end = octet == '\r' || octet == '\n';
        if (!is_line_end)
            buffer_put_byte(buffer, octet);
        else if (!was_line_end)
            buffer_put_byte(buffer, ' ');
        was_line_end = is_line_end;
    }
}

/* How long put_blanks makes them. */
static size_t
blanks_len(struct slice blanks)
{
    size_t len = 0;
    bool was_line_end = false;

    for (size_t i = 0; i < blanks.len; i++) {
        bool is_line_end = blanks.at[i] == '\r' || blanks.at[i] == '\n';
        len += !is_line_end || !was_line_end;
        was_line_end = is_line_end;
    }
    return len;
}

size_t
fold_put_text(struct buffer *buffer, size_t column, struct slice body)
{
    while (body.len) {
        size_t blank = 0, word = 0;
        while (blank < body.len && is_blank(body.at[blank]))
            blank++;
        while (blank + word < body.len && !is_blank(body.at[blank + word]))
            word++;
        size_t len = blanks_len(slice_first(body, blank)) + word;
        if (blank && word && column && column + len > FOLD_COLUMN_MAX) {
            buffer_put(buffer, SLICE("\r\n"));
            column = 0;
        }
        put_blanks(buffer, slice_first(body, blank));
        buffer_put(buffer, slice_between(body, blank, blank + word));
        column += len;
        body = slice_skip(body, blank + word);
    }
    return column;
}

void
fold_put_field(struct buffer *buffer, struct slice name, struct slice body)
{
    struct slice text = slice_trim(body);

    buffer_put(buffer, name);
    buffer_put_byte(buffer, ':');
    if (text.len) {
        /* The blank behind the colon is a place to fold like any other. */
        size_t word = 0;
        while (word < text.len && !is_blank(text.at[word]))
            word++;
        bool is_folded = name.len + 2 + word > FOLD_COLUMN_MAX;
        buffer_put(buffer, is_folded ? SLICE("\r\n ") : SLICE(" "));
        fold_put_text(buffer, is_folded ? 1 : name.len + 2, text);
    }
    buffer_put(buffer, SLICE("\r\n"));
}
