/* SPDX-License-Identifier: ISC */
/* Letter boxes written by outbox.h and read again by box.h, on a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tool/box.h"
#include "tool/files.h"
#include "tool/outbox.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { UID_VALIDITY = 77 };

static const struct {
    uint32_t uid, flags;
    const char *content;
} letters[] = {
    {3, BOX_SEEN, "Return-Path: <a@b>\r\nStatus: RO\r\nSubject: one\r\n\r\nFrom here\r\n>From\r\n"},
    {4, 0, "Subject: two\r\n\r\n"},
    {9, BOX_SEEN | BOX_FLAGGED | BOX_ANSWERED,
     "Status: R\r\nX-Status: AF\r\nSubject: three\r\n\r\n.\r\n\r\nFrom\r\n"},
};

struct place {
    char folder[64];
    char *path;
};

static int
make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    snprintf(place->folder, sizeof(place->folder), "/tmp/facteur-box-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    place->path = files_path(place->folder, "box");
    *state = place;
    return 0;
}

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static int
remove_place(void **state)
{
    enum { DESCRIPTORS_MAX = 8 };
    struct place *place = *state;

    assert_int_equal(nftw(place->folder, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS), 0);
    free(place->path);
    free(place);
    return 0;
}

/* Writes letters [from, to) to the box. */
static void
write_letters(const struct place *place, enum outbox_kind kind, size_t from, size_t to,
              bool is_complete)
{
    struct outbox *outbox;

    assert_int_equal(outbox_open(place->path, kind, UID_VALIDITY, &outbox), EX_OK);
    for (size_t i = from; i < to; i++) {
        struct outbox_message message = {.uid = letters[i].uid,
                                         .flags = letters[i].flags,
                                         .received = {1700000000000000000},
                                         .content = slice_of_string(letters[i].content)};
        assert_int_equal(outbox_put(outbox, &message), EX_OK);
    }
    if (is_complete)
        assert_int_equal(outbox_complete(outbox), EX_OK);
    outbox_close(&outbox);
}

static void
read_letters(const struct place *place, enum box_kind kind)
{
    struct box *box;
    struct box_message message;
    int code;
    size_t count = 0;

    assert_int_equal(box_open(place->path, BOX_ANY, &box), EX_OK);
    while (box_next(box, &message, &code)) {
        size_t i = 0;
        while (i < COUNT_OF(letters) &&
               !slice_equal(message.content, slice_of_string(letters[i].content)))
            i++;
        assert_true(i < COUNT_OF(letters));
        assert_int_equal(message.flags, letters[i].flags);
        if (kind == BOX_MBOX)
            assert_int_equal(wall_seconds(message.received), 1700000000);
        count++;
    }
    assert_int_equal(code, EX_OK);
    assert_int_equal(count, COUNT_OF(letters));
    assert_int_equal(box_done(box), box_whole(box));
    box_close(&box);
}

static void
an_mbox_gives_back_what_was_put_into_it(void **state)
{
    write_letters(*state, OUTBOX_MBOX, 0, COUNT_OF(letters), true);
    read_letters(*state, BOX_MBOX);
}

static void
a_maildir_gives_back_what_was_put_into_it(void **state)
{
    write_letters(*state, OUTBOX_MAILDIR, 0, COUNT_OF(letters), true);
    read_letters(*state, BOX_MAILDIR);
}

static void
a_maildir_that_was_cut_off_is_gone_on_with(void **state)
{
    const struct place *place = *state;
    struct outbox *outbox;

    write_letters(place, OUTBOX_MAILDIR, 0, 2, false);
    assert_int_equal(outbox_open(place->path, OUTBOX_MAILDIR, UID_VALIDITY, &outbox), EX_OK);
    assert_true(outbox_has(outbox, letters[0].uid));
    assert_true(outbox_has(outbox, letters[1].uid));
    assert_false(outbox_has(outbox, letters[2].uid));
    outbox_close(&outbox);
    write_letters(place, OUTBOX_MAILDIR, 2, COUNT_OF(letters), true);
    read_letters(place, BOX_MAILDIR);
}

/* Without a state file nothing of a part counts: it may end anywhere. */
static void
an_mbox_that_was_cut_off_early_is_begun_anew(void **state)
{
    const struct place *place = *state;
    struct outbox *outbox;

    write_letters(place, OUTBOX_MBOX, 0, 2, false);
    assert_false(files_exists(place->path));
    assert_int_equal(outbox_open(place->path, OUTBOX_MBOX, UID_VALIDITY, &outbox), EX_OK);
    assert_false(outbox_has(outbox, letters[0].uid));
    outbox_close(&outbox);
    write_letters(place, OUTBOX_MBOX, 0, COUNT_OF(letters), true);
    read_letters(place, BOX_MBOX);
}

