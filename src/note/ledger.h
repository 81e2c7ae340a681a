/* SPDX-License-Identifier: ISC */
/* The requests of one channel that wait for an answer: what makes a note legal now. Each end keeps
 * one; the generated encoders and decoders enter into it. */
#ifndef NOTE_LEDGER_H
#define NOTE_LEDGER_H

#include "base/compiler.h"

/* More open requests than this on one channel means that the peer has gone mad. */
enum { NOTE_LEDGER_MAX = 1 << 17 };

/* All zeros is an empty ledger. */
struct note_ledger {
    uint64_t *ids; /* open addressing over id + 1; 0 marks a free place */
    size_t size;
    size_t count;
    bool is_lenient; /* for tests of codecs: everything is legal */
};

/* Enters a request; false when it is open already or there are too many. */
MUST_USE bool note_ledger_open(struct note_ledger *ledger, uint64_t id);

/* True when the request is open. */
MUST_USE bool note_ledger_has(const struct note_ledger *ledger, uint64_t id);

/* Ends a request; false when it was not open. */
MUST_USE bool note_ledger_answer(struct note_ledger *ledger, uint64_t id);

void note_ledger_finish(struct note_ledger *ledger);

#endif
