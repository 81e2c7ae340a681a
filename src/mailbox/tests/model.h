/* SPDX-License-Identifier: ISC */
/* A store as a dictionary, small and plain: what the real one is compared with. */
#ifndef MAILBOX_TESTS_MODEL_H
#define MAILBOX_TESTS_MODEL_H

#include "mailbox/store.h"

enum {
    MODEL_ACCOUNTS = 3,
    MODEL_MAILBOXES = 3,
    MODEL_MESSAGES = 400,
    MODEL_TEXT_MAX = 6000,
    MODEL_RECORD_LONG = 2100, /* octets: too long for the view */
};

struct model_message {
    uint32_t uid;
    uint32_t flags;
    uint32_t text; /* the number its octets are made from */
};

struct model_mailbox {
    bool is_there;
    uint32_t uid_next;
    size_t count;
    struct model_message messages[MODEL_MESSAGES];
};

struct model {
    uint32_t texts; /* made so far */
    struct model_mailbox mailboxes[MODEL_ACCOUNTS][MODEL_MAILBOXES];
};

/* "INBOX", "work", "work/old" */
struct slice model_mailbox_name(size_t mailbox);

/* The octets of text number `text`; `memory` holds MODEL_TEXT_MAX. */
struct slice model_text(uint32_t text, uint8_t *memory);

/* A random number below `bound`. */
typedef uint64_t (*model_random_fn)(void *context, uint64_t bound);

/* Does one random operation to both, in the turn that is being built. False when the store would
 * not (then the model has not changed either). */
bool model_operate(struct model *model, struct store *store, model_random_fn random, void *context);

/* True when the store holds exactly what the model says; otherwise says on stderr what differs, if
 * `is_loud`. */
bool model_matches(const struct model *model, struct store *store, bool is_loud);

#endif
