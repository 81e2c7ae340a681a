/* SPDX-License-Identifier: ISC */
/* The file of the index: made, opened, looked at, and thrown away when it is damaged. */
#include "search/index_private.h"

#include <glob.h>
#include <stdlib.h>

/* One process, one connection: no shared memory, no locks but the one at the start. Syncs only
 * where the order of writes matters; what the last transactions said may be lost with the power,
 * and comes again from the store. */
static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE;"
                              "PRAGMA page_size = 8192;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = NORMAL;"
                              "PRAGMA wal_autocheckpoint = 4000;"
                              "PRAGMA journal_size_limit = 67108864;"
                              "PRAGMA cache_size = -16384;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA secure_delete = ON;" /* what is removed is not to be read */
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;";

static const char tables[] =
    "CREATE TABLE accounts(account INTEGER PRIMARY KEY, modseq INTEGER, bodies INTEGER);"
    "CREATE TABLE positions(account INTEGER, mailbox INTEGER, uid INTEGER,"
    " PRIMARY KEY(account, mailbox)) WITHOUT ROWID;"
    "CREATE TABLE entries(account INTEGER, body INTEGER,"
    " PRIMARY KEY(account, body)) WITHOUT ROWID;"
    "CREATE TABLE segments(id INTEGER PRIMARY KEY, account INTEGER, base INTEGER, span INTEGER,"
    " bodies INTEGER, octets INTEGER, data BLOB);"
    "CREATE UNIQUE INDEX segments_account ON segments(account, base, span, bodies, octets);"
    "CREATE TABLE removed(segment INTEGER, number INTEGER,"
    " PRIMARY KEY(segment, number)) WITHOUT ROWID;"
    "PRAGMA user_version = 3;";

#define SIZES "id, base, span, bodies, octets"
static const char *const texts[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_POSITIONS] = "SELECT mailbox, uid FROM positions WHERE account = ?1",
    [STATEMENT_POSITION] = "SELECT uid FROM positions WHERE account = ?1 AND mailbox = ?2",
    [STATEMENT_SET_POSITION] = "INSERT OR REPLACE INTO positions VALUES(?1, ?2, ?3)",
    [STATEMENT_ACCOUNT] = "SELECT modseq, bodies FROM accounts WHERE account = ?1",
    [STATEMENT_SET_MODSEQ] = "INSERT INTO accounts VALUES(?1, ?2, 0)"
                             " ON CONFLICT(account) DO UPDATE SET modseq = ?2",
    [STATEMENT_COUNT_MORE] = "INSERT INTO accounts VALUES(?1, 0, ?2)"
                             " ON CONFLICT(account) DO UPDATE SET bodies = bodies + ?2",
    [STATEMENT_FIND_ENTRY] = "SELECT 1 FROM entries WHERE account = ?1 AND body = ?2",
    [STATEMENT_PUT_ENTRY] = "INSERT INTO entries VALUES(?1, ?2)",
    [STATEMENT_REMOVE_ENTRY] = "DELETE FROM entries WHERE account = ?1 AND body = ?2",
    [STATEMENT_ENTRIES] = "SELECT body FROM entries WHERE account = ?1 ORDER BY body",
    [STATEMENT_SEGMENTS] = "SELECT " SIZES ", data FROM segments WHERE account = ?1 ORDER BY base",
    [STATEMENT_SIZES] = "SELECT " SIZES " FROM segments WHERE account = ?1 ORDER BY base",
    [STATEMENT_PUT_SEGMENT] = "INSERT INTO segments VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STATEMENT_REMOVE_SEGMENT] = "DELETE FROM segments WHERE id = ?1",
    [STATEMENT_IS_SEGMENT] = "SELECT 1 FROM segments WHERE id = ?1",
    [STATEMENT_SEGMENT_END] = "SELECT base + span FROM segments WHERE account = ?1"
                              " ORDER BY base DESC LIMIT 1",
    [STATEMENT_LAST_SEGMENT] = "SELECT max(id) FROM segments",
    [STATEMENT_REMOVED] = "SELECT number FROM removed WHERE segment = ?1",
    [STATEMENT_PUT_REMOVED] = "INSERT OR IGNORE INTO removed VALUES(?1, ?2)",
    [STATEMENT_FORGET_REMOVED] = "DELETE FROM removed WHERE segment = ?1",
    [STATEMENT_ANY_REMOVED] = "SELECT " SIZES ", account FROM segments"
                              " WHERE id = (SELECT segment FROM removed LIMIT 1)",
    [STATEMENT_STATS] = "SELECT total(bodies), (SELECT page_count FROM pragma_page_count) *"
                        " (SELECT page_size FROM pragma_page_size) FROM accounts",
    [STATEMENT_STATS_SEGMENTS] = "SELECT count(*), total(octets * (octets > 262144)) FROM segments",
};

