/* SPDX-License-Identifier: ISC */
/* Our client against our server: the input is a list of questions and of what happens between
 * them, a mailbox's name, words to seek and messages. What must hold: the server understands each
 * question (no BAD), the client each answer; a mailbox is listed, selected and asked for under the
 * name it has; messages come octet for octet, whole and in two parts, from a delivery or from the
 * client's own APPEND; words are found where they stand; the client's count of messages is right
 * after each NOOP and IDLE; and the session ends well. */
#include "imap/client.h"
#include "imap/grammar.h"
#include "imap/tests/lobby.h"
#include "text/utf7.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 2, MARK = 0x1E, MESSAGES = 3, STEPS_MAX = 60, ROUNDS_MAX = 1000000 };
enum { NAME_MAX = 200, TEXT_MAX = 2000, ANYTHING = 100000, NO_BOX = LOBBY_BOXES };

struct pair {
    struct lobby *lobby;
    struct imap_client *client;
    struct slice steps, name, sought, messages[MESSAGES];
    struct imap_client_term term;
    struct instant now;
    uint64_t seed;
    struct buffer parts;     /* what has come of the message that is read: header, then text */
    struct buffer piece;     /* a section, as its octets come */
    size_t selected, wanted; /* boxes; wanted: of SELECT */
    size_t next, appended;
    unsigned bodies, listed, found;
    size_t known;
    bool is_appending, is_idling, is_closed, is_split;
    bool is_level; /* the client knows of each message, and of no other */
};

static size_t
draw(struct pair *pair, size_t bound)
{
    pair->seed = pair->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(pair->seed >> 33) % bound;
}

static struct lobby_box *
box_of(struct pair *pair)
{
    assert(pair->selected != NO_BOX);
    return &pair->lobby->boxes[pair->selected];
}

/* ---- questions ------------------------------------------------------------------------------- */

/* What the letters of the list of steps ask for. Without a mailbox it is the one of the input. */
static const struct step {
    char letter;
    enum imap_client_command command;
    const char *mailbox, *uids, *text;
} steps[] = {
    {'l', IMAP_CLIENT_LIST, "", "", ""},
    {'i', IMAP_CLIENT_SELECT, "inbox", "", ""},
    {'o', IMAP_CLIENT_SELECT, NULL, "", ""},
    {'q', IMAP_CLIENT_EXAMINE, "INBOX", "", ""},
    {'t', IMAP_CLIENT_STATUS, NULL, "", "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"},
    {'f', IMAP_CLIENT_FETCH, "", "1:*",
     "FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[]"},
    {'h', IMAP_CLIENT_FETCH, "", "1:*", "BODY.PEEK[HEADER] PREVIEW BODY BODY.PEEK[TEXT]"},
    {'s', IMAP_CLIENT_SEARCH, "", "", ""},
    {'a', IMAP_CLIENT_APPEND, "INBOX", "", ""},
    {'S', IMAP_CLIENT_STORE, "", "1:*", "+"},
    {'c', IMAP_CLIENT_COPY, NULL, "1:*", ""},
    {'m', IMAP_CLIENT_MOVE, NULL, "1:2", ""},
    {'e', IMAP_CLIENT_EXPUNGE, "", "", ""},
    {'I', IMAP_CLIENT_IDLE, "", "", ""},
    {'u', IMAP_CLIENT_UNSELECT, "", "", ""},
    {'Q', IMAP_CLIENT_ENABLE, "", "", "QRESYNC"},
    {'r', IMAP_CLIENT_RENAME, NULL, "", ""},
    {'n', IMAP_CLIENT_NOOP, "", "", ""},
};

static struct imap_client_question
question_of(const struct pair *pair, uint8_t letter)
{
    size_t at = 0;

    while (at + 1 < COUNT_OF(steps) && steps[at].letter != letter)
        at++;
    const struct step *step = &steps[at];
    return (struct imap_client_question){
        .command = step->command,
        .mailbox = step->mailbox ? slice_of_string(step->mailbox) : pair->name,
        .other = step->command == IMAP_CLIENT_LIST ? SLICE("*") : SLICE("b/c"),
        .uids = slice_of_string(step->uids),
        .text = slice_of_string(step->text),
        .flags = step->command == IMAP_CLIENT_STORE ? SLICE("\\Deleted $Forwarded") : SLICE(""),
        .octets = pair->messages[2].len,
        .terms = &pair->term,
        .terms_count = 1,
    };
}

