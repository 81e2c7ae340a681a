/* SPDX-License-Identifier: ISC */
/* What the role does when one of its peers is late, wrong or gone. */
#include "role/access/tests/access_world.h"

/* Says USER and PASS; returns the session's number, with auth's answer still to come. */
static uint64_t
knock(struct reader *reader)
{
    hear(reader, "+OK");
    say(reader, "USER alice\r\n");
    hear(reader, "+OK");
    say(reader, "PASS pencil\r\n");
    return next_auth(reader->setup, ACCESS_AUTH_BEGIN).as.begin.session;
}

/* Logs in to a maildrop of one message: uid 3, "a\r\nb\r\n". Returns the session's number. */
static uint64_t
log_in(struct reader *reader)
{
    struct setup *setup = reader->setup;
    uint64_t session = knock(reader);

    grant(setup, session);
    struct access_store_note note = next_store(setup, ACCESS_STORE_MAILDROP_OPEN);
    assert_int_equal(note.as.maildrop_open.session, session);
    put_page(setup, note.as.maildrop_open.id, 3, 6);
    opened(setup, note.as.maildrop_open.id, ACCESS_STORE_RESULT_OK);
    hear(reader, "+OK maildrop has 1 messages (6 octets)");
    return session;
}

static void
expect_end_of_session(struct setup *setup, uint64_t session)
{
    assert_int_equal(next_store(setup, ACCESS_STORE_SESSION_END).as.session_end.session, session);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void
who_is_granted_reads_deletes_and_quits(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *reader = come(setup, 0);
    uint64_t session = log_in(reader);
    say(reader, "RETR 1\r\n");
    struct access_store_note asked = next_store(setup, ACCESS_STORE_READ);
    assert_int_equal(asked.as.read.session, session);
    assert_int_equal(asked.as.read.uid, 3);
    assert_int_equal(asked.as.read.offset, 0);
    assert_int_equal(asked.as.read.len, 6);
    put_bytes(setup, asked.as.read.id, "a\r\n");
    read_done(setup, asked.as.read.id, ACCESS_STORE_RESULT_OK);
    asked = next_store(setup, ACCESS_STORE_READ);
    assert_int_equal(asked.as.read.offset, 3);
    assert_int_equal(asked.as.read.len, 3);
    put_bytes(setup, asked.as.read.id, ".\r\n");
    read_done(setup, asked.as.read.id, ACCESS_STORE_RESULT_OK);
    hear(reader, "+OK 6 octets");
    hear(reader, "a");
    hear(reader, "..");
    hear(reader, ".");
    say(reader, "DELE 1\r\n");
    hear(reader, "+OK");
    say(reader, "QUIT\r\n");
    asked = next_store(setup, ACCESS_STORE_MAILDROP_UPDATE);
    assert_int_equal(asked.as.maildrop_update.session, session);
    assert_int_equal(asked.as.maildrop_update.uids.count, 1);
    assert_int_equal(asked.as.maildrop_update.uids.at[0].uid, 3);
    assert_true(asked.as.maildrop_update.is_last);
    /* Nothing is said before it has happened. */
    world_run(&setup->world, 100);
    assert_int_equal(reader->read, buffer_len(&reader->heard));
    updated(setup, asked.as.maildrop_update.id, ACCESS_STORE_RESULT_OK);
    hear(reader, "+OK");
    hear_end(reader);
    expect_end_of_session(setup, session);
}

static void
who_is_refused_hears_it_after_the_delay(void **state)
{
    static const enum access_auth_failure told_alike[] = {ACCESS_AUTH_FAILURE_CREDENTIALS,
                                                          ACCESS_AUTH_FAILURE_LOCKED};
    struct setup *setup = *state;

    begin(setup);
    for (unsigned i = 0; i < COUNT_OF(told_alike); i++) {
        struct reader *reader = come(setup, i);
        uint64_t session = knock(reader);
        refuse(setup, session, told_alike[i], 3000);
        world_run(&setup->world, 2500);
        assert_int_equal(reader->read, buffer_len(&reader->heard));
        hear(reader, "-ERR [AUTH]");
    }
}

static void
a_maildrop_that_another_holds_is_refused(void **state)
{
    static const struct {
        enum access_store_result result;
        const char *told;
    } rows[] = {
        {ACCESS_STORE_RESULT_IN_USE, "-ERR [IN-USE]"},
        {ACCESS_STORE_RESULT_TEMPORARY, "-ERR [SYS/TEMP]"},
        {ACCESS_STORE_RESULT_NO_PERMISSION, "-ERR [SYS/PERM]"},
    };
    struct setup *setup = *state;

    begin(setup);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reader *reader = come(setup, 0);
        uint64_t session = knock(reader);
        grant(setup, session);
        struct access_store_note note = next_store(setup, ACCESS_STORE_MAILDROP_OPEN);
        opened(setup, note.as.maildrop_open.id, rows[i].result);
        hear(reader, rows[i].told);
        go(reader);
        expect_end_of_session(setup, session);
    }
}

