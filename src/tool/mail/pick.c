/* SPDX-License-Identifier: ISC */
#include "tool/mail/pick.h"

#include "base/cursor.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sysexits.h>

/* True for each message that is meant. */
struct marks {
    bool *is_meant;
    size_t count;
};

static void
mark(struct marks *marks, size_t first, size_t end)
{
    for (size_t i = first; i < end && i < marks->count; i++)
        marks->is_meant[i] = true;
}

/* "7" or "3-9": ids. */
static int
mark_ids(const struct client_folder *folder, struct marks *marks, const char *word)
{
    struct cursor cursor = cursor_of(slice_of_string(word));
    uint32_t first, last;
    size_t index;

    if (!cursor_take_u32(&cursor, 1, UINT32_MAX, &first))
        return say_error(EX_USAGE,
                         "'%s' is no message: give a number of 'facteur list', a range like 3-9, "
                         "last, last-5, unseen or all",
                         word);
    last = first;
    bool is_range = cursor_take_byte(&cursor, '-');
    if ((is_range && !cursor_take_u32(&cursor, first, UINT32_MAX, &last)) ||
        !cursor_is_done(&cursor))
        return say_error(EX_USAGE, "'%s' is no range of messages; write it as 3-9", word);
    if (!is_range && !client_folder_find(folder, first, &index))
        return say_error(EX_NOINPUT, "there is no message %u here", first);
    for (size_t i = 0; i < marks->count; i++) {
        uint32_t id = client_folder_letter(folder, i)->id;
        if (id >= first && id <= last)
            marks->is_meant[i] = true;
    }
    return EX_OK;
}

static int
mark_word(const struct client_folder *folder, struct marks *marks, const char *word)
{
    struct cursor cursor = cursor_of(slice_of_string(word));
    uint32_t number = 1;

    if (strcmp(word, "all") == 0) {
        mark(marks, 0, marks->count);
    } else if (strcmp(word, "unseen") == 0) {
        for (size_t i = 0; i < marks->count; i++) {
            if (!(client_folder_letter(folder, i)->flags & CLIENT_SEEN))
                marks->is_meant[i] = true;
        }
    } else if (cursor_take_text(&cursor, SLICE("last"))) {
        if (!cursor_is_done(&cursor) &&
            (!cursor_take_byte(&cursor, '-') || !cursor_take_u32(&cursor, 1, UINT32_MAX, &number) ||
             !cursor_is_done(&cursor)))
            return say_error(EX_USAGE, "'%s': write last, or last-5 for the newest five", word);
        if (marks->count == 0)
            return say_error(EX_NOINPUT, "there is no message here");
        mark(marks, marks->count > number ? marks->count - number : 0, marks->count);
    } else {
        return mark_ids(folder, marks, word);
    }
    return EX_OK;
}

int
pick_words(const struct client_folder *folder, char *const *words, size_t count,
           struct picked *ret_picked)
{
    struct marks marks = {.count = client_folder_count(folder)};
    int code = EX_OK;

    marks.is_meant = calloc(marks.count + 1, sizeof(*marks.is_meant));
    ret_picked->indexes = calloc(marks.count + 1, sizeof(*ret_picked->indexes));
    ret_picked->count = 0;
    if (!marks.is_meant || !ret_picked->indexes)
        abort();
    for (size_t i = 0; i < count && code == EX_OK; i++)
        code = mark_word(folder, &marks, words[i]);
    for (size_t i = 0; i < marks.count; i++) {
        if (marks.is_meant[i])
            ret_picked->indexes[ret_picked->count++] = i;
    }
    free(marks.is_meant);
    return code;
}

void
pick_last(const struct client_folder *folder, size_t count, struct picked *ret_picked)
{
    size_t all = client_folder_count(folder);
    size_t first = count == 0 || count > all ? 0 : all - count;

    ret_picked->indexes = calloc(all + 1, sizeof(*ret_picked->indexes));
    if (!ret_picked->indexes)
        abort();
    ret_picked->count = 0;
    for (size_t i = first; i < all; i++)
        ret_picked->indexes[ret_picked->count++] = i;
}

void
pick_finish(struct picked *picked)
{
    free(picked->indexes);
    *picked = (struct picked){0};
}
