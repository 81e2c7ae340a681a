/* SPDX-License-Identifier: ISC */
/* What the server engine keeps, for how long, and what it says when there is no room for it. It
 * looks inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "smtp/server_private.h"
#include "smtp/tests/office.h"

#define HELLO "EHLO bar.com\r\n"

static const struct instant NOW = {INT64_C(1000000000)};

struct session {
    struct smtp_server_options options;
    struct smtp_server_peer peer;
    struct office office;
    struct office_desk desk;
};

static struct session session;

static void
begin(void)
{
    session.options.hostname = SLICE("foo.com");
    session.options.mechanisms = SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN;
    session.peer.is_secure = true;
    office_desk_init(&session.desk, &session.office,
                     smtp_server_open(&session.options, &session.peer, NOW));
    office_desk_work(&session.desk, NOW);
}

static void
end(void)
{
    office_desk_finish(&session.desk);
    office_finish(&session.office);
}

/* Says it; the engine's output of before is gone, and its questions are answered or not. */
static void
say(const char *text, bool is_answered)
{
    struct slice rest = slice_of_string(text);

    smtp_server_sent(session.desk.server, smtp_server_output(session.desk.server).len, NOW);
    for (size_t taken = 1; taken > 0 && rest.len > 0; rest = slice_skip(rest, taken)) {
        taken = smtp_server_feed(session.desk.server, rest, NOW);
        if (is_answered)
            office_desk_work(&session.desk, NOW);
    }
    assert_int_equal(rest.len, 0);
}

static bool
has_said(struct slice wanted)
{
    return slice_starts_with(smtp_server_output(session.desk.server), wanted);
}

/* What a password came in is overwritten as soon as it was looked at. */
static void
responses_do_not_stay_in_memory(void **state)
{
    struct smtp_event event;
    struct smtp_verdict wrong = {.code = 535};

    (void)state;
    begin();
    say(HELLO, true);
    say("AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n", false);
    assert_true(smtp_server_next(session.desk.server, &event));
    assert_int_equal(event.kind, SMTP_EVENT_AUTH_BEGIN);
    assert_true(slice_equal(event.auth.response, SLICE("\0alice\0wonderland")));
    assert_non_null(session.desk.server->kept.at);
    smtp_server_answer(session.desk.server, &wrong, NOW);
    assert_null(session.desk.server->kept.at);
    end();
}

/* Who is asked about a recipient keeps what he needs, and bounds it. */
static void
recipients_leave_nothing_in_the_engine(void **state)
{
    (void)state;
    session.peer.is_trusted = true;
    begin();
    say(HELLO "MAIL FROM:<a@b>\r\n", true);
    size_t before = session.desk.server->letters.total;
    for (unsigned i = 0; i < 20000; i++) {
        say("RCPT TO:<unknown@foo.com> ORCPT=rfc822;jones@foo.com\r\n", true);
        assert_true(has_said(SLICE("550 5.1.1 ")));
        assert_in_range(session.desk.server->recipient.total, 1, 4096);
    }
    assert_int_equal(session.desk.server->letters.total, before);
    say("RSET\r\n", true);
    assert_int_equal(session.desk.server->recipient.total, 0);
    end();
    session.peer.is_trusted = false;
}

/* Whatever is asked for when the memory of a recipient is at its end, a piece is not taken for the
 * whole. */
static void
a_recipient_without_room_is_refused(void **state)
{
    size_t refused = 0, taken = 0;

    (void)state;
    for (size_t room = 0; room < 4096; room += 16) {
        begin();
        say(HELLO "MAIL FROM:<a@b>\r\n", true);
        struct arena *memory = &session.desk.server->recipient;
        memory->limit = room;
        say("RCPT TO:<jones@foo.com> ORCPT=rfc822;jones@foo.com NOTIFY=NEVER\r\n", true);
        refused += has_said(SLICE("452 4.3.1 "));
        taken += has_said(SLICE("250 2.1.5 "));
        assert_int_equal(refused + taken, room / 16 + 1);
        assert_int_equal(session.desk.recipient_count, has_said(SLICE("250 ")));
        say("RSET\r\n", true);
        memory->limit = RECIPIENT_ARENA_MAX;
        say("MAIL FROM:<a@b>\r\nRCPT TO:<jones@foo.com>\r\n", true);
        assert_int_equal(session.desk.recipient_count, 1);
        end();
    }
    assert_true(refused > 1 && taken > 1);
}

/* What the handshake has shown counts for the commands behind it. */
static void
external_is_offered_to_who_has_shown_a_certificate(void **state)
{
    (void)state;
    begin();
    session.options.mechanisms |= SMTP_AUTH_EXTERNAL;
    say(HELLO, true);
    say("AUTH EXTERNAL =\r\n", true);
    assert_true(has_said(SLICE("504 ")));
    smtp_server_has_certificate(session.desk.server);
    say("AUTH EXTERNAL =\r\n", true);
    assert_true(has_said(SLICE("334 "))); /* the office asks on, as of all that it does not know */
    session.options.mechanisms &= ~(unsigned)SMTP_AUTH_EXTERNAL;
    end();
}

/* All codes of the fives are an answer that the password is wrong, also the first. */
static void
every_refusal_for_good_is_a_failed_login(void **state)
{
    static const uint16_t codes[] = {499, 500, 554};
    struct smtp_event event;

    (void)state;
    session.options.auth_failures_max = 1;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct smtp_verdict verdict = {.code = codes[i]};
        begin();
        say(HELLO, true);
        say("AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n", false);
        assert_true(smtp_server_next(session.desk.server, &event));
        smtp_server_answer(session.desk.server, &verdict, NOW);
        bool is_over = smtp_server_next(session.desk.server, &event);
        assert_int_equal(is_over, codes[i] >= 500);
        assert_true(!is_over || event.kind == SMTP_EVENT_CLOSE);
        end();
    }
    session.options.auth_failures_max = 0;
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(responses_do_not_stay_in_memory),
        cmocka_unit_test(recipients_leave_nothing_in_the_engine),
        cmocka_unit_test(a_recipient_without_room_is_refused),
        cmocka_unit_test(external_is_offered_to_who_has_shown_a_certificate),
        cmocka_unit_test(every_refusal_for_good_is_a_failed_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
