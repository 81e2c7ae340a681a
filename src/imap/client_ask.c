/* SPDX-License-Identifier: ISC */
/* The client's commands: RFC 9051 §6.3 and §6.4. A command is written whole; where the server must
 * first agree to a literal, it is sent in pieces (RFC 9051 §4.3, RFC 7888). */
#include "imap/client_private.h"
#include "text/date.h"
#include "text/utf7.h"

enum {
    LITERAL_MINUS_MAX = 4096,     /* RFC 7888 §5 */
    OUTPUT_SOFT_MAX = 128 * 1024, /* of a message that is appended */
    QUOTED_MAX = 1000
};

/* ---- commands -------------------------------------------------------------------------------- */

void
imap_client_begin_command(struct imap_client *client, const char *verb)
{
    buffer_clear(&client->command);
    client->syncs_count = client->syncs_done = 0;
    client->responses = 0;
    buffer_put_byte(&client->command, 'A');
    buffer_put_decimal(&client->command, ++client->tags_count);
    buffer_put_byte(&client->command, ' ');
    buffer_put_text(&client->command, verb);
}

static bool
can_be_quoted(struct slice string)
{
    for (size_t i = 0; i < string.len; i++) {
        if (string.at[i] < 0x20 || string.at[i] > 0x7E)
            return false;
    }
    return string.len <= QUOTED_MAX;
}

/* "{n}" CRLF, or "{n+}" CRLF where the server does not insist on agreeing. */
static void
announce_literal(struct imap_client *client, uint64_t octets)
{
    bool is_sync = !client->facts.has_literal_plus &&
                   (!client->facts.has_literal_minus || octets > LITERAL_MINUS_MAX);

    buffer_put_byte(&client->command, '{');
    buffer_put_decimal(&client->command, octets);
    buffer_put_text(&client->command, is_sync ? "}\r\n" : "+}\r\n");
    if (is_sync) {
        assert(client->syncs_count < IMAP_CLIENT_SYNCS_MAX);
        client->syncs[client->syncs_count++] = buffer_len(&client->command);
    }
}

void
imap_client_put_string(struct imap_client *client, struct slice string)
{
    if (!can_be_quoted(string)) {
        announce_literal(client, string.len);
        buffer_put(&client->command, string);
        return;
    }
    buffer_put_byte(&client->command, '"');
    for (size_t i = 0; i < string.len; i++) {
        if (string.at[i] == '"' || string.at[i] == '\\')
            buffer_put_byte(&client->command, '\\');
        buffer_put_byte(&client->command, string.at[i]);
    }
    buffer_put_byte(&client->command, '"');
}

/* Sends up to where "+" must be waited for; what was sent before stays sent. */
static void
send_piece(struct imap_client *client)
{
    struct slice command = buffer_slice(&client->command);
    size_t start = client->syncs_done > 0 ? client->syncs[client->syncs_done - 1] : 0;
    size_t end =
        client->syncs_done < client->syncs_count ? client->syncs[client->syncs_done] : command.len;

    buffer_put(&client->output, slice_between(command, start, end));
    assert(!buffer_overflowed(&client->output));
    client->is_synced = client->syncs_done == client->syncs_count;
    if (client->is_synced && client->awaits == AWAITS_MESSAGE)
        imap_client_raise(client, IMAP_CLIENT_EVENT_APPEND);
}

void
imap_client_send_command(struct imap_client *client, const char *shown)
{
    if (shown)
        imap_client_trace(client, "C: ", slice_of_string(shown));
    else
        imap_client_trace(client, "C: ", buffer_slice(&client->command));
    if (client->awaits != AWAITS_MESSAGE)
        buffer_put_text(&client->command, "\r\n");
    assert(!buffer_overflowed(&client->command));
    send_piece(client);
}

