/* SPDX-License-Identifier: ISC */
/* The file of accounts, URLs of servers, and flowed text: what is read can be written, and is read
 * again as the same. */
#include "client/account.h"
#include "client/flowed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
try_accounts(struct slice text)
{
    struct client_accounts accounts, again;
    struct client_problem problem = {0};
    struct arena arena;
    struct buffer out, twice;

    arena_init(&arena, 16 << 20);
    buffer_init(&out, SIZE_MAX);
    buffer_init(&twice, SIZE_MAX);
    if (client_accounts_parse(&arena, text, &accounts, &problem)) {
        assert(problem.kind == CLIENT_PROBLEM_NONE && accounts.count <= CLIENT_ACCOUNTS_MAX);
        for (size_t i = 0; i < accounts.count; i++)
            client_account_format(&accounts.accounts[i], &out);
        assert(client_accounts_parse(&arena, buffer_slice(&out), &again, &problem));
        assert(again.count == accounts.count);
        for (size_t i = 0; i < again.count; i++)
            client_account_format(&again.accounts[i], &twice);
        assert(slice_equal(buffer_slice(&out), buffer_slice(&twice)));
    } else {
        assert(problem.kind != CLIENT_PROBLEM_NONE && problem.text[0] != '\0');
    }
    buffer_finish(&twice);
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
try_server(struct slice url)
{
    struct client_server server, again;
    struct client_problem problem = {0};
    struct arena arena;
    struct buffer out;

    arena_init(&arena, 1 << 20);
    buffer_init(&out, SIZE_MAX);
    if (client_server_parse(&arena, url, &server, &problem)) {
        client_server_format(&server, &out);
        assert(client_server_parse(&arena, buffer_slice(&out), &again, &problem));
        assert(again.protocol == server.protocol && again.port == server.port &&
               again.is_secure == server.is_secure && strcmp(again.host, server.host) == 0);
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

/* No line that was made for others is too long, if its words let it. */
static void
try_flowed(struct slice text)
{
    struct buffer flowed, plain;

    buffer_init(&flowed, SIZE_MAX);
    buffer_init(&plain, SIZE_MAX);
    flowed_put(text, &flowed);
    flowed_read(buffer_slice(&flowed), false, &plain);
    assert(buffer_len(&plain) <= buffer_len(&flowed));
    buffer_clear(&plain);
    flowed_read(text, true, &plain);
    assert(buffer_len(&plain) <= text.len * 2 + 2);
    buffer_finish(&plain);
    buffer_finish(&flowed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try_accounts(slice_of(data, len));
    try_server(slice_of(data, len));
    try_flowed(slice_of(data, len));
    return 0;
}
