/* SPDX-License-Identifier: ISC */
/* The library as a program uses it, as far as no server is needed. With servers:
 * tests/interop/library.py. */
#include "base/slice.h"
#include "library/facteur.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char box[] = "From x Sat Jan  1 00:00:00 2026\n"
                          "From: =?utf-8?q?G=C3=A9rard?= <g@b.test>\n"
                          "X-Own: =?utf-8?q?=C3=A9?=\n"
                          "Content-Type: multipart/mixed; boundary=b\n\n"
                          "--b\n\nHello\n"
                          "--b\nContent-Type: application/x; name=\"a/b.bin\"\n"
                          "Content-Transfer-Encoding: base64\n\nI1yR\n--b--\n\n"
                          "From x Sat Jan  1 00:00:00 2026\nSubject: two\n\n";

static void
test_a_letter_box_is_read_and_changed(void **state)
{
    char path[] = "/tmp/facteur-library-XXXXXX";
    struct facteur_error error = {0};
    struct facteur_info info;
    size_t len;
    int file = mkstemp(path);

    (void)state;
    assert_int_equal(write(file, box, sizeof(box) - 1), sizeof(box) - 1);
    close(file);
    struct facteur_session *session = facteur_open_box(path, &error);
    assert_non_null(session);
    assert_int_equal(facteur_count(session), 2);
    assert_false(facteur_info(session, 0, &info));
    assert_false(facteur_info(session, 3, &info));
    assert_true(facteur_flag(session, 2, FACTEUR_SEEN, 0, &error));
    assert_true(facteur_info(session, 2, &info));
    assert_int_equal(info.flags, FACTEUR_SEEN);
    char *head = facteur_read_head(session, 1, &len, &error);
    assert_int_equal(strlen(head), len);
    assert_true(slice_ends_with(slice_of(head, len), SLICE("boundary=b\r\n")));
    free(head);
    assert_true(facteur_delete(session, 1, &error));
    assert_true(facteur_close(&session, &error));
    assert_null(session);
    session = facteur_open_box(path, &error);
    assert_int_equal(facteur_count(session), 1);
    assert_null(facteur_read(session, 2, &len, &error));
    assert_int_equal(error.kind, FACTEUR_MISSING);
    assert_true(facteur_close(&session, NULL));
    assert_true(facteur_close(&session, NULL));
    assert_int_equal(unlink(path), 0);
}

static void
test_a_letter_is_taken_apart(void **state)
{
    const char *message = strchr(box, '\n') + 1;
    struct facteur_letter *letter = facteur_letter_open(message, strlen(message));
    struct facteur_attachment attachment;

    (void)state;
    assert_string_equal(facteur_letter_field(letter, "from"), "G\xc3\xa9rard <g@b.test>");
    assert_string_equal(facteur_letter_field(letter, "x-own"), "\xc3\xa9");
    assert_string_equal(facteur_letter_field(letter, "Subject"), "");
    assert_string_equal(facteur_letter_text(letter), "Hello\n");
    assert_int_equal(facteur_letter_attachments(letter), 1);
    assert_true(facteur_letter_attachment(letter, 0, &attachment));
    assert_string_equal(attachment.name, "b.bin");
    assert_string_equal(attachment.type, "application/x");
    assert_int_equal(attachment.len, 3);
    assert_memory_equal(attachment.data, "\x23\x5c\x91", 3);
    assert_false(facteur_letter_attachment(letter, 1, &attachment));
    facteur_letter_close(&letter);
    assert_null(letter);
    facteur_letter_close(&letter);
    letter = facteur_letter_open("", 0);
    assert_string_equal(facteur_letter_text(letter), "");
    facteur_letter_close(&letter);
}

static void
expect_settings(struct facteur_account account, struct facteur_message message)
{
    struct facteur_error error = {0};

    assert_false(facteur_send(&account, &message, &error));
    assert_int_equal(error.kind, FACTEUR_SETTINGS);
    assert_true(error.text[0] != '\0');
}

static void
test_what_is_wrong_in_the_settings_is_told(void **state)
{
    struct facteur_account good = {.address = "a@b.test", .outgoing = "smtps://localhost"};
    struct facteur_message message = {.to = "c@d.test"};
    struct facteur_account account = good;
    struct facteur_error error = {0};

    (void)state;
    account.address = NULL;
    expect_settings(account, message);
    account = good;
    account.outgoing = "imaps://localhost";
    expect_settings(account, message);
    account.outgoing = "localhost";
    expect_settings(account, message);
    expect_settings(good, (struct facteur_message){.subject = "x"});
    expect_settings(good, (struct facteur_message){.to = "c@d.test, nobody"});
    expect_settings(good, (struct facteur_message){.to = "<c@d.test"});
    assert_null(facteur_open(&good, "INBOX", &error));
    assert_int_equal(error.kind, FACTEUR_SETTINGS);
    error = (struct facteur_error){0};
    assert_null(facteur_open_box("/no/such/box", &error));
    assert_int_equal(error.kind, FACTEUR_MISSING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_letter_box_is_read_and_changed),
        cmocka_unit_test(test_a_letter_is_taken_apart),
        cmocka_unit_test(test_what_is_wrong_in_the_settings_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
