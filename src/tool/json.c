/* SPDX-License-Identifier: ISC */
#include "tool/json.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

struct json_document {
    FILE *out;
    json_t *fields; /* of the document, not written yet */
    json_t *row;    /* of the open list, not written yet; NULL before the first */
    json_t *texts;  /* newest list of texts; borrowed */
    bool is_in_list;
    bool has_fields; /* something of the document is written */
    bool has_rows;   /* something of the open list is written */
    bool has_failed;
};

static json_t *
must(json_t *value)
{
    if (!value)
        abort();
    return value;
}

static void
put(struct json_document *document, const char *name, json_t *value)
{
    if (json_object_set_new(document->row ? document->row : document->fields, name, must(value)))
        abort();
}

static void
write_text(struct json_document *document, const char *text)
{
    if (fputs(text, document->out) == EOF)
        document->has_failed = true;
}

static void
write_value(struct json_document *document, const json_t *value)
{
    if (json_dumpf(value, document->out, JSON_ENCODE_ANY))
        document->has_failed = true;
}

static void
begin_field(struct json_document *document, const char *name)
{
    json_t *text = must(json_string(name));

    write_text(document, document->has_fields ? ",\n  " : "{\n  ");
    write_value(document, text);
    write_text(document, ": ");
    json_decref(text);
    document->has_fields = true;
}

static void
write_fields(struct json_document *document)
{
    const char *name;
    json_t *value;

    json_object_foreach(document->fields, name, value)
    {
        begin_field(document, name);
        write_value(document, value);
    }
    json_object_clear(document->fields);
}

static void
write_row(struct json_document *document)
{
    if (!document->row)
        return;
    write_text(document, document->has_rows ? ",\n    " : "\n    ");
    write_value(document, document->row);
    json_decref(document->row);
    document->row = NULL;
    document->has_rows = true;
}

struct json_document *
json_document_open(FILE *out)
{
    struct json_document *document = calloc(1, sizeof(*document));

    if (!document)
        abort();
    document->out = out;
    document->fields = must(json_object());
    return document;
}

bool
json_document_close(struct json_document **document)
{
    struct json_document *old = *document;

    write_fields(old);
    write_text(old, old->has_fields ? "\n}\n" : "{}\n");
    bool is_good = !old->has_failed;
    json_decref(old->fields);
    free(old);
    *document = NULL;
    return is_good;
}

void
json_document_list(struct json_document *document, const char *name)
{
    write_fields(document);
    begin_field(document, name);
    write_text(document, "[");
    document->is_in_list = true;
    document->has_rows = false;
}

void
json_document_row(struct json_document *document)
{
    assert(document->is_in_list);
    write_row(document);
    document->row = must(json_object());
}

void
json_document_list_end(struct json_document *document)
{
    write_row(document);
    write_text(document, document->has_rows ? "\n  ]" : "]");
    document->is_in_list = false;
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
