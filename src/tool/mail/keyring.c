/* SPDX-License-Identifier: ISC */
#include "tool/mail/keyring.h"

#include "tool/say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 120, WORDS_MAX = 8 }; /* somebody may have to unlock it */

bool
keyring_is_there(void)
{
    const char *bus = getenv("DBUS_SESSION_BUS_ADDRESS"), *path = getenv("PATH");
    bool is_there = false;

    for (struct slice rest = slice_of_string(bus && bus[0] && path ? path : "");
         rest.len > 0 && !is_there;) {
        struct slice folder = slice_first(rest, slice_find_byte(rest, ':'));
        char *program = NULL;
        if (asprintf(&program, "%.*s/secret-tool", (int)folder.len, (const char *)folder.at) < 0)
            abort();
        is_there = folder.len > 0 && access(program, X_OK) == 0;
        free(program);
        rest = slice_skip(rest, folder.len + 1);
    }
    return is_there;
}

static _Noreturn void
run_program(char *const *words, int input, int output)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)alarm(PATIENCE_S); /* stays over exec */
    if (nowhere >= 0 && dup2(nowhere, STDERR_FILENO) >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
        dup2(output, STDOUT_FILENO) >= 0)
        (void)execvp(words[0], words);
    _exit(127);
}

/* Runs `secret-tool COMMAND … service facteur account ACCOUNT`, gives it the input, takes what it
 * prints. */
static bool
run(const char *const *command, const char *account, struct slice input, struct buffer *output)
{
    const char *const attributes[] = {"service", "facteur", "account", account, NULL};
    const char *words[WORDS_MAX + COUNT_OF(attributes)] = {"secret-tool"};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, status = -1;
    char bytes[SAY_PASSWORD_MAX + 1];
    size_t count = 1;
    ssize_t len = 0;

    for (size_t i = 0; command[i] && count < WORDS_MAX; i++)
        words[count++] = command[i];
    memcpy(words + count, attributes, sizeof(attributes));
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0)
        run_program((char *const *)(uintptr_t)words, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    bool is_good = child > 0 && write(in[1], input.at, input.len) == (ssize_t)input.len;
    close(in[1]);
    while (child > 0 && (len = read(out[0], bytes, sizeof(bytes))) > 0 && output)
        buffer_put(output, slice_of(bytes, (size_t)len));
    explicit_bzero(bytes, sizeof(bytes));
    close(out[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return is_good && status == 0;
}

bool
keyring_store(const char *account, struct slice password)
{
    char *label = NULL;

    if (asprintf(&label, "--label=Facteur: %s", account) < 0)
        abort();
    bool is_stored = run((const char *const[]){"store", label, NULL}, account, password, NULL);
    free(label);
    return is_stored;
}

bool
keyring_look_up(const char *account, struct buffer *ret_password)
{
    size_t before = buffer_len(ret_password);

    if (!run((const char *const[]){"lookup", NULL}, account, SLICE(""), ret_password))
        buffer_truncate(ret_password, before);
    return buffer_len(ret_password) > before && !buffer_overflowed(ret_password);
}

void
keyring_remove(const char *account)
{
    (void)run((const char *const[]){"clear", NULL}, account, SLICE(""), NULL);
}
