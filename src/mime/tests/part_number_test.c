/* SPDX-License-Identifier: ISC */
#include "mime/part_number.h"
#include "mime/file_type.h"
#include "text/tests/check.h"

static void
numbers(struct slice message, struct buffer *out)
{
    struct arena arena;
    struct mime_tree tree;

    arena_init(&arena, 1 << 20);
    mime_tree_parse(message, &arena, &tree);
    for (uint32_t i = 0; i < tree.count; i++) {
        struct buffer number;
        buffer_init(&number, 100);
        mime_part_number_put(&number, &tree, i);
        assert_true(mime_part_number_find(&tree, buffer_slice(&number)) <= i);
        buffer_put(out, buffer_slice(&number));
        buffer_put_byte(out, ' ');
        buffer_finish(&number);
    }
    assert_int_equal(mime_part_number_find(&tree, SLICE("9.9")), MIME_NO_PART);
    assert_int_equal(mime_part_number_find(&tree, SLICE("")), 0);
    arena_finish(&arena);
}

/* The shape of the example in RFC 9051 §6.4.5.1. */
static void
parts_have_the_numbers_of_the_rfc(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    numbers(SLICE("Subject: a\r\n\r\nonly text\r\n"), &out);
    assert_slice(buffer_slice(&out), SLICE("1 "));
    buffer_clear(&out);
    numbers(SLICE("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
                  "--a\r\n\r\none\r\n"
                  "--a\r\n\r\ntwo\r\n"
                  "--a\r\nContent-Type: message/rfc822\r\n\r\n"
                  "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                  "--b\r\n\r\n3.1\r\n--b\r\n\r\n3.2\r\n--b--\r\n\r\n"
                  "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
                  "--c\r\n\r\n4.1\r\n"
                  "--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n4.2.1\r\n--c--\r\n"
                  "--a--\r\n"),
            &out);
    assert_slice(buffer_slice(&out), SLICE(" 1 2 3 3 3.1 3.2 4 4.1 4.2 4.2.1 "));
    buffer_finish(&out);
}

static void
files_are_typed_by_their_ending(void **state)
{
    (void)state;
    assert_string_equal(mime_file_type(SLICE("Holiday.PNG")), "image/png");
    assert_string_equal(mime_file_type(SLICE("a.tar.gz")), "application/gzip");
    assert_string_equal(mime_file_type(SLICE("README")), "application/octet-stream");
    assert_string_equal(mime_file_type(SLICE(".png")), "application/octet-stream");
    assert_string_equal(mime_file_type(SLICE("x.")), "application/octet-stream");
    assert_string_equal(mime_file_type(SLICE("")), "application/octet-stream");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_have_the_numbers_of_the_rfc),
        cmocka_unit_test(files_are_typed_by_their_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
