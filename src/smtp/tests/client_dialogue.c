/* SPDX-License-Identifier: ISC */
#include "smtp/tests/client_play.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- playing a dialogue -------------------------------------------------------------------- */

static void
hear(struct client_play *play, struct slice text, size_t step)
{
    while (text.len > 0) {
        size_t taken = smtp_client_feed(play->client, slice_first(text, step), play->now);
        client_play_work(play);
        text = slice_skip(text, taken);
        assert_true(taken > 0 || !play->is_closed);
    }
}

/* Takes from the output, `step` octets at a time, what the dialogue expects. */
static void
expect_said(struct client_play *play, struct slice text, size_t step)
{
    while (text.len > 0) {
        struct slice output = smtp_client_output(play->client);
        size_t len = output.len < text.len ? output.len : text.len;
        len = len < step ? len : step;
        if (len == 0 || memcmp(output.at, text.at, len) != 0)
            fail_msg("expected \"%.*s\", and the client says \"%.*s\"", (int)text.len, text.at,
                     (int)output.len, output.at);
        smtp_client_sent(play->client, len, play->now);
        client_play_work(play);
        text = slice_skip(text, len);
    }
}

static void
play_line(struct client_play *play, struct slice line, size_t step)
{
    struct buffer text;

    buffer_init(&text, 65536);
    if (line.len > 3)
        buffer_put(&text, slice_skip(line, 3));
    buffer_put_text(&text, "\r\n");
    if (line.at[0] == 'S') {
        hear(play, buffer_slice(&text), step);
    } else if (line.at[0] == 'C') {
        expect_said(play, buffer_slice(&text), step);
    } else if (line.at[0] == 'T') {
        assert_true(play->is_tls_due);
        assert_int_equal(smtp_client_output(play->client).len, 0);
        smtp_client_tls_started(play->client, play->now);
    } else if (line.at[0] == 'E') {
        smtp_client_input_ended(play->client);
    } else {
        assert_int_equal(line.at[0], 'W');
        assert_false(instant_is_never(smtp_client_deadline(play->client)));
        play->now = smtp_client_deadline(play->client);
        smtp_client_expire(play->client, play->now);
    }
    client_play_work(play);
    buffer_finish(&text);
}

/* The dialogue, and at its end nothing more to say. */
static void
play_once(struct client_play *play, const char *dialogue, const char *journal, size_t step)
{
    struct slice rest = slice_of_string(dialogue);

    buffer_clear(&play->journal);
    play->carried = 0;
    play->is_tls_due = play->is_closed = false;
    client_play_begin(play);
    while (rest.len > 0) {
        size_t end = slice_find_byte(rest, '\n');
        play_line(play, slice_first(rest, end), step);
        rest = slice_skip(rest, end + 1);
    }
    assert_int_equal(smtp_client_output(play->client).len, 0);
    buffer_put_byte(&play->journal, 0);
    assert_string_equal((const char *)buffer_slice(&play->journal).at, journal);
    smtp_client_close(&play->client);
}

void
client_play_dialogue(struct client_play *play, const char *dialogue, const char *journal)
{
    play_once(play, dialogue, journal, SIZE_MAX);
    play_once(play, dialogue, journal, 1);
    play_once(play, dialogue, journal, 7);
}

int
client_play_setup(void **state)
{
    static struct client_play play;

    client_play_init(&play);
    *state = &play;
    return 0;
}

int
client_play_teardown(void **state)
{
    client_play_finish(*state);
    return 0;
}
