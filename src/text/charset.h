/* SPDX-License-Identifier: ISC */
/* The character sets of mail, to UTF-8 and (a few) back. Only sets on the list of this room are
 * known, under all names that occur for them (IANA's aliases and the wrong ones). Conversion never
 * fails: octets that mean nothing become U+FFFD and are counted. */
#ifndef TEXT_CHARSET_H
#define TEXT_CHARSET_H

#include "base/buffer.h"

struct charset;

/* The set that has this name (case does not matter), or NULL when it is not known here. */
const struct charset *charset_find(struct slice name);

/* The preferred MIME name, lower-case: "utf-8", "iso-8859-1". */
struct slice charset_name(const struct charset *charset);

/* Walks over all sets: start with *place = 0; NULL at the end. */
const struct charset *charset_next(size_t *place);

struct charset_report {
    uint64_t bad_count;   /* pieces that became U+FFFD (or '?', when encoding) */
    bool is_unknown;      /* charset was NULL: guessed, UTF-8 if it is that, else windows-1252 */
    bool is_mislabelled;  /* said to be us-ascii, but had 8-bit octets: guessed in the same way */
};

/* Puts `text` as valid UTF-8. `charset` NULL: one that is not known. What calls itself iso-8859-1
 * is read as windows-1252, as everybody does. A byte order mark at the start of the Unicode sets
 * is dropped. */
struct charset_report charset_to_utf8(const struct charset *charset, struct slice text,
                                      struct buffer *out);

/* The same for text that comes in pieces: the result does not depend on where they were cut (but
 * a guess is made at the first piece that has 8-bit octets). Finish must be called: it frees. */
struct charset_decoder {
    const struct charset *charset;
    struct charset_report report;
    void *converter;     /* iconv's, owned; NULL when the set needs none */
    uint8_t pending[16]; /* the beginning of a character that is not complete */
    uint8_t pending_len;
    bool is_started;     /* something was decoded: no byte order mark can come */
};

/* charset NULL: as in charset_to_utf8. Finish puts what was left of a cut character as U+FFFD. */
void charset_decoder_init(struct charset_decoder *decoder, const struct charset *charset);
void charset_decoder_feed(struct charset_decoder *decoder, struct slice text, struct buffer *out);
void charset_decoder_finish(struct charset_decoder *decoder, struct buffer *out);

/* The narrowest of us-ascii, iso-8859-1, iso-8859-15 and utf-8 that can write this UTF-8 text: what
 * a builder of messages should label it with. */
const struct charset *charset_narrowest(struct slice text);

/* Puts UTF-8 text in `charset`; what it cannot write becomes '?' and is counted. For sets of one
 * octet a character and UTF-8; false, and nothing put, for the others: mail is not written in
 * them. */
MUST_USE bool charset_from_utf8(const struct charset *charset, struct slice text,
                                struct buffer *out, struct charset_report *ret_report);

/* iconv loads converters of East Asian sets and of UTF-7, 16 and 32 from files. A process that will
 * be confined opens them all before, and keeps them for as long as it converts; others need not.
 * (About a millisecond; the tables are shared and touched only when used.) */
struct charset_modules;
struct charset_modules *charset_modules_open(void);
void charset_modules_close(struct charset_modules **modules);

#endif
