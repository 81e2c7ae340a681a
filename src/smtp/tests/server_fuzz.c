/* SPDX-License-Identifier: ISC */
/* A hostile client and a moody caller: the first octets choose options, answers and how the rest,
 * the client's input, is cut. What must hold: every line that is sent is a reply, no question is
 * asked while one is open, a transaction's news come in order, and the session always goes on or
 * ends. */
#include "base/buffer.h"
#include "base/cursor.h"
#include "smtp/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 6, STALLS_MAX = 50 };

struct play {
    struct smtp_server *server;
    struct buffer output;
    struct instant now;
    uint64_t mood; /* a generator of answers */
    bool has_transaction, has_body, is_closed;
    uint64_t body_bytes;
};

static unsigned
draw(struct play *play, unsigned bound)
{
    play->mood = play->mood * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(play->mood >> 33) % bound;
}

static void
answer(struct play *play, const struct smtp_event *event)
{
    static const uint16_t refusals[] = {421, 450, 451, 452, 500, 550, 551, 552, 553, 554};
    bool is_auth = event->kind == SMTP_EVENT_AUTH_BEGIN || event->kind == SMTP_EVENT_AUTH_STEP;
    struct smtp_verdict verdict = {.identity = SLICE("alice"), .text = SLICE("one\ntwo\r\xFF")};

    if (is_auth && draw(play, 2) == 0) {
        smtp_server_challenge(play->server, SLICE("challenge"), play->now);
        return;
    }
    if (draw(play, 4) == 0)
        verdict.code = refusals[draw(play, COUNT_OF(refusals))];
    if (draw(play, 8) == 0)
        verdict.last_challenge = SLICE("last words");
    if (draw(play, 16) == 0)
        verdict.delay = duration_ms(draw(play, 3000));
    verdict.closes = draw(play, 64) == 0;
    bool is_positive = verdict.code == 0;
    if (event->kind == SMTP_EVENT_URL && is_positive) {
        uint64_t len = draw(play, 3000);
        play->body_bytes += len;
        smtp_server_take_url(play->server, len, play->now);
        return;
    }
    if (event->kind == SMTP_EVENT_MAIL && is_positive && !verdict.closes)
        play->has_transaction = true;
    smtp_server_answer(play->server, &verdict, play->now);
    if (event->kind == SMTP_EVENT_BODY_BEGIN && is_positive)
        play->has_body = true;
    if (event->kind == SMTP_EVENT_BODY_END && !smtp_server_is_asking(play->server))
        play->has_transaction = play->has_body = false;
}

static void
check_event(struct play *play, const struct smtp_event *event)
{
    assert(!play->is_closed);
    if (event->kind == SMTP_EVENT_MAIL)
        assert(!play->has_transaction);
    if (event->kind == SMTP_EVENT_RCPT || event->kind == SMTP_EVENT_BODY_BEGIN)
        assert(play->has_transaction && !play->has_body);
    if (event->kind == SMTP_EVENT_MAIL)
        play->body_bytes = 0;
    if (event->kind == SMTP_EVENT_BODY_PIECE) {
        assert(play->has_body && event->body.len > 0);
        play->body_bytes += event->body.len;
    }
    if (event->kind == SMTP_EVENT_BODY_END)
        assert(play->has_body && event->body_bytes == play->body_bytes);
    if (event->kind == SMTP_EVENT_ABORT) {
        assert(play->has_transaction);
        play->has_transaction = play->has_body = false;
    }
    if (event->kind == SMTP_EVENT_CLOSE) {
        assert(!play->has_transaction);
        play->is_closed = true;
    }
}

static void
work(struct play *play)
{
    struct smtp_event event;

    while (smtp_server_next(play->server, &event)) {
        check_event(play, &event);
        if (event.kind == SMTP_EVENT_STARTTLS && draw(play, 2) == 0) {
            smtp_server_answer(play->server, &(struct smtp_verdict){0}, play->now);
            smtp_server_tls_started(play->server, true, play->now);
            play->has_transaction = play->has_body = false;
            continue;
        }
        while (smtp_server_is_asking(play->server))
            answer(play, &event);
    }
    struct slice output = smtp_server_output(play->server);
    buffer_put(&play->output, output);
    smtp_server_sent(play->server, output.len, play->now);
}

static void
feed(struct play *play, struct slice input, size_t step)
{
    int stalls = 0;

    while (input.len > 0 && stalls < STALLS_MAX) {
        struct slice piece = slice_first(input, step);
        size_t taken = smtp_server_feed(play->server, piece, play->now);
        assert(taken <= piece.len);
        work(play);
        input = slice_skip(input, taken);
        stalls = taken == 0 ? stalls + 1 : 0;
        struct instant due = smtp_server_deadline(play->server);
        if (taken == 0 && !instant_is_never(due)) {
            play->now = due;
            smtp_server_expire(play->server, due);
            work(play);
        }
    }
    assert(stalls < STALLS_MAX);
}

/* Every line is three digits, a space or hyphen, and text of printable octets. */
static void
check_output(struct slice output)
{
    struct cursor cursor = cursor_of(output);
    struct slice line;
    uint32_t code;

    while (!cursor_is_done(&cursor)) {
        bool is_line = cursor_take_until(&cursor, '\n', &line) && cursor_take_byte(&cursor, '\n');
        assert(is_line && line.len >= 5 && line.at[line.len - 1] == '\r');
        struct cursor start = cursor_of(slice_first(line, 3));
        bool is_code = cursor_take_u32(&start, 200, 599, &code) && cursor_is_done(&start);
        assert(is_code && (line.at[3] == ' ' || line.at[3] == '-'));
        for (size_t i = 4; i < line.len - 1; i++)
            assert(line.at[i] >= ' ' && line.at[i] != 0x7F);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t head[HEAD_LEN] = {0};
    struct play play = {.now = {INT64_C(1000000000)}};

    memcpy(head, data, len < HEAD_LEN ? len : HEAD_LEN);
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct smtp_server_options options = {
        .service = (enum smtp_service)(head[0] % 3),
        .hostname = SLICE("foo.com"),
        .message_bytes_max = head[1] & 1 ? 20 : 0,
        .recipients_max = head[1] & 2 ? 2 : 0,
        .errors_max = 1000,
        .mechanisms = head[2],
        .verify = SMTP_VERIFY_EVERYBODY,
        .expand = SMTP_VERIFY_AUTHENTICATED,
        .has_tls = head[1] & 4,
        .is_tls_required = head[1] & 8,
        .is_auth_required = head[1] & 16,
        .allows_auth_on_loopback = true,
        .is_obsolete_on = head[1] & 32,
        .is_chunking_off = head[1] & 64,
        .offers_burl = true,
    };
    struct smtp_server_peer peer = {.is_loopback = true, .is_trusted = head[1] & 128};
    play.mood = (uint64_t)head[3] << 8 | head[4];
    buffer_init(&play.output, 16 * 1024 * 1024);
    play.server = smtp_server_open(&options, &peer, play.now);
    work(&play);
    feed(&play, input, head[5] == 0 ? SIZE_MAX : head[5]);
    check_output(buffer_slice(&play.output));
    assert(!buffer_overflowed(&play.output));
    smtp_server_close(&play.server);
    buffer_finish(&play.output);
    return 0;
}
