/* SPDX-License-Identifier: ISC */
/* What a mailing list adds to a message: RFC 2369 (List-Post and the like), RFC 2919 (List-Id), RFC
 * 8058 (one-click unsubscription), and where failures return to (RFC 5321 §3.9.2). */
#ifndef ROUTING_LIST_H
#define ROUTING_LIST_H

#include "directory/directory.h"

enum { ROUTING_LIST_FIELDS_MAX = 4096 };

/* Header fields to put before the message, each a whole line with CRLF, at most 998 octets. */
void routing_list_put_fields(const struct directory_alias *list, struct buffer *out);

/* The reverse-path of what the list sends: its owner, or NAME-owner@DOMAIN, which the directory
 * leads to the postmaster. An alias stands for a list where there is an alias owner-NAME: that is
 * its sender, and it puts no fields. */
void routing_list_put_sender(const struct directory_alias *list, struct buffer *out);

/* May this sender write to the list? Anybody, or its members and owner where it is closed. */
bool routing_list_takes(const struct directory_alias *list, struct slice sender);

#endif
