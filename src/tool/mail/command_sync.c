/* SPDX-License-Identifier: ISC */
/* facteur sync: a copy of an account's mail on this machine, kept alike in both directions. */
#include "sync/sync.h"

#include "tool/mail/desk.h"
#include "tool/report.h"
#include "tool/say.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS_MAX = 1000, WATCH_S = 300, RETRY_S = 30 };

struct syncing {
    const struct command_call *call;
    struct desk *desk;
    struct report *report; /* with --json */
    const char *account;
    const char *folders[FOLDERS_MAX];
    struct say_progress progress;
    const char *shown; /* the folder whose bar is drawn; borrowed from the run */
    bool is_verbose;
};

/* ---- telling ------------------------------------------------------------------------------- */

static void
draw(struct syncing *syncing, const struct sync_event *event)
{
    if (event->whole == 0)
        return;
    if (syncing->shown != event->folder) {
        say_progress_end(&syncing->progress);
        say_progress_begin(&syncing->progress, event->folder, event->whole);
    }
    syncing->shown = event->folder;
    syncing->progress.whole = event->whole;
    say_progress_show(&syncing->progress, event->done);
}

/* "folder here" for people. */
static void
print_deed(enum sync_deed deed)
{
    for (const char *at = sync_deed_name(deed); *at; at++)
        putchar(*at == '_' ? ' ' : *at);
}

static void
take_event(void *context, const struct sync_event *event)
{
    struct syncing *syncing = context;

    if (event->deed == SYNC_PASSED_OVER) {
        say_progress_end(&syncing->progress);
        say_warning("%s, %s: %s", syncing->account, event->folder, event->why);
    }
    if (syncing->report && syncing->is_verbose) {
        report_row(syncing->report);
        report_text(syncing->report, "account", slice_of_string(syncing->account));
        report_text(syncing->report, "deed", slice_of_string(sync_deed_name(event->deed)));
        report_text(syncing->report, "folder", slice_of_string(event->folder));
        report_number(syncing->report, "uid", event->uid);
        report_text(syncing->report, "file", slice_of_string(event->file ? event->file : ""));
        report_text(syncing->report, "why", slice_of_string(event->why ? event->why : ""));
    } else if (syncing->is_verbose && event->deed != SYNC_PASSED_OVER) {
        say_progress_end(&syncing->progress);
        printf("%s, ", syncing->account);
        (void)say_text(stdout, slice_of_string(event->folder));
        printf(": ");
        print_deed(event->deed);
        printf(" %u ", event->uid);
        (void)say_text(stdout, slice_of_string(event->file ? event->file : ""));
        printf("\n");
    } else if (!command_has(syncing->call, "quiet")) {
        draw(syncing, event);
    }
}

/* "home: fetched 3, sent 1", or that both are alike. */
static void
print_tally(const struct syncing *syncing, const struct sync_tally *tally)
{
    bool is_any = false;

    if (command_has(syncing->call, "quiet"))
        return;
    for (enum sync_deed deed = 0; deed < SYNC_DEEDS_COUNT; deed++) {
        if (tally->deeds[deed] == 0)
            continue;
        printf("%s%s", is_any ? "" : syncing->account, is_any ? ", " : ": ");
        print_deed(deed);
        printf(" %llu", (unsigned long long)tally->deeds[deed]);
        is_any = true;
    }
    if (is_any)
        printf("\n");
    else if (!command_has(syncing->call, "watch"))
        printf("%s: nothing to do\n", syncing->account);
    (void)fflush(stdout);
}

/* ---- one account --------------------------------------------------------------------------- */

struct result {
    const char *account;
    struct sync_tally tally;
    struct client_problem problem;
};

static int
take_gone(const struct command_call *call, enum sync_gone *ret_gone)
{
    const char *word = command_value(call, "when-gone");

    *ret_gone = SYNC_GONE_PASS_OVER;
    if (!word || strcmp(word, "stop") == 0)
        return EX_OK;
    if (strcmp(word, "delete") == 0)
        *ret_gone = SYNC_GONE_DELETE;
    else if (strcmp(word, "fetch") == 0)
        *ret_gone = SYNC_GONE_FETCH;
    else
        return say_error(EX_USAGE, "--when-gone %s: expected stop, delete or fetch", word);
    return EX_OK;
}