/* What happens beside the session; false when the step is a question. */
static bool
happens(struct pair *pair, uint8_t step)
{
    size_t box = step >= '5';
    char text[TEXT_MAX + 1] = "";

    if (step < '1' || step > '8')
        return false;
    pair->is_level = false;
    struct slice message = slice_first(pair->messages[box], TEXT_MAX);
    if (message.len > 0)
        memcpy(text, message.at, message.len);
    if (step == '1' || step == '5')
        lobby_deliver(pair->lobby, box, text);
    else if (step == '2' || step == '6')
        lobby_flag(pair->lobby, box);
    else if (step == '3' || step == '7')
        lobby_remove(pair->lobby, box);
    return true;
}

static void
expect(struct pair *pair, uint8_t step)
{
    pair->bodies = pair->listed = pair->found = 0;
    pair->known = imap_client_mailbox(pair->client).status.messages;
    if (strchr("acme", step))
        pair->is_level = false;
    pair->is_split = step == 'h';
    pair->is_idling = step == 'I';
    pair->wanted = step == 'o' ? 1 : 0;
    buffer_clear(&pair->parts);
    buffer_clear(&pair->piece);
}

static void
go_on(struct pair *pair)
{
    while (imap_client_can_ask(pair->client) && pair->next < pair->steps.len) {
        uint8_t step = pair->steps.at[pair->next++];
        if (happens(pair, step))
            continue;
        struct imap_client_question question = question_of(pair, step);
        expect(pair, step);
        bool is_asked = imap_client_ask(pair->client, &question, pair->now);
        pair->appended = 0;
        pair->is_appending = is_asked && step == 'a';
    }
    if (pair->next < pair->steps.len || !imap_client_can_ask(pair->client))
        return;
    const struct imap_client_question end = {.command = IMAP_CLIENT_LOGOUT_NOW};
    bool is_asked = imap_client_ask(pair->client, &end, pair->now);
    assert(is_asked);
}

/* ---- answers --------------------------------------------------------------------------------- */

static const struct lobby_message *
message_of(struct pair *pair, uint32_t uid)
{
    struct lobby_box *box = box_of(pair);

    for (size_t i = 0; i < box->count; i++) {
        if (box->messages[i]->uid == uid)
            return box->messages[i];
    }
    assert(false);
    return NULL;
}

/* Whole, or the header and then the text. */
static void
check_body(struct pair *pair, const struct imap_client_event *event)
{
    const struct imap_client_body *body = &event->body;

    assert(body->offset == buffer_len(&pair->piece));
    buffer_put(&pair->piece, body->bytes);
    if (body->offset + body->bytes.len < body->octets)
        return;
    buffer_put(&pair->parts, buffer_slice(&pair->piece));
    buffer_clear(&pair->piece);
    pair->bodies++;
    if (pair->is_split && slice_equal(body->section, SLICE("HEADER")))
        return;
    assert(event->message.said & IMAP_CLIENT_SAID_UID);
    const struct lobby_message *message = message_of(pair, event->message.uid);
    assert(slice_equal(buffer_slice(&pair->parts), slice_of(message->text, message->len)));
    buffer_clear(&pair->parts);
}

/* Where nothing is encoded, a word of letters is found exactly where it stands. */
static bool
is_simple(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == 0 || text.at[i] >= 0x7F)
            return false;
        struct slice rest = slice_skip(text, i);
        if (slice_starts_with(rest, SLICE("=?")) ||
            slice_equal_nocase(slice_first(rest, 7), SLICE("content")))
            return false;
    }
    return true;
}

static bool
has_word(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (slice_equal_nocase(slice_first(slice_skip(text, i), word.len), word))
            return true;
    }
    return false;
}

static void
check_found(struct pair *pair, const struct imap_client_event *event)
{
    for (uint32_t uid = event->first; uid <= event->last; uid++, pair->found++) {
        const struct lobby_message *message = message_of(pair, uid);
        struct slice text = slice_of(message->text, message->len);
        assert(!is_simple(text) || has_word(text, pair->sought));
    }
}

