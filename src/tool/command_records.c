/* SPDX-License-Identifier: ISC */
/* facteur domain records, sts, autoconfig: what a domain has to publish. */
#include "text/domain.h"
#include "role/resolve/options.h"
#include "tool/command.h"
#include "tool/files.h"
#include "tool/people.h"
#include "tool/records.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    ANSWERS_MAX = 16 << 20, /* a domain has some twenty records */
    OUT_MAX = 4 << 20,      /* dkim_keys has at most 1000 rows, at worst all for one domain */
    FOUND_MAX = 8192,
    FOUND_SHOWN = 60 /* octets of it that people see; programs get all */
};

/* ---- the domain ---------------------------------------------------------------------------- */

struct publishing {
    struct settings settings;
    struct buffer domain; /* in ASCII */
    struct buffer out;
    const char *said;      /* the remark above the last row */
    struct report *report; /* NULL: a zone file */
    bool is_json;
    struct dns_resolver *resolver; /* of a check */
    struct arena arena;
    bool is_down; /* nobody answers for the domain */
    int code; /* what the check came to */
};

/* The domain must be one of ours: a misspelt one would be published. */
static int
open_domain(const struct command_call *call, struct publishing *ret_publishing)
{
    struct publishing *publishing = ret_publishing;
    struct people people = {.lock = -1};
    int code = settings_load(call, &publishing->settings);

    buffer_init(&publishing->domain, DOMAIN_BYTES_MAX);
    buffer_init(&publishing->out, OUT_MAX);
    arena_init(&publishing->arena, ANSWERS_MAX);
    if (code == EX_OK)
        code = people_open(&publishing->settings, false, &people);
    if (code == EX_OK &&
        (!domain_to_ascii(slice_of_string(call->arguments[0]), &publishing->domain) ||
         !directory_domain_find(people.directory, slice_of_string(call->arguments[0]))))
        code = say_error(EX_NOUSER,
                         "%s is no domain of this server; 'facteur domain list' shows all",
                         call->arguments[0]);
    people_close(&people);
    return code;
}

/* Writes what was put, when all went well. */
static int
close_domain(struct publishing *publishing, int code)
{
    if (code == EX_OK && !files_write(STDOUT_FILENO, buffer_slice(&publishing->out)))
        code = say_output_failed();
    buffer_finish(&publishing->domain);
    buffer_finish(&publishing->out);
    arena_finish(&publishing->arena);
    settings_finish(&publishing->settings);
    return code;
}

/* ---- as a zone file ------------------------------------------------------------------------ */

static void
put_row(void *context, const struct record *record)
{
    struct publishing *publishing = context;
    struct buffer *out = &publishing->out;

    if (record->why != publishing->said) {
        buffer_put_text(out, "\n; ");
        buffer_put_text(out, record->why);
        buffer_put_byte(out, '\n');
    }
    publishing->said = record->why;
    buffer_put_text(out, record->is_conditional || record->value.len == 0 ? "; " : "");
    buffer_put(out, record->name);
    buffer_put_text(out, ". IN ");
    buffer_put_text(out, dns_type_name(record->type));
    buffer_put_byte(out, ' ');
    buffer_put(out, record->value.len ? record->value : SLICE("..."));
    buffer_put_byte(out, '\n');
}

static void
report_row_of(void *context, const struct record *record)
{
    struct report *report = ((struct publishing *)context)->report;

    report_row(report);
    report_text(report, "name", record->name);
    report_text(report, "type", slice_of_string(dns_type_name(record->type)));
    report_text(report, "value", record->value);
    report_bool(report, "needed", record->is_needed);
    report_bool(report, "conditional", record->is_conditional);
    report_text(report, "why", slice_of_string(record->why));
}

/* ---- as the name system has it ------------------------------------------------------------- */

static void
put_address(struct slice data, struct buffer *out)
{
    if (data.len == 4) {
        for (size_t i = 0; i < data.len; i++) {
            buffer_put_text(out, i ? "." : "");
            buffer_put_decimal(out, data.at[i]);
        }
    } else {
        for (size_t i = 0; i + 1 < data.len; i += 2) {
            buffer_put_text(out, i ? ":" : "");
            buffer_put_hex(out, slice_of(data.at + i, 2));
        }
    }
}

