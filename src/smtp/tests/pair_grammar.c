/* SPDX-License-Identifier: ISC */
/* What a message is made of for pair_fuzz.c: addresses, and content that looks like the end of
 * content, or like commands behind it. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"^line\r\n", "^line\r\n", "^line\n", "^line\r", "\036", "^mailbox\036", "^octets\r\n",
      "^address\036^mailbox\036^mailbox\036^letters\036^line\r\n\036^line\r\n"}},
    {"line",
     {"", ".", "..", ".^line", "^letters", "^octets", "Subject: ^letters", "\r\n.\r\nMAIL FROM:<>",
      "\n.\n", "\r.\r", ".\r", "x\r\n.\r\n", "BDAT ^number LAST", "RSET", "QUIT", "\xC3\xA9"}},
    {"address", {"", "^mailbox"}},
    {"mailbox", {"^local@^domain", "^letters@foo.com", "\"^letters ^octets\"@foo.com", "a@b"}},
    {"local", {"a", "^letters", "\"a b\"", "\"\\\"\\\\\"", "\"<>\"", "\"@\"", "\xC3\xA9", "a+b=c"}},
    {"domain",
     {"foo.com", "[192.0.2.1]", "[IPv6:::1]", "\xC3\xA9.fr", "xn--caf-dma.fr", "^letters"}},
    {"word", {"^octets", "^letters", "^number", "\036", "\r\n", "\r", "\n", ".", "\xC3\xA9"}},
    {"before", {"a@b\036", "\r\n.\r\n", "\n.\n", "\036"}},
    {"after", {"\r", "\r\n.", "\r\n.\r\n", "\n.\r\n", ".", "\036"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 6, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
