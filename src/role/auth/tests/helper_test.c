/* SPDX-License-Identifier: ISC */
/* The helpers as they run: forked, without rights, on the Linux host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/linux/linux.h"
#include "role/auth/auth_private.h"

struct run {
    struct host *host;
    struct host_channel *channel;
    struct host_timer *timer;
    int answer; /* -1: none yet */
    bool is_closed;
};

static void
on_answer(void *context, struct slice note, host_handle handle)
{
    struct run *run = context;

    (void)handle;
    run->answer = note.len == 1 ? note.at[0] : 99;
    host_stop(run->host);
}

static void
on_closed(void *context)
{
    struct run *run = context;

    run->is_closed = true;
    host_stop(run->host);
}

static void
on_timer(void *context)
{
    struct run *run = context;

    host_stop(run->host);
}

static bool
ask(struct slice crypt, const char *password)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_closed};
    struct run run = {.answer = -1};
    struct buffer question;
    host_handle handle;

    assert_int_equal(host_linux_open(&run.host), 0);
    assert_int_equal(host_helper_open(run.host, HOST_HELPER_PURE, auth_helper_hash, NULL, &handle),
                     0);
    run.channel = host_channel_open(run.host, handle, &handler, &run);
    run.timer = host_timer_open(run.host, on_timer, &run);
    host_timer_set(run.timer, instant_after(host_now(run.host), duration_s(20)));
    buffer_init(&question, 1024);
    buffer_put_le32(&question, (uint32_t)crypt.len);
    buffer_put(&question, crypt);
    buffer_put_text(&question, password);
    host_channel_send(run.channel, buffer_slice(&question), HOST_HANDLE_NONE);
    host_linux_run(run.host);
    assert_false(run.is_closed);
    assert_in_range(run.answer, 0, 1);
    host_channel_close(&run.channel);
    host_timer_close(&run.timer);
    host_linux_close(&run.host);
    buffer_finish(&question);
    return run.answer == 1;
}

static void
slow_hashes_are_computed_without_rights(void **state)
{
    static const uint8_t random[DIRECTORY_RANDOM_LEN] = {4, 2};

    (void)state;
    for (unsigned scheme = DIRECTORY_YESCRYPT; scheme <= DIRECTORY_ARGON2ID; scheme++) {
        struct directory_secret_options options = {.name = SLICE("a@a.test"),
                                                   .id = 1,
                                                   .scheme = (enum directory_scheme)scheme,
                                                   .without_scram = true};
        struct buffer line;
        buffer_init(&line, 4096);
        assert_int_equal(directory_secret_make(&line, &options, SLICE("pencil"),
                                               slice_of(random, sizeof(random))),
                         DIRECTORY_SECRET_MADE);
        struct directory_secrets *secrets = directory_secrets_parse(buffer_slice(&line), 1);
        struct slice crypt = directory_secret_find(secrets, 1)->crypt;
        assert_true(ask(crypt, "pencil"));
        assert_false(ask(crypt, "crayon"));
        directory_secrets_close(&secrets);
        buffer_finish(&line);
    }
}

static void
questions_without_sense_are_answered_no(void **state)
{
    struct buffer answer;

    (void)state;
    buffer_init(&answer, 16);
    auth_helper_hash(NULL, SLICE("\xFF\xFF\xFF\xFFx"), &answer);
    auth_helper_hash(NULL, SLICE(""), &answer);
    auth_helper_pam(NULL, SLICE(""), &answer);
    auth_helper_pam(NULL, SLICE("\x05\0\0\0alice"), &answer);           /* no password */
    auth_helper_pam(NULL, SLICE("\x05\0\0\0alicepass\0word"), &answer); /* NUL in it */
    assert_memory_equal(buffer_slice(&answer).at, "\0\0\0\0\0", 5);
    assert_int_equal(buffer_len(&answer), 5);
    buffer_finish(&answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_hashes_are_computed_without_rights),
        cmocka_unit_test(questions_without_sense_are_answered_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
