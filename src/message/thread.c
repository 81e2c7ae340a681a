/* SPDX-License-Identifier: ISC */
#include "message/thread.h"

static bool
is_among(const struct slice *ids, size_t count, struct slice id)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(ids[i], id))
            return true;
    }
    return false;
}

void
thread_links_gather(struct arena *arena, const struct summary *summary,
                    struct thread_links *ret_links)
{
    struct thread_links links = {.message_id = message_id_parse(arena, summary->message_id)};
    struct message_id_list *ancestors = &links.ancestors;
    size_t kept = 0;

    message_id_list_parse(arena, summary->references, ancestors);
    if (ancestors->count == 0) {
        message_id_list_parse(arena, summary->in_reply_to, ancestors);
        ancestors->count = ancestors->count ? 1 : 0;
    }
    for (size_t i = 0; i < ancestors->count; i++) {
        struct slice id = ancestors->ids[i];
        if (!slice_equal(id, links.message_id) && !is_among(ancestors->ids, kept, id))
            ancestors->ids[kept++] = id;
    }
    ancestors->count = kept;
    *ret_links = links;
}
