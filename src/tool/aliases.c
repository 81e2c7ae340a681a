/* SPDX-License-Identifier: ISC */
#include "tool/aliases.h"

#include "directory/unix_aliases.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALIASES_FILE_MAX = 64 << 20, INCLUDED_FILE_MAX = 1 << 20, DONE_MAX = 128 };

/* An included file lives until all is read. */
struct included {
    struct included *next;
    struct buffer text;
};

struct build {
    const char *path;
    struct included *included;
};

static bool
include(void *context, struct slice path, struct slice *ret_text)
{
    struct build *build = context;
    char *name = strndup((const char *)path.at, path.len);
    struct included *included = calloc(1, sizeof(*included));

    if (!name || !included)
        abort();
    bool is_read = files_read(name, INCLUDED_FILE_MAX, &included->text) == EX_OK;
    included->next = build->included;
    build->included = included;
    *ret_text = buffer_slice(&included->text);
    free(name);
    return is_read;
}

static void
tell(void *context, size_t line, struct slice place, const char *what)
{
    const struct build *build = context;

    say_warning("%s line %zu, at '%.*s': %s", build->path, line, (int)place.len,
                (const char *)place.at, what);
}

/* What others may write to must neither run programs nor have files written. */
static bool
is_trusted(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && (info.st_uid == 0 || info.st_uid == geteuid()) &&
           !(info.st_mode & 022);
}

static int
replace(struct settings *settings, struct slice lines)
{
    struct people people = {.lock = -1};
    int code = people_open(settings, true, &people);

    if (code == EX_OK && !directory_domain_find(people.directory, settings_origin(settings)))
        say_warning("%.*s is no domain of ours, so mail for these aliases is not taken; set "
                    "'origin', or: facteur domain add",
                    (int)settings_origin(settings).len, (const char *)settings_origin(settings).at);
    if (code == EX_OK)
        code = people_replace_aliases(&people, lines);
    people_close(&people);
    return code;
}

/* What these names lead to is known only now that all of them stand there. */
static void
warn_of_dead_ends(struct settings *settings)
{
    struct people people = {.lock = -1};
    struct slice origin = settings_origin(settings);
    const struct directory_alias *alias;

    if (people_open(settings, false, &people) == EX_OK &&
        directory_domain_find(people.directory, origin)) {
        for (size_t i = 0; (alias = directory_alias_at(people.directory, i)); i++) {
            size_t at = slice_find_last_byte(alias->name, '@');
            if (slice_equal_nocase(slice_skip(alias->name, at + 1), origin))
                people_warn_of_dead_end(&people, alias->name);
        }
    }
    people_close(&people);
}

int
aliases_build(struct settings *settings, const char *path)
{
    char *usual =
        strndup((const char *)settings->config.aliases_file.at, settings->config.aliases_file.len);
    struct build build = {.path = path ? path : usual};
    struct directory_unix machine = {
        .domain = settings_origin(settings),
        .folders = settings->config.letterbox_dirs.at,
        .include = include,
        .problem = tell,
        .context = &build,
    };
    struct buffer text, lines;
    size_t problems = 0;

    if (!usual)
        abort();
    if (is_trusted(build.path)) {
        machine.may_run = settings->config.alias_programs_user.len > 0;
        machine.folder_count = settings->config.letterbox_dirs.count;
    }
    int code = files_read(build.path, ALIASES_FILE_MAX, &text);

    buffer_init(&lines, PEOPLE_FILE_MAX);
    if (code == EX_OK) {
        problems = directory_unix_aliases(buffer_slice(&text), &machine, &lines);
        code = replace(settings, buffer_slice(&lines));
    }
    if (code == EX_OK) {
        warn_of_dead_ends(settings);
        code = people_reload(settings, "The aliases are made");
    }
    for (struct included *next, *at = build.included; at; at = next) {
        next = at->next;
        buffer_finish(&at->text);
        free(at);
    }
    buffer_finish(&text);
    buffer_finish(&lines);
    free(usual);
    return code == EX_OK && problems > 0 ? EX_DATAERR : code;
}
