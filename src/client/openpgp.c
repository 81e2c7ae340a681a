/* SPDX-License-Identifier: ISC */
#include "client/openpgp.h"

#include "host/linux/process.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXCHANGE_MAX = 1 << 29, PIECE = 1 << 16 };

/* A file that is only memory: both processes read and write it as they like, and neither waits for
 * the other. */
static int
open_memory(void)
{
    return memfd_create("openpgp", MFD_CLOEXEC);
}

static bool
write_all(int descriptor, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t count = write(descriptor, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, count > 0 ? (size_t)count : 0);
    }
    return lseek(descriptor, 0, SEEK_SET) == 0;
}

static bool
read_all(int descriptor, struct buffer *out)
{
    if (lseek(descriptor, 0, SEEK_SET) != 0)
        return false;
    for (;;) {
        uint8_t *space = buffer_reserve(out, PIECE);
        ssize_t count = space ? read(descriptor, space, PIECE) : -1;
        if (count <= 0)
            return count == 0;
        buffer_commit(out, (size_t)count);
    }
}

/* GnuPG asks for a passphrase on the terminal, and wants to be told which one that is. The
 * environment of this process is not ours to change: other threads of the caller read it. NULL: it
 * will do as it is; else freed by the caller. */
static char **
environment_with_terminal(void)
{
    static const char setting[] = "GPG_TTY=";
    char terminal[PATH_MAX], **ours = environ;
    size_t count = 0;

    if (getenv("GPG_TTY") || ttyname_r(STDERR_FILENO, terminal, sizeof(terminal)) != 0)
        return NULL;
    while (ours && ours[count])
        count++;
    size_t list = (count + 2) * sizeof(char *), len = strlen(terminal) + 1;
    char **own = calloc(1, list + sizeof(setting) + len);
    if (!own)
        abort();
    char *text = (char *)own + list;
    memcpy(text, setting, sizeof(setting) - 1);
    memcpy(text + sizeof(setting) - 1, terminal, len);
    for (size_t i = 0; i < count; i++)
        own[i] = ours[i];
    own[count] = text;
    return own;
}

/* The status of the program when it has ended; -1 with errno when it could not run. */
static int
run(int input, int output)
{
    static const char *const words[] = {"facteur-openpgp", NULL};
    host_handle program;
    int status = -1, error = host_program_open(words[0], NULL, &program);

    if (error != 0) {
        errno = -error;
        return -1;
    }
    char **environment = environment_with_terminal();
    pid_t child = fork();
    if (child == 0) {
        environ = environment ? environment : environ;
        if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
            (void)host_program_become(program, words);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    free(environment);
    close(program);
    return status;
}

static bool
exchange(struct slice question, struct buffer *answer)
{
    int input = open_memory(), output = open_memory();
    bool is_done = input >= 0 && output >= 0 && write_all(input, question) &&
                   run(input, output) == 0 && read_all(output, answer);

    if (input >= 0)
        close(input);
    if (output >= 0)
        close(output);
    return is_done;
}

bool
client_openpgp_ask(const struct openpgp_question *question, struct arena *arena,
                   struct openpgp_answer *ret_answer, struct client_problem *problem)
{
    struct buffer bytes, answer;

    buffer_init(&bytes, EXCHANGE_MAX);
    buffer_init(&answer, EXCHANGE_MAX);
    openpgp_question_put(question, &bytes);
    errno = 0;
    bool is_done =
        !buffer_overflowed(&bytes) && exchange(buffer_slice(&bytes), &answer) &&
        openpgp_answer_parse(arena_copy(arena, buffer_slice(&answer)), arena, ret_answer);
    int error = errno;
    buffer_finish(&bytes);
    buffer_finish(&answer);
    return is_done || client_problem_set(problem, CLIENT_PROBLEM_FILE,
                                         "the program facteur-openpgp gave no answer: %s; install "
                                         "Facteur anew",
                                         error != 0 ? strerror(error) : "it failed");
}
