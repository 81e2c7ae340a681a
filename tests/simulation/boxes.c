/* SPDX-License-Identifier: ISC */
#include "boxes_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const boxes_flag_names[BOXES_FLAGS] = {
    "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Work", "$Junk"};
const char *const boxes_names[BOXES] = {"INBOX", "Archive", "Trash"};
const char *const boxes_all_names[BOXES][BOXES_NAMES] = {
    {"INBOX", "INBOX"}, {"Archive", "Attic"}, {"Trash", "Rubbish"}};

struct boxes *
boxes_open(void)
{
    struct boxes *boxes = calloc(1, sizeof(*boxes));

    if (!boxes)
        abort();
    return boxes;
}

void
boxes_close(struct boxes **boxes)
{
    while ((*boxes)->ops)
        boxes_forget_op(*boxes, (*boxes)->ops);
    free(*boxes);
    *boxes = NULL;
}

void
boxes_allow_parts(struct boxes *boxes)
{
    boxes->are_parts = true;
}

bool
boxes_has_failed(const struct boxes *boxes)
{
    return boxes->reason[0] != 0;
}

const char *
boxes_reason(const struct boxes *boxes)
{
    return boxes->reason;
}

void
boxes_fail(struct boxes *boxes, const char *format, ...)
{
    va_list arguments;

    if (boxes_has_failed(boxes))
        return;
    va_start(arguments, format);
    vsnprintf(boxes->reason, sizeof(boxes->reason), format, arguments);
    va_end(arguments);
}

uint64_t
boxes_done_count(const struct boxes *boxes)
{
    return boxes->done;
}

uint64_t
boxes_late_count(const struct boxes *boxes)
{
    return boxes->late;
}

/* ---- letters --------------------------------------------------------------------------------- */

unsigned
boxes_new_letters(struct boxes *boxes, unsigned count)
{
    unsigned first = boxes->letters + 1;

    boxes->letters += count;
    return first;
}

/* Every twelfth is too long for a note. */
void
boxes_put_letter(unsigned letter, struct buffer *buffer)
{
    unsigned lines = letter % 12 == 7 ? 1000 + letter % 50 : letter % 20;

    buffer_put(buffer, SLICE("From: a@example.test\r\nSubject: letter "));
    buffer_put_decimal(buffer, letter);
    buffer_put(buffer, SLICE("\r\n\r\n"));
    for (unsigned i = 0; i < lines; i++) {
        buffer_put(buffer, SLICE("This is line "));
        buffer_put_decimal(buffer, i);
        buffer_put(buffer, SLICE(" of a letter that has the number "));
        buffer_put_decimal(buffer, letter);
        buffer_put(buffer, SLICE(" as its name.\r\n"));
    }
}

void
boxes_put_flags(struct buffer *output, uint8_t flags)
{
    bool is_first = true;

    buffer_put_byte(output, '(');
    for (unsigned i = 0; i < BOXES_FLAGS; i++) {
        if (!(flags & 1U << i))
            continue;
        if (!is_first)
            buffer_put_byte(output, ' ');
        buffer_put_text(output, boxes_flag_names[i]);
        is_first = false;
    }
    buffer_put_byte(output, ')');
}

/* ---- messages -------------------------------------------------------------------------------- */

struct box_message *
boxes_find(struct boxes *boxes, unsigned box, uint32_t uid)
{
    for (size_t i = 0; i < boxes->boxes[box].count; i++)
        if (boxes->boxes[box].messages[i].uid == uid)
            return &boxes->boxes[box].messages[i];
    return NULL;
}

struct box_message *
boxes_get(struct boxes *boxes, unsigned number, uint32_t uid)
{
    struct box_message *found = boxes_find(boxes, number, uid);
    struct box *box = &boxes->boxes[number];
    size_t at = box->count;

    if (found)
        return found;
    if (box->count == BOXES_MESSAGES_MAX) {
        fprintf(stderr, "the model's mailboxes are full\n");
        abort();
    }
    if (uid <= box->uid_max)
        boxes_fail(boxes, "%s: there is a message %u that was not there before",
                   boxes_names[number], uid);
    for (; at > 0 && box->messages[at - 1].uid > uid; at--)
        box->messages[at] = box->messages[at - 1];
    box->messages[at] = (struct box_message){.uid = uid,
                                             .can_set = ALL_FLAGS,
                                             .can_clear = ALL_FLAGS,
                                             .ever_set = ALL_FLAGS,
                                             .ever_clear = ALL_FLAGS};
    box->count++;
    return &box->messages[at];
}

