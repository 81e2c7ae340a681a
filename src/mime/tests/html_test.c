/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/html.h"

static const struct {
    const char *html, *text;
} cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"<p>Hello</p><p>World</p>", " Hello  World "},
    {"Hel<b>lo</b>, <span class=\"a>b\">Wor</span>ld", "Hello, World"},
    {"one<br>two<br/>three", "one two three"},
    {"<style>p { a > b }</style>seen", " seen"},
    {"<script>if (a < b && \"</p>\") x();</script>seen", " seen"},
    {"<title>not seen</title><p>seen", "  seen"},
    {"a<!-- <b>not</b> -- > seen -->b", "ab"},
    {"a<!---->b", "ab"},
    {"r&eacute;union &amp; caf&#233; &#xE9;t&#XE9; &euro;5", "réunion & café été €5"},
    {"a&nbsp;b&shy;c", "a bc"},
    {"AT&T &unknown; & &; &#; &#x; &#1114112;", "AT&T &unknown; & &; &#; &#x; &#1114112;"},
    {"1 < 2 <3 << <é", "1 < 2 <3 << <é"},
    {"x &lt;b&gt;", "x <b>"},
    {"<a href='it''s'>link</a", "link"},
    {"end &copy", "end ©"},
    {"end <", "end <"},
    {"<!DOCTYPE html><html><body>x", "   x"},
};

static void
check(const char *html, size_t cut, struct slice expected)
{
    struct slice whole = slice_of_string(html);
    struct mime_html state = {0};
    struct buffer out;

    buffer_init(&out, 1000);
    mime_html_feed(&state, slice_first(whole, cut), &out);
    mime_html_feed(&state, slice_skip(whole, cut), &out);
    mime_html_finish(&state, &out);
    if (!slice_equal(buffer_slice(&out), expected))
        fail_msg("%s gave [%.*s]", html, (int)buffer_len(&out),
                 (const char *)buffer_slice(&out).at);
    buffer_finish(&out);
}

static void
tags_go_and_references_become_characters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].html); cut++)
            check(cases[i].html, cut, slice_of_string(cases[i].text));
    }
}

static void
references_have_their_characters(void **state)
{
    (void)state;
    assert_int_equal(mime_html_character(SLICE("nbsp")), 0xA0);
    assert_int_equal(mime_html_character(SLICE("yuml")), 0xFF);
    assert_int_equal(mime_html_character(SLICE("Eacute")), 0xC9);
    assert_int_equal(mime_html_character(SLICE("apos")), '\'');
    assert_int_equal(mime_html_character(SLICE("#x10FFFF")), 0x10FFFF);
    assert_int_equal(mime_html_character(SLICE("#x110000")), 0);
    assert_int_equal(mime_html_character(SLICE("#99999999999")), 0);
    assert_int_equal(mime_html_character(SLICE("")), 0);
    assert_int_equal(mime_html_character(SLICE("#1g")), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_go_and_references_become_characters),
        cmocka_unit_test(references_have_their_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
