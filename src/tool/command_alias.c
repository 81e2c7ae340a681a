/* SPDX-License-Identifier: ISC */
/* facteur alias add, remove, list. */
#include "tool/aliases.h"
#include "tool/command.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

static struct slice
value_of(const struct command_call *call, const char *option)
{
    return slice_of_string(command_has(call, option) ? command_value(call, option) : "");
}

/* What stands in header fields of a list's messages. NULL, or what is wrong. */
static const char *
check_list(const struct directory_alias *alias)
{
    struct slice url = alias->unsubscribe;
    struct directory_address address;
    struct arena arena;
    bool is_good = url.len == 0 || slice_starts_with(url, SLICE("https://")) ||
                   slice_starts_with(url, SLICE("mailto:"));

    for (size_t i = 0; i < url.len; i++)
        is_good = is_good && url.at[i] > ' ' && url.at[i] < 127 && url.at[i] != ',' &&
                  url.at[i] != '<' && url.at[i] != '>';
    if (!is_good)
        return "--unsubscribe takes an address that begins with https:// or mailto:";
    arena_init(&arena, 64 * 1024);
    bool is_owner =
        alias->owner.len == 0 || directory_address_parse(&arena, alias->owner, &address);
    arena_finish(&arena);
    if (!is_owner)
        return "--owner takes an address like anna@example.org";
    if (alias->kind != DIRECTORY_LIST && (alias->owner.len > 0 || url.len > 0 || alias->is_closed))
        return "--owner, --unsubscribe and --closed are for lists: add --list";
    return NULL;
}

/* Who had meant to add a member sees whom the alias led to. */
static void
say_earlier(struct people *people, const struct directory_alias *earlier)
{
    struct buffer text;

    buffer_init(&text, DIRECTORY_LINE_MAX);
    for (size_t i = 0; i < earlier->count; i++) {
        buffer_put_text(&text, i > 0 ? " " : "");
        buffer_put(&text, earlier->members[i]);
    }
    struct slice members = buffer_slice(&text);
    say_line("%.*s led to: %.*s", (int)earlier->name.len, (const char *)earlier->name.at,
             (int)members.len, (const char *)members.at);
    buffer_finish(&text);
    people->done = "The alias is changed";
}

static void
warn(const struct people *people, struct slice name)
{
    struct slice domain = slice_skip(name, slice_find_last_byte(name, '@') + 1);

    if (directory_domain_find(people->directory, domain))
        people_warn_of_dead_end(people, name);
    else
        say_warning("%.*s is no domain of this server, so nobody's mail comes to this alias; add "
                    "it with: facteur domain add",
                    (int)domain.len, (const char *)domain.at);
}

static int
add_alias(const struct command_call *call, struct people *people)
{
    static struct slice members[DIRECTORY_MEMBERS_MAX];
    struct directory_alias alias = {
        .kind = command_has(call, "list") ? DIRECTORY_LIST : DIRECTORY_ALIAS,
        .name = slice_of_string(call->arguments[0]),
        .full_name = value_of(call, "full-name"),
        .owner = value_of(call, "owner"),
        .unsubscribe = value_of(call, "unsubscribe"),
        .is_private = command_has(call, "private"),
        .is_closed = command_has(call, "closed"),
        .members = members,
        .count = call->count - 1,
    };
    const char *wrong = check_list(&alias);
    struct buffer line;
    int code;

    if (wrong)
        return say_error(EX_USAGE, "%s", wrong);
    for (size_t i = 0; i < alias.count; i++)
        members[i] = slice_of_string(call->arguments[i + 1]);
    if (directory_account_find(people->directory, alias.name))
        return say_error(EX_CANTCREAT,
                         "%s is an account, whose mail an alias would hide; remove it "
                         "first, or choose another name",
                         call->arguments[0]);
    const struct directory_alias *earlier = directory_alias_find(people->directory, alias.name);
    buffer_init(&line, DIRECTORY_LINE_MAX);
    if (directory_put_alias(&line, &alias)) {
        if (earlier)
            say_earlier(people, earlier);
        code = people_append_accounts(people, buffer_slice(&line));
        if (code == EX_OK)
            warn(people, alias.name);
    } else
        code = say_error(EX_USAGE,
                         "'%s' or one of its members is no address; give addresses like "
                         "sales@example.org, or @example.org for all other names",
                         call->arguments[0]);
    buffer_finish(&line);
    return code;
}

