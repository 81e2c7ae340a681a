/* SPDX-License-Identifier: ISC */
/* Letter boxes of this machine, as other programs find them while we work on them. Folders of
 * servers: tests/interop/desk.py. */
#include "client/folder.h"
#include "client/keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char folder[64], path[96];
};

static struct place
new_place(const char *name)
{
    struct place place = {.folder = "/tmp/facteur-folder-XXXXXX"};

    assert_non_null(mkdtemp(place.folder));
    (void)snprintf(place.path, sizeof(place.path), "%s/%s", place.folder, name);
    return place;
}

static void
remove_place(const struct place *place)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -r '%s'", place->folder);
    struct client_problem problem = {0};
    assert_true(client_keep_pipe(command, SLICE(""), &problem));
}

static void
keep(const struct place *place, enum client_keep_kind kind, const char *subject)
{
    struct client_problem problem = {0};
    char message[256];

    (void)snprintf(message, sizeof(message), "From: a@b.test\r\nSubject: %s\r\n\r\nFrom here\r\n",
                   subject);
    if (!client_keep(place->path, kind, slice_of_string(message), 0, &problem))
        assert_string_equal(problem.text, "");
}

static struct client_folder *
open_place(const struct place *place)
{
    struct client_folder_place at = {.path = place->path};
    struct client_problem problem = {0};
    struct client_folder *folder = client_folder_open(&at, &problem);

    assert_string_equal(problem.text, "");
    assert_non_null(folder);
    return folder;
}

static void
assert_subject(struct client_folder *folder, size_t index, const char *subject)
{
    struct client_problem problem = {0};
    struct buffer message;
    char line[128];

    buffer_init(&message, 1 << 16);
    assert_true(client_folder_read(folder, index, &message, &problem));
    (void)snprintf(line, sizeof(line), "\r\nSubject: %s\r\n", subject);
    struct slice content = buffer_slice(&message);
    assert_true(slice_find(content, slice_of_string(line)) < content.len);
    assert_true(slice_ends_with(content, SLICE("\r\n\r\nFrom here\r\n")));
    buffer_finish(&message);
}

static void
flag(struct client_folder *folder, size_t index, uint32_t add, uint32_t remove)
{
    struct client_problem problem = {0};
    struct client_chosen one = {.indexes = &index, .count = 1};

    assert_true(client_folder_flag(folder, one, add, remove, &problem));
}

/* The same for both kinds. */
static void
work_through(enum client_keep_kind kind, const char *name)
{
    struct place place = new_place(name);
    struct client_problem problem = {0};
    size_t second = 1;
    struct client_chosen chosen = {.indexes = &second, .count = 1};

    keep(&place, kind, "one");
    assert_int_equal(client_keep_kind_of(place.path), kind);
    keep(&place, kind, "two");
    keep(&place, kind, "three");
    struct client_folder *folder = open_place(&place);
    assert_int_equal(client_folder_count(folder), 3);
    flag(folder, 0, CLIENT_SEEN | CLIENT_FLAGGED, 0);
    flag(folder, 0, CLIENT_ANSWERED, CLIENT_FLAGGED);
    assert_true(client_folder_delete(folder, chosen, &problem));
    keep(&place, kind, "four"); /* delivered meanwhile */
    assert_true(client_folder_finish(folder, &problem));
    client_folder_close(&folder);
    folder = open_place(&place);
    assert_int_equal(client_folder_count(folder), 3);
    assert_int_equal(client_folder_letter(folder, 0)->flags, CLIENT_SEEN | CLIENT_ANSWERED);
    assert_subject(folder, 0, "one");
    assert_subject(folder, 1, "three");
    assert_subject(folder, 2, "four");
    size_t index;
    assert_true(client_folder_find(folder, client_folder_letter(folder, 2)->id, &index));
    assert_int_equal(index, 2);
    assert_false(client_folder_find(folder, 99, &index));
    client_folder_close(&folder);
    remove_place(&place);
}

static void
test_an_mbox_is_read_and_changed(void **state)
{
    (void)state;
    work_through(CLIENT_KEEP_MBOX, "inbox");
}

static void
test_a_maildir_is_read_and_changed(void **state)
{
    (void)state;
    work_through(CLIENT_KEEP_MAILDIR, "maildir");
}