/* The name under which the owner of an address is found (RFC 1035 §3.5, RFC 3596 §2.5). */
static void
put_reverse(struct slice data, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = data.len; i-- > 0;) {
        if (data.len == 4) {
            buffer_put_decimal(out, data.at[i]);
            buffer_put_byte(out, '.');
        } else {
            buffer_put_byte(out, (uint8_t)digits[data.at[i] & 15]);
            buffer_put_byte(out, '.');
            buffer_put_byte(out, (uint8_t)digits[data.at[i] >> 4]);
            buffer_put_byte(out, '.');
        }
    }
    buffer_put_text(out, data.len == 4 ? "in-addr.arpa" : "ip6.arpa");
}

static void
put_found(enum dns_type type, const struct dns_record *found, struct buffer *out)
{
    buffer_put_text(out, buffer_len(out) ? ", " : "");
    switch (type) {
    case DNS_TXT:
        buffer_put(out, found->data);
        break;
    case DNS_A:
    case DNS_AAAA:
        put_address(found->data, out);
        break;
    case DNS_TLSA:
        buffer_put_hex(out, found->data);
        break;
    case DNS_MX:
        buffer_put_decimal(out, found->preference);
        buffer_put_byte(out, ' ');
        buffer_put(out, found->name);
        break;
    case DNS_SRV:
    case DNS_PTR:
    case DNS_CNAME:
        buffer_put(out, found->name);
        if (type == DNS_SRV) {
            buffer_put_byte(out, ' ');
            buffer_put_decimal(out, found->port);
        }
        break;
    }
}

/* "v=spf1": what a record of this kind begins with; others of the name are none of ours. */
static struct slice
tag_of(struct slice text)
{
    size_t end = 0;

    while (end < text.len && text.at[end] != ' ' && text.at[end] != ';')
        end++;
    return slice_first(text, end);
}

static bool
is_of_kind(const struct record *record, const struct dns_record *found)
{
    return record->type != DNS_TXT ||
           slice_equal_nocase(tag_of(found->data), tag_of(record->expected));
}

/* As they stand in a record: blanks between the parts of a key's record mean nothing. */
static bool
is_same_text(struct slice left, struct slice right)
{
    size_t i = 0, j = 0;

    for (;;) {
        while (i < left.len && left.at[i] == ' ')
            i++;
        while (j < right.len && right.at[j] == ' ')
            j++;
        if (i == left.len || j == right.len)
            return i == left.len && j == right.len;
        if (left.at[i++] != right.at[j++])
            return false;
    }
}

static bool
is_right(const struct record *record, const struct dns_record *found)
{
    switch (record->type) {
    case DNS_TXT:
        return record->is_free || is_same_text(found->data, record->expected);
    case DNS_TLSA:
        return slice_equal(found->data, record->expected);
    case DNS_SRV:
        return slice_equal_nocase(found->name, record->expected) && found->port == record->port;
    case DNS_MX:
    case DNS_PTR:
        return slice_equal_nocase(found->name, record->expected);
    case DNS_A:
    case DNS_AAAA:
    case DNS_CNAME:
        break;
    }
    return true;
}

/* What an answer says of a record; what was found is put into `found`. */
static const char *
judge(const struct record *record, const struct dns_answer *answer, struct buffer *found)
{
    size_t of_kind = 0, right = 0;

    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS) {
        buffer_put(found, answer->why);
        return answer->outcome == DNS_BOGUS ? "forged" : "not answered";
    }
    for (size_t i = 0; i < answer->count; i++) {
        if (!is_of_kind(record, &answer->records[i]))
            continue;
        of_kind++;
        right += is_right(record, &answer->records[i]);
        put_found(record->type, &answer->records[i], found);
    }
    /* Who finds two policies applies none (RFC 7208 §4.5, RFC 7489 §6.6.3). */
    if (record->is_free && of_kind > 1)
        return "more than one";
    return right > 0 ? "right" : of_kind > 0 ? "wrong" : "missing";
}

static void
report_found(struct publishing *publishing, const struct record *record, const char *state,
             struct slice found)
{
    struct report *report = publishing->report;

