/* SPDX-License-Identifier: ISC */
/* facteur migrate: an account moves in from a live IMAP server. */
#include "tool/command.h"
#include "tool/files.h"
#include "tool/migrate.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

static int
show_result(const struct migrate_result *result, int code, bool is_json)
{
    struct report *report = report_open(is_json);

    report_number(report, "mailboxes", result->mailboxes);
    report_number(report, "migrated", result->migrated);
    report_number(report, "already_there", result->there);
    report_number(report, "refused", result->refused);
    int written = report_close(&report);
    return code == EX_OK ? written : code;
}

static int
read_source(const struct command_call *call, struct arena *arena, struct client_account *ret_source)
{
    const char *login = command_value(call, "login");
    struct client_problem problem = {0};

    ret_source->name = "migrate";
    ret_source->login = login ? login : call->arguments[0];
    ret_source->address = call->arguments[0];
    ret_source->trust = command_value(call, "trust");
    ret_source->tls = command_has(call, "clear") ? CLIENT_TLS_NEVER : CLIENT_TLS_REQUIRED;
    if (!client_server_parse(arena, slice_of_string(call->arguments[1]), &ret_source->incoming,
                             &problem))
        return say_error(EX_USAGE, "%s", problem.text);
    if (ret_source->incoming.protocol != CLIENT_IMAP)
        return say_error(EX_USAGE, "expected imaps://HOST or imap://HOST, not '%s'",
                         call->arguments[1]);
    return EX_OK;
}

static int
migrate_account(const struct command_call *call, const struct settings *settings, uint64_t account,
                const struct client_account *source)
{
    struct migrate_result result = {0};
    struct client *store = NULL;
    struct buffer password;

    buffer_init(&password, SAY_PASSWORD_MAX);
    int code = say_ask_password(command_has(call, "password-stdin"), false, &password);
    if (code == EX_OK)
        code = client_open_store(settings, &store);
    if (code == EX_OK) {
        struct client_login login = {.account = source, .password = buffer_slice(&password)};
        struct migrate_options options = {.login = &login,
                                          .store = store,
                                          .account = account,
                                          .only = command_value(call, "mailbox")};
        code = migrate_run(&options, &result);
        code = show_result(&result, code, command_has(call, "json"));
    }
    client_close(&store);
    buffer_wipe(&password);
    return code;
}

static int
run_migrate(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    const struct directory_account *account = NULL;
    struct client_account source = {0};
    struct arena arena;
    int code = settings_load(call, &settings);

    arena_init(&arena, 1 << 16);
    if (code == EX_OK)
        code = read_source(call, &arena, &source);
    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK)
        code = people_find(&people, call->arguments[0], &account);
    if (code == EX_OK)
        code = migrate_account(call, &settings, account->id, &source);
    people_close(&people);
    settings_finish(&settings);
    arena_finish(&arena);
    return code;
}

const struct command command_migrate = {
    .name = "migrate",
    .arguments = "ADDRESS URL",
    .summary = "Bring all mailboxes of an account from another IMAP server",
    .about =
        "Logs in to the IMAP server at URL (imaps://HOST[:PORT], or imap://HOST[:PORT] with "
        "STARTTLS) and brings its mailboxes and messages into the account ADDRESS, with flags, "
        "keywords, times, special uses and subscriptions. Mailboxes that are new or empty here "
        "also keep UIDVALIDITY and UIDs, so that clients need not fetch anything again. Nothing "
        "is changed there. The server here must be running.\n\nA migration that was cut off is "
        "begun again by the same command: what is here already is not fetched again. So most can "
        "be brought beforehand, and the rest on the day of the change. A broken connection is "
        "opened again by itself. Exit code 69 says that some messages were passed over; they are "
        "named.",
    .examples = "facteur migrate alice@example.org imaps://imap.old.example --login alice\n"
                "pass old | facteur migrate alice@example.org imap://10.0.0.5 --password-stdin",
    .arguments_min = 2,
    .arguments_max = 2,
    .options = {COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON,
                {"login", "NAME", "The name to log in with there; default: ADDRESS."},
                {"password-stdin", NULL,
                 "Take the password from the first line of standard input."},
                {"mailbox", "NAME", "Bring this mailbox only, by the name it has here."},
                {"trust", "FILE",
                 "Certificates (PEM) that vouch for that server; default: the system's."},
                {"clear", NULL,
                 "Log in without TLS: only over a network that nobody else can listen to."}},
    .run = run_migrate,
};
