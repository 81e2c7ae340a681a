/* SPDX-License-Identifier: ISC */
/* Any bytes in front of a connection: read whole or octet by octet they say the same, and what was
 * understood is understood again when it is said. */
#include "role/haproxy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(bool is_true)
{
    if (!is_true)
        abort();
}

/* False: refused. */
static bool
feed(struct haproxy *header, struct slice bytes, size_t step)
{
    *header = (struct haproxy){0};
    while (bytes.len > 0 && !header->is_done) {
        size_t wanted = haproxy_wanted(header);
        must(wanted > 0 && wanted <= HAPROXY_FOLLOWING_MAX);
        struct slice piece = slice_first(bytes, wanted < step ? wanted : step);
        bytes = slice_skip(bytes, piece.len);
        if (haproxy_take(header, piece))
            return false;
    }
    return true;
}

static bool
is_same(const struct haproxy *left, const struct haproxy *right)
{
    return left->is_done == right->is_done && left->has_client == right->has_client &&
           left->client.family == right->client.family && left->client.port == right->client.port &&
           memcmp(left->client.bytes, right->client.bytes, sizeof(left->client.bytes)) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice bytes = slice_of(data, len);
    struct haproxy whole, small, again;
    struct buffer said;

    must(feed(&whole, bytes, SIZE_MAX) == feed(&small, bytes, 1));
    must(is_same(&whole, &small));
    for (int version = HAPROXY_1; version <= HAPROXY_2 && whole.has_client; version++) {
        must(whole.client.family != HOST_FAMILY_UNIX);
        buffer_init(&said, 512);
        haproxy_put(&said, (enum haproxy_version)version, &whole.client, &whole.client);
        must(feed(&again, buffer_slice(&said), SIZE_MAX) && is_same(&again, &whole));
        buffer_finish(&said);
    }
    return 0;
}
