/* SPDX-License-Identifier: ISC */
/* facteur account add, list, remove, test: where a person's mail is (seed case E1). */
#include "client/submit.h"
#include "tool/mail/desk.h"
#include "tool/mail/discover.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

/* ---- testing ------------------------------------------------------------------------------- */

static bool
test_incoming(const struct client_login *login, uint32_t *ret_count, struct client_problem *problem)
{
    struct client_folder_place place = {.login = login, .folder = "INBOX", .is_read_only = true};
    struct client_folder *folder = client_folder_open(&place, problem);

    if (!folder)
        return false;
    *ret_count = (uint32_t)client_folder_count(folder);
    bool is_done = client_folder_finish(folder, problem);
    client_folder_close(&folder);
    return is_done;
}

static void
report_server(struct report *report, const char *what, const struct client_server *server,
              const struct client_problem *problem)
{
    struct buffer url;

    buffer_init(&url, 1024);
    client_server_format(server, &url);
    report_row(report);
    report_text(report, "direction", slice_of_string(what));
    report_text(report, "server", buffer_slice(&url));
    report_bool(report, "works", problem->kind == CLIENT_PROBLEM_NONE);
    report_text(report, "problem", slice_of_string(problem->text));
    buffer_finish(&url);
}

/* Tries both servers; EX_OK when all that is there works. */
static int
test_servers(const struct client_login *login, bool is_json)
{
    const struct client_account *account = login->account;
    struct client_problem incoming = {0}, outgoing = {0};
    struct report *report = report_open(is_json);
    uint32_t count = 0;

    report_list(report, "servers");
    if (account->incoming.protocol != CLIENT_NONE) {
        (void)!test_incoming(login, &count, &incoming);
        report_server(report, "incoming", &account->incoming, &incoming);
    }
    if (account->outgoing.protocol != CLIENT_NONE) {
        (void)!client_submit_test(login, &outgoing);
        report_server(report, "outgoing", &account->outgoing, &outgoing);
    }
    report_list_end(report);
    report_number(report, "messages", count);
    int code = report_close(&report);
    if (code == EX_OK)
        code = desk_code(incoming.kind);
    return code == EX_OK ? desk_code(outgoing.kind) : code;
}

static int
test_account(struct desk *desk, const struct command_call *call)
{
    int code = desk_log_in(desk, call->count > 0 ? call->arguments[0] : NULL,
                           command_has(call, "trace"));

    return code == EX_OK ? test_servers(&desk->login, command_has(call, "json")) : code;
}

static int
run_test(const struct command_call *call)
{
    return desk_run(call, test_account);
}

const struct command command_account_test = {
    .name = "account test",
    .arguments = "[NAME]",
    .summary = "Try whether the servers of an account answer",
    .about = "Connects to the server for incoming and the one for outgoing mail, logs in, and "
             "counts the messages of INBOX. Nothing is changed or sent.",
    .examples = "facteur account test\n"
                "facteur account test home --trace # with the automaton's states",
    .arguments_max = 1,
    .options = {DESK_OPTION_TRACE, COMMAND_OPTION_JSON},
    .run = run_test,
};

/* ---- adding -------------------------------------------------------------------------------- */

/* Asks on the terminal; NULL without one, or without an answer. */
static const char *
ask(struct arena *arena, const char *question)
{
    struct buffer line;

    buffer_init(&line, 4096);
    bool is_answered = say_ask(question, &line);
    const char *answer = is_answered ? arena_copy_string(arena, buffer_slice(&line)) : NULL;
    buffer_finish(&line);
    return answer;
}

static int
take_server(struct desk *desk, const struct command_call *call, const char *option,
            struct client_server *ret_server)
{
    bool is_outgoing = strcmp(option, "outgoing") == 0;
    const char *url = command_value(call, option);
    struct client_problem problem = {0};

    if (!url)
        url = ask(&desk->arena, is_outgoing ? "server for outgoing mail (smtps://HOST[:PORT])"
                                            : "server for incoming mail (imaps:// or pop3s://)");
    if (!url || !url[0])
        return EX_OK;
    if (!client_server_parse(&desk->arena, slice_of_string(url), ret_server, &problem))
        return desk_tell(&problem);
    if ((ret_server->protocol == CLIENT_SMTP) == is_outgoing)
        return EX_OK;
    return say_error(EX_USAGE, "--%s: %s is for the other direction", option, url);
}

/* Shows what was found. True when it is to be used. */
static bool
agree(const struct command_call *call, const struct discovered *found)
{
    struct buffer text;

    buffer_init(&text, 4096);
    if (found->incoming.protocol != CLIENT_NONE)
        client_server_format(&found->incoming, &text);
    buffer_put_text(&text, buffer_len(&text) > 0 && found->outgoing.protocol ? ", " : "");
    if (found->outgoing.protocol != CLIENT_NONE)
        client_server_format(&found->outgoing, &text);
    say_line("%s: %.*s", found->source, (int)buffer_len(&text),
             (const char *)buffer_slice(&text).at);
    buffer_finish(&text);
    if (found->is_certain || command_has(call, "yes"))
        return true;
    say_warning("these servers are outside of your domain, and nothing proves that its owner has "
                "named them; --yes takes them");
    bool is_no;
    return say_ask_yes("use them? [y/N]", &is_no);
}

