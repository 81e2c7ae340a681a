/* SPDX-License-Identifier: ISC */
/* facteur route: the decision of the role route, taken here and explained. */
#include "tool/command.h"

#include "host/linux/linux.h"
#include "message/rewrite.h"
#include "role/hand/forward_file.h"
#include "role/resolve/options.h"
#include "role/route/settings.h"
#include "routing/forward.h"
#include "table/table.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

enum {
    TRANSPORTS_BYTES_MAX = 256 << 20,
    TABLE_BYTES_MAX = 256 << 20,
    ARENA_MAX = 64 << 20,
    TARGETS_MAX = 50, /* whose next hop is looked for; more are only named */
    ADDRESS_TEXT_MAX = 64,
    SEED = 1 /* among equal hosts: the same order every time */
};

/* One target, and what becomes of it. */
struct way {
    struct directory_target target;
    enum routing_outcome outcome;
    struct routing_hop hop;
    struct routing_steps steps;
};

struct explanation {
    const struct config *config;
    struct people people;
    struct routing_settings routing;
    struct routing_transports *transports;
    struct dns_resolver *resolver;
    struct host *host; /* opened when a .forward is read */
    struct slice recipient, sender;
    struct slice rewritten, rewritten_sender; /* empty: as they are */
    struct table *tables[16];                 /* as the option, opened when they are asked */
    struct arena arena;
    struct routing_steps rewriting, steps; /* to the targets */
    struct directory_answer answer;
    enum routing_outcome outcome;
    struct way ways[TARGETS_MAX];
    size_t count;
};

/* ---- facts --------------------------------------------------------------------------------- */

static struct table *
open_table(const struct table_spec *spec)
{
    char why[TABLE_WHY_MAX + 1];
    struct buffer bytes;
    struct table *table = NULL;
    char path[4096];

    buffer_init(&bytes, 0);
    snprintf(path, sizeof(path), "%.*s", (int)spec->place.len, (const char *)spec->place.at);
    if (!table_takes_bytes(spec->kind) || files_read(path, TABLE_BYTES_MAX, &bytes) == EX_OK) {
        table = table_open(spec, buffer_slice(&bytes), NULL, why);
        if (!table)
            say_warning("the table %.*s: %s", (int)spec->name.len, (const char *)spec->name.at,
                        why);
    }
    buffer_finish(&bytes);
    return table;
}

static struct table *
find_table(struct explanation *run, struct slice name)
{
    struct table_spec spec;

    for (size_t i = 0; i < run->config->tables.count && i < COUNT_OF(run->tables); i++) {
        if (table_spec_parse(run->config->tables.at[i], &spec) || !slice_equal(spec.name, name))
            continue;
        if (!run->tables[i])
            run->tables[i] = open_table(&spec);
        return run->tables[i];
    }
    say_warning("the option tables has no %.*s", (int)name.len, (const char *)name.at);
    return NULL;
}

static bool
ask_table(struct explanation *run, struct routing_facts *facts,
          const struct routing_question *question)
{
    static const enum routing_table_outcome outcomes[] = {
        [TABLE_FOUND] = ROUTING_TABLE_FOUND,
        [TABLE_NOT_FOUND] = ROUTING_TABLE_NOT_FOUND,
        [TABLE_TEMPORARY] = ROUTING_TABLE_TEMPORARY,
    };
    struct table *table = find_table(run, question->table);
    enum table_outcome outcome = TABLE_TEMPORARY;
    struct buffer value;

    buffer_init(&value, TABLE_VALUE_MAX);
    if (table)
        outcome = table_look_up(table, question->key, &value);
    if (table && outcome == TABLE_TEMPORARY)
        say_warning("the table %.*s: %s", (int)question->table.len,
                    (const char *)question->table.at, table_why(table));
    bool is_added = routing_facts_add_table(facts, question->table, question->key,
                                            outcomes[outcome], buffer_slice(&value));
    buffer_finish(&value);
    return is_added;
}

/* With the rights of whoever runs this: what only the server may read is told of. */
static bool
ask_forward(struct explanation *run, struct routing_facts *facts,
            const struct routing_question *question)
{
    struct slice login = slice_first(question->key, slice_find_last_byte(question->key, '@'));
    struct buffer members;
    const char *why = NULL;

    buffer_init(&members, TABLE_VALUE_MAX);
    if (!run->host && host_linux_open(&run->host) < 0)
        abort();
    why = forward_file_members(run->host, run->config, question->key, &run->arena, &members);
    if (why && *why)
        say_warning("~/.forward of %.*s does not count: %s", (int)login.len, (const char *)login.at,
                    why);
    bool is_added = routing_facts_add_table(facts, question->table, question->key,
                                            forward_file_is_temporary(why) ? ROUTING_TABLE_TEMPORARY
                                            : why                          ? ROUTING_TABLE_NOT_FOUND
                                                                           : ROUTING_TABLE_FOUND,
                                            why ? SLICE("") : buffer_slice(&members));
    buffer_finish(&members);
    return is_added;
}

