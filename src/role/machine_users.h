/* SPDX-License-Identifier: ISC */
/* The machine's own users as accounts (option system_users): asked of the name service in a helper
 * process, which may block and which keeps the rights to read what it reads, and turned into lines
 * such as stand in directory/accounts. People only: user numbers from 1000 to 59999. */
#ifndef ROLE_MACHINE_USERS_H
#define ROLE_MACHINE_USERS_H

#include "directory/directory.h"
#include "host/host.h"

enum {
    MACHINE_USERS_MAX = 60000,
    MACHINE_USER_FIRST = 1000,
    MACHINE_USER_LAST = 59999,
};

/* Accounts of the machine's users have ids above all others: this and the user's number. */
#define MACHINE_USER_ID ((uint64_t)1 << 32)

struct machine_users;

/* Starts the helper: before the process is confined. `changed` is called whenever a new list has
 * come, from the loop. NULL when no helper can be had. */
struct machine_users *machine_users_open(struct host *host, void (*changed)(void *context),
                                         void *context);
void machine_users_close(struct machine_users **users);

/* Asks for the list anew; one that is being asked for already is waited for. */
void machine_users_ask(struct machine_users *users);

/* Puts a line for each user, as an account of `domain`. */
void machine_users_put(const struct machine_users *users, struct slice domain,
                       struct buffer *lines);

/* What the helper does. Question: le32 of the first entry wanted; answer: le8, 1 when that
 * was the end of the list; then entries of le32 number, le8 length and login, le8 length and full
 * name. */
void machine_users_answer(void *context, struct slice question, struct buffer *answer);

#endif
