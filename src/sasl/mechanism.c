/* SPDX-License-Identifier: ISC */
#include "sasl/mechanism.h"

static const struct {
    struct slice name;
    bool is_plaintext;
    bool is_bound;
} mechanisms[SASL_MECHANISMS] = {
    [SASL_PLAIN] = {{(const uint8_t *)"PLAIN", 5}, true, false},
    [SASL_LOGIN] = {{(const uint8_t *)"LOGIN", 5}, true, false},
    [SASL_SCRAM_SHA_1] = {{(const uint8_t *)"SCRAM-SHA-1", 11}, false, false},
    [SASL_SCRAM_SHA_1_PLUS] = {{(const uint8_t *)"SCRAM-SHA-1-PLUS", 16}, false, true},
    [SASL_SCRAM_SHA_256] = {{(const uint8_t *)"SCRAM-SHA-256", 13}, false, false},
    [SASL_SCRAM_SHA_256_PLUS] = {{(const uint8_t *)"SCRAM-SHA-256-PLUS", 18}, false, true},
    [SASL_OAUTHBEARER] = {{(const uint8_t *)"OAUTHBEARER", 11}, true, false},
    [SASL_XOAUTH2] = {{(const uint8_t *)"XOAUTH2", 7}, true, false},
    [SASL_EXTERNAL] = {{(const uint8_t *)"EXTERNAL", 8}, true, false},
};

bool
sasl_mechanism_parse(struct slice name, enum sasl_mechanism *ret_mechanism)
{
    for (unsigned i = 0; i < SASL_MECHANISMS; i++) {
        if (slice_equal_nocase(name, mechanisms[i].name)) {
            *ret_mechanism = (enum sasl_mechanism)i;
            return true;
        }
    }
    return false;
}

struct slice
sasl_mechanism_name(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].name;
}

bool
sasl_mechanism_is_plaintext(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].is_plaintext;
}

bool
sasl_mechanism_is_bearer(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2;
}

bool
sasl_mechanism_is_bound(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].is_bound;
}
