/* SPDX-License-Identifier: ISC */
/* The part of a report that a person reads. Private to the room. */
#ifndef DSN_WORDS_H
#define DSN_WORDS_H

#include "dsn/report.h"

/* "Undelivered: ", … : what stands before the message's own subject. */
const char *dsn_words_subject(enum dsn_action action, enum dsn_language language);

/* Puts the whole text in UTF-8; `subject` is the message's own, decoded, and may be empty. */
void dsn_words_put(struct buffer *buffer, const struct dsn_report *report, struct slice subject);

#endif
