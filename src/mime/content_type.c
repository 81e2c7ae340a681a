/* SPDX-License-Identifier: ISC */
#include "mime/content_type.h"

#include "message/lexer.h"

struct mime_content_type
mime_content_type_default(void)
{
    return (struct mime_content_type){.type = SLICE("text"), .subtype = SLICE("plain")};
}

/* token (RFC 2045 5.1): no controls, blanks or tspecials. Octets above 127 are let through: they
 * harm nobody and the type stays recognisable. */
static bool
is_token_octet(uint8_t byte)
{
    switch (byte) {
    case '(': case ')': case '<': case '>': case '@': case ',': case ';': case ':':
    case '\\': case '"': case '/': case '[': case ']': case '?': case '=': case 127:
        return false;
    default:
        return byte > ' ';
    }
}

static struct slice
take_token(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;

    while (!cursor_is_done(cursor) && is_token_octet(*cursor->at))
        cursor->at++;
    return slice_of(start, (size_t)(cursor->at - start));
}

/* What a type without subtype most likely means; empty when nothing. */
static struct slice
likely_subtype(struct slice type)
{
    if (slice_equal_nocase(type, SLICE("text")))
        return SLICE("plain");
    if (slice_equal_nocase(type, SLICE("multipart")))
        return SLICE("mixed");
    return slice_of(NULL, 0);
}

/* content := type "/" subtype *(";" parameter) (RFC 2045 5.1). */
struct mime_content_type
mime_content_type_parse(struct slice body, struct arena *arena, const struct mime_place *place)
{
    struct mime_content_type result = {0};
    struct cursor cursor = cursor_of(body);
    size_t offset = (size_t)(body.at - place->message);

    lexer_skip_cfws(&cursor);
    result.type = take_token(&cursor);
    lexer_skip_cfws(&cursor);
    if (cursor_take_byte(&cursor, '/')) {
        lexer_skip_cfws(&cursor);
        result.subtype = take_token(&cursor);
    }
    if (slice_is_empty(result.subtype)) {
        mime_defects_add(place->defects, MIME_DEFECT_CONTENT_TYPE, offset);
        result.subtype = likely_subtype(result.type);
    }
    if (slice_is_empty(result.type) || slice_is_empty(result.subtype))
        return mime_content_type_default();
    result.written = mime_parameters_take(&cursor, arena, place);
    result.parameters = mime_parameters_resolve(result.written, arena, place->defects, offset);
    return result;
}

bool
mime_content_type_is(const struct mime_content_type *content_type, const char *type,
                     const char *subtype)
{
    return slice_equal_nocase(content_type->type, slice_of_string(type)) &&
           (!*subtype || slice_equal_nocase(content_type->subtype, slice_of_string(subtype)));
}

struct slice
mime_content_type_charset(const struct mime_content_type *content_type)
{
    struct slice charset = mime_parameters_find(content_type->parameters, SLICE("charset"));

    return slice_is_empty(charset) ? SLICE("us-ascii") : charset;
}

/* All names that occur, the usual first. */
static const struct {
    struct slice name;
    enum mime_encoding encoding;
} encodings[] = {
    {SLICE("7bit"), MIME_ENCODING_7BIT},
    {SLICE("quoted-printable"), MIME_ENCODING_QUOTED_PRINTABLE},
    {SLICE("base64"), MIME_ENCODING_BASE64},
    {SLICE("8bit"), MIME_ENCODING_8BIT},
    {SLICE("binary"), MIME_ENCODING_BINARY},
    {SLICE("x-uuencode"), MIME_ENCODING_UUENCODE},
    {SLICE("uuencode"), MIME_ENCODING_UUENCODE},
    {SLICE("x-uue"), MIME_ENCODING_UUENCODE},
    {SLICE("7-bit"), MIME_ENCODING_7BIT},
    {SLICE("8-bit"), MIME_ENCODING_8BIT},
};

enum mime_encoding
mime_encoding_parse(struct slice body, const struct mime_place *place)
{
    struct cursor cursor = cursor_of(body);

    lexer_skip_cfws(&cursor);
    if (cursor_peek(&cursor) == '"')
        cursor.at++;
    struct slice token = take_token(&cursor);
    for (size_t i = 0; i < COUNT_OF(encodings); i++)
        if (slice_equal_nocase(token, encodings[i].name))
            return encodings[i].encoding;
    mime_defects_add(place->defects, MIME_DEFECT_ENCODING, (size_t)(body.at - place->message));
    return MIME_ENCODING_UNKNOWN;
}

const char *
mime_encoding_name(enum mime_encoding encoding)
{
    static const char *const names[MIME_ENCODINGS] = {
        [MIME_ENCODING_7BIT] = "7bit",
        [MIME_ENCODING_8BIT] = "8bit",
        [MIME_ENCODING_BINARY] = "binary",
        [MIME_ENCODING_QUOTED_PRINTABLE] = "quoted-printable",
        [MIME_ENCODING_BASE64] = "base64",
        [MIME_ENCODING_UUENCODE] = "x-uuencode",
        [MIME_ENCODING_UNKNOWN] = "binary",
    };
    return encoding < MIME_ENCODINGS ? names[encoding] : "binary";
}
