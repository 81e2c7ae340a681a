/* SPDX-License-Identifier: ISC */
/* What charset.c and charset_iconv.c share. Private to the room. */
#ifndef TEXT_CHARSET_PRIVATE_H
#define TEXT_CHARSET_PRIVATE_H

#include "text/charset.h"

enum charset_kind {
    CHARSET_ASCII,
    CHARSET_UTF8,
    CHARSET_TABLE,
    CHARSET_ICONV,
    CHARSET_UTF16, /* byte order by its mark, else big-endian (RFC 2781 §4.3); then iconv */
    CHARSET_UTF32
};

struct charset {
    struct slice name;
    enum charset_kind kind;
    uint8_t encode_first;     /* the first octet of the table that may be written */
    const uint16_t *table;    /* of octets 128 to 255, 0 for none; CHARSET_TABLE */
    const char *iconv_name;   /* CHARSET_ICONV */
    const char *aliases;      /* keys (see charset.c) with blanks between, its own name first */
};

/* A converter to UTF-8; NULL when this system has none. */
void *charset_iconv_open(const char *name);
void charset_iconv_close(void *converter);

/* Puts what `text` says, with U+FFFD for what is ill-formed, counted in *bad_count. Returns how
 * many octets were read: all but the beginning of a character that is not complete. */
size_t charset_iconv_feed(void *converter, struct slice text, struct buffer *out,
                          uint64_t *bad_count);

#endif
