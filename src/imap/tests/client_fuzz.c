/* SPDX-License-Identifier: ISC */
/* A hostile server: the first octets choose options, what is asked, and how the rest, the server's
 * words, is cut. What must hold: the client tells a legal order of events with sane numbers, bodies
 * are as long as announced, and all of it is the same when the input comes whole. */
#include "imap/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 4, TOLD_MAX = 16 << 20, MESSAGE_MAX = 500 };

struct play {
    struct imap_client *client;
    struct buffer sent, told;
    struct instant now;
    uint8_t asks;
    bool asks_more, gives_up, is_logged_in, is_closed;
    uint64_t body_next;
};

static const struct imap_client_term terms[] = {
    {.key = {(const uint8_t *)"ALL", 3}},
    {.key = {(const uint8_t *)"TEXT", 4},
     .has_text = true,
     .text = {(const uint8_t *)"\xC3\xA9", 2}},
};

static const struct imap_client_question questions[] = {
    {.command = IMAP_CLIENT_SELECT, .mailbox = {(const uint8_t *)"INBOX", 5}},
    {.command = IMAP_CLIENT_LIST, .other = {(const uint8_t *)"*", 1}},
    {.command = IMAP_CLIENT_FETCH,
     .uids = {(const uint8_t *)"1:*", 3},
     .text = {(const uint8_t *)"BODY.PEEK[]", 11}},
    {.command = IMAP_CLIENT_SEARCH, .terms = terms, .terms_count = 2},
    {.command = IMAP_CLIENT_APPEND, .mailbox = {(const uint8_t *)"x", 1}, .octets = 3},
    {.command = IMAP_CLIENT_IDLE},
    {.command = IMAP_CLIENT_LOGOUT_NOW},
};

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* The other commands, with names and strings that need literals. */
static const struct imap_client_question more_questions[] = {
    {.command = IMAP_CLIENT_SELECT, .mailbox = TEXT("INBOX"), .text = TEXT("CONDSTORE")},
    {.command = IMAP_CLIENT_STORE, .uids = TEXT("1:*"), .flags = TEXT("\\Seen"), .text = TEXT("+")},
    {.command = IMAP_CLIENT_COPY, .uids = TEXT("1"), .mailbox = TEXT("\xC3\xA9")},
    {.command = IMAP_CLIENT_MOVE, .uids = TEXT("1"), .mailbox = TEXT("a\"b\\c")},
    {.command = IMAP_CLIENT_EXPUNGE, .uids = TEXT("1,3:*")},
    {.command = IMAP_CLIENT_EXPUNGE},
    {.command = IMAP_CLIENT_FETCH,
     .uids = TEXT("1:*"),
     .text = TEXT("FLAGS INTERNALDATE RFC822.SIZE"),
     .changed_since = 1,
     .wants_vanished = true},
    {.command = IMAP_CLIENT_STATUS, .mailbox = TEXT("&-"), .is_wire = true, .text = TEXT("SIZE")},
    {.command = IMAP_CLIENT_ENABLE, .text = TEXT("QRESYNC")},
    {.command = IMAP_CLIENT_NAMESPACE},
    {.command = IMAP_CLIENT_LSUB, .mailbox = TEXT("#x/"), .other = TEXT("%")},
    {.command = IMAP_CLIENT_LIST, .other = TEXT("%"), .text = TEXT("SPECIAL-USE")},
    {.command = IMAP_CLIENT_EXAMINE, .mailbox = TEXT("x")},
    {.command = IMAP_CLIENT_CREATE, .mailbox = TEXT("x"), .text = TEXT("\\Sent")},
    {.command = IMAP_CLIENT_RENAME, .mailbox = TEXT("x"), .other = TEXT("y")},
    {.command = IMAP_CLIENT_SUBSCRIBE, .mailbox = TEXT("x")},
    {.command = IMAP_CLIENT_UNSUBSCRIBE, .mailbox = TEXT("x")},
    {.command = IMAP_CLIENT_DELETE, .mailbox = TEXT("x")},
    {.command = IMAP_CLIENT_APPEND,
     .mailbox = TEXT("x"),
     .flags = TEXT("\\Seen $Forwarded"),
     .has_date = true,
     .octets = 3},
    {.command = IMAP_CLIENT_NOOP},
    {.command = IMAP_CLIENT_UNSELECT},
    {.command = IMAP_CLIENT_CLOSE},
};

