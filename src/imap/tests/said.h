/* SPDX-License-Identifier: ISC */
/* What a server of the lobby must have said, or must not. */
#ifndef IMAP_TESTS_SAID_H
#define IMAP_TESTS_SAID_H

#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline void
expect_in(struct slice said, const char *wanted, bool is_wanted)
{
    struct slice text = slice_of_string(wanted);

    if ((slice_find(said, text) < said.len) != is_wanted)
        fail_msg("%s: %s\nin: %.*s", is_wanted ? "missing" : "not wanted", wanted, (int)said.len,
                 (const char *)said.at);
}

static inline void
must_have(struct slice said, const char *wanted)
{
    expect_in(said, wanted, true);
}

#endif
