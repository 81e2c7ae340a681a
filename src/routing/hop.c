/* SPDX-License-Identifier: ISC */
#include "routing/hop.h"

#include <stdarg.h>

void
routing_step(struct routing_steps *steps, struct arena *arena, const char *format, ...)
{
    char text[ROUTING_STEP_MAX + 1];
    va_list arguments;

    if (!steps || steps->count == ROUTING_STEPS_MAX)
        return;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    if (len > ROUTING_STEP_MAX)
        len = ROUTING_STEP_MAX;
    for (int i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = '?';
    }
    steps->at[steps->count++] = arena_copy(arena, slice_of(text, (size_t)len));
}

const char *
routing_carrier_name(enum routing_carrier carrier)
{
    static const char *const names[] = {
        [ROUTING_SMTP] = "smtp",       [ROUTING_LMTP] = "lmtp",   [ROUTING_PIPE] = "pipe",
        [ROUTING_DISCARD] = "discard", [ROUTING_ERROR] = "error", [ROUTING_LOCAL] = "local",
    };
    return names[carrier];
}

const char *
routing_tls_name(enum routing_tls tls)
{
    static const char *const names[] = {
        [ROUTING_TLS_NONE] = "none",     [ROUTING_TLS_MAY] = "may",
        [ROUTING_TLS_DANE] = "dane",     [ROUTING_TLS_ENCRYPT] = "encrypt",
        [ROUTING_TLS_VERIFY] = "verify",
    };
    return names[tls];
}
