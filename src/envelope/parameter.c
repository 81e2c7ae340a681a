/* SPDX-License-Identifier: ISC */
/* ESMTP parameters: RFC 5321 §4.1.1.11 and §4.1.2, and the RFC named at each function. */
#include "envelope/parameter.h"

#include "envelope/path.h"
#include "envelope/xtext.h"
#include "text/date.h"

/* esmtp-keyword */
static byte_set keyword_octets = {
    ['-'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
};

/* esmtp-value: anything but controls, space, "=" and DEL; UTF-8 by RFC 6531 §3.3. "=" occurs within
 * values all the same (base64), and is harmless behind the first. */
static byte_set value_octets = {['!' ... '~'] = true, [0x80 ... 0xFF] = true};

enum value_need { VALUE_NONE, VALUE_ONE };

struct parameter_context {
    struct arena *arena;
    unsigned offered;
    union {
        struct envelope_mail_parameters *mail;
        struct envelope_rcpt_parameters *rcpt;
    };
};

typedef bool (*parameter_fn)(struct slice value, struct parameter_context *context);

struct parameter {
    struct slice keyword;
    unsigned extension;
    enum value_need need;
    parameter_fn parse;
};

/* RFC 1870 §4: size-value = 1*20DIGIT */
static bool
parse_size(struct slice value, struct parameter_context *context)
{
    struct cursor cursor = cursor_of(value);

    return value.len <= 20 && cursor_take_u64(&cursor, 0, UINT64_MAX, &context->mail->size) &&
           cursor_is_done(&cursor);
}

/* RFC 6152 §2, RFC 3030 §3 */
static bool
parse_body(struct slice value, struct parameter_context *context)
{
    if (slice_equal_nocase(value, SLICE("7BIT")))
        context->mail->body = ENVELOPE_BODY_7BIT;
    else if (slice_equal_nocase(value, SLICE("8BITMIME")))
        context->mail->body = ENVELOPE_BODY_8BITMIME;
    else if (slice_equal_nocase(value, SLICE("BINARYMIME")) &&
             (context->offered & ENVELOPE_BINARYMIME))
        context->mail->body = ENVELOPE_BODY_BINARYMIME;
    else
        return false;
    return true;
}

/* RFC 6531 §3.4 */
static bool
parse_smtputf8(struct slice value, struct parameter_context *context)
{
    (void)value;
    context->mail->is_utf8 = true;
    return true;
}

/* RFC 3461 §4.3 */
static bool
parse_ret(struct slice value, struct parameter_context *context)
{
    if (slice_equal_nocase(value, SLICE("FULL")))
        context->mail->ret = ENVELOPE_RET_FULL;
    else if (slice_equal_nocase(value, SLICE("HDRS")))
        context->mail->ret = ENVELOPE_RET_HDRS;
    else
        return false;
    return true;
}

/* RFC 3461 §4.4: xtext of printable characters and spaces */
static bool
parse_envid(struct slice value, struct parameter_context *context)
{
    struct slice envid;

    if (value.len > ENVELOPE_ENVID_MAX || !envelope_xtext_decode(value, context->arena, &envid))
        return false;
    for (size_t i = 0; i < envid.len; i++) {
        if (envid.at[i] < ' ' || envid.at[i] > '~')
            return false;
    }
    context->mail->envid = envid;
    return true;
}

/* RFC 4954 §5: a mailbox in xtext, or "<>" */
static bool
parse_auth(struct slice value, struct parameter_context *context)
{
    struct envelope_path path;
    struct slice mailbox;

    if (value.len > ENVELOPE_AUTH_PARAMETER_MAX)
        return false;
    context->mail->has_auth = true;
    if (slice_equal(value, SLICE("<>")))
        return true;
    if (!envelope_xtext_decode(value, context->arena, &mailbox) ||
        envelope_mailbox_parse(mailbox, context->arena, &path) != ENVELOPE_OK)
        return false;
    context->mail->auth = path.canonical;
    return true;
}

/* RFC 8689 §2 */
static bool
parse_requiretls(struct slice value, struct parameter_context *context)
{
    (void)value;
    context->mail->requires_tls = true;
    return true;
}

/* RFC 6710 §4: priority-value = ["-"] NZDIGIT / "0" */
static bool
parse_priority(struct slice value, struct parameter_context *context)
{
    struct cursor cursor = cursor_of(value);
    bool is_negative = cursor_take_byte(&cursor, '-');
    uint32_t number;

    if (cursor_left(&cursor) != 1 || !cursor_take_u32(&cursor, is_negative ? 1 : 0, 9, &number))
        return false;
    context->mail->has_priority = true;
    context->mail->priority = (int8_t)(is_negative ? -(int)number : (int)number);
    return true;
}

/* RFC 2852 §4: by-value = by-time ";" by-mode [by-trace]; mode R needs a positive time */
static bool
parse_deliver_by(struct slice value, struct parameter_context *context)
{
    struct cursor cursor = cursor_of(value);
    bool is_negative = cursor_take_byte(&cursor, '-');
    uint32_t seconds;

    if (!is_negative && cursor_peek(&cursor) == '+')
        cursor.at++;
    if (!cursor_take_u32(&cursor, 0, ENVELOPE_HOLD_SECONDS_MAX, &seconds) ||
        !cursor_take_byte(&cursor, ';'))
        return false;
    bool returns = cursor_take_text_nocase(&cursor, SLICE("R"));
    if ((!returns && !cursor_take_text_nocase(&cursor, SLICE("N"))) ||
        (returns && (is_negative || seconds == 0)))
        return false;
    bool traces = cursor_take_text_nocase(&cursor, SLICE("T"));
    if (!cursor_is_done(&cursor))
        return false;
    context->mail->has_deliver_by = true;
    context->mail->deliver_by_s = is_negative ? -(int32_t)seconds : (int32_t)seconds;
    context->mail->deliver_by_returns = returns;
    context->mail->deliver_by_traces = traces;
    return true;
}

/* RFC 4865 §4: one of the two, not both */
static bool
parse_hold_for(struct slice value, struct parameter_context *context)
{
    struct cursor cursor = cursor_of(value);

    return context->mail->hold_until.len == 0 &&
           cursor_take_u32(&cursor, 1, ENVELOPE_HOLD_SECONDS_MAX, &context->mail->hold_for_s) &&
           cursor_is_done(&cursor);
}

static bool
parse_hold_until(struct slice value, struct parameter_context *context)
{
    if (context->mail->hold_for_s != 0 || value.len > ENVELOPE_HOLD_UNTIL_MAX ||
        !slice_ends_with(value, SLICE("Z")) ||
        !date_parse_iso8601(value, &context->mail->hold_until_wall))
        return false;
    context->mail->hold_until = arena_copy(context->arena, value);
    return !arena_failed(context->arena);
}

/* RFC 3461 §4.1: "NEVER" alone, or a list */
static bool
parse_notify(struct slice value, struct parameter_context *context)
{
    static const struct {
        struct slice name;
        uint8_t bit;
    } names[] = {
        {SLICE("NEVER"), ENVELOPE_NOTIFY_NEVER},
        {SLICE("SUCCESS"), ENVELOPE_NOTIFY_SUCCESS},
        {SLICE("FAILURE"), ENVELOPE_NOTIFY_FAILURE},
        {SLICE("DELAY"), ENVELOPE_NOTIFY_DELAY},
    };
    struct cursor cursor = cursor_of(value);
    uint8_t notify = 0;

    do {
        struct slice word;
        uint8_t bit = 0;
        if (!cursor_take_set(&cursor, keyword_octets, 7, &word))
            return false;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            bit = slice_equal_nocase(word, names[i].name) ? names[i].bit : bit;
        if (bit == 0 || (notify & bit))
            return false;
        notify |= bit;
    } while (cursor_take_byte(&cursor, ','));
    if (!cursor_is_done(&cursor) ||
        ((notify & ENVELOPE_NOTIFY_NEVER) && notify != ENVELOPE_NOTIFY_NEVER))
        return false;
    context->rcpt->notify = notify;
    return true;
}

/* RFC 3461 §4.2: addr-type ";" xtext; for type utf-8 RFC 6533 §3 */
static bool
parse_orcpt(struct slice value, struct parameter_context *context)
{
    struct cursor cursor = cursor_of(value);
    struct slice type, address;

    if (value.len > ENVELOPE_ORCPT_MAX ||
        !cursor_take_set(&cursor, keyword_octets, ENVELOPE_ORCPT_TYPE_MAX, &type) ||
        !cursor_take_byte(&cursor, ';') || cursor_is_done(&cursor))
        return false;
    bool is_good = slice_equal_nocase(type, SLICE("utf-8"))
                       ? envelope_unitext_decode(cursor_rest(&cursor), context->arena, &address)
                       : envelope_xtext_decode(cursor_rest(&cursor), context->arena, &address);
    uint8_t *lower = arena_new(context->arena, type.len);
    if (!is_good || !lower)
        return false;
    for (size_t i = 0; i < type.len; i++)
        lower[i] = byte_to_lower(type.at[i]);
    /* It goes into headers of reports: nothing in it may end a line. */
    for (size_t i = 0; i < address.len; i++) {
        if (address.at[i] < ' ' || address.at[i] == 0x7F)
            return false;
    }
    context->rcpt->orcpt_type = slice_of(lower, type.len);
    context->rcpt->orcpt = address;
    return true;
}

static const struct parameter mail_table[] = {
    {SLICE("SIZE"), ENVELOPE_SIZE, VALUE_ONE, parse_size},
    {SLICE("BODY"), ENVELOPE_8BITMIME, VALUE_ONE, parse_body},
    {SLICE("SMTPUTF8"), ENVELOPE_SMTPUTF8, VALUE_NONE, parse_smtputf8},
    {SLICE("RET"), ENVELOPE_DSN, VALUE_ONE, parse_ret},
    {SLICE("ENVID"), ENVELOPE_DSN, VALUE_ONE, parse_envid},
    {SLICE("AUTH"), ENVELOPE_AUTH, VALUE_ONE, parse_auth},
    {SLICE("REQUIRETLS"), ENVELOPE_REQUIRETLS, VALUE_NONE, parse_requiretls},
    {SLICE("MT-PRIORITY"), ENVELOPE_MT_PRIORITY, VALUE_ONE, parse_priority},
    {SLICE("BY"), ENVELOPE_DELIVERBY, VALUE_ONE, parse_deliver_by},
    {SLICE("HOLDFOR"), ENVELOPE_FUTURERELEASE, VALUE_ONE, parse_hold_for},
    {SLICE("HOLDUNTIL"), ENVELOPE_FUTURERELEASE, VALUE_ONE, parse_hold_until},
};

static const struct parameter rcpt_table[] = {
    {SLICE("NOTIFY"), ENVELOPE_DSN, VALUE_ONE, parse_notify},
    {SLICE("ORCPT"), ENVELOPE_DSN, VALUE_ONE, parse_orcpt},
};

static const struct parameter *
find_parameter(struct slice keyword, unsigned offered, const struct parameter *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if ((table[i].extension & offered) && slice_equal_nocase(keyword, table[i].keyword))
            return &table[i];
    }
    return NULL;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
static bool
take_parameter(struct cursor *cursor, struct slice *ret_keyword, struct slice *ret_value)
{
    struct cursor work = *cursor;
    struct slice keyword, value = slice_of(cursor->at, 0);

    if (!cursor_take_set(&work, keyword_octets, ENVELOPE_LABEL_MAX, &keyword) ||
        keyword.at[0] == '-' ||
        (cursor_take_byte(&work, '=') &&
         !cursor_take_set(&work, value_octets, cursor_left(&work), &value)) ||
        (!cursor_is_done(&work) && cursor_peek(&work) != ' '))
        return false;
    *ret_keyword = keyword;
    *ret_value = value;
    *cursor = work;
    return true;
}

/* Reads all parameters into what the context points to. */
static enum envelope_parameter_fault
parse_all(struct slice text, const struct parameter *table, size_t count,
          struct parameter_context *context, struct slice *ret_keyword)
{
    struct cursor cursor = cursor_of(text);
    unsigned seen = 0;

    for (;;) {
        struct slice value;
        /* One space is the grammar (RFC 5321 §4.1.1.2); fingers make two, and some at the end. */
        size_t blanks = cursor_skip_blanks(&cursor);
        if (cursor_is_done(&cursor))
            return ENVELOPE_PARAMETER_OK;
        *ret_keyword = slice_first(cursor_rest(&cursor), ENVELOPE_LABEL_MAX);
        if (blanks == 0 || !take_parameter(&cursor, ret_keyword, &value))
            return ENVELOPE_PARAMETER_SYNTAX;
        const struct parameter *row = find_parameter(*ret_keyword, context->offered, table, count);
        if (!row)
            return ENVELOPE_PARAMETER_UNKNOWN;
        unsigned bit = 1U << (row - table);
        if (seen & bit)
            return ENVELOPE_PARAMETER_TWICE;
        seen |= bit;
        bool has_value = value.len > 0;
        if (has_value != (row->need == VALUE_ONE) || !row->parse(value, context))
            return arena_failed(context->arena) ? ENVELOPE_PARAMETER_MEMORY
                                                : ENVELOPE_PARAMETER_VALUE;
    }
}

enum envelope_parameter_fault
envelope_mail_parameters_parse(struct slice text, unsigned offered, struct arena *arena,
                               struct envelope_mail_parameters *ret_parameters,
                               struct slice *ret_keyword)
{
    struct envelope_mail_parameters parameters = {
        .envid = SLICE(""), .auth = SLICE(""), .hold_until = SLICE("")};
    struct parameter_context context = {.arena = arena, .offered = offered, .mail = &parameters};
    enum envelope_parameter_fault fault =
        parse_all(text, mail_table, COUNT_OF(mail_table), &context, ret_keyword);

    if (fault == ENVELOPE_PARAMETER_OK)
        *ret_parameters = parameters;
    return fault;
}

enum envelope_parameter_fault
envelope_rcpt_parameters_parse(struct slice text, unsigned offered, struct arena *arena,
                               struct envelope_rcpt_parameters *ret_parameters,
                               struct slice *ret_keyword)
{
    struct envelope_rcpt_parameters parameters = {.orcpt_type = SLICE(""), .orcpt = SLICE("")};
    struct parameter_context context = {.arena = arena, .offered = offered, .rcpt = &parameters};
    enum envelope_parameter_fault fault =
        parse_all(text, rcpt_table, COUNT_OF(rcpt_table), &context, ret_keyword);

    if (fault == ENVELOPE_PARAMETER_OK)
        *ret_parameters = parameters;
    return fault;
}
