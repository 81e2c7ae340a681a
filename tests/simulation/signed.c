/* SPDX-License-Identifier: ISC */
#include "signed.h"

#include "dkim/sign.h"
#include "tls/signer.h"

#include <stdlib.h>

static const struct slice field_begin = {(const uint8_t *)"\r\nDKIM-Signature:", 17};

unsigned
signed_count(struct slice received)
{
    struct slice rest = slice_first(received, slice_find(received, SLICE("\r\n\r\n")));
    unsigned count = 0;

    for (; rest.len > 0; count++) {
        size_t at = slice_find(rest, field_begin);
        if (at == rest.len)
            break;
        rest = slice_skip(rest, at + 2);
    }
    return count;
}

/* RFC 8463 §3: the digest is signed. */
static bool
sign(void *context, struct slice text, struct buffer *ret_signature)
{
    const struct tls_signer *signer = context;
    struct tls_sha256 *hash = tls_sha256_begin();
    uint8_t digest[TLS_SHA256_SIZE];

    tls_sha256_add(hash, text);
    tls_sha256_end(&hash, digest);
    const struct tls_signature_question question = {.key_id = tls_signer_id(signer),
                                                    .form = TLS_SIGNATURE_EDDSA,
                                                    .digest = TLS_SIGNATURE_NO_DIGEST,
                                                    .text = slice_of(digest, sizeof(digest))};
    return tls_signer_sign(signer, &question, ret_signature);
}

/* The field that the key makes of it at that time. */
static bool
put_field(struct slice message, int64_t time_s, struct buffer *field)
{
    struct tls_signer *signer = tls_signer_open_bare(SLICE(SIGNED_KEY), field);
    struct dkim_collection collection;
    struct dkim_content content;
    struct buffer names, fields;
    const struct dkim_wish wish = {.record_name = SLICE(SIGNED_RECORD),
                                   .algorithm = DKIM_ED25519_SHA256,
                                   .time_s = time_s,
                                   .content = &content};

    if (!signer)
        abort();
    buffer_init(&names, DKIM_NAMES_MAX);
    buffer_init(&fields, DKIM_HEADER_MAX);
    dkim_collection_begin(&collection);
    dkim_collection_take(&collection, message);
    bool is_made = dkim_collection_end(&collection, &names, &fields, &content) &&
                   dkim_field_put(&wish, sign, signer, field);
    dkim_collection_finish(&collection);
    buffer_finish(&names);
    buffer_finish(&fields);
    tls_signer_close(&signer);
    return is_made;
}

bool
signed_is_good(struct slice received, struct slice message)
{
    struct slice from = slice_skip(received, slice_find(received, field_begin));
    struct slice time = slice_skip(from, slice_find(from, SLICE("; t=")));
    struct buffer field;
    int64_t time_s = 0;

    if (from.len < 2)
        return false;
    for (size_t i = 4; i < time.len && byte_is_digit(time.at[i]); i++)
        time_s = time_s * 10 + (time.at[i] - '0');
    buffer_init(&field, DKIM_FIELD_MAX);
    bool is_good = put_field(message, time_s, &field) &&
                   slice_starts_with(slice_skip(from, 2), buffer_slice(&field));
    buffer_finish(&field);
    return is_good;
}
