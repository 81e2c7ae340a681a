/* SPDX-License-Identifier: ISC */
/* Our client against our server: two messages whose addresses, parameters and content the input
 * has (below), cut by a seed. What must hold: the server is told of these messages and of no other,
 * with these addresses and parameters, and keeps the content octet for octet but for the ends of
 * lines (whatever looks like an end of the message, a command or a dot in it); the client says
 * "delivered" of those recipients whose message was taken, and of no others; and the session ends
 * with QUIT. */
#include "base/buffer.h"
#include "smtp/client.h"
#include "smtp/server.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Behind the head: sender, two recipients, a note (ENVID, ORCPT, password), the first message, the
 * second, with a mark between each two. */
enum { HEAD_LEN = 6, MARK = 0x1E, RECIPIENTS = 2, MESSAGES = 2, ROUNDS_MAX = 1000000 };
enum { ROOM = 4 << 20, ANYTHING = 100000, PASSWORD_MAX = 200 };

/* Of the first octet, the client's. */
enum {
    IS_LMTP = 1,
    HAS_CHUNKING_OFF = 2,
    HAS_PIPELINING_OFF = 4,
    HAS_8BITMIME_OFF = 8,
    IS_BINARY = 16,
    IS_UTF8 = 32,
    HAS_LOGIN = 64,
    CONVERTS = 128
};

/* Of the second, the server's. */
enum {
    IS_CHUNKING_OFF = 1,
    IS_PIPELINING_OFF = 2,
    IS_DSN_OFF = 4,
    IS_UTF8_OFF = 8,
    REFUSES_FIRST = 16,
    REFUSES_SECOND = 32,
    REFUSES_BODY = 64,
    IS_SMALL = 128
};

struct pair {
    const uint8_t *head;
    struct smtp_client *client;
    struct smtp_server *server;
    struct smtp_client_message messages[MESSAGES];
    struct smtp_client_recipient recipients[RECIPIENTS];
    struct slice sender, note, password;
    struct arena arena;
    struct instant now;
    uint64_t seed;
    struct buffer body, wanted;
    unsigned carried, begun; /* messages, by the client and as the server was told */
    unsigned asked;          /* recipients that the server was told of */
    unsigned accepted, taken, delivered, finished;
    bool is_binary, is_converted, is_closed;
};

static const struct slice converted = SLICE("Subject: x\r\n\r\n.\r\nconverted\r\n");

static size_t
draw(struct pair *pair, size_t bound)
{
    pair->seed = pair->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(pair->seed >> 33) % bound;
}

/* ---- the server's house ---------------------------------------------------------------------- */

/* CRLF, lone CR and lone LF end a line; what has no end gets one. */
static void
put_lines(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '\r' && text.at[i] != '\n') {
            buffer_put_byte(out, text.at[i]);
            continue;
        }
        buffer_put_text(out, "\r\n");
        i += text.at[i] == '\r' && i + 1 < text.len && text.at[i + 1] == '\n';
    }
    if (text.len > 0 && text.at[text.len - 1] != '\n')
        buffer_put_text(out, "\r\n");
}

static void
check_body(struct pair *pair)
{
    struct slice content = pair->is_converted ? converted : pair->messages[pair->begun - 1].content;

    buffer_clear(&pair->wanted);
    if (pair->is_binary)
        buffer_put(&pair->wanted, content);
    else
        put_lines(&pair->wanted, content);
    assert(slice_equal(buffer_slice(&pair->body), buffer_slice(&pair->wanted)));
}