void
imap_client_go_on(struct imap_client *client)
{
    bool is_idle = client->asked == IMAP_CLIENT_IDLE && client->awaits == AWAITS_REPLY;

    client->syncs_done++;
    if (is_idle && client->state >= IMAP_CLIENT_AUTHENTICATED) {
        client->is_synced = true;
        client->awaits = AWAITS_IDLING;
        imap_client_raise(client, IMAP_CLIENT_EVENT_IDLING);
    } else {
        send_piece(client);
    }
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* What stands outside strings: printable, and no announcement of a literal. */
static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x20 || text.at[i] > 0x7E || text.at[i] == '{')
            return false;
    }
    return text.len < IMAP_CLIENT_COMMAND_MAX / 2;
}

/* sequence-set */
static bool
is_set(struct slice set)
{
    for (size_t i = 0; i < set.len; i++) {
        if (!byte_is_digit(set.at[i]) && set.at[i] != ':' && set.at[i] != ',' && set.at[i] != '*')
            return false;
    }
    return set.len > 0 && set.len < IMAP_CLIENT_COMMAND_MAX / 2;
}

static bool
put_mailbox(struct imap_client *client, struct slice name, bool is_wire)
{
    struct buffer encoded;
    bool is_good = name.len <= IMAP_CLIENT_NAME_MAX && slice_find_byte(name, 0) == name.len;

    if (!is_good)
        return false;
    if (is_wire) {
        imap_client_put_string(client, name);
        return true;
    }
    buffer_init(&encoded, 4 * IMAP_CLIENT_NAME_MAX);
    is_good = utf7_encode(name, &encoded);
    if (is_good)
        imap_client_put_string(client, buffer_slice(&encoded));
    buffer_finish(&encoded);
    return is_good;
}

static void
put_in_parentheses(struct imap_client *client, const char *before, struct slice text)
{
    buffer_put_text(&client->command, before);
    buffer_put_byte(&client->command, '(');
    buffer_put(&client->command, text);
    buffer_put_byte(&client->command, ')');
}

static void
put_date(struct imap_client *client, struct wall date)
{
    buffer_put_text(&client->command, " \"");
    date_format_imap(date, 0, &client->command);
    buffer_put_byte(&client->command, '"');
}

/* ---- one function for each shape of command -------------------------------------------------- */

static bool
put_text(struct imap_client *client, const struct imap_client_question *question)
{
    buffer_put(&client->command, question->text);
    return true;
}

static bool
put_name(struct imap_client *client, const struct imap_client_question *question)
{
    return put_mailbox(client, question->mailbox, question->is_wire);
}

static bool
put_names(struct imap_client *client, const struct imap_client_question *question)
{
    if (!put_name(client, question))
        return false;
    buffer_put_byte(&client->command, ' ');
    return put_mailbox(client, question->other, question->is_wire);
}

/* RFC 5258 §3.2: "RETURN (SPECIAL-USE)" */
static bool
put_list(struct imap_client *client, const struct imap_client_question *question)
{
    if (!put_names(client, question))
        return false;
    if (question->text.len > 0)
        put_in_parentheses(client, " RETURN ", question->text);
    return true;
}

static bool
put_name_and_items(struct imap_client *client, const struct imap_client_question *question)
{
    if (!put_name(client, question))
        return false;
    if (question->text.len > 0 && question->command == IMAP_CLIENT_CREATE) {
        put_in_parentheses(client, " (USE ", question->text); /* RFC 6154 §5.3 */
        buffer_put_byte(&client->command, ')');
    } else if (question->text.len > 0) {
        put_in_parentheses(client, " ", question->text);
    }
    return true;
}

static bool
put_append(struct imap_client *client, const struct imap_client_question *question)
{
    if (question->octets == 0 || question->octets > INT64_MAX || !put_name(client, question))
        return false;
    if (question->flags.len > 0)
        put_in_parentheses(client, " ", question->flags);
    if (question->has_date)
        put_date(client, question->date);
    buffer_put_byte(&client->command, ' ');
    announce_literal(client, question->octets);
    client->append_left = question->octets;
    client->awaits = AWAITS_MESSAGE;
    return true;
}

