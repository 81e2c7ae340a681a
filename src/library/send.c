/* SPDX-License-Identifier: ISC */
#include "client/submit.h"
#include "library/library_private.h"
#include "message/address.h"
#include "mime/external.h"
#include "text/date.h"
#include "text/utf8.h"

enum { WORK_MAX = 256 << 20, FIELD_TEXT_MAX = 4 << 20 };
#define MESSAGE_TEXT_MAX ((size_t)1 << 30)

struct sending {
    const struct facteur_account *account;
    const struct facteur_message *message;
    struct client_problem *problem;
    struct arena arena;
    struct mime_draft *draft;
    struct slice *recipients;
    size_t count;
    struct buffer content;
};

/* ---- addresses ----------------------------------------------------------------------------- */

static bool
parse_list(struct sending *sending, const char *text, struct address_list *ret_list)
{
    enum {
        WRONG = ADDRESS_NO_DOMAIN | ADDRESS_NO_LOCAL | ADDRESS_UNCLOSED | ADDRESS_MULTIPLE_AT |
                ADDRESS_CONTROL
    };

    address_list_parse(&sending->arena, slice_of_string(text ? text : ""), ret_list);
    return !ret_list->is_cut && !(ret_list->defects & WRONG)
               ? true
               : client_problem_set(sending->problem, CLIENT_PROBLEM_SETTINGS,
                                    "'%s' is no list of addresses", text);
}

/* A field with the addresses, and each of them among the recipients. */
static bool
add_list(struct sending *sending, const char *field, const char *text, bool is_recipient)
{
    struct address_list list;
    struct buffer out;

    if (!parse_list(sending, text, &list))
        return false;
    buffer_init(&out, FIELD_TEXT_MAX);
    for (struct address *address = list.first; address; address = address->next) {
        buffer_clear(&out);
        if (is_recipient && address->kind == ADDRESS_MAILBOX) {
            address_put_spec(&out, address);
            sending->recipients[sending->count++] = arena_copy(&sending->arena, buffer_slice(&out));
        }
    }
    buffer_finish(&out);
    if (field)
        mime_draft_add_addresses(sending->draft, field, &list);
    return true;
}

static bool
add_recipients(struct sending *sending)
{
    const struct facteur_message *message = sending->message;
    const char *lists[] = {message->to, message->cc, message->bcc};
    size_t room = 1;

    for (size_t i = 0; i < COUNT_OF(lists); i++) { /* one more than there are commas */
        for (const char *at = lists[i] ? lists[i] : ""; *at; at++)
            room += *at == ',' || *at == ';' || *at == ' ';
        room++;
    }
    sending->recipients = ARENA_ARRAY(&sending->arena, struct slice, room);
    if (!sending->recipients)
        return client_problem_set(sending->problem, CLIENT_PROBLEM_TOO_LARGE,
                                  "there are too many addresses");
    if (!add_list(sending, "To", message->to, true) ||
        !add_list(sending, "Cc", message->cc, true) || !add_list(sending, NULL, message->bcc, true))
        return false;
    return sending->count > 0 || client_problem_set(sending->problem, CLIENT_PROBLEM_SETTINGS,
                                                    "the message is for nobody");
}

/* ---- the message --------------------------------------------------------------------------- */

/* Unique for ever: random octets are. */
static struct slice
new_id(struct sending *sending)
{
    struct slice address = slice_of_string(sending->account->address);
    uint8_t random[16];
    struct buffer text;

    client_random(random, sizeof(random));
    buffer_init(&text, FIELD_TEXT_MAX);
    buffer_put_hex(&text, slice_of(random, sizeof(random)));
    buffer_put(&text, slice_skip(address, slice_find_last_byte(address, '@')));
    struct slice id = arena_copy(&sending->arena, buffer_slice(&text));
    buffer_finish(&text);
    return id;
}

static bool
add_sender(struct sending *sending)
{
    struct slice whole = slice_of_string(sending->account->address);
    size_t at = slice_find_last_byte(whole, '@');
    struct address from = {
        .kind = ADDRESS_MAILBOX,
        .local = slice_first(whole, at),
        .domain = slice_skip(whole, at + 1),
        .name = slice_of_string(sending->account->name ? sending->account->name : ""),
    };
    struct buffer text;

    buffer_init(&text, FIELD_TEXT_MAX);
    address_format(&from, &text);
    buffer_put_byte(&text, '\0');
    bool is_good = add_list(sending, "From", (const char *)buffer_slice(&text).at, false);
    buffer_clear(&text);
    date_format_rfc5322(client_wall(), 0, &text);
    mime_draft_add_field(sending->draft, "Date", arena_copy(&sending->arena, buffer_slice(&text)));
    buffer_clear(&text);
    buffer_put_byte(&text, '<');
    buffer_put(&text, new_id(sending));
    buffer_put_byte(&text, '>');
    mime_draft_add_field(sending->draft, "Message-ID",
                         arena_copy(&sending->arena, buffer_slice(&text)));
    buffer_finish(&text);
    return is_good;
}

