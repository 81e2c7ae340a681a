/* SPDX-License-Identifier: ISC */
#include "client/reading.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char mixed[] = "Subject: =?iso-8859-1?q?caf=E9=1B?=\r\n"
                            "Content-Type: multipart/mixed; boundary=\"une simple limite\"\r\n\r\n"
                            "--une simple limite\r\n"
                            "Content-Type: text/plain; charset=iso-8859-1\r\n"
                            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                            "G=E9rard Florin\tx=1B\r\n"
                            "--une simple limite\r\n"
                            "Content-Type: application/msword; name=\"../publi.doc\"\r\n"
                            "Content-Transfer-Encoding: base64\r\n\r\n"
                            "I1yR\r\n"
                            "--une simple limite\r\n"
                            "Content-Type: message/rfc822\r\n\r\n"
                            "Subject: inside\r\n\r\nx\r\n"
                            "--une simple limite--\r\n";

static void
assert_put(struct buffer *out, const char *wanted)
{
    buffer_put_byte(out, '\0');
    assert_string_equal((const char *)buffer_slice(out).at, wanted);
    buffer_clear(out);
}

/* Seed case D6. */
static void
test_the_attachment_example_is_read(void **state)
{
    struct mime_tree tree;
    struct arena arena;
    struct buffer out;

    (void)state;
    arena_init(&arena, 1 << 20);
    buffer_init(&out, 1 << 16);
    mime_tree_parse(slice_of_string(mixed), &arena, &tree);
    reading_put_text(&tree, &out);
    assert_put(&out, "G\xc3\xa9rard Florin\tx \n");
    assert_int_equal(tree.count, 5);
    for (uint32_t i = 0; i < tree.count; i++)
        assert_int_equal(reading_is_attachment(&tree, i), i == 2 || i == 3);
    reading_put_name(&tree, 2, &out);
    assert_put(&out, "publi.doc");
    reading_put_name(&tree, 3, &out);
    assert_put(&out, "message.eml");
    reading_put_part(&tree, 2, &out);
    assert_true(slice_equal(buffer_slice(&out), SLICE("\x23\x5c\x91")));
    buffer_clear(&out);
    reading_put_line(SLICE(" =?iso-8859-1?q?caf=E9=1B?=\r\n"), &out);
    assert_put(&out, "caf\xc3\xa9");
    buffer_finish(&out);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_attachment_example_is_read)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
