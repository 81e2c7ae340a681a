/* SPDX-License-Identifier: ISC */
/* Whatever a client sends, and whatever happens beside it (server_world.h): the engine answers or
 * closes, and what it says does not depend on how the octets were cut (until it is packed: then it
 * does, because each answer is flushed). The session is logged in and has opened INBOX, unless the
 * input begins with the mark, 'O' and an octet of options, and a line's end. */
#include "imap/tests/said_check.h"
#include "imap/tests/server_world.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    IS_STRANGER = 1,
    IS_TLS_OFF = 2,
    IS_CLEAR_OFF = 4,
    IS_LIMITED = 8,
    HAS_SPACES = 16,
    HAS_WAYS = 32,
    IS_SECURE = 64
};

static struct imap_server_options
options_of(uint8_t choice)
{
    struct imap_server_options options = lobby_options();

    options.is_tls_available = !(choice & IS_TLS_OFF);
    options.allows_clear_password = !(choice & IS_CLEAR_OFF);
    options.messages_max = choice & IS_LIMITED ? 2 : 0;
    options.is_secure = choice & IS_SECURE;
    options.uses[0] = SLICE("Other");
    if (choice & HAS_SPACES) {
        options.others = SLICE("Others/");
        options.shared = SLICE("Shared/");
    }
    if (choice & HAS_WAYS) {
        options.mechanisms[options.mechanisms_count++] = SLICE("SCRAM-SHA-256");
        options.mechanisms[options.mechanisms_count++] = SLICE("SCRAM-SHA-256-PLUS");
        options.mechanisms[options.mechanisms_count++] = SLICE("EXTERNAL");
    }
    return options;
}

/* What stands before the next mark is said, then that happens. */
static void
hold(struct lobby *lobby, struct slice text, size_t step)
{
    bool has_choice = text.len > 2 && text.at[0] == WORLD_MARK && text.at[1] == 'O';
    uint8_t choice = has_choice ? text.at[2] : 0;
    const struct imap_server_options options = options_of(choice);

    lobby_init_as(lobby, &options);
    if (choice & IS_SECURE)
        imap_server_has_certificate(lobby->server);
    world_begin(lobby);
    if (!(choice & IS_STRANGER))
        (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\n", SIZE_MAX);
    while (text.len > 0) {
        struct slice said = slice_first(text, slice_find_byte(text, WORLD_MARK));
        text = slice_skip(text, said.len);
        for (; said.len > 0; said = slice_skip(said, step))
            lobby_say(lobby, slice_first(said, step));
        struct slice event = slice_first(text, slice_find_byte(text, '\n'));
        if (event.len > 0)
            world_happens(lobby, slice_skip(event, 1));
        text = slice_skip(text, event.len + 1);
    }
}

static struct slice
clear_part(const struct lobby *lobby)
{
    struct slice said = buffer_slice(&lobby->said), last = SLICE("packed from here on\r\n");
    size_t at = slice_find(said, last);

    return at == said.len ? said : slice_first(said, at + last.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct lobby whole, cut;

    hold(&whole, slice_of(data, len), SIZE_MAX);
    hold(&cut, slice_of(data, len), 1 + len % 17);
    if (!slice_equal(clear_part(&whole), clear_part(&cut)))
        abort();
    said_check(clear_part(&whole), whole.is_closed);
    lobby_finish(&whole);
    lobby_finish(&cut);
    return 0;
}
