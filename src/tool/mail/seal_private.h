/* SPDX-License-Identifier: ISC */
/* Private to seal*.c and unseal*.c. */
#ifndef TOOL_MAIL_SEAL_PRIVATE_H
#define TOOL_MAIL_SEAL_PRIVATE_H

#include "smime/smime.h"
#include "tool/mail/seal.h"

/* The account's certificate and key; NULL after having said why. */
struct smime_identity *seal_identity(const struct client_account *account, bool is_quiet);

/* The path of somebody's certificate; owned by the caller. NULL for what is no sound name of a
 * file. */
char *seal_certificate_path(struct slice address);
/* True when it is there. */
bool seal_has_certificate(struct slice address);

/* ---- putting ---- */

/* Puts the fields of a message that are about it, or about its content, as they stand. */
void seal_put_outer(struct slice message, struct buffer *out);
void seal_put_entity(struct slice message, struct buffer *out);

/* Puts lines of base64; the last one has its end. */
void seal_put_base64(struct slice bytes, struct buffer *out);

/* A multipart around what is sealed: the message's own fields, a first part and a second. */
struct seal_pair {
    struct slice type; /* of the multipart, with its parameters but the boundary */
    struct slice preamble;
    struct slice first; /* whole entities, header included, that end without a line end */
    struct slice second;
};
/* Puts the message with the pair as its content. */
void seal_put_pair(struct slice message, const struct seal_pair *pair, struct buffer *out);

/* Each replaces the content of what is composed; the content is of 7 bits already. */
MUST_USE int seal_put_smime(const struct client_account *account, const struct seal_wish *wish,
                            struct composed *composed);
MUST_USE int seal_put_openpgp(const struct seal_wish *wish, struct composed *composed);

/* ---- opening ---- */

/* What a signature is worth, whatever made it. Strings as they came. */
struct seal_verdict {
    enum view_signature kind;
    struct slice name;
    const struct slice *addresses;
    size_t addresses_count;
    struct slice bond; /* "vouched for by …": why the signer is believed */
    struct slice why;  /* … or not */
    bool is_cut;       /* of the text only what stands above a mark is signed */
};

/* Keeps and tells a verdict about what part `index` of the view holds: the whole, for the root. A
 * good signature by somebody else than the sender is told as such. */
void seal_tell(struct view *view, const struct seal_verdict *verdict, uint32_t index);

/* The signature of a multipart/signed of this kind. */
void seal_verify_smime(struct view *view, uint32_t index);
void seal_verify_openpgp(struct view *view, uint32_t index);

/* Takes one layer off the root: puts the entity that was inside. False when it stays closed. */
MUST_USE bool seal_open_smime(struct view *view, const struct client_accounts *accounts,
                              struct buffer *inside);
MUST_USE bool seal_open_openpgp(struct view *view, struct buffer *inside);

/* Text of part `index` that is sealed in itself, without MIME; puts an entity with what it says. */
bool seal_is_inline(const struct view *view, uint32_t index);
MUST_USE bool seal_open_inline(struct view *view, uint32_t index, struct buffer *inside);

#endif
