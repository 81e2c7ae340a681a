/* SPDX-License-Identifier: ISC */
/* Sessions for pair_fuzz.c: steps, a name, a word, messages. */
#include "base/tests/fuzz_grammar.h"

static const struct fuzz_rule rules[] = {
    {"unit",
     {"^step^step", "^step^step^step", "\036", "^line\r\n", "^line\r\n", "^line\n", "^octets\r\n",
      "15i^step^step^step\036^name\036^letters\036^message\036^message\036^message"}},
    {"step", {"f", "1", "2", "3", "5", "6", "7", "l",  "i",  "o", "q", "t", "h",
              "s", "a", "S", "c", "m", "e", "I", "I1", "I3", "u", "Q", "r", "n"}},
    {"name",
     {"Other", "^letters", "a/b", "&", "\xC3\xA9", "a b", "\"", "\\", "^octets", "a*%", "{1}"}},
    {"line",
     {"", "Subject: ^letters", "^letters", "^octets", "Content-Type: text/html", "--y",
      "From: ^octets", "Content-Type: multipart/mixed; boundary=y",
      "Content-Transfer-Encoding: base64", "a: ^letters", " ^letters", "To: \"^octets\" <a@b>",
      "Content-Type: message/rfc822", "Subject: =?utf-8?q?^letters?="}},
    {"message",
     {"Subject: ^letters\r\n\r\n^letters\r\n", "^line\r\n^line\r\n\r\n^line\r\n", "^octets"}},
    {"word", {"^step", "^letters", "^octets", "\036", "\r\n", "\r", "\n", "\xC3\xA9"}},
    {"before", {"15i", "\036", "Q"}},
    {"after", {"n", "\036", "\r\n", "f"}},
};

static const struct fuzz_grammar grammar = {
    .head_len = 2, .rules = rules, .rules_count = sizeof(rules) / sizeof(rules[0])};

FUZZ_MUTATE_BY(grammar)
