/* SPDX-License-Identifier: ISC */
#include "role/tls_result.h"

const char *
tls_result_name(enum store_transport_tls_result result)
{
    static const char *const names[STORE_TRANSPORT_TLS_RESULT_COUNT] = {
        [STORE_TRANSPORT_TLS_RESULT_NOT_SUPPORTED] = "starttls-not-supported",
        [STORE_TRANSPORT_TLS_RESULT_HOST_MISMATCH] = "certificate-host-mismatch",
        [STORE_TRANSPORT_TLS_RESULT_EXPIRED] = "certificate-expired",
        [STORE_TRANSPORT_TLS_RESULT_NOT_TRUSTED] = "certificate-not-trusted",
        [STORE_TRANSPORT_TLS_RESULT_VALIDATION] = "validation-failure",
        [STORE_TRANSPORT_TLS_RESULT_TLSA_INVALID] = "tlsa-invalid",
        [STORE_TRANSPORT_TLS_RESULT_DNSSEC_INVALID] = "dnssec-invalid",
        [STORE_TRANSPORT_TLS_RESULT_STS_WEBPKI] = "sts-webpki-invalid",
        [STORE_TRANSPORT_TLS_RESULT_STS_FETCH] = "sts-policy-fetch-error",
        [STORE_TRANSPORT_TLS_RESULT_STS_INVALID] = "sts-policy-invalid",
    };

    return names[result];
}
