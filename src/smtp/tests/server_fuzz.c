/* SPDX-License-Identifier: ISC */
/* A hostile client and a moody caller: the first octets choose options, answers and how the rest,
 * the client's input, is cut. In it, 0x1E, a letter, an octet and a line's end are no octets of the
 * client's: something happens (happen). What must hold: every line that is sent is a reply, no
 * question is asked while one is open, a transaction's news come in order, the session always goes
 * on or ends; and all of it, with each octet of the bodies, is the same when the input comes whole.
 */
#include "base/buffer.h"
#include "base/cursor.h"
#include "smtp/server.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 6, STALLS_MAX = 50, TOLD_MAX = 16 << 20, MARK = 0x1E, FLOOD = 70000 };
enum { REPLY_LINE_MAX = 512 }; /* RFC 5321 §4.5.3.1.5 */

/* Of the first octet, once the service is taken from it. */
enum {
    IS_SECURE = 1,
    HAS_CERTIFICATE = 2,
    MAY_RELAY = 4,
    IS_KEEPER = 8,
    HAS_TURN = 16,
    IS_BARE = 32
};

struct play {
    struct smtp_server *server;
    enum smtp_service service;
    struct buffer output;
    struct buffer told; /* a letter for each event, and the bodies that came to their end */
    size_t body_start;  /* in it */
    struct instant now;
    uint64_t mood; /* a generator of answers */
    bool has_transaction, has_body, is_closed, is_turned, is_over;
    uint64_t body_bytes;
};

static unsigned
draw(struct play *play, unsigned bound)
{
    play->mood = play->mood * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(play->mood >> 33) % bound;
}

