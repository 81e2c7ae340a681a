/* SPDX-License-Identifier: ISC */
/* Content-Disposition (RFC 2183), and the name under which a part would be saved. */
#ifndef MIME_DISPOSITION_H
#define MIME_DISPOSITION_H

#include "base/buffer.h"
#include "mime/content_type.h"

struct mime_disposition {
    struct slice type; /* "inline", "attachment", … as written; at == NULL without the field */
    struct mime_parameters written;
    struct mime_parameters parameters; /* resolved */
};

/* Parses the body of the field (folded or not). Without type: an attachment (RFC 2183 2.8). */
struct mime_disposition mime_disposition_parse(struct slice body, struct arena *arena,
                                               const struct mime_place *place);

/* The file name in UTF-8: `filename` of the disposition, else `name` of the type (RFC 2183 2.3);
 * as sent: whoever writes a file passes it through mime_file_name_put. at == NULL without. */
struct slice mime_file_name(const struct mime_disposition *disposition,
                            const struct mime_content_type *content_type);

/* Puts a name that is safe below any folder: last path component only, nothing that commands a
 * terminal or turns its text round, no leading dots or dashes, at most 200 octets; "attachment"
 * when nothing is left, or without a name (at == NULL). */
void mime_file_name_put(struct buffer *buffer, struct slice name);

#endif
