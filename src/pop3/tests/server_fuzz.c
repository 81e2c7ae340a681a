/* SPDX-License-Identifier: ISC */
/* A hostile client and a moody caller: the first octets choose options, answers and how the rest,
 * the client's input, is cut. What must hold: the output stays under its bound, every line ends in
 * CRLF and is an answer or a line of a listing or body that is ended by a dot, no question is asked
 * while one is open, the session always goes on or ends; and all of it is the same when the input
 * comes whole. In the input, 0x1E, a letter and a line's end are no octets of the client's: time
 * passes ('w'), the service ends ('p'), or TLS has brought a certificate ('c'). */
#include "base/buffer.h"
#include "base/cursor.h"
#include "pop3/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 5, STALLS_MAX = 50, TOLD_MAX = 64 << 20, MARK = 0x1E };

struct play {
    struct pop3_server *server;
    struct buffer output;
    struct buffer told; /* a letter for each event */
    struct instant now;
    uint64_t mood; /* a generator of answers */
    bool is_asked, is_reading, is_closed;
    uint64_t read_left;
};

static unsigned
draw(struct play *play, unsigned bound)
{
    play->mood = play->mood * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(play->mood >> 33) % bound;
}

static void
answer_login(struct play *play)
{
    struct pop3_answer answer = {.kind = POP3_ANSWER_OK};

    if (draw(play, 3) == 0)
        answer = (struct pop3_answer){.kind = POP3_ANSWER_CHALLENGE, .challenge = SLICE("what?")};
    else if (draw(play, 4) == 0)
        answer = (struct pop3_answer){.kind = (enum pop3_answer_kind)draw(play, 11),
                                      .delay_ms = draw(play, 2) * 1000};
    else if (draw(play, 4) == 0)
        answer.challenge = SLICE("last words");
    play->is_asked = false;
    pop3_server_answer(play->server, &answer, play->now);
}

static void
answer_open(struct play *play)
{
    struct pop3_answer answer = {.kind = POP3_ANSWER_OK, .uid_validity = UINT32_MAX};
    uint32_t count = draw(play, 16) == 0 ? 10000 : draw(play, 8);

    if (draw(play, 16) == 0)
        answer.kind = (enum pop3_answer_kind)draw(play, 11);
    for (uint32_t i = 1; i <= count; i++)
        pop3_server_add_message(play->server, i, i % 5 == 1 ? 200000 : i * 10);
    play->is_asked = false;
    pop3_server_answer(play->server, &answer, play->now);
}

/* Bodies are lines of nine octets, some with a dot in front. */
static void
read_on(struct play *play)
{
    static const char line[] = ".dotted\r\n";

    while (play->read_left > 0 && !pop3_server_has_enough(play->server)) {
        size_t wanted = pop3_server_wants_body(play->server);
        size_t at = play->read_left % 9;
        if (wanted == 0)
            return;
        struct slice piece = slice_first(slice_of(line + (at ? 9 - at : 0), at ? at : 9), wanted);
        size_t taken = pop3_server_put_body(play->server, piece);
        assert(taken == piece.len);
        play->read_left -= taken;
    }
    play->is_reading = play->is_asked = false;
    struct pop3_answer answer = {.kind =
                                     draw(play, 16) == 0 ? POP3_ANSWER_EXPUNGED : POP3_ANSWER_OK};
    pop3_server_answer(play->server, &answer, play->now);
}

static void
answer_update(struct play *play)
{
    size_t place = 0;
    uint32_t uid, last = 0;

    while (pop3_server_next_deleted(play->server, &place, &uid)) {
        assert(uid > last);
        last = uid;
    }
    assert((last > 0) == (pop3_server_counts(play->server).deleted > 0));
    play->is_asked = false;
    pop3_server_answer(play->server,
                       &(struct pop3_answer){.kind = (enum pop3_answer_kind)draw(play, 11)},
                       play->now);
}

static void
handle(struct play *play, const struct pop3_event *event)
{
    bool is_question = event->kind <= POP3_EVENT_UPDATE;

    assert(!play->is_closed);
    assert(!is_question || !play->is_asked);
    play->is_asked = play->is_asked || is_question;
    buffer_put_byte(&play->told, (uint8_t)('a' + event->kind));
    switch (event->kind) {
    case POP3_EVENT_AUTH_BEGIN:
    case POP3_EVENT_AUTH_STEP:
    case POP3_EVENT_APOP:
        answer_login(play);
        break;
    case POP3_EVENT_OPEN:
        answer_open(play);
        break;
    case POP3_EVENT_READ:
        play->is_reading = true;
        play->read_left = event->bytes;
        break;
    case POP3_EVENT_UPDATE:
        answer_update(play);
        break;
    case POP3_EVENT_AUTH_ABORT:
        break;
    case POP3_EVENT_STARTTLS:
        pop3_server_tls_started(play->server, play->now);
        break;
    case POP3_EVENT_CLOSE:
        play->is_closed = true;
        play->is_reading = false;
        break;
    }
}

