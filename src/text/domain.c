/* SPDX-License-Identifier: ISC */
/* The only file that knows libidn2. */
#include "text/domain.h"
#include "text/utf8.h"

#include <idn2.h>

static bool
label_is_valid(struct slice label)
{
    if (label.len == 0 || label.len > DOMAIN_LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++) {
        uint8_t octet = label.at[i];
        bool is_inner = i > 0 && i + 1 < label.len;
        if (!byte_is_alpha(octet) && !byte_is_digit(octet) && !(octet == '-' && is_inner))
            return false;
    }
    return true;
}

bool
domain_is_valid(struct slice domain)
{
    if (domain.len == 0 || domain.len > DOMAIN_BYTES_MAX)
        return false;
    for (;;) {
        size_t len = slice_find_byte(domain, '.');
        if (!label_is_valid(slice_first(domain, len)))
            return false;
        if (len == domain.len)
            return true;
        domain = slice_skip(domain, len + 1);
    }
}

static bool
has_a_label(struct slice domain)
{
    for (;;) {
        if (slice_starts_with_nocase(domain, SLICE("xn--")))
            return true;
        size_t len = slice_find_byte(domain, '.');
        if (len == domain.len)
            return false;
        domain = slice_skip(domain, len + 1);
    }
}

static void
put_lower(struct buffer *buffer, struct slice text)
{
    uint8_t *to = buffer_reserve(buffer, text.len);

    if (!to)
        return;
    for (size_t i = 0; i < text.len; i++)
        to[i] = byte_to_lower(text.at[i]);
    buffer_commit(buffer, text.len);
}

/* The ASCII form of a name that is not plain ASCII, or claims to have A-labels. */
static bool
put_looked_up(struct slice domain, struct buffer *out)
{
    char name[DOMAIN_UNICODE_BYTES_MAX + 1];
    char *ascii = NULL;

    if (memchr(domain.at, 0, domain.len) || !utf8_is_valid(domain))
        return false;
    memcpy(name, domain.at, domain.len);
    name[domain.len] = 0;
    if (idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    bool is_valid = domain_is_valid(slice_of_string(ascii));
    if (is_valid)
        put_lower(out, slice_of_string(ascii));
    idn2_free(ascii);
    return is_valid;
}

bool
domain_to_ascii(struct slice domain, struct buffer *out)
{
    if (slice_ends_with(domain, SLICE(".")))
        domain.len--;
    if (domain.len == 0 || domain.len > DOMAIN_UNICODE_BYTES_MAX)
        return false;
    if (!utf8_is_ascii(domain) || has_a_label(domain))
        return put_looked_up(domain, out);
    if (!domain_is_valid(domain))
        return false;
    put_lower(out, domain);
    return true;
}

bool
domain_equal(struct slice left, struct slice right)
{
    struct buffer left_ascii, right_ascii;
    bool is_equal;

    if (slice_equal_nocase(left, right))
        return true;
    if (utf8_is_ascii(left) && utf8_is_ascii(right) &&
        !slice_ends_with(left, SLICE(".")) && !slice_ends_with(right, SLICE(".")))
        return false;
    buffer_init(&left_ascii, DOMAIN_BYTES_MAX);
    buffer_init(&right_ascii, DOMAIN_BYTES_MAX);
    is_equal = domain_to_ascii(left, &left_ascii) && domain_to_ascii(right, &right_ascii) &&
               slice_equal(buffer_slice(&left_ascii), buffer_slice(&right_ascii));
    buffer_finish(&left_ascii);
    buffer_finish(&right_ascii);
    return is_equal;
}
