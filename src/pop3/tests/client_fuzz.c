/* SPDX-License-Identifier: ISC */
/* A hostile server: the first octets choose options, what is asked, and how the rest, the server's
 * words, is cut. What must hold: the client sends whole lines of its own only, tells a legal order
 * of events with sane numbers, and all of it is the same when the input comes whole. */
#include "pop3/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 4, TOLD_MAX = 16 << 20, MESSAGE_MAX = 500 };

struct play {
    struct pop3_client *client;
    struct buffer sent, told;
    struct instant now;
    uint8_t asks;
    bool gives_up, is_logged_in, is_closed;
    enum pop3_client_event_kind last;
    uint64_t body_bytes;
};

static void
ask_all(struct play *play)
{
    for (unsigned i = 0; i < 9; i++) {
        enum pop3_client_command command = (enum pop3_client_command)((i + play->asks) % 9);
        bool is_asked = pop3_client_ask(play->client, command, i % 3 ? 1 : 0, 2, play->now);
        assert(is_asked);
        if (command == POP3_CLIENT_QUIT)
            return;
    }
}

static void
check_order(struct play *play, const struct pop3_client_event *event)
{
    assert(!play->is_closed);
    if (event->kind <= POP3_CLIENT_EVENT_CHALLENGE)
        assert(!play->is_logged_in);
    else if (event->kind != POP3_CLIENT_EVENT_CLOSE && event->kind != POP3_CLIENT_EVENT_LOGGED_IN)
        assert(play->is_logged_in);
    if (event->kind == POP3_CLIENT_EVENT_ITEM)
        assert(event->number >= 1 && event->number <= POP3_CLIENT_LIST_MAX &&
               event->bytes.len <= POP3_CLIENT_UID_MAX && event->octets <= INT64_MAX);
    if (event->kind == POP3_CLIENT_EVENT_REPLY)
        play->body_bytes = 0;
    if (event->kind == POP3_CLIENT_EVENT_BODY) {
        play->body_bytes += event->bytes.len;
        assert(event->bytes.len > 0 && play->body_bytes <= MESSAGE_MAX);
    }
    if (event->kind == POP3_CLIENT_EVENT_END && event->command >= POP3_CLIENT_RETR)
        assert(event->octets == play->body_bytes);
}

static void
handle(struct play *play, const struct pop3_client_event *event)
{
    check_order(play, event);
    if (event->kind != POP3_CLIENT_EVENT_BODY)
        buffer_put_byte(&play->told, (uint8_t)('a' + event->kind));
    buffer_put(&play->told, event->bytes);
    buffer_put(&play->told, event->text);
    buffer_put(&play->told, event->code);
    play->is_logged_in = play->is_logged_in || event->kind == POP3_CLIENT_EVENT_LOGGED_IN;
    play->is_closed = event->kind == POP3_CLIENT_EVENT_CLOSE;
    if (event->kind == POP3_CLIENT_EVENT_STARTTLS)
        pop3_client_tls_started(play->client, play->now);
    else if (event->kind == POP3_CLIENT_EVENT_LOGGED_IN)
        ask_all(play);
    else if (event->kind == POP3_CLIENT_EVENT_CHALLENGE && play->gives_up)
        pop3_client_give_up(play->client, play->now);
    else if (event->kind == POP3_CLIENT_EVENT_AUTH || event->kind == POP3_CLIENT_EVENT_CHALLENGE)
        pop3_client_respond(play->client, SLICE("\0name\0password"), play->now);
}

static void
work(struct play *play)
{
    struct pop3_client_event event;

    while (pop3_client_next(play->client, &event))
        handle(play, &event);
    struct slice output = pop3_client_output(play->client);
    assert(output.len == 0 || slice_ends_with(output, SLICE("\r\n")));
    buffer_put(&play->sent, output);
    pop3_client_sent(play->client, output.len);
}

static void
play_once(struct play *play, const struct pop3_client_options *options, const uint8_t *head,
          struct slice input, size_t step)
{
    *play = (struct play){.now = {1}, .asks = head[2], .gives_up = head[1] & 64};
    buffer_init(&play->sent, TOLD_MAX);
    buffer_init(&play->told, TOLD_MAX);
    play->client = pop3_client_open(options);
    pop3_client_begin(play->client, play->now);
    pop3_client_connected(play->client, play->now);
    for (int stalls = 0; input.len > 0; work(play)) {
        struct slice piece = slice_first(input, step);
        size_t taken = pop3_client_feed(play->client, piece, play->now);
        stalls = taken == 0 ? stalls + 1 : 0;
        assert(stalls <= 1 && taken <= piece.len);
        input = slice_skip(input, taken);
    }
    pop3_client_expire(play->client, pop3_client_deadline(play->client));
    pop3_client_input_ended(play->client);
    work(play);
    assert(play->is_closed && pop3_client_state(play->client) == POP3_CLIENT_WAITING);
    pop3_client_close(&play->client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t head[HEAD_LEN] = {0};
    struct play whole, cut;

    memcpy(head, data, len < HEAD_LEN ? len : HEAD_LEN);
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct pop3_client_options options = {
        .name = SLICE("mrose"),
        .password = SLICE("secret"),
        .mechanisms = {SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-256"), SLICE("PLAIN")},
        .mechanisms_count = head[0] % 4,
        .tls = (enum pop3_client_tls)(head[1] % 3),
        .is_secure = head[1] & 16,
        .allows_clear_password = head[1] & 32,
        .message_bytes_max = MESSAGE_MAX,
    };
    play_once(&whole, &options, head, input, SIZE_MAX);
    play_once(&cut, &options, head, input, head[3] == 0 ? 1 : head[3]);
    assert(slice_equal(buffer_slice(&whole.sent), buffer_slice(&cut.sent)));
    assert(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
    buffer_finish(&whole.sent);
    buffer_finish(&whole.told);
    buffer_finish(&cut.sent);
    buffer_finish(&cut.told);
    return 0;
}
