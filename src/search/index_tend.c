/* SPDX-License-Identifier: ISC */
/* Keeping segments few: those that follow each other are made one when there are many of about the
 * same size, and one is made anew without what was removed from it. In steps, beside which the
 * index is used as ever. */
#include "search/index_private.h"

#include <stdlib.h>

enum {
    FAN = 4,                /* so many of a size become one: each octet is written log4 times */
    SMALLEST = 64 << 10,    /* octets: below, all are of one size */
    ROWS_MAX = 4096,        /* of an account that are looked at */
    STEP_OCTETS = 4 << 20,  /* some 50 ms of work */
    SYNC_OCTETS = 16 << 20, /* so that no sync takes long */
};

struct tending {
    uint64_t account;
    struct merge merge;
    struct merge_input *inputs; /* owned, as are their files and rows */
    struct index_file *files;
    struct index_segment *rows;
    size_t count;
    struct index_file out;
    struct index_segment made;
    size_t unsynced;
};

/* ---- which ----------------------------------------------------------------------------------- */

static unsigned
size_class(uint64_t octets)
{
    unsigned class = 0;

    for (; octets >= SMALLEST; octets /= FAN)
        class ++;
    return class;
}

/* The longest end of the rows that has none above the class. */
static size_t
end_of_class(const struct index_segment *rows, size_t count, unsigned class, size_t *ret_of_it)
{
    size_t from = count, of_it = 0;
    uint64_t end = count > 0 ? rows[count - 1].base + rows[count - 1].span : 0;

    while (from > 0 && size_class(rows[from - 1].octets) <= class &&
           end - rows[from - 1].base < SEGMENT_PLACES_MAX) {
        from--;
        of_it += size_class(rows[from].octets) == class;
    }
    *ret_of_it = of_it;
    return from;
}

/* Which rows, from *ret_from to the last, are to be one. */
static bool
is_to_merge(const struct index_segment *rows, size_t count, size_t *ret_from)
{
    size_t of_it;

    for (unsigned class = size_class(UINT64_MAX) + 1; class -- > 0;) {
        *ret_from = end_of_class(rows, count, class, &of_it);
        if (of_it >= FAN)
            return true;
    }
    return false;
}

static int
list_rows(struct search_index *index, uint64_t account, struct index_segment *rows,
          size_t *ret_count)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_SIZES];
    size_t count = 0;
    int code;

    sqlite3_bind_int64(statement, 1, (int64_t)account);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && count < ROWS_MAX)
        rows[count++] = index_segment_take(statement, false);
    statement_reset(statement);
    *ret_count = count;
    return code == SQLITE_ROW ? SQLITE_DONE : code;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void
drop(struct tending *tending)
{
    merge_close(&tending->merge);
    for (size_t i = 0; i < tending->count; i++) {
        index_file_finish(&tending->files[i]);
        free((void *)(uintptr_t)tending->rows[i].data.at);
    }
    index_file_finish(&tending->out);
    free(tending->inputs);
    free(tending->files);
    free(tending->rows);
    free(tending);
}

void
index_tending_touch(struct search_index *index, uint64_t account)
{
    struct slice touched = buffer_slice(&index->touched);
    uint64_t last;

    index->is_tending_due = true;
    if (touched.len > 0) {
        memcpy(&last, touched.at + touched.len - sizeof(last), sizeof(last));
        if (last == account)
            return;
    }
    buffer_put(&index->touched, slice_of(&account, sizeof(account)));
}

void
index_tending_drop(struct search_index *index)
{
    if (!index->tending)
        return;
    if (index->tending->out.file)
        index_file_remove(index, index->tending->made.id);
    drop(index->tending);
    index->tending = NULL;
}

/* Opens the segments that become one; their rows' octets are copied. */
static int
open_inputs(struct search_index *index, struct tending *tending, uint64_t first_base)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_SEGMENTS];
    int code, opened = SQLITE_OK;

    sqlite3_bind_int64(statement, 1, (int64_t)tending->account);
    while (opened == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct index_segment row = index_segment_take(statement, true);
        size_t at = tending->count;
        if (row.base < first_base || at == ROWS_MAX || row.base > tending->made.base)
            continue;
        if (row.data.len > 0) {
            uint8_t *copy = malloc(row.data.len);
            if (!copy)
                abort();
            memcpy(copy, row.data.at, row.data.len);
            row.data.at = copy;
        }
        opened = index_segment_open(index, &row, &tending->files[at], &tending->inputs[at].segment);
        tending->rows[at] = row;
        tending->inputs[at].shift = (uint32_t)(row.base - first_base);
        tending->count++;
    }
    statement_reset(statement);
    return opened != SQLITE_OK ? opened : code;
}

static int
read_inputs(struct search_index *index, struct tending *tending)
{
    int code = SQLITE_OK;

    for (size_t i = 0; i < tending->count && code == SQLITE_OK; i++) {
        struct merge_input *input = &tending->inputs[i];
        if (!segment_read_bodies(&input->segment))
            return index_segment_damage(&tending->files[i]);
        code = index_segment_removed(index, tending->rows[i].id, &input->segment, &input->removed);
    }
    return code;
}

