/* SPDX-License-Identifier: ISC */
/* What the server tells, but FETCH: RFC 9051 §7.2 to §7.5, RFC 2342, RFC 7162 §3.2.10. */
#include "imap/client_private.h"
#include "imap/grammar.h"

/* One value: an atom, a string, a literal, a list of them; lists may lie in lists. */
bool
imap_client_skip_value(struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    size_t depth = 0;
    struct slice ignored;

    do {
        int next = cursor_peek(&ahead);
        if (next < 0)
            return false;
        if (next == '(' || next == ')') {
            ahead.at++;
            if (next == ')' && depth == 0)
                return false;
            depth = next == '(' ? depth + 1 : depth - 1;
        } else if (next == '"') {
            ahead.at++;
            while (!cursor_is_done(&ahead) && *ahead.at != '"')
                ahead.at += *ahead.at == '\\' && cursor_left(&ahead) > 1 ? 2 : 1;
            if (!cursor_take_byte(&ahead, '"'))
                return false;
        } else if (slice_starts_with(cursor_rest(&ahead), SLICE("{")) ||
                   slice_starts_with(cursor_rest(&ahead), SLICE("~{"))) {
            if (!imap_take_literal(&ahead, &ignored, NULL))
                return false; /* its octets have not come yet */
        } else {
            ahead.at++;
            while (depth == 0 && !cursor_is_done(&ahead) && *ahead.at != ' ' && *ahead.at != ')')
                ahead.at++;
        }
    } while (depth > 0);
    *cursor = ahead;
    return true;
}

/* ---- LIST, LSUB, STATUS, NAMESPACE ----------------------------------------------------------- */

static bool
take_name(struct imap_client *client, struct cursor *cursor)
{
    struct imap_client_event *event = &client->event;

    if (!imap_take_astring(cursor, &client->arena, &event->wire_name) ||
        event->wire_name.len > IMAP_CLIENT_NAME_MAX)
        return false;
    if (!imap_name_decode(event->wire_name, false, &client->arena, &event->name))
        event->name = event->wire_name;
    return true;
}

static uint32_t
attribute_of(struct slice name)
{
    static const struct {
        const char *name;
        uint32_t attribute;
    } known[] = {
        {"\\Noselect", IMAP_CLIENT_NOSELECT},
        {"\\NonExistent", IMAP_CLIENT_NOSELECT},
        {"\\Noinferiors", IMAP_CLIENT_NOINFERIORS},
        {"\\HasChildren", IMAP_CLIENT_HAS_CHILDREN},
        {"\\Subscribed", IMAP_CLIENT_SUBSCRIBED},
        {"\\All", IMAP_CLIENT_ALL},
        {"\\AllMail", IMAP_CLIENT_ALL},
        {"\\Archive", IMAP_CLIENT_ARCHIVE},
        {"\\Drafts", IMAP_CLIENT_DRAFTS},
        {"\\Flagged", IMAP_CLIENT_FLAGGED},
        {"\\Junk", IMAP_CLIENT_JUNK},
        {"\\Spam", IMAP_CLIENT_JUNK},
        {"\\Sent", IMAP_CLIENT_SENT},
        {"\\Trash", IMAP_CLIENT_TRASH},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_equal_nocase(name, slice_of_string(known[i].name)))
            return known[i].attribute;
    }
    return 0;
}

/* "(" what is inside ")" */
static bool
take_list(struct cursor *cursor, struct slice *ret_inside)
{
    struct cursor ahead = *cursor;

    if (cursor_peek(cursor) != '(' || !imap_client_skip_value(&ahead))
        return false;
    *ret_inside = slice_of(cursor->at + 1, (size_t)(ahead.at - cursor->at) - 2);
    *cursor = ahead;
    return true;
}

