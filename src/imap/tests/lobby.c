/* SPDX-License-Identifier: ISC */
#include "imap/tests/lobby.h"

#include "mime/record.h"

#include <stdlib.h>

enum { SAID_MAX = 64 << 20, WORK_MAX = 32 << 20, RANGES_MAX = LOBBY_MESSAGES_MAX };

static void pump(struct lobby *lobby);

static void
unwatch(void *context, uint64_t watch)
{
    struct lobby *lobby = context;

    if (lobby->account_watch == watch)
        lobby->account_watch = 0;
    for (size_t i = 0; i < LOBBY_BOXES; i++) {
        if (lobby->boxes[i].watch == watch)
            lobby->boxes[i].watch = 0;
    }
}

static void
wake(void *context)
{
    (void)context; /* pump comes after every note */
}

static struct wall
wall(void *context)
{
    struct lobby *lobby = context;

    lobby->clock_s += lobby->tick_s;
    return (struct wall){(INT64_C(1700000000) + lobby->clock_s) * 1000000000};
}

struct imap_server_options
lobby_options(void)
{
    return (struct imap_server_options){
        .hostname = SLICE("mail.example.test"),
        .mechanisms = {SLICE("PLAIN")},
        .mechanisms_count = 1,
        .is_tls_available = true,
        .allows_clear_password = true,
        .message_bytes_max = LOBBY_TEXT_MAX,
    };
}

void
lobby_init_as(struct lobby *lobby, const struct imap_server_options *wishes)
{
    struct imap_server_options options = *wishes;

    *lobby = (struct lobby){.modseq = 1,
                            .box_count = 2,
                            .rights = 2047,
                            .messages_max = LOBBY_MESSAGES,
                            .text_max = LOBBY_TEXT_MAX};
    options.mailboxes = &lobby->mailboxes;
    options.wall = wall;
    options.wake = wake;
    options.wake_context = lobby;
    lobby->boxes[0] = (struct lobby_box){.name = SLICE("INBOX"), .uid_next = 1};
    lobby->boxes[1] = (struct lobby_box){.name = SLICE("Other"), .uid_next = 1};
    lobby->boxes[2] = (struct lobby_box){.name = SLICE("Other/b"), .uid_next = 1};
    imap_mailboxes_init(&lobby->mailboxes, 7, unwatch, lobby);
    buffer_init(&lobby->said, SAID_MAX);
    arena_init(&lobby->arena, WORK_MAX);
    lobby->server = imap_server_open(&options, lobby->now);
    pump(lobby);
}

void
lobby_init(struct lobby *lobby)
{
    const struct imap_server_options options = lobby_options();

    lobby_init_as(lobby, &options);
}

void
lobby_finish(struct lobby *lobby)
{
    imap_server_close(&lobby->server);
    imap_mailboxes_finish(&lobby->mailboxes);
    for (size_t i = 0; i < LOBBY_BOXES; i++) {
        for (size_t at = 0; at < lobby->boxes[i].count; at++)
            free(lobby->boxes[i].messages[at]);
    }
    buffer_finish(&lobby->said);
    arena_finish(&lobby->arena);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void
give(struct lobby *lobby, struct access_store_note note)
{
    imap_server_on_note(lobby->server, &note, slice_of("", 0));
}

static void
tell(struct lobby *lobby, struct access_store_note note)
{
    imap_mailboxes_on_note(&lobby->mailboxes, &note);
}

static void
done(struct lobby *lobby, enum access_store_result result)
{
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_DONE, .as.done = {0, result, 0}});
}

static struct access_store_column
column_of(const struct lobby_message *message)
{
    return (struct access_store_column){message->uid, message->flags, message->keywords,
                                        message->modseq};
}

static void
tell_account(struct lobby *lobby)
{
    if (lobby->account_watch)
        tell(lobby, (struct access_store_note){.kind = ACCESS_STORE_CHANGES,
                                               .as.changes = {.watch = lobby->account_watch}});
}

static void
tell_changed(struct lobby *lobby, struct lobby_box *box, const struct lobby_message *message)
{
    struct access_store_column row = column_of(message);

    if (box->watch)
        tell(lobby, (struct access_store_note){.kind = ACCESS_STORE_CHANGES,
                                               .as.changes = {.watch = box->watch,
                                                              .modseq = lobby->modseq,
                                                              .uid_next = box->uid_next,
                                                              .rows = {&row, 1}}});
    tell_account(lobby);
}

