/* SPDX-License-Identifier: ISC */
/* A message that is written: its fields, its text, what is attached. */
#include "screen/screen_private.h"

#include <stdlib.h>

void
screen_begin_draft(struct screen *screen)
{
    draft_free(screen->draft);
    screen->draft = draft_new(screen->account);
    screen_prompt(screen, PROMPT_TO, "To: ", SLICE(""));
    screen->prompt.is_new = true;
}

/* The draft is somebody else's, or nobody's. */
void
screen_leave_compose(struct screen *screen)
{
    screen->draft = NULL;
    if (screen->pane == PANE_COMPOSE)
        screen->pane = screen->letter ? PANE_READER : PANE_LIST;
}

/* The draft travels to the editor and back. */
void
screen_edit_draft(struct screen *screen)
{
    struct wish *wish = screen_wish(screen, WISH_EDIT);

    wish->account = screen->draft->account;
    wish->draft = screen->draft;
    screen->draft = NULL;
}

void
screen_take_draft(struct screen *screen, struct news *news)
{
    if (!news->draft)
        return;
    if (screen->draft && news->wish != WISH_EDIT) {
        screen_say(screen, true, "First finish the message that you are writing.");
        return;
    }
    draft_free(screen->draft);
    screen->draft = news->draft;
    news->draft = NULL;
    screen->file = 0;
    struct entry *old = roster_find(&screen->roster, news->first);
    if (news->wish == WISH_RESUME && old && screen_use(screen) == FOLDER_DRAFTS &&
        news->account == screen->account) {
        old->is_marked = true;
        screen_say(screen, false, "The draft in the folder is marked for deletion.");
    }
    if (news->wish == WISH_ANSWER && !screen->draft->to) { /* to whom is it forwarded? */
        screen_prompt(screen, PROMPT_TO, "To: ", SLICE(""));
        screen->prompt.is_new = true;
    } else if (news->wish == WISH_ANSWER) {
        screen_edit_draft(screen);
    } else {
        screen->pane = PANE_COMPOSE;
    }
}

void
screen_take_sent(struct screen *screen, const struct news *news)
{
    if (!screen->is_sending)
        return;
    screen->is_sending = false;
    draft_free(screen->draft);
    screen_leave_compose(screen);
    screen_say(screen, false, "%s", news->text ? news->text : "Sent.");
}

/* The draft stays until it has been sent. */
static void
send(struct screen *screen)
{
    const struct draft *draft = screen->draft;

    if (screen->is_sending)
        return;
    if (traffic_text(draft->to).len + traffic_text(draft->cc).len + traffic_text(draft->bcc).len ==
        0) {
        screen_say(screen, true, "To whom? t names somebody.");
        return;
    }
    struct wish *wish = screen_wish(screen, WISH_SEND);
    wish->account = draft->account;
    wish->draft = draft_copy(draft);
    screen->is_sending = true;
    screen_say(screen, false, "Sending…");
}

static void
detach(struct screen *screen)
{
    struct draft *draft = screen->draft;

    if (screen->file >= draft->files_count)
        return;
    free(draft->files[screen->file]);
    memmove(draft->files + screen->file, draft->files + screen->file + 1,
            (draft->files_count - screen->file - 1) * sizeof(*draft->files));
    draft->files_count--;
    screen->file -= screen->file > 0 && screen->file == draft->files_count;
}

static void
use_next_account(struct screen *screen)
{
    struct draft *draft = screen->draft;

    draft->account = (draft->account + 1) % (uint32_t)screen->accounts_count;
    if (screen->accounts_count == 1)
        screen_say(screen, false, "There is one account; 'facteur account add' makes another.");
}

/* A field is typed anew. */
static bool
press_field(struct screen *screen, uint32_t character)
{
    const struct draft *draft = screen->draft;

    switch (character) {
    case 't':
        screen_prompt(screen, PROMPT_TO, "To: ", traffic_text(draft->to));
        return true;
    case 'c':
        screen_prompt(screen, PROMPT_CC, "Cc: ", traffic_text(draft->cc));
        return true;
    case 'b':
        screen_prompt(screen, PROMPT_BCC, "Bcc: ", traffic_text(draft->bcc));
        return true;
    case 's':
        screen_prompt(screen, PROMPT_SUBJECT, "Subject: ", traffic_text(draft->subject));
        return true;
    case 'a':
        screen_prompt(screen, PROMPT_ATTACH, "Attach file: ", SLICE(""));
        return true;
    default:
        return false;
    }
}

bool
screen_press_compose(struct screen *screen, const struct key *key)
{
    struct draft *draft = screen->draft;

    if (!draft) /* the editor has it */
        return true;
    if (key->kind == PRESS_DOWN || key_is(key, 'j')) {
        screen->file += screen->file + 1 < draft->files_count;
        return true;
    }
    if (key->kind == PRESS_UP || key_is(key, 'k')) {
        screen->file -= screen->file > 0;
        return true;
    }
    if (!screen->is_sending && (key->kind == PRESS_ESCAPE || key_is(key, 'q'))) {
        screen_prompt(screen, ASK_DISCARD, "Discard this message? (y/n: it is kept as a draft)",
                      SLICE(""));
        return true;
    }
    if (key->kind != PRESS_CHARACTER || screen->is_sending)
        return key->kind == PRESS_ENTER;
    switch (key->character) {
    case 'y':
        send(screen);
        return true;
    case 'e':
        screen_edit_draft(screen);
        return true;
    case 'D':
        detach(screen);
        return true;
    case 'f':
        use_next_account(screen);
        return true;
    case 'S':
        draft->is_signed = !draft->is_signed;
        return true;
    case 'E':
        draft->is_encrypted = !draft->is_encrypted;
        return true;
    case 'P':
        screen_wish(screen, WISH_KEEP)->draft = draft;
        screen_leave_compose(screen);
        return true;
    default:
        return press_field(screen, key->character);
    }
}
