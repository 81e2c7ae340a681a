/* SPDX-License-Identifier: ISC */
/* Texts of bodies: head and body key one behind the other, packed with zstd when that pays. */
#include "search/index_private.h"
#include "search/key.h"

#include <zstd.h>

/* A text is unpacked for each candidate of a search: half as fast to pack and unpack at level 1,
 * which would spare a quarter more. */
enum { PACK_LEVEL = -1, PACK_LEN_MIN = 256 };

int
index_text_take(struct search_index *index, sqlite3_stmt *statement, int column,
                struct index_text *ret_text)
{
    uint64_t head_len = (uint64_t)sqlite3_column_int64(statement, column);
    uint64_t len = (uint64_t)sqlite3_column_int64(statement, column + 1);
    const void *at = sqlite3_column_blob(statement, column + 2);
    size_t packed_len = (size_t)sqlite3_column_bytes(statement, column + 2);
    struct slice text = slice_of(at ? at : "", packed_len);

    if (len > SEARCH_HEAD_MAX + SEARCH_BODY_MAX || head_len > len)
        return SQLITE_CORRUPT;
    if (packed_len < len) {
        buffer_clear(&index->unpacked);
        uint8_t *to = buffer_reserve(&index->unpacked, len);
        if (!to || ZSTD_decompressDCtx(index->unpacker, to, len, text.at, text.len) != len)
            return SQLITE_CORRUPT;
        buffer_commit(&index->unpacked, len);
        text = buffer_slice(&index->unpacked);
    }
    *ret_text = (struct index_text){slice_first(text, head_len), slice_skip(text, head_len)};
    return SQLITE_OK;
}

int
index_text_find(struct search_index *index, uint64_t body, struct index_text *ret_text)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_FIND_TEXT];

    sqlite3_bind_int64(statement, 1, (int64_t)body);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        struct index_text text;
        code = index_text_take(index, statement, 0, &text);
        if (code == SQLITE_OK && text.head.at != index->unpacked.at) {
            /* Not packed: it must outlive the statement. */
            buffer_clear(&index->unpacked);
            buffer_put(&index->unpacked, text.head);
            buffer_put(&index->unpacked, text.body);
            struct slice all = buffer_slice(&index->unpacked);
            text.body = slice_skip(all, text.head.len);
            text.head = slice_first(all, text.head.len);
        }
        if (code == SQLITE_OK)
            *ret_text = text;
    }
    statement_reset(statement);
    return code;
}

int
index_text_put(struct search_index *index, uint64_t body, struct slice head, struct slice body_key)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_PUT_TEXT];
    struct slice text;

    buffer_clear(&index->unpacked);
    buffer_put(&index->unpacked, head);
    buffer_put(&index->unpacked, body_key);
    text = buffer_slice(&index->unpacked);
    if (text.len >= PACK_LEN_MIN) {
        size_t room = ZSTD_compressBound(text.len);
        buffer_clear(&index->packed);
        uint8_t *to = buffer_reserve(&index->packed, room);
        size_t len = to ? ZSTD_compressCCtx(index->packer, to, room, text.at, text.len, PACK_LEVEL)
                        : text.len;
        if (!ZSTD_isError(len) && len < text.len)
            text = slice_of(to, len);
    }
    sqlite3_bind_int64(statement, 1, (int64_t)body);
    sqlite3_bind_int64(statement, 2, (int64_t)head.len);
    sqlite3_bind_int64(statement, 3, (int64_t)(head.len + body_key.len));
    sqlite3_bind_blob(statement, 4, text.at, (int)text.len, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    statement_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int
index_text_sample(struct search_index *index)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_SAMPLE];
    struct index_text text;
    int code, bad = SQLITE_OK;

    memset(index->counts, 0, sizeof(*index->counts));
    while (bad == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        bad = index_text_take(index, statement, 0, &text);
        if (bad == SQLITE_OK)
            gram_counts_add(index->counts, &index->set, text.body);
    }
    statement_reset(statement);
    if (bad != SQLITE_OK)
        return bad;
    return code == SQLITE_DONE ? SQLITE_OK : code;
}
