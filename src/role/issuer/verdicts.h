/* SPDX-License-Identifier: ISC */
/* What the issuer has said of tokens, for a while. Tokens themselves are not kept: a digest with a
 * key of this process stands for each. */
#ifndef ROLE_ISSUER_VERDICTS_H
#define ROLE_ISSUER_VERDICTS_H

#include "base/slice.h"
#include "base/time.h"
#include "token/token.h"

enum { VERDICTS_MAX = 4096, VERDICTS_KEY_LEN = 32, VERDICTS_MARK_LEN = 32 };

struct verdicts;

struct verdict {
    enum token_result result;
    struct slice name; /* valid until the next call that is given the verdicts */
};

/* The key belongs to this process. */
struct verdicts *verdicts_open(struct slice key);
void verdicts_close(struct verdicts **verdicts);

/* The digest that stands for a token. */
void verdicts_mark(const struct verdicts *verdicts, struct slice token,
                   uint8_t ret_mark[VERDICTS_MARK_LEN]);

/* False when nothing is known, or not any more. */
MUST_USE bool verdicts_find(struct verdicts *verdicts, const uint8_t mark[VERDICTS_MARK_LEN],
                            struct instant now, struct verdict *ret_verdict);

/* Replaces what was known of it; the oldest goes when there are too many. A name is cut at
 * TOKEN_NAME_MAX. */
void verdicts_add(struct verdicts *verdicts, const uint8_t mark[VERDICTS_MARK_LEN],
                  const struct verdict *verdict, struct instant until);

/* All of them go. */
void verdicts_clear(struct verdicts *verdicts);
size_t verdicts_count(const struct verdicts *verdicts);

#endif
