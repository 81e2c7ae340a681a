/* SPDX-License-Identifier: ISC */
/* A JSON document that is written from front to back (RFC 8259): an object with fields and lists of
 * objects, each on a line of its own. Rows leave as they are made, so a list may have any length.
 * The one place that knows jansson. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include "base/slice.h"

#include <stdio.h>

struct json_document;

/* An empty object, for `out`. Running out of memory ends the program. */
struct json_document *json_document_open(FILE *out);

/* Fields go to the newest row, or to the document itself outside of lists. Text is UTF-8. */
void json_document_list(struct json_document *document, const char *name);
void json_document_row(struct json_document *document);
void json_document_list_end(struct json_document *document);
void json_document_text(struct json_document *document, const char *name, struct slice text);
void json_document_number(struct json_document *document, const char *name, uint64_t number);
void json_document_bool(struct json_document *document, const char *name, bool value);
void json_document_null(struct json_document *document, const char *name);
/* An empty list of texts in a field, and one more text in it. */
void json_document_texts(struct json_document *document, const char *name);
void json_document_texts_add(struct json_document *document, struct slice text);

/* Writes what is still held, and a line end, and frees the document; false when `out` took not
 * all of it. */
MUST_USE bool json_document_close(struct json_document **document);

#endif
