/* SPDX-License-Identifier: ISC */
/* Any octets as a message and as another host's words: the report is a multipart of three parts,
 * none of whose header lines comes from outside. */
#include "dsn/report.h"
#include "mime/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice input = slice_of(data, len);
    size_t half = len / 2;
    struct dsn_recipient recipient = {.address = SLICE("x@foo.com"),
                                      .original = slice_first(input, half < 300 ? half : 300),
                                      .original_type = SLICE("rfc822"),
                                      .action = (enum dsn_action)(len % (DSN_EXPANDED + 1)),
                                      .host = SLICE("foo.com"),
                                      .code = 550,
                                      .text = slice_first(input, half)};
    struct dsn_report report = {.facts = {.hostname = SLICE("bar.com"), .is_utf8 = len & 1},
                                .recipients = &recipient,
                                .count = 1,
                                .sender = SLICE("a@bar.com"),
                                .domain = SLICE("bar.com"),
                                .id = SLICE("Q"),
                                .language = (enum dsn_language)(len % 3),
                                .message = slice_skip(input, half),
                                .returns_message = len & 2};
    struct mime_tree tree;
    struct buffer text;
    struct arena arena;

    arena_init(&arena, 32 << 20);
    buffer_init(&text, len + DSN_REPORT_EXTRA);
    assert(dsn_report_put(&text, &arena, &report));
    mime_tree_parse(buffer_slice(&text), &arena, &tree);
    size_t children = 0;
    for (size_t i = 0; i < tree.count; i++)
        children += i > 0 && tree.parts[i].parent == 0;
    assert(children == 3);
    buffer_finish(&text);
    arena_finish(&arena);
    return 0;
}
