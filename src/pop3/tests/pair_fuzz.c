/* SPDX-License-Identifier: ISC */
/* Our client against our server: the input is a maildrop (messages with a mark between each two)
 * and what is asked for. What must hold: RETR gives each message octet for octet, with an end for a
 * last line that has none, and TOP what RFC 1939 §7 says of it, whatever looks like an end or like
 * a dot in them and however the stream is cut; LIST and UIDL name all of them; what was marked,
 * and nothing else, is removed; and QUIT ends it well. */
#include "pop3/client.h"
#include "pop3/tests/lobby.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { HEAD_LEN = 4, MARK = 0x1E, MESSAGES_MAX = 20, ROUNDS_MAX = 1000000, ROOM = 4 << 20 };
enum { IS_SASL = 1, IS_APOP = 2, WITH_DELE = 4, ANYTHING = 100000 };

struct pair {
    struct lobby lobby;
    struct lobby_desk desk;
    struct pop3_client *client;
    struct slice messages[MESSAGES_MAX];
    size_t count;
    const uint8_t *head;
    uint32_t top_lines;
    struct instant now;
    uint64_t seed;
    struct buffer body, wanted;
    size_t next; /* message that is asked for next */
    size_t listed, named, read, topped;
    bool is_closed;
};

static size_t
draw(struct pair *pair, size_t bound)
{
    pair->seed = pair->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(pair->seed >> 33) % bound;
}

/* ---- what a client must get ------------------------------------------------------------------ */

static void
put_ended(struct buffer *out, struct slice text)
{
    buffer_put(out, text);
    if (text.len > 0 && !slice_ends_with(text, SLICE("\r\n")))
        buffer_put_text(out, "\r\n");
}

/* The header, the blank line, and so many lines of the body. */
static struct slice
top_of(struct slice text, uint32_t lines)
{
    bool is_header = true;
    size_t at = 0;

    while (at < text.len && (is_header || lines > 0)) {
        struct slice rest = slice_skip(text, at);
        struct slice line = slice_first(rest, slice_find_byte(rest, '\n') + 1);
        at += line.len;
        if (!is_header)
            lines--;
        while (line.len > 0 && (line.at[0] == '\r' || line.at[0] == '\n'))
            line = slice_skip(line, 1);
        is_header = is_header && line.len > 0;
    }
    return slice_first(text, at);
}

static void
check_body(struct pair *pair, const struct pop3_client_event *event)
{
    bool is_top = event->command == POP3_CLIENT_TOP;
    size_t number = is_top ? pair->topped++ : pair->read++;
    struct slice text = pair->messages[number];

    buffer_clear(&pair->wanted);
    put_ended(&pair->wanted, is_top ? top_of(text, pair->top_lines) : text);
    assert(event->octets == buffer_len(&pair->body));
    assert(slice_equal(buffer_slice(&pair->body), buffer_slice(&pair->wanted)));
    buffer_clear(&pair->body);
}

static void
check_item(struct pair *pair, const struct pop3_client_event *event)
{
    size_t *seen = event->command == POP3_CLIENT_LIST ? &pair->listed : &pair->named;

    assert(*seen < pair->count && event->number == ++*seen);
    if (event->command == POP3_CLIENT_LIST)
        assert(event->octets == pair->messages[event->number - 1].len);
    else
        assert(event->bytes.len > 0);
}

/* ---- the conversation ------------------------------------------------------------------------ */

/* Listings, then RETR and TOP and perhaps DELE of each, as many questions as the client takes. */
static void
ask_more(struct pair *pair)
{
    static const enum pop3_client_command round[] = {POP3_CLIENT_RETR, POP3_CLIENT_TOP,
                                                     POP3_CLIENT_DELE};
    bool is_asked = true;

    while (is_asked && pair->next < 2 + 3 * pair->count + 1) {
        size_t turn = pair->next - 2, number = turn / 3;
        if (pair->next < 2)
            is_asked = pop3_client_ask(
                pair->client, pair->next ? POP3_CLIENT_UIDL : POP3_CLIENT_LIST, 0, 0, pair->now);
        else if (number == pair->count)
            is_asked = pop3_client_ask(pair->client, POP3_CLIENT_QUIT, 0, 0, pair->now);
        else if (turn % 3 < 2 || (pair->head[0] & WITH_DELE && number % 2 == 0))
            is_asked = pop3_client_ask(pair->client, round[turn % 3], (uint32_t)number + 1,
                                       pair->top_lines, pair->now);
        pair->next += is_asked;
    }
}

