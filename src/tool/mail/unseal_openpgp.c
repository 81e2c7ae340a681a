/* SPDX-License-Identifier: ISC */
/* Reading what is sealed with OpenPGP (RFC 3156), also in text without MIME (RFC 4880 §7). */
#include "client/openpgp.h"
#include "client/reading.h"
#include "delivery/maildir.h"
#include "text/charset.h"
#include "tool/letter.h"
#include "tool/mail/seal_private.h"

#define WORK_MAX ((size_t)1 << 30)

enum { WORDS_MAX = 4096 };

/* ---- verdicts ------------------------------------------------------------------------------ */

/* A few words for what is not good; for a key, by which it can be looked at. */
static void
put_why(const struct openpgp_answer *answer, struct buffer *out)
{
    static const char *const words[OPENPGP_VERDICTS] = {
        [OPENPGP_UNTRUSTED] = "nobody whom you trust vouches for the key ",
        [OPENPGP_EXPIRED] = "signature or key are past their time: key ",
        [OPENPGP_REVOKED] = "its owner has called this key back: ",
        [OPENPGP_UNKNOWN] = "GnuPG does not have the key ",
        [OPENPGP_CHANGED] = "what was signed is not what is here",
        [OPENPGP_BROKEN] = "the signature cannot be understood: ",
    };

    if (!words[answer->verdict])
        return;
    buffer_put_text(out, words[answer->verdict]);
    if (answer->verdict == OPENPGP_BROKEN)
        buffer_put(out, answer->why);
    else if (answer->verdict != OPENPGP_CHANGED)
        buffer_put(out, answer->fingerprint);
}

static void
tell(struct view *view, const struct openpgp_answer *answer, uint32_t index, bool is_cut)
{
    static const enum view_signature kinds[OPENPGP_VERDICTS] = {
        [OPENPGP_GOOD] = VIEW_GOOD,       [OPENPGP_UNTRUSTED] = VIEW_UNTRUSTED,
        [OPENPGP_EXPIRED] = VIEW_EXPIRED, [OPENPGP_REVOKED] = VIEW_REVOKED,
        [OPENPGP_UNKNOWN] = VIEW_UNKNOWN, [OPENPGP_CHANGED] = VIEW_CHANGED,
        [OPENPGP_BROKEN] = VIEW_BROKEN,
    };
    struct buffer why;

    if (answer->verdict == OPENPGP_UNSIGNED)
        return;
    buffer_init(&why, WORDS_MAX);
    put_why(answer, &why);
    struct seal_verdict verdict = {.kind = kinds[answer->verdict],
                                   .name = answer->name,
                                   .addresses = answer->addresses,
                                   .addresses_count = answer->addresses_count,
                                   .bond = SLICE("whose key you trust"),
                                   .why = buffer_slice(&why),
                                   .is_cut = is_cut};
    seal_tell(view, &verdict, index);
    buffer_finish(&why);
}

/* True with an answer; else the view has said why there is none. */
static bool
ask(struct view *view, const struct openpgp_question *question, struct arena *arena,
    struct openpgp_answer *ret_answer)
{
    struct client_problem problem = {0};

    arena_init(arena, WORK_MAX);
    if (client_openpgp_ask(question, arena, ret_answer, &problem))
        return true;
    buffer_put_text(&view->seals, "OpenPGP:  ");
    buffer_put_text(&view->seals, problem.text);
    buffer_put_byte(&view->seals, '\n');
    return false;
}

void
seal_verify_openpgp(struct view *view, uint32_t index)
{
    const struct mime_part *first = &view->tree.parts[index + 1];
    struct openpgp_question question = {
        .verb = OPENPGP_VERIFY,
        .content = slice_between(view->tree.message, first->header_start, first->body_end)};
    struct openpgp_answer answer;
    struct buffer signature;
    struct arena arena;

    buffer_init(&signature, LETTER_MAX);
    reading_put_part(&view->tree, first->after, &signature);
    question.signature = buffer_len(&signature) > 0 ? buffer_slice(&signature) : SLICE("\n");
    if (ask(view, &question, &arena, &answer)) {
        if (!answer.is_done)
            answer.verdict = OPENPGP_BROKEN;
        tell(view, &answer, index, false);
    }
    arena_finish(&arena);
    buffer_finish(&signature);
}

/* ---- envelopes ----------------------------------------------------------------------------- */

static void
tell_secret(struct view *view, const struct openpgp_answer *answer)
{
    view->is_encrypted = view->is_encrypted || answer->is_encrypted || !answer->is_done;
    if (!answer->is_done) {
        buffer_put_text(&view->seals, "Secret:   it cannot be opened: GnuPG says: ");
        reading_put_line(answer->why, &view->seals);
        buffer_put_byte(&view->seals, '\n');
    } else if (answer->is_encrypted) {
        buffer_put_text(&view->seals, "Secret:   yes, it was encrypted for you\n");
    }
}

