/* SPDX-License-Identifier: ISC */
/* S/MIME around messages: what is sent is signed and encrypted, what is read is opened and its
 * signature looked at (RFC 8551).
 *
 * Certificates of others lie in $XDG_CONFIG_HOME/facteur/certificates/ADDRESS.pem: put there by
 * hand, or by a good signature that was shown. Authorities are those of authorities.pem beside the
 * accounts, where it is; else the system's. */
#ifndef TOOL_MAIL_SEAL_H
#define TOOL_MAIL_SEAL_H

#include "tool/mail/compose.h"
#include "tool/mail/view.h"

/* Signs the content with the account's certificate; encrypts it for all recipients and for the
 * account itself. EX_OK, or a code after having said whose certificate is missing. */
MUST_USE int seal_sign(const struct client_account *account, struct composed *composed);
MUST_USE int seal_encrypt(const struct client_account *account, struct composed *composed);

/* Opens what is encrypted for one of the accounts, looks at signatures, and puts what is inside in
 * the place of the view's content. What cannot be opened stays; the view says all of it. */
MUST_USE int seal_open(struct view *view, const struct client_accounts *accounts);

#endif