static void
work(struct play *play)
{
    struct pop3_event event;
    struct slice output;

    do {
        while (pop3_server_next(play->server, &event))
            handle(play, &event);
        if (play->is_reading)
            read_on(play);
        output = pop3_server_output(play->server);
        assert(output.len <= POP3_OUTPUT_MAX);
        buffer_put(&play->output, output);
        pop3_server_sent(play->server, output.len, play->now);
    } while (output.len > 0);
}

static void
wait_for_engine(struct play *play)
{
    struct instant due = pop3_server_deadline(play->server);

    if (!pop3_server_is_busy(play->server) || instant_is_never(due))
        return;
    play->now = due;
    pop3_server_expire(play->server, due);
    work(play);
}

static void
feed(struct play *play, struct slice input, size_t step)
{
    int stalls = 0;

    while (input.len > 0 && stalls < STALLS_MAX) {
        struct slice piece = slice_first(input, step);
        size_t taken = pop3_server_feed(play->server, piece, play->now);
        assert(taken <= piece.len);
        work(play);
        input = slice_skip(input, taken);
        stalls = taken == 0 ? stalls + 1 : 0;
        if (taken == 0)
            wait_for_engine(play);
    }
    assert(stalls < STALLS_MAX);
    wait_for_engine(play);
}

static void
happen(struct play *play, struct slice event)
{
    uint8_t kind = event.len > 0 ? event.at[0] : 0;
    struct instant due = pop3_server_deadline(play->server);

    if (kind == 'c') {
        pop3_server_has_certificate(play->server);
    } else if (kind == 'p') {
        pop3_server_stop(play->server, play->now);
    } else if (kind == 'w' && !instant_is_never(due)) {
        play->now = due;
        pop3_server_expire(play->server, due);
    }
    work(play);
}

static void
feed_all(struct play *play, struct slice input, size_t step)
{
    while (input.len > 0) {
        struct slice said = slice_first(input, slice_find_byte(input, MARK));
        feed(play, said, step);
        input = slice_skip(input, said.len);
        struct slice event = slice_first(input, slice_find_byte(input, '\n'));
        if (event.len > 0)
            happen(play, slice_skip(event, 1));
        input = slice_skip(input, event.len + 1);
    }
}

/* An answer, or a line that a dot can end. */
static void
check_output(const struct play *play)
{
    struct cursor cursor = cursor_of(buffer_slice(&play->output));
    struct slice line;
    bool has_list = false;

    while (!cursor_is_done(&cursor)) {
        bool is_line = cursor_take_until(&cursor, '\n', &line) && cursor_take_byte(&cursor, '\n');
        assert((is_line && slice_ends_with(line, SLICE("\r"))) || play->is_closed);
        bool is_answer = slice_starts_with(line, SLICE("+OK")) ||
                         slice_starts_with(line, SLICE("-ERR ")) ||
                         slice_starts_with(line, SLICE("+ "));
        bool is_dot = slice_equal(line, SLICE(".\r"));
        assert(is_answer || is_dot || line.at[0] != '.' || line.at[1] == '.');
        assert(is_answer || has_list);
        for (size_t i = 0; is_answer && i + 1 < line.len; i++)
            assert(line.at[i] >= ' ' && line.at[i] < 0x7F);
        has_list = !is_dot;
    }
}

static void
play_once(struct play *play, const struct pop3_server_options *options, const uint8_t *head,
          struct slice input, size_t step)
{
    *play = (struct play){.now = {INT64_C(1000000000)}, .mood = (uint64_t)head[2] << 8 | head[3]};
    buffer_init(&play->output, TOLD_MAX);
    buffer_init(&play->told, TOLD_MAX);
    play->server = pop3_server_open(options, play->now);
    work(play);
    feed_all(play, input, step);
    assert(!buffer_overflowed(&play->output));
    check_output(play);
    pop3_server_close(&play->server);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t head[HEAD_LEN] = {0};
    struct play whole, cut;

    memcpy(head, data, len < HEAD_LEN ? len : HEAD_LEN);
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct pop3_server_options options = {
        .hostname = SLICE("pop.example.test"),
        .timestamp = head[0] & 1 ? SLICE("<1@pop.example.test>") : SLICE(""),
        .implementation = SLICE("Test"),
        .mechanisms = {SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-256"), SLICE("PLAIN"),
                       SLICE("EXTERNAL")},
        .mechanisms_count = head[1] % 5,
        .is_tls_available = head[0] & 2,
        .is_secure = head[0] & 4,
        .allows_clear_password = head[0] & 8,
        .expire_days = POP3_EXPIRE_NEVER,
    };
    play_once(&whole, &options, head, input, SIZE_MAX);
    play_once(&cut, &options, head, input, head[4] == 0 ? 1 : head[4]);
    assert(slice_equal(buffer_slice(&whole.output), buffer_slice(&cut.output)));
    assert(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
    buffer_finish(&whole.output);
    buffer_finish(&whole.told);
    buffer_finish(&cut.output);
    buffer_finish(&cut.told);
    return 0;
}
