/* SPDX-License-Identifier: ISC */
/* Lines of a server's log (host/log.h) taken apart again. */
#ifndef TOOL_LAB_LOG_H
#define TOOL_LAB_LOG_H

#include "base/arena.h"
#include "base/cursor.h"

enum { LAB_LOG_FIELDS_MAX = 32 };

struct lab_log_line {
    struct slice time;
    struct lab_log_field {
        struct slice key, value; /* quotes undone */
    } fields[LAB_LOG_FIELDS_MAX];
    size_t count;
};

/* Takes the next line; false at the end. What is no line of the log has no fields. Slices borrow
 * from the text, or are in the arena where quotes had to be undone. */
MUST_USE bool lab_log_take(struct slice *text, struct arena *arena, struct lab_log_line *ret_line);

/* Empty when there is no such field. */
struct slice lab_log_value(const struct lab_log_line *line, const char *key);
bool lab_log_is(const struct lab_log_line *line, const char *key, struct slice value);

#endif
