/* SPDX-License-Identifier: ISC */
/* facteur fetch: mail from servers into letter boxes of this machine (seed cases C5, C10). */
#include "base/map.h"
#include "client/imap.h"
#include "client/keep.h"
#include "tool/mail/departure.h"
#include "tool/mail/desk.h"
#include "tool/mail/seen.h"
#include "tool/say.h"

#include <stdlib.h>

enum { DAY_S = 24 * 3600, WAIT_S = 300, RETRY_S = 30 };

struct fetching {
    const struct command_call *call;
    struct desk *desk;
    struct client_folder *folder;
    struct seen *seen;
    uint32_t today;
    uint32_t delete_after; /* days; UINT32_MAX: never */
    size_t fetched, deleted;
    size_t left; /* messages on the server of the (first) account */
    int refusal; /* exit code for messages that the server could not give */
};

/* ---- one message --------------------------------------------------------------------------- */

/* False: it did not come, and *ret_code is EX_OK if the next may. */
static bool
keep(struct fetching *fetching, size_t index, int *ret_code)
{
    const char *to = command_value(fetching->call, "to");
    const char *command = command_value(fetching->call, "to-command");
    const struct client_letter *letter = client_folder_letter(fetching->folder, index);
    struct client_problem problem = {0};
    struct buffer message;

    buffer_init(&message, CLIENT_MESSAGE_MAX);
    bool is_good = client_folder_read(fetching->folder, index, &message, &problem);
    bool is_refused = !is_good && problem.kind == CLIENT_PROBLEM_REFUSED;
    if (is_good && to)
        is_good = client_keep(to, client_keep_kind_of(to), buffer_slice(&message), letter->flags,
                              &problem);
    else if (is_good)
        is_good = client_keep_pipe(command, buffer_slice(&message), &problem);
    buffer_finish(&message);
    int code = is_good ? EX_OK : desk_tell(&problem);
    if (is_refused) { /* the server cannot read it: that keeps back no other */
        fetching->refusal = code;
        code = EX_OK;
    }
    fetching->fetched += is_good;
    if (is_good && letter->unique)
        code = seen_add(fetching->seen, letter->unique, fetching->today);
    *ret_code = code;
    return is_good && code == EX_OK;
}

static bool
is_due(const struct fetching *fetching, uint32_t day)
{
    if (fetching->delete_after == 0 || fetching->delete_after == UINT32_MAX)
        return fetching->delete_after == 0;
    return day <= fetching->today && fetching->today - day >= fetching->delete_after; /* clocks */
}

/* Fetches what is new; adds to `due` what is to be deleted. */
static int
fetch_letters(struct fetching *fetching, size_t *due, size_t *ret_due_count)
{
    bool takes_all = command_has(fetching->call, "all");
    int code = EX_OK;

    *ret_due_count = 0;
    for (size_t i = 0; i < client_folder_count(fetching->folder) && code == EX_OK; i++) {
        const char *unique = client_folder_letter(fetching->folder, i)->unique;
        uint32_t day = unique ? seen_day(fetching->seen, unique) : 0;
        if (!unique && fetching->delete_after != 0)
            return say_error(EX_UNAVAILABLE,
                             "the server has no unique ids (UIDL): what is new cannot be known; "
                             "give --delete-after 0");
        bool is_kept = (day != 0 && !takes_all) || keep(fetching, i, &code);
        if (is_kept && is_due(fetching, day ? day : fetching->today))
            due[(*ret_due_count)++] = i;
    }
    return code;
}

/* ---- one account --------------------------------------------------------------------------- */

static bool
is_on_server(void *context, const char *unique)
{
    const struct map *there = context;

    return map_find(there, slice_of_string(unique)) != NULL;
}

/* Forgets what the server has no more. */
static int
tidy(const struct fetching *fetching)
{
    struct map there;
    uint64_t seed;

    client_random(&seed, sizeof(seed));
    map_init(&there, seed);
    for (size_t i = 0; i < client_folder_count(fetching->folder); i++) {
        const char *unique = client_folder_letter(fetching->folder, i)->unique;
        if (unique)
            map_set(&there, slice_of_string(unique), fetching->folder);
    }
    int code = seen_tidy(fetching->seen, is_on_server, &there);
    map_finish(&there);
    return code;
}

