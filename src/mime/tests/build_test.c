/* SPDX-License-Identifier: ISC */
/* What is built parses back to the same, and obeys the limits of the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/build.h"
#include "mime/decode.h"
#include "mime/encoded_word.h"
#include "mime/tests/tree_text.h"

static const struct mime_draft_entropy entropy = {
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct fixture {
    struct arena arena;
    struct buffer out;
    struct buffer content;
    struct mime_tree tree;
};

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 16 * 1024 * 1024);
    buffer_init(&fixture.out, 4 * 1024 * 1024);
    buffer_init(&fixture.content, 4 * 1024 * 1024);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_finish(&fixture->arena);
    buffer_finish(&fixture->out);
    buffer_finish(&fixture->content);
    return 0;
}

/* Builds, checks lines, parses; there must be no defect. */
static void
build(struct fixture *fixture, const struct mime_draft *draft)
{
    buffer_clear(&fixture->out);
    assert_true(mime_draft_put(draft, &entropy, &fixture->out));
    struct slice message = buffer_slice(&fixture->out);
    for (struct slice rest = message; rest.len > 0;) {
        size_t len = slice_find_byte(rest, '\n');
        assert_true(len < rest.len && len > 0 && rest.at[len - 1] == '\r');
        assert_true(len - 1 <= 998);
        rest = slice_skip(rest, len + 1);
    }
    mime_tree_parse(message, &fixture->arena, &fixture->tree);
    tree_check(&fixture->tree, message.len);
    assert_int_equal(fixture->tree.defects.kinds, 0);
}

static struct slice
content_of(struct fixture *fixture, size_t index)
{
    const struct mime_part *part = &fixture->tree.parts[index];

    buffer_clear(&fixture->content);
    mime_decode(&fixture->content, mime_part_body(&fixture->tree, part), part->encoding,
                &fixture->tree.defects, part->body_start);
    assert_int_equal(fixture->tree.defects.kinds, 0);
    return buffer_slice(&fixture->content);
}

/* The text of a part as people read it. */
static struct slice
text_of(struct fixture *fixture, size_t index)
{
    const struct mime_part *part = &fixture->tree.parts[index];
    struct mime_decoder *decoder = mime_decoder_open_text(
        mime_part_body(&fixture->tree, part), part->encoding,
        mime_content_type_charset(&part->content_type), NULL, 0);
    struct slice piece;

    buffer_clear(&fixture->content);
    while (mime_decoder_next(decoder, &piece))
        buffer_put(&fixture->content, piece);
    mime_decoder_close(&decoder);
    return buffer_slice(&fixture->content);
}

static void
check_text(struct fixture *fixture, const char *text, const char *charset,
           enum mime_encoding encoding, const char *expected)
{
    struct mime_draft *draft =
        mime_draft_new_text(&fixture->arena, "plain", slice_of_string(text));
    struct mime_draft *mixed = mime_draft_new_multipart(&fixture->arena, "mixed");

    mime_draft_append(mixed, draft);
    build(fixture, mixed);
    const struct mime_part *part = &fixture->tree.parts[1];
    assert_true(slice_equal(mime_content_type_charset(&part->content_type),
                            slice_of_string(charset)));
    assert_int_equal(part->encoding, encoding);
    struct slice content = text_of(fixture, 1);
    /* The line break behind the last base64 line adds nothing. */
    assert_true(slice_equal(content, slice_of_string(expected)));
}

static void
the_gentlest_encoding_is_chosen(void **state)
{
    char long_line[1100];

    check_text(*state, "Hello,\nworld.\n", "us-ascii", MIME_ENCODING_7BIT, "Hello,\r\nworld.\r\n");
    check_text(*state, "", "us-ascii", MIME_ENCODING_7BIT, "");
    check_text(*state, "G\xC3\xA9rard Florin, un texte qui est presque tout en ASCII.\r\n",
               "iso-8859-1",
               MIME_ENCODING_QUOTED_PRINTABLE,
               "G\xC3\xA9rard Florin, un texte qui est presque tout en ASCII.\r\n");
    check_text(*state, "\xE4\xB8\xAD\xE6\x96\x87\r", "utf-8", MIME_ENCODING_BASE64,
               "\xE4\xB8\xAD\xE6\x96\x87\r\n");
    check_text(*state, "a\nFrom here\n", "us-ascii", MIME_ENCODING_QUOTED_PRINTABLE,
               "a\r\nFrom here\r\n");
    check_text(*state, "blank at end \n", "us-ascii", MIME_ENCODING_QUOTED_PRINTABLE,
               "blank at end \r\n");
    memset(long_line, 'x', sizeof(long_line));
    long_line[998] = 0;
    check_text(*state, long_line, "us-ascii", MIME_ENCODING_7BIT, long_line);
    long_line[998] = 'x';
    long_line[999] = 0;
    check_text(*state, long_line, "us-ascii", MIME_ENCODING_QUOTED_PRINTABLE, long_line);
}