static void
tell_gone(struct lobby *lobby, struct lobby_box *box, uint32_t uid)
{
    struct access_store_uid_range range = {uid, uid};

    if (box->watch)
        tell(lobby, (struct access_store_note){.kind = ACCESS_STORE_CHANGES,
                                               .as.changes = {.watch = box->watch,
                                                              .modseq = lobby->modseq,
                                                              .uid_next = box->uid_next,
                                                              .vanished = {&range, 1}}});
    tell_account(lobby);
}

static void
tell_keywords(struct lobby *lobby, struct lobby_box *box)
{
    struct access_store_keyword names[8];

    for (size_t i = 0; i < lobby->keyword_count; i++)
        names[i].name = lobby->keywords[i];
    if (box->watch)
        tell(lobby, (struct access_store_note){
                        .kind = ACCESS_STORE_KEYWORDS,
                        .as.keywords = {box->watch, 0, {names, lobby->keyword_count}}});
}

/* ---- messages -------------------------------------------------------------------------------- */

static uint32_t
put_message(struct lobby *lobby, struct lobby_box *box, struct slice text, uint8_t flags,
            uint64_t keywords)
{
    if (box->count == lobby->messages_max || text.len > lobby->text_max)
        return 0;
    struct lobby_message *message = calloc(1, sizeof(*message) + text.len);
    if (!message)
        abort();
    message->uid = box->uid_next++;
    message->flags = flags;
    message->keywords = keywords;
    message->modseq = ++lobby->modseq;
    message->len = text.len;
    memcpy(message->text, text.at, text.len);
    box->messages[box->count++] = message;
    tell_changed(lobby, box, message);
    return message->uid;
}

static void
remove_message(struct lobby *lobby, struct lobby_box *box, size_t at)
{
    uint32_t uid = box->messages[at]->uid;

    free(box->messages[at]);
    box->count--;
    for (size_t i = at; i < box->count; i++)
        box->messages[i] = box->messages[i + 1];
    lobby->modseq++;
    tell_gone(lobby, box, uid);
}

void
lobby_flag(struct lobby *lobby, size_t box)
{
    if (lobby->boxes[box].count == 0)
        return;
    struct lobby_message *message = lobby->boxes[box].messages[0];
    message->flags ^= 4;
    message->modseq = ++lobby->modseq;
    tell_changed(lobby, &lobby->boxes[box], message);
    pump(lobby);
}

void
lobby_remove(struct lobby *lobby, size_t box)
{
    if (lobby->boxes[box].count > 0)
        remove_message(lobby, &lobby->boxes[box], 0);
    pump(lobby);
}

void
lobby_deliver(struct lobby *lobby, size_t box, const char *text)
{
    (void)put_message(lobby, &lobby->boxes[box], slice_of_string(text), 0, 0);
    pump(lobby);
}

static bool
is_in(const struct access_store_uid_range_list *ranges, uint32_t uid)
{
    for (size_t i = 0; i < ranges->count; i++) {
        if (uid >= ranges->at[i].first && uid <= ranges->at[i].last)
            return true;
    }
    return false;
}

static struct lobby_box *
box_of(struct lobby *lobby, uint32_t mailbox)
{
    return &lobby->boxes[mailbox > 0 && mailbox <= lobby->box_count ? mailbox - 1 : 0];
}

static struct lobby_box *
box_named(struct lobby *lobby, struct slice name)
{
    for (size_t i = 0; i < lobby->box_count; i++) {
        if (slice_equal(lobby->boxes[i].name, name))
            return &lobby->boxes[i];
    }
    return NULL;
}

static uint64_t
keyword_bits(struct lobby *lobby, const struct access_store_keyword_list *names)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < names->count; i++) {
        size_t at = 0;
        while (at < lobby->keyword_count &&
               !slice_equal_nocase(lobby->keywords[at], names->at[i].name))
            at++;
        if (at == 8)
            continue;
        if (at == lobby->keyword_count) {
            memcpy(lobby->keyword_text[at], names->at[i].name.at, names->at[i].name.len);
            lobby->keywords[at] = slice_of(lobby->keyword_text[at], names->at[i].name.len);
            lobby->keyword_count++;
        }
        bits |= UINT64_C(1) << at;
    }
    return bits;
}

/* ---- answering ------------------------------------------------------------------------------- */

