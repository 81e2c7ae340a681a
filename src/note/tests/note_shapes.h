/* SPDX-License-Identifier: ISC */
/* Mutations that are whole notes. */
#ifndef NOTE_TESTS_NOTE_SHAPES_H
#define NOTE_TESTS_NOTE_SHAPES_H

#include <stddef.h>
#include <stdint.h>

/* What libFuzzer's custom mutator does for a channel: one time in three a whole note. `shapes`: of
 * the notes, in the order of their kinds. */
size_t note_shapes_mutate(const char *const *shapes, size_t count, uint8_t *data, size_t len,
                          size_t len_max, unsigned seed);

#endif