static void
offer(struct play *play)
{
    if (draw(play, 2) == 0)
        smtp_server_offer_names(play->server, true);
    if (play->service == SMTP_SERVICE_SUBMISSION && draw(play, 2) == 0)
        smtp_server_offer_hold(play->server, draw(play, 100000),
                               (struct wall){INT64_C(1800000000) * 1000000000});
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
    if (event->kind == SMTP_EVENT_HELLO)
        offer(play);
    if (event->kind == SMTP_EVENT_TURN)
        play->is_turned = is_positive && !verdict.closes;
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

/* Of a body that is refused in the middle, how much was told before depends on how it came. */
static void
note(struct play *play, const struct smtp_event *event)
{
    bool is_piece = event->kind == SMTP_EVENT_BODY_PIECE;

    if (is_piece)
        buffer_put(&play->told, event->body);
    if (event->kind == SMTP_EVENT_ABORT && play->has_body)
        buffer_truncate(&play->told, play->body_start);
    if (!is_piece)
        buffer_put_byte(&play->told, (uint8_t)('a' + event->kind));
    if (event->kind == SMTP_EVENT_BODY_BEGIN)
        play->body_start = buffer_len(&play->told);
}

static void
check_event(struct play *play, const struct smtp_event *event)
{
    struct smtp_server_facts facts = smtp_server_facts(play->server);

    assert(!play->is_closed && !play->is_turned);
    assert(facts.is_waiting == smtp_server_is_asking(play->server));
    assert(!facts.is_waiting || smtp_server_is_busy(play->server));
    note(play, event);
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
            smtp_server_tls_started(play->server, draw(play, 2) == 0, play->now);
            if (draw(play, 2) == 0)
                smtp_server_has_certificate(play->server);
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
wait(struct play *play)
{
    struct instant due = smtp_server_deadline(play->server);

    if (instant_is_never(due))
        return;
    play->now = due;
    smtp_server_expire(play->server, due);
    work(play);
}

static void
feed(struct play *play, struct slice input, size_t step)
{
    int stalls = 0;

    while (input.len > 0 && stalls < STALLS_MAX && !play->is_turned) {
        struct slice piece = slice_first(input, step);
        size_t taken = smtp_server_feed(play->server, piece, play->now);
        assert(taken <= piece.len);
        work(play);
        input = slice_skip(input, taken);
        stalls = taken == 0 ? stalls + 1 : 0;
        if (taken == 0)
            wait(play);
    }
    assert(stalls < STALLS_MAX);
}

/* An answer may be held back when something happens: who cuts elsewhere must be as far. */
static void
settle(struct play *play)
{
    for (int i = 0; i < STALLS_MAX && smtp_server_is_busy(play->server); i++)
        wait(play);
}

static void
happen(struct play *play, struct slice event, size_t step)
{
    static uint8_t flood[FLOOD];

    settle(play);
    switch (event.len > 0 ? event.at[0] : 0) {
    case 'e': /* the client has closed its side */
        if (!play->is_turned)
            smtp_server_input_ended(play->server);
        play->is_over = true;
        break;
    case 'l': /* one octet, and no end */
        memset(flood, event.len > 1 ? event.at[1] : 'A', sizeof(flood));
        feed(play, slice_of(flood, sizeof(flood)), step > 64 ? step : 64);
        break;
    case 'p': /* the service goes down */
        smtp_server_stop(play->server, play->now);
        break;
    case 's':
        smtp_server_set_stress(play->server, event.len > 1 && event.at[1] & 1);
        break;
    case 'w':
        wait(play);
        break;
    default:
        break;
    }
    work(play);
}

static void
feed_all(struct play *play, struct slice input, size_t step)
{
    while (input.len > 0 && !play->is_over && !play->is_turned) {
        struct slice said = slice_first(input, slice_find_byte(input, MARK));
        feed(play, said, step);
        input = slice_skip(input, said.len);
        struct slice event = slice_first(input, slice_find_byte(input, '\n'));
        if (event.len > 0 && !play->is_turned)
            happen(play, slice_skip(event, 1), step);
        input = slice_skip(input, event.len + 1);
    }
    settle(play);
    if (play->has_body) /* no end came */
        buffer_truncate(&play->told, play->body_start);
    assert(!play->is_over || play->is_closed || play->is_turned);
}

/* What stands behind the code: no controls; an enhanced status is of the code's class. */
static void
check_text(struct slice line)
{
    uint32_t class = 0, subject = 0, detail = 0;
    struct cursor cursor = cursor_of(slice_skip(line, 4));

    assert(utf8_is_valid(line));
    for (size_t i = 4; i < line.len; i++)
        assert(line.at[i] >= ' ' && line.at[i] != 0x7F);
    bool is_status = cursor_take_u32(&cursor, 0, 9, &class) && cursor_take_byte(&cursor, '.') &&
                     cursor_take_u32(&cursor, 0, 999, &subject) && cursor_take_byte(&cursor, '.') &&
                     cursor_take_u32(&cursor, 0, 999, &detail) &&
                     (cursor_is_done(&cursor) || cursor_take_byte(&cursor, ' '));
    assert(!is_status || class == (uint32_t)(line.at[0] - '0'));
}

/* Every line is three digits, a space or hyphen, and text; all lines of a reply have one code, and
 * there is a last one. */
static void
check_output(struct slice output)
{
    struct cursor cursor = cursor_of(output);
    struct slice line, before = SLICE("");
    uint32_t code;

    while (!cursor_is_done(&cursor)) {
        bool is_line = cursor_take_until(&cursor, '\n', &line) && cursor_take_byte(&cursor, '\n');
        assert(is_line && line.len >= 5 && line.at[line.len - 1] == '\r');
        assert(line.len < REPLY_LINE_MAX);
        struct cursor start = cursor_of(slice_first(line, 3));
        bool is_code = cursor_take_u32(&start, 200, 599, &code) && cursor_is_done(&start);
        assert(is_code && (line.at[3] == ' ' || line.at[3] == '-'));
        assert(before.len == 0 || slice_starts_with(line, before));
        before = slice_first(line, line.at[3] == '-' ? 3 : 0);
        check_text(slice_first(line, line.len - 1));
    }
    assert(before.len == 0);
}

static void
play_once(struct play *play, const struct smtp_server_options *options,
          const struct smtp_server_peer *peer, const uint8_t *head, struct slice input, size_t step)
{
    *play = (struct play){.service = options->service,
                          .now = {INT64_C(1000000000)},
                          .mood = (uint64_t)head[3] << 8 | head[4]};
    buffer_init(&play->output, TOLD_MAX);
    buffer_init(&play->told, TOLD_MAX);
    play->server = smtp_server_open(options, peer, play->now);
    work(play);
    feed_all(play, input, step);
    check_output(buffer_slice(&play->output));
    assert(!buffer_overflowed(&play->output) && !buffer_overflowed(&play->told));
    smtp_server_close(&play->server);
}

static struct smtp_server_options
options_of(const uint8_t *head)
{
    unsigned more = head[0] / 3;

    return (struct smtp_server_options){
        .service = (enum smtp_service)(head[0] % 3),
        .hostname = SLICE("foo.com"),
        .message_bytes_max = head[1] & 1 ? 20 : 0,
        .recipients_max = head[1] & 2 ? 2 : 0,
        .tarpit_ms = head[1] & 2 ? 1000 : 0,
        .errors_max = 1000,
        .mechanisms = head[2] | (head[2] & 128U) << 1,
        .verify = SMTP_VERIFY_EVERYBODY,
        .expand = SMTP_VERIFY_AUTHENTICATED,
        .retry = SMTP_VERIFY_AUTHENTICATED,
        .has_tls = head[1] & 4,
        .is_tls_required = head[1] & 8,
        .is_auth_required = head[1] & 16,
        .allows_auth_on_loopback = true,
        .is_obsolete_on = head[1] & 32,
        .is_chunking_off = head[1] & 64,
        .is_utf8_off = more & IS_BARE,
        .is_dsn_off = more & IS_BARE,
        .is_pipelining_off = more & IS_BARE,
        .is_requiretls_off = more & IS_BARE,
        .offers_deliver_by = more & IS_KEEPER,
        .offers_priority = more & IS_KEEPER,
        .offers_turn = more & HAS_TURN,
        .offers_burl = true,
    };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t head[HEAD_LEN] = {0};
    struct play whole, cut;

    memcpy(head, data, len < HEAD_LEN ? len : HEAD_LEN);
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    const struct smtp_server_options options = options_of(head);
    unsigned more = head[0] / 3;
    struct smtp_server_peer peer = {
        .is_loopback = true,
        .is_trusted = head[1] & 128,
        .may_relay = more & MAY_RELAY,
        .is_secure = more & IS_SECURE,
        .has_channel_binding = more & IS_SECURE,
        .has_certificate = more & HAS_CERTIFICATE,
    };
    play_once(&whole, &options, &peer, head, input, SIZE_MAX);
    play_once(&cut, &options, &peer, head, input, head[5] == 0 ? 1 : head[5]);
    assert(slice_equal(buffer_slice(&whole.output), buffer_slice(&cut.output)));
    assert(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
    buffer_finish(&whole.output);
    buffer_finish(&whole.told);
    buffer_finish(&cut.output);
    buffer_finish(&cut.told);
    return 0;
}
