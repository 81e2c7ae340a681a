/* SPDX-License-Identifier: ISC */
/* Private to seal.c and unseal.c. */
#ifndef TOOL_MAIL_SEAL_PRIVATE_H
#define TOOL_MAIL_SEAL_PRIVATE_H

#include "smime/smime.h"
#include "tool/mail/seal.h"

/* The account's certificate and key; NULL after having said why. */
struct smime_identity *seal_identity(const struct client_account *account, bool is_quiet);

/* The path of somebody's certificate; owned by the caller. NULL for what is no sound name of a
 * file. */
char *seal_certificate_path(struct slice address);

/* Puts the fields of a message that are about it, or about its content, as they stand. */
void seal_put_outer(struct slice message, struct buffer *out);
void seal_put_entity(struct slice message, struct buffer *out);

#endif
