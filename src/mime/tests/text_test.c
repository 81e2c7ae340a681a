/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/text.h"
#include "text/utf8.h"

static const char message[] =
    "DKIM-Signature: v=1; b=notseen\r\nARC-Seal: i=1; b=notseen\r\nX-Google-DKIM-Signature: "
    "notseen\r\n"
    "From: =?utf-8?Q?Ren=C3=A9e?= <renee@example.org>\r\nSubject: La =?iso-8859-1?Q?r=E9union?=\r\n"
    " de juin\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    "quoted-printable"
    "\r\n\r\nD=E9j=E0 vu, en deux li=\r\ngnes\r\n"
    "--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "PHA+SMOpPGI+bGxvPC9iPjwvcD4=\r\n"
    "--b\r\nContent-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Description: The "
    "plan\r\n\r\n"
    "%PDF binary\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner subject\r\n\r\ninner "
    "body\r\n--b--\r\n";

static bool
gather(void *context, struct slice text)
{
    assert_true(utf8_is_valid(text));
    buffer_put(context, text);
    return true;
}

static bool
gather_once(void *context, struct slice text)
{
    buffer_put(context, text);
    return false;
}

static bool
has(const struct buffer *buffer, const char *text)
{
    struct slice sought = slice_of_string(text);

    return slice_find(buffer_slice(buffer), sought) < buffer_len(buffer);
}

static void
head_and_parts_are_told_decoded(void **state)
{
    struct arena arena;
    struct mime_tree tree;
    struct buffer head, body;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&head, 10000);
    buffer_init(&body, 10000);
    mime_tree_parse(slice_of_string(message), &arena, &tree);
    mime_text_head(&tree, gather, &head);
    mime_text_body(&tree, gather, &body);
    assert_true(has(&head, "From: Renée <renee@example.org>\n"));
    assert_true(has(&head, "Subject: La réunion de juin\n"));
    assert_false(has(&head, "notseen"));
    assert_false(has(&head, "inner"));
    assert_true(has(&body, "Déjà vu, en deux lignes"));
    assert_true(has(&body, " Héllo "));
    assert_true(has(&body, "plan.pdf\nThe plan\n"));
    assert_false(has(&body, "%PDF"));
    assert_false(has(&body, "La réunion"));
    assert_true(has(&body, "Subject: inner subject\n"));
    assert_true(has(&body, "inner body"));
    buffer_clear(&body);
    mime_text_body(&tree, gather_once, &body);
    assert_int_equal(buffer_len(&body), strlen("Déjà vu, en deux lignes"));
    buffer_finish(&head);
    buffer_finish(&body);
    arena_finish(&arena);
}

static void
lines_that_are_no_fields_are_told_with_the_header(void **state)
{
    static const char odd[] = "From a@b Mon Feb  2 10:00:00 2026\r\nSubject\002 of old\r\n"
                              "no field \xFF =?utf-8?q?at_=C3=A9?=\r\nTo: c@d\r\n\r\nbody\r\n";
    struct arena arena;
    struct mime_tree tree;
    struct buffer head;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&head, 10000);
    mime_tree_parse(slice_of_string(odd), &arena, &tree);
    mime_text_head(&tree, gather, &head);
    assert_true(has(&head, "From a@b Mon"));
    assert_true(has(&head, " of old\n"));
    assert_true(has(&head, "no field "));
    assert_true(has(&head, "at é"));
    assert_true(has(&head, "To: c@d\n"));
    assert_false(has(&head, "body"));
    buffer_finish(&head);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_parts_are_told_decoded),
        cmocka_unit_test(lines_that_are_no_fields_are_told_with_the_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
