/* SPDX-License-Identifier: ISC */
#include "pop3/stuffing.h"

enum { ROOM_MIN = 16 /* below this the caller had better wait for room */ };

void
pop3_stuffer_init(struct pop3_stuffer *stuffer)
{
    *stuffer = (struct pop3_stuffer){
        .is_line_start = true, .is_line_blank = true, .last = {'\r', '\n'}};
}

void
pop3_stuffer_init_top(struct pop3_stuffer *stuffer, uint32_t lines)
{
    pop3_stuffer_init(stuffer);
    stuffer->is_top = true;
    stuffer->is_header = true;
    stuffer->lines_left = lines;
}

/* How much can be put as it is: up to a line end with a dot behind it, or for TOP, to any line
 * end. */
static size_t
run_length(const struct pop3_stuffer *stuffer, struct slice bytes)
{
    size_t at = stuffer->is_top ? slice_find_byte(bytes, '\n') : slice_find(bytes, SLICE("\n."));

    return at < bytes.len ? at + 1 : bytes.len;
}

static void
remember(struct pop3_stuffer *stuffer, struct slice run)
{
    stuffer->last[0] = run.len > 1 ? run.at[run.len - 2] : stuffer->last[1];
    stuffer->last[1] = run.at[run.len - 1];
    stuffer->is_line_start = stuffer->last[1] == '\n';
}

/* Counts lines for TOP; `run` is a line or a part of one. */
static void
count_line(struct pop3_stuffer *stuffer, struct slice run)
{
    for (size_t i = 0; i < run.len && stuffer->is_line_blank; i++)
        stuffer->is_line_blank = run.at[i] == '\r' || run.at[i] == '\n';
    if (!stuffer->is_line_start)
        return;
    if (!stuffer->is_header)
        stuffer->lines_left--;
    else if (stuffer->is_line_blank)
        stuffer->is_header = false;
    stuffer->is_line_blank = true;
    stuffer->is_done = !stuffer->is_header && stuffer->lines_left == 0;
}

size_t
pop3_stuffer_put(struct pop3_stuffer *stuffer, struct slice bytes, struct buffer *out)
{
    size_t done = 0;

    while (done < bytes.len && !stuffer->is_done && buffer_room(out) >= ROOM_MIN) {
        struct slice rest = slice_skip(bytes, done);
        if (stuffer->is_line_start && rest.at[0] == '.')
            buffer_put_byte(out, '.');
        rest = slice_first(rest, buffer_room(out));
        struct slice run = slice_first(rest, run_length(stuffer, rest));
        buffer_put(out, run);
        remember(stuffer, run);
        if (stuffer->is_top)
            count_line(stuffer, run);
        done += run.len;
    }
    return stuffer->is_done ? bytes.len : done;
}

void
pop3_stuffer_finish(struct pop3_stuffer *stuffer, struct buffer *out)
{
    if (stuffer->last[0] != '\r' || stuffer->last[1] != '\n')
        buffer_put_text(out, "\r\n");
    buffer_put_text(out, ".\r\n");
}

void
pop3_unstuffer_init(struct pop3_unstuffer *unstuffer)
{
    unstuffer->state = UNSTUFF_START;
}

/* One octet where a line begins; true when it (or what was kept back before it) is text. */
static bool
step(struct pop3_unstuffer *unstuffer, struct slice *input, struct slice *ret_piece)
{
    uint8_t byte = input->at[0];

    *ret_piece = slice_first(*input, 0);
    switch (unstuffer->state) {
    case UNSTUFF_START:
        unstuffer->state = byte == '.' ? UNSTUFF_DOT : UNSTUFF_TEXT;
        if (byte == '.')
            *input = slice_skip(*input, 1);
        return true;
    case UNSTUFF_DOT:
        unstuffer->state = byte == '\r' ? UNSTUFF_DOT_CR
                         : byte == '\n' ? UNSTUFF_DONE
                                        : UNSTUFF_TEXT;
        if (unstuffer->state != UNSTUFF_TEXT)
            *input = slice_skip(*input, 1);
        return unstuffer->state != UNSTUFF_DONE;
    case UNSTUFF_DOT_CR:
        if (byte == '\n') {
            unstuffer->state = UNSTUFF_DONE;
            *input = slice_skip(*input, 1);
            return false;
        }
        unstuffer->state = UNSTUFF_TEXT;
        *ret_piece = SLICE("\r");
        return true;
    case UNSTUFF_TEXT:
    case UNSTUFF_DONE:
        break;
    }
    return false;
}

bool
pop3_unstuffer_take(struct pop3_unstuffer *unstuffer, struct slice *input, struct slice *ret_piece)
{
    if (unstuffer->state == UNSTUFF_TEXT && input->len > 0) {
        size_t dot = slice_find(*input, SLICE("\n."));
        size_t len = dot < input->len ? dot + 1 : input->len;
        *ret_piece = slice_first(*input, len);
        *input = slice_skip(*input, len);
        if (ret_piece->at[len - 1] == '\n')
            unstuffer->state = UNSTUFF_START;
        return true;
    }
    *ret_piece = slice_first(*input, 0);
    if (input->len == 0)
        return unstuffer->state != UNSTUFF_DONE;
    return step(unstuffer, input, ret_piece);
}
