/* SPDX-License-Identifier: ISC */
/* facteur relay add, remove, list, export, import: domains whose mail we pass on. */
#include "base/map.h"
#include "directory/address.h"
#include "directory/names.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/report.h"
#include "tool/say.h"

enum { NAMES_BYTES_MAX = 256 << 20, LINE_BYTES_MAX = 4096, ADDRESS_BYTES_MAX = 64 << 10 };

static struct slice
domain_of(struct slice address)
{
    return slice_skip(address, slice_find_last_byte(address, '@') + 1);
}

/* ---- add, remove, list ---------------------------------------------------------------------- */

static int
add_relay(const struct command_call *call, struct people *people)
{
    struct directory_relay relay = {.name = slice_of_string(call->arguments[0]),
                                    .is_listed = command_has(call, "listed")};
    struct buffer line;
    int code;

    if (directory_domain_find(people->directory, relay.name))
        return say_error(EX_CANTCREAT, "%s is a domain of this server, whose mail stays here",
                         call->arguments[0]);
    buffer_init(&line, LINE_BYTES_MAX);
    if (directory_put_relay(&line, &relay))
        code = people_append_accounts(people, buffer_slice(&line));
    else
        code = say_error(EX_USAGE, "'%s' is no domain; give a name like example.org",
                         call->arguments[0]);
    buffer_finish(&line);
    return code;
}

static int
find_relay(const struct command_call *call, const struct people *people,
           const struct directory_relay **ret_relay)
{
    *ret_relay = directory_relay_find(people->directory, slice_of_string(call->arguments[0]));
    return *ret_relay
               ? EX_OK
               : say_error(EX_NOUSER, "no mail for %s is passed on; 'facteur relay list' shows all",
                           call->arguments[0]);
}

/* Its names go with it. */
static int
remove_relay(const struct command_call *call, struct people *people)
{
    const struct directory_relay *relay;
    const struct slice *name;
    struct buffer lines;
    int code = find_relay(call, people, &relay);

    buffer_init(&lines, NAMES_BYTES_MAX);
    bool is_good = code == EX_OK && directory_put_relay_removed(&lines, relay->name);
    for (size_t i = 0; is_good && (name = directory_recipient_at(people->directory, i)); i++) {
        if (slice_equal(domain_of(*name), relay->name))
            is_good = directory_put_recipient_removed(&lines, *name);
    }
    if (is_good)
        code = people_append_accounts(people, buffer_slice(&lines));
    buffer_finish(&lines);
    return code;
}

static uint64_t
count_names(const struct people *people, struct slice domain)
{
    const struct slice *name;
    uint64_t count = 0;

    for (size_t i = 0; (name = directory_recipient_at(people->directory, i)); i++)
        count += slice_equal(domain_of(*name), domain);
    return count;
}

static void
show_relay(struct report *report, struct slice domain, bool is_listed, bool is_fed, uint64_t names)
{
    report_row(report);
    report_text(report, "domain", domain);
    report_bool(report, "listed", is_listed);
    report_bool(report, "fed", is_fed);
    report_number(report, "names", names);
}

static bool
has_names(const struct people *people, struct slice domain)
{
    for (size_t i = 0; i < people->names_count; i++) {
        if (directory_names_are_known(people->names[i]) &&
            slice_equal(directory_names_domain(people->names[i]), domain))
            return true;
    }
    return false;
}

/* What a domain's own server has told stands in the place of its line. */
static void
list_relays(const struct command_call *call, const struct people *people)
{
    const struct directory_relay *relay;
    struct report *report = report_open(command_has(call, "json"));

    report_list(report, "relays");
    for (size_t i = 0; (relay = directory_relay_at(people->directory, i)); i++) {
        if (!has_names(people, relay->name))
            show_relay(report, relay->name, relay->is_listed, false,
                       count_names(people, relay->name));
    }
    for (size_t i = 0; i < people->names_count; i++) {
        const struct directory_names *names = people->names[i];
        if (directory_names_are_known(names) ||
            !directory_relay_find(people->directory, directory_names_domain(names)))
            show_relay(report, directory_names_domain(names), true, true,
                       directory_names_count(names));
    }
    report_list_end(report);
    (void)!report_close(&report);
}

