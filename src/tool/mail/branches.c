/* SPDX-License-Identifier: ISC */
#include "tool/mail/branches.h"

#include "client/wire.h"
#include "message/subject.h"
#include "message/thread.h"
#include "mime/encoded_word.h"

#include <stdlib.h>

enum { LEVELS_MAX = 12, SUBJECT_MAX = 64 * 1024 }; /* deeper ones are drawn as the last level */

struct branches {
    struct arena arena;
    struct threader *threader;
    struct branch *drawn; /* owned */
    size_t count, room;
};

struct step { /* of the walk over the trees */
    const struct thread_node *node;
    size_t parent;
    unsigned depth;
    uint32_t open; /* levels whose line goes on below */
    bool is_top;   /* the first of some whose common ancestor is not here */
};

struct branches *
branches_new(size_t count)
{
    struct branches *branches = calloc(1, sizeof(*branches));
    uint64_t seed;

    if (!branches)
        abort();
    client_random(&seed, sizeof(seed));
    arena_init(&branches->arena, (size_t)1 << 32);
    branches->threader = threader_new(&branches->arena, THREAD_REFERENCES, seed, count);
    branches->drawn = calloc(count + 1, sizeof(*branches->drawn));
    branches->room = count;
    if (!branches->threader || !branches->drawn)
        abort();
    return branches;
}

void
branches_add(struct branches *branches, size_t place, const struct summary *summary,
             struct wall arrival)
{
    struct thread_message message = {.number = (uint32_t)place + 1,
                                     .date = summary->has_date ? summary->date.wall : arrival,
                                     .arrival = arrival,
                                     .message_id = summary->message_id,
                                     .in_reply_to = summary->in_reply_to,
                                     .references = summary->references};
    struct buffer subject;
    struct arena work;

    arena_init(&work, (size_t)4 * SUBJECT_MAX);
    buffer_init(&subject, SUBJECT_MAX);
    mime_encoded_words_decode(&subject, summary->subject);
    struct subject_base base = subject_base(&work, buffer_slice(&subject));
    message.base_subject = base.text;
    message.is_reply_or_forward = base.is_reply_or_forward;
    if (!threader_add(branches->threader, &message))
        abort();
    buffer_finish(&subject);
    arena_finish(&work);
}

static const char *
put_line(struct branches *branches, const struct step *step, bool is_last)
{
    unsigned depth = step->depth < LEVELS_MAX ? step->depth : LEVELS_MAX;
    struct buffer line;

    buffer_init(&line, 16 * (LEVELS_MAX + 1));
    for (unsigned level = 1; level < depth; level++)
        buffer_put_text(&line, step->open & (1U << level) ? "│ " : "  ");
    if (depth > 0)
        buffer_put_text(&line, step->is_top && !is_last ? "┌─> " : is_last ? "└─> " : "├─> ");
    const char *text = arena_copy_string(&branches->arena, buffer_slice(&line));
    buffer_finish(&line);
    if (!text)
        abort();
    return text;
}

/* The step to the children of a node; those of a node that is not here stand one level deeper too,
 * so that people see what belongs together. */
static struct step
step_down(const struct step *step, size_t place)
{
    unsigned level = step->depth < LEVELS_MAX ? step->depth : LEVELS_MAX;
    uint32_t bit = 1U << level;
    bool is_here = step->node->number != 0;

    return (struct step){.node = step->node->child,
                         .parent = is_here ? place : step->parent,
                         .depth = step->depth + 1,
                         .open = step->node->next ? step->open | bit : step->open & ~bit,
                         .is_top = !is_here && step->depth == 0};
}

const struct branch *
branches_draw(struct branches *branches, size_t *ret_count)
{
    const struct thread_node *first;
    struct step *steps = calloc(2 * branches->room + 2, sizeof(*steps));
    size_t count = 0;

    if (!steps || !threader_finish(branches->threader, &first))
        abort();
    if (first)
        steps[count++] = (struct step){.node = first, .parent = SIZE_MAX};
    while (count > 0) {
        struct step step = steps[--count];
        size_t place = step.node->number - (size_t)1;
        if (step.node->number != 0 && branches->count < branches->room)
            branches->drawn[branches->count++] =
                (struct branch){.place = place,
                                .parent = step.parent,
                                .depth = step.depth,
                                .line = put_line(branches, &step, !step.node->next)};
        if (step.node->next) {
            steps[count] = step;
            steps[count].is_top = false;
            steps[count++].node = step.node->next;
        }
        if (step.node->child)
            steps[count++] = step_down(&step, place);
    }
    free(steps);
    *ret_count = branches->count;
    return branches->drawn;
}

void
branches_finish(struct branches **branches)
{
    struct branches *b = *branches;

    if (!b)
        return;
    arena_finish(&b->arena);
    free(b->drawn);
    free(b);
    *branches = NULL;
}
