/* SPDX-License-Identifier: ISC */
#include "sync/state.h"

#include "sync/copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/facteur-state-XXXXXX";
static struct client_problem problem;

static int
make_root(void **state)
{
    char path[64];

    (void)state;
    memcpy(strrchr(root, '-') + 1, "XXXXXX", 6);
    if (!mkdtemp(root))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/.facteur/state", root);
    return copy_make_path(path, &problem) ? 0 : -1;
}

static int
remove_root(void **state)
{
    static const char *const below[] = {"/.facteur/state/a%.b", "/.facteur/state/.new",
                                        "/.facteur/state", "/.facteur", ""};
    char path[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(below); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, below[i]);
        (void)remove(path);
    }
    return 0;
}

static struct state
open_state(bool is_dry)
{
    struct state state;

    assert_true(state_open(&state, root, "a/b", is_dry, &problem));
    return state;
}

static void
what_was_said_is_read_again(void **unused)
{
    const struct state_end end = {.modseq = 77, .uid_next = 12, .messages = 2};
    struct state state = open_state(false);

    (void)unused;
    assert_false(state.is_known);
    state_begin(&state, 1234);
    state_pair(&state, 7, CLIENT_SEEN, "one");
    state_pair(&state, 8, 0, "two");
    state_deleting(&state, state_pair(&state, 9, STATE_PASSED, "three"));
    state_forget(&state, state_of_file(&state, "two"));
    assert_true(state_sending(&state, &(struct state_sent){.size = 5, .file = "one"}, &problem));
    assert_true(state_sending(
        &state, &(struct state_sent){.flags = 1, .size = 5, .header = UINT64_MAX, .file = "x y"},
        &problem));
    state_finish(&state);

    state = open_state(false);
    assert_true(state.is_known);
    assert_true(state.has_dying && state_of_uid(&state, 9)->is_dying);
    assert_int_equal(state.sent_count, 1); /* "one" has its answer */
    assert_string_equal(state.sent[0].file, "x y");
    assert_int_equal(state.sent[0].header, UINT64_MAX);
    assert_int_equal(state.end.modseq, 0);
    state_pair(&state, 7, CLIENT_SEEN | CLIENT_DRAFT, "one");
    assert_true(state_done(&state, end, &problem));
    state_finish(&state);

    state = open_state(false);
    assert_int_equal(state.sent_count, 0);
    assert_int_equal(state.validity, 1234);
    assert_memory_equal(&state.end, &end, sizeof(end));
    assert_int_equal(state_of_uid(&state, 7)->flags, CLIENT_SEEN | CLIENT_DRAFT);
    assert_int_equal(state_of_file(&state, "three")->uid, 9);
    assert_null(state_of_uid(&state, 8));
    assert_true(state_sending(&state, &(struct state_sent){.file = "z"}, &problem));
    state_resolved(&state);
    assert_true(state_commit(&state, &problem));
    state_finish(&state);

    state = open_state(false);
    assert_int_equal(state.sent_count, 0);
    state_begin(&state, 99);
    assert_null(state_of_uid(&state, 7));
    state_finish(&state);
}

static void
a_uid_and_a_file_have_one_partner_each(void **unused)
{
    struct state state = open_state(false);

    (void)unused;
    state_pair(&state, 1, 0, "one");
    state_pair(&state, 2, 0, "two");
    state_pair(&state, 1, 0, "two");
    assert_null(state_of_uid(&state, 2));
    assert_null(state_of_file(&state, "one"));
    assert_ptr_equal(state_of_uid(&state, 1), state_of_file(&state, "two"));
    assert_int_equal(state.count - state.forgotten, 1);
    state_finish(&state);
}

/* Whatever stands in the file: what is read of it is the beginning that is whole. */
static void
a_file_that_is_cut_off_is_read_as_far_as_it_goes(void **unused)
{
    char path[64], text[256];
    struct state state = open_state(false);

    (void)unused;
    state_begin(&state, 5);
    for (uint32_t uid = 1; uid <= 5; uid++)
        state_pair(&state, uid, 0, (char[]){(char)('a' + uid), '\0'});
    assert_true(state_commit(&state, &problem));
    (void)snprintf(path, sizeof(path), "%s", state.path);
    state_finish(&state);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    for (size_t cut = len; cut-- > 0;) {
        assert_int_equal(truncate(path, (off_t)cut), 0);
        state = open_state(false);
        size_t lines = 0;
        for (size_t i = 0; i < cut; i++)
            lines += text[i] == '\n' && i > 0 && memchr(text, '+', i);
        assert_int_equal(state.count, lines);
        state_finish(&state);
    }
}

static void
a_dry_state_writes_nothing(void **unused)
{
    struct state state = open_state(true);

    (void)unused;
    state_begin(&state, 5);
    state_pair(&state, 1, 0, "one");
    assert_true(state_commit(&state, &problem));
    assert_int_equal(access(state.path, F_OK), -1);
    state_finish(&state);
}

static void
many_changes_do_not_make_the_file_long(void **unused)
{
    struct state state = open_state(false);
    struct stat info;
    char name[16];

    (void)unused;
    state_begin(&state, 5);
    for (uint32_t uid = 1; uid < 5000; uid++) {
        (void)snprintf(name, sizeof(name), "f%u", uid);
        state_forget(&state, state_pair(&state, uid, 0, name));
    }
    assert_true(state_commit(&state, &problem));
    assert_true(state_done(&state, (struct state_end){.uid_next = 5000}, &problem));
    assert_int_equal(stat(state.path, &info), 0);
    assert_true(info.st_size < 200);
    state_finish(&state);
}

static void
folders_with_a_state_are_listed_until_it_is_removed(void **unused)
{
    struct state state = open_state(false);
    struct state_places places;
    struct arena arena;

    (void)unused;
    arena_init(&arena, 1 << 20);
    assert_true(state_commit(&state, &problem));
    assert_true(state_list(&arena, root, &places, &problem));
    assert_int_equal(places.count, 1);
    assert_string_equal(places.places[0], "a/b");
    state_remove(&state);
    assert_true(state_list(&arena, root, &places, &problem));
    assert_int_equal(places.count, 0);
    state_finish(&state);
    arena_finish(&arena);
}

static void
a_name_that_is_none_ends_what_is_read(void **unused)
{
    static const char *const names[] = {"x\0y", "../x"};
    char path[64];
    struct state state = open_state(false);

    (void)unused;
    state_begin(&state, 5);
    state_pair(&state, 1, 0, "a");
    assert_true(state_commit(&state, &problem));
    (void)snprintf(path, sizeof(path), "%s", state.path);
    state_finish(&state);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        FILE *file = fopen(path, "a");
        assert_non_null(file);
        assert_true(fputs("+ 2 0 ", file) >= 0);
        assert_int_equal(fwrite(names[i], 1, i == 0 ? 3 : 4, file), i == 0 ? 3 : 4);
        assert_true(fputs("\n+ 3 0 c\n", file) >= 0);
        fclose(file);
        state = open_state(true);
        assert_int_equal(state.count, 1);
        state_finish(&state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_said_is_read_again, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_uid_and_a_file_have_one_partner_each, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_file_that_is_cut_off_is_read_as_far_as_it_goes, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_name_that_is_none_ends_what_is_read, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_dry_state_writes_nothing, make_root, remove_root),
        cmocka_unit_test_setup_teardown(many_changes_do_not_make_the_file_long, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(folders_with_a_state_are_listed_until_it_is_removed,
                                        make_root, remove_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
