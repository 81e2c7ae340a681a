/* SPDX-License-Identifier: ISC */
#include "mime/build.h"

#include "base/cursor.h"
#include "mime/encoded_word.h"
#include "mime/file_type.h"
#include "message/fold.h"
#include "message/lexer.h"
#include "text/base64.h"
#include "text/charset.h"
#include "text/quoted_printable.h"
#include "text/utf8.h"

/* Of one field: ADDRESSES_MAX of the longest that mail knows. */
enum { ADDRESSES_OCTETS_MAX = 16 << 20 };

enum draft_kind { DRAFT_TEXT, DRAFT_BYTES, DRAFT_VERBATIM, DRAFT_MULTIPART };

struct draft_field {
    struct draft_field *next;
    struct slice name;
    struct slice body;
    bool is_text;
};

struct draft_parameter {
    struct draft_parameter *next;
    struct slice name;
    struct slice value;
};

/* How the octets go onto the wire, gentlest first: a multipart is as its strongest part is. */
enum draft_encoding { DRAFT_7BIT, DRAFT_8BIT, DRAFT_BINARY, DRAFT_QUOTED_PRINTABLE, DRAFT_BASE64 };

struct mime_draft {
    struct arena *arena;
    enum draft_kind kind;
    struct slice type; /* "text/plain" */
    struct slice octets;
    struct slice charset; /* of DRAFT_TEXT */
    struct draft_field *fields, **last_field;
    struct draft_parameter *parameters, **last_parameter;
    struct slice disposition, file_name;
    struct mime_draft *parent, *next, *children, **last_child;
};

/* ---- describing ---------------------------------------------------------------------------- */

static struct mime_draft *
draft_new(struct arena *arena, enum draft_kind kind, const char *major, const char *minor,
          struct slice octets)
{
    struct mime_draft *draft = ARENA_NEW(arena, struct mime_draft);
    size_t major_len = strlen(major), minor_len = strlen(minor);
    uint8_t *type = arena_new(arena, major_len + minor_len + 1);

    if (!draft || !type)
        return NULL;
    memcpy(type, major, major_len);
    memcpy(type + major_len, minor, minor_len);
    draft->arena = arena;
    draft->kind = kind;
    draft->type = slice_of(type, major_len + minor_len);
    draft->octets = octets;
    draft->last_field = &draft->fields;
    draft->last_parameter = &draft->parameters;
    draft->last_child = &draft->children;
    return draft;
}

/* The text with CRLF for every line end (RFC 2046 4.1.1), in the arena. */
static struct slice
with_crlf(struct arena *arena, struct slice text)
{
    uint8_t *copy;
    size_t len = 0;

    if (2 * text.len / 2 != text.len || !(copy = arena_new(arena, 2 * text.len + 1)))
        return slice_of("", 0);
    for (size_t i = 0; i < text.len; i++) {
        bool is_pair = text.at[i] == '\r' && i + 1 < text.len && text.at[i + 1] == '\n';
        if (text.at[i] == '\r' || text.at[i] == '\n') {
            copy[len++] = '\r';
            copy[len++] = '\n';
            i += is_pair;
        } else {
            copy[len++] = text.at[i];
        }
    }
    return slice_of(copy, len);
}

/* Only plain text leaves UTF-8: HTML may name its charset inside, and calendars, cards and other
 * formats are UTF-8 by definition (RFC 6047 2.4, RFC 6350 3.1). */
static const struct charset *
charset_for(const char *subtype, struct slice text)
{
    if (utf8_is_ascii(text) || strcmp(subtype, "plain") == 0)
        return charset_narrowest(text);
    return charset_find(SLICE("utf-8"));
}

/* The octets of the text in that charset. What is not UTF-8 stays as it is: nobody knows better. */
static struct slice
in_charset(struct arena *arena, const struct charset *charset, struct slice text)
{
    struct charset_report report;
    struct buffer out;

    if (utf8_is_ascii(text) || slice_equal(charset_name(charset), SLICE("utf-8")))
        return text;
    buffer_init(&out, text.len);
    bool is_done = charset_from_utf8(charset, text, &out, &report);
    struct slice octets = is_done ? arena_copy(arena, buffer_slice(&out)) : text;
    buffer_finish(&out);
    return octets;
}

