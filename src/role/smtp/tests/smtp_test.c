/* SPDX-License-Identifier: ISC */
/* What the role does when one of its peers is gone, or what it needs is not there yet. */
#include "role/tests/world.h"

#include <errno.h>

#include "note/smtp_route.h"
#include "note/smtp_store.h"

enum { SIDE_ASKED = 0, PER_ADDRESS = 2, TICK_MS = 10 };

static const struct host_address smtp_door = {
    .family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 1}, .port = 25};
static const struct host_address submissions_door = {
    .family = HOST_FAMILY_IPV4, .bytes = {192, 0, 2, 1}, .port = 465};

struct setup {
    struct world world;
    struct world_peer route, store;
    struct note_ledger route_ledger, store_ledger;
    struct arena arena;
    struct host *street; /* where clients come from */
    struct host_stream *stream;
    struct buffer heard;
    size_t read; /* how much of it has been looked at */
};

/* ---- the client ---------------------------------------------------------------------------- */

static void
on_stream(void *context, unsigned events)
{
    struct setup *setup = context;
    uint8_t bytes[4096];
    int64_t len;

    (void)events;
    while ((len = host_stream_read(setup->stream, bytes, sizeof(bytes))) > 0)
        buffer_put(&setup->heard, slice_of(bytes, (size_t)len));
    if (len != -EAGAIN)
        host_stream_watch(setup->stream, 0, on_stream, setup);
}

static void
come(struct setup *setup, const struct host_address *door)
{
    buffer_clear(&setup->heard);
    setup->read = 0;
    assert_int_equal(host_stream_connect(setup->street, door, &setup->stream), 0);
    host_stream_watch(setup->stream, HOST_READABLE, on_stream, setup);
}

static void
say(struct setup *setup, const char *text)
{
    struct slice bytes = slice_of_string(text);

    assert_int_equal(host_stream_write(setup->stream, bytes), bytes.len);
}

/* The last line of the next reply must begin so, and be there within that time. */
static void
hear(struct setup *setup, const char *start, unsigned ms)
{
    struct slice line;
    size_t end;

    do {
        for (unsigned i = 0;; i += TICK_MS) {
            line = slice_skip(buffer_slice(&setup->heard), setup->read);
            end = slice_find(line, SLICE("\r\n"));
            if (end < line.len)
                break;
            assert_true(i < ms);
            world_run(&setup->world, TICK_MS);
        }
        line = slice_first(line, end);
        setup->read += end + 2;
    } while (line.len > 3 && line.at[3] == '-');
    if (!slice_starts_with(line, slice_of_string(start)))
        fail_msg("wanted %s, heard %.*s", start, (int)line.len, (const char *)line.at);
}

/* ---- the peers ----------------------------------------------------------------------------- */

static void
lose_peer(struct world_peer *peer)
{
    world_detach(peer);
    *peer = (struct world_peer){0};
}

/* Route is asked about the recipient, and says where it leads. */
static void
answer_recipient(struct setup *setup, bool asks_ahead)
{
    const struct smtp_route_target target = {.name = SLICE("jones@foo.com"),
                                             .box = SMTP_ROUTE_BOX_REMOTE};
    struct smtp_route_note asked;
    struct buffer note;

    assert_true(smtp_route_take(world_next(&setup->route), HOST_HANDLE_NONE, SIDE_ASKED,
                                &setup->route_ledger, &setup->arena, &asked));
    assert_int_equal(asked.kind, SMTP_ROUTE_RECIPIENT);
    const struct smtp_route_route answer = {.id = asked.as.recipient.id,
                                            .verdict = SMTP_ROUTE_VERDICT_LOCAL,
                                            .asks_ahead = asks_ahead,
                                            .targets = {&target, 1}};
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_route_put_route(&note, &setup->route_ledger, &answer));
    host_channel_send(setup->route.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
}

/* The next note to the store, that of an arrival left out. */
static struct smtp_store_note
next_store(struct setup *setup, enum smtp_store_kind kind)
{
    struct smtp_store_note note;

    do
        assert_true(smtp_store_take(world_next(&setup->store), HOST_HANDLE_NONE, SIDE_ASKED,
                                    &setup->store_ledger, &setup->arena, &note));
    while (note.kind == SMTP_STORE_ARRIVED);
    assert_int_equal(note.kind, kind);
    return note;
}

/* ---- the world ----------------------------------------------------------------------------- */

static int
open_setup(void **state)
{
    static struct setup setup;
    struct config *config = &setup.world.config;

    setup = (struct setup){0};
    world_open(&setup.world, &role_smtp);
    config->hostname = SLICE("bar.com");
    config->trusted_networks.count = 0;
    config->connections_per_address_max = PER_ADDRESS;
    arena_init(&setup.arena, 1 << 22);
    buffer_init(&setup.heard, 1 << 20);
    setup.street = sim_host_open(setup.world.sim, "street");
    struct role_start start = {.host = setup.world.host,
                               .config = config,
                               .processes = 1,
                               .fail = world_fail,
                               .fail_context = &setup.world};
    setup.world.state = role_smtp.open(&start);
    world_attach(&setup.world, &setup.route, ROLE_ROUTE, 0);
    world_attach(&setup.world, &setup.store, ROLE_STORE, 0);
    role_smtp.listen(setup.world.state, SERVICE_SMTP,
                     sim_listen(setup.world.sim, setup.world.host, &smtp_door));
    role_smtp.listen(setup.world.state, SERVICE_SUBMISSIONS,
                     sim_listen(setup.world.sim, setup.world.host, &submissions_door));
    assert_true(role_smtp.start(setup.world.state));
    *state = &setup;
    return 0;
}

