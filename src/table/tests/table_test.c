/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lmdb.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "table/table.h"

struct setup {
    char folder[64];
    char path[96];
    struct table *table;
    struct buffer value;
};

static void
open_setup(struct setup *setup)
{
    *setup = (struct setup){.folder = "/tmp/facteur-table-XXXXXX"};
    assert_non_null(mkdtemp(setup->folder));
    snprintf(setup->path, sizeof(setup->path), "%s/table", setup->folder);
    buffer_init(&setup->value, TABLE_VALUE_MAX);
}

static void
close_setup(struct setup *setup)
{
    table_close(&setup->table);
    buffer_finish(&setup->value);
    unlink(setup->path);
    assert_int_equal(rmdir(setup->folder), 0);
}

/* Opens "t KIND PATH QUERY"; the bytes are for the kinds that take them. */
static const char *
open_table(struct setup *setup, const char *kind, const char *query, const char *bytes)
{
    static char why[TABLE_WHY_MAX + 1];
    struct table_spec spec;
    char text[512];

    table_close(&setup->table);
    snprintf(text, sizeof(text), "t %s %s %s", kind, setup->path, query);
    assert_null(table_spec_parse(slice_of_string(text), &spec));
    setup->table = table_open(&spec, slice_of_string(bytes), NULL, why);
    return setup->table ? NULL : why;
}

/* The value, "-" for none, or "?" and why it is temporary. */
static const char *
look_up(struct setup *setup, const char *key)
{
    static char text[TABLE_VALUE_MAX + 2];
    enum table_outcome outcome = table_look_up(setup->table, slice_of_string(key), &setup->value);
    struct slice value = buffer_slice(&setup->value);

    if (outcome == TABLE_TEMPORARY)
        snprintf(text, sizeof(text), "?%s", table_why(setup->table));
    else
        snprintf(text, sizeof(text), "%.*s", outcome == TABLE_FOUND ? (int)value.len : 1,
                 outcome == TABLE_FOUND ? (const char *)value.at : "-");
    return text;
}

static void
specs_are_understood_or_refused(void **state)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        {"vips file /etc/vips", NULL},
        {" vips\tregex  /etc/vips ", NULL},
        {"p sqlite /x.db SELECT hop FROM hops WHERE name = ?", NULL},
        {"p postgresql postgresql://h/db SELECT hop FROM hops WHERE name = $1", NULL},
        {"c ldap ldaps://h/dc=a?mail?sub?(uid=$1)", NULL},
        {"", "expected a name"},
        {"a/b file /x", "expected a name"},
        {"a files /x", "expected file, regex"},
        {"a file x", "expected an absolute path"},
        {"a file", "expected an absolute path"},
        {"a ldap", "expected a URL"},
        {"a sqlite /x", "expected a query"},
        {"a file /x y", "expected nothing"},
    };
    struct table_spec spec;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what = table_spec_parse(slice_of_string(rows[i].text), &spec);
        if (!rows[i].what)
            assert_null(what);
        else
            assert_true(what && strncmp(what, rows[i].what, strlen(rows[i].what)) == 0);
    }
    char text[4096];
    (void)snprintf(text, sizeof(text), "a file /%02048d", 0); /* one that would be cut */
    assert_true(strstr(table_spec_parse(slice_of_string(text), &spec), "of at most 2048"));
    text[strlen(text) - 1] = '\0';
    assert_null(table_spec_parse(slice_of_string(text), &spec));
    assert_null(table_spec_parse(slice_of_string(rows[2].text), &spec));
    assert_int_equal(spec.kind, TABLE_SQLITE);
    assert_false(table_takes_bytes(spec.kind) || table_is_remote(spec.kind));
    assert_true(slice_equal(spec.place, SLICE("/x.db")));
    assert_true(slice_equal(spec.query, SLICE("SELECT hop FROM hops WHERE name = ?")));
}

/* ---- constant databases -------------------------------------------------------------------- */

enum { CDB_HEAD = 2048, CDB_ROWS_MAX = 8 };

static uint32_t
cdb_hash(struct slice key)
{
    uint32_t hash = 5381;

    for (size_t i = 0; i < key.len; i++)
        hash = ((hash << 5) + hash) ^ key.at[i];
    return hash;
}

