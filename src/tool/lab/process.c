/* SPDX-License-Identifier: ISC */
/* Servers in the background: FOLDER/HOST/pid says which process it is. */
#include "tool/lab/lab.h"

#include "base/buffer.h"
#include "base/cursor.h"
#include "tool/files.h"
#include "tool/say.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { TRIES = 1200, TRY_US = 50000, PID_TEXT_MAX = 32, WORDS_MAX = 8192, ABSENT_MAX = 20 };

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0644};

/* Its words name a file of this host: the number may be another process's by now. One that has
 * ended and waits to be reaped has no words. */
static bool
is_ours(const struct lab *lab, const char *host, uint32_t number)
{
    char *folder = lab_path(lab, host, ""), words[WORDS_MAX];
    int len = snprintf(words, sizeof(words), "/proc/%u/cmdline", number);
    int descriptor = open(words, O_RDONLY | O_CLOEXEC);
    ssize_t got = descriptor >= 0 ? read(descriptor, words, sizeof(words)) : -1;
    struct slice text = slice_of((const uint8_t *)words, got > 0 ? (size_t)got : 0);
    bool is_found = len > 0 && slice_find(text, slice_of_string(folder)) < text.len;

    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return is_found;
}

pid_t
lab_process(const struct lab *lab, const char *host)
{
    char *path = lab_path(lab, host, "pid");
    struct buffer text;
    uint32_t number = 0;
    int code = files_read_if_any(path, PID_TEXT_MAX, &text);
    struct cursor cursor = cursor_of(slice_trim(buffer_slice(&text)));

    if (code != EX_OK || !cursor_take_u32(&cursor, 2, INT32_MAX, &number) ||
        !is_ours(lab, host, number))
        number = 0;
    buffer_finish(&text);
    free(path);
    return (pid_t)number;
}

/* In the child: a session of its own, so that Ctrl-C in the terminal is not for it. */
_Noreturn static void
become(const char *log_path, char *const *words)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (null < 0 || log < 0 || setsid() < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(EX_OSERR);
    execvp(words[0], words);
    _exit(EX_UNAVAILABLE);
}

static int
run(const struct lab *lab, const char *host, char *const *words)
{
    char *log_path = lab_path(lab, host, "log"), *pid_path = lab_path(lab, host, "pid");
    struct buffer text;
    uint8_t byte;
    int begun[2];
    pid_t pid = pipe2(begun, O_CLOEXEC) == 0 ? fork() : -1;

    if (pid == 0)
        become(log_path, words);
    /* Ends when the program has begun, or could not: then it has another name already. */
    if (pid > 0) {
        close(begun[1]);
        while (read(begun[0], &byte, 1) < 0 && errno == EINTR)
            continue;
        close(begun[0]);
    }
    buffer_init(&text, PID_TEXT_MAX);
    buffer_put_decimal(&text, (uint64_t)pid);
    buffer_put_text(&text, "\n");
    int code = pid < 0
                   ? say_error(EX_OSERR, "cannot start a process for %s: %s", host, strerror(errno))
                   : files_replace(pid_path, buffer_slice(&text), &own);
    buffer_finish(&text);
    free(log_path);
    free(pid_path);
    return code;
}

static bool
is_listening(const char *address, unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there =
        descriptor >= 0 && inet_pton(AF_INET, address, &to.sin_addr) == 1 &&
        connect(descriptor, (const struct sockaddr *)(const void *)&to, sizeof(to)) == 0;

    if (descriptor >= 0)
        close(descriptor);
    return is_there;
}

static int
await(const struct lab *lab, const char *host, const char *address, unsigned port)
{
    /* While one program becomes another, it has no words for a moment. */
    for (unsigned i = 0, absent = 0; i < TRIES && absent < ABSENT_MAX; i++) {
        if (is_listening(address, port))
            return EX_OK;
        absent = lab_process(lab, host) > 0 ? 0 : absent + 1;
        usleep(TRY_US);
    }
    return say_error(EX_UNAVAILABLE, "%s does not start; see %s/%s/log", host, lab->folder, host);
}

int
lab_start_names(const struct lab *lab)
{
    char *path = lab_path(lab, "names", "nsd.conf");
    /* Debian has it where ordinary users do not look. */
    char program[] = "/usr/sbin/nsd", foreground[] = "-d", option[] = "-c";
    char *words[] = {program, foreground, option, path, NULL};
    int code = EX_OK;

    if (!files_exists(program))
        code = say_error(EX_UNAVAILABLE, "the lab needs a name server: apt install nsd");
    else if (lab_process(lab, "names") == 0)
        code = run(lab, "names", words);
    if (code == EX_OK)
        code = await(lab, "names", lab->names, LAB_NAMES_PORT);
    free(path);
    return code;
}

int
lab_start(const struct lab *lab, const struct lab_host *host)
{
    char *path = lab_path(lab, host->name, "facteur.conf");
    char program[] = "/proc/self/exe", serve[] = "serve", option[] = "--config";
    char *words[] = {program, serve, option, path, NULL};
    int code = EX_OK;

    if (lab_process(lab, host->name) == 0)
        code = run(lab, host->name, words);
    if (code == EX_OK)
        code = await(lab, host->name, lab_address(lab, host), LAB_PORT);
    free(path);
    return code;
}

int
lab_stop(const struct lab *lab, const char *host)
{
    pid_t pid = lab_process(lab, host);

    if (pid == 0)
        return EX_OK;
    (void)kill(pid, SIGTERM);
    for (unsigned i = 0; i < TRIES && lab_process(lab, host) == pid; i++)
        usleep(TRY_US);
    return lab_process(lab, host) == pid
               ? say_error(EX_UNAVAILABLE, "%s does not end; its process is %d", host, (int)pid)
               : EX_OK;
}
