/* SPDX-License-Identifier: ISC */
#include "search/index_private.h"
#include "search/find.h"
#include "search/key.h"

#include <errno.h>
#include <stdlib.h>

enum { PATH_SPARE = 16 };

const char *
search_result_name(enum search_result result)
{
    static const char *const names[] = {
        [SEARCH_OK] = "ok", [SEARCH_LOST] = "lost", [SEARCH_FAILED] = "failed"};

    return names[result];
}

static void
free_index(struct search_index *index)
{
    index_file_close(index);
    free(index->path);
    free(index->folder);
    free(index);
}

int
search_index_open(const char *path, struct buffer *why, bool *ret_is_new,
                  struct search_index **ret_index)
{
    struct search_index *index = calloc(1, sizeof(*index));
    size_t len = strlen(path) + PATH_SPARE;
    bool is_new = false;

    if (!index || !(index->path = malloc(len)) || !(index->folder = malloc(len)))
        abort();
    snprintf(index->folder, len, "%s", path);
    snprintf(index->path, len, "%s/index.db", path);
    gather_init(&index->gather);
    buffer_init(&index->garbage, SIZE_MAX / 4);
    buffer_init(&index->touched, SIZE_MAX / 4);
    int code = index_file_open(index, &is_new);
    if (code != SQLITE_OK) {
        buffer_put_text(why, "the text index ");
        buffer_put_text(why, index->path);
        buffer_put_text(why, " cannot be opened: ");
        buffer_put_text(why, sqlite3_errstr(code));
        free_index(index);
        return (code & 0xFF) == SQLITE_BUSY ? -EWOULDBLOCK : -EIO;
    }
    *ret_is_new = is_new;
    *ret_index = index;
    return 0;
}

void
search_index_close(struct search_index **index)
{
    if (!*index)
        return;
    if ((*index)->database)
        (void)!search_index_commit(*index);
    free_index(*index);
    *index = NULL;
}

int
index_run(struct search_index *index, enum statement which, int count, const uint64_t *numbers)
{
    sqlite3_stmt *statement = index->statements[which];

    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, (int64_t)numbers[i]);
    int code = sqlite3_step(statement);
    statement_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int
index_ask(struct search_index *index, enum statement which, int count, const uint64_t *numbers,
          uint64_t *ret_number)
{
    sqlite3_stmt *statement = index->statements[which];

    if (!index->database)
        return SQLITE_IOERR;
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, i + 1, (int64_t)numbers[i]);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
    statement_reset(statement);
    return code;
}

/* Files of segments that are no more. Before they go, it must be sure that nothing names them. */
static void
remove_garbage(struct search_index *index)
{
    struct slice left = buffer_slice(&index->garbage);
    uint64_t id;

    if (left.len > 0)
        (void)sqlite3_wal_checkpoint_v2(index->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                        NULL);
    for (; left.len > 0; left = slice_skip(left, sizeof(id))) {
        memcpy(&id, left.at, sizeof(id));
        index_file_remove(index, id);
    }
    buffer_finish(&index->garbage);
}

int
index_commit(struct search_index *index)
{
    if (!index->has_begun)
        return SQLITE_OK;
    int code = index_segment_flush(index);
    if (code == SQLITE_OK)
        code = index_run(index, STATEMENT_COMMIT, 0, NULL);
    if (code != SQLITE_OK)
        return code;
    index->has_begun = false;
    index->pending = 0;
    remove_garbage(index);
    return SQLITE_OK;
}

enum search_result
search_index_commit(struct search_index *index)
{
    return index_file_result(index, index_commit(index));
}

size_t
search_index_pending(const struct search_index *index)
{
    return index->pending;
}

/* ---- how far it has come --------------------------------------------------------------------- */

enum search_result
search_index_positions(struct search_index *index, uint64_t account, search_position_fn fn,
                       void *context)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_POSITIONS];
    int code;

    if (!index->database)
        return SEARCH_FAILED;
    sqlite3_bind_int64(statement, 1, (int64_t)account);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct search_position position = {
            .mailbox = (uint32_t)sqlite3_column_int64(statement, 0),
            .uid = (uint32_t)sqlite3_column_int64(statement, 1),
        };
        fn(context, &position);
    }
    statement_reset(statement);
    return index_file_result(index, code);
}

