/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/put.h"
#include "host/linux/linux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char first[] = "From a@b.test Thu Jan  1 00:00:00 1970\nSubject: x\n\nHello\n\n";

struct place {
    struct host *host;
    struct host_dir *dir;
    char path[64];
    char box[80];
    struct buffer problem;
};

static int
open_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    memcpy(place->path, "/tmp/put_XXXXXX", sizeof("/tmp/put_XXXXXX"));
    assert_non_null(mkdtemp(place->path));
    snprintf(place->box, sizeof(place->box), "%s/box", place->path);
    assert_int_equal(host_linux_open(&place->host), 0);
    assert_int_equal(host_dir_open(place->host, place->path, &place->dir), 0);
    buffer_init(&place->problem, 200);
    *state = place;
    return 0;
}

static int
close_place(void **state)
{
    struct place *place = *state;

    (void)!host_dir_remove(place->dir, "box");
    (void)!host_dir_remove(place->dir, "box.lock");
    host_dir_close(&place->dir);
    host_linux_close(&place->host);
    buffer_finish(&place->problem);
    assert_int_equal(rmdir(place->path), 0);
    free(place);
    return 0;
}

static enum put_result
put(struct place *place)
{
    struct put_message message = {
        .path = place->box,
        .user = "",
        .sender = SLICE("a@b.test"),
        .message = SLICE("Subject: x\r\n\r\nHello\r\n"),
        .hostname = SLICE("host.test"),
    };

    return put_mbox(place->host, &message, &place->problem);
}

static void
write_file(struct place *place, const char *name, const char *text)
{
    struct host_file *file;
    struct slice bytes = slice_of_string(text);

    assert_int_equal(host_file_open(place->dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file),
                     0);
    assert_int_equal(host_file_truncate(file, 0), 0);
    assert_int_equal(host_file_write(file, &bytes, 1, 0), 0);
    host_file_close(&file);
}

/* The box is these two, one behind the other. */
static void
assert_box(struct place *place, const char *before, const char *after)
{
    char is[1000], want[1000];
    struct host_file *file;

    snprintf(want, sizeof(want), "%s%s", before, after);
    assert_int_equal(host_file_open(place->dir, "box", HOST_FILE_READ, &file), 0);
    int64_t len = host_file_read(file, is, sizeof(is) - 1, 0);
    assert_true(len >= 0);
    is[len] = 0;
    assert_string_equal(is, want);
    host_file_close(&file);
}

static bool
has_lock(struct place *place)
{
    struct host_file_info info;
    return host_dir_find(place->dir, "box.lock", &info) == 0;
}

static void
a_box_is_made_and_grows(void **state)
{
    assert_int_equal(put(*state), PUT_DONE);
    assert_box(*state, "", first);
    assert_int_equal(put(*state), PUT_DONE);
    assert_box(*state, first, first);
    assert_false(has_lock(*state));
}

static void
a_letter_begins_behind_an_empty_line(void **state)
{
    static const char *const before[][2] = {{"x", "x\n\n"}, {"x\n", "x\n\n"}, {"x\n\n", "x\n\n"}};

    for (size_t i = 0; i < COUNT_OF(before); i++) {
        write_file(*state, "box", before[i][0]);
        assert_int_equal(put(*state), PUT_DONE);
        assert_box(*state, before[i][1], first);
    }
}

static void
locks_of_others_hold(void **state)
{
    static const char *const texts[] = {"", "0", "1234\n", "facteur", "facteur 12 x"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        write_file(*state, "box.lock", texts[i]);
        assert_int_equal(put(*state), PUT_BUSY);
        assert_true(has_lock(*state));
    }
}

static void
a_lock_that_a_dead_process_left_holds_nobody_up(void **state)
{
    write_file(*state, "box.lock", "facteur 0 0\n");
    assert_int_equal(put(*state), PUT_DONE);
    assert_box(*state, "", first);
    assert_false(has_lock(*state));
}

static void
a_lock_of_ours_holds_while_its_process_lives(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    int ready[2];
    char byte = 0;

    write_file(place, "box.lock", "facteur 0 0\n");
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        bool is_held = host_file_open(place->dir, "box.lock", HOST_FILE_WRITE, &file) == 0 &&
                       host_file_lock_record(file) == 0 && write(ready[1], "x", 1) == 1;
        pause();
        _exit(is_held);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(put(place), PUT_BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(put(place), PUT_DONE);
    close(ready[0]);
    close(ready[1]);
}

static void
half_a_letter_of_a_dead_process_is_cut_off(void **state)
{
    static const char *const halves[] = {
        "F", "From ", "From a@b.test Thu J",
        "From a@b.test Thu Jan  1 00:00:00 1970\nSubject: half\n\nHe"};
    char text[200];

    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        snprintf(text, sizeof(text), "before\n\n%s", halves[i]);
        write_file(*state, "box", text);
        write_file(*state, "box.lock", "facteur 8 100\n");
        assert_int_equal(put(*state), PUT_DONE);
        assert_box(*state, "before\n\n", first);
    }
}

/* Whole letters, and whatever another program has written since, stay. */
static void
nothing_else_is_cut_off(void **state)
{
    static const struct {
        const char *box, *lock;
    } cases[] = {
        {"before\n\nFrom a@b whole\n\n", "facteur 8 16\n"},
        {"before\n\nFrom a@b half\n\nFrom c@d other\n\n", "facteur 8 100\n"},
        {"before\n\nwritten anew\n\n", "facteur 8 100\n"},
        {"less\n\n", "facteur 8 100\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        write_file(*state, "box", cases[i].box);
        write_file(*state, "box.lock", cases[i].lock);
        assert_int_equal(put(*state), PUT_DONE);
        assert_box(*state, cases[i].box, first);
    }
}

/* It may be a file of somebody else, who does not know. */
static void
a_box_with_two_names_is_left_alone(void **state)
{
    struct place *place = *state;
    char other[80];

    write_file(place, "box", "before\n\n");
    snprintf(other, sizeof(other), "%s/other", place->path);
    assert_int_equal(link(place->box, other), 0);
    assert_int_equal(put(place), PUT_MISPLACED);
    assert_box(place, "before\n\n", "");
    assert_false(has_lock(place));
    assert_int_equal(unlink(other), 0);
    assert_int_equal(put(place), PUT_DONE);
    assert_box(place, "before\n\n", first);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        CASE(a_box_is_made_and_grows),
        CASE(a_letter_begins_behind_an_empty_line),
        CASE(locks_of_others_hold),
        CASE(a_lock_that_a_dead_process_left_holds_nobody_up),
        CASE(a_lock_of_ours_holds_while_its_process_lives),
        CASE(half_a_letter_of_a_dead_process_is_cut_off),
        CASE(nothing_else_is_cut_off),
        CASE(a_box_with_two_names_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
