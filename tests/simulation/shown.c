/* SPDX-License-Identifier: ISC */
#include "shown.h"

#include <string.h>

void
shown_begin(struct shown *shown, unsigned box, bool is_resuming)
{
    shown->is_resuming = is_resuming && shown->is_resync;
    shown->before_count = 0;
    for (size_t i = 0; i < shown->count; i++)
        if (shown->messages[i].uid) /* of others nothing is known but that they were there */
            shown->before[shown->before_count++] = shown->messages[i];
    if (!shown->is_resuming)
        shown->modseq = shown->validity = 0;
    shown->box = box;
    shown->count = 0;
    shown->search = 0;
    shown->flagged_count = 0;
}

/* ---- words of a line ------------------------------------------------------------------------- */

static bool
take_number(struct slice *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t at = 0;

    for (; at < text->len && byte_is_digit(text->at[at]); at++)
        number = number * 10 + (uint64_t)(text->at[at] - '0');
    *text = slice_skip(*text, at);
    *ret_number = number;
    return at > 0;
}

static bool
take(struct slice *text, struct slice word)
{
    if (!slice_starts_with(*text, word))
        return false;
    *text = slice_skip(*text, word.len);
    return true;
}

/* What stands behind a word somewhere in a line. */
static bool
find_after(struct slice line, struct slice word, struct slice *ret_rest)
{
    size_t at = slice_find(line, word);

    if (at == line.len)
        return false;
    *ret_rest = slice_skip(line, at + word.len);
    return true;
}

/* "4,7:9" in the order that it stands there; how many, at most BOXES_MESSAGES_MAX. */
static size_t
take_set(struct slice *text, uint32_t *numbers)
{
    uint64_t first, last;
    size_t count = 0;

    while (take_number(text, &first)) {
        last = first;
        if (take(text, SLICE(":")))
            (void)take_number(text, &last);
        for (uint64_t i = first; i <= last && count < BOXES_MESSAGES_MAX; i++)
            numbers[count++] = (uint32_t)i;
        if (!take(text, SLICE(",")))
            break;
    }
    return count;
}

static uint8_t
take_flags(struct slice text)
{
    uint8_t flags = 0;

    text = slice_first(text, slice_find_byte(text, ')'));
    while (text.len > 0) {
        struct slice word = slice_first(text, slice_find_byte(text, ' '));
        for (unsigned i = 0; i < BOXES_FLAGS; i++)
            if (slice_equal(word, slice_of_string(boxes_flag_names[i])))
                flags |= (uint8_t)(1U << i);
        text = slice_skip(text, word.len == text.len ? word.len : word.len + 1);
    }
    return flags;
}

static void
complain(struct shown *shown, struct slice line, const char *what)
{
    boxes_fail(shown->boxes, "%s, %zu messages known: %s: %.*s", boxes_names[shown->box],
               shown->count, what, (int)(line.len < 200 ? line.len : 200), (const char *)line.at);
}

/* ---- messages come and go -------------------------------------------------------------------- */

static void
on_exists(struct shown *shown, struct slice line, uint64_t number)
{
    if (number < shown->count || number > BOXES_MESSAGES_MAX) {
        complain(shown, line, "messages vanished without a word");
        return;
    }
    memset(&shown->messages[shown->count], 0,
           (size_t)(number - shown->count) * sizeof(shown->messages[0]));
    shown->count = (size_t)number;
}

static size_t
remove_at(struct shown_message *messages, size_t count, size_t at)
{
    memmove(&messages[at], &messages[at + 1], (count - at - 1) * sizeof(messages[0]));
    return count - 1;
}

static void
on_expunge(struct shown *shown, struct slice line, uint64_t number)
{
    if (shown->is_resync || number == 0 || number > shown->count) {
        complain(shown, line, "this cannot be expunged");
        return;
    }
    if (shown->messages[number - 1].uid)
        boxes_saw_gone(shown->boxes, shown->box, shown->messages[number - 1].uid);
    shown->count = remove_at(shown->messages, shown->count, (size_t)number - 1);
}

static void
correct_before(struct shown *shown, uint32_t uid)
{
    for (size_t i = 0; i < shown->before_count; i++) {
        if (shown->before[i].uid != uid)
            continue;
        shown->before_count = remove_at(shown->before, shown->before_count, i);
        return;
    }
}

/* A UID that is not known is that of a message behind all that are known to have smaller ones. */
static void
vanish(struct shown *shown, struct slice line, uint32_t uid)
{
    size_t at = shown->count;

    for (size_t i = 0; i < shown->count && shown->messages[i].uid <= uid; i++) {
        if (shown->messages[i].uid)
            at = shown->messages[i].uid == uid ? i : shown->count;
        else if (at == shown->count)
            at = i;
        if (shown->messages[i].uid == uid)
            break;
    }
    if (at == shown->count) {
        complain(shown, line, "a message vanished that was not there");
        return;
    }
    boxes_saw_gone(shown->boxes, shown->box, uid);
    shown->count = remove_at(shown->messages, shown->count, at);
}

