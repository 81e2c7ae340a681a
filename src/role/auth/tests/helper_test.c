/* SPDX-License-Identifier: ISC */
/* The helpers as they run: forked, without rights, on the Linux host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <security/pam_appl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* Less than the slow hash of crypt(3) takes. */
enum { LITTLE_MEMORY = 8 * 1024 * 1024 };

/* Leaves this process, and who is born of it, little more memory than it has. */
static struct rlimit
bound_memory(void)
{
    unsigned long pages = 0;
    struct rlimit before;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    struct rlimit bound = before;
    bound.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE) + LITTLE_MEMORY;
    assert_int_equal(setrlimit(RLIMIT_AS, &bound), 0);
    return before;
}

/* What the helper says of the password. */
static int
ask(struct slice crypt, const char *password, bool has_memory)
{
    static const struct host_channel_handler handler = {.on_note = on_answer,
                                                        .on_closed = on_closed};
    struct run run = {.answer = -1};
    struct buffer question;
    host_handle handle;

    assert_int_equal(host_linux_open(&run.host), 0);
    struct rlimit before = {0};
    if (!has_memory)
        before = bound_memory();
    int error = host_helper_open(run.host, HOST_HELPER_PURE, auth_helper_hash, NULL, &handle);
    if (!has_memory)
        assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(error, 0);
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
    host_channel_close(&run.channel);
    host_timer_close(&run.timer);
    host_linux_close(&run.host);
    buffer_finish(&question);
    return run.answer;
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
        assert_int_equal(ask(crypt, "pencil", true), DIRECTORY_PASSWORD_RIGHT);
        assert_int_equal(ask(crypt, "crayon", true), DIRECTORY_PASSWORD_WRONG);
        if (scheme == DIRECTORY_YESCRYPT)
            assert_int_equal(ask(crypt, "pencil", false), DIRECTORY_PASSWORD_UNKNOWN);
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

static void
only_a_look_at_the_password_makes_it_wrong(void **state)
{
    static const int away[] = {PAM_OPEN_ERR,         PAM_SYMBOL_ERR,       PAM_SERVICE_ERR,
                               PAM_SYSTEM_ERR,       PAM_BUF_ERR,          PAM_CRED_INSUFFICIENT,
                               PAM_AUTHINFO_UNAVAIL, PAM_CONV_ERR,         PAM_ABORT,
                               PAM_MODULE_UNKNOWN};
    static const int wrong[] = {PAM_AUTH_ERR,     PAM_USER_UNKNOWN,     PAM_MAXTRIES,
                                PAM_PERM_DENIED,  PAM_ACCT_EXPIRED,     PAM_NEW_AUTHTOK_REQD,
                                PAM_CRED_EXPIRED, 1000};

    (void)state;
    assert_int_equal(auth_pam_verdict(PAM_SUCCESS), DIRECTORY_PASSWORD_RIGHT);
    for (size_t i = 0; i < COUNT_OF(away); i++)
        assert_int_equal(auth_pam_verdict(away[i]), DIRECTORY_PASSWORD_UNKNOWN);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(auth_pam_verdict(wrong[i]), DIRECTORY_PASSWORD_WRONG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_hashes_are_computed_without_rights),
        cmocka_unit_test(questions_without_sense_are_answered_no),
        cmocka_unit_test(only_a_look_at_the_password_makes_it_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
