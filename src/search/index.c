/* SPDX-License-Identifier: ISC */
#include "search/index_private.h"
#include "search/key.h"
#include "search/tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

enum { PATH_SPARE = 16, BUFFERS_KEPT = 1 << 20 };

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
    ZSTD_freeCCtx(index->packer);
    ZSTD_freeDCtx(index->unpacker);
    buffer_finish(&index->document);
    buffer_finish(&index->packed);
    buffer_finish(&index->unpacked);
    gram_set_finish(&index->set);
    free(index->counts);
    free(index->path);
    free(index);
}

int
search_index_open(const char *path, struct buffer *why, bool *ret_is_new,
                  struct search_index **ret_index)
{
    struct search_index *index = calloc(1, sizeof(*index));
    size_t len = strlen(path) + PATH_SPARE;
    bool is_new = false;

    if (!index || !(index->path = malloc(len)) || !(index->packer = ZSTD_createCCtx()) ||
        !(index->unpacker = ZSTD_createDCtx()) ||
        !(index->counts = calloc(1, sizeof(*index->counts))))
        abort();
    snprintf(index->path, len, "%s/index.db", path);
    buffer_init(&index->document, SIZE_MAX / 4);
    buffer_init(&index->packed, SIZE_MAX / 4);
    buffer_init(&index->unpacked, SIZE_MAX / 4);
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

/* One that gives at most one row of one number: SQLITE_ROW, SQLITE_DONE or an error. */
static int
ask_number(struct search_index *index, enum statement which, int count, const uint64_t *numbers,
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

enum search_result
search_index_commit(struct search_index *index)
{
    if (!index->has_begun)
        return SEARCH_OK;
    int code = index_run(index, STATEMENT_COMMIT, 0, NULL);
    if (code != SQLITE_OK)
        return index_file_result(index, code);
    index->has_begun = false;
    index->pending = 0;
    if (index->unpacked.size > BUFFERS_KEPT)
        buffer_finish(&index->unpacked);
    if (index->document.size > BUFFERS_KEPT)
        buffer_finish(&index->document);
    return SEARCH_OK;
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
    int code = ask_number(index, STATEMENT_POSITION, 2, (const uint64_t[]){account, mailbox}, &uid);

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
    uint64_t modseq = 0, bodies = 0;
    int code = ask_number(index, STATEMENT_ACCOUNT, 1, &account, &modseq);

    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = ask_number(index, STATEMENT_COUNT_BODIES, 1, &account, &bodies);
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

static int
run_grams(struct search_index *index, enum statement which, uint64_t id, uint64_t account,
          struct slice head, struct slice body)
{
    sqlite3_stmt *statement = index->statements[which];

    buffer_clear(&index->document);
    tokens_put_document(&index->document, account, head, body);
    struct slice document = buffer_slice(&index->document);
    sqlite3_bind_int64(statement, 1, (int64_t)id);
    sqlite3_bind_text(statement, 2, (const char *)document.at, (int)document.len, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    statement_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Enters a body whose text is there. */
static int
put_entry(struct search_index *index, uint64_t account, uint64_t body, struct slice head,
          struct slice body_key)
{
    int code = index_run(index, STATEMENT_PUT_ENTRY, 2, (const uint64_t[]){account, body});

    if (code != SQLITE_OK)
        return code;
    uint64_t id = (uint64_t)sqlite3_last_insert_rowid(index->database);
    index->pending += head.len + body_key.len;
    return run_grams(index, STATEMENT_PUT_GRAMS, id, account, head, body_key);
}

enum search_result
search_index_offer(struct search_index *index, uint64_t account, uint64_t body, bool *ret_is_there)
{
    struct index_text text;
    uint64_t id;
    int code = ask_number(index, STATEMENT_FIND_ENTRY, 2, (const uint64_t[]){account, body}, &id);
    bool is_there = code == SQLITE_ROW;

    if (code == SQLITE_DONE && (code = index_text_find(index, body, &text)) == SQLITE_OK) {
        is_there = true;
        code = index_file_begin(index);
        if (code == SQLITE_OK)
            code = put_entry(index, account, body, text.head, text.body);
    }
    enum search_result result = index_file_result(index, code);
    *ret_is_there = is_there && result == SEARCH_OK;
    return result;
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
        code = index_text_put(index, body, head, rest);
    if (code == SQLITE_OK)
        code = put_entry(index, account, body, head, rest);
    gram_counts_add(index->counts, &index->set, rest);
    return index_file_result(index, code);
}

/* The text goes when no account has it. */
static int
forget_text(struct search_index *index, uint64_t body)
{
    uint64_t one;
    int code = ask_number(index, STATEMENT_IS_NAMED, 1, &body, &one);

    if (code != SQLITE_DONE)
        return code == SQLITE_ROW ? SQLITE_OK : code;
    return index_run(index, STATEMENT_REMOVE_TEXT, 1, &body);
}

enum search_result
search_index_remove(struct search_index *index, uint64_t account, uint64_t body)
{
    struct index_text text;
    uint64_t id;
    int code = ask_number(index, STATEMENT_FIND_ENTRY, 2, (const uint64_t[]){account, body}, &id);

    if (code == SQLITE_ROW) {
        code = index_file_begin(index);
        if (code == SQLITE_OK)
            code = index_text_find(index, body, &text);
        if (code == SQLITE_OK)
            code = run_grams(index, STATEMENT_REMOVE_GRAMS, id, account, text.head, text.body);
        if (code == SQLITE_OK)
            code = index_run(index, STATEMENT_REMOVE_ENTRY, 1, &id);
        if (code == SQLITE_OK)
            code = forget_text(index, body);
    }
    return index_file_result(index, code);
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

enum search_result
search_index_retain(struct search_index *index, uint64_t account, const uint64_t *bodies,
                    size_t count)
{
    struct buffer surplus;

    if (!index->database)
        return SEARCH_FAILED;
    buffer_init(&surplus, SIZE_MAX / 4);
    enum search_result result =
        index_file_result(index, gather_surplus(index, account, bodies, count, &surplus));
    struct slice left = buffer_slice(&surplus);
    for (; result == SEARCH_OK && left.len; left = slice_skip(left, sizeof(uint64_t))) {
        uint64_t body;
        memcpy(&body, left.at, sizeof(body));
        result = search_index_remove(index, account, body);
    }
    buffer_finish(&surplus);
    return result;
}

/* ---- searching ------------------------------------------------------------------------------- */

struct sought {
    enum search_scope scope;
    struct slice key;
    search_found_fn fn;
    void *context;
};

static int
list_all(struct search_index *index, uint64_t account, search_found_fn fn, void *context)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_ALL];
    int code;

    sqlite3_bind_int64(statement, 1, (int64_t)account);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW &&
           fn(context, (uint64_t)sqlite3_column_int64(statement, 0)))
        continue;
    statement_reset(statement);
    return code;
}

static bool
stands_in(struct slice key, struct slice text)
{
    return text.len >= key.len && slice_find(text, key) < text.len;
}

/* Keys as search_key_put makes them have none; one that has is found nowhere, and must not reach
 * the parser of expressions. */
static bool
has_control(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.at[i] < ' ')
            return true;
    }
    return false;
}

/* Whether the key stands in the text of a candidate. */
static int
look_through(struct search_index *index, sqlite3_stmt *statement, enum search_scope scope,
             struct slice key, bool *ret_is_found)
{
    struct index_text text;
    int code = index_text_take(index, statement, 1, &text);