static void
test_a_file_moves_to_another_maildir_under_its_name(void **state)
{
    struct place place = new_place("maildir");
    struct client_problem problem = {0};
    size_t index = 0;
    struct client_chosen chosen = {.indexes = &index, .count = 1};
    char unique[256], path[128];

    (void)state;
    keep(&place, CLIENT_KEEP_MAILDIR, "one");
    struct client_folder *folder = open_place(&place);
    flag(folder, 0, CLIENT_FLAGGED, 0);
    (void)snprintf(unique, sizeof(unique), "%s", client_folder_letter(folder, 0)->unique);
    (void)snprintf(path, sizeof(path), "%s/other", place.folder);
    assert_true(client_folder_can_move(folder));
    assert_true(client_folder_move(folder, chosen, path, &problem));
    client_folder_close(&folder);
    folder = open_place(&place);
    assert_int_equal(client_folder_count(folder), 0);
    client_folder_close(&folder);
    (void)snprintf(place.path, sizeof(place.path), "%s/other", place.folder);
    folder = open_place(&place);
    assert_int_equal(client_folder_count(folder), 1);
    assert_string_equal(client_folder_letter(folder, 0)->unique, unique);
    assert_int_equal(client_folder_letter(folder, 0)->flags, CLIENT_FLAGGED);
    client_folder_close(&folder);
    remove_place(&place);
}

