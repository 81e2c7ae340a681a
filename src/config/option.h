/* SPDX-License-Identifier: ISC */
/* The rows of the table of options as data: for the parser, for `facteur config show` and for the
 * manual page. */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include "config/config.h"

/* Longest path of an option: with what stands below it, it still is one that the kernel takes. */
enum { CONFIG_PATH_MAX = 2048 };

enum config_kind {
    CONFIG_BOOL,
    CONFIG_NUMBER,
    CONFIG_SIZE,
    CONFIG_DURATION,
    CONFIG_STRING,
    CONFIG_PATH,
    CONFIG_CHOICE,
    CONFIG_SET,
    CONFIG_STRINGS,
    CONFIG_LISTENERS,
    CONFIG_NETWORKS,
};

struct config_option {
    const char *section; /* of a title between the rows, which has no name */
    const char *name;
    enum config_kind kind;
    const char *standard; /* the default, as text; lists with commas */
    const char *choices;  /* names of a CHOICE or SET, separated by spaces; or NULL */
    uint64_t min;         /* NUMBER; SIZE in bytes; DURATION in nanoseconds */
    uint64_t max;         /* the same; longest STRING; most STRINGS */
    bool is_reloadable;
    const char *meaning;
    const char *reason; /* why this default */
    size_t offset;      /* of the member in struct config */
};

/* Walks over the rows in the order of options.def: begin with NULL; NULL at the end. */
const struct config_option *config_option_next(const struct config_option *option);

/* The title of the section that a row stands in. */
const char *config_option_section(const struct config_option *option);

/* The row of this name, or NULL. */
const struct config_option *config_option_find(struct slice name);

/* The name nearest to one that does not exist, or NULL when none is near. */
const char *config_option_nearest(struct slice name);

/* True for kinds whose value is a list. */
bool config_kind_is_list(enum config_kind kind);

/* The kind in a word or two: "size", "list of networks". */
const char *config_kind_name(enum config_kind kind);

/* The name of the choice (or member of the set) with this number. False past the last. */
MUST_USE bool config_option_choice(const struct config_option *option, size_t index,
                                   struct slice *ret_name);

/* What a value of this option looks like, in a few words: "a size from 64 KiB to 2 GiB". */
void config_option_put_expected(const struct config_option *option, struct buffer *out);

/* Reads a value into its member of *config: one text, for lists any number of entries. False, and
 * *config untouched, when it is not what config_option_put_expected says. */
MUST_USE bool config_value_parse(const struct config_option *option, const struct slice *texts,
                                 size_t count, struct arena *arena, struct config *config);

/* How many texts config_value_put_text has for this value: 1, or the entries of a list. */
size_t config_value_count(const struct config_option *option, const struct config *config);

/* The value (or one entry of the list) as a text that config_value_parse reads. */
void config_value_put_text(const struct config_option *option, const struct config *config,
                           size_t index, struct buffer *out);

/* The whole value as it would stand in a file: quoted where needed, lists in braces. */
void config_value_put(const struct config_option *option, const struct config *config,
                      struct buffer *out);

/* A NUMBER, SIZE or DURATION with the largest unit that divides it: "50 MiB", "90 s". */
void config_number_put(enum config_kind kind, uint64_t number, struct buffer *out);

#endif
