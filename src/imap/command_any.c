/* SPDX-License-Identifier: ISC */
/* Commands about the session: CAPABILITY, NOOP, LOGOUT, ID, ENABLE, NAMESPACE, IDLE. */
#include "imap/server_private.h"

#include "text/utf7.h"

void
imap_put_capabilities(struct imap_server *server)
{
    const struct imap_server_options *options = &server->options;
    struct buffer *out = &server->output;
    bool may_log_in = server->is_secure || options->allows_clear_password;

    buffer_put_text(out, "CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE");
    if (server->state == IMAP_NOT_AUTHENTICATED) {
        if (options->is_tls_available && !server->is_secure)
            buffer_put_text(out, " STARTTLS");
        if (!may_log_in)
            buffer_put_text(out, " LOGINDISABLED");
        for (size_t i = 0; i < options->mechanisms_count; i++) {
            struct slice name = options->mechanisms[i];
            if ((imap_is_clear(name) && !may_log_in) || !imap_may_offer(server, name))
                continue;
            buffer_put_text(out, " AUTH=");
            buffer_put(out, name);
        }
        return;
    }
    buffer_put_text(out,
                    " ACL RIGHTS=texk LIST-MYRIGHTS CHILDREN NAMESPACE UIDPLUS UNSELECT IDLE"
                    " MOVE CONDSTORE QRESYNC CONTEXT=SEARCH ESEARCH SEARCHRES LIST-EXTENDED"
                    " LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE BINARY MULTIAPPEND STATUS=SIZE"
                    " SAVEDATE PREVIEW OBJECTID WITHIN UTF8=ACCEPT COMPRESS=DEFLATE METADATA"
                    " LIST-METADATA CATENATE URLAUTH URL-PARTIAL URLAUTH=BINARY NOTIFY"
                    " MULTISEARCH PARTIAL REPLACE UNAUTHENTICATE UIDONLY INPROGRESS"
                    " SEARCH=FUZZY ESORT SORT"
                    " SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS"
                    " I18NLEVEL=1 QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE");
    imap_put_number(out, " APPENDLIMIT=", options->message_bytes_max, "");
    if (options->messages_max > 0)
        imap_put_number(out, " MESSAGELIMIT=", options->messages_max, "");
    else if (options->saves_max > 0)
        imap_put_number(out, " SAVELIMIT=", options->saves_max, "");
}

void
imap_command_capability(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "CAPABILITY takes no arguments");
        return;
    }
    buffer_put_text(&server->output, "* ");
    imap_put_capabilities(server);
    buffer_put_text(&server->output, "\r\n");
    imap_end(server, IMAP_OK, "that is all");
}

static void
on_heard(struct imap_server *server, const struct access_store_note *note, struct slice blob)
{
    (void)note;
    (void)blob;
    imap_end(server, IMAP_OK, "done");
}

/* In a mailbox NOOP and CHECK ask the store something, whatever: its answer comes behind all
 * changes that were answered to anybody before. */
void
imap_command_noop(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "no arguments are taken");
    } else if (server->state != IMAP_SELECTED) {
        imap_end(server, IMAP_OK, "done");
    } else {
        server->is_polling = true;
        server->note.as.account_ask = (struct access_store_account_ask){
            .owner = server->mailbox_owner, .mailbox = server->mailbox_id};
        imap_ask(server, ACCESS_STORE_ACCOUNT_ASK, on_heard);
    }
}

static bool
log_out(struct imap_server *server)
{
    buffer_put_text(&server->output, "* BYE until next time\r\n");
    buffer_put(&server->output, slice_of(server->tag, server->tag_len));
    buffer_put_text(&server->output, " OK logged out\r\n");
    server->more = NULL;
    imap_shut(server, IMAP_CLOSE_LOGOUT, NULL);
    return false;
}

void
imap_command_logout(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "LOGOUT takes no arguments");
        return;
    }
    server->more = log_out;
}

/* RFC 2971 §3.1: id = "ID" SP id-params-list; what the client says of itself is not kept. */
void
imap_command_id(struct imap_server *server, struct cursor *cursor)
{
    struct slice text;
    bool is_good = imap_take_space(cursor);

    if (is_good && cursor_take_byte(cursor, '(')) {
        while (is_good && !cursor_take_byte(cursor, ')')) {
            (void)!imap_take_space(cursor);
            is_good = imap_take_nstring(cursor, &server->arena, &text);
        }
    } else if (is_good) {
        is_good = imap_take_word(cursor, SLICE("NIL"));
    }
    if (!is_good || !imap_take_end(cursor)) {
        imap_bad(server, "expected: ID NIL, or a list of strings");
        return;
    }
    buffer_put_text(&server->output, "* ID (\"name\" \"Facteur\")\r\n");
    imap_end(server, IMAP_OK, "pleased to meet you");
}

