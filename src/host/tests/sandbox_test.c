/* SPDX-License-Identifier: ISC */
/* For each profile, as root (where the test is) and as an ordinary user: what a confined process
 * cannot do any more, each tried in a process of its own, and what it must still be able to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NOBODY = 65534,
    DID = 0, /* exit codes of an attempt */
    REFUSED = 10,
    NOT_CONFINED = 11,
};

static char place[] = "/tmp/sandbox_test_XXXXXX";
static char inside[128];  /* the folder a profile may have */
static char outside[128]; /* a folder that everybody could read and write */
static int port;          /* somebody listens there */
static pid_t victim;      /* a process of the same user */

/* ---- attempts: true when the kernel let it happen ------------------------------------------- */

static bool
open_file(void)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/file", outside);
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 ||
           open(path, O_RDONLY | O_CLOEXEC) >= 0 ||
           open("/proc/self/maps", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool
make_file(void)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/made", outside);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || mkdir(path, 0700) == 0 ||
           open("/made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static bool
remove_file(void)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/removable", outside);
    return unlink(path) == 0;
}

static bool
make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

/* With a socket that was open before. */
static int open_socket;

static bool
make_connection(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};

    return connect(open_socket, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static bool
run_program(void)
{
    char *const arguments[] = {(char *)(uintptr_t)"true", NULL};

    execve("/bin/true", arguments, environ);
    return false; /* after success nobody comes here: the exit code is that of true, DID */
}

static bool
make_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool
trace_process(void)
{
    return ptrace(PTRACE_SEIZE, victim, 0, 0) == 0 || ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool
read_memory(void)
{
    char byte;
    struct iovec ours = {&byte, 1};
    struct iovec theirs = {&port, 1};

    return process_vm_readv(victim, &ours, 1, &theirs, 1, 0) == 1;
}

static bool
signal_process(void)
{
    return kill(victim, 0) == 0;
}

static bool
become_root(void)
{
    return setuid(0) == 0 && geteuid() == 0;
}

static bool
map_code(void)
{
    int fd = memfd_create("code", MFD_CLOEXEC);

    return fd >= 0 && fexecve(fd, (char *const[]){NULL}, environ) == 0;
}

struct attempt {
    const char *name;
    bool (*run)(void);
};

static const struct attempt attempts[] = {
    {"open a file outside", open_file},
    {"make a file outside", make_file},
    {"remove a file outside", remove_file},
    {"make a socket", make_socket},
    {"connect", make_connection},
    {"run a program", run_program},
    {"make a process", make_process},
    {"trace a process", trace_process},
    {"read another's memory", read_memory},
    {"signal a process", signal_process},
    {"become root", become_root},
    {"run a program from memory", map_code},
};

/* ---- what must go on ------------------------------------------------------------------------ */

static void
stop_on_note(void *context, struct slice note, host_handle handle)
{
    struct host_mapping mapping;

    if (note.len != 5 || host_blob_map(context, handle, &mapping) < 0)
        _exit(NOT_CONFINED);
    host_stop(context);
}

static void
fail_on_closed(void *context)
{
    (void)context;
    _exit(NOT_CONFINED);
}

static host_handle
make_blob(struct host *host)
{
    struct host_blob *blob;
    host_handle body;

    if (host_blob_open(host, &blob) < 0 || host_blob_put(blob, SLICE("body")) < 0 ||
        host_blob_seal(&blob, &body) < 0)
        _exit(NOT_CONFINED);
    return body;
}

/* Loop, channel, handle, somebody's blob, memory, clock, randomness, log. */
static void
use_host(struct host *host, struct host_channel *left, host_handle body)
{
    uint8_t random[16];

    free(memset(malloc(50000000), 1, 50000000));
    host_random(host, random, sizeof(random));
    host_log(host, HOST_LEVEL_INFO, SLICE("level=info event=confined"));
    host_channel_send(left, SLICE("hello"), body);
    host_linux_run(host);
}

/* Files of the folder that was granted: all that the store does, LMDB's locks and mappings too. */
static void
use_folder(struct host *host, struct host_dir *dir, bool may_write)
{
    struct host_file *file;
    struct host_dir *below;
    uint64_t room, total;
    struct slice text = SLICE("text");
    char path[160];

    if (host_file_open(dir, "present", 0, &file) < 0)
        _exit(20);
    host_file_close(&file);
    int error = host_file_open(dir, "new", HOST_FILE_WRITE | HOST_FILE_CREATE, &file);
    if (!may_write)
        _exit(error == 0 ? 21 : DID);
    if (error < 0 || host_file_write(file, &text, 1, 0) < 0 || host_file_sync(file) < 0 ||
        host_file_lock(file) < 0 || host_file_lock_record(file) < 0 ||
        host_file_reserve(file, 8192) < 0 || host_file_truncate(file, 4096) < 0)
        _exit(22);
    host_file_close(&file);
    if (host_dir_rename(dir, "new", "newer") < 0 || host_dir_sync(dir) < 0 ||
        host_dir_make(dir, "below") < 0 || host_dir_open_below(dir, "below", &below) < 0 ||
        host_dir_move(dir, "newer", below, "moved") < 0 ||
        host_dir_space(below, &room, &total) < 0)
        _exit(23);
    snprintf(path, sizeof(path), "%s/below/moved", inside);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED || msync(at, 4096, MS_SYNC) < 0)
        _exit(24);
    if (host_dir_remove(below, "moved") < 0 || host_dir_remove(dir, "below") < 0)
        _exit(25);
    (void)host;
}

struct granted {
    const char *profile;
    bool may_read, may_write;
    bool may_do_all; /* the parent: it starts and watches the others */
    bool has_no_blobs; /* but those that others make */
};

static const struct granted granted[] = {
    {"smtp", false, false, false},     {"access", false, false, false},
    {"auth", true, true, false, true}, {"route", true, false, false, true},
    {"deliver", false, false, false},  {"letterbox", true, true, false},
    {"store", true, true, false},      {"table", true, false, false, true},
    {"index", true, true, false},      {"keys", false, false, false, true},
    {"parent", false, false, true},
};

/* Makes this process an ordinary user. */
static void
become_nobody(void)
{
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(NOT_CONFINED);
}

static void
confine(const struct granted *what, struct buffer *report)
{
    const char *const paths[] = {inside};
    struct sandbox_request request = {.user_prefix = "no-such-prefix",
                                      .readable = paths,
                                      .readable_count = what->may_read,
                                      .writable = paths,
                                      .writable_count = what->may_write};
    const struct sandbox_profile *profile = sandbox_find(what->profile);

    buffer_init(report, 400);
    int error = sandbox_enter(profile, &request, report);
    if (error < 0) {
        fprintf(stderr, "%s: %.*s: %s\n", what->profile, (int)buffer_len(report),
                (const char *)buffer_slice(report).at, strerrordesc_np(-error));
        _exit(NOT_CONFINED);
    }
}

_Noreturn static void
run_attempt(const struct granted *what, const struct attempt *attempt, bool as_nobody)
{
    struct buffer report;

    if (as_nobody)
        become_nobody();
    confine(what, &report);
    _exit(attempt->run() ? DID : REFUSED);
}

/* Its errno, or 0. */
static int
make_ring(void)
{
    uint32_t parameters[30] = {0}; /* struct io_uring_params */

    return syscall(SYS_io_uring_setup, 8, parameters) < 0 ? errno : 0;
}

_Noreturn static void
run_work(const struct granted *what, bool as_nobody, bool may_have_ring)
{
    struct host *host;
    host_handle left, right;
    struct host_dir *dir = NULL;
    struct buffer report;
    struct host_channel_handler handler = {stop_on_note, fail_on_closed, NULL};

    if (as_nobody)
        become_nobody();
    if (!may_have_ring && (sandbox_forbid_rings() < 0 || make_ring() != ENOSYS))
        _exit(28);
    if (host_linux_open(&host) < 0 || host_channel_pair(host, &left, &right) < 0)
        _exit(NOT_CONFINED);
    struct host_channel *from = host_channel_open(host, left, &handler, host);
    struct host_channel *to = host_channel_open(host, right, &handler, host);
    if (!from || !to)
        _exit(NOT_CONFINED);
    host_handle body = what->has_no_blobs ? make_blob(host) : HOST_HANDLE_NONE;
    confine(what, &report);
    use_host(host, from, what->has_no_blobs ? body : make_blob(host));
    if (what->may_read && host_dir_open(host, inside, &dir) < 0)
        _exit(26);
    if (strcmp(what->profile, "letterbox") == 0 && !as_nobody && geteuid() == 0) {
        if (host_user_assume(host, "nobody") < 0 || geteuid() != NOBODY)
            _exit(27);
        host_user_leave(host);
    }
    if (dir)
        use_folder(host, dir, what->may_write);
    if (!what->may_do_all && make_ring() == 0)
        _exit(29);
    _exit(DID);
}

/* ---- the tests ------------------------------------------------------------------------------ */

/* The exit code, or -signal. */
static int
wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
give_folder(const struct granted *what, bool as_nobody)
{
    struct sandbox_user user = sandbox_user(sandbox_find(what->profile), "no-such-prefix");

    if (geteuid() == 0)
        assert_int_equal(chown(inside, as_nobody ? NOBODY : user.user,
                               as_nobody ? NOBODY : user.group), 0);
}

static void
try_everything(const struct granted *what, bool as_nobody)
{
    give_folder(what, as_nobody);
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        pid_t pid = fork();
        if (pid == 0)
            run_attempt(what, &attempts[i], as_nobody);
        int result = wait_for(pid);
        if (result != REFUSED && result != -SIGSYS)
            fail_msg("%s%s can %s (result %d)", what->profile, as_nobody ? " as nobody" : "",
                     attempts[i].name, result);
    }
}

static void
work(const struct granted *what, bool as_nobody, bool may_have_ring)
{
    give_folder(what, as_nobody);
    pid_t pid = fork();
    if (pid == 0)
        run_work(what, as_nobody, may_have_ring);
    int result = wait_for(pid);
    if (result != DID)
        fail_msg("%s%s%s cannot work (result %d)", what->profile, as_nobody ? " as nobody" : "",
                 may_have_ring ? " with a ring" : "", result);
}

static void
no_profile_lets_its_process_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(granted); i++) {
        if (granted[i].may_do_all)
            continue;
        try_everything(&granted[i], false);
        if (geteuid() == 0)
            try_everything(&granted[i], true);
    }
}