/* Behind the length that the state names there may be half a message. */
static void
an_mbox_is_gone_on_with_from_where_its_state_says(void **state)
{
    static const struct files_owner own = {FILES_NOBODY, FILES_NOBODY, 0600};
    const struct place *place = *state;
    char *part = files_path(place->folder, "box.part");
    char *saved = files_path(place->folder, "box.part.state");
    struct buffer first;
    char text[64];

    write_letters(place, OUTBOX_MBOX, 0, 2, false);
    assert_int_equal(files_read(part, 1 << 20, &first), EX_OK);
    int len = snprintf(text, sizeof(text), "%d %u %zu\n", UID_VALIDITY, letters[1].uid,
                       buffer_len(&first));
    assert_int_equal(files_replace(saved, slice_of(text, (size_t)len), &own), EX_OK);
    assert_int_equal(files_append(part, SLICE("From half a mess"), &own), EX_OK);
    write_letters(place, OUTBOX_MBOX, 2, COUNT_OF(letters), true);
    read_letters(place, BOX_MBOX);
    assert_false(files_exists(part));
    assert_false(files_exists(saved));
    buffer_finish(&first);
    free(part);
    free(saved);
}

/* Somebody has removed the part alone: zeros are no letters. */
static void
an_mbox_whose_part_has_gone_is_begun_anew(void **state)
{
    static const struct files_owner own = {FILES_NOBODY, FILES_NOBODY, 0600};
    const struct place *place = *state;
    char *saved = files_path(place->folder, "box.part.state");
    struct outbox *outbox;

    assert_int_equal(files_replace(saved, SLICE("77 9 500\n"), &own), EX_OK);
    assert_int_equal(outbox_open(place->path, OUTBOX_MBOX, UID_VALIDITY, &outbox), EX_OK);
    assert_false(outbox_has(outbox, letters[0].uid));
    outbox_close(&outbox);
    write_letters(place, OUTBOX_MBOX, 0, COUNT_OF(letters), true);
    read_letters(place, BOX_MBOX);
    free(saved);
}

static void
a_file_that_is_there_is_not_overwritten(void **state)
{
    const struct place *place = *state;
    struct outbox *outbox;

    write_letters(place, OUTBOX_MBOX, 0, COUNT_OF(letters), true);
    assert_int_equal(outbox_open(place->path, OUTBOX_MBOX, UID_VALIDITY, &outbox), EX_CANTCREAT);
    outbox_close(&outbox);
    read_letters(place, BOX_MBOX);
}

/* Makes a link or, without one to lead to, a FIFO: FOLDER/PART/NAME. */
static void
plant(const char *folder, const char *name, const char *leads_to)
{
    char *path = files_path(folder, name);

    assert_int_equal(leads_to ? symlink(leads_to, path) : mkfifo(path, 0600), 0);
    free(path);
}

/* Its owner may have planted what leads to the mail of others, or is never read to an end. */
static void
links_and_fifos_in_a_box_are_no_letters(void **state)
{
    const struct place *place = *state;
    struct outbox *outbox;
    struct box *box;

    write_letters(place, OUTBOX_MAILDIR, 0, COUNT_OF(letters), true);
    plant(place->path, "new/1.passwd", "/etc/passwd");
    plant(place->path, "cur/2.zero", "/dev/zero");
    plant(place->path, "cur/3.fifo", NULL);
    plant(place->path, "cur/4.nowhere", "nowhere");
    plant(place->path, "dovecot-uidlist", "/dev/zero");
    plant(place->path, "dovecot-keywords", "cur/3.fifo");
    read_letters(place, BOX_MAILDIR);
    char *path = files_path(place->path, "new/1.passwd");
    assert_int_equal(box_open(path, BOX_MBOX, &box), EX_NOPERM);
    box_close(&box);
    free(path);
    path = files_path(place->path, "cur/3.fifo");
    assert_int_equal(box_open(path, BOX_MBOX, &box), EX_DATAERR);
    box_close(&box);
    free(path);
    path = files_path(place->folder, "another");
    assert_int_equal(mkdir(path, 0700), 0);
    plant(path, "new", "../box/new");
    plant(path, "cur", "../box/cur");
    assert_int_equal(box_open(path, BOX_MAILDIR, &box), EX_NOINPUT);
    box_close(&box);
    assert_int_equal(outbox_open(path, OUTBOX_MAILDIR, UID_VALIDITY, &outbox), EX_CANTCREAT);
    outbox_close(&outbox);
    free(path);
}

static void
what_is_no_box_is_refused(void **state)
{
    struct box *box;

    (void)state;
    assert_int_equal(box_open("/etc/passwd", BOX_ANY, &box), EX_DATAERR);
    box_close(&box);
    assert_int_equal(box_open("/nowhere/at/all", BOX_ANY, &box), EX_NOINPUT);
    box_close(&box);
    assert_int_equal(box_open("/etc", BOX_ANY, &box), EX_NOINPUT);
    box_close(&box);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(an_mbox_gives_back_what_was_put_into_it),
        ON_DISK(a_maildir_gives_back_what_was_put_into_it),
        ON_DISK(a_maildir_that_was_cut_off_is_gone_on_with),
        ON_DISK(an_mbox_that_was_cut_off_early_is_begun_anew),
        ON_DISK(an_mbox_is_gone_on_with_from_where_its_state_says),
        ON_DISK(an_mbox_whose_part_has_gone_is_begun_anew),
        ON_DISK(a_file_that_is_there_is_not_overwritten),
        ON_DISK(links_and_fifos_in_a_box_are_no_letters),
        cmocka_unit_test(what_is_no_box_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
