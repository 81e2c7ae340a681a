/* SPDX-License-Identifier: ISC */
/* Records of the queue: a message, and each of its recipients. Values of the view behind a version
 * octet; takers check everything and fail on what is not theirs. Slices borrow from the value. */
#ifndef QUEUE_ENTRY_H
#define QUEUE_ENTRY_H

#include "base/buffer.h"
#include "base/time.h"

enum {
    QUEUE_ENTRY_VERSION = 1,
    QUEUE_ENTRY_MAX = 64 * 1024, /* octets of one record */
    QUEUE_PATH_MAX = 1024,
    QUEUE_ID_MAX = 32,
    QUEUE_MESSAGE_ID_MAX = 250, /* a longer one is cut */
    QUEUE_ENVELOPE_ID_MAX = 100,
    QUEUE_ORIGINAL_MAX = 500,
    QUEUE_ORIGINAL_TYPE_MAX = 32,
    QUEUE_HOST_MAX = 255,
    QUEUE_STATUS_MAX = 12,
    QUEUE_TEXT_MAX = 300, /* of a reply; what is longer is cut */
    QUEUE_TLS_MAX = 100,
    QUEUE_HOLD_MAX = 48,
    QUEUE_HISTORY_MAX = 12, /* attempts that are remembered: the first, and the last ones */
};

enum queue_message_flag {
    QUEUE_RETURN_FULL = 1,  /* RET=FULL (RFC 3461 §4.3) */
    QUEUE_RETURN_HDRS = 2,  /* RET=HDRS; neither: not given */
    QUEUE_UTF8 = 4,         /* SMTPUTF8 (RFC 6531) */
    QUEUE_REQUIRETLS = 8,   /* RFC 8689 */
    QUEUE_EIGHT = 16,       /* BODY=8BITMIME */
    QUEUE_BINARY = 32,      /* BODY=BINARYMIME */
    QUEUE_REPORT = 64,      /* one of our own notifications */
    QUEUE_DELIVER_BY = 128, /* deliver_by holds (RFC 2852) */
    QUEUE_BY_RETURNS = 256, /* its mode is R */
    QUEUE_BY_TRACES = 512,  /* with T */
    QUEUE_PRIORITY = 1024,  /* priority was given (RFC 6710) */
    QUEUE_TLS_REPORT = 2048, /* a report about TLS: what it is about must not keep it back */
};

struct queue_message {
    struct slice id;         /* as in Received: and the log */
    struct slice message_id; /* with its <>, or empty: for those who ask for it */
    struct slice reverse_path;
    struct slice envelope_id; /* decoded */
    uint32_t flags;
    int8_t priority; /* -9 … 9 */
    struct wall arrival;
    struct wall deliver_by;
    uint16_t skip;        /* octets of the body that do not travel: Return-Path: */
    uint32_t recipients;  /* how many there are */
    uint32_t open;        /* of them: neither delivered nor failed */
    bool owed;            /* the sender is still to be told something */
    struct wall released; /* when it was free to go: its arrival, or later (RFC 4865) */
    struct slice hold;    /* "for;3600", "until;2030-01-01T00:00:00Z", or empty */
};

enum queue_state {
    QUEUE_WAITING,   /* for its next attempt */
    QUEUE_HELD,      /* by the operator */
    QUEUE_DELIVERED, /* here, or by a host that reports itself */
    QUEUE_RELAYED,   /* to a host that knows no DSN */
    QUEUE_FAILED,
    QUEUE_DELETED, /* by the operator: nobody was told */
    QUEUE_STATES
};

/* Classes of the order in a lane. */
enum queue_class { QUEUE_URGENT, QUEUE_ORDINARY, QUEUE_BULK, QUEUE_CLASSES };

struct queue_attempt {
    struct wall at;
    struct slice host;    /* empty: none was reached */
    struct slice address; /* 0, 4 or 16 octets */
    struct slice tls;     /* empty: in the clear */
    struct slice status;  /* "4.4.1" */
    struct slice text;
    uint16_t code;
    uint32_t duration_ms;
};

enum queue_told {
    QUEUE_TOLD_DELAY = 1,
    QUEUE_TOLD_LONG_DELAY = 2,
    QUEUE_OWED = 4, /* the sender is to be told what its state is now */
};

struct queue_recipient {
    struct slice address; /* canonical */
    struct slice original_type;
    struct slice original; /* decoded */
    uint8_t notify;        /* bits of envelope/parameter.h */
    enum queue_state state;
    enum queue_class class;
    uint8_t told;     /* bits of queue_told */
    struct wall due;  /* of the next attempt; whole seconds */
    struct wall ends; /* when patience ends */
    uint32_t attempts;
    struct queue_attempt history[QUEUE_HISTORY_MAX];
    size_t history_count;
};

/* Each puts a record, and takes what was put. */
void queue_message_put(struct buffer *buffer, const struct queue_message *message);
MUST_USE bool queue_message_take(struct slice value, struct queue_message *ret_message);
void queue_recipient_put(struct buffer *buffer, const struct queue_recipient *recipient);
MUST_USE bool queue_recipient_take(struct slice value, struct queue_recipient *ret_recipient);

/* Counts and remembers an attempt; texts are borrowed, and cut to their bounds when put. */
void queue_recipient_tried(struct queue_recipient *recipient, const struct queue_attempt *attempt);

/* It was not tried: remembers why, but only where nothing is known of it yet. */
void queue_recipient_passed_over(struct queue_recipient *recipient,
                                 const struct queue_attempt *reason);

/* The last attempt, or NULL. */
const struct queue_attempt *queue_recipient_last(const struct queue_recipient *recipient);

/* What stands behind the last @, or "" when there is none; letters as they are. */
struct slice queue_domain(struct slice address);

/* The class of recipient `index` (from 0) of a message. With more recipients than fit into one
 * transaction everywhere (RFC 5321 §4.5.3.1.8) all of them are bulk: what is handed in in hundreds
 * of such parts must not stand before single messages with the beginning of each. */
enum queue_class queue_class_of(const struct queue_message *message, size_t index);

static inline bool
queue_state_is_open(enum queue_state state)
{
    return state == QUEUE_WAITING || state == QUEUE_HELD;
}
const char *queue_state_name(enum queue_state state);

#endif