static bool
put_fetch(struct imap_client *client, const struct imap_client_question *question)
{
    buffer_put(&client->command, question->uids);
    buffer_put_text(&client->command, " (UID");
    if (question->text.len > 0)
        buffer_put_byte(&client->command, ' ');
    buffer_put(&client->command, question->text);
    buffer_put_byte(&client->command, ')');
    if (question->changed_since > 0) { /* RFC 7162 §3.1.4.1, §3.2.6 */
        buffer_put_text(&client->command, " (CHANGEDSINCE ");
        buffer_put_decimal(&client->command, question->changed_since);
        buffer_put_text(&client->command, question->wants_vanished ? " VANISHED)" : ")");
    }
    return true;
}

static bool
put_store(struct imap_client *client, const struct imap_client_question *question)
{
    buffer_put(&client->command, question->uids);
    buffer_put_byte(&client->command, ' ');
    buffer_put(&client->command, question->text);
    put_in_parentheses(client, "FLAGS.SILENT ", question->flags);
    return true;
}

static bool
put_search(struct imap_client *client, const struct imap_client_question *question)
{
    bool has_utf8 = false;

    if (question->terms_count == 0 || question->terms_count > IMAP_CLIENT_TERMS_MAX)
        return false;
    for (size_t i = 0; i < question->terms_count; i++) {
        const struct imap_client_term *term = &question->terms[i];
        if (!is_plain(term->key) || term->key.len == 0 ||
            (term->has_text && slice_find_byte(term->text, 0) < term->text.len))
            return false;
        has_utf8 = has_utf8 || (term->has_text && !can_be_quoted(term->text));
    }
    buffer_put_text(&client->command, has_utf8 ? "CHARSET UTF-8" : "");
    for (size_t i = 0; i < question->terms_count; i++) {
        const struct imap_client_term *term = &question->terms[i];
        if (i > 0 || has_utf8)
            buffer_put_byte(&client->command, ' ');
        buffer_put(&client->command, term->key);
        if (term->has_text) {
            buffer_put_byte(&client->command, ' ');
            imap_client_put_string(client, term->text);
        }
    }
    return true;
}

static bool
put_copy(struct imap_client *client, const struct imap_client_question *question)
{
    buffer_put(&client->command, question->uids);
    buffer_put_byte(&client->command, ' ');
    return put_name(client, question);
}

