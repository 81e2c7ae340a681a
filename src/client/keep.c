/* SPDX-License-Identifier: ISC */
#include "client/keep.h"

#include "delivery/maildir.h"
#include "delivery/put.h"
#include "host/linux/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOCK_TRIES = 300, LOCK_WAIT_MS = 100 };

enum client_keep_kind
client_keep_kind_of(const char *path)
{
    struct stat info;
    size_t len = strlen(path);

    if (stat(path, &info) == 0)
        return S_ISDIR(info.st_mode) ? CLIENT_KEEP_MAILDIR : CLIENT_KEEP_MBOX;
    return len > 0 && path[len - 1] == '/' ? CLIENT_KEEP_MAILDIR : CLIENT_KEEP_MBOX;
}

/* ---- mbox ---------------------------------------------------------------------------------- */

static bool
keep_mbox(const char *path, struct slice message, struct client_problem *problem)
{
    char *absolute = NULL;
    char folder[PATH_MAX];
    struct host *host;
    struct buffer why;
    enum put_result result = PUT_BUSY;

    if (path[0] != '/' && !getcwd(folder, sizeof(folder)))
        return client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", path, strerror(errno));
    if (asprintf(&absolute, "%s%s%s", path[0] == '/' ? "" : folder, path[0] == '/' ? "" : "/",
                 path) < 0 ||
        host_linux_open(&host) != 0)
        abort();
    buffer_init(&why, sizeof(problem->text));
    for (int i = 0; i < LOCK_TRIES && result == PUT_BUSY; i++) {
        struct put_message put = {.path = absolute,
                                  .user = "",
                                  .sender = SLICE(""),
                                  .message = message,
                                  .hostname = SLICE("localhost"),
                                  .received = client_wall()};
        buffer_clear(&why);
        result = put_mbox(host, &put, &why);
        if (result == PUT_BUSY)
            (void)usleep(LOCK_WAIT_MS * 1000);
    }
    if (result != PUT_DONE)
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %.*s", path,
                           CLIENT_TEXT(buffer_slice(&why)));
    buffer_finish(&why);
    host_linux_close(&host);
    free(absolute);
    return result == PUT_DONE;
}

/* ---- Maildir ------------------------------------------------------------------------------- */

bool
client_keep_make_maildir(const char *path, struct client_problem *problem)
{
    static const char *const parts[] = {"", "/tmp", "/new", "/cur"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        char *folder = NULL;
        if (asprintf(&folder, "%s%s", path, parts[i]) < 0)
            abort();
        bool is_there = mkdir(folder, 0700) == 0 || errno == EEXIST;
        if (!is_there)
            client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", folder, strerror(errno));
        free(folder);
        if (!is_there)
            return false;
    }
    return true;
}

static bool
write_file(const char *path, struct slice bytes)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_done = descriptor >= 0;

    while (is_done && bytes.len > 0) {
        ssize_t count = write(descriptor, bytes.at, bytes.len);
        is_done = count >= 0 || errno == EINTR;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    is_done = is_done && fsync(descriptor) == 0;
    if (descriptor >= 0)
        close(descriptor);
    return is_done;
}

static void
sync_folder(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
}

static unsigned
maildir_flags(uint32_t flags)
{
    return (flags & CLIENT_SEEN ? (unsigned)MAILDIR_SEEN : 0) |
           (flags & CLIENT_ANSWERED ? (unsigned)MAILDIR_REPLIED : 0) |
           (flags & CLIENT_FLAGGED ? (unsigned)MAILDIR_FLAGGED : 0) |
           (flags & CLIENT_DELETED ? (unsigned)MAILDIR_TRASHED : 0) |
           (flags & CLIENT_DRAFT ? (unsigned)MAILDIR_DRAFT : 0);
}

static bool
keep_maildir(const char *path, struct slice message, uint32_t flags, struct client_problem *problem)
{
    struct buffer name, content;
    uint64_t random;
    char *from = NULL, *to = NULL, *folder = NULL;

    if (!client_keep_make_maildir(path, problem))
        return false;
    buffer_init(&name, NAME_MAX + 1);
    buffer_init(&content, message.len + 1);
    client_random(&random, sizeof(random));
    maildir_put_lf(&content, message);
    maildir_put_name(&name, client_wall(), random, SLICE("localhost"), buffer_len(&content));
    int made = asprintf(&from, "%s/tmp/%.*s", path, CLIENT_TEXT(buffer_slice(&name)));
    if (flags != 0)
        maildir_put_flags(&name, maildir_flags(flags));
    if (made < 0 || asprintf(&folder, "%s/%s", path, flags != 0 ? "cur" : "new") < 0 ||
        asprintf(&to, "%s/%.*s", folder, CLIENT_TEXT(buffer_slice(&name))) < 0)
        abort();
    bool is_done = write_file(from, buffer_slice(&content)) && rename(from, to) == 0;
    if (is_done)
        sync_folder(folder);
    else
        client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", to, strerror(errno));
    buffer_finish(&name);
    buffer_finish(&content);
    free(from);
    free(to);
    free(folder);
    return is_done;
}

bool
client_keep(const char *path, enum client_keep_kind kind, struct slice message, uint32_t flags,
            struct client_problem *problem)
{
    return kind == CLIENT_KEEP_MAILDIR ? keep_maildir(path, message, flags, problem)
                                       : keep_mbox(path, message, problem);
}

/* ---- a program ----------------------------------------------------------------------------- */

/* In the child: the message is the shell's standard input. */
static _Noreturn void
run_shell(const char *command, int input)
{
    char *const words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                           (char *)(uintptr_t)command, NULL};

    if (dup2(input, STDIN_FILENO) >= 0)
        (void)execv("/bin/sh", words);
    _exit(127);
}

bool
client_keep_pipe(const char *command, struct slice message, struct client_problem *problem)
{
    struct buffer content;
    int status = -1;
    FILE *file = tmpfile(); /* no pipe: a program that does not read cannot stop us */

    buffer_init(&content, message.len + 1);
    maildir_put_lf(&content, message);
    struct slice bytes = buffer_slice(&content);
    bool is_written = file && fwrite(bytes.at, 1, bytes.len, file) == bytes.len &&
                      fflush(file) == 0 && fseek(file, 0, SEEK_SET) == 0;
    buffer_finish(&content);
    if (is_written) {
        pid_t child = fork();
        if (child == 0)
            run_shell(command, fileno(file));
        while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (file)
        fclose(file);
    if (status == 0)
        return true;
    if (status < 0)
        return client_problem_set(problem, CLIENT_PROBLEM_FILE, "%s: %s", command, strerror(errno));
    return client_problem_set(problem, CLIENT_PROBLEM_FILE, "'%s' ended with %d", command,
                              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