/* RFC 5161; UTF8=ACCEPT RFC 6855; CONDSTORE and QRESYNC RFC 7162. */
void
imap_command_enable(struct imap_server *server, struct cursor *cursor)
{
    static const struct {
        struct slice name;
        uint8_t bits;
    } extensions[] = {
        {{(const uint8_t *)"CONDSTORE", 9}, IMAP_ENABLED_CONDSTORE},
        {{(const uint8_t *)"QRESYNC", 7}, IMAP_ENABLED_QRESYNC | IMAP_ENABLED_CONDSTORE},
        {{(const uint8_t *)"UTF8=ACCEPT", 11}, IMAP_ENABLED_UTF8},
        {{(const uint8_t *)"IMAP4rev2", 9}, IMAP_ENABLED_REV2},
        {{(const uint8_t *)"UIDONLY", 7}, IMAP_ENABLED_UIDONLY},
    };
    struct slice name;
    uint8_t bits = 0;
    bool has_any = false;

    while (imap_take_space(cursor)) {
        if (!imap_take_atom(cursor, &name)) {
            imap_bad(server, "expected: ENABLE and names of extensions");
            return;
        }
        has_any = true;
        for (size_t i = 0; i < COUNT_OF(extensions); i++) {
            if (slice_equal_nocase(name, extensions[i].name))
                bits |= extensions[i].bits;
        }
    }
    if (!has_any || !imap_take_end(cursor)) {
        imap_bad(server, "expected: ENABLE and names of extensions");
        return;
    }
    buffer_put_text(&server->output, "* ENABLED");
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        if ((bits & extensions[i].bits) != extensions[i].bits)
            continue;
        buffer_put_byte(&server->output, ' ');
        buffer_put(&server->output, extensions[i].name);
    }
    buffer_put_text(&server->output, "\r\n");
    server->enabled |= bits;
    imap_end(server, IMAP_OK, "done");
}

/* A name as a string, never as an atom. */
static void
put_prefix(struct imap_server *server, struct slice name)
{
    struct buffer encoded;

    if (imap_is_utf8(server)) {
        imap_put_name(server, name);
        return;
    }
    buffer_init(&encoded, (size_t)8 * ACCESS_STORE_MAILBOX_LIST_NAME_MAX);
    if (utf7_encode(name, &encoded))
        imap_put_string(&server->output, buffer_slice(&encoded));
    else
        imap_put_string(&server->output, name);
    buffer_finish(&encoded);
}

/* " ((prefix delimiter))" */
static void
put_namespace(struct imap_server *server, struct slice prefix)
{
    struct buffer name;

    if (slice_is_empty(prefix)) {
        buffer_put_text(&server->output, " NIL");
        return;
    }
    buffer_init(&name, ACCESS_STORE_MAILBOX_LIST_NAME_MAX);
    buffer_put(&name, prefix);
    buffer_put_byte(&name, '/');
    buffer_put_text(&server->output, " ((");
    put_prefix(server, buffer_slice(&name));
    buffer_put_text(&server->output, " \"/\"))");
    buffer_finish(&name);
}

/* RFC 2342. */
void
imap_command_namespace(struct imap_server *server, struct cursor *cursor)
{
    if (!imap_take_end(cursor)) {
        imap_bad(server, "NAMESPACE takes no arguments");
        return;
    }
    buffer_put_text(&server->output, "* NAMESPACE ((\"\" \"/\"))");
    put_namespace(server, server->options.others);
    put_namespace(server, server->options.shared);
    buffer_put_text(&server->output, "\r\n");
    imap_end(server, IMAP_OK, "that is all");
}

/* RFC 2177. The tag stays until DONE. */
static bool
begin_idle(struct imap_server *server)
{
    buffer_put_text(&server->output, "+ idling\r\n");
    server->is_running = false;
    server->view.is_pinned = false;
    server->more = NULL;
    server->is_idling = true;
    server->is_changed = server->state == IMAP_SELECTED;
    server->is_growth_due |= server->is_growth_aside;
    server->is_growth_aside = false;
    server->expects = IMAP_LINE_DONE;
    arena_wipe(&server->arena);
    buffer_finish(&server->command);
    server->line_start = 0;
    return false;
}

void
imap_command_idle(struct imap_server *server, struct cursor *cursor)
{
    if (imap_take_end(cursor))
        server->more = begin_idle;
    else
        imap_bad(server, "IDLE takes no arguments");
}
