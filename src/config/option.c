/* SPDX-License-Identifier: ISC */
/* options.def as an array of rows. */
#include "config/option.h"

#include "config/nearest.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS 1000000ull
#define S (1000 * MS)
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

enum { RESTART, RELOAD };

/* A title stands in a row of its own while the table is made; rows with a name are options. */
#define SECTION(title) {.section = (title)},
#define ROW(k, n, def, when, what, why, ...)                                                       \
    {.name = #n,                                                                                   \
     .kind = (k),                                                                                  \
     .standard = (def),                                                                            \
     .is_reloadable = (when) == RELOAD,                                                            \
     .meaning = (what),                                                                            \
     .reason = (why),                                                                              \
     .offset = offsetof(struct config, n),                                                         \
     __VA_ARGS__},
#define BOOL(n, def, when, what, why) ROW(CONFIG_BOOL, n, def, when, what, why, .max = 1)
#define NUMBER(n, def, low, high, when, what, why)                                                 \
    ROW(CONFIG_NUMBER, n, def, when, what, why, .min = (low), .max = (high))
#define SIZE(n, def, low, high, when, what, why)                                                   \
    ROW(CONFIG_SIZE, n, def, when, what, why, .min = (low), .max = (high))
#define DURATION(n, def, low, high, when, what, why)                                               \
    ROW(CONFIG_DURATION, n, def, when, what, why, .min = (low), .max = (high))
#define STRING(n, def, longest, when, what, why)                                                   \
    ROW(CONFIG_STRING, n, def, when, what, why, .max = (longest))
#define PATH(n, def, when, what, why)                                                              \
    ROW(CONFIG_PATH, n, def, when, what, why, .max = CONFIG_PATH_MAX)
#define CHOICE(n, def, type, names, when, what, why)                                               \
    ROW(CONFIG_CHOICE, n, def, when, what, why, .choices = (names))
#define SET(n, def, names, when, what, why)                                                        \
    ROW(CONFIG_SET, n, def, when, what, why, .choices = (names))
#define STRINGS(n, def, most, when, what, why)                                                     \
    ROW(CONFIG_STRINGS, n, def, when, what, why, .max = (most))
#define LISTENERS(n, def, when, what, why)                                                         \
    ROW(CONFIG_LISTENERS, n, def, when, what, why, .max = CONFIG_LISTENERS_MAX)
#define NETWORKS(n, def, when, what, why)                                                          \
    ROW(CONFIG_NETWORKS, n, def, when, what, why, .max = CONFIG_NETWORKS_MAX)

static const struct config_option rows[] = {
#include "config/options.def"
};

const struct config_option *
config_option_next(const struct config_option *option)
{
    const struct config_option *next = option ? option + 1 : rows;

    while (next < rows + COUNT_OF(rows) && !next->name)
        next++;
    return next < rows + COUNT_OF(rows) ? next : NULL;
}

const char *
config_option_section(const struct config_option *option)
{
    while (option->name)
        option--;
    return option->section;
}

const struct config_option *
config_option_find(struct slice name)
{
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        if (slice_equal(slice_of_string(o->name), name))
            return o;
    }
    return NULL;
}

const char *
config_option_nearest(struct slice name)
{
    size_t best = NEAREST_WORD_MAX;
    const char *nearest = NULL;

    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        size_t distance = nearest_distance(slice_of_string(o->name), name);
        if (distance < best) {
            best = distance;
            nearest = o->name;
        }
    }
    return nearest_is_slip(best, name.len) ? nearest : NULL;
}

bool
config_kind_is_list(enum config_kind kind)
{
    return kind == CONFIG_SET || kind == CONFIG_STRINGS || kind == CONFIG_LISTENERS ||
           kind == CONFIG_NETWORKS;
}

const char *
config_kind_name(enum config_kind kind)
{
    static const char *const names[] = {
        [CONFIG_BOOL] = "yes or no",
        [CONFIG_NUMBER] = "number",
        [CONFIG_SIZE] = "size",
        [CONFIG_DURATION] = "duration",
        [CONFIG_STRING] = "text",
        [CONFIG_PATH] = "path",
        [CONFIG_CHOICE] = "choice",
        [CONFIG_SET] = "set",
        [CONFIG_STRINGS] = "list of texts",
        [CONFIG_LISTENERS] = "list of listeners",
        [CONFIG_NETWORKS] = "list of networks",
    };

    return names[kind];
}

static void
put_choices(const struct config_option *option, struct buffer *out)
{
    struct slice name;

    for (size_t i = 0; config_option_choice(option, i, &name); i++) {
        struct slice next;
        if (i > 0)
            buffer_put_text(out, config_option_choice(option, i + 1, &next) ? ", " : " or ");
        buffer_put(out, name);
    }
}

bool
config_option_choice(const struct config_option *option, size_t index, struct slice *ret_name)
{
    struct slice rest = slice_of_string(option->choices);

    for (; index > 0 && rest.len > 0; index--)
        rest = slice_skip(rest, slice_find_byte(rest, ' ') + 1);
    *ret_name = slice_first(rest, slice_find_byte(rest, ' '));
    return rest.len > 0;
}

static void
put_bounds(const struct config_option *option, struct buffer *out)
{
    config_number_put(option->kind, option->min, out);
    buffer_put_text(out, " to ");
    config_number_put(option->kind, option->max, out);
}

void
config_option_put_expected(const struct config_option *option, struct buffer *out)
{
    switch (option->kind) {
    case CONFIG_BOOL:
        buffer_put_text(out, "yes or no");
        break;
    case CONFIG_NUMBER:
        buffer_put_text(out, "a number from ");
        put_bounds(option, out);
        break;
    case CONFIG_SIZE:
        buffer_put_text(out, "a size from ");
        put_bounds(option, out);
        buffer_put_text(out, ", with unit B, KiB, MiB, GiB or TiB");
        break;
    case CONFIG_DURATION:
        buffer_put_text(out, "a time from ");
        put_bounds(option, out);
        buffer_put_text(out, ", with unit ms, s, min, h or d");
        break;
    case CONFIG_STRING:
        buffer_put_text(out, "text of at most ");
        buffer_put_decimal(out, option->max);
        buffer_put_text(out, " bytes without control characters");
        break;
    case CONFIG_PATH:
        buffer_put_text(out, "an absolute path (beginning with /) of at most ");
        buffer_put_decimal(out, option->max);
        buffer_put_text(out, " bytes, or \"\"");
        break;
    case CONFIG_CHOICE:
        put_choices(option, out);
        break;
    case CONFIG_SET:
        buffer_put_text(out, "a list in braces of ");
        put_choices(option, out);
        break;
    case CONFIG_STRINGS:
        buffer_put_text(out, "a list in braces of at most ");
        buffer_put_decimal(out, option->max);
        buffer_put_text(out, " texts");
        break;
    case CONFIG_LISTENERS:
        buffer_put_text(out, "a list in braces of \"ADDRESS:PORT\", \"[IPv6]:PORT\", \"*:PORT\" or "
                             "\"unix:/PATH\"; {} for none");
        break;
    case CONFIG_NETWORKS:
        buffer_put_text(out, "a list in braces of \"ADDRESS/BITS\" (no bits set behind the prefix) "
                             "or \"ADDRESS\"");
        break;
    }
}
