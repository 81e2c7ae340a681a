/* SPDX-License-Identifier: ISC */
/* The lines that an MTA puts on top of a message: Received: (RFC 5321 §4.4, RFC 3848, RFC 6531
 * §4.3, RFC 8314 §4.3) and Return-Path: (RFC 5321 §4.4). */
#ifndef ENVELOPE_RECEIVED_H
#define ENVELOPE_RECEIVED_H

#include "base/buffer.h"
#include "base/time.h"

struct envelope_received {
    struct slice helo;        /* what the client called itself; may be empty */
    struct slice client_name; /* its name in the DNS, or "userid=1000"; may be empty */
    struct slice client_ip;   /* text without brackets: "192.0.2.1", "2001:db8::1"; or empty */
    struct slice by;          /* our name */
    struct slice id;          /* queue id */
    struct slice recipient;   /* canonical mailbox, only when there is one; else empty */
    struct slice tls;         /* "TLS1.3 TLS_AES_256_GCM_SHA384", or empty */
    struct slice auth_name;   /* shown only when not empty */
    struct wall date;
    int16_t zone_minutes; /* east of UTC */
    bool is_lmtp;
    bool is_extended; /* EHLO was used */
    bool is_utf8;     /* SMTPUTF8 was asked for */
    bool is_secure;
    bool is_authenticated;
    bool has_priority; /* RFC 6710 §7 */
    int8_t priority;
};

/* Puts one folded Received: line with CRLF. What comes from the client is kept inside the grammar:
 * octets that would end a comment or a line become "?". */
void envelope_received_put(struct buffer *buffer, const struct envelope_received *received);

/* "SMTP", "ESMTPSA", "UTF8SMTPS", "LMTPA" … (RFC 3848, RFC 6531 §4.3). Static. */
const char *envelope_received_protocol(const struct envelope_received *received);

/* Puts "Return-Path: <…>" and CRLF; `reverse_path` is canonical, empty for <>. */
void envelope_return_path_put(struct buffer *buffer, struct slice reverse_path);

#endif
