/* SPDX-License-Identifier: ISC */
#include "tool/people.h"

#include "host/linux/sandbox.h"
#include "tool/client.h"
#include "tool/files.h"
#include "tool/say.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ADDRESSES_ARENA_MAX = 16 << 20 }; /* an address that leads to as many as it may */

/* Only what the roles auth and route must read, each as little as it needs. As an ordinary user
 * all belongs to that user. */
static struct files_owner
owner_of(const struct settings *settings, const char *user_of, const char *group_of, mode_t mode)
{
    const struct sandbox_profile *user = sandbox_find(user_of), *group = sandbox_find(group_of);

    return (struct files_owner){
        .user = sandbox_user(user, settings->run_as).user,
        .group = sandbox_user(group, settings->run_as).group,
        .mode = mode,
    };
}

static void
tell_problems(const struct people *people)
{
    size_t count = directory_problem_count(people->directory);

    for (size_t i = 0; i < count && i < DIRECTORY_PROBLEMS_MAX; i++) {
        const struct directory_problem *problem = directory_problem(people->directory, i);
        say_warning("%s:%zu: %.*s: %s; correct the line, it is passed over", people->accounts_path,
                    problem->line, (int)problem->place.len, (const char *)problem->place.at,
                    problem->what);
    }
}

static int
make_folder(const struct people *people)
{
    struct files_owner owner = owner_of(people->settings, "auth", "route", 0750);

    if (files_is_folder(people->folder))
        return EX_OK;
    int code = files_make_folder(people->settings->data_dir, 0755);
    if (code == EX_OK)
        code = files_make_folder(people->folder, owner.mode);
    if (code == EX_OK && geteuid() == 0 && chown(people->folder, owner.user, owner.group) != 0)
        code = say_error(EX_OSERR, "cannot give %s to the role auth: %s; %s", people->folder,
                         strerror(errno), sandbox_owner_advice(errno));
    return code;
}

static int
take_lock(struct people *people)
{
    char *path = files_path(people->folder, "lock");
    int code = files_lock(path, &people->lock);

    free(path);
    return code;
}

/* DATA/store/names-DOMAIN, which the store keeps: a serial, then the names. */
static void
load_names(struct people *people, struct slice domain)
{
    char name[CONFIG_FEED_DOMAIN_MAX + 16];
    char *folder = files_path(people->settings->data_dir, "store");
    struct buffer file;

    snprintf(name, sizeof(name), "names-%.*s", (int)domain.len, (const char *)domain.at);
    char *path = files_path(folder, name);
    bool is_there = files_exists(path);
    buffer_init(&file, 0);
    if (is_there)
        is_there = files_read_if_any(path, PEOPLE_FILE_MAX, &file) == EX_OK;
    struct slice text = buffer_slice(&file);
    text = slice_skip(text, slice_find_byte(text, '\n') + 1);
    people->names[people->names_count++] = directory_names_open(domain, is_there, text, 0);
    buffer_finish(&file);
    free(path);
    free(folder);
}

static void
load_feeds(struct people *people)
{
    const struct config_strings *rows = &people->settings->config.relay_feeds;
    struct slice word, way, domain;
    struct arena arena;

    arena_init(&arena, CONFIG_ARENA_MAX);
    for (size_t i = 0; i < rows->count && people->names_count < PEOPLE_FEEDS_MAX; i++) {
        if (config_pair(rows->at[i], &word, &way) &&
            directory_domain_parse(&arena, word, &domain) && domain.len <= CONFIG_FEED_DOMAIN_MAX)
            load_names(people, domain);
    }
    arena_finish(&arena);
}

static void
forget_feeds(struct people *people)
{
    while (people->names_count > 0)
        directory_names_close(&people->names[--people->names_count]);
}

