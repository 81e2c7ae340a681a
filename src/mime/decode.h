/* SPDX-License-Identifier: ISC */
/* The content of a part: transfer encoding undone (RFC 2045 6), and for text the charset turned
 * into UTF-8. Read in pieces, so that an attachment of any size takes fixed memory. */
#ifndef MIME_DECODE_H
#define MIME_DECODE_H

#include "base/buffer.h"
#include "mime/content_type.h"

enum { MIME_DECODE_PIECE = 16 * 1024 };

struct mime_decoder;

/* `body` must live as long as the decoder. `offset`, of the body in its message, is given to
 * defects, which may be NULL. Close it with mime_decoder_close. */
struct mime_decoder *mime_decoder_open(struct slice body, enum mime_encoding encoding,
                                       struct mime_defects *defects, size_t offset);

/* The same, and the result in UTF-8 from this charset. */
struct mime_decoder *mime_decoder_open_text(struct slice body, enum mime_encoding encoding,
                                            struct slice charset, struct mime_defects *defects,
                                            size_t offset);

/* The next piece, not empty, valid until the next call; false at the end. */
MUST_USE bool mime_decoder_next(struct mime_decoder *decoder, struct slice *ret_piece);

/* Smaller pieces, for who may need only the first of them. */
void mime_decoder_set_piece(struct mime_decoder *decoder, size_t octets);

/* Accepts a pointer to NULL; sets the pointer to NULL. */
void mime_decoder_close(struct mime_decoder **decoder);

/* All at once; what goes over the buffer's bound is dropped (buffer_overflowed). */
void mime_decode(struct buffer *buffer, struct slice body, enum mime_encoding encoding,
                 struct mime_defects *defects, size_t offset);

#endif
