/* SPDX-License-Identifier: ISC */
#include "message/header.h"
#include "message/summary.h"
#include "message/thread.h"
#include "message/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
drops_nothing(const struct field *field)
{
    (void)field;
    return false;
}

static bool
lies_in(struct slice inner, struct slice outer)
{
    return inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len;
}

/* The fields are the header, without gap or overlap; nothing is lost by copying it. */
static void
check_header(struct slice message, const struct header *header)
{
    struct buffer copy;
    size_t offset = 0;

    for (size_t i = 0; i < header->count; i++) {
        const struct field *field = &header->fields[i];
        assert(header->is_cut || field->offset == offset);
        assert(field->offset >= offset && field->raw.at == message.at + field->offset);
        assert(lies_in(field->name, field->raw) && lies_in(field->body, field->raw));
        assert((header->defects & field->defects) == field->defects);
        offset = field->offset + field->raw.len;
    }
    assert(header->is_cut || offset == header->header_len);
    assert(header->header_len <= header->body_offset && header->body_offset <= message.len);
    buffer_init(&copy, message.len);
    header_put_without(&copy, message, drops_nothing);
    assert(slice_equal(buffer_slice(&copy), slice_first(message, header->header_len)));
    buffer_finish(&copy);
}

/* Any octets are a header; the summary, the thread and the traces can be had of it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice message = slice_of(data, len);
    struct arena arena;
    struct header header;
    struct summary summary;
    struct header_resent resent;
    const struct header_resent *after = NULL;

    arena_init(&arena, SIZE_MAX / 4);
    header_parse(&arena, message, &header);
    check_header(message, &header);
    summary_gather(&arena, &header, &summary);
    assert(!summary.has_date || summary_has(&summary, FIELD_DATE));
    while (header_next_resent(&header, after, &resent)) {
        assert(resent.first <= resent.last && (!after || resent.first >= after->first));
        after = &resent;
    }
    for (const struct field *field = NULL; (field = header_find(&header, FIELD_RECEIVED, field));) {
        struct trace_received received;
        trace_received_parse(&arena, field->body, &received);
        assert((received.by.len == 0) == ((received.defects & TRACE_NO_BY) != 0));
    }
    arena_finish(&arena);
    return 0;
}
