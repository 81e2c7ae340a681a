/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "note/asker_keys.h"
#include "role/identity.h"
#include "tls/certificate.h"

#include <sys/socket.h>

enum { SIDE_ASKER };

struct setup {
    struct host *host;
    struct identity identity;
    host_handle keys; /* the far end of its way to them */
    struct buffer chain, key, problem;
};

/* What will be found as the answer to the question for tickets with this id. */
static void
answer_tickets(struct setup *setup, uint64_t id)
{
    uint8_t octets[64] = {1};
    struct asker_keys_tickets question = {.id = id};
    struct asker_keys_secrets answer = {.id = id, .secrets = slice_of(octets, sizeof(octets))};
    struct note_ledger theirs = {0}, ours = {0};
    struct asker_keys_note taken;
    struct buffer note;
    struct arena arena;

    arena_init(&arena, 4096);
    buffer_init(&note, 4096);
    assert_true(asker_keys_put_tickets(&note, &theirs, &question));
    assert_true(
        asker_keys_take(buffer_slice(&note), HOST_HANDLE_NONE, SIDE_ASKER, &ours, &arena, &taken));
    buffer_clear(&note);
    assert_true(asker_keys_put_secrets(&note, &ours, &answer));
    assert_int_equal(send(setup->keys, buffer_slice(&note).at, buffer_len(&note), 0),
                     (ssize_t)buffer_len(&note));
    note_ledger_finish(&theirs);
    note_ledger_finish(&ours);
    buffer_finish(&note);
    arena_finish(&arena);
}

static void
attach(struct setup *setup)
{
    host_handle ours;

    assert_int_equal(host_channel_pair(setup->host, &ours, &setup->keys), 0);
    identity_attach(&setup->identity, ours);
}

static void
open_setup(struct setup *setup)
{
    assert_int_equal(host_linux_open(&setup->host), 0);
    identity_init(&setup->identity, setup->host);
    attach(setup);
    answer_tickets(setup, 1);
    buffer_init(&setup->chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&setup->key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&setup->problem, 1024);
}

static void
close_setup(struct setup *setup)
{
    identity_finish(&setup->identity);
    host_handle_close(setup->host, setup->keys);
    buffer_finish(&setup->chain);
    buffer_finish(&setup->key);
    buffer_finish(&setup->problem);
    host_linux_close(&setup->host);
}

static void
give(struct setup *setup, const char *name)
{
    struct slice host = SLICE("mail.example.test");
    struct tls_certificate_request request = {
        .names = &host, .names_count = 1, .now = host_wall(setup->host), .days = 2};

    buffer_clear(&setup->chain);
    buffer_clear(&setup->key);
    assert_true(tls_certificate_make(&request, &setup->chain, &setup->key, &setup->problem));
    identity_set(&setup->identity, slice_of_string(name), buffer_slice(&setup->chain));
}

static void
give_and_read(struct setup *setup, const char *name)
{
    give(setup, name);
    assert_non_null(identity_context(&setup->identity));
}

static void
it_is_read_when_somebody_wants_tls(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    assert_false(identity_is_there(&setup.identity));
    give(&setup, "");
    give(&setup, "a.test");
    give(&setup, "A.test"); /* a newer one in its place */
    assert_true(identity_is_there(&setup.identity));
    assert_null(setup.identity.context);
    assert_int_equal(setup.identity.kept_count, 2);
    identity_set_time(&setup.identity);
    assert_null(setup.identity.context);
    struct tls_context *context = identity_context(&setup.identity);
    assert_true(tls_context_has_certificate(context));
    assert_int_equal(setup.identity.kept_count, 0);
    assert_true(tls_context_remove(context, SLICE("a.test")));
    give(&setup, "b.test"); /* from here on they are set at once */
    assert_int_equal(setup.identity.kept_count, 0);
    assert_true(tls_context_remove(context, SLICE("b.test")));
    assert_ptr_equal(identity_context(&setup.identity), context);
    close_setup(&setup);
}

static void
it_is_read_at_once_when_there_are_many(void **state)
{
    struct setup setup;
    char name[16];

    (void)state;
    open_setup(&setup);
    for (int i = 0; i < IDENTITY_KEPT_MAX; i++) {
        snprintf(name, sizeof(name), "n%d.test", i);
        give(&setup, name);
    }
    assert_null(setup.identity.context);
    give(&setup, "last.test");
    assert_non_null(setup.identity.context);
    assert_true(tls_context_remove(setup.identity.context, SLICE("n0.test")));
    assert_true(tls_context_remove(setup.identity.context, SLICE("last.test")));
    close_setup(&setup);
}

