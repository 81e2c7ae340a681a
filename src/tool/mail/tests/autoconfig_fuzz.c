/* SPDX-License-Identifier: ISC */
#include "client/account.h"
#include "tool/mail/autoconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct autoconfig found;
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (!autoconfig_parse(&arena, slice_of(at, len), "anna@example.test", &found))
        assert(!found.incoming && !found.outgoing && !found.login);
    if (found.incoming) {
        struct client_problem unused = {0};
        struct client_server server;
        if (client_server_parse(&arena, slice_of_string(found.incoming), &server, &unused))
            assert(server.protocol == CLIENT_IMAP || server.protocol == CLIENT_POP3);
    }
    arena_finish(&arena);
    return 0;
}
