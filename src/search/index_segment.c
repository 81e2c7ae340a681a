/* SPDX-License-Identifier: ISC */
/* Segments, in rows of the database and in files beside it. */
#include "search/index_private.h"

#include <stdlib.h>

enum {
    PATH_SPARE = 40,
    IO_OCTETS_MAX = 124 << 10, /* SQLite asserts less than 128 KiB */
};

/* ---- files ----------------------------------------------------------------------------------- */

static char *
path_of(const struct search_index *index, uint64_t id)
{
    size_t size = strlen(index->folder) + PATH_SPARE;
    char *path = malloc(size);

    if (!path)
        abort();
    snprintf(path, size, "%s/%llu.segment", index->folder, (unsigned long long)id);
    return path;
}

void
index_file_remove(const struct search_index *index, uint64_t id)
{
    char *path = path_of(index, id);

    (void)remove(path);
    free(path);
}

void
index_file_finish(struct index_file *file)
{
    if (file->file && file->file->pMethods)
        file->file->pMethods->xClose(file->file);
    free(file->file);
    free(file->path);
    *file = (struct index_file){0};
}

static int
open_file(struct search_index *index, uint64_t id, int flags, struct index_file *ret_file)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    struct index_file file = {.file = calloc(1, (size_t)vfs->szOsFile), .path = path_of(index, id)};
    int is_there = 1;

    if (!file.file)
        abort();
    /* A journal for SQLite, so that it takes no lock, and its folder is synced with it; its name is
     * none that a journal has, so that no database is looked for that belongs to it. */
    int code = vfs->xOpen(vfs, file.path, file.file, flags | SQLITE_OPEN_MAIN_JOURNAL, NULL);
    if (code != SQLITE_OK) {
        (void)vfs->xAccess(vfs, file.path, SQLITE_ACCESS_EXISTS, &is_there);
        file.file->pMethods = NULL;
        index_file_finish(&file);
        return is_there ? code : SQLITE_CORRUPT;
    }
    *ret_file = file;
    return SQLITE_OK;
}

int
index_file_create(struct search_index *index, uint64_t id, struct index_file *ret_file)
{
    index_file_remove(index, id);
    return open_file(index, id, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ret_file);
}

int
index_file_append(struct index_file *file, struct slice octets)
{
    int code = SQLITE_OK;

    while (octets.len > 0 && code == SQLITE_OK) {
        struct slice some = slice_first(octets, IO_OCTETS_MAX);
        code = file->file->pMethods->xWrite(file->file, some.at, (int)some.len,
                                            (sqlite3_int64)file->octets);
        file->octets += some.len;
        octets = slice_skip(octets, some.len);
    }
    return code;
}

