/* SPDX-License-Identifier: ISC */
/* Making messages: a tree of parts, put into a buffer as RFC 5322 and MIME text with CRLF. */
#ifndef MIME_BUILD_H
#define MIME_BUILD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "message/address.h"
#include "mime/parameter.h"

/* A part to be built. Everything is allocated in the arena given at birth; slices handed in are
 * borrowed until mime_draft_put. */
struct mime_draft;

enum { MIME_DRAFT_DEPTH_MAX = 20, MIME_DRAFT_PARTS_MAX = 1000 };

/* Text, in UTF-8 with any line ends. The narrowest charset (of plain text charset_narrowest, of
 * others us-ascii or utf-8) and the gentlest encoding (7bit, quoted-printable, base64) are chosen.
 * subtype: "plain", "html". */
MUST_USE struct mime_draft *mime_draft_new_text(struct arena *arena, const char *subtype,
                                                struct slice text);

/* Any octets, as base64. `type` is "image/png". */
MUST_USE struct mime_draft *mime_draft_new_bytes(struct arena *arena, const char *type,
                                                 struct slice bytes);

/* Octets that are put as they are; 7bit, 8bit or, for over-long lines and NUL, binary. For types
 * that must not be encoded: message/delivery-status. */
MUST_USE struct mime_draft *mime_draft_new_verbatim(struct arena *arena, const char *type,
                                                    struct slice octets);

/* A message inside the message: message/rfc822, verbatim; but one from a file of Unix, without any
 * CRLF, is given them. */
MUST_USE struct mime_draft *mime_draft_new_message(struct arena *arena, struct slice message);

/* What a file of this name holds: an attachment that says so, typed by the name (file_type.h). A
 * message (.eml) is message/rfc822; text that is UTF-8 says that it is; text that is not goes as
 * octets, for nobody knows its charset. */
MUST_USE struct mime_draft *mime_draft_new_file(struct arena *arena, struct slice name,
                                                struct slice bytes);

/* A multipart without parts yet. subtype: "mixed", "alternative", "digest", … The messages of a
 * digest need no type: it goes without saying there (RFC 2046 5.1.5). */
MUST_USE struct mime_draft *mime_draft_new_multipart(struct arena *arena, const char *subtype);

/* Adds `part` (which must be in no other) as the last child of a multipart. */
void mime_draft_append(struct mime_draft *multipart, struct mime_draft *part);

/* Adds a field that is put before the Content- fields, in order of addition. `body` must be
 * well-formed field content already, like an address list or a message id; it is folded at
 * blanks. Line ends in it become blanks: nobody can smuggle in a field. */
void mime_draft_add_field(struct mime_draft *draft, const char *name, struct slice body);

/* The same for a list of addresses; names that are not ASCII become encoded words, in the list
 * too. Nothing for an empty list. */
void mime_draft_add_addresses(struct mime_draft *draft, const char *name,
                              struct address_list *list);

/* The same for human text in UTF-8: Subject, Comments. Encoded words are made where needed. */
void mime_draft_add_text_field(struct mime_draft *draft, const char *name, struct slice text);

/* Adds a parameter to Content-Type; value in UTF-8, RFC 2231 form is used where needed. */
void mime_draft_add_parameter(struct mime_draft *draft, const char *name, struct slice value);

/* "inline" or "attachment", and the file name in UTF-8 (or empty). */
void mime_draft_set_disposition(struct mime_draft *draft, const char *type, struct slice file_name);

/* Fresh boundaries are made of these: 16 random octets from the caller. */
struct mime_draft_entropy {
    uint8_t bytes[16];
};

/* Puts the whole: fields, MIME-Version, Content- fields, bodies. Boundaries are checked against
 * the content and changed until none occurs in it. False, with the buffer cut back, when the
 * buffer or arena was too small, or the draft deeper than MIME_DRAFT_DEPTH_MAX. */
MUST_USE bool mime_draft_put(const struct mime_draft *draft,
                             const struct mime_draft_entropy *entropy, struct buffer *buffer);

/* Puts `; name=value`, folded before it when the line would pass 76; quoted when needed, and in
 * the sections of RFC 2231 when it is long or not ASCII (then in charset_narrowest). Returns the
 * new column. */
size_t mime_parameter_put(struct buffer *buffer, size_t column, struct slice name,
                          struct slice value);

#endif
