/* SPDX-License-Identifier: ISC */
/* A message of a person's own, from what the commands were given to octets that can be sent. */
#ifndef TOOL_MAIL_COMPOSE_H
#define TOOL_MAIL_COMPOSE_H

#include "client/account.h"
#include "mime/part.h"
#include "tool/sendmail/outgoing.h"

enum { COMPOSE_LISTS = 3, COMPOSE_FILES_MAX = 500 };

/* A part that is put as it is, behind the text: what programs say to programs. */
struct compose_part {
    const char *type;
    const char *parameter, *value; /* of its Content-Type; NULL: none */
    struct slice octets;           /* of message/…: no more than 7 bits; text is UTF-8 */
};

struct compose {
    const struct client_account *account;
    const char *from;                     /* NULL: the account's */
    const char *reply_to;                 /* NULL: the account's, if any */
    struct slice to, cc, bcc;             /* lists as a person writes them; may be empty */
    struct slice subject;                 /* UTF-8 */
    struct slice text;                    /* any charset: see compose_put */
    const char *html;                     /* file; NULL: none */
    const char *files[COMPOSE_FILES_MAX]; /* attachments */
    size_t files_count;
    struct slice in_reply_to, references;    /* as they stand in fields; may be empty */
    const struct slice *forwarded;           /* whole messages, attached; several as a digest */
    size_t forwarded_count;
    bool is_digest;                          /* also if it is one; without a text it is all */
    const char *links[COMPOSE_FILES_MAX];    /* URLs of what is not sent, but said where it is */
    size_t links_count;
    bool is_flowed;                          /* format=flowed (RFC 3676) */
    bool wants_receipt;                      /* asks for one, to be sent to From (RFC 8098 §2.1) */
    const char *pictures[COMPOSE_FILES_MAX]; /* that the HTML shows: src="cid:NAME" (RFC 2387) */
    size_t pictures_count;
    const struct compose_part *parts;
    size_t parts_count;
    const char *multipart; /* of text and parts: "mixed" or "alternative" */
};

/* What is to be sent: content without Bcc, and everybody who gets it. */
struct composed {
    struct outgoing outgoing; /* its content is the message */
    struct buffer sender;     /* canonical address for the envelope */
};

/* Empty. */
void composed_init(struct composed *composed);

/* Makes the message. Text that is not UTF-8 is taken to be in the locale's charset, or
 * windows-1252. EX_OK, or a code after having said what is wrong. composed_finish is due in any
 * case. */
MUST_USE int compose_put(const struct compose *compose, struct composed *ret_composed);
void composed_finish(struct composed *composed);

/* Puts who the account's messages are from: "Name <address>". */
void compose_put_from(const struct client_account *account, struct buffer *out);

/* The text that a person writes: standard input, or on a terminal $VISUAL or $EDITOR on a file
 * that begins with `draft`, whose path comes with it (else NULL): it stays until it is known what
 * has become of the text. */
MUST_USE int compose_read_text(struct slice draft, struct buffer *ret_text, char **ret_path);

/* Takes the path: with EX_OK the file goes, else its writer is told where it is. */
void compose_end_text(char *path, int code);

#endif
