/* SPDX-License-Identifier: ISC */
/* Whether roles are alive: each is asked for a sign of life, and one that does not give it within
 * `silence_timer` is killed.
 *
 * Time is counted in looks of our own, not by the clock: when the whole machine stood still, or we
 * did, as many signs of life are missing as we have looked for, not as the clock would have it. */
#include "role/parent/parent_private.h"

enum { LIFE_LOOKS = 10 }; /* in the time that a role has: a tenth is little beside it */

static void
look_at(struct child *child)
{
    if (child->state != TOOL_PARENT_STATE_READY || child->is_given_up)
        return;
    if (!child->is_asked)
        child_ask_life(child);
    else if (++child->unanswered >= LIFE_LOOKS)
        child_give_up(child);
}

static void
look_again(struct parent *parent)
{
    struct duration pause = {parent->config.silence_timer.ns / LIFE_LOOKS};

    host_timer_set(parent->life_watch, instant_after(host_now(parent->host), pause));
}

static void
on_look(void *context)
{
    struct parent *parent = context;

    /* Stopping has a deadline of its own. */
    for (size_t i = 0; i < parent->child_count && !parent->is_stopping; i++)
        look_at(&parent->children[i]);
    look_again(parent);
}

void
life_open(struct parent *parent)
{
    parent->life_watch = host_timer_open(parent->host, on_look, parent);
    look_again(parent);
}

void
life_close(struct parent *parent)
{
    host_timer_close(&parent->life_watch);
}