struct mime_draft *
mime_draft_new_text(struct arena *arena, const char *subtype, struct slice text)
{
    const struct charset *charset = charset_for(subtype, text);
    struct slice octets = in_charset(arena, charset, with_crlf(arena, text));
    struct mime_draft *draft = draft_new(arena, DRAFT_TEXT, "text/", subtype, octets);

    if (draft)
        draft->charset = charset_name(charset);
    return draft;
}

struct mime_draft *
mime_draft_new_bytes(struct arena *arena, const char *type, struct slice bytes)
{
    return draft_new(arena, DRAFT_BYTES, type, "", bytes);
}

struct mime_draft *
mime_draft_new_verbatim(struct arena *arena, const char *type, struct slice octets)
{
    return draft_new(arena, DRAFT_VERBATIM, type, "", octets);
}

struct mime_draft *
mime_draft_new_message(struct arena *arena, struct slice message)
{
    bool is_unix = slice_find(message, SLICE("\r\n")) == message.len;

    return mime_draft_new_verbatim(arena, "message/rfc822",
                                   is_unix ? with_crlf(arena, message) : message);
}

struct mime_draft *
mime_draft_new_file(struct arena *arena, struct slice name, struct slice bytes)
{
    const char *type = mime_file_type(name);
    bool is_text = strncmp(type, "text/", 5) == 0, is_utf8 = is_text && utf8_is_valid(bytes);
    struct mime_draft *part;

    if (strcmp(type, "message/rfc822") == 0)
        part = mime_draft_new_message(arena, bytes);
    else
        part = mime_draft_new_bytes(arena, is_text && !is_utf8 ? "application/octet-stream" : type,
                                    bytes);
    if (part && is_utf8)
        mime_draft_add_parameter(part, "charset", SLICE("utf-8"));
    if (part)
        mime_draft_set_disposition(part, "attachment", name);
    return part;
}

struct mime_draft *
mime_draft_new_multipart(struct arena *arena, const char *subtype)
{
    return draft_new(arena, DRAFT_MULTIPART, "multipart/", subtype, slice_of("", 0));
}

void
mime_draft_append(struct mime_draft *multipart, struct mime_draft *part)
{
    assert(multipart->kind == DRAFT_MULTIPART && !part->parent && !part->next);
    part->parent = multipart;
    *multipart->last_child = part;
    multipart->last_child = &part->next;
}

static void
add_field(struct mime_draft *draft, const char *name, struct slice body, bool is_text)
{
    struct draft_field *field = ARENA_NEW(draft->arena, struct draft_field);

    if (!field)
        return;
    *field = (struct draft_field){NULL, slice_of_string(name), body, is_text};
    *draft->last_field = field;
    draft->last_field = &field->next;
}

void
mime_draft_add_field(struct mime_draft *draft, const char *name, struct slice body)
{
    add_field(draft, name, body, false);
}

void
mime_draft_add_addresses(struct mime_draft *draft, const char *name, struct address_list *list)
{
    struct buffer text;

    if (list->count == 0)
        return;
    buffer_init(&text, ADDRESSES_OCTETS_MAX);
    for (struct address *address = list->first; address; address = address->next) {
        if (utf8_is_ascii(address->name))
            continue;
        buffer_clear(&text);
        mime_encoded_words_put(&text, address->name, MIME_WORD_PHRASE, 0);
        address->name = arena_copy(draft->arena, buffer_slice(&text));
        address->has_encoded_word = true;
    }
    buffer_clear(&text);
    address_list_format(list, strlen(name) + 2, &text);
    mime_draft_add_field(draft, name, arena_copy(draft->arena, buffer_slice(&text)));
    buffer_finish(&text);
}

void
mime_draft_add_text_field(struct mime_draft *draft, const char *name, struct slice text)
{
    add_field(draft, name, text, true);
}

