/* SPDX-License-Identifier: ISC */
#include "tool/mail/desk.h"

#include "tool/files.h"
#include "tool/mail/keyring.h"
#include "tool/say.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACCOUNTS_MAX = 4 << 20, TRACE_MAX = 64 << 20 };

/* ---- paths --------------------------------------------------------------------------------- */

/* Where a file of this person lies; the folder is made if something is to be put there. */
static char *
path_below(const char *variable, const char *usual, const char *name, bool is_made)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    char *folder = NULL, *path;

    if (base && base[0] == '/') {
        folder = files_path(base, "facteur");
    } else if (home && home[0] == '/') {
        char *above = files_path(home, usual);
        folder = files_path(above, "facteur");
        free(above);
    } else {
        say_error(EX_CONFIG, "neither %s nor HOME is set; set one of them", variable);
        return NULL;
    }
    if (is_made && files_make_folder(folder, 0700) != EX_OK) {
        free(folder);
        return NULL;
    }
    path = files_path(folder, name);
    free(folder);
    return path;
}

char *
desk_config_path(const char *name)
{
    return path_below("XDG_CONFIG_HOME", ".config", name, true);
}

char *
desk_state_path(const char *name)
{
    return path_below("XDG_STATE_HOME", ".local/state", name, true);
}

char *
desk_copy_root(const struct client_account *account)
{
    const char *home = getenv("HOME");

    if (account->copy && account->copy[0] == '/')
        return files_path("", account->copy + 1);
    if (account->copy && account->copy[0]) {
        say_error(EX_CONFIG, "copy = %s: write the path from the root on", account->copy);
        return NULL;
    }
    if (!home || home[0] != '/') {
        say_error(EX_CONFIG, "HOME is not set; set it, or the account's copy");
        return NULL;
    }
    char *mail = files_path(home, "Mail"), *path = files_path(mail, account->name);
    free(mail);
    return path;
}

/* ---- problems ------------------------------------------------------------------------------ */

int
desk_code(enum client_problem_kind kind)
{
    static const int codes[] = {
        [CLIENT_PROBLEM_NONE] = EX_OK,
        [CLIENT_PROBLEM_SETTINGS] = EX_CONFIG,
        [CLIENT_PROBLEM_UNREACHABLE] = EX_TEMPFAIL,
        [CLIENT_PROBLEM_INSECURE] = EX_NOPERM,
        [CLIENT_PROBLEM_LOGIN] = EX_NOPERM,
        [CLIENT_PROBLEM_PROTOCOL] = EX_PROTOCOL,
        [CLIENT_PROBLEM_TEMPORARY] = EX_TEMPFAIL,
        [CLIENT_PROBLEM_REFUSED] = EX_UNAVAILABLE,
        [CLIENT_PROBLEM_MISSING] = EX_NOINPUT,
        [CLIENT_PROBLEM_FILE] = EX_IOERR,
        [CLIENT_PROBLEM_TOO_LARGE] = EX_DATAERR,
    };

    return codes[kind];
}

int
desk_tell(const struct client_problem *problem)
{
    return say_error(desk_code(problem->kind), "%s", problem->text);
}

/* ---- accounts ------------------------------------------------------------------------------ */

int
desk_open(struct desk *ret_desk)
{
    struct client_problem problem = {0};
    struct buffer text;
    int code;

    *ret_desk = (struct desk){0};
    arena_init(&ret_desk->arena, ACCOUNTS_MAX);
    buffer_init(&ret_desk->password, SAY_PASSWORD_MAX + 1);
    buffer_init(&ret_desk->trace, TRACE_MAX);
    char *path = path_below("XDG_CONFIG_HOME", ".config", "accounts", false);
    if (!path)
        return EX_CONFIG;
    code = files_read_if_any(path, ACCOUNTS_MAX, &text);
    if (code == EX_OK && !client_accounts_parse(&ret_desk->arena, buffer_slice(&text),
                                                &ret_desk->accounts, &problem))
        code = say_error(desk_code(problem.kind), "%s: %s", path, problem.text);
    buffer_finish(&text);
    free(path);
    return code;
}

void
desk_close(struct desk *desk)
{
    struct slice trace = buffer_slice(&desk->trace);

    (void)say_text(stderr, trace);
    buffer_wipe(&desk->password);
    buffer_finish(&desk->trace);
    arena_finish(&desk->arena);
}

int
desk_run(const struct command_call *call, desk_fn fn)
{
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK)
        code = fn(&desk, call);
    desk_close(&desk);
    return code;
}

int
desk_write_accounts(const struct client_accounts *accounts)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    struct client_accounts read_again;
    struct client_problem problem = {0};
    struct buffer text;
    struct arena arena;
    int code = EX_OK;

    buffer_init(&text, ACCOUNTS_MAX);
    for (size_t i = 0; i < accounts->count; i++) {
        buffer_put_text(&text, i > 0 ? "\n" : "");
        client_account_format(&accounts->accounts[i], &text);
    }
    arena_init(&arena, ACCOUNTS_MAX);
    if (!client_accounts_parse(&arena, buffer_slice(&text), &read_again, &problem))
        code = desk_tell(&problem);
    arena_finish(&arena);
    char *path = code == EX_OK ? desk_config_path("accounts") : NULL;
    if (path)
        code = files_replace(path, buffer_slice(&text), &owner);
    else if (code == EX_OK)
        code = EX_CONFIG;
    free(path);
    buffer_finish(&text);
    return code;
}

/* ---- passwords ----------------------------------------------------------------------------- */