static int
close_setup(void **state)
{
    struct setup *setup = *state;

    host_stream_close(&setup->stream);
    buffer_finish(&setup->heard);
    if (setup->route.host)
        world_detach(&setup->route);
    if (setup->store.host)
        world_detach(&setup->store);
    sim_host_close(&setup->street);
    world_close(&setup->world);
    note_ledger_finish(&setup->route_ledger);
    note_ledger_finish(&setup->store_ledger);
    arena_finish(&setup->arena);
    return 0;
}

/* ---- tests --------------------------------------------------------------------------------- */

/* Who is sent away has no connection, and is not counted as if he had. */
static void
who_comes_before_there_is_tls_may_come_again(void **state)
{
    struct setup *setup = *state;

    for (unsigned i = 0; i < 2 * PER_ADDRESS; i++) {
        come(setup, &submissions_door);
        hear(setup, "421 bar.com 4.7.0 TLS is not available now", 1000);
        host_stream_close(&setup->stream);
        world_run(&setup->world, 1000);
    }
}

/* RCPT waits for what the next host thinks; returns the id of that question. */
static uint64_t
ask_about_jones(struct setup *setup)
{
    come(setup, &smtp_door);
    hear(setup, "220", 1000);
    say(setup, "EHLO client.test\r\nMAIL FROM:<smith@client.test>\r\nRCPT TO:<jones@foo.com>\r\n");
    answer_recipient(setup, true);
    hear(setup, "250", 1000);
    hear(setup, "250", 1000);
    return next_store(setup, SMTP_STORE_PROBE).as.probe.id;
}

/* What the store was asked is answered when the store ends, and not for a minute later. */
static void
a_store_that_dies_keeps_nobody_waiting(void **state)
{
    struct setup *setup = *state;

    (void)ask_about_jones(setup);
    lose_peer(&setup->store);
    hear(setup, "250 2.1.5", 1000);
}

static void
what_the_store_is_asked_outlives_route(void **state)
{
    struct setup *setup = *state;
    struct smtp_store_probed answer = {.id = ask_about_jones(setup),
                                       .verdict = SMTP_STORE_PROBE_VERDICT_BAD};
    struct buffer note;

    lose_peer(&setup->route);
    world_run(&setup->world, 1000);
    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(smtp_store_put_probed(&note, &setup->store_ledger, &answer));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    hear(setup, "550 5.1.1", 1000);
}

/* A reload takes the rules away while a header is held for them. */
static void
a_message_keeps_its_order_when_rules_of_rewriting_go(void **state)
{
    static const struct slice rules[] = {SLICE("alice@bar.com al@bar.com")};
    static const struct config_network all = {.address = {.family = HOST_FAMILY_IPV4}};
    struct setup *setup = *state;
    struct config *config = &setup->world.config;

    config->relay_networks = (struct config_networks){&all, 1};
    config->rewrite = (struct config_strings){rules, COUNT_OF(rules)};
    role_smtp.reload(setup->world.state, config);
    come(setup, &smtp_door);
    hear(setup, "220", 1000);
    say(setup, "EHLO client.test\r\nMAIL FROM:<smith@client.test>\r\nRCPT TO:<jones@foo.com>\r\n"
               "DATA\r\n");
    answer_recipient(setup, false);
    for (unsigned i = 0; i < 3; i++)
        hear(setup, "250", 1000);
    hear(setup, "354", 1000);
    say(setup, "Subject: one\r\n");
    world_run(&setup->world, 1000);
    config->rewrite.count = 0;
    role_smtp.reload(setup->world.state, config);
    say(setup, "Comments: two\r\n\r\nText\r\n.\r\n");
    struct smtp_store_note note = next_store(setup, SMTP_STORE_SUBMIT);
    assert_true(slice_equal(note.as.submit.body,
                            SLICE("Subject: one\r\nComments: two\r\n\r\nText\r\n")));
}

/* RFC 3461 §4.2: the type of ORCPT is an atom, of any length as far as that goes. */
static void
the_longest_envelope_reaches_the_store(void **state)
{
    static const char type[] = "a2345678901234567890123456789012";
    struct setup *setup = *state;

    come(setup, &smtp_door);
    hear(setup, "220", 1000);
    say(setup, "EHLO client.test\r\nMAIL FROM:<smith@client.test>\r\n"
               "RCPT TO:<jones@foo.com> ORCPT=a2345678901234567890123456789012x;j@x\r\n"
               "RCPT TO:<jones@foo.com> ORCPT=a2345678901234567890123456789012;j@x\r\n"
               "DATA\r\n");
    for (unsigned i = 0; i < 2; i++)
        hear(setup, "250", 1000);
    hear(setup, "501 5.5.4", 1000);
    answer_recipient(setup, false);
    hear(setup, "250", 1000);
    hear(setup, "354", 1000);
    say(setup, "\r\nText\r\n.\r\n");
    struct smtp_store_note note = next_store(setup, SMTP_STORE_SUBMIT);
    assert_int_equal(note.as.submit.recipients.count, 1);
    assert_true(
        slice_equal(note.as.submit.recipients.at[0].original_type, slice_of_string(type)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
        TEST(who_comes_before_there_is_tls_may_come_again),
        TEST(a_store_that_dies_keeps_nobody_waiting),
        TEST(what_the_store_is_asked_outlives_route),
        TEST(a_message_keeps_its_order_when_rules_of_rewriting_go),
        TEST(the_longest_envelope_reaches_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