static int
version_of(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static int
make_tables(sqlite3 *database)
{
    int code = sqlite3_exec(database, "BEGIN", NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(database, tables, NULL, NULL, NULL);
    return code == SQLITE_OK ? sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) : code;
}

/* Removes files of segments: all, or those that no row names, because the process ended before it
 * was committed or before they were removed. */
static int
remove_segments(struct search_index *index, bool all)
{
    size_t folder_len = strlen(index->folder), len = folder_len + 16;
    char *pattern = malloc(len);
    uint64_t one, id;
    glob_t names;
    int code = SQLITE_OK;

    if (!pattern)
        abort();
    snprintf(pattern, len, "%s/*.segment", index->folder);
    if (glob(pattern, GLOB_NOSORT, NULL, &names) == 0) {
        for (size_t i = 0; i < names.gl_pathc; i++) {
            id = strtoull(names.gl_pathv[i] + folder_len + 1, NULL, 10);
            if (!all)
                code = index_ask(index, STATEMENT_IS_SEGMENT, 1, &id, &one);
            if (all || code == SQLITE_DONE)
                (void)remove(names.gl_pathv[i]);
        }
        globfree(&names);
    }
    free(pattern);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int
sweep(struct search_index *index)
{
    uint64_t last = 0;
    int code = index_ask(index, STATEMENT_LAST_SEGMENT, 0, NULL, &last);

    index->next_segment = last + 1;
    index->is_tending_due = true;
    return code == SQLITE_ROW ? remove_segments(index, false) : code;
}

/* SQLITE_FORMAT for a file of another version. */
static int
prepare(struct search_index *index, bool *ret_is_new)
{
    int code = sqlite3_exec(index->database, pragmas, NULL, NULL, NULL);

    if (code != SQLITE_OK)
        return code;
    int version = version_of(index->database);
    *ret_is_new = version == 0;
    if (version == 0)
        code = make_tables(index->database);
    else if (version != INDEX_VERSION)
        code = SQLITE_FORMAT;
    for (size_t i = 0; i < STATEMENTS && code == SQLITE_OK; i++)
        code = sqlite3_prepare_v3(index->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &index->statements[i], NULL);
    return code == SQLITE_OK ? sweep(index) : code;
}

/* What is not committed is forgotten. */
static void
forget_pending(struct search_index *index)
{
    index_tending_drop(index);
    gather_clear(&index->gather);
    buffer_finish(&index->garbage);
    index->has_begun = false;
    index->pending = 0;
}

void
index_file_close(struct search_index *index)
{
    forget_pending(index);
    buffer_finish(&index->touched);
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(index->statements[i]);
        index->statements[i] = NULL;
    }
    (void)sqlite3_close(index->database);
    (void)sqlite3_vfs_unregister(&index->files);
    index->database = NULL;
}

/* SQLite would look at each folder above the file for links, by lstat. Below one that only root may
 * pass this process cannot; and it reaches the folder through a link then, which NOFOLLOW refuses.
 * The path is absolute and ours: it is taken as it is, and NOFOLLOW holds for the file itself. */
static int
take_path(sqlite3_vfs *files, const char *path, int size, char *ret_path)
{
    size_t len = strlen(path) + 1;

    (void)files;
    if (size < 0 || len > (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(ret_path, path, len);
    return SQLITE_OK;
}

static int
register_files(struct search_index *index)
{
    const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

    if (!usual)
        return SQLITE_ERROR;
    index->files = *usual;
    index->files.pNext = NULL;
    snprintf(index->files_name, sizeof(index->files_name), "facteur-%p", (void *)index);
    index->files.zName = index->files_name;
    index->files.xFullPathname = take_path;
    return sqlite3_vfs_register(&index->files, 0);
}

static int
try_open(struct search_index *index, bool *ret_is_new)
{
    int code = register_files(index);

    if (code == SQLITE_OK)
        code = sqlite3_open_v2(index->path, &index->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                               index->files_name);
    if (code == SQLITE_OK)
        code = prepare(index, ret_is_new);
    if (code != SQLITE_OK)
        index_file_close(index);
    return code;
}

static bool
is_damage(int code)
{
    int kind = code & 0xFF;

    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_FORMAT ||
           kind == SQLITE_ERROR || kind == SQLITE_SCHEMA || kind == SQLITE_CONSTRAINT ||
           kind == SQLITE_MISMATCH;
}

static void
remove_files(struct search_index *index)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    size_t len = strlen(index->path) + 16;
    char *path = malloc(len);

    if (!path)
        abort();
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        snprintf(path, len, "%s%s", index->path, endings[i]);
        (void)remove(path);
    }
    free(path);
    (void)!remove_segments(index, true);
}

int
index_file_open(struct search_index *index, bool *ret_is_new)
{
    int code = try_open(index, ret_is_new);

    if (is_damage(code)) {
        remove_files(index);
        code = try_open(index, ret_is_new);
    }
    return code;
}

enum search_result
index_file_result(struct search_index *index, int code)
{
    bool is_new;

    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW)
        return SEARCH_OK;
    if ((code & 0xFF) == SQLITE_NOMEM)
        abort();
    if (is_damage(code)) {
        index_file_close(index);
        remove_files(index);
        code = try_open(index, &is_new);
        if (code == SQLITE_OK)
            return SEARCH_LOST;
    } else if (index->database) {
        /* What was put since the last commit is not known to be whole. */
        if (index->has_begun)
            (void)sqlite3_exec(index->database, "ROLLBACK", NULL, NULL, NULL);
        forget_pending(index);
    }
    return SEARCH_FAILED;
}

int
index_file_begin(struct search_index *index)
{
    if (!index->database)
        return SQLITE_IOERR;
    if (index->has_begun)
        return SQLITE_OK;
    int code = index_run(index, STATEMENT_BEGIN, 0, NULL);
    index->has_begun = code == SQLITE_OK;
    return code;
}
