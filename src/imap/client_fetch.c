/* SPDX-License-Identifier: ISC */
/* FETCH, as the client reads it: RFC 9051 §7.5.2, RFC 7162 §3.1.4. Bodies leave the response as
 * they come: it then reads as if they had not been there. */
#include "imap/client_private.h"
#include "imap/grammar.h"

/* One attribute: its name, for BODY[…] and BINARY[…] also what is in brackets. */
struct attribute {
    struct slice name;
    bool is_body;
    struct slice section;
};

/* BODY[section]<origin>, BINARY[section]<origin>, or a plain name; and the space behind it. */
static bool
take_attribute(struct cursor *cursor, struct attribute *ret_attribute)
{
    struct cursor ahead = *cursor;
    const uint8_t *start = ahead.at;
    struct slice section = SLICE("");

    while (!cursor_is_done(&ahead) && imap_is_atom_char(*ahead.at) && *ahead.at != '[')
        ahead.at++;
    struct slice name = slice_of(start, (size_t)(ahead.at - start));
    bool is_body = cursor_take_byte(&ahead, '[');
    if (is_body && (!cursor_take_until(&ahead, ']', &section) || !cursor_take_byte(&ahead, ']')))
        return false;
    if (is_body && cursor_take_byte(&ahead, '<') &&
        (!cursor_take_until(&ahead, '>', &(struct slice){0}) || !cursor_take_byte(&ahead, '>')))
        return false;
    if (name.len == 0 || !imap_take_space(&ahead))
        return false;
    bool is_octets =
        slice_equal_nocase(name, SLICE("BODY")) || slice_equal_nocase(name, SLICE("BINARY"));
    *ret_attribute = (struct attribute){name, is_body && is_octets, section};
    *cursor = ahead;
    return true;
}

static bool
take_flags(struct cursor *cursor, struct imap_client_message *message)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } known[] = {
        {"\\Seen", IMAP_SEEN},       {"\\Answered", IMAP_ANSWERED}, {"\\Flagged", IMAP_FLAGGED},
        {"\\Deleted", IMAP_DELETED}, {"\\Draft", IMAP_DRAFT},
    };
    struct cursor inside = *cursor;

    if (!cursor_take_byte(&inside, '(') || !cursor_take_until(&inside, ')', &message->flags) ||
        !cursor_take_byte(&inside, ')'))
        return false;
    *cursor = inside;
    message->flag_bits = 0;
    for (struct slice rest = message->flags; rest.len > 0;) {
        struct slice flag = slice_first(rest, slice_find_byte(rest, ' '));
        for (size_t i = 0; i < COUNT_OF(known); i++) {
            if (slice_equal_nocase(flag, slice_of_string(known[i].name)))
                message->flag_bits |= known[i].bit;
        }
        rest = slice_skip(rest, flag.len + 1);
    }
    message->said |= IMAP_CLIENT_SAID_FLAGS;
    return true;
}

/* RFC 7162 §7: "(" mod-sequence-value ")" */
static bool
take_modseq(struct cursor *cursor, struct imap_client_message *message)
{
    if (!cursor_take_byte(cursor, '(') || !imap_take_number64(cursor, &message->modseq) ||
        !cursor_take_byte(cursor, ')'))
        return false;
    message->said |= IMAP_CLIENT_SAID_MODSEQ;
    return true;
}

static bool
take_value(struct cursor *cursor, struct slice name, struct imap_client_message *message)
{
    bool is_good;
    uint32_t said;

    if (slice_equal_nocase(name, SLICE("FLAGS")))
        return take_flags(cursor, message);
    if (slice_equal_nocase(name, SLICE("MODSEQ")))
        return take_modseq(cursor, message);
    if (slice_equal_nocase(name, SLICE("UID"))) {
        is_good = imap_take_nz_number(cursor, &message->uid);
        said = IMAP_CLIENT_SAID_UID;
    } else if (slice_equal_nocase(name, SLICE("RFC822.SIZE"))) {
        is_good = imap_take_number64(cursor, &message->size);
        said = IMAP_CLIENT_SAID_SIZE;
    } else if (slice_equal_nocase(name, SLICE("INTERNALDATE"))) {
        is_good = imap_take_date_time(cursor, &message->date);
        said = IMAP_CLIENT_SAID_DATE;
        if (!is_good) /* dates before 1970 and other curiosities: the message has none */
            return imap_client_skip_value(cursor);
    } else {
        return imap_client_skip_value(cursor);
    }
    message->said |= is_good ? said : 0;
    return is_good;
}