bool
seal_open_openpgp(struct view *view, struct buffer *inside)
{
    struct openpgp_question question = {.verb = OPENPGP_OPEN};
    struct openpgp_answer answer;
    struct buffer envelope;
    struct arena arena;
    bool is_open = false;

    buffer_init(&envelope, LETTER_MAX);
    reading_put_part(&view->tree, view->tree.parts[1].after, &envelope);
    question.content = buffer_slice(&envelope);
    if (ask(view, &question, &arena, &answer)) {
        tell_secret(view, &answer);
        tell(view, &answer, 0, false);
        is_open = answer.is_done;
        /* Others sign with the line ends of their machines. */
        if (is_open)
            maildir_put_crlf(inside, answer.content);
    }
    arena_finish(&arena);
    buffer_finish(&envelope);
    return is_open;
}

/* ---- text without MIME --------------------------------------------------------------------- */

static const struct {
    struct slice begin, end;
} marks[] = {
    {SLICE("-----BEGIN PGP SIGNED MESSAGE-----"), SLICE("-----END PGP SIGNATURE-----")},
    {SLICE("-----BEGIN PGP MESSAGE-----"), SLICE("-----END PGP MESSAGE-----")},
};

enum { NOTHING, SIGNED, ENCRYPTED };

/* Where a line begins with `mark`; text.len when none does. */
static size_t
find_line(struct slice text, struct slice mark)
{
    for (size_t at = 0; at < text.len;) {
        struct slice rest = slice_skip(text, at);
        if (slice_starts_with(rest, mark))
            return at;
        at += slice_find_byte(rest, '\n') + 1;
    }
    return text.len;
}

/* The first armor in a text, and what stands outside of it. */
static int
find_armor(struct slice text, struct slice *ret_armor, struct slice *ret_before,
           struct slice *ret_after)
{
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        size_t start = find_line(text, marks[i].begin);
        struct slice rest = slice_skip(text, start);
        size_t end = find_line(rest, marks[i].end);
        if (end == rest.len)
            continue;
        *ret_armor = slice_first(rest, end + marks[i].end.len);
        *ret_before = slice_trim(slice_first(text, start));
        *ret_after = slice_trim(slice_skip(rest, ret_armor->len));
        return i == 0 ? SIGNED : ENCRYPTED;
    }
    return NOTHING;
}

static int
kind_of(const struct view *view, uint32_t index, struct buffer *text, struct slice *ret_armor,
        struct slice *ret_before, struct slice *ret_after)
{
    const struct mime_part *part = &view->tree.parts[index];

    if (part->kind != MIME_PART_LEAF || !mime_content_type_is(&part->content_type, "text", "plain"))
        return NOTHING;
    reading_put_part(&view->tree, index, text);
    int kind = find_armor(buffer_slice(text), ret_armor, ret_before, ret_after);
    /* As with MIME, only what is encrypted as a whole is opened. */
    if (kind == ENCRYPTED && (index != 0 || ret_before->len > 0 || ret_after->len > 0))
        return NOTHING;
    return kind;
}

bool
seal_is_inline(const struct view *view, uint32_t index)
{
    struct slice armor, before, after;
    struct buffer text;

    buffer_init(&text, LETTER_MAX);
    int kind = kind_of(view, index, &text, &armor, &before, &after);
    buffer_finish(&text);
    return kind != NOTHING;
}

/* The text in base64, so that nothing in it can be taken for a boundary around it. */
static void
put_entity(const struct view *view, uint32_t index, struct slice text, struct buffer *out)
{
    const struct charset *charset =
        charset_find(mime_content_type_charset(&view->tree.parts[index].content_type));

    buffer_put_text(out, "Content-Type: text/plain; charset=");
    buffer_put(out, charset ? charset_name(charset) : SLICE("utf-8"));
    buffer_put_text(out, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    seal_put_base64(text, out);
}

bool
seal_open_inline(struct view *view, uint32_t index, struct buffer *inside)
{
    struct openpgp_question question = {.verb = OPENPGP_VERIFY};
    struct slice before, after;
    struct openpgp_answer answer;
    struct buffer text, shown;
    struct arena arena;
    bool is_open = false;

    buffer_init(&text, LETTER_MAX);
    buffer_init(&shown, LETTER_MAX);
    if (kind_of(view, index, &text, &question.content, &before, &after) == ENCRYPTED)
        question.verb = OPENPGP_OPEN;
    if (ask(view, &question, &arena, &answer)) {
        bool is_cut = before.len > 0 || after.len > 0;
        if (question.verb == OPENPGP_OPEN)
            tell_secret(view, &answer);
        tell(view, &answer, index, is_cut);
        is_open = answer.is_done && answer.content.len > 0;
        buffer_put(&shown, answer.content);
        if (is_cut)
            buffer_put_text(&shown, "\n---- what stands below this mark is not signed ----\n");
        buffer_put(&shown, before);
        buffer_put_text(&shown, before.len > 0 && after.len > 0 ? "\n" : "");
        buffer_put(&shown, after);
        if (is_open)
            put_entity(view, index, buffer_slice(&shown), inside);
    }
    arena_finish(&arena);
    buffer_finish(&text);
    buffer_finish(&shown);
    return is_open;
}
