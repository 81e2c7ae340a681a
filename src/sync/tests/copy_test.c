/* SPDX-License-Identifier: ISC */
#include "client/keep.h"
#include "sync/copy.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_places_and_back),
        cmocka_unit_test(places_that_nothing_has_are_not_names),
        cmocka_unit_test(a_level_that_no_file_system_takes_is_refused),
        cmocka_unit_test(folders_are_made_and_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
