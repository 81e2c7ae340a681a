/* SPDX-License-Identifier: ISC */
/* Bodies that are not in the message (message/external-body: RFC 2046 §5.2.3, RFC 2017). */
#ifndef MIME_EXTERNAL_H
#define MIME_EXTERNAL_H

#include "mime/build.h"
#include "mime/part.h"

struct mime_external {
    struct slice access; /* how it is to be had: "URL", "anon-ftp", "mail-server" */
    struct slice url;    /* without the blanks that may stand in it (RFC 2017 §3); or empty */
    struct slice name, site, directory, server; /* of the older ways; or empty */
    struct slice type, subtype;                 /* of the body itself */
    struct slice file_name;                     /* its name; or empty */
    struct slice size, expiration;              /* as they are said; or empty */
};

/* Reads what part `index`, a message/external-body, says of the body that it stands for. Borrowed
 * from the tree and the arena. Nothing is fetched, here or elsewhere. */
void mime_external_parse(const struct mime_tree *tree, uint32_t index, struct arena *arena,
                         struct mime_external *ret_external);

/* A part that stands for what can be had at `url`, named and typed by the end of its path. `id` is
 * its Content-ID, without brackets, which it must have. NULL when the URL is none: a scheme, a
 * colon, and behind it printable ASCII without blanks. */
MUST_USE struct mime_draft *mime_draft_new_external(struct arena *arena, struct slice url,
                                                    struct slice id);

#endif
