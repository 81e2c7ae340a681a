/* SPDX-License-Identifier: ISC */
/* Mutations that know a language: an input is a head of options and then units, each a line, with
 * the octets that it counts (literals of IMAP, chunks of SMTP) as part of it. Units are repeated,
 * reordered, dropped, cut at any octet, made by rules, wrapped in others; their words and numbers
 * are exchanged; counts are made right and wrong. One time in three the fuzzer's own mutation is
 * left to work, so that nothing is out of reach. */
#ifndef BASE_TESTS_FUZZ_GRAMMAR_H
#define BASE_TESTS_FUZZ_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_CHOICES_MAX = 48 };

/* `^name` in a choice stands for another rule, or for one of these: ^number, ^octets, ^letters,
 * ^armour, ^literal (`{n}` and n octets of the rule "content") and ^chunk (n, a line's end, and so
 * many octets). Past a certain depth the first choice is taken: it must end. */
struct fuzz_rule {
    const char *name;
    const char *choices[FUZZ_CHOICES_MAX];
};

struct fuzz_grammar {
    size_t head_len; /* octets before the units */
    bool has_literals, has_chunks;
    const struct fuzz_rule *rules; /* "unit", "word"; and, for wrapping, "before" and "after" */
    size_t rules_count;
};

/* The rest of the contract is libFuzzer's: LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver.
 */
size_t fuzz_grammar_mutate(const struct fuzz_grammar *grammar, uint8_t *data, size_t len,
                           size_t len_max, unsigned seed);
/* The first units of one and the last of the other. */
size_t fuzz_grammar_cross(const struct fuzz_grammar *grammar, const uint8_t *one, size_t one_len,
                          const uint8_t *other, size_t other_len, uint8_t *out, size_t out_max,
                          unsigned seed);

/* The fuzzer's own mutation, and what it asks a target for that has a grammar. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t len_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_len, const uint8_t *other,
                                 size_t other_len, uint8_t *out, size_t out_max, unsigned seed);

/* What a target writes below its rules, to be mutated by them. */
#define FUZZ_MUTATE_BY(grammar)                                                                    \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t len_max, unsigned seed)       \
    {                                                                                              \
        return fuzz_grammar_mutate(&(grammar), data, len, len_max, seed);                          \
    }                                                                                              \
                                                                                                   \
    size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_len, const uint8_t *other,     \
                                     size_t other_len, uint8_t *out, size_t out_max,               \
                                     unsigned seed)                                                \
    {                                                                                              \
        return fuzz_grammar_cross(&(grammar), one, one_len, other, other_len, out, out_max, seed); \
    }

#endif
