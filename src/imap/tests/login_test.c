/* SPDX-License-Identifier: ISC */
/* The door: what a stranger is told, and how few tries there are (RFC 9051 §6.1, §6.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "imap/server_private.h"

enum { ANSWERS_MAX = 8 };

struct door {
    struct imap_mailboxes mailboxes;
    struct imap_server_options options;
    struct imap_server *server;
    struct imap_answer answers[ANSWERS_MAX]; /* to what is asked, in order; the last one stays */
    size_t answer_at;
    struct buffer said, told; /* to the client, to its caller */
    struct instant now;
};

static void
unwatch(void *context, uint64_t watch)
{
    (void)context;
    (void)watch;
}

static struct wall
wall(void *context)
{
    (void)context;
    return (struct wall){INT64_C(1700000000) * 1000000000};
}

static void
wake(void *context)
{
    (void)context;
}

static void
tell(struct door *door, const char *word, const struct imap_event *event)
{
    buffer_put_text(&door->told, word);
    if (event && event->kind == IMAP_EVENT_AUTH_BEGIN) {
        buffer_put_byte(&door->told, ' ');
        buffer_put(&door->told, event->mechanism);
    }
    for (size_t i = 0; event && i < event->response.len; i++) {
        buffer_put_text(&door->told, i == 0 ? " " : "");
        buffer_put_byte(&door->told, event->response.at[i] ? event->response.at[i] : '/');
    }
    buffer_put_byte(&door->told, '\n');
}

static void
answer(struct door *door, const struct imap_event *event)
{
    tell(door, event->kind == IMAP_EVENT_AUTH_BEGIN ? "AUTH" : "STEP", event);
    assert_true(imap_server_is_busy(door->server));
    imap_server_answer(door->server, &door->answers[door->answer_at], door->now);
    if (door->answer_at + 1 < ANSWERS_MAX)
        door->answer_at++;
}

static void
work(struct door *door)
{
    struct imap_event event;

    while (imap_server_next(door->server, &event)) {
        if (event.kind == IMAP_EVENT_AUTH_BEGIN || event.kind == IMAP_EVENT_AUTH_STEP) {
            answer(door, &event);
        } else if (event.kind == IMAP_EVENT_STARTTLS) {
            tell(door, "STARTTLS", NULL);
            imap_server_tls_started(door->server, door->now);
        } else if (event.kind == IMAP_EVENT_CLOSE) {
            tell(door, "CLOSE", NULL);
        } else {
            tell(door, event.kind == IMAP_EVENT_AUTH_ABORT ? "ABORT" : "LOGGED_OUT", NULL);
        }
    }
    struct slice output = imap_server_output(door->server);
    buffer_put(&door->said, output);
    imap_server_sent(door->server, output.len, door->now);
}

static void
say(struct door *door, const char *text)
{
    struct slice rest = slice_of_string(text);

    buffer_clear(&door->said);
    for (size_t taken = 1; rest.len > 0 && taken > 0; rest = slice_skip(rest, taken)) {
        taken = imap_server_feed(door->server, rest, door->now);
        work(door);
    }
}

static void
expect(struct buffer *buffer, const char *text)
{
    struct slice all = buffer_slice(buffer);

    if (slice_find(all, slice_of_string(text)) == all.len)
        fail_msg("missing: %s\nin: %.*s", text, (int)all.len, (const char *)all.at);
}

static int
set_up(void **state)
{
    struct door *door = calloc(1, sizeof(*door));

    assert_non_null(door);
    imap_mailboxes_init(&door->mailboxes, 7, unwatch, NULL);
    door->options = (struct imap_server_options){
        .hostname = SLICE("mail.example.test"),
        .mechanisms = {SLICE("EXTERNAL"), SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-256"),
                       SLICE("PLAIN")},
        .mechanisms_count = 4,
        .is_tls_available = true,
        .allows_clear_password = true,
        .message_bytes_max = 1000,
        .mailboxes = &door->mailboxes,
        .wall = wall,
        .wake = wake,
    };
    buffer_init(&door->said, 1 << 20);
    buffer_init(&door->told, 1 << 20);
    *state = door;
    return 0;
}

/* With the same answer to everything. */
static void
open_door(struct door *door, enum imap_answer_kind kind)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        door->answers[i] = (struct imap_answer){.kind = kind};
    door->answer_at = 0;
    buffer_clear(&door->told);
    door->server = imap_server_open(&door->options, door->now);
    work(door);
}

