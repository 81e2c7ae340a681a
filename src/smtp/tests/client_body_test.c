/* SPDX-License-Identifier: ISC */
/* Content on its way out: what is looked for in it, and that each octet of it arrives wherever the
 * pieces end (client_body.c). */
#include "smtp/client_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct instant NOW = {INT64_C(1000000000)};

static void
content_is_looked_at_once(void **state)
{
    static const struct {
        struct slice bytes;
        uint64_t wire_len;
        bool is_8bit, is_header_8bit, has_nul, is_clean, has_dots, is_ended;
    } rows[] = {
        {SLICE(""), 0, false, false, false, true, false, true},
        {SLICE("a: b\r\n\r\nx\r\n"), 11, false, false, false, true, false, true},
        {SLICE("x"), 3, false, false, false, true, false, false},
        {SLICE("x\r"), 5, false, false, false, false, false, false},
        {SLICE("\r\n"), 2, false, false, false, true, false, true},
        {SLICE("\n"), 2, false, false, false, false, false, true},
        {SLICE("\n\n"), 4, false, false, false, false, false, true},
        {SLICE("a\rb\nc\r\n"), 9, false, false, false, false, false, true},
        {SLICE("\x7F\r\n"), 3, false, false, false, true, false, true},
        {SLICE("\x80\r\n"), 3, true, true, false, true, false, true},
        {SLICE("\x80\n"), 3, true, true, false, false, false, true},
        {SLICE("a\r\n\r\n\x80\r\n"), 8, true, false, false, true, false, true},
        {SLICE("a\n\n\x80\r\n"), 8, true, false, false, false, false, true},
        {SLICE("a\r\n\r\nb\r\n\x80\r\n"), 11, true, false, false, true, false, true},
        {SLICE("a\0\r\n"), 4, false, false, true, true, false, true},
        {SLICE(".\r\n"), 3, false, false, false, true, true, true},
        {SLICE("a\r\n.b\r\n"), 7, false, false, false, true, true, true},
        {SLICE("a.\r\n"), 4, false, false, false, true, false, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct client_content content = smtp_content_look(rows[i].bytes);
        assert_int_equal(content.wire_len, rows[i].wire_len);
        assert_int_equal(content.is_8bit, rows[i].is_8bit);
        assert_int_equal(content.is_header_8bit, rows[i].is_header_8bit);
        assert_int_equal(content.has_nul, rows[i].has_nul);
        assert_int_equal(content.is_clean, rows[i].is_clean);
        assert_int_equal(content.has_dots, rows[i].has_dots);
        assert_int_equal(content.is_ended, rows[i].is_ended);
    }
}

/* What is looked at ends where it ends: the octet before and the one behind are none of it. */
static void
what_stands_around_content_is_not_looked_at(void **state)
{
    static const struct slice around = SLICE("\r.\x80");

    (void)state;
    struct client_content content = smtp_content_look(slice_of(around.at + 1, 1));
    assert_false(content.is_8bit || content.is_ended);
    content = smtp_content_look(slice_of((const uint8_t *)"\r\n" + 1, 1));
    assert_false(content.is_clean);
}

/* ---- what goes over the wire --------------------------------------------------------------- */

/* The same, one octet after another: every line ends in CRLF, and a dot before each first dot. */
static void
put_as_it_should_be(struct buffer *out, struct slice bytes)
{
    bool is_start = true;

    for (size_t i = 0; i < bytes.len; i++) {
        bool is_end = bytes.at[i] == '\r' || bytes.at[i] == '\n';
        if (is_start && bytes.at[i] == '.')
            buffer_put_byte(out, '.');
        if (is_end)
            buffer_put_text(out, "\r\n");
        else
            buffer_put_byte(out, bytes.at[i]);
        is_start = is_end;
        if (bytes.at[i] == '\r' && i + 1 < bytes.len && bytes.at[i + 1] == '\n')
            i++;
    }
    /* Behind a lone CR at the very end there is a line still, with nothing in it. */
    bool is_ended = bytes.len == 0 || bytes.at[bytes.len - 1] == '\n';
    buffer_put_text(out, is_ended ? ".\r\n" : "\r\n.\r\n");
}

static void
hear(struct smtp_client *client, struct slice said)
{
    struct smtp_client_event event;

    assert_int_equal(smtp_client_feed(client, said, NOW), said.len);
    while (smtp_client_next(client, &event))
        assert_int_equal(event.kind, SMTP_CLIENT_EVENT_READY);
}

/* All that is sent, in pieces that are taken as they come. */
static void
take_output(struct smtp_client *client, struct buffer *out)
{
    for (;;) {
        struct slice output = smtp_client_output(client);
        if (output.len == 0)
            return;
        buffer_put(out, output);
        smtp_client_sent(client, output.len, NOW);
    }
}

/* A client that has the content to say, for a host with chunks or one without extensions; `message`
 * and `sent` are the caller's. */
static struct smtp_client *
open_with_body(struct smtp_client_message *message, bool has_chunks, struct buffer *sent)
{
    static const struct smtp_client_recipient jones = {.address = SLICE("Jones@foo.com")};
    static const struct smtp_client_options options = {.hostname = SLICE("bar.com"),
                                                       .times = {.block_s = 3, .end_s = 11}};
    static const char *const replies[2][6] = {
        {"220 a\r\n", "500 b\r\n", "250 c\r\n", "250 d\r\n", "250 e\r\n", "354 f\r\n"},
        {"220 a\r\n", "250-b\r\n", "250 CHUNKING\r\n", "250 d\r\n", "250 e\r\n"},
    };
    struct smtp_client *client = smtp_client_open(&options);

    *message = (struct smtp_client_message){.reverse_path = SLICE("Smith@bar.com"),
                                            .recipients = &jones,
                                            .recipients_count = 1,
                                            .content = message->content};
    buffer_init(sent, 1 << 20);
    smtp_client_connected(client, NOW);
    for (size_t i = 0; i < 6 && replies[has_chunks][i]; i++) {
        bool is_last = i == 5 || !replies[has_chunks][i + 1];
        hear(client, slice_of_string(replies[has_chunks][i]));
        if (i == 2)
            smtp_client_carry(client, message, NOW);
        if (!is_last)
            take_output(client, sent);
    }
    buffer_clear(sent);
    return client;
}

static void
assert_sent_as_it_should_be(struct slice bytes)
{
    struct smtp_client_message message = {.content = bytes};
    struct buffer sent, wanted;

    struct smtp_client *client = open_with_body(&message, false, &sent);
    buffer_init(&wanted, 1 << 20);
    take_output(client, &sent);
    put_as_it_should_be(&wanted, bytes);
    assert_true(slice_equal(buffer_slice(&sent), buffer_slice(&wanted)));
    smtp_client_close(&client);
    buffer_finish(&sent);
    buffer_finish(&wanted);
}

/* Line ends of all kinds and dots, at each place round the end of a piece. */
static void
pieces_end_anywhere_and_nothing_is_lost(void **state)
{
    static const char *const odd[] = {"\r\n",  "\n",     "\r",      "\r\n.\r\n", "\n.\n", "\r.\r",
                                      "\r\r\n", "\n\r\n", "\r\n.\n", ".",         "..",    "\r\n..",
                                      "\r.",    "\n.x",   "x\r",     "\r\n\r\n"};
    static uint8_t bytes[SMTP_CLIENT_PIECE + 64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        size_t len = strlen(odd[i]);
        for (size_t at = SMTP_CLIENT_PIECE - len - 2; at < SMTP_CLIENT_PIECE + 2; at++) {
            memset(bytes, 'x', sizeof(bytes));
            memcpy(bytes + at, odd[i], len);
            assert_sent_as_it_should_be(slice_of(bytes, sizeof(bytes)));
            bytes[at + len] = '.'; /* what stands behind the content is none of it */
            assert_sent_as_it_should_be(slice_of(bytes, at + len));
        }
        assert_sent_as_it_should_be(slice_of_string(odd[i]));
    }
}

/* So it is one packet, and the server wakes once. */
static void
a_content_up_to_a_piece_leaves_with_its_end(void **state)
{
    static uint8_t bytes[SMTP_CLIENT_PIECE + 1];

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t len = SMTP_CLIENT_PIECE + over;
        memset(bytes, 'x', sizeof(bytes));
        memcpy(bytes + len - 2, "\r\n", 2);
        struct smtp_client_message message = {.content = slice_of(bytes, len)};
        struct buffer sent;
        struct smtp_client *client = open_with_body(&message, false, &sent);
        assert_int_equal(smtp_client_output(client).len, over ? len : len + 3);
        take_output(client, &sent);
        assert_int_equal(buffer_len(&sent), len + 3);
        smtp_client_close(&client);
        buffer_finish(&sent);
        client = open_with_body(&message, true, &sent);
        size_t command = strlen("BDAT 32768 LAST\r\n");
        assert_int_equal(smtp_client_output(client).len, command + (over ? 0 : len));
        /* Until the last octet went, the time of a block counts. */
        smtp_client_sent(client, smtp_client_output(client).len - 1, NOW);
        struct instant due = smtp_client_deadline(client);
        assert_int_equal(instant_since(due, NOW).ns, duration_s(3).ns);
        take_output(client, &sent);
        due = smtp_client_deadline(client);
        assert_int_equal(instant_since(due, NOW).ns, duration_s(11).ns);
        smtp_client_close(&client);
        buffer_finish(&sent);
    }
}