/* Its own socket, made under the confinement, as these roles do. */
static bool
make_new_connection(void)
{
    open_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return open_socket >= 0 && make_connection();
}

static void
whose_work_is_to_connect_connects(void **state)
{
    static const char *const profiles[] = {"resolve", "transport", "table-remote"};
    static const struct attempt attempt = {"connect", make_new_connection};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        const struct granted what = {.profile = profiles[i]};
        pid_t pid = fork();
        if (pid == 0)
            run_attempt(&what, &attempt, false);
        if (wait_for(pid) != DID)
            fail_msg("%s cannot connect", profiles[i]);
    }
}

static void
every_profile_lets_its_process_work(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(granted); i++) {
        work(&granted[i], false, false);
        if (geteuid() == 0)
            work(&granted[i], true, false);
    }
}

/* As under a parent that may not confine itself: the loop was made before anybody forbade rings. */
static void
a_loop_that_has_a_ring_goes_on_and_no_other_can_be_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(granted); i++)
        work(&granted[i], geteuid() == 0, true);
}

/* Each with arguments that would be refused another way if the filter let it pass. */
static void
what_a_role_was_never_seen_to_need_is_refused(void **state)
{
    enum { ACCEPT = 1, BLOB = 2, READ = 4, WRITE = 8, USER = 16 };
    static const struct {
        unsigned part;
        long call;
    } calls[] = {
        {ACCEPT, SYS_accept4}, {ACCEPT, SYS_setsockopt}, {BLOB, SYS_memfd_create},
        {READ, SYS_openat},    {READ, SYS_pread64},      {WRITE, SYS_pwrite64},
        {WRITE, SYS_fsync},    {WRITE, SYS_renameat},    {WRITE, SYS_unlinkat},
        {USER, SYS_setresuid},
    };
    static const struct {
        const char *profile;
        unsigned refused;
    } rows[] = {
        {"smtp", READ | WRITE | USER},
        {"access", READ | WRITE | USER},
        {"keys", ACCEPT | BLOB | READ | WRITE | USER},
        {"auth", ACCEPT | BLOB | USER},
        {"route", ACCEPT | BLOB | WRITE | USER},
        {"table", ACCEPT | BLOB | WRITE | USER},
        {"deliver", ACCEPT | READ | WRITE | USER},
        {"letterbox", ACCEPT},
        {"store", USER},
        {"index", ACCEPT | USER},
        {"resolve", READ | WRITE | USER},
        {"transport", READ | WRITE | USER},
        {"issuer", READ | WRITE | USER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows) * COUNT_OF(calls); i++) {
        const struct granted what = {.profile = rows[i / COUNT_OF(calls)].profile};
        long call = calls[i % COUNT_OF(calls)].call;
        if (!(rows[i / COUNT_OF(calls)].refused & calls[i % COUNT_OF(calls)].part))
            continue;
        pid_t pid = fork();
        if (pid == 0) {
            struct buffer report;
            confine(&what, &report);
            _exit(syscall(call, -1, NULL, 0, 0, 0) < 0 && errno == EPERM ? REFUSED : DID);
        }
        if (wait_for(pid) != REFUSED)
            fail_msg("%s can make call %ld", what.profile, call);
    }
}

