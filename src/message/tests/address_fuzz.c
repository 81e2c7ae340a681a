/* SPDX-License-Identifier: ISC */
#include "message/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
put_list(struct buffer *out, const struct address_list *list)
{
    buffer_clear(out);
    address_list_format(list, 4, out);
}

/* What only a hostile list has, and what no canonical form can keep: a name that is a comment, or
 * addresses that lack a part. */
static bool
is_whole(const struct address_list *list)
{
    enum {
        BROKEN = ADDRESS_NO_DOMAIN | ADDRESS_NO_LOCAL | ADDRESS_UNCLOSED | ADDRESS_STRAY |
                 ADDRESS_UNQUOTED_SPECIAL | ADDRESS_MULTIPLE_AT | ADDRESS_CONTROL |
                 ADDRESS_QUOTED_WORD
    };
    for (const struct address *address = list->first; address; address = address->next) {
        /* Words glued to an encoded one have to be quoted, and then it is none any more. */
        if (address->has_encoded_word)
            return false;
    }
    return !list->is_cut && !(list->defects & BROKEN);
}

static void
check_list(struct slice text, const struct address_list *list)
{
    size_t count = 0, groups = 0;

    for (const struct address *address = list->first; address; address = address->next, count++) {
        assert(address->offset <= text.len && address->raw.len <= text.len - address->offset);
        groups += address->kind == ADDRESS_GROUP_START;
        groups -= address->kind == ADDRESS_GROUP_END;
        assert(groups <= 1);
        assert((list->defects & address->defects) == address->defects);
    }
    assert(count == list->count && groups == 0);
}

/* Whatever is read lies in bounds; what is written reads back as the same addresses; and what is
 * written from that is the same text, octet for octet. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct arena arena;
    struct address_list first, second;
    struct buffer written, again;

    arena_init(&arena, SIZE_MAX / 4);
    buffer_init(&written, SIZE_MAX / 4);
    buffer_init(&again, SIZE_MAX / 4);
    address_list_parse(&arena, text, &first);
    check_list(text, &first);
    put_list(&written, &first);
    address_list_parse(&arena, buffer_slice(&written), &second);
    check_list(buffer_slice(&written), &second);
    if (is_whole(&first)) {
        assert(second.count == first.count);
        for (const struct address *left = first.first, *right = second.first; left;
             left = left->next, right = right->next) {
            assert(address_equal(left, right));
            assert(slice_equal(address_label(left), right->name));
        }
        put_list(&again, &second);
        assert(slice_equal(buffer_slice(&again), buffer_slice(&written)));
    }
    buffer_finish(&written);
    buffer_finish(&again);
    arena_finish(&arena);
    return 0;
}