/* The line of an account in the file of passwords: NAME, a blank, the password. */
static bool
find_password(struct slice text, const char *account, size_t *ret_start, struct slice *ret_line)
{
    size_t len = strlen(account);

    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_skip(text, at);
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n'));
        if (line.len > len && slice_starts_with(line, slice_of_string(account)) &&
            line.at[len] == ' ') {
            *ret_start = at;
            *ret_line = line;
            return true;
        }
        at += line.len + 1;
    }
    return false;
}

static int
write_password(const char *account, struct slice password)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};
    char *path = desk_config_path("passwords");
    struct buffer old, text;
    struct slice line;
    size_t start;

    if (!path)
        return EX_CONFIG;
    int code = files_read_if_any(path, ACCOUNTS_MAX, &old);
    buffer_init(&text, ACCOUNTS_MAX);
    struct slice before = buffer_slice(&old);
    if (find_password(before, account, &start, &line)) {
        buffer_put(&text, slice_first(before, start));
        buffer_put(&text, slice_skip(before, start + line.len + 1));
    } else {
        buffer_put(&text, before);
    }
    if (password.len > 0) {
        buffer_put_text(&text, account);
        buffer_put_byte(&text, ' ');
        buffer_put(&text, password);
        buffer_put_byte(&text, '\n');
    }
    if (code == EX_OK && !slice_equal(before, buffer_slice(&text)))
        code = files_replace(path, buffer_slice(&text), &owner);
    buffer_wipe(&old);
    buffer_wipe(&text);
    free(path);
    return code;
}

/* Into the keyring of the session; where there is none, into the file. */
int
desk_store_password(const char *account, struct slice password)
{
    bool has_keyring = keyring_is_there();

    if (has_keyring && password.len > 0 && keyring_store(account, password))
        return write_password(account, SLICE(""));
    if (has_keyring)
        keyring_remove(account);
    return write_password(account, password);
}

/* The first line that a command of the user's prints. */
static int
run_password_command(const char *command, struct buffer *ret_password)
{
    int ends[2], status = -1;
    char bytes[SAY_PASSWORD_MAX + 1];
    size_t len = 0;
    ssize_t count = 0;

    if (pipe(ends) != 0)
        return say_error(EX_OSERR, "%s: %s", command, strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        char *const words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                               (char *)(uintptr_t)command, NULL};
        if (dup2(ends[1], STDOUT_FILENO) >= 0 && close(ends[0]) == 0)
            (void)execv("/bin/sh", words);
        _exit(127);
    }
    close(ends[1]);
    while (len < sizeof(bytes) && (count = read(ends[0], bytes + len, sizeof(bytes) - len)) > 0)
        len += (size_t)count;
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    struct slice line =
        slice_first(slice_of(bytes, len), slice_find_byte(slice_of(bytes, len), '\n'));
    buffer_put(ret_password, line);
    explicit_bzero(bytes, sizeof(bytes));
    return status == 0 && line.len > 0
               ? EX_OK
               : say_error(EX_CONFIG,
                           "password-command '%s' failed or printed nothing; run it "
                           "by hand to see why",
                           command);
}

static int
get_password(const struct client_account *account, struct buffer *ret_password)
{
    struct buffer text;
    struct slice line;
    size_t start;

    if (account->password_command)
        return run_password_command(account->password_command, ret_password);
    char *path = desk_config_path("passwords");
    if (!path)
        return EX_CONFIG;
    int code = files_read_if_any(path, ACCOUNTS_MAX, &text);
    free(path);
    if (code == EX_OK && find_password(buffer_slice(&text), account->name, &start, &line))
        buffer_put(ret_password, slice_skip(line, strlen(account->name) + 1));
    buffer_wipe(&text);
    if (code != EX_OK || buffer_len(ret_password) > 0)
        return code;
    if (keyring_is_there() && keyring_look_up(account->name, ret_password))
        return EX_OK;
    if (!isatty(STDIN_FILENO))
        return say_error(EX_CONFIG,
                         "no password is stored for the account %s; store one with 'facteur "
                         "account add', or set password-command",
                         account->name);
    return say_ask_password(false, false, ret_password);
}

int
desk_log_in(struct desk *desk, const char *account, bool is_traced)
{
    const struct client_account *found = client_accounts_find(&desk->accounts, account);

    if (!found && account)
        return say_error(EX_CONFIG, "there is no account %s; 'facteur account list' shows all",
                         account);
    if (!found)
        return say_error(EX_CONFIG, "there is no account yet; begin with 'facteur account add'");
    desk->login = (struct client_login){.account = found, .trace = is_traced ? &desk->trace : NULL};
    buffer_clear(&desk->password);
    int code = get_password(found, &desk->password);
    desk->login.password = buffer_slice(&desk->password);
    return code;
}

int
desk_open_folder(struct desk *desk, const struct command_call *call, bool is_read_only,
                 struct client_folder **ret_folder)
{
    const char *box = command_value(call, "box"), *folder = command_value(call, "folder");
    struct client_folder_place place = {
        .path = box, .folder = folder ? folder : "INBOX", .is_read_only = is_read_only};
    struct client_problem problem = {0};

    if (box && (folder || command_has(call, "account")))
        return say_error(EX_USAGE, "--box is a place of its own; leave --account and --folder out");
    if (!box) {
        int code = desk_log_in(desk, command_value(call, "account"), command_has(call, "trace"));
        if (code != EX_OK)
            return code;
        place.login = &desk->login;
    }
    *ret_folder = client_folder_open(&place, &problem);
    if (!*ret_folder && folder && desk_code(problem.kind) == EX_NOINPUT)
        return say_error(EX_NOINPUT, "%s (folder %s); 'facteur folders' lists those that there are",
                         problem.text, folder);
    return *ret_folder ? EX_OK : desk_tell(&problem);
}
