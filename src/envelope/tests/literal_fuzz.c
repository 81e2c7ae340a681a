/* SPDX-License-Identifier: ISC */
/* Address literals, enhanced status codes and encoded paths: what is read can be written, and is
 * read again as the same. */
#include "envelope/literal.h"
#include "envelope/status.h"
#include "envelope/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
try_literal(struct slice text)
{
    enum envelope_domain_kind kind, kind_again;
    uint8_t address[16] = {0}, again[16] = {0};
    struct buffer out;

    if (!envelope_literal_parse(text, &kind, address) ||
        (kind != ENVELOPE_DOMAIN_IPV4 && kind != ENVELOPE_DOMAIN_IPV6))
        return;
    bool is_new = kind == ENVELOPE_DOMAIN_IPV6;
    buffer_init(&out, 100);
    buffer_put_text(&out, is_new ? "IPv6:" : "");
    envelope_address_put(&out, address, is_new ? 16 : 4);
    assert(envelope_literal_parse(buffer_slice(&out), &kind_again, again));
    assert(kind_again == kind && memcmp(address, again, sizeof(address)) == 0);
    buffer_finish(&out);
}

static void
try_status(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    struct envelope_status status;
    struct buffer out;

    if (!envelope_status_take(&cursor, &status))
        return;
    buffer_init(&out, 100);
    envelope_status_put(&out, status);
    assert(slice_equal(buffer_slice(&out), slice_first(text, text.len - cursor_left(&cursor))));
    buffer_finish(&out);
}

static void
try_unitext(struct slice text)
{
    struct slice bytes, again;
    struct arena arena;
    struct buffer out;

    arena_init(&arena, 1 << 20);
    buffer_init(&out, SIZE_MAX);
    if (envelope_unitext_decode(text, &arena, &bytes)) {
        envelope_unitext_put(&out, bytes);
        assert(envelope_unitext_decode(buffer_slice(&out), &arena, &again));
        assert(slice_equal(bytes, again));
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try_literal(slice_of(data, len));
    try_status(slice_of(data, len));
    try_unitext(slice_of(data, len));
    return 0;
}
