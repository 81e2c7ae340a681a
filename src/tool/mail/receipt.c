/* SPDX-License-Identifier: ISC */
#include "tool/mail/receipt.h"

#include "base/hash.h"
#include "client/reading.h"
#include "client/wire.h"
#include "tool/files.h"
#include "tool/mail/departure.h"
#include "tool/mail/response.h"
#include "tool/mail/seen.h"
#include "tool/say.h"

enum { FIELD_MAX = 1 << 20, KEY_ROOM = 17, ID_BYTES = 12, DAY_SECONDS = 24 * 60 * 60 };

static void
read_request(struct view *view, struct dsn_request_facts *ret_facts)
{
    *ret_facts = (struct dsn_request_facts){0};
    if (view->tree.parts[0].fields)
        dsn_request_read(view->tree.parts[0].fields, &view->arena, ret_facts);
}

static struct slice
field_of(const struct view *view, enum field_id id)
{
    const struct header *header = view->tree.parts[0].fields;
    const struct field *field = header ? header_find(header, id, NULL) : NULL;

    return field ? field->body : SLICE("");
}

/* ---- what was answered before -------------------------------------------------------------- */

/* By its Message-ID, else by its whole header: one copy is as good as another. */
static void
put_key(const struct view *view, char key[KEY_ROOM])
{
    struct slice id = field_of(view, FIELD_MESSAGE_ID);

    if (id.len == 0)
        id = mime_part_header(&view->tree, &view->tree.parts[0]);
    (void)snprintf(key, KEY_ROOM, "%016llx", (unsigned long long)hash64(id, 0));
}

static int
remember(struct seen *answered, const struct view *view)
{
    char key[KEY_ROOM];

    put_key(view, key);
    return seen_add(answered, key, (uint32_t)(wall_seconds(client_wall()) / DAY_SECONDS));
}

static bool
is_remembered(const struct seen *answered, const struct view *view)
{
    char key[KEY_ROOM];

    put_key(view, key);
    return seen_day(answered, key) > 0;
}

/* ---- is one due? --------------------------------------------------------------------------- */

static bool
is_own(const struct client_account *account, const struct address_list *to)
{
    for (const struct address *address = to->first; address; address = address->next) {
        if (response_is_own(account->address, address))
            return true;
    }
    return false;
}

enum receipt_due
receipt_look(const struct client_account *account, struct view *view, uint32_t flags)
{
    struct dsn_request_facts facts;
    struct seen *answered = NULL;

    read_request(view, &facts);
    if (facts.request == DSN_REQUEST_NONE || facts.request == DSN_REQUEST_FORBIDDEN ||
        account->receipts == CLIENT_RECEIPTS_NEVER || account->outgoing.protocol == CLIENT_NONE ||
        (flags & (CLIENT_RECEIPT_SENT | CLIENT_DRAFT)) || is_own(account, &facts.to))
        return RECEIPT_NOT_DUE;
    int code = seen_open("receipts", account->name, &answered);
    bool is_done = code != EX_OK || is_remembered(answered, view);
    seen_close(&answered);
    return is_done ? RECEIPT_NOT_DUE
           : account->receipts == CLIENT_RECEIPTS_ALWAYS && facts.request == DSN_REQUEST_PLAIN
               ? RECEIPT_TO_SEND
               : RECEIPT_TO_ASK;
}

static void
put_addresses(const struct address_list *list, struct buffer *out)
{
    struct buffer spec;

    buffer_init(&spec, FIELD_MAX);
    for (const struct address *address = list->first; address; address = address->next) {
        buffer_put_text(&spec, buffer_len(&spec) > 0 ? ", " : "");
        address_put_spec(&spec, address);
    }
    reading_put_line(buffer_slice(&spec), out);
    buffer_finish(&spec);
}

