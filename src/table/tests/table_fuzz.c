/* SPDX-License-Identifier: ISC */
/* Input: a key, a line end, and the file of a table of lines, of patterns, or a constant
 * database. */
#include "table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct slice text = slice_of(at, len);
    size_t end = slice_find_byte(text, '\n');
    struct slice key = slice_first(text, end), rows = slice_skip(text, end + 1);
    struct buffer value;
    struct table_spec spec;
    char why[TABLE_WHY_MAX + 1];

    if (!table_spec_parse(rows, &spec))
        assert(spec.name.len > 0 && spec.place.len > 0);
    buffer_init(&value, TABLE_VALUE_MAX);
    for (enum table_kind kind = TABLE_FILE; kind <= TABLE_CDB; kind++) {
        spec = (struct table_spec){.kind = kind};
        struct table *table = table_open(&spec, rows, NULL, why);
        assert(table || kind == TABLE_CDB);
        if (!table)
            continue;
        for (size_t i = 0; table_problem(table, i); i++)
            assert(table_problem(table, i)->line > 0);
        enum table_outcome outcome = table_look_up(table, key, &value);
        assert((outcome == TABLE_FOUND) <= (buffer_len(&value) > 0));
        table_close(&table);
    }
    buffer_finish(&value);
    return 0;
}
