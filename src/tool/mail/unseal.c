/* SPDX-License-Identifier: ISC */
/* Reading what is sealed: which layers there are, and what a verdict is in words. */
#include "message/summary.h"
#include "text/utf8.h"
#include "tool/letter.h"
#include "tool/mail/seal_private.h"

#include <sysexits.h>

enum { WORDS_MAX = 4096, LAYERS_MAX = 4 };

/* ---- verdicts ------------------------------------------------------------------------------ */

/* True when the one address of From is among the certificate's. */
static bool
is_of_sender(struct view *view, const struct seal_verdict *verdict)
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

/* "alice@example.org (Alice)" */
static void
put_signer(struct view *view, const struct seal_verdict *verdict)
{
    for (size_t i = 0; i < verdict->addresses_count; i++)
        put_words(view, i > 0 ? ", " : "", verdict->addresses[i]);
    put_words(view, verdict->addresses_count > 0 ? " (" : "(", verdict->name);
    buffer_put_byte(&view->seals, ')');
}

static void
put_bond(struct view *view, const struct seal_verdict *verdict)
{
    put_signer(view, verdict);
    put_words(view, ", ", verdict->bond);
}

/* What exactly was signed. */
static void
put_extent(struct view *view, uint32_t index, bool is_cut)
{
    if (is_cut)
        buffer_put_text(&view->seals, "ONLY WHAT STANDS ABOVE THE MARK, by ");
    else if (index == 0)
        buffer_put_text(&view->seals, "yes, all below, by ");
    if (is_cut || index == 0)
        return;
    buffer_put_text(&view->seals, "ONLY PART ");
    view_put_number(view, index, &view->seals);
    buffer_put_text(&view->seals, " of the message, by ");
}

void
seal_tell(struct view *view, const struct seal_verdict *verdict, uint32_t index)
{
    view->signature = verdict->kind;
    view->signed_part = index;
    if (verdict->kind == VIEW_GOOD && !is_of_sender(view, verdict))
        view->signature = VIEW_OF_ANOTHER;
    else if (verdict->kind == VIEW_GOOD && (index > 0 || verdict->is_cut))
        view->signature = VIEW_PARTIAL;
    buffer_put_text(&view->seals, "Signed:   ");
    if (view->signature == VIEW_GOOD || view->signature == VIEW_PARTIAL) {
        put_extent(view, index, verdict->is_cut);
        put_bond(view, verdict);
    } else if (view->signature == VIEW_OF_ANOTHER) {
        buffer_put_text(&view->seals, "NOT BY THE SENDER, but by ");
        put_bond(view, verdict);
    } else if (verdict->kind == VIEW_CHANGED || verdict->kind == VIEW_BROKEN) {
        put_words(view, "DO NOT TRUST IT: ", verdict->why);
    } else if (verdict->kind == VIEW_UNKNOWN) {
        put_words(view, "nobody knows by whom: ", verdict->why);
    } else {
        buffer_put_text(&view->seals, "nobody knows by whom: it says ");
        put_signer(view, verdict);
        put_words(view, ", but: ", verdict->why);
    }
    buffer_put_byte(&view->seals, '\n');
}

/* ---- layers -------------------------------------------------------------------------------- */

/* The message, with an entity in the place of a part. */
static int
replace_part(struct view *view, uint32_t index, struct slice entity)
{
    const struct mime_part *part = &view->tree.parts[index];
    struct slice message = buffer_slice(&view->content);
    struct buffer whole;

    buffer_init(&whole, LETTER_MAX);
    if (index == 0)
        seal_put_outer(message, &whole);
    else
        buffer_put(&whole, slice_first(message, part->header_start));
    buffer_put(&whole, entity);
    if (index != 0)
        buffer_put(&whole, slice_skip(message, part->body_end));
    buffer_finish(&view->content);
    view->content = whole;
    arena_reset(&view->arena);
    return view_parse(view);
}

static bool
is_application(const struct mime_part *part, const char *subtype)
{
    char old[64];

    (void)snprintf(old, sizeof(old), "x-%s", subtype);
    return mime_content_type_is(&part->content_type, "application", subtype) ||
           mime_content_type_is(&part->content_type, "application", old);
}

/* The second part of a multipart of this subtype, which has one; NULL for others. */
static const struct mime_part *
second_of(const struct view *view, uint32_t index, const char *subtype)
{
    const struct mime_part *part = &view->tree.parts[index];

    if (part->kind != MIME_PART_MULTIPART ||
        !mime_content_type_is(&part->content_type, "multipart", subtype) ||
        part->after - index < 3 || view->tree.parts[index + 1].after >= part->after)
        return NULL;
    return &view->tree.parts[view->tree.parts[index + 1].after];
}

static bool
verify(struct view *view, uint32_t index)
{
    const struct mime_part *second = second_of(view, index, "signed");

    if (second && is_application(second, "pkcs7-signature"))
        seal_verify_smime(view, index);
    else if (second && is_application(second, "pgp-signature"))
        seal_verify_openpgp(view, index);
    else
        return false;
    return true;
}

/* Only what is encrypted as a whole is opened: of a message that somebody made around a part that
 * was not for them, an answer would quote what they must not know. */
static bool
open_root(struct view *view, const struct client_accounts *accounts, struct buffer *inside)
{
    if (is_application(&view->tree.parts[0], "pkcs7-mime"))
        return seal_open_smime(view, accounts, inside);
    if (second_of(view, 0, "encrypted") && is_application(&view->tree.parts[1], "pgp-encrypted"))
        return seal_open_openpgp(view, inside);
    return false;
}

/* Text that is signed in itself, or, as the whole message, encrypted. */
static int
open_inline(struct view *view)
{
    uint32_t index = mime_tree_find_text(&view->tree);
    struct buffer inside;
    int code = EX_OK;

    if (index == MIME_NO_PART || !seal_is_inline(view, index))
        return EX_OK;
    buffer_init(&inside, LETTER_MAX);
    if (seal_open_inline(view, index, &inside))
        code = replace_part(view, index, buffer_slice(&inside));
    buffer_finish(&inside);
    return code;
}

/* A signature over a part alone: mailing lists put a part of their own beside it. */
static bool
verify_within(struct view *view)
{
    uint32_t index = 1;

    while (index < view->tree.count) {
        if (verify(view, index))
            return true;
        /* Messages that are attached have their own signatures. */
        const struct mime_part *part = &view->tree.parts[index];
        index = part->kind == MIME_PART_MESSAGE ? part->after : index + 1;
    }
    return false;
}

int
seal_open(struct view *view, const struct client_accounts *accounts)
{
    struct buffer inside;
    bool is_open = true;
    int code = EX_OK;

    for (int layer = 0; layer < LAYERS_MAX && is_open && code == EX_OK; layer++) {
        buffer_init(&inside, LETTER_MAX);
        is_open = open_root(view, accounts, &inside);
        if (is_open)
            code = replace_part(view, 0, buffer_slice(&inside));
        buffer_finish(&inside);
    }
    if (code != EX_OK || view->signature != VIEW_UNSIGNED)
        return code;
    return verify(view, 0) || verify_within(view) ? EX_OK : open_inline(view);
}
