/* SPDX-License-Identifier: ISC */
/* All keys. */
#include "screen/screen_private.h"

static const char *const lines[] = {
    "In the list of messages",
    "  j k ↓ ↑        next, previous message        Tab          next unread message",
    "  Enter Space    read                          ←            folders and accounts",
    "  = Home, * End  first, last message           c            open a folder by its name",
    "  / l            search as you type            n            next one that was found",
    "  Esc            show all messages again       t            threads, or newest first",
    "  $              delete what is marked         R            look for new mail now",
    "  q              quit",
    "",
    "In a message",
    "  Space - ↓ ↑    scroll                        j k          next, previous message",
    "  h              the whole header              v            attachments: s saves, Enter opens",
    "  / n            find in the text              q i          back to the list",
    "",
    "In both",
    "  m              write a message               r g          answer; answer to all",
    "  f              forward                       b            bounce: send on unchanged",
    "  d              mark for deletion             u            undo",
    "  F              flag                          N            unread, or read",
    "  s              move to a folder              A            move to the archive",
    "  e              go on with a draft",
    "",
    "While writing",
    "  y              send                          e            edit the text",
    "  t c b s        To, Cc, Bcc, subject          a D          attach a file; take it off",
    "  f              write from another account    P            keep it as a draft",
    "  S E            sign, encrypt                 q            discard, or keep as a draft",
    "",
    "Signs in the list: N unread, r answered, ! flagged, D to be deleted, + attachments.",
    "The mouse chooses, a double click opens, its wheel scrolls; with Shift it marks text.",
    "Nothing in a message is ever loaded from elsewhere; links are shown for what they are.",
};

size_t
screen_help_lines(void)
{
    return COUNT_OF(lines);
}

void
screen_draw_help(struct screen *screen, struct canvas *canvas)
{
    size_t rows = screen_list_rows(screen);

    for (size_t i = 0; i < rows && screen->help_top + i < COUNT_OF(lines); i++) {
        struct slice line = slice_of_string(lines[screen->help_top + i]);
        bool is_heading = line.len > 0 && line.at[0] != ' ' && slice_starts_with(line, SLICE("In"));
        canvas_put_field(
            canvas, 1 + i, 1, screen->columns - 1,
            is_heading || slice_starts_with(line, SLICE("While")) ? INK_LABEL : INK_TEXT, line);
    }
}