static int
fetch_folder(struct fetching *fetching)
{
    size_t *due = calloc(client_folder_count(fetching->folder) + 1, sizeof(*due));
    struct client_problem problem = {0};
    size_t count = 0;

    if (!due)
        abort();
    int code = fetch_letters(fetching, due, &count);
    struct client_chosen chosen = {.indexes = due, .count = count};
    /* What is on this machine may go there, also when a later one failed. */
    if (count > 0 && !client_folder_delete(fetching->folder, chosen, &problem))
        code = desk_tell(&problem);
    if (problem.kind == CLIENT_PROBLEM_NONE && !client_folder_finish(fetching->folder, &problem))
        code = desk_tell(&problem);
    if (problem.kind == CLIENT_PROBLEM_NONE)
        fetching->deleted += count;
    fetching->left =
        client_folder_count(fetching->folder) - (problem.kind == CLIENT_PROBLEM_NONE ? count : 0);
    if (code == EX_OK)
        code = tidy(fetching);
    free(due);
    return code == EX_OK ? fetching->refusal : code;
}

/* The name under which an account's folder is remembered; owned by the caller. */
static char *
seen_name(const char *account, const char *folder)
{
    char *name = NULL;

    if (asprintf(&name, "%s~%s", account, folder) < 0)
        abort();
    for (char *at = name; *at; at++) {
        if (*at == '/')
            *at = '~';
    }
    return name;
}

static int
fetch_account(struct fetching *fetching, const char *account)
{
    const char *folder = command_value(fetching->call, "folder");
    struct client_folder_place place = {.folder = folder ? folder : "INBOX"};
    struct client_problem problem = {0};
    int code = desk_log_in(fetching->desk, account, command_has(fetching->call, "trace"));

    if (code != EX_OK)
        return code;
    place.login = &fetching->desk->login;
    char *name = seen_name(fetching->desk->login.account->name, place.folder);
    code = seen_open("seen", name, &fetching->seen);
    if (code == EX_OK) {
        fetching->folder = client_folder_open(&place, &problem);
        code = fetching->folder ? fetch_folder(fetching) : desk_tell(&problem);
    }
    client_folder_close(&fetching->folder);
    seen_close(&fetching->seen);
    free(name);
    return code;
}

static int
fetch_accounts(struct fetching *fetching)
{
    const struct command_call *call = fetching->call;
    int code = EX_OK;
    size_t left = 0;

    fetching->today = (uint32_t)(wall_seconds(client_wall()) / DAY_S);
    for (size_t i = 0; i < call->count; i++) {
        int result = fetch_account(fetching, call->arguments[i]);
        code = code == EX_OK ? result : code;
        left = i == 0 ? fetching->left : left;
    }
    fetching->left = left;
    if (call->count == 0)
        code = fetch_account(fetching, NULL);
    if (code == EX_OK && departure_count() > 0)
        (void)!departure_retry(fetching->desk, &left);
    return code;
}

/* ---- waiting for more ---------------------------------------------------------------------- */

/* Until something has changed on the server of the (first) account, or some minutes are over. */
static int
wait_for_more(struct fetching *fetching)
{
    const struct command_call *call = fetching->call;
    const char *folder = command_value(call, "folder");
    struct instant deadline = instant_after(client_now(), duration_s(WAIT_S));
    struct imap_client_question examine = {.command = IMAP_CLIENT_EXAMINE,
                                           .mailbox = slice_of_string(folder ? folder : "INBOX")};
    struct client_problem problem = {0};
    int code = desk_log_in(fetching->desk, call->count > 0 ? call->arguments[0] : NULL, false);

    if (code != EX_OK)
        return code;
    if (fetching->desk->login.account->incoming.protocol != CLIENT_IMAP) {
        struct timespec pause = {.tv_sec = WAIT_S};
        nanosleep(&pause, NULL);
        return EX_OK;
    }
    struct client_imap *imap = client_imap_open(&fetching->desk->login, &problem);
    bool is_good = imap && client_imap_ask(imap, &examine, NULL, NULL, &problem);
    /* What came since we looked is not waited for. */
    if (is_good && client_imap_mailbox(imap).status.messages == fetching->left)
        is_good = client_imap_wait(imap, deadline, NULL, NULL, &problem);
    client_imap_close(&imap);
    if (is_good)
        return EX_OK;
    struct timespec pause = {.tv_sec = RETRY_S};
    say_warning("%s", problem.text);
    nanosleep(&pause, NULL);
    return desk_code(problem.kind);
}