static void
a_client_that_vanishes_gives_the_lock_back(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    uint64_t session = log_in(come(setup, 0));
    say(&setup->readers[0], "DELE 1\r\n");
    hear(&setup->readers[0], "+OK");
    go(&setup->readers[0]);
    /* No update: without QUIT nothing is removed. */
    expect_end_of_session(setup, session);
    world_run(&setup->world, 1000);
    assert_int_equal(setup->store.taken, setup->store.count);
    /* While a message is being read. */
    session = log_in(come(setup, 1));
    say(&setup->readers[1], "RETR 1\r\n");
    uint64_t id = next_store(setup, ACCESS_STORE_READ).as.read.id;
    go(&setup->readers[1]);
    /* It may only have closed its side: the answer is made, and finds nobody. */
    put_bytes(setup, id, "a\r\nb\r\n");
    read_done(setup, id, ACCESS_STORE_RESULT_OK);
    expect_end_of_session(setup, session);
}

static void
a_grant_for_somebody_who_is_gone_is_given_back(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    uint64_t session = knock(come(setup, 0));
    go(&setup->readers[0]);
    grant(setup, session);
    struct access_store_note note = next_store(setup, ACCESS_STORE_MAILDROP_OPEN);
    opened(setup, note.as.maildrop_open.id, ACCESS_STORE_RESULT_OK);
    expect_end_of_session(setup, session);
}

static void
without_auth_a_login_is_put_off(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *waiting = come(setup, 0), *later = come(setup, 1);
    (void)knock(waiting);
    lose_peer(&setup->auth, &setup->auth_ledger);
    hear(waiting, "-ERR [SYS/TEMP]");
    hear(later, "+OK");
    say(later, "USER alice\r\n");
    hear(later, "+OK");
    say(later, "PASS pencil\r\n");
    hear(later, "-ERR [SYS/TEMP]");
    world_attach(&setup->world, &setup->auth, ROLE_AUTH, 0);
    say(later, "USER alice\r\n");
    hear(later, "+OK");
    say(later, "PASS pencil\r\n");
    uint64_t session = next_auth(setup, ACCESS_AUTH_BEGIN).as.begin.session;
    grant(setup, session);
    opened(setup, next_store(setup, ACCESS_STORE_MAILDROP_OPEN).as.maildrop_open.id,
           ACCESS_STORE_RESULT_OK);
    hear(later, "+OK maildrop has 0 messages");
}

static void
a_silent_auth_is_not_waited_for_for_ever(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    uint64_t session = knock(come(setup, 0));
    world_run(&setup->world, 59 * 1000);
    assert_int_equal(setup->readers[0].read, buffer_len(&setup->readers[0].heard));
    hear(&setup->readers[0], "-ERR [SYS/TEMP]");
    assert_int_equal(next_auth(setup, ACCESS_AUTH_ABORT).as.abort.session, session);
    /* It had been granted before auth heard that nobody wants it any more. */
    grant(setup, session);
    expect_end_of_session(setup, session);
}

