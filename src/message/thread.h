/* SPDX-License-Identifier: ISC */
/* What RFC 5256's THREAD=REFERENCES wants to know of one message. */
#ifndef MESSAGE_THREAD_H
#define MESSAGE_THREAD_H

#include "message/message_id.h"
#include "message/summary.h"

struct thread_links {
    struct slice message_id;          /* without brackets; empty when there is no valid one */
    struct message_id_list ancestors; /* oldest first, without this message's own id and without
                                         repetitions: from References, or the first id of
                                         In-Reply-To when References has none (§3, step 1) */
};

/* Never fails; what the message does not have is empty. Slices as in the summary. */
void thread_links_gather(struct arena *arena, const struct summary *summary,
                         struct thread_links *ret_links);

#endif
