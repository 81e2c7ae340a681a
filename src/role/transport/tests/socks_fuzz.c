/* SPDX-License-Identifier: ISC */
/* Whatever a proxy answers, in whatever pieces: no more is wanted than there is room for, and cut
 * otherwise it says the same. */
#include "role/transport/socks.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool is_true)
{
    if (!is_true)
        abort();
}

/* What became of it: 0 not enough was said, 1 done, 2 refused. *ret_left: what is the host's. */
static int
feed(struct slice bytes, size_t step, size_t *ret_left)
{
    const struct host_address target = {.family = HOST_FAMILY_IPV4, .port = 25};
    struct socks socks;

    socks_begin(&socks, &target);
    while (!socks.is_done) {
        struct slice said = socks_output(&socks);
        must(said.len <= SOCKS_REQUEST_MAX);
        socks_sent(&socks, said.len);
        size_t wanted = socks_wanted(&socks);
        must(wanted > 0 && wanted <= SOCKS_ANSWER_MAX);
        if (bytes.len == 0)
            return 0;
        struct slice piece = slice_first(bytes, wanted < step ? wanted : step);
        bytes = slice_skip(bytes, piece.len);
        if (socks_take(&socks, piece))
            return 2;
    }
    must(socks_wanted(&socks) == 0);
    *ret_left = bytes.len;
    return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t whole_left = 0, cut_left = 0;
    struct slice bytes = slice_of(data, len);

    must(feed(bytes, SIZE_MAX, &whole_left) == feed(bytes, 1, &cut_left));
    must(whole_left == cut_left);
    return 0;
}
