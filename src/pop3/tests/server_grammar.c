/* SPDX-License-Identifier: ISC */
/* What clients of POP3 say: RFC 1939, 2449, 5034 and 6856. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"NOOP\r\n", "^command\r\n", "^command\r\n", "^command\r\n", "^login", "^octets\r\n",
      "\036w\r\n", "\036p\r\n", "\036c\r\n"}},
    {"login",
     {"USER mrose\r\nPASS secret\r\n", "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n",
      "AUTH PLAIN AGEAYg==\r\n", "AUTH PLAIN\r\nAGEAYg==\r\n",
      "AUTH SCRAM-SHA-256\r\n^armour\r\n^armour\r\n\r\n", "AUTH PLAIN\r\n*\r\n"}},
    {"command",
     {"NOOP",
      "STAT",
      "LIST",
      "LIST ^number",
      "UIDL",
      "UIDL ^number",
      "RETR ^number",
      "RETR 1",
      "TOP ^number ^number",
      "TOP 1 ^number",
      "DELE ^number",
      "DELE 1",
      "RSET",
      "QUIT",
      "CAPA",
      "LAST",
      "STLS",
      "UTF8",
      "UTF8 ^word",
      "AUTH",
      "AUTH ^mechanism ^armour",
      "AUTH ^mechanism",
      "USER ^letters",
      "PASS ^octets",
      "APOP ^letters ^letters",
      "LANG *",
      "^letters ^word",
      "*",
      "^armour"}},
    {"mechanism",
     {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL", "LOGIN", "^letters"}},
    {"word", {"^number", "^letters", "^command", "^octets", "^armour", "=", " ", "\xC3\xA9"}},
    {"before", {"USER mrose\r\nPASS secret\r\n", "STLS\r\n", "UTF8\r\n", "AUTH PLAIN\r\n"}},
    {"after", {"QUIT\r\n", "RSET\r\n", "*\r\n"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 5, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