static struct op_target *
target_of(const struct boxes_op *op, unsigned box, uint32_t uid)
{
    if (op->kind == OP_APPEND || op->box != box)
        return NULL;
    for (size_t i = 0; i < op->count; i++)
        if (op->targets[i].uid == uid)
            return &op->targets[i];
    return NULL;
}

/* What can be of it has changed: commands on their way may find it so. */
static void
tell_ops(struct boxes *boxes, unsigned box, struct box_message *message)
{
    message->ever_set |= message->can_set;
    message->ever_clear |= message->can_clear;
    for (struct boxes_op *op = boxes->ops; op; op = op->next) {
        struct op_target *target = target_of(op, box, message->uid);
        if (!target)
            continue;
        target->can_set |= message->can_set;
        target->can_clear |= message->can_clear;
        if (message->can_clear & BOXES_DELETED)
            target->must_go = false;
        if (op->kind == OP_EXPUNGE && message->can_set & BOXES_DELETED)
            message->may_be_expunged = message->may_be_gone = true;
    }
    for (struct boxes_op *op = boxes->ops; op && message->may_be_gone; op = op->next) {
        struct op_target *target = target_of(op, box, message->uid);
        if (target && op->kind == OP_COPY && message->may_be_expunged)
            target->is_sure = false;
    }
}

void
boxes_explain(struct box_message *message, const struct op_target *target)
{
    uint8_t open = (uint8_t)~message->touched;

    message->is_explained = true;
    message->letter = target->letter;
    message->can_set = (uint8_t)((message->can_set & ~open) | (target->can_set & open));
    message->can_clear = (uint8_t)((message->can_clear & ~open) | (target->can_clear & open));
    message->ever_set = (uint8_t)((message->ever_set & ~open) | (target->can_set & open));
    message->ever_clear = (uint8_t)((message->ever_clear & ~open) | (target->can_clear & open));
}

/* ---- groups of overlapping changes ----------------------------------------------------------- */

static void
join_group(struct box_message *message, uint8_t ones, uint8_t zeros)
{
    for (unsigned i = 0; i < BOXES_FLAGS; i++) {
        uint8_t flag = (uint8_t)(1U << i);
        if (!((ones | zeros) & flag))
            continue;
        if (message->open[i]++ == 0) {
            message->before_set =
                (uint8_t)((message->before_set & ~flag) | (message->ever_set & flag));
            message->before_clear =
                (uint8_t)((message->before_clear & ~flag) | (message->ever_clear & flag));
        }
    }
    message->group_set |= ones;
    message->group_clear |= zeros;
    message->can_set |= ones;
    message->can_clear |= zeros;
    if (!message->is_explained)
        message->touched |= (uint8_t)(ones | zeros);
}

static void
leave_group(struct box_message *message, uint8_t flags, bool is_done)
{
    if (is_done)
        message->group_is_done |= flags;
    for (unsigned i = 0; i < BOXES_FLAGS; i++) {
        uint8_t flag = (uint8_t)(1U << i), others = (uint8_t)~flag;
        if (!(flags & flag) || --message->open[i] > 0)
            continue;
        if (message->group_is_done & flag) {
            message->can_set = (uint8_t)((message->can_set & others) | (message->group_set & flag));
            message->can_clear =
                (uint8_t)((message->can_clear & others) | (message->group_clear & flag));
        }
        message->group_set &= others;
        message->group_clear &= others;
        message->group_is_done &= others;
    }
}

void
boxes_end_flags(struct boxes *boxes, struct boxes_op *op, bool is_done, const uint32_t *but,
                size_t but_count)
{
    for (size_t i = 0, at = 0; i < op->count && op->kind == OP_STORE; i++) {
        uint32_t uid = op->targets[i].uid;
        while (at < but_count && but[at] < uid)
            at++;
        bool is_left = at < but_count && but[at] == uid;
        struct box_message *message = boxes_find(boxes, op->box, uid);
        leave_group(message, op->ones | op->zeros, is_done && !is_left);
        tell_ops(boxes, op->box, message);
    }
}

/* ---- commands -------------------------------------------------------------------------------- */

static struct boxes_op *
begin(struct boxes *boxes, enum op_kind kind, const struct boxes_targets *targets)
{
    struct boxes_op *op = calloc(1, sizeof(*op));

    if (!op || !(op->targets = calloc(targets->count + 1, sizeof(*op->targets))))
        abort();
    op->kind = kind;
    op->box = targets->box;
    op->count = targets->count;
    for (size_t i = 0; i < op->count && targets->uids; i++) {
        struct box_message *message = boxes_get(boxes, op->box, targets->uids[i]);
        op->targets[i] = (struct op_target){
            .uid = message->uid,
            .letter = message->letter,
            .can_set = message->can_set,
            .can_clear = message->can_clear,
            .is_sure = !message->may_be_gone && !message->was_gone,
            .must_go = !(message->can_clear & BOXES_DELETED),
        };
    }
    op->next = boxes->ops;
    boxes->ops = op;
    return op;
}

