/* SPDX-License-Identifier: ISC */
/* Runs a fuzz target without a fuzzer: replays every file of the folders and files named on the
 * command line, then ROUNDS seeded mutations of them (option --rounds N), so that each target
 * and its corpus are part of the ordinary tests. A target that mutates by a grammar of its own
 * (fuzz_grammar.h) is asked to. The same target links against libFuzzer. */
#include "base/tests/fuzz_inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only where a target has them. */
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max,
                                                     unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_len,
                                                       const uint8_t *other, size_t other_len,
                                                       uint8_t *out, size_t out_max, unsigned seed);

enum { GROWTH_MAX = 4096 };

/* A mutation of one input, or of two. */
static void
mutate(void)
{
    static uint8_t work[INPUT_MAX];
    const struct fuzz_input *seed = &fuzz_inputs[fuzz_random() % fuzz_input_count];
    const struct fuzz_input *other = &fuzz_inputs[fuzz_random() % fuzz_input_count];
    size_t len = seed->len;

    memcpy(work, seed->bytes, len);
    if (!LLVMFuzzerCustomMutator) {
        fuzz_run(work, LLVMFuzzerMutate(work, len, INPUT_MAX));
        return;
    }
    size_t len_max = len + GROWTH_MAX < INPUT_MAX ? len + GROWTH_MAX : INPUT_MAX;
    if (LLVMFuzzerCustomCrossOver && fuzz_random() % 8 == 0)
        len = LLVMFuzzerCustomCrossOver(seed->bytes, seed->len, other->bytes, other->len, work,
                                        len_max, (unsigned)fuzz_random());
    fuzz_run(work, LLVMFuzzerCustomMutator(work, len, len_max, (unsigned)fuzz_random()));
}

int
main(int argc, char **argv)
{
    unsigned long rounds = 2000;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else
            fuzz_inputs_load(argv[i]);
    }
    fuzz_run((const uint8_t *)"", 0);
    for (size_t i = 0; i < fuzz_input_count; i++)
        fuzz_run(fuzz_inputs[i].bytes, fuzz_inputs[i].len);
    for (unsigned long i = 0; fuzz_input_count && i < rounds; i++)
        mutate();
    printf("%zu corpus files, %lu mutations\n", fuzz_input_count, fuzz_input_count ? rounds : 0);
    fuzz_inputs_free();
    return 0;
}
