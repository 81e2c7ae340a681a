/* SPDX-License-Identifier: ISC */
/* Any octets as parameters: the first one says what is offered and how small the arena is. */
#include "base/buffer.h"
#include "envelope/parameter.h"
#include "envelope/xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was decoded can be written and read again. */
static void
check_xtext(struct slice bytes, struct arena *arena)
{
    struct buffer text;
    struct slice back;

    buffer_init(&text, 4096);
    envelope_xtext_put(&text, bytes);
    assert(envelope_xtext_decode(buffer_slice(&text), arena, &back) && slice_equal(back, bytes));
    buffer_finish(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_skip(slice_of(data, len), 1);
    unsigned offered = len > 0 ? data[0] * 4U + 3 : 0x3FF;
    struct envelope_mail_parameters mail;
    struct envelope_rcpt_parameters rcpt;
    struct slice keyword = SLICE("");
    struct arena arena;

    arena_init(&arena, 1 << 20);
    if (envelope_mail_parameters_parse(text, offered, &arena, &mail, &keyword) ==
        ENVELOPE_PARAMETER_OK) {
        assert(mail.priority >= -9 && mail.priority <= 9);
        check_xtext(mail.envid, &arena);
    } else {
        assert(keyword.len <= len + 1);
    }
    if (envelope_rcpt_parameters_parse(text, offered, &arena, &rcpt, &keyword) ==
        ENVELOPE_PARAMETER_OK)
        check_xtext(rcpt.orcpt, &arena);
    arena_finish(&arena);
    arena_init(&arena, len > 0 ? data[0] : 0);
    (void)!envelope_mail_parameters_parse(text, 0x3FF, &arena, &mail, &keyword);
    (void)!envelope_rcpt_parameters_parse(text, 0x3FF, &arena, &rcpt, &keyword);
    arena_finish(&arena);
    return 0;
}
