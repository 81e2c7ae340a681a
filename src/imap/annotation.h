/* SPDX-License-Identifier: ISC */
/* What METADATA (RFC 5464) and LIST-METADATA (RFC 9590) share. Private to the room. */
#ifndef IMAP_ANNOTATION_H
#define IMAP_ANNOTATION_H

#include "imap/server_private.h"

enum { IMAP_ENTRIES_MAX = 100 };

/* Names of entries, in small letters, as the store keeps them. */
struct imap_entries {
    struct slice at[IMAP_ENTRIES_MAX];
    size_t count;
};

/* entry = astring: a path that begins with "/", without "*", "%" or empty levels. Any case. */
MUST_USE bool imap_take_entry(struct imap_server *server, struct cursor *cursor,
                              struct slice *ret_entry);
/* "(" entry *(SP entry) ")" */
MUST_USE bool imap_take_entries(struct imap_server *server, struct cursor *cursor,
                                struct imap_entries *ret_entries);

/* Annotations that the store has told, by mailbox. */
struct imap_annotations {
    struct access_store_annotation *at;
    size_t count, size;
};
/* Keeps those of a note; false when there are too many. */
MUST_USE bool imap_annotations_add(struct imap_server *server, struct imap_annotations *all,
                                   const struct access_store_annotations *note);
/* NULL when there is none. */
const struct access_store_annotation *imap_annotations_find(const struct imap_annotations *all,
                                                            uint32_t mailbox, struct slice name);

/* "* METADATA name (entry value …)"; NIL for what is not there. */
void imap_put_metadata(struct imap_server *server, struct slice name, uint32_t mailbox,
                       const struct imap_entries *entries, const struct imap_annotations *all);

#endif
