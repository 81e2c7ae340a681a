/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pop3/tests/client_scene.h"

const struct pop3_client_options defaults = {
    .name = {(const uint8_t *)"mrose", 5},
    .password = {(const uint8_t *)"secret", 6},
    .tls = POP3_CLIENT_TLS_NEVER,
    .allows_clear_password = true,
};

void
scene_open(struct scene *scene, const struct pop3_client_options *options, const char *asks)
{
    *scene = (struct scene){.options = *options, .asks = asks, .now = {INT64_C(1000000000)}};
    buffer_init(&scene->sent, TOLD_MAX);
    buffer_init(&scene->told, TOLD_MAX);
    buffer_init(&scene->trace, TOLD_MAX);
    scene->options.trace = &scene->trace;
    scene->client = pop3_client_open(&scene->options);
    assert_non_null(scene->client);
    pop3_client_begin(scene->client, scene->now);
    pop3_client_connected(scene->client, scene->now);
}

void
scene_close(struct scene *scene)
{
    pop3_client_close(&scene->client);
    buffer_finish(&scene->sent);
    buffer_finish(&scene->told);
    buffer_finish(&scene->trace);
}

static void
ask_all(struct scene *scene)
{
    static const char letters[] = "slurtdnzq";

    for (const char *ask = scene->asks; *ask; ask++) {
        const char *at = strchr(letters, *ask | 0x20);
        assert_non_null(at);
        bool is_asked = pop3_client_ask(scene->client, (enum pop3_client_command)(at - letters),
                                        *ask & 0x20 ? 0 : 1, 2, scene->now);
        assert_true(is_asked);
    }
}

static void
tell(struct scene *scene, const char *what, struct slice bytes)
{
    buffer_put_text(&scene->told, what);
    buffer_put(&scene->told, bytes);
    buffer_put_byte(&scene->told, '\n');
}

static void
tell_numbers(struct scene *scene, const char *what, const struct pop3_client_event *event)
{
    static const char *const verbs[] = {"stat", "list", "uidl", "retr", "top",
                                        "dele", "noop", "rset", "quit"};
    struct buffer *told = &scene->told;

    buffer_put_text(told, what);
    buffer_put_byte(told, ' ');
    buffer_put_text(told, verbs[event->command]);
    buffer_put_byte(told, ' ');
    buffer_put_decimal(told, event->number);
    buffer_put_byte(told, ' ');
    buffer_put_decimal(told, event->octets);
    buffer_put_byte(told, ' ');
    tell(scene, "", event->bytes);
}

void
handle(struct scene *scene, const struct pop3_client_event *event)
{
    switch (event->kind) {
    case POP3_CLIENT_EVENT_STARTTLS:
        tell(scene, "starttls", SLICE(""));
        pop3_client_tls_started(scene->client, scene->now);
        break;
    case POP3_CLIENT_EVENT_AUTH:
        tell(scene, "auth ", event->mechanism);
        if (slice_equal(event->mechanism, SLICE("PLAIN")))
            pop3_client_respond(scene->client, SLICE("\0mrose\0secret"), scene->now);
        else if (slice_equal(event->mechanism, SLICE("EXTERNAL")))
            pop3_client_respond(scene->client, SLICE(""), scene->now);
        else
            pop3_client_respond(scene->client, SLICE("n,,n=mrose,r=b"), scene->now);
        break;
    case POP3_CLIENT_EVENT_CHALLENGE:
        tell(scene, "challenge ", event->bytes);
        if (scene->gives_up)
            pop3_client_give_up(scene->client, scene->now);
        else
            pop3_client_respond(
                scene->client,
                slice_starts_with(event->bytes, SLICE("v=")) ? SLICE("") : SLICE("c=biws,p=proof"),
                scene->now);
        break;
    case POP3_CLIENT_EVENT_LOGGED_IN:
        assert_true(event->is_ok);
        tell(scene, "logged in", SLICE(""));
        ask_all(scene);
        break;
    case POP3_CLIENT_EVENT_REPLY:
        tell_numbers(scene, event->is_ok ? "ok" : "err", event);
        break;
    case POP3_CLIENT_EVENT_ITEM:
        tell_numbers(scene, "item", event);
        break;
    case POP3_CLIENT_EVENT_BODY:
        buffer_put(&scene->told, event->bytes);
        break;
    case POP3_CLIENT_EVENT_END:
        tell_numbers(scene, "end", event);
        break;
    case POP3_CLIENT_EVENT_CLOSE:
        assert_int_equal(event->is_ok, event->close == POP3_CLIENT_CLOSE_DONE);
        buffer_put_text(&scene->told, "close ");
        buffer_put_decimal(&scene->told, event->close);
        buffer_put_text(&scene->told, " [");
        buffer_put(&scene->told, event->code);
        tell(scene, "] ", event->text);
        break;
    }
}

void
work(struct scene *scene)
{
    struct pop3_client_event event;

    while (pop3_client_next(scene->client, &event))
        handle(scene, &event);
    struct slice output = pop3_client_output(scene->client);
    buffer_put(&scene->sent, output);
    pop3_client_sent(scene->client, output.len);
}

void
feed(struct scene *scene, struct slice input)
{
    while (input.len > 0) {
        size_t taken = pop3_client_feed(scene->client, input, scene->now);
        input = slice_skip(input, taken);
        work(scene);
        assert_true(taken > 0);
    }
}

static void
play_in_pieces(struct scene *scene, struct slice input, size_t first, size_t step)
{
    work(scene);
    feed(scene, slice_first(input, first));
    for (struct slice rest = slice_skip(input, first); rest.len > 0; rest = slice_skip(rest, step))
        feed(scene, slice_first(rest, step));
}

void
play(struct scene *scene, const struct pop3_client_options *options, const char *asks,
     struct slice server, bool gives_up)
{
    scene_open(scene, options, asks);
    scene->gives_up = gives_up;
    play_in_pieces(scene, server, server.len, 1);
    for (size_t first = 0; first < server.len; first += server.len / 300 + 1) {
        struct scene other;
        scene_open(&other, options, asks);
        other.gives_up = gives_up;
        play_in_pieces(&other, server, first, first == 0 ? 1 : server.len);
        assert_true(slice_equal(buffer_slice(&scene->sent), buffer_slice(&other.sent)));
        assert_true(slice_equal(buffer_slice(&scene->told), buffer_slice(&other.told)));
        assert_true(slice_equal(buffer_slice(&scene->trace), buffer_slice(&other.trace)));
        scene_close(&other);
    }
}

void
expect_text(struct buffer *buffer, const char *wanted)
{
    buffer_put_byte(buffer, 0);
    assert_string_equal((const char *)buffer_slice(buffer).at, wanted);
}

void
expect(const struct pop3_client_options *options, const char *asks, const char *server,
       const char *sent, const char *told)
{
    struct scene scene;

    play(&scene, options, asks, slice_of_string(server), false);
    expect_text(&scene.sent, sent);
    expect_text(&scene.told, told);
    scene_close(&scene);
}
