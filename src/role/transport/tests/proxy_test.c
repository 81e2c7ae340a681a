/* SPDX-License-Identifier: ISC */
/* Through a SOCKS proxy (RFC 1928): the client's side alone, and the role with it. */
#include "role/transport/tests/posts.h"

#include "role/transport/socks.h"

/* A proxy that takes what it is told to say, and notes what it hears. */
struct proxy {
    struct host *host;
    struct host_listener *listener;
    struct host_stream *stream;
    struct buffer heard, to_say;
};

static void
on_proxy(void *context, unsigned events)
{
    struct proxy *proxy = context;
    uint8_t bytes[1000];
    (void)events;

    int64_t len = host_stream_read(proxy->stream, bytes, sizeof(bytes));
    if (len > 0)
        buffer_put(&proxy->heard, slice_of(bytes, (size_t)len));
    if (len == 0)
        host_stream_watch(proxy->stream, 0, on_proxy, proxy);
    struct slice text = buffer_slice(&proxy->to_say);
    if (buffer_len(&proxy->heard) >= 3 && text.len > 0) {
        /* The method first; all else when the request has come. */
        bool is_asked = buffer_len(&proxy->heard) >= 13;
        len = host_stream_write(proxy->stream,
                                is_asked ? text : slice_first(text, text.len > 2 ? 2 : 0));
        if (len > 0 && (is_asked || text.at[1] == 0))
            buffer_consume(&proxy->to_say, (size_t)len);
    }
}

static void
on_proxy_accept(void *context, struct host_stream *stream)
{
    struct proxy *proxy = context;

    proxy->stream = stream;
    host_stream_watch(stream, HOST_READABLE, on_proxy, proxy);
}

static struct store_transport_carried
carry_through_proxy(struct setup *setup, struct slice answers, struct buffer *ret_heard)
{
    struct config_listener where = {
        .address = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 99}, .port = 1080}};
    struct proxy proxy = {.host = sim_host_open(setup->world.sim, "proxy")};
    struct store_transport_carry note = carry_of(setup, 1);

    buffer_init(&proxy.heard, 100000);
    buffer_init(&proxy.to_say, 1000);
    buffer_put(&proxy.to_say, answers);
    setup->world.config.outbound_socks = (struct config_listeners){&where, 1};
    proxy.listener =
        host_listener_open(proxy.host, sim_listen(setup->world.sim, proxy.host, &where.address),
                           on_proxy_accept, &proxy);
    struct store_transport_carried carried = carry(setup, &note);
    buffer_put(ret_heard, buffer_slice(&proxy.heard));
    host_listener_close(&proxy.listener);
    host_stream_close(&proxy.stream);
    sim_host_close(&proxy.host);
    buffer_finish(&proxy.heard);
    buffer_finish(&proxy.to_say);
    return carried;
}

/* RFC 1928: what the host says comes right behind the proxy's answer. */
static void
a_proxy_is_asked_for_the_host(void **state)
{
    struct setup *setup = *state;
    struct buffer heard;
    struct slice asked = SLICE("\5\1\0\5\1\0\1\xC0\0\2\1\0\x19");

    buffer_init(&heard, 100000);
    struct store_transport_carried carried = carry_through_proxy(setup,
                                                                 SLICE("\5\0\5\0\0\3\2hi\1\1"
                                                                       "421 not now\r\n"),
                                                                 &heard);
    assert_true(slice_equal(slice_first(buffer_slice(&heard), asked.len), asked));
    assert_int_equal(carried.results.at[0].code, 421);
    expect_text(carried.attempts.at[0].text, "not now");
    buffer_finish(&heard);
}

static void
a_proxy_that_refuses_says_why(void **state)
{
    struct setup *setup = *state;
    struct buffer heard;

    buffer_init(&heard, 100000);
    struct store_transport_carried carried =
        carry_through_proxy(setup, SLICE("\5\0\5\5\0\1\0\0\0\0\0\0"), &heard);
    expect_text(carried.results.at[0].text,
                "mx.foo.com: connection refused behind the SOCKS proxy");
    assert_int_equal(carried.reach, STORE_TRANSPORT_REACH_UNREACHABLE);
    buffer_finish(&heard);
}

/* Gives the answers in pieces of this size; what it says to the last of them. */
static const char *
speak(struct socks *socks, struct slice answers, size_t piece)
{
    const char *why = NULL;

    while (!why && answers.len > 0 && socks_wanted(socks) > 0) {
        struct slice output = socks_output(socks);
        socks_sent(socks, output.len);
        size_t len = piece < socks_wanted(socks) ? piece : socks_wanted(socks);
        struct slice some = slice_first(answers, len);
        answers = slice_skip(answers, some.len);
        why = socks_take(socks, some);
    }
    return why;
}

static void
an_answer_is_taken_to_its_end_and_no_further(void **state)
{
    static const struct host_address target = {.family = HOST_FAMILY_IPV6, .port = 25};
    const struct slice answers[] = {
        SLICE("\5\0\5\0\0\1\1\2\3\4\5\6"),
        SLICE("\5\0\5\0\0\3\0\5\6"),
        SLICE("\5\0\5\0\0\4\1\2\3\4\5\6\7\x8\x9\1\2\3\4\5\6\7\1\2"),
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        for (size_t piece = 1; piece <= answers[i].len; piece++) {
            struct socks socks;
            socks_begin(&socks, &target);
            assert_null(speak(&socks, slice_first(answers[i], answers[i].len - 1), piece));
            assert_false(socks.is_done);
            assert_int_equal(socks_wanted(&socks), 1);
            assert_null(socks_take(&socks, slice_skip(answers[i], answers[i].len - 1)));
            assert_true(socks.is_done);
            assert_int_equal(socks_wanted(&socks), 0);
        }
    }
}

static void
whatever_else_a_proxy_says_is_a_refusal(void **state)
{
    static const struct {
        const char *answers;
        size_t len;
        const char *why;
    } cases[] = {
        {"\4\0", 2, "the SOCKS proxy wants a password"},
        {"\5\xFF", 2, "the SOCKS proxy wants a password"},
        {"\5\0\4\0\0\1\1", 7, "the SOCKS proxy speaks another version"},
        {"\5\0\5\2\0\1\1", 7, "the SOCKS proxy does not allow it"},
        {"\5\0\5\x9\0\1\1", 7, "the SOCKS proxy refuses"},
        {"\5\0\5\0\0\2\1", 7, "the SOCKS proxy's answer makes no sense"},
    };
    static const struct host_address target = {.family = HOST_FAMILY_IPV4, .port = 25};
    struct socks socks;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        socks_begin(&socks, &target);
        const char *why = speak(&socks, slice_of(cases[i].answers, cases[i].len), 100);
        assert_non_null(why);
        assert_string_equal(why, cases[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_to_its_end_and_no_further),
        cmocka_unit_test(whatever_else_a_proxy_says_is_a_refusal),
        cmocka_unit_test_setup_teardown(a_proxy_is_asked_for_the_host, open_setup, close_setup),
        cmocka_unit_test_setup_teardown(a_proxy_that_refuses_says_why, open_setup, close_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
