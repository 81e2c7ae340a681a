/* SPDX-License-Identifier: ISC */
/* The role hand in the simulator, where no program can be run: what the store hears of a message
 * whose programs could not be begun. */
#include "role/tests/world.h"

#include "delivery/program.h"
#include "note/store_transport.h"

#include <stdio.h>

enum { ADDRESS_LEN = 250, WORDS = 15, COPIES = 6 };

struct setup {
    struct world world;
    struct world_peer store;
    struct note_ledger ledger;
    struct arena arena;
    struct slice program;
    char addresses[STORE_TRANSPORT_CARRY_RECIPIENTS_MAX][ADDRESS_LEN + 1];
    struct store_transport_recipient recipients[STORE_TRANSPORT_CARRY_RECIPIENTS_MAX];
};

static void
open_setup(struct setup *setup, struct slice command)
{
    *setup = (struct setup){.program = command};
    arena_init(&setup->arena, 1 << 20);
    world_open(&setup->world, &role_hand);
    setup->world.config.programs = (struct config_strings){&setup->program, 1};
    world_start(&setup->world);
    world_attach(&setup->world, &setup->store, ROLE_STORE, 0);
    for (size_t i = 0; i < COUNT_OF(setup->addresses); i++) {
        char *address = setup->addresses[i], name[16];
        int len = snprintf(name, sizeof(name), "user%03u@", (unsigned)i);
        memset(address, 'x', ADDRESS_LEN);
        memcpy(address, name, (size_t)len);
        setup->recipients[i].address = slice_of(address, ADDRESS_LEN);
    }
}

static void
close_setup(struct setup *setup)
{
    world_detach(&setup->store);
    world_close(&setup->world);
    note_ledger_finish(&setup->ledger);
    arena_finish(&setup->arena);
}

/* Carries one message to all; the answer lives in the arena. */
static struct store_transport_carried
carry(struct setup *setup, size_t count)
{
    struct store_transport_carry carry = {.id = 1,
                                          .queue_id = SLICE("k3J9x"),
                                          .carrier = STORE_TRANSPORT_CARRIER_PIPE,
                                          .path = SLICE("p"),
                                          .reverse_path = SLICE("a@b.test"),
                                          .recipients = {setup->recipients, count},
                                          .body = SLICE("Subject: x\r\n\r\nHello\r\n"),
                                          .body_blob = HOST_HANDLE_NONE};
    struct store_transport_note answer;
    struct buffer note;

    buffer_init(&note, HOST_NOTE_MAX);
    assert_true(store_transport_put_carry(&note, &setup->ledger, &carry));
    host_channel_send(setup->store.channel, buffer_slice(&note), HOST_HANDLE_NONE);
    buffer_finish(&note);
    assert_true(store_transport_take(world_next(&setup->store), HOST_HANDLE_NONE, 1, &setup->ledger,
                                     &setup->arena, &answer));
    assert_int_equal(answer.kind, STORE_TRANSPORT_CARRIED);
    assert_int_equal(answer.as.carried.results.count, count);
    return answer.as.carried;
}

static void
a_program_that_cannot_be_run_makes_mail_wait(void **state)
{
    static struct setup setup;

    (void)state;
    open_setup(&setup, SLICE("p nobody /bin/p $recipient"));
    struct store_transport_carried carried = carry(&setup, 1);
    assert_int_equal(carried.results.at[0].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
    close_setup(&setup);
}

/* The arguments of a hundred are more than a task has room for: what does not fit comes back in
 * another task, and not to its sender. */
static void
arguments_that_find_no_room_make_mail_wait(void **state)
{
    static struct setup setup;
    struct buffer command;
    size_t unlike = 0;

    (void)state;
    buffer_init(&command, PROGRAM_COMMAND_MAX);
    buffer_put_text(&command, "p nobody /bin/p");
    for (unsigned i = 0; i < WORDS * COPIES; i++)
        buffer_put_text(&command, i % COPIES == 0 ? " $recipient" : "$recipient");
    open_setup(&setup, buffer_slice(&command));
    struct store_transport_carried carried = carry(&setup, STORE_TRANSPORT_CARRY_RECIPIENTS_MAX);
    for (size_t i = 0; i < carried.results.count; i++) {
        assert_int_equal(carried.results.at[i].outcome, STORE_TRANSPORT_OUTCOME_TEMPORARY);
        unlike += !slice_equal(carried.results.at[i].text, carried.results.at[0].text);
    }
    assert_in_range(unlike, 1, carried.results.count - 1); /* some had room */
    close_setup(&setup);
    buffer_finish(&command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_cannot_be_run_makes_mail_wait),
        cmocka_unit_test(arguments_that_find_no_room_make_mail_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
