/* SPDX-License-Identifier: ISC */
/* Ann's key (EC) and her certificate, which she signed herself, good for a hundred years. */
#ifndef SMIME_TESTS_ANN_H
#define SMIME_TESTS_ANN_H

#define ANN_KEY                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgM9NTs4WgVmm/KGvb\n"                           \
    "NuO1Q3oFxHHTXHtJ6MfiRX4KFMuhRANCAASRp6G1zrpqI0YfgX+3Gsit0tEcmJiP\n"                           \
    "c+9bxdiny1GfikT5JJkAScGgl2ipACGA/A6p982sRC5RZeuBGHbes3WT\n"                                   \
    "-----END PRIVATE KEY-----\n"

#define ANN_CERTIFICATE                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBszCCAVqgAwIBAgIUTdYjXrfuoX2U3MGB9ZaJ2SmrWi0wCgYIKoZIzj0EAwIw\n"                           \
    "DjEMMAoGA1UEAwwDQW5uMCAXDTI2MTEyMjExMTgxOFoYDzIxMjYxMDI5MTExODE4\n"                           \
    "WjAOMQwwCgYDVQQDDANBbm4wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASRp6G1\n"                           \
    "zrpqI0YfgX+3Gsit0tEcmJiPc+9bxdiny1GfikT5JJkAScGgl2ipACGA/A6p982s\n"                           \
    "RC5RZeuBGHbes3WTo4GTMIGQMB0GA1UdDgQWBBTGxYtAFHVM7Iyms3qlAMDGOpY5\n"                           \
    "rTAfBgNVHSMEGDAWgBTGxYtAFHVM7Iyms3qlAMDGOpY5rTAPBgNVHRMBAf8EBTAD\n"                           \
    "AQH/MBsGA1UdEQQUMBKBEGFubkBleGFtcGxlLnRlc3QwCwYDVR0PBAQDAgKMMBMG\n"                           \
    "A1UdJQQMMAoGCCsGAQUFBwMEMAoGCCqGSM49BAMCA0cAMEQCIDypsieNVK9WIW4f\n"                           \
    "stZr7nAdQviNm6eBlIGZXjbhFcZXAiB5GkwsECtSwRexTiaSrCXJM6ZQjR1rRKGv\n"                           \
    "Wdcl2Rv7PA==\n"                                                                               \
    "-----END CERTIFICATE-----\n"

#endif
