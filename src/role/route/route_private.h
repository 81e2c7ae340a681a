/* SPDX-License-Identifier: ISC */
#ifndef ROLE_ROUTE_ROUTE_PRIVATE_H
#define ROLE_ROUTE_ROUTE_PRIVATE_H

#include "directory/directory.h"
#include "note/smtp_route.h"
#include "role/role.h"

enum { ROUTE_SMTP_MAX = 64 }; /* as the option `processes` */

struct route;

/* One smtp process; its index is its place in route->smtps. */
struct route_smtp {
    struct route *route;
    struct host_channel *channel;
    struct note_ledger ledger;
};

struct route {
    struct role_start start;
    struct host_dir *dir;
    struct directory *directory; /* NULL: could never be read */
    uint64_t stamp;
    struct instant looked; /* when the file's stamp was last looked at */
    struct route_smtp smtps[ROUTE_SMTP_MAX];
    struct arena arena; /* of the note in hand */
    struct buffer note;
    uint64_t tables; /* how often they were read */
    uint64_t asked, unknown, refused;
};

/* The answers to one note; texts and targets live in route->arena. */
void route_answer_recipient(struct route *route, const struct smtp_route_recipient *recipient,
                            struct smtp_route_route *ret_answer);
void route_answer_verify(struct route *route, const struct smtp_route_verify *verify,
                         struct smtp_route_verified *ret_answer);

#endif