    report_row(report);
    report_text(report, "state", slice_of_string(state));
    report_text(report, "type", slice_of_string(dns_type_name(record->type)));
    report_text(report, "name", record->name);
    report_text(report, "found", publishing->is_json ? found : slice_first(found, FOUND_SHOWN));
    if (publishing->is_json) {
        report_text(report, "value", record->value);
        report_bool(report, "needed", record->is_needed);
        report_text(report, "why", slice_of_string(record->why));
    }
    bool is_missing = strcmp(state, "missing") == 0;
    if (strcmp(state, "not answered") == 0)
        publishing->code = publishing->code == EX_OK ? EX_TEMPFAIL : publishing->code;
    else if (strcmp(state, "right") != 0 && (record->is_needed || !is_missing))
        publishing->code = EX_DATAERR;
}

static void
check_one(struct publishing *publishing, const struct record *record, struct dns_answer *ret_answer)
{
    struct buffer found;

    buffer_init(&found, FOUND_MAX);
    *ret_answer = (struct dns_answer){.outcome = DNS_TEMPORARY, .why = SLICE("not asked any more")};
    if (!publishing->is_down)
        dns_resolver_look_up(publishing->resolver, record->name, record->type, &publishing->arena,
                             ret_answer);
    const char *state = judge(record, ret_answer, &found);
    /* Each question may take a minute. The zones of addresses are others'. */
    publishing->is_down = publishing->is_down ||
                          (ret_answer->outcome == DNS_TEMPORARY && record->type != DNS_PTR);
    /* What is for some only need not be there. */
    if (!record->is_conditional || strcmp(state, "missing") != 0)
        report_found(publishing, record, state, buffer_slice(&found));
    buffer_finish(&found);
}

/* Each address leads back to the name. */
static void
check_owners(struct publishing *publishing, const struct dns_answer *addresses)
{
    struct record owner = {.type = DNS_PTR,
                           .expected = publishing->settings.config.hostname,
                           .value = publishing->settings.config.hostname,
                           .why = "the address leads back to the server's name; many refuse mail "
                                  "without",
                           .is_needed = true};
    struct dns_answer answer;
    struct buffer name;

    buffer_init(&name, DNS_NAME_MAX);
    for (size_t i = 0; addresses->outcome == DNS_FOUND && i < addresses->count; i++) {
        buffer_clear(&name);
        put_reverse(addresses->records[i].data, &name);
        owner.name = buffer_slice(&name);
        check_one(publishing, &owner, &answer);
    }
    buffer_finish(&name);
}

static void
check_row(void *context, const struct record *record)
{
    struct publishing *publishing = context;
    struct record four = *record, six = *record;
    struct dns_answer fourth, sixth = {.outcome = DNS_NO_DATA};

    if (record->type == DNS_A) {
        six.type = DNS_AAAA;
        six.is_conditional = true; /* one kind will do */
        check_one(publishing, &six, &sixth);
        four.is_needed = sixth.outcome != DNS_FOUND;
    }
    check_one(publishing, &four, &fourth);
    if (record->type == DNS_A) {
        check_owners(publishing, &fourth);
        check_owners(publishing, &sixth);
    }
}

/* ---- commands ------------------------------------------------------------------------------ */

static int
check(struct publishing *publishing)
{
    const struct config *config = &publishing->settings.config;
    const char *why;

    publishing->resolver = resolve_open_resolver(config, &why);
    if (!publishing->resolver)
        return say_error(EX_CONFIG, "the name system cannot be asked: %s", why);
    report_list(publishing->report, "records");
    int code = records_tell(config, buffer_slice(&publishing->domain), check_row, publishing);
    report_list_end(publishing->report);
    dns_resolver_close(&publishing->resolver, NULL);
    return code == EX_OK ? publishing->code : code;
}

static int
show(struct publishing *publishing)
{
    const struct config *config = &publishing->settings.config;
    struct slice domain = buffer_slice(&publishing->domain);

    if (publishing->is_json) {
        report_list(publishing->report, "records");
        int code = records_tell(config, domain, report_row_of, publishing);
        report_list_end(publishing->report);
        return code;
    }
    buffer_put_text(&publishing->out, "; What the name system should say of ");
    buffer_put(&publishing->out, domain);
    buffer_put_text(&publishing->out, "; 'facteur domain records --check' asks it.\n");
    return records_tell(config, domain, put_row, publishing);
}