static void
the_narrowest_charset_is_chosen(void **state)
{
    static const struct {
        const char *subtype, *text, *charset;
    } rows[] = {
        {"plain", "plain\r\n", "us-ascii"},
        {"plain", "Gr\xC3\xBC\xC3\x9F" "e, d\xC3\xA9j\xC3\xA0 vu\r\n", "iso-8859-1"},
        {"plain", "12 \xE2\x82\xAC, un \xC5\x93uf\r\n", "iso-8859-15"},
        {"plain", "\xE2\x80\x9Cquoted\xE2\x80\x9D\r\n", "utf-8"},
        {"plain", "\xE4\xB8\xAD\xE6\x96\x87\r\n", "utf-8"},
        {"plain", "control \xC2\x85 of Latin-1\r\n", "utf-8"},
        {"html", "<meta charset=utf-8>\xC3\xA9\r\n", "utf-8"},
        {"html", "<p>x\r\n", "us-ascii"},
        {"calendar", "SUMMARY:\xC3\xA9\r\n", "utf-8"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        build(fixture, mime_draft_new_text(&fixture->arena, rows[i].subtype,
                                           slice_of_string(rows[i].text)));
        struct slice charset =
            mime_content_type_charset(&fixture->tree.parts[0].content_type);
        assert_true(slice_equal(charset, slice_of_string(rows[i].charset)));
        assert_true(slice_equal(text_of(fixture, 0), slice_of_string(rows[i].text)));
    }
}

static void
the_messages_of_a_digest_say_no_type(void **state)
{
    struct fixture *fixture = *state;
    struct mime_draft *digest = mime_draft_new_multipart(&fixture->arena, "digest");
    struct slice out;

    mime_draft_append(digest, mime_draft_new_message(&fixture->arena,
                                                     SLICE("Subject: one\r\n\r\nfirst\r\n")));
    mime_draft_append(digest, mime_draft_new_message(&fixture->arena,
                                                     SLICE("Subject: two\n\nof Unix\n")));
    mime_draft_append(digest,
                      mime_draft_new_message(&fixture->arena,
                                             SLICE("Subject: three\r\n\r\n\xC3\xA9\r\n")));
    mime_draft_append(digest, mime_draft_new_text(&fixture->arena, "plain", SLICE("a text")));
    build(fixture, digest);
    out = buffer_slice(&fixture->out);
    assert_int_equal(fixture->tree.count, 1 + 2 + 2 + 2 + 1);
    for (size_t i = 1; i < 7; i += 2)
        assert_int_equal(fixture->tree.parts[i].kind, MIME_PART_MESSAGE);
    assert_int_equal(fixture->tree.parts[5].encoding, MIME_ENCODING_8BIT);
    assert_int_equal(slice_find(out, SLICE("message/rfc822")), out.len);
    assert_true(slice_find(out, SLICE("\r\n\r\nSubject: one\r\n\r\nfirst\r\n")) < out.len);
    assert_true(slice_find(out, SLICE("Subject: two\r\n\r\nof Unix\r\n")) < out.len);
    assert_true(mime_content_type_is(&fixture->tree.parts[7].content_type, "text", "plain"));
}

static void
files_are_typed_by_their_names(void **state)
{
    static const struct {
        const char *name, *bytes, *type, *subtype, *charset;
    } rows[] = {
        {"a.txt", "\xC3\xA9", "text", "plain", "utf-8"},
        {"a.txt", "\xE9", "application", "octet-stream", ""},
        {"a.png", "x", "image", "png", ""},
        {"a.eml", "Subject: x\n\ny\n", "message", "rfc822", ""},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        build(fixture, mime_draft_new_file(&fixture->arena, slice_of_string(rows[i].name),
                                           slice_of_string(rows[i].bytes)));
        const struct mime_part *part = &fixture->tree.parts[0];
        assert_true(mime_content_type_is(&part->content_type, rows[i].type, rows[i].subtype));
        assert_true(slice_equal(mime_parameters_find(part->content_type.parameters,
                                                     SLICE("charset")),
                                slice_of_string(rows[i].charset)));
        assert_true(slice_equal(mime_file_name(&part->disposition, &part->content_type),
                                slice_of_string(rows[i].name)));
    }
}

static void
names_in_addresses_are_encoded(void **state)
{
    struct fixture *fixture = *state;
    struct mime_draft *draft = mime_draft_new_text(&fixture->arena, "plain", SLICE("x\n"));
    struct address_list list;

    address_list_parse(&fixture->arena,
                       SLICE("Zo\xC3\xA9 <zoe@example.org>, Bob <bob@example.org>"), &list);
    mime_draft_add_addresses(draft, "To", &list);
    address_list_parse(&fixture->arena, SLICE(""), &list);
    mime_draft_add_addresses(draft, "Cc", &list);
    build(fixture, draft);
    struct slice out = buffer_slice(&fixture->out);
    assert_true(slice_starts_with(out, SLICE("To: =?iso-8859-1?B?Wm/p?= <zoe@example.org>,")));
    assert_true(slice_find(out, SLICE(" Bob <bob@example.org>\r\nMIME-Version")) < out.len);
}

static void
a_message_with_text_html_and_attachments_parses_back(void **state)
{
    struct fixture *fixture = *state;
    struct arena *arena = &fixture->arena;
    struct mime_draft *mixed = mime_draft_new_multipart(arena, "mixed");
    struct mime_draft *alternative = mime_draft_new_multipart(arena, "alternative");
    struct mime_draft *file =
        mime_draft_new_bytes(arena, "application/pdf", slice_of("\0\1\2\xFF\r\n", 6));
    struct mime_draft *inside =
        mime_draft_new_message(arena, SLICE("Subject: \xC3\xA9\r\n\r\nbody \xC3\xA9\r\n"));

    mime_draft_add_field(mixed, "From", SLICE("Paul <paul@uvsq.fr>"));
    mime_draft_add_text_field(mixed, "Subject", SLICE("R\xC3\xA9union \xC3\xA0 Versailles"));
    mime_draft_append(mixed, alternative);
    mime_draft_append(alternative, mime_draft_new_text(arena, "plain", SLICE("Salut\n")));
    mime_draft_append(alternative, mime_draft_new_text(arena, "html", SLICE("<p>Salut</p>\n")));
    mime_draft_set_disposition(file, "attachment", SLICE("r\xC3\xA9union \"2\".pdf"));
    mime_draft_add_parameter(file, "x-note", SLICE("a b"));
    mime_draft_append(mixed, file);
    mime_draft_append(mixed, inside);
    build(fixture, mixed);

    assert_int_equal(fixture->tree.count, 7);
    assert_true(fixture->tree.has_mime_version);
    assert_int_equal(fixture->tree.parts[0].encoding, MIME_ENCODING_8BIT);
    assert_int_equal(fixture->tree.parts[1].encoding, MIME_ENCODING_7BIT);
    assert_true(slice_equal(content_of(fixture, 2), SLICE("Salut\r\n")));
    assert_true(slice_equal(content_of(fixture, 3), SLICE("<p>Salut</p>\r\n")));
    assert_true(slice_equal(content_of(fixture, 4), slice_of("\0\1\2\xFF\r\n", 6)));
    const struct mime_part *part = &fixture->tree.parts[4];
    assert_true(slice_equal(mime_file_name(&part->disposition, &part->content_type),
                            SLICE("r\xC3\xA9union \"2\".pdf")));
    assert_true(slice_equal(
        mime_parameters_find(part->content_type.parameters, SLICE("x-note")), SLICE("a b")));
    assert_int_equal(fixture->tree.parts[5].kind, MIME_PART_MESSAGE);
    assert_true(slice_equal(content_of(fixture, 6), SLICE("body \xC3\xA9\r\n")));
    const struct field *subject = header_find(fixture->tree.parts[0].fields, FIELD_SUBJECT, NULL);
    buffer_clear(&fixture->content);
    mime_encoded_words_decode(&fixture->content, subject->body);
    assert_true(slice_equal(buffer_slice(&fixture->content),
                            SLICE("R\xC3\xA9union \xC3\xA0 Versailles")));
}

static void
no_field_can_be_smuggled_in(void **state)
{
    struct fixture *fixture = *state;
    struct mime_draft *draft = mime_draft_new_text(&fixture->arena, "plain", SLICE("x\n"));

    mime_draft_add_field(draft, "From", SLICE("a@b\r\nBcc: evil@c"));
    mime_draft_add_text_field(draft, "Subject", SLICE("s\r\nBcc: evil@c\r\n\r\nbody"));
    mime_draft_set_disposition(draft, "attachment", SLICE("f\r\nBcc: evil@c"));
    build(fixture, draft);
    assert_null(header_find(fixture->tree.parts[0].fields, FIELD_BCC, NULL));
    assert_true(slice_equal(content_of(fixture, 0), SLICE("x\r\n")));
}

static void
a_boundary_that_occurs_in_the_content_is_changed(void **state)
{
    struct fixture *fixture = *state;
    struct mime_draft *mixed = mime_draft_new_multipart(&fixture->arena, "mixed");
    static const char text[] = "--=_0102030405060708090a0b0c0d0e0f10.0001\r\n";

    mime_draft_append(mixed, mime_draft_new_text(&fixture->arena, "plain", slice_of_string(text)));
    build(fixture, mixed);
    assert_int_equal(fixture->tree.count, 2);
    assert_true(slice_equal(content_of(fixture, 1), slice_of_string(text)));
}

static void
parameters_of_any_length_come_back(void **state)
{
    struct fixture *fixture = *state;

    for (size_t len = 0; len < 600; len += 13) {
        for (unsigned kind = 0; kind < 4; kind++) {
            static const char *const units[] = {"a", "a ", "\"\\", "\xC3\xA9"};
            struct buffer value;
            buffer_init(&value, 8192);
            for (size_t i = 0; i < len; i++)
                buffer_put_text(&value, units[kind]);
            struct mime_draft *draft = mime_draft_new_text(&fixture->arena, "plain", SLICE("x"));
            mime_draft_set_disposition(draft, "attachment", buffer_slice(&value));
            struct mime_draft *mixed = mime_draft_new_multipart(&fixture->arena, "mixed");
            mime_draft_append(mixed, draft);
            build(fixture, mixed);
            const struct mime_part *part = &fixture->tree.parts[1];
            struct slice name = mime_file_name(&part->disposition, &part->content_type);
            assert_true(slice_equal(name, buffer_slice(&value)));
            struct slice header = mime_part_header(&fixture->tree, part);
            while (header.len > 0) {
                size_t end = slice_find(header, SLICE("\r\n"));
                assert_true(end <= 76);
                header = slice_skip(header, end + 2);
            }
            buffer_finish(&value);
            arena_reset(&fixture->arena);
        }
    }
}

static void
depth_and_room_are_limited(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned depth = MIME_DRAFT_DEPTH_MAX; depth <= MIME_DRAFT_DEPTH_MAX + 1; depth++) {
        struct mime_draft *root = mime_draft_new_multipart(&fixture->arena, "mixed"), *at = root;
        for (unsigned i = 2; i < depth; i++) {
            struct mime_draft *next = mime_draft_new_multipart(&fixture->arena, "mixed");
            mime_draft_append(at, next);
            at = next;
        }
        mime_draft_append(at, mime_draft_new_text(&fixture->arena, "plain", SLICE("deepest")));
        buffer_clear(&fixture->out);
        assert_int_equal(mime_draft_put(root, &entropy, &fixture->out),
                         depth <= MIME_DRAFT_DEPTH_MAX);
    }
    struct mime_draft *draft = mime_draft_new_text(&fixture->arena, "plain", SLICE("text"));
    struct buffer small;
    buffer_init(&small, 50);
    buffer_put_text(&small, "kept");
    assert_false(mime_draft_put(draft, &entropy, &small));
    assert_true(slice_equal(buffer_slice(&small), SLICE("kept")));
    buffer_finish(&small);
}

static void
parts_of_a_draft_are_limited(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned parts = MIME_DRAFT_PARTS_MAX; parts <= MIME_DRAFT_PARTS_MAX + 1; parts++) {
        struct mime_draft *root = mime_draft_new_multipart(&fixture->arena, "mixed");
        for (unsigned i = 1; i < parts; i++)
            mime_draft_append(root, mime_draft_new_text(&fixture->arena, "plain", SLICE("x")));
        buffer_clear(&fixture->out);
        assert_int_equal(mime_draft_put(root, &entropy, &fixture->out),
                         parts <= MIME_DRAFT_PARTS_MAX);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_gentlest_encoding_is_chosen),
        TEST(the_narrowest_charset_is_chosen),
        TEST(the_messages_of_a_digest_say_no_type),
        TEST(files_are_typed_by_their_names),
        TEST(names_in_addresses_are_encoded),
        TEST(a_message_with_text_html_and_attachments_parses_back),
        TEST(no_field_can_be_smuggled_in),
        TEST(a_boundary_that_occurs_in_the_content_is_changed),
        TEST(parameters_of_any_length_come_back),
        TEST(depth_and_room_are_limited),
        TEST(parts_of_a_draft_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
