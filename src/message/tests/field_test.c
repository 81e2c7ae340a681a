/* SPDX-License-Identifier: ISC */
#include "message/field.h"
#include "text/tests/check.h"

static void
every_name_finds_its_id_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(field_name(FIELD_OTHER).len, 0);
    for (int id = FIELD_OTHER + 1; id < FIELD_ID_COUNT; id++) {
        struct slice name = field_name((enum field_id)id);
        uint8_t upper[64];
        assert_true(name.len > 0 && name.len < sizeof(upper));
        assert_int_equal(field_id_of(name), id);
        for (size_t i = 0; i < name.len; i++)
            upper[i] = byte_is_alpha(name.at[i]) ? name.at[i] & 0xDF : name.at[i];
        assert_int_equal(field_id_of(slice_of(upper, name.len)), id);
        assert_int_equal(field_id_of(slice_first(name, name.len - 1)), FIELD_OTHER);
    }
    assert_int_equal(field_id_of(SLICE("")), FIELD_OTHER);
    assert_int_equal(field_id_of(SLICE("X-Something-Else")), FIELD_OTHER);
    assert_int_equal(field_id_of(SLICE("A-Name-That-Is-Longer-Than-All-Of-Ours")), FIELD_OTHER);
}

/* A header as text: one line a field, "kind name=body defects". */
static const struct {
    const char *what;
    struct slice message;
    const char *fields;
    size_t header_len, body_offset;
    unsigned defects;
} headers[] = {
    {"plain", SLICE("From: a\r\nTo: b\r\n\r\nbody\r\n"), "F From=a 0\nF To=b 0\n", 16, 18, 0},
    {"bare LF", SLICE("From: a\nTo: b\n\nbody\n"), "F From=a 80\nF To=b 80\n", 14, 15,
     FIELD_DEFECT_BARE_LF},
    {"no body", SLICE("From: a\r\n"), "F From=a 0\n", 9, 9, 0},
    {"no line end", SLICE("From: a"), "F From=a 0\n", 7, 7, 0},
    {"empty", SLICE(""), "", 0, 0, 0},
    {"body alone", SLICE("\r\nbody"), "", 0, 2, 0},
    {"folded", SLICE("Subject: one\r\n two\r\n\tthree\r\nTo: b\r\n\r\n"),
     "F Subject=one\r\n two\r\n\tthree 0 folded\nF To=b 0\n", 35, 37, 0},
    {"folded at once", SLICE("Subject:\r\n one\r\n\r\n"), "F Subject=one 0 folded\n", 16, 18, 0},
    {"blank fold", SLICE("Subject: a\r\n  \r\n b\r\n\r\n"), "F Subject=a\r\n  \r\n b 100 folded\n",
     20, 22, FIELD_DEFECT_BLANK_FOLD},
    {"empty body of a field", SLICE("Subject:\r\nTo:b\r\n\r\n"), "F Subject= 0\nF To=b 0\n", 16, 18,
     0},
    {"blank before the colon", SLICE("From : a\r\nTo\t: b\r\n\r\n"), "F From=a 4\nF To=b 4\n", 18,
     20, FIELD_DEFECT_NAME_BLANK},
    {"letter box", SLICE("From a@b Sat Jan  1 10:00:00 2000\nTo: b\n\n"),
     "M =From a@b Sat Jan  1 10:00:00 2000 280\nF To=b 80\n", 40, 41,
     FIELD_DEFECT_MBOX_FROM | FIELD_DEFECT_BARE_LF},
    {"quoted letter box line", SLICE("To: b\r\n>From a@b Sat\r\nCc: c\r\n\r\n"),
     "F To=b 0\nM =>From a@b Sat 200\nF Cc=c 0\n", 29, 31, FIELD_DEFECT_MBOX_FROM},
    {"a fold without its blank", SLICE("Subject: one\r\ntwo three\r\nTo: b\r\n\r\nbody"),
     "F Subject=one 0\nJ =two three 1\nF To=b 0\n", 32, 34, FIELD_DEFECT_JUNK},
    {"two such lines", SLICE("Subject: one\r\ntwo\r\nthree\r\nTo: b\r\n\r\nbody"),
     "F Subject=one 0\nJ =two 1\nJ =three 1\nF To=b 0\n", 33, 35, FIELD_DEFECT_JUNK},
    {"the empty line forgotten", SLICE("To: b\r\nHello,\r\nhow are you?\r\n\r\nBye"), "F To=b 0\n",
     7, 7, FIELD_DEFECT_NO_END},
    {"no header at all", SLICE("Hello,\r\nhow are you?\r\n"), "J =Hello, 1\nJ =how are you? 1\n",
     22, 22, FIELD_DEFECT_JUNK},
    {"a sentence with a colon", SLICE("To: b\r\nI say: hello\r\nand bye\r\n\r\nx"), "F To=b 0\n", 7,
     7, FIELD_DEFECT_NO_END},
    {"no name", SLICE(": x\r\nTo: b\r\n\r\n"), "J =: x 1\nF To=b 0\n", 12, 14, FIELD_DEFECT_JUNK},
    {"begins with a fold", SLICE(" x\r\nTo: b\r\n\r\n"), "J =x 801\nF To=b 0\n", 11, 13,
     FIELD_DEFECT_JUNK | FIELD_DEFECT_FIRST_FOLD},
    {"8-bit", SLICE("Subject: \xC3\xA9\r\n\r\n"), "F Subject=\xC3\xA9 10\n", 13, 15,
     FIELD_DEFECT_8BIT},
    {"8-bit in the name", SLICE("Suj\xE9t: x\r\n\r\n"), "F Suj\xE9t=x 12\n", 10, 12,
     FIELD_DEFECT_8BIT | FIELD_DEFECT_NAME},
    {"DEL in the name", SLICE("X\x7FY: x\r\n\r\n"), "F X\x7FY=x 2\n", 8, 10, FIELD_DEFECT_NAME},
    {"a control in the name", SLICE("X\x1FY: x\r\n\r\n"), "F X\x1FY=x 2\n", 8, 10,
     FIELD_DEFECT_NAME},
    {"the outermost of a name", SLICE("!~: x\r\n\r\n"), "F !~=x 0\n", 7, 9, 0},
    {"NUL", SLICE("Subject: a\0b\r\n\r\n"), "F Subject=a?b 20\n", 14, 16, FIELD_DEFECT_NUL},
    {"bare CR", SLICE("Subject: a\rb\r\n\r\n"), "F Subject=a\rb 40\n", 14, 16,
     FIELD_DEFECT_BARE_CR},
    {"CR CR LF", SLICE("Subject: a\r\r\n\r\n"), "F Subject=a 40\n", 13, 15, FIELD_DEFECT_BARE_CR},
    {"any order, unknown", SLICE("X-A: 1\r\nDate: d\r\nX-A: 2\r\n\r\n"),
     "F X-A=1 0\nF Date=d 0\nF X-A=2 0\n", 25, 27, 0},
    {"only line ends", SLICE("\n\n\n"), "", 0, 1, 0},
    {"a lone CR", SLICE("\r"), "J = 41\n", 1, 1, FIELD_DEFECT_JUNK | FIELD_DEFECT_BARE_CR},
};

