/* SPDX-License-Identifier: ISC */
/* Octets filled by a library that MSan cannot look into. Only builds with MSan know of it. */
#ifndef BASE_FILLED_H
#define BASE_FILLED_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#endif

/* The len octets at `at` count as set from here on; free in any other build. */
static inline void
memory_is_filled(const void *at, size_t len)
{
#if __has_feature(memory_sanitizer)
    __msan_unpoison(at, len);
#else
    (void)at;
    (void)len;
#endif
}

#endif