static struct mime_draft *
new_attachment(struct sending *sending, const struct facteur_attachment *attachment)
{
    struct slice name = slice_of_string(attachment->name ? attachment->name : "attachment");
    struct slice bytes = slice_of(attachment->data, attachment->len);
    struct mime_draft *part;

    if (attachment->url)
        return mime_draft_new_external(&sending->arena, slice_of_string(attachment->url),
                                       new_id(sending));
    if (sending->message->is_digest)
        return mime_draft_new_message(&sending->arena, bytes);
    if (!attachment->type)
        return mime_draft_new_file(&sending->arena, name, bytes);
    part = strcmp(attachment->type, "message/rfc822") == 0
               ? mime_draft_new_message(&sending->arena, bytes)
               : mime_draft_new_bytes(&sending->arena, attachment->type, bytes);
    if (part)
        mime_draft_set_disposition(part, "attachment", name);
    return part;
}

/* The multipart that the attachments go into. */
static struct mime_draft *
new_multipart(struct sending *sending, struct mime_draft *text)
{
    struct mime_draft *mixed = mime_draft_new_multipart(&sending->arena, "mixed"), *digest;

    if (!mixed || !text)
        return NULL;
    mime_draft_append(mixed, text);
    sending->draft = mixed;
    if (!sending->message->is_digest)
        return mixed;
    digest = mime_draft_new_multipart(&sending->arena, "digest");
    if (digest)
        mime_draft_append(mixed, digest);
    return digest;
}

static bool
make_draft(struct sending *sending)
{
    const struct facteur_message *message = sending->message;
    struct mime_draft *multipart = NULL;
    struct mime_draft *text = mime_draft_new_text(
        &sending->arena, "plain", slice_of_string(message->text ? message->text : ""));

    sending->draft = text;
    if (message->attachments_count > 0)
        multipart = new_multipart(sending, text);
    bool is_good = text && (multipart || message->attachments_count == 0) &&
                   message->attachments_count < MIME_DRAFT_PARTS_MAX - 2;
    for (size_t i = 0; i < message->attachments_count && is_good; i++) {
        const struct facteur_attachment *attachment = &message->attachments[i];
        struct mime_draft *part = new_attachment(sending, attachment);
        if (!part && attachment->url && !arena_failed(&sending->arena))
            return client_problem_set(sending->problem, CLIENT_PROBLEM_SETTINGS, "'%s' is no URL",
                                      attachment->url);
        is_good = part != NULL;
        if (part)
            mime_draft_append(multipart, part);
    }
    return is_good || client_problem_set(sending->problem, CLIENT_PROBLEM_TOO_LARGE,
                                         "the message becomes too large");
}

static bool
put_message(struct sending *sending)
{
    struct mime_draft_entropy entropy;
    struct buffer subject;

    buffer_init(&subject, FIELD_TEXT_MAX);
    utf8_put_printable(&subject,
                       slice_of_string(sending->message->subject ? sending->message->subject : ""));
    mime_draft_add_text_field(sending->draft, "Subject",
                              arena_copy(&sending->arena, buffer_slice(&subject)));
    buffer_finish(&subject);
    client_random(&entropy, sizeof(entropy));
    return mime_draft_put(sending->draft, &entropy, &sending->content) ||
           client_problem_set(sending->problem, CLIENT_PROBLEM_TOO_LARGE,
                              "the message becomes too large");
}

/* ---- sending ------------------------------------------------------------------------------- */

static bool
submit(struct sending *sending, const struct client_account *account)
{
    struct buffer trace;
    struct client_login login = {
        .account = account,
        .password = slice_of_string(sending->account->password ? sending->account->password : ""),
        .trace = sending->account->trace ? &trace : NULL,
    };
    struct client_submission submission = {
        .sender = slice_of_string(account->address),
        .recipients = sending->recipients,
        .count = sending->count,
        .content = buffer_slice(&sending->content),
    };
    size_t accepted;

    buffer_init(&trace, LIBRARY_TRACE_MAX);
    bool is_done = client_submit(&login, &submission, &accepted, sending->problem);
    library_trace(sending->account, &trace);
    buffer_finish(&trace);
    return is_done;
}

bool
facteur_send(const struct facteur_account *account, const struct facteur_message *message,
             struct facteur_error *error)
{
    struct client_problem problem = {0};
    struct sending sending = {.account = account, .message = message, .problem = &problem};
    struct client_account settings;

    arena_init(&sending.arena, WORK_MAX);
    buffer_init(&sending.content, MESSAGE_TEXT_MAX);
    bool is_good = library_account(&sending.arena, account, &settings, error);
    bool is_done = is_good && make_draft(&sending) && add_sender(&sending) &&
                   add_recipients(&sending) && put_message(&sending) && submit(&sending, &settings);
    if (is_good && !is_done)
        library_fail(error, &problem);
    buffer_finish(&sending.content);
    arena_finish(&sending.arena);
    return is_done;
}