static int
tear_down(void **state)
{
    struct door *door = *state;

    imap_server_close(&door->server);
    imap_mailboxes_finish(&door->mailboxes);
    buffer_finish(&door->said);
    buffer_finish(&door->told);
    free(door);
    return 0;
}

static void
wrong_passwords_end_the_session_at_their_limit(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_CREDENTIALS);
    for (int i = 1; i < IMAP_FAILURES_MAX; i++) {
        say(door, "a LOGIN ann wrong\r\n");
        expect(&door->said, "a NO [AUTHENTICATIONFAILED] name or password is wrong\r\n");
    }
    say(door, "b NOOP\r\n");
    expect(&door->said, "b OK");
    say(door, "c LOGIN ann wrong\r\n");
    expect(&door->said, "* BYE");
    expect(&door->told, "CLOSE\n");
}

/* Whose fault it is not has as many tries as commands. */
static void
other_refusals_do_not_count_as_wrong_passwords(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_TEMPORARY);
    for (int i = 0; i <= IMAP_FAILURES_MAX; i++) {
        say(door, "a LOGIN ann secret\r\n");
        expect(&door->said, "a NO [UNAVAILABLE]");
    }
    say(door, "b NOOP\r\n");
    expect(&door->said, "b OK");
}

static void
refusals_are_held_back_and_nothing_is_done_meanwhile(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_CREDENTIALS);
    door->answers[0].delay_ms = 250;
    door->answers[1].delay_ms = 1000000;
    say(door, "a LOGIN ann wrong\r\nb NOOP\r\n");
    assert_int_equal(buffer_len(&door->said), 0);
    assert_true(imap_server_is_busy(door->server));
    assert_int_equal(imap_server_deadline(door->server).ns, duration_ms(250).ns);
    door->now = imap_server_deadline(door->server);
    imap_server_expire(door->server, door->now);
    work(door);
    expect(&door->said, "a NO");
    assert_false(imap_server_is_busy(door->server));
    /* A minute at most. */
    say(door, "c LOGIN ann wrong\r\n");
    assert_int_equal(instant_since(imap_server_deadline(door->server), door->now).ns,
                     duration_s(60).ns);
}

static void
passwords_do_not_pass_in_the_clear(void **state)
{
    struct door *door = *state;

    door->options.allows_clear_password = false;
    open_door(door, IMAP_ANSWER_OK);
    say(door, "a LOGIN ann secret\r\n");
    expect(&door->said, "a NO [PRIVACYREQUIRED]");
    say(door, "b AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\n");
    expect(&door->said, "b NO [PRIVACYREQUIRED]");
    assert_int_equal(buffer_len(&door->told), 0);
    say(door, "c STARTTLS\r\n");
    say(door, "d STARTTLS\r\n");
    expect(&door->said, "d BAD TLS is there already");
    say(door, "e LOGIN ann secret\r\n");
    expect(&door->said, "e OK [CAPABILITY ");
    expect(&door->told, "STARTTLS\nAUTH PLAIN /ann/secret\n");
}

static void
tls_that_is_not_there_is_not_begun(void **state)
{
    struct door *door = *state;

    door->options.is_tls_available = false;
    open_door(door, IMAP_ANSWER_OK);
    say(door, "a STARTTLS\r\n");
    expect(&door->said, "a BAD TLS is not available");
    assert_int_equal(buffer_len(&door->told), 0);
}

static void
mechanisms_are_taken_where_they_are_offered(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_CREDENTIALS);
    say(door, "a AUTHENTICATE NTLM\r\n");
    expect(&door->said, "a NO [CANNOT]");
    say(door, "b AUTHENTICATE EXTERNAL =\r\n");
    expect(&door->said, "b NO [CANNOT]");
    say(door, "c AUTHENTICATE SCRAM-SHA-256-PLUS biws\r\n");
    expect(&door->said, "c NO [CANNOT]");
    assert_int_equal(buffer_len(&door->told), 0);
    imap_server_has_certificate(door->server);
    say(door, "d AUTHENTICATE EXTERNAL =\r\ne STARTTLS\r\n"
              "f AUTHENTICATE SCRAM-SHA-256-PLUS biws\r\n");
    expect(&door->told, "AUTH EXTERNAL\nSTARTTLS\nAUTH SCRAM-SHA-256-PLUS n,,\n");
}

