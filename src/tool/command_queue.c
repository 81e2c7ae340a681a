/* SPDX-License-Identifier: ISC */
/* facteur queue list, hold, release, retry, delete, bounce. */
#include "tool/command.h"
#include "tool/queue_client.h"
#include "tool/say.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define OPTION_SENDER                                                                              \
    {                                                                                              \
        "sender", "ADDRESS", "Only mail of this sender; @DOMAIN: of a domain."                     \
    }
#define OPTION_RECIPIENT                                                                           \
    {                                                                                              \
        "recipient", "ADDRESS", "Only for this recipient; @DOMAIN: of a domain."                   \
    }
#define OPTION_OLDER                                                                               \
    {                                                                                              \
        "older", "AGE", "Only what arrived longer ago than this: 30m, 4h, 2d."                     \
    }
#define OPTION_STATE                                                                               \
    {                                                                                              \
        "state", "STATE", "Only what is waiting, or held."                                         \
    }
#define OPTION_ALL                                                                                 \
    {                                                                                              \
        "all", NULL, "All of the queue, when nothing else says which."                             \
    }

enum {
    STATE_WAITING = 1 << TOOL_STORE_QUEUE_STATE_WAITING,
    STATE_HELD = 1 << TOOL_STORE_QUEUE_STATE_HELD
};

/* "4h" in seconds; 0 for what is no age. */
static int64_t
parse_age(const char *text)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 24 * 3600};
    char *end;

    errno = 0;
    unsigned long number = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    if (number == 0 || errno != 0 || number > 100000000)
        return 0;
    const char *unit = *end && !end[1] ? strchr(units, *end) : NULL;
    return unit ? (int64_t)number * seconds[unit - units] : 0;
}

/* Reads the filters. EX_OK, or EX_USAGE after having said what is wrong. */
static int
read_filters(const struct command_call *call, struct tool_store_queue_ask *ask)
{
    const char *sender = command_value(call, "sender");
    const char *recipient = command_value(call, "recipient");
    const char *older = command_value(call, "older"), *state = command_value(call, "state");

    ask->sender = slice_of_string(sender ? sender : "");
    ask->recipient = slice_of_string(recipient ? recipient : "");
    if (older) {
        int64_t age = parse_age(older);
        if (age == 0)
            return say_error(EX_USAGE, "--older %s is no age; write one like 30m, 4h or 2d", older);
        ask->before_s = (int64_t)time(NULL) - age;
    }
    if (!state)
        return EX_OK;
    ask->states = strcmp(state, "waiting") == 0 ? STATE_WAITING
                  : strcmp(state, "held") == 0  ? STATE_HELD
                                                : 0;
    return ask->states ? EX_OK
                       : say_error(EX_USAGE, "--state %s: it is either waiting or held", state);
}

static void
report_entry(void *context, const struct tool_store_queue_entry *entry)
{
    queue_client_report(context, entry);
}

/* Asks once for each queue id that is named, or once for all. */
static int
ask_all(const struct command_call *call, struct client *client, struct tool_store_queue_ask *ask,
        struct report *report, struct queue_client_result *total)
{
    size_t rounds = call->count > 0 ? call->count : 1;
    int code = EX_OK;

    for (size_t i = 0; i < rounds && code == EX_OK; i++) {
        struct queue_client_result result;
        ask->queue_id = slice_of_string(call->count > 0 ? call->arguments[i] : "");
        if (ask->queue_id.len > TOOL_STORE_QUEUE_ASK_QUEUE_ID_MAX)
            return say_error(EX_USAGE, "'%s' is no queue id; 'facteur queue list' shows all",
                             call->arguments[i]);
        code = queue_client_ask(client, ask, report_entry, report, &result);
        if (code != EX_OK)
            return code;
        if (call->count > 0 && result.count + result.busy == 0)
            code = say_error(EX_NOUSER,
                             "nothing under the queue id %s fits; 'facteur queue list' shows all",
                             call->arguments[i]);
        total->count += result.count;
        total->busy += result.busy;
    }
    return code;
}

