/* SPDX-License-Identifier: ISC */
/* The keyring of a person's session (GNOME, KDE, KeePassXC: whatever has the Secret Service),
 * through libsecret's program secret-tool: no library of a desktop is in our process. */
#ifndef TOOL_MAIL_KEYRING_H
#define TOOL_MAIL_KEYRING_H

#include "base/buffer.h"

/* A session with a bus, and the program is there. That a keyring answers is seen by storing. */
bool keyring_is_there(void);

/* False when the keyring does not take it. */
MUST_USE bool keyring_store(const char *account, struct slice password);

/* Puts the password; false when there is none. */
MUST_USE bool keyring_look_up(const char *account, struct buffer *ret_password);

/* Also when there is none. */
void keyring_remove(const char *account);

#endif
