/* SPDX-License-Identifier: ISC */
/* Private to the room. */
#ifndef LIBRARY_LIBRARY_PRIVATE_H
#define LIBRARY_LIBRARY_PRIVATE_H

#include "base/arena.h"
#include "client/session.h"
#include "library/facteur.h"

/* An account as the sessions want it; in the arena. False, and the error is set, when something in
 * it is wrong. */
MUST_USE bool library_account(struct arena *arena, const struct facteur_account *from,
                              struct client_account *ret_account, struct facteur_error *error);

/* Hands a problem over; returns false. */
bool library_fail(struct facteur_error *error, const struct client_problem *problem);

/* Hands the lines of a dialogue to the caller's function. */
void library_trace(const struct facteur_account *account, const struct buffer *trace);

enum { LIBRARY_TRACE_MAX = 64 << 20 };

#endif