static bool
put_expunge(struct imap_client *client, const struct imap_client_question *question)
{
    if (question->uids.len == 0)
        return true;
    buffer_truncate(&client->command, buffer_len(&client->command) - SLICE("EXPUNGE").len);
    buffer_put_text(&client->command, "UID EXPUNGE ");
    buffer_put(&client->command, question->uids);
    return is_set(question->uids) && client->facts.has_uidplus;
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum { NEEDS_SELECTED = 1, NEEDS_UIDS = 2 };

struct shape {
    const char *verb; /* and the space behind it */
    uint8_t needs;
    bool (*put)(struct imap_client *client, const struct imap_client_question *question);
};

static const struct shape shapes[] = {
    [IMAP_CLIENT_NOOP] = {"NOOP", 0, NULL},
    [IMAP_CLIENT_NAMESPACE] = {"NAMESPACE", 0, NULL},
    [IMAP_CLIENT_LIST] = {"LIST ", 0, put_list},
    [IMAP_CLIENT_LSUB] = {"LSUB ", 0, put_names},
    [IMAP_CLIENT_STATUS] = {"STATUS ", 0, put_name_and_items},
    [IMAP_CLIENT_SELECT] = {"SELECT ", 0, put_name_and_items},
    [IMAP_CLIENT_EXAMINE] = {"EXAMINE ", 0, put_name_and_items},
    [IMAP_CLIENT_CREATE] = {"CREATE ", 0, put_name_and_items},
    [IMAP_CLIENT_DELETE] = {"DELETE ", 0, put_name},
    [IMAP_CLIENT_RENAME] = {"RENAME ", 0, put_names},
    [IMAP_CLIENT_SUBSCRIBE] = {"SUBSCRIBE ", 0, put_name},
    [IMAP_CLIENT_UNSUBSCRIBE] = {"UNSUBSCRIBE ", 0, put_name},
    [IMAP_CLIENT_ENABLE] = {"ENABLE ", 0, put_text},
    [IMAP_CLIENT_APPEND] = {"APPEND ", 0, put_append},
    [IMAP_CLIENT_FETCH] = {"UID FETCH ", NEEDS_SELECTED | NEEDS_UIDS, put_fetch},
    [IMAP_CLIENT_STORE] = {"UID STORE ", NEEDS_SELECTED | NEEDS_UIDS, put_store},
    [IMAP_CLIENT_SEARCH] = {"UID SEARCH ", NEEDS_SELECTED, put_search},
    [IMAP_CLIENT_COPY] = {"UID COPY ", NEEDS_SELECTED | NEEDS_UIDS, put_copy},
    [IMAP_CLIENT_MOVE] = {"UID MOVE ", NEEDS_SELECTED | NEEDS_UIDS, put_copy},
    [IMAP_CLIENT_EXPUNGE] = {"EXPUNGE", NEEDS_SELECTED, put_expunge},
    [IMAP_CLIENT_CLOSE] = {"CLOSE", NEEDS_SELECTED, NULL},
    [IMAP_CLIENT_UNSELECT] = {"UNSELECT", NEEDS_SELECTED, NULL},
    [IMAP_CLIENT_IDLE] = {"IDLE", 0, NULL},
    [IMAP_CLIENT_LOGOUT_NOW] = {"LOGOUT", 0, NULL},
};

static bool
server_can(const struct imap_client_facts *facts, const struct imap_client_question *question)
{
    const struct {
        enum imap_client_command command;
        bool is_there;
    } needs[] = {
        {IMAP_CLIENT_NAMESPACE, facts->has_namespace},
        {IMAP_CLIENT_LIST, question->text.len == 0 || facts->has_list_extended},
        {IMAP_CLIENT_CREATE, question->text.len == 0 || facts->has_create_special_use},
        {IMAP_CLIENT_ENABLE, facts->has_enable},
        {IMAP_CLIENT_FETCH, question->changed_since == 0 || facts->has_condstore},
        {IMAP_CLIENT_MOVE, facts->has_move},
        {IMAP_CLIENT_UNSELECT, facts->has_unselect},
        {IMAP_CLIENT_IDLE, facts->has_idle},
    };

    for (size_t i = 0; i < COUNT_OF(needs); i++) {
        if (needs[i].command == question->command)
            return needs[i].is_there;
    }
    return true;
}

static bool
can_be_asked(const struct imap_client *client, const struct imap_client_question *question)
{
    uint8_t needs = shapes[question->command].needs;

    return imap_client_can_ask(client) && server_can(&client->facts, question) &&
           (!(needs & NEEDS_SELECTED) || client->state == IMAP_CLIENT_SELECTED) &&
           (!(needs & NEEDS_UIDS) || is_set(question->uids)) && is_plain(question->text) &&
           is_plain(question->flags);
}

static void
note_question(struct imap_client *client, const struct imap_client_question *question)
{
    enum imap_client_command command = question->command;

    client->asked = command;
    client->is_select_asked = command == IMAP_CLIENT_SELECT || command == IMAP_CLIENT_EXAMINE;
    if (client->is_select_asked)
        client->mailbox = (struct imap_client_mailbox){0};
    if (command == IMAP_CLIENT_LOGOUT_NOW)
        imap_client_enter(client, IMAP_CLIENT_LOGOUT);
}

bool
imap_client_ask(struct imap_client *client, const struct imap_client_question *question,
                struct instant now)
{
    const struct shape *shape = &shapes[question->command];

    if (!can_be_asked(client, question))
        return false;
    client->event = (struct imap_client_event){0};
    client->awaits = AWAITS_REPLY;
    imap_client_begin_command(client, shape->verb);
    bool is_good = !shape->put || shape->put(client, question);
    if (!is_good || buffer_len(&client->command) + 2 > IMAP_CLIENT_COMMAND_MAX ||
        buffer_overflowed(&client->command)) {
        client->tags_count--;
        client->awaits = AWAITS_READY;
        return false;
    }
    note_question(client, question);
    imap_client_wait_for_server(client, now);
    client->idle_due = instant_after(now, duration_ms(IMAP_CLIENT_IDLE_MS));
    imap_client_send_command(client, NULL);
    if (question->command == IMAP_CLIENT_IDLE)
        client->is_synced = false;
    return true;
}

size_t
imap_client_append_put(struct imap_client *client, struct slice bytes, struct instant now)
{
    if (client->awaits != AWAITS_MESSAGE || !client->is_synced || client->has_event)
        return 0;
    size_t waits = buffer_len(&client->output);
    struct slice piece = slice_first(bytes, waits < OUTPUT_SOFT_MAX ? OUTPUT_SOFT_MAX - waits : 0);
    if (piece.len > client->append_left)
        piece = slice_first(piece, (size_t)client->append_left);
    buffer_put(&client->output, piece);
    client->append_left -= piece.len;
    if (piece.len > 0)
        imap_client_wait_for_server(client, now);
    if (client->append_left == 0) {
        buffer_put_text(&client->output, "\r\n");
        client->awaits = AWAITS_REPLY;
    }
    return piece.len;
}

void
imap_client_done(struct imap_client *client, struct instant now)
{
    if (client->awaits != AWAITS_IDLING)
        return;
    imap_client_trace(client, "C: ", SLICE("DONE"));
    buffer_put_text(&client->output, "DONE\r\n");
    client->awaits = AWAITS_REPLY;
    client->asked = IMAP_CLIENT_IDLE;
    imap_client_wait_for_server(client, now);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* RFC 9051 §6.3.2: a mailbox that cannot be selected leaves none selected. */
static void
change_state(struct imap_client *client, bool is_ok)
{
    bool ends_mailbox = client->asked == IMAP_CLIENT_CLOSE || client->asked == IMAP_CLIENT_UNSELECT;

    if (client->is_select_asked && is_ok) {
        imap_client_enter(client, IMAP_CLIENT_SELECTED);
    } else if (client->is_select_asked || (ends_mailbox && is_ok)) {
        client->mailbox = (struct imap_client_mailbox){0};
        imap_client_enter(client, IMAP_CLIENT_AUTHENTICATED);
    }
    client->is_select_asked = false;
}

void
imap_client_on_reply(struct imap_client *client, const struct imap_client_said_status *status)
{
    bool is_ok = status->word == WORD_OK;

    (void)imap_client_take_code(client, status->code);
    if (client->asked == IMAP_CLIENT_LOGOUT_NOW) {
        imap_client_end(client, IMAP_CLIENT_CLOSE_DONE, status->code, status->text);
        return;
    }
    if (client->awaits == AWAITS_MESSAGE && client->is_synced) {
        /* Octets are owed that it does not want: nothing sensible can follow. */
        imap_client_end(client, IMAP_CLIENT_CLOSE_REFUSED, status->code, status->text);
        return;
    }
    if (is_ok && (!client->is_synced || client->awaits == AWAITS_IDLING)) {
        imap_client_end_protocol(client, "the server agrees to what it has not heard");
        return;
    }
    change_state(client, is_ok);
    client->is_synced = true;
    client->awaits = AWAITS_READY;
    client->event.command = client->asked;
    client->event.result = (enum imap_client_result)status->word;
    client->event.code = status->code;
    client->event.text = status->text;
    imap_client_raise(client, IMAP_CLIENT_EVENT_REPLY);
}
