/* SPDX-License-Identifier: ISC */
/* Those who do not come by IMAP, in the world of boxes.h: a stranger who sends letters to user0's
 * INBOX by SMTP, and user0's old program, which fetches by POP3 and deletes. Both tell the model.
 */
#ifndef TESTS_SIMULATION_POSTMAN_H
#define TESTS_SIMULATION_POSTMAN_H

#include "boxes.h"
#include "host/sim/sim.h"

struct postman;

/* `is_fetcher`: POP3; else SMTP. */
struct postman *postman_open(struct sim *sim, struct boxes *boxes,
                             const struct host_address *server, bool is_fetcher);
void postman_close(struct postman **postman);

/* A round: so many letters, each tried once, or so many visits; then it rests. */
void postman_work(struct postman *postman, unsigned count);
bool postman_is_resting(const struct postman *postman);

#endif
