/* SPDX-License-Identifier: ISC */
#include "pop3/tests/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { OUTPUT_MAX = 64 << 20, SPLITS_MAX = 300, STALLS_MAX = 100 };

static const char first_message[] =
    "From: Marshall Rose <mrose@example.test>\r\nSubject: one\r\n\r\n"
    "One line.\r\n.\r\n..two dots\r\nThe end of the first message here.\r\n";

static const char second_message[] =
    "From: Marshall Rose <mrose@example.test>\r\nSubject: two\r\n\r\n"
    "Line 1\r\nLine 2\r\n\r\nLine 4 is made as long as it takes to have two hundred octets in all,"
    " they are counted by a machine....\r\n.Line 5 has a dot\r\n";

void
conversation_init(struct conversation *conversation)
{
    assert_int_equal(sizeof(first_message) - 1, 120);
    assert_int_equal(sizeof(second_message) - 1, 200);
    *conversation = (struct conversation){
        .options =
            {
                .hostname = SLICE("pop.example.test"),
                .timestamp = SLICE("<1896.697170952@dbc.mtview.ca.us>"),
                .implementation = SLICE("Test"),
                .mechanisms = {SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-256"), SLICE("PLAIN"),
                               SLICE("LOGIN")},
                .mechanisms_count = 4,
                .is_tls_available = true,
                .allows_clear_password = true,
                .expire_days = POP3_EXPIRE_NEVER,
            },
        .messages = {{(const uint8_t *)first_message, sizeof(first_message) - 1},
                     {(const uint8_t *)second_message, sizeof(second_message) - 1}},
        .message_count = 2,
    };
    buffer_init(&conversation->output, OUTPUT_MAX);
    buffer_init(&conversation->journal, OUTPUT_MAX);
}

void
conversation_finish(struct conversation *conversation)
{
    buffer_finish(&conversation->output);
    buffer_finish(&conversation->journal);
}

int
conversation_setup(void **state)
{
    struct conversation *conversation = malloc(sizeof(*conversation));

    assert_non_null(conversation);
    conversation_init(conversation);
    *state = conversation;
    return 0;
}

int
conversation_teardown(void **state)
{
    conversation_finish(*state);
    free(*state);
    return 0;
}

/* ---- one run ------------------------------------------------------------------------------- */

struct run {
    struct lobby lobby;
    struct lobby_desk desk;
    struct buffer output;
    struct instant now;
    int64_t held_ms;
};

static void
settle(struct run *run)
{
    for (;;) {
        lobby_desk_work(&run->desk, run->now);
        struct slice output = pop3_server_output(run->desk.server);
        assert_true(output.len <= POP3_OUTPUT_MAX);
        if (output.len == 0)
            return;
        buffer_put(&run->output, output);
        pop3_server_sent(run->desk.server, output.len, run->now);
    }
}

static void
feed(struct run *run, struct slice piece)
{
    for (int stalls = 0; piece.len > 0; stalls++) {
        size_t taken = pop3_server_feed(run->desk.server, piece, run->now);
        piece = slice_skip(piece, taken);
        settle(run);
        if (taken > 0 || !pop3_server_is_busy(run->desk.server))
            continue;
        assert_true(stalls < STALLS_MAX);
        struct instant due = pop3_server_deadline(run->desk.server);
        assert_false(instant_is_never(due));
        run->held_ms += instant_since(due, run->now).ns / 1000000;
        run->now = due;
        pop3_server_expire(run->desk.server, due);
        settle(run);
    }
}

static void
finish_held(struct run *run)
{
    struct instant due = pop3_server_deadline(run->desk.server);

    if (!pop3_server_is_busy(run->desk.server) || instant_is_never(due))
        return;
    run->held_ms += instant_since(due, run->now).ns / 1000000;
    run->now = due;
    pop3_server_expire(run->desk.server, due);
    settle(run);
}

