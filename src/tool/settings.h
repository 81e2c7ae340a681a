/* SPDX-License-Identifier: ISC */
/* The configuration file of a command: found by --config, $FACTEUR_CONFIG or its usual place, read
 * and completed with what only the machine knows (its name). */
#ifndef TOOL_SETTINGS_H
#define TOOL_SETTINGS_H

#include "config/config.h"
#include "tool/command.h"

#define SETTINGS_PATH "/etc/facteur/facteur.conf"

struct settings {
    const char *path; /* borrowed from the call or the environment */
    struct arena arena;
    struct config config;
    char *data_dir; /* owned, as the next two; strings of config */
    char *runtime_dir;
    char *run_as;
};

/* 0, or an exit code after every error was told. The call's command has the option --config.
 * settings_finish is due in any case. */
MUST_USE int settings_load(const struct command_call *call, struct settings *ret_settings);

/* The same for a given path; `is_checked` false: only read it, do not look at it as a whole. */
MUST_USE int settings_load_path(const char *path, bool is_checked, struct settings *ret_settings);

/* The domain of names that stand without one on this machine: the option `origin`, else what Debian
 * keeps in /etc/mailname, else hostname. Lives as long as the settings. */
struct slice settings_origin(struct settings *settings);
/* The same for settings that are not ours to change; what must be kept lies in the arena. */
struct slice settings_find_origin(const struct settings *settings, struct arena *arena);

void settings_finish(struct settings *settings);

#endif