static void
on_vanished(struct shown *shown, struct slice line, struct slice set)
{
    bool is_earlier = take(&set, SLICE("(EARLIER) "));
    uint32_t uids[BOXES_MESSAGES_MAX];
    size_t count = take_set(&set, uids);

    if (!shown->is_resync || (is_earlier && !shown->is_resuming))
        complain(shown, line, "nobody asked for VANISHED");
    if (!is_earlier) /* it went while the mailbox was opened: all that was there has been told */
        shown_selected(shown);
    for (size_t i = 0; i < count; i++) {
        if (is_earlier)
            correct_before(shown, uids[i]);
        else
            vanish(shown, line, uids[i]);
    }
}

/* ---- FETCH ----------------------------------------------------------------------------------- */

static void
on_uid(struct shown *shown, struct slice line, size_t at, uint32_t uid)
{
    struct shown_message *message = &shown->messages[at];

    if (message->uid && message->uid != uid)
        complain(shown, line, "a number has got another UID");
    for (size_t i = 0; i < shown->count; i++)
        if (shown->messages[i].uid && i != at && (shown->messages[i].uid < uid) != (i < at))
            complain(shown, line, "UIDs do not rise");
    message->uid = uid;
    boxes_saw(shown->boxes, shown->box, uid);
}

void
shown_fetched(struct slice line, struct shown_message *ret_message)
{
    struct slice text;
    uint64_t uid = 0;

    if (find_after(line, SLICE("UID "), &text))
        (void)take_number(&text, &uid);
    *ret_message = (struct shown_message){.uid = (uint32_t)uid};
    if (find_after(line, SLICE("MODSEQ ("), &text))
        (void)take_number(&text, &ret_message->modseq);
    if (find_after(line, SLICE("FLAGS ("), &text)) {
        ret_message->flags = take_flags(text);
        ret_message->has_flags = true;
    }
}

static void
on_fetch(struct shown *shown, struct slice line, uint64_t number)
{
    struct shown_message told;

    if (number == 0 || number > shown->count) {
        complain(shown, line, "there is no such message");
        return;
    }
    struct shown_message *message = &shown->messages[number - 1];
    shown_fetched(line, &told);
    if (told.uid)
        on_uid(shown, line, (size_t)number - 1, told.uid);
    if (told.modseq)
        message->modseq = told.modseq;
    if (!told.has_flags)
        return;
    message->flags = told.flags;
    message->has_flags = true;
    if (message->uid)
        boxes_saw_flags(shown->boxes, shown->box, message->uid, message->flags, UINT8_MAX >> 1);
}

/* ---- a search that goes on ------------------------------------------------------------------- */