void
boxes_forget_op(struct boxes *boxes, struct boxes_op *op)
{
    struct boxes_op **at = &boxes->ops;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    free(op->targets);
    free(op);
}

struct boxes_op *
boxes_begin_store(struct boxes *boxes, const struct boxes_targets *targets, uint8_t ones,
                  uint8_t zeros)
{
    struct boxes_op *op = begin(boxes, OP_STORE, targets);

    op->ones = ones;
    op->zeros = zeros;
    for (size_t i = 0; i < op->count; i++) {
        struct box_message *message = boxes_get(boxes, op->box, op->targets[i].uid);
        join_group(message, ones, zeros);
        tell_ops(boxes, op->box, message);
    }
    return op;
}

struct boxes_op *
boxes_begin_expunge(struct boxes *boxes, const struct boxes_targets *targets)
{
    struct boxes_op *op = begin(boxes, OP_EXPUNGE, targets);

    for (size_t i = 0; i < op->count; i++)
        tell_ops(boxes, op->box, boxes_get(boxes, op->box, op->targets[i].uid));
    return op;
}

/* Others that want it at this time may find it gone. */
static void
may_go(struct boxes *boxes, struct boxes_op *op, uint32_t uid)
{
    for (struct boxes_op *other = boxes->ops; other; other = other->next) {
        struct op_target *target = target_of(other, op->box, uid);
        if (target && other != op)
            target->is_sure = false;
    }
    boxes_get(boxes, op->box, uid)->may_be_gone = true;
}

struct boxes_op *
boxes_begin_removal(struct boxes *boxes, const struct boxes_targets *targets)
{
    struct boxes_op *op = begin(boxes, OP_EXPUNGE, targets);

    op->is_removal = true;
    for (size_t i = 0; i < op->count; i++) {
        struct box_message *message = boxes_get(boxes, op->box, op->targets[i].uid);
        message->may_be_expunged = message->may_be_gone = true;
        tell_ops(boxes, op->box, message);
    }
    return op;
}

struct boxes_op *
boxes_begin_copy(struct boxes *boxes, const struct boxes_targets *targets, unsigned dest,
                 bool is_move)
{
    struct boxes_op *op = begin(boxes, OP_COPY, targets);

    op->dest = dest;
    op->is_move = is_move;
    for (size_t i = 0; i < op->count && is_move; i++)
        may_go(boxes, op, op->targets[i].uid);
    return op;
}

struct boxes_op *
boxes_begin_append(struct boxes *boxes, unsigned dest, uint8_t flags, unsigned letter_first,
                   unsigned count)
{
    const struct boxes_targets nothing = {.count = count};
    struct boxes_op *op = begin(boxes, OP_APPEND, &nothing);

    op->dest = dest;
    for (unsigned i = 0; i < count; i++)
        op->targets[i] = (struct op_target){.letter = letter_first + i,
                                            .can_set = flags,
                                            .can_clear = (uint8_t)(ALL_FLAGS & ~flags),
                                            .is_sure = true};
    return op;
}

struct boxes_op *
boxes_begin_replace(struct boxes *boxes, const struct boxes_targets *target, unsigned dest,
                    uint8_t flags, unsigned letter)
{
    struct boxes_op *op = boxes_begin_append(boxes, dest, flags, letter, 1);

    op->is_replace = true;
    op->box = target->box;
    op->replaced = target->uids[0];
    may_go(boxes, op, op->replaced);
    return op;
}

static void
end(struct boxes *boxes, struct boxes_op *op)
{
    boxes->done++;
    boxes_forget_op(boxes, op);
}

void
boxes_done(struct boxes *boxes, struct boxes_op *op)
{
    boxes_end_flags(boxes, op, true, NULL, 0);
    for (size_t i = 0; i < op->count && op->kind == OP_EXPUNGE; i++)
        if (op->targets[i].must_go || op->is_removal)
            boxes_get(boxes, op->box, op->targets[i].uid)->was_gone = true;
    end(boxes, op);
}

void
boxes_done_but(struct boxes *boxes, struct boxes_op *op, const uint32_t *uids, size_t count)
{
    boxes_end_flags(boxes, op, true, uids, count);
    end(boxes, op);
}

