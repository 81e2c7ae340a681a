/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "envelope/completion.h"

#define DATE "Date: Fri, 21 Nov 1997 09:55:06 +0100\r\n"
#define ID "Message-ID: <Q1@mail.example>\r\n"

/* The message with what was added, looked at in pieces of `step` octets. */
static void
complete(struct slice message, size_t step, struct buffer *ret_text)
{
    struct envelope_completion completion;
    struct wall date = {INT64_C(880102506) * 1000000000};
    size_t at = 0, offset;

    envelope_completion_begin(&completion);
    while (at < message.len) {
        struct slice piece = slice_first(slice_skip(message, at), step);
        bool is_found = envelope_completion_scan(&completion, piece, &offset);
        buffer_put(ret_text, is_found ? slice_first(piece, offset) : piece);
        if (is_found) {
            envelope_completion_put(&completion, ret_text, date, 60, SLICE("Q1"),
                                    SLICE("mail.example"));
            buffer_put(ret_text, slice_skip(piece, offset));
        }
        at += piece.len;
    }
    if (envelope_completion_end(&completion))
        envelope_completion_put(&completion, ret_text, date, 60, SLICE("Q1"),
                                SLICE("mail.example"));
}

static void
what_is_missing_is_added_at_the_end_of_the_header(void **state)
{
    static const struct {
        struct slice message, completed;
    } cases[] = {
        {SLICE("Subject: x\r\n\r\nbody\r\n"), SLICE("Subject: x\r\n" DATE ID "\r\nbody\r\n")},
        {SLICE("\r\nbody\r\n"), SLICE(DATE ID "\r\nbody\r\n")},
        {SLICE(""), SLICE(DATE ID)},
        {SLICE("Subject: no body\r\n"), SLICE("Subject: no body\r\n" DATE ID)},
        {SLICE("dAtE: x\r\n\r\n"), SLICE("dAtE: x\r\n" ID "\r\n")},
        {SLICE("DATE: x\r\n\r\n"), SLICE("DATE: x\r\n" ID "\r\n")},
        {SLICE("MESSAGE-ID : <a@b>\r\n\r\n"), SLICE("MESSAGE-ID : <a@b>\r\n" DATE "\r\n")},
        {SLICE("Message-Id: <a@b>\r\nDate: x\r\n\r\nDate: y"),
         SLICE("Message-Id: <a@b>\r\nDate: x\r\n\r\nDate: y")},
        {SLICE("Resent-Date: x\r\nX-Message-ID: x\r\nDate-Sent: x\r\nMessage-IDs: x\r\n\r\n"),
         SLICE("Resent-Date: x\r\nX-Message-ID: x\r\nDate-Sent: x\r\nMessage-IDs: x\r\n" DATE ID
               "\r\n")},
        {SLICE("Subject: folded\r\n Date: x\r\n\tMessage-ID: y\r\n\r\n"),
         SLICE("Subject: folded\r\n Date: x\r\n\tMessage-ID: y\r\n" DATE ID "\r\n")},
        {SLICE("Subject: x\r\n\r\nDate: in the body\r\n\r\n"),
         SLICE("Subject: x\r\n" DATE ID "\r\nDate: in the body\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t step = 1; step <= cases[i].message.len + 1; step++) {
            struct buffer text;
            buffer_init(&text, 4096);
            complete(cases[i].message, step, &text);
            if (!slice_equal(buffer_slice(&text), cases[i].completed))
                fail_msg("case %zu by %zu: %.*s", i, step, (int)buffer_len(&text),
                         (const char *)buffer_slice(&text).at);
            buffer_finish(&text);
        }
    }
}

static void
servers_and_lists_behind_a_message_are_counted(void **state)
{
    static const struct slice message =
        SLICE("Received: from a by b; x\r\n\tReceived: no field\r\nX-Received: x\r\n"
              "received : from b by c; y\r\nList-Id: \"The team\"\r\n <Team.Example.ORG>\r\n"
              "Subject: <other.example.org>\r\nList-ID: <second.example.org>\r\n\r\n"
              "Received: in the text\r\nList-Id: <third.example.org>\r\n");
    (void)state;

    for (size_t step = 1; step <= message.len; step++) {
        struct envelope_completion completion;
        size_t offset;
        envelope_completion_begin(&completion);
        for (size_t at = 0; at < message.len; at += step)
            (void)!envelope_completion_scan(&completion, slice_first(slice_skip(message, at), step),
                                            &offset);
        assert_int_equal(completion.received, 2);
        assert_true(envelope_completion_has_list(&completion, SLICE("<team.example.org>")));
        assert_true(envelope_completion_has_list(&completion, SLICE("<SECOND.example.org>")));
        assert_false(envelope_completion_has_list(&completion, SLICE("<other.example.org>")));
        assert_false(envelope_completion_has_list(&completion, SLICE("<third.example.org>")));
        assert_false(envelope_completion_has_list(&completion, SLICE("")));
    }
}

static void
names_of_lists_are_known_in_any_case_and_up_to_their_bound(void **state)
{
    struct envelope_completion completion;
    struct buffer text;
    size_t offset;

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        buffer_init(&text, 10000);
        buffer_put_text(&text, "List-Id:<AZ");
        while (buffer_len(&text) < 8 + ENVELOPE_COMPLETION_LISTS_MAX + over)
            buffer_put_byte(&text, 'x');
        struct slice id = slice_skip(buffer_slice(&text), 8);
        envelope_completion_begin(&completion);
        assert_false(envelope_completion_scan(&completion, buffer_slice(&text), &offset));
        assert_int_equal(envelope_completion_has_list(&completion, id), !over);
        assert_true(envelope_completion_has_list(&completion, SLICE("<azx")));
        buffer_finish(&text);
    }
}

static void
a_header_that_is_none_is_left_alone(void **state)
{
    static const struct slice cases[] = {
        SLICE("Just some words.\r\n\r\nMore.\r\n"),
        SLICE("Subject: x\r\nno colon here\r\n\r\nbody\r\n"),
        SLICE(": nameless\r\n\r\n"),
        SLICE("Subject: cut off"),
        SLICE("\xc3\xa9: x\r\n\r\n"),
        SLICE("\x01: x\r\n\r\n"),
        SLICE("\x7f: x\r\n\r\n"),
        SLICE("a\x01: x\r\n\r\n"),
        SLICE("a\x7f: x\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text;
        buffer_init(&text, 4096);
        complete(cases[i], 3, &text);
        assert_true(slice_equal(buffer_slice(&text), cases[i]));
        buffer_finish(&text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_added_at_the_end_of_the_header),
        cmocka_unit_test(servers_and_lists_behind_a_message_are_counted),
        cmocka_unit_test(names_of_lists_are_known_in_any_case_and_up_to_their_bound),
        cmocka_unit_test(a_header_that_is_none_is_left_alone),
    };

    return cmocka_run_group_tests_name("envelope/completion", tests, NULL, NULL);
}