/* Answers all that a decision lacks; false when it lacks too much. */
static bool
answer_questions(struct explanation *run, struct routing_facts *facts)
{
    struct routing_question questions[ROUTING_QUESTIONS_MAX];
    size_t count = facts->question_count;
    bool is_added = true;

    memcpy(questions, facts->questions, count * sizeof(*questions));
    for (size_t i = 0; i < count && is_added; i++) {
        struct dns_answer answer;
        if (questions[i].kind == ROUTING_ASK_TABLE) {
            is_added = slice_equal(questions[i].table, SLICE(ROUTING_FORWARD_TABLE))
                           ? ask_forward(run, facts, &questions[i])
                           : ask_table(run, facts, &questions[i]);
            continue;
        }
        dns_resolver_look_up(run->resolver, questions[i].key, questions[i].type, &run->arena,
                             &answer);
        is_added = routing_facts_add_dns(facts, questions[i].key, questions[i].type, &answer);
    }
    return is_added;
}

/* ---- deciding ------------------------------------------------------------------------------ */

static void
find_targets(struct explanation *run, struct slice address)
{
    struct routing_names names = {
        .directory = run->people.directory,
        .alias_tables = run->config->alias_tables.at,
        .alias_table_count = run->config->alias_tables.count,
        .has_forwards = run->config->forward_files != CONFIG_FORWARD_NO,
        .separators = run->config->subaddress_separator,
    };
    struct routing_facts facts;

    routing_facts_init(&facts, &run->arena);
    do
        run->outcome = routing_recipient(&names, address, &facts, &run->steps, &run->answer);
    while (run->outcome == ROUTING_MISSING && answer_questions(run, &facts));
    if (run->answer.verdict == DIRECTORY_FOREIGN)
        run->ways[run->count++].target = (struct directory_target){.name = address};
    for (size_t i = 0; i < run->answer.count && run->count < COUNT_OF(run->ways); i++)
        run->ways[run->count++].target = run->answer.targets[i];
}

static void
find_next_hops(struct explanation *run, struct slice sender)
{
    for (size_t i = 0; i < run->count; i++) {
        struct way *way = &run->ways[i];
        struct routing_facts facts;
        if (way->target.account)
            continue;
        routing_facts_init(&facts, &run->arena);
        do
            way->outcome = routing_next_hop(&run->routing, sender, way->target.name, SEED, &facts,
                                            &way->steps, &way->hop);
        while (way->outcome == ROUTING_MISSING && answer_questions(run, &facts));
    }
}

/* What `rewrite` makes of an address that a user hands in; empty: nothing. */
static struct slice
rewrite_one(struct explanation *run, const struct rewrite_rules *rules, const char *what,
            struct slice address)
{
    struct buffer text;
    struct slice copy = SLICE("");

    buffer_init(&text, CONFIG_STRING_MAX);
    if (rewrite_mailbox(rules, address, &text) && !buffer_overflowed(&text)) {
        copy = arena_copy(&run->arena, buffer_slice(&text));
        routing_step(&run->rewriting, &run->arena, "%s %.*s → %.*s in what users hand in (rewrite)",
                     what, (int)address.len, (const char *)address.at, (int)copy.len,
                     (const char *)copy.at);
    }
    buffer_finish(&text);
    return copy;
}

/* Whose mail it is makes a difference: strangers' addresses stay as they are. */
static void
rewrite(struct explanation *run, bool is_submitted)
{
    struct rewrite_rules rules;
    size_t bad;

    if (rewrite_rules_parse(run->config->rewrite.at, run->config->rewrite.count, &run->arena,
                            &rules, &bad))
        return; /* settings_load has said so */
    run->rewritten_sender = rewrite_one(run, &rules, "sender", run->sender);
    run->rewritten = rewrite_one(run, &rules, "recipient", run->recipient);
    if (is_submitted && run->rewritten_sender.len > 0)
        run->sender = run->rewritten_sender;
    if (is_submitted && run->rewritten.len > 0)
        run->recipient = run->rewritten;
}

/* ---- showing ------------------------------------------------------------------------------- */