int
index_file_sync(struct index_file *file)
{
    return file->file->pMethods->xSync(file->file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static bool
read_file(void *context, uint64_t offset, void *to, size_t len)
{
    struct index_file *file = context;
    uint8_t *at = to;

    while (len > 0) {
        size_t some = len < IO_OCTETS_MAX ? len : IO_OCTETS_MAX;
        file->code = file->file->pMethods->xRead(file->file, at, (int)some, (sqlite3_int64)offset);
        if (file->code != SQLITE_OK)
            return false;
        at += some;
        offset += some;
        len -= some;
    }
    return true;
}

static bool
read_row(void *context, uint64_t offset, void *to, size_t len)
{
    memcpy(to, (const uint8_t *)context + offset, len);
    return true;
}

int
index_segment_damage(const struct index_file *file)
{
    return file->code == SQLITE_OK || file->code == SQLITE_IOERR_SHORT_READ ? SQLITE_CORRUPT
                                                                            : file->code;
}

/* ---- rows ------------------------------------------------------------------------------------ */

struct index_segment
index_segment_take(sqlite3_stmt *statement, bool with_data)
{
    struct index_segment row = {
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .base = (uint64_t)sqlite3_column_int64(statement, 1),
        .span = (uint64_t)sqlite3_column_int64(statement, 2),
        .bodies = (uint64_t)sqlite3_column_int64(statement, 3),
        .octets = (uint64_t)sqlite3_column_int64(statement, 4),
    };

    if (with_data) {
        const void *at = sqlite3_column_blob(statement, 5);
        row.data = slice_of(at, at ? (size_t)sqlite3_column_bytes(statement, 5) : 0);
    }
    return row;
}

int
index_segment_open(struct search_index *index, const struct index_segment *row,
                   struct index_file *ret_file, struct segment *ret_segment)
{
    struct segment_source source = {.octets = row->octets};
    int code = SQLITE_OK;

    *ret_file = (struct index_file){0};
    if (row->data.len > 0) {
        source.read = read_row;
        source.context = (void *)(uintptr_t)row->data.at;
        source.octets = row->data.len;
    } else {
        code = open_file(index, row->id, SQLITE_OPEN_READONLY, ret_file);
        source.read = read_file;
        source.context = ret_file;
    }
    if (code == SQLITE_OK && !segment_open(ret_segment, source)) {
        code = index_segment_damage(ret_file);
        index_file_finish(ret_file);
    }
    return code;
}

int
index_segment_put(struct search_index *index, uint64_t account, const struct index_segment *row)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_PUT_SEGMENT];
    const uint64_t numbers[] = {row->id, account, row->base, row->span, row->bodies, row->octets};

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        sqlite3_bind_int64(statement, (int)i + 1, (int64_t)numbers[i]);
    if (row->data.len > 0)
        sqlite3_bind_blob(statement, COUNT_OF(numbers) + 1, row->data.at, (int)row->data.len,
                          SQLITE_STATIC);
    int code = sqlite3_step(statement);
    statement_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int
index_segment_forget(struct search_index *index, const struct index_segment *row)
{
    int code = index_run(index, STATEMENT_REMOVE_SEGMENT, 1, &row->id);

    if (code == SQLITE_OK)
        code = index_run(index, STATEMENT_FORGET_REMOVED, 1, &row->id);
    if (code == SQLITE_OK && row->data.len == 0)
        buffer_put(&index->garbage, slice_of(&row->id, sizeof(row->id)));
    return code;
}

static int
put_written(struct search_index *index, struct segment_writer *writer, struct index_segment *row)
{
    struct slice octets = buffer_slice(&writer->out);
    struct index_file file;

    row->octets = octets.len;
    if (octets.len <= INDEX_INLINE_OCTETS) {
        row->data = octets;
        return index_segment_put(index, index->gather_account, row);
    }
    int code = index_file_create(index, row->id, &file);
    if (code != SQLITE_OK)
        return code;
    code = index_file_append(&file, octets);
    if (code == SQLITE_OK)
        code = index_file_sync(&file);
    index_file_finish(&file);
    if (code == SQLITE_OK)
        return index_segment_put(index, index->gather_account, row);
    index_file_remove(index, row->id); /* a disk that is full shall not be fuller */
    return code;
}

int
index_segment_flush(struct search_index *index)
{
    struct segment_writer *writer = malloc(sizeof(*writer));
    struct index_segment row = {
        .base = index->gather_base,
        .span = index->gather.end,
        .bodies = buffer_len(&index->gather.bodies) / sizeof(struct segment_body),
    };
    int code = SQLITE_OK;

    if (!writer)
        abort();
    if (!gather_is_empty(&index->gather)) {
        row.id = index->next_segment++;
        segment_writer_init(writer);
        gather_write(&index->gather, writer);
        gather_clear(&index->gather);
        segment_end(writer);
        code = put_written(index, writer, &row);
        segment_writer_finish(writer);
        index_tending_touch(index, index->gather_account);
    }
    free(writer);
    return code;
}

int
index_segment_removed(struct search_index *index, uint64_t id, const struct segment *segment,
                      uint8_t **ret_removed)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_REMOVED];
    uint8_t *removed = NULL;
    int code;

    sqlite3_bind_int64(statement, 1, (int64_t)id);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t number = (uint64_t)sqlite3_column_int64(statement, 0);
        if (!removed && !(removed = calloc(segment->body_count + 1, 1)))
            abort();
        if (number < segment->body_count)
            removed[number] = 1;
    }
    statement_reset(statement);
    if (code != SQLITE_DONE) {
        free(removed);
        return code;
    }
    *ret_removed = removed;
    return SQLITE_OK;
}
