/* SPDX-License-Identifier: ISC */
/* Content-Type, Content-Disposition, their parameters in all forms; cases D2 and D7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/disposition.h"

struct fixture {
    struct arena arena;
    struct mime_defects defects;
    struct mime_place place;
    struct buffer text;
};

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 4 * 1024 * 1024);
    buffer_init(&fixture.text, 64 * 1024);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_finish(&fixture->arena);
    buffer_finish(&fixture->text);
    return 0;
}

static struct mime_content_type
parse(struct fixture *fixture, const char *field)
{
    struct slice body = slice_of_string(field);

    fixture->defects = (struct mime_defects){0};
    fixture->place = (struct mime_place){body.at, &fixture->defects};
    return mime_content_type_parse(body, &fixture->arena, &fixture->place);
}

/* As `type/subtype;name=value;name[language]=value`, resolved. */
static const char *
text_of(struct fixture *fixture, const struct mime_content_type *type)
{
    struct buffer *text = &fixture->text;

    buffer_clear(text);
    buffer_put(text, type->type);
    buffer_put_byte(text, '/');
    buffer_put(text, type->subtype);
    for (size_t i = 0; i < type->parameters.count; i++) {
        const struct mime_parameter *parameter = &type->parameters.items[i];
        buffer_put_byte(text, ';');
        buffer_put(text, parameter->name);
        if (parameter->language.len > 0) {
            buffer_put_byte(text, '[');
            buffer_put(text, parameter->language);
            buffer_put_byte(text, ']');
        }
        buffer_put_byte(text, '=');
        buffer_put(text, parameter->value);
    }
    buffer_put_byte(text, 0);
    return (const char *)text->at;
}

struct row {
    const char *field;
    const char *expected;
    uint64_t defects;
};

#define BIT(kind) (UINT64_C(1) << MIME_DEFECT_##kind)

static void
check_rows(struct fixture *fixture, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mime_content_type type = parse(fixture, rows[i].field);
        if (strcmp(text_of(fixture, &type), rows[i].expected) != 0 ||
            fixture->defects.kinds != rows[i].defects)
            fail_msg("%s\n gives    %s (defects %llx)\n expected %s (defects %llx)", rows[i].field,
                     text_of(fixture, &type), (unsigned long long)fixture->defects.kinds,
                     rows[i].expected, (unsigned long long)rows[i].defects);
    }
}