enum search_result
search_index_position(struct search_index *index, uint64_t account, uint32_t mailbox,
                      uint32_t *ret_uid)
{
    uint64_t uid = 0;
    int code = index_ask(index, STATEMENT_POSITION, 2, (const uint64_t[]){account, mailbox}, &uid);

    *ret_uid = (uint32_t)uid;
    return index_file_result(index, code);
}

static enum search_result
change(struct search_index *index, enum statement which, int count, const uint64_t *numbers)
{
    int code = index_file_begin(index);

    if (code == SQLITE_OK)
        code = index_run(index, which, count, numbers);
    return index_file_result(index, code);
}

enum search_result
search_index_set_position(struct search_index *index, uint64_t account,
                          struct search_position position)
{
    return change(index, STATEMENT_SET_POSITION, 3,
                  (const uint64_t[]){account, position.mailbox, position.uid});
}

enum search_result
search_index_modseq(struct search_index *index, uint64_t account, uint64_t *ret_modseq,
                    uint64_t *ret_bodies)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_ACCOUNT];
    uint64_t modseq = 0, bodies = 0;

    if (!index->database)
        return SEARCH_FAILED;
    sqlite3_bind_int64(statement, 1, (int64_t)account);
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        modseq = (uint64_t)sqlite3_column_int64(statement, 0);
        bodies = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    statement_reset(statement);
    *ret_modseq = modseq;
    *ret_bodies = bodies;
    return index_file_result(index, code);
}

enum search_result
search_index_set_modseq(struct search_index *index, uint64_t account, uint64_t modseq)
{
    return change(index, STATEMENT_SET_MODSEQ, 2, (const uint64_t[]){account, modseq});
}

/* ---- what is in it --------------------------------------------------------------------------- */

enum search_result
search_index_offer(struct search_index *index, uint64_t account, uint64_t body, bool *ret_is_there)
{
    uint64_t one;
    int code = index_ask(index, STATEMENT_FIND_ENTRY, 2, (const uint64_t[]){account, body}, &one);
    enum search_result result = index_file_result(index, code);

    *ret_is_there = code == SQLITE_ROW;
    return result;
}

/* Room for so many octets of an account's text. */
static int
make_room(struct search_index *index, uint64_t account, size_t octets)
{
    struct gather *gather = &index->gather;
    int code = SQLITE_DONE;

    if (!gather_is_empty(gather) &&
        (index->gather_account != account || gather->end + octets > GATHER_OCTETS_MAX))
        code = index_segment_flush(index);
    if (gather_is_empty(gather) && (code == SQLITE_OK || code == SQLITE_DONE)) {
        index->gather_account = account;
        index->gather_base = 0;
        code = index_ask(index, STATEMENT_SEGMENT_END, 1, &account, &index->gather_base);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

enum search_result
search_index_put(struct search_index *index, uint64_t account, uint64_t body, struct slice head_key,
                 struct slice body_key)
{
    struct slice head = slice_first(head_key, SEARCH_HEAD_MAX);
    struct slice rest = slice_first(body_key, SEARCH_BODY_MAX);
    bool is_there;
    enum search_result result = search_index_offer(index, account, body, &is_there);

    if (result != SEARCH_OK || is_there)
        return result;
    int code = index_file_begin(index);
    if (code == SQLITE_OK)
        code = make_room(index, account, head.len + rest.len);
    if (code == SQLITE_OK)
        code = index_run(index, STATEMENT_PUT_ENTRY, 2, (const uint64_t[]){account, body});
    if (code == SQLITE_OK)
        code = index_run(index, STATEMENT_COUNT_MORE, 2, (const uint64_t[]){account, 1});
    if (code == SQLITE_OK) {
        gather_put(&index->gather, body, head, rest);
        index->pending += head.len + rest.len;
    }
    return index_file_result(index, code);
}

static int
compare_numbers(const void *left, const void *right)
{
    uint64_t a, b;

    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

/* The bodies of the account that are not among those given, which rise, as these do. */
static int
gather_surplus(struct search_index *index, uint64_t account, const uint64_t *bodies, size_t count,
               struct buffer *surplus)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_ENTRIES];
    size_t at = 0;
    int code;

    sqlite3_bind_int64(statement, 1, (int64_t)account);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t body = (uint64_t)sqlite3_column_int64(statement, 0);
        while (at < count && bodies[at] < body)
            at++;
        if (at == count || bodies[at] != body)
            buffer_put_le64(surplus, body);
    }
    statement_reset(statement);
    return code;
}

