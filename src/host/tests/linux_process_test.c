/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/process.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What this program does when it is started as a child: says what it found, or waits. */
static struct host *child_host;

static void
child_on_note(void *context, struct slice note, host_handle handle)
{
    (void)context;
    (void)handle;
    _exit(slice_equal(note, SLICE("exit")) ? 7 : 8);
}

static void
child_on_closed(void *context)
{
    (void)context;
    _exit(9);
}

static const struct host_channel_handler child_handler = {child_on_note, child_on_closed, NULL};

static unsigned
descriptors_from(int first)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) >= first &&
            strtol(entry->d_name, NULL, 10) != dirfd(folder))
            count++;
    if (folder)
        closedir(folder);
    return count;
}

static int
run_child(const char *what)
{
    host_handle handle;
    char found[64];

    /* Nothing above the channel was inherited, nor the secret in the environment. */
    unsigned surplus = descriptors_from(HOST_PROCESS_CHANNEL + 1);
    if (host_linux_open(&child_host) < 0 || host_process_parent_channel(&handle) < 0)
        return 1;
    struct host_channel *channel = host_channel_open(child_host, handle, &child_handler, NULL);
    if (!channel)
        return 2;
    int len = snprintf(found, sizeof(found), "%s %u %d", what, surplus, getenv("SECRET") != NULL);
    host_channel_send(channel, slice_of(found, (size_t)len), HOST_HANDLE_NONE);
    host_linux_run(child_host);
    return 3;
}

struct run {
    struct host *host;
    struct host_process *process;
    struct host_channel *channel;
    char said[64];
    int status;
    bool has_ended;
    bool kills; /* as soon as it has spoken */
};

static void
on_note(void *context, struct slice note, host_handle handle)
{
    struct run *run = context;

    (void)handle;
    memcpy(run->said, note.at, note.len < sizeof(run->said) ? note.len : sizeof(run->said) - 1);
    if (run->kills)
        host_process_signal(run->process, SIGKILL);
    else
        host_channel_send(run->channel, SLICE("exit"), HOST_HANDLE_NONE);
}

static void
on_closed(void *context)
{
    host_channel_close(&((struct run *)context)->channel);
}

static const struct host_channel_handler handler = {on_note, on_closed, NULL};

static void
on_exit_seen(void *context, int status)
{
    struct run *run = context;

    run->status = status;
    run->has_ended = true;
    host_process_close(&run->process);
    host_stop(run->host);
}

static void
spawn_and_wait(struct run *run)
{
    const char *const arguments[] = {"test", "child", "hello", NULL};
    host_handle ours, theirs, program;

    assert_int_equal(host_linux_open(&run->host), 0);
    assert_int_equal(host_program_open(NULL, NULL, &program), 0);
    assert_int_equal(host_channel_pair(run->host, &ours, &theirs), 0);
    run->channel = host_channel_open(run->host, ours, &handler, run);
    assert_int_equal(setenv("SECRET", "x", 1), 0);
    assert_int_equal(
        host_process_spawn(run->host, program, arguments, theirs, on_exit_seen, run, &run->process),
        0);
    host_handle_close(run->host, program);
    assert_true(host_process_id(run->process) > 0);
    host_linux_run(run->host);
    host_channel_close(&run->channel);
    host_linux_close(&run->host);
}

static void
a_child_has_its_channel_and_nothing_else(void **state)
{
    struct run run = {0};

    (void)state;
    spawn_and_wait(&run);
    assert_string_equal(run.said, "hello 0 0");
    assert_int_equal(run.status, 7);
}

static void
a_killed_child_is_told_from_one_that_exits(void **state)
{
    struct run run = {.kills = true};

    (void)state;
    spawn_and_wait(&run);
    assert_int_equal(run.status, -SIGKILL);
}

static void
on_tool(void *context, host_handle handle)
{
    struct run *run = context;

    host_handle_close(run->host, handle);
    host_stop(run->host);
}

static void
a_socket_left_by_the_dead_is_replaced_and_one_in_use_is_not(void **state)
{
    struct run run = {0};
    char folder[] = "/tmp/host_process_XXXXXX";
    char path[64];
    host_handle handle, second, client;
    struct stat info;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    assert_int_equal(host_linux_open(&run.host), 0);
    assert_int_equal(host_channel_connect(path, &client), -ENOENT);
    assert_int_equal(host_listen_channel(path, 0600, &handle), 0);
    assert_int_equal(host_listen_channel(path, 0600, &second), -EADDRINUSE);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    close(handle);
    assert_int_equal(host_listen_channel(path, 0660, &handle), 0);
    struct host_listener *listener = host_channel_listener_open(run.host, handle, on_tool, &run);
    assert_int_equal(host_channel_connect(path, &client), 0);
    host_linux_run(run.host);
    host_handle_close(run.host, client);
    host_listener_close(&listener);
    host_linux_close(&run.host);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void
the_supervisor_hears_that_we_are_ready(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(host_supervisor_tell(SLICE("READY=1")), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1), 0);
    assert_int_equal(host_supervisor_tell(SLICE("READY=1")), -ENOENT);
    unsetenv("NOTIFY_SOCKET");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_its_channel_and_nothing_else),
        cmocka_unit_test(a_killed_child_is_told_from_one_that_exits),
        cmocka_unit_test(a_socket_left_by_the_dead_is_replaced_and_one_in_use_is_not),
        cmocka_unit_test(the_supervisor_hears_that_we_are_ready),
    };

    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