static void
check_mail(struct pair *pair, const struct smtp_event *event)
{
    const struct envelope_mail_parameters *got = event->mail.parameters;
    const struct envelope_mail_parameters *sent = &pair->messages[pair->begun].parameters;

    assert(pair->begun < pair->carried && event->mail.verb == SMTP_VERB_MAIL);
    assert(slice_equal(event->mail.path->canonical, pair->sender));
    assert(got->envid.len == 0 || slice_equal(got->envid, sent->envid));
    assert(got->ret == ENVELOPE_RET_NONE || got->ret == sent->ret);
    assert(!got->has_auth && !got->requires_tls && got->hold_for_s == 0);
    assert(!got->has_priority || got->priority == sent->priority);
    assert(!got->has_deliver_by || got->deliver_by_s == sent->deliver_by_s);
    pair->begun++;
    pair->asked = pair->accepted = 0;
    pair->is_binary = got->body == ENVELOPE_BODY_BINARYMIME;
}

static void
check_rcpt(struct pair *pair, const struct smtp_event *event)
{
    const struct envelope_rcpt_parameters *got = event->rcpt.parameters;

    /* One that needs SMTPUTF8, where it is not to be had, the server refuses by itself. */
    while (pair->asked < RECIPIENTS && !utf8_is_ascii(pair->recipients[pair->asked].address) &&
           !slice_equal(event->rcpt.path->canonical, pair->recipients[pair->asked].address))
        pair->asked++;
    assert(pair->asked < RECIPIENTS);
    const struct smtp_client_recipient *sent = &pair->recipients[pair->asked++];
    uint8_t notify = sent->parameters.notify;
    /* RFC 2852 §4.1.4.2: to a host without DELIVERBY. */
    uint8_t late = (notify ? notify : ENVELOPE_NOTIFY_FAILURE) | ENVELOPE_NOTIFY_DELAY;
    assert(slice_equal(event->rcpt.path->canonical, sent->address));
    assert(got->notify == 0 || got->notify == notify ||
           (pair->messages[0].parameters.has_deliver_by && got->notify == late));
    assert(got->orcpt.len == 0 || slice_equal(got->orcpt, sent->parameters.orcpt));
}

static void
check_login(struct pair *pair, const struct smtp_event *event)
{
    assert(event->auth.has_response && pair->head[0] & HAS_LOGIN);
    assert(slice_starts_with(event->auth.response, SLICE("\0alice\0")));
    assert(slice_equal(slice_skip(event->auth.response, 7), pair->password));
}

/* 0: yes. */
static uint16_t
verdict_on(struct pair *pair, const struct smtp_event *event)
{
    uint8_t choice = pair->head[1];

    if (event->kind == SMTP_EVENT_AUTH_BEGIN || event->kind == SMTP_EVENT_AUTH_STEP) {
        check_login(pair, event);
    } else if (event->kind == SMTP_EVENT_MAIL) {
        check_mail(pair, event);
    } else if (event->kind == SMTP_EVENT_RCPT) {
        check_rcpt(pair, event);
        if (choice & (pair->asked == 1 ? REFUSES_FIRST : REFUSES_SECOND))
            return 550;
        pair->accepted++;
    } else if (event->kind == SMTP_EVENT_BODY_BEGIN) {
        buffer_clear(&pair->body);
    } else if (event->kind == SMTP_EVENT_BODY_END) {
        assert(pair->accepted > 0 && event->body_bytes == buffer_len(&pair->body));
        check_body(pair);
        return choice & REFUSES_BODY ? 451 : 0;
    } else {
        assert(event->kind == SMTP_EVENT_CONNECT || event->kind == SMTP_EVENT_HELLO);
    }
    return 0;
}

static void
answer(struct pair *pair, const struct smtp_event *event)
{
    struct smtp_verdict verdict = {.code = verdict_on(pair, event), .identity = SLICE("alice")};
    unsigned count = pair->head[0] & IS_LMTP ? 1 : pair->accepted;

    if (event->kind == SMTP_EVENT_BODY_END && verdict.code == 0)
        pair->taken += count;
    smtp_server_answer(pair->server, &verdict, pair->now);
}

static void
serve(struct pair *pair)
{
    struct smtp_event event;

    while (smtp_server_next(pair->server, &event)) {
        if (event.kind == SMTP_EVENT_BODY_PIECE)
            buffer_put(&pair->body, event.body);
        while (smtp_server_is_asking(pair->server))
            answer(pair, &event);
    }
}