/* Makes one of rows of key and value: one hash table, twice as long as there are rows. */
static void
put_cdb(struct buffer *file, const struct slice (*rows)[2], size_t count)
{
    uint32_t heads[256][2] = {0};
    uint32_t places[CDB_ROWS_MAX];
    struct buffer body;

    buffer_init(&body, 65536);
    for (size_t i = 0; i < count; i++) {
        places[i] = CDB_HEAD + (uint32_t)buffer_len(&body);
        buffer_put_le32(&body, (uint32_t)rows[i][0].len);
        buffer_put_le32(&body, (uint32_t)rows[i][1].len);
        buffer_put(&body, rows[i][0]);
        buffer_put(&body, rows[i][1]);
    }
    for (uint32_t table = 0; table < 256; table++) {
        uint32_t slots[2 * CDB_ROWS_MAX][2] = {0}, used = 0, size;
        for (size_t i = 0; i < count; i++)
            used += cdb_hash(rows[i][0]) % 256 == table;
        size = heads[table][1] = 2 * used;
        heads[table][0] = CDB_HEAD + (uint32_t)buffer_len(&body);
        for (size_t i = 0; i < count; i++) {
            uint32_t hash = cdb_hash(rows[i][0]), slot = size ? hash / 256 % size : 0;
            if (hash % 256 != table)
                continue;
            while (slots[slot][1])
                slot = (slot + 1) % size;
            slots[slot][0] = hash;
            slots[slot][1] = places[i];
        }
        for (uint32_t i = 0; i < size; i++) {
            buffer_put_le32(&body, slots[i][0]);
            buffer_put_le32(&body, slots[i][1]);
        }
    }
    for (size_t i = 0; i < 256; i++) {
        buffer_put_le32(file, heads[i][0]);
        buffer_put_le32(file, heads[i][1]);
    }
    buffer_put(file, buffer_slice(&body));
    buffer_finish(&body);
}

static enum table_outcome
ask_cdb(struct slice file, const char *key, struct buffer *value)
{
    struct table_spec spec = {.kind = TABLE_CDB};
    char why[TABLE_WHY_MAX + 1];
    struct table *table = table_open(&spec, file, NULL, why);

    assert_non_null(table);
    enum table_outcome outcome = table_look_up(table, slice_of_string(key), value);
    table_close(&table);
    return outcome;
}

