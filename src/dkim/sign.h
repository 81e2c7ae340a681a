/* SPDX-License-Identifier: ISC */
/* Signing a message (RFC 6376 §5): what goes by is looked at once. Whoever has the message collects
 * what is to be signed; whoever has the key makes the field. relaxed/relaxed, SHA-256, no l=. */
#ifndef DKIM_SIGN_H
#define DKIM_SIGN_H

#include "dkim/canon.h"
#include "tls/digest.h"

enum {
    DKIM_HEADER_MAX = 60000, /* octets; a message with a longer header is not signed */
    DKIM_NAMES_MAX = 4096,   /* of h= */
    DKIM_DOMAIN_MAX = 255,
    DKIM_AUTHOR_MAX = 320, /* local part, "@", domain */
    DKIM_FIELD_MAX = 8192, /* of a DKIM-Signature: field that is made here */
};

/* ---- whoever has the message ----------------------------------------------------------------- */

struct dkim_collection {
    struct buffer header;
    uint8_t line_end; /* octets of CRLF CRLF that have come */
    bool is_header_over;
    bool is_too_long;
    struct dkim_body body;
    struct tls_sha256 *hash;
};

/* A message from its first octet on, in pieces of any size; finish frees, ended or not. */
void dkim_collection_begin(struct dkim_collection *collection);
void dkim_collection_take(struct dkim_collection *collection, struct slice piece);
void dkim_collection_finish(struct dkim_collection *collection);

/* The message is over. Puts the address of its author, the domain in lower case: From: must be
 * there once and name one address, in a way that all read alike. False when it cannot be signed. */
MUST_USE bool dkim_collection_author(const struct dkim_collection *collection,
                                     struct buffer *ret_address);
/* What stands behind the "@" of such an address. */
struct slice dkim_author_domain(struct slice address);

/* What is to be signed. */
struct dkim_content {
    struct slice names;  /* as h= has them; more than are there, where nothing may be added */
    struct slice fields; /* in canonical form, in the order of names */
    uint8_t body_hash[TLS_SHA256_SIZE];
};
/* Puts both and borrows from there; once, at the end. False when they are too long. */
MUST_USE bool dkim_collection_end(struct dkim_collection *collection, struct buffer *names,
                                  struct buffer *fields, struct dkim_content *ret_content);

/* ---- whoever has the key --------------------------------------------------------------------- */

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256 /* RFC 8463 */ };

/* Takes "SELECTOR._domainkey.DOMAIN" apart, the name of a key's record (§3.6.2.1). */
MUST_USE bool dkim_record_name_parse(struct slice name, struct slice *ret_selector,
                                     struct slice *ret_domain);

/* Puts the signature of `text`. */
typedef bool (*dkim_sign_fn)(void *context, struct slice text, struct buffer *ret_signature);

struct dkim_wish {
    struct slice record_name;
    enum dkim_algorithm algorithm;
    int64_t time_s; /* t=, since 1970 */
    const struct dkim_content *content;
};
/* Puts the whole field, with its CRLF. False when the name is none or the key did not sign. */
MUST_USE bool dkim_field_put(const struct dkim_wish *wish, dkim_sign_fn sign, void *context,
                             struct buffer *ret_field);

#endif
