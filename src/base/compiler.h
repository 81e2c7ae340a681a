/* SPDX-License-Identifier: ISC */
/* What differs between compilers, in one place. No other room tests for a compiler. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef NDEBUG
#error "assertions stay on in every build: a broken invariant must stop the process"
#endif

/* The result must be looked at. */
#define MUST_USE [[nodiscard]]

/* The structure that contains `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Of a variable that is large and is written before it is read: hardened builds zero all others. */
#define NOT_ZEROED __attribute__((uninitialized))

/* 1 in builds that look for errors of memory, 0 else. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#define HAS_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define HAS_ADDRESS_SANITIZER 0
#endif

#endif