static int
run_records(const struct command_call *call)
{
    struct publishing publishing = {.is_json = command_has(call, "json")};
    bool is_check = command_has(call, "check");
    int code = open_domain(call, &publishing);

    if (code == EX_OK) {
        struct slice domain = buffer_slice(&publishing.domain);
        if (!records_has_key(&publishing.settings.config, domain))
            say_warning("no key signs mail of %.*s, and many take no other; make one with: facteur "
                        "dkim generate",
                        (int)domain.len, (const char *)domain.at);
        if (is_check || publishing.is_json)
            publishing.report = report_open(publishing.is_json);
        code = is_check ? check(&publishing) : show(&publishing);
        int written = publishing.report ? report_close(&publishing.report) : EX_OK;
        if (written != EX_OK)
            code = written;
    }
    return close_domain(&publishing, code);
}

static int
run_sts(const struct command_call *call)
{
    struct publishing publishing = {0};
    int code = open_domain(call, &publishing);

    if (code == EX_OK) {
        struct slice domain = buffer_slice(&publishing.domain);
        struct buffer line;
        buffer_init(&line, FOUND_MAX);
        records_put_sts_policy(&publishing.settings.config, command_has(call, "enforce"),
                               &publishing.out);
        records_put_sts_record(domain, buffer_slice(&publishing.out), &line);
        say_line("Show this at https://mta-sts.%.*s/.well-known/mta-sts.txt, and then publish:",
                 (int)domain.len, (const char *)domain.at);
        say_line("%.*s", (int)buffer_len(&line), (const char *)buffer_slice(&line).at);
        buffer_finish(&line);
    }
    return close_domain(&publishing, code);
}

static int
run_autoconfig(const struct command_call *call)
{
    struct publishing publishing = {0};
    int code = open_domain(call, &publishing);

    if (code == EX_OK) {
        struct slice domain = buffer_slice(&publishing.domain);
        if (!records_put_autoconfig(&publishing.settings.config, domain, &publishing.out))
            code = say_error(EX_CONFIG, "no service of users has TLS, and mail programs should "
                                        "take no other; set tls_certificate and tls_key");
        else
            say_line("Show this at https://autoconfig.%.*s/mail/config-v1.1.xml",
                     (int)domain.len, (const char *)domain.at);
    }
    return close_domain(&publishing, code);
}

const struct command command_domain_records = {
    .name = "domain records",
    .arguments = "DOMAIN",
    .summary = "Show what the name system has to say of a domain, or whether it does",
    .about =
        "Prints, as a zone file, the records by which others find the server, believe mail of the "
        "domain, and report what goes wrong: MX, SPF, DKIM, DMARC, TLSRPT, SRV and TLSA, made from "
        "the configuration and its keys. Rows behind ; want something that is not known here.\n\n"
        "With --check the name system is asked (options dns_…) what it says of each, and whether "
        "the addresses lead back to the server's name. Of policies (SPF, DMARC, TLSRPT) any one "
        "will do. Exit code 65: one is wrong, or one is missing without which mail suffers; 75: "
        "nobody answered.",
    .examples = "facteur domain records example.org\n"
                "facteur domain records --check example.org",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"check", NULL, "Ask the name system."},
                COMMAND_OPTION_CONFIG,
                COMMAND_OPTION_JSON},
    .run = run_records,
};

const struct command command_domain_sts = {
    .name = "domain sts",
    .arguments = "DOMAIN",
    .summary = "Print the policy by which others insist on TLS with this server",
    .about = "Prints mta-sts.txt (MTA-STS, RFC 8461) for a web server, and says where it belongs "
             "and the record that tells of it; publish that when the file is there, and again when "
             "the file has changed. Begin without --enforce, and look at the reports (TLSRPT) for "
             "a week or two.",
    .examples = "facteur domain sts example.org > mta-sts.txt\n"
                "facteur domain sts --enforce example.org > mta-sts.txt",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {{"enforce", NULL, "Others keep mail that cannot go by verified TLS."},
                COMMAND_OPTION_CONFIG},
    .run = run_sts,
};

const struct command command_domain_autoconfig = {
    .name = "domain autoconfig",
    .arguments = "DOMAIN",
    .summary = "Print the file by which mail programs set themselves up",
    .about = "Prints config-v1.1.xml for a web server, and says where it belongs: Thunderbird, "
             "Evolution, K-9, 'facteur account add' and others read it, and ask the user for "
             "nothing but address and password. Who knows SRV records (Apple's Mail) needs "
             "no file.",
    .examples = "facteur domain autoconfig example.org > config-v1.1.xml",
    .arguments_min = 1,
    .arguments_max = 1,
    .options = {COMMAND_OPTION_CONFIG},
    .run = run_autoconfig,
};
