/* SPDX-License-Identifier: ISC */
/* The file in which a provider of mail writes down its servers, as many mail programs read it:
 * config-v1.1.xml. The one place that knows expat. */
#ifndef TOOL_MAIL_AUTOCONFIG_H
#define TOOL_MAIL_AUTOCONFIG_H

#include "base/arena.h"

/* Strings are in the arena. */
struct autoconfig {
    const char *incoming; /* "imaps://mail.example.org:993"; NULL when none of the file's will do */
    const char *outgoing;
    const char *login; /* NULL: as the address */
};

/* Of the servers that need TLS: IMAP before POP3, TLS from the first byte before STARTTLS, then in
 * the file's order. False when the text is no such file; one with a document type is none. */
MUST_USE bool autoconfig_parse(struct arena *arena, struct slice text, const char *address,
                               struct autoconfig *ret_found);

#endif