static void
on_list(struct lobby *lobby, const struct access_store_mailbox_list *ask)
{
    struct access_store_mailbox_row rows[LOBBY_BOXES];
    size_t count = 0;

    for (size_t i = 0; i < lobby->box_count; i++) {
        const struct lobby_box *box = &lobby->boxes[i];
        if (ask->name.len > 0 && !slice_equal(ask->name, box->name))
            continue;
        rows[count++] = (struct access_store_mailbox_row){.owner = box->owner,
                                                          .mailbox = (uint32_t)i + 1,
                                                          .rights = lobby->rights,
                                                          .name = box->name,
                                                          .uid_validity = (uint32_t)i + 10,
                                                          .uid_next = box->uid_next,
                                                          .messages = (uint32_t)box->count,
                                                          .modseq = lobby->modseq,
                                                          .is_subscribed = i == 0};
    }
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_MAILBOXES,
                                           .as.mailboxes = {0, {rows, count}}});
    lobby->lists++;
    for (size_t i = 0; i < lobby->more_boxes && ask->name.len == 0; i++) {
        rows[0] = (struct access_store_mailbox_row){
            .mailbox = (uint32_t)(LOBBY_BOXES + 1 + i), .name = SLICE("more"), .uid_next = 1};
        give(lobby, (struct access_store_note){.kind = ACCESS_STORE_MAILBOXES,
                                               .as.mailboxes = {0, {rows, 1}}});
    }
    done(lobby, lobby->is_blind ? ACCESS_STORE_RESULT_TEMPORARY
                : count > 0     ? ACCESS_STORE_RESULT_OK
                                : ACCESS_STORE_RESULT_NOT_FOUND);
}

static void
on_watch(struct lobby *lobby, const struct access_store_watch *ask)
{
    struct lobby_box *box = box_of(lobby, ask->mailbox);
    struct access_store_column rows[LOBBY_MESSAGES_MAX];

    if (ask->mailbox == 0) {
        struct access_store_columns none = {
            .watch = ask->watch, .result = ACCESS_STORE_RESULT_NOT_FOUND, .is_last = true};
        lobby->account_watch = ask->watch;
        tell(lobby, (struct access_store_note){.kind = ACCESS_STORE_COLUMNS, .as.columns = none});
        done(lobby, ACCESS_STORE_RESULT_NOT_FOUND);
        return;
    }
    box->watch = ask->watch;
    for (size_t i = 0; i < box->count; i++)
        rows[i] = column_of(box->messages[i]);
    tell_keywords(lobby, box);
    tell(lobby, (struct access_store_note){.kind = ACCESS_STORE_COLUMNS,
                                           .as.columns = {.watch = ask->watch,
                                                          .result = lobby->watched,
                                                          .is_last = true,
                                                          .uid_validity = 9 + ask->mailbox,
                                                          .uid_next = box->uid_next,
                                                          .modseq = lobby->modseq,
                                                          .rows = {rows, box->count}}});
    done(lobby, ACCESS_STORE_RESULT_OK);
}

static void
give_row(struct lobby *lobby, struct lobby_message *message, bool has_record, uint32_t octets_max)
{
    struct slice text = slice_of(message->text, message->len);
    struct buffer record;
    struct mime_tree tree;

    arena_reset(&lobby->arena);
    buffer_init(&record, MIME_RECORD_MAX);
    mime_tree_parse(text, &lobby->arena, &tree);
    mime_record_put(&record, &tree, &lobby->arena);
    struct access_store_message row = {
        .uid = message->uid,
        .len = (uint32_t)message->len,
        .body = message->uid,
        .internal_ns = INT64_C(1600000000) * 1000000000,
        .record = has_record ? buffer_slice(&record) : slice_of("", 0),
        .octets = message->len <= octets_max && !lobby->is_apart ? text : slice_of("", 0),
    };
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_MESSAGES,
                                           .as.messages = {0, {&row, 1}}});
    buffer_finish(&record);
}

static void
on_messages(struct lobby *lobby, const struct access_store_messages_ask *ask)
{
    struct lobby_box *box = box_of(lobby, ask->mailbox);
    struct access_store_messages_ask kept = *ask;

    lobby->ranges_asked = ask->ranges.count;
    lobby->message_asks++;
    if (lobby->is_down) {
        done(lobby, ACCESS_STORE_RESULT_TEMPORARY);
        return;
    }
    for (size_t i = 0; i < box->count; i++) {
        struct lobby_message *message = box->messages[i];
        bool is_asked = is_in(&kept.ranges, message->uid) || lobby->is_chatty;
        if (is_asked && message->uid != lobby->hidden_uid)
            give_row(lobby, message, kept.has_records, kept.octets_max);
    }
    done(lobby, ACCESS_STORE_RESULT_OK);
}

