/* SPDX-License-Identifier: ISC */
/* The parse record: what is put is read back, and nothing that is damaged gets through. Case D1
 * through a whole message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/preview.h"
#include "mime/record.h"
#include "mime/record_layout.h"
#include "mime/tests/record_check.h"

struct fixture {
    struct arena arena;
    struct mime_tree tree;
    struct buffer octets;
    struct mime_record record;
};

static int
set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){0};
    arena_init(&fixture.arena, 64 * 1024 * 1024);
    buffer_init(&fixture.octets, MIME_RECORD_MAX);
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_finish(&fixture->arena);
    buffer_finish(&fixture->octets);
    return 0;
}

static void
make(struct fixture *fixture, struct slice message)
{
    buffer_clear(&fixture->octets);
    arena_reset(&fixture->arena);
    mime_tree_parse(message, &fixture->arena, &fixture->tree);
    mime_record_put(&fixture->octets, &fixture->tree, &fixture->arena);
    assert_false(buffer_overflowed(&fixture->octets));
    assert_true(mime_record_open(buffer_slice(&fixture->octets), message.len, &fixture->record));
    record_check(&fixture->record, &fixture->tree);
}

#define assert_text(actual, expected) assert_true(slice_equal((actual), SLICE(expected)))

static struct mime_record_address
address(const struct fixture *fixture, const struct mime_record_message *message,
        enum mime_record_list list, uint32_t i)
{
    assert_true(i < message->addresses_count[list]);
    return mime_record_address(&fixture->record, message->addresses_first[list] + i);
}

static void
case_d1_the_summary_is_as_the_header_says(void **state)
{
    struct fixture *fixture = *state;
    struct mime_record_message message;

    make(fixture, SLICE(
        "Received: from soleil.uvsq.fr by shiva.jussieu.fr; Fri, 21 Nov 1997 09:55:06 +0100\r\n"
        "From: paul@uvsq.fr (Paul Ochon)\r\n"
        "To: jean@jussieu.fr (Jean Breille), \"Jacques Selere\" <jacques @ urec.fr>\r\n"
        "Cc: liste:un@a.fr,deux@b.fr;\r\n"
        "Subject: Re: =?utf-8?Q?r=C3=A9union?=\r\n  demain\r\n"
        "Date: Fri, 21 Nov 1997 09:55:06 +0100\r\nMessage-Id: <1@uvsq.fr>\r\n"
        "In-Reply-To: <0@jussieu.fr>\r\nReferences: <a@b>\r\n <0@jussieu.fr>\r\n\r\n"
        "Bonjour,\r\n\r\n> cite\r\nvoici.\r\n"));
    mime_record_message(&fixture->record, 0, &message);
    assert_text(message.date, "Fri, 21 Nov 1997 09:55:06 +0100");
    assert_true(message.has_wall);
    assert_int_equal(wall_seconds(message.wall), 880102506);
    assert_int_equal(message.zone_s, 3600);
    assert_text(message.subject, "Re: =?utf-8?Q?r=C3=A9union?=  demain");
    assert_text(message.subject_text, "Re: r\xC3\xA9union  demain");
    assert_text(message.base_subject, "r\xC3\xA9union demain");
    assert_true(message.is_reply_or_forward);
    assert_text(message.message_id, "<1@uvsq.fr>");
    assert_text(message.in_reply_to, "<0@jussieu.fr>");
    assert_text(message.references, "<a@b> <0@jussieu.fr>");
    assert_text(message.preview, "Bonjour, voici.");

    struct mime_record_address from = address(fixture, &message, MIME_RECORD_FROM, 0);
    assert_text(from.name, "Paul Ochon");
    assert_text(from.mailbox, "paul");
    assert_text(from.host, "uvsq.fr");
    assert_null(from.route.at);
    assert_text(address(fixture, &message, MIME_RECORD_SENDER, 0).mailbox, "paul");
    assert_text(address(fixture, &message, MIME_RECORD_REPLY_TO, 0).mailbox, "paul");
    assert_int_equal(message.addresses_count[MIME_RECORD_TO], 2);
    assert_text(address(fixture, &message, MIME_RECORD_TO, 1).name, "Jacques Selere");
    assert_text(address(fixture, &message, MIME_RECORD_TO, 1).host, "urec.fr");
    assert_int_equal(message.addresses_count[MIME_RECORD_BCC], 0);

    /* A group: begins with its name and no host, ends with neither. */
    assert_int_equal(message.addresses_count[MIME_RECORD_CC], 4);
    assert_text(address(fixture, &message, MIME_RECORD_CC, 0).mailbox, "liste");
    assert_null(address(fixture, &message, MIME_RECORD_CC, 0).host.at);
    assert_text(address(fixture, &message, MIME_RECORD_CC, 2).mailbox, "deux");
    assert_null(address(fixture, &message, MIME_RECORD_CC, 3).mailbox.at);
}