void
receipt_put_question(struct view *view, struct buffer *out)
{
    struct dsn_request_facts facts;

    read_request(view, &facts);
    put_addresses(&facts.to, out);
    buffer_put_text(out, facts.to.count > 1 ? " ask for receipts" : " asks for a receipt");
    if (facts.reason) {
        buffer_put_text(out, " (");
        buffer_put_text(out, facts.reason);
        buffer_put_byte(out, ')');
    }
}

/* ---- sending it ---------------------------------------------------------------------------- */

static void
put_random(struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[ID_BYTES];

    files_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        buffer_put_byte(out, (uint8_t)digits[bytes[i] >> 4]);
        buffer_put_byte(out, (uint8_t)digits[bytes[i] & 15]);
    }
}

static int
write_receipt(struct desk *desk, struct view *view, const struct dsn_request_facts *facts,
              bool is_automatic, struct composed *composed)
{
    const struct client_account *account = desk->login.account;
    struct slice own = slice_of_string(account->address), bad;
    struct buffer from, id, to;
    int code = EX_OK;

    buffer_init(&from, FIELD_MAX);
    buffer_init(&id, FIELD_MAX);
    buffer_init(&to, FIELD_MAX);
    compose_put_from(account, &from);
    put_random(&id);
    put_addresses(&facts->to, &to);
    struct dsn_receipt receipt = {.message = buffer_slice(&view->content),
                                  .to = &facts->to,
                                  .from = buffer_slice(&from),
                                  .recipient = own,
                                  .domain = slice_skip(own, slice_find_last_byte(own, '@') + 1),
                                  .agent = SLICE("facteur " FACTEUR_VERSION),
                                  .is_automatic = is_automatic,
                                  .id = buffer_slice(&id),
                                  .date = client_wall()};
    files_random(&receipt.entropy, sizeof(receipt.entropy));
    if (!outgoing_add(&composed->outgoing, buffer_slice(&to), receipt.domain, &bad))
        code = say_error(EX_DATAERR, "the receipt would go to %.*s, which is no address",
                         CLIENT_TEXT(bad));
    else if (!dsn_receipt_put(&composed->outgoing.content, &view->arena, &receipt))
        code = say_error(EX_DATAERR, "the message is too large for a receipt");
    buffer_finish(&from);
    buffer_finish(&id);
    buffer_finish(&to);
    return code;
}

static int
send_it(struct desk *desk, struct view *view, const struct dsn_request_facts *facts,
        bool is_automatic)
{
    struct composed composed;

    composed_init(&composed); /* without a sender: nothing comes back (RFC 8098 §3) */
    int code = write_receipt(desk, view, facts, is_automatic, &composed);
    if (code == EX_OK)
        code = departure_send(desk, &composed);
    composed_finish(&composed);
    return code;
}

int
receipt_send(struct desk *desk, struct view *view, uint32_t flags, bool is_automatic)
{
    struct dsn_request_facts facts;
    struct seen *answered = NULL;

    read_request(view, &facts);
    if (facts.request == DSN_REQUEST_NONE)
        return say_error(EX_DATAERR, "the message does not ask for a receipt; nothing was sent");
    if (facts.request == DSN_REQUEST_FORBIDDEN)
        return say_error(EX_DATAERR, "the message asks for a receipt, but %s; nothing was sent",
                         facts.reason);
    int code = seen_open("receipts", desk->login.account->name, &answered);
    if (code == EX_OK && ((flags & CLIENT_RECEIPT_SENT) || is_remembered(answered, view)))
        code = say_error(EX_DATAERR, "a receipt for this message was sent before, or refused; "
                                     "nothing was sent");
    if (code == EX_OK) /* before it is sent: rather none than two */
        code = remember(answered, view);
    if (code == EX_OK)
        code = send_it(desk, view, &facts, is_automatic);
    seen_close(&answered);
    return code;
}

int
receipt_refuse(const struct client_account *account, struct view *view)
{
    struct seen *answered = NULL;
    int code = seen_open("receipts", account->name, &answered);

    if (code == EX_OK)
        code = remember(answered, view);
    seen_close(&answered);
    return code;
}
