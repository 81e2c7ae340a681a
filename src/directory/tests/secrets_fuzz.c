/* SPDX-License-Identifier: ISC */
/* Any bytes as directory/secrets: parsing and compaction agree. */
#include "directory/edit.h"
#include "directory/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
secrets_agree(const struct directory_secret *left, const struct directory_secret *right)
{
    if (!left || !right)
        return left == right;
    return slice_equal(left->crypt, right->crypt) && slice_equal(left->apop, right->apop) &&
           !left->sha_256 == !right->sha_256 && !left->sha_1 == !right->sha_1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice file = slice_of(data, len);
    struct directory_secrets *secrets = directory_secrets_parse(file, 1), *again;
    struct buffer compact;

    buffer_init(&compact, len + 64);
    directory_compact(file, true, &compact);
    assert(!buffer_overflowed(&compact));
    again = directory_secrets_parse(buffer_slice(&compact), 2);
    for (uint64_t id = 0; id < 16; id++)
        assert(secrets_agree(directory_secret_find(secrets, id), directory_secret_find(again, id)));
    assert(directory_secrets_problem_count(secrets) >= directory_secrets_problem_count(again));
    directory_secrets_close(&again);
    directory_secrets_close(&secrets);
    buffer_finish(&compact);
    return 0;
}
