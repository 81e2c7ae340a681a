/* SPDX-License-Identifier: ISC */
#include "client/flowed.h"
#include "client/page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
assert_text(const struct buffer *out, const char *wanted)
{
    struct slice text = buffer_slice(out);
    char got[4096];

    (void)snprintf(got, sizeof(got), "%.*s", (int)text.len, (const char *)text.at);
    assert_string_equal(got, wanted);
}

static void
assert_flowed(const char *text, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 1 << 16);
    flowed_put(slice_of_string(text), &out);
    assert_text(&out, wanted);
    buffer_finish(&out);
}

static void
assert_read(const char *text, bool deletes_blank, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 1 << 16);
    flowed_read(slice_of_string(text), deletes_blank, &out);
    assert_text(&out, wanted);
    buffer_finish(&out);
}

static void
assert_page(const char *html, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 1 << 16);
    page_put(slice_of_string(html), &out);
    assert_text(&out, wanted);
    buffer_finish(&out);
}

static void
test_what_would_be_misread_is_stuffed(void **state)
{
    (void)state;
    assert_flowed("From here\n indented\n", " From here\r\n  indented\r\n");
    assert_flowed("> quoted  \n-- \nme  \n", "> quoted\r\n-- \r\nme\r\n");
}

static void
test_long_quotations_are_broken_below_their_marks(void **state)
{
    (void)state;
    assert_flowed(">> 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123\n",
                  ">> 123456789 123456789 123456789 123456789 123456789 123456789 123456789 \r\n"
                  ">> 123\r\n");
    assert_read(">> 123456789 \r\n>> 123\r\n", false, ">> 123456789 123\n");
    /* Marks alone do not become a paragraph, a dash at the start no signature. */
    assert_flowed(
        ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>\n",
        ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>\r\n");
    assert_flowed(
        "-- 1234567890123456789012345678901234567890123456789012345678901234567890123\n",
        "-- 1234567890123456789012345678901234567890123456789012345678901234567890123\r\n");
}

static void
test_long_lines_are_broken_behind_a_blank_and_come_back(void **state)
{
    char text[400] = "", wanted[400];
    struct buffer out;

    (void)state;
    for (int i = 0; i < 30; i++)
        memcpy(text + i * 6, "words ", 7);
    memcpy(text + 180, "end\n", 5);
    buffer_init(&out, 1 << 16);
    flowed_put(slice_of_string(text), &out);
    buffer_put_byte(&out, 0);
    (void)snprintf(wanted, sizeof(wanted), "%s", (const char *)buffer_slice(&out).at);
    assert_memory_equal(wanted + 72, "\r\n", 2);
    assert_read(wanted, false, text);
    buffer_finish(&out);
    /* One word is never broken. */
    memset(text, 'x', 200);
    text[200] = '\0';
    (void)snprintf(wanted, sizeof(wanted), "%s\r\n", text);
    assert_flowed(text, wanted);
}

static void
test_paragraphs_end_where_the_depth_changes(void **state)
{
    (void)state;
    assert_read("> a \n>> b \nc\n", false, "> a \n>> b \nc\n");
    assert_read("a \n-- \nb \n", false, "a \n-- \nb \n");
    assert_read("a \nb\n", true, "ab\n");
    assert_read(">a \n>b\n", false, "> a b\n");
}

static void
test_a_page_is_text_with_its_links(void **state)
{
    (void)state;
    assert_page("<p>a</p><p>b<br>c", "a\n\nb\nc\n");
    assert_page("  a\n  b  ", "a b\n");
    assert_page("<a href=\"http://x.test/\">y</a> z", "y <http://x.test/> z\n");
    assert_page("<a href=\"http://x.test/\">http://x.test/</a>", "http://x.test/\n");
    assert_page("<a href=mailto:a@b.test>a@b.test</a>", "a@b.test\n");
    assert_page("<a href=\"#top\">up</a>", "up\n");
    assert_page("<a href=\"http://one.test\">o<a href=\"http://two.test\">t</a>",
                "o <http://one.test>t <http://two.test>\n");
    assert_page("<pre>a\n  b</pre>", "a\n  b\n");
    assert_page("1 < 2 &amp;&lt;&bogus; & <!-- no > --> x", "1 < 2 &<&bogus; & x\n");
    assert_page("<script>if (a </b>) {}</script>x<style>y", "x\n");
    assert_page("<img alt=\"a > b\" src=x>", "[a > b]\n");
    assert_page("<table><tr><td>a<td>b<tr><td>c</table>", "a b\nc\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_would_be_misread_is_stuffed),
        cmocka_unit_test(test_long_quotations_are_broken_below_their_marks),
        cmocka_unit_test(test_long_lines_are_broken_behind_a_blank_and_come_back),
        cmocka_unit_test(test_paragraphs_end_where_the_depth_changes),
        cmocka_unit_test(test_a_page_is_text_with_its_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