static void
the_parent_starts_processes_and_looks_into_none(void **state)
{
    const struct granted *parent = &granted[COUNT_OF(granted) - 1];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        bool is_its_work = attempts[i].run == make_process || attempts[i].run == run_program ||
                           attempts[i].run == signal_process || attempts[i].run == make_socket;
        bool is_forbidden = attempts[i].run == trace_process || attempts[i].run == read_memory;
        if (!is_its_work && !is_forbidden)
            continue;
        pid_t pid = fork();
        if (pid == 0)
            run_attempt(parent, &attempts[i], false);
        assert_int_equal(wait_for(pid), is_its_work ? DID : -SIGSYS);
    }
}

static void
without_confinement_the_attempts_succeed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        if (attempts[i].run == map_code || attempts[i].run == trace_process ||
            attempts[i].run == remove_file || attempts[i].run == make_file ||
            (attempts[i].run == become_root && geteuid() != 0))
            continue; /* would fail anywhere, or spoil what the others need */
        pid_t pid = fork();
        if (pid == 0)
            _exit(attempts[i].run() ? DID : REFUSED);
        if (wait_for(pid) != DID)
            fail_msg("the attempt to %s fails by itself", attempts[i].name);
    }
}

static void
what_is_required_and_missing_stops_the_start(void **state)
{
    struct buffer report;
    const char *const nowhere[] = {"/nonexistent/folder"};
    struct sandbox_request request = {
        .user_prefix = "facteur", .writable = nowhere, .writable_count = 1};

    (void)state;
    assert_null(sandbox_find("nobody-knows"));
    pid_t pid = fork();
    if (pid == 0) {
        buffer_init(&report, 400);
        int error = sandbox_enter(sandbox_find("store"), &request, &report);
        bool is_named = slice_find(buffer_slice(&report), SLICE("/nonexistent/folder")) <
                        buffer_len(&report);
        bool has_landlock = slice_find(buffer_slice(&report), SLICE("landlock=none")) ==
                            buffer_len(&report);
        /* What was not tried is not said to have failed. */
        bool blames_seccomp =
            slice_find(buffer_slice(&report), SLICE("seccomp")) < buffer_len(&report);
        _exit(!has_landlock || (error == -ENOENT && is_named && !blames_seccomp) ? DID
                                                                                 : NOT_CONFINED);
    }
    assert_int_equal(wait_for(pid), DID);
}