static int
take_folders(struct syncing *syncing, struct sync_options *options)
{
    const char *folder;
    size_t place = 0;

    while ((folder = command_next_value(syncing->call, "folder", &place))) {
        if (options->folders_count == FOLDERS_MAX)
            return say_error(EX_USAGE, "more than %d folders; leave --folder out for all",
                             FOLDERS_MAX);
        syncing->folders[options->folders_count++] = folder;
    }
    options->folders = syncing->folders;
    return EX_OK;
}

/* What a run is told; the root is owned by the caller, and NULL after a failure. */
static int
prepare(struct syncing *syncing, const char *account, struct sync_options *ret_options)
{
    const struct command_call *call = syncing->call;
    struct desk *desk = syncing->desk;

    *ret_options = (struct sync_options){.login = &desk->login,
                                         .is_dry = command_has(call, "dry-run"),
                                         .on_event = take_event,
                                         .context = syncing};
    int code = desk_log_in(desk, account, command_has(call, "trace"));
    if (code == EX_OK)
        code = take_gone(call, &ret_options->when_gone);
    if (code == EX_OK)
        code = take_folders(syncing, ret_options);
    if (code == EX_OK && desk->login.account->incoming.protocol != CLIENT_IMAP)
        code =
            say_error(EX_CONFIG, "the account %s has no IMAP server; 'facteur fetch' is for POP3",
                      desk->login.account->name);
    if (code != EX_OK)
        return code;
    syncing->account = desk->login.account->name;
    ret_options->root = desk_copy_root(desk->login.account);
    return ret_options->root ? EX_OK : EX_CONFIG;
}

static int
sync_once(struct syncing *syncing, const struct sync_options *options, struct result *result)
{
    result->account = syncing->account;
    bool is_good = sync_run(options, &result->tally, &result->problem);
    say_progress_end(&syncing->progress);
    syncing->shown = NULL;
    if (!syncing->report)
        print_tally(syncing, &result->tally);
    if (!is_good)
        return desk_tell(&result->problem);
    return result->tally.deeds[SYNC_PASSED_OVER] > 0 ? EX_UNAVAILABLE : EX_OK;
}

static int
sync_account(struct syncing *syncing, const char *account, struct result *result)
{
    struct sync_options options;
    int code = prepare(syncing, account, &options);

    if (code == EX_OK)
        code = sync_once(syncing, &options, result);
    free((char *)(uintptr_t)options.root);
    return code;
}

/* ---- watching ------------------------------------------------------------------------------ */

static bool
may_pass(int code)
{
    return code == EX_OK || code == EX_TEMPFAIL || code == EX_UNAVAILABLE;
}

/* Runs again and again, until something is wrong that does not pass by itself. */
static int
watch(struct syncing *syncing, const struct sync_options *options)
{
    struct client_problem problem = {0};
    struct sync_watch *watch = sync_watch_open(options->root, &problem);
    int code = watch ? EX_OK : desk_tell(&problem);

    while (watch && may_pass(code)) {
        struct timespec pause = {.tv_sec = RETRY_S};
        struct result result = {0};
        problem = (struct client_problem){0};
        code = sync_once(syncing, options, &result);
        bool has_waited = code != EX_TEMPFAIL && sync_watch_wait(watch, options, WATCH_S, &problem);
        if (!has_waited && problem.kind != CLIENT_PROBLEM_NONE)
            code = desk_tell(&problem);
        if (!has_waited && may_pass(code))
            nanosleep(&pause, NULL);
    }
    sync_watch_close(&watch);
    return code;
}

/* A process for each account; passwords are asked for before. The first that fails ends all. */
static int
watch_accounts(struct syncing *syncing)
{
    const struct command_call *call = syncing->call;
    size_t count = call->count > 0 ? call->count : 1;
    int code = EX_OK, status = 0;

    for (size_t i = 0; i < count && code == EX_OK; i++) {
        struct sync_options options;
        code = prepare(syncing, call->count > 0 ? call->arguments[i] : NULL, &options);
        pid_t child = code == EX_OK ? fork() : -1;
        if (child == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
            _exit(watch(syncing, &options));
        }
        if (code == EX_OK && child < 0)
            code = say_error(EX_OSERR, "fork: %s", strerror(errno));
        free((char *)(uintptr_t)options.root);
    }
    while (code == EX_OK) {
        if (wait(&status) > 0)
            code = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
        else if (errno != EINTR)
            code = say_error(EX_OSERR, "wait: %s", strerror(errno));
    }
    return code;
}