static void
when_store_dies_readers_are_sent_away(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *reading = come(setup, 0), *idle = come(setup, 1);
    (void)log_in(reading);
    (void)log_in(idle);
    say(reading, "RETR 1\r\n");
    (void)next_store(setup, ACCESS_STORE_READ);
    lose_peer(&setup->store, &setup->store_ledger);
    hear(reading, "-ERR [SYS/TEMP]");
    hear(reading, "-ERR [SYS/TEMP]");
    hear_end(reading);
    hear(idle, "-ERR [SYS/TEMP]");
    hear_end(idle);
    go(reading);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    (void)log_in(come(setup, 0));
}

static void
when_store_dies_in_an_update_nobody_is_told_that_it_is_done(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *reader = come(setup, 0);
    (void)log_in(reader);
    say(reader, "DELE 1\r\n");
    hear(reader, "+OK");
    say(reader, "QUIT\r\n");
    (void)next_store(setup, ACCESS_STORE_MAILDROP_UPDATE);
    lose_peer(&setup->store, &setup->store_ledger);
    hear(reader, "-ERR [SYS/TEMP] some deleted messages were not removed");
    hear_end(reader);
}

static void
a_store_that_sends_another_message_than_listed_is_not_believed(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *reader = come(setup, 0);
    (void)log_in(reader);
    say(reader, "RETR 1\r\n");
    uint64_t id = next_store(setup, ACCESS_STORE_READ).as.read.id;
    put_bytes(setup, id, "a\r\nb\r\nc");
    read_done(setup, id, ACCESS_STORE_RESULT_OK);
    hear(reader, "-ERR [SYS/TEMP]");
    say(reader, "RETR 1\r\n");
    /* A part without bytes would be asked for without end. */
    id = next_store(setup, ACCESS_STORE_READ).as.read.id;
    read_done(setup, id, ACCESS_STORE_RESULT_OK);
    hear(reader, "-ERR [SYS/TEMP]");
    say(reader, "RETR 1\r\n");
    id = next_store(setup, ACCESS_STORE_READ).as.read.id;
    read_done(setup, id, ACCESS_STORE_RESULT_EXPUNGED);
    hear(reader, "-ERR");
    say(reader, "NOOP\r\n");
    hear(reader, "+OK");
}

static void
a_note_against_the_rules_ends_that_channel(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    struct reader *reader = come(setup, 0);
    (void)log_in(reader);
    host_channel_send(setup->store.channel, SLICE("no note"), HOST_HANDLE_NONE);
    hear(reader, "-ERR [SYS/TEMP]");
    hear_end(reader);
    world_run(&setup->world, 100);
    assert_true(setup->store.is_closed);
}

static void
two_logins_within_the_delay_are_one_too_many(void **state)
{
    struct setup *setup = *state;

    setup->world.config.pop3_login_delay = duration_s(60);
    begin(setup);
    uint64_t first = log_in(come(setup, 0));
    say(&setup->readers[0], "QUIT\r\n");
    struct access_store_note last = next_store(setup, ACCESS_STORE_MAILDROP_UPDATE);
    assert_int_equal(last.as.maildrop_update.uids.count, 0);
    updated(setup, last.as.maildrop_update.id, ACCESS_STORE_RESULT_OK);
    hear(&setup->readers[0], "+OK");
    hear_end(&setup->readers[0]);
    expect_end_of_session(setup, first);
    uint64_t second = knock(come(setup, 1));
    grant(setup, second);
    hear(&setup->readers[1], "-ERR [LOGIN-DELAY]");
    expect_end_of_session(setup, second);
    world_run(&setup->world, 60 * 1000);
    go(&setup->readers[0]);
    (void)log_in(come(setup, 0));
}