/* When no server is named: those that the domain of the address names. */
static void
find_servers(struct desk *desk, const struct command_call *call, struct client_account *account)
{
    struct discover_options options = {.resolver = command_value(call, "resolver"),
                                       .url = command_value(call, "settings"),
                                       .trust = account->trust};
    struct discovered found;

    if (command_has(call, "incoming") || command_has(call, "outgoing"))
        return;
    discover(&desk->arena, account->address, &options, &found);
    if (!found.source || !agree(call, &found))
        return;
    account->incoming = found.incoming;
    account->outgoing = found.outgoing;
    if (!command_has(call, "login") && found.login)
        account->login = found.login;
}

/* Options that say one of a few words. */
static int
take_word(struct desk *desk, const struct command_call *call, const char *option,
          struct client_account *account)
{
    const char *word = command_value(call, option);
    struct client_problem problem = {0};

    if (!word || client_account_set(&desk->arena, account, slice_of_string(option),
                                    slice_of_string(word), &problem))
        return EX_OK;
    return say_error(EX_USAGE, "--%s", problem.text);
}

static int
gather(struct desk *desk, const struct command_call *call, struct client_account *ret_account)
{
    const char *address = call->arguments[0], *name = command_value(call, "as");
    struct client_account account = {
        .name = name ? name : address,
        .address = address,
        .person = command_value(call, "name"),
        .reply_to = command_value(call, "reply-to"),
        .login = command_value(call, "login"),
        .organization = command_value(call, "organization"),
        .password_command = command_value(call, "password-command"),
        .trust = command_value(call, "trust"),
        .sent = command_value(call, "sent"),
        .copy = command_value(call, "copy"),
        .certificate = command_value(call, "certificate"),
    };

    if (!strchr(address, '@'))
        return say_error(EX_USAGE, "%s is no address; write LOCAL@DOMAIN", address);
    if (account.login == NULL)
        account.login = address;
    int code = take_word(desk, call, "tls", &account);
    if (code == EX_OK)
        code = take_word(desk, call, "receipts", &account);
    if (code == EX_OK)
        find_servers(desk, call, &account);
    if (code == EX_OK && account.incoming.protocol == CLIENT_NONE)
        code = take_server(desk, call, "incoming", &account.incoming);
    if (code == EX_OK && account.outgoing.protocol == CLIENT_NONE)
        code = take_server(desk, call, "outgoing", &account.outgoing);
    if (code == EX_OK && account.incoming.protocol == CLIENT_NONE &&
        account.outgoing.protocol == CLIENT_NONE)
        code = say_error(EX_USAGE, "which servers? Give --incoming, --outgoing or both");
    *ret_account = account;
    return code;
}

/* The new account in the place of one of that name, or behind the others. */
static int
write_account(struct desk *desk, const struct client_account *account)
{
    size_t place = desk->accounts.count;

    for (size_t i = 0; i < desk->accounts.count; i++) {
        if (strcmp(desk->accounts.accounts[i].name, account->name) == 0)
            place = i;
    }
    if (place == CLIENT_ACCOUNTS_MAX)
        return say_error(EX_CANTCREAT, "there are %d accounts already", CLIENT_ACCOUNTS_MAX);
    desk->accounts.accounts[place] = *account;
    if (place == desk->accounts.count)
        desk->accounts.count++;
    return desk_write_accounts(&desk->accounts);
}

static int
add_account(struct desk *desk, const struct command_call *call)
{
    struct client_account account;
    int code = gather(desk, call, &account);

    if (code == EX_OK && !account.password_command)
        code = say_ask_password(command_has(call, "password-stdin"), false, &desk->password);
    if (code == EX_OK)
        code = write_account(desk, &account);
    if (code == EX_OK)
        code = desk_store_password(account.name, buffer_slice(&desk->password));
    if (code != EX_OK || command_has(call, "untested"))
        return code;
    code = desk_log_in(desk, account.name, command_has(call, "trace"));
    if (code == EX_OK)
        code = test_servers(&desk->login, command_has(call, "json"));
    if (code != EX_OK)
        say_warning("the account %s is stored, but does not work; 'facteur account add' again "
                    "replaces it",
                    account.name);
    return code;
}

static int
run_add(const struct command_call *call)
{
    return desk_run(call, add_account);
}