void
mime_draft_add_parameter(struct mime_draft *draft, const char *name, struct slice value)
{
    struct draft_parameter *parameter = ARENA_NEW(draft->arena, struct draft_parameter);

    if (!parameter)
        return;
    *parameter = (struct draft_parameter){NULL, slice_of_string(name), value};
    *draft->last_parameter = parameter;
    draft->last_parameter = &parameter->next;
}

void
mime_draft_set_disposition(struct mime_draft *draft, const char *type, struct slice file_name)
{
    draft->disposition = slice_of_string(type);
    draft->file_name = file_name;
}

/* ---- parameters ---------------------------------------------------------------------------- */

enum { COLUMN_MAX = 76 };

static byte_set attribute_marks = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['&'] = true, ['+'] = true,
    ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true,
    ['{'] = true, ['|'] = true, ['}'] = true, ['~'] = true};

/* attribute-char (RFC 2231 7): what needs no percent encoding. */
static bool
is_attribute_octet(uint8_t byte)
{
    return byte_is_digit(byte) || byte_is_alpha(byte) || attribute_marks[byte];
}

static bool
is_token(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_attribute_octet(value.at[i]))
            return false;
    return value.len > 0;
}

static bool
is_printable(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < ' ' || value.at[i] > 126)
            return false;
    return true;
}

static void
put_percent(struct buffer *buffer, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";

    if (is_attribute_octet(byte)) {
        buffer_put_byte(buffer, byte);
        return;
    }
    buffer_put_byte(buffer, '%');
    buffer_put_byte(buffer, (uint8_t)digits[byte >> 4]);
    buffer_put_byte(buffer, (uint8_t)digits[byte & 15]);
}

static size_t
percent_len(struct slice value)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++)
        len += is_attribute_octet(value.at[i]) ? 1 : 3;
    return len;
}

/* Begins a parameter that needs `len` more octets: on this line, or on the next. */
static size_t
put_separator(struct buffer *buffer, size_t column, size_t len)
{
    buffer_put_byte(buffer, ';');
    if (column + 2 + len + 1 <= COLUMN_MAX) {
        buffer_put_byte(buffer, ' ');
        return column + 2 + len;
    }
    buffer_put_text(buffer, "\r\n ");
    return 1 + len;
}

static void
put_charset(struct buffer *buffer, struct slice charset)
{
    buffer_put(buffer, charset);
    buffer_put_text(buffer, "''");
}

/* name*0*=utf-8''…; name*1*=… (RFC 2231 4.1), each on its own line. */
static size_t
put_sections(struct buffer *buffer, size_t column, struct slice name, struct slice charset,
             struct slice value)
{
    for (unsigned section = 0; section == 0 || value.len > 0; section++) {
        buffer_put_text(buffer, ";\r\n ");
        size_t start = buffer_len(buffer);
        buffer_put(buffer, name);
        buffer_put_byte(buffer, '*');
        buffer_put_decimal(buffer, section);
        buffer_put_text(buffer, "*=");
        if (section == 0)
            put_charset(buffer, charset);
        /* One for the blank before, three for the next octet, one for the semicolon. */
        while (value.len > 0 && buffer_len(buffer) - start + 5 <= COLUMN_MAX) {
            put_percent(buffer, value.at[0]);
            value = slice_skip(value, 1);
        }
        column = 1 + buffer_len(buffer) - start;
        if (buffer_overflowed(buffer))
            break;
    }
    return column;
}

/* name*=charset''…, in the narrowest charset (RFC 2231 4). */
static size_t
put_extended(struct buffer *buffer, size_t column, struct slice name, struct slice value)
{
    const struct charset *charset = charset_narrowest(value);
    struct slice label = charset_name(charset);
    struct charset_report report;
    struct buffer octets;

    buffer_init(&octets, 3 * value.len + 1);
    if (charset_from_utf8(charset, value, &octets, &report))
        value = buffer_slice(&octets);
    size_t len = name.len + strlen("*=''") + label.len + percent_len(value);
    if (len + 2 > COLUMN_MAX) {
        column = put_sections(buffer, column, name, label, value);
    } else {
        column = put_separator(buffer, column, len);
        buffer_put(buffer, name);
        buffer_put_text(buffer, "*=");
        put_charset(buffer, label);
        for (size_t i = 0; i < value.len; i++)
            put_percent(buffer, value.at[i]);
    }
    buffer_finish(&octets);
    return column;
}

