/* SPDX-License-Identifier: ISC */
/* The model meets what is really there. */
#include "boxes_private.h"

#include <stdlib.h>
#include <string.h>

static const struct boxes_row *
row_of(const struct boxes_truth *truth, uint32_t uid)
{
    for (size_t i = 0; i < truth->count; i++)
        if (truth->rows[i].uid == uid)
            return &truth->rows[i];
    return NULL;
}

/* What nobody knows of yet gets a place in the model. */
static void
meet_newcomers(struct boxes *boxes, unsigned box, const struct boxes_truth *truth)
{
    for (size_t i = 0; i < truth->count; i++) {
        if (i > 0 && truth->rows[i].uid <= truth->rows[i - 1].uid)
            boxes_fail(boxes, "%s: uid %u comes after %u", boxes_names[box], truth->rows[i].uid,
                       truth->rows[i - 1].uid);
        (void)boxes_get(boxes, box, truth->rows[i].uid);
    }
}

/* What a message is, its origin was too: it may have gone on before anybody knew how it came. */
static void
trace_back(struct boxes *boxes, struct box_message *message, const struct boxes_row *row)
{
    unsigned letter = row ? row->letter : message->letter;

    for (unsigned steps = 0; steps < BOXES_MESSAGES_MAX && message; steps++) {
        if (message->letter == LETTER_UNKNOWN)
            message->letter = letter;
        struct box_message *from =
            message->is_copied ? boxes_find(boxes, message->from_box, message->from_uid) : NULL;
        message = from && from->letter == LETTER_UNKNOWN ? from : NULL;
    }
}

/* ---- commands that were not answered --------------------------------------------------------- */

/* How far a command's traces may be from what it asked for. */
struct leeway {
    bool may_guess; /* one that was seen and is gone may be any */
    bool may_end;   /* a MOVE in parts: the first ones may be all */
    bool may_share; /* a MOVE within a mailbox: a letter was delivered there, and then moved on */
};

/* Can that message be this target of a command? */
static bool
can_be(const struct box_message *message, const struct boxes_row *row,
       const struct op_target *target, struct leeway leeway)
{
    unsigned letter = row ? row->letter : message->letter;

    if (message->is_explained && !(leeway.may_share && message->came_late))
        return false;
    if (letter == LETTER_UNKNOWN || target->letter == LETTER_UNKNOWN)
        return leeway.may_guess;
    return letter == target->letter;
}

/* All that a command asked for, or none of it: does it stand in the mailbox from `at` on? Of what
 * was to be copied some may have been gone. */
static bool
walk(struct boxes *boxes, struct boxes_op *op, const struct boxes_truth *truth, size_t at,
     struct leeway leeway, struct box_message *ret_found[])
{
    struct box *dest = &boxes->boxes[op->dest];
    size_t found = 0;

    for (size_t i = 0; i < op->count; i++) {
        struct box_message *message = at < dest->count ? &dest->messages[at] : NULL;
        ret_found[i] = NULL;
        bool is_later = message && (op->dest != op->box || op->kind == OP_APPEND ||
                                    message->uid > op->targets[i].uid);
        if (is_later &&
            can_be(message, row_of(truth, message->uid), &op->targets[i], leeway)) {
            ret_found[i] = message;
            at++;
            found++;
        } else if (op->targets[i].is_sure && leeway.may_end && found > 0) {
            memset(&ret_found[i], 0, (op->count - i) * sizeof(struct box_message *));
            return true;
        } else if (op->targets[i].is_sure) {
            return false;
        }
    }
    return found > 0;
}

/* Flags: those of any command that may have brought this letter there. */
static void
gather_flags(const struct boxes *boxes, unsigned dest, struct op_target *target)
{
    for (const struct boxes_op *op = boxes->ops; op; op = op->next) {
        for (size_t i = 0; i < op->count && op->dest == dest; i++) {
            if (op->targets[i].letter != target->letter || op->kind == OP_STORE ||
                op->kind == OP_EXPUNGE)
                continue;
            target->can_set |= op->targets[i].can_set;
            target->can_clear |= op->targets[i].can_clear;
        }
    }
}

