/* SPDX-License-Identifier: ISC */
/* The way of a message through the lab, put together from the logs of its hosts (which tell every
 * decision and dialogue, log_level = debug), the sender's session and the reader's. */
#ifndef TOOL_LAB_JOURNEY_H
#define TOOL_LAB_JOURNEY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "tool/lab/lab.h"

enum { JOURNEY_PARTS_MAX = 512, JOURNEY_STATIONS_MAX = 32, JOURNEY_LINES_MAX = 1000 };

enum journey_kind {
    JOURNEY_SUBMISSION, /* the sender's session with its server */
    JOURNEY_ACCEPTED,   /* a host has taken the message */
    JOURNEY_DECISION,   /* where it goes next: tables and answers of the name system */
    JOURNEY_DIALOGUE,   /* with the next host */
    JOURNEY_RESULT,     /* of one recipient: relayed, delayed, failed */
    JOURNEY_DELIVERED,  /* in a mailbox */
    JOURNEY_HEADER,     /* what the stations have put before the message */
    JOURNEY_READING     /* the reader's session */
};

struct journey_part {
    enum journey_kind kind;
    struct slice host;  /* where it happened */
    struct slice time;  /* as in the log; may be empty */
    struct slice title; /* a sentence */
    const struct slice *lines;
    size_t line_count;
};

/* One host that has had the message, and the name that it had there. */
struct journey_station {
    const struct lab_host *host;
    struct slice id;
    size_t taken;   /* where its recipients lead, each once; 0: it is not in the log yet */
    size_t known;   /* of which it is known what becomes of them: queued or delivered */
    size_t waiting; /* queued ones without a result */
};

struct journey_box {
    const struct lab_host *host;
    struct slice id; /* of the message there */
    struct slice recipient;
};

struct journey {
    struct arena arena;
    struct journey_part parts[JOURNEY_PARTS_MAX];
    size_t part_count;
    struct journey_station stations[JOURNEY_STATIONS_MAX];
    size_t station_count;
    struct journey_box boxes[JOURNEY_STATIONS_MAX]; /* where it was delivered */
    size_t box_count;
    bool is_settled; /* nothing waits any more */
};

/* Empty; finish frees all that was added. */
void journey_init(struct journey *journey);
void journey_finish(struct journey *journey);

/* Adds a part with the lines of `text`; what does not fit is left out. */
void journey_add(struct journey *journey, enum journey_kind kind, struct slice host,
                 struct slice time, struct slice title, struct slice text);

/* Follows the message from the host that took it first, as far as it has come by now. What was
 * added by an earlier call is replaced, but for the parts before `from`. */
MUST_USE int journey_follow(struct journey *journey, const struct lab *lab,
                            const struct lab_host *host, struct slice id, size_t from);

/* In lower case, for programs. */
const char *journey_kind_name(enum journey_kind kind);

/* As lines for a terminal. */
void journey_put_text(const struct journey *journey, struct buffer *out);

#endif
