/* SPDX-License-Identifier: ISC */
/* What the tests of this room share: comparing text so that a failure shows both. */
#ifndef TEXT_TESTS_CHECK_H
#define TEXT_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"

#define assert_slice(actual, expected) check_slice((actual), (expected), __FILE__, __LINE__)

static inline void
check_slice(struct slice actual, struct slice expected, const char *file, int line)
{
    if (slice_equal(actual, expected))
        return;
    print_error("expected [%.*s]\n", (int)expected.len, (const char *)expected.at);
    print_error("but got  [%.*s]\n", (int)actual.len, (const char *)actual.at);
    _fail(file, line);
}

#endif