static void
check_all_found(struct pair *pair)
{
    const struct lobby_box *box = box_of(pair);
    size_t least = 0;

    for (size_t i = 0; i < box->count; i++) {
        struct slice text = slice_of(box->messages[i]->text, box->messages[i]->len);
        least += is_simple(text) && has_word(text, pair->sought);
    }
    assert(!pair->is_level || (pair->found >= least && pair->found <= box->count));
}

static void
check_reply(struct pair *pair, const struct imap_client_event *event)
{
    bool is_ok = event->result == IMAP_CLIENT_OK;
    enum imap_client_command command = event->command;

    assert(event->result != IMAP_CLIENT_BAD);
    if (command == IMAP_CLIENT_SELECT || command == IMAP_CLIENT_EXAMINE) {
        assert(is_ok);
        pair->selected = pair->wanted;
    } else if (command == IMAP_CLIENT_UNSELECT) {
        pair->selected = NO_BOX;
    } else if (command == IMAP_CLIENT_FETCH) {
        size_t parts = pair->is_split ? 2 : 1;
        assert(is_ok && pair->bodies <= (pair->known + box_of(pair)->count) * parts);
        assert(!pair->is_level || pair->bodies == box_of(pair)->count * parts);
    } else if (command == IMAP_CLIENT_LIST) {
        assert(is_ok && pair->listed == 2);
    } else if (command == IMAP_CLIENT_SEARCH) {
        assert(is_ok);
        check_all_found(pair);
    }
    bool is_told = command == IMAP_CLIENT_NOOP || command == IMAP_CLIENT_IDLE ||
                   command == IMAP_CLIENT_SELECT || command == IMAP_CLIENT_EXAMINE;
    pair->is_level = pair->is_level || (is_told && is_ok);
    if (is_told && pair->selected != NO_BOX)
        assert(imap_client_mailbox(pair->client).status.messages == box_of(pair)->count);
}

static void
check_name(struct pair *pair, const struct imap_client_event *event)
{
    bool is_inbox = slice_equal(event->name, SLICE("INBOX"));
    if (getenv("SAID"))
        fprintf(stderr, "N: %.*s (%.*s)\n", (int)event->name.len, event->name.at,
                (int)event->wire_name.len, event->wire_name.at);

    /* A parent that is not there is shown, too. */
    if (event->attributes & IMAP_CLIENT_NOSELECT) {
        assert(slice_starts_with(pair->name, event->name));
        return;
    }
    assert(is_inbox || slice_equal(event->name, pair->name));
    pair->listed++;
    if (event->kind == IMAP_CLIENT_EVENT_STATUS)
        assert(event->status.messages == pair->lobby->boxes[is_inbox ? 0 : 1].count);
}

static void
handle(struct pair *pair, const struct imap_client_event *event)
{
    enum imap_client_event_kind kind = event->kind;

    if (kind == IMAP_CLIENT_EVENT_AUTH)
        imap_client_respond(pair->client, SLICE("\0ann\0secret"), pair->now);
    else if (kind == IMAP_CLIENT_EVENT_BODY)
        check_body(pair, event);
    else if (kind == IMAP_CLIENT_EVENT_LIST || kind == IMAP_CLIENT_EVENT_STATUS)
        check_name(pair, event);
    else if (kind == IMAP_CLIENT_EVENT_NUMBERS)
        check_found(pair, event);
    else if (kind == IMAP_CLIENT_EVENT_REPLY)
        check_reply(pair, event);
    else if (kind == IMAP_CLIENT_EVENT_CLOSE)
        assert(event->close == IMAP_CLIENT_CLOSE_DONE);
    pair->is_closed = kind == IMAP_CLIENT_EVENT_CLOSE;
}

static void
idle_on(struct pair *pair)
{
    /* What happens next happens while the client waits. */
    while (pair->next < pair->steps.len && happens(pair, pair->steps.at[pair->next]))
        pair->next++;
    lobby_work(pair->lobby);
    pair->is_idling = false;
}

