/* SPDX-License-Identifier: ISC */
/* Data for standard output: the same calls give aligned text for people or, with --json, one
 * document for programs.
 *
 *     report_text(r, "version", …)          version: 0.1.0        {"version": "0.1.0",
 *     report_list(r, "processes");                                 "processes": [
 *     report_row(r);                        ROLE   PID
 *     report_text(r, "role", …);            smtp   4711             {"role": "smtp",
 *     report_number(r, "pid", …);                                    "pid": 4711}]}
 *     report_list_end(r);
 *
 * All rows of a list have the same fields in the same order. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include "base/buffer.h"
#include "base/time.h"

struct report;

/* An empty report; is_json as the option --json says. */
struct report *report_open(bool is_json);

/* Writes what is still held and frees the report. Returns EX_OK, or EX_IOERR after having said that
 * standard output takes no more. */
MUST_USE int report_close(struct report **report);

/* A list begins; its rows; it ends. Lists do not nest. One without rows writes nothing for programs
 * that read lines, and "no processes" on a terminal. */
void report_list(struct report *report, const char *name);
void report_row(struct report *report);
void report_list_end(struct report *report);

/* A field of the row, or outside of lists of the whole. Names are lower case with underscores and
 * stay the caller's until close. Octets that are no UTF-8 come out as U+FFFD, control characters
 * as spaces. */
void report_text(struct report *report, const char *name, struct slice value);
/* Text of many lines, which is clean UTF-8 already: programs get it whole. */
void report_lines(struct report *report, const char *name, struct slice value);
void report_number(struct report *report, const char *name, uint64_t value);
/* Bytes: "1.5 MiB" for people, the number for programs. */
void report_size(struct report *report, const char *name, uint64_t bytes);
void report_bool(struct report *report, const char *name, bool value);
/* Something that is not there: `text` for people, null for programs. */
void report_nothing(struct report *report, const char *name, const char *text);
/* As 2026-01-31T23:59:59Z; 0 is shown as never (JSON: null). */
void report_time(struct report *report, const char *name, struct wall when);
/* A list of texts: separated by commas for people. Valid until the next call. */
void report_texts(struct report *report, const char *name, const struct slice *values,
                  size_t count);

/* "1.5 MiB" and "2026-01-31T23:59:59Z", for messages. */
void report_put_size(struct buffer *out, uint64_t bytes);
void report_put_time(struct buffer *out, struct wall when);

#endif
