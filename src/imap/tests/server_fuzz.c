/* SPDX-License-Identifier: ISC */
/* Whatever a client sends after its login: the engine answers or closes, and what it says does not
 * depend on how the octets were cut (until it is packed: then it does, because each answer is
 * flushed). */
#include "imap/tests/lobby.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char letter[] = "From: a@b.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
                             "Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n"
                             "--y\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nw\r\n"
                             "--y--\r\n";

static void
hold(struct lobby *lobby, struct slice text, size_t step)
{
    lobby_init(lobby);
    lobby_deliver(lobby, 0, letter);
    lobby_deliver(lobby, 0, letter);
    (void)lobby_ask(lobby, "1 LOGIN ann secret\r\n2 SELECT INBOX\r\n", SIZE_MAX);
    for (; text.len > 0; text = slice_skip(text, step))
        lobby_say(lobby, slice_first(text, step));
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
    lobby_finish(&whole);
    lobby_finish(&cut);
    return 0;
}
