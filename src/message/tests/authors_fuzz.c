/* SPDX-License-Identifier: ISC */
/* Input: a message. However it is cut into pieces, it names the same; and who is its one author to
 * this room's other reader of headers is among them, if they can be read. */
#include "message/address.h"
#include "message/authors.h"
#include "message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

enum { FUZZ_ARENA_MAX = 64 << 20 };

static bool
read_in_pieces(struct slice message, size_t piece_len, struct arena *arena,
               struct authors_list *ret_list, struct authors_list *ret_resent)
{
    struct authors authors;

    authors_begin(&authors);
    for (size_t at = 0; at < message.len; at += piece_len)
        authors_take(&authors, slice_first(slice_skip(message, at), piece_len));
    bool is_read = authors_read(&authors, arena, ret_list);
    if (!authors_read_resent(&authors, arena, ret_resent))
        *ret_resent = (struct authors_list){.count = 0};
    authors_finish(&authors);
    return is_read;
}

static bool
is_among(const struct authors_list *list, struct slice address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (slice_equal_nocase(list->at[i], address))
            return true;
    }
    return false;
}

static void
check_against_header(struct slice message, const struct authors_list *list, struct arena *arena)
{
    struct header header;
    struct address_list found;
    struct buffer spec;

    header_parse(arena, message, &header);
    const struct field *from = header_find(&header, FIELD_FROM, NULL);
    if (!from)
        return;
    address_list_parse(arena, from->body, &found);
    if (found.count != 1 || found.first->kind != ADDRESS_MAILBOX)
        return;
    buffer_init(&spec, FUZZ_ARENA_MAX);
    address_put_spec(&spec, found.first);
    assert(is_among(list, buffer_slice(&spec)));
    buffer_finish(&spec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice message = slice_of(at, len);
    struct authors_list whole, single, whole_resent, single_resent;
    struct arena arena;

    arena_init(&arena, FUZZ_ARENA_MAX);
    bool is_read = read_in_pieces(message, len + 1, &arena, &whole, &whole_resent);
    bool is_read_single = read_in_pieces(message, 1, &arena, &single, &single_resent);
    assert(is_read == is_read_single && whole_resent.count == single_resent.count);
    for (size_t i = 0; i < whole_resent.count; i++)
        assert(slice_equal(whole_resent.at[i], single_resent.at[i]));
    assert(!is_read || whole.count == single.count);
    for (size_t i = 0; is_read && i < whole.count; i++)
        assert(slice_equal(whole.at[i], single.at[i]));
    if (is_read)
        check_against_header(message, &whole, &arena);
    arena_finish(&arena);
    return 0;
}