/* ---- the client's ---------------------------------------------------------------------------- */

static void
go_on(struct pair *pair)
{
    pair->begun = pair->carried; /* the server hears nothing of one that cannot leave */
    pair->is_converted = false;
    if (pair->carried < MESSAGES)
        smtp_client_carry(pair->client, &pair->messages[pair->carried++], pair->now);
    else
        smtp_client_quit(pair->client, pair->now);
}

static void
use(struct pair *pair)
{
    struct smtp_client_event event;

    while (smtp_client_next(pair->client, &event)) {
        if (event.kind == SMTP_CLIENT_EVENT_READY || event.kind == SMTP_CLIENT_EVENT_DONE) {
            go_on(pair);
        } else if (event.kind == SMTP_CLIENT_EVENT_CONVERT) {
            pair->is_converted = pair->head[0] & CONVERTS;
            smtp_client_convert(pair->client, pair->is_converted ? &converted : NULL, pair->now);
        } else if (event.kind == SMTP_CLIENT_EVENT_RESULT) {
            assert(event.outcome != SMTP_CLIENT_UNKNOWN);
            pair->delivered += event.outcome == SMTP_CLIENT_DELIVERED;
            pair->finished++;
        } else {
            assert(event.kind == SMTP_CLIENT_EVENT_CLOSE && event.close == SMTP_CLIENT_CLOSE_QUIT);
            pair->is_closed = true;
        }
    }
}

