/* SPDX-License-Identifier: ISC */
#include "smtp/tests/conversation.h"

#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { RECORD_MAX = 64 * 1024 * 1024, SPLITS_MAX = 200 };

void
conversation_init(struct conversation *conversation)
{
    *conversation = (struct conversation){.options = {.hostname = SLICE("foo.com")}};
    buffer_init(&conversation->output, RECORD_MAX);
    buffer_init(&conversation->journal, RECORD_MAX);
}

void
conversation_finish(struct conversation *conversation)
{
    office_finish(&conversation->office);
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

/* One run in progress. */
struct run {
    struct conversation *conversation;
    struct office_desk desk;
    struct instant now;
    struct buffer output;
    int64_t held_ms;
};

static void
collect(struct run *run)
{
    struct slice output = smtp_server_output(run->desk.server);

    buffer_put(&run->output, output);
    smtp_server_sent(run->desk.server, output.len, run->now);
}

/* Time stands still but for answers that are held back. */
static void
release(struct run *run)
{
    struct instant due = smtp_server_deadline(run->desk.server);
    struct duration wait = instant_since(due, run->now);

    if (wait.ns > INT64_C(60) * 1000000000)
        return;
    run->held_ms += wait.ns / 1000000;
    run->now = due;
    smtp_server_expire(run->desk.server, run->now);
}

/* Offers one piece until all of it was taken. */
static void
offer(struct run *run, struct slice piece)
{
    /* A heap copy of exact size: a slice kept too long is a use after free here. */
    uint8_t *copy = test_malloc(piece.len + 1);
    size_t at = 0;
    int idle = 0;

    memcpy(copy, piece.at, piece.len);
    while (at < piece.len && idle < 3) {
        size_t taken =
            smtp_server_feed(run->desk.server, slice_of(copy + at, piece.len - at), run->now);
        office_desk_work(&run->desk, run->now);
        collect(run);
        if (taken == 0)
            release(run);
        office_desk_work(&run->desk, run->now);
        idle = taken == 0 ? idle + 1 : 0;
        at += taken;
    }
    test_free(copy);
}

/* `first` octets in one piece, then pieces of `step`. */
static void
run_pieces(struct run *run, struct slice input, size_t first, size_t step)
{
    struct conversation *conversation = run->conversation;
    struct smtp_server *server =
        smtp_server_open(&conversation->options, &conversation->peer, run->now);

    office_finish(&conversation->office);
    office_desk_init(&run->desk, &conversation->office, server);
    run->desk.greeting = conversation->greeting;
    run->desk.tls_code = conversation->tls_code;
    run->desk.offers_names = conversation->offers_names;
    run->desk.hello = conversation->hello;
    run->desk.body_begin = conversation->body_begin;
    office_desk_work(&run->desk, run->now);
    for (size_t at = 0; at < input.len;) {
        size_t len = at == 0 && first > 0 ? first : step;
        offer(run, slice_between(input, at, at + len));
        at += len;
    }
    for (int i = 0; i < 3; i++) {
        collect(run);
        release(run);
        office_desk_work(&run->desk, run->now);
    }
}

static void
compare(struct slice expected, struct slice found, const char *what, size_t first, size_t step)
{
    if (!slice_equal(expected, found))
        fail_msg("%s differs when split at %zu, step %zu:\n--- whole\n%.*s\n--- split\n%.*s", what,
                 first, step, (int)expected.len, (const char *)expected.at, (int)found.len,
                 (const char *)found.at);
}

static void
run_once(struct conversation *conversation, struct slice input, size_t first, size_t step)
{
    struct run run = {.conversation = conversation, .now = {INT64_C(1000000000)}};
    bool is_first = step == SIZE_MAX && first == 0;

    buffer_init(&run.output, RECORD_MAX);
    run_pieces(&run, input, first, step == SIZE_MAX ? input.len : step);
    if (is_first) {
        buffer_clear(&conversation->output);
        buffer_clear(&conversation->journal);
        buffer_put(&conversation->output, buffer_slice(&run.output));
        buffer_put(&conversation->journal, buffer_slice(&run.desk.journal));
        conversation->held_ms = run.held_ms;
    } else {
        compare(buffer_slice(&conversation->output), buffer_slice(&run.output), "output", first,
                step);
        compare(buffer_slice(&conversation->journal), buffer_slice(&run.desk.journal), "journal",
                first, step);
        assert_int_equal(conversation->held_ms, run.held_ms);
    }
    buffer_finish(&run.output);
    office_desk_finish(&run.desk);
}

void
conversation_run(struct conversation *conversation, struct slice input)
{
    size_t stride = input.len / SPLITS_MAX + 1;

    run_once(conversation, input, 0, SIZE_MAX);
    run_once(conversation, input, 0, 1);
    run_once(conversation, input, 0, 7);
    for (size_t first = 1; first < input.len; first += stride)
        run_once(conversation, input, first, SIZE_MAX);
}

/* The code of the next reply, its lines passed over; 0 at the end. */
static uint32_t
next_code(struct cursor *cursor)
{
    for (;;) {
        struct slice line;
        uint32_t code;
        if (!cursor_take_u32(cursor, 100, 599, &code))
            return 0;
        bool is_last = cursor_peek(cursor) == ' ';
        if (!cursor_take_until(cursor, '\n', &line) || !cursor_take_byte(cursor, '\n'))
            return 0;
        if (is_last)
            return code;
    }
}

void
conversation_expect_codes(const struct conversation *conversation, const char *codes)
{
    struct cursor cursor = cursor_of(buffer_slice(&conversation->output));
    struct buffer found;
    uint32_t code;

    buffer_init(&found, RECORD_MAX);
    while ((code = next_code(&cursor)) != 0) {
        if (buffer_len(&found) > 0)
            buffer_put_byte(&found, ' ');
        buffer_put_decimal(&found, code);
    }
    struct slice seen = buffer_slice(&found);
    if (!slice_equal(seen, slice_of_string(codes)) || !cursor_is_done(&cursor))
        fail_msg("expected codes %s, but it was said:\n%.*s", codes,
                 (int)buffer_len(&conversation->output),
                 (const char *)buffer_slice(&conversation->output).at);
    buffer_finish(&found);
}

static bool
has(const struct buffer *record, const char *text)
{
    struct slice all = buffer_slice(record);

    return slice_find(all, slice_of_string(text)) < all.len;
}

static void
expect(const struct buffer *record, const char *text, bool is_wanted)
{
    if (has(record, text) != is_wanted)
        fail_msg("%s \"%s\" in:\n%.*s", is_wanted ? "missing" : "unwanted", text,
                 (int)buffer_len(record), (const char *)buffer_slice(record).at);
}

void
conversation_expect_said(const struct conversation *conversation, const char *text)
{
    expect(&conversation->output, text, true);
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
