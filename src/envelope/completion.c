/* SPDX-License-Identifier: ISC */
#include "envelope/completion.h"

#include "text/date.h"

enum {
    LINE_START,
    NAME,       /* within a field's name */
    NAME_BLANK, /* blanks between name and colon (RFC 5322 §4.5) */
    REST,       /* of a line whose kind is known */
    REST_CR,    /* a CR within it, or its end */
    EMPTY,      /* the CR of an empty line: the header is over */
    DONE,
};

void
envelope_completion_begin(struct envelope_completion *completion)
{
    *completion = (struct envelope_completion){.state = LINE_START};
}

static bool
is_name(const struct envelope_completion *completion, struct slice name)
{
    return slice_equal(slice_of(completion->name, completion->name_len), name);
}

static void
note_field(struct envelope_completion *completion)
{
    completion->has_date = completion->has_date || is_name(completion, SLICE("date"));
    completion->has_message_id =
        completion->has_message_id || is_name(completion, SLICE("message-id"));
    completion->received += is_name(completion, SLICE("received"));
    completion->is_list_id = is_name(completion, SLICE("list-id"));
}

/* Case does not matter (RFC 2919 §3). */
static void
add_to_list_id(struct envelope_completion *completion, uint8_t octet)
{
    if (completion->list_id_len < ENVELOPE_COMPLETION_LISTS_MAX)
        completion->list_ids[completion->list_id_len++] =
            octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

bool
envelope_completion_has_list(const struct envelope_completion *completion, struct slice id)
{
    struct slice all = slice_of(completion->list_ids, completion->list_id_len);
    uint8_t lower[ENVELOPE_COMPLETION_LISTS_MAX];

    if (id.len == 0 || id.len > sizeof(lower))
        return false;
    for (size_t i = 0; i < id.len; i++)
        lower[i] = byte_to_lower(id.at[i]);
    return slice_find(all, slice_of(lower, id.len)) < all.len;
}

/* A name that is longer than all that matter stays longer than they are. */
static void
add_to_name(struct envelope_completion *completion, uint8_t octet)
{
    if (completion->name_len < ENVELOPE_COMPLETION_NAME_MAX)
        completion->name[completion->name_len++] =
            octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

/* A line's first octet. */
static uint8_t
begin_line(struct envelope_completion *completion, uint8_t octet)
{
    completion->name_len = 0;
    if (octet == '\r')
        return EMPTY;
    if (octet == ' ' || octet == '\t')
        return REST; /* the field before goes on */
    completion->is_list_id = false;
    if (octet <= ' ' || octet >= 127 || octet == ':')
        return DONE;
    add_to_name(completion, octet);
    return NAME;
}

static uint8_t
step(struct envelope_completion *completion, uint8_t octet)
{
    switch (completion->state) {
    case LINE_START:
        return begin_line(completion, octet);
    case NAME:
    case NAME_BLANK:
        if (octet == ':') {
            note_field(completion);
            return REST;
        }
        if (octet == ' ' || octet == '\t')
            return NAME_BLANK;
        if (completion->state == NAME_BLANK || octet < ' ' || octet >= 127)
            return DONE;
        add_to_name(completion, octet);
        return NAME;
    case REST_CR:
        if (octet == '\n')
            return LINE_START;
        break;
    default:
        break;
    }
    if (completion->is_list_id)
        add_to_list_id(completion, octet);
    return octet == '\r' ? REST_CR : REST;
}

bool
envelope_completion_scan(struct envelope_completion *completion, struct slice piece,
                         size_t *ret_offset)
{
    for (size_t i = 0; i < piece.len && completion->state != DONE; i++) {
        completion->state = step(completion, piece.at[i]);
        if (completion->state == EMPTY) {
            completion->state = DONE;
            *ret_offset = i;
            return true;
        }
    }
    return false;
}

bool
envelope_completion_end(struct envelope_completion *completion)
{
    bool is_within = completion->state == LINE_START;

    completion->state = DONE;
    return is_within;
}

void
envelope_completion_put(const struct envelope_completion *completion, struct buffer *buffer,
                        struct wall date, int16_t zone_minutes, struct slice id,
                        struct slice hostname)
{
    if (!completion->has_date) {
        buffer_put_text(buffer, "Date: ");
        date_format_rfc5322(date, zone_minutes, buffer);
        buffer_put_text(buffer, "\r\n");
    }
    if (!completion->has_message_id) {
        buffer_put_text(buffer, "Message-ID: <");
        buffer_put(buffer, id);
        buffer_put_byte(buffer, '@');
        buffer_put(buffer, hostname);
        buffer_put_text(buffer, ">\r\n");
    }
}