static void
what_is_absent_is_told_from_what_is_empty(void **state)
{
    struct fixture *fixture = *state;
    struct mime_record_message message;
    struct mime_record_part part;

    make(fixture, SLICE("Subject:\r\nTo: postmaster\r\n\r\n"));
    mime_record_message(&fixture->record, 0, &message);
    assert_non_null(message.subject.at);
    assert_int_equal(message.subject.len, 0);
    assert_null(message.message_id.at);
    assert_null(message.date.at);
    assert_null(message.preview.at);
    assert_false(message.has_wall);
    /* A mailbox without domain must not look like a group. */
    assert_non_null(address(fixture, &message, MIME_RECORD_TO, 0).host.at);
    mime_record_part(&fixture->record, 0, &part);
    assert_text(part.type, "text");
    assert_text(part.subtype, "plain");
    assert_null(part.disposition.at);
    assert_null(part.encoding_name.at);
}

static void
case_d6_parts_and_their_offsets_are_kept(void **state)
{
    static const char message[] =
        "Content-Type: MULTIPART/Mixed; boundary=\"b\"\r\n\r\n--b\r\n"
        "Content-Type: text/plain; charset=\"iso-8859-1\"\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\nContent-Language: fr, en\r\n\r\n"
        "G=E9rard Florin\r\n--b\r\n"
        "Content-Type: application/msword; name=\"publi.doc\"\r\n"
        "Content-Transfer-Encoding: base64\r\nContent-ID: <i@d>\r\n"
        "Content-Disposition: attachment; filename*=utf-8''publi%C3%A9.doc\r\n\r\n0M8R\r\n--b\r\n"
        "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nbody\r\n--b--\r\n";
    struct fixture *fixture = *state;
    struct mime_record_part part;
    struct mime_record_message inside;

    make(fixture, slice_of_string(message));
    assert_int_equal(fixture->record.parts_count, 5);
    mime_record_part(&fixture->record, 0, &part);
    assert_text(part.type, "multipart");
    assert_text(part.subtype, "mixed");
    assert_int_equal(part.after, 5);
    mime_record_part(&fixture->record, 1, &part);
    assert_text(slice_of(message + part.body_start, part.body_end - part.body_start),
                "G=E9rard Florin");
    assert_int_equal(part.encoding, MIME_ENCODING_QUOTED_PRINTABLE);
    assert_int_equal(part.parameters_count, 1);
    assert_text(mime_record_parameter(&fixture->record, part.parameters_first).name, "charset");
    assert_text(mime_record_parameter(&fixture->record, part.parameters_first).value, "iso-8859-1");
    assert_int_equal(part.languages_count, 2);
    assert_text(mime_record_parameter(&fixture->record, part.languages_first + 1).value, "en");
    mime_record_part(&fixture->record, 2, &part);
    assert_text(part.disposition, "attachment");
    assert_text(part.id, "<i@d>");
    assert_text(part.file_name, "publi\xC3\xA9.doc");
    assert_text(mime_record_parameter(&fixture->record, part.disposition_first).name, "filename*");
    mime_record_part(&fixture->record, 3, &part);
    assert_int_equal(part.kind, MIME_PART_MESSAGE);
    mime_record_part(&fixture->record, 4, &part);
    mime_record_message(&fixture->record, part.message, &inside);
    assert_text(inside.subject, "inside");
    assert_int_equal(inside.part, 4);
    mime_record_message(&fixture->record, 0, &inside);
    assert_text(inside.preview, "G\xC3\xA9rard Florin");
}

static void
html_is_previewed_without_its_tags(void **state)
{
    struct fixture *fixture = *state;
    struct mime_record_message message;

    make(fixture, SLICE("Content-Type: text/html; charset=utf-8\r\n\r\n<html><head><title>t</title>"
                        "<style>p {x}</style></head><body><p>Un &amp; deux&nbsp;<b>trois</b></p>"
                        "<script>if (a < b) alert()</script>&#233; &lt;fin&gt;</body>"));
    mime_record_message(&fixture->record, 0, &message);
    assert_text(message.preview, "Un & deux trois \xC3\xA9 <fin>");
}

