/* SPDX-License-Identifier: ISC */
#include "tool/settings.h"

#include "tool/files.h"
#include "tool/say.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAILNAME_PATH "/etc/mailname"

enum { ERRORS_MAX = 1 << 16, HOSTNAME_MAX_LEN = 255, MAILNAME_MAX = 4096 };

static char *
string_of(struct slice text)
{
    char *string = strndup((const char *)text.at, text.len);

    if (!string)
        abort();
    return string;
}

/* The machine's own name, for configurations that name none. */
static void
complete_hostname(struct settings *settings)
{
    char name[HOSTNAME_MAX_LEN + 1] = "";

    if (settings->config.hostname.len > 0)
        return;
    if (gethostname(name, sizeof(name)) != 0 || name[0] == '\0')
        memcpy(name, "localhost", sizeof("localhost"));
    name[HOSTNAME_MAX_LEN] = '\0';
    settings->config.hostname = arena_copy(&settings->arena, slice_of_string(name));
}

static int
parse(struct slice text, bool is_checked, struct settings *settings)
{
    struct slice name = slice_of_string(settings->path);
    struct buffer errors;

    buffer_init(&errors, ERRORS_MAX);
    bool is_good = config_parse(text, name, &settings->arena, &errors, &settings->config) &&
                   (!is_checked || config_check(&settings->config, name, &errors));
    fwrite(buffer_slice(&errors).at, 1, buffer_len(&errors), stderr);
    buffer_finish(&errors);
    return is_good ? EX_OK : EX_CONFIG;
}

int
settings_load_path(const char *path, bool is_checked, struct settings *ret_settings)
{
    struct buffer text;

    *ret_settings = (struct settings){.path = path};
    arena_init(&ret_settings->arena, CONFIG_ARENA_MAX);
    if (!files_exists(path)) {
        buffer_init(&text, 0);
        return say_error(EX_NOINPUT,
                         "there is no configuration %s; give one with --config, or make "
                         "it from: facteur config show --default",
                         path);
    }
    int code = files_read(path, CONFIG_TEXT_MAX, &text);
    if (code == EX_OK)
        code = parse(buffer_slice(&text), is_checked, ret_settings);
    buffer_finish(&text);
    if (code != EX_OK)
        return code;
    complete_hostname(ret_settings);
    ret_settings->data_dir = string_of(ret_settings->config.data_dir);
    ret_settings->runtime_dir = string_of(ret_settings->config.runtime_dir);
    ret_settings->run_as = string_of(ret_settings->config.run_as);
    return EX_OK;
}

struct slice
settings_find_origin(const struct settings *settings, struct arena *arena)
{
    struct slice origin = settings->config.origin;
    struct buffer text;

    if (origin.len > 0)
        return origin;
    buffer_init(&text, MAILNAME_MAX);
    if (files_read_if_any(MAILNAME_PATH, MAILNAME_MAX, &text) == EX_OK)
        origin = arena_copy(arena, slice_trim(buffer_slice(&text)));
    buffer_finish(&text);
    return origin.len > 0 ? origin : settings->config.hostname;
}

struct slice
settings_origin(struct settings *settings)
{
    return settings_find_origin(settings, &settings->arena);
}

void
settings_finish(struct settings *settings)
{
    arena_finish(&settings->arena);
    free(settings->data_dir);
    free(settings->runtime_dir);
    free(settings->run_as);
    *settings = (struct settings){0};
}