/* What a part of STORE has done so far. */
struct lobby_part {
    size_t count;
    uint64_t first;
    struct access_store_uid_range modified[LOBBY_MESSAGES_MAX];
    size_t modified_count;
};

static void
end_part(struct lobby *lobby, struct lobby_box *box, struct lobby_part *part)
{
    const struct access_store_flags_were_set_in_part told = {
        .modseq_first = part->first <= lobby->modseq ? part->first : 0,
        .modseq_last = lobby->modseq,
        .modified = {part->modified, part->modified_count}};

    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_FLAGS_WERE_SET_IN_PART,
                                           .as.flags_were_set_in_part = told});
    if (lobby->is_raced) {
        lobby->is_raced = false;
        box->messages[0]->flags |= 16;
        box->messages[0]->modseq = ++lobby->modseq;
        tell_changed(lobby, box, box->messages[0]);
    }
    *part = (struct lobby_part){.first = lobby->modseq + 1};
}

static void
set_flags(struct lobby *lobby, const struct access_store_flags_set *ask, uint64_t bits,
          struct lobby_message *message)
{
    bool is_removal = ask->mode == ACCESS_STORE_MODE_REMOVE;
    bool is_kept = ask->mode == ACCESS_STORE_MODE_ADD;

    message->flags = is_removal ? message->flags & (uint8_t)~ask->flags
                                : (uint8_t)((is_kept ? message->flags : 0) | ask->flags);
    message->keywords =
        is_removal ? message->keywords & ~bits : (is_kept ? message->keywords : 0) | bits;
    message->modseq = ++lobby->modseq;
}

static void
on_flags(struct lobby *lobby, const struct access_store_flags_set *ask)
{
    struct lobby_box *box = box_of(lobby, ask->mailbox);
    const struct access_store_flags_set kept = *ask;
    uint64_t bits = keyword_bits(lobby, &ask->keywords);
    struct lobby_part part = {.first = lobby->modseq + 1};
    enum access_store_result result = ACCESS_STORE_RESULT_OK;

    tell_keywords(lobby, box);
    for (size_t i = 0; i < box->count; i++) {
        struct lobby_message *message = box->messages[i];
        if (!is_in(&kept.ranges, message->uid))
            continue;
        if (part.count++ == LOBBY_PART) {
            end_part(lobby, box, &part);
            part.count = 1;
            result = lobby->is_cut ? ACCESS_STORE_RESULT_TEMPORARY : result;
        }
        if (result != ACCESS_STORE_RESULT_OK)
            break;
        if (message->modseq > kept.unchanged_since) {
            part.modified[part.modified_count++] =
                (struct access_store_uid_range){message->uid, message->uid};
            continue;
        }
        set_flags(lobby, &kept, bits, message);
        tell_changed(lobby, box, message);
    }
    const struct access_store_flags_were_set told = {
        .result = result,
        .modseq_first = part.first <= lobby->modseq ? part.first : 0,
        .modseq_last = lobby->modseq,
        .modified = {part.modified, part.modified_count}};
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_FLAGS_WERE_SET,
                                           .as.flags_were_set = told});
}

static void
tell_moved(struct lobby *lobby, const struct access_store_copied *answer)
{
    give(lobby, (struct access_store_note){
                    .kind = ACCESS_STORE_MOVED_IN_PART,
                    .as.moved_in_part = {.uid_validity = answer->uid_validity,
                                         .uid_first = answer->uid_first,
                                         .modseq_before = answer->modseq_before,
                                         .modseq = lobby->modseq,
                                         .sources = answer->sources}});
}

