/* SPDX-License-Identifier: ISC */
/* Private to the room: one line of either file as words. See README.md for the grammar. */
#ifndef DIRECTORY_LINE_H
#define DIRECTORY_LINE_H

#include "base/cursor.h"
#include "directory/directory.h"

enum { DIRECTORY_FIELDS_MAX = 32 };

struct directory_field {
    struct slice key;
    struct slice value;
    bool has_value; /* false: a bare word, such as `disabled` */
};

struct directory_line {
    size_t number;     /* from 1 */
    struct slice raw;  /* with its line end */
    struct slice kind; /* "account"; empty for a line of blanks or a comment */
    struct slice name; /* as written, quotes undone; empty where the kind takes none */
    struct directory_field fields[DIRECTORY_FIELDS_MAX];
    size_t count;
    const char *damage; /* NULL, or what was expected at `place`; kind and name may be known yet */
    struct slice place;
};

/* Takes the next line; false at the end of the file. Slices borrow from the file, or live in the
 * arena where quotes had to be undone. `number` counts lines: begin with 0. */
MUST_USE bool directory_line_take(struct cursor *file, size_t *number, struct arena *arena,
                                  struct directory_line *ret_line);

/* The field of that name, or NULL. */
const struct directory_field *directory_line_find(const struct directory_line *line,
                                                  const char *key);

/* True when there is a bare word of that name. */
bool directory_line_has(const struct directory_line *line, const char *word);

/* Splits a value at its commas (not at those inside double quotes); at most `max`. False when there
 * are more or one is empty. */
MUST_USE bool directory_value_split(struct arena *arena, struct slice value, size_t max,
                                    const struct slice **ret_parts, size_t *ret_count);

/* " key=value", quoted where it has to be. */
void directory_put_field(struct buffer *buffer, const char *key, struct slice value);
/* One word, quoted where it has to be. */
void directory_put_word(struct buffer *buffer, struct slice word);
/* True for what may stand in the file: UTF-8 without control characters. */
bool directory_text_is_sound(struct slice text);

struct directory_problems {
    struct directory_problem at[DIRECTORY_PROBLEMS_MAX];
    size_t count; /* also of those that are not kept */
};

/* Notes one; `place` is copied into the arena, cut and made printable. */
void directory_problem_add(struct directory_problems *problems, struct arena *arena, size_t line,
                           struct slice place, const char *what);

#endif
