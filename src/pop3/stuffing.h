/* SPDX-License-Identifier: ISC */
/* The body of a multi-line answer (RFC 1939 §3): a dot before each line that begins with one, and
 * a line with a single dot at the end. Putting on, with the cut that TOP wants, and taking off. */
#ifndef POP3_STUFFING_H
#define POP3_STUFFING_H

#include "base/buffer.h"

/* ---- putting on ---------------------------------------------------------------------------- */

struct pop3_stuffer {
    bool is_top;
    bool is_header;       /* TOP: the blank line has not come yet */
    bool is_done;         /* TOP: enough lines have passed */
    bool is_line_start;
    bool is_line_blank;   /* nothing but CR in this line so far */
    uint8_t last[2];      /* octets passed, the latest in last[1] */
    uint32_t lines_left;  /* TOP: of the body */
};

void pop3_stuffer_init(struct pop3_stuffer *stuffer);
/* For TOP (RFC 1939 §7): the header, the blank line and the first `lines` lines of the body. */
void pop3_stuffer_init_top(struct pop3_stuffer *stuffer, uint32_t lines);

/* Puts bytes of a message while the buffer has room; returns how many were taken. Once is_done, it
 * takes everything and puts nothing. At most 3/2 of what is taken is put, and one more. */
MUST_USE size_t pop3_stuffer_put(struct pop3_stuffer *stuffer, struct slice bytes,
                                 struct buffer *out);

/* Ends the last line if it has no CRLF, and puts the final dot: at most POP3_STUFFER_END_MAX. */
enum { POP3_STUFFER_END_MAX = 5 };
void pop3_stuffer_finish(struct pop3_stuffer *stuffer, struct buffer *out);

/* ---- taking off ---------------------------------------------------------------------------- */

/* A bare LF counts as a line end too, as servers occur that send such messages as they are; the
 * end is a dot alone in a line, whatever ends that line. */
struct pop3_unstuffer {
    enum { UNSTUFF_START, UNSTUFF_DOT, UNSTUFF_DOT_CR, UNSTUFF_TEXT, UNSTUFF_DONE } state;
};

/* Starts at the first octet behind the answer's first line. */
void pop3_unstuffer_init(struct pop3_unstuffer *unstuffer);

/* Takes from the front of *input, up to the end of the body at most; the next piece of the body
 * borrows from the input (or is a constant) and may be empty. False when the body has ended. Call
 * it until *input is empty or it returns false. */
MUST_USE bool pop3_unstuffer_take(struct pop3_unstuffer *unstuffer, struct slice *input,
                                  struct slice *ret_piece);

#endif