static void
ask_next(struct play *play)
{
    const struct imap_client_question *table = play->asks_more ? more_questions : questions;
    unsigned count = play->asks_more ? COUNT_OF(more_questions) : COUNT_OF(questions);

    for (unsigned i = 0; i < count && imap_client_can_ask(play->client); i++)
        (void)!imap_client_ask(play->client, &table[play->asks++ % count], play->now);
}

/* The last mailbox and the state are told, too: they must not depend on the cuts. */
static void
look(struct play *play)
{
    struct imap_client_mailbox mailbox = imap_client_mailbox(play->client);
    struct imap_client_facts facts = imap_client_facts(play->client);

    buffer_put_decimal(&play->told, mailbox.status.messages);
    buffer_put_decimal(&play->told, mailbox.status.uid_next);
    buffer_put_decimal(&play->told, mailbox.status.highest_modseq);
    buffer_put_byte(&play->told, mailbox.is_read_only ? '1' : '0');
    buffer_put_byte(&play->told, facts.has_rev1 || facts.has_rev2 ? '1' : '0');
    buffer_put_text(&play->told, imap_client_state_name(imap_client_state(play->client)));
}

static void
check_body(struct play *play, const struct imap_client_body *body)
{
    assert(body->octets <= MESSAGE_MAX || body->offset == 0);
    assert(body->offset == (body->offset == 0 ? 0 : play->body_next));
    assert(body->offset + body->bytes.len <= body->octets);
    play->body_next = body->offset + body->bytes.len;
}

static void
check_order(struct play *play, const struct imap_client_event *event)
{
    assert(!play->is_closed);
    if (event->kind <= IMAP_CLIENT_EVENT_LOGGED_IN)
        assert(!play->is_logged_in);
    else if (event->kind != IMAP_CLIENT_EVENT_CLOSE)
        assert(play->is_logged_in);
    if (event->kind == IMAP_CLIENT_EVENT_NUMBERS || event->kind == IMAP_CLIENT_EVENT_VANISHED)
        assert(event->first >= 1 && event->first <= event->last);
    if (event->kind == IMAP_CLIENT_EVENT_BODY)
        check_body(play, &event->body);
    if (event->kind == IMAP_CLIENT_EVENT_FETCH)
        assert(event->message.number > 0);
    if (event->kind == IMAP_CLIENT_EVENT_LIST || event->kind == IMAP_CLIENT_EVENT_STATUS)
        assert(event->wire_name.len <= IMAP_CLIENT_NAME_MAX);
}