/* RFC 5321 §4.5.3.2.5, §4.5.3.2.6: one time for each block, another for the answer. */
static void
blocks_and_the_end_have_times_of_their_own(void **state)
{
    static uint8_t bytes[3 * SMTP_CLIENT_PIECE];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    for (int has_chunks = 0; has_chunks < 2; has_chunks++) {
        struct smtp_client_message message = {.content = slice_of(bytes, sizeof(bytes))};
        struct buffer sent;
        struct smtp_client *client = open_with_body(&message, has_chunks, &sent);
        struct instant due = smtp_client_deadline(client);
        assert_int_equal(instant_since(due, NOW).ns, duration_s(3).ns);
        smtp_client_sent(client, smtp_client_output(client).len - 1, NOW);
        due = smtp_client_deadline(client);
        assert_int_equal(instant_since(due, NOW).ns, duration_s(3).ns);
        take_output(client, &sent);
        due = smtp_client_deadline(client);
        assert_int_equal(instant_since(due, NOW).ns, duration_s(11).ns);
        smtp_client_close(&client);
        buffer_finish(&sent);
    }
}

/* What is longer waits until a recipient was accepted. */
static void
a_chunk_travels_early_up_to_its_limit(void **state)
{
    static const struct smtp_client_recipient jones = {.address = SLICE("Jones@foo.com")};
    static uint8_t bytes[SMTP_CLIENT_PIPELINED_MAX + 1];
    struct smtp_client_options options = {.hostname = SLICE("bar.com")};

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        memset(bytes, 'x', sizeof(bytes));
        memcpy(bytes + SMTP_CLIENT_PIPELINED_MAX - 2 + over, "\r\n", 2);
        struct smtp_client_message message = {
            .reverse_path = SLICE("Smith@bar.com"),
            .recipients = &jones,
            .recipients_count = 1,
            .content = slice_of(bytes, SMTP_CLIENT_PIPELINED_MAX + over)};
        struct smtp_client *client = smtp_client_open(&options);
        struct buffer sent;
        buffer_init(&sent, 1 << 20);
        smtp_client_connected(client, NOW);
        hear(client, SLICE("220 a\r\n"));
        hear(client, SLICE("250-b\r\n"));
        hear(client, SLICE("250-PIPELINING\r\n"));
        hear(client, SLICE("250 CHUNKING\r\n"));
        smtp_client_carry(client, &message, NOW);
        take_output(client, &sent);
        size_t chunk = slice_find(buffer_slice(&sent), SLICE("\r\nBDAT 65536 LAST\r\nxxx"));
        assert_int_equal(chunk < buffer_len(&sent), !over);
        assert_int_equal(buffer_len(&sent) > SMTP_CLIENT_PIPELINED_MAX, !over);
        smtp_client_close(&client);
        buffer_finish(&sent);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_looked_at_once),
        cmocka_unit_test(what_stands_around_content_is_not_looked_at),
        cmocka_unit_test(pieces_end_anywhere_and_nothing_is_lost),
        cmocka_unit_test(blocks_and_the_end_have_times_of_their_own),
        cmocka_unit_test(a_content_up_to_a_piece_leaves_with_its_end),
        cmocka_unit_test(a_chunk_travels_early_up_to_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
