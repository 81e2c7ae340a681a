/* SPDX-License-Identifier: ISC */
/* facteur domain add, remove, list. */
#include "tool/command.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

static struct slice
value_or_nothing(const struct command_call *call, const char *option)
{
    const char *value = command_value(call, option);

    return slice_of_string(value ? value : "");
}

static int
add_domain(const struct command_call *call, struct people *people)
{
    enum { LINE_MAX_LEN = 4096 };
    struct directory_domain domain = {
        .name = slice_of_string(call->arguments[0]),
        .same_as = value_or_nothing(call, "same-as"),
        .postmaster = value_or_nothing(call, "postmaster"),
    };
    struct buffer line;
    int code;

    if (domain.same_as.len > 0 && !directory_domain_find(people->directory, domain.same_as))
        return say_error(EX_DATAERR, "--same-as: %s is no domain of this server; add it first",
                         command_value(call, "same-as"));
    buffer_init(&line, LINE_MAX_LEN);
    if (directory_put_domain(&line, &domain))
        code = people_append_accounts(people, buffer_slice(&line));
    else
        code = say_error(EX_USAGE,
                         "'%s' is no domain, or --postmaster no address; give a name like "
                         "example.org",
                         call->arguments[0]);
    buffer_finish(&line);
    return code;
}

/* Accounts of a domain that is gone would be there, but unreachable. */
static int
count_accounts(const struct people *people, struct slice domain)
{
    const struct directory_account *account;
    int count = 0;

    for (size_t i = 0; (account = directory_account_at(people->directory, i)); i++) {
        size_t at = slice_find_last_byte(account->name, '@');
        count += slice_equal(slice_skip(account->name, at + 1), domain);
    }
    return count;
}

static int
remove_domain(const struct command_call *call, struct people *people)
{
    enum { LINE_MAX_LEN = 4096 };
    const struct directory_domain *domain =
        directory_domain_find(people->directory, slice_of_string(call->arguments[0]));
    struct buffer line;
    int code = EX_OK;

    if (!domain)
        return say_error(EX_NOUSER,
                         "%s is no domain of this server; 'facteur domain list' shows all",
                         call->arguments[0]);
    int count = count_accounts(people, domain->name);
    if (count > 0)
        return say_error(EX_DATAERR,
                         "%s still has accounts (%d); remove them first with: facteur user "
                         "remove",
                         call->arguments[0], count);
    buffer_init(&line, LINE_MAX_LEN);
    if (directory_put_domain_removed(&line, domain->name))
        code = people_append_accounts(people, buffer_slice(&line));
    buffer_finish(&line);
    return code;
}

static int
run_add(const struct command_call *call)
{
    return people_change(call, add_domain, "The domain is added");
}

static int
run_remove(const struct command_call *call)
{
    return people_change(call, remove_domain, "The domain is removed");
}

static int
run_list(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    const struct directory_domain *domain;
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK) {
        struct report *report = report_open(command_has(call, "json"));
        report_list(report, "domains");
        for (size_t i = 0; (domain = directory_domain_at(people.directory, i)); i++) {
            report_row(report);
            report_text(report, "domain", domain->name);
            report_number(report, "accounts", (uint64_t)count_accounts(&people, domain->name));
            report_text(report, "same_as", domain->same_as);
            report_text(report, "postmaster", domain->postmaster);
        }
        report_list_end(report);
        code = report_close(&report);
    }
    people_close(&people);
    settings_finish(&settings);
    return code;
}

const struct command command_domain_add = {
    .name = "domain add",
    .arguments = "DOMAIN",
    .summary = "Receive mail for a domain",
    .about = "From now on the server takes mail for accounts and aliases of DOMAIN. Its MX record "
             "should name this machine. A domain that is there already is changed.",
    .examples = "facteur domain add example.org --postmaster alice@example.org\n"
                "facteur domain add example.net --same-as example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG,
                {"same-as", "DOMAIN", "Its names are those of that domain."},
                {"postmaster", "ADDRESS", "Who gets mail for postmaster and abuse."}},
    .run = run_add,
};

const struct command command_domain_remove = {
    .name = "domain remove",
    .arguments = "DOMAIN",
    .summary = "No longer receive mail for a domain",
    .about = "Mail for DOMAIN is refused from now on. It must have no accounts any more.",
    .examples = "facteur domain remove example.net",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_remove,
};

const struct command command_domain_list = {
    .name = "domain list",
    .arguments = "",
    .summary = "Show the domains",
    .about = "Shows the domains that the server takes mail for.",
    .examples = "facteur domain list",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_list,
};
