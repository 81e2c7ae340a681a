/* SPDX-License-Identifier: ISC */
/* Private to the room: the kinds of shelves. */
#ifndef CLIENT_SHELF_PRIVATE_H
#define CLIENT_SHELF_PRIVATE_H

#include "client/shelf.h"

/* The functions of shelf.h that a kind has in its own way. */
struct shelf_kind {
    bool (*folders)(struct client_shelf *shelf, bool counts, struct client_shelf_list *list,
                    struct client_problem *problem);
    bool (*select)(struct client_shelf *shelf, struct client_problem *problem);
    bool (*heads)(struct client_shelf *shelf, struct client_ids ids, client_shelf_head_fn fn,
                  void *context, struct client_problem *problem);
    bool (*read)(struct client_shelf *shelf, uint32_t id, struct buffer *out,
                 struct client_problem *problem);
    bool (*flag)(struct client_shelf *shelf, struct client_ids ids, uint32_t add, uint32_t remove,
                 struct client_problem *problem);
    bool (*remove)(struct client_shelf *shelf, struct client_ids ids,
                   struct client_problem *problem);
    bool (*move)(struct client_shelf *shelf, struct client_ids ids, const char *to,
                 uint32_t *ret_first, uint32_t *ret_count, struct client_problem *problem);
    bool (*bring)(struct client_shelf *shelf, const char *from, uint32_t first, uint32_t count,
                  struct client_problem *problem);
    bool (*add)(struct client_shelf *shelf, const char *to, struct slice message, uint32_t flags,
                struct client_problem *problem);
    bool (*search)(struct client_shelf *shelf, struct slice text, client_shelf_found_fn fn,
                   void *context, struct client_problem *problem);
    bool (*wait)(struct client_shelf *shelf, struct instant deadline, int bell,
                 struct client_problem *problem);
    uint32_t (*validity)(const struct client_shelf *shelf);  /* NULL: has none */
    bool (*is_connected)(const struct client_shelf *shelf); /* NULL: always */
    void (*close)(struct client_shelf *shelf);
};

struct client_shelf {
    const struct shelf_kind *kind;
    const struct client_login *login; /* or NULL */
    char *path;                       /* owned; or NULL */
    char *name;                       /* of the open folder; owned; NULL: none */
    struct client_shelf_item *items;  /* owned */
    size_t count, room;
    client_shelf_fn fn;
    void *context;
    client_shelf_id_fn id_fn; /* or NULL */
    void *id_context;
    void *state; /* of the kind */
};

/* Each fills a new shelf; false, and the problem is set. close is due in any case. */
MUST_USE bool shelf_open_imap(struct client_shelf *shelf, struct client_problem *problem);
MUST_USE bool shelf_open_local(struct client_shelf *shelf, struct client_problem *problem);

/* The list of items: `id` is above all others. shelf_add and the next two tell of it. */
void shelf_put(struct client_shelf *shelf, uint32_t id, uint32_t flags);
void shelf_add(struct client_shelf *shelf, uint32_t id, uint32_t flags);
void shelf_remove(struct client_shelf *shelf, size_t index);
void shelf_set_flags(struct client_shelf *shelf, size_t index, uint32_t flags);
MUST_USE bool shelf_find(const struct client_shelf *shelf, uint32_t id, size_t *ret_index);

/* A copy; aborts without memory. */
char *shelf_copy(struct slice text);

/* Adds a folder, its use guessed from the name where it is NONE. */
void shelf_list_add(struct client_shelf_list *list, struct slice name, enum client_use use,
                    char delimiter);
/* INBOX first, the others by name. */
void shelf_list_sort(struct client_shelf_list *list);

#endif