static void
rows_of_a_constant_database_are_found(void **state)
{
    static const struct slice rows[][2] = {
        {SLICE("a.test"), SLICE("smtp:[h]")}, {SLICE("with-nul\0"), SLICE("value\0")},
        {SLICE("twice"), SLICE("first")},     {SLICE("twice"), SLICE("second")},
        {SLICE(""), SLICE("empty")},          {SLICE("b.test"), SLICE("other")},
    };
    struct buffer file, value;
    char why[TABLE_WHY_MAX + 1];
    const struct table_spec spec = {.kind = TABLE_CDB};
    (void)state;

    buffer_init(&file, 65536);
    buffer_init(&value, TABLE_VALUE_MAX);
    put_cdb(&file, rows, COUNT_OF(rows));
    static const char *const cases[][2] = {
        {"a.test", "smtp:[h]"}, {"with-nul", "value"}, {"twice", "first"}, {"b.test", "other"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(ask_cdb(buffer_slice(&file), cases[i][0], &value), TABLE_FOUND);
        assert_true(slice_equal(buffer_slice(&value), slice_of_string(cases[i][1])));
    }
    assert_int_equal(ask_cdb(buffer_slice(&file), "A.test", &value), TABLE_NOT_FOUND);
    assert_int_equal(ask_cdb(buffer_slice(&file), "nobody", &value), TABLE_NOT_FOUND);
    assert_null(table_open(&spec, slice_first(buffer_slice(&file), CDB_HEAD - 1), NULL, why));
    /* Cut off anywhere it says that it is damaged, or what is right. */
    size_t damaged = 0;
    for (size_t len = CDB_HEAD; len < buffer_len(&file); len++) {
        enum table_outcome outcome =
            ask_cdb(slice_first(buffer_slice(&file), len), "a.test", &value);
        assert_true(outcome == TABLE_TEMPORARY || outcome == TABLE_FOUND);
        damaged += outcome == TABLE_TEMPORARY;
    }
    assert_true(damaged > 0);
    buffer_finish(&file);
    buffer_finish(&value);
}

static void
lines_of_a_file_are_found_in_any_case(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_null(open_table(&setup, "file", "",
                           "# ours\nA.test  smtp:[h] tls=may \r\nlonely\n"
                           "b.test one\nb.TEST two"));
    assert_string_equal(look_up(&setup, "a.TEST"), "smtp:[h] tls=may");
    assert_string_equal(look_up(&setup, "b.test"), "two");
    assert_string_equal(look_up(&setup, "lonely"), "-");
    assert_string_equal(look_up(&setup, ""), "-");
    assert_int_equal(table_problem_count(setup.table), 2);
    assert_int_equal(table_problem(setup.table, 0)->line, 3);
    assert_int_equal(table_problem(setup.table, 1)->line, 5);
    assert_null(table_problem(setup.table, 2));
    close_setup(&setup);
}

static void
patterns_catch_harmless_pieces_only(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_null(open_table(&setup, "regex", "",
                           "/^(.*)@old\\.test$/ $1@new.test\n"
                           "/^any@(.+)\\.(fr|com)$/ smtp:[mx.$1.$2] $$5\n"
                           "/(/ broken\n"
                           "/x/ $2\n"
                           "no slash\n"
                           "/^(a+)+$/ slow\n"));
    assert_string_equal(look_up(&setup, "Bob@OLD.test"), "Bob@new.test");
    assert_string_equal(look_up(&setup, "any@truc.fr"), "smtp:[mx.truc.fr] $5");
    assert_string_equal(look_up(&setup, "a,b@old.test"), "-");
    assert_string_equal(look_up(&setup, "a b@old.test"), "-");
    assert_string_equal(look_up(&setup, "any@x] tls=none.fr"), "-");
    assert_string_equal(look_up(&setup, "bob@older.test"), "-");
    assert_string_equal(look_up(&setup, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"),
                        "?a pattern takes too long for this key");
    assert_int_equal(table_problem_count(setup.table), 3);
    close_setup(&setup);
}

static void
values_of_patterns_may_have_slashes(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_null(open_table(&setup, "regex", "",
                           "/^list@/ lmtp:unix:/run/lists/lmtp\n"
                           "/^(.*)\\/here@/\t/var/mail/$1\n"
                           "/^a/b@/ of b\n"
                           "/^both@/ one/ two\n"
                           "/nothing/\n"
                           "/nothing\\/ behind it\n"
                           "/nothing/between\n"));
    assert_string_equal(look_up(&setup, "list@a.test"), "lmtp:unix:/run/lists/lmtp");
    assert_string_equal(look_up(&setup, "ann/here@a.test"), "/var/mail/ann");
    assert_string_equal(look_up(&setup, "a/b@a.test"), "of b");
    assert_string_equal(look_up(&setup, "both@a.test"), "one/ two");
    assert_string_equal(look_up(&setup, "nothing/between"), "-");
    assert_int_equal(table_problem_count(setup.table), 3);
    close_setup(&setup);
}

static void
make_database(const char *path, const char *statements)
{
    sqlite3 *database;

    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, statements, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void
a_key_never_becomes_part_of_a_query(void **state)
{
    static const char query[] = "SELECT value FROM names WHERE name = ?";
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_non_null(open_table(&setup, "sqlite", query, ""));
    make_database(setup.path, "CREATE TABLE names (name TEXT, value TEXT);"
                              "INSERT INTO names VALUES ('a', 'one'), ('a', 'two'), ('n', NULL),"
                              "  ('x'' OR 1=1 --', 'quoted');");
    assert_null(open_table(&setup, "sqlite", query, ""));
    assert_string_equal(look_up(&setup, "a"), "one, two");
    assert_string_equal(look_up(&setup, "b"), "-");
    assert_string_equal(look_up(&setup, "n"), "-");
    assert_string_equal(look_up(&setup, "b' OR 1=1 --"), "-");
    assert_string_equal(look_up(&setup, "x' OR 1=1 --"), "quoted");
    assert_non_null(open_table(&setup, "sqlite", "DELETE FROM names WHERE name = ?", ""));
    assert_non_null(open_table(&setup, "sqlite", "SELECT value FROM names", ""));
    assert_non_null(open_table(&setup, "sqlite", "SELECT nothing FROM names WHERE name = ?", ""));
    close_setup(&setup);
}

/* The bound on a query's steps is of each look-up, not of all together. */
static void
a_query_without_end_is_temporary_and_a_million_short_ones_are_not(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    make_database(setup.path, "CREATE TABLE names (name TEXT PRIMARY KEY, value TEXT);"
                              "INSERT INTO names VALUES ('a', 'one');");
    assert_null(open_table(&setup, "sqlite",
                           "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up) "
                           "SELECT n FROM up WHERE n = ?",
                           ""));
    assert_string_equal(look_up(&setup, "x"), "?the query fails: interrupted");
    assert_null(open_table(&setup, "sqlite",
                           "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up "
                           "WHERE n < 20000) SELECT count(*) FROM up, names WHERE name = ?",
                           ""));
    for (unsigned i = 0; i < 20; i++)
        assert_string_equal(look_up(&setup, "a"), "20000");
    close_setup(&setup);
}

static void
put(MDB_txn *transaction, MDB_dbi database, const char *key, size_t key_len, const char *value,
    size_t value_len)
{
    MDB_val name = {key_len, (void *)(uintptr_t)key}, data = {value_len, (void *)(uintptr_t)value};

    assert_int_equal(mdb_put(transaction, database, &name, &data, 0), 0);
}

static void
an_lmdb_file_is_read_with_and_without_final_nul(void **state)
{
    struct setup setup;
    MDB_env *environment;
    MDB_txn *transaction;
    MDB_dbi database;

    (void)state;
    open_setup(&setup);
    assert_non_null(open_table(&setup, "lmdb", "", ""));
    assert_int_equal(mdb_env_create(&environment), 0);
    assert_int_equal(mdb_env_open(environment, setup.path, MDB_NOSUBDIR | MDB_NOLOCK, 0600), 0);
    assert_int_equal(mdb_txn_begin(environment, NULL, 0, &transaction), 0);
    assert_int_equal(mdb_dbi_open(transaction, NULL, 0, &database), 0);
    put(transaction, database, "plain", 5, "one", 3);
    put(transaction, database, "ended", 6, "two", 4);
    assert_int_equal(mdb_txn_commit(transaction), 0);
    mdb_env_close(environment);
    assert_null(open_table(&setup, "lmdb", "", ""));
    assert_string_equal(look_up(&setup, "plain"), "one");
    assert_string_equal(look_up(&setup, "ended"), "two");
    assert_string_equal(look_up(&setup, "endeD"), "-");
    char long_key[TABLE_KEY_MAX];
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = 0;
    assert_string_equal(look_up(&setup, long_key), "-");
    close_setup(&setup);
}

/* Nobody listens there: mail waits, and the program goes on. */
static void
a_server_that_is_not_there_is_temporary(void **state)
{
    static const char *const texts[] = {
        "d postgresql postgresql://127.0.0.1:1/db SELECT value FROM names WHERE name = $1",
        "d ldap ldap://127.0.0.1:1/dc=a,dc=test?mail?sub?(uid=$1)",
    };
    char why[TABLE_WHY_MAX + 1];
    struct table_spec spec;
    struct setup setup;

    (void)state;
    open_setup(&setup);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_null(table_spec_parse(slice_of_string(texts[i]), &spec));
        assert_true(table_is_remote(spec.kind));
        setup.table = table_open(&spec, SLICE(""), NULL, why);
        assert_non_null(setup.table);
        assert_true(strncmp(look_up(&setup, "a"), "?no connection: ", 16) == 0);
        table_close(&setup.table);
    }
    assert_null(table_spec_parse(SLICE("d ldap ldap://127.0.0.1/dc=a?mail?sub?(uid=x)"), &spec));
    assert_null(table_open(&spec, SLICE(""), NULL, why));
    assert_null(table_spec_parse(SLICE("d postgresql nonsense SELECT $1"), &spec));
    assert_null(table_open(&spec, SLICE(""), NULL, why));
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_are_understood_or_refused),
        cmocka_unit_test(rows_of_a_constant_database_are_found),
        cmocka_unit_test(lines_of_a_file_are_found_in_any_case),
        cmocka_unit_test(patterns_catch_harmless_pieces_only),
        cmocka_unit_test(values_of_patterns_may_have_slashes),
        cmocka_unit_test(a_key_never_becomes_part_of_a_query),
        cmocka_unit_test(a_query_without_end_is_temporary_and_a_million_short_ones_are_not),
        cmocka_unit_test(an_lmdb_file_is_read_with_and_without_final_nul),
        cmocka_unit_test(a_server_that_is_not_there_is_temporary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
