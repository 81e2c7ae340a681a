/* SPDX-License-Identifier: ISC */
#include "imap/portion.h"

/* ---- counting ------------------------------------------------------------------------------ */

static bool
counts(const struct imap_server *server, uint32_t place, bool is_deleted_only)
{
    return !is_deleted_only || server->view.mailbox->flags[place] & IMAP_DELETED;
}

static uint32_t
count_of(struct imap_server *server, const struct imap_set *places, bool is_deleted_only)
{
    struct imap_walk walk;
    uint32_t place, number, count = 0;

    imap_walk_init(&walk, &server->view, places);
    while (imap_walk_next(&walk, &place, &number))
        count += counts(server, place, is_deleted_only);
    return count;
}

/* The lowest place of the highest `max`; 0 is no limit. */
static bool
find_edge(struct imap_server *server, uint32_t max, const struct imap_set *places,
          bool is_deleted_only, uint32_t *ret_place)
{
    uint32_t place, number;
    struct imap_walk walk;

    server->portion_max = max;
    if (max == 0)
        return false;
    uint32_t count = count_of(server, places, is_deleted_only);
    if (count <= max)
        return false;
    uint32_t skipped = count - max;
    imap_walk_init(&walk, &server->view, places);
    while (imap_walk_next(&walk, &place, &number)) {
        if (!counts(server, place, is_deleted_only) || skipped-- > 0)
            continue;
        server->portion_uid = server->view.mailbox->uids[place];
        *ret_place = place;
        return true;
    }
    return false;
}

bool
imap_portion_is_over(struct imap_server *server, const struct imap_set *places,
                     bool is_deleted_only)
{
    uint32_t edge;

    return find_edge(server, server->options.messages_max, places, is_deleted_only, &edge);
}

/* MESSAGELIMIT stands for both where it is announced (§3). */
static uint32_t
saves_max(const struct imap_server *server)
{
    return server->options.messages_max > 0 ? server->options.messages_max
                                            : server->options.saves_max;
}

bool
imap_portion_is_copy_over(struct imap_server *server, const struct imap_set *places)
{
    uint32_t edge;

    return find_edge(server, saves_max(server), places, false, &edge);
}

bool
imap_portion_is_append_over(struct imap_server *server, size_t count)
{
    server->portion_max = saves_max(server);
    return server->portion_max > 0 && count > server->portion_max;
}

/* ---- sets ---------------------------------------------------------------------------------- */

/* What is in both; in the arena. */
static struct imap_set
meet(struct imap_server *server, const struct imap_set *left, const struct imap_set *right)
{
    struct imap_range *ranges =
        ARENA_ARRAY(&server->arena, struct imap_range, left->count + right->count + 1);
    size_t i = 0, j = 0, count = 0;

    while (ranges && i < left->count && j < right->count) {
        const struct imap_range *a = &left->at[i], *b = &right->at[j];
        uint32_t first = a->first > b->first ? a->first : b->first;
        uint32_t last = a->last < b->last ? a->last : b->last;
        if (first <= last)
            ranges[count++] = (struct imap_range){first, last};
        if (a->last < b->last)
            i++;
        else
            j++;
    }
    return (struct imap_set){ranges, count};
}

static void
clip_from(struct imap_server *server, uint32_t edge, struct imap_set *places)
{
    struct imap_range range = {edge, UINT32_MAX};
    struct imap_set above = {&range, 1};

    *places = meet(server, places, &above);
}

void
imap_portion_clip(struct imap_server *server, struct imap_set *places, bool is_deleted_only)
{
    uint32_t edge;

    if (find_edge(server, server->options.messages_max, places, is_deleted_only, &edge))
        clip_from(server, edge, places);
}

/* ---- searches ------------------------------------------------------------------------------ */

/* The places that the terms joined by AND alone leave: read from the end, an operator comes before
 * its operands, and what stands below OR or NOT is passed over. */
static struct imap_set
candidates(struct imap_server *server, const struct imap_search *search)
{
    struct imap_range *whole = arena_new(&server->arena, sizeof(*whole));
    struct imap_set places = {whole, whole && server->view.known > 0};
    size_t skip = 0;

    if (whole)
        *whole = (struct imap_range){0, server->view.known ? server->view.known - 1 : 0};
    for (size_t i = search->count; i-- > 0;) {
        const struct imap_term *term = &search->terms[i];
        bool is_binary = term->kind == IMAP_TERM_AND || term->kind == IMAP_TERM_OR;
        size_t operands = is_binary ? 2 : term->kind == IMAP_TERM_NOT;
        if (skip > 0)
            skip += operands - 1;
        else if (operands > 0 && term->kind != IMAP_TERM_AND)
            skip = operands;
        else if (term->kind == IMAP_TERM_NUMBERS)
            places = meet(server, &places, &term->set);
    }
    return places;
}

bool
imap_portion_clip_search(struct imap_server *server, const struct imap_search *search,
                         struct imap_set *ret_within)
{
    uint32_t edge;

    if (server->options.messages_max == 0)
        return false;
    struct imap_set places = candidates(server, search);
    if (!find_edge(server, server->options.messages_max, &places, false, &edge))
        return false;
    clip_from(server, edge, &places);
    *ret_within = places;
    return true;
}

bool
imap_portion_is_search_over(struct imap_server *server, const struct imap_search *search)
{
    if (server->options.messages_max == 0)
        return false;
    struct imap_set places = candidates(server, search);
    return imap_portion_is_over(server, &places, false);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void
put_code(struct imap_server *server, struct buffer *out)
{
    imap_put_number(out, "[MESSAGELIMIT ", server->portion_max, "");
    if (server->portion_uid > 0)
        imap_put_number(out, " ", server->portion_uid, "");
    buffer_put_text(out, "] ");
}

void
imap_portion_refuse(struct imap_server *server)
{
    put_code(server, &server->text);
    imap_end(server, IMAP_NO, "too many messages at once, name fewer");
}

void
imap_portion_tell(struct imap_server *server, const char *text)
{
    struct slice begun = buffer_slice(&server->text);

    if (server->portion_uid == 0)
        return;
    if (text[0] != '[' && (begun.len == 0 || begun.at[0] != '[')) {
        put_code(server, &server->text);
    } else {
        buffer_put_text(&server->output, "* NO ");
        put_code(server, &server->output);
        buffer_put_text(&server->output, "only a part was done\r\n");
    }
    server->portion_uid = 0;
}