static int
run_action(const struct command_call *call, enum tool_store_queue_action action)
{
    struct tool_store_queue_ask ask = {.action = action};
    struct queue_client_result total = {0};
    struct settings settings;
    struct client *client = NULL;
    int code = read_filters(call, &ask);
    bool has_filter = call->count > 0 || ask.sender.len > 0 || ask.recipient.len > 0 ||
                      ask.before_s != 0 || ask.states != 0;

    if (code != EX_OK)
        return code;
    if (action != TOOL_STORE_QUEUE_ACTION_LIST && !has_filter && !command_has(call, "all"))
        return say_error(EX_USAGE, "say which: queue ids, --sender, --recipient, --older, --state "
                                   "or --all");
    code = settings_load(call, &settings);
    if (code == EX_OK)
        code = client_open_store(&settings, &client);
    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_list(report, "recipients");
        code = ask_all(call, client, &ask, report, &total);
        report_list_end(report);
        int written = report_close(&report);
        code = code == EX_OK ? written : code;
    }
    if (total.busy > 0)
        say_line("%llu more are being carried at this moment and were left alone",
                 (unsigned long long)total.busy);
    client_close(&client);
    settings_finish(&settings);
    return code;
}

/* ---- the commands -------------------------------------------------------------------------- */

static int
run_list(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_LIST);
}

const struct command command_queue_list = {
    .name = "queue list",
    .arguments = "[QUEUE-ID...]",
    .summary = "Show the mail that waits for other hosts",
    .about = "Shows a row for each recipient that waits or is held: when it is tried next, how "
             "often that was done, and what was said the last time.",
    .examples = "facteur queue list\n"
                "facteur queue list --recipient @example.org --older 4h",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON},
    .run = run_list,
};

static int
run_hold(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_HOLD);
}

const struct command command_queue_hold = {
    .name = "queue hold",
    .arguments = "[QUEUE-ID...]",
    .summary = "Keep mail in the queue until it is released",
    .about = "Held mail is neither tried nor given back to its sender, however long it takes.",
    .examples = "facteur queue hold --sender spammer@example.org",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, OPTION_ALL,
                COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_hold,
};

static int
run_release(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_RELEASE);
}

const struct command command_queue_release = {
    .name = "queue release",
    .arguments = "[QUEUE-ID...]",
    .summary = "Let held mail go",
    .about = "What was held is tried at once, and from then on as any other mail.",
    .examples = "facteur queue release --all",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, OPTION_ALL,
                COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_release,
};

static int
run_retry(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_RETRY);
}

const struct command command_queue_retry = {
    .name = "queue retry",
    .arguments = "[QUEUE-ID...]",
    .summary = "Try mail now that would wait for its time",
    .about = "For when a host is known to be back. Held mail stays held.",
    .examples = "facteur queue retry --recipient @example.org",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, OPTION_ALL,
                COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_retry,
};

static int
run_delete(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_DELETE);
}

const struct command command_queue_delete = {
    .name = "queue delete",
    .arguments = "[QUEUE-ID...]",
    .summary = "Take mail out of the queue without a word to its sender",
    .about = "For mail that nobody should hear of again, like spam that was sent through a stolen "
             "password. `facteur trace` still knows it.",
    .examples = "facteur queue delete --sender stolen@example.org",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, OPTION_ALL,
                COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_delete,
};

static int
run_bounce(const struct command_call *call)
{
    return run_action(call, TOOL_STORE_QUEUE_ACTION_BOUNCE);
}

const struct command command_queue_bounce = {
    .name = "queue bounce",
    .arguments = "[QUEUE-ID...]",
    .summary = "Give mail back to its sender now",
    .about = "The sender gets the notification that would come when patience ends.",
    .examples = "facteur queue bounce 3SM56WBCBGGfBJ",
    .arguments_max = COMMAND_ARGUMENTS_ANY,
    .options = {OPTION_SENDER, OPTION_RECIPIENT, OPTION_OLDER, OPTION_STATE, OPTION_ALL,
                COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_bounce,
};