static bool
take_delimiter(struct imap_client *client, struct cursor *cursor)
{
    struct slice delimiter;

    if (!imap_take_nstring(cursor, &client->arena, &delimiter) || delimiter.len > 1)
        return false;
    client->event.delimiter = delimiter.len == 1 ? delimiter.at[0] : 0;
    return true;
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox */
static bool
take_listed(struct imap_client *client, struct cursor *cursor, bool is_lsub)
{
    struct slice names;

    if (!imap_take_space(cursor) || !take_list(cursor, &names) || !imap_take_space(cursor) ||
        !take_delimiter(client, cursor) || !imap_take_space(cursor) || !take_name(client, cursor))
        return false;
    client->event.attributes = is_lsub ? IMAP_CLIENT_SUBSCRIBED : 0;
    while (names.len > 0) {
        struct slice name = slice_first(names, slice_find_byte(names, ' '));
        client->event.attributes |= attribute_of(name);
        names = slice_skip(names, name.len + 1);
    }
    imap_client_raise(client, IMAP_CLIENT_EVENT_LIST);
    return true;
}

static bool
take_status_item(struct cursor *cursor, struct imap_client_status *status)
{
    struct slice name;
    uint64_t number;

    if (!imap_take_atom(cursor, &name) || !imap_take_space(cursor))
        return false;
    if (!imap_take_number64(cursor, &number))
        return imap_client_skip_value(cursor); /* MAILBOXID, and what is to come */
    const struct {
        struct slice name;
        uint32_t *number;
    } known[] = {
        {SLICE("MESSAGES"), &status->messages},
        {SLICE("UNSEEN"), &status->unseen},
        {SLICE("UIDNEXT"), &status->uid_next},
        {SLICE("UIDVALIDITY"), &status->uid_validity},
    };
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_equal_nocase(name, known[i].name) && number <= UINT32_MAX)
            *known[i].number = (uint32_t)number;
    }
    if (slice_equal_nocase(name, SLICE("HIGHESTMODSEQ")))
        status->highest_modseq = number;
    else if (slice_equal_nocase(name, SLICE("SIZE")))
        status->size = number;
    return true;
}

static bool
take_status(struct imap_client *client, struct cursor *cursor)
{
    struct slice items;

    if (!imap_take_space(cursor) || !take_name(client, cursor) || !imap_take_space(cursor) ||
        !take_list(cursor, &items))
        return false;
    struct cursor inside = cursor_of(items);
    while (!cursor_is_done(&inside)) {
        if (cursor_skip_blanks(&inside) == 0 && !take_status_item(&inside, &client->event.status))
            return false;
    }
    imap_client_raise(client, IMAP_CLIENT_EVENT_STATUS);
    return true;
}

/* namespace = nil / "(" 1*( "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil) …")" ) ")" */
static bool
take_namespace(struct imap_client *client, struct cursor *cursor)
{
    struct cursor ahead;

    if (!imap_take_space(cursor))
        return false;
    ahead = *cursor;
    if (imap_take_word(&ahead, SLICE("NIL")))
        return true;
    if (!cursor_take_text(cursor, SLICE("((")) || !take_name(client, cursor) ||
        !imap_take_space(cursor) || !take_delimiter(client, cursor))
        return false;
    imap_client_raise(client, IMAP_CLIENT_EVENT_NAMESPACE);
    return true;
}

/* ---- sets of UIDs ---------------------------------------------------------------------------- */

static void
begin_set(struct imap_client *client, const struct cursor *cursor, enum imap_client_event_kind kind)
{
    client->walk = WALK_SET;
    client->set_kind = kind;
    client->walk_at = (size_t)(cursor->at - buffer_slice(&client->response).at);
}

/* uid-range of what is known: no "*". */
static bool
take_range(struct cursor *cursor, uint32_t *ret_first, uint32_t *ret_last)
{
    uint32_t first, last;

    if (!imap_take_nz_number(cursor, &first))
        return false;
    last = first;
    if (cursor_take_byte(cursor, ':') && !imap_take_nz_number(cursor, &last))
        return false;
    *ret_first = first < last ? first : last;
    *ret_last = first < last ? last : first;
    return true;
}

static void
count_vanished(struct imap_client *client, uint64_t count)
{
    uint32_t *messages = &client->mailbox.status.messages;

    *messages = count < *messages ? *messages - (uint32_t)count : 0;
}

