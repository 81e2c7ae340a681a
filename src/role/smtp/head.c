/* SPDX-License-Identifier: ISC */
#include "role/smtp/head.h"

#include "role/smtp/transaction.h"

enum {
    HEAD_OCTETS_MAX = 128 * 1024, /* a longer header passes as it is */
    SCRATCH_MAX = 16 * 1024 * 1024,
    ADDRESS_OCTETS_MAX = 1024,
};

/* ---- rules --------------------------------------------------------------------------------- */

void
head_forget_rules(struct smtp_role *role)
{
    arena_finish(&role->rewrite_arena);
    role->rewrites = (struct rewrite_rules){0};
}

void
head_set_rules(struct smtp_role *role)
{
    const struct config_strings *texts = &role->config->rewrite;
    size_t bad;

    head_forget_rules(role);
    arena_init(&role->rewrite_arena, SCRATCH_MAX);
    const char *what =
        rewrite_rules_parse(texts->at, texts->count, &role->rewrite_arena, &role->rewrites, &bad);
    assert(!what); /* whoever has read the configuration has looked */
    (void)what;
}

/* Strangers' mail stays as it is: it may be signed, and their addresses are not ours to change. */
bool
head_is_rewritten(const struct smtp_session *session)
{
    return session->role->rewrites.count > 0 &&
           (session->is_relay || session->service == SERVICE_SUBMISSION ||
            session->service == SERVICE_SUBMISSIONS);
}

struct slice
head_address(const struct smtp_session *session, struct slice address)
{
    struct buffer text;

    if (!head_is_rewritten(session))
        return address;
    buffer_init(&text, ADDRESS_OCTETS_MAX);
    if (rewrite_mailbox(&session->role->rewrites, address, &text) && !buffer_overflowed(&text))
        address = arena_copy(&session->transaction->arena, buffer_slice(&text));
    buffer_finish(&text);
    return address;
}

/* ---- the header ---------------------------------------------------------------------------- */

void
head_give_up(struct smtp_session *session, head_keep_fn keep)
{
    struct transaction *transaction = session->transaction;

    transaction->is_head_over = true;
    keep(session, buffer_slice(&transaction->head));
    buffer_finish(&transaction->head);
}

static void
rewrite(struct smtp_session *session, head_keep_fn keep)
{
    struct transaction *transaction = session->transaction;
    struct buffer out;
    struct arena scratch;

    transaction->is_head_over = true;
    arena_init(&scratch, SCRATCH_MAX);
    buffer_init(&out, 4 * HEAD_OCTETS_MAX);
    rewrite_header(&session->role->rewrites, buffer_slice(&transaction->head), &scratch, &out);
    keep(session, buffer_slice(buffer_overflowed(&out) ? &transaction->head : &out));
    buffer_finish(&out);
    arena_finish(&scratch);
    buffer_finish(&transaction->head);
}

void
head_take(struct smtp_session *session, struct slice piece, bool has_ended, head_keep_fn keep)
{
    struct transaction *transaction = session->transaction;

    /* What is held comes first, also when the rules have gone since. */
    bool is_held = buffer_len(&transaction->head) > 0;
    if (transaction->is_head_over || (!is_held && !head_is_rewritten(session))) {
        keep(session, piece);
        return;
    }
    if (buffer_len(&transaction->head) + piece.len > HEAD_OCTETS_MAX) {
        head_give_up(session, keep);
        keep(session, piece);
        return;
    }
    buffer_put(&transaction->head, piece);
    if (has_ended)
        rewrite(session, keep);
}
