/* SPDX-License-Identifier: ISC */
/* Private to the room: the kinds of folders. */
#ifndef CLIENT_FOLDER_PRIVATE_H
#define CLIENT_FOLDER_PRIVATE_H

#include "base/arena.h"
#include "client/folder.h"

/* What a kind does not have is NULL; heads are then read as whole messages. */
struct folder_kind {
    bool (*read)(struct client_folder *folder, size_t index, struct buffer *out,
                 struct client_problem *problem);
    bool (*heads)(struct client_folder *folder, struct client_chosen chosen, client_head_fn fn,
                  void *context, struct client_problem *problem);
    bool (*flag)(struct client_folder *folder, struct client_chosen chosen, uint32_t add,
                 uint32_t remove, struct client_problem *problem);
    bool (*remove)(struct client_folder *folder, struct client_chosen chosen,
                   struct client_problem *problem);
    bool (*move)(struct client_folder *folder, struct client_chosen chosen, const char *to,
                 struct client_problem *problem);
    bool (*search)(struct client_folder *folder, const char *field, struct slice text,
                   struct client_chosen *ret_found, struct client_problem *problem);
    bool (*finish)(struct client_folder *folder, struct client_problem *problem);
    void (*close)(struct client_folder *folder);
};

struct client_folder {
    const struct folder_kind *kind;
    struct arena arena;
    struct client_letter *letters; /* owned */
    size_t count, room;
    const struct client_login *login;
    const char *path; /* or the folder's name; in the arena */
    bool is_read_only;
    void *state; /* of the kind */
};

/* A new letter, zeroed, behind the others. */
struct client_letter *folder_add(struct client_folder *folder);

/* Each fills a new folder; false, and the problem is set. close is due in any case. */
MUST_USE bool folder_open_mbox(struct client_folder *folder, struct client_problem *problem);
MUST_USE bool folder_open_maildir(struct client_folder *folder, struct client_problem *problem);
MUST_USE bool folder_open_pop(struct client_folder *folder, struct client_problem *problem);
MUST_USE bool folder_open_imap(struct client_folder *folder, struct client_problem *problem);

/* Puts a file of at most CLIENT_MESSAGE_MAX octets. */
MUST_USE bool folder_read_file(const char *path, struct buffer *out,
                               struct client_problem *problem);

#endif
