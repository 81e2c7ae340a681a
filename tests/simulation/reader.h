/* SPDX-License-Identifier: ISC */
/* Somebody who fetches mail by POP3 again and again, and now and then deletes some. */
#ifndef TESTS_SIMULATION_READER_H
#define TESTS_SIMULATION_READER_H

#include "oracle.h"
#include "host/sim/sim.h"

struct reader;

/* Begins at once, and goes on until reader_finish. pop3: of the server that has the mailbox. */
struct reader *reader_open(struct sim *sim, struct oracle *oracle, unsigned account,
                           const struct host_address *pop3, unsigned pause_ms_max);

/* From now on: reads everything once more, deletes nothing, and is done. */
void reader_finish(struct reader *reader);
bool reader_is_done(const struct reader *reader);
void reader_close(struct reader **reader);

/* The secret with which an account logs in. */
void reader_put_secret(struct buffer *buffer, unsigned account);
/* "APOP name digest" (RFC 1939 §7) for a greeting; false when that has no timestamp. */
bool reader_put_apop(struct slice greeting, unsigned account, struct buffer *buffer);

#endif
