/* SPDX-License-Identifier: ISC */
/* facteur mail: becomes the terminal client, a program of its own (docs/why/071). */
#include "tool/files.h"
#include "tool/mail/desk.h"
#include "tool/say.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ADDRESS_MAX = 500 };

/* The first start: an address makes an account. */
static int
make_account(void)
{
    char address[ADDRESS_MAX];
    char word_account[] = "account", word_add[] = "add";
    char *words[] = {word_account, word_add, address};

    say_line("There is no account yet. A mail address makes one:");
    (void)fputs("address: ", stderr);
    if (!fgets(address, sizeof(address), stdin))
        return say_error(EX_USAGE, "no address was given; 'facteur account add' makes an account");
    address[strcspn(address, "\r\n")] = '\0';
    return command_main((int)COUNT_OF(words), words);
}

/* The accounts of a demo are its own. */
static int
use_demo(const char *folder)
{
    char *path = files_path(folder, "desk");
    char *config = files_path(path, "config"), *state = files_path(path, "state");
    char *whole = realpath(config, NULL);
    int code = EX_OK;

    if (!whole)
        code = say_error(EX_NOINPUT, "%s holds no demo; start one with 'facteur demo'", folder);
    else if (setenv("XDG_CONFIG_HOME", whole, 1) != 0 || files_make_folder(state, 0700) != EX_OK)
        code = EX_OSERR;
    free(whole);
    whole = code == EX_OK ? realpath(state, NULL) : NULL;
    if (code == EX_OK && (!whole || setenv("XDG_STATE_HOME", whole, 1) != 0))
        code = say_error(EX_OSERR, "%s: %s", state, strerror(errno));
    free(whole);
    free(path);
    free(config);
    free(state);
    return code;
}

static int
become_client(const struct command_call *call)
{
    const char *account = command_value(call, "account"), *box = command_value(call, "box");
    const char *theme = command_value(call, "theme");
    const char *words[] = {"facteur-mail", account ? account : "", box ? box : "",
                           theme ? theme : "", NULL};

    return command_become("facteur-mail", words);
}

static int
run_mail(const struct command_call *call)
{
    const char *theme = command_value(call, "theme"), *folder = command_value(call, "dir");
    bool is_demo = command_has(call, "demo"), has_box = command_has(call, "box");
    struct desk desk;
    int code = EX_OK;

    if (theme && strcmp(theme, "dark") != 0 && strcmp(theme, "light") != 0 &&
        strcmp(theme, "mono") != 0)
        return say_error(EX_USAGE, "--theme: expected dark, light or mono, not '%s'", theme);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return say_error(EX_USAGE, "facteur mail wants a terminal; 'facteur list' and 'facteur "
                                   "show' do without");
    if (folder && !is_demo)
        return say_error(EX_USAGE, "--dir is for --demo");
    if (is_demo)
        code = use_demo(folder ? folder : "./var/demo");
    if (code == EX_OK) {
        code = desk_open(&desk);
        bool is_first = desk.accounts.count == 0 && !has_box && !is_demo;
        desk_close(&desk);
        if (code == EX_OK && is_first)
            code = make_account();
    }
    return code == EX_OK ? become_client(call) : code;
}

const struct command command_mail = {
    .name = "mail",
    .arguments = "",
    .summary = "Read and write mail in the terminal",
    .about =
        "Shows folders, messages in threads, and what they say; writes with $VISUAL or $EDITOR; "
        "tells of new mail as it comes. The keys are those of mutt where people know them; the "
        "bottom line shows the most important ones, ? all of them. With no account yet it begins "
        "by making one.\n\nIt never loads anything that a message points at, shows links for what "
        "they are, and deletes nothing before it was asked: d marks, $ or the end of the session "
        "moves what is marked to the trash, u undoes. When the server cannot be reached, the copy "
        "of 'facteur sync' serves, where there is one; what is changed in it goes to the server "
        "when that is there again.",
    .examples = "facteur mail\n"
                "facteur mail --account work\n"
                "facteur mail --box Maildir/\n"
                "facteur mail --demo  # alice and bob of 'facteur demo'",
    .options = {{"account", "NAME", "The account to begin with; default: the first."},
                {"box", "PATH", "A Maildir, a folder of Maildirs or an mbox file, and no account."},
                {"theme", "NAME", "dark, light or mono; default: what the terminal says it is."},
                {"demo", NULL, "The accounts of 'facteur demo'."},
                {"dir", "DIR", "Where the demo lies; default: ./var/demo."}},
    .run = run_mail,
};
