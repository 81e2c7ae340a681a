/* SPDX-License-Identifier: ISC */
/* RFC 2047 both ways; case D7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/encoded_word.h"
#include "text/utf8.h"

static void
check_decoded(const char *text, const char *expected)
{
    struct buffer buffer;

    buffer_init(&buffer, 64 * 1024);
    mime_encoded_words_decode(&buffer, slice_of_string(text));
    if (!slice_equal(buffer_slice(&buffer), slice_of_string(expected)))
        fail_msg("%s\n gives    %.*s\n expected %s", text, (int)buffer_len(&buffer),
                 (const char *)buffer_slice(&buffer).at, expected);
    buffer_finish(&buffer);
}

static void
the_examples_of_rfc_2047_are_decoded(void **state)
{
    (void)state;
    check_decoded("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore");
    check_decoded("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xC3\xB8rn Simonsen");
    check_decoded("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
                  " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                  "If you can read this you understand the example.");
    check_decoded("(=?ISO-8859-1?Q?a?=)", "(a)");
    check_decoded("(=?ISO-8859-1?Q?a?= b)", "(a b)");
    check_decoded("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
    check_decoded("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)");
    check_decoded("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
    check_decoded("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
    check_decoded("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
}

static void
case_d7_characters_divided_between_words_are_joined(void **state)
{
    (void)state;
    check_decoded("=?utf-8?Q?R=C3=A9union_d?= =?utf-8?Q?'=C3?= =?UTF-8?B?qXTDqQ==?=",
                  "R\xC3\xA9union d'\xC3\xA9t\xC3\xA9");
    check_decoded("=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=",
                  "\xE3\x81\x93\xE3\x82\x93\xE3\x81\xAB\xE3\x81\xA1\xE3\x81\xAF");
    check_decoded("a =?iso-8859-1*fr?Q?=E9t=E9?= b", "a \xC3\xA9t\xC3\xA9 b");
    check_decoded("=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?= c", "\xC3\xA9\xC3\xA9 c");
}

static void
bad_words_stay_as_they_are(void **state)
{
    static const char *const texts[] = {
        "",
        "=?",
        "=?utf-8",
        "=?utf-8?Q",
        "=?utf-8?Q?a",
        "=?utf-8?Q?a?",
        "=?utf-8?X?a?=",
        "=?utf-8?QQ?a?=",
        "=?x-none?Q?a?=",
        "=??Q?a?=",
        "=?utf-8?B?!!!!?=",
        "=?utf-8?Q?=G1?=",
        "=?=?=?",
        "a =? b ?= c",
        "=?utf-8?Q?a\x01",
    };

    (void)state;
    for (size_t i = 0; i + 1 < COUNT_OF(texts); i++)
        check_decoded(texts[i], texts[i]);
    check_decoded("=?x-none?Q?a?= =?utf-8?Q?b?=", "=?x-none?Q?a?= b");
    check_decoded("=?utf-8?Q?a?= =?x-none?Q?b?= =?utf-8?Q?c?=", "a =?x-none?Q?b?= c");
}

static void
what_many_senders_do_wrong_is_read(void **state)
{
    (void)state;
    check_decoded("=?utf-8?Q?Hello World?=", "Hello World");
    check_decoded("=?utf-8?Q?a?==?utf-8?Q?b?=", "ab");
    check_decoded("x=?utf-8?Q?a?=y", "xay");
    check_decoded("=?utf-8?B?w6k?=", "\xC3\xA9");
    check_decoded("=?utf-8?B?w6?= =?utf-8?B?k=?=", "\xC3\xA9");
    check_decoded("=?utf-8?B?YWJ?= =?utf-8?B?jZ?= =?utf-8?B?A==?=", "abcd");
    check_decoded("=?utf-8?B?YWI?= =?utf-8?B?Y2Q=?=", "abcd");
    check_decoded("=?utf-8?B?Y W?= =?utf-8?B?J j?= =?utf-8?B?Z\tA==?=", "abcd");
    check_decoded("=?utf-8?B?YQ=?= =?utf-8?B?Y2Q?=", "acd"); /* one "=" is missing */
    check_decoded("=?utf-8?B?YWJ?= =?utf-8?B?!?= =?utf-8?Q?c?=", "ab =?utf-8?B?!?= c");
    check_decoded("=?utf-8?Q?"
                  "?=",
                  "");
    check_decoded("caf\xC3\xA9", "caf\xC3\xA9");
    check_decoded("caf\xE9", "caf\xC3\xA9");
    check_decoded("=?windows-1252?Q?=93quoted=94?=", "\xE2\x80\x9Cquoted\xE2\x80\x9D");
}