static int
remove_alias(const struct command_call *call, struct people *people)
{
    struct slice name = slice_of_string(call->arguments[0]);
    struct buffer line;
    int code = EX_OK;

    if (!directory_alias_find(people->directory, name))
        return say_error(EX_NOUSER, "there is no alias %s; 'facteur alias list' shows all",
                         call->arguments[0]);
    buffer_init(&line, DIRECTORY_LINE_MAX);
    if (directory_put_alias_removed(&line, name))
        code = people_append_accounts(people, buffer_slice(&line));
    buffer_finish(&line);
    return code;
}

static int
run_add(const struct command_call *call)
{
    return people_change(call, add_alias, "The alias is made");
}

static int
run_remove(const struct command_call *call)
{
    return people_change(call, remove_alias, "The alias is removed");
}

static void
report_alias(struct report *report, const struct directory_alias *alias)
{
    report_row(report);
    report_text(report, "address", alias->name);
    report_text(report, "kind", alias->kind == DIRECTORY_LIST ? SLICE("list") : SLICE("alias"));
    report_bool(report, "private", alias->is_private);
    report_texts(report, "members", alias->members, alias->count);
}

static int
run_list(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    const struct directory_alias *alias;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_list(report, "aliases");
        for (size_t i = 0; (alias = directory_alias_at(people.directory, i)); i++)
            report_alias(report, alias);
        report_list_end(report);
        code = report_close(&report);
    }
    people_close(&people);
    settings_finish(&settings);
    return code;
}

static int
run_build(const struct command_call *call)
{
    struct settings settings;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = aliases_build(&settings, call->count > 0 ? call->arguments[0] : NULL);
    settings_finish(&settings);
    return code;
}

const struct command command_alias_add = {
    .name = "alias add",
    .arguments = "ADDRESS MEMBER…",
    .summary = "Let an address lead to others",
    .about = "Mail for ADDRESS goes to every MEMBER, which may be an account, another alias or an "
             "address elsewhere. @DOMAIN catches all names of a domain that nobody has. An alias "
             "that is there already is replaced.",
    .examples = "facteur alias add sales@example.org alice@example.org bob@example.org\n"
                "facteur alias add @example.org alice@example.org\n"
                "facteur alias add --list team@example.org alice@example.org bob@example.org "
                "--owner bob@example.org --unsubscribe https://example.org/leave",
    .arguments_min = 2,
    .arguments_max = DIRECTORY_MEMBERS_MAX + 1,
    .options = {COMMAND_OPTION_CONFIG,
                {"list", NULL, "It is a mailing list: EXPN shows its members where allowed."},
                {"private", NULL, "EXPN never shows the members."},
                {"closed", NULL, "Only members may write to the list."},
                {"owner", "ADDRESS", "Who gets the list's bounces; else the postmaster."},
                {"unsubscribe", "URL", "Where a member leaves the list (https: with one click)."},
                {"full-name", "TEXT", "What the list is called."}},
    .run = run_add,
};

const struct command command_alias_remove = {
    .name = "alias remove",
    .arguments = "ADDRESS",
    .summary = "Remove an alias",
    .about = "Mail for ADDRESS is refused from now on, unless a catch-all takes it.",
    .examples = "facteur alias remove sales@example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_remove,
};

const struct command command_alias_build = {
    .name = "alias build",
    .arguments = "[FILE]",
    .summary = "Read the machine's /etc/aliases",
    .about =
        "Reads FILE, or the file of the option aliases_file, in the form that sendmail began: "
        "'NAME: MEMBER, MEMBER'. Members are names of this machine, addresses, :include:/PATH "
        "(a file with members), files below one of letterbox_dirs, and programs "
        "(\"|/PATH ARGUMENT…\", without a shell) where the option alias_programs_user permits "
        "them; neither files nor programs where others may write to FILE. Beside owner-NAME, mail "
        "for NAME has that as its sender. Names without a domain are of the domain 'origin'. "
        "'newaliases' does the same.\n\nA line that "
        "cannot be used is told, and mail for its name waits until it is mended. Aliases made by "
        "'facteur alias add' stand before these.",
    .examples = "facteur alias build\nfacteur alias build /etc/mail/aliases",
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_build,
};

const struct command command_alias_list = {
    .name = "alias list",
    .arguments = "",
    .summary = "Show the aliases and lists",
    .about = "Shows all aliases, lists and catch-alls with their members.",
    .examples = "facteur alias list",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_list,
};
