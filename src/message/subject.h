/* SPDX-License-Identifier: ISC */
/* The base subject, by which replies are known to belong together: RFC 5256 §2.1. */
#ifndef MESSAGE_SUBJECT_H
#define MESSAGE_SUBJECT_H

#include "base/arena.h"

struct subject_base {
    struct slice text;              /* blanks made single; case is kept; may be empty */
    bool is_reply_or_forward;       /* something was taken away that says so */
};

/* `subject` is unfolded and decoded to UTF-8 (step 1 of §2.1 is the caller's: encoded words are
 * room mime's). The text borrows or lives in the arena. */
struct subject_base subject_base(struct arena *arena, struct slice subject);

#endif
