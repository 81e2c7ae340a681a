/* SPDX-License-Identifier: ISC */
/* Messages in one place, wherever it is: a folder of an IMAP server, a POP3 maildrop, an mbox file
 * or a Maildir. What was there at the opening is what there is; changes of others are seen by the
 * next opening. */
#ifndef CLIENT_FOLDER_H
#define CLIENT_FOLDER_H

#include "client/session.h"

enum client_flag {
    CLIENT_SEEN = 1,
    CLIENT_ANSWERED = 2,
    CLIENT_FLAGGED = 4,
    CLIENT_DELETED = 8,
    CLIENT_DRAFT = 16,
    CLIENT_RECEIPT_SENT = 64 /* or refused: $MDNSent (RFC 3503), which only IMAP has */
};

/* One message of a larger size is not read. */
#define CLIENT_MESSAGE_MAX ((size_t)1 << 30)

struct client_letter {
    /* By which people name it: the UID of IMAP, else its number in the folder, from 1 on. */
    uint32_t id;
    uint32_t flags;       /* none with POP3 */
    uint64_t size;        /* octets; near enough where the place does not say */
    struct wall received; /* 0: not known */
    const char *unique;   /* stays the same from session to session; NULL when there is none */
};

struct client_folder_place {
    /* Of an account; or NULL, and `path` is an mbox file or a Maildir. Borrowed for as long as the
     * folder is open. */
    const struct client_login *login;
    const char *folder; /* of IMAP, UTF-8; "INBOX" */
    const char *path;
    bool is_read_only; /* also: nothing becomes \Seen or \Recent */
};

struct client_folder;

/* NULL, and the problem is set, when it cannot be had. */
struct client_folder *client_folder_open(const struct client_folder_place *place,
                                         struct client_problem *problem);

/* How many messages there are, oldest first, and what is known of one: index < count. */
size_t client_folder_count(const struct client_folder *folder);
const struct client_letter *client_folder_letter(const struct client_folder *folder, size_t index);

/* The index of a message by its id. */
MUST_USE bool client_folder_find(const struct client_folder *folder, uint32_t id,
                                 size_t *ret_index);

/* Puts the whole message, CRLF line ends. It does not become \Seen by that. */
MUST_USE bool client_folder_read(struct client_folder *folder, size_t index, struct buffer *out,
                                 struct client_problem *problem);

/* Some messages of a folder: indexes, ascending. */
struct client_chosen {
    const size_t *indexes;
    size_t count;
};

/* Calls fn for the header of each, in any order; `head` may hold more of the message. */
typedef void (*client_head_fn)(void *context, size_t index, struct slice head);
MUST_USE bool client_folder_heads(struct client_folder *folder, struct client_chosen chosen,
                                  client_head_fn fn, void *context, struct client_problem *problem);

/* Each of these holds for sure when client_folder_finish has said so. */
MUST_USE bool client_folder_flag(struct client_folder *folder, struct client_chosen chosen,
                                 uint32_t add, uint32_t remove, struct client_problem *problem);
MUST_USE bool client_folder_delete(struct client_folder *folder, struct client_chosen chosen,
                                   struct client_problem *problem);

/* IMAP: into another folder of the account. Maildir: into another Maildir, `to` is its path; the
 * files keep their names, so that a copy (sync/copy.h) is known to have been changed by a move.
 * What is not there is made. Elsewhere it cannot: read, keep (keep.h) and delete. */
bool client_folder_can_move(const struct client_folder *folder);
MUST_USE bool client_folder_move(struct client_folder *folder, struct client_chosen chosen,
                                 const char *to, struct client_problem *problem);

/* IMAP: whether the server finds messages by itself; and those that have `text` somewhere, or in
 * a field: NULL, "from", "subject", … Puts their indexes into the folder's memory. */
bool client_folder_can_search(const struct client_folder *folder);
MUST_USE bool client_folder_search(struct client_folder *folder, const char *field,
                                   struct slice text, struct client_chosen *ret_found,
                                   struct client_problem *problem);

/* Makes the changes lasting. */
MUST_USE bool client_folder_finish(struct client_folder *folder, struct client_problem *problem);

/* Without finish: deletions may not have happened. Accepts a pointer to NULL. */
void client_folder_close(struct client_folder **folder);

#endif