static void
an_exchange_goes_on_until_it_ends_or_is_given_up(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_CHALLENGE);
    door->answers[0].challenge = SLICE("r=1");
    say(door, "a AUTHENTICATE SCRAM-SHA-256\r\n");
    expect(&door->said, "+ cj0x\r\n");
    assert_false(imap_server_is_busy(door->server));
    say(door, "*\r\n");
    expect(&door->said, "a BAD given up");
    say(door, "b AUTHENTICATE SCRAM-SHA-256\r\n!\r\n");
    expect(&door->said, "b BAD that is no base64");
    expect(&door->told, "AUTH SCRAM-SHA-256\nABORT\nAUTH SCRAM-SHA-256\nABORT\n");
    /* The last words of the mechanism want an empty line. */
    door->answers[door->answer_at + 1] =
        (struct imap_answer){.kind = IMAP_ANSWER_OK, .challenge = SLICE("v=1"), .account = 3};
    say(door, "c AUTHENTICATE SCRAM-SHA-256\r\ncD0x\r\n");
    expect(&door->said, "+ dj0x\r\n");
    say(door, "\r\n");
    expect(&door->said, "c OK [CAPABILITY ");
    expect(&door->told, "STEP p=1\n");
}

/* Also when the mechanism has said its last word, and there is a grant: that ends then. And a line
 * too long gives up like "*". */
static void
what_is_given_up_leaves_nothing_behind(void **state)
{
    static char overlong[IMAP_COMMAND_MAX_EARLY + 10];
    struct door *door = *state;

    memset(overlong, 'x', sizeof(overlong) - 1);
    overlong[sizeof(overlong) - 2] = '\n';
    for (size_t i = 0; i < 2; i++) {
        open_door(door, IMAP_ANSWER_CHALLENGE);
        door->answers[0] =
            (struct imap_answer){.kind = IMAP_ANSWER_OK, .challenge = SLICE("v=1"), .account = 3};
        say(door, "a AUTHENTICATE SCRAM-SHA-256\r\n");
        expect(&door->said, "+ dj0x\r\n");
        say(door, i ? overlong : "*\r\n");
        expect(&door->said, i ? "a BAD [TOOBIG]" : "a BAD given up");
        expect(&door->told, "AUTH SCRAM-SHA-256\nLOGGED_OUT\n");
        say(door, "b LIST \"\" *\r\n");
        expect(&door->said, "b BAD log in first");
        /* The next exchange begins with nothing. */
        say(door, "c AUTHENTICATE SCRAM-SHA-256\r\n");
        say(door, overlong);
        expect(&door->said, "c BAD [TOOBIG]");
        say(door, "d AUTHENTICATE SCRAM-SHA-256\r\ncD0x\r\n");
        expect(&door->told, "AUTH SCRAM-SHA-256\nABORT\nAUTH SCRAM-SHA-256\nSTEP p=1\n");
        imap_server_close(&door->server);
    }
    open_door(door, IMAP_ANSWER_OK);
}

/* LOGIN has no way to pass a challenge on. */
static void
a_challenge_for_login_is_a_refusal(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_CHALLENGE);
    say(door, "a LOGIN ann secret\r\nb NOOP\r\n");
    expect(&door->said, "a NO [UNAVAILABLE]");
    expect(&door->said, "b OK");
}

/* Between the answer and what comes of it nothing is taken: it would be done for a stranger. */
static void
nothing_is_done_between_the_answer_and_the_login(void **state)
{
    struct slice text = SLICE("a LOGIN ann secret\r\n"), next = SLICE("b NOOP\r\n");
    struct door *door = *state;
    struct imap_event event;

    open_door(door, IMAP_ANSWER_OK);
    assert_int_equal(imap_server_feed(door->server, text, door->now), text.len);
    assert_true(imap_server_next(door->server, &event));
    imap_server_answer(door->server, &(struct imap_answer){.kind = IMAP_ANSWER_OK, .account = 3},
                       door->now);
    assert_int_equal(imap_server_feed(door->server, next, door->now), 0);
    assert_false(imap_server_next(door->server, &event));
    assert_int_equal(imap_server_feed(door->server, next, door->now), next.len);
    /* And the store is waited for. */
    work(door);
    say(door, "c SELECT INBOX\r\n");
    assert_true(imap_server_is_busy(door->server));
    assert_int_equal(imap_server_feed(door->server, next, door->now), 0);
}

