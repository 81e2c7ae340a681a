/* SPDX-License-Identifier: ISC */
/* Reading what is sealed with S/MIME. */
#include "client/reading.h"
#include "client/wire.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/desk.h"
#include "tool/mail/seal_private.h"

#include <stdlib.h>

enum { TRUST_MAX = 16 << 20, WORDS_MAX = 4096 };

/* ---- signatures ---------------------------------------------------------------------------- */

/* authorities.pem, or what the system trusts. */
static void
read_trust(struct buffer *out)
{
    char *path = desk_config_path("authorities.pem");

    buffer_finish(out);
    if (path && files_exists(path))
        (void)!files_read(path, TRUST_MAX, out);
    else {
        buffer_init(out, TRUST_MAX);
        (void)!client_read_system_trust(out);
    }
    free(path);
}

/* A certificate that a good signature has shown is kept, to encrypt with. */
static void
keep_certificate(const struct smime_verdict *verdict)
{
    static const struct files_owner owner = {.user = FILES_NOBODY, .mode = 0600};

    for (size_t i = 0; i < verdict->addresses_count; i++) {
        char *path = seal_certificate_path(verdict->addresses[i]);
        if (path && !files_exists(path))
            (void)!files_replace(path, verdict->certificate, &owner);
        free(path);
    }
}

static void
tell(struct view *view, const struct smime_verdict *verdict, uint32_t index)
{
    static const enum view_signature kinds[] = {
        [SMIME_GOOD] = VIEW_GOOD,           [SMIME_CHANGED] = VIEW_CHANGED,
        [SMIME_UNTRUSTED] = VIEW_UNTRUSTED, [SMIME_EXPIRED] = VIEW_EXPIRED,
        [SMIME_BROKEN] = VIEW_BROKEN,
    };
    struct buffer bond;

    buffer_init(&bond, WORDS_MAX);
    buffer_put_text(&bond, "vouched for by ");
    buffer_put(&bond, verdict->issuer);
    struct seal_verdict told = {.kind = kinds[verdict->kind],
                                .name = verdict->name,
                                .addresses = verdict->addresses,
                                .addresses_count = verdict->addresses_count,
                                .bond = buffer_slice(&bond),
                                .why = verdict->why};
    seal_tell(view, &told, index);
    if (view->signature == VIEW_GOOD || view->signature == VIEW_PARTIAL)
        keep_certificate(verdict);
    buffer_finish(&bond);
}

/* The octets of a part, encoding undone. */
static void
put_part(const struct view *view, uint32_t index, struct buffer *out)
{
    buffer_init(out, LETTER_MAX);
    reading_put_part(&view->tree, index, out);
}

void
seal_verify_smime(struct view *view, uint32_t index)
{
    const struct mime_part *first = &view->tree.parts[index + 1];
    struct slice entity = slice_between(view->tree.message, first->header_start, first->body_end);
    struct buffer signature, trust = {0};
    struct arena arena;

    put_part(view, first->after, &signature);
    read_trust(&trust);
    arena_init(&arena, TRUST_MAX);
    struct smime_verdict verdict = smime_verify(buffer_slice(&signature), entity,
                                                buffer_slice(&trust), client_wall(), &arena, NULL);
    tell(view, &verdict, index);
    arena_finish(&arena);
    buffer_finish(&signature);
    buffer_finish(&trust);
}

/* Signed data that hold their content; true when there is something to read inside. */
static bool
verify_opaque(struct view *view, struct slice data, struct buffer *inside)
{
    struct buffer trust = {0};
    struct arena arena;

    read_trust(&trust);
    arena_init(&arena, TRUST_MAX);
    struct smime_verdict verdict =
        smime_verify(data, SLICE(""), buffer_slice(&trust), client_wall(), &arena, inside);
    tell(view, &verdict, 0);
    arena_finish(&arena);
    buffer_finish(&trust);
    return buffer_len(inside) > 0;
}

/* ---- envelopes ----------------------------------------------------------------------------- */

static bool
decrypt(struct view *view, const struct client_accounts *accounts, struct slice data,
        struct buffer *inside)
{
    struct buffer problem;
    bool is_open = false;

    buffer_init(&problem, WORDS_MAX);
    for (size_t i = 0; i < accounts->count && !is_open; i++) {
        struct smime_identity *identity = seal_identity(&accounts->accounts[i], true);
        buffer_clear(&problem);
        is_open = identity && smime_decrypt(identity, data, inside, &problem);
        smime_identity_close(&identity);
    }
    view->is_encrypted = true;
    buffer_put_text(&view->seals, is_open ? "Secret:   yes, it was encrypted for you\n"
                                          : "Secret:   it cannot be opened: no account has the "
                                            "certificate that it is for\n");
    buffer_finish(&problem);
    return is_open;
}

bool
seal_open_smime(struct view *view, const struct client_accounts *accounts, struct buffer *inside)
{
    struct slice type =
        mime_parameters_find(view->tree.parts[0].content_type.parameters, SLICE("smime-type"));
    struct buffer data;

    put_part(view, 0, &data);
    bool is_open = slice_equal_nocase(type, SLICE("signed-data"))
                       ? verify_opaque(view, buffer_slice(&data), inside)
                       : decrypt(view, accounts, buffer_slice(&data), inside);
    buffer_finish(&data);
    return is_open;
}
