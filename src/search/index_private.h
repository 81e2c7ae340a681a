/* SPDX-License-Identifier: ISC */
/* The parts of the index: private to the room. */
#ifndef SEARCH_INDEX_PRIVATE_H
#define SEARCH_INDEX_PRIVATE_H

#include "search/gram.h"
#include "search/index.h"

#include <sqlite3.h>

enum { INDEX_VERSION = 2 };

/* All statements, prepared once. */
enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_POSITIONS,
    STATEMENT_POSITION,
    STATEMENT_SET_POSITION,
    STATEMENT_ACCOUNT,
    STATEMENT_SET_MODSEQ,
    STATEMENT_COUNT_BODIES,
    STATEMENT_FIND_ENTRY,
    STATEMENT_PUT_ENTRY,
    STATEMENT_REMOVE_ENTRY,
    STATEMENT_IS_NAMED,
    STATEMENT_ENTRIES,
    STATEMENT_FIND_TEXT,
    STATEMENT_PUT_TEXT,
    STATEMENT_REMOVE_TEXT,
    STATEMENT_PUT_GRAMS,
    STATEMENT_REMOVE_GRAMS,
    STATEMENT_MATCH,
    STATEMENT_MATCH_EXACTLY,
    STATEMENT_SAMPLE,
    STATEMENT_ALL,
    STATEMENT_STATS,
    STATEMENTS
};

struct search_index {
    char *path; /* of the file */
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    void *packer; /* zstd's contexts */
    void *unpacker;
    struct buffer document, packed, unpacked;
    size_t pending;
    struct gram_set set;
    struct gram_counts *counts;
    bool has_begun; /* a transaction is open */
};

/* index_file.c: opening, and what goes wrong. */
MUST_USE int index_file_open(struct search_index *index, bool *ret_is_new);
void index_file_close(struct search_index *index);
/* What a code of SQLite means for the caller; a damaged file is removed and made anew. */
enum search_result index_file_result(struct search_index *index, int code);
/* Begins a transaction unless one is open. */
MUST_USE int index_file_begin(struct search_index *index);

/* index_text.c: texts, packed. */
struct index_text {
    struct slice head, body; /* valid until the next is taken */
};
/* SQLITE_DONE when there is none. */
MUST_USE int index_text_find(struct search_index *index, uint64_t body,
                             struct index_text *ret_text);
MUST_USE int index_text_put(struct search_index *index, uint64_t body, struct slice head,
                            struct slice body_key);
/* A row of a statement: columns `column` and on are head_len, len and the text. */
MUST_USE int index_text_take(struct search_index *index, sqlite3_stmt *statement, int column,
                             struct index_text *ret_text);

/* Counts the grams of some of the latest texts. */
MUST_USE int index_text_sample(struct search_index *index);

/* Resets a statement, with its bindings forgotten. */
static inline void
statement_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Runs one that gives no rows: SQLITE_OK or an error. */
MUST_USE int index_run(struct search_index *index, enum statement which, int count,
                       const uint64_t *numbers);

#endif
