/* SPDX-License-Identifier: ISC */
/* The file's syntax. The only file that knows libconfuse: every option is a string (or a list of
 * strings) to it, which value.c gives a meaning. */
#include "config/option.h"
#include "config/scan.h"

#include "message/rewrite.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>

enum { OPTIONS_MAX = 256, MESSAGE_MAX = 512 };

struct parse {
    struct slice name;
    struct buffer *errors;
    size_t error_count;
    const struct config_option *bad_option; /* the last, and which of its entries */
    unsigned bad_entry;
};

/* Errors of one file that are told; more help nobody. */
enum { ERRORS_MAX = 20 };

static void
begin_error(struct parse *parse, int line)
{
    parse->error_count++;
    buffer_put(parse->errors, parse->name);
    buffer_put_byte(parse->errors, ':');
    buffer_put_decimal(parse->errors, line > 0 ? (uint64_t)line : 1);
    buffer_put_text(parse->errors, ": ");
}

/* libconfuse hands its callbacks nothing but the cfg_t; at the top level its title is unused. */
static struct parse *
parse_of(cfg_t *cfg)
{
    return (struct parse *)(void *)cfg->title;
}

static void
put_unknown(struct parse *parse, struct slice name)
{
    const char *nearest = config_option_nearest(name);

    buffer_put(parse->errors, name);
    buffer_put_text(parse->errors, ": there is no such option; ");
    if (nearest) {
        buffer_put_text(parse->errors, "did you mean ");
        buffer_put_text(parse->errors, nearest);
        buffer_put_text(parse->errors, "?\n");
    } else {
        buffer_put_text(parse->errors, "facteur config show lists all\n");
    }
}

/* What libconfuse itself finds wrong: syntax and unknown names. */
static void
on_error(cfg_t *cfg, const char *format, va_list arguments)
{
    struct parse *parse = parse_of(cfg);
    struct slice unknown = SLICE("no such option '");
    char message[MESSAGE_MAX];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the format is libconfuse's */
    vsnprintf(message, sizeof(message), format, arguments);
#pragma GCC diagnostic pop
    struct slice text = slice_of_string(message);
    begin_error(parse, cfg->line);
    if (slice_starts_with(text, unknown)) {
        text = slice_skip(text, unknown.len);
        put_unknown(parse, slice_first(text, slice_find_last_byte(text, '\'')));
        return;
    }
    buffer_put(parse->errors, text);
    buffer_put_text(parse->errors, "; expected lines of the form name = value, texts with spaces "
                                   "or signs in \"quotes\", lists in {braces}\n");
}

/* Where a value is wrong in a way that shows how it came about, that is said. */
static const char *
remedy_for(const struct config_option *option, struct slice text)
{
    bool is_number = text.len > 0;

    for (size_t i = 0; i < text.len; i++)
        is_number = is_number && byte_is_digit(text.at[i]);
    if (slice_find_byte(text, '\n') < text.len)
        return "\" and more lines; close the quote\n";
    if (is_number && option->kind == CONFIG_SIZE)
        return "\"; give the unit, without a blank or in quotes: 5MiB, \"5 MiB\"\n";
    if (is_number && option->kind == CONFIG_DURATION)
        return "\"; give the unit, without a blank or in quotes: 5min, \"5 min\"\n";
    return option->kind == CONFIG_STRINGS ? "\"; correct the entry\n" : "\"; correct the value\n";
}

static void
put_wrong(struct parse *parse, const struct config_option *option, struct slice text)
{
    struct slice line = slice_first(text, slice_find_byte(text, '\n'));

    buffer_put_text(parse->errors, ", not \"");
    buffer_put(parse->errors, slice_first(line, MESSAGE_MAX));
    buffer_put_text(parse->errors, remedy_for(option, text));
}

/* Entries that have a form of their own. NULL, or what was expected. */
static const char *
check_form(const struct config_option *option, struct slice text)
{
    struct rewrite_rule rule;

    return strcmp(option->name, "rewrite") == 0 ? rewrite_rule_parse(text, &rule) : NULL;
}

