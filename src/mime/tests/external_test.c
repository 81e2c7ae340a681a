/* SPDX-License-Identifier: ISC */
/* Bodies that are elsewhere: what is made is read, and so is what others make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/external.h"

static const struct mime_draft_entropy entropy = {{7}};

struct fixture {
    struct arena arena;
    struct buffer out;
    struct mime_tree tree;
    struct mime_external external;
};

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 1 << 20);
    buffer_init(&fixture.out, 1 << 20);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_finish(&fixture->arena);
    buffer_finish(&fixture->out);
    return 0;
}

static void
read_back(struct fixture *fixture, struct slice message)
{
    mime_tree_parse(message, &fixture->arena, &fixture->tree);
    assert_int_equal(fixture->tree.count, 1);
    assert_true(
        mime_content_type_is(&fixture->tree.parts[0].content_type, "message", "external-body"));
    mime_external_parse(&fixture->tree, 0, &fixture->arena, &fixture->external);
}

static void
assert_slice(struct slice got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.at, expected, got.len);
}

static void
check(struct fixture *fixture, const char *url, const char *name, const char *subtype)
{
    struct mime_draft *draft =
        mime_draft_new_external(&fixture->arena, slice_of_string(url), SLICE("1@example.org"));

    assert_non_null(draft);
    buffer_clear(&fixture->out);
    assert_true(mime_draft_put(draft, &entropy, &fixture->out));
    read_back(fixture, buffer_slice(&fixture->out));
    assert_int_equal(fixture->tree.defects.kinds, 0);
    assert_slice(fixture->external.access, "URL");
    assert_slice(fixture->external.url, url);
    assert_slice(fixture->external.file_name, name);
    assert_slice(fixture->external.subtype, subtype);
    /* RFC 2046 §5.2.3: a Content-ID must be there. */
    assert_true(slice_find(buffer_slice(&fixture->out), SLICE("\r\n\r\nContent-Type: ")) <
                buffer_len(&fixture->out));
    assert_true(slice_find(buffer_slice(&fixture->out), SLICE("\r\nContent-ID: <1@example.org>")) <
                buffer_len(&fixture->out));
}

static void
what_is_made_says_where_it_is(void **state)
{
    check(*state, "https://example.org/plans/house.pdf", "house.pdf", "pdf");
    check(*state, "https://example.org/house.pdf?version=2&x=a/b.txt#page=3", "house.pdf", "pdf");
    check(*state, "https://example.org", "", "octet-stream");
    check(*state, "https://example.org/folder/", "", "octet-stream");
    check(*state, "ftp://example.org/a/film.mp4;type=i", "film.mp4;type=i", "octet-stream");
    check(*state, "urn:x", "x", "octet-stream");
    /* Longer than a line. */
    check(
        *state,
        "https://example.org/a/very/long/path/that/does/not/fit/into/one/line/of/a/header/because/"
        "it/has/so/many/segments/photo.png",
        "photo.png", "png");
}

static void
what_is_no_url_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",        "house.pdf",      ":x",         "http:",       "a b://x", "1a://x",
        "x://a b", "x://\"quoted\"", "x://a\r\nb", "x://\xC3\xA9"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_null(mime_draft_new_external(&fixture->arena, slice_of_string(wrong[i]),
                                            SLICE("1@example.org")));
    assert_false(arena_failed(&fixture->arena));
}

/* The examples of RFC 2046 §5.2.3.1 and RFC 2017 §3. */
static void
what_others_make_is_read(void **state)
{
    struct fixture *fixture = *state;

    read_back(fixture,
              SLICE("Content-Type: message/external-body; name=\"BodyFormats.ps\";\r\n"
                    " site=\"thumper.bellcore.com\"; mode=\"image\"; access-type=ANON-FTP;\r\n"
                    " directory=\"pub\"; expiration=\"Fri, 14 Jun 1991 19:13:14 -0400 (EDT)\"\r\n"
                    "\r\nContent-type: application/postscript\r\n"
                    "Content-ID: <id42@guppylake.bellcore.com>\r\n\r\n"));
    assert_slice(fixture->external.access, "ANON-FTP");
    assert_slice(fixture->external.name, "BodyFormats.ps");
    assert_slice(fixture->external.site, "thumper.bellcore.com");
    assert_slice(fixture->external.directory, "pub");
    assert_slice(fixture->external.expiration, "Fri, 14 Jun 1991 19:13:14 -0400 (EDT)");
    assert_slice(fixture->external.subtype, "postscript");
    assert_slice(fixture->external.url, "");

    read_back(fixture, SLICE("Content-type: message/external-body; access-type=URL;\r\n"
                             " URL=\"ftp://ftp.deepdirs.org/1/2/3/4/5/6/7/\r\n"
                             "  8/9/10/11/12/13/14/15/16/17/18/20/21/file.html\"\r\n\r\n"
                             "Content-type: text/html\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                             "THIS IS NOT REALLY THE BODY!\r\n"));
    assert_slice(fixture->external.url,
                 "ftp://ftp.deepdirs.org/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/20/21/"
                 "file.html");
    assert_slice(fixture->external.subtype, "html");

    read_back(fixture, SLICE("Content-Type: message/external-body\r\n\r\n"));
    assert_slice(fixture->external.access, "");
    assert_slice(fixture->external.type, "text");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_made_says_where_it_is),
        TEST(what_is_no_url_is_refused),
        TEST(what_others_make_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
