/* SPDX-License-Identifier: ISC */
/* A hostile host: the first octets choose options and how the rest, what the host says, is cut.
 * What must hold: each recipient has exactly one result, DONE comes once for each message and
 * before CLOSE, nothing is said behind CLOSE, the session always ends; and when all can be sent at
 * once, what is sent and told is the same when the host's words come whole. */
#include "base/buffer.h"
#include "base/cursor.h"
#include "smtp/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 4, RECIPIENTS = 3, MESSAGES = 4, TOLD_MAX = 16 << 20, LONG = 70000 };

/* Of the fourth octet. */
enum { IS_ENDED = 1, ASKS = 8, HAS_BINDING = 16, IS_VERIFIED = 32, IS_BARE = 64, IS_SECURE = 128 };

struct play {
    struct smtp_client *client;
    struct instant now;
    struct buffer sent, told;
    unsigned results[RECIPIENTS];
    bool is_carrying, is_closed, is_asking, converts;
    unsigned carried, first; /* messages; which of them comes first */
    bool asks;
};

static const struct smtp_client_recipient recipients[RECIPIENTS] = {
    {.address = SLICE("a@foo.com")},
    {.address = SLICE("b@foo.com"), .parameters = {.notify = ENVELOPE_NOTIFY_NEVER}},
    {.address = SLICE("c@foo.com")},
};

static const struct smtp_client_recipient noted[RECIPIENTS] = {
    {.address = SLICE("a@foo.com"),
     .parameters = {.notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE,
                    .orcpt_type = SLICE("rfc822"),
                    .orcpt = SLICE("a+b@foo.com")}},
    {.address = SLICE("\xC3\xA9@foo.com"),
     .parameters = {.orcpt_type = SLICE("utf-8"), .orcpt = SLICE("\xC3\xA9@foo.com")}},
    {.address = SLICE("c\r\n@foo.com")},
};

static uint8_t long_text[LONG];

static const struct smtp_client_message messages[MESSAGES] = {
    {
        .reverse_path = SLICE("smith@bar.com"),
        .recipients = recipients,
        .recipients_count = RECIPIENTS,
        .content = SLICE("Subject: \xC3\xA9\r\n\r\n.text\nmore\r\n"),
    },
    {
        .parameters = {.ret = ENVELOPE_RET_HDRS,
                       .envid = SLICE("a b+c"),
                       .has_auth = true,
                       .is_utf8 = true,
                       .has_priority = true,
                       .priority = -3,
                       .has_deliver_by = true,
                       .deliver_by_s = -60,
                       .deliver_by_traces = true},
        .recipients = noted,
        .recipients_count = RECIPIENTS,
        .content = SLICE("Subject: x\r\n\r\n..\r\n.\r\nx"),
    },
    {
        .reverse_path = SLICE("smith@bar.com"),
        .parameters = {.requires_tls = true,
                       .hold_for_s = 60,
                       .has_deliver_by = true,
                       .deliver_by_s = 60,
                       .deliver_by_returns = true},
        .recipients = recipients,
        .recipients_count = RECIPIENTS,
        .content = SLICE("a\0\r\rb\n\xFF"),
        .is_binary = true,
    },
    {
        .reverse_path = SLICE("smith@bar.com"),
        .recipients = noted,
        .recipients_count = RECIPIENTS,
        .content = {long_text, LONG},
    },
};

/* Lines of all lengths up to some hundred, some of them with a dot in front. */
static void
fill_long_text(void)
{
    size_t len = 1, left = 1;

    for (size_t i = 0; i < LONG; i++, left--) {
        long_text[i] = left == 1 ? '\n' : left == len && len % 3 == 0 ? '.' : 'x';
        if (left == 1)
            left = len = len % 300 + 2;
    }
}

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
    smtp_client_carry(play->client, &messages[(play->first + play->carried) % MESSAGES], play->now);
}

static void
go_on(struct play *play)
{
    if (play->asks && play->carried < 2 && !play->is_asking) {
        play->is_asking = true;
        smtp_client_ask(play->client, SLICE("XNAMES foo.com"), play->now);
        return;
    }
    play->is_asking = false;
    carry(play);
}