static bool
is_flagged(const struct shown *shown, uint32_t uid, size_t *ret_at)
{
    for (size_t i = 0; i < shown->flagged_count; i++) {
        if (shown->flagged[i] == uid) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

static void
update_search(struct shown *shown, struct slice line, struct slice set, bool is_added)
{
    uint32_t uids[BOXES_MESSAGES_MAX];
    size_t count = take_set(&set, uids), at;

    for (size_t i = 0; i < count; i++) {
        bool is_there = is_flagged(shown, uids[i], &at);
        if (is_there == is_added)
            complain(shown, line, is_added ? "it was found before" : "it was not found before");
        else if (is_added && shown->flagged_count < BOXES_MESSAGES_MAX)
            shown->flagged[shown->flagged_count++] = uids[i];
        else if (!is_added)
            shown->flagged[at] = shown->flagged[--shown->flagged_count];
    }
}

static void
on_esearch(struct shown *shown, struct slice line, struct slice rest)
{
    uint64_t tag = 0;

    if (!take(&rest, SLICE("(TAG \"t")) || !take_number(&rest, &tag) || tag != shown->search)
        return; /* it was on its way when the mailbox was left */
    while (rest.len > 0) {
        if (take(&rest, SLICE("ALL ")) || take(&rest, SLICE("ADDTO (0 ")))
            update_search(shown, line, rest, true);
        else if (take(&rest, SLICE("REMOVEFROM (0 ")))
            update_search(shown, line, rest, false);
        else
            rest = slice_skip(rest, 1);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

void
shown_code(struct shown *shown, struct slice line)
{
    struct slice rest;
    uint64_t number;

    if (find_after(line, SLICE("[UIDVALIDITY "), &rest) && take_number(&rest, &number)) {
        if (shown->validity && shown->validity != number)
            complain(shown, line, "UIDVALIDITY has changed");
        shown->validity = (uint32_t)number;
    }
    if (find_after(line, SLICE("[HIGHESTMODSEQ "), &rest) && take_number(&rest, &number)) {
        if (number < shown->modseq)
            complain(shown, line, "HIGHESTMODSEQ falls");
        shown->modseq = number;
    }
    if (find_after(line, SLICE("[COPYUID "), &rest) && take_number(&rest, &number) &&
        take(&rest, SLICE(" "))) {
        shown->sources_count = take_set(&rest, shown->sources);
        (void)take(&rest, SLICE(" "));
        shown->uids_count = take_set(&rest, shown->uids);
    }
    if (find_after(line, SLICE("[MODIFIED "), &rest))
        shown->modified_count = take_set(&rest, shown->modified);
    if (find_after(line, SLICE("[APPENDUID "), &rest) && take_number(&rest, &number) &&
        take(&rest, SLICE(" ")))
        shown->uids_count = take_set(&rest, shown->uids);
}

static void
on_search(struct shown *shown, struct slice rest)
{
    uint64_t uid;

    shown->found_count = 0;
    while (take(&rest, SLICE(" ")) && take_number(&rest, &uid))
        if (shown->found_count < BOXES_MESSAGES_MAX)
            shown->found[shown->found_count++] = (uint32_t)uid;
}

void
shown_line(struct shown *shown, struct slice line, bool may_vanish)
{
    struct slice rest = line;
    uint64_t number;

    if (take_number(&rest, &number)) {
        if (slice_equal(rest, SLICE(" EXISTS")))
            on_exists(shown, line, number);
        else if (take(&rest, SLICE(" FETCH (")))
            on_fetch(shown, line, number);
        else if (slice_equal(rest, SLICE(" EXPUNGE")) && may_vanish)
            on_expunge(shown, line, number);
        else if (!slice_equal(rest, SLICE(" RECENT")))
            complain(shown, line, "this may not be said now");
    } else if (take(&rest, SLICE("VANISHED "))) {
        if (may_vanish)
            on_vanished(shown, line, rest);
        else
            complain(shown, line, "this may not be said now");
    } else if (take(&rest, SLICE("ESEARCH "))) {
        on_esearch(shown, line, rest);
    } else if (take(&rest, SLICE("SEARCH"))) {
        on_search(shown, rest);
    } else if (take(&rest, SLICE("OK "))) {
        shown_code(shown, line);
    }
}

/* ---- coming back ----------------------------------------------------------------------------- */

/* What was known before and did not vanish, and what is new, make up the mailbox (RFC 7162 §3.2.5).
 */
void
shown_selected(struct shown *shown)
{
    struct shown_message all[BOXES_MESSAGES_MAX];
    size_t count = 0, at = 0;

    if (!shown->is_resuming)
        return;
    shown->is_resuming = false;
    for (size_t i = 0; i < shown->count; i++) {
        struct shown_message told = shown->messages[i];
        if (!told.uid)
            continue;
        while (at < shown->before_count && shown->before[at].uid < told.uid &&
               count < BOXES_MESSAGES_MAX)
            all[count++] = shown->before[at++];
        if (at < shown->before_count && shown->before[at].uid == told.uid)
            at++;
        while (count < i) /* they came, and went again while the mailbox was opened */
            all[count++] = (struct shown_message){0};
        if (count != i)
            boxes_fail(shown->boxes, "%s: after coming back %u is number %zu, but was told as %zu",
                       boxes_names[shown->box], told.uid, count + 1, i + 1);
        if (count < BOXES_MESSAGES_MAX)
            all[count++] = told;
    }
    while (at < shown->before_count && count < BOXES_MESSAGES_MAX)
        all[count++] = shown->before[at++];
    while (count < shown->count) /* they came meanwhile */
        all[count++] = (struct shown_message){0};
    if (count != shown->count)
        boxes_fail(shown->boxes, "%s: after coming back there should be %zu messages, not %zu",
                   boxes_names[shown->box], count, shown->count);
    memcpy(shown->messages, all, count * sizeof(all[0]));
    shown->count = count;
}

bool
shown_is_incomplete(const struct shown *shown)
{
    for (size_t i = 0; i < shown->count; i++)
        if (!shown->messages[i].uid || !shown->messages[i].has_flags)
            return true;
    return false;
}

/* ---- the truth ------------------------------------------------------------------------------- */

void
shown_compare(struct shown *shown, const char *who)
{
    const struct boxes_truth *truth = boxes_settled(shown->boxes, shown->box);
    const char *name = boxes_names[shown->box];
    size_t flagged = 0, at;

    if (shown->count != truth->count)
        boxes_fail(shown->boxes, "%s: %s knows %zu messages of %zu", name, who, shown->count,
                   truth->count);
    for (size_t i = 0; i < truth->count && !boxes_has_failed(shown->boxes); i++) {
        const struct boxes_row *row = &truth->rows[i];
        const struct shown_message *message = &shown->messages[i];
        bool should_be_found = row->flags & 1U << 2;
        if (message->uid != row->uid || message->flags != row->flags)
            boxes_fail(shown->boxes, "%s: %s knows %u with flags %02x, but it is %u with %02x",
                       name, who, message->uid, message->flags, row->uid, row->flags);
        if (shown->search && is_flagged(shown, row->uid, &at) != should_be_found)
            boxes_fail(shown->boxes, "%s: the search of %s is wrong about %u", name, who, row->uid);
        flagged += should_be_found;
    }
    if (shown->search && flagged != shown->flagged_count)
        boxes_fail(shown->boxes, "%s: the search of %s found %zu instead of %zu", name, who,
                   shown->flagged_count, flagged);
}
