/* SPDX-License-Identifier: ISC */
/* Content-Type (RFC 2045 5) and Content-Transfer-Encoding (RFC 2045 6). */
#ifndef MIME_CONTENT_TYPE_H
#define MIME_CONTENT_TYPE_H

#include "mime/parameter.h"

struct mime_content_type {
    struct slice type;    /* as written; compare with slice_equal_nocase */
    struct slice subtype;
    struct mime_parameters written;
    struct mime_parameters parameters; /* resolved */
};

/* The default of RFC 2045 5.2: text/plain, no parameters (charset us-ascii is implied). */
struct mime_content_type mime_content_type_default(void);

/* Parses the body of the field (folded or not). What is no type becomes the default; "text" and
 * "multipart" alone become text/plain and multipart/mixed. */
struct mime_content_type mime_content_type_parse(struct slice body, struct arena *arena,
                                                 const struct mime_place *place);

/* True when it is type/subtype; an empty subtype matches all. */
bool mime_content_type_is(const struct mime_content_type *content_type, const char *type,
                          const char *subtype);

/* The charset parameter, or "us-ascii". */
struct slice mime_content_type_charset(const struct mime_content_type *content_type);

enum mime_encoding {
    MIME_ENCODING_7BIT,
    MIME_ENCODING_8BIT,
    MIME_ENCODING_BINARY,
    MIME_ENCODING_QUOTED_PRINTABLE,
    MIME_ENCODING_BASE64,
    MIME_ENCODING_UUENCODE, /* "x-uuencode", "uuencode", "x-uue" */
    MIME_ENCODING_UNKNOWN,
    MIME_ENCODINGS
};

/* Parses the body of Content-Transfer-Encoding: comments, quotes and junk behind the token are
 * passed over. */
enum mime_encoding mime_encoding_parse(struct slice body, const struct mime_place *place);

/* The name as RFC 2045 writes it: "7bit", "quoted-printable", …; "binary" for the unknown. */
const char *mime_encoding_name(enum mime_encoding encoding);

#endif
