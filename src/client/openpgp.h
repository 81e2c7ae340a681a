/* SPDX-License-Identifier: ISC */
/* Questions to GnuPG, asked of the program facteur-openpgp. */
#ifndef CLIENT_OPENPGP_H
#define CLIENT_OPENPGP_H

#include "client/problem.h"
#include "openpgp/exchange.h"

/* Runs the program and waits for its answer, which may take as long as a person types a
 * passphrase. The answer is copied to the arena. False when there is none; an answer may say
 * itself that it could not be done. */
MUST_USE bool client_openpgp_ask(const struct openpgp_question *question, struct arena *arena,
                                 struct openpgp_answer *ret_answer, struct client_problem *problem);

#endif
