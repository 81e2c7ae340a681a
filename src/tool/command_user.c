/* SPDX-License-Identifier: ISC */
/* facteur user add, passwd, set, remove, list. */
#include "config/option.h"
#include "tool/client.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum { LINE_MAX_LEN = 16384, NOTE_MAX = 4096 };

/* ---- what the options say about an account -------------------------------------------------- */

/* A size or number, by the grammar and bounds of a configuration option. */
static int
read_amount(const char *option_name, const char *flag, const char *text, uint64_t *ret_amount)
{
    const struct config_option *option = config_option_find(slice_of_string(option_name));
    struct slice value = slice_of_string(text);
    struct arena arena;
    struct config scratch;
    struct buffer expected;
    int code = EX_OK;

    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&expected, LINE_MAX_LEN);
    if (config_value_parse(option, &value, 1, &arena, &scratch)) {
        *ret_amount =
            option->kind == CONFIG_SIZE ? scratch.quota_default : scratch.quota_messages_default;
    } else {
        config_option_put_expected(option, &expected);
        code =
            say_error(EX_USAGE, "--%s: expected %.*s, not '%s'", flag, (int)buffer_len(&expected),
                      (const char *)buffer_slice(&expected).at, text);
    }
    buffer_finish(&expected);
    arena_finish(&arena);
    return code;
}

static int
read_quotas(const struct command_call *call, struct directory_account *account)
{
    const char *quota = command_value(call, "quota"), *messages = command_value(call, "messages");
    int code = EX_OK;

    if (quota)
        code = read_amount("quota_default", "quota", quota, &account->quota_bytes);
    if (code == EX_OK && messages)
        code =
            read_amount("quota_messages_default", "messages", messages, &account->quota_messages);
    account->has_quota = account->has_quota || quota || messages;
    return code;
}

static int
read_delivery(const struct command_call *call, const struct config *config,
              struct directory_account *account)
{
    struct slice mbox = SLICE("mbox:"), maildir = SLICE("maildir:");
    const char *text = command_value(call, "delivery");
    struct slice target = slice_of_string(text ? text : "store");

    if (!text)
        return EX_OK;
    account->has_delivery = true;
    account->delivery = DIRECTORY_STORE;
    account->path = SLICE("");
    if (slice_equal(target, SLICE("store")))
        return EX_OK;
    account->delivery = slice_starts_with(target, mbox) ? DIRECTORY_MBOX : DIRECTORY_MAILDIR;
    if (slice_starts_with(target, mbox))
        account->path = slice_skip(target, mbox.len);
    else if (slice_starts_with(target, maildir))
        account->path = slice_skip(target, maildir.len);
    if (account->path.len < 2 || account->path.at[0] != '/')
        return say_error(EX_USAGE,
                         "--delivery: expected store, mbox:/PATH or maildir:/PATH, "
                         "not '%s'",
                         text);
    if (!config_letterbox_is_allowed(config, account->path))
        return say_error(EX_CONFIG,
                         "--delivery: %.*s lies in no folder that the option letterbox_dirs "
                         "names; add the folder there and restart the server first",
                         (int)account->path.len, (const char *)account->path.at);
    return EX_OK;
}

/* The options that user add and user set have in common. */
static int
read_account(const struct command_call *call, const struct config *config,
             struct directory_account *account)
{
    const char *full_name = command_value(call, "full-name");
    const char *login = command_value(call, "system");

    if (full_name)
        account->full_name = slice_of_string(full_name);
    if (login)
        account->login = slice_of_string(login);
    int code = read_quotas(call, account);
    return code == EX_OK ? read_delivery(call, config, account) : code;
}

static int
append_account(struct people *people, const struct directory_account *account)
{
    struct buffer line;
    int code;

    buffer_init(&line, LINE_MAX_LEN);
    if (directory_put_account(&line, account))
        code = people_append_accounts(people, buffer_slice(&line));
    else
        code = say_error(EX_DATAERR,
                         "%.*s, or a value given for it, cannot stand in the directory; "
                         "give an address, and values without control characters",
                         (int)account->name.len, (const char *)account->name.at);
    buffer_finish(&line);
    return code;
}

/* ---- passwords ------------------------------------------------------------------------------ */