static int
load(struct people *people)
{
    struct directory_options options = {
        .separators = people->settings->config.subaddress_separator,
        .postmaster = people->settings->config.postmaster,
        .names = people->names,
    };

    directory_close(&people->directory);
    forget_feeds(people);
    if (people->lock < 0)
        load_feeds(people);
    options.names_count = people->names_count;
    buffer_finish(&people->accounts);
    buffer_finish(&people->aliases);
    files_random(&options.seed, sizeof(options.seed));
    int code = files_read_if_any(people->accounts_path, PEOPLE_FILE_MAX, &people->accounts);
    if (code == EX_OK && people->lock < 0)
        code = files_read_if_any(people->aliases_path, PEOPLE_FILE_MAX, &people->aliases);
    if (code == EX_OK)
        people->directory = directory_parse_both(buffer_slice(&people->aliases),
                                                 buffer_slice(&people->accounts), &options);
    return code;
}

int
people_open(const struct settings *settings, bool is_change, struct people *ret_people)
{
    struct people *people = ret_people;

    *people = (struct people){.settings = settings, .lock = -1};
    buffer_init(&people->accounts, 0);
    buffer_init(&people->aliases, 0);
    people->folder = files_path(settings->data_dir, "directory");
    people->accounts_path = files_path(people->folder, "accounts");
    people->aliases_path = files_path(people->folder, "aliases");
    people->secrets_path = files_path(people->folder, "secrets");
    int code = is_change ? make_folder(people) : EX_OK;
    if (code == EX_OK && is_change)
        code = take_lock(people);
    if (code == EX_OK)
        code = load(people);
    if (code == EX_OK)
        tell_problems(people);
    return code;
}

void
people_close(struct people *people)
{
    directory_close(&people->directory);
    forget_feeds(people);
    buffer_finish(&people->accounts);
    buffer_finish(&people->aliases);
    free(people->folder);
    free(people->accounts_path);
    free(people->aliases_path);
    free(people->secrets_path);
    if (people->lock >= 0)
        close(people->lock);
    *people = (struct people){.lock = -1};
}

int
people_find(const struct people *people, const char *name,
            const struct directory_account **ret_account)
{
    const struct directory_account *account =
        directory_login_find(people->directory, slice_of_string(name));

    if (!account)
        return say_error(EX_NOUSER,
                         "there is no account %s in %s; 'facteur user list' shows all, "
                         "'facteur user add' makes one",
                         name, people->accounts_path);
    *ret_account = account;
    return EX_OK;
}

/* ---- changes ------------------------------------------------------------------------------- */

/* What is overruled goes when it is more than half of a large file, and at once from a small one
 * where it is secret: hashes of old passwords are nobody's need. */
static int
compact_if_worth_it(const char *path, struct slice file, bool is_secret,
                    const struct files_owner *owner)
{
    enum { LINES_MIN = 1000, SMALL = 1 << 20, SLACK = 64 };
    size_t lines, dead = directory_dead_lines(file, &lines);
    bool is_worth_it =
        (lines >= LINES_MIN && dead * 2 >= lines) || (is_secret && dead > 0 && file.len < SMALL);
    struct buffer compacted;

    if (!is_worth_it)
        return EX_OK;
    buffer_init(&compacted, file.len + SLACK);
    directory_compact(file, is_secret, &compacted);
    int code = buffer_overflowed(&compacted) ? EX_OK
                                             : files_replace(path, buffer_slice(&compacted), owner);
    buffer_wipe(&compacted);
    return code;
}

/* A crash may have left a last line without its end: what comes next must not run into it. */
static int
append(const char *path, struct slice file, struct slice lines, const struct files_owner *owner)
{
    struct buffer all;

    buffer_init(&all, lines.len + 1);
    if (directory_needs_line_end(file))
        buffer_put_byte(&all, '\n');
    buffer_put(&all, lines);
    int code = files_append(path, buffer_slice(&all), owner);
    buffer_wipe(&all);
    return code;
}

