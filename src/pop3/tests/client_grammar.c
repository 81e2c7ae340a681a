/* SPDX-License-Identifier: ISC */
/* What servers of POP3 say: RFC 1939, 2449 and 5034. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"+OK\r\n", "+OK ^letters\r\n", "+OK <^letters@^letters>\r\n", "-ERR\r\n", "-ERR ^code x\r\n",
      "+ ^armour\r\n", "^listing", "^listing", "^octets\r\n", ".\r\n", "^number ^word\r\n"}},
    {"listing",
     {"+OK\r\n.\r\n", "+OK\r\n^capabilities.\r\n", "+OK ^number ^number\r\n", "+OK\r\n^lines.\r\n",
      "+OK ^number octets\r\n^text.\r\n", "+OK <1@x>\r\n+OK\r\n^capabilities.\r\n+OK\r\n+OK\r\n"}},
    {"capabilities",
     {"", "^capability\r\n", "^capability\r\n^capabilities",
      "^capability\r\n^capability\r\n^capability\r\n"}},
    {"capability",
     {"USER", "TOP", "UIDL", "STLS", "SASL PLAIN SCRAM-SHA-256", "SASL ^letters", "PIPELINING",
      "RESP-CODES", "EXPIRE ^number", "LOGIN-DELAY ^number", "UTF8 USER", "^letters ^word",
      "AUTH-RESP-CODE"}},
    {"lines",
     {"", "1 ^number\r\n", "^number ^number\r\n^lines", "^number ^letters\r\n^lines",
      "1 ^letters\r\n2 ^letters\r\n", "^number ^octets\r\n"}},
    {"text",
     {"x\r\n", "..\r\n", "Subject: x\r\n\r\n^octets\r\n", ".^octets\r\n", "^octets\r\n^text", ".\n",
      "\r.\r\n"}},
    {"code",
     {"[AUTH]", "[SYS/TEMP]", "[SYS/PERM]", "[IN-USE]", "[LOGIN-DELAY]", "[UTF8]", "[^letters]",
      "["}},
    {"word", {"^number", "^letters", "+OK", "-ERR", "^octets", "^capability", "^code", "."}},
    {"before", {"+OK <1@x>\r\n", "+OK\r\n", "+OK\r\nSASL PLAIN\r\n.\r\n"}},
    {"after", {".\r\n", "-ERR\r\n", "+OK\r\n"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 4, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
