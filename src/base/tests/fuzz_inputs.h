/* SPDX-License-Identifier: ISC */
/* What the programs share that run a fuzz target without libFuzzer: the corpus, a fixed sequence of
 * chance, and one run of the target. */
#ifndef BASE_TESTS_FUZZ_INPUTS_H
#define BASE_TESTS_FUZZ_INPUTS_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT_MAX = 1 << 20, INPUTS_MAX = 20000 };

struct fuzz_input {
    uint8_t *bytes;
    size_t len;
};

extern struct fuzz_input fuzz_inputs[INPUTS_MAX];
extern size_t fuzz_input_count;

/* Adds a file, or all files of a folder and those below it. */
void fuzz_inputs_load(const char *path);
void fuzz_inputs_free(void);

/* The next number of the fixed sequence. */
uint64_t fuzz_random(void);

/* The target sees an exact-size copy on the heap, so that a sanitizer sees one octet too many. */
void fuzz_run(const uint8_t *bytes, size_t len);

/* Flips, inserts, deletes, repeats or splices, one to eight times: what libFuzzer has by that name
 * (grammars call it). */
size_t LLVMFuzzerMutate(uint8_t *work, size_t len, size_t len_max);

#endif
