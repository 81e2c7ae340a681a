/* SPDX-License-Identifier: ISC */
/* Any octets as a path: what is accepted has a canonical form that is its own canonical form. */
#include "envelope/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_canonical(const struct envelope_path *path, struct arena *arena)
{
    struct envelope_path again;

    if (path->kind != ENVELOPE_PATH_MAILBOX)
        return;
    assert(path->canonical.len <= ENVELOPE_CANONICAL_MAX);
    assert(envelope_mailbox_parse(path->canonical, arena, &again) == ENVELOPE_OK);
    assert(slice_equal(again.canonical, path->canonical));
    assert(slice_equal(again.local, path->local) && slice_equal(again.domain, path->domain));
    assert(again.is_utf8 == path->is_utf8 && again.domain_kind == path->domain_kind);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cursor forward = cursor_of(slice_of(data, len)), reverse = forward;
    struct envelope_path path;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (envelope_path_take_forward(&forward, &arena, &path) == ENVELOPE_OK)
        check_canonical(&path, &arena);
    if (envelope_path_take_reverse(&reverse, &arena, &path) == ENVELOPE_OK)
        check_canonical(&path, &arena);
    arena_finish(&arena);
    return 0;
}
