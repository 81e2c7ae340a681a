/* SPDX-License-Identifier: ISC */
/* What a client knows of the mailbox that it has selected: what its server has told it, and nothing
 * else. Whatever it is told must fit to that, and to what the model holds for possible. */
#ifndef TESTS_SIMULATION_SHOWN_H
#define TESTS_SIMULATION_SHOWN_H

#include "boxes.h"

struct shown_message {
    uint32_t uid; /* 0: not known yet */
    bool has_flags;
    uint8_t flags;
    uint64_t modseq; /* 0: not told */
};

struct shown {
    struct boxes *boxes;
    bool is_resync; /* has asked for QRESYNC (RFC 7162) */
    unsigned box;
    struct shown_message messages[BOXES_MESSAGES_MAX];
    size_t count;
    uint32_t validity;
    uint64_t modseq;
    /* Between a SELECT with QRESYNC and its answer: what was known before, and still counts. */
    bool is_resuming;
    struct shown_message before[BOXES_MESSAGES_MAX];
    size_t before_count;
    /* A search for \Flagged that goes on (RFC 5267); its tag, 0: none. */
    unsigned search;
    uint32_t flagged[BOXES_MESSAGES_MAX];
    size_t flagged_count;
    /* What COPYUID or APPENDUID said last, and SEARCH. */
    uint32_t sources[BOXES_MESSAGES_MAX], uids[BOXES_MESSAGES_MAX], found[BOXES_MESSAGES_MAX];
    size_t sources_count, uids_count, found_count;
    /* What MODIFIED said last: numbers or UIDs, as the command had it. */
    uint32_t modified[BOXES_MESSAGES_MAX];
    size_t modified_count;
};

/* A mailbox is being selected. With `is_resuming` what is known of it stays, for the server to
 * correct. */
void shown_begin(struct shown *shown, unsigned box, bool is_resuming);
/* The SELECT was answered. */
void shown_selected(struct shown *shown);
/* A line of data. EXPUNGE and VANISHED only where they may come. */
void shown_line(struct shown *shown, struct slice line, bool may_vanish);
/* A code in an answer: [COPYUID …], [APPENDUID …], [HIGHESTMODSEQ …], [MODIFIED …]. */
void shown_code(struct shown *shown, struct slice line);

/* What a FETCH says of a message, for those who keep no view. */
void shown_fetched(struct slice line, struct shown_message *ret_message);

/* Is the UID or are the flags of a message not known? */
bool shown_is_incomplete(const struct shown *shown);
/* Nothing has changed for a while: this must be exactly what is there. */
void shown_compare(struct shown *shown, const char *who);

#endif
