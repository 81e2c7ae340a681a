/* SPDX-License-Identifier: ISC */
/* Maildir: one file a message below tmp/, new/ and cur/; what has been seen moves to cur/ with its
 * flags in the name (`:2,FRS`). */
#ifndef DELIVERY_MAILDIR_H
#define DELIVERY_MAILDIR_H

#include "base/buffer.h"
#include "base/time.h"

enum maildir_flag {
    MAILDIR_DRAFT = 1,
    MAILDIR_FLAGGED = 2,
    MAILDIR_PASSED = 4,
    MAILDIR_REPLIED = 8,
    MAILDIR_SEEN = 16,
    MAILDIR_TRASHED = 32,
};

/* Puts a name that no other delivery has used: seconds, microseconds, 64 random bits, host name
 * with `/` and `:` written as \057 and \072, and S=SIZE: the octets of the file, which other
 * programs believe instead of asking the file system. */
void maildir_put_name(struct buffer *buffer, struct wall now, uint64_t random,
                      struct slice hostname, uint64_t size);

/* Puts `:2,` and the letters of the flags in their order. */
void maildir_put_flags(struct buffer *buffer, unsigned flags);

/* Takes a file name apart. `ret_unique` is the part before `:2,`; names without flags have none. */
void maildir_parse_name(struct slice name, struct slice *ret_unique, unsigned *ret_flags);

/* The time in the name, or 0. */
struct wall maildir_name_time(struct slice name);

/* Puts the message with LF line ends, as Maildir files have them, or back with CRLF. */
void maildir_put_lf(struct buffer *buffer, struct slice message);
void maildir_put_crlf(struct buffer *buffer, struct slice content);

#endif
