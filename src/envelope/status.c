/* SPDX-License-Identifier: ISC */
/* Enhanced status codes: RFC 3463 §2. */
#include "envelope/status.h"

/* subject = detail = 1*3DIGIT without leading zeros. */
static bool
take_part(struct cursor *cursor, uint16_t *ret_part)
{
    struct cursor work = *cursor;
    uint32_t number;

    if (!cursor_take_u32(&work, 0, ENVELOPE_STATUS_PART_MAX, &number) ||
        (*cursor->at == '0' && work.at - cursor->at > 1))
        return false;
    *ret_part = (uint16_t)number;
    *cursor = work;
    return true;
}

bool
envelope_status_take(struct cursor *cursor, struct envelope_status *ret_status)
{
    struct cursor work = *cursor;
    struct envelope_status status;
    uint8_t class;

    if (!cursor_take_any(&work, &class) || (class != '2' && class != '4' && class != '5') ||
        !cursor_take_byte(&work, '.') || !take_part(&work, &status.subject) ||
        !cursor_take_byte(&work, '.') || !take_part(&work, &status.detail))
        return false;
    status.class = (uint8_t)(class - '0');
    *ret_status = status;
    *cursor = work;
    return true;
}

void
envelope_status_put(struct buffer *buffer, struct envelope_status status)
{
    buffer_put_decimal(buffer, status.class);
    buffer_put_byte(buffer, '.');
    buffer_put_decimal(buffer, status.subject);
    buffer_put_byte(buffer, '.');
    buffer_put_decimal(buffer, status.detail);
}
