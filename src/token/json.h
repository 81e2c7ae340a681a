/* SPDX-License-Identifier: ISC */
/* Members of JSON objects as slices, and the base64 of tokens. Private to the room. */
#ifndef TOKEN_JSON_H
#define TOKEN_JSON_H

#include "base/buffer.h"

#include <jansson.h>

/* An object, or NULL; json_decref it. Names that come twice are refused (RFC 8725 §2.6). */
json_t *json_object_of(struct slice text);

/* A member that is a string; at is NULL for all else. Lives as long as the object. */
struct slice json_text(const json_t *object, const char *name);

/* base64url without padding (RFC 7515 §2). False, and nothing put, for anything else. */
MUST_USE bool json_base64_parse(struct slice text, struct buffer *out);

#endif
