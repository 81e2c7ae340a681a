/* SPDX-License-Identifier: ISC */
/* A hostile host: the first octets choose options and how the rest, what the host says, is cut.
 * What must hold: each recipient has exactly one result, DONE comes once for each message and
 * before CLOSE, nothing is said behind CLOSE, and the session always ends. */
#include "base/buffer.h"
#include "base/cursor.h"
#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 4, RECIPIENTS = 3 };

struct play {
    struct smtp_client *client;
    struct instant now;
    unsigned results[RECIPIENTS];
    bool is_carrying, is_closed, converts;
    unsigned carried;
};

static const struct smtp_client_recipient recipients[RECIPIENTS] = {
    {.address = SLICE("a@foo.com")},
    {.address = SLICE("b@foo.com"), .parameters = {.notify = ENVELOPE_NOTIFY_NEVER}},
    {.address = SLICE("c@foo.com")},
};

static const struct smtp_client_message message = {
    .reverse_path = SLICE("smith@bar.com"),
    .recipients = recipients,
    .recipients_count = RECIPIENTS,
    .content = SLICE("Subject: \xC3\xA9\r\n\r\n.text\nmore\r\n"),
};

static void
carry(struct play *play)
{
    if (play->carried == 3) {
        smtp_client_quit(play->client, play->now);
        return;
    }
    play->carried++;
    play->is_carrying = true;
    memset(play->results, 0, sizeof(play->results));
    smtp_client_carry(play->client, &message, play->now);
}

static void
check_event(struct play *play, const struct smtp_client_event *event)
{
    static const struct slice converted = SLICE("Subject: x\r\n\r\n.text\nmore\r\n");

    assert(!play->is_closed);
    assert(event->reply.text.len <= SMTP_CLIENT_TEXT_MAX);
    switch (event->kind) {
    case SMTP_CLIENT_EVENT_STARTTLS:
        smtp_client_tls_started(play->client, play->now);
        break;
    case SMTP_CLIENT_EVENT_READY:
        assert(!play->is_carrying);
        carry(play);
        break;
    case SMTP_CLIENT_EVENT_CONVERT:
        assert(play->is_carrying);
        smtp_client_convert(play->client, play->converts ? &converted : NULL, play->now);
        break;
    case SMTP_CLIENT_EVENT_ANSWER:
        assert(false); /* nothing was asked */
        break;
    case SMTP_CLIENT_EVENT_RESULT:
        assert(play->is_carrying && event->recipient < RECIPIENTS);
        assert(event->outcome != SMTP_CLIENT_DELIVERED || event->reply.code / 100 == 2);
        play->results[event->recipient]++;
        break;
    case SMTP_CLIENT_EVENT_DONE:
        assert(play->is_carrying);
        for (size_t i = 0; i < RECIPIENTS; i++)
            assert(play->results[i] == 1);
        play->is_carrying = false;
        if (smtp_client_facts(play->client).is_ready)
            carry(play);
        break;
    case SMTP_CLIENT_EVENT_CLOSE:
        assert(!play->is_carrying);
        play->is_closed = true;
        break;
    }
}

static void
work(struct play *play, size_t sent_max)
{
    struct smtp_client_event event;

    while (smtp_client_next(play->client, &event))
        check_event(play, &event);
    struct slice output = smtp_client_output(play->client);
    assert(!play->is_closed || output.len == 0);
    smtp_client_sent(play->client, output.len < sent_max ? output.len : sent_max, play->now);
    while (smtp_client_next(play->client, &event))
        check_event(play, &event);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct play play = {.now = {1}};

    if (len < HEAD_LEN)
        return 0;
    struct smtp_client_options options = {
        .hostname = SLICE("bar.com"),
        .nonce = SLICE("abcdefghijklmnopqrstuvwx"),
        .is_lmtp = data[0] & 1,
        .tls = (enum smtp_client_tls)(data[0] >> 1 & 1),
        .is_local = data[0] & 4,
        .is_chunking_off = data[0] & 8,
        .is_pipelining_off = data[0] & 16,
    };
    if (data[0] & 32)
        options.name = options.password = SLICE("alice");
    play.converts = data[0] & 64;
    size_t step = data[1] ? data[1] : SIZE_MAX, sent_max = data[2] ? data[2] : SIZE_MAX;
    play.client = smtp_client_open(&options);
    smtp_client_connected(play.client, play.now);
    while (input.len > 0 && !play.is_closed) {
        work(&play, sent_max);
        size_t taken = smtp_client_feed(play.client, slice_first(input, step), play.now);
        work(&play, sent_max);
        assert(taken > 0 || play.is_closed);
        input = slice_skip(input, taken);
    }
    work(&play, sent_max);
    if (data[3] & 1)
        smtp_client_input_ended(play.client);
    while (!play.is_closed && !instant_is_never(smtp_client_deadline(play.client))) {
        play.now = smtp_client_deadline(play.client);
        smtp_client_expire(play.client, play.now);
        work(&play, SIZE_MAX);
    }
    if (!play.is_closed)
        smtp_client_input_ended(play.client);
    work(&play, SIZE_MAX);
    assert(play.is_closed);
    smtp_client_close(&play.client);
    return 0;
}
