/* SPDX-License-Identifier: ISC */
/* The first byte chooses: the rest is fed to a server's handshake, to a client's, or changes bytes
 * of a real conversation on its way. */
#include "tls/tests/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct pair pair;

static void
feed(struct tls_engine *engine, struct slice bytes)
{
    uint8_t plain[512];

    while (bytes.len > 0) {
        size_t before = bytes.len;
        size_t got = tls_engine_take(engine, &bytes, plain, sizeof(plain));
        assert(got == sizeof(plain) || bytes.len == 0);
        assert(got > 0 || bytes.len < before);
    }
    assert(tls_engine_output(engine).len <= TLS_OUTPUT_MAX);
    assert((tls_engine_state(engine) == TLS_FAILED) == (tls_engine_problem(engine).len > 0));
}

/* Changes bytes of the conversation, one for each four of data: in which turn, where, and how. */
static void
disturb(struct slice changes)
{
    uint8_t bytes[8192];

    for (size_t turn = 0; turn < 6; turn++) {
        struct tls_engine *from = turn % 2 ? pair.server : pair.client;
        struct tls_engine *to = turn % 2 ? pair.client : pair.server;
        struct slice output = slice_first(tls_engine_output(from), sizeof(bytes));
        memcpy(bytes, output.at, output.len);
        for (size_t i = 0; i + 3 < changes.len && output.len > 0; i += 4) {
            size_t place = (size_t)(changes.at[i + 1] << 8 | changes.at[i + 2]) % output.len;
            if (changes.at[i] % 6 == turn)
                bytes[place] ^= changes.at[i + 3];
        }
        tls_engine_sent(from, output.len);
        feed(to, slice_of(bytes, output.len));
        if (tls_engine_put(to, SLICE("NOOP\r\n")) == 0)
            tls_engine_end(to);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    pair_init(&pair, false);
    pair_connect(&pair, SLICE("mail.example.test"));
    struct slice rest = slice_of(data + 1, len - 1);
    switch (data[0] % 3) {
    case 0:
        feed(pair.server, rest);
        break;
    case 1:
        feed(pair.client, rest);
        break;
    default:
        disturb(rest);
    }
    pair_finish(&pair);
    return 0;
}
