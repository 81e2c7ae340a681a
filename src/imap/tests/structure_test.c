/* SPDX-License-Identifier: ISC */
/* ENVELOPE, BODYSTRUCTURE and sections of messages inside messages; search terms by what they
 * need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "imap/search.h"
#include "imap/structure.h"

static const char nested[] =
    "From: a@b.test\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    "--i\r\n\r\none\r\n--i\r\nContent-Type: text/html\r\n\r\n<b>two</b>\r\n--i--\r\n"
    "--o\r\n\r\nlast\r\n--o--\r\n";

struct parsed {
    struct arena arena;
    struct buffer record;
    struct imap_message message;
};

static void
parse(struct parsed *parsed, const char *text)
{
    struct mime_tree tree;

    arena_init(&parsed->arena, 32 << 20);
    buffer_init(&parsed->record, MIME_RECORD_MAX);
    mime_tree_parse(slice_of_string(text), &parsed->arena, &tree);
    mime_record_put(&parsed->record, &tree, &parsed->arena);
    imap_message_open(&parsed->message, buffer_slice(&parsed->record), (uint32_t)strlen(text));
    assert_true(parsed->message.has_record);
}

static void
finish(struct parsed *parsed)
{
    buffer_finish(&parsed->record);
    arena_finish(&parsed->arena);
}

static void
expect_section(const struct parsed *parsed, struct imap_part_path path, enum imap_section_kind kind,
               const char *wanted)
{
    enum mime_encoding encoding;
    uint32_t offset, len;
    bool is_there = imap_section_find(&parsed->message, &path, kind, &offset, &len, &encoding);

    assert_int_equal(is_there, wanted != NULL);
    if (wanted)
        assert_true(slice_equal(slice_of(nested + offset, len), slice_of_string(wanted)));
}

static void
parts_of_a_message_inside_have_numbers(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, nested);
    expect_section(&parsed, (struct imap_part_path){{1, 1}, 2}, IMAP_SECTION_WHOLE, "one");
    expect_section(&parsed, (struct imap_part_path){{1, 2}, 2}, IMAP_SECTION_WHOLE, "<b>two</b>");
    expect_section(&parsed, (struct imap_part_path){{1}, 1}, IMAP_SECTION_HEADER,
                   "Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n");
    expect_section(&parsed, (struct imap_part_path){{2}, 1}, IMAP_SECTION_WHOLE, "last");
    expect_section(&parsed, (struct imap_part_path){{2}, 1}, IMAP_SECTION_HEADER, NULL);
    expect_section(&parsed, (struct imap_part_path){{2, 1}, 2}, IMAP_SECTION_WHOLE, NULL);
    expect_section(&parsed, (struct imap_part_path){{3}, 1}, IMAP_SECTION_WHOLE, NULL);
    finish(&parsed);
}

static void
structures_nest(void **state)
{
    struct parsed parsed;
    struct buffer out;

    (void)state;
    parse(&parsed, nested);
    buffer_init(&out, 10000);
    imap_put_structure(&out, &parsed.message, false);
    struct slice text = buffer_slice(&out);
    assert_true(slice_starts_with(text, SLICE("((\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" ")));
    assert_true(slice_ends_with(text, SLICE(" \"mixed\")")));
    assert_true(slice_find(text, SLICE(" \"alternative\") ")) < text.len);
    buffer_clear(&out);
    imap_put_envelope(&out, &parsed.message);
    text = buffer_slice(&out);
    assert_true(slice_starts_with(text, SLICE("(NIL NIL ((NIL NIL \"a\" \"b.test\"))")));
    buffer_finish(&out);
    finish(&parsed);
}

static void
expect_structure(const char *text, const char *wanted)
{
    struct parsed parsed;
    struct buffer out;

    parse(&parsed, text);
    buffer_init(&out, 10000);
    imap_put_structure(&out, &parsed.message, false);
    buffer_put_byte(&out, 0);
    assert_string_equal((const char *)buffer_slice(&out).at, wanted);
    buffer_finish(&out);
    finish(&parsed);
}

/* RFC 9051 §9, body-type-msg: clients take what stands there for an envelope, a body, lines. */
static void
a_message_that_is_not_looked_into_has_all_that_one_has(void **state)
{
    (void)state;
    expect_structure(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3Vi\r\n",
        "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 (NIL NIL NIL NIL NIL NIL NIL NIL NIL "
        "NIL) "
        "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0) 1)");
    expect_structure("Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                     "(\"message\" \"global\" NIL NIL NIL \"base64\" 0 (NIL NIL NIL NIL NIL NIL "
                     "NIL NIL NIL NIL) "
                     "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0) 0)");
    expect_structure("Content-Type: message/partial\r\nContent-Transfer-Encoding: base64\r\n\r\n",
                     "(\"message\" \"partial\" NIL NIL NIL \"base64\" 0)");
}

static void
an_encoding_is_told_by_its_name_alone(void **state)
{
    static const char *const told[][2] = {
        {"base64", "base64"},       {"BASE64", "BASE64"},
        {"(c) base64", "base64"},   {"base64 (c)", "base64"},
        {"base64; x", "base64"},    {"\"Base64\"", "base64"},
        {"7-bit", "7-bit"},         {"x-own", "x-own"},
        {"x-own (c)", "x-own (c)"}, {"quoted-printable;", "quoted-printable"},
    };
    char text[200], wanted[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(told); i++) {
        snprintf(text, sizeof(text), "Content-Transfer-Encoding: %s\r\n\r\n", told[i][0]);
        snprintf(wanted, sizeof(wanted), "(\"text\" \"plain\" NIL NIL NIL \"%s\" 0 0)", told[i][1]);
        expect_structure(text, wanted);
    }
}

static void
a_message_without_record_is_one_text(void **state)
{
    struct imap_message message;
    struct buffer out;

    (void)state;
    imap_message_open(&message, SLICE("nonsense"), 42);
    assert_false(message.has_record);
    buffer_init(&out, 1000);
    imap_put_structure(&out, &message, false);
    assert_true(
        slice_equal(buffer_slice(&out), SLICE("(\"text\" \"plain\" NIL NIL NIL \"8BIT\" 42 0)")));
    buffer_finish(&out);
}

static void
fields_are_chosen_with_their_continuations(void **state)
{
    struct slice names[] = {SLICE("b")};
    struct slice header = SLICE("A: 1\r\nB: 2\r\n more\r\nC: 3\r\n\r\n");
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    imap_put_fields(&out, header, names, 1, false);
    assert_true(slice_equal(buffer_slice(&out), SLICE("B: 2\r\n more\r\n\r\n")));
    buffer_clear(&out);
    imap_put_fields(&out, header, names, 1, true);
    assert_true(slice_equal(buffer_slice(&out), SLICE("A: 1\r\nC: 3\r\n\r\n")));
    buffer_finish(&out);
}

static void
terms_stay_open_until_what_they_need_is_known(void **state)
{
    uint8_t flags[] = {1};
    struct imap_mailbox mailbox = {.flags = flags, .count = 1};
    struct access_store_message entry = {.len = 100};
    struct imap_term terms[] = {
        {.kind = IMAP_TERM_LARGER, .number = 50},
        {.kind = IMAP_TERM_FLAG, .flag = 1},
        {.kind = IMAP_TERM_NOT},
        {.kind = IMAP_TERM_OR},
    };
    struct imap_search search = {.terms = terms, .count = 4, .need = IMAP_NEED_ENTRY};
    struct imap_candidate candidate = {.mailbox = &mailbox, .known = IMAP_NEED_COLUMNS};

    (void)state;
    assert_int_equal(imap_search_test(&search, &candidate), IMAP_UNKNOWN);
    candidate.known = IMAP_NEED_ENTRY;
    candidate.entry = &entry;
    assert_int_equal(imap_search_test(&search, &candidate), IMAP_TRUE);
    flags[0] = 0;
    candidate.known = IMAP_NEED_COLUMNS;
    assert_int_equal(imap_search_test(&search, &candidate), IMAP_TRUE);
    imap_search_finish(&search);
    assert_int_equal(search.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_message_inside_have_numbers),
        cmocka_unit_test(structures_nest),
        cmocka_unit_test(a_message_that_is_not_looked_into_has_all_that_one_has),
        cmocka_unit_test(an_encoding_is_told_by_its_name_alone),
        cmocka_unit_test(a_message_without_record_is_one_text),
        cmocka_unit_test(fields_are_chosen_with_their_continuations),
        cmocka_unit_test(terms_stay_open_until_what_they_need_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