static void
put_hex(struct buffer *out, unsigned number)
{
    static const char digits[] = "0123456789abcdef";
    unsigned shift = 28;

    while (shift && !(number >> shift))
        shift -= 4;
    for (;; shift -= 4) {
        buffer_put_byte(out, (uint8_t)digits[number >> shift & 15]);
        if (shift == 0)
            return;
    }
}

static void
put_field(struct buffer *out, const struct field *field)
{
    buffer_put_byte(out, (uint8_t)"FMJ"[field->kind]);
    buffer_put_byte(out, ' ');
    buffer_put(out, field->name);
    buffer_put_byte(out, '=');
    for (size_t i = 0; i < field->body.len; i++)
        buffer_put_byte(out, field->body.at[i] ? field->body.at[i] : '?');
    buffer_put_byte(out, ' ');
    put_hex(out, field->defects);
    buffer_put_text(out, field->is_folded ? " folded\n" : "\n");
}

static void
headers_are_read_whatever_they_are(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 10000);
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct field_reader reader;
        struct field field;
        size_t offset = 0;
        buffer_clear(&out);
        field_reader_init(&reader, headers[i].message);
        while (field_next(&reader, &field)) {
            put_field(&out, &field);
            assert_int_equal(field.offset, offset);
            assert_ptr_equal(field.raw.at, headers[i].message.at + offset);
            offset += field.raw.len;
        }
        if (!slice_equal(buffer_slice(&out), slice_of_string(headers[i].fields)))
            print_error("%s:\n", headers[i].what);
        assert_slice(buffer_slice(&out), slice_of_string(headers[i].fields));
        assert_int_equal(reader.header_len, headers[i].header_len);
        assert_int_equal(reader.body_offset, headers[i].body_offset);
        assert_int_equal(reader.defects, headers[i].defects);
        assert_false(field_next(&reader, &field));
    }
    buffer_finish(&out);
}

static void
lines_of_998_octets_are_right_and_of_999_too_long(void **state)
{
    static uint8_t text[2000];
    struct field_reader reader;
    struct field field;

    (void)state;
    for (size_t len = FIELD_LINE_MAX - 1; len <= FIELD_LINE_MAX + 1; len++) {
        memset(text, 'x', sizeof(text));
        memcpy(text, "X: ", 3);
        memcpy(text + len, "\r\n", 2);
        field_reader_init(&reader, slice_of(text, len + 2));
        assert_true(field_next(&reader, &field));
        assert_int_equal(field.defects, len > FIELD_LINE_MAX ? FIELD_DEFECT_LONG_LINE : 0);
    }
}

/* Octets are judged eight at a time: each kind at each place of fields of each length. */
static void
bad_octets_are_found_wherever_they_stand(void **state)
{
    static const struct {
        uint8_t octet;
        unsigned defect;
    } kinds[] = {
        {0x80, FIELD_DEFECT_8BIT}, {0xFF, FIELD_DEFECT_8BIT}, {0, FIELD_DEFECT_NUL},
        {'\r', FIELD_DEFECT_BARE_CR}, {0x0C, 0}, {0x0E, 0}, {1, 0}, {0x7F, 0},
    };

    (void)state;
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        for (size_t len = 1; len < 24; len++) {
            for (size_t at = 0; at + 1 < len; at++) {
                uint8_t text[40];
                struct field_reader reader;
                struct field field;
                memset(text, 'x', sizeof(text));
                memcpy(text, "X:", 2);
                memcpy(text + 2 + len, "\r\n", 2);
                text[2 + at] = kinds[kind].octet;
                field_reader_init(&reader, slice_of(text, len + 4));
                assert_true(field_next(&reader, &field));
                assert_int_equal(field.defects, kinds[kind].defect);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_finds_its_id_in_any_case),
        cmocka_unit_test(headers_are_read_whatever_they_are),
        cmocka_unit_test(lines_of_998_octets_are_right_and_of_999_too_long),
        cmocka_unit_test(bad_octets_are_found_wherever_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
