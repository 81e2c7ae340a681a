/* SPDX-License-Identifier: ISC */
/* The model itself, where it once was wrong and the server right: what the simulator drew then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "boxes.h"

#include <stdlib.h>

enum { INBOX = 0, OTHER = 1 };

/* Two messages: of one nobody ever read what it is, for it was deleted by POP3 as soon as LIST had
 * told of it, and the answer to who had sent it was lost; the other was delivered after it. Seeds
 * 135 and 507 of `imap`, when it learned POP3: the first was taken for the other. */
static void
what_nobody_read_is_not_taken_for_what_is_there(void **state)
{
    struct boxes *boxes = boxes_open();
    struct boxes_truth *truth = calloc(BOXES, sizeof(*truth));
    const uint32_t uid = 1;
    const struct boxes_targets targets = {INBOX, &uid, 1};
    unsigned first = boxes_new_letters(boxes, 1), second = boxes_new_letters(boxes, 1);

    (void)state;
    assert_non_null(truth);
    boxes_lost(boxes_begin_append(boxes, INBOX, 0, first, 1));
    boxes_saw(boxes, INBOX, uid);
    boxes_done(boxes, boxes_begin_removal(boxes, &targets));
    boxes_delivered(boxes, boxes_begin_append(boxes, INBOX, 0, second, 1));
    truth[INBOX].rows[0] = (struct boxes_row){.uid = 2, .letter = second};
    truth[INBOX].count = 1;
    boxes_settle(boxes, truth);
    assert_string_equal(boxes_reason(boxes), "");
    assert_int_equal(boxes_late_count(boxes), 1); /* the first was put there, unanswered */
    free(truth);
    boxes_close(&boxes);
}

/* What was taken must be found, though, and a guess may be all that is left of it. */
static void
what_was_taken_is_found_or_missed(void **state)
{
    struct boxes *boxes = boxes_open();
    struct boxes_truth *truth = calloc(BOXES, sizeof(*truth));
    const uint32_t uid = 1;
    const struct boxes_targets targets = {INBOX, &uid, 1};
    unsigned first = boxes_new_letters(boxes, 2);

    (void)state;
    assert_non_null(truth);
    boxes_delivered(boxes, boxes_begin_append(boxes, INBOX, 0, first, 1));
    boxes_saw(boxes, INBOX, uid);
    boxes_done(boxes, boxes_begin_removal(boxes, &targets));
    boxes_settle(boxes, truth);
    assert_string_equal(boxes_reason(boxes), "");
    boxes_delivered(boxes, boxes_begin_append(boxes, INBOX, 0, first + 1, 1));
    boxes_settle(boxes, truth);
    assert_string_equal(boxes_reason(boxes), "INBOX: letter 2 was taken, and is not there");
    free(truth);
    boxes_close(&boxes);
}

/* A MOVE that was never answered, of which nobody had read a message in the middle before it was
 * deleted: it was taken for one whose first parts were all. Seed 111192 of `imap`, once. */
static void
what_was_moved_is_all_of_it_where_it_can_be(void **state)
{
    struct boxes *boxes = boxes_open();
    struct boxes_truth *truth = calloc(BOXES, sizeof(*truth));
    const uint32_t uids[] = {1, 2, 3};
    const struct boxes_targets targets = {INBOX, uids, 3}, middle = {OTHER, uids + 1, 1};
    unsigned first = boxes_new_letters(boxes, 3);

    (void)state;
    assert_non_null(truth);
    boxes_allow_parts(boxes);
    boxes_appended(boxes, boxes_begin_append(boxes, INBOX, 0, first, 3), uids, 3);
    boxes_lost(boxes_begin_copy(boxes, &targets, OTHER, true));
    boxes_saw(boxes, OTHER, 2);
    boxes_done(boxes, boxes_begin_removal(boxes, &middle));
    truth[OTHER].rows[0] = (struct boxes_row){.uid = 1, .letter = first};
    truth[OTHER].rows[1] = (struct boxes_row){.uid = 3, .letter = first + 2};
    truth[OTHER].count = 2;
    boxes_settle(boxes, truth);
    assert_string_equal(boxes_reason(boxes), "");
    free(truth);
    boxes_close(&boxes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_read_is_not_taken_for_what_is_there),
        cmocka_unit_test(what_was_taken_is_found_or_missed),
        cmocka_unit_test(what_was_moved_is_all_of_it_where_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
