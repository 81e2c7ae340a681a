/* SPDX-License-Identifier: ISC */
/* All that a message says, as UTF-8, for a text index (RFC 9051 §6.4.4: BODY and TEXT look at
 * decoded text). It comes in pieces that cut no character. */
#ifndef MIME_TEXT_H
#define MIME_TEXT_H

#include "mime/part.h"

/* Takes the next piece; false to be given no more. */
typedef bool (*mime_text_fn)(void *context, struct slice text);

/* The header fields of the message, `Name: body` a line, encoded words decoded, and what among them
 * is no field; without those that hold signatures (DKIM, ARC). */
void mime_text_head(const struct mime_tree *tree, mime_text_fn fn, void *context);

/* What its parts say: text of any kind, transfer encoding and charset undone, HTML without tags;
 * names and descriptions of attachments; of messages inside also the header. */
void mime_text_body(const struct mime_tree *tree, mime_text_fn fn, void *context);

#endif
