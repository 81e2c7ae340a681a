/* SPDX-License-Identifier: ISC */
/* The only file that knows iconv. */
#include "text/charset_private.h"
#include "text/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

enum { OUT_LEN = 4096 };

void *
charset_iconv_open(const char *name)
{
    iconv_t converter = iconv_open("UTF-8", name);
    return converter == (iconv_t)-1 ? NULL : converter;
}

void
charset_iconv_close(void *converter)
{
    if (converter)
        iconv_close(converter);
}

size_t
charset_iconv_feed(void *converter, struct slice text, struct buffer *out, uint64_t *bad_count)
{
    /* iconv's interface lacks a const: it does not write. */
    union {
        const uint8_t *constant;
        char *in;
    } at = {.constant = text.at};
    size_t left = text.len;

    while (left) {
        char piece[OUT_LEN];
        char *to = piece;
        size_t room = sizeof(piece);
        size_t result = iconv(converter, &at.in, &left, &to, &room);
        int reason = result == (size_t)-1 ? errno : 0;
        *bad_count += utf8_put_repaired(out, slice_of(piece, sizeof(piece) - room));
        if (reason == EINVAL)
            break;
        if (reason == EILSEQ) {
            utf8_put(out, UTF8_REPLACEMENT);
            ++*bad_count;
            at.in++;
            left--;
        }
    }
    return text.len - left;
}

struct charset_modules {
    void *converters[32];
    size_t count;
};

struct charset_modules *
charset_modules_open(void)
{
    struct charset_modules *modules = calloc(1, sizeof(*modules));
    const struct charset *charset;
    size_t place = 0;

    if (!modules)
        abort();
    while ((charset = charset_next(&place))) {
        if (charset->kind != CHARSET_ICONV)
            continue;
        assert(modules->count < COUNT_OF(modules->converters));
        modules->converters[modules->count++] = charset_iconv_open(charset->iconv_name);
    }
    return modules;
}

void
charset_modules_close(struct charset_modules **modules)
{
    if (!*modules)
        return;
    for (size_t i = 0; i < (*modules)->count; i++)
        charset_iconv_close((*modules)->converters[i]);
    free(*modules);
    *modules = NULL;
}
