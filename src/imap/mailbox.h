/* SPDX-License-Identifier: ISC */
/* What a process knows of mailboxes that its sessions have selected: UIDs, flags, keywords and
 * modseqs as columns, held once for all sessions; and the view that each session has of one: which
 * of it the client has been told. A view costs a few dozen bytes, however large the mailbox.
 *
 * A message that went stays in the columns, marked, until every view has told its client. Sequence
 * numbers count what a view's client knows: places below `known`, less those whose going it was
 * told. */
#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include "base/list.h"
#include "base/map.h"
#include "imap/set.h"
#include "note/access_store.h"

enum { IMAP_KEYWORDS_MAX = 64, IMAP_NO_PLACE = UINT32_MAX };

/* One message that went. */
struct imap_tomb {
    uint32_t place;
    uint64_t serial; /* in the order of going */
};

/* The places that one note has changed lie between these. */
struct imap_change {
    uint64_t modseq;
    uint32_t first, last;
};
enum { IMAP_CHANGES_KEPT = 8 };

struct imap_headline;

struct imap_mailbox {
    struct imap_mailboxes *all;
    struct list views;
    uint64_t key[2]; /* account, mailbox */
    uint64_t watch;  /* our number for it at the store */
    bool is_loading, is_loaded;
    bool is_gone; /* the mailbox itself */
    bool is_detached;
    enum access_store_result result; /* why it could not be loaded */
    uint32_t uid_validity, uid_next;
    uint64_t modseq;
    uint32_t rights_serial; /* counts what became of who may do what */
    /* Columns, by rising UID. */
    uint32_t count, size;
    uint32_t *uids;
    uint8_t *flags; /* bits of enum imap_flag, and IMAP_VANISHED */
    uint64_t *keywords;
    uint64_t *modseqs;
    struct imap_tomb *tombs; /* by rising place */
    size_t tomb_count, tomb_size;
    uint64_t serial;
    /* The last notes of changes, so that few places need be looked at for what is new. */
    struct imap_change changes[IMAP_CHANGES_KEPT];
    uint8_t change_next;
    uint64_t changes_from;                 /* later changes than this modseq's are all among them */
    struct slice names[IMAP_KEYWORDS_MAX]; /* of keywords; owned */
    uint8_t name_count;
    /* See headline.h; as many as `size`, or NULL. */
    struct imap_headline **headlines;
    struct list headlines_link;
};
enum { IMAP_VANISHED = 0x80 };

struct imap_view {
    struct list link;
    struct imap_mailbox *mailbox; /* NULL: none is selected */
    uint32_t known;               /* places that the client knows, with tombs */
    uint64_t serial;              /* tombs up to this one were told */
    uint64_t modseq;              /* changes up to this one were told */
    bool is_pinned;               /* places are in use: nothing may be taken out of the columns */
    void (*on_change)(void *context);
    void *context;
};

/* All of a process. `unwatch` is called when the last view of a mailbox closes. */
struct imap_mailboxes {
    struct map map;
    struct map watches;
    uint64_t watch_count;
    struct list headlined; /* mailboxes with headlines, the longest unused first */
    size_t headline_bytes;
    struct list gatherers; /* sessions that read large messages into memory; see scan.c */
    void (*unwatch)(void *context, uint64_t watch);
    void *context;
};
void imap_mailboxes_init(struct imap_mailboxes *all, uint64_t seed,
                         void (*unwatch)(void *context, uint64_t watch), void *context);
void imap_mailboxes_finish(struct imap_mailboxes *all);

/* The store is gone, and with it all watches: who opens a mailbox from now on begins anew. */
void imap_mailboxes_detach(struct imap_mailboxes *all);

/* keywords, columns and changes of access_store. */
void imap_mailboxes_on_note(struct imap_mailboxes *all, const struct access_store_note *note);

/* Opens a view that knows nothing yet. When the mailbox is not loading or loaded, the caller asks
 * the store to watch it, with mailbox->watch, after setting is_loading. on_change is called from
 * imap_mailboxes_on_note, also when loading has ended. */
void imap_view_open(struct imap_view *view, struct imap_mailboxes *all, uint64_t account,
                    uint32_t mailbox, void (*on_change)(void *context), void *context);
void imap_view_close(struct imap_view *view);

/* An open view goes to another place in memory. */
void imap_view_move(struct imap_view *to, struct imap_view *from);

/* Makes the view know all that there is, as at SELECT. */
void imap_view_begin(struct imap_view *view);

/* Where in the view changes lie that were not told: a range that may be wider than need be, or
 * empty (first above last). */
struct imap_range imap_view_changed(const struct imap_view *view);

/* How many messages the client knows of. */
uint32_t imap_view_count(const struct imap_view *view);

/* True when this place counts for the client. */
bool imap_view_has(const struct imap_view *view, uint32_t place);

/* The place of a sequence number from 1 to the count, or of a UID that the client knows;
 * IMAP_NO_PLACE when there is none. */
uint32_t imap_view_place_of_number(const struct imap_view *view, uint32_t number);
uint32_t imap_view_place_of_uid(const struct imap_view *view, uint32_t uid);
/* The first place at or behind that UID, among all. */
uint32_t imap_mailbox_place_from(const struct imap_mailbox *mailbox, uint32_t uid);
uint32_t imap_view_number_of_place(const struct imap_view *view, uint32_t place);

/* The places that a set (resolved) of sequence numbers, or UIDs, means, as rising ranges of places;
 * ranges may cover places that do not count. False when the arena is full. With `ret_is_outside`:
 * a sequence number above the count was named. */
MUST_USE bool imap_view_places(const struct imap_view *view, const struct imap_set *set,
                               bool is_uids, struct arena *arena, struct imap_set *ret_places,
                               bool *ret_is_outside);

/* Walks over the places that count, with their sequence numbers. */
struct imap_walk {
    const struct imap_view *view;
    const struct imap_set *places;
    size_t range;
    uint32_t next;  /* place */
    size_t tomb;    /* the first at or behind next */
    uint32_t shift; /* told tombs before next */
};
void imap_walk_init(struct imap_walk *walk, const struct imap_view *view,
                    const struct imap_set *places);
MUST_USE bool imap_walk_next(struct imap_walk *walk, uint32_t *ret_place, uint32_t *ret_number);

/* Drops what all views have been told of; call when a view has told its client. */
void imap_mailbox_compact(struct imap_mailbox *mailbox);

/* The bit of a keyword; 0 when nobody has named it. */
uint64_t imap_mailbox_keyword(const struct imap_mailbox *mailbox, struct slice name);

#endif