/* The eldest come first: what they brought may have been copied on. By now it is known which
 * letters they were about. */
static void
order_ops(struct boxes *boxes)
{
    struct boxes_op *left = boxes->ops, *next;

    boxes->ops = NULL;
    for (; left; left = next) {
        next = left->next;
        left->next = boxes->ops;
        boxes->ops = left;
        for (size_t i = 0; i < left->count && left->kind != OP_APPEND; i++) {
            const struct box_message *message = boxes_find(boxes, left->box, left->targets[i].uid);
            if (message && left->targets[i].letter == LETTER_UNKNOWN)
                left->targets[i].letter = message->letter;
        }
    }
}

/* Beside letters that are known, which it must have found, it asked for some that nobody has read.
 */
static bool
is_partly_known(const struct boxes_op *op)
{
    bool has_known = false, has_unknown = false;

    for (size_t i = 0; i < op->count; i++) {
        has_known |= op->targets[i].is_sure && op->targets[i].letter != LETTER_UNKNOWN;
        has_unknown |= op->targets[i].letter == LETTER_UNKNOWN;
    }
    return has_known && has_unknown;
}

/* The whole is taken before its beginning, and what is known to be those letters before what nobody
 * has read. */
static void
find_traces(struct boxes *boxes, struct boxes_op *op, const struct boxes_truth *truth,
            struct box_message *ret_found[])
{
    bool is_in_parts = op->is_move && boxes->are_parts;

    for (unsigned i = 0; i < (is_in_parts ? 4 : 2); i++) {
        struct leeway leeway = {i & 1 || is_partly_known(op), i & 2,
                                op->is_move && op->dest == op->box};
        for (size_t at = 0; at < boxes->boxes[op->dest].count && !op->is_late; at++)
            op->is_late = walk(boxes, op, truth, at, leeway, ret_found);
    }
}

/* One of them can still be read: it is known what came. */
static bool
is_one_there(const struct boxes_op *op, const struct boxes_truth *truth,
             struct box_message *const found[])
{
    for (size_t i = 0; i < op->count && op->is_late; i++)
        if (found[i] && row_of(truth, found[i]->uid))
            return true;
    return false;
}

static void
explain_by(struct boxes *boxes, struct boxes_op *op, const struct boxes_truth *truth,
           bool must_be_there)
{
    struct box_message **found = calloc(op->count + 1, sizeof(struct box_message *));

    if (!found)
        abort();
    find_traces(boxes, op, truth, found);
    if (must_be_there)
        op->is_late = is_one_there(op, truth, found);
    for (size_t i = 0; i < op->count && op->is_late; i++) {
        struct op_target target = op->targets[i];
        if (!found[i])
            continue;
        if (found[i]->letter == LETTER_UNKNOWN && !row_of(truth, found[i]->uid))
            boxes->boxes[op->dest].has_guesses = true;
        gather_flags(boxes, op->dest, &target);
        boxes_explain(found[i], &target);
        found[i]->came_late = true;
        if (op->is_move)
            boxes_get(boxes, op->box, target.uid)->was_moved = true;
        if (op->is_replace)
            boxes_get(boxes, op->box, op->replaced)->was_moved = true;
    }
    boxes->late += op->is_late && !op->is_delivered;
    if (op->is_delivered && !op->is_late && !must_be_there)
        boxes_fail(boxes, "%s: letter %u was taken, and is not there", boxes_names[op->dest],
                   op->targets[0].letter);
    free(found);
}

/* The longest first: a short one might take for its own what is a piece of it. */
static void
explain_lost(struct boxes *boxes, const struct boxes_truth truth[BOXES], bool must_be_there)
{
    for (size_t count = BOXES_MESSAGES_MAX; count > 0; count--)
        for (struct boxes_op *op = boxes->ops; op; op = op->next)
            if (op->count == count && !op->is_delivered && !op->is_late &&
                (op->kind == OP_APPEND || op->kind == OP_COPY))
                explain_by(boxes, op, &truth[op->dest], must_be_there);
}

