/* SPDX-License-Identifier: ISC */
/* Any octets as a message that asks for a receipt: the receipt is a multipart of three parts, goes
 * to no more than was asked for, and asks for none itself. */
#include "dsn/receipt.h"
#include "dsn/report.h"
#include "mime/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(struct slice text, struct arena *arena)
{
    struct mime_tree tree;
    size_t children = 0;

    mime_tree_parse(text, arena, &tree);
    for (size_t i = 1; i < tree.count; i++)
        children += tree.parts[i].parent == 0;
    assert(children == 3);
    assert(tree.parts[0].fields);
    assert(!header_find(tree.parts[0].fields, FIELD_DISPOSITION_NOTIFICATION_TO, NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dsn_request_facts facts;
    struct header header;
    struct buffer message, text;
    struct arena arena;

    arena_init(&arena, 64 << 20);
    buffer_init(&message, len + 1000);
    buffer_init(&text, DSN_REPORT_EXTRA);
    if (len > 0 && data[0] & 1) /* else the input itself must ask */
        buffer_put_text(&message, "Disposition-Notification-To: a@example.org\r\n");
    buffer_put(&message, slice_of(data, len));
    header_parse(&arena, buffer_slice(&message), &header);
    dsn_request_read(&header, &arena, &facts);
    assert((facts.request == DSN_REQUEST_NONE) == (facts.to.count == 0));
    if (facts.request == DSN_REQUEST_PLAIN || facts.request == DSN_REQUEST_DOUBTFUL) {
        struct dsn_receipt receipt = {.message = buffer_slice(&message),
                                      .to = &facts.to,
                                      .from = SLICE("b@example.org"),
                                      .recipient = SLICE("b@example.org"),
                                      .domain = SLICE("example.org"),
                                      .agent = SLICE("x"),
                                      .id = SLICE("R")};
        assert(facts.to.count <= DSN_RECEIPT_TO_MAX);
        assert(dsn_receipt_put(&text, &arena, &receipt));
        check(buffer_slice(&text), &arena);
    }
    buffer_finish(&message);
    buffer_finish(&text);
    arena_finish(&arena);
    return 0;
}
