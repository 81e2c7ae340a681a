/* SPDX-License-Identifier: ISC */
#include "routing/tls_report.h"

#include "base/hex.h"
#include "envelope/path.h"

/* The part up to the separator, without blanks around it; `text` loses both. */
static struct slice
take_part(struct slice *text, uint8_t separator)
{
    size_t end = slice_find_byte(*text, separator);
    struct slice part = slice_first(*text, end);

    *text = slice_skip(*text, end + 1);
    return slice_trim(part);
}

/* RFC 3986 §2.1. False when it is broken, or hides a control character. */
static bool
decode(struct slice text, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (byte == '%') {
            int value = slice_hex_byte(slice_skip(text, i + 1));
            if (value < 0)
                return false;
            byte = (uint8_t)value;
            i += 2;
        }
        if (byte <= ' ' || byte >= 0x7f)
            return false;
        buffer_put_byte(out, byte);
    }
    return !buffer_overflowed(out);
}

/* RFC 6068; fields behind '?' are for people who write by hand. */
static void
take_uri(struct slice uri, struct arena *arena, struct routing_tls_report *report)
{
    struct envelope_path path;
    struct buffer address;

    if (!slice_starts_with_nocase(uri, SLICE("mailto:")) ||
        report->count == ROUTING_TLS_REPORT_ADDRESSES_MAX)
        return;
    uri = slice_skip(uri, 7);
    uri = slice_first(uri, slice_find_byte(uri, '?'));
    buffer_init(&address, ENVELOPE_CANONICAL_MAX);
    if (decode(uri, &address) &&
        envelope_mailbox_parse(buffer_slice(&address), arena, &path) == ENVELOPE_OK &&
        path.kind == ENVELOPE_PATH_MAILBOX && path.domain_kind == ENVELOPE_DOMAIN_NAME)
        report->addresses[report->count++] = path.canonical;
    buffer_finish(&address);
}

bool
routing_tls_report_parse(struct slice text, struct arena *arena,
                         struct routing_tls_report *ret_report)
{
    struct routing_tls_report report = {.count = 0};
    bool has_rua = false;

    if (!slice_equal(take_part(&text, ';'), SLICE("v=TLSRPTv1")))
        return false;
    while (text.len > 0) {
        struct slice field = take_part(&text, ';');
        if (!slice_starts_with(field, SLICE("rua=")) || has_rua)
            continue;
        has_rua = true;
        field = slice_skip(field, 4);
        while (field.len > 0)
            take_uri(take_part(&field, ','), arena, &report);
    }
    if (has_rua)
        *ret_report = report;
    return has_rua;
}

/* Several records of this kind are none (RFC 8460 §3). */
enum routing_tls_report_outcome
routing_find_tls_report(struct routing_facts *facts, struct slice domain,
                        struct routing_tls_report *ret_report)
{
    struct buffer name;
    size_t count = 0;

    buffer_init(&name, DNS_NAME_MAX + 16);
    buffer_put_text(&name, "_smtp._tls.");
    buffer_put(&name, domain);
    const struct routing_fact *fact = routing_facts_dns(facts, buffer_slice(&name), DNS_TXT);
    buffer_finish(&name);
    if (!fact)
        return ROUTING_TLS_REPORT_MISSING;
    if (fact->dns.outcome == DNS_TEMPORARY || fact->dns.outcome == DNS_BOGUS)
        return ROUTING_TLS_REPORT_TEMPORARY;
    for (size_t i = 0; fact->dns.outcome == DNS_FOUND && i < fact->dns.count; i++)
        count += routing_tls_report_parse(fact->dns.records[i].data, facts->arena, ret_report);
    return count == 1 && ret_report->count > 0 ? ROUTING_TLS_REPORT_FOUND : ROUTING_TLS_REPORT_NONE;
}
