/* SPDX-License-Identifier: ISC */
/* What the tests of this room share: cmocka with what it wants included before it. */
#ifndef DIRECTORY_TESTS_TEST_H
#define DIRECTORY_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"

static inline void
assert_slice(struct slice got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.at, want, got.len);
}

#endif
