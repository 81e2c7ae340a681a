/* SPDX-License-Identifier: ISC */
/* Puts many messages into mailboxes of one account through a running store: several hundred are on
 * their way at once, so that they share its turns. */
#ifndef TOOL_APPENDER_H
#define TOOL_APPENDER_H

#include "base/map.h"
#include "base/time.h"
#include "tool/client.h"

struct appender_message {
    struct slice mailbox, content;
    struct slice key; /* an append with the same key was this one */
    uint32_t flags;   /* enum box_flag */
    const struct tool_store_keyword *keywords;
    size_t keyword_count;
    struct wall received;
    uint32_t uid; /* wanted; 0: the next */
};

struct appender {
    struct client *client;
    uint64_t account;
    struct buffer note;
    struct map flying; /* number of the request → length of the message */
    size_t flying_count;
    uint64_t flying_bytes;
    bool is_ending; /* all answers are waited for */
    uint64_t imported, there, refused;
    enum tool_store_result problem; /* the first one, else OK */
    void (*moved)(void *context);   /* after each answer; may be NULL */
    void *context;
};

/* Needs client, account, moved and context; the rest is set here. */
void appender_init(struct appender *appender);
void appender_finish(struct appender *appender);

/* Makes a mailbox (note/tool_store); the ids are put in here. Nothing may be on its way. Says what
 * is wrong. */
MUST_USE int appender_make(struct appender *appender, const struct tool_store_mailbox_make *make);

/* Sends it; waits for answers when many are on their way. EX_OK also when the store refuses: see
 * `refused`. What it borrows is needed during the call only. */
MUST_USE int appender_put(struct appender *appender, const struct appender_message *message);

/* Waits for the answers that are missing; more can be put then. */
MUST_USE int appender_end(struct appender *appender);

/* False after a refusal that the next message would meet too. */
bool appender_goes_on(const struct appender *appender);

/* Says what the refusals mean, unless `code` is an error already; the exit code. */
int appender_result(const struct appender *appender, int code);

#endif