static void
handle(struct pair *pair, const struct pop3_client_event *event)
{
    if (event->kind == POP3_CLIENT_EVENT_AUTH) {
        pop3_client_respond(pair->client, SLICE("\0ann\0secret"), pair->now);
    } else if (event->kind == POP3_CLIENT_EVENT_REPLY) {
        assert(event->is_ok);
    } else if (event->kind == POP3_CLIENT_EVENT_ITEM) {
        check_item(pair, event);
    } else if (event->kind == POP3_CLIENT_EVENT_BODY) {
        buffer_put(&pair->body, event->bytes);
    } else if (event->kind == POP3_CLIENT_EVENT_END) {
        if (event->command == POP3_CLIENT_RETR || event->command == POP3_CLIENT_TOP)
            check_body(pair, event);
    } else if (event->kind == POP3_CLIENT_EVENT_CLOSE) {
        assert(event->close == POP3_CLIENT_CLOSE_DONE);
        pair->is_closed = true;
    } else {
        assert(event->kind == POP3_CLIENT_EVENT_LOGGED_IN);
    }
}

static void
work(struct pair *pair)
{
    struct pop3_client_event event;

    lobby_desk_work(&pair->desk, pair->now);
    while (pop3_client_next(pair->client, &event))
        handle(pair, &event);
    if (pop3_client_state(pair->client) == POP3_CLIENT_TRANSACTION)
        ask_more(pair);
}

static void
converse(struct pair *pair)
{
    for (unsigned round = 0; !pair->is_closed; round++) {
        size_t most = 1 + draw(pair, draw(pair, 8) ? 40 : ANYTHING);
        assert(round < ROUNDS_MAX);
        work(pair);
        if (draw(pair, 2) == 0) {
            struct slice piece = slice_first(pop3_client_output(pair->client), most);
            pop3_client_sent(pair->client, pop3_server_feed(pair->desk.server, piece, pair->now));
        } else {
            struct slice piece = slice_first(pop3_server_output(pair->desk.server), most);
            size_t taken = pop3_client_feed(pair->client, piece, pair->now);
            pop3_server_sent(pair->desk.server, taken, pair->now);
        }
    }
}

static void
open_both(struct pair *pair, struct pop3_server_options *server)
{
    struct pop3_client_options client = {
        .name = SLICE("ann"),
        .password = SLICE("secret"),
        .mechanisms = {SLICE("PLAIN")},
        .mechanisms_count = pair->head[0] & IS_SASL ? 1 : 0,
        .tls = POP3_CLIENT_TLS_NEVER,
        .allows_clear_password = !(pair->head[0] & IS_APOP),
    };

    *server = (struct pop3_server_options){
        .hostname = SLICE("pop.example.test"),
        .timestamp = pair->head[0] & IS_APOP ? SLICE("<1@pop.example.test>") : SLICE(""),
        .mechanisms = {SLICE("PLAIN")},
        .mechanisms_count = 1,
        .allows_clear_password = true,
    };
    lobby_desk_init(&pair->desk, &pair->lobby, pop3_server_open(server, pair->now),
                    server->timestamp);
    pair->client = pop3_client_open(&client);
    pop3_client_begin(pair->client, pair->now);
    pop3_client_connected(pair->client, pair->now);
}

static void
fill_maildrop(struct pair *pair, struct slice rest)
{
    size_t user = lobby_add_user(&pair->lobby, "ann", "secret");

    while (rest.len > 0 && pair->count < MESSAGES_MAX) {
        struct slice text = slice_first(rest, slice_find_byte(rest, MARK));
        pair->messages[pair->count++] = text;
        (void)lobby_add_message(&pair->lobby, user, text);
        rest = slice_skip(rest, text.len + 1);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct pair pair;
    struct pop3_server_options options;

    if (len < HEAD_LEN)
        return 0;
    pair = (struct pair){.head = data,
                         .top_lines = data[3] % 8,
                         .now = {INT64_C(1000000000)},
                         .seed = (uint64_t)data[1] << 8 | data[2]};
    buffer_init(&pair.body, ROOM);
    buffer_init(&pair.wanted, ROOM);
    fill_maildrop(&pair, slice_skip(slice_of(data, len), HEAD_LEN));
    open_both(&pair, &options);
    converse(&pair);
    work(&pair);
    assert(pair.read == pair.count && pair.topped == pair.count);
    assert(pair.listed == pair.count && pair.named == pair.count);
    size_t removed = data[0] & WITH_DELE ? (pair.count + 1) / 2 : 0;
    assert(lobby_count(&pair.lobby, 0) == pair.count - removed);
    pop3_client_close(&pair.client);
    lobby_desk_finish(&pair.desk);
    lobby_finish(&pair.lobby);
    buffer_finish(&pair.body);
    buffer_finish(&pair.wanted);
    return 0;
}
