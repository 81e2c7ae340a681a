/* SPDX-License-Identifier: ISC */
#include "dsn/receipt.h"

#include "dsn/fields.h"
#include "dsn/frame.h"
#include "dsn/report.h"
#include "mime/content_type.h"
#include "text/utf8.h"

/* ---- may one be sent? ---------------------------------------------------------------------- */

static struct slice
body_of(const struct header *header, enum field_id id)
{
    const struct field *field = header_find(header, id, NULL);

    return field ? field->body : SLICE("");
}

static bool
is_from_list(const struct header *header)
{
    static const enum field_id ids[] = {
        FIELD_LIST_ID,        FIELD_LIST_POST,  FIELD_LIST_UNSUBSCRIBE, FIELD_LIST_HELP,
        FIELD_LIST_SUBSCRIBE, FIELD_LIST_OWNER, FIELD_LIST_ARCHIVE,     FIELD_MAILING_LIST};

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        if (header_find(header, ids[i], NULL))
            return true;
    }
    return slice_equal_nocase(body_of(header, FIELD_PRECEDENCE), SLICE("list")) ||
           header_find_name(header, SLICE("Newsgroups"), NULL);
}

/* RFC 3834 §2, and what was usual before. */
static bool
is_from_machine(const struct header *header)
{
    struct slice automatic = body_of(header, FIELD_AUTO_SUBMITTED);
    struct slice precedence = body_of(header, FIELD_PRECEDENCE);

    automatic = slice_trim(slice_first(automatic, slice_find_byte(automatic, ';')));
    return (automatic.len > 0 && !slice_equal_nocase(automatic, SLICE("no"))) ||
           slice_equal_nocase(precedence, SLICE("bulk")) ||
           slice_equal_nocase(precedence, SLICE("junk"));
}

/* A receipt must not be answered by one (§2.1); a piece of a message is not the message (§2.4). */
static bool
is_of_type(const struct header *header, struct arena *arena, const char *type, const char *subtype)
{
    const struct field *field = header_find(header, FIELD_CONTENT_TYPE, NULL);
    struct mime_defects defects = {0};

    if (!field)
        return false;
    struct mime_place place = {.message = field->body.at, .defects = &defects};
    struct mime_content_type found = mime_content_type_parse(field->body, arena, &place);
    return mime_content_type_is(&found, type, subtype);
}

/* §2.2: "attribute=importance,value,…; …". No attribute is defined: what is required is unknown. */
static bool
has_requirement(const struct header *header)
{
    const struct field *field =
        header_find_name(header, SLICE("Disposition-Notification-Options"), NULL);

    for (struct slice rest = field ? field->body : SLICE(""); rest.len > 0;) {
        struct slice item = slice_first(rest, slice_find_byte(rest, ';'));
        struct slice value = slice_skip(item, slice_find_byte(item, '=') + 1);
        rest = slice_skip(rest, item.len + 1);
        value = slice_trim(slice_first(value, slice_find_byte(value, ',')));
        if (slice_equal_nocase(value, SLICE("required")))
            return true;
    }
    return false;
}

static bool
is_among(const struct address_list *list, const struct address *wanted)
{
    for (const struct address *address = list->first; address; address = address->next) {
        if (address_equal(address, wanted))
            return true;
    }
    return false;
}

/* Each once; one past the limit is enough to refuse all, and who is many need not be compared. */
static void
take_addresses(struct slice body, struct arena *arena, struct address_list *ret_to)
{
    struct address_list list;

    address_list_parse(arena, body, &list);
    for (const struct address *address = list.first;
         address && ret_to->count <= DSN_RECEIPT_TO_MAX; address = address->next) {
        if (address->kind != ADDRESS_MAILBOX || address->local.len == 0 ||
            address->domain.len == 0 || is_among(ret_to, address))
            continue;
        struct address *copy = ARENA_ARRAY(arena, struct address, 1);
        if (!copy)
            return;
        *copy = (struct address){
            .kind = ADDRESS_MAILBOX, .local = address->local, .domain = address->domain};
        struct address_list one = {.first = copy, .last = copy, .count = 1};
        address_list_append(ret_to, &one);
    }
}

/* §2.1: what asks for it from elsewhere than it came from may be a bomb for somebody else. */
static const char *
doubt_of(const struct header *header, struct arena *arena, const struct address_list *to)
{
    const struct field *path = header_find(header, FIELD_RETURN_PATH, NULL);
    struct address_list list = {0};

    if (path)
        take_addresses(path->body, arena, &list);
    if (!list.first)
        return "it does not say where it came from";
    if (to->count > 1)
        return "it asks for several";
    return address_equal(list.first, to->first) ? NULL
                                                : "it would go elsewhere than where the message "
                                                  "came from";
}

void
dsn_request_read(const struct header *header, struct arena *arena,
                 struct dsn_request_facts *ret_facts)
{
    const struct field *field = header_find(header, FIELD_DISPOSITION_NOTIFICATION_TO, NULL);
    struct dsn_request_facts facts = {0};