static void
check_event(struct play *play, const struct smtp_client_event *event)
{
    static const struct slice converted = SLICE("Subject: x\r\n\r\n.text\nmore\r\n");

    assert(!play->is_closed);
    assert(event->reply.text.len <= SMTP_CLIENT_TEXT_MAX);
    buffer_put_byte(&play->told, (uint8_t)('a' + event->kind));
    buffer_put(&play->told, event->reply.text);
    switch (event->kind) {
    case SMTP_CLIENT_EVENT_STARTTLS:
        smtp_client_tls_started(play->client, play->now);
        break;
    case SMTP_CLIENT_EVENT_READY:
        assert(!play->is_carrying);
        go_on(play);
        break;
    case SMTP_CLIENT_EVENT_CONVERT:
        assert(play->is_carrying);
        smtp_client_convert(play->client, play->converts ? &converted : NULL, play->now);
        break;
    case SMTP_CLIENT_EVENT_ANSWER:
        assert(play->is_asking && !play->is_carrying);
        assert(event->answer.len <= SMTP_CLIENT_ANSWER_MAX);
        buffer_put(&play->told, event->answer);
        go_on(play);
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
            go_on(play);
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
    bool has_more = true;

    while (has_more) {
        while (smtp_client_next(play->client, &event))
            check_event(play, &event);
        struct slice output = smtp_client_output(play->client);
        assert(!play->is_closed || output.len == 0);
        size_t len = output.len < sent_max ? output.len : sent_max;
        buffer_put(&play->sent, slice_first(output, len));
        smtp_client_sent(play->client, len, play->now);
        while (smtp_client_next(play->client, &event))
            check_event(play, &event);
        has_more = len > 0 && sent_max == SIZE_MAX;
    }
}

static void
end(struct play *play)
{
    while (!play->is_closed && !instant_is_never(smtp_client_deadline(play->client))) {
        play->now = smtp_client_deadline(play->client);
        smtp_client_expire(play->client, play->now);
        work(play, SIZE_MAX);
    }
    if (!play->is_closed)
        smtp_client_input_ended(play->client);
    work(play, SIZE_MAX);
    assert(play->is_closed);
    assert(smtp_client_last_reply(play->client).text.len <= SMTP_CLIENT_TEXT_MAX);
    assert(!buffer_overflowed(&play->told) && !buffer_overflowed(&play->sent));
    smtp_client_close(&play->client);
}

static void
play_once(struct play *play, const struct smtp_client_options *options, const uint8_t *head,
          struct slice input, size_t step)
{
    size_t sent_max = head[2] ? head[2] : SIZE_MAX;

    *play = (struct play){.now = {1},
                          .converts = head[0] & 64,
                          .asks = head[3] & ASKS,
                          .first = (head[3] >> 1) % MESSAGES + 3}; /* 0: the first of them */
    buffer_init(&play->sent, TOLD_MAX);
    buffer_init(&play->told, TOLD_MAX);
    play->client = smtp_client_open(options);
    if (head[3] & HAS_BINDING)
        smtp_client_bind(play->client, SLICE("tls-exporter"), SLICE("0123456789abcdef"));
    smtp_client_set_verified(play->client, head[3] & IS_VERIFIED);
    smtp_client_connected(play->client, play->now);
    while (input.len > 0 && !play->is_closed) {
        work(play, sent_max);
        size_t taken = smtp_client_feed(play->client, slice_first(input, step), play->now);
        work(play, sent_max);
        assert(taken > 0 || play->is_closed);
        input = slice_skip(input, taken);
    }
    work(play, sent_max);
    if (head[3] & IS_ENDED)
        smtp_client_input_ended(play->client);
    end(play);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct play whole, cut;

    if (len < HEAD_LEN)
        return 0;
    struct smtp_client_options options = {
        .hostname = SLICE("bar.com"),
        .nonce = SLICE("abcdefghijklmnopqrstuvwx"),
        .is_lmtp = data[0] & 1,
        .tls = (enum smtp_client_tls)(data[0] >> 1 & 1),
        .is_local = data[0] & 4,
        .is_secure = data[3] & IS_SECURE,
        .is_chunking_off = data[0] & 8,
        .is_pipelining_off = data[0] & 16,
        .is_8bitmime_off = data[3] & IS_BARE,
        .is_dsn_off = data[3] & IS_BARE,
    };
    if (data[0] & 32)
        options.name = options.password = SLICE("alice");
    if (long_text[0] == 0)
        fill_long_text();
    play_once(&cut, &options, data, input, data[1] ? data[1] : 1);
    play_once(&whole, &options, data, input, SIZE_MAX);
    if (data[2] == 0) {
        assert(slice_equal(buffer_slice(&whole.sent), buffer_slice(&cut.sent)));
        assert(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
    }
    buffer_finish(&whole.sent);
    buffer_finish(&whole.told);
    buffer_finish(&cut.sent);
    buffer_finish(&cut.told);
    return 0;
}