/* Each word goes on with the one before: decoding all of them anew for each would take longer than
 * any test may. */
static void
words_that_never_end_a_group_take_linear_time(void **state)
{
    enum { WORDS = 300 * 1000 };
    const struct slice word = SLICE("=?l1?B?WFhY?=");
    struct buffer text, decoded;
    size_t as = 0;

    (void)state;
    buffer_init(&text, (WORDS + 1) * word.len);
    buffer_init(&decoded, 4 * WORDS);
    buffer_put(&text, SLICE("=?l1?B?Y?="));
    for (size_t i = 0; i < WORDS; i++)
        buffer_put(&text, word);
    mime_encoded_words_decode(&decoded, buffer_slice(&text));
    assert_int_equal(buffer_len(&decoded), 3 * WORDS);
    /* "YWFh" is "aaa". */
    for (size_t i = 0; i < 3 * WORDS; i++)
        as += buffer_slice(&decoded).at[i] == 'a';
    assert_int_equal(as, 3 * WORDS);
    buffer_finish(&text);
    buffer_finish(&decoded);
}

static void
nobody_can_put_line_ends_or_controls_into_the_result(void **state)
{
    (void)state;
    check_decoded("=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x");
    check_decoded("a\r\n b\r\n\tc", "a b\tc");
    check_decoded("=?utf-8?Q?a=00b=7F?=", "a b ");
}

/* Encodes, checks the lines, decodes and compares. */
static void
check_round_trip(struct slice text, enum mime_word_place place, size_t column)
{
    struct buffer encoded, decoded;

    buffer_init(&encoded, 1024 * 1024);
    buffer_init(&decoded, 1024 * 1024);
    mime_encoded_words_put(&encoded, text, place, column);
    struct slice rest = buffer_slice(&encoded);
    for (size_t line = 0; rest.len > 0; line++) {
        size_t len = slice_find(rest, SLICE("\r\n"));
        bool has_word = slice_find(slice_first(rest, len), SLICE("=?")) < len;
        if (has_word)
            assert_true((line == 0 ? column : 0) + len <= 76);
        for (size_t i = 0; i < len; i++)
            assert_true(rest.at[i] >= ' ' && rest.at[i] < 127);
        rest = slice_skip(rest, len + 2);
    }
    mime_encoded_words_decode(&decoded, slice_trim(buffer_slice(&encoded)));
    if (!slice_equal(buffer_slice(&decoded), text))
        fail_msg("%.*s\n became %.*s", (int)text.len, (const char *)text.at,
                 (int)buffer_len(&encoded), (const char *)buffer_slice(&encoded).at);
    buffer_finish(&encoded);
    buffer_finish(&decoded);
}