static int
ask_and_set_password(const struct command_call *call, struct people *people, struct slice name,
                     uint64_t id)
{
    bool is_hash = command_has(call, "hash-stdin");
    struct buffer password;
    int code = EX_OK;

    buffer_init(&password, SAY_PASSWORD_MAX);
    if (is_hash && (command_has(call, "password-stdin") || command_has(call, "apop")))
        code = say_error(EX_USAGE, "--hash-stdin takes no password; leave out --password-stdin and "
                                   "--apop");
    if (code == EX_OK)
        code = say_ask_password(is_hash || command_has(call, "password-stdin"), true, &password);
    if (code == EX_OK) {
        struct people_password secret = {.name = name,
                                         .id = id,
                                         .password = buffer_slice(&password),
                                         .is_hash = is_hash,
                                         .with_apop = command_has(call, "apop")};
        code = people_set_password(people, &secret);
    }
    buffer_wipe(&password);
    return code;
}

#define PASSWORD_OPTIONS                                                                           \
    {"password-stdin", NULL, "Take the password from the first line of standard input."},          \
        {"hash-stdin", NULL,                                                                       \
         "The same with the hash that another server has made of it (crypt, argon2id)."},          \
    {                                                                                              \
        "apop", NULL, "Keep the password readable too, so that POP3's APOP works."                 \
    }

/* ---- user add ------------------------------------------------------------------------------ */

/* Whether an account of this name can be made; its canonical name. */
static int
check_new(const struct people *people, const char *name, struct arena *arena,
          struct directory_address *ret_address)
{
    struct slice text = slice_of_string(name);
    struct directory_address address;

    if (!directory_address_parse(arena, text, &address) || address.domain.len == 0)
        return say_error(EX_USAGE, "'%s' is no address; give one like alice@example.org", name);
    if (!directory_domain_find(people->directory, address.domain))
        return say_error(EX_DATAERR,
                         "%.*s is no domain of this server; first run: facteur domain "
                         "add %.*s",
                         (int)address.domain.len, (const char *)address.domain.at,
                         (int)address.domain.len, (const char *)address.domain.at);
    if (directory_account_find(people->directory, text))
        return say_error(EX_CANTCREAT,
                         "the account %s is there already; change it with: facteur "
                         "user set, or facteur user passwd",
                         name);
    if (directory_alias_find(people->directory, text))
        return say_error(EX_CANTCREAT, "%s is an alias; remove it first with: facteur alias remove",
                         name);
    *ret_address = address;
    return EX_OK;
}

/* The secret goes first: an account without one would be there, but nobody could log in. */
static int
add_account(const struct command_call *call, struct people *people,
            struct directory_account *account)
{
    bool has_password = !command_has(call, "no-password") && !command_has(call, "system");
    int code = read_account(call, &people->settings->config, account);

    if (code == EX_OK && has_password)
        code = ask_and_set_password(call, people, account->name, account->id);
    return code == EX_OK ? append_account(people, account) : code;
}

static int
run_add(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    struct arena arena;
    struct buffer name;
    struct directory_address address;
    int code = settings_load(call, &settings);

    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&name, LINE_MAX_LEN);
    if (code == EX_OK)
        code = people_open(&settings, true, &people);
    if (code == EX_OK)
        code = check_new(&people, call->arguments[0], &arena, &address);
    if (code == EX_OK) {
        directory_address_format(&name, &address);
        struct directory_account account = {
            .id = directory_id_next(people.directory),
            .name = buffer_slice(&name),
            .is_enabled = true,
        };
        code = add_account(call, &people, &account);
    }
    people_close(&people);
    if (code == EX_OK)
        code = people_reload(&settings, "The account is made");
    settings_finish(&settings);
    buffer_finish(&name);
    arena_finish(&arena);
    return code;
}

#define ACCOUNT_OPTIONS                                                                            \
    {"quota", "SIZE", "Most bytes in the account; 0: no bound."},                                  \
        {"messages", "N", "Most messages in the account; 0: no bound."},                           \
        {"delivery", "TARGET", "Where its mail goes: store, mbox:/PATH or maildir:/PATH."},        \
        {"full-name", "TEXT", "The person's name, for VRFY."},                                     \
    {                                                                                              \
        "system", "LOGIN", "The password is that of this user of the machine (PAM)."               \
    }

