/* SPDX-License-Identifier: ISC */
/* Received: (RFC 5321 §4.4) and Return-Path:. The line is folded before each clause. */
#include "envelope/received.h"

#include "base/cursor.h"

#include "text/date.h"

/* In a comment, or in a word of a clause, the client's bytes must not end either. */
static byte_set harmless = {
    ['!' ... '\''] = true,
    ['*' ... '['] = true,
    [']' ... '~'] = true,
    [0x80 ... 0xFF] = true,
};

static void
put_harmless(struct buffer *buffer, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buffer_put_byte(buffer, harmless[bytes.at[i]] ? bytes.at[i] : '?');
}

/* TCP-info (RFC 5321 §4.4): "(name [192.0.2.1])", IPv6 with its tag. */
static void
put_tcp_info(struct buffer *buffer, const struct envelope_received *received)
{
    bool is_ipv6 = slice_find_byte(received->client_ip, ':') < received->client_ip.len;

    if (received->client_ip.len + received->client_name.len == 0)
        return;
    buffer_put_text(buffer, " (");
    put_harmless(buffer, received->client_name);
    if (received->client_ip.len > 0) {
        buffer_put_text(buffer, received->client_name.len > 0 ? " [" : "[");
        buffer_put_text(buffer, is_ipv6 ? "IPv6:" : "");
        put_harmless(buffer, received->client_ip);
        buffer_put_byte(buffer, ']');
    }
    buffer_put_byte(buffer, ')');
}

const char *
envelope_received_protocol(const struct envelope_received *received)
{
    /* Each row: plain, authenticated, secure, both. */
    static const char *const names[][4] = {
        {"SMTP", "SMTP", "SMTP", "SMTP"}, /* RFC 3848 has no letters for HELO */
        {"ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA"},
        {"UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA"},
        {"LMTP", "LMTPA", "LMTPS", "LMTPSA"},
        {"UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS", "UTF8LMTPSA"},
    };
    int row = received->is_lmtp       ? (received->is_utf8 ? 4 : 3)
              : received->is_utf8     ? 2
              : received->is_extended ? 1
                                      : 0;

    return names[row][(received->is_authenticated ? 1 : 0) + (received->is_secure ? 2 : 0)];
}

void
envelope_received_put(struct buffer *buffer, const struct envelope_received *received)
{
    buffer_put_text(buffer, "Received: from ");
    if (received->helo.len > 0)
        put_harmless(buffer, received->helo);
    else
        buffer_put_text(buffer, "unknown");
    put_tcp_info(buffer, received);
    if (received->auth_name.len > 0) {
        buffer_put_text(buffer, "\r\n\t(authenticated as ");
        put_harmless(buffer, received->auth_name);
        buffer_put_byte(buffer, ')');
    }
    buffer_put_text(buffer, "\r\n\tby ");
    put_harmless(buffer, received->by);
    buffer_put_text(buffer, " with ");
    buffer_put_text(buffer, envelope_received_protocol(received));
    if (received->tls.len > 0) {
        /* The tls clause (RFC 8314 §4.3) has one word; the version stands in a comment. */
        buffer_put_text(buffer, "\r\n\t(");
        for (size_t i = 0; i < received->tls.len; i++) {
            uint8_t octet = received->tls.at[i];
            buffer_put_byte(buffer, octet == ' ' || harmless[octet] ? octet : '?');
        }
        buffer_put_byte(buffer, ')');
    }
    if (received->id.len > 0) {
        buffer_put_text(buffer, " id ");
        put_harmless(buffer, received->id);
    }
    if (received->recipient.len > 0) {
        buffer_put_text(buffer, "\r\n\tfor <");
        for (size_t i = 0; i < received->recipient.len; i++) {
            uint8_t octet = received->recipient.at[i];
            /* Canonical mailboxes may be quoted, with spaces and backslashes inside. */
            buffer_put_byte(buffer, octet < ' ' || octet == 0x7F ? '?' : octet);
        }
        buffer_put_byte(buffer, '>');
    }
    if (received->has_priority) {
        buffer_put_text(buffer, received->priority < 0 ? "\r\n\tPRIORITY -" : "\r\n\tPRIORITY ");
        buffer_put_decimal(buffer, (uint64_t)abs(received->priority));
    }
    buffer_put_text(buffer, ";\r\n\t");
    date_format_rfc5322(received->date, received->zone_minutes, buffer);
    buffer_put_text(buffer, "\r\n");
}

void
envelope_return_path_put(struct buffer *buffer, struct slice reverse_path)
{
    buffer_put_text(buffer, "Return-Path: <");
    buffer_put(buffer, reverse_path);
    buffer_put_text(buffer, ">\r\n");
}
