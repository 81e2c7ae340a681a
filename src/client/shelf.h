/* SPDX-License-Identifier: ISC */
/* All folders of one account, or of one place on this machine, for a program that stays: one folder
 * is open at a time, its messages are known by their ids, and more is fetched of those that are
 * wanted; changes of others are told as they come. Where folder.h takes stock once, this stays.
 *
 * Kinds: an IMAP server; a POP3 maildrop, an mbox file or a Maildir (one folder, INBOX); a folder
 * that holds Maildirs (each of them, and each Maildir++ folder in them, is a folder). */
#ifndef CLIENT_SHELF_H
#define CLIENT_SHELF_H

#include "client/folder.h"

struct client_shelf;

/* What a folder is for (RFC 6154), as far as it is known. */
enum client_use {
    CLIENT_USE_NONE,
    CLIENT_USE_INBOX,
    CLIENT_USE_DRAFTS,
    CLIENT_USE_SENT,
    CLIENT_USE_ARCHIVE,
    CLIENT_USE_JUNK,
    CLIENT_USE_TRASH
};

struct client_shelf_folder {
    char *name; /* UTF-8; owned by the list */
    enum client_use use;
    char delimiter; /* between levels; 0: none */
    bool is_counted;
    uint32_t messages, unseen; /* when is_counted */
};

struct client_shelf_list {
    struct client_shelf_folder *folders; /* owned; INBOX first, the others by name */
    size_t count;
};

void client_shelf_list_finish(struct client_shelf_list *list);

/* One message of the open folder. */
struct client_shelf_item {
    uint32_t id;    /* ascending in the folder */
    uint32_t flags; /* at first only CLIENT_SEEN is true; the others come with the heads */
};

/* Tells of changes in the open folder, whoever made them; during any call on the shelf. */
enum client_shelf_change { CLIENT_SHELF_ARRIVED, CLIENT_SHELF_GONE, CLIENT_SHELF_FLAGS };
typedef void (*client_shelf_fn)(void *context, enum client_shelf_change change,
                                struct client_shelf_item item);

/* Connects where it must. Of `place`, login and path count. NULL, and the problem is set. */
struct client_shelf *client_shelf_open(const struct client_folder_place *place, client_shelf_fn fn,
                                       void *context, struct client_problem *problem);
/* Accepts a pointer to NULL. */
void client_shelf_close(struct client_shelf **shelf);

/* False when the server has ended the session, or the line was cut: then it is to be closed. */
bool client_shelf_is_connected(const struct client_shelf *shelf);

/* True when folders can be made, and messages moved and added. */
bool client_shelf_has_folders(const struct client_shelf *shelf);

/* Lists the folders; with `counts`, how many messages each has. */
MUST_USE bool client_shelf_folders(struct client_shelf *shelf, bool counts,
                                   struct client_shelf_list *ret_list,
                                   struct client_problem *problem);

/* Opens a folder in the place of the one that was. */
MUST_USE bool client_shelf_select(struct client_shelf *shelf, const char *name,
                                  struct client_problem *problem);

/* Of a place on this machine: asked for the id of each message when a folder is opened, by the
 * unique name of its file; 0: it has none. Those without, and those that come later, get ids from
 * CLIENT_SHELF_OWN_ID on. */
#define CLIENT_SHELF_OWN_ID ((uint32_t)1 << 31)
typedef uint32_t (*client_shelf_id_fn)(void *context, const char *unique);
void client_shelf_set_ids(struct client_shelf *shelf, client_shelf_id_fn fn, void *context);

/* The UIDVALIDITY of the open folder of an IMAP server; 0 elsewhere. */
uint32_t client_shelf_validity(const struct client_shelf *shelf);

/* What is in it, oldest first; valid until the next call. */
const struct client_shelf_item *client_shelf_items(const struct client_shelf *shelf,
                                                   size_t *ret_count);

struct client_ids {
    const uint32_t *ids; /* ascending */
    size_t count;
};

/* What is known of one message: `head` holds at least the fields of a list of messages and ends
 * with an empty line. */
struct client_shelf_head {
    uint32_t id, flags;
    uint64_t size;
    struct wall received;
    struct slice head;
};
typedef void (*client_shelf_head_fn)(void *context, const struct client_shelf_head *head);
MUST_USE bool client_shelf_heads(struct client_shelf *shelf, struct client_ids ids,
                                 client_shelf_head_fn fn, void *context,
                                 struct client_problem *problem);

/* Puts the whole message, CRLF line ends. It does not become \Seen by that. */
MUST_USE bool client_shelf_read(struct client_shelf *shelf, uint32_t id, struct buffer *out,
                                struct client_problem *problem);

/* Sets and takes flags. */
MUST_USE bool client_shelf_flag(struct client_shelf *shelf, struct client_ids ids, uint32_t add,
                                uint32_t remove, struct client_problem *problem);

/* For good. */
MUST_USE bool client_shelf_delete(struct client_shelf *shelf, struct client_ids ids,
                                  struct client_problem *problem);

/* Into another folder, which is made when it is not there. *ret_first is the id that the first of
 * them has there and *ret_count how many follow one another from it; 0 when that is not known. */
MUST_USE bool client_shelf_move(struct client_shelf *shelf, struct client_ids ids, const char *to,
                                uint32_t *ret_first, uint32_t *ret_count,
                                struct client_problem *problem);

/* Brings messages back that are in `from` with these ids (as client_shelf_move told). The open
 * folder stays open. */
MUST_USE bool client_shelf_bring(struct client_shelf *shelf, const char *from, uint32_t first,
                                 uint32_t count, struct client_problem *problem);

/* Adds a message to a folder, which is made when it is not there. */
MUST_USE bool client_shelf_add(struct client_shelf *shelf, const char *to, struct slice message,
                               uint32_t flags, struct client_problem *problem);

/* Calls fn for the id of each message that has the text somewhere. */
typedef void (*client_shelf_found_fn)(void *context, uint32_t id);
MUST_USE bool client_shelf_search(struct client_shelf *shelf, struct slice text,
                                  client_shelf_found_fn fn, void *context,
                                  struct client_problem *problem);

/* Waits until something has changed, the deadline, or something can be read from `bell`. */
MUST_USE bool client_shelf_wait(struct client_shelf *shelf, struct instant deadline, int bell,
                                struct client_problem *problem);

#endif
