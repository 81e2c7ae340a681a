/* SPDX-License-Identifier: ISC */
/* The parts of the index: private to the room. */
#ifndef SEARCH_INDEX_PRIVATE_H
#define SEARCH_INDEX_PRIVATE_H

#include "search/gather.h"
#include "search/index.h"
#include "search/merge.h"

#include <sqlite3.h>

enum { INDEX_VERSION = 3 };

/* What is smaller is kept in the database: it costs no file and no sync of its own. */
enum { INDEX_INLINE_OCTETS = 256 << 10 };

/* All statements, prepared once. */
enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_POSITIONS,
    STATEMENT_POSITION,
    STATEMENT_SET_POSITION,
    STATEMENT_ACCOUNT,
    STATEMENT_SET_MODSEQ,
    STATEMENT_COUNT_MORE,
    STATEMENT_FIND_ENTRY,
    STATEMENT_PUT_ENTRY,
    STATEMENT_REMOVE_ENTRY,
    STATEMENT_ENTRIES,
    STATEMENT_SEGMENTS,
    STATEMENT_SIZES,
    STATEMENT_PUT_SEGMENT,
    STATEMENT_REMOVE_SEGMENT,
    STATEMENT_IS_SEGMENT,
    STATEMENT_SEGMENT_END,
    STATEMENT_LAST_SEGMENT,
    STATEMENT_REMOVED,
    STATEMENT_PUT_REMOVED,
    STATEMENT_FORGET_REMOVED,
    STATEMENT_ANY_REMOVED,
    STATEMENT_STATS,
    STATEMENT_STATS_SEGMENTS,
    STATEMENTS
};

/* A file of a segment, through SQLite: which is how this room reaches its folder. */
struct index_file {
    sqlite3_file *file; /* owned; NULL: not open */
    char *path;         /* owned */
    uint64_t octets;
    int code; /* of the last call that failed */
};

struct tending;
struct search_index {
    char *folder, *path; /* of the database */
    sqlite3_vfs files; /* how SQLite reaches them; registered while the database is open */
    char files_name[32];
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    size_t pending;
    struct gather gather;
    uint64_t gather_account, gather_base;
    uint64_t next_segment;
    struct buffer garbage;   /* of uint64_t: segments whose files go with the next commit */
    struct buffer touched;   /* of uint64_t: accounts that may have too many segments */
    struct tending *tending; /* NULL: none is under way */
    bool has_begun;          /* a transaction is open */
    bool is_tending_due;     /* there may be something to tend */
};

/* ---- index_file.c: opening, and what goes wrong ---------------------------------------------- */

MUST_USE int index_file_open(struct search_index *index, bool *ret_is_new);
void index_file_close(struct search_index *index);
/* What a code of SQLite means for the caller; a damaged index is removed and made anew. */
enum search_result index_file_result(struct search_index *index, int code);
/* Begins a transaction unless one is open. */
MUST_USE int index_file_begin(struct search_index *index);

/* ---- index_segment.c: segments, in rows and in files ----------------------------------------- */

/* A row. */
struct index_segment {
    uint64_t id, base, span, bodies, octets;
    struct slice data; /* of the row; nothing: it is in a file */
};
/* Opens it; the file is for the caller to close behind the segment. A code of SQLite. */
MUST_USE int index_segment_open(struct search_index *index, const struct index_segment *row,
                                struct index_file *ret_file, struct segment *ret_segment);
/* What it means when reading a segment failed. */
int index_segment_damage(const struct index_file *file);
/* Enters one that was written: into its row, or `file`, which is synced. */
MUST_USE int index_segment_put(struct search_index *index, uint64_t account,
                               const struct index_segment *row);
/* Takes it out; its file goes when that is committed. */
MUST_USE int index_segment_forget(struct search_index *index, const struct index_segment *row);
/* Writes what has gathered, in the transaction that is open. */
MUST_USE int index_segment_flush(struct search_index *index);
/* A byte for each body of the segment, not 0 for those that were removed; or NULL when none was.
 * The caller frees it. */
MUST_USE int index_segment_removed(struct search_index *index, uint64_t id,
                                   const struct segment *segment, uint8_t **ret_removed);
/* Takes the columns id, base, span, bodies, octets and, with_data, data. */
struct index_segment index_segment_take(sqlite3_stmt *statement, bool with_data);

/* Makes the file of a segment; appends to it; has it on disk. Codes of SQLite. */
MUST_USE int index_file_create(struct search_index *index, uint64_t id,
                               struct index_file *ret_file);
MUST_USE int index_file_append(struct index_file *file, struct slice octets);
MUST_USE int index_file_sync(struct index_file *file);
/* Closes it, if it is open; removes it. */
void index_file_finish(struct index_file *file);
void index_file_remove(const struct search_index *index, uint64_t id);

/* ---- index_tend.c ---------------------------------------------------------------------------- */

/* The account has one segment more. */
void index_tending_touch(struct search_index *index, uint64_t account);
/* Gives up what is under way. */
void index_tending_drop(struct search_index *index);

/* ---- index.c --------------------------------------------------------------------------------- */

/* Resets a statement, with its bindings forgotten. */
static inline void
statement_reset(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Writes what has gathered and commits all. A code of SQLite. */
MUST_USE int index_commit(struct search_index *index);
/* Runs one that gives no rows: SQLITE_OK or an error. */
MUST_USE int index_run(struct search_index *index, enum statement which, int count,
                       const uint64_t *numbers);
/* One that gives at most one row of one number: SQLITE_ROW, SQLITE_DONE or an error. */
MUST_USE int index_ask(struct search_index *index, enum statement which, int count,
                       const uint64_t *numbers, uint64_t *ret_number);

#endif