    if (code == SQLITE_OK)
        *ret_is_found =
            stands_in(key, text.body) || (scope == SEARCH_IN_TEXT && stands_in(key, text.head));
    return code;
}

/* Bodies that match the expression; those that only may have the key are looked through. False in
 * *is_wanted when fn wants no more. */
static int
match(struct search_index *index, struct slice query, bool is_exact, const struct sought *sought,
      bool *is_wanted)
{
    sqlite3_stmt *statement =
        index->statements[is_exact ? STATEMENT_MATCH_EXACTLY : STATEMENT_MATCH];
    int code = SQLITE_DONE;

    sqlite3_bind_text(statement, 1, (const char *)query.at, (int)query.len, SQLITE_TRANSIENT);
    while (*is_wanted && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        bool is_found = is_exact;
        if (!is_exact && (code = look_through(index, statement, sought->scope, sought->key,
                                              &is_found)) != SQLITE_OK)
            break;
        if (is_found)
            *is_wanted = sought->fn(sought->context, (uint64_t)sqlite3_column_int64(statement, 0));
    }
    statement_reset(statement);
    return *is_wanted ? code : SQLITE_DONE;
}

/* Where the key begins a word, it stands: these first; then what else may have it. */
static int
find(struct search_index *index, uint64_t account, const struct sought *sought)
{
    struct buffer *query = &index->document;
    bool with_head = sought->scope == SEARCH_IN_TEXT, is_exact, is_wanted = true;
    int code = SQLITE_DONE;

    buffer_clear(query);
    bool has_words = tokens_put_words(query, account, sought->key, with_head);
    if (has_words)
        code = match(index, buffer_slice(query), true, sought, &is_wanted);
    if (code != SQLITE_DONE || !is_wanted)
        return code;
    buffer_clear(query);
    buffer_put_byte(query, '(');
    tokens_put_query(query, index->counts, account, sought->key, with_head, &is_exact);
    buffer_put_byte(query, ')');
    if (has_words) {
        buffer_put_text(query, " NOT (");
        (void)!tokens_put_words(query, account, sought->key, with_head);
        buffer_put_byte(query, ')');
    }
    return match(index, buffer_slice(query), is_exact, sought, &is_wanted);
}

enum search_result
search_index_find(struct search_index *index, uint64_t account, enum search_scope scope,
                  struct slice key, search_found_fn fn, void *context)
{
    struct sought sought = {scope, key, fn, context};

    if (!index->database)
        return SEARCH_FAILED;
    if (slice_is_empty(key))
        return index_file_result(index, list_all(index, account, fn, context));
    if (has_control(key) || key.len > SEARCH_SOUGHT_MAX)
        return SEARCH_OK;
    return index_file_result(index, find(index, account, &sought));
}

enum search_result
search_index_stats(struct search_index *index, struct search_stats *ret_stats)
{
    sqlite3_stmt *statement = index->statements[STATEMENT_STATS];

    if (!index->database)
        return SEARCH_FAILED;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret_stats = (struct search_stats){
            .bodies = (uint64_t)sqlite3_column_int64(statement, 0),
            .texts = (uint64_t)sqlite3_column_int64(statement, 1),
            .file_octets = (uint64_t)sqlite3_column_int64(statement, 2),
        };
    statement_reset(statement);
    return index_file_result(index, code);
}