/* What may pass does not end it. */
static bool
may_pass(int code)
{
    return code == EX_OK || code == EX_TEMPFAIL;
}

static int
fetch(struct fetching *fetching)
{
    int code;

    do {
        fetching->fetched = fetching->deleted = 0;
        code = fetch_accounts(fetching);
        if (!command_has(fetching->call, "quiet") && (fetching->fetched || fetching->deleted)) {
            printf("fetched %zu, deleted %zu on the server\n", fetching->fetched,
                   fetching->deleted);
            (void)fflush(stdout);
        }
        if (command_has(fetching->call, "wait") && may_pass(code))
            code = wait_for_more(fetching);
    } while (command_has(fetching->call, "wait") && may_pass(code));
    return code;
}

static int
take_days(const struct command_call *call, uint32_t *ret_days)
{
    const char *value = command_value(call, "delete-after");
    char *end;

    *ret_days = UINT32_MAX;
    if (!value)
        return EX_OK;
    unsigned long days = strtoul(value, &end, 10);
    if (*end != '\0' || value[0] < '0' || value[0] > '9' || days > 100000)
        return say_error(EX_USAGE, "--delete-after %s: expected a number of days", value);
    *ret_days = (uint32_t)days;
    return EX_OK;
}

static int
run_fetch(const struct command_call *call)
{
    struct desk desk;
    struct fetching fetching = {.call = call, .desk = &desk};
    int code = desk_open(&desk);

    if (code == EX_OK && !command_has(call, "to") == !command_has(call, "to-command"))
        code = say_error(EX_USAGE, "where to? Give --to PATH or --to-command COMMAND");
    if (code == EX_OK)
        code = take_days(call, &fetching.delete_after);
    if (code == EX_OK)
        code = fetch(&fetching);
    desk_close(&desk);
    return code;
}

const struct command command_fetch = {
    .name = "fetch",
    .arguments = "[ACCOUNT...]",
    .summary = "Fetch new mail from servers to this machine",
    .about = "Reads what is new on the servers of accounts (default: the first) into an mbox, a "
             "Maildir (a path that ends in a slash, or a folder), or a command that delivers. What "
             "was fetched before is known by its unique id, kept in "
             "$XDG_STATE_HOME/facteur/seen, and passed over. Messages stay on the server, unless "
             "--delete-after says for how many days; they go only when they are on the disk here. "
             "A fetch that is cut off loses nothing: at most one message comes a second time.",
    .examples = "facteur fetch --to Maildir/\n"
                "facteur fetch home work --to inbox.mbox --delete-after 14\n"
                "facteur fetch --to-command '/usr/sbin/sendmail -i alice' --wait",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"to", "PATH", "An mbox file or a Maildir of this machine."},
                {"to-command", "COMMAND", "A command that takes each message on standard input."},
                {"delete-after", "DAYS",
                 "Delete on the server what was fetched that many days "
                 "ago; 0: at once. Default: never."},
                {"all", NULL, "Also what was fetched before."},
                {"wait", NULL,
                 "Do not end: fetch whenever something comes (IDLE), or every five "
                 "minutes."},
                DESK_OPTION_FOLDER,
                {"quiet", NULL, "Say nothing when all is well."},
                DESK_OPTION_TRACE},
    .run = run_fetch,
};
