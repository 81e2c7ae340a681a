/* SPDX-License-Identifier: ISC */
/* Whatever stands in a log: each line is taken once, and its fields lie in it. */
#include "tool/lab/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of(data, len);
    struct lab_log_line line;
    struct arena arena;
    size_t lines = 0;

    arena_init(&arena, 16 << 20);
    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    lines += len > 0 && data[len - 1] != '\n';
    for (size_t before = text.len; lab_log_take(&text, &arena, &line); before = text.len) {
        assert(text.len < before && lines-- > 0 && line.count <= LAB_LOG_FIELDS_MAX);
        for (size_t i = 0; i < line.count; i++)
            assert(line.fields[i].key.len + line.fields[i].value.len <= before);
    }
    assert(lines == 0);
    arena_finish(&arena);
    return 0;
}