const struct command command_account_add = {
    .name = "account add",
    .arguments = "ADDRESS",
    .summary = "Store where your mail is, and try it",
    .about = "Writes an account into $XDG_CONFIG_HOME/facteur/accounts (mode 0600) and its "
             "password into the keyring of your session (through secret-tool), or where there is "
             "none, into the file passwords beside it; then logs in at both servers. An account of "
             "that name is replaced.\n\n"
             "When no server is given, the domain of the address is asked for them: by SRV records "
             "(RFC 6186), then by its file https://autoconfig.DOMAIN/mail/config-v1.1.xml or "
             "https://DOMAIN/.well-known/autoconfig/mail/config-v1.1.xml. Only servers with TLS "
             "are taken, and those outside of the domain only when DNSSEC or you say so. What is "
             "still not known is asked for on a terminal.\n\n"
             "Servers are URLs: imaps://HOST[:PORT], imap://, pop3s://, pop3:// for incoming and "
             "smtps://, smtp:// for outgoing mail. Those with an s have TLS from the first byte; "
             "the others must offer STARTTLS, unless --tls says otherwise. Certificates are always "
             "checked.",
    .examples = "facteur account add alice@example.org\n"
                "facteur account add alice@example.org --incoming imaps://mail.example.org "
                "--outgoing smtps://mail.example.org\n"
                "facteur account add bob@example.org --as work --login bob --incoming "
                "pop3s://pop.example.org --outgoing smtp://smtp.example.org --password-command "
                "'pass show work'",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"as", "NAME", "What to call the account; default: its address."},
                {"name", "TEXT", "Your name, for From."},
                {"incoming", "URL", "Server that has your mail."},
                {"outgoing", "URL", "Server that takes your mail."},
                {"login", "NAME", "Name to log in with; default: the address."},
                {"settings", "URL", "Where the file with the servers is (https)."},
                {"resolver", "ADDRESS",
                 "Name server to ask: ADDRESS[@PORT]; default: the system's."},
                {"yes", NULL, "Take servers outside of the domain unasked."},
                {"reply-to", "ADDRESS", "Where answers are to go, when not to the address."},
                {"organization", "TEXT", "For the field Organization."},
                {"tls", "WORD",
                 "required (default), offered: without TLS where the server has "
                 "none, or never."},
                {"trust", "FILE", "Certificates (PEM) to trust instead of the system's."},
                {"certificate", "FILE", "Your certificate and key (PEM), to sign and decrypt."},
                {"sent", "FOLDER",
                 "Where copies of sent mail go: a folder of the server, or the "
                 "path of an mbox or Maildir; default: Sent; '' for none."},
                {"copy", "PATH", "Where 'facteur sync' keeps a copy; default: ~/Mail/NAME."},
                {"receipts", "WORD",
                 "When a message asks for a receipt: ask (default), never, or always: "
                 "without asking where that is safe."},
                {"password-command", "COMMAND", "Prints the password; then none is stored."},
                {"password-stdin", NULL, "Read the password from standard input."},
                {"untested", NULL, "Do not log in."},
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_add,
};

/* ---- listing and removing ------------------------------------------------------------------ */

static void
report_url(struct report *report, const char *name, const struct client_server *server)
{
    struct buffer url;

    buffer_init(&url, 1024);
    if (server->protocol != CLIENT_NONE)
        client_server_format(server, &url);
    report_text(report, name, buffer_slice(&url));
    buffer_finish(&url);
}

static int
run_list(const struct command_call *call)
{
    struct report *report;
    struct desk desk;
    int code = desk_open(&desk);

    if (code == EX_OK) {
        report = report_open(command_has(call, "json"));
        report_list(report, "accounts");
        for (size_t i = 0; i < desk.accounts.count; i++) {
            const struct client_account *account = &desk.accounts.accounts[i];
            report_row(report);
            report_text(report, "name", slice_of_string(account->name));
            report_text(report, "address", slice_of_string(account->address));
            report_url(report, "incoming", &account->incoming);
            report_url(report, "outgoing", &account->outgoing);
            report_text(report, "login", slice_of_string(account->login));
        }
        report_list_end(report);
        code = report_close(&report);
    }
    desk_close(&desk);
    return code;
}

const struct command command_account_list = {
    .name = "account list",
    .arguments = "",
    .summary = "List your accounts",
    .about = "Lists the accounts of $XDG_CONFIG_HOME/facteur/accounts; the first is the one that "
             "other commands use when no --account is given.",
    .examples = "facteur account list --json",
    .options = {COMMAND_OPTION_JSON},
    .run = run_list,
};

static int
remove_account(struct desk *desk, const struct command_call *call)
{
    const char *name = call->arguments[0];
    const struct client_account *account = client_accounts_find(&desk->accounts, name);

    if (!account)
        return say_error(EX_CONFIG, "there is no account %s; 'facteur account list' shows all",
                         name);
    const char *label = account->name;
    size_t index = (size_t)(account - desk->accounts.accounts);
    desk->accounts.count--;
    for (size_t i = index; i < desk->accounts.count; i++)
        desk->accounts.accounts[i] = desk->accounts.accounts[i + 1];
    int code = desk_write_accounts(&desk->accounts);
    return code == EX_OK ? desk_store_password(label, SLICE("")) : code;
}

static int
run_remove(const struct command_call *call)
{
    return desk_run(call, remove_account);
}

const struct command command_account_remove = {
    .name = "account remove",
    .arguments = "NAME",
    .summary = "Forget an account and its password",
    .about = "Takes the account out of the file. Mail on the server and on this machine stays.",
    .examples = "facteur account remove work",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_remove,
};
