/* SPDX-License-Identifier: ISC */
#include "directory/tests/test.h"

#include "directory/directory.h"

static const char accounts[] =
    "domain foo.com\n"
    "domain bar.com\n"
    "account Admin.MRC@foo.com id=1 full-name=\"Mark Crispin\"\n"
    "account smith@foo.com id=2 full-name=\"Sam Q. Smith\"\n"
    "account hsmith@foo.com id=3 full-name=\"Harry Smith\"\n"
    "account msmith@bar.com id=4 full-name=\"Melvin Smith-Jones\"\n"
    "account smithers@foo.com id=5\n"
    "account off@foo.com id=6 full-name=\"Gone Crispin\" disabled\n"
    "list exemple-email-list@foo.com to=smith@foo.com,hsmith@foo.com,who@elsewhere.test "
    "full-name=\"A list\"\n"
    "list secret@foo.com to=smith@foo.com private\n"
    "alias sales@foo.com to=smith@foo.com\n"
    "alias sales@bar.com to=smith@foo.com\n"
    "alias @bar.com to=smith@foo.com\n"
    "moved gone@foo.com to=gone@elsewhere.test\n";

static const struct {
    bool is_expand;
    const char *query;
    enum directory_verdict verdict;
    const char *lines; /* with | between them */
} rows[] = {
    {false, "Crispin", DIRECTORY_FOUND, "Mark Crispin <admin.mrc@foo.com>"},
    {false, "mark crispin", DIRECTORY_FOUND, "Mark Crispin <admin.mrc@foo.com>"},
    {false, "admin.mrc", DIRECTORY_FOUND, "Mark Crispin <admin.mrc@foo.com>"},
    {false, "<ADMIN.MRC@foo.com>", DIRECTORY_FOUND, "Mark Crispin <admin.mrc@foo.com>"},
    {false, "smith", DIRECTORY_FOUND,
     "Sam Q. Smith <smith@foo.com>|Harry Smith <hsmith@foo.com>|Melvin Smith-Jones "
     "<msmith@bar.com>"},
    {false, "smithers", DIRECTORY_FOUND, "<smithers@foo.com>"},
    {false, "mit", DIRECTORY_UNKNOWN, ""},
    {false, "off@foo.com", DIRECTORY_DISABLED, ""},
    {false, "nobody@foo.com", DIRECTORY_UNKNOWN, ""},
    {false, "who@elsewhere.test", DIRECTORY_FOREIGN, ""},
    {false, "whoever@bar.com", DIRECTORY_FOUND, "Sam Q. Smith <smith@foo.com>"},
    {false, "gone@foo.com", DIRECTORY_HAS_MOVED, "<gone@elsewhere.test>"},
    {false, "exemple-email-list", DIRECTORY_FOUND, "A list <exemple-email-list@foo.com>"},
    {false, "secret@foo.com", DIRECTORY_FOUND, "<secret@foo.com>"},
    {false, "postmaster", DIRECTORY_FOUND, "Mark Crispin <admin.mrc@foo.com>"},
    {false, "", DIRECTORY_BAD_ADDRESS, ""},
    {false, "<>", DIRECTORY_BAD_ADDRESS, ""},
    {true, "exemple-email-list", DIRECTORY_FOUND,
     "Sam Q. Smith <smith@foo.com>|Harry Smith <hsmith@foo.com>|<who@elsewhere.test>"},
    {true, "EXEMPLE-email-list@FOO.com", DIRECTORY_FOUND,
     "Sam Q. Smith <smith@foo.com>|Harry Smith <hsmith@foo.com>|<who@elsewhere.test>"},
    {true, "secret", DIRECTORY_DISABLED, ""},
    {true, "sales", DIRECTORY_UNKNOWN, ""}, /* there are two */
    {true, "sales@bar.com", DIRECTORY_FOUND, "Sam Q. Smith <smith@foo.com>"},
    {true, "smith@foo.com", DIRECTORY_UNKNOWN, ""},
    {true, "@bar.com", DIRECTORY_UNKNOWN, ""},
    {true, "", DIRECTORY_BAD_ADDRESS, ""},
};

static void
queries_get_their_lines(void **state)
{
    struct directory_options options = {SLICE("+"), SLICE(""), 3};
    struct directory *directory = directory_parse(slice_of_string(accounts), &options);
    struct arena arena;
    struct buffer text;

    (void)state;
    assert_int_equal(directory_problem_count(directory), 0);
    arena_init(&arena, 1 << 20);
    buffer_init(&text, 4096);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct directory_lines lines;
        struct slice query = slice_of_string(rows[i].query);
        enum directory_verdict verdict = rows[i].is_expand
                                             ? directory_expand(directory, query, &arena, &lines)
                                             : directory_verify(directory, query, &arena, &lines);
        if (verdict != rows[i].verdict)
            fail_msg("%s: verdict %d", rows[i].query, verdict);
        buffer_clear(&text);
        for (size_t n = 0; n < lines.count; n++) {
            if (n > 0)
                buffer_put_byte(&text, '|');
            buffer_put(&text, lines.at[n]);
        }
        assert_slice(buffer_slice(&text), rows[i].lines);
    }
    buffer_finish(&text);
    arena_finish(&arena);
    directory_close(&directory);
}

static void
possibilities_are_shown_up_to_their_bound(void **state)
{
    struct directory_options options = {SLICE(""), SLICE(""), 3};
    struct directory_lines lines;
    struct arena arena;
    struct buffer text;

    (void)state;
    buffer_init(&text, 1 << 20);
    for (size_t i = 1; i <= DIRECTORY_MATCHES_MAX + 1; i++) {
        buffer_put_text(&text, "account u");
        buffer_put_decimal(&text, i);
        buffer_put_text(&text, "@a.test full-name=Smith id=");
        buffer_put_decimal(&text, i);
        buffer_put_byte(&text, '\n');
    }
    struct directory *directory = directory_parse(buffer_slice(&text), &options);
    arena_init(&arena, 1 << 20);
    assert_int_equal(directory_verify(directory, SLICE("smith"), &arena, &lines), DIRECTORY_FOUND);
    assert_int_equal(lines.count, DIRECTORY_MATCHES_MAX);
    arena_finish(&arena);
    directory_close(&directory);
    buffer_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_get_their_lines),
        cmocka_unit_test(possibilities_are_shown_up_to_their_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
