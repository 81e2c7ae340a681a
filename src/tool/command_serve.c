/* SPDX-License-Identifier: ISC */
/* facteur serve: looks at the configuration, and becomes the parent. */
#include "host/linux/process.h"
#include "tool/command.h"
#include "tool/rehearsal.h"
#include "tool/say.h"
#include "tool/settings.h"

#include <stdlib.h>

enum { PROGRAM_PATH_MAX = 4096 };

int
command_become(const char *name, const char *const *arguments)
{
    struct buffer path;
    host_handle program;

    buffer_init(&path, PROGRAM_PATH_MAX);
    int error = host_program_open(name, &path, &program);
    if (error == 0)
        error = host_program_become(program, arguments);
    struct slice text = buffer_slice(&path);
    int code = say_error(EX_OSERR, "the program %.*s cannot be run: %s; %s", (int)text.len,
                         (const char *)text.at, strerror(-error),
                         slice_starts_with(text, SLICE("/proc/")) ? "mount /proc"
                                                                  : "install Facteur anew");
    buffer_finish(&path);
    return code;
}

int
command_become_parent(const char *config_path, int ready)
{
    char descriptor[16];
    const char *arguments[] = {"facteur", "serve", "--config", config_path, NULL, NULL};

    if (ready >= 0) {
        snprintf(descriptor, sizeof(descriptor), "%d", ready);
        arguments[4] = descriptor;
    }
    return command_become("facteur-parent", arguments);
}

static int
run_serve(const struct command_call *call)
{
    struct settings settings;
    int code = settings_load(call, &settings);

    if (code == EX_OK && command_has(call, "check")) {
        code = rehearsal_run(&settings);
        if (code == EX_OK)
            say_line("%s is right.", settings.path);
    } else if (code == EX_OK) {
        /* The server may have another current folder than we when it reads the file again. */
        char *path = realpath(settings.path, NULL);
        code = path ? command_become_parent(path, -1)
                    : say_error(EX_NOINPUT, "%s is gone; put it back", settings.path);
        free(path);
    }
    settings_finish(&settings);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .summary = "Run the mail server in the foreground",
    .about =
        "Opens the ports of the configuration, starts the processes of all roles, each confined "
        "to what it needs, and serves until SIGTERM, SIGINT or facteur stop. SIGHUP reads "
        "configuration, certificates and directory again. Events are logged to standard error, "
        "one line each.\n\nStarted as root it binds the low ports and gives root up in every "
        "other process; started as a user it needs ports above 1023.",
    .examples = "facteur serve --config /etc/facteur/facteur.conf\n"
                "facteur serve --check",
    .options = {COMMAND_OPTION_CONFIG,
                {"check", NULL, "Only look whether the configuration is right, as config check."}},
    .run = run_serve,
};
