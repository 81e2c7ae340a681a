/* SPDX-License-Identifier: ISC */
/* One LMDB file. It is read without LMDB's lock file, which a reader would have to write: whoever
 * changes the table writes a new file and renames it into place. */
#include "table/table_private.h"

#include <lmdb.h>
#include <stdlib.h>

enum { PATH_OCTETS_MAX = 4096 };

struct lmdb {
    MDB_env *environment;
    MDB_dbi database;
};

static void
close_lmdb(void *state)
{
    struct lmdb *lmdb = state;

    mdb_env_close(lmdb->environment);
    free(lmdb);
}

static int
open_database(struct lmdb *lmdb, const char *path)
{
    MDB_txn *transaction = NULL;
    int error = mdb_env_open(lmdb->environment, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0);

    if (error == 0)
        error = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (error)
        return error;
    error = mdb_dbi_open(transaction, NULL, 0, &lmdb->database);
    if (error == 0)
        return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return error;
}

static bool
open_lmdb(struct table *table, const struct table_spec *spec, struct slice bytes,
          const struct table_login *login)
{
    struct lmdb *lmdb = calloc(1, sizeof(*lmdb));
    char path[PATH_OCTETS_MAX];

    (void)bytes;
    (void)login;
    if (!lmdb || mdb_env_create(&lmdb->environment) != 0)
        abort();
    snprintf(path, sizeof(path), "%.*s", (int)spec->place.len, (const char *)spec->place.at);
    int error = open_database(lmdb, path);
    if (error) {
        table_say_why(table, "the database cannot be opened", mdb_strerror(error));
        close_lmdb(lmdb);
        return false;
    }
    table->state = lmdb;
    return true;
}

/* Some programs count the NUL behind a C string to the key, and to the value. */
static int
get(const struct lmdb *lmdb, MDB_txn *transaction, struct slice key, MDB_val *value)
{
    char with_nul[TABLE_KEY_MAX + 1] = "";
    MDB_val name = {key.len, (void *)(uintptr_t)key.at};
    int error = mdb_get(transaction, lmdb->database, &name, value);

    if (error != MDB_NOTFOUND)
        return error;
    memcpy(with_nul, key.at, key.len);
    name = (MDB_val){key.len + 1, with_nul};
    return mdb_get(transaction, lmdb->database, &name, value);
}

static enum table_outcome
look_up_lmdb(struct table *table, struct slice key, struct buffer *ret_value)
{
    struct lmdb *lmdb = table->state;
    MDB_txn *transaction;
    MDB_val value;

    if (key.len >= (size_t)mdb_env_get_maxkeysize(lmdb->environment))
        return TABLE_NOT_FOUND;
    int error = mdb_txn_begin(lmdb->environment, NULL, MDB_RDONLY, &transaction);
    if (error == 0) {
        error = get(lmdb, transaction, key, &value);
        if (error == 0) {
            struct slice text = slice_of(value.mv_data, value.mv_size);
            buffer_put(ret_value, slice_first(text, slice_find_byte(text, 0)));
        }
        mdb_txn_abort(transaction);
    }
    if (error == 0)
        return TABLE_FOUND;
    if (error == MDB_NOTFOUND)
        return TABLE_NOT_FOUND;
    table_say_why(table, "the database cannot be read", mdb_strerror(error));
    return TABLE_TEMPORARY;
}

const struct table_driver table_driver_lmdb = {
    .open = open_lmdb, .look_up = look_up_lmdb, .close = close_lmdb};
