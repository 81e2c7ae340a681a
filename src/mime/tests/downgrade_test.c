/* SPDX-License-Identifier: ISC */
#include "mime/decode.h"
#include "mime/downgrade.h"
#include "mime/part.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct case_of {
    struct arena arena;
    struct buffer result;
    struct mime_downgrade downgrade;
};

static bool
downgrade(struct case_of *it, struct slice message)
{
    *it = (struct case_of){0};
    arena_init(&it->arena, 1 << 24);
    buffer_init(&it->result, 1 << 24);
    return mime_downgrade_put(message, &it->arena, &it->result, &it->downgrade);
}

static void
finish(struct case_of *it)
{
    arena_finish(&it->arena);
    buffer_finish(&it->result);
}

static void
expect(struct slice message, const char *expected, size_t parts)
{
    struct case_of it;

    assert_true(downgrade(&it, message));
    if (!slice_equal(buffer_slice(&it.result), slice_of_string(expected)))
        fail_msg("got:\n%.*s", (int)buffer_len(&it.result), buffer_slice(&it.result).at);
    assert_int_equal(it.downgrade.parts, parts);
    finish(&it);
}

static void
what_is_plain_already_stays_as_it_is(void **state)
{
    (void)state;
    expect(SLICE("Subject: x\r\n\r\nText\r\n"), "Subject: x\r\n\r\nText\r\n", 0);
    expect(SLICE(""), "", 0);
}

static void
text_becomes_quoted_printable_and_says_so(void **state)
{
    (void)state;
    expect(SLICE("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
                 "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\n"
                 "G\xE9rard Florin\r\n"),
           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
           "Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
           "G=E9rard Florin\r\n",
           1);
}

/* RFC 1428 §3 */
static void
text_without_mime_gets_what_it_lacks(void **state)
{
    (void)state;
    expect(SLICE("Subject: x\r\n\r\nwhat a caf\xC3\xA9 this is\r\n"),
           "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\nwhat a caf=C3=A9 this is\r\n",
           1);
    expect(SLICE("Subject: x\r\n\r\nwhat a caf\xE9 this is\r\n"),
           "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\nwhat a caf=E9 this is\r\n",
           1);
}

#define PARTS(encoding, text, octets)                                                              \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n" encoding                  \
    "\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n" text                                  \
    "\r\n--b\r\nContent-Type: image/x\r\n" octets "\r\n--b--\r\n"

static void
each_part_is_encoded_by_what_it_is(void **state)
{
    (void)state;
    expect(SLICE(PARTS("Content-Transfer-Encoding: 8bit\r\n", "\r\nun caf\xC3\xA9 noir",
                       "\r\n\xFF\xFE\xFD")),
           PARTS("", "Content-Transfer-Encoding: quoted-printable\r\n\r\nun caf=C3=A9 noir",
                 "Content-Transfer-Encoding: base64\r\n\r\n//79"),
           2);
}

static void
long_lines_and_lone_line_ends_are_encoded_too(void **state)
{
    struct buffer message, decoded;
    struct mime_tree tree;
    struct case_of it;

    (void)state;
    buffer_init(&message, 10000);
    buffer_init(&decoded, 10000);
    buffer_put_text(&message, "Content-Type: text/plain\r\n\r\nlone\nline\r");
    for (int i = 0; i < 999; i++)
        buffer_put_byte(&message, 'x');
    assert_true(downgrade(&it, buffer_slice(&message)));
    mime_tree_parse(buffer_slice(&it.result), &it.arena, &tree);
    mime_decode(&decoded, mime_part_body(&tree, &tree.parts[0]), tree.parts[0].encoding, NULL, 0);
    assert_true(slice_equal(buffer_slice(&decoded), slice_skip(buffer_slice(&message), 28)));
    finish(&it);
    buffer_finish(&message);
    buffer_finish(&decoded);
}

static void
what_no_encoding_helps_is_told(void **state)
{
    struct case_of it;

    (void)state;
    assert_false(downgrade(&it, SLICE("Subject: caf\xE9\r\n\r\nText\r\n")));
    assert_int_equal(buffer_len(&it.result), 0);
    finish(&it);
    assert_false(downgrade(&it, SLICE("Content-Transfer-Encoding: base64\r\n\r\n\xE9\r\n")));
    finish(&it);
}

/* Its header would end at the first line that is no field, were the field behind it taken out. */
static void
a_header_that_would_end_elsewhere_is_left(void **state)
{
#define STRAY "--x--\r\n--y--\r\n--y--\r\n--x--\r\n"
#define FIELD "Comment: text about\r\n"
    struct case_of it;

    (void)state;
    assert_false(downgrade(
        &it, SLICE("From: a@b.test\r\nTo: c@d.test\r\n" STRAY FIELD FIELD FIELD
                   "Content-Transfer-Encoding: binary\r\n" FIELD FIELD "To: e@f.test\r\n--x--\r\n"
                   "\r\n\xE9 text that is long enough to be text\r\n")));
    assert_int_equal(buffer_len(&it.result), 0);
    finish(&it);
}

/* RFC 1847 §2.1, RFC 6376 §5.3 */
static void
a_broken_signature_is_told(void **state)
{
    struct case_of it;

    (void)state;
    assert_true(downgrade(&it, SLICE("DKIM-Signature: v=1\r\n\r\n\xE9\r\n")));
    assert_true(it.downgrade.breaks_signature);
    finish(&it);
    assert_true(downgrade(&it, SLICE("DKIM-Signature: v=1\r\n\r\ne\r\n")));
    assert_false(it.downgrade.breaks_signature);
    finish(&it);
    assert_true(downgrade(
        &it,
        SLICE("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xE9\r\n--b--\r\n")));
    assert_true(it.downgrade.breaks_signature);
    finish(&it);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_already_stays_as_it_is),
        cmocka_unit_test(text_becomes_quoted_printable_and_says_so),
        cmocka_unit_test(text_without_mime_gets_what_it_lacks),
        cmocka_unit_test(each_part_is_encoded_by_what_it_is),
        cmocka_unit_test(long_lines_and_lone_line_ends_are_encoded_too),
        cmocka_unit_test(what_no_encoding_helps_is_told),
        cmocka_unit_test(a_header_that_would_end_elsewhere_is_left),
        cmocka_unit_test(a_broken_signature_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
