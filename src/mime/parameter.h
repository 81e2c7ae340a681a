/* SPDX-License-Identifier: ISC */
/* Parameters of Content-Type and Content-Disposition: RFC 2045 5.1, RFC 2231, and what occurs in
 * their place (unquoted values with spaces, missing closing quotes, encoded words inside quotes,
 * 8-bit octets).
 *
 * There are two forms. As *written*: names as they stand in the field ("filename*0*"), values
 * without quotes; that is what IMAP shows. *Resolved*: sections joined, percent and charset
 * decoded, values in UTF-8, names without stars, each name once. */
#ifndef MIME_PARAMETER_H
#define MIME_PARAMETER_H

#include "base/arena.h"
#include "base/cursor.h"
#include "mime/defect.h"

/* More than a legitimate field has: the longest file name (255 octets of UTF-8, percent encoded)
 * fills 12 sections. The bound also keeps joining of sections, which compares all with all, cheap
 * (Dovecot's CVE-2026-27859 came from having none). */
enum { MIME_PARAMETERS_MAX = 64 };

/* A resolved value is cut at this many octets. */
enum { MIME_PARAMETER_VALUE_MAX = 8192 };

struct mime_parameter {
    struct slice name;
    struct slice value;
    struct slice language; /* RFC 2231 5; resolved form only, mostly empty */
};

struct mime_parameters {
    const struct mime_parameter *items; /* in the arena; NULL when there are none */
    size_t count;
};

/* Where the parameters stand: for the offsets of defects. */
struct mime_place {
    const uint8_t *message; /* first octet of the message the cursor points into */
    struct mime_defects *defects;
};

/* Reads `*( ";" parameter )` up to the end of the cursor. Values are slices of the field where
 * they can be, else copies in the arena. Never fails. */
struct mime_parameters mime_parameters_take(struct cursor *cursor, struct arena *arena,
                                            const struct mime_place *place);

/* Makes the resolved form; returns `written` itself when nothing had to be done. `offset`, of the
 * field, is given to defects. */
struct mime_parameters mime_parameters_resolve(struct mime_parameters written, struct arena *arena,
                                               struct mime_defects *defects, size_t offset);

/* The value of the first parameter of that name (ASCII case does not matter); at == NULL when
 * there is none. */
struct slice mime_parameters_find(struct mime_parameters parameters, struct slice name);

#endif