static void
on_copy(struct lobby *lobby, const struct access_store_copy *ask)
{
    struct lobby_box *box = box_of(lobby, ask->mailbox), *target = box_named(lobby, ask->to);
    struct access_store_uid_range sources[LOBBY_MESSAGES_MAX];
    struct access_store_copied answer = {
        .uid_validity = 11, .modseq_before = lobby->modseq, .sources = {sources, 0}};
    const struct access_store_copy kept = *ask;
    size_t count = box->count;

    answer.result = target ? ACCESS_STORE_RESULT_OK : ACCESS_STORE_RESULT_NOT_FOUND;
    for (size_t i = 0, at = 0; target && i < count; i++) {
        struct lobby_message *message = box->messages[at];
        if (!is_in(&kept.ranges, message->uid)) {
            at++;
            continue;
        }
        if (kept.is_move && answer.sources.count == LOBBY_PART) {
            tell_moved(lobby, &answer);
            answer.sources.count = answer.uid_first = 0;
            answer.modseq_before = lobby->modseq;
            answer.result = lobby->is_cut ? ACCESS_STORE_RESULT_QUOTA : ACCESS_STORE_RESULT_OK;
        }
        if (answer.result != ACCESS_STORE_RESULT_OK)
            break;
        uint32_t uid = put_message(lobby, target, slice_of(message->text, message->len),
                                   message->flags, message->keywords);
        answer.uid_first = answer.uid_first ? answer.uid_first : uid;
        sources[answer.sources.count++] =
            (struct access_store_uid_range){message->uid, message->uid};
        if (kept.is_move)
            remove_message(lobby, box, at);
        else
            at++;
    }
    answer.modseq = lobby->modseq;
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_COPIED, .as.copied = answer});
}

static void
on_expunge(struct lobby *lobby, const struct access_store_expunge *ask)
{
    struct lobby_box *box = box_of(lobby, ask->mailbox);
    const struct access_store_expunge kept = *ask;
    size_t gone = 0;

    for (size_t i = 0; i < box->count;) {
        if (!is_in(&kept.ranges, box->messages[i]->uid) || !(box->messages[i]->flags & 8)) {
            i++;
            continue;
        }
        if (gone > 0 && gone % LOBBY_PART == 0)
            give(lobby, (struct access_store_note){.kind = ACCESS_STORE_EXPUNGED_IN_PART});
        if (gone++ == LOBBY_PART && lobby->is_cut) {
            done(lobby, ACCESS_STORE_RESULT_TEMPORARY);
            return;
        }
        remove_message(lobby, box, i);
    }
    done(lobby, ACCESS_STORE_RESULT_OK);
}

static void
append_one(struct lobby *lobby, const struct access_store_append *ask, struct slice body)
{
    struct lobby_box *box = box_named(lobby, ask->mailbox);
    struct access_store_appended answer = {.uid_validity = 10, .modseq_before = lobby->modseq};

    answer.result = box ? ACCESS_STORE_RESULT_OK : ACCESS_STORE_RESULT_NOT_FOUND;
    if (box)
        answer.uid = put_message(lobby, box, ask->body.len ? ask->body : body, ask->flags,
                                 keyword_bits(lobby, &ask->keywords));
    for (size_t i = 0; box && ask->replaced_uid && i < box_of(lobby, ask->replaced_mailbox)->count;
         i++)
        if (box_of(lobby, ask->replaced_mailbox)->messages[i]->uid == ask->replaced_uid)
            remove_message(lobby, box_of(lobby, ask->replaced_mailbox), i);
    answer.modseq = lobby->modseq;
    give(lobby, (struct access_store_note){.kind = ACCESS_STORE_APPENDED, .as.appended = answer});
}

/* All of them are filed when the last has come. */
static void
on_append(struct lobby *lobby, const struct access_store_append *ask)
{
    if (ask->has_more) {
        lobby->held++;
        return;
    }
    if (lobby->held >= lobby->note_first)
        abort(); /* they are asked one behind the other */
    for (size_t i = lobby->note_first - 1 - lobby->held; i < lobby->note_first; i++)
        append_one(lobby, &lobby->notes[i].note.as.append, lobby->notes[i].body);
    lobby->held = 0;
}

static void
on_read(struct lobby *lobby, const struct access_store_read *ask)
{
    const struct lobby_box *box = box_of(lobby, ask->mailbox);
    struct access_store_note end = {.kind = ACCESS_STORE_READ_DONE,
                                    .as.read_done = {0, lobby->is_damaged
                                                            ? ACCESS_STORE_RESULT_DAMAGED
                                                            : ACCESS_STORE_RESULT_EXPUNGED}};

    if (lobby->is_busy)
        (void)put_message(lobby, &lobby->boxes[0], SLICE("A: b\r\n\r\n"), 0, 0);
    for (size_t i = 0; i < box->count; i++) {
        const struct lobby_message *message = box->messages[i];
        if (message->uid != ask->uid || lobby->is_late || lobby->is_damaged)
            continue;
        struct slice text = slice_of(message->text, message->len);
        uint64_t len = ask->len - (lobby->is_short && ask->len > 0);
        end.as.read_done.result = ACCESS_STORE_RESULT_OK;
        give(lobby, (struct access_store_note){
                        .kind = ACCESS_STORE_BYTES,
                        .as.bytes = {0, slice_between(text, ask->offset, ask->offset + len)}});
        break;
    }
    give(lobby, end);
}

