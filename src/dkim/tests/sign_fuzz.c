/* SPDX-License-Identifier: ISC */
/* A message in two ways of cutting is the same to sign; what is made of it is a field. */
#include "dkim/canon.h"
#include "dkim/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
sign(void *context, struct slice text, struct buffer *ret_signature)
{
    (void)context;
    assert(slice_ends_with(text, SLICE("; b=")));
    buffer_put(ret_signature, SLICE("signature"));
    return true;
}

static void
keep(void *context, struct slice octets)
{
    buffer_put(context, octets);
}

static void
put_body(enum dkim_canon canon, struct slice text, size_t piece, struct buffer *out)
{
    struct dkim_body body;

    buffer_clear(out);
    dkim_body_begin(&body, canon, keep, out);
    for (; text.len > 0; text = slice_skip(text, piece))
        dkim_body_take(&body, slice_first(text, piece));
    dkim_body_end(&body);
}

/* RFC 6376 §3.4: what is canonical has no other canonical form, and how the body comes does not
 * matter. */
static void
check_body(enum dkim_canon canon, struct slice text)
{
    struct buffer once, again;

    buffer_init(&once, text.len + 8);
    buffer_init(&again, text.len + 8);
    put_body(canon, text, SIZE_MAX, &once);
    assert(!buffer_overflowed(&once) && buffer_len(&once) <= text.len + 2);
    put_body(canon, text, 1 + text.len % 5, &again);
    assert(slice_equal(buffer_slice(&once), buffer_slice(&again)));
    put_body(canon, buffer_slice(&once), SIZE_MAX, &again);
    assert(slice_equal(buffer_slice(&once), buffer_slice(&again)));
    buffer_finish(&once);
    buffer_finish(&again);
}

/* Canonical forms are no longer than what they are made of, but for an end of line. */
static void
canonise(struct slice text)
{
    const enum dkim_canon canons[] = {DKIM_SIMPLE, DKIM_RELAXED};
    struct cursor header = cursor_of(text);
    struct slice field;
    struct buffer out, again;

    for (size_t i = 0; i < COUNT_OF(canons); i++)
        check_body(canons[i], text);
    buffer_init(&out, text.len + 8);
    buffer_init(&again, text.len + 8);
    while (dkim_take_field(&header, &field)) {
        buffer_clear(&out);
        buffer_clear(&again);
        dkim_canon_field(DKIM_RELAXED, field, &out);
        assert(!buffer_overflowed(&out));
        dkim_canon_field(DKIM_RELAXED, buffer_slice(&out), &again);
        assert(slice_equal(buffer_slice(&out), buffer_slice(&again)));
    }
    buffer_finish(&out);
    buffer_finish(&again);
}

struct taken {
    struct dkim_collection collection;
    struct buffer names, fields, author;
    struct dkim_content content;
    bool has_author, is_content;
};

static void
take(struct taken *taken, struct slice text, size_t piece)
{
    *taken = (struct taken){.is_content = false};
    buffer_init(&taken->names, DKIM_NAMES_MAX);
    buffer_init(&taken->fields, DKIM_HEADER_MAX);
    buffer_init(&taken->author, DKIM_AUTHOR_MAX);
    dkim_collection_begin(&taken->collection);
    for (; text.len > 0; text = slice_skip(text, piece))
        dkim_collection_take(&taken->collection, slice_first(text, piece));
    taken->has_author = dkim_collection_author(&taken->collection, &taken->author);
    taken->is_content =
        dkim_collection_end(&taken->collection, &taken->names, &taken->fields, &taken->content);
}

static void
finish(struct taken *taken)
{
    dkim_collection_finish(&taken->collection);
    buffer_finish(&taken->names);
    buffer_finish(&taken->fields);
    buffer_finish(&taken->author);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct taken whole, cut;
    struct slice selector, domain;
    struct buffer field;

    canonise(text);
    take(&whole, text, SIZE_MAX);
    take(&cut, text, size > 0 ? data[0] % 7 + 1 : 1);
    assert(whole.has_author == cut.has_author && whole.is_content == cut.is_content);
    assert(slice_equal(buffer_slice(&whole.author), buffer_slice(&cut.author)));
    assert(!whole.has_author || dkim_author_domain(buffer_slice(&whole.author)).len > 0);
    assert(slice_equal(buffer_slice(&whole.fields), buffer_slice(&cut.fields)));
    assert(!whole.is_content || memcmp(whole.content.body_hash, cut.content.body_hash,
                                       sizeof(whole.content.body_hash)) == 0);
    struct slice name = slice_first(text, slice_find_byte(text, '\n'));
    bool is_name = dkim_record_name_parse(name, &selector, &domain);
    assert(!is_name || (selector.len > 0 && domain.len > 0));
    struct dkim_wish wish = {.record_name = is_name ? name : SLICE("a._domainkey.b"),
                             .content = &whole.content};
    buffer_init(&field, DKIM_FIELD_MAX);
    if (whole.is_content && dkim_field_put(&wish, sign, NULL, &field))
        assert(slice_ends_with(buffer_slice(&field), SLICE("\r\n")));
    buffer_finish(&field);
    finish(&whole);
    finish(&cut);
    return 0;
}