/* "* n FETCH (": where the attributes begin, or false when this is none. */
static bool
find_attributes(struct slice response, uint32_t *ret_number, size_t *ret_at)
{
    struct cursor cursor = cursor_of(response);

    if (!cursor_take_text(&cursor, SLICE("* ")) || !imap_take_nz_number(&cursor, ret_number) ||
        !cursor_take_text_nocase(&cursor, SLICE(" FETCH (")))
        return false;
    *ret_at = (size_t)(cursor.at - response.at);
    return true;
}

/* Takes whole attributes from the response, from fetch_at on. Stops before a body whose literal
 * comes next (true, *ret_body set), at the end, or at what is not whole. */
static bool
take_attributes(struct imap_client *client, struct slice response, struct attribute *ret_body)
{
    struct cursor cursor = cursor_of(slice_skip(response, client->fetch_at));
    struct attribute attribute;

    for (;;) {
        cursor_skip_blanks(&cursor);
        client->fetch_at = (size_t)(cursor.at - response.at);
        if (!take_attribute(&cursor, &attribute))
            return false;
        if (attribute.is_body && (cursor_peek(&cursor) == '{' || cursor_peek(&cursor) == '~')) {
            *ret_body = attribute;
            return true;
        }
        if (attribute.is_body ? !imap_client_skip_value(&cursor)
                              : !take_value(&cursor, attribute.name, &client->message))
            return false;
    }
}

bool
imap_client_begin_body(struct imap_client *client, uint64_t octets)
{
    struct slice response = buffer_slice(&client->response);
    struct attribute body;
    uint32_t number;
    size_t at;

    if (client->fetch_at == 0) {
        if (!find_attributes(response, &number, &at))
            return false;
        client->fetch_at = at;
        client->message = (struct imap_client_message){.number = number};
    }
    if (!take_attributes(client, response, &body))
        return false;
    /* They lie in a buffer that grows: told with the whole message. */
    client->message.flags = SLICE("");
    client->message.said &= ~(uint32_t)IMAP_CLIENT_SAID_FLAGS;
    if (octets > client->options.message_bytes_max) {
        imap_client_end_protocol(client, "a message is too long");
        return true;
    }
    buffer_clear(&client->section);
    buffer_put(&client->section, body.section);
    if (buffer_overflowed(&client->section)) {
        imap_client_end_protocol(client, "the name of a section is too long");
        return true;
    }
    buffer_truncate(&client->response, client->fetch_at);
    client->line_at = client->fetch_at;
    client->body =
        (struct imap_client_body){.section = buffer_slice(&client->section), .octets = octets};
    client->left = octets;
    client->frame = octets > 0 ? FRAME_BODY : FRAME_LINE;
    if (octets == 0) {
        client->event =
            (struct imap_client_event){.message = client->message, .body = client->body};
        imap_client_raise(client, IMAP_CLIENT_EVENT_BODY);
    }
    return true;
}

void
imap_client_on_fetch(struct imap_client *client, uint32_t number, size_t at)
{
    struct slice response = buffer_slice(&client->response);
    struct attribute none;

    client->message = (struct imap_client_message){.number = number};
    client->fetch_at = at;
    if (number == 0 || !slice_starts_with(slice_skip(response, at), SLICE(" ("))) {
        imap_client_end_protocol(client, "FETCH makes no sense");
        return;
    }
    client->fetch_at = client->walk_at = at + 2;
    if (take_attributes(client, response, &none) || client->fetch_at >= response.len ||
        response.at[client->fetch_at] != ')') {
        imap_client_end_protocol(client, "FETCH makes no sense");
        return;
    }
    client->walk = WALK_FETCH;
}

/* Bodies that came as quoted strings or NIL, then the message. */
void
imap_client_walk_fetch(struct imap_client *client)
{
    struct slice response = buffer_slice(&client->response);
    struct cursor cursor = cursor_of(slice_skip(response, client->walk_at));
    struct attribute attribute;
    struct slice string;

    client->event = (struct imap_client_event){.message = client->message};
    arena_reset(&client->arena);
    for (;;) {
        cursor_skip_blanks(&cursor);
        if (!take_attribute(&cursor, &attribute)) {
            client->walk = WALK_NOTHING;
            imap_client_raise(client, IMAP_CLIENT_EVENT_FETCH);
            return;
        }
        if (attribute.is_body && imap_take_nstring(&cursor, &client->arena, &string))
            break;
        if (!imap_client_skip_value(&cursor)) {
            imap_client_end_protocol(client, "FETCH makes no sense");
            return;
        }
    }
    client->walk_at = (size_t)(cursor.at - response.at);
    client->event.body = (struct imap_client_body){
        .section = attribute.section, .octets = string.len, .bytes = string};
    imap_client_raise(client, IMAP_CLIENT_EVENT_BODY);
}