static void
quoted_lines_and_attachments_are_not_previewed(void **state)
{
    static const struct {
        const char *message, *preview;
    } rows[] = {
        {"\r\nLe 3 mai :\r\n> cite\r\n>> plus\r\n\r\n  Oui\t bien.\r\n", "Le 3 mai : Oui bien."},
        {"Content-Type: image/gif\r\n\r\nGIF89a", ""},
        {"Content-Disposition: attachment\r\n\r\nthe text of the whole", "the text of the whole"},
        {"Content-Type: text/html\r\n\r\n<!-- x --><p title='y'>a<br>b&unknown;c &#x;&", "a bc "},
        {"Content-Type: text/plain; charset=utf-8\r\n\r\n\xC2\xA0\xE2\x80\x8Bx\xFF",
         "x\xEF\xBF\xBD"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        mime_tree_parse(slice_of_string(rows[i].message), &fixture->arena, &fixture->tree);
        mime_preview_put(&out, &fixture->tree);
        assert_true(slice_equal(slice_trim(buffer_slice(&out)),
                                slice_trim(slice_of_string(rows[i].preview))));
        buffer_finish(&out);
    }
}

static void
previews_stop_at_their_limit(void **state)
{
    struct fixture *fixture = *state;
    struct mime_record_message message;
    struct buffer text;

    buffer_init(&text, 64 * 1024);
    buffer_put_text(&text, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (unsigned i = 0; i < 2000; i++)
        buffer_put_text(&text, "\xF0\x9F\x98\x80");
    make(fixture, buffer_slice(&text));
    mime_record_message(&fixture->record, 0, &message);
    assert_int_equal(message.preview.len, MIME_RECORD_PREVIEW_MAX);
    buffer_finish(&text);
}

/* 100 octets that no other number has. */
static void
put_long_number(struct buffer *text, unsigned number)
{
    for (unsigned i = 0; i < 10; i++)
        buffer_put_padded(text, number, 10);
}

/* 10,000 parts with everything a part can have, and 3,000 recipients. */
static void
the_largest_message_is_cut_to_the_limit(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text;

    buffer_init(&text, 16 * 1024 * 1024);
    buffer_put_text(&text, "Content-Type: multipart/mixed; boundary=b\r\nSubject: kept\r\nTo: ");
    for (unsigned i = 0; i < 6000; i++) {
        buffer_put_text(&text, "user");
        buffer_put_decimal(&text, i);
        buffer_put_text(&text, "@example.org,\r\n ");
    }
    buffer_put_text(&text, "\r\n\r\n");
    for (unsigned i = 0; i < MIME_PARTS_MAX - 1; i++) {
        buffer_put_text(&text, "--b\r\nContent-Type: application/x; name=");
        put_long_number(&text, i);
        buffer_put_text(&text, "\r\nContent-ID: <");
        put_long_number(&text, i);
        buffer_put_text(&text, ">\r\n\r\nx\r\n");
    }
    make(fixture, buffer_slice(&text));
    assert_true(fixture->record.is_cut);
    assert_int_equal(fixture->record.parts_count, MIME_PARTS_MAX);
    struct mime_record_message message;
    mime_record_message(&fixture->record, 0, &message);
    assert_text(message.subject, "kept");
    assert_true(message.addresses_count[MIME_RECORD_TO] >= 4000);
    buffer_finish(&text);
}

static void
a_tree_that_did_not_fit_its_arena_still_gives_a_record(void **state)
{
    struct fixture *fixture = *state;
    struct arena tiny;

    (void)fixture;
    arena_init(&tiny, 16);
    mime_tree_parse(SLICE("Subject: x\r\n\r\nbody\r\n"), &tiny, &fixture->tree);
    assert_int_equal(fixture->tree.count, 0);
    mime_record_put(&fixture->octets, &fixture->tree, &tiny);
    assert_true(mime_record_open(buffer_slice(&fixture->octets), 20, &fixture->record));
    assert_int_equal(fixture->record.parts_count, 1);
    assert_true(fixture->record.defect_kinds >> MIME_DEFECT_MEMORY_LIMIT & 1);
    arena_finish(&tiny);
}

static void
a_record_of_another_length_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct slice message = SLICE("From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                                 "--b\r\n\r\none\r\n--b--\r\n");
    struct mime_record record;

    make(fixture, message);
    struct slice octets = buffer_slice(&fixture->octets);
    for (size_t len = 0; len < octets.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, octets.at, len);
        assert_false(mime_record_open(slice_of(copy, len), message.len, &record));
        free(copy);
    }
    buffer_put_byte(&fixture->octets, 0);
    assert_false(mime_record_open(buffer_slice(&fixture->octets), message.len, &record));
    assert_false(mime_record_open(octets, message.len - 1, &record));
    assert_false(mime_record_open(octets, message.len + 1, &record));
}

static void
set32(uint8_t *at, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

/* The record with an index of `count` header fields, as earlier releases wrote it; `start` is where
 * each of these begins. */
static void
put_with_fields(struct buffer *out, const struct mime_record *record, uint32_t count,
                uint32_t start)
{
    uint8_t row[FIELD_ROW_SIZE] = {0};

    set32(row + FIELD_AT_START, start);
    set32(row + FIELD_AT_LEN, 11);
    set32(row + FIELD_AT_BODY, start + 5);
    row[FIELD_AT_NAME_LEN] = 4;
    buffer_clear(out);
    buffer_put(out, slice_first(record->bytes, record->parameters));
    set32(out->at + RECORD_AT_COUNTS + 4 * RECORD_FIELDS, count);
    set32(out->at + record->messages + MESSAGE_AT_FIELDS_COUNT, count);
    for (uint32_t i = 0; i < count; i++)
        buffer_put(out, slice_of(row, sizeof(row)));
    buffer_put(out, slice_skip(record->bytes, record->parameters));
    set32(out->at + RECORD_AT_LEN, (uint32_t)buffer_len(out));
}

static void
a_record_with_an_index_of_fields_is_read_as_before(void **state)
{
    struct fixture *fixture = *state;
    struct slice message = SLICE("From: a@b\r\nSubject: s\r\n\r\none\r\n");
    struct mime_record record;
    struct mime_record_message summary;
    struct buffer old;

    make(fixture, message);
    buffer_init(&old, MIME_RECORD_MAX);
    put_with_fields(&old, &fixture->record, 2, 0);
    assert_true(mime_record_open(buffer_slice(&old), message.len, &record));
    record_check(&record, &fixture->tree);
    mime_record_message(&record, 0, &summary);
    assert_text(summary.subject, "s");
    assert_text(mime_record_address(&record, summary.addresses_first[MIME_RECORD_FROM]).host, "b");
    put_with_fields(&old, &fixture->record, MIME_RECORD_FIELDS_MAX, 0);
    assert_true(mime_record_open(buffer_slice(&old), message.len, &record));
    put_with_fields(&old, &fixture->record, MIME_RECORD_FIELDS_MAX + 1, 0);
    assert_false(mime_record_open(buffer_slice(&old), message.len, &record));
    put_with_fields(&old, &fixture->record, 2, (uint32_t)message.len - 11);
    assert_true(mime_record_open(buffer_slice(&old), message.len, &record));
    put_with_fields(&old, &fixture->record, 2, (uint32_t)message.len - 10);
    assert_false(mime_record_open(buffer_slice(&old), message.len, &record));
    buffer_finish(&old);
}

/* Each octet changed in each bit: refused, or read without leaving its bounds. */
static void
a_damaged_record_is_refused_or_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct slice message = SLICE("From: a@b\r\nSubject: s\r\nContent-Type: multipart/mixed; "
                                 "boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
                                 "Subject: t\r\n\r\none\r\n--b--\r\n");
    size_t refused = 0, total = 0;

    make(fixture, message);
    struct slice octets = buffer_slice(&fixture->octets);
    uint8_t *copy = malloc(octets.len);
    assert_non_null(copy);
    for (size_t i = 0; i < octets.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct mime_record record;
            memcpy(copy, octets.at, octets.len);
            copy[i] ^= (uint8_t)(1U << bit);
            total++;
            if (mime_record_open(slice_of(copy, octets.len), message.len, &record))
                record_read_all(&record);
            else
                refused++;
        }
    }
    free(copy);
    assert_true(refused > total / 3);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(case_d1_the_summary_is_as_the_header_says),
        TEST(what_is_absent_is_told_from_what_is_empty),
        TEST(case_d6_parts_and_their_offsets_are_kept),
        TEST(html_is_previewed_without_its_tags),
        TEST(quoted_lines_and_attachments_are_not_previewed),
        TEST(previews_stop_at_their_limit),
        TEST(the_largest_message_is_cut_to_the_limit),
        TEST(a_tree_that_did_not_fit_its_arena_still_gives_a_record),
        TEST(a_record_of_another_length_is_refused),
        TEST(a_record_with_an_index_of_fields_is_read_as_before),
        TEST(a_damaged_record_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