/* The token of lobby.h permits all. */
static void
on_url(struct lobby *lobby, const struct access_store_url_ask *ask)
{
    struct lobby_box *box = box_named(lobby, ask->name);
    struct lobby_message *message = NULL;
    const struct access_store_url_ask kept = *ask;

    for (size_t i = 0; box && i < box->count; i++) {
        if (box->messages[i]->uid == kept.uid)
            message = box->messages[i];
    }
    if (!message || !slice_equal(kept.token, SLICE(LOBBY_TOKEN))) {
        done(lobby, ACCESS_STORE_RESULT_NOT_FOUND);
    } else if (kept.has_record) {
        give_row(lobby, message, true, 0);
        done(lobby, ACCESS_STORE_RESULT_OK);
    } else if (lobby->is_late || lobby->is_damaged) {
        done(lobby, lobby->is_late ? ACCESS_STORE_RESULT_NOT_FOUND : ACCESS_STORE_RESULT_DAMAGED);
    } else {
        struct slice text = slice_of(message->text, message->len);
        uint64_t end = kept.offset + kept.len - (lobby->is_short && kept.len > 0);
        give(lobby, (struct access_store_note){
                        .kind = ACCESS_STORE_BYTES,
                        .as.bytes = {0, slice_between(text, kept.offset, end)}});
        done(lobby, ACCESS_STORE_RESULT_OK);
    }
}

static void
on_text_search(struct lobby *lobby)
{
    struct access_store_uid_range range = {lobby->indexed_uid, lobby->indexed_uid};
    bool is_there = lobby->indexed_below > 0;

    lobby->searches++;
    if (is_there)
        give(lobby, (struct access_store_note){.kind = ACCESS_STORE_TEXT_FOUND,
                                               .as.text_found = {0, {&range, 1}}});
    give(lobby, (struct access_store_note){
                    .kind = ACCESS_STORE_TEXT_SEARCHED,
                    .as.text_searched = {
                        0, is_there ? ACCESS_STORE_RESULT_OK : ACCESS_STORE_RESULT_TEMPORARY,
                        lobby->indexed_below}});
}

static void
answer_beside(struct lobby *lobby, const struct access_store_note *note)
{
    struct access_store_annotation rows[LOBBY_MARKS_MAX];
    struct access_store_acl_entry entries[LOBBY_ENTRIES_MAX];
    struct access_store_note answer;

    if (lobby_marks_answer(lobby, note, rows, entries, &answer))
        give(lobby, answer);
    else
        tell_account(lobby);
    done(lobby, note->kind == ACCESS_STORE_VANISHED_ASK && lobby->is_forgetful
                    ? ACCESS_STORE_RESULT_LIMIT
                    : ACCESS_STORE_RESULT_OK);
}