static void
types_are_read_with_comments_and_any_case(void **state)
{
    static const struct row rows[] = {
        {"text/plain", "text/plain", 0},
        {"  TEXT/Plain ; Charset=US-ASCII ", "TEXT/Plain;Charset=US-ASCII", 0},
        {"text/plain; charset=us-ascii (Plain text)", "text/plain;charset=us-ascii", 0},
        {"(a) text (b) / (c) plain (d) ; (e) charset (f) = (g) \"utf-8\" (h)",
         "text/plain;charset=utf-8", 0},
        {"text/plain;\r\n charset=utf-8;\r\n\tformat=flowed",
         "text/plain;charset=utf-8;format=flowed", 0},
        {"multipart/mixed; boundary=\"une simple limite\"",
         "multipart/mixed;boundary=une simple limite", 0},
        {"application/vnd.oasis.opendocument.text; name=\"a;b=c\"",
         "application/vnd.oasis.opendocument.text;name=a;b=c", 0},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void
what_is_no_type_becomes_the_default(void **state)
{
    static const struct row rows[] = {
        {"", "text/plain", BIT(CONTENT_TYPE)},
        {"text", "text/plain", BIT(CONTENT_TYPE)},
        {"text/", "text/plain", BIT(CONTENT_TYPE)},
        {"multipart; boundary=b", "multipart/mixed;boundary=b", BIT(CONTENT_TYPE)},
        {"application", "text/plain", BIT(CONTENT_TYPE)},
        {"/plain", "text/plain", 0},
        {"\"text/plain\"", "text/plain", BIT(CONTENT_TYPE)},
        {"text; charset=utf-8", "text/plain;charset=utf-8", BIT(CONTENT_TYPE)},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void
odd_parameters_are_understood(void **state)
{
    static const struct row rows[] = {
        {"a/b; name=annual report.txt", "a/b;name=annual report.txt", BIT(PARAMETER)},
        {"a/b; name=annual report (final).txt", "a/b;name=annual report (final).txt",
         BIT(PARAMETER)},
        {"a/b; name=\"a \\\"b\\\" \\\\c\"", "a/b;name=a \"b\" \\c", 0},
        {"a/b; name=\"never closed", "a/b;name=never closed", BIT(PARAMETER)},
        {"a/b; name=\"the \"best\" one.txt\"; x=y", "a/b;name=the \"best\" one.txt;x=y",
         BIT(PARAMETER)},
        {"a/b; name=", "a/b;name=", BIT(PARAMETER)},
        {"a/b; name=\"\"", "a/b;name=", 0},
        {"a/b; =x; name=y", "a/b;name=y", BIT(PARAMETER)},
        {"a/b; flag; name=y", "a/b;name=y", BIT(PARAMETER)},
        {"a/b;; ;name=y;;", "a/b;name=y", 0},
        {"a/b charset=utf-8", "a/b;charset=utf-8", BIT(PARAMETER)},
        {"a/b; x=1; X=2", "a/b;x=1", BIT(PARAMETER_REPEATED)},
        {"a/b; name=a@b/c?d", "a/b;name=a@b/c?d", 0},
        {"a/b; name=\"folded\r\n value\"", "a/b;name=folded value", 0},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void
parameters_of_rfc_2231_are_joined_and_decoded(void **state)
{
    static const struct row rows[] = {
        {"m/e; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/x.tar\"", "m/e;URL=ftp://cs.utk.edu/x.tar", 0},
        {"a/s; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
         "a/s;title[en-us]=This is ***fun***", 0},
        {"a/s; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
         " title*2=\"isn't it!\"",
         "a/s;title[en]=This is even more ***fun*** isn't it!", 0},
        {"a/s; t*1=b; t*0=a", "a/s;t=ab", 0},
        {"a/s; t*0*=utf-8''%C3; t*1*=%A9", "a/s;t=\xC3\xA9", 0},
        {"a/s; t*=iso-8859-1'fr'r%E9union", "a/s;t[fr]=r\xC3\xA9union", 0},
        {"a/s; t*0*=iso-8859-1''a; t*1=%41", "a/s;t=a%41", 0},
        {"a/s; t=plain; t*=utf-8''better; u=v", "a/s;t=better;u=v", 0},
        {"a/s; t=plain; t*0=bet; t*1=ter", "a/s;t=better", 0},
        {"a/s; t*0=a; t*2=c", "a/s;t=a", BIT(PARAMETER_SECTION)},
        {"a/s; t*1=b", "a/s", BIT(PARAMETER_SECTION)},
        {"a/s; t*0=a; t*0=b", "a/s;t=a", BIT(PARAMETER_SECTION)},
        {"a/s; t*=utf-8''%C3%", "a/s;t=\xEF\xBF\xBD%", BIT(PARAMETER_ENCODING)},
        {"a/s; t*=x-none''%41", "a/s;t=A", BIT(PARAMETER_ENCODING)},
        {"a/s; t*=%41", "a/s;t=A", 0},
        {"a/s; t**=x", "a/s;t**=x", 0},
        {"a/s; t*99999999999999999999=x", "a/s;t*99999999999999999999=x", 0},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void
encoded_words_and_8_bit_in_values_are_decoded(void **state)
{
    static const struct row rows[] = {
        {"a/s; name=\"=?utf-8?Q?=C3=A9.txt?=\"", "a/s;name=\xC3\xA9.txt", BIT(PARAMETER_ENCODING)},
        {"a/s; name==?utf-8?B?w6k=?=", "a/s;name=\xC3\xA9", BIT(PARAMETER_ENCODING)},
        {"a/s; name=\"=?utf-8?B?w6k=?=\r\n =?utf-8?B?w6k=?=\"", "a/s;name=\xC3\xA9\xC3\xA9",
         BIT(PARAMETER_ENCODING)},
        {"a/s; name=caf\xC3\xA9", "a/s;name=caf\xC3\xA9", 0},
        {"a/s; name=caf\xE9", "a/s;name=caf\xC3\xA9", BIT(PARAMETER_ENCODING)},
    };
    check_rows(*state, rows, COUNT_OF(rows));
}

static void
the_written_form_is_kept(void **state)
{
    struct mime_content_type type = parse(*state, "a/s; t*1*=%41; t*0=\"x\\\"y\"");

    assert_int_equal(type.written.count, 2);
    assert_true(slice_equal(type.written.items[0].name, SLICE("t*1*")));
    assert_true(slice_equal(type.written.items[0].value, SLICE("%41")));
    assert_true(slice_equal(type.written.items[1].value, SLICE("x\"y")));
}

static void
as_many_parameters_as_there_may_be_are_put_together(void **state)
{
    struct fixture *fixture = *state;
    struct buffer field;

    buffer_init(&field, 8192);
    buffer_put_text(&field, "a/s");
    for (unsigned i = 0; i < MIME_PARAMETERS_MAX; i++) {
        buffer_put_text(&field, ";p");
        buffer_put_decimal(&field, i / 2);
        buffer_put_text(&field, i % 2 == 0 ? "*1=w" : "*0=v");
    }
    buffer_put_byte(&field, 0);
    struct mime_content_type type = parse(fixture, (const char *)field.at);
    assert_int_equal(type.written.count, MIME_PARAMETERS_MAX);
    assert_int_equal(type.parameters.count, MIME_PARAMETERS_MAX / 2);
    for (size_t i = 0; i < type.parameters.count; i++)
        assert_true(slice_equal(type.parameters.items[i].value, SLICE("vw")));
    assert_int_equal(fixture->defects.kinds, 0);
    buffer_finish(&field);
}

static void
parameters_stop_at_their_limit(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned extra = 0; extra < 2; extra++) {
        struct buffer field;
        buffer_init(&field, 4096);
        buffer_put_text(&field, "a/s");
        for (unsigned i = 0; i < MIME_PARAMETERS_MAX + extra; i++) {
            buffer_put_text(&field, ";p");
            buffer_put_decimal(&field, i);
            buffer_put_text(&field, "=v");
        }
        buffer_put_byte(&field, 0);
        struct mime_content_type type = parse(fixture, (const char *)field.at);
        assert_int_equal(type.parameters.count, MIME_PARAMETERS_MAX);
        assert_int_equal(fixture->defects.kinds, extra ? BIT(PARAMETERS_LIMIT) : 0);
        buffer_finish(&field);
    }
}

/* A megabyte of what must be looked ahead over: anything quadratic would take hours. */
static void
hostile_fields_stay_cheap(void **state)
{
    static const char *const units[] = {
        "(", " ", "( ", "()", "a ", "\"", "\\", ";", "=?", "=?utf-8?q?", "=?utf-8?q?=", "*0=",
        ";a*0=b", "%", "\r\n ", "'",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        struct buffer field;
        buffer_init(&field, 2 * 1024 * 1024);
        buffer_put_text(&field, "a/s; name=x");
        while (buffer_len(&field) < 1024 * 1024)
            buffer_put_text(&field, units[i]);
        fixture->place = (struct mime_place){field.at, &fixture->defects};
        arena_reset(&fixture->arena);
        struct mime_content_type type =
            mime_content_type_parse(buffer_slice(&field), &fixture->arena, &fixture->place);
        assert_true(slice_equal(type.subtype, SLICE("s")));
        buffer_finish(&field);
    }
}

static void
a_defect_tells_its_place(void **state)
{
    struct fixture *fixture = *state;

    parse(fixture, "text/plain; flag; name=x");
    assert_int_equal(fixture->defects.count, 1);
    assert_int_equal(fixture->defects.items[0].offset, 12);
}

static void
transfer_encodings_are_known_under_their_names(void **state)
{
    static const struct {
        const char *field;
        enum mime_encoding encoding;
        bool is_bad;
    } rows[] = {
        {"7bit", MIME_ENCODING_7BIT, false}, {" 8BIT ", MIME_ENCODING_8BIT, false},
        {"binary", MIME_ENCODING_BINARY, false},
        {"Quoted-Printable", MIME_ENCODING_QUOTED_PRINTABLE, false},
        {"(c) base64 (c)", MIME_ENCODING_BASE64, false},
        {"\"base64\"", MIME_ENCODING_BASE64, false}, {"base64;", MIME_ENCODING_BASE64, false},
        {"x-uuencode", MIME_ENCODING_UUENCODE, false}, {"", MIME_ENCODING_UNKNOWN, true},
        {"base-64", MIME_ENCODING_UNKNOWN, true}, {"x-other", MIME_ENCODING_UNKNOWN, true},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice body = slice_of_string(rows[i].field);
        fixture->defects = (struct mime_defects){0};
        fixture->place = (struct mime_place){body.at, &fixture->defects};
        assert_int_equal(mime_encoding_parse(body, &fixture->place), rows[i].encoding);
        assert_int_equal(fixture->defects.kinds, rows[i].is_bad ? BIT(ENCODING) : 0);
    }
}

/* A record can tell of an encoding that is none. */
static void
encodings_have_names(void **state)
{
    (void)state;
    assert_string_equal(mime_encoding_name(MIME_ENCODING_7BIT), "7bit");
    assert_string_equal(mime_encoding_name(MIME_ENCODING_BASE64), "base64");
    assert_string_equal(mime_encoding_name(MIME_ENCODING_UNKNOWN), "binary");
    assert_string_equal(mime_encoding_name(MIME_ENCODINGS), "binary");
}

static struct slice
file_name_of(struct fixture *fixture, const char *disposition_field, const char *type_field)
{
    struct mime_content_type type = parse(fixture, type_field);
    struct slice body = slice_of_string(disposition_field);

    fixture->place.message = body.at;
    struct mime_disposition disposition =
        mime_disposition_parse(body, &fixture->arena, &fixture->place);
    return mime_file_name(&disposition, &type);
}

static void
case_d7_a_file_name_in_parts_is_read(void **state)
{
    struct slice name = file_name_of(*state,
                                     "attachment;\r\n filename*0*=utf-8'fr'compte%20rendu%20de%20;"
                                     "\r\n filename*1*=r%C3%A9union;\r\n filename*2=\".pdf\"",
                                     "application/pdf; name=other.pdf");

    assert_true(slice_equal(name, SLICE("compte rendu de r\xC3\xA9union.pdf")));
    name = file_name_of(*state, "attachment", "application/msword; name=\"publi.doc\"");
    assert_true(slice_equal(name, SLICE("publi.doc")));
    assert_null(file_name_of(*state, "attachment", "application/msword").at);
    assert_true(slice_equal(file_name_of(*state, "filename=x.doc", "a/b"), SLICE("x.doc")));
}

static void
file_names_cannot_leave_their_folder(void **state)
{
    static const struct {
        const char *name, *safe;
    } rows[] = {
        {"publi.doc", "publi.doc"}, {"/etc/passwd", "passwd"}, {"..\\..\\boot.ini", "boot.ini"},
        {"..", "attachment"}, {"", "attachment"}, {"/", "attachment"}, {".bashrc", "bashrc"},
        {"-rf", "rf"}, {"a\nb\tc", "a_b_c"}, {"a:b*c?.txt", "a_b_c_.txt"}, {"x. ", "x"},
        {"\xC3\xA9t\xC3\xA9.txt", "\xC3\xA9t\xC3\xA9.txt"}, {"a\xFF", "a"},
        {"a\xC2\x9B" "31m\xC2\x85.txt", "a_31m_.txt"}, {"\x7F\xC2\xA0", "_\xC2\xA0"},
        {"\xE2\x80\xAE" "fdp.exe", "_fdp.exe"}, {"a\xE2\x81\xA6\xE2\x80\xA8" "b", "a__b"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buffer_clear(&fixture->text);
        mime_file_name_put(&fixture->text, slice_of_string(rows[i].name));
        buffer_put_byte(&fixture->text, 0);
        assert_string_equal((const char *)fixture->text.at, rows[i].safe);
    }
    char name[1000];
    memset(name, 'n', sizeof(name));
    buffer_clear(&fixture->text);
    mime_file_name_put(&fixture->text, slice_of(name, sizeof(name)));
    assert_int_equal(buffer_len(&fixture->text), 200);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(types_are_read_with_comments_and_any_case),
        TEST(what_is_no_type_becomes_the_default),
        TEST(odd_parameters_are_understood),
        TEST(parameters_of_rfc_2231_are_joined_and_decoded),
        TEST(encoded_words_and_8_bit_in_values_are_decoded),
        TEST(the_written_form_is_kept),
        TEST(as_many_parameters_as_there_may_be_are_put_together),
        TEST(encodings_have_names),
        TEST(parameters_stop_at_their_limit),
        TEST(hostile_fields_stay_cheap),
        TEST(a_defect_tells_its_place),
        TEST(transfer_encodings_are_known_under_their_names),
        TEST(case_d7_a_file_name_in_parts_is_read),
        TEST(file_names_cannot_leave_their_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
