/* SPDX-License-Identifier: ISC */
/* Messages for pair_fuzz.c: lines, dots, and ends that are none. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"^line\r\n", "^line\r\n", "^line\n", "^line\r", "\036", "\r\n", "\n", "^octets\r\n",
      "Subject: ^letters\r\n\r\n^line\r\n", "^octets"}},
    {"line", {"", ".", "..", ".^line", "^letters", "^octets", "\r\n.\r\n+OK", "\n.\n", "\r.\r"}},
    {"word", {"^octets", "^letters", "\036", "\r\n", "\r", "\n", ".", "\r\n.\r\n"}},
    {"before", {".", "\r\n.\r\n", "\n.", "\036"}},
    {"after", {"\r", "\r\n.", "\r\n.\r\n", "\n.\r\n", ".", "\036", "\n"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 4, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
