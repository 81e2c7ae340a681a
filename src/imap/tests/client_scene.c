/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "imap/tests/client_scene.h"

enum { TOLD_MAX = 4 << 20 };

const struct imap_client_options scene_defaults = {
    .name = {(const uint8_t *)"mrose", 5},
    .password = {(const uint8_t *)"secret", 6},
    .tls = IMAP_CLIENT_TLS_NEVER,
    .allows_clear_password = true,
};

void
scene_open(struct scene *scene, const struct scene *like)
{
    *scene = *like;
    scene->asked_count = 0;
    scene->now = (struct instant){INT64_C(1000000000)};
    buffer_init(&scene->sent, TOLD_MAX);
    buffer_init(&scene->told, TOLD_MAX);
    buffer_init(&scene->trace, TOLD_MAX);
    scene->options.trace = &scene->trace;
    scene->client = imap_client_open(&scene->options);
    assert_non_null(scene->client);
    imap_client_begin(scene->client, scene->now);
    imap_client_connected(scene->client, scene->now);
}

void
scene_close(struct scene *scene)
{
    imap_client_close(&scene->client);
    buffer_finish(&scene->sent);
    buffer_finish(&scene->told);
    buffer_finish(&scene->trace);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
tell(struct scene *scene, const char *what, struct slice bytes)
{
    buffer_put_text(&scene->told, what);
    buffer_put(&scene->told, bytes);
}

static void
tell_number(struct scene *scene, const char *what, uint64_t number)
{
    buffer_put_text(&scene->told, what);
    buffer_put_decimal(&scene->told, number);
}

static void
tell_status(struct scene *scene, const struct imap_client_status *status)
{
    tell_number(scene, " messages ", status->messages);
    tell_number(scene, " unseen ", status->unseen);
    tell_number(scene, " next ", status->uid_next);
    tell_number(scene, " validity ", status->uid_validity);
    tell_number(scene, " modseq ", status->highest_modseq);
    tell_number(scene, " size ", status->size);
}

static void
tell_message(struct scene *scene, const struct imap_client_message *message)
{
    tell_number(scene, "fetch ", message->number);
    if (message->said & IMAP_CLIENT_SAID_UID)
        tell_number(scene, " uid ", message->uid);
    if (message->said & IMAP_CLIENT_SAID_FLAGS) {
        tell(scene, " flags ", message->flags);
        tell_number(scene, "=", message->flag_bits);
    }
    if (message->said & IMAP_CLIENT_SAID_DATE)
        tell_number(scene, " date ", (uint64_t)(message->date.ns / 1000000000));
    if (message->said & IMAP_CLIENT_SAID_SIZE)
        tell_number(scene, " size ", message->size);
    if (message->said & IMAP_CLIENT_SAID_MODSEQ)
        tell_number(scene, " modseq ", message->modseq);
}

static void
tell_body(struct scene *scene, const struct imap_client_event *event)
{
    const struct imap_client_body *body = &event->body;

    if (body->offset == 0) {
        tell(scene, "body [", body->section);
        tell_number(scene, "] of ", event->message.uid);
        tell_number(scene, " octets ", body->octets);
        tell(scene, ": ", SLICE(""));
    }
    tell(scene, "", body->bytes);
    if (body->offset + body->bytes.len == body->octets)
        tell(scene, "\n", SLICE(""));
}

static void
tell_listed(struct scene *scene, const struct imap_client_event *event)
{
    tell(scene, " ", event->name);
    tell(scene, " ", event->wire_name);
    tell(scene, " ", slice_of(&event->delimiter, event->delimiter != 0));
    tell_number(scene, " ", event->attributes);
}

static void
tell_answer(struct scene *scene, const struct imap_client_event *event)
{
    static const char *const results[] = {" ok", " no", " bad"};

    tell(scene, results[event->result], SLICE(""));
    tell(scene, " [", event->code);
    tell(scene, "] ", event->text);
}

/* ---- dealing with events --------------------------------------------------------------------- */

static void
ask_next(struct scene *scene)
{
    if (scene->asked_count == scene->questions_count)
        return;
    assert_true(imap_client_can_ask(scene->client));
    if (!imap_client_ask(scene->client, &scene->questions[scene->asked_count++], scene->now))
        tell(scene, "not asked\n", SLICE(""));
}

static void
respond(struct scene *scene, const struct imap_client_event *event)
{
    bool is_first = event->kind == IMAP_CLIENT_EVENT_AUTH;

    if (scene->gives_up)
        imap_client_give_up(scene->client, scene->now);
    else if (!is_first)
        imap_client_respond(scene->client, SLICE("proof"), scene->now);
    else if (slice_equal(event->mechanism, SLICE("PLAIN")))
        imap_client_respond(scene->client, SLICE("\0ann\0secret"), scene->now);
    else
        imap_client_respond(scene->client, SLICE(""), scene->now);
}

static void
append(struct scene *scene)
{
    struct slice rest = scene->message;

    while (rest.len > 0) {
        size_t taken = imap_client_append_put(scene->client, rest, scene->now);
        struct slice output = imap_client_output(scene->client);
        buffer_put(&scene->sent, output);
        imap_client_sent(scene->client, output.len);
        rest = slice_skip(rest, taken);
        assert_true(taken > 0 || output.len > 0);
    }
}

static void
tell_data(struct scene *scene, const struct imap_client_event *event)
{
    static const char *const kinds[] = {
        [IMAP_CLIENT_EVENT_NAMESPACE] = "namespace", [IMAP_CLIENT_EVENT_LIST] = "list",
        [IMAP_CLIENT_EVENT_STATUS] = "status",       [IMAP_CLIENT_EVENT_EXISTS] = "exists ",
        [IMAP_CLIENT_EVENT_EXPUNGE] = "expunge ",    [IMAP_CLIENT_EVENT_VANISHED] = "vanished ",
        [IMAP_CLIENT_EVENT_NUMBERS] = "numbers ",
    };

    tell(scene, kinds[event->kind], SLICE(""));
    if (event->kind == IMAP_CLIENT_EVENT_NAMESPACE || event->kind == IMAP_CLIENT_EVENT_LIST) {
        tell_listed(scene, event);
    } else if (event->kind == IMAP_CLIENT_EVENT_STATUS) {
        tell(scene, " ", event->name);
        tell_status(scene, &event->status);
    } else if (event->kind == IMAP_CLIENT_EVENT_EXISTS ||
               event->kind == IMAP_CLIENT_EVENT_EXPUNGE) {
        tell_number(scene, "", event->number);
    } else {
        tell_number(scene, "", event->first);
        tell_number(scene, ":", event->last);
    }
    tell(scene, "\n", SLICE(""));
}

static void
handle_session(struct scene *scene, const struct imap_client_event *event)
{
    switch ((int)event->kind) {
    case IMAP_CLIENT_EVENT_REPLY:
        tell_number(scene, "reply ", event->command);
        tell_answer(scene, event);
        tell(scene, "\n", SLICE(""));
        ask_next(scene);
        return;
    case IMAP_CLIENT_EVENT_NOTICE:
        tell(scene, "notice", SLICE(""));
        tell_answer(scene, event);
        tell(scene, "\n", SLICE(""));
        return;
    case IMAP_CLIENT_EVENT_BODY:
        tell_body(scene, event);
        return;
    case IMAP_CLIENT_EVENT_FETCH:
        tell_message(scene, &event->message);
        tell(scene, "\n", SLICE(""));
        return;
    case IMAP_CLIENT_EVENT_APPEND:
        append(scene);
        return;
    case IMAP_CLIENT_EVENT_IDLING:
        tell(scene, "idling\n", SLICE(""));
        return;
    default:
        tell_data(scene, event);
    }
}

static void
handle(struct scene *scene, const struct imap_client_event *event)
{
    switch ((int)event->kind) {
    case IMAP_CLIENT_EVENT_STARTTLS:
        tell(scene, "starttls\n", SLICE(""));
        imap_client_tls_started(scene->client, scene->now);
        return;
    case IMAP_CLIENT_EVENT_AUTH:
    case IMAP_CLIENT_EVENT_CHALLENGE:
        tell(scene, "auth ", event->mechanism);
        tell(scene, event->kind == IMAP_CLIENT_EVENT_AUTH ? "" : "challenge ", event->bytes);
        tell(scene, "\n", SLICE(""));
        respond(scene, event);
        return;
    case IMAP_CLIENT_EVENT_LOGGED_IN:
        tell(scene, "logged in\n", SLICE(""));
        ask_next(scene);
        return;
    case IMAP_CLIENT_EVENT_CLOSE:
        tell_number(scene, "close ", event->close);
        tell(scene, " [", event->code);
        tell(scene, "] ", event->text);
        tell(scene, "\n", SLICE(""));
        return;
    default:
        handle_session(scene, event);
    }
    if (scene->is_done_with_idle && event->kind == IMAP_CLIENT_EVENT_EXISTS)
        imap_client_done(scene->client, scene->now);
}

static void
work(struct scene *scene)
{
    struct imap_client_event event;

    while (imap_client_next(scene->client, &event))
        handle(scene, &event);
    struct slice output = imap_client_output(scene->client);
    buffer_put(&scene->sent, output);
    imap_client_sent(scene->client, output.len);
}

void
scene_feed(struct scene *scene, struct slice input)
{
    work(scene);
    while (input.len > 0) {
        size_t taken = imap_client_feed(scene->client, input, scene->now);
        input = slice_skip(input, taken);
        work(scene);
        assert_true(taken > 0);
    }
}

/* ---- all ways -------------------------------------------------------------------------------- */

static void
play_in_pieces(struct scene *scene, struct slice input, size_t first, size_t step)
{
    scene_feed(scene, slice_first(input, first));
    for (struct slice rest = slice_skip(input, first); rest.len > 0; rest = slice_skip(rest, step))
        scene_feed(scene, slice_first(rest, step));
}

void
scene_expect_text(struct buffer *buffer, const char *wanted)
{
    buffer_put_byte(buffer, 0);
    assert_string_equal((const char *)buffer_slice(buffer).at, wanted);
}

void
scene_expect(const struct scene *like, const char *server, const char *sent, const char *told)
{
    struct slice input = slice_of_string(server);
    struct scene whole, cut;

    scene_open(&whole, like);
    scene_feed(&whole, input);
    for (size_t first = 0; first < input.len; first += input.len / 300 + 1) {
        scene_open(&cut, like);
        play_in_pieces(&cut, input, first, first == 0 ? 1 : input.len);
        assert_true(slice_equal(buffer_slice(&whole.sent), buffer_slice(&cut.sent)));
        assert_true(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
        assert_true(slice_equal(buffer_slice(&whole.trace), buffer_slice(&cut.trace)));
        scene_close(&cut);
    }
    scene_expect_text(&whole.sent, sent);
    scene_expect_text(&whole.told, told);
    scene_close(&whole);
}
