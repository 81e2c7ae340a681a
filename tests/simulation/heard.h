/* SPDX-License-Identifier: ISC */
/* What a client hears by NOTIFY (RFC 5465) of the mailboxes that it has not selected: how many
 * messages there are, and how many are not \Seen. Of what it does itself it hears nothing, so it
 * forgets what it knew of a mailbox into which it puts something, until it is told again. */
#ifndef TESTS_SIMULATION_HEARD_H
#define TESTS_SIMULATION_HEARD_H

#include "boxes.h"

struct heard {
    struct {
        bool is_known;
        uint32_t messages, unseen;
    } boxes[BOXES];
};

void heard_forget(struct heard *heard, unsigned box);
/* A line of data: STATUS, or something else. */
void heard_line(struct heard *heard, struct slice line);
/* Nothing has changed for a while: what is known must be what is there, but for the one that is
 * selected. */
void heard_compare(const struct heard *heard, struct boxes *boxes, unsigned selected,
                   const char *who);

#endif
