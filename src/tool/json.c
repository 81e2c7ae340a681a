/* SPDX-License-Identifier: ISC */
#include "tool/json.h"

#include <jansson.h>
#include <stdlib.h>

struct json_document {
    json_t *whole;
    json_t *list;  /* open list, or NULL; borrowed */
    json_t *row;   /* newest row of it, or NULL; borrowed */
    json_t *texts; /* newest list of texts; borrowed */
};

static json_t *
must(json_t *value)
{
    if (!value)
        abort();
    return value;
}

struct json_document *
json_document_open(void)
{
    struct json_document *document = calloc(1, sizeof(*document));

    if (!document)
        abort();
    document->whole = must(json_object());
    return document;
}

void
json_document_close(struct json_document **document)
{
    if (*document)
        json_decref((*document)->whole);
    free(*document);
    *document = NULL;
}

static void
put(struct json_document *document, const char *name, json_t *value)
{
    if (json_object_set_new(document->row ? document->row : document->whole, name, must(value)))
        abort();
}

void
json_document_list(struct json_document *document, const char *name)
{
    document->list = must(json_array());
    document->row = NULL;
    put(document, name, document->list);
}

void
json_document_row(struct json_document *document)
{
    document->row = must(json_object());
    if (json_array_append_new(document->list, document->row))
        abort();
}

void
json_document_list_end(struct json_document *document)
{
    document->list = document->row = NULL;
}

void
json_document_text(struct json_document *document, const char *name, struct slice text)
{
    put(document, name, json_stringn((const char *)text.at, text.len));
}

void
json_document_number(struct json_document *document, const char *name, uint64_t number)
{
    /* JSON readers know integers up to 2^53 for certain, jansson up to 2^63 - 1. */
    put(document, name, json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

void
json_document_bool(struct json_document *document, const char *name, bool value)
{
    put(document, name, json_boolean(value));
}

void
json_document_null(struct json_document *document, const char *name)
{
    put(document, name, json_null());
}

void
json_document_texts(struct json_document *document, const char *name)
{
    document->texts = must(json_array());
    put(document, name, document->texts);
}

void
json_document_texts_add(struct json_document *document, struct slice text)
{
    if (json_array_append_new(document->texts, must(json_stringn((const char *)text.at, text.len))))
        abort();
}

bool
json_document_write(const struct json_document *document, FILE *out)
{
    return json_dumpf(document->whole, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
}