static void
connections_are_counted_for_each_address(void **state)
{
    struct setup *setup = *state;

    setup->world.config.connections_per_address_max = 1;
    setup->world.config.trusted_networks.count = 0;
    begin(setup);
    hear(come(setup, 0), "+OK");
    hear(come(setup, 1), "-ERR [SYS/TEMP] too many connections from your address");
    hear_end(&setup->readers[1]);
    go(&setup->readers[1]);
    go(&setup->readers[0]);
    world_run(&setup->world, 100);
    hear(come(setup, 0), "+OK");
}

static void
when_all_places_are_taken_a_stranger_makes_room_but_no_reader(void **state)
{
    struct setup *setup = *state;

    setup->world.config.connections_max = 1;
    begin(setup);
    struct reader *stranger = come(setup, 0);
    hear(stranger, "+OK");
    struct reader *reader = come(setup, 1);
    hear_end(stranger);
    (void)log_in(reader);
    go(stranger);
    hear(come(setup, 0), "-ERR [SYS/TEMP] too many connections");
    say(reader, "NOOP\r\n");
    hear(reader, "+OK");
}

static void
a_stop_lets_everybody_go(void **state)
{
    struct setup *setup = *state;

    begin(setup);
    uint64_t session = log_in(come(setup, 0));
    hear(come(setup, 1), "+OK");
    role_access.stop(setup->world.state);
    for (unsigned i = 0; i < READERS_MAX; i++) {
        hear(&setup->readers[i], "-ERR [SYS/TEMP]");
        hear_end(&setup->readers[i]);
        go(&setup->readers[i]);
    }
    expect_end_of_session(setup, session);
    world_run(&setup->world, 100);
    assert_true(sim_host_is_stopped(setup->world.host));
}

static void
apop_carries_the_banner_and_the_digest(void **state)
{
    static const char digest[] = "00112233445566778899aabbccddeeff";
    struct setup *setup = *state;

    setup->world.config.pop3_apop = true;
    begin(setup);
    struct reader *reader = come(setup, 0);
    hear(reader, "+OK");
    say(reader, "APOP alice 00112233445566778899aabbccddeeff\r\n");
    struct access_auth_apop note = next_auth(setup, ACCESS_AUTH_APOP).as.apop;
    struct slice heard = buffer_slice(&reader->heard);
    assert_true(note.timestamp.len > 2 && slice_find(heard, note.timestamp) < heard.len);
    assert_int_equal(note.timestamp.at[0], '<');
    assert_true(slice_equal(note.name, SLICE("alice")));
    assert_int_equal(note.digest.len, strlen(digest));
    assert_true(slice_equal(note.digest, slice_of_string(digest)));
    refuse(setup, note.session, ACCESS_AUTH_FAILURE_CREDENTIALS, 0);
    hear(reader, "-ERR [AUTH]");
    /* Another connection, another timestamp. */
    struct reader *other = come(setup, 1);
    hear(other, "+OK");
    heard = buffer_slice(&other->heard);
    assert_int_equal(slice_find(heard, note.timestamp), heard.len);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_setup, close_setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_granted_reads_deletes_and_quits),
        TEST(who_is_refused_hears_it_after_the_delay),
        TEST(a_maildrop_that_another_holds_is_refused),
        TEST(a_client_that_vanishes_gives_the_lock_back),
        TEST(a_grant_for_somebody_who_is_gone_is_given_back),
        TEST(without_auth_a_login_is_put_off),
        TEST(a_silent_auth_is_not_waited_for_for_ever),
        TEST(when_store_dies_readers_are_sent_away),
        TEST(when_store_dies_in_an_update_nobody_is_told_that_it_is_done),
        TEST(a_store_that_sends_another_message_than_listed_is_not_believed),
        TEST(a_note_against_the_rules_ends_that_channel),
        TEST(two_logins_within_the_delay_are_one_too_many),
        TEST(connections_are_counted_for_each_address),
        TEST(when_all_places_are_taken_a_stranger_makes_room_but_no_reader),
        TEST(a_stop_lets_everybody_go),
        TEST(apop_carries_the_banner_and_the_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