/* Two that asked for the same cannot be told apart: what one did may have been the other. Nor can
 * it be told which brought what was seen and then removed. */
static bool
is_ambiguous(const struct boxes *boxes, const struct boxes_op *op)
{
    if (boxes->boxes[op->dest].has_guesses)
        return true;
    for (const struct boxes_op *other = boxes->ops; other; other = other->next)
        if (other != op && other->kind == OP_COPY && other->dest == op->dest)
            return true;
    return false;
}

static void
check_moves(struct boxes *boxes, const struct boxes_truth truth[BOXES])
{
    for (struct boxes_op *op = boxes->ops; op; op = op->next) {
        if (op->is_replace && op->is_late && !boxes->boxes[op->dest].has_guesses &&
            row_of(&truth[op->box], op->replaced))
            boxes_fail(boxes, "%s: %u was replaced, and is still there", boxes_names[op->box],
                       op->replaced);
        if (!op->is_move || !op->is_late || is_ambiguous(boxes, op))
            continue;
        for (size_t i = 0; i < op->count; i++)
            if (op->targets[i].is_sure && row_of(&truth[op->box], op->targets[i].uid) &&
                (!boxes->are_parts ||
                 boxes_get(boxes, op->box, op->targets[i].uid)->was_moved))
                boxes_fail(boxes, "%s: %u was moved, and is still there", boxes_names[op->box],
                           op->targets[i].uid);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

/* May a MOVE have taken it that was never answered, and came to be? */
static bool
may_be_taken(const struct boxes *boxes, unsigned box, uint32_t uid)
{
    for (const struct boxes_op *op = boxes->ops; op; op = op->next)
        if (op->is_replace && op->box == box && op->replaced == uid &&
            (op->is_late || boxes->boxes[op->dest].has_guesses))
            return true;
    for (const struct boxes_op *op = boxes->ops; op; op = op->next)
        for (size_t i = 0; i < op->count && op->is_move && op->box == box; i++)
            if (op->targets[i].uid == uid && (op->is_late || is_ambiguous(boxes, op)))
                return true;
    return false;
}

static void
check_gone(struct boxes *boxes, unsigned box, const struct box_message *message)
{
    if (!message->may_be_expunged && !message->was_moved && !may_be_taken(boxes, box, message->uid))
        boxes_fail(boxes, "%s: %u, letter %u, is lost", boxes_names[box], message->uid,
                   message->letter);
}

static void
check_there(struct boxes *boxes, unsigned box, const struct box_message *message,
            const struct boxes_row *row)
{
    uint8_t clear = (uint8_t)(ALL_FLAGS & ~row->flags);

    if (!message->is_explained)
        boxes_fail(boxes, "%s: nobody put letter %u there as %u", boxes_names[box], row->letter,
                   row->uid);
    if (message->was_gone)
        boxes_fail(boxes, "%s: %u was gone, and is there again", boxes_names[box], row->uid);
    if (message->letter != LETTER_UNKNOWN && message->letter != row->letter)
        boxes_fail(boxes, "%s: %u is letter %u, not %u", boxes_names[box], row->uid, row->letter,
                   message->letter);
    if (row->flags & ~message->can_set || clear & ~message->can_clear)
        boxes_fail(boxes, "%s: %u has flags %02x, but %02x can be set and %02x clear",
                   boxes_names[box], row->uid, row->flags, message->can_set, message->can_clear);
}

static void
settle_box(struct boxes *boxes, unsigned number, const struct boxes_truth *truth)
{
    struct box *box = &boxes->boxes[number];

    for (size_t i = 0; i < box->count; i++) {
        const struct boxes_row *row = row_of(truth, box->messages[i].uid);
        if (row)
            check_there(boxes, number, &box->messages[i], row);
        else
            check_gone(boxes, number, &box->messages[i]);
        if (box->messages[i].uid > box->uid_max)
            box->uid_max = box->messages[i].uid;
    }
    if (box->settled.validity && box->settled.validity != truth->validity)
        boxes_fail(boxes, "%s: UIDVALIDITY was %u and is %u", boxes_names[number],
                   box->settled.validity, truth->validity);
    if (truth->modseq < box->settled.modseq)
        boxes_fail(boxes, "%s: HIGHESTMODSEQ was %llu and is %llu", boxes_names[number],
                   (unsigned long long)box->settled.modseq, (unsigned long long)truth->modseq);
}

static void
know(struct box *box, const struct boxes_truth *truth)
{
    box->settled = *truth;
    box->count = truth->count;
    for (size_t i = 0; i < truth->count; i++) {
        uint8_t flags = truth->rows[i].flags, clear = (uint8_t)(ALL_FLAGS & ~flags);
        box->messages[i] = (struct box_message){.uid = truth->rows[i].uid,
                                                .letter = truth->rows[i].letter,
                                                .is_explained = true,
                                                .can_set = flags,
                                                .can_clear = clear,
                                                .ever_set = flags,
                                                .ever_clear = clear};
    }
}

void
boxes_settle(struct boxes *boxes, const struct boxes_truth truth[BOXES])
{
    for (unsigned i = 0; i < BOXES; i++)
        meet_newcomers(boxes, i, &truth[i]);
    for (unsigned i = 0; i < BOXES; i++) {
        boxes->boxes[i].has_guesses = false;
        for (size_t k = 0; k < boxes->boxes[i].count; k++)
            trace_back(boxes, &boxes->boxes[i].messages[k],
                       row_of(&truth[i], boxes->boxes[i].messages[k].uid));
    }
    order_ops(boxes);
    for (struct boxes_op *op = boxes->ops; op; op = op->next) {
        if (!op->is_lost)
            boxes_fail(boxes, "a command is on its way between two rounds");
        boxes_end_flags(boxes, op, false, NULL, 0);
    }
    /* What can still be read tells most: it comes first. Then what must be there and has gone
     * unseen finds its place, and what may have been there takes what is left. */
    explain_lost(boxes, truth, true);
    for (struct boxes_op *op = boxes->ops; op; op = op->next)
        if (op->is_delivered)
            explain_by(boxes, op, &truth[op->dest], false);
    explain_lost(boxes, truth, false);
    check_moves(boxes, truth);
    for (unsigned i = 0; i < BOXES; i++)
        settle_box(boxes, i, &truth[i]);
    while (boxes->ops)
        boxes_forget_op(boxes, boxes->ops);
    for (unsigned i = 0; i < BOXES && !boxes_has_failed(boxes); i++)
        know(&boxes->boxes[i], &truth[i]);
}

/* ---- names ----------------------------------------------------------------------------------- */

const char *
boxes_name(const struct boxes *boxes, unsigned box)
{
    return boxes_all_names[box][boxes->boxes[box].name];
}

const char *
boxes_begin_rename(struct boxes *boxes, unsigned box)
{
    struct box *renamed = &boxes->boxes[box];

    boxes->renamed = box;
    boxes->renamed_to = renamed->name = !renamed->name;
    renamed->is_name_unknown = true;
    return boxes_name(boxes, box);
}

void
boxes_end_rename(struct boxes *boxes, bool is_done)
{
    struct box *renamed = &boxes->boxes[boxes->renamed];

    renamed->is_name_unknown = !is_done;
    if (is_done)
        renamed->name = boxes->renamed_to;
    boxes->done += is_done;
}

void
boxes_guess_name(struct boxes *boxes, unsigned box)
{
    if (boxes->boxes[box].is_name_unknown)
        boxes->boxes[box].name = !boxes->boxes[box].name;
}

void
boxes_saw_no_name(struct boxes *boxes, unsigned box)
{
    boxes_guess_name(boxes, box);
    if (!boxes->boxes[box].is_name_unknown)
        boxes_fail(boxes, "there is no %s", boxes_name(boxes, box));
}

const struct boxes_truth *
boxes_settled(const struct boxes *boxes, unsigned box)
{
    return &boxes->boxes[box].settled;
}
