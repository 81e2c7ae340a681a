/* SPDX-License-Identifier: ISC */
/* Pieces of SCRAM's grammar (RFC 5802 §7) that both sides read or write. */
#ifndef SASL_SCRAM_GRAMMAR_H
#define SASL_SCRAM_GRAMMAR_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "sasl/digest.h"

/* The nonce that one side sends; together they are twice as long at most. */
enum { SASL_SCRAM_NONCE_MAX = 256 };

/* attr "=" value: takes "x=" and the value up to a comma or the end. */
MUST_USE bool sasl_scram_take_value(struct cursor *cursor, char attribute, struct slice *ret_value);

/* *("," attr-val): extensions that are not known may be ignored; mandatory ones (m=) may not. */
MUST_USE bool sasl_scram_skip_extensions(struct cursor *cursor);

/* c-nonce, s-nonce: printable ASCII without a comma. */
MUST_USE bool sasl_scram_nonce_is_valid(struct slice nonce, size_t max);

/* saslname: "," and "=" travel as =2C and =3D. */
MUST_USE bool sasl_scram_put_name_decoded(struct buffer *buffer, struct slice name);
void sasl_scram_put_name(struct buffer *buffer, struct slice name);

/* The base64 of one digest; exactly its length. */
MUST_USE bool sasl_scram_digest_parse(struct slice text, size_t len, uint8_t *ret_digest);

/* proof = key XOR signature; the other way round as well. */
void sasl_scram_mix(const uint8_t *left, const uint8_t *right, size_t len, uint8_t *ret_mix);

#endif