/* Called by libconfuse after each value or entry of a list, when the line is known: looks whether
 * it can be read. The values are taken when the whole file is right. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parse *parse = parse_of(cfg);
    const struct config_option *option = config_option_find(slice_of_string(opt->name));
    struct slice text = slice_of_string(cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1));
    struct arena arena;
    struct config scratch;

    arena_init(&arena, CONFIG_ARENA_MAX);
    bool is_good = config_value_parse(option, &text, 1, &arena, &scratch);
    const char *what = is_good ? check_form(option, text) : NULL;
    /* The last entry of a list comes once more with its brace. */
    bool is_told = parse->bad_option == option && parse->bad_entry == cfg_opt_size(opt);
    if ((!is_good || what) && !is_told) {
        parse->bad_option = option;
        parse->bad_entry = cfg_opt_size(opt);
        begin_error(parse, cfg->line);
        buffer_put_text(parse->errors, option->name);
        buffer_put_text(parse->errors, ": ");
        buffer_put_text(parse->errors, what ? what : "expected ");
        if (!what)
            config_option_put_expected(option, parse->errors);
        put_wrong(parse, option, text);
    }
    arena_finish(&arena);
    return parse->error_count < ERRORS_MAX ? 0 : -1;
}

static bool
take_option(cfg_t *cfg, const struct config_option *option, struct parse *parse,
            struct arena *arena, struct config *config)
{
    cfg_opt_t *opt = cfg_getopt(cfg, option->name);
    unsigned count = cfg_opt_size(opt);

    if (!(opt->flags & CFGF_MODIFIED) && count == 0)
        return true;
    struct slice *texts = calloc(count ? count : 1, sizeof(*texts));
    if (!texts)
        abort();
    for (unsigned i = 0; i < count; i++)
        texts[i] = slice_of_string(cfg_opt_getnstr(opt, i));
    bool is_good = config_value_parse(option, texts, count, arena, config);
    free(texts);
    if (!is_good) {
        begin_error(parse, cfg->line);
        buffer_put_text(parse->errors, option->name);
        buffer_put_text(parse->errors, ": too long in all; expected at most ");
        buffer_put_decimal(parse->errors, option->max);
        buffer_put_text(parse->errors, " entries; make the list shorter\n");
    }
    return is_good;
}

static size_t
make_opts(cfg_opt_t *opts)
{
    size_t count = 0;

    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        assert(count < OPTIONS_MAX);
        opts[count++] = config_kind_is_list(o->kind)
                            ? (cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NODEFAULT)
                            : (cfg_opt_t)CFG_STR(o->name, NULL, CFGF_NODEFAULT);
    }
    opts[count] = (cfg_opt_t)CFG_END();
    return count;
}

static bool
parse_string(const char *string, struct parse *parse, struct arena *arena, struct config *config)
{
    cfg_opt_t opts[OPTIONS_MAX + 1];

    make_opts(opts);
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg)
        abort();
    cfg->title = (char *)(void *)parse;
    cfg_set_error_function(cfg, on_error);
    for (const struct config_option *o = NULL; (o = config_option_next(o));)
        cfg_set_validate_func(cfg, o->name, on_value);
    bool is_good = cfg_parse_buf(cfg, string) == CFG_SUCCESS;
    if (!is_good && parse->error_count == 0) {
        begin_error(parse, cfg->line);
        buffer_put_text(parse->errors, "a text or remark does not end; add the missing quote\n");
    }
    is_good = is_good && parse->error_count == 0;
    for (const struct config_option *o = NULL; is_good && (o = config_option_next(o));)
        is_good = take_option(cfg, o, parse, arena, config);
    cfg->title = NULL;
    cfg_free(cfg);
    return is_good;
}

bool
config_parse(struct slice text, struct slice name, struct arena *arena, struct buffer *errors,
             struct config *ret_config)
{
    struct parse parse = {.name = name, .errors = errors};
    struct config config;

    if (slice_starts_with(text, SLICE("\xEF\xBB\xBF"))) /* as editors of Windows begin a file */
        text = slice_skip(text, 3);
    size_t nul = slice_find_byte(text, '\0');
    if (text.len > CONFIG_TEXT_MAX || nul < text.len) {
        begin_error(&parse, 1);
        buffer_put_text(errors, nul < text.len ? "there is a NUL byte in it; give a text file\n"
                                               : "it is over 1 MiB long; give a configuration\n");
        return false;
    }
    char *string = malloc(text.len + 1);
    if (!string)
        abort();
    memcpy(string, text.at, text.len);
    string[text.len] = '\0';
    config_blank_remarks(string);
    config_default(arena, &config);
    bool is_good = parse_string(string, &parse, arena, &config);
    free(string);
    if (is_good)
        *ret_config = config;
    return is_good;
}