/* Notes which bodies of a segment are among those, which rise; the segment goes if that is all. */
static int
remove_from(struct search_index *index, const struct index_segment *row, struct slice surplus)
{
    struct index_file file;
    struct segment segment;
    uint8_t *removed = NULL;
    size_t left = 0;
    int code = index_segment_open(index, row, &file, &segment);

    if (code != SQLITE_OK)
        return code;
    code = segment_read_bodies(&segment) ? index_segment_removed(index, row->id, &segment, &removed)
                                         : index_segment_damage(&file);
    for (uint64_t i = 0; i < segment.body_count && code == SQLITE_OK; i++) {
        bool is_surplus =
            bsearch(&segment.bodies[i].body, surplus.at, surplus.len / 8, 8, compare_numbers);
        if (is_surplus)
            code = index_run(index, STATEMENT_PUT_REMOVED, 2, (const uint64_t[]){row->id, i});
        left += !is_surplus && !(removed && removed[i]);
    }
    segment_close(&segment);
    index_file_finish(&file);
    free(removed);
    return code == SQLITE_OK && left == 0 ? index_segment_forget(index, row) : code;
}

/* The rows of an account, with what they have in them. */
static int
copy_rows(struct search_index *index, uint64_t account, struct buffer *rows)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_SEGMENTS];
    int code;

    sqlite3_bind_int64(statement, 1, (int64_t)account);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct index_segment row = index_segment_take(statement, true);
        buffer_put(rows, slice_of(&row, sizeof(row)));
        buffer_put(rows, row.data);
    }
    statement_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int
remove_all(struct search_index *index, uint64_t account, struct slice surplus)
{
    struct index_segment row;
    struct buffer rows;

    index_tending_drop(index);
    buffer_init(&rows, SIZE_MAX / 4);
    int code = index_file_begin(index);
    if (code == SQLITE_OK)
        code = index_segment_flush(index);
    if (code == SQLITE_OK)
        code = copy_rows(index, account, &rows);
    struct slice left = buffer_slice(&rows);
    while (code == SQLITE_OK && left.len > 0) {
        memcpy(&row, left.at, sizeof(row));
        row.data = slice_between(left, sizeof(row), sizeof(row) + row.data.len);
        left = slice_skip(left, sizeof(row) + row.data.len);
        code = remove_from(index, &row, surplus);
    }
    buffer_finish(&rows);
    for (struct slice at = surplus; code == SQLITE_OK && at.len > 0; at = slice_skip(at, 8)) {
        uint64_t numbers[2] = {account};
        memcpy(&numbers[1], at.at, 8);
        code = index_run(index, STATEMENT_REMOVE_ENTRY, 2, numbers);
    }
    if (code == SQLITE_OK)
        code = index_run(index, STATEMENT_COUNT_MORE, 2,
                         (const uint64_t[]){account, 0 - (uint64_t)(surplus.len / 8)});
    index->is_tending_due = true;
    return code;
}

enum search_result
search_index_retain(struct search_index *index, uint64_t account, const uint64_t *bodies,
                    size_t count)
{
    struct buffer surplus;

    if (!index->database)
        return SEARCH_FAILED;
    buffer_init(&surplus, SIZE_MAX / 4);
    int code = gather_surplus(index, account, bodies, count, &surplus);
    if (code == SQLITE_DONE && buffer_len(&surplus) > 0)
        code = remove_all(index, account, buffer_slice(&surplus));
    buffer_finish(&surplus);
    return index_file_result(index, code);
}

