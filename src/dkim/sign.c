/* SPDX-License-Identifier: ISC */
#include "dkim/sign.h"

#include "base/arena.h"
#include "message/address.h"
#include "text/base64.h"

#include <stdlib.h>

enum {
    FROM_ARENA_MAX = 256 * 1024,
    SIGNATURE_MAX = 1024,
    FOLD_COLUMN = 72, /* of base64, so that a line is shorter than 78 (RFC 5322 §2.1.1) */
};

/* RFC 6376 §5.4.1. A field that is `closed` stands once more in h= than in the message: one that
 * is added on the way breaks the signature (§5.4, §8.15). Lists add a Sender and fields of their
 * own. */
static const struct {
    const char *name;
    bool is_closed;
} signed_fields[] = {
    {"from", true},         {"to", true},           {"cc", true},
    {"subject", true},      {"date", true},         {"message-id", true},
    {"reply-to", true},     {"in-reply-to", true},  {"references", true},
    {"mime-version", true}, {"content-type", true}, {"content-transfer-encoding", true},
    {"sender", false},
};

/* ---- whoever has the message --------------------------------------------------------------- */

static void
on_body(void *context, struct slice octets)
{
    struct dkim_collection *collection = context;

    tls_sha256_add(collection->hash, octets);
}

void
dkim_collection_begin(struct dkim_collection *collection)
{
    *collection = (struct dkim_collection){.line_end = 2, .hash = tls_sha256_begin()};
    buffer_init(&collection->header, DKIM_HEADER_MAX);
    dkim_body_begin(&collection->body, DKIM_RELAXED, on_body, collection);
}

void
dkim_collection_finish(struct dkim_collection *collection)
{
    uint8_t digest[TLS_SHA256_SIZE];

    if (collection->hash)
        tls_sha256_end(&collection->hash, digest);
    buffer_finish(&collection->header);
}

/* How much of a piece belongs to the header, its empty line included. `line_end` counts how much of
 * two line ends has come; a message begins as if one had. */
static size_t
header_part(struct dkim_collection *collection, struct slice piece)
{
    uint8_t matched = collection->line_end;
    size_t len = 0;

    while (len < piece.len && matched < 4) {
        uint8_t octet = piece.at[len++];
        bool is_next = octet == (matched % 2 == 0 ? '\r' : '\n');
        matched = is_next ? (uint8_t)(matched + 1) : octet == '\r';
    }
    collection->line_end = matched;
    collection->is_header_over = matched == 4;
    return len;
}

void
dkim_collection_take(struct dkim_collection *collection, struct slice piece)
{
    if (collection->is_too_long)
        return;
    if (!collection->is_header_over) {
        size_t len = header_part(collection, piece);
        buffer_put(&collection->header, slice_first(piece, len));
        collection->is_too_long = buffer_overflowed(&collection->header);
        piece = slice_skip(piece, len);
    }
    if (!collection->is_too_long && piece.len > 0)
        dkim_body_take(&collection->body, piece);
}

/* The one From: field; false when there is none or another. */
static bool
find_from(struct slice header, struct slice *ret_value)
{
    struct cursor cursor = cursor_of(header);
    struct slice field;
    size_t count = 0;

    while (dkim_take_field(&cursor, &field)) {
        if (!slice_equal_nocase(dkim_field_name(field), SLICE("from")))
            continue;
        *ret_value = dkim_field_value(field);
        count++;
    }
    return count == 1;
}

static void
put_author(const struct address *author, struct buffer *ret_address)
{
    struct address local = *author;

    local.domain = SLICE("");
    address_put_spec(ret_address, &local);
    buffer_put_byte(ret_address, '@');
    for (size_t i = 0; i < author->domain.len; i++)
        buffer_put_byte(ret_address, byte_to_lower(author->domain.at[i]));
}

bool
dkim_collection_author(const struct dkim_collection *collection, struct buffer *ret_address)
{
    const unsigned harmless = ADDRESS_OBS_PHRASE | ADDRESS_QUOTED_WORD;
    struct address_list list;
    struct arena arena;
    struct slice value;

    if (collection->is_too_long || !find_from(buffer_slice(&collection->header), &value))
        return false;
    arena_init(&arena, FROM_ARENA_MAX);
    address_list_parse(&arena, value, &list);
    const struct address *author = list.first;
    bool is_one = list.count == 1 && !list.is_cut && author->kind == ADDRESS_MAILBOX &&
                  !(list.defects & ~harmless) && author->local.len > 0 && author->domain.len > 0;
    if (is_one)
        put_author(author, ret_address);
    arena_finish(&arena);
    return is_one && !buffer_overflowed(ret_address);
}

struct slice
dkim_author_domain(struct slice address)
{
    size_t at = slice_find_last_byte(address, '@');

    return slice_skip(address, at < address.len ? at + 1 : address.len);
}

/* All fields, listed once: a header may have thousands of the same name. Freed by the caller. */
static struct slice *
list_fields(struct slice header, size_t *ret_count)
{
    struct cursor cursor = cursor_of(header);
    struct slice *list = NULL, field;
    size_t count = 0;

    while (dkim_take_field(&cursor, &field)) {
        if ((count & (count - 1)) == 0) {
            list = reallocarray(list, count > 0 ? 2 * count : 1, sizeof(*list));
            if (!list)
                abort();
        }
        list[count++] = field;
    }
    *ret_count = count;
    return list;
}

/* The last field of this name before `end`, which is moved to it (RFC 6376 §5.4.2: from the bottom
 * up). */
static bool
find_last(const struct slice *list, struct slice name, size_t *end, struct slice *ret_field)
{
    while (*end > 0) {
        *ret_field = list[--*end];
        if (slice_equal_nocase(dkim_field_name(*ret_field), name))
            return true;
    }
    return false;
}