const struct command command_user_add = {
    .name = "user add",
    .arguments = "ADDRESS",
    .summary = "Make an account",
    .about = "Makes an account that receives mail for ADDRESS and logs in with it. The password is "
             "asked for on the terminal and not shown.\n\nThe domain must be one of this server; "
             "see facteur domain add. A running server knows the account at once.",
    .examples = "facteur user add alice@example.org --quota \"2 GiB\"\n"
                "pwgen 20 1 | facteur user add bob@example.org --password-stdin\n"
                "echo '{SHA512-CRYPT}$6$…' | facteur user add bob@example.org --hash-stdin",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG,
                PASSWORD_OPTIONS,
                {"no-password", NULL, "Make it without a password: nobody can log in."},
                ACCOUNT_OPTIONS},
    .run = run_add,
};

/* ---- user set ------------------------------------------------------------------------------ */

static int
set_account(const struct command_call *call, struct people *people)
{
    const struct directory_account *found;
    int code = people_find(people, call->arguments[0], &found);

    if (code != EX_OK)
        return code;
    struct directory_account account = *found;
    if (call->given_count == command_has(call, "config"))
        return say_error(EX_USAGE,
                         "user set: say what is to change; see 'facteur user set --help'");
    if (command_has(call, "disable") && command_has(call, "enable"))
        return say_error(EX_USAGE, "--enable and --disable exclude each other; give one");
    if (command_has(call, "disable") || command_has(call, "enable"))
        account.is_enabled = command_has(call, "enable");
    code = read_account(call, &people->settings->config, &account);
    return code == EX_OK ? append_account(people, &account) : code;
}

static int
run_set(const struct command_call *call)
{
    return people_change(call, set_account, "The account is changed");
}

const struct command command_user_set = {
    .name = "user set",
    .arguments = "ADDRESS",
    .summary = "Change an account's quota, delivery, name or state",
    .about = "Changes what the options name and leaves the rest. A disabled account takes no mail "
             "and nobody can log in to it; its mail stays.",
    .examples = "facteur user set alice@example.org --quota \"5 GiB\" --messages 0\n"
                "facteur user set bob@example.org --disable",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG,
                {"disable", NULL, "Take no mail for it and let nobody log in."},
                {"enable", NULL, "Undo --disable."},
                ACCOUNT_OPTIONS},
    .run = run_set,
};

/* ---- user passwd --------------------------------------------------------------------------- */

static int
set_password(const struct command_call *call, struct people *people)
{
    const struct directory_account *account;
    int code = people_find(people, call->arguments[0], &account);

    return code == EX_OK ? ask_and_set_password(call, people, account->name, account->id) : code;
}

static int
run_passwd(const struct command_call *call)
{
    return people_change(call, set_password, "The password is set");
}

const struct command command_user_passwd = {
    .name = "user passwd",
    .arguments = "ADDRESS",
    .summary = "Set an account's password",
    .about =
        "Asks for a new password on the terminal, without showing it, and replaces the old one. "
        "Sessions that are logged in go on.",
    .examples = "facteur user passwd alice@example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, PASSWORD_OPTIONS},
    .run = run_passwd,
};

/* ---- user remove --------------------------------------------------------------------------- */

static enum client_next
on_removed(void *context, const struct tool_store_note *note)
{
    enum tool_store_result *result = context;

    *result = note->kind == TOOL_STORE_DONE ? note->as.done.result : TOOL_STORE_RESULT_BAD;
    return CLIENT_DONE;
}

static int
drop_mail(struct client *client, uint64_t account)
{
    struct tool_store_account_remove remove = {.id = client_next_id(client), .account = account};
    enum tool_store_result result;
    struct buffer note;

    buffer_init(&note, NOTE_MAX);
    if (!tool_store_put_account_remove(&note, client_ledger(client), &remove))
        abort();
    client_send(client, &note, HOST_HANDLE_NONE);
    buffer_finish(&note);
    int code = client_wait_store(client, on_removed, &result);
    if (code != EX_OK || result == TOOL_STORE_RESULT_OK || result == TOOL_STORE_RESULT_NOT_FOUND)
        return code;
    return say_error(client_store_result_code(result), "the account is gone, but not its mail: %s",
                     client_store_result_text(result));
}

static int
remove_account(struct people *people, const char *name, uint64_t *ret_id)
{
    const struct directory_account *account;
    struct buffer line;
    int code = people_find(people, name, &account);

    if (code != EX_OK)
        return code;
    uint64_t id = account->id;
    buffer_init(&line, LINE_MAX_LEN);
    if (!directory_secret_put_removed(&line, account->name, id))
        code = say_error(EX_DATAERR, "%s cannot stand in the directory; correct its line", name);
    if (code == EX_OK)
        code = people_append_secrets(people, buffer_slice(&line));
    buffer_clear(&line);
    struct buffer gone;
    buffer_init(&gone, DIRECTORY_NAME_MAX);
    buffer_put(&gone, account->name); /* the directory is read anew */
    if (code == EX_OK && directory_put_account_removed(&line, account->name, id))
        code = people_append_accounts(people, buffer_slice(&line));
    if (code == EX_OK)
        people_warn_of_members(people, buffer_slice(&gone));
    buffer_finish(&gone);
    buffer_finish(&line);
    *ret_id = id;
    return code;
}

