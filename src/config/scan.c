/* SPDX-License-Identifier: ISC */
#include "config/scan.h"

#include "config/option.h"

#include <stdlib.h>
#include <string.h>

/* How long the token is that begins at `at`: a quoted text, a word, or a sign. */
static size_t
token_len(const char *at)
{
    static const char signs[] = " \t\n={}()+,\"'#";
    size_t len = 1;

    if (*at != '"' && *at != '\'')
        return strchr(signs, *at) ? 1 : strcspn(at, signs);
    while (at[len] && at[len] != *at)
        len += at[len] == '\\' && at[len + 1] ? 2 : 1;
    return len + (at[len] == *at);
}

/* A remark that begins at `at`: its length, or 0. */
static size_t
remark_len(const char *at)
{
    if (*at == '#' || strncmp(at, "//", 2) == 0)
        return strcspn(at, "\n");
    const char *end = strncmp(at, "/*", 2) == 0 ? strstr(at + 2, "*/") : NULL;
    return end ? (size_t)(end - at) + 2 : 0;
}

void
config_blank_remarks(char *string)
{
    for (char *at = string; *at;) {
        size_t len = remark_len(at);
        for (size_t i = 0; i < len; i++) {
            if (at[i] != '\n')
                at[i] = ' ';
        }
        at += len ? len : token_len(at);
    }
}

enum { OPTIONS_MAX = 256 };

/* Where options have their values, by their place in the table. */
struct places {
    int lines[OPTIONS_MAX]; /* 0: not yet */
    struct buffer *out;
};

static size_t
index_of(const struct config_option *option)
{
    size_t index = 0;

    for (const struct config_option *o = NULL; (o = config_option_next(o)) && o != option;)
        index++;
    return index;
}

static void
take_name(struct places *places, struct slice name, int line)
{
    const struct config_option *option = config_option_find(name);
    size_t index = option ? index_of(option) : OPTIONS_MAX;

    if (index >= OPTIONS_MAX)
        return;
    if (places->lines[index]) {
        buffer_put_decimal(places->out, (uint64_t)line);
        buffer_put_text(places->out, ": ");
        buffer_put_text(places->out, option->name);
        buffer_put_text(places->out, " has been set before; what line ");
        buffer_put_decimal(places->out, (uint64_t)places->lines[index]);
        buffer_put_text(places->out, " says does not count\n");
    }
    places->lines[index] = line;
}

static void
scan(const char *string, struct places *places)
{
    struct slice word = SLICE("");
    int line = 1, depth = 0;

    for (const char *at = string; *at;) {
        size_t len = token_len(at);
        if (*at == '=' && depth == 0)
            take_name(places, word, line);
        depth += (*at == '{') - (*at == '}');
        for (size_t i = 0; i < len; i++)
            line += at[i] == '\n';
        if (*at != ' ' && *at != '\t' && *at != '\n')
            word = slice_of(at, len); /* before "+=" it is the "+", which is no option */
        at += len;
    }
}

void
config_put_repeated(struct slice text, struct buffer *out)
{
    struct places places = {.out = out};
    char *string = strndup(text.len ? (const char *)text.at : "", text.len);

    if (!string)
        abort();
    config_blank_remarks(string);
    scan(string, &places);
    free(string);
}