/* ---- all of them --------------------------------------------------------------------------- */

static void
report_results(struct report *report, const struct result *results, size_t count)
{
    report_list(report, "accounts");
    for (size_t i = 0; i < count; i++) {
        if (!results[i].account)
            continue;
        report_row(report);
        report_text(report, "name", slice_of_string(results[i].account));
        for (enum sync_deed deed = 0; deed < SYNC_DEEDS_COUNT; deed++)
            report_number(report, sync_deed_name(deed), results[i].tally.deeds[deed]);
        report_text(report, "problem", slice_of_string(results[i].problem.text));
    }
    report_list_end(report);
}

static int
sync_accounts(struct syncing *syncing)
{
    const struct command_call *call = syncing->call;
    size_t count = call->count > 0 ? call->count : 1;
    struct result *results = calloc(count, sizeof(*results));
    int code = EX_OK;

    if (!results)
        abort();
    if (syncing->report && syncing->is_verbose)
        report_list(syncing->report, "deeds");
    for (size_t i = 0; i < count; i++) {
        int result =
            sync_account(syncing, call->count > 0 ? call->arguments[i] : NULL, &results[i]);
        code = code == EX_OK ? result : code;
    }
    if (syncing->report && syncing->is_verbose)
        report_list_end(syncing->report);
    if (syncing->report)
        report_results(syncing->report, results, count);
    free(results);
    return code;
}

static int
run_sync(const struct command_call *call)
{
    struct desk desk;
    struct syncing syncing = {.call = call,
                              .desk = &desk,
                              .is_verbose =
                                  command_has(call, "verbose") || command_has(call, "dry-run")};
    int code = desk_open(&desk);

    if (command_has(call, "json"))
        syncing.report = report_open(true);
    if (code == EX_OK && command_has(call, "watch"))
        code = syncing.report || command_has(call, "dry-run")
                   ? say_error(EX_USAGE, "--watch has no end: leave --json and --dry-run out")
                   : watch_accounts(&syncing);
    else if (code == EX_OK)
        code = sync_accounts(&syncing);
    if (syncing.report) {
        int written = report_close(&syncing.report);
        code = code == EX_OK ? written : code;
    }
    desk_close(&desk);
    return code;
}

const struct command command_sync = {
    .name = "sync",
    .arguments = "[ACCOUNT...]",
    .summary = "Keep a copy of an account's mail on this machine, alike in both directions",
    .about =
        "Makes the folders of an IMAP account and a tree of Maildirs alike: messages, flags, "
        "moves, "
        "deletions and new folders go from each side to the other. The copy lies in "
        "~/Mail/ACCOUNT, "
        "or where the account's copy says; any program that knows Maildirs may read and change it. "
        "Each folder is a Maildir of its name: ~/Mail/home/INBOX, ~/Mail/home/Lists/c.\n\n"
        "It may be killed at any moment, and the next run goes on: nothing is lost, and nothing "
        "comes twice. What is deleted on one side and flagged, answered or forwarded on the other "
        "since is kept. When all of 20 messages or more of a folder have gone from this machine, "
        "those of the server are left alone, until --when-gone says what to do; trash and junk "
        "may be emptied.\n\n"
        "Folders that the server marks as views of all or of flagged messages are left out.",
    .examples = "facteur sync\n"
                "facteur sync home work\n"
                "facteur sync --dry-run # what would be done\n"
                "facteur sync home --folder INBOX --folder Sent\n"
                "facteur sync home work --watch",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {{"folder", "NAME", "This folder only; may be given more than once.",
                 .is_repeatable = true},
                {"dry-run", NULL, "Say what would be done, and change nothing.", .letter = 'n'},
                {"when-gone", "WORD",
                 "When a folder's messages have gone from this machine: stop (default), delete "
                 "them on the server, or fetch them again."},
                {"watch", NULL,
                 "Do not end: run whenever something changes here or in the server's INBOX, and "
                 "every five minutes."},
                {"verbose", NULL, "Say each thing that is done."},
                {"quiet", NULL, "Say nothing when all is well."},
                DESK_OPTION_TRACE,
                COMMAND_OPTION_JSON},
    .run = run_sync,
};
