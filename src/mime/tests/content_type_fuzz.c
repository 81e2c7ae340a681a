/* SPDX-License-Identifier: ISC */
/* Any field body has a type and parameters whose resolved values are UTF-8 within the limits. */
#include "mime/disposition.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(struct mime_parameters parameters)
{
    assert(parameters.count <= MIME_PARAMETERS_MAX);
    for (size_t i = 0; i < parameters.count; i++) {
        assert(parameters.items[i].name.len > 0);
        assert(parameters.items[i].value.len <= MIME_PARAMETER_VALUE_MAX);
        assert(utf8_is_valid(parameters.items[i].value));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena arena;
    struct buffer name;
    struct mime_defects defects = {0};
    const struct mime_place place = {data, &defects};

    arena_init(&arena, 16 * 1024 * 1024);
    struct mime_content_type type = mime_content_type_parse(slice_of(data, len), &arena, &place);
    assert(type.type.len > 0 && type.subtype.len > 0);
    check(type.parameters);
    struct mime_disposition disposition =
        mime_disposition_parse(slice_of(data, len), &arena, &place);
    assert(disposition.type.len > 0);
    check(disposition.parameters);
    buffer_init(&name, 4096);
    mime_file_name_put(&name, mime_file_name(&disposition, &type));
    assert(buffer_len(&name) > 0 && buffer_len(&name) <= 200);
    assert(slice_find_byte(buffer_slice(&name), '/') == buffer_len(&name));
    buffer_finish(&name);
    for (size_t i = 0; i < defects.count; i++)
        assert(defects.items[i].offset <= len);
    arena_finish(&arena);
    return 0;
}
