/* SPDX-License-Identifier: ISC */
/* The small Internet of `facteur lab`: hosts on loopback addresses, each with a server of its own,
 * and a name server (NSD) that knows them. */
#ifndef TOOL_LAB_LAB_H
#define TOOL_LAB_LAB_H

#include "base/buffer.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
    LAB_PORT = 10025,
    LAB_SUBMISSION_PORT = 10587,
    LAB_POP_PORT = 10110,
    LAB_NAMES_PORT = 10053
};

struct lab_host {
    const char *name; /* as the name system knows it */
    const char *domain;
    const char *address; /* its last two numbers: 127.NET.… */
    const char *person;  /* local part of its one account; NULL: it keeps mail for its primary */
    unsigned preference; /* of its MX record */
};

extern const struct lab_host lab_hosts[];
extern const size_t lab_host_count;

/* Of each person, for the lab's own machine only. */
#define LAB_SECONDARY "backup" /* as whom secondaries log in at their primary */
#define LAB_PASSWORD "the lab is on loopback"

/* By host name, or by domain: then its primary. NULL for neither. */
const struct lab_host *lab_find(const char *name);

enum { LAB_HOSTS_MAX = 8, LAB_ADDRESS_SIZE = 16, LAB_NET_USUAL = 1 };

struct lab {
    char *folder; /* absolute, owned */
    bool is_signed;
    unsigned net; /* the second number of all addresses; several labs may run side by side */
    char names[LAB_ADDRESS_SIZE]; /* address of the name server */
    char addresses[LAB_HOSTS_MAX][LAB_ADDRESS_SIZE];
};

static inline const char *
lab_address(const struct lab *lab, const struct lab_host *host)
{
    return lab->addresses[host - lab_hosts];
}

/* Its zone is signed, and its host has a TLSA record, where that was asked for. */
#define LAB_SIGNED "foo.com"

#define LAB_FOLDER_USUAL "./var/lab"

/* Finds, or makes, the folder; NULL: LAB_FOLDER_USUAL. net: 1 to 255 in digits, for a new lab; NULL
 * for what it has. */
MUST_USE int lab_open(const char *folder, const char *net, struct lab *ret_lab);

/* The lab, which is new, shall have a signed zone. */
MUST_USE int lab_want_signed(struct lab *lab);

/* Puts the record for the host's certificate; makes the signed zone and the file `anchors`. */
MUST_USE int lab_put_tlsa(const struct lab *lab, const struct lab_host *host, struct buffer *zone);
MUST_USE int lab_sign_zone(const struct lab *lab);

/* Makes the folders, configurations, certificates, accounts and zones, where they are missing. */
MUST_USE int lab_make(const struct lab *lab);

/* FOLDER/HOST/NAME; freed by the caller. */
MUST_USE char *lab_path(const struct lab *lab, const char *host, const char *name);

/* Processes, in the background; what they say goes to FOLDER/HOST/log. Starting what runs, and
 * stopping what does not, does nothing. `names` is the name server. */
MUST_USE int lab_start_names(const struct lab *lab);
MUST_USE int lab_start(const struct lab *lab, const struct lab_host *host);
MUST_USE int lab_stop(const struct lab *lab, const char *host);
/* The process, or 0. */
pid_t lab_process(const struct lab *lab, const char *host);

#endif