static void
converse(struct pair *pair)
{
    for (unsigned round = 0; !pair->is_closed; round++) {
        size_t most = 1 + draw(pair, draw(pair, 8) ? 40 : ANYTHING);
        size_t taken;
        assert(round < ROUNDS_MAX);
        if (draw(pair, 2) == 0) {
            struct slice piece = slice_first(smtp_client_output(pair->client), most);
            taken = smtp_server_feed(pair->server, piece, pair->now);
            serve(pair);
            smtp_client_sent(pair->client, taken, pair->now);
        } else {
            struct slice piece = slice_first(smtp_server_output(pair->server), most);
            taken = smtp_client_feed(pair->client, piece, pair->now);
            use(pair);
            smtp_server_sent(pair->server, taken, pair->now);
        }
        serve(pair);
        use(pair);
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

/* As our parser of envelopes has it, which is what the client is promised. */
static struct slice
address_of(struct pair *pair, struct slice text, struct slice otherwise)
{
    struct envelope_path path;

    if (envelope_mailbox_parse(text, &pair->arena, &path) != ENVELOPE_OK)
        return otherwise;
    return path.canonical;
}

/* The same of ENVID and ORCPT: what our server would not have taken is not passed on. */
static struct slice
note_of(const struct pair *pair, bool is_utf8)
{
    for (size_t i = 0; i < pair->note.len; i++) {
        if (pair->note.at[i] < ' ' || pair->note.at[i] == 0x7F)
            return SLICE("");
    }
    if (is_utf8 ? utf8_is_valid(pair->note) : utf8_is_ascii(pair->note))
        return pair->note;
    return SLICE("");
}

static void
write_messages(struct pair *pair, struct slice rest)
{
    struct slice sender = take_part(&rest);
    uint8_t notify = pair->head[4] & 15; /* RFC 3461 §4.1: NEVER stands alone */
    struct slice one = take_part(&rest), other = take_part(&rest);

    pair->sender = sender.len == 0 ? SLICE("") : address_of(pair, sender, SLICE("smith@bar.com"));
    pair->note = take_part(&rest);
    pair->password = slice_first(note_of(pair, false), PASSWORD_MAX);
    pair->recipients[0] = (struct smtp_client_recipient){
        .address = address_of(pair, one, SLICE("jones@foo.com")),
        .parameters = {.notify = notify & ENVELOPE_NOTIFY_NEVER ? ENVELOPE_NOTIFY_NEVER : notify,
                       .orcpt_type = pair->head[4] & 16 ? SLICE("utf-8") : SLICE("rfc822"),
                       .orcpt = note_of(pair, pair->head[4] & 16)}};
    pair->recipients[1] = (struct smtp_client_recipient){
        .address = address_of(pair, other, SLICE("\"a b\"@foo.com"))};
    for (size_t i = 0; i < MESSAGES; i++)
        pair->messages[i] = (struct smtp_client_message){
            .reverse_path = pair->sender,
            .parameters = {.ret = (enum envelope_ret)(pair->head[5] % 3),
                           .envid = note_of(pair, false),
                           .is_utf8 = pair->head[0] & IS_UTF8,
                           .has_priority = pair->head[5] & 16,
                           .priority = (int8_t)(pair->head[5] % 19 - 9),
                           .has_deliver_by = pair->head[5] & 32,
                           .deliver_by_s = pair->head[5] * 1000,
                           .deliver_by_traces = pair->head[5] & 64},
            .recipients = pair->recipients,
            .recipients_count = RECIPIENTS,
            .content = i == 0 ? take_part(&rest) : rest,
            .is_binary = pair->head[0] & IS_BINARY};
}

static void
open_both(struct pair *pair, struct smtp_server_options *server)
{
    uint8_t ours = pair->head[0], theirs = pair->head[1];
    struct smtp_server_peer peer = {.is_loopback = true, .is_trusted = true};
    struct smtp_client_options client = {
        .hostname = SLICE("bar.com"),
        .nonce = SLICE("abcdefghijklmnopqrstuvwx"),
        .is_lmtp = ours & IS_LMTP,
        .is_local = true,
        .is_chunking_off = ours & HAS_CHUNKING_OFF,
        .is_pipelining_off = ours & HAS_PIPELINING_OFF,
        .is_8bitmime_off = ours & HAS_8BITMIME_OFF,
    };

    if (ours & HAS_LOGIN && pair->password.len > 0) {
        client.name = SLICE("alice");
        client.password = pair->password;
    }
    *server = (struct smtp_server_options){
        .service = ours & IS_LMTP ? SMTP_SERVICE_LMTP : SMTP_SERVICE_SMTP,
        .hostname = SLICE("foo.com"),
        .text_line_max = ROOM,
        .message_bytes_max = theirs & IS_SMALL ? 200 : 0,
        .mechanisms = SMTP_AUTH_PLAIN,
        .allows_auth_on_loopback = true,
        .is_chunking_off = theirs & IS_CHUNKING_OFF,
        .is_pipelining_off = theirs & IS_PIPELINING_OFF,
        .is_dsn_off = theirs & IS_DSN_OFF,
        .is_utf8_off = theirs & IS_UTF8_OFF,
        .offers_deliver_by = true,
        .offers_priority = true,
    };
    pair->server = smtp_server_open(server, &peer, pair->now);
    pair->client = smtp_client_open(&client);
    smtp_client_connected(pair->client, pair->now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct smtp_server_options options;
    struct pair pair = {.head = data, .now = {1}};

    if (len < HEAD_LEN)
        return 0;
    pair.seed = (uint64_t)data[2] << 8 | data[3];
    arena_init(&pair.arena, ROOM);
    buffer_init(&pair.body, ROOM);
    buffer_init(&pair.wanted, ROOM);
    write_messages(&pair, slice_skip(slice_of(data, len), HEAD_LEN));
    open_both(&pair, &options);
    serve(&pair);
    converse(&pair);
    assert(pair.finished == MESSAGES * RECIPIENTS && pair.delivered == pair.taken);
    smtp_client_close(&pair.client);
    smtp_server_close(&pair.server);
    buffer_finish(&pair.body);
    buffer_finish(&pair.wanted);
    arena_finish(&pair.arena);
    return 0;
}
