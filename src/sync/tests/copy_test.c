/* SPDX-License-Identifier: ISC */
#include "client/keep.h"
#include "sync/copy.h"
#include "sync/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
assert_place(struct slice name, uint8_t delimiter, const char *expected)
{
    struct buffer place, again;

    buffer_init(&place, 4096);
    buffer_init(&again, 4096);
    assert_true(copy_put_place(&place, name, delimiter));
    buffer_put_byte(&place, '\0');
    assert_string_equal((const char *)buffer_slice(&place).at, expected);
    assert_true(copy_put_name(&again, slice_of_string(expected), delimiter));
    assert_true(slice_equal(buffer_slice(&again), name));
    buffer_finish(&place);
    buffer_finish(&again);
}

static void
names_become_places_and_back(void **state)
{
    (void)state;
    assert_place(SLICE("INBOX"), '/', "INBOX");
    assert_place(SLICE("Lists/c"), '/', "Lists/c");
    assert_place(SLICE("Lists.c"), '.', "Lists/c");
    assert_place(SLICE("a/b.c"), '.', "a%2Fb/c");
    assert_place(SLICE("Été 100%"), '/', "Été 100%25");
    assert_place(SLICE("../..//etc"), '/', "%2E./%2E./%/etc");
    assert_place(SLICE("cur/new/tmp/curt"), '/', "%63ur/%6Eew/%74mp/curt");
    assert_place(SLICE("a\nb"), '/', "a%0Ab");
    assert_place(SLICE("a/b"), 0, "a%2Fb");
}

static void
places_that_nothing_has_are_not_names(void **state)
{
    static const char *const wrong[] = {"",   "..",  ".hidden", "a/.b", "cur", "a/new",
                                        "%2", "%zz", "a%00b",   "a//b", "\xFF"};
    struct buffer out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        buffer_init(&out, 4096);
        assert_false(copy_put_name(&out, slice_of_string(wrong[i]), '/'));
        buffer_finish(&out);
    }
    buffer_init(&out, 4096);
    assert_false(copy_put_name(&out, SLICE("a%2Fb"), '/')); /* that is two levels */
    assert_false(copy_put_name(&out, SLICE("a/b"), 0));
    buffer_finish(&out);
}

static void
a_level_that_no_file_system_takes_is_refused(void **state)
{
    char level[300];
    struct buffer out;

    (void)state;
    memset(level, 'x', sizeof(level));
    buffer_init(&out, 4096);
    assert_true(copy_put_place(&out, slice_of(level, 240), '/'));
    assert_false(copy_put_place(&out, slice_of(level, 241), '/'));
    level[0] = '.';
    assert_false(copy_put_place(&out, slice_of(level, 240), '/'));
    buffer_finish(&out);
}

static void
folders_are_made_and_listed(void **state)
{
    char root[] = "/tmp/facteur-copy-XXXXXX", circle[64], command[64];
    struct client_problem problem = {0};
    struct copy_folders folders;
    struct arena arena;
    const char *path;

    (void)state;
    assert_non_null(mkdtemp(root));
    arena_init(&arena, 1 << 20);
    assert_false(copy_is_there(root));
    assert_true(copy_list(&arena, root, &folders, &problem));
    assert_int_equal(folders.count, 0);
    assert_true(copy_make_folder(&arena, root, "Work/2026", &path, &problem));
    assert_true(copy_make_folder(&arena, root, "INBOX", &path, &problem));
    assert_true(copy_make_folder(&arena, root, "Archive", &path, &problem));
    assert_true(copy_make_folder(&arena, root, "INBOX", &path, &problem));
    (void)snprintf(circle, sizeof(circle), "%s/circle", root);
    assert_int_equal(symlink(".", circle), 0);
    assert_true(copy_list(&arena, root, &folders, &problem));
    assert_int_equal(folders.count, 3); /* "Work" itself holds no messages */
    assert_string_equal(folders.folders[0].name, "INBOX");
    assert_string_equal(folders.folders[0].path, path);
    assert_string_equal(folders.folders[1].name, "Archive");
    assert_string_equal(folders.folders[2].name, "Work/2026");
    assert_int_equal(copy_delimiter(root), '/');
    arena_finish(&arena);
    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    assert_true(client_keep_pipe(command, SLICE(""), &problem));
}

/* A new root with the folders of a copy; and how it is removed. */
static void
make_root(char *root)
{
    static const char *const parts[] = {"/.facteur", "/.facteur/state", "/.facteur/tmp"};
    struct client_problem problem = {0};
    char path[100];

    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, parts[i]);
        assert_true(copy_make_path(path, &problem));
    }
}

static void
remove_root(const char *root)
{
    struct client_problem problem = {0};
    char command[120];

    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    assert_true(client_keep_pipe(command, SLICE(""), &problem));
}

static void
uids_of_files_are_known_after_a_run(void **state)
{
    char root[] = "/tmp/facteur-copy-XXXXXX";
    struct client_problem problem = {0};
    struct copy_uids *uids;
    struct state known;

    (void)state;
    make_root(root);
    assert_null(copy_uids_open(root, "INBOX"));
    assert_true(state_open(&known, root, "INBOX", false, &problem));
    state_begin(&known, 77);
    (void)state_pair(&known, 17, 0, "1.a.host");
    (void)state_pair(&known, 18, CLIENT_SEEN, "2.b.host");
    assert_true(state_commit(&known, &problem));
    state_finish(&known);
    uids = copy_uids_open(root, "INBOX");
    assert_non_null(uids);
    assert_int_equal(copy_uids_validity(uids), 77);
    assert_int_equal(copy_uids_find(uids, "2.b.host"), 18);
    assert_int_equal(copy_uids_find(uids, "3.c.host"), 0);
    copy_uids_close(&uids);
    assert_null(uids);
    copy_uids_close(&uids);
    remove_root(root);
}

static void
a_change_is_marked_until_a_run_is_done(void **state)
{
    char root[] = "/tmp/facteur-copy-XXXXXX", path[100];
    struct client_problem problem = {0};

    (void)state;
    make_root(root);
    assert_false(copy_is_changed(root));
    assert_true(copy_mark_changed(root, &problem));
    assert_true(copy_mark_changed(root, &problem));
    assert_true(copy_is_changed(root));
    (void)snprintf(path, sizeof(path), "%s/.facteur", root);
    remove_root(path); /* no copy any more */
    assert_false(copy_is_changed(root));
    assert_false(copy_mark_changed(root, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_FILE);
    remove_root(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_places_and_back),
        cmocka_unit_test(places_that_nothing_has_are_not_names),
        cmocka_unit_test(a_level_that_no_file_system_takes_is_refused),
        cmocka_unit_test(folders_are_made_and_listed),
        cmocka_unit_test(uids_of_files_are_known_after_a_run),
        cmocka_unit_test(a_change_is_marked_until_a_run_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
