/* SPDX-License-Identifier: ISC */
/* Arithmetic that says when it overflows: for every size that comes from outside. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include "base/compiler.h"

/* Each returns false, and leaves *ret_sum untouched, when the true result does not fit. */
#define CHECKED_BODY(builtin)                      \
    {                                              \
        size_t result;                             \
        if (builtin(left, right, &result))         \
            return false;                          \
        *ret_result = result;                      \
        return true;                               \
    }

MUST_USE static inline bool
checked_add(size_t left, size_t right, size_t *ret_result)
CHECKED_BODY(__builtin_add_overflow)

MUST_USE static inline bool
checked_multiply(size_t left, size_t right, size_t *ret_result)
CHECKED_BODY(__builtin_mul_overflow)

#undef CHECKED_BODY

/* True when [offset, offset + len) lies inside [0, whole). */
MUST_USE static inline bool
checked_range(uint64_t offset, uint64_t len, uint64_t whole)
{
    return offset <= whole && len <= whole - offset;
}

#endif