static void
arrived(struct boxes *boxes, const struct boxes_op *op, const struct op_target *target,
        uint32_t uid)
{
    struct box_message *message = boxes_get(boxes, op->dest, uid);

    if (message->is_explained)
        boxes_fail(boxes, "%s: two messages have the uid %u", boxes_names[op->dest], uid);
    boxes_explain(message, target);
    message->is_copied = op->kind == OP_COPY;
    message->from_box = op->box;
    message->from_uid = target->uid;
    tell_ops(boxes, op->dest, message);
}

/* Once, and nobody else can have. */
static void
take_away(struct boxes *boxes, const struct boxes_op *op, uint32_t uid)
{
    struct box_message *message = boxes_get(boxes, op->box, uid);

    if (message->was_moved)
        boxes_fail(boxes, "%s: %u was taken away twice", boxes_names[op->box], uid);
    message->was_moved = message->was_gone = true;
}

void
boxes_copied(struct boxes *boxes, struct boxes_op *op, const uint32_t *sources,
             const uint32_t *uids, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < op->count; i++) {
        struct op_target *target = &op->targets[i];
        struct box_message *message = boxes_get(boxes, op->box, target->uid);
        if (at == count || sources[at] != target->uid) {
            if (target->is_sure)
                boxes_fail(boxes, "%s: %s leaves out %u, which is there", boxes_names[op->box],
                           op->is_move ? "MOVE" : "COPY", target->uid);
            continue;
        }
        if (target->letter == LETTER_UNKNOWN)
            target->letter = message->letter;
        if (op->is_move)
            take_away(boxes, op, target->uid);
        arrived(boxes, op, target, uids[at++]);
    }
    if (at < count)
        boxes_fail(boxes, "%s: %u was copied, which was not asked for", boxes_names[op->box],
                   sources[at]);
    end(boxes, op);
}

void
boxes_appended(struct boxes *boxes, struct boxes_op *op, const uint32_t *uids, size_t count)
{
    if (count != op->count)
        boxes_fail(boxes, "%s: of %zu messages %zu were appended", boxes_names[op->dest], op->count,
                   count);
    for (size_t i = 0; i < count && i < op->count; i++)
        arrived(boxes, op, &op->targets[i], uids[i]);
    if (op->is_replace)
        take_away(boxes, op, op->replaced);
    end(boxes, op);
}

/* It is looked for when all settles, as what was never answered. */
void
boxes_delivered(struct boxes *boxes, struct boxes_op *op)
{
    boxes->done++;
    op->is_lost = op->is_delivered = true;
}

void
boxes_lost(struct boxes_op *op)
{
    op->is_lost = true;
}

/* ---- what clients are shown ------------------------------------------------------------------ */

/* It was gone when all was compared, but not every client has been told so yet. */
static bool
is_past(struct boxes *boxes, unsigned box, uint32_t uid)
{
    return uid <= boxes->boxes[box].uid_max && !boxes_find(boxes, box, uid);
}

void
boxes_saw(struct boxes *boxes, unsigned box, uint32_t uid)
{
    if (!is_past(boxes, box, uid))
        (void)boxes_get(boxes, box, uid);
}

/* A flag that only commands on their way can have set: one of them was done, also if its answer
 * never comes. */
void
boxes_saw_flags(struct boxes *boxes, unsigned box, uint32_t uid, uint8_t flags, uint8_t mask)
{
    uint8_t set = flags & mask, clear = (uint8_t)(mask & ~flags);

    if (is_past(boxes, box, uid))
        return;
    struct box_message *message = boxes_get(boxes, box, uid);
    if (set & ~message->ever_set || clear & ~message->ever_clear)
        boxes_fail(boxes, "%s: %u is shown with flags %02x, but %02x can be set and %02x clear",
                   boxes_names[box], uid, flags, message->ever_set, message->ever_clear);
    message->group_is_done |= (uint8_t)(set & message->group_set & ~message->before_set);
    message->group_is_done |= (uint8_t)(clear & message->group_clear & ~message->before_clear);
}

bool
boxes_is_sure(struct boxes *boxes, unsigned box, uint32_t uid)
{
    const struct box_message *message = boxes_get(boxes, box, uid);

    return !message->may_be_gone && !message->was_gone;
}

void
boxes_saw_gone(struct boxes *boxes, unsigned box, uint32_t uid)
{
    if (is_past(boxes, box, uid))
        return;
    struct box_message *message = boxes_get(boxes, box, uid);

    if (!message->may_be_gone && !message->was_gone)
        boxes_fail(boxes, "%s: %u is said to be gone, and nobody removed it", boxes_names[box],
                   uid);
    message->was_gone = true;
}
