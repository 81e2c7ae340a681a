/* SPDX-License-Identifier: ISC */
/* The client engine and our own server engine, wired to each other; what passes between them is cut
 * anywhere, by a seed. */
#include "smtp/tests/client_play.h"
#include "smtp/tests/office.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEEDS = 300, ROUNDS_MAX = 4000000 };

struct pair {
    struct client_play play;
    struct office office;
    struct office_desk desk;
    struct smtp_server_options options;
    uint64_t state;
};

static const struct smtp_client_recipient recipients[] = {
    {.address = SLICE("jones@foo.com")}, {.address = SLICE("unknown@foo.com")},
    {.address = SLICE("brown@foo.com")}, {.address = SLICE("late@foo.com")},
    {.address = SLICE("busy@foo.com")},
};

static size_t
draw(struct pair *pair, size_t bound)
{
    pair->state = pair->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(pair->state >> 33) % bound;
}

static void
to_server(struct pair *pair)
{
    struct slice output = smtp_client_output(pair->play.client);
    struct slice piece = slice_first(output, 1 + draw(pair, draw(pair, 8) ? 40 : 100000));

    /* An empty piece, too: there may be events. */
    size_t taken = smtp_server_feed(pair->desk.server, piece, pair->play.now);
    office_desk_work(&pair->desk, pair->play.now);
    if (taken > 0)
        smtp_client_sent(pair->play.client, taken, pair->play.now);
    client_play_work(&pair->play);
}

static void
to_client(struct pair *pair)
{
    struct slice output = smtp_server_output(pair->desk.server);
    struct slice piece = slice_first(output, 1 + draw(pair, draw(pair, 8) ? 40 : 100000));

    size_t taken = smtp_client_feed(pair->play.client, piece, pair->play.now);
    client_play_work(&pair->play);
    smtp_server_sent(pair->desk.server, taken, pair->play.now);
    office_desk_work(&pair->desk, pair->play.now);
}

/* One session, until the client has closed it. */
static void
converse(struct pair *pair, uint64_t seed)
{
    struct smtp_server_peer peer = {.is_trusted = true};

    pair->state = seed;
    pair->play.carried = 0;
    pair->play.is_closed = false;
    buffer_clear(&pair->play.journal);
    office_desk_init(&pair->desk, &pair->office,
                     smtp_server_open(&pair->options, &peer, pair->play.now));
    client_play_begin(&pair->play);
    office_desk_work(&pair->desk, pair->play.now);
    for (unsigned round = 0; !pair->play.is_closed; round++) {
        assert_true(round < ROUNDS_MAX);
        if (draw(pair, 2) == 0)
            to_server(pair);
        else
            to_client(pair);
    }
    smtp_client_close(&pair->play.client);
    office_desk_finish(&pair->desk);
}

static size_t
count_kept(const struct pair *pair, const char *recipient, struct slice bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < pair->office.message_count; i++)
        count += strcmp(pair->office.messages[i].recipient, recipient) == 0 &&
                 slice_equal(pair->office.messages[i].bytes, bytes);
    return count;
}

static size_t
count_told(struct pair *pair, const char *text)
{
    struct slice rest = buffer_slice(&pair->play.journal);
    size_t count = 0;

    for (;;) {
        size_t at = slice_find(rest, slice_of_string(text));
        if (at == rest.len)
            return count;
        count++;
        rest = slice_skip(rest, at + 1);
    }
}

/* Lines of all lengths, many of which begin with dots. */
static void
make_content(struct pair *pair, struct buffer *content, size_t len)
{
    buffer_clear(content);
    buffer_put_text(content, "Subject: pair\r\n\r\n");
    while (buffer_len(content) < len) {
        size_t line = draw(pair, 3) == 0 ? draw(pair, 900) : draw(pair, 5);
        for (size_t i = draw(pair, 4); i > 0; i--)
            buffer_put_byte(content, '.');
        for (size_t i = 0; i < line; i++)
            buffer_put_byte(content, (uint8_t)(' ' + draw(pair, 95)));
        buffer_put_text(content, "\r\n");
    }
}

static void
carry_two(struct pair *pair, uint64_t seed, size_t len)
{
    struct buffer first, second;

    buffer_init(&first, 4 * 1024 * 1024);
    buffer_init(&second, 4 * 1024 * 1024);
    pair->state = seed;
    make_content(pair, &first, len);
    make_content(pair, &second, 10);
    struct smtp_client_message messages[2] = {
        {.reverse_path = SLICE("smith@bar.com"),
         .recipients = recipients,
         .recipients_count = COUNT_OF(recipients),
         .content = buffer_slice(&first)},
        {.reverse_path = SLICE(""),
         .recipients = recipients,
         .recipients_count = 1,
         .content = buffer_slice(&second)},
    };
    pair->play.messages[0] = &messages[0];
    pair->play.messages[1] = &messages[1];
    pair->play.message_count = 2;
    converse(pair, seed);
    assert_int_equal(count_kept(pair, "jones@foo.com", buffer_slice(&first)), 1);
    assert_int_equal(count_kept(pair, "jones@foo.com", buffer_slice(&second)), 1);
    assert_int_equal(count_kept(pair, "brown@foo.com", buffer_slice(&first)), 1);
    bool is_lmtp = pair->play.options.is_lmtp;
    assert_int_equal(pair->office.message_count, is_lmtp ? 3 : 4);
    assert_int_equal(count_told(pair, " delivered "), is_lmtp ? 3 : 4);
    assert_int_equal(count_told(pair, "RESULT 1 permanent 550 5.1.1"), 1);
    assert_int_equal(count_told(pair, "RESULT 4 temporary 450 4.2.1"), 1);
    assert_int_equal(count_told(pair, "RESULT "), 6);
    assert_int_equal(count_told(pair, "DONE\n"), 2);
    assert_int_equal(count_told(pair, "CLOSE quit 221"), 1);
    office_finish(&pair->office);
    buffer_finish(&first);
    buffer_finish(&second);
}

static struct pair *
make_pair(struct pair *pair)
{
    *pair = (struct pair){.options = {.hostname = SLICE("foo.com")}};
    client_play_init(&pair->play);
    return pair;
}

static void
messages_arrive_as_they_were_sent_however_the_stream_is_cut(void **state)
{
    static struct pair room;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct pair *pair = make_pair(&room);
        pair->play.options.is_lmtp = seed % 5 == 4;
        pair->options.service = pair->play.options.is_lmtp ? SMTP_SERVICE_LMTP : SMTP_SERVICE_SMTP;
        pair->play.options.is_chunking_off = seed & 1;
        pair->play.options.is_pipelining_off = seed & 2;
        carry_two(pair, seed, 2000);
        client_play_finish(&pair->play);
    }
}

static void
a_large_message_passes_in_both_ways(void **state)
{
    static struct pair room;

    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct pair *pair = make_pair(&room);
        pair->play.options.is_chunking_off = seed & 1;
        pair->play.options.is_pipelining_off = seed & 2;
        carry_two(pair, seed, 300000);
        client_play_finish(&pair->play);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_as_they_were_sent_however_the_stream_is_cut),
        cmocka_unit_test(a_large_message_passes_in_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
