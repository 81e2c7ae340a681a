/* SPDX-License-Identifier: ISC */
/* facteur lab start, stop, status: a small Internet on loopback. */
#include "tool/command.h"
#include "tool/lab/lab.h"
#include "tool/report.h"
#include "tool/say.h"

#include <stdlib.h>

/* The host of the first argument; *ret_host NULL when there is none: all are meant. */
static int
find_host(const struct command_call *call, const struct lab_host **ret_host)
{
    *ret_host = call->count > 0 ? lab_find(call->arguments[0]) : NULL;
    if (call->count > 0 && !*ret_host)
        return say_error(EX_NOHOST, "the lab has no %s; 'facteur lab status' shows all",
                         call->arguments[0]);
    return EX_OK;
}

static int
run_start(const struct command_call *call)
{
    struct lab lab = {0};
    const struct lab_host *host;
    int code = lab_open(command_value(call, "dir"), command_value(call, "net"), &lab);

    if (code == EX_OK)
        code = find_host(call, &host);
    if (code == EX_OK && command_has(call, "signed"))
        code = lab_want_signed(&lab);
    if (code == EX_OK)
        code = lab_make(&lab);
    if (code == EX_OK)
        code = lab_start_names(&lab);
    for (size_t i = 0; i < lab_host_count && code == EX_OK; i++) {
        if (!host || host == &lab_hosts[i])
            code = lab_start(&lab, &lab_hosts[i]);
    }
    if (code == EX_OK && host)
        say_line("%s runs on %s, port %d.", host->name, lab_address(&lab, host), LAB_PORT);
    else if (code == EX_OK)
        say_line(
            "The lab runs: %zu mail servers and a name server. Send a message through it with: "
            "facteur lab send",
            lab_host_count);
    free(lab.folder);
    return code;
}

static int
run_stop(const struct command_call *call)
{
    struct lab lab = {0};
    const struct lab_host *host;
    int code = lab_open(command_value(call, "dir"), NULL, &lab);

    if (code == EX_OK)
        code = find_host(call, &host);
    for (size_t i = 0; i < lab_host_count && code == EX_OK; i++) {
        if (!host || host == &lab_hosts[i])
            code = lab_stop(&lab, lab_hosts[i].name);
    }
    if (code == EX_OK && !host)
        code = lab_stop(&lab, "names");
    free(lab.folder);
    return code;
}

static int
run_status(const struct command_call *call)
{
    struct lab lab = {0};
    int code = lab_open(command_value(call, "dir"), NULL, &lab);

    if (code != EX_OK)
        return code;
    struct report *report = report_open(command_has(call, "json"));
    report_text(report, "folder", slice_of_string(lab.folder));
    report_text(report, "names", slice_of_string(lab.names));
    report_number(report, "names_port", LAB_NAMES_PORT);
    report_number(report, "names_pid", (uint64_t)lab_process(&lab, "names"));
    report_list(report, "hosts");
    for (size_t i = 0; i < lab_host_count; i++) {
        const struct lab_host *host = &lab_hosts[i];
        report_row(report);
        report_text(report, "host", slice_of_string(host->name));
        report_text(report, "domain", slice_of_string(host->domain));
        report_number(report, "preference", host->preference);
        report_text(report, "person", slice_of_string(host->person ? host->person : ""));
        report_text(report, "address", slice_of_string(lab_address(&lab, host)));
        report_number(report, "port", LAB_PORT);
        report_number(report, "pid", (uint64_t)lab_process(&lab, host->name));
    }
    report_list_end(report);
    free(lab.folder);
    return report_close(&report);
}

#define OPTION_DIR                                                                                 \
    {                                                                                              \
        "dir", "DIR", "Where everything lies; default: " LAB_FOLDER_USUAL "."                      \
    }

const struct command command_lab_start = {
    .name = "lab start",
    .arguments = "[HOST]",
    .summary = "Start a small Internet on loopback",
    .about =
        "Makes and starts a name server (NSD, package nsd) and eight mail servers on loopback "
        "addresses, without root: truc.fr with fred, machin.com with marc and two secondary "
        "servers, foo.com, bar.com, "
        "xyz.com and cnam.fr. All run in the background; each has its configuration, accounts "
        "and log in DIR/HOST.\n\nWith HOST (a host or a domain: then its primary) only that one, "
        "which was stopped before. What you have changed in DIR stays.",
    .examples = "facteur lab start\nfacteur lab stop smtp.machin.com\nfacteur lab start machin.com",
    .arguments_max = 1,
    .options = {OPTION_DIR,
                {"net", "NUMBER", "The addresses are 127.NUMBER.0.0/16, of a new lab; default: 1."},
                {"signed", NULL,
                 "The zone of foo.com, of a new lab, is signed (DNSSEC, package ldnsutils), and "
                 "its host has a "
                 "TLSA record: mail to it is secured by DANE."}},
    .run = run_start,
};

const struct command command_lab_stop = {
    .name = "lab stop",
    .arguments = "[HOST]",
    .summary = "Stop the lab, or one host of it",
    .about = "Without HOST all of them and the name server. The files stay.",
    .examples = "facteur lab stop\nfacteur lab stop machin.com",
    .arguments_max = 1,
    .options = {OPTION_DIR},
    .run = run_stop,
};

const struct command command_lab_status = {
    .name = "lab status",
    .arguments = "",
    .summary = "Show the lab's hosts",
    .about = "Shows hosts, addresses, people and processes; 0 stands for one that does not run.",
    .examples = "facteur lab status --json",
    .options = {OPTION_DIR, COMMAND_OPTION_JSON},
    .run = run_status,
};