/* ---- searching ------------------------------------------------------------------------------- */

struct sought {
    struct gram_term *terms; /* none: all bodies are found */
    size_t count;
    enum search_scope scope;
    search_found_fn fn;
    void *context;
    bool is_wanted;
};

static void
tell_found(struct sought *sought, const struct segment *segment, const uint8_t *hits,
           const uint8_t *removed)
{
    for (size_t i = 0; i < segment->body_count && sought->is_wanted; i++) {
        if ((!hits || hits[i]) && !(removed && removed[i]))
            sought->is_wanted = sought->fn(sought->context, segment->bodies[i].body);
    }
}

static int
find_in_row(struct search_index *index, const struct index_segment *row, struct sought *sought)
{
    struct index_file file;
    struct segment segment;
    uint8_t *hits = NULL, *removed = NULL;
    int code = index_segment_open(index, row, &file, &segment);

    if (code != SQLITE_OK)
        return code;
    bool is_good = sought->count == 0 ? segment_read_bodies(&segment)
                                      : find_in_segment(&segment, sought->terms, sought->count,
                                                        sought->scope == SEARCH_IN_BODY, &hits);
    code = is_good ? SQLITE_OK : index_segment_damage(&file);
    if (is_good && segment.bodies && (hits || sought->count == 0)) {
        code = index_segment_removed(index, row->id, &segment, &removed);
        if (code == SQLITE_OK)
            tell_found(sought, &segment, hits, removed);
    }
    free(hits);
    free(removed);
    segment_close(&segment);
    index_file_finish(&file);
    return code;
}

static int
find(struct search_index *index, uint64_t account, struct sought *sought)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_SEGMENTS];
    int code = SQLITE_OK;

    if (!gather_is_empty(&index->gather) && index->gather_account == account)
        code = index_segment_flush(index);
    if (code != SQLITE_OK)
        return code;
    sqlite3_bind_int64(statement, 1, (int64_t)account);
    int found = SQLITE_OK;
    while (found == SQLITE_OK && sought->is_wanted &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct index_segment row = index_segment_take(statement, true);
        found = find_in_row(index, &row, sought);
    }
    statement_reset(statement);
    return found != SQLITE_OK ? found : code;
}

/* Keys as search_key_put makes them have none; one that has is found nowhere. */
static bool
has_control(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.at[i] < ' ')
            return true;
    }
    return false;
}

enum search_result
search_index_find(struct search_index *index, uint64_t account, enum search_scope scope,
                  struct slice key, search_found_fn fn, void *context)
{
    struct sought sought = {.scope = scope, .fn = fn, .context = context, .is_wanted = true};

    if (!index->database)
        return SEARCH_FAILED;
    if (has_control(key) || key.len > SEARCH_SOUGHT_MAX)
        return SEARCH_OK;
    sought.terms = calloc(key.len + 1, sizeof(*sought.terms));
    if (!sought.terms)
        abort();
    sought.count = gram_plan(key, sought.terms);
    int code = find(index, account, &sought);
    free(sought.terms);
    return index_file_result(index, code);
}

enum search_result
search_index_stats(struct search_index *index, struct search_stats *ret_stats)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_STATS];
    struct search_stats stats = {0};

    if (!index->database)
        return SEARCH_FAILED;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        stats.bodies = (uint64_t)sqlite3_column_int64(statement, 0);
        stats.file_octets = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    statement_reset(statement);
    statement = index->statements[STATEMENT_STATS_SEGMENTS];
    if (code == SQLITE_ROW)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        stats.segments = (uint64_t)sqlite3_column_int64(statement, 0);
        stats.file_octets += (uint64_t)sqlite3_column_int64(statement, 1);
        *ret_stats = stats;
    }
    statement_reset(statement);
    return index_file_result(index, code);
}
