/* SPDX-License-Identifier: ISC */
/* APPEND: which messages come to store with their parse record. */
#include "role/access/tests/access_world.h"

#include "mime/record.h"

#include <stdio.h>

static struct reader *
log_in_to_imap(struct setup *setup)
{
    struct reader *reader = come_to(setup, 0, &imap_door);

    hear(reader, "* OK");
    say(reader, "1 LOGIN alice pencil\r\n");
    grant(setup, next_auth(setup, ACCESS_AUTH_BEGIN).as.begin.session);
    hear(reader, "1 OK");
    return reader;
}

static void
pour(struct reader *reader, struct slice text)
{
    for (size_t sent = 0; sent < text.len;) {
        int64_t len = host_stream_write(reader->stream, slice_skip(text, sent));
        assert_true(len > 0 || len == -EAGAIN);
        sent += len > 0 ? (size_t)len : 0;
        world_run(&reader->setup->world, 1);
    }
}

/* Appends a message with so many of the longest keywords; what store is told. */
static struct access_store_append
append(struct reader *reader, unsigned keywords, struct slice message)
{
    struct buffer text;

    buffer_init(&text, 1 << 20);
    buffer_put_text(&text, "2 APPEND INBOX (");
    for (unsigned i = 0; i < keywords; i++) {
        char name[ACCESS_STORE_KEYWORD_NAME_MAX + 1];
        snprintf(name, sizeof(name), "%0*u", ACCESS_STORE_KEYWORD_NAME_MAX, i);
        buffer_put_text(&text, i == 0 ? "" : " ");
        buffer_put_text(&text, name);
    }
    buffer_put_text(&text, ") {");
    buffer_put_decimal(&text, message.len);
    buffer_put_text(&text, "+}\r\n");
    buffer_put(&text, message);
    buffer_put_text(&text, "\r\n");
    pour(reader, buffer_slice(&text));
    buffer_finish(&text);
    struct access_store_append note = next_store(reader->setup, ACCESS_STORE_APPEND).as.append;
    assert_true(slice_equal(note.body, message));
    struct access_store_appended answer = {.id = note.id, .uid_validity = 9, .uid = 1};
    send(reader->setup, &reader->setup->store,
         access_store_put_appended(&reader->setup->note, &reader->setup->store_ledger, &answer));
    hear(reader, "2 OK [APPENDUID 9 1]");
    return note;
}

/* A message to so many, and the length of its parse record. */
static size_t
put_letter(struct buffer *letter, size_t recipients)
{
    struct mime_record opened;
    struct buffer record;
    struct arena arena;

    arena_init(&arena, 1 << 26);
    buffer_init(&record, MIME_RECORD_MAX);
    buffer_init(letter, 1 << 20);
    for (size_t i = 0; i < recipients; i++)
        buffer_put_text(letter, i == 0 ? "To: a@b" : ",\r\n a@b");
    buffer_put_text(letter, "\r\n\r\nText\r\n");
    mime_record_make(buffer_slice(letter), &arena, &record, &opened);
    size_t len = buffer_len(&record);
    buffer_finish(&record);
    arena_finish(&arena);
    return len;
}

static void
what_is_appended_goes_to_store_with_its_parse_record(void **state)
{
    struct slice letter = SLICE("Subject: =?iso-2022-jp?B?GyRCRWw1fhsoQg==?=\r\n\r\nText\r\n");
    struct mime_record_message summary;
    struct setup *setup = *state;
    struct mime_record record;

    begin(setup);
    struct access_store_append note = append(log_in_to_imap(setup), 0, letter);
    assert_true(mime_record_open(note.parse_record, letter.len, &record));
    mime_record_message(&record, 0, &summary);
    assert_true(slice_equal(summary.subject_text, SLICE("\xE6\x9D\xB1\xE4\xBA\xAC")));
}

