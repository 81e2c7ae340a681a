/* SPDX-License-Identifier: ISC */
/* What the tool says to the person in front of it, on standard error, and asks. Words of servers,
 * senders and files may be in it: nothing but text and ends of lines reaches the terminal. */
#ifndef TOOL_SAY_H
#define TOOL_SAY_H

#include "base/buffer.h"
#include "base/time.h"

#include <stdio.h>

/* "facteur: SENTENCE", and returns `code`, for `return say_error(EX_USAGE, …)`. The sentence names
 * the place and the remedy. */
int say_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same without a code, for what does not stop the work. */
void say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A plain line. */
void say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines on any stream, as they are otherwise. False when they cannot be written. */
bool say_text(FILE *out, struct slice text);

/* Standard output could not be written, as errno says: its exit code after having said so, or
 * without a word where who read it has seen enough (`| head`). */
int say_output_failed(void);

/* The exit code that fits an errno. */
int say_code_of_errno(int error);

/* Progress of a long work: a bar that redraws itself on a terminal; nothing anywhere else. */
struct say_progress {
    const char *what; /* "importing" */
    uint64_t whole;   /* 0: not known */
    uint64_t shown;   /* the last value that was drawn */
    bool is_terminal;
    bool is_open; /* the cursor stands behind a bar */
};

void say_progress_begin(struct say_progress *progress, const char *what, uint64_t whole);
void say_progress_show(struct say_progress *progress, uint64_t done);
/* Ends the line of the bar. */
void say_progress_end(struct say_progress *progress);

/* Asks on the terminal: a line, without blanks round it; false without a terminal or an answer. */
MUST_USE bool say_ask(const char *question, struct buffer *ret_line);
/* True when the answer is y; ret_is_no also tells a no from silence. */
MUST_USE bool say_ask_yes(const char *question, bool *ret_is_no);
/* Asks for a password on the terminal without showing it, twice when `is_new`; or, when
 * `from_stdin`, takes the first line of standard input. 0, or an exit code after having said why.
 */
enum { SAY_PASSWORD_MAX = 511 };
MUST_USE int say_ask_password(bool from_stdin, bool is_new, struct buffer *ret_password);

#endif
