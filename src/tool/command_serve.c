/* SPDX-License-Identifier: ISC */
/* facteur serve, and the processes of its roles. */
#include "role/parent/parent.h"
#include "tool/command.h"
#include "tool/say.h"
#include "tool/settings.h"

#include <stdlib.h>

static int
run_serve(const struct command_call *call)
{
    struct settings settings;
    int code = settings_load(call, &settings);

    if (code == EX_OK && command_has(call, "check")) {
        say_line("%s is right.", settings.path);
    } else if (code == EX_OK) {
        /* The server may have another current folder than we when it reads the file again. */
        char *path = realpath(settings.path, NULL);
        struct parent_options options = {.config_path = path, .is_confined = true};
        code = path ? parent_serve(&settings.config, &options)
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
                {"check", NULL, "Only look whether the configuration is right."}},
    .run = run_serve,
};

static int
run_role(const struct command_call *call)
{
    (void)call;
    return role_process_main();
}

const struct command command_role = {
    .name = "role",
    .arguments = "[NAME]",
    .summary = "The process of a role",
    .about = "Run by the parent, never by hand: expects a channel to it as descriptor 3.",
    .arguments_max = 1,
    .run = run_role,
    .is_hidden = true,
};