size_t
mime_parameter_put(struct buffer *buffer, size_t column, struct slice name, struct slice value)
{
    if (is_token(value) && name.len + 1 + value.len + 2 <= COLUMN_MAX) {
        column = put_separator(buffer, column, name.len + 1 + value.len);
        buffer_put(buffer, name);
        buffer_put_byte(buffer, '=');
        buffer_put(buffer, value);
        return column;
    }
    if (is_printable(value) && name.len + 3 + 2 * value.len + 2 <= 2 * COLUMN_MAX) {
        struct buffer quoted;
        buffer_init(&quoted, 2 * value.len + 2);
        lexer_put_quoted(&quoted, value);
        size_t len = name.len + 1 + buffer_len(&quoted);
        if (len + 2 <= COLUMN_MAX) {
            column = put_separator(buffer, column, len);
            buffer_put(buffer, name);
            buffer_put_byte(buffer, '=');
            buffer_put(buffer, buffer_slice(&quoted));
            buffer_finish(&quoted);
            return column;
        }
        buffer_finish(&quoted);
    }
    return put_extended(buffer, column, name, value);
}

/* ---- bodies -------------------------------------------------------------------------------- */

/* What of a text matters to the choice of its encoding. */
struct census {
    size_t eight_bit;
    size_t longest_line;
    bool has_nul;
    bool has_fragile; /* "From " at the start of a line, blanks at its end, controls */
};

static struct census
census_of(struct slice text)
{
    struct census census = {0};
    size_t line = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (line == 0 && slice_starts_with(slice_skip(text, i), SLICE("From ")))
            census.has_fragile = true;
        line = byte == '\n' ? 0 : line + 1;
        census.longest_line = line > census.longest_line ? line : census.longest_line;
        census.eight_bit += byte > 127;
        census.has_nul = census.has_nul || byte == 0;
        bool is_control =
            (byte < ' ' && byte != '\n' && byte != '\t' && byte != '\r') || byte == 127;
        bool is_blank_at_end =
            (byte == ' ' || byte == '\t') &&
            (i + 1 == text.len || text.at[i + 1] == '\r' || text.at[i + 1] == '\n');
        census.has_fragile = census.has_fragile || is_control || is_blank_at_end;
    }
    return census;
}

/* RFC 2045 2.7, 2.8: lines of 7bit and 8bit have at most 998 octets. */
enum { LINE_OCTETS_MAX = 998 };

static enum draft_encoding
encoding_of_leaf(const struct mime_draft *draft)
{
    struct census census;

    if (draft->kind == DRAFT_BYTES)
        return DRAFT_BASE64;
    census = census_of(draft->octets);
    bool is_short = census.longest_line <= LINE_OCTETS_MAX;
    if (draft->kind == DRAFT_VERBATIM) {
        if (census.has_nul || !is_short)
            return DRAFT_BINARY;
        return census.eight_bit > 0 ? DRAFT_8BIT : DRAFT_7BIT;
    }
    if (census.eight_bit == 0 && is_short && !census.has_fragile)
        return DRAFT_7BIT;
    /* Three octets for one, or four for three: equal when a sixth of them needs an escape. */
    return quoted_printable_escape_count(draft->octets) > draft->octets.len / 6
               ? DRAFT_BASE64
               : DRAFT_QUOTED_PRINTABLE;
}

/* RFC 2045 6.4: a composite is labelled by the most demanding of what is inside. */
static enum draft_encoding
encoding_of(const struct mime_draft *draft)
{
    enum draft_encoding strongest = DRAFT_7BIT;
    const struct mime_draft *at = draft;

    if (draft->kind != DRAFT_MULTIPART)
        return encoding_of_leaf(draft);
    for (;;) {
        if (at->children) {
            at = at->children;
            continue;
        }
        enum draft_encoding own = at->kind == DRAFT_MULTIPART ? DRAFT_7BIT : encoding_of_leaf(at);
        if (own <= DRAFT_BINARY && own > strongest)
            strongest = own;
        while (at != draft && !at->next)
            at = at->parent;
        if (at == draft)
            return strongest;
        at = at->next;
    }
}

