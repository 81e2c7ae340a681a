/* SPDX-License-Identifier: ISC */
/* Signatures of strangers: whatever they are, none is good without an authority. */
#include "smime/card.h"
#include "smime/smime.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wall now = {(int64_t)1800000000 * 1000000000};
    struct slice input = slice_of(data, size);
    struct buffer inside;
    struct arena arena;

    arena_init(&arena, 4 << 20);
    buffer_init(&inside, 4 << 20);
    if (smime_verify(input, SLICE(""), SLICE(""), now, &arena, &inside).kind == SMIME_GOOD ||
        smime_verify(input, SLICE("x"), SLICE(""), now, &arena, &inside).kind == SMIME_GOOD)
        abort();
    struct smime_card card;
    bool is_passphrase;
    if (smime_card_read(input, &arena, &card) && card.certificate.len == 0)
        abort();
    if (smime_pkcs12_read(input, "", &inside, &is_passphrase, &inside) && buffer_len(&inside) == 0)
        abort();
    buffer_finish(&inside);
    arena_finish(&arena);
    return 0;
}
