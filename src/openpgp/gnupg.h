/* SPDX-License-Identifier: ISC */
/* Answers by GnuPG, through GPGME. */
#ifndef OPENPGP_GNUPG_H
#define OPENPGP_GNUPG_H

#include "openpgp/exchange.h"

/* Does what is asked with the keys of the user whose process this is; may wait for a passphrase,
 * which GnuPG asks for itself. Never fails: what went wrong is in the answer. Strings of the answer
 * are in the arena. */
struct openpgp_answer gnupg_answer(const struct openpgp_question *question, struct arena *arena);

#endif
