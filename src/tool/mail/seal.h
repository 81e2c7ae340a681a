/* SPDX-License-Identifier: ISC */
/* What is sent is signed and encrypted, what is read is opened and its signature looked at: with
 * S/MIME (RFC 8551) or OpenPGP (RFC 3156).
 *
 * S/MIME: certificates of others lie in $XDG_CONFIG_HOME/facteur/certificates/ADDRESS.pem: put
 * there by hand, or by a good signature that was shown. Authorities are those of authorities.pem
 * beside the accounts, where it is; else the system's. OpenPGP: keys, and how far they are trusted,
 * are those of the user's GnuPG. */
#ifndef TOOL_MAIL_SEAL_H
#define TOOL_MAIL_SEAL_H

#include "tool/mail/compose.h"
#include "tool/command.h"
#include "tool/mail/view.h"

enum seal_form {
    SEAL_ANY, /* the one that keys are there for; with both, S/MIME */
    SEAL_SMIME,
    SEAL_OPENPGP
};

struct seal_wish {
    bool is_signed, is_encrypted;
    enum seal_form form;
};

/* Options of commands that send. */
#define SEAL_OPTIONS                                                                               \
    {"sign", NULL, "Sign it, with the account's certificate (S/MIME) or your OpenPGP key."},       \
        {"encrypt", NULL,                                                                          \
         "Encrypt it for all recipients and for yourself; the subject stays readable."},           \
    {                                                                                              \
        "seal", "FORM", "What to sign and encrypt with: smime or openpgp; default: what fits."     \
    }

/* What the options say. EX_OK, or a code after having said what is wrong. */
MUST_USE int seal_read_options(const struct command_call *call, struct seal_wish *ret_wish);

/* Signs the content and encrypts it for all recipients and for who writes. EX_OK, or a code after
 * having said whose certificate or key is missing; then nothing may be sent. */
MUST_USE int seal_put(const struct client_account *account, const struct seal_wish *wish,
                      struct composed *composed);

/* Opens what is encrypted for one of the accounts, looks at signatures, and puts what is inside in
 * the place of the view's content. What cannot be opened stays; the view says all of it. */
MUST_USE int seal_open(struct view *view, const struct client_accounts *accounts);

#endif