static const char *
verdict_text(const struct explanation *run)
{
    static const char *const names[] = {
        [DIRECTORY_FOUND] = "taken",
        [DIRECTORY_UNKNOWN] = "unknown: 550 5.1.1",
        [DIRECTORY_FOREIGN] = "of another host: for users and relay_networks, others get 554 5.7.1",
        [DIRECTORY_RELAYED] = "of another host: passed on for everybody",
        [DIRECTORY_AWAITED] = "of another host whose names are not known yet: 451",
        [DIRECTORY_HAS_MOVED] = "moved: 551, or 251 when the new address is here",
        [DIRECTORY_DISABLED] = "disabled: 550 5.2.1",
        [DIRECTORY_BAD_ADDRESS] = "no address: 501",
        [DIRECTORY_BROKEN] = "not set up rightly: 451",
    };

    return names[run->answer.verdict];
}

static const char *
outcome_text(const struct way *way)
{
    if (way->target.account)
        return "an account here";
    switch (way->outcome) {
    case ROUTING_FOUND:
        return routing_carrier_name(way->hop.carrier);
    case ROUTING_PERMANENT:
        return "returned to the sender";
    case ROUTING_TEMPORARY:
    case ROUTING_MISSING:
        break;
    }
    return "has to wait";
}

static void
put_address(char text[ADDRESS_TEXT_MAX], const struct routing_address *address)
{
    size_t len = 0;

    if (address->len == 4) {
        snprintf(text, ADDRESS_TEXT_MAX, "%u.%u.%u.%u", address->bytes[0], address->bytes[1],
                 address->bytes[2], address->bytes[3]);
        return;
    }
    for (size_t i = 0; i < 16; i += 2)
        len += (size_t)snprintf(text + len, ADDRESS_TEXT_MAX - len, "%s%x", i ? ":" : "",
                                (unsigned)(address->bytes[i] << 8 | address->bytes[i + 1]));
}

static void
show_steps_about(struct report *report, struct slice about, const struct routing_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        report_row(report);
        report_text(report, "about", about);
        report_text(report, "step", steps->at[i]);
    }
}

static void
show_steps(const struct explanation *run, struct report *report)
{
    report_list(report, "steps");
    show_steps_about(report, SLICE("address"), &run->rewriting);
    show_steps_about(report, SLICE("address"), &run->steps);
    for (size_t i = 0; i < run->count; i++)
        show_steps_about(report, run->ways[i].target.name, &run->ways[i].steps);
    report_list_end(report);
}

static void
show_targets(const struct explanation *run, struct report *report)
{
    report_list(report, "targets");
    for (size_t i = 0; i < run->count; i++) {
        const struct way *way = &run->ways[i];
        bool is_hop = !way->target.account && way->outcome == ROUTING_FOUND;
        report_row(report);
        report_text(report, "target", way->target.name);
        report_text(report, "detail", way->target.detail);
        report_text(report, "list", way->target.list ? way->target.list->name : SLICE(""));
        report_text(report, "way", slice_of_string(outcome_text(way)));
        report_text(report, "tls", slice_of_string(is_hop ? routing_tls_name(way->hop.tls) : ""));
        report_text(report, "status", slice_of_string(way->hop.status ? way->hop.status : ""));
        report_text(report, "text", way->hop.text);
    }
    report_list_end(report);
}

static void
show_hosts(const struct explanation *run, struct report *report)
{
    char text[ADDRESS_TEXT_MAX];

    report_list(report, "hosts");
    for (size_t i = 0; i < run->count; i++) {
        const struct routing_hop *hop = &run->ways[i].hop;
        for (size_t k = 0; k < hop->host_count; k++) {
            for (size_t n = 0; n < hop->hosts[k].address_count; n++) {
                put_address(text, &hop->hosts[k].addresses[n]);
                report_row(report);
                report_text(report, "target", run->ways[i].target.name);
                report_number(report, "preference", hop->hosts[k].preference);
                report_text(report, "host", hop->hosts[k].name);
                report_text(report, "address", slice_of_string(text));
                report_number(report, "port", hop->port);
                report_bool(report, "dnssec", hop->hosts[k].is_secure);
                report_number(report, "tlsa", hop->hosts[k].tlsa_count);
            }
        }
    }
    report_list_end(report);
}

