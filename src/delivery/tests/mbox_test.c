/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delivery/mbox.h"

static const struct wall when = {784887151 * (int64_t)1000000000};

static void
put(struct buffer *box, const char *sender, const char *message)
{
    mbox_put_message(box, slice_of_string(sender), when, slice_of_string(message));
}

static void
a_message_has_its_line_its_quotes_and_its_blank(void **state)
{
    struct buffer box;

    (void)state;
    buffer_init(&box, 4096);
    put(&box, "paul@uvsq.fr", "Subject: x\r\n\r\nFrom here\r\n>From there\r\nFromage\r\n");
    assert_true(slice_equal(buffer_slice(&box),
                            SLICE("From paul@uvsq.fr Tue Nov 15 08:12:31 1994\n"
                                  "Subject: x\n\n>From here\n>>From there\nFromage\n\n")));
    buffer_clear(&box);
    put(&box, "", "a");
    assert_true(slice_starts_with(buffer_slice(&box), SLICE("From MAILER-DAEMON ")));
    assert_true(slice_ends_with(buffer_slice(&box), SLICE("\na\n\n")));
    buffer_clear(&box);
    put(&box, "\"a b\"@c", "a");
    assert_true(slice_starts_with(buffer_slice(&box), SLICE("From \"a_b\"@c ")));
    buffer_finish(&box);
}

static void
what_went_in_comes_out(void **state)
{
    static const char *const messages[] = {
        "Subject: 1\r\n\r\nFrom a b\r\n>From c\r\n>>From d\r\n\r\n\r\n",
        "Subject: 2\r\n\r\n",
        "no header\r\n",
        "Subject: 4\r\n\r\nFrom x@y Tue Nov 15 08:12:31 1994\r\n",
    };
    struct buffer box, back;
    struct mbox_item item;
    size_t offset = 0, count = 0;

    (void)state;
    buffer_init(&box, 4096);
    buffer_init(&back, 4096);
    for (size_t i = 0; i < COUNT_OF(messages); i++)
        put(&box, "a@b", messages[i]);
    while (mbox_next(buffer_slice(&box), &offset, &item)) {
        assert_int_equal(item.received.ns, when.ns);
        assert_true(slice_equal(item.sender, SLICE("a@b")));
        buffer_clear(&back);
        mbox_put_content(&back, &item, MBOX_RD);
        assert_true(slice_equal(buffer_slice(&back), slice_of_string(messages[count])));
        count++;
    }
    assert_int_equal(count, COUNT_OF(messages));
    buffer_finish(&box);
    buffer_finish(&back);
}

/* Whatever it looks like: others do not quote it there. */
static void
a_line_without_a_blank_one_before_it_begins_no_message(void **state)
{
#define LINES(end)                                                                                 \
    "From a@b Tue Nov 15 08:12:31 1994" end "A: 1" end end "x" end                                 \
    "From c@d Tue Nov 15 08:12:31 1994" end "y" end end "From e@f Tue Nov 15 08:12:31 1994" end    \
    "B: 2" end end "z" end
    struct slice files[] = {SLICE(LINES("\n")), SLICE(LINES("\r\n"))};
    struct mbox_item item;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        size_t offset = 0;
        assert_true(mbox_next(files[i], &offset, &item));
        assert_true(slice_equal(item.sender, SLICE("a@b")));
        assert_true(slice_find(item.content, SLICE("From c@d")) < item.content.len);
        assert_true(mbox_next(files[i], &offset, &item));
        assert_true(slice_equal(item.sender, SLICE("e@f")));
        assert_false(mbox_next(files[i], &offset, &item));
    }
}

static void
foreign_boxes_are_read(void **state)
{
    struct slice file = SLICE("From a@b Tue Nov 15 08:12:31 1994 +0100\r\nA: 1\r\n\r\nx\r\n"
                              "From is a word here\r\n\r\nFrom nobody\r\n\r\n"
                              "From MAILER-DAEMON Tue Nov 15 08:12:32 1994\r\nB: 2\r\n");
    struct mbox_item item;
    size_t offset = 0;

    (void)state;
    assert_true(mbox_is_likely(file));
    assert_true(mbox_next(file, &offset, &item));
    assert_true(slice_ends_with(item.content, SLICE("From nobody\r\n")));
    assert_true(mbox_next(file, &offset, &item));
    assert_true(slice_is_empty(item.sender));
    assert_true(slice_equal(item.content, SLICE("B: 2\r\n")));
    assert_false(mbox_next(file, &offset, &item));
    assert_true(mbox_is_likely(SLICE("")));
    assert_false(mbox_is_likely(SLICE("Subject: x\n")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_its_line_its_quotes_and_its_blank),
        cmocka_unit_test(what_went_in_comes_out),
        cmocka_unit_test(a_line_without_a_blank_one_before_it_begins_no_message),
        cmocka_unit_test(foreign_boxes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
