/* SPDX-License-Identifier: ISC */
/* Puts messages into letter boxes of this machine: an mbox file, a Maildir, or a program that
 * delivers (sendmail, procmail). */
#ifndef CLIENT_KEEP_H
#define CLIENT_KEEP_H

#include "client/folder.h"

enum client_keep_kind { CLIENT_KEEP_MBOX, CLIENT_KEEP_MAILDIR };

/* What is at the path: a folder is a Maildir; also when nothing is there and the path ends in a
 * slash. */
enum client_keep_kind client_keep_kind_of(const char *path);

/* Adds a message (CRLF lines) durably; a box that is not there is made. Flags matter for Maildirs
 * only. */
MUST_USE bool client_keep(const char *path, enum client_keep_kind kind, struct slice message,
                          uint32_t flags, struct client_problem *problem);

/* Makes a Maildir; one that is there stays as it is. */
MUST_USE bool client_keep_make_maildir(const char *path, struct client_problem *problem);

/* Gives it (LF lines) to a shell command on standard input; true when that ends with 0. */
MUST_USE bool client_keep_pipe(const char *command, struct slice message,
                               struct client_problem *problem);

#endif
