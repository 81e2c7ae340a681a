/* SPDX-License-Identifier: ISC */
/* The items of STATUS (RFC 9051 §6.3.11 and extensions). Private to the room. */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "imap/server_private.h"

/* "(" status-att *(SP status-att) ")" as bits; false for what is none. */
MUST_USE bool imap_take_status_items(struct cursor *cursor, uint32_t *ret_items);
bool imap_status_wants_deleted(uint32_t items);
/* "* STATUS name (…)" */
void imap_put_status(struct imap_server *server, const struct access_store_mailbox_row *row,
                     uint32_t items);

/* "* MYRIGHTS name rights" (RFC 4314, RFC 8440) */
void imap_put_my_rights(struct imap_server *server, const struct access_store_mailbox_row *row);

/* Gathers the rows of `mailboxes`, their names copied into the command's arena. */
struct imap_rows {
    struct access_store_mailbox_row *at;
    size_t count, size;
};
MUST_USE bool imap_rows_add(struct imap_server *server, struct imap_rows *rows,
                            const struct access_store_mailboxes *note);
/* By name, when all have come: those of others come behind the session's own. */
void imap_rows_sort(struct imap_rows *rows);
/* The row of that name, or NULL. */
const struct access_store_mailbox_row *imap_rows_find(const struct imap_rows *rows,
                                                      struct slice name);

#endif