static void
test_an_mbox_that_somebody_rewrote_is_left_alone(void **state)
{
    struct place place = new_place("inbox");
    struct client_problem problem = {0};
    size_t first = 0;
    struct client_chosen chosen = {.indexes = &first, .count = 1};

    (void)state;
    keep(&place, CLIENT_KEEP_MBOX, "one");
    struct client_folder *folder = open_place(&place);
    assert_int_equal(truncate(place.path, 0), 0);
    keep(&place, CLIENT_KEEP_MBOX, "another");
    assert_true(client_folder_delete(folder, chosen, &problem));
    assert_false(client_folder_finish(folder, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_TEMPORARY);
    client_folder_close(&folder);
    folder = open_place(&place);
    assert_subject(folder, 0, "another");
    client_folder_close(&folder);
    remove_place(&place);
}

/* ---- what others see of the lock ----------------------------------------------------------- */

static bool is_watched, was_locked;

/* As another program finds it: one's own locks are no locks. */
static bool
is_locked(const char *path)
{
    struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        int descriptor = open(path, O_RDWR | O_CLOEXEC);
        bool is_known = descriptor >= 0 && fcntl(descriptor, F_GETLK, &record) == 0;
        _exit(is_known && record.l_type != F_UNLCK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* Stands for libc's: the moment at which the new file takes the place of the old one. */
int
rename(const char *from, const char *to)
{
    was_locked = is_watched && is_locked(to);
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static void
test_an_mbox_stays_locked_until_it_is_replaced(void **state)
{
    struct place place = new_place("inbox");
    struct client_problem problem = {0};

    (void)state;
    keep(&place, CLIENT_KEEP_MBOX, "one");
    struct client_folder *folder = open_place(&place);
    flag(folder, 0, CLIENT_SEEN, 0);
    is_watched = true;
    assert_true(client_folder_finish(folder, &problem));
    is_watched = false;
    assert_true(was_locked);
    client_folder_close(&folder);
    remove_place(&place);
}

/* ---- names and letters that are not whole --------------------------------------------------- */

static void
append(const struct place *place, const char *text)
{
    FILE *file = fopen(place->path, "ae");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
test_a_letter_that_was_still_coming_is_not_cut(void **state)
{
    static const char *const rests[] = {"ine\n\n", "From \n", "\nand more\n"};
    struct client_problem problem;
    size_t second = 1;
    struct client_chosen chosen = {.indexes = &second, .count = 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rests); i++) {
        struct place place = new_place("inbox");
        problem = (struct client_problem){0};
        keep(&place, CLIENT_KEEP_MBOX, "one");
        append(&place, "From a@b.test Sat Nov 21 11:00:00 2026\nSubject: two\n\nhalf a l");
        struct client_folder *folder = open_place(&place);
        assert_int_equal(client_folder_count(folder), 2);
        append(&place, rests[i]);
        assert_true(client_folder_delete(folder, chosen, &problem));
        assert_false(client_folder_finish(folder, &problem));
        assert_int_equal(problem.kind, CLIENT_PROBLEM_TEMPORARY);
        client_folder_close(&folder);
        folder = open_place(&place);
        assert_int_equal(client_folder_count(folder), 2);
        assert_subject(folder, 0, "one");
        client_folder_close(&folder);
        remove_place(&place);
    }
}

/* The only file of a Maildir gets this name. */
static void
name_file(const struct place *place, const char *name)
{
    char path[128], from[512], to[512];
    struct dirent *entry;

    (void)snprintf(path, sizeof(path), "%s/new", place->path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    do
        entry = readdir(dir);
    while (entry && entry->d_name[0] == '.');
    assert_non_null(entry);
    (void)snprintf(from, sizeof(from), "%s/%s", path, entry->d_name);
    (void)snprintf(to, sizeof(to), "%s/%s", path, name);
    closedir(dir);
    assert_int_equal(rename(from, to), 0);
}

static void
test_a_letter_that_moves_replaces_no_other_of_its_name(void **state)
{
    struct place mine = new_place("maildir"), other = mine;
    struct client_problem problem = {0};
    size_t first = 0;
    struct client_chosen chosen = {.indexes = &first, .count = 1};

    (void)state;
    (void)snprintf(other.path, sizeof(other.path), "%s/other", mine.folder);
    keep(&mine, CLIENT_KEEP_MAILDIR, "one");
    keep(&other, CLIENT_KEEP_MAILDIR, "two");
    name_file(&mine, "1.same.name");
    name_file(&other, "1.same.name");
    struct client_folder *folder = open_place(&mine);
    assert_true(client_folder_move(folder, chosen, other.path, &problem));
    client_folder_close(&folder);
    folder = open_place(&mine);
    assert_int_equal(client_folder_count(folder), 0);
    client_folder_close(&folder);
    folder = open_place(&other);
    assert_int_equal(client_folder_count(folder), 2);
    assert_subject(folder, 0, "two");
    assert_subject(folder, 1, "one");
    client_folder_close(&folder);
    remove_place(&mine);
}

static void
test_a_file_that_another_reader_renamed_is_found_again(void **state)
{
    struct place place = new_place("maildir");

    (void)state;
    keep(&place, CLIENT_KEEP_MAILDIR, "one");
    struct client_folder *mine = open_place(&place), *other = open_place(&place);
    flag(other, 0, CLIENT_SEEN, 0);
    assert_subject(mine, 0, "one");
    flag(mine, 0, CLIENT_FLAGGED, 0);
    client_folder_close(&mine);
    client_folder_close(&other);
    other = open_place(&place);
    assert_int_equal(client_folder_letter(other, 0)->flags, CLIENT_SEEN | CLIENT_FLAGGED);
    client_folder_close(&other);
    remove_place(&place);
}

static void
test_what_is_no_box_is_told(void **state)
{
    struct place place = new_place("file");
    struct client_folder_place at = {.path = place.path};
    struct client_problem problem = {0};

    (void)state;
    assert_null(client_folder_open(&at, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_MISSING);
    problem = (struct client_problem){0};
    at.path = "/etc/passwd";
    assert_null(client_folder_open(&at, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_FILE);
    problem = (struct client_problem){0};
    at.path = place.folder;
    assert_null(client_folder_open(&at, &problem));
    assert_int_equal(problem.kind, CLIENT_PROBLEM_FILE);
    problem = (struct client_problem){0};
    assert_false(client_keep_pipe("exit 3", SLICE(""), &problem));
    remove_place(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_mbox_is_read_and_changed),
        cmocka_unit_test(test_a_maildir_is_read_and_changed),
        cmocka_unit_test(test_a_file_moves_to_another_maildir_under_its_name),
        cmocka_unit_test(test_an_mbox_that_somebody_rewrote_is_left_alone),
        cmocka_unit_test(test_an_mbox_stays_locked_until_it_is_replaced),
        cmocka_unit_test(test_a_letter_that_was_still_coming_is_not_cut),
        cmocka_unit_test(test_a_letter_that_moves_replaces_no_other_of_its_name),
        cmocka_unit_test(test_a_file_that_another_reader_renamed_is_found_again),
        cmocka_unit_test(test_what_is_no_box_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