static void
put_name(struct buffer *names, const char *name)
{
    if (buffer_len(names) > 0)
        buffer_put_byte(names, ':');
    buffer_put_text(names, name);
}

bool
dkim_collection_end(struct dkim_collection *collection, struct buffer *names, struct buffer *fields,
                    struct dkim_content *ret_content)
{
    struct slice field;
    size_t count;

    if (collection->is_too_long || !collection->hash)
        return false;
    struct slice *list = list_fields(buffer_slice(&collection->header), &count);
    dkim_body_end(&collection->body);
    tls_sha256_end(&collection->hash, ret_content->body_hash);
    for (size_t i = 0; i < COUNT_OF(signed_fields); i++) {
        struct slice name = slice_of_string(signed_fields[i].name);
        for (size_t end = count;
             !buffer_overflowed(names) && find_last(list, name, &end, &field);) {
            put_name(names, signed_fields[i].name);
            dkim_canon_field(DKIM_RELAXED, field, fields);
        }
        if (signed_fields[i].is_closed)
            put_name(names, signed_fields[i].name);
    }
    free(list);
    ret_content->names = buffer_slice(names);
    ret_content->fields = buffer_slice(fields);
    return !buffer_overflowed(names) && !buffer_overflowed(fields);
}

/* ---- whoever has the key ------------------------------------------------------------------- */

bool
dkim_record_name_parse(struct slice name, struct slice *ret_selector, struct slice *ret_domain)
{
    const struct slice middle = SLICE("._domainkey.");
    size_t at = slice_find(name, middle);

    if (name.len > DKIM_DOMAIN_MAX || at == 0 || at >= name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t octet = name.at[i];
        if (!byte_is_alpha(octet) && !byte_is_digit(octet) && octet != '.' && octet != '-' &&
            octet != '_')
            return false;
    }
    struct slice domain = slice_skip(name, at + middle.len);
    if (domain.len == 0)
        return false;
    *ret_selector = slice_first(name, at);
    *ret_domain = domain;
    return true;
}

/* Octets in base64, folded; the first line has `column` octets already. */
static void
put_base64(struct buffer *out, struct slice octets, size_t column)
{
    struct buffer text;

    buffer_init(&text, 2 * SIGNATURE_MAX);
    base64_format(octets, &text);
    struct slice rest = buffer_slice(&text);
    while (rest.len > FOLD_COLUMN - column) {
        buffer_put(out, slice_first(rest, FOLD_COLUMN - column));
        buffer_put_text(out, "\r\n\t");
        rest = slice_skip(rest, FOLD_COLUMN - column);
        column = 1;
    }
    buffer_put(out, rest);
    buffer_finish(&text);
}

/* Names of h=, folded behind colons. */
static void
put_names(struct buffer *out, struct slice names)
{
    size_t column = 4;

    buffer_put_text(out, "\th=");
    while (names.len > 0) {
        size_t len = slice_find_byte(names, ':');
        size_t taken = len < names.len ? len + 1 : len;
        if (column + taken > FOLD_COLUMN) {
            buffer_put_text(out, "\r\n\t");
            column = 1;
        }
        buffer_put(out, slice_first(names, taken));
        column += taken;
        names = slice_skip(names, taken);
    }
    buffer_put_text(out, ";\r\n");
}

/* §3.5: all tags, b= last and empty. */
static void
put_tags(const struct dkim_wish *wish, struct slice selector, struct slice domain,
         struct buffer *out)
{
    buffer_put_text(out, "DKIM-Signature: v=1; a=");
    buffer_put_text(out, wish->algorithm == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256");
    buffer_put_text(out, "; c=relaxed/relaxed;\r\n\td=");
    buffer_put(out, domain);
    buffer_put_text(out, ";\r\n\ts=");
    buffer_put(out, selector);
    buffer_put_text(out, "; t=");
    buffer_put_decimal(out, (uint64_t)(wish->time_s > 0 ? wish->time_s : 0));
    buffer_put_text(out, ";\r\n");
    put_names(out, wish->content->names);
    buffer_put_text(out, "\tbh=");
    put_base64(out, slice_of(wish->content->body_hash, TLS_SHA256_SIZE), 4);
    buffer_put_text(out, ";\r\n\tb=");
}

bool
dkim_field_put(const struct dkim_wish *wish, dkim_sign_fn sign, void *context,
               struct buffer *ret_field)
{
    struct slice selector, domain;
    struct buffer field, input, signature;

    if (!dkim_record_name_parse(wish->record_name, &selector, &domain))
        return false;
    buffer_init(&field, DKIM_FIELD_MAX);
    buffer_init(&input, DKIM_HEADER_MAX + DKIM_FIELD_MAX);
    buffer_init(&signature, SIGNATURE_MAX);
    put_tags(wish, selector, domain, &field);
    /* §3.7: the field itself comes last, with no value of b= and no line end. */
    buffer_put(&input, wish->content->fields);
    dkim_canon_field(DKIM_RELAXED, buffer_slice(&field), &input);
    buffer_truncate(&input, buffer_len(&input) - 2);
    bool is_good = !buffer_overflowed(&field) && !buffer_overflowed(&input) &&
                   sign(context, buffer_slice(&input), &signature);
    put_base64(&field, buffer_slice(&signature), 3);
    buffer_put_text(&field, "\r\n");
    is_good = is_good && !buffer_overflowed(&field);
    if (is_good)
        buffer_put(ret_field, buffer_slice(&field));
    buffer_finish(&field);
    buffer_finish(&input);
    buffer_finish(&signature);
    return is_good;
}
