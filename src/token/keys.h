/* SPDX-License-Identifier: ISC */
/* Signatures by the keys of a JWK set. Private to the room. */
#ifndef TOKEN_KEYS_H
#define TOKEN_KEYS_H

#include "base/slice.h"

#include <jansson.h>

enum keys_result { KEYS_GOOD, KEYS_BAD, KEYS_NONE /* no key fits */ };

/* Whether `signature` over `text` is of a key of the set that fits algorithm and key id. Without a
 * key id (at == NULL) any key that fits the algorithm may have made it. */
enum keys_result keys_verify(const json_t *set, struct slice algorithm, struct slice key_id,
                             struct slice text, struct slice signature);

#endif