static void
work(struct pair *pair)
{
    struct imap_client_event event;

    while (imap_client_next(pair->client, &event)) {
        handle(pair, &event);
        if (event.kind == IMAP_CLIENT_EVENT_IDLING) {
            idle_on(pair);
            imap_client_done(pair->client, pair->now);
        }
    }
    if (pair->is_appending && pair->appended < pair->messages[2].len)
        pair->appended += imap_client_append_put(
            pair->client, slice_skip(pair->messages[2], pair->appended), pair->now);
    go_on(pair);
}

static void
converse(struct pair *pair)
{
    struct lobby *lobby = pair->lobby;

    for (unsigned round = 0; !pair->is_closed; round++) {
        size_t most = 1 + draw(pair, draw(pair, 8) ? 40 : ANYTHING);
        assert(round < ROUNDS_MAX);
        if (draw(pair, 2) == 0) {
            struct slice piece = slice_first(imap_client_output(pair->client), most);
            imap_client_sent(pair->client, imap_server_feed(lobby->server, piece, lobby->now));
            lobby_work(lobby);
        } else {
            struct slice piece = slice_first(buffer_slice(&lobby->said), most);
            size_t taken = imap_client_feed(pair->client, piece, pair->now);
            buffer_consume(&lobby->said, taken);
        }
        work(pair);
    }
}

/* ---- what the input is ----------------------------------------------------------------------- */

static struct slice
take_part(struct slice *rest)
{
    struct slice part = slice_first(*rest, slice_find_byte(*rest, MARK));

    *rest = slice_skip(*rest, part.len + 1);
    return part;
}

/* One that the store could have: it is the same when a client has said it. */
static struct slice
name_of(struct pair *pair, struct slice text)
{
    struct slice again, otherwise = SLICE("Other");
    struct buffer sent;

    buffer_init(&sent, (size_t)8 * NAME_MAX);
    bool is_good = text.len > 0 && text.len <= NAME_MAX && utf7_encode(text, &sent) &&
                   imap_name_decode(buffer_slice(&sent), false, &pair->lobby->arena, &again) &&
                   slice_equal(again, text) && !slice_equal(text, SLICE("INBOX"));
    buffer_finish(&sent);
    return is_good ? text : otherwise;
}

static void
read_input(struct pair *pair, struct slice rest)
{
    pair->steps = slice_first(take_part(&rest), STEPS_MAX);
    struct slice name = take_part(&rest);
    pair->name = name_of(pair, name);
    pair->sought = slice_first(take_part(&rest), TEXT_MAX);
    for (size_t i = 0; i < pair->sought.len; i++) {
        if (!byte_is_alpha(pair->sought.at[i]))
            pair->sought = slice_first(pair->sought, i);
    }
    if (pair->sought.len == 0)
        pair->sought = SLICE("x");
    pair->term =
        (struct imap_client_term){.key = SLICE("TEXT"), .has_text = true, .text = pair->sought};
    for (size_t i = 0; i < MESSAGES; i++) {
        pair->messages[i] = slice_first(take_part(&rest), LOBBY_TEXT_MAX);
        if (pair->messages[i].len == 0)
            pair->messages[i] = SLICE("Subject: x\r\n\r\ny\r\n");
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct imap_client_options options = {
        .name = SLICE("ann"),
        .password = SLICE("secret"),
        .mechanisms = {SLICE("PLAIN")},
        .mechanisms_count = 1,
        .tls = IMAP_CLIENT_TLS_NEVER,
        .allows_clear_password = true,
    };
    struct pair pair = {.now = {1}, .selected = NO_BOX};

    if (len < HEAD_LEN)
        return 0;
    pair.lobby = calloc(1, sizeof(*pair.lobby));
    assert(pair.lobby);
    pair.seed = (uint64_t)data[0] << 8 | data[1];
    buffer_init(&pair.parts, 1 << 20);
    buffer_init(&pair.piece, 1 << 20);
    lobby_init(pair.lobby);
    read_input(&pair, slice_skip(slice_of(data, len), HEAD_LEN));
    pair.lobby->boxes[1].name = pair.name;
    pair.client = imap_client_open(&options);
    imap_client_begin(pair.client, pair.now);
    imap_client_connected(pair.client, pair.now);
    converse(&pair);
    imap_client_close(&pair.client);
    lobby_finish(pair.lobby);
    free(pair.lobby);
    buffer_finish(&pair.parts);
    buffer_finish(&pair.piece);
    return 0;
}
