/* SPDX-License-Identifier: ISC */
/* COMPRESS=DEFLATE (RFC 4978): what the client sends is unpacked a piece at a time, so that little
 * input cannot become much; what the server says is packed and flushed as soon as there is no more
 * of it. */
#include "imap/server_private.h"

#include "base/filled.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    PLAIN_MAX = 16 * 1024, /* of input that is unpacked and not taken yet */
    PACKED_MAX = 2 * IMAP_OUTPUT_MAX,
    PACK_PIECE = 16 * 1024,
    /* 32 KiB of window and 32 KiB of tables: a session must stay cheap. */
    PACK_LEVEL = 3,
    PACK_WINDOW_BITS = 13,
    PACK_MEMORY_LEVEL = 6,
    UNPACK_WINDOW_BITS = 15, /* the client's choice */
};

struct imap_compress {
    z_stream unpack, pack;
    struct buffer plain, packed;
    bool is_broken, is_stored;
};

void
imap_compress_begin(struct imap_server *server)
{
    struct imap_compress *compress = calloc(1, sizeof(*compress));

    if (!compress || inflateInit2(&compress->unpack, -UNPACK_WINDOW_BITS) != Z_OK ||
        deflateInit2(&compress->pack, PACK_LEVEL, Z_DEFLATED, -PACK_WINDOW_BITS, PACK_MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    buffer_init(&compress->plain, PLAIN_MAX);
    buffer_init(&compress->packed, PACKED_MAX);
    /* All up to the answer goes as it is. */
    buffer_put(&compress->packed, buffer_slice(&server->output));
    buffer_finish(&server->output);
    server->compress = compress;
}

void
imap_compress_end(struct imap_server *server)
{
    struct imap_compress *compress = server->compress;

    if (!compress)
        return;
    (void)inflateEnd(&compress->unpack);
    (void)deflateEnd(&compress->pack);
    buffer_finish(&compress->plain);
    buffer_finish(&compress->packed);
    free(compress);
    server->compress = NULL;
}

struct buffer *
imap_compress_packed(const struct imap_server *server)
{
    return &server->compress->packed;
}

struct slice
imap_compress_plain(const struct imap_server *server)
{
    return buffer_slice(&server->compress->plain);
}

void
imap_compress_taken(struct imap_server *server, size_t len)
{
    buffer_consume(&server->compress->plain, len);
    buffer_release_if_empty(&server->compress->plain);
}

size_t
imap_compress_unpack(struct imap_server *server, struct slice input)
{
    struct imap_compress *compress = server->compress;
    z_stream *unpack = &compress->unpack;

    if (compress->is_broken)
        return input.len;
    uint8_t *room = buffer_reserve(&compress->plain, PLAIN_MAX);
    assert(room); /* the buffer is empty */
    unpack->next_in = (uint8_t *)(uintptr_t)input.at;
    unpack->avail_in = input.len < UINT32_MAX ? (uInt)input.len : UINT32_MAX;
    size_t offered = unpack->avail_in;
    unpack->next_out = room;
    unpack->avail_out = PLAIN_MAX;
    int result = inflate(unpack, Z_SYNC_FLUSH);
    memory_is_filled(room, PLAIN_MAX - unpack->avail_out);
    buffer_commit(&compress->plain, PLAIN_MAX - unpack->avail_out);
    buffer_release_if_empty(&compress->plain);
    if (result == Z_OK || result == Z_BUF_ERROR)
        return offered - unpack->avail_in;
    /* The end of the stream, or what is none: nothing behind it can be read. */
    compress->is_broken = true;
    imap_shut(server, IMAP_CLOSE_ERRORS, "that cannot be unpacked");
    return input.len;
}

/* Thunderbird (153) takes as many octets out of what it unpacks as had come packed, and in IDLE
 * looks for no line among the rest: of "+ idling" and "* 3 EXISTS" in eleven octets it would hear
 * the first, until the server says more. So what is said in IDLE is no shorter packed. */
static void
choose_level(struct imap_compress *compress, bool is_stored)
{
    uint8_t nothing;

    if (is_stored == compress->is_stored)
        return;
    /* All up to here has been flushed: nothing comes out. */
    compress->pack.next_in = &nothing;
    compress->pack.next_out = &nothing;
    compress->pack.avail_in = 0;
    compress->pack.avail_out = sizeof(nothing);
    (void)deflateParams(&compress->pack, is_stored ? 0 : PACK_LEVEL, Z_DEFAULT_STRATEGY);
    assert(compress->pack.avail_out == sizeof(nothing));
    compress->is_stored = is_stored;
}

void
imap_compress_pack(struct imap_server *server)
{
    struct slice output = buffer_slice(&server->output);
    z_stream *pack = &server->compress->pack;

    if (output.len == 0 || server->is_held)
        return;
    choose_level(server->compress, server->is_idling);
    pack->next_in = (uint8_t *)(uintptr_t)output.at;
    pack->avail_in = (uInt)output.len; /* at most IMAP_OUTPUT_MAX */
    do {
        uint8_t *room = buffer_reserve(&server->compress->packed, PACK_PIECE);
        if (!room) {
            imap_shut(server, IMAP_CLOSE_ERRORS, NULL);
            break;
        }
        pack->next_out = room;
        pack->avail_out = PACK_PIECE;
        (void)deflate(pack, Z_SYNC_FLUSH);
        memory_is_filled(room, PACK_PIECE - pack->avail_out);
        buffer_commit(&server->compress->packed, PACK_PIECE - pack->avail_out);
    } while (pack->avail_out == 0);
    buffer_finish(&server->output);
}

static bool
begin(struct imap_server *server)
{
    server->wants_compress = true;
    imap_end(server, IMAP_OK, "packed from here on");
    return true;
}

void
imap_command_compress(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_space(cursor) || !imap_take_word(cursor, SLICE("DEFLATE")) ||
        !imap_take_end(cursor))
        imap_bad(server, "expected: COMPRESS DEFLATE");
    else if (server->compress)
        imap_end(server, IMAP_NO, "[COMPRESSIONACTIVE] it is packed already");
    else
        server->more = begin;
}
