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

/* A domain whose names are those of this one; NULL when there is none. */
static const struct directory_domain *
find_follower(const struct people *people, struct slice name)
{
    const struct directory_domain *domain;

    for (size_t i = 0; (domain = directory_domain_at(people->directory, i)); i++) {
        if (slice_equal(domain->same_as, name))
            return domain;
    }
    return NULL;
}

/* Names are looked up in one other domain, and what stands in this one would be out of reach. */
static int
check_same_as(const struct people *people, struct slice name, struct slice same_as)
{
    const struct directory_domain *domain = directory_domain_find(people->directory, name);
    const struct directory_domain *source = directory_domain_find(people->directory, same_as);
    const struct directory_domain *follower = domain ? find_follower(people, domain->name) : NULL;

    if (!source)
        return say_error(EX_DATAERR, "--same-as: %.*s is no domain of this server; add it first",
                         (int)same_as.len, (const char *)same_as.at);
    if (source->same_as.len > 0)
        return say_error(EX_DATAERR, "--same-as: %.*s has its names from %.*s; name that one",
                         (int)same_as.len, (const char *)same_as.at, (int)source->same_as.len,
                         (const char *)source->same_as.at);
    if (source == domain)
        return say_error(EX_DATAERR, "--same-as: a domain cannot have its names from itself; "
                                     "name another");
    if (follower)
        return say_error(EX_DATAERR,
                         "--same-as: %.*s has its names from %.*s; first add or remove that one",
                         (int)follower->name.len, (const char *)follower->name.at,
                         (int)domain->name.len, (const char *)domain->name.at);
    int count = domain ? count_accounts(people, domain->name) : 0;
    if (count > 0)
        return say_error(EX_DATAERR,
                         "--same-as: %.*s has accounts (%d), which nobody could reach any more; "
                         "remove them first with: facteur user remove",
                         (int)domain->name.len, (const char *)domain->name.at, count);
    return EX_OK;
}

static int
add_domain(const struct command_call *call, struct people *people)
{
    enum { LINE_MAX_LEN = 4096 };
    struct slice name = slice_of_string(call->arguments[0]);
    const struct directory_domain *earlier = directory_domain_find(people->directory, name);
    struct directory_domain domain = earlier ? *earlier : (struct directory_domain){.name = name};
    struct buffer line;
    int code = EX_OK;

    if (command_has(call, "same-as"))
        domain.same_as = value_or_nothing(call, "same-as");
    if (command_has(call, "postmaster"))
        domain.postmaster = value_or_nothing(call, "postmaster");
    if (command_has(call, "same-as") && domain.same_as.len > 0)
        code = check_same_as(people, name, domain.same_as);
    if (code != EX_OK)
        return code;
    buffer_init(&line, LINE_MAX_LEN);
    if (directory_put_domain(&line, &domain))
        code = people_append_accounts(people, buffer_slice(&line));
    else
        code = say_error(EX_USAGE,
                         "'%s' is no domain, or --postmaster no address; give a name like "
                         "example.org",
                         call->arguments[0]);
    buffer_finish(&line);
    if (earlier)
        people->done = command_has(call, "same-as") || command_has(call, "postmaster")
                           ? "The domain is changed"
                           : "The domain is there already";
    return code;
}

/* They stay, and count again when the domain comes back. */
static void
warn_of_aliases(const struct people *people, struct slice domain)
{
    const struct directory_alias *alias;
    int count = 0;

    for (size_t i = 0; (alias = directory_alias_at(people->directory, i)); i++) {
        size_t at = slice_find_last_byte(alias->name, '@');
        count += slice_equal(slice_skip(alias->name, at + 1), domain);
    }
    if (count > 0)
        say_warning("%.*s still has aliases (%d), which take no mail now; 'facteur alias remove' "
                    "removes one",
                    (int)domain.len, (const char *)domain.at, count);
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
    const struct directory_domain *follower = find_follower(people, domain->name);
    if (follower)
        return say_error(EX_DATAERR,
                         "%.*s has its names from %s; remove it first, or give it names of its own "
                         "with: facteur domain add %.*s --same-as \"\"",
                         (int)follower->name.len, (const char *)follower->name.at,
                         call->arguments[0], (int)follower->name.len,
                         (const char *)follower->name.at);
    warn_of_aliases(people, domain->name);
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
             "should name this machine. Of a domain that is there already what the options name is "
             "changed; an empty text takes it away.",
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
