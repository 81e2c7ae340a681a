/* SPDX-License-Identifier: ISC */
/* People with certificates, made for a test. */
#ifndef SMIME_TESTS_PEOPLE_H
#define SMIME_TESTS_PEOPLE_H

#include "base/buffer.h"

struct people_authority;
struct people_authority *people_authority_open(const char *name);
void people_authority_close(struct people_authority **authority);
/* Puts the authority's certificate. */
void people_put_authority(const struct people_authority *authority, struct buffer *out);
/* Puts a person's key and certificate, or the certificate alone; valid from now for `days`. */
void people_put(struct people_authority *authority, const char *address, int days,
                struct buffer *identity, struct buffer *certificate);

#endif