static void
a_name_that_is_no_longer_configured_is_taken_out(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    identity_set(&setup.identity, SLICE("a.test"), SLICE("")); /* which never came */
    assert_false(identity_is_there(&setup.identity));
    give(&setup, "");
    give(&setup, "a.test");
    identity_set(&setup.identity, SLICE("A.test"), SLICE(""));
    assert_int_equal(setup.identity.kept_count, 1);
    give_and_read(&setup, "b.test");
    identity_set(&setup.identity, SLICE("b.test"), SLICE(""));
    assert_false(tls_context_remove(setup.identity.context, SLICE("b.test")));
    assert_false(tls_context_remove(setup.identity.context, SLICE("a.test")));
    assert_true(tls_context_remove(setup.identity.context, SLICE("")));
    close_setup(&setup);
}

static void
what_cannot_be_used_ends_nothing(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    identity_set(&setup.identity, SLICE(""), SLICE("no certificate"));
    assert_true(identity_is_there(&setup.identity));
    assert_false(tls_context_has_certificate(identity_context(&setup.identity)));
    close_setup(&setup);
}

/* Without the keys there is no TLS to offer; when they are back, there is. */
static void
keys_that_are_gone_are_noticed(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    give_and_read(&setup, "");
    assert_true(setup.identity.has_tickets);
    assert_true(identity_is_there(&setup.identity));
    host_handle_close(setup.host, setup.keys);
    give(&setup, "");
    identity_set_time(&setup.identity); /* wants tickets of the new key */
    assert_false(setup.identity.has_tickets);
    assert_false(identity_is_there(&setup.identity));
    attach(&setup);
    assert_true(identity_is_there(&setup.identity));
    answer_tickets(&setup, 3);
    identity_set_time(&setup.identity);
    assert_true(setup.identity.has_tickets);
    close_setup(&setup);
}

static void
an_answer_to_nothing_ends_the_way(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    give_and_read(&setup, "");
    answer_tickets(&setup, 7);
    give(&setup, "");
    identity_set_time(&setup.identity);
    assert_false(identity_is_there(&setup.identity));
    close_setup(&setup);
}

static unsigned
questions_that_came(struct setup *setup)
{
    uint8_t note[4096];
    unsigned count = 0;

    while (recv(setup->keys, note, sizeof(note), MSG_DONTWAIT) > 0)
        count++;
    return count;
}

/* A process that was stopped has its channel still. */
static void
keys_that_do_not_answer_are_waited_for_once(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    give_and_read(&setup, "");
    assert_int_equal(questions_that_came(&setup), 1);
    setup.identity.patience = duration_ms(20);
    give(&setup, "");
    for (int i = 0; i < 3; i++) {
        identity_set_time(&setup.identity); /* wants tickets of the new key */
        assert_false(setup.identity.has_tickets);
        assert_false(identity_is_there(&setup.identity));
    }
    assert_int_equal(questions_that_came(&setup), 1);
    answer_tickets(&setup, 2); /* at last; for nobody any more */
    assert_true(identity_is_there(&setup.identity));
    assert_false(setup.identity.has_tickets);
    answer_tickets(&setup, 3);
    identity_set_time(&setup.identity);
    assert_true(setup.identity.has_tickets);
    close_setup(&setup);
}

static void
an_overdue_answer_to_nothing_ends_the_way(void **state)
{
    struct setup setup;

    (void)state;
    open_setup(&setup);
    give_and_read(&setup, "");
    setup.identity.patience = duration_ms(20);
    give(&setup, "");
    identity_set_time(&setup.identity);
    answer_tickets(&setup, 7);
    assert_false(identity_is_there(&setup.identity));
    assert_int_equal(setup.identity.keys, HOST_HANDLE_NONE);
    close_setup(&setup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_when_somebody_wants_tls),
        cmocka_unit_test(it_is_read_at_once_when_there_are_many),
        cmocka_unit_test(a_name_that_is_no_longer_configured_is_taken_out),
        cmocka_unit_test(what_cannot_be_used_ends_nothing),
        cmocka_unit_test(keys_that_are_gone_are_noticed),
        cmocka_unit_test(an_answer_to_nothing_ends_the_way),
        cmocka_unit_test(keys_that_do_not_answer_are_waited_for_once),
        cmocka_unit_test(an_overdue_answer_to_nothing_ends_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