static int
show(const struct explanation *run, struct report *report, const char *address)
{
    int code =
        run->answer.verdict == DIRECTORY_UNKNOWN || run->answer.verdict == DIRECTORY_BAD_ADDRESS ||
                run->answer.verdict == DIRECTORY_DISABLED
            ? EX_NOUSER
        : run->outcome != ROUTING_FOUND || run->answer.verdict == DIRECTORY_BROKEN ? EX_TEMPFAIL
                                                                                   : EX_OK;

    report_text(report, "recipient", slice_of_string(address));
    report_text(report, "rewritten", run->rewritten);
    report_text(report, "rewritten_sender", run->rewritten_sender);
    report_text(report, "verdict", slice_of_string(verdict_text(run)));
    report_text(report, "why", slice_of_string(run->answer.why ? run->answer.why : ""));
    report_text(report, "moved_to", run->answer.moved_to);
    show_targets(run, report);
    show_hosts(run, report);
    show_steps(run, report);
    for (size_t i = 0; i < run->count && code == EX_OK; i++) {
        if (!run->ways[i].target.account && run->ways[i].outcome != ROUTING_FOUND)
            code = run->ways[i].outcome == ROUTING_PERMANENT ? EX_NOHOST : EX_TEMPFAIL;
    }
    return code;
}

/* ---- the command --------------------------------------------------------------------------- */

static int
open_transports(struct explanation *run)
{
    char *path = files_path(run->people.folder, "transports");
    const struct routing_problem *problem;
    struct buffer bytes;
    int code = files_read_if_any(path, TRANSPORTS_BYTES_MAX, &bytes);

    if (code == EX_OK) {
        run->transports = routing_transports_parse(buffer_slice(&bytes), SEED);
        run->routing.transports = run->transports;
        for (size_t i = 0; (problem = routing_transports_problem(run->transports, i)); i++)
            say_warning("%s:%zu: %s; correct the line, it is passed over", path, problem->line,
                        problem->what);
    }
    buffer_finish(&bytes);
    free(path);
    return code;
}

static int
prepare(struct explanation *run, const struct settings *settings)
{
    const char *why;

    run->config = &settings->config;
    arena_init(&run->arena, ARENA_MAX);
    int code = people_open(settings, false, &run->people);
    if (code != EX_OK)
        return code;
    why = route_settings(run->config, &run->arena, &run->routing);
    if (why)
        say_warning("smart_host: %s", why);
    code = open_transports(run);
    if (code != EX_OK)
        return code;
    run->resolver = resolve_open_resolver(run->config, &why);
    return run->resolver ? EX_OK : say_error(EX_CONFIG, "the name system cannot be asked: %s", why);
}

static void
finish(struct explanation *run)
{
    for (size_t i = 0; i < COUNT_OF(run->tables); i++)
        table_close(&run->tables[i]);
    if (run->resolver)
        dns_resolver_close(&run->resolver, NULL);
    routing_transports_close(&run->transports);
    people_close(&run->people);
    if (run->host)
        host_linux_close(&run->host);
    arena_finish(&run->arena);
    free(run);
}

static int
run_route(const struct command_call *call)
{
    struct settings settings;
    struct explanation *run = calloc(1, sizeof(*run));
    const char *sender = command_value(call, "from");
    int code = settings_load(call, &settings);

    if (!run)
        abort();
    run->people.lock = -1;
    if (code == EX_OK)
        code = prepare(run, &settings);
    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        run->recipient = slice_of_string(call->arguments[0]);
        run->sender = slice_of_string(sender ? sender : "");
        rewrite(run, command_has(call, "submitted"));
        find_targets(run, run->recipient);
        find_next_hops(run, run->sender);
        code = show(run, report, call->arguments[0]);
        int written = report_close(&report);
        if (written != EX_OK)
            code = written;
    }
    finish(run);
    settings_finish(&settings);
    return code;
}

const struct command command_route = {
    .name = "route",
    .arguments = "ADDRESS",
    .summary = "Explain where mail for an address goes",
    .about = "Takes the decision that the server takes: first whom ADDRESS leads to (accounts, "
             "aliases, lists, relay domains, tables), then for each address of another host the "
             "next hop (transport table, smart host, MX), with the hosts in the order of trial "
             "and every step on the way. It reads the same files (~/.forward of system users with "
             "your rights: as root, or as the user) and asks the name system itself; no mail is "
             "sent, and the server need not run.\n\nWhat the option rewrite makes of the "
             "addresses is shown; it counts for what users and relay_networks hand in, so the "
             "decision follows it with --submitted.\n\nThe exit code is 0 when "
             "mail would be taken and carried, 67 for an address that is refused, 68 when no host "
             "takes its mail, 75 when it would have to wait.",
    .examples = "facteur route marc@machin.com\n"
                "facteur route sales@example.org --from alice@example.org --submitted --json",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON,
                {"from", "SENDER", "Decide for mail of this sender; default: the null sender."},
                {"submitted", NULL,
                 "Decide for mail that a user, or a host of relay_networks, hands in."}},
    .run = run_route,
};