int
people_append_accounts(struct people *people, struct slice lines)
{
    struct files_owner owner = owner_of(people->settings, "auth", "route", 0640);
    int code = append(people->accounts_path, buffer_slice(&people->accounts), lines, &owner);

    if (code == EX_OK)
        code = load(people);
    if (code == EX_OK)
        code = compact_if_worth_it(people->accounts_path, buffer_slice(&people->accounts), false,
                                   &owner);
    return code;
}

int
people_replace_aliases(struct people *people, struct slice lines)
{
    struct files_owner owner = owner_of(people->settings, "auth", "route", 0640);

    return files_replace(people->aliases_path, lines, &owner);
}

int
people_append_secrets(struct people *people, struct slice lines)
{
    struct files_owner owner = owner_of(people->settings, "auth", "auth", 0600);
    struct buffer file;
    int code = files_read_if_any(people->secrets_path, PEOPLE_FILE_MAX, &file);

    if (code == EX_OK)
        code = append(people->secrets_path, buffer_slice(&file), lines, &owner);
    buffer_wipe(&file);
    if (code != EX_OK)
        return code;
    code = files_read(people->secrets_path, PEOPLE_FILE_MAX, &file);
    if (code == EX_OK)
        code = compact_if_worth_it(people->secrets_path, buffer_slice(&file), true, &owner);
    buffer_wipe(&file);
    return code;
}

/* The installation's key stands at the head of a new file: what auth makes fake salts from. */
static void
put_key_if_new(const struct people *people, struct buffer *lines)
{
    uint8_t key[DIRECTORY_KEY_LEN];

    if (files_exists(people->secrets_path))
        return;
    files_random(key, sizeof(key));
    directory_secret_put_key(lines, slice_of(key, sizeof(key)));
    explicit_bzero(key, sizeof(key));
}

static int
append_hash(struct people *people, const struct directory_secret_options *options,
            struct slice hash, struct buffer *lines)
{
    if (directory_secret_import(lines, options, hash))
        return people_append_secrets(people, buffer_slice(lines));
    return say_error(EX_DATAERR, "this is no hash that is understood here; give one of crypt(3), "
                                 "as $6$SALT$HASH, or of argon2id, with or without {SCHEME} before "
                                 "it");
}

int
people_set_password(struct people *people, const struct people_password *password)
{
    enum { LINES_MAX = 8192 };
    struct directory_secret_options options = {
        .name = password->name,
        .id = password->id,
        .scheme = people->settings->config.password_scheme == CONFIG_PASSWORD_ARGON2ID
                      ? DIRECTORY_ARGON2ID
                      : DIRECTORY_YESCRYPT,
        .with_sha_1 = (people->settings->config.auth_mechanisms &
                       (CONFIG_MECHANISM_SCRAM_SHA_1 | CONFIG_MECHANISM_SCRAM_SHA_1_PLUS)) != 0,
        .with_apop = password->with_apop,
    };
    uint8_t random[DIRECTORY_RANDOM_LEN];
    struct buffer lines;
    int code = EX_DATAERR;

    buffer_init(&lines, LINES_MAX);
    put_key_if_new(people, &lines);
    if (password->is_hash) {
        code = append_hash(people, &options, password->password, &lines);
        buffer_wipe(&lines);
        return code;
    }
    files_random(random, sizeof(random));
    switch (directory_secret_make(&lines, &options, password->password,
                                  slice_of(random, sizeof(random)))) {
    case DIRECTORY_SECRET_MADE:
        code = people_append_secrets(people, buffer_slice(&lines));
        break;
    case DIRECTORY_SECRET_BAD_PASSWORD:
        say_error(code,
                  "this password cannot be used: it is empty, longer than %d bytes or has "
                  "control characters; choose another",
                  DIRECTORY_PASSWORD_MAX);
        break;
    case DIRECTORY_SECRET_NO_MEMORY:
        code = say_error(EX_OSERR, "there is not enough memory to hash a password; free some");
        break;
    case DIRECTORY_SECRET_BAD_NAME:
        say_error(code, "%.*s is no name for an account; give an address like alice@example.org",
                  (int)password->name.len, (const char *)password->name.at);
        break;
    }
    explicit_bzero(random, sizeof(random));
    buffer_wipe(&lines);
    return code;
}

