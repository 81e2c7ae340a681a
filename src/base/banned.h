/* SPDX-License-Identifier: ISC */
/* Force-included into every file of the project: calls that have hurt mail servers do not compile.
 * Use slices, cursors, buffers and typed takers instead (base/). */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* The C library must declare them before they are poisoned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Macros of the fortified C library under clang. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok
#pragma GCC poison atoi atol atoll gets tmpnam mktemp tempnam
#pragma GCC poison system popen srand localtime gmtime asctime ctime

/* OpenSSL has parameters of this name: only the call must not compile. */
#define rand(...) a_call_that_is_banned(__VA_ARGS__) = 0

#endif