/* Rows of the account from first_base to last_base become one. */
static int
begin(struct search_index *index, uint64_t account, uint64_t first_base,
      const struct index_segment *last)
{
    struct tending *tending = calloc(1, sizeof(*tending));

    if (!tending || !(tending->inputs = calloc(ROWS_MAX, sizeof(*tending->inputs))) ||
        !(tending->files = calloc(ROWS_MAX, sizeof(*tending->files))) ||
        !(tending->rows = calloc(ROWS_MAX, sizeof(*tending->rows))))
        abort();
    tending->account = account;
    tending->made.base = last->base;
    int code = open_inputs(index, tending, first_base);
    if (code == SQLITE_DONE)
        code = read_inputs(index, tending);
    merge_open(&tending->merge, tending->inputs, code == SQLITE_OK ? tending->count : 0);
    if (code != SQLITE_OK) {
        for (size_t i = 0; i < tending->count; i++) {
            segment_close(&tending->inputs[i].segment);
            free(tending->inputs[i].removed);
        }
        drop(tending);
        return code;
    }
    tending->made.base = first_base;
    tending->made.span = last->base + last->span - first_base;
    tending->made.id = index->next_segment++;
    index->tending = tending;
    return SQLITE_OK;
}

/* One from which something was removed. SQLITE_DONE: there is none. */
static int
begin_removed(struct search_index *index)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_ANY_REMOVED];
    struct index_segment row = {0};
    uint64_t account = 0;
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW) {
        row = index_segment_take(statement, false);
        account = (uint64_t)sqlite3_column_int64(statement, 5);
    }
    statement_reset(statement);
    return code == SQLITE_ROW ? begin(index, account, row.base, &row) : code;
}

/* Segments of an account that got some and has many now. SQLITE_DONE: none has too many. */
static int
begin_many(struct search_index *index)
{
    struct index_segment *rows = calloc(ROWS_MAX, sizeof(*rows));
    size_t count = 0, from = 0;
    uint64_t account;
    int code = SQLITE_DONE;

    if (!rows)
        abort();
    while (code == SQLITE_DONE && !index->tending && buffer_len(&index->touched) > 0) {
        memcpy(&account, buffer_slice(&index->touched).at, sizeof(account));
        code = list_rows(index, account, rows, &count);
        if (code == SQLITE_DONE && is_to_merge(rows, count, &from))
            code = begin(index, account, rows[from].base, &rows[count - 1]);
        else
            buffer_consume(&index->touched, sizeof(account)); /* else it is looked at again */
    }
    free(rows);
    return code;
}

/* ---- going on -------------------------------------------------------------------------------- */

static int
write_out(struct search_index *index, struct tending *tending)
{
    struct buffer *out = &tending->merge.writer.out;
    size_t len = buffer_len(out);
    int code = SQLITE_OK;

    if (!tending->out.file) {
        if (tending->merge.is_done && len <= INDEX_INLINE_OCTETS) {
            tending->made.data = buffer_slice(out);
            return SQLITE_OK;
        }
        code = index_file_create(index, tending->made.id, &tending->out);
    }
    if (code == SQLITE_OK)
        code = index_file_append(&tending->out, buffer_slice(out));
    buffer_clear(out);
    tending->unsynced += len;
    if (code == SQLITE_OK && (tending->merge.is_done || tending->unsynced >= SYNC_OCTETS)) {
        code = index_file_sync(&tending->out);
        tending->unsynced = 0;
    }
    return code;
}

/* The one takes the place of the many. */
static int
end(struct search_index *index, struct tending *tending)
{
    int code = index_file_begin(index);

    tending->made.bodies = tending->merge.writer.body_count;
    tending->made.octets = tending->out.file ? tending->out.octets : tending->made.data.len;
    for (size_t i = 0; i < tending->count && code == SQLITE_OK; i++)
        code = index_segment_forget(index, &tending->rows[i]);
    if (code == SQLITE_OK && tending->made.bodies > 0)
        code = index_segment_put(index, tending->account, &tending->made);
    if (code != SQLITE_OK)
        return code;
    if (tending->made.bodies == 0 && tending->out.file)
        index_file_remove(index, tending->made.id);
    drop(tending);
    index->tending = NULL;
    return index_commit(index);
}

static int
step(struct search_index *index)
{
    struct tending *tending = index->tending;

    if (!merge_step(&tending->merge, STEP_OCTETS)) {
        for (size_t i = 0; i < tending->count; i++) {
            if (tending->files[i].code != SQLITE_OK)
                return index_segment_damage(&tending->files[i]);
        }
        return SQLITE_CORRUPT;
    }
    int code = write_out(index, tending);
    return code == SQLITE_OK && tending->merge.is_done ? end(index, tending) : code;
}

enum search_result
search_index_tend(struct search_index *index, bool *ret_is_done)
{
    int code = SQLITE_OK;

    *ret_is_done = true;
    if (!index->database)
        return SEARCH_FAILED;
    if (!index->tending && index->is_tending_due) {
        code = begin_removed(index);
        if (code == SQLITE_DONE)
            code = begin_many(index);
        index->is_tending_due = index->tending;
    }
    if (index->tending)
        code = step(index);
    enum search_result result = index_file_result(index, code);
    if (result != SEARCH_OK) { /* until something comes again */
        index->is_tending_due = false;
        buffer_finish(&index->touched);
    }
    *ret_is_done = !index->is_tending_due;
    return result;
}