    if (field && !is_of_type(header, arena, "message", "partial"))
        take_addresses(field->body, arena, &facts.to);
    if (facts.to.count > 0) {
        facts.request = DSN_REQUEST_FORBIDDEN;
        facts.reason = is_from_list(header)      ? "it came through a mailing list"
                       : is_from_machine(header) ? "a program wrote it"
                       : is_of_type(header, arena, "multipart", "report") ? "it is a report itself"
                       : has_requirement(header)             ? "it asks for an unknown kind of one"
                       : facts.to.count > DSN_RECEIPT_TO_MAX ? "it asks for too many"
                                                             : NULL;
    }
    if (facts.to.count > 0 && !facts.reason) {
        facts.reason = header_find(header, FIELD_DISPOSITION_NOTIFICATION_TO, field)
                           ? "it asks for one twice"
                           : doubt_of(header, arena, &facts.to);
        facts.request = facts.reason ? DSN_REQUEST_DOUBTFUL : DSN_REQUEST_PLAIN;
    }
    *ret_facts = facts;
}

/* ---- the receipt --------------------------------------------------------------------------- */

static struct mime_draft *
new_words(struct dsn_frame *frame, const struct dsn_receipt *receipt)
{
    const struct field *date = header_find(&frame->header, FIELD_DATE, NULL);
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    buffer_put_text(&text, "Your message");
    if (frame->subject.len > 0) {
        buffer_put_text(&text, " \"");
        utf8_put_printable(&text, frame->subject);
        buffer_put_byte(&text, '"');
    }
    if (date) {
        buffer_put_text(&text, " of ");
        utf8_put_printable(&text, slice_first(date->body, DSN_FIELD_MAX));
    }
    buffer_put_text(&text, "\r\nto ");
    buffer_put(&text, receipt->recipient);
    buffer_put_text(&text, " was shown. That does not mean that it was read or understood.\r\n");
    return mime_draft_new_text(frame->arena, "plain", dsn_frame_keep(frame, &text));
}

/* "rfc822;a@b" of the message's own Original-Recipient goes back as it came (§3.2.3). */
static void
put_original(struct buffer *out, struct slice field, bool is_utf8)
{
    size_t semicolon = slice_find_byte(field, ';');

    if (semicolon < field.len)
        dsn_fields_put_address(out, "Original-Recipient", slice_trim(slice_first(field, semicolon)),
                               slice_trim(slice_skip(field, semicolon + 1)), is_utf8);
}

/* §3.1. A report for a global address may say it as it is (RFC 6533 §6.2). */
static struct mime_draft *
new_notification(struct dsn_frame *frame, const struct dsn_receipt *receipt)
{
    struct slice id = body_of(&frame->header, FIELD_MESSAGE_ID);
    bool is_utf8 = !utf8_is_ascii(receipt->recipient);
    struct buffer text;

    buffer_init(&text, DSN_REPORT_EXTRA);
    dsn_fields_put_words(&text, "Reporting-UA", "", receipt->agent, false);
    put_original(&text, body_of(&frame->header, FIELD_ORIGINAL_RECIPIENT), is_utf8);
    dsn_fields_put_address(&text, "Final-Recipient", SLICE("rfc822"), receipt->recipient, is_utf8);
    if (utf8_is_ascii(id))
        dsn_fields_put_words(&text, "Original-Message-ID", "", id, false);
    dsn_fields_put_words(&text, "Disposition",
                         receipt->is_automatic ? "automatic-action/MDN-sent-automatically"
                                               : "manual-action/MDN-sent-manually",
                         SLICE("displayed"), false);
    return mime_draft_new_verbatim(frame->arena,
                                   is_utf8 ? "message/global-disposition-notification"
                                           : "message/disposition-notification",
                                   dsn_frame_keep(frame, &text));
}

bool
dsn_receipt_put(struct buffer *buffer, struct arena *arena, const struct dsn_receipt *receipt)
{
    struct mime_draft *draft = mime_draft_new_multipart(arena, "report");
    struct address_list from, to = *receipt->to;
    struct dsn_frame frame;

    assert(to.count > 0 && receipt->recipient.len > 0);
    if (!draft)
        return false;
    dsn_frame_open(&frame, arena, receipt->message);
    dsn_frame_add_fields(&frame, draft, receipt->date, receipt->id, receipt->domain);
    address_list_parse(arena, receipt->from, &from);
    mime_draft_add_addresses(draft, "From", &from);
    mime_draft_add_addresses(draft, "To", &to);
    dsn_frame_add_subject(&frame, draft, "Shown: ");
    mime_draft_add_field(draft, "Auto-Submitted", SLICE("auto-replied")); /* RFC 3834 §5 */
    mime_draft_add_parameter(draft, "report-type", SLICE("disposition-notification"));
    struct mime_draft *parts[] = {new_words(&frame, receipt), new_notification(&frame, receipt),
                                  dsn_frame_new_header(&frame, !utf8_is_ascii(receipt->recipient))};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i])
            return false;
        mime_draft_append(draft, parts[i]);
    }
    return !arena_failed(arena) && mime_draft_put(draft, &receipt->entropy, buffer);
}
