/* SPDX-License-Identifier: ISC */
/* RFC 5256 §2.1, step by step. */
#include "message/subject.h"

#include "base/cursor.h"

static bool
is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

/* Step 1: tabs and line ends become blanks, and runs of blanks one. */
static struct slice
single_blanks(struct arena *arena, struct slice subject)
{
    bool is_clean = true;
    size_t len = 0;

    subject = slice_trim(subject);
    for (size_t i = 0; i < subject.len && is_clean; i++)
        is_clean = !is_blank(subject.at[i]) || (subject.at[i] == ' ' && subject.at[i + 1] != ' ' &&
                                                !is_blank(subject.at[i + 1]));
    if (is_clean)
        return subject;
    uint8_t *text = arena_new(arena, subject.len);
    if (!text)
        return slice_of(subject.at, 0);
    for (size_t i = 0; i < subject.len; i++) {
        if (!is_blank(subject.at[i]))
            text[len++] = subject.at[i];
        else if (text[len - 1] != ' ')
            text[len++] = ' ';
    }
    return slice_of(text, len);
}

/* subj-blob: "[" *BLOBCHAR "]" *WSP, BLOBCHAR being all but brackets. */
static bool
take_blob(struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    uint8_t octet = 0;

    if (!cursor_take_byte(&ahead, '['))
        return false;
    while (cursor_take_any(&ahead, &octet) && octet != '[' && octet != ']')
        continue;
    if (octet != ']')
        return false;
    cursor_skip_blanks(&ahead);
    *cursor = ahead;
    return true;
}

/* subj-refwd: ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool
take_refwd(struct cursor *cursor)
{
    struct cursor ahead = *cursor;

    if (!cursor_take_text_nocase(&ahead, SLICE("re")) &&
        !cursor_take_text_nocase(&ahead, SLICE("fwd")) &&
        !cursor_take_text_nocase(&ahead, SLICE("fw")))
        return false;
    cursor_skip_blanks(&ahead);
    (void)!take_blob(&ahead);
    if (!cursor_take_byte(&ahead, ':'))
        return false;
    *cursor = ahead;
    return true;
}

/* Step 2: "(fwd)" and blanks at the end. */
static struct slice
strip_trailers(struct slice text, bool *is_reply_or_forward)
{
    for (;;) {
        text = slice_trim(text);
        if (!slice_ends_with_nocase(text, SLICE("(fwd)")))
            return text;
        text.len -= 5;
        *is_reply_or_forward = true;
    }
}

/* Steps 3 to 5. No "re:" begins inside a row of blobs, so the whole row is gone over once: it goes,
 * but for its last blob when nothing else would be left. */
static struct slice
strip_leaders(struct slice text, bool *is_reply_or_forward)
{
    struct cursor cursor = cursor_of(text);

    for (;;) {
        cursor_skip_blanks(&cursor);
        struct slice kept = cursor_rest(&cursor);
        struct slice rest = kept;
        while (take_blob(&cursor)) {
            kept = rest;
            rest = cursor_rest(&cursor);
        }
        if (take_refwd(&cursor))
            *is_reply_or_forward = true;
        else
            return rest.len ? rest : kept;
    }
}

struct subject_base
subject_base(struct arena *arena, struct slice subject)
{
    struct subject_base base = {.text = single_blanks(arena, subject)};

    for (;;) {
        base.text = strip_trailers(base.text, &base.is_reply_or_forward);
        base.text = strip_leaders(base.text, &base.is_reply_or_forward);
        /* Step 6 */
        if (!slice_starts_with_nocase(base.text, SLICE("[fwd:")) ||
            !slice_ends_with(base.text, SLICE("]")))
            return base;
        base.text = slice_between(base.text, 5, base.text.len - 1);
        base.is_reply_or_forward = true;
    }
}
