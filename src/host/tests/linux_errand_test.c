/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4096, GUARD_S = 60 };

struct run {
    struct host *host;
    struct host_errand *errand;
    struct host_timer *guard;
    char said[OUTPUT_MAX + 1];
    size_t said_len;
    int status;
    bool has_ended, is_stopped_at_once;
};

static const char *
ordinary_user(void)
{
    return geteuid() == 0 ? "nobody" : "";
}

static void
on_end(void *context, int status, struct slice output)
{
    struct run *run = context;

    run->status = status;
    run->said_len = output.len;
    memcpy(run->said, output.at, output.len);
    run->has_ended = true;
    host_errand_close(&run->errand);
    host_stop(run->host);
}

static void
on_guard(void *context)
{
    struct run *run = context;

    if (run->is_stopped_at_once && run->errand) {
        run->is_stopped_at_once = false;
        host_errand_stop(run->errand, false);
        host_timer_set(run->guard, instant_after(host_now(run->host), duration_s(GUARD_S)));
        return;
    }
    host_stop(run->host);
}

static host_handle
make_input(struct host *host, const char *text)
{
    struct host_blob *blob;
    host_handle handle;

    assert_int_equal(host_blob_open(host, &blob), 0);
    assert_int_equal(host_blob_put(blob, slice_of_string(text)), 0);
    assert_int_equal(host_blob_seal(&blob, &handle), 0);
    return handle;
}

/* Runs a line of shell, which only these tests do, and returns what host_errand_open says. */
static int
run_with(struct run *run, const char *user, const char *const *arguments, uint64_t memory)
{
    static const char *const variables[] = {"SENDER=fred@truc.test", NULL};

    assert_int_equal(host_linux_open(&run->host), 0);
    struct host_errand_order order = {
        .user = user,
        .arguments = arguments,
        .variables = variables,
        .input = make_input(run->host, "first line\nsecond\n"),
        .memory_bytes_max = memory,
        .processor_s_max = 20,
        .output_bytes_max = OUTPUT_MAX,
    };
    int error = host_errand_open(run->host, &order, on_end, run, &run->errand);
    host_handle_close(run->host, order.input);
    if (error == 0) {
        run->guard = host_timer_open(run->host, on_guard, run);
        host_timer_set(run->guard, run->is_stopped_at_once
                                       ? host_now(run->host)
                                       : instant_after(host_now(run->host), duration_s(GUARD_S)));
        host_linux_run(run->host);
        host_timer_close(&run->guard);
        host_errand_close(&run->errand);
    }
    host_linux_close(&run->host);
    return error;
}

static int
run_shell(struct run *run, const char *line)
{
    const char *const arguments[] = {"/bin/sh", "-c", line, NULL};

    return run_with(run, ordinary_user(), arguments, 1 << 30);
}

static void
it_reads_its_input_and_is_heard(void **state)
{
    struct run run = {0};
    (void)state;

    assert_int_equal(run_shell(&run, "cat; echo to 2 >&2; exit 75"), 0);
    assert_true(run.has_ended);
    assert_int_equal(run.status, 75);
    assert_string_equal(run.said, "first line\nsecond\nto 2\n");
}

static void
arguments_reach_it_as_they_are(void **state)
{
    const char *const arguments[] = {"/bin/echo", "a; touch /tmp/b", "$(id)", "*", "", NULL};
    struct run run = {0};
    (void)state;

    assert_int_equal(run_with(&run, ordinary_user(), arguments, 1 << 30), 0);
    assert_string_equal(run.said, "a; touch /tmp/b $(id) * \n");
}

static void
it_has_little_around_it(void **state)
{
    struct run run = {0};
    (void)state;

    setenv("SECRET", "x", 1);
    assert_int_equal(run_shell(&run, "env | sort; ls /proc/self/fd | wc -l; umask"), 0);
    unsetenv("SECRET");
    assert_non_null(strstr(run.said, "SENDER=fred@truc.test\n"));
    assert_non_null(strstr(run.said, "PATH=/usr/local/bin:/usr/bin:/bin\n"));
    assert_non_null(strstr(run.said, "SHELL=/bin/sh\n"));
    assert_null(strstr(run.said, "SECRET"));
    /* 0, 1, 2 and the one that ls lists with. */
    assert_non_null(strstr(run.said, "\n4\n0077\n"));
}

static void
it_runs_as_the_user(void **state)
{
    struct run run = {0};
    (void)state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(run_shell(&run, "id -un; id -u -r; grep NoNewPrivs /proc/self/status"), 0);
    assert_non_null(strstr(run.said, "nobody\n65534\n"));
    assert_non_null(strstr(run.said, "NoNewPrivs:\t1\n"));
}

