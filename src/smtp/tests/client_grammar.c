/* SPDX-License-Identifier: ISC */
/* What other hosts answer: RFC 5321 section 4.2, 2034, and the words of EHLO. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"250 ok\r\n", "^reply", "^reply", "^reply", "^ehlo", "^good", "^octets\r\n",
      "^code-^letters\r\n"}},
    {"reply",
     {"250 ok\r\n", "^code\r\n", "^code ^status ^letters\r\n",
      "^code-^status x\r\n^code ^status y\r\n", "^code-^octets\r\n^reply", "334 ^armour\r\n",
      "^number ^letters\r\n"}},
    {"code", {"250", "220", "221", "235", "251", "252", "334", "354", "421",
              "450", "451", "452", "454", "500", "501", "502", "503", "530",
              "535", "550", "552", "553", "554", "555", "199", "600", "^number"}},
    {"status", {"2.1.0", "5.7.1", "4.^number.^number", "^number.1.1", "5.1", "", "2.0.0"}},
    {"ehlo",
     {"250 foo.com\r\n", "220 hi\r\n250-foo.com\r\n^keywords250 HELP\r\n",
      "250-foo.com\r\n^keywords250 ^keyword\r\n"}},
    {"keywords",
     {"", "250-^keyword\r\n", "250-^keyword\r\n^keywords",
      "250-^keyword\r\n250-^keyword\r\n^keywords"}},
    {"keyword",
     {"PIPELINING",
      "SIZE ^number",
      "SIZE",
      "8BITMIME",
      "SMTPUTF8",
      "CHUNKING",
      "BINARYMIME",
      "STARTTLS",
      "DSN",
      "ENHANCEDSTATUSCODES",
      "AUTH PLAIN SCRAM-SHA-256",
      "AUTH LOGIN",
      "AUTH=PLAIN",
      "DELIVERBY ^number",
      "REQUIRETLS",
      "FUTURERELEASE ^number ^letters",
      "MT-PRIORITY ^letters",
      "LIMITS RCPTMAX=^number MAILMAX=^number",
      "RRVS",
      "^letters ^octets"}},
    {"good",
     {"220 hi\r\n250-foo.com\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
      "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", "354 go\r\n250 done\r\n",
      "250 a\r\n550 b\r\n450 c\r\n250 d\r\n354 go\r\n250 done\r\n",
      "220 hi\r\n250 STARTTLS\r\n220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 in\r\n"}},
    {"word", {"^code", "^number", "^letters", "^status", "^keyword", "^octets", "-", "^armour"}},
    {"before",
     {"220 hi\r\n250-x\r\n^keywords250 DSN\r\n", "220 hi\r\n500 no\r\n250 x\r\n",
      "250-^letters\r\n"}},
    {"after", {"421 bye\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n", "354 go\r\n"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 4, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