static void
a_parse_record_that_is_too_long_is_left_to_deliver(void **state)
{
    struct setup *setup = *state;
    struct buffer letter;
    size_t most = 1;

    begin(setup);
    while (put_letter(&letter, most + 1) <= ACCESS_STORE_APPEND_PARSE_RECORD_MAX) {
        buffer_finish(&letter);
        most++;
    }
    buffer_finish(&letter);
    struct reader *reader = log_in_to_imap(setup);
    for (size_t over = 0; over < 2; over++) {
        size_t len = put_letter(&letter, most + over);
        assert_int_equal(append(reader, 0, buffer_slice(&letter)).parse_record.len,
                         over ? 0 : len);
        buffer_finish(&letter);
    }
}

/* The longest message that goes in a note, with all that may go beside it. */
static void
a_message_of_the_bound_fits_into_a_note_with_its_parse_record(void **state)
{
    struct setup *setup = *state;
    struct buffer letter;

    begin(setup);
    (void)put_letter(&letter, 300);
    while (buffer_len(&letter) < ACCESS_STORE_APPEND_BODY_MAX)
        buffer_put_byte(&letter, 'x');
    struct access_store_append note =
        append(log_in_to_imap(setup), ACCESS_STORE_APPEND_KEYWORDS_MAX, buffer_slice(&letter));
    assert_in_range(note.parse_record.len, ACCESS_STORE_APPEND_PARSE_RECORD_MAX - 1000,
                    ACCESS_STORE_APPEND_PARSE_RECORD_MAX);
    buffer_finish(&letter);
}

/* A message within a message within …: the record says less than there is. */
static void
a_parse_record_that_would_be_cut_is_left_to_deliver(void **state)
{
    struct setup *setup = *state;
    struct buffer letter;

    begin(setup);
    buffer_init(&letter, 1 << 20);
    for (unsigned i = 0; i < 200; i++)
        buffer_put_text(&letter, "Content-Type: message/rfc822\r\n\r\n");
    assert_int_equal(append(log_in_to_imap(setup), 0, buffer_slice(&letter)).parse_record.len, 0);
    buffer_finish(&letter);
}

enum { MANY = 3 * HOST_CHANNEL_SOFT / ACCESS_STORE_APPEND_BODY_MAX };

/* More octets than may wait on the way to store. */
static void
append_many(struct reader *reader)
{
    struct buffer text;

    buffer_init(&text, 16 * HOST_CHANNEL_SOFT);
    buffer_put_text(&text, "2 APPEND INBOX");
    for (unsigned i = 0; i < MANY; i++) {
        buffer_put_text(&text, " {");
        buffer_put_decimal(&text, ACCESS_STORE_APPEND_BODY_MAX);
        buffer_put_text(&text, "+}\r\n");
        for (size_t k = 0; k < ACCESS_STORE_APPEND_BODY_MAX; k++)
            buffer_put_byte(&text, 'x');
    }
    pour(reader, buffer_slice(&text));
    buffer_finish(&text);
    say(reader, "\r\n");
}

/* The rest comes when there is room, and nothing is given up. */
static void
many_messages_at_once_wait_for_the_store(void **state)
{
    struct setup *setup = *state;
    uint64_t ids[MANY];
    char wanted[64];

    begin(setup);
    struct reader *reader = log_in_to_imap(setup);
    append_many(reader);
    for (unsigned i = 0; i < MANY; i++) {
        struct access_store_append note = next_store(setup, ACCESS_STORE_APPEND).as.append;
        assert_int_equal(note.has_more, i + 1 < MANY);
        ids[i] = note.id;
        arena_reset(&setup->arena);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct access_store_appended answer = {.id = ids[i], .uid_validity = 9, .uid = i + 1};
        send(setup, &setup->store,
             access_store_put_appended(&setup->note, &setup->store_ledger, &answer));
    }
    snprintf(wanted, sizeof(wanted), "2 OK [APPENDUID 9 1:%u]", (unsigned)MANY);
    hear(reader, wanted);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_setup, close_setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_appended_goes_to_store_with_its_parse_record),
        TEST(a_parse_record_that_is_too_long_is_left_to_deliver),
        TEST(a_message_of_the_bound_fits_into_a_note_with_its_parse_record),
        TEST(a_parse_record_that_would_be_cut_is_left_to_deliver),
        TEST(many_messages_at_once_wait_for_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