static void
nothing_runs_as_root_or_as_nobody_at_all(void **state)
{
    const char *const arguments[] = {"/bin/true", NULL};
    const char *const missing[] = {"/bin/there-is-no-such-program", NULL};
    const char *const folder[] = {"/bin", NULL};
    struct run run = {0};
    (void)state;

    assert_int_equal(run_with(&run, "root", arguments, 1 << 30), -EPERM);
    if (geteuid() == 0)
        assert_int_equal(run_with(&run, "", arguments, 1 << 30), -EPERM);
    else
        assert_int_equal(run_with(&run, "nobody", arguments, 1 << 30), -EPERM);
    assert_int_equal(run_with(&run, "there-is-no-such-user", arguments, 1 << 30), -ENOENT);
    assert_int_equal(run_with(&run, ordinary_user(), missing, 1 << 30), -ENOENT);
    assert_int_equal(run_with(&run, ordinary_user(), folder, 1 << 30), -EACCES);
}

static void
it_may_not_say_too_much(void **state)
{
    struct run run = {0};
    (void)state;

    assert_int_equal(run_shell(&run, "yes | head -c 3000000; exit 3"), 0);
    assert_int_equal(run.status, 3);
    assert_int_equal(run.said_len, OUTPUT_MAX);
}

static void
it_may_not_take_much_memory(void **state)
{
    const char *const arguments[] = {"/usr/bin/head", "-c", "300000000", "/dev/zero", NULL};
    const char *const greedy[] = {"/bin/dd",      "if=/dev/zero", "of=/dev/null",
                                  "bs=200000000", "count=1",      NULL};
    struct run run = {0};
    (void)state;

    assert_int_equal(run_with(&run, ordinary_user(), arguments, 100000000), 0);
    assert_int_equal(run.status, 0);
    assert_int_equal(run_with(&run, ordinary_user(), greedy, 100000000), 0);
    assert_int_not_equal(run.status, 0);
}

static void
it_can_be_told_to_end(void **state)
{
    struct run run = {.is_stopped_at_once = true};
    (void)state;

    assert_int_equal(run_shell(&run, "sleep 1000"), 0);
    assert_true(run.has_ended);
    assert_int_equal(run.status, -SIGTERM);
}

static void
nothing_of_it_stays_behind(void **state)
{
    struct run run = {0};
    (void)state;

    assert_int_equal(run_shell(&run, "sleep 1000 & echo $!"), 0);
    assert_true(run.has_ended);
    assert_int_equal(run.status, 0);
    pid_t left = (pid_t)strtol(run.said, NULL, 10);
    assert_true(left > 1);
    /* It may take a moment until its new parent has reaped it. */
    for (int i = 0; i < 600 && kill(left, 0) == 0; i++) {
        char path[64], state_of[512] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)left);
        FILE *file = fopen(path, "re");
        bool is_zombie =
            !file || (fgets(state_of, sizeof(state_of), file) && strstr(state_of, ") Z "));
        if (file)
            fclose(file);
        if (is_zombie)
            return;
        usleep(100000);
    }
    assert_int_equal(kill(left, 0), -1);
}

static void
a_handle_becomes_a_stream(void **state)
{
    struct host *host;
    struct host_stream *stream;
    struct host_address peer;
    int ends[2];
    char text[8];
    (void)state;

    assert_int_equal(host_linux_open(&host), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(host_stream_adopt(host, ends[0], &stream), 0);
    host_stream_peer(stream, &peer);
    assert_int_equal(peer.family, HOST_FAMILY_UNIX);
    assert_int_equal(host_stream_write(stream, SLICE("hello")), 5);
    assert_int_equal(read(ends[1], text, sizeof(text)), 5);
    host_stream_close(&stream);
    close(ends[1]);
    assert_int_equal(host_unix_connect(host, "/there/is/no/such/socket", &ends[0]), -ENOENT);
    host_linux_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_its_input_and_is_heard),
        cmocka_unit_test(arguments_reach_it_as_they_are),
        cmocka_unit_test(it_has_little_around_it),
        cmocka_unit_test(it_runs_as_the_user),
        cmocka_unit_test(nothing_runs_as_root_or_as_nobody_at_all),
        cmocka_unit_test(it_may_not_say_too_much),
        cmocka_unit_test(it_may_not_take_much_memory),
        cmocka_unit_test(it_can_be_told_to_end),
        cmocka_unit_test(nothing_of_it_stays_behind),
        cmocka_unit_test(a_handle_becomes_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