static void
on_store(struct lobby *lobby, const struct access_store_note *note)
{
    bool is_url_read = note->kind == ACCESS_STORE_URL_ASK && !note->as.url_ask.has_record;
    bool is_read = note->kind == ACCESS_STORE_READ || is_url_read;

    if (lobby->is_away || (lobby->is_lost && is_read)) {
        lobby->is_away = false;
        lobby->note_first = lobby->note_end = 0;
        imap_server_store_lost(lobby->server);
    } else if (note->kind == ACCESS_STORE_MAILBOX_LIST)
        on_list(lobby, &note->as.mailbox_list);
    else if (note->kind == ACCESS_STORE_WATCH)
        on_watch(lobby, &note->as.watch);
    else if (note->kind == ACCESS_STORE_MESSAGES_ASK)
        on_messages(lobby, &note->as.messages_ask);
    else if (note->kind == ACCESS_STORE_FLAGS_SET)
        on_flags(lobby, &note->as.flags_set);
    else if (note->kind == ACCESS_STORE_COPY)
        on_copy(lobby, &note->as.copy);
    else if (note->kind == ACCESS_STORE_EXPUNGE)
        on_expunge(lobby, &note->as.expunge);
    else if (note->kind == ACCESS_STORE_APPEND)
        on_append(lobby, &note->as.append);
    else if (note->kind == ACCESS_STORE_READ)
        on_read(lobby, &note->as.read);
    else if (note->kind == ACCESS_STORE_URL_ASK)
        on_url(lobby, &note->as.url_ask);
    else if (note->kind == ACCESS_STORE_TEXT_SEARCH)
        on_text_search(lobby);
    else if (note->kind == ACCESS_STORE_ANNOTATIONS_ASK ||
             note->kind == ACCESS_STORE_VANISHED_ASK ||
             note->kind == ACCESS_STORE_ANNOTATIONS_SET || note->kind == ACCESS_STORE_ACL_ASK)
        answer_beside(lobby, note);
    else if (note->kind == ACCESS_STORE_URL_SIGN)
        give(lobby, (struct access_store_note){
                        .kind = ACCESS_STORE_URL_SIGNED,
                        .as.url_signed = {.token = SLICE(LOBBY_TOKEN)}});
    else if (note->kind == ACCESS_STORE_ACCOUNT_ASK)
        give(lobby, (struct access_store_note){
                        .kind = ACCESS_STORE_ACCOUNT_TOLD,
                        .as.account_told = {.bytes = 2048,
                                            .quota_bytes = lobby->is_unlimited ? 0 : 10240,
                                            .rights = lobby->rights}});
    else
        done(lobby, ACCESS_STORE_RESULT_OK);
}

static void
on_event(struct lobby *lobby, const struct imap_event *event)
{
    struct imap_answer answer = {.kind = IMAP_ANSWER_CREDENTIALS, .account = 1};
    struct instant now = lobby->now;

    if (event->kind == IMAP_EVENT_STORE) {
        if (lobby->note_end == COUNT_OF(lobby->notes))
            abort(); /* no command asks so often without an answer */
        lobby->asked++;
        lobby->notes[lobby->note_end++] = (struct lobby_note){*event->note, event->body};
    } else if (event->kind == IMAP_EVENT_AUTH_BEGIN && !event->has_initial) {
        answer.kind = IMAP_ANSWER_CHALLENGE;
        answer.challenge = slice_of("", 0);
        imap_server_answer(lobby->server, &answer, now);
    } else if (event->kind == IMAP_EVENT_AUTH_BEGIN || event->kind == IMAP_EVENT_AUTH_STEP) {
        if (slice_equal(event->response, SLICE("\0ann\0secret")))
            answer.kind = IMAP_ANSWER_OK;
        imap_server_answer(lobby->server, &answer, now);
    } else if (event->kind == IMAP_EVENT_STARTTLS) {
        imap_server_tls_started(lobby->server, now);
    } else if (event->kind == IMAP_EVENT_CLOSE) {
        lobby->is_closed = true;
    }
}

static void
pump(struct lobby *lobby)
{
    struct imap_event event;
    bool has_more = true;

    while (has_more) {
        has_more = imap_server_next(lobby->server, &event);
        if (has_more) {
            on_event(lobby, &event);
        } else if (lobby->note_first < lobby->note_end) {
            on_store(lobby, &lobby->notes[lobby->note_first++].note);
            has_more = true;
        } else {
            lobby->note_first = lobby->note_end = 0;
        }
        struct slice output = imap_server_output(lobby->server);
        has_more = has_more || output.len > 0;
        if (output.len > lobby->output_most)
            lobby->output_most = output.len;
        buffer_put(&lobby->said, output);
        imap_server_sent(lobby->server, output.len, lobby->now);
    }
}

void
lobby_work(struct lobby *lobby)
{
    pump(lobby);
}

void
lobby_say(struct lobby *lobby, struct slice text)
{
    size_t taken = 1;

    while (text.len > 0 && taken > 0) {
        taken = imap_server_feed(lobby->server, text, lobby->now);
        text = slice_skip(text, taken);
        pump(lobby);
    }
}

struct slice
lobby_ask(struct lobby *lobby, const char *text, size_t step)
{
    struct slice rest = slice_of_string(text);

    buffer_clear(&lobby->said);
    for (; rest.len > 0; rest = slice_skip(rest, step))
        lobby_say(lobby, slice_first(rest, step));
    return buffer_slice(&lobby->said);
}
