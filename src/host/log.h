/* SPDX-License-Identifier: ISC */
/* Log lines: one for each event, `key=value` words, the same shape everywhere:
 *
 *     level=info process=store/0 event=delivered id=k3J9x account=7 mailbox=INBOX uid=12 bytes=4096
 *
 * Build a line from log_begin to log_end; what it holds may be hostile: values are quoted where
 * they must be, control octets are escaped, over-long values are cut. Time is left to journald, or
 * put in front by the host where lines go to a terminal or a file. Secrets have no place here. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "host/host.h"

enum {
    LOG_LINE_MAX = 2048, /* a line is cut there, between values, and says so: cut=1 */
    LOG_VALUE_MAX = 512, /* so is a value: its last character is then "…" */
};

struct log_line {
    struct host *host;
    enum host_level level;
    bool is_wanted; /* false: the level is off and everything put is ignored */
    bool is_cut;
    struct buffer text;
};

/* Starts a line in the caller's memory. `event` is a fixed word. */
void log_begin(struct log_line *line, struct host *host, enum host_level level, const char *event);

void log_text(struct log_line *line, const char *key, struct slice value);
void log_string(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, uint64_t value);
void log_bool(struct log_line *line, const char *key, bool value);
/* In milliseconds with three digits behind the point. */
void log_duration(struct log_line *line, const char *key, struct duration value);
/* The message of a negative errno: error="No space left on device". */
void log_error(struct log_line *line, const char *key, int negative_errno);
/* A mail address; masked where the settings say so: ~1f2e3d4c@example.test. */
void log_address(struct log_line *line, const char *key, struct slice value);
/* A network address, without port; masked to /24 or /48 where the settings say so. */
void log_peer(struct log_line *line, const char *key, const struct host_address *value);

/* Sends the line and frees what it holds. */
void log_end(struct log_line *line);

/* A line that has but one value, for short. */
void log_event(struct host *host, enum host_level level, const char *event, const char *key,
               struct slice value);

#endif
