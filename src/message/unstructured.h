/* SPDX-License-Identifier: ISC */
/* Unstructured text: RFC 5322 §2.2.3, §3.2.5. */
#ifndef MESSAGE_UNSTRUCTURED_H
#define MESSAGE_UNSTRUCTURED_H

#include "base/arena.h"

/* The body of a field in one line: line ends go, the blanks behind them stay, NUL goes, blanks at
 * both ends go. Borrows when there was nothing to take out. */
struct slice unstructured_unfold(struct arena *arena, struct slice body);

#endif