/* The store is connected first: without it the mail of an account that is gone could not be named
 * any more. */
static int
run_remove(const struct command_call *call)
{
    bool keeps_mail = command_has(call, "keep-mail");
    struct settings settings;
    struct people people = {.lock = -1};
    struct client *store = NULL;
    uint64_t id = 0;
    int code = settings_load(call, &settings);

    if (code == EX_OK && !keeps_mail)
        code = client_open_store(&settings, &store);
    if (code == EX_UNAVAILABLE)
        say_error(code, "without it the account's mail cannot be dropped; --keep-mail leaves it");
    if (code == EX_OK)
        code = people_open(&settings, true, &people);
    if (code == EX_OK)
        code = remove_account(&people, call->arguments[0], &id);
    people_close(&people);
    if (code == EX_OK)
        code = people_reload(&settings, "The account is removed");
    if (code == EX_OK && store)
        code = drop_mail(store, id);
    client_close(&store);
    settings_finish(&settings);
    return code;
}

const struct command command_user_remove = {
    .name = "user remove",
    .arguments = "ADDRESS",
    .summary = "Remove an account and its mail",
    .about =
        "Removes the account, its password and its mail. The space of the mail comes back after "
        "the time that store_retain says. The server must be running, unless --keep-mail is "
        "given.",
    .examples = "facteur user remove bob@example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, {"keep-mail", NULL, "Leave the mail in the store."}},
    .run = run_remove,
};

/* ---- user list ----------------------------------------------------------------------------- */

static void
put_delivery(const struct directory_account *account, struct buffer *out)
{
    static const char *const prefixes[] = {
        [DIRECTORY_STORE] = "store", [DIRECTORY_MBOX] = "mbox:", [DIRECTORY_MAILDIR] = "maildir:"};

    buffer_put_text(out, account->has_delivery ? prefixes[account->delivery] : "default");
    if (account->has_delivery && account->delivery != DIRECTORY_STORE)
        buffer_put(out, account->path);
}

static void
report_account(struct report *report, const struct directory_account *account)
{
    struct buffer delivery;

    buffer_init(&delivery, LINE_MAX_LEN);
    put_delivery(account, &delivery);
    report_row(report);
    report_text(report, "address", account->name);
    report_number(report, "id", account->id);
    report_bool(report, "enabled", account->is_enabled);
    if (account->has_quota)
        report_size(report, "quota", account->quota_bytes);
    else
        report_nothing(report, "quota", "default");
    report_text(report, "delivery", buffer_slice(&delivery));
    report_text(report, "full_name", account->full_name);
    buffer_finish(&delivery);
}

static int
by_id(const void *left, const void *right)
{
    const struct directory_account *const *l = left, *const *r = right;

    return ((*l)->id > (*r)->id) - ((*l)->id < (*r)->id);
}

/* In the order in which they were made, whatever changed since. */
static void
report_accounts(struct report *report, const struct directory *directory)
{
    size_t count = 0;

    while (directory_account_at(directory, count))
        count++;
    const struct directory_account **accounts = calloc(count + 1, sizeof(*accounts));
    if (!accounts)
        abort();
    for (size_t i = 0; i < count; i++)
        accounts[i] = directory_account_at(directory, i);
    qsort(accounts, count, sizeof(*accounts), by_id);
    report_list(report, "accounts");
    for (size_t i = 0; i < count; i++)
        report_account(report, accounts[i]);
    report_list_end(report);
    free(accounts);
}

static int
run_list(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_accounts(report, people.directory);
        code = report_close(&report);
    }
    people_close(&people);
    settings_finish(&settings);
    return code;
}

const struct command command_user_list = {
    .name = "user list",
    .arguments = "",
    .summary = "Show the accounts",
    .about = "Shows all accounts with their quota and where their mail goes; 'default' is what "
             "quota_default and delivery_default say.",
    .examples = "facteur user list --json | jq '.accounts[].address'",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_list,
};