/* ---- what a change leaves behind ------------------------------------------------------------ */

static bool
is_same_address(struct arena *arena, struct slice left, struct slice right)
{
    struct directory_address one, other;

    return directory_address_parse(arena, left, &one) &&
           directory_address_parse(arena, right, &other) && slice_equal(one.local, other.local) &&
           slice_equal(one.domain, other.domain);
}

void
people_warn_of_members(const struct people *people, struct slice address)
{
    const struct directory_alias *alias;
    struct arena arena;

    arena_init(&arena, ADDRESSES_ARENA_MAX);
    for (size_t i = 0; (alias = directory_alias_at(people->directory, i)); i++) {
        for (size_t m = 0; m < alias->count; m++) {
            if (is_same_address(&arena, alias->members[m], address))
                say_warning("the alias %.*s still leads to %.*s; change it with: facteur alias "
                            "add, or facteur alias remove",
                            (int)alias->name.len, (const char *)alias->name.at, (int)address.len,
                            (const char *)address.at);
            arena_reset(&arena);
        }
    }
    arena_finish(&arena);
}

void
people_warn_of_dead_end(const struct people *people, struct slice address)
{
    struct directory_answer answer;
    struct arena arena;

    if (address.len == 0 || address.at[0] == '@')
        return;
    arena_init(&arena, ADDRESSES_ARENA_MAX);
    directory_resolve(people->directory, address, &arena, &answer);
    if (answer.verdict == DIRECTORY_BROKEN)
        say_warning("mail for %.*s cannot be taken so: %s; 'facteur route' explains it",
                    (int)address.len, (const char *)address.at, answer.why);
    arena_finish(&arena);
}

/* ---- reload -------------------------------------------------------------------------------- */

static enum client_next
on_reloaded(void *context, const struct tool_parent_note *note)
{
    bool *is_good = context;

    *is_good = note->kind == TOOL_PARENT_RELOAD_DONE && note->as.reload_done.is_good;
    if (note->kind == TOOL_PARENT_RELOAD_DONE && !*is_good)
        say_line("%.*s", (int)note->as.reload_done.text.len,
                 (const char *)note->as.reload_done.text.at);
    return CLIENT_DONE;
}

int
people_reload(const struct settings *settings, const char *done)
{
    enum { NOTE_MAX = 1024 };
    struct client *client;
    struct buffer note;
    bool is_good = false;
    int code = client_open_parent(settings, true, &client);

    if (code != EX_OK) {
        say_line("%s.", done);
        return EX_OK;
    }
    buffer_init(&note, NOTE_MAX);
    struct tool_parent_reload reload = {.id = client_next_id(client)};
    if (!tool_parent_put_reload(&note, client_ledger(client), &reload))
        abort();
    client_send(client, &note, HOST_HANDLE_NONE);
    code = client_wait_parent(client, on_reloaded, &is_good);
    client_close(&client);
    buffer_finish(&note);
    if (code == EX_OK && is_good)
        say_line("%s; the running server knows it.", done);
    else
        say_warning("%s, but the running server could not read it again; see its log, then: "
                    "facteur reload",
                    done);
    return code == EX_OK && !is_good ? EX_CONFIG : code;
}

int
people_change(const struct command_call *call,
              int (*apply)(const struct command_call *call, struct people *people),
              const char *done)
{
    struct settings settings;
    struct people people = {.lock = -1};
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = people_open(&settings, true, &people);
    if (code == EX_OK)
        code = apply(call, &people);
    const char *what = people.done ? people.done : done;
    people_close(&people);
    if (code == EX_OK)
        code = people_reload(&settings, what);
    settings_finish(&settings);
    return code;
}