/* ---- export --------------------------------------------------------------------------------- */

static int
export_names(const struct command_call *call, const struct people *people)
{
    struct buffer text;
    int code = EX_OK;

    buffer_init(&text, NAMES_BYTES_MAX);
    if (!directory_put_names(people->directory, slice_of_string(call->arguments[0]), &text))
        code =
            say_error(EX_NOUSER, "%s is no domain of this server; 'facteur domain list' shows all",
                      call->arguments[0]);
    if (code == EX_OK && people->settings->config.alias_tables.count > 0) {
        /* Nobody can count up what another program knows. */
        buffer_put_byte(&text, '@');
        buffer_put_text(&text, call->arguments[0]);
        buffer_put_byte(&text, '\n');
    }
    if (code == EX_OK &&
        (fwrite(buffer_slice(&text).at, 1, buffer_len(&text), stdout) != buffer_len(&text) ||
         fflush(stdout) != 0))
        code = say_output_failed();
    buffer_finish(&text);
    return code;
}

/* ---- import --------------------------------------------------------------------------------- */

struct import {
    struct people *people;
    struct directory_relay relay;
    struct map names; /* that there are from now on */
    struct buffer lines;
    size_t added, removed;
};

/* A name on a line of its own; # begins a remark. @DOMAIN: every name is good. */
static int
take_name(struct import *import, struct slice line, size_t number)
{
    struct slice text = slice_trim(slice_first(line, slice_find_byte(line, '#')));
    struct directory_address address;
    struct arena arena;
    struct buffer name;
    int code = EX_OK;

    if (text.len == 0)
        return EX_OK;
    arena_init(&arena, ADDRESS_BYTES_MAX);
    buffer_init(&name, LINE_BYTES_MAX);
    if (text.at[0] == '@' && slice_equal_nocase(slice_skip(text, 1), import->relay.name)) {
        import->relay.is_listed = false;
    } else if (text.len > LINE_BYTES_MAX || !directory_address_parse(&arena, text, &address) ||
               !slice_equal(address.domain, import->relay.name)) {
        code = say_error(EX_DATAERR, "line %zu: expected an address of %.*s; nothing was changed",
                         number, (int)import->relay.name.len, (const char *)import->relay.name.at);
    } else {
        directory_address_format(&name, &address);
        bool is_new = !map_set(&import->names, buffer_slice(&name), import);
        if (is_new && !directory_recipient_is_known(import->people->directory, text)) {
            import->added++;
            if (!directory_put_recipient(&import->lines, text))
                code = say_error(EX_DATAERR, "line %zu: the address is too long", number);
        }
    }
    buffer_finish(&name);
    arena_finish(&arena);
    return code;
}

static int
put_changes(struct import *import)
{
    const struct directory *directory = import->people->directory;
    const struct directory_relay *before = directory_relay_find(directory, import->relay.name);
    const struct slice *name;
    bool is_good = true;

    for (size_t i = 0; is_good && (name = directory_recipient_at(directory, i)); i++) {
        if (!slice_equal(domain_of(*name), import->relay.name) || map_find(&import->names, *name))
            continue;
        is_good = directory_put_recipient_removed(&import->lines, *name);
        import->removed++;
    }
    if (is_good && (!before || before->is_listed != import->relay.is_listed))
        is_good = directory_put_relay(&import->lines, &import->relay);
    if (!is_good)
        return say_error(EX_DATAERR, "there are too many names");
    return buffer_len(&import->lines) > 0
               ? people_append_accounts(import->people, buffer_slice(&import->lines))
               : EX_OK;
}