static void
write_file(const char *folder, const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
}

static int
prepare(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);

    (void)state;
    assert_non_null(mkdtemp(place));
    assert_int_equal(chmod(place, 0755), 0);
    snprintf(inside, sizeof(inside), "%s/inside", place);
    snprintf(outside, sizeof(outside), "%s/outside", place);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_int_equal(mkdir(outside, 0777), 0);
    assert_int_equal(chmod(outside, 0777), 0);
    write_file(inside, "present");
    write_file(outside, "file");
    write_file(outside, "removable");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 100), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    port = ntohs(at.sin_port);
    open_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    victim = fork();
    if (victim == 0) {
        pause();
        _exit(0);
    }
    return victim > 0 ? 0 : -1;
}

static int
clean_up(void **state)
{
    static const char *const names[] = {"inside/present",   "inside",  "outside/file",
                                        "outside/removable", "outside", ""};
    char path[200];

    (void)state;
    kill(victim, SIGKILL);
    waitpid(victim, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        assert_int_equal(remove(path), 0);
    }
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_confinement_the_attempts_succeed),
        cmocka_unit_test(no_profile_lets_its_process_out),
        cmocka_unit_test(every_profile_lets_its_process_work),
        cmocka_unit_test(a_loop_that_has_a_ring_goes_on_and_no_other_can_be_made),
        cmocka_unit_test(what_a_role_was_never_seen_to_need_is_refused),
        cmocka_unit_test(whose_work_is_to_connect_connects),
        cmocka_unit_test(the_parent_starts_processes_and_looks_into_none),
        cmocka_unit_test(what_is_required_and_missing_stops_the_start),
    };
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
