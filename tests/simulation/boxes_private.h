/* SPDX-License-Identifier: ISC */
/* What boxes.c and boxes_settle.c share. */
#ifndef TESTS_SIMULATION_BOXES_PRIVATE_H
#define TESTS_SIMULATION_BOXES_PRIVATE_H

#include "boxes.h"

enum { LETTER_UNKNOWN = 0, ALL_FLAGS = (1U << BOXES_FLAGS) - 1 };

struct box_message {
    uint32_t uid;
    unsigned letter;
    bool is_explained; /* it is known by which command it came */
    /* Of the flags: which can be set, which can be clear; now, and ever since the last settling. */
    uint8_t can_set, can_clear;
    uint8_t ever_set, ever_clear;
    /* Commands that change a flag and overlap in time are a group: whichever came last counts. */
    uint8_t group_set, group_clear, group_is_done; /* flags */
    uint8_t before_set, before_clear;              /* ever, when the group began */
    unsigned open[BOXES_FLAGS];                    /* commands of the group that are not done */
    uint8_t touched; /* flags that were asked for before it was explained */
    bool may_be_expunged;
    bool may_be_gone;
    bool was_moved; /* a MOVE says that it took it */
    bool was_gone;  /* a client was told so, or its EXPUNGE was answered */
    bool is_copied; /* from there, when nobody knew yet which letter that is */
    unsigned from_box;
    uint32_t from_uid;
    bool came_late; /* by a command that was never answered */
};

struct box {
    struct box_message messages[BOXES_MESSAGES_MAX];
    size_t count;
    uint32_t uid_max; /* of all that ever were, when it last settled */
    bool has_guesses; /* of what came to be and went again nobody knows which letter it was */
    struct boxes_truth settled;
    unsigned name;        /* which of its names it has */
    bool is_name_unknown; /* a RENAME was sent and not answered */
};

enum op_kind { OP_STORE, OP_EXPUNGE, OP_COPY, OP_APPEND };

struct op_target {
    uint32_t uid;
    unsigned letter;
    uint8_t can_set, can_clear; /* of a copy: since the command was sent */
    bool is_sure;               /* it was there all the time */
    bool must_go;               /* it was there, and \Deleted, all the time */
};

struct boxes_op {
    struct boxes_op *next;
    enum op_kind kind;
    bool is_lost;
    bool is_move;
    bool is_late; /* lost, but what it asked for came to be */
    unsigned box, dest;
    uint8_t ones, zeros;
    size_t count;
    struct op_target *targets;
    bool is_removal;   /* OP_EXPUNGE of what need not be \\Deleted */
    bool is_delivered; /* OP_APPEND that was answered, but not with a UID */
    bool is_replace;   /* OP_APPEND of one message, and `replaced` of `box` goes with it */
    uint32_t replaced;
};

struct boxes {
    struct box boxes[BOXES];
    struct boxes_op *ops;
    unsigned letters;
    bool are_parts; /* MOVE is done in parts, each whole or not at all */
    unsigned renamed, renamed_to; /* the last mailbox for which RENAME was sent; its name */
    uint64_t done, late;
    char reason[400];
};

struct box_message *boxes_find(struct boxes *boxes, unsigned box, uint32_t uid);
/* Makes one of which nothing is known but that it is there. */
struct box_message *boxes_get(struct boxes *boxes, unsigned box, uint32_t uid);
/* It came by that part of a command. */
void boxes_explain(struct box_message *message, const struct op_target *target);
/* The command takes no more part in the groups of flags; of those in `but` nothing was changed. */
void boxes_end_flags(struct boxes *boxes, struct boxes_op *op, bool is_done, const uint32_t *but,
                     size_t but_count);
void boxes_forget_op(struct boxes *boxes, struct boxes_op *op);

#endif