static void
an_answer_that_nobody_waits_for_changes_nothing(void **state)
{
    struct door *door = *state;

    open_door(door, IMAP_ANSWER_OK);
    imap_server_answer(door->server, &(struct imap_answer){.kind = IMAP_ANSWER_OK}, door->now);
    say(door, "a LIST \"\" *\r\n");
    expect(&door->said, "a BAD log in first");
}

/* How often the text stands in so many octets there; what was freed is like any other memory for
 * the kernel. */
static size_t
count_left(uintptr_t place, size_t len, struct slice text)
{
    static uint8_t found[4096];
    size_t left = 0;
    int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

    if (memory < 0)
        skip();
    assert_true(len <= sizeof(found));
    ssize_t read_len = pread(memory, found, len, (off_t)place);
    close(memory);
    struct slice rest = slice_of(found, read_len > 0 ? (size_t)read_len : 0);
    for (size_t at = slice_find(rest, text); at < rest.len; at = slice_find(rest, text)) {
        rest = slice_skip(rest, at + 1);
        left++;
    }
    memset(found, 0, sizeof(found));
    return left;
}

/* Neither the line that it came in nor what was made of it, whether it was right or wrong. */
static void
a_password_is_left_nowhere(void **state)
{
    static const struct {
        const char *said, *line, *decoded;
        enum imap_answer_kind answer;
    } rows[] = {
        {"a LOGIN a-name-that-is-long the-password-of-it\r\n", "the-password-of-it",
         "the-password-of-it", IMAP_ANSWER_OK},
        {"a LOGIN a-name-that-is-long the-password-of-it\r\n", "the-password-of-it",
         "the-password-of-it", IMAP_ANSWER_CREDENTIALS},
        {"a AUTHENTICATE PLAIN AGEtbmFtZS10aGF0LWlzLWxvbmcAdGhlLXBhc3N3b3JkLW9mLWl0\r\n",
         "dGhlLXBhc3N3b3JkLW9mLWl0", "the-password-of-it", IMAP_ANSWER_OK},
        {"a AUTHENTICATE PLAIN AGEtbmFtZS10aGF0LWlzLWxvbmcAdGhlLXBhc3N3b3JkLW9mLWl0\r\n",
         "dGhlLXBhc3N3b3JkLW9mLWl0", "the-password-of-it", IMAP_ANSWER_CREDENTIALS},
    };
    struct door *door = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice said = slice_of_string(rows[i].said);
        open_door(door, rows[i].answer);
        assert_int_equal(imap_server_feed(door->server, said, door->now), said.len);
        const struct buffer *command = &door->server->command, *scratch = &door->server->scratch;
        uintptr_t places[2] = {(uintptr_t)command->at, (uintptr_t)scratch->at};
        size_t sizes[2] = {command->size, scratch->size};
        struct slice texts[2] = {slice_of_string(rows[i].line), slice_of_string(rows[i].decoded)};
        for (size_t j = 0; j < 2; j++)
            assert_int_equal(count_left(places[j], sizes[j], texts[j]), 1);
        work(door);
        for (size_t j = 0; j < 2; j++)
            assert_int_equal(count_left(places[j], sizes[j], texts[j]), 0);
        imap_server_close(&door->server);
    }
    open_door(door, IMAP_ANSWER_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(wrong_passwords_end_the_session_at_their_limit),
        TEST(other_refusals_do_not_count_as_wrong_passwords),
        TEST(refusals_are_held_back_and_nothing_is_done_meanwhile),
        TEST(passwords_do_not_pass_in_the_clear),
        TEST(tls_that_is_not_there_is_not_begun),
        TEST(mechanisms_are_taken_where_they_are_offered),
        TEST(an_exchange_goes_on_until_it_ends_or_is_given_up),
        TEST(what_is_given_up_leaves_nothing_behind),
        TEST(a_challenge_for_login_is_a_refusal),
        TEST(nothing_is_done_between_the_answer_and_the_login),
        TEST(a_password_is_left_nowhere),
        TEST(an_answer_that_nobody_waits_for_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
