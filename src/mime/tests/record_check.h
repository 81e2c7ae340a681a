/* SPDX-License-Identifier: ISC */
/* For tests: reads all of a record, and compares it with the tree that it was made of. */
#ifndef MIME_TESTS_RECORD_CHECK_H
#define MIME_TESTS_RECORD_CHECK_H

#include "mime/record.h"

/* Touches every octet that the record's readers give. Returns a sum, so that none is left out. */
uint64_t record_read_all(const struct mime_record *record);

/* Aborts when parts or fields of the record are not those of the tree. */
void record_check(const struct mime_record *record, const struct mime_tree *tree);

#endif
