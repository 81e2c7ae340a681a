/* SPDX-License-Identifier: ISC */
/* The file of the index: made, opened, looked at, and thrown away when it is damaged. */
#include "search/index_private.h"
#include "search/tokens.h"

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
    "CREATE TABLE accounts(account INTEGER PRIMARY KEY, modseq INTEGER);"
    "CREATE TABLE positions(account INTEGER, mailbox INTEGER, uid INTEGER,"
    " PRIMARY KEY(account, mailbox)) WITHOUT ROWID;"
    "CREATE TABLE entries(id INTEGER PRIMARY KEY, account INTEGER, body INTEGER,"
    " UNIQUE(account, body));"
    "CREATE INDEX entries_body ON entries(body);"
    "CREATE TABLE texts(body INTEGER PRIMARY KEY, head_len INTEGER, len INTEGER, text BLOB);"
    "CREATE VIRTUAL TABLE grams USING fts5(document, content='', detail=none, columnsize=0,"
    " tokenize='grams');"
    "INSERT INTO grams(grams, rank) VALUES('pgsz', 8000);"
    "INSERT INTO grams(grams, rank) VALUES('hashsize', 16777216);"
    "PRAGMA user_version = 2;";

static const char *const texts[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_POSITIONS] = "SELECT mailbox, uid FROM positions WHERE account = ?1",
    [STATEMENT_POSITION] = "SELECT uid FROM positions WHERE account = ?1 AND mailbox = ?2",
    [STATEMENT_SET_POSITION] = "INSERT OR REPLACE INTO positions VALUES(?1, ?2, ?3)",
    [STATEMENT_ACCOUNT] = "SELECT modseq FROM accounts WHERE account = ?1",
    [STATEMENT_SET_MODSEQ] = "INSERT OR REPLACE INTO accounts VALUES(?1, ?2)",
    [STATEMENT_COUNT_BODIES] = "SELECT count(*) FROM entries WHERE account = ?1",
    [STATEMENT_FIND_ENTRY] = "SELECT id FROM entries WHERE account = ?1 AND body = ?2",
    [STATEMENT_PUT_ENTRY] = "INSERT INTO entries(account, body) VALUES(?1, ?2)",
    [STATEMENT_REMOVE_ENTRY] = "DELETE FROM entries WHERE id = ?1",
    [STATEMENT_IS_NAMED] = "SELECT 1 FROM entries WHERE body = ?1 LIMIT 1",
    [STATEMENT_ENTRIES] = "SELECT body FROM entries WHERE account = ?1 ORDER BY body",
    [STATEMENT_FIND_TEXT] = "SELECT head_len, len, text FROM texts WHERE body = ?1",
    [STATEMENT_PUT_TEXT] = "INSERT INTO texts VALUES(?1, ?2, ?3, ?4)",
    [STATEMENT_REMOVE_TEXT] = "DELETE FROM texts WHERE body = ?1",
    [STATEMENT_PUT_GRAMS] = "INSERT INTO grams(rowid, document) VALUES(?1, ?2)",
    [STATEMENT_REMOVE_GRAMS] = "INSERT INTO grams(grams, rowid, document) VALUES('delete', ?1, ?2)",
    [STATEMENT_MATCH] = "SELECT e.body, t.head_len, t.len, t.text FROM grams g"
                        " CROSS JOIN entries e ON e.id = g.rowid"
                        " CROSS JOIN texts t ON t.body = e.body WHERE g.grams MATCH ?1",
    [STATEMENT_MATCH_EXACTLY] = "SELECT e.body FROM grams g CROSS JOIN entries e ON e.id = g.rowid"
                                " WHERE g.grams MATCH ?1",
    [STATEMENT_SAMPLE] = "SELECT head_len, len, text FROM texts ORDER BY body DESC LIMIT 500",
    [STATEMENT_ALL] = "SELECT body FROM entries WHERE account = ?1",
    [STATEMENT_STATS] = "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM texts),"
                        " (SELECT page_count FROM pragma_page_count) *"
                        " (SELECT page_size FROM pragma_page_size)",
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

/* SQLITE_FORMAT for a file of another version. */
static int
prepare(struct search_index *index, bool *ret_is_new)
{
    int code = sqlite3_exec(index->database, pragmas, NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = tokens_register(index->database);
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
    return code == SQLITE_OK ? index_text_sample(index) : code;
}

void
index_file_close(struct search_index *index)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(index->statements[i]);
        index->statements[i] = NULL;
    }
    (void)sqlite3_close(index->database);
    index->database = NULL;
    index->has_begun = false;
    index->pending = 0;
}

static int
try_open(struct search_index *index, bool *ret_is_new)
{
    int code = sqlite3_open_v2(index->path, &index->database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                               NULL);

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
remove_files(const struct search_index *index)
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
    } else if (index->database && index->has_begun) {
        /* What was put since the last commit is not known to be whole. */
        (void)sqlite3_exec(index->database, "ROLLBACK", NULL, NULL, NULL);
        index->has_begun = false;
        index->pending = 0;
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
