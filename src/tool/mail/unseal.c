/* SPDX-License-Identifier: ISC */
/* Reading what is sealed with S/MIME. */
#include "client/reading.h"
#include "client/wire.h"
#include "message/summary.h"
#include "text/utf8.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/mail/desk.h"
#include "tool/mail/seal_private.h"
#include "tool/say.h"

#include <stdlib.h>

enum { TRUST_MAX = 16 << 20, WORDS_MAX = 4096, LAYERS_MAX = 4 };

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

/* True when the one address of From is among the certificate's. */
static bool
is_of_sender(struct view *view, const struct smime_verdict *verdict)
{
    struct summary summary;
    struct buffer from;
    bool is_there = false;

    if (!view->tree.parts[0].fields)
        return false;
    summary_gather(&view->arena, view->tree.parts[0].fields, &summary);
    if (summary.from.count != 1)
        return false;
    buffer_init(&from, WORDS_MAX);
    address_put_spec(&from, summary.from.first);
    for (size_t i = 0; i < verdict->addresses_count; i++)
        is_there = is_there || slice_equal_nocase(verdict->addresses[i], buffer_slice(&from));
    buffer_finish(&from);
    return is_there;
}

static void
put_words(struct view *view, const char *before, struct slice words)
{
    buffer_put_text(&view->seals, before);
    utf8_put_printable(&view->seals, words);
}

/* "alice@example.org (Alice), vouched for by Example Authority" */
static void
put_signer(struct view *view, const struct smime_verdict *verdict)
{
    for (size_t i = 0; i < verdict->addresses_count; i++)
        put_words(view, i > 0 ? ", " : "", verdict->addresses[i]);
    put_words(view, verdict->addresses_count > 0 ? " (" : "(", verdict->name);
    put_words(view, "), vouched for by ", verdict->issuer);
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
tell_verdict(struct view *view, const struct smime_verdict *verdict)
{
    static const enum view_signature kinds[] = {
        [SMIME_GOOD] = VIEW_GOOD,           [SMIME_CHANGED] = VIEW_CHANGED,
        [SMIME_UNTRUSTED] = VIEW_UNTRUSTED, [SMIME_EXPIRED] = VIEW_EXPIRED,
        [SMIME_BROKEN] = VIEW_BROKEN,
    };

    view->signature = kinds[verdict->kind];
    if (verdict->kind == SMIME_GOOD && !is_of_sender(view, verdict))
        view->signature = VIEW_OF_ANOTHER;
    buffer_put_text(&view->seals, "Signed:   ");
    if (view->signature == VIEW_GOOD) {
        buffer_put_text(&view->seals, "yes, by ");
        put_signer(view, verdict);
        keep_certificate(verdict);
    } else if (view->signature == VIEW_OF_ANOTHER) {
        buffer_put_text(&view->seals, "NOT BY THE SENDER, but by ");
        put_signer(view, verdict);
    } else if (verdict->kind == SMIME_CHANGED || verdict->kind == SMIME_BROKEN) {
        put_words(view, "DO NOT TRUST IT: ", verdict->why);
    } else {
        buffer_put_text(&view->seals, "nobody knows by whom: it says ");
        put_signer(view, verdict);
        put_words(view, ", but: ", verdict->why);
    }
    buffer_put_byte(&view->seals, '\n');
}

/* ---- layers -------------------------------------------------------------------------------- */

static void
put_part(const struct view *view, uint32_t index, struct buffer *out)
{
    buffer_init(out, LETTER_MAX);
    reading_put_part(&view->tree, index, out);
}

/* The message's own fields, and below them the entity that was inside. */
static int
replace_content(struct view *view, const struct buffer *inside)
{
    struct buffer whole;

    buffer_init(&whole, LETTER_MAX);
    seal_put_outer(buffer_slice(&view->content), &whole);
    buffer_put(&whole, buffer_slice(inside));
    buffer_finish(&view->content);
    view->content = whole;
    arena_reset(&view->arena);
    return view_parse(view);
}

static bool
is_pkcs7(const struct mime_part *part, const char *kind)
{
    char old[64];

    (void)snprintf(old, sizeof(old), "x-%s", kind);
    return mime_content_type_is(&part->content_type, "application", kind) ||
           mime_content_type_is(&part->content_type, "application", old);
}

static void
verify_detached(struct view *view)
{
    const struct mime_part *first = &view->tree.parts[1];
    uint32_t second = first->after;
    struct slice entity = slice_between(view->tree.message, first->header_start, first->body_end);
    struct buffer signature, trust = {0};
    struct arena arena;

    put_part(view, second, &signature);
    read_trust(&trust);
    arena_init(&arena, TRUST_MAX);
    struct smime_verdict verdict = smime_verify(buffer_slice(&signature), entity,
                                                buffer_slice(&trust), client_wall(), &arena, NULL);
    tell_verdict(view, &verdict);
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
    tell_verdict(view, &verdict);
    arena_finish(&arena);
    buffer_finish(&trust);
    return buffer_len(inside) > 0;
}

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

/* One layer off; false when there is none that can be taken off. */
static bool
open_layer(struct view *view, const struct client_accounts *accounts, int *ret_code)
{
    const struct mime_part *root = &view->tree.parts[0];
    struct slice type = mime_parameters_find(root->content_type.parameters, SLICE("smime-type"));
    struct buffer data, inside;
    bool is_open;

    if (root->kind == MIME_PART_MULTIPART &&
        mime_content_type_is(&root->content_type, "multipart", "signed") && view->tree.count > 2 &&
        view->tree.parts[1].after < view->tree.count &&
        is_pkcs7(&view->tree.parts[view->tree.parts[1].after], "pkcs7-signature")) {
        verify_detached(view);
        return false;
    }
    if (!is_pkcs7(root, "pkcs7-mime"))
        return false;
    put_part(view, 0, &data);
    buffer_init(&inside, LETTER_MAX);
    is_open = slice_equal_nocase(type, SLICE("signed-data"))
                  ? verify_opaque(view, buffer_slice(&data), &inside)
                  : decrypt(view, accounts, buffer_slice(&data), &inside);
    if (is_open)
        *ret_code = replace_content(view, &inside);
    buffer_finish(&data);
    buffer_finish(&inside);
    return is_open && *ret_code == EX_OK;
}

int
seal_open(struct view *view, const struct client_accounts *accounts)
{
    int code = EX_OK;

    for (int layer = 0; layer < LAYERS_MAX && open_layer(view, accounts, &code); layer++) {
    }
    return code;
}
