/* SPDX-License-Identifier: ISC */
#include "message/thread.h"

/* ---- lists ----------------------------------------------------------------------------------- */

/* Siblings that are still to be put, in brackets, and what surrounds them. */
struct level {
    struct level *outer;
    const struct thread_node *next;
};

/* Puts a node and those below it as long as there is one. Returns the several below the last, or
 * NULL. */
static const struct thread_node *
put_chain(struct buffer *buffer, const struct thread_node *node)
{
    bool has_number = false;

    for (; node; node = node->child) {
        if (node->number) {
            if (has_number)
                buffer_put_byte(buffer, ' ');
            buffer_put_decimal(buffer, node->number);
            has_number = true;
        }
        if (node->child && node->child->next) {
            if (has_number)
                buffer_put_byte(buffer, ' ');
            return node->child;
        }
    }
    return NULL;
}

bool
thread_list_put(struct buffer *buffer, struct arena *arena, const struct thread_node *first)
{
    struct level *level = ARENA_NEW(arena, struct level), *spare = NULL;

    if (!level)
        return false;
    level->next = first;
    for (;;) {
        if (level->next) {
            const struct thread_node *node = level->next;
            level->next = node->next;
            buffer_put_byte(buffer, '(');
            struct level *inner = spare ? spare : ARENA_NEW(arena, struct level);
            if (!inner)
                return false;
            spare = spare ? spare->outer : NULL;
            *inner = (struct level){.outer = level, .next = put_chain(buffer, node)};
            level = inner;
        } else if (level->outer) {
            struct level *done = level;
            buffer_put_byte(buffer, ')');
            level = level->outer;
            done->outer = spare;
            spare = done;
        } else {
            return true;
        }
    }
}