/* One time: a first piece of `first` octets, then pieces of at most `step`. */
static void
run_once(struct conversation *conversation, struct slice input, size_t first, size_t step)
{
    static struct run run;

    run = (struct run){.now = {INT64_C(1000000000)}};
    run.lobby.open_answer = conversation->open_answer;
    run.lobby.read_answer = conversation->read_answer;
    run.lobby.update_answer = conversation->update_answer;
    run.lobby.delay_ms = conversation->delay_ms;
    size_t user = lobby_add_user(&run.lobby, "mrose", "secret");
    for (size_t i = 0; i < conversation->message_count; i++)
        (void)lobby_add_message(&run.lobby, user, conversation->messages[i]);
    buffer_init(&run.output, OUTPUT_MAX);
    lobby_desk_init(&run.desk, &run.lobby, pop3_server_open(&conversation->options, run.now),
                    conversation->options.timestamp);
    run.desk.starts_tls = true;
    settle(&run);
    feed(&run, slice_first(input, first));
    for (struct slice rest = slice_skip(input, first); rest.len > 0; rest = slice_skip(rest, step))
        feed(&run, slice_first(rest, step));
    finish_held(&run);
    buffer_clear(&conversation->output);
    buffer_clear(&conversation->journal);
    buffer_put(&conversation->output, buffer_slice(&run.output));
    buffer_put(&conversation->journal, buffer_slice(&run.desk.journal));
    assert_false(buffer_overflowed(&conversation->output));
    conversation->held_ms = run.held_ms;
    conversation->left_count = lobby_count(&run.lobby, user);
    buffer_finish(&run.output);
    lobby_desk_finish(&run.desk);
    lobby_finish(&run.lobby);
}

static void
keep(struct buffer *kept, const struct buffer *seen)
{
    buffer_clear(kept);
    buffer_put(kept, buffer_slice(seen));
}

void
conversation_run(struct conversation *conversation, struct slice input)
{
    struct buffer output, journal;
    size_t stride = input.len / SPLITS_MAX + 1;

    buffer_init(&output, OUTPUT_MAX);
    buffer_init(&journal, OUTPUT_MAX);
    run_once(conversation, input, input.len, 1);
    keep(&output, &conversation->output);
    keep(&journal, &conversation->journal);
    for (size_t first = 0; first < input.len; first += stride) {
        run_once(conversation, input, first, first == 0 ? 1 : input.len);
        assert_true(slice_equal(buffer_slice(&output), buffer_slice(&conversation->output)));
        assert_true(slice_equal(buffer_slice(&journal), buffer_slice(&conversation->journal)));
    }
    buffer_finish(&output);
    buffer_finish(&journal);
}

void
conversation_say(struct conversation *conversation, const char *text)
{
    conversation_run(conversation, slice_of_string(text));
}

void
conversation_log_in_and_say(struct conversation *conversation, const char *text)
{
    struct buffer whole;

    buffer_init(&whole, OUTPUT_MAX);
    buffer_put_text(&whole, "USER mrose\r\nPASS secret\r\n");
    buffer_put_text(&whole, text);
    conversation_run(conversation, buffer_slice(&whole));
    buffer_finish(&whole);
}

/* ---- what is expected ---------------------------------------------------------------------- */

static bool
holds(const struct buffer *buffer, const char *text)
{
    struct slice bytes = buffer_slice(buffer);

    return slice_find(bytes, slice_of_string(text)) < bytes.len;
}

static void
expect(const struct buffer *buffer, const char *text, bool is_wanted)
{
    struct slice bytes = buffer_slice(buffer);

    if (holds(buffer, text) != is_wanted)
        fail_msg("%s \"%s\" in:\n%.*s", is_wanted ? "missing" : "unwanted", text, (int)bytes.len,
                 (const char *)bytes.at);
}

void
conversation_expect_said(const struct conversation *conversation, const char *text)
{
    expect(&conversation->output, text, true);
}

void
conversation_expect_unsaid(const struct conversation *conversation, const char *text)
{
    expect(&conversation->output, text, false);
}

void
conversation_expect_told(const struct conversation *conversation, const char *text)
{
    expect(&conversation->journal, text, true);
}

void
conversation_expect_untold(const struct conversation *conversation, const char *text)
{
    expect(&conversation->journal, text, false);
}

void
conversation_expect_last(const struct conversation *conversation, const char *text)
{
    struct slice output = buffer_slice(&conversation->output);

    if (!slice_ends_with(output, slice_of_string(text)))
        fail_msg("\"%s\" is not the end of:\n%.*s", text, (int)output.len, (const char *)output.at);
}