static void
handle(struct play *play, const struct imap_client_event *event)
{
    const struct slice slices[] = {event->code,          event->text,       event->bytes,
                                   event->name,          event->wire_name,  event->body.section,
                                   event->message.flags, event->body.bytes, event->mechanism};
    bool is_rest = event->kind == IMAP_CLIENT_EVENT_BODY && event->body.offset > 0;

    uint32_t uid_validity = 0, uid = 0;

    check_order(play, event);
    if (event->kind == IMAP_CLIENT_EVENT_REPLY) {
        if (imap_client_parse_append_uid(event->code, &uid_validity, &uid))
            assert(uid_validity > 0 && uid > 0);
        look(play);
    }
    if (!is_rest)
        buffer_put_byte(&play->told, (uint8_t)('a' + event->kind));
    for (size_t i = 0; i < COUNT_OF(slices); i++) {
        if (!is_rest || i == 7)
            buffer_put(&play->told, slices[i]);
    }
    play->is_logged_in = play->is_logged_in || event->kind == IMAP_CLIENT_EVENT_LOGGED_IN;
    play->is_closed = event->kind == IMAP_CLIENT_EVENT_CLOSE;
    if (event->kind == IMAP_CLIENT_EVENT_STARTTLS)
        imap_client_tls_started(play->client, play->now);
    else if (event->kind == IMAP_CLIENT_EVENT_CHALLENGE && play->gives_up)
        imap_client_give_up(play->client, play->now);
    else if (event->kind == IMAP_CLIENT_EVENT_AUTH || event->kind == IMAP_CLIENT_EVENT_CHALLENGE)
        imap_client_respond(play->client, SLICE("\0name\0password"), play->now);
    else if (event->kind == IMAP_CLIENT_EVENT_APPEND)
        (void)!imap_client_append_put(play->client, SLICE("abc"), play->now);
    else if (event->kind == IMAP_CLIENT_EVENT_EXISTS)
        imap_client_done(play->client, play->now);
    else if (event->kind == IMAP_CLIENT_EVENT_LOGGED_IN || event->kind == IMAP_CLIENT_EVENT_REPLY)
        ask_next(play);
}

static void
work(struct play *play)
{
    struct imap_client_event event;

    while (imap_client_next(play->client, &event))
        handle(play, &event);
    struct slice output = imap_client_output(play->client);
    buffer_put(&play->sent, output);
    imap_client_sent(play->client, output.len);
}

static void
play_once(struct play *play, const struct imap_client_options *options, const uint8_t *head,
          struct slice input, size_t step)
{
    *play = (struct play){
        .now = {1}, .asks = head[2], .asks_more = head[0] & 4, .gives_up = head[1] & 64};
    buffer_init(&play->sent, TOLD_MAX);
    buffer_init(&play->told, TOLD_MAX);
    play->client = imap_client_open(options);
    imap_client_begin(play->client, play->now);
    imap_client_connected(play->client, play->now);
    for (int stalls = 0; input.len > 0; work(play)) {
        struct slice piece = slice_first(input, step);
        size_t taken = imap_client_feed(play->client, piece, play->now);
        stalls = taken == 0 ? stalls + 1 : 0;
        assert(stalls <= 1 && taken <= piece.len);
        input = slice_skip(input, taken);
    }
    imap_client_expire(play->client, imap_client_deadline(play->client));
    imap_client_input_ended(play->client);
    work(play);
    assert(play->is_closed && imap_client_state(play->client) == IMAP_CLIENT_WAITING);
    imap_client_close(&play->client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t head[HEAD_LEN] = {0};
    struct play whole, cut;

    memcpy(head, data, len < HEAD_LEN ? len : HEAD_LEN);
    struct slice input = slice_skip(slice_of(data, len), HEAD_LEN);
    struct imap_client_options options = {
        .name = SLICE("mrose"),
        .password = head[1] & 128 ? SLICE("\xC3\xA9") : SLICE("secret"),
        .mechanisms = {SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-256"), SLICE("PLAIN")},
        .mechanisms_count = head[0] % 4,
        .tls = (enum imap_client_tls)(head[1] % 3),
        .is_secure = head[1] & 16,
        .allows_clear_password = head[1] & 32,
        .message_bytes_max = MESSAGE_MAX,
    };
    play_once(&whole, &options, head, input, SIZE_MAX);
    play_once(&cut, &options, head, input, head[3] == 0 ? 1 : head[3]);
    assert(slice_equal(buffer_slice(&whole.sent), buffer_slice(&cut.sent)));
    assert(slice_equal(buffer_slice(&whole.told), buffer_slice(&cut.told)));
    buffer_finish(&whole.sent);
    buffer_finish(&whole.told);
    buffer_finish(&cut.sent);
    buffer_finish(&cut.told);
    return 0;
}