void
imap_client_walk_set(struct imap_client *client)
{
    struct slice response = buffer_slice(&client->response);
    struct cursor cursor = cursor_of(slice_skip(response, client->walk_at));
    uint32_t first, last;

    if (!take_range(&cursor, &first, &last)) {
        imap_client_end_protocol(client, "a set of UIDs makes no sense");
        return;
    }
    client->event = (struct imap_client_event){.first = first, .last = last};
    if (client->set_kind == IMAP_CLIENT_EVENT_VANISHED && !client->is_set_earlier)
        count_vanished(client, (uint64_t)last - first + 1);
    client->walk = cursor_take_byte(&cursor, ',') ? WALK_SET : WALK_NOTHING;
    client->walk_at = (size_t)(cursor.at - response.at);
    imap_client_raise(client, client->set_kind);
}

static bool
take_vanished(struct imap_client *client, struct cursor *cursor)
{
    if (!imap_take_space(cursor))
        return false;
    client->is_set_earlier = cursor_take_text_nocase(cursor, SLICE("(EARLIER) "));
    begin_set(client, cursor, IMAP_CLIENT_EVENT_VANISHED);
    return true;
}

/* esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP name SP value) */
static bool
take_esearch(struct imap_client *client, struct cursor *cursor)
{
    struct slice name;
    struct cursor ahead = *cursor;

    if (imap_take_space(&ahead) && cursor_peek(&ahead) == '(' && imap_client_skip_value(&ahead))
        *cursor = ahead;
    if (!cursor_take_text_nocase(cursor, SLICE(" UID")))
        return true; /* sequence numbers: not what was asked for */
    while (imap_take_space(cursor) && imap_take_atom(cursor, &name) && imap_take_space(cursor)) {
        if (slice_equal_nocase(name, SLICE("ALL"))) {
            begin_set(client, cursor, IMAP_CLIENT_EVENT_NUMBERS);
            return true;
        }
        if (!imap_client_skip_value(cursor))
            return false;
    }
    return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool
take_counted(struct imap_client *client, struct cursor *cursor)
{
    uint32_t number;
    struct slice word;

    if (!cursor_take_u32(cursor, 0, UINT32_MAX, &number) || !imap_take_space(cursor) ||
        !imap_take_atom(cursor, &word))
        return false;
    client->event.number = number;
    if (slice_equal_nocase(word, SLICE("EXISTS"))) {
        client->mailbox.status.messages = number;
        imap_client_raise(client, IMAP_CLIENT_EVENT_EXISTS);
    } else if (slice_equal_nocase(word, SLICE("EXPUNGE"))) {
        if (number == 0 || number > client->mailbox.status.messages)
            return false;
        client->mailbox.status.messages--;
        imap_client_raise(client, IMAP_CLIENT_EVENT_EXPUNGE);
    } else if (slice_equal_nocase(word, SLICE("FETCH"))) {
        imap_client_on_fetch(client, number,
                             (size_t)(cursor->at - buffer_slice(&client->response).at));
    }
    return true;
}

static bool
take_data(struct imap_client *client, struct cursor *cursor)
{
    struct slice word;

    if (byte_is_digit((uint8_t)cursor_peek(cursor)))
        return take_counted(client, cursor);
    if (!imap_take_atom(cursor, &word))
        return false;
    if (slice_equal_nocase(word, SLICE("LIST")))
        return take_listed(client, cursor, false);
    if (slice_equal_nocase(word, SLICE("LSUB")))
        return take_listed(client, cursor, true);
    if (slice_equal_nocase(word, SLICE("STATUS")))
        return take_status(client, cursor);
    if (slice_equal_nocase(word, SLICE("NAMESPACE")))
        return take_namespace(client, cursor);
    if (slice_equal_nocase(word, SLICE("VANISHED")))
        return take_vanished(client, cursor);
    if (slice_equal_nocase(word, SLICE("ESEARCH")))
        return take_esearch(client, cursor);
    return true; /* SEARCH without numbers, FLAGS, ENABLED, ID, and what is to come */
}

void
imap_client_on_data(struct imap_client *client, struct slice data)
{
    struct cursor cursor = cursor_of(data);
    struct slice capability = SLICE("CAPABILITY ");

    if (slice_starts_with_nocase(data, capability))
        imap_client_take_capabilities(client, slice_trim(slice_skip(data, capability.len)));
    else if (client->state >= IMAP_CLIENT_AUTHENTICATED && !take_data(client, &cursor))
        imap_client_end_protocol(client, "what the server tells makes no sense");
}