/* All or nothing: a file that was cut off would make the secondary refuse good mail. */
static int
import_names(const struct command_call *call, struct people *people)
{
    struct import import = {.people = people, .relay = {.is_listed = true}};
    struct arena arena;
    struct buffer file;
    size_t number = 0;
    int code = files_read_or_stdin(call->arguments[1], NAMES_BYTES_MAX, &file);

    arena_init(&arena, ADDRESS_BYTES_MAX);
    map_init(&import.names, 0);
    buffer_init(&import.lines, NAMES_BYTES_MAX);
    if (code == EX_OK &&
        (!directory_domain_parse(&arena, slice_of_string(call->arguments[0]), &import.relay.name) ||
         directory_domain_find(people->directory, import.relay.name)))
        code = say_error(EX_USAGE, "'%s' is no domain, or one of this server", call->arguments[0]);
    for (struct slice rest = buffer_slice(&file); code == EX_OK && rest.len > 0;) {
        size_t end = slice_find_byte(rest, '\n');
        code = take_name(&import, slice_first(rest, end), ++number);
        rest = slice_skip(rest, end + 1);
    }
    if (code == EX_OK && import.names.count == 0 && import.relay.is_listed)
        code = say_error(EX_DATAERR, "there is no name in %s; nothing was changed",
                         call->arguments[1]);
    if (code == EX_OK)
        code = put_changes(&import);
    if (code == EX_OK)
        say_line("%zu names added, %zu removed.", import.added, import.removed);
    map_finish(&import.names);
    buffer_finish(&import.lines);
    buffer_finish(&file);
    arena_finish(&arena);
    return code;
}

/* ---- commands ------------------------------------------------------------------------------- */

static int
run_add(const struct command_call *call)
{
    return people_change(call, add_relay, "The domain's mail is passed on");
}

static int
run_remove(const struct command_call *call)
{
    return people_change(call, remove_relay, "The domain's mail is passed on no more");
}

static int
run_import(const struct command_call *call)
{
    return people_change(call, import_names, "The names are known");
}

static int
run_reading(const struct command_call *call)
{
    struct settings settings;
    struct people people = {.lock = -1};
    int code = settings_load(call, &settings);

    if (code == EX_OK)
        code = people_open(&settings, false, &people);
    if (code == EX_OK && call->count > 0)
        code = export_names(call, &people);
    else if (code == EX_OK)
        list_relays(call, &people);
    people_close(&people);
    settings_finish(&settings);
    return code;
}

const struct command command_relay_add = {
    .name = "relay add",
    .arguments = "DOMAIN",
    .summary = "Take mail for a domain and pass it on",
    .about =
        "This server becomes a relay, or with an MX record of its own a secondary server, of a "
        "domain that another keeps: it takes the mail from everybody, keeps it while the other "
        "is away, and passes it on. Without --listed it takes every name, and what the other "
        "refuses comes back to senders that may be forged: better let it know the names, by the "
        "option relay_feeds, or with 'facteur relay import'.",
    .examples = "facteur relay add example.net --listed",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG, {"listed", NULL, "Only names that are known."}},
    .run = run_add,
};

const struct command command_relay_remove = {
    .name = "relay remove",
    .arguments = "DOMAIN",
    .summary = "Take no more mail for a domain of others",
    .about = "The names that are known of it are forgotten. What waits already is still passed on.",
    .examples = "facteur relay remove example.net",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_remove,
};

const struct command command_relay_list = {
    .name = "relay list",
    .arguments = "",
    .summary = "Show the domains whose mail is passed on",
    .about =
        "Shows the domains, whether only known names are taken, whether the domain's own server "
        "tells them (option relay_feeds), and how many there are.",
    .examples = "facteur relay list",
    .options = {COMMAND_OPTION_CONFIG, COMMAND_OPTION_JSON},
    .run = run_reading,
};

const struct command command_relay_export = {
    .name = "relay export",
    .arguments = "DOMAIN",
    .summary = "Print the names of a domain for its secondary server",
    .about = "Prints every name of DOMAIN, a domain of this server, that takes mail: one address a "
             "line, @DOMAIN for a catch-all. The secondary server reads it with 'facteur relay "
             "import'.",
    .examples = "facteur relay export example.org\n"
                "ssh primary facteur relay export example.org | facteur relay import example.org -",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_reading,
};

const struct command command_relay_import = {
    .name = "relay import",
    .arguments = "DOMAIN FILE",
    .summary = "Learn the names of a domain from its primary server",
    .about = "From now on mail for DOMAIN is taken and passed on for the names in FILE (- for "
             "standard input), one address a line, and for no others; @DOMAIN stands for every "
             "name. What is not in FILE any more is forgotten. A FILE with a line that is wrong, "
             "or without any name, changes nothing.",
    .examples = "ssh primary facteur relay export example.org | facteur relay import example.org -",
    .arguments_min = 2,
    .arguments_max = 2,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_import,
};