static const char *
encoding_name(enum draft_encoding encoding)
{
    static const char *const names[] = {"7bit", "8bit", "binary", "quoted-printable", "base64"};
    return names[encoding];
}

static void
put_body(struct buffer *buffer, const struct mime_draft *draft, enum draft_encoding encoding)
{
    if (encoding == DRAFT_BASE64) {
        struct base64_encoder encoder;
        base64_encoder_init(&encoder);
        base64_encoder_feed(&encoder, draft->octets, buffer);
        base64_encoder_finish(&encoder, buffer);
    } else if (encoding == DRAFT_QUOTED_PRINTABLE) {
        quoted_printable_encode(draft->octets, buffer);
    } else {
        buffer_put(buffer, draft->octets);
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* "=_" can stand in no quoted-printable and no base64 line (RFC 2045 6.7); the rest makes it
 * unguessable, and its number is of fixed width so that no boundary begins another. */
enum { TOKEN_LEN = 2 + 32 };

struct writer {
    struct buffer *buffer;
    char token[TOKEN_LEN];
    unsigned multiparts;
    unsigned numbers[MIME_DRAFT_DEPTH_MAX]; /* of the multiparts that are open */
    size_t depth;
};

static void
put_boundary(struct writer *writer, struct buffer *buffer)
{
    buffer_put(buffer, slice_of(writer->token, TOKEN_LEN));
    buffer_put_byte(buffer, '.');
    buffer_put_padded(buffer, writer->numbers[writer->depth - 1], 4);
}

static bool
occurs(struct slice octets, const struct writer *writer)
{
    return slice_find(octets, slice_of(writer->token, TOKEN_LEN)) < octets.len;
}

/* Checks limits, and that the token stands nowhere in the content: *ret_is_fresh. */
static bool
survey(const struct mime_draft *draft, const struct writer *writer, bool *ret_is_fresh)
{
    size_t depth = 1, parts = 1;
    const struct mime_draft *at = draft;
    bool is_fresh = true;

    for (;;) {
        is_fresh = is_fresh && !occurs(at->octets, writer);
        if (at->children) {
            at = at->children;
            parts++;
            if (++depth > MIME_DRAFT_DEPTH_MAX)
                return false;
            continue;
        }
        while (at != draft && !at->next) {
            at = at->parent;
            depth--;
        }
        if (at == draft)
            break;
        at = at->next;
        if (++parts > MIME_DRAFT_PARTS_MAX)
            return false;
    }
    *ret_is_fresh = is_fresh;
    return true;
}

/* Makes the token from the caller's randomness; `turn` makes another one of the same. */
static void
make_token(struct writer *writer, const struct mime_draft_entropy *entropy, unsigned turn)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(writer->token, "=_", 2);
    for (size_t i = 0; i < sizeof(entropy->bytes); i++) {
        uint8_t byte = (uint8_t)(entropy->bytes[i] + turn);
        writer->token[2 + 2 * i] = digits[byte >> 4];
        writer->token[3 + 2 * i] = digits[byte & 15];
    }
}

static void
put_fields(struct buffer *buffer, const struct mime_draft *draft)
{
    for (const struct draft_field *field = draft->fields; field; field = field->next) {
        if (!field->is_text) {
            fold_put_field(buffer, field->name, field->body);
            continue;
        }
        buffer_put(buffer, field->name);
        buffer_put_text(buffer, ": ");
        mime_encoded_words_put(buffer, field->body, MIME_WORD_TEXT, field->name.len + 2);
        buffer_put_text(buffer, "\r\n");
    }
}

/* RFC 2046 5.1.5: in a digest, what says nothing of its type is a message. */
static bool
is_plain_in_digest(const struct mime_draft *draft)
{
    return draft->parent && slice_equal(draft->parent->type, SLICE("multipart/digest")) &&
           slice_equal(draft->type, SLICE("message/rfc822")) && !draft->parameters;
}

static void
put_content_type(struct writer *writer, const struct mime_draft *draft)
{
    struct buffer *buffer = writer->buffer;
    size_t column = strlen("Content-Type: ") + draft->type.len;

    buffer_put_text(buffer, "Content-Type: ");
    buffer_put(buffer, draft->type);
    if (draft->kind == DRAFT_TEXT)
        column = mime_parameter_put(buffer, column, SLICE("charset"), draft->charset);
    if (draft->kind == DRAFT_MULTIPART) {
        struct buffer boundary;
        buffer_init(&boundary, TOKEN_LEN + 16);
        put_boundary(writer, &boundary);
        column = mime_parameter_put(buffer, column, SLICE("boundary"), buffer_slice(&boundary));
        buffer_finish(&boundary);
    }
    for (const struct draft_parameter *p = draft->parameters; p; p = p->next)
        column = mime_parameter_put(buffer, column, p->name, p->value);
    buffer_put_text(buffer, "\r\n");
}

static void
put_content_fields(struct writer *writer, const struct mime_draft *draft,
                   enum draft_encoding encoding)
{
    struct buffer *buffer = writer->buffer;
    bool is_plain = is_plain_in_digest(draft);

    if (!is_plain)
        put_content_type(writer, draft);
    if (!is_plain || encoding != DRAFT_7BIT) {
        buffer_put_text(buffer, "Content-Transfer-Encoding: ");
        buffer_put_text(buffer, encoding_name(encoding));
        buffer_put_text(buffer, "\r\n");
    }
    if (draft->disposition.len > 0) {
        buffer_put_text(buffer, "Content-Disposition: ");
        buffer_put(buffer, draft->disposition);
        if (draft->file_name.len > 0)
            mime_parameter_put(buffer, strlen("Content-Disposition: ") + draft->disposition.len,
                               SLICE("filename"), draft->file_name);
        buffer_put_text(buffer, "\r\n");
    }
    buffer_put_text(buffer, "\r\n");
}

static void
put_part(struct writer *writer, const struct mime_draft *draft, bool is_root)
{
    enum draft_encoding encoding = encoding_of(draft);

    if (draft->kind == DRAFT_MULTIPART)
        writer->numbers[writer->depth++] = ++writer->multiparts;
    put_fields(writer->buffer, draft);
    if (is_root)
        buffer_put_text(writer->buffer, "MIME-Version: 1.0\r\n");
    put_content_fields(writer, draft, encoding);
    if (draft->kind != DRAFT_MULTIPART)
        put_body(writer->buffer, draft, encoding);
}

static void
put_delimiter(struct writer *writer, bool is_close)
{
    buffer_put_text(writer->buffer, "\r\n--");
    put_boundary(writer, writer->buffer);
    buffer_put_text(writer->buffer, is_close ? "--\r\n" : "\r\n");
}

/* Walks over the tree in the order of the text. */
static void
put_tree(struct writer *writer, const struct mime_draft *draft)
{
    const struct mime_draft *at = draft;

    put_part(writer, at, true);
    for (;;) {
        if (at->children) {
            at = at->children;
        } else {
            if (at->kind == DRAFT_MULTIPART) { /* without parts: RFC 2046 wants one at least */
                put_delimiter(writer, false);
                put_delimiter(writer, true);
                writer->depth--;
            }
            while (at != draft && !at->next) {
                at = at->parent;
                put_delimiter(writer, true);
                writer->depth--;
            }
            if (at == draft)
                return;
            at = at->next;
        }
        put_delimiter(writer, false);
        put_part(writer, at, false);
    }
}

bool
mime_draft_put(const struct mime_draft *draft, const struct mime_draft_entropy *entropy,
               struct buffer *buffer)
{
    struct writer writer = {.buffer = buffer};
    size_t start = buffer_len(buffer);
    bool is_fresh = false;

    if (arena_failed(draft->arena))
        return false;
    for (unsigned turn = 0; !is_fresh; turn++) {
        make_token(&writer, entropy, turn);
        if (turn == 256 || !survey(draft, &writer, &is_fresh))
            return false;
    }
    put_tree(&writer, draft);
    if (!buffer_overflowed(buffer))
        return true;
    buffer_truncate(buffer, start);
    return false;
}