static void
text_that_was_encoded_decodes_to_itself(void **state)
{
    static const char *const texts[] = {
        "",
        "plain",
        "two words",
        "double  blanks   inside",
        " leading",
        "trailing ",
        " ",
        "   ",
        "\xC3\xA9",
        "a \xC3\xA9 b",
        "Hello \xC3\xA9",
        "=?utf-8?Q?not_a_word?=",
        "=?",
        "a=?b",
        "Re: r\xC3\xA9union du 3 \xC3\xA0 l'\xC3\xA9"
        "cole, apport\xC3\xA9 par "
        "\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD\xE6\x96\x87 et \xF0\x9F\x98\x80",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        for (size_t column = 0; column < 76; column += 5)
            check_round_trip(slice_of_string(texts[i]), MIME_WORD_TEXT, column);
}

static void
long_texts_are_folded_without_cutting_characters(void **state)
{
    (void)state;
    for (size_t len = 1; len < 400; len += 7) {
        char text[3 * 400];
        for (size_t i = 0; i < len; i++)
            memcpy(text + 3 * i, i % 5 == 4 ? " ab" : "\xE2\x82\xAC", 3);
        check_round_trip(slice_of(text, 3 * len), MIME_WORD_TEXT, len % 80);
    }
    char word[2000];
    memset(word, 'x', sizeof(word));
    check_round_trip(slice_of(word, sizeof(word)), MIME_WORD_TEXT, 9);
}

static void
check_phrase(const char *text, const char *expected)
{
    struct buffer buffer;

    buffer_init(&buffer, 4096);
    mime_encoded_words_put(&buffer, slice_of_string(text), MIME_WORD_PHRASE, 6);
    if (!slice_equal(buffer_slice(&buffer), slice_of_string(expected)))
        fail_msg("%s\n gives    %.*s\n expected %s", text, (int)buffer_len(&buffer),
                 (const char *)buffer_slice(&buffer).at, expected);
    buffer_finish(&buffer);
}

static void
display_names_are_atoms_quoted_or_encoded(void **state)
{
    (void)state;
    check_phrase("Paul Ochon", "Paul Ochon");
    check_phrase("Paul O. Chon", "\"Paul O. Chon\"");
    check_phrase("a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"");
    check_phrase("G\xC3\xA9rard (le) Florin", "=?iso-8859-1?Q?G=E9rard_=28le=29_Florin?=");
    check_phrase("12 \xE2\x82\xAC", "=?iso-8859-15?Q?12_=A4?=");
    check_phrase("=?x?=", "=?us-ascii?B?PT94Pz0=?=");
    check_phrase("\xE2\x80\x9C" "Bob\xE2\x80\x9D", "=?utf-8?B?4oCcQm9i4oCd?=");
    check_phrase("\xE4\xB8\xAD\xE6\x96\x87", "=?utf-8?B?5Lit5paH?=");
    check_phrase("two  blanks", "\"two  blanks\"");
}

/* Readers trim blanks at both ends: there they are encoded, and no more than a word with them. */
static void
blanks_at_the_ends_are_encoded_with_the_word_beside_them(void **state)
{
    static const struct {
        const char *text, *encoded;
    } cases[] = {
        {"these are plain ", "these are =?us-ascii?Q?plain_?="},
        {"these are plain  ", "these are =?us-ascii?Q?plain__?="},
        {" these are plain", "=?us-ascii?Q?_these?= are plain"},
        {"  these are plain", "=?us-ascii?Q?__these?= are plain"},
    };
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_clear(&out);
        mime_encoded_words_put(&out, slice_of_string(cases[i].text), MIME_WORD_TEXT, 9);
        assert_int_equal(buffer_len(&out), strlen(cases[i].encoded));
        assert_memory_equal(buffer_slice(&out).at, cases[i].encoded, buffer_len(&out));
    }
    buffer_finish(&out);
}

/* Characters of two, three and four octets, so that words end at any place in a group of three. */
static void
words_of_base64_are_padded_at_the_end_alone(void **state)
{
    struct buffer text, encoded, decoded;

    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        buffer_init(&text, 4096);
        buffer_init(&encoded, 8192);
        buffer_init(&decoded, 4096);
        for (size_t i = 0; i < shift; i++)
            buffer_put_text(&text, "\xC3\xA9");
        for (size_t i = 0; i < 40; i++)
            buffer_put_text(&text, i % 3 == 0 ? "\xF0\xA0\x80\x80" : "\xE4\xB8\x96\xC3\xA9");
        mime_encoded_words_put(&encoded, buffer_slice(&text), MIME_WORD_TEXT, 9);
        struct slice words = buffer_slice(&encoded);
        assert_true(slice_find(words, SLICE("?B?")) < words.len);
        assert_int_equal(slice_find(words, SLICE("=?=\r\n")), words.len);
        mime_encoded_words_decode(&decoded, words);
        assert_true(slice_equal(buffer_slice(&decoded), buffer_slice(&text)));
        buffer_finish(&text);
        buffer_finish(&encoded);
        buffer_finish(&decoded);
    }
}

static void
octets_that_are_not_utf_8_become_replacement_characters(void **state)
{
    struct buffer encoded, decoded;

    (void)state;
    buffer_init(&encoded, 4096);
    buffer_init(&decoded, 4096);
    mime_encoded_words_put(&encoded, SLICE("a\xFFz"), MIME_WORD_TEXT, 0);
    mime_encoded_words_decode(&decoded, buffer_slice(&encoded));
    assert_true(slice_equal(buffer_slice(&decoded), SLICE("a\xEF\xBF\xBDz")));
    buffer_finish(&encoded);
    buffer_finish(&decoded);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_2047_are_decoded),
        cmocka_unit_test(case_d7_characters_divided_between_words_are_joined),
        cmocka_unit_test(bad_words_stay_as_they_are),
        cmocka_unit_test(what_many_senders_do_wrong_is_read),
        cmocka_unit_test(words_that_never_end_a_group_take_linear_time),
        cmocka_unit_test(nobody_can_put_line_ends_or_controls_into_the_result),
        cmocka_unit_test(text_that_was_encoded_decodes_to_itself),
        cmocka_unit_test(long_texts_are_folded_without_cutting_characters),
        cmocka_unit_test(display_names_are_atoms_quoted_or_encoded),
        cmocka_unit_test(blanks_at_the_ends_are_encoded_with_the_word_beside_them),
        cmocka_unit_test(words_of_base64_are_padded_at_the_end_alone),
        cmocka_unit_test(octets_that_are_not_utf_8_become_replacement_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
