/* SPDX-License-Identifier: ISC */
/* Paths and mailboxes: RFC 5321 §4.1.2, RFC 6531 §3.3. One function for each rule. */
#include "envelope/path.h"

#include "envelope/literal.h"
#include "text/utf8.h"

/* atext (RFC 5322 §3.2.3) and UTF8-non-ascii (RFC 6531 §3.3). */
static byte_set
    atext =
        {
            ['!'] = true,         ['#' ... '\''] = true,  ['*'] = true,
            ['+'] = true,         ['-'] = true,           ['/'] = true,
            ['0' ... '9'] = true, ['='] = true,           ['?'] = true,
            ['A' ... 'Z'] = true, ['^' ... '`'] = true,   ['a' ... 'z'] = true,
            ['{' ... '~'] = true, [0x80 ... 0xFF] = true,
};

/* qtextSMTP (RFC 5321 §4.1.2) and UTF8-non-ascii. */
static byte_set qtext = {
    [' ' ... '!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
    [0x80 ... 0xFF] = true,
};

/* What a label is made of; "_" is not in the grammar, but in names that exist. */
static byte_set label_octets = {
    ['-'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true,
    ['_'] = true, ['a' ... 'z'] = true, [0x80 ... 0xFF] = true,
};

/* A whole name: to tell a long one from a bad one. */
static byte_set name_octets = {
    ['-' ... '.'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true,
    ['_'] = true,         ['a' ... 'z'] = true, [0x80 ... 0xFF] = true,
};

/* dcontent (RFC 5321 §4.1.3): a literal's inside. */
static byte_set dcontent = {['!' ... 'Z'] = true, ['^' ... '~'] = true};

/* A mailbox as it stands in the input. */
struct raw_mailbox {
    struct slice local; /* as written, with quotes */
    bool is_quoted;
    enum envelope_domain_kind domain_kind;
    struct slice domain;
};

static const char *const fault_texts[] = {
    [ENVELOPE_OK] = "no fault",
    [ENVELOPE_BAD_SYNTAX] = "not a path",
    [ENVELOPE_BAD_LOCAL] = "bad local part",
    [ENVELOPE_BAD_DOMAIN] = "bad or missing domain",
    [ENVELOPE_LOCAL_LONG] = "the local part is too long",
    [ENVELOPE_DOMAIN_LONG] = "the domain is too long",
    [ENVELOPE_ROUTE_LONG] = "the source route is too long",
    [ENVELOPE_NOT_UTF8] = "not UTF-8",
    [ENVELOPE_NO_MEMORY] = "too much for one transaction",
};

const char *
envelope_fault_text(enum envelope_fault fault)
{
    return fault_texts[fault];
}

/* The octets between two places of one input. */
static struct slice
span(struct cursor from, const struct cursor *to)
{
    return slice_of(from.at, (size_t)(to->at - from.at));
}

/* Dot-string = Atom *("." Atom) */
static bool
take_dot_string(struct cursor *cursor)
{
    struct cursor work = *cursor;

    do {
        if (cursor_skip_set(&work, atext) == 0)
            return false;
    } while (cursor_take_byte(&work, '.'));
    *cursor = work;
    return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; an empty one names nobody. */
static bool
take_quoted_string(struct cursor *cursor)
{
    struct cursor work = *cursor;
    const uint8_t *inside = work.at + 1;
    uint8_t octet;

    if (!cursor_take_byte(&work, '"'))
        return false;
    for (;;) {
        cursor_skip_set(&work, qtext);
        if (cursor_take_byte(&work, '"'))
            break;
        /* quoted-pairSMTP = %d92 %d32-126 */
        if (!cursor_take_byte(&work, '\\') || !cursor_take_any(&work, &octet) || octet < ' ' ||
            octet > '~')
            return false;
    }
    if (work.at - inside < 2)
        return false;
    *cursor = work;
    return true;
}

/* sub-domain = Let-dig [Ldh-str] */
static bool
take_label(struct cursor *cursor)
{
    struct cursor work = *cursor;
    size_t len = cursor_skip_set(&work, label_octets);
    struct slice label = span(*cursor, &work);

    if (len == 0 || label.at[0] == '-' || label.at[len - 1] == '-' ||
        (len > ENVELOPE_LABEL_MAX && utf8_is_ascii(label)))
        return false;
    *cursor = work;
    return true;
}

/* Domain = sub-domain *("." sub-domain) */
static bool
take_domain_name(struct cursor *cursor)
{
    struct cursor work = *cursor;

    do {
        if (!take_label(&work))
            return false;
    } while (cursor_take_byte(&work, '.'));
    *cursor = work;
    return true;
}

/* address-literal = "[" ( IPv4 / IPv6 / General ) "]" */
static bool
take_address_literal(struct cursor *cursor, enum envelope_domain_kind *ret_kind)
{
    struct cursor work = *cursor;
    struct slice inside;
    uint8_t address[16];

    if (!cursor_take_byte(&work, '[') ||
        !cursor_take_set(&work, dcontent, ENVELOPE_DOMAIN_MAX, &inside) ||
        !cursor_take_byte(&work, ']') || !envelope_literal_parse(inside, ret_kind, address))
        return false;
    *cursor = work;
    return true;
}

bool
envelope_domain_take(struct cursor *cursor, enum envelope_domain_kind *ret_kind,
                     struct slice *ret_domain)
{
    struct cursor work = *cursor;
    enum envelope_domain_kind kind = ENVELOPE_DOMAIN_NAME;

    if (cursor_peek(&work) == '[' ? !take_address_literal(&work, &kind) : !take_domain_name(&work))
        return false;
    if (work.at - cursor->at > ENVELOPE_DOMAIN_MAX || !utf8_is_valid(span(*cursor, &work)))
        return false;
    *ret_kind = kind;
    *ret_domain = span(*cursor, &work);
    *cursor = work;
    return true;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static enum envelope_fault
take_mailbox(struct cursor *cursor, struct raw_mailbox *ret_mailbox)
{
    struct cursor work = *cursor;
    struct raw_mailbox mailbox = {.is_quoted = cursor_peek(cursor) == '"'};

    if (mailbox.is_quoted ? !take_quoted_string(&work) : !take_dot_string(&work))
        return ENVELOPE_BAD_LOCAL;
    mailbox.local = span(*cursor, &work);
    if (mailbox.local.len > ENVELOPE_LOCAL_MAX)
        return ENVELOPE_LOCAL_LONG;
    if (!utf8_is_valid(mailbox.local))
        return ENVELOPE_NOT_UTF8;
    if (cursor_is_done(&work) || cursor_peek(&work) == '>')
        return ENVELOPE_BAD_DOMAIN;
    if (!cursor_take_byte(&work, '@'))
        return ENVELOPE_BAD_LOCAL;
    struct cursor start = work;
    if (!envelope_domain_take(&work, &mailbox.domain_kind, &mailbox.domain)) {
        bool is_long = cursor_skip_set(&start, name_octets) > ENVELOPE_DOMAIN_MAX;
        return is_long ? ENVELOPE_DOMAIN_LONG : ENVELOPE_BAD_DOMAIN;
    }
    *ret_mailbox = mailbox;
    *cursor = work;
    return ENVELOPE_OK;
}

/* A-d-l ":" with A-d-l = At-domain *( "," At-domain ); absent without "@". */
static enum envelope_fault
take_route(struct cursor *cursor, struct slice *ret_route)
{
    struct cursor work = *cursor;
    enum envelope_domain_kind kind;
    struct slice domain;

    if (cursor_peek(cursor) != '@') {
        *ret_route = slice_of(cursor->at, 0);
        return ENVELOPE_OK;
    }
    do {
        if (!cursor_take_byte(&work, '@'))
            return ENVELOPE_BAD_SYNTAX;
        if (!envelope_domain_take(&work, &kind, &domain))
            return ENVELOPE_BAD_DOMAIN;
    } while (cursor_take_byte(&work, ','));
    struct slice route = span(*cursor, &work);
    if (route.len > ENVELOPE_ROUTE_MAX)
        return ENVELOPE_ROUTE_LONG;
    if (!cursor_take_byte(&work, ':'))
        return ENVELOPE_BAD_SYNTAX;
    *ret_route = route;
    *cursor = work;
    return ENVELOPE_OK;
}

/* A lower-case copy in the arena. */
static struct slice
copy_lower(struct arena *arena, struct slice bytes)
{
    uint8_t *at = arena_new(arena, bytes.len);

    if (!at)
        return slice_of("", 0);
    for (size_t i = 0; i < bytes.len; i++)
        at[i] = byte_to_lower(bytes.at[i]);
    return slice_of(at, bytes.len);
}

/* The local part without quotes and backslashes. */
static struct slice
copy_unquoted(struct arena *arena, const struct raw_mailbox *mailbox)
{
    if (!mailbox->is_quoted)
        return arena_copy(arena, mailbox->local);
    struct cursor inside = cursor_of(slice_between(mailbox->local, 1, mailbox->local.len - 1));
    uint8_t *at = arena_new(arena, cursor_left(&inside));
    size_t len = 0;
    uint8_t octet;

    if (!at)
        return slice_of("", 0);
    while (cursor_take_any(&inside, &octet)) {
        if (octet == '\\' && !cursor_take_any(&inside, &octet))
            break;
        at[len++] = octet;
    }
    return slice_of(at, len);
}

static bool
is_dot_string(struct slice local)
{
    struct cursor cursor = cursor_of(local);

    return take_dot_string(&cursor) && cursor_is_done(&cursor);
}

/* local@domain in the arena; quotes and backslashes only where the grammar needs them, so that each
 * mailbox has one spelling. */
static struct slice
make_canonical(struct arena *arena, struct slice local, struct slice domain)
{
    bool is_bare = is_dot_string(local);
    uint8_t *at = arena_new(arena, 2 * local.len + domain.len + 3);
    size_t len = 0;

    if (!at)
        return slice_of("", 0);
    if (!is_bare)
        at[len++] = '"';
    for (size_t i = 0; i < local.len; i++) {
        if (!is_bare && (local.at[i] == '"' || local.at[i] == '\\'))
            at[len++] = '\\';
        at[len++] = local.at[i];
    }
    if (!is_bare)
        at[len++] = '"';
    at[len++] = '@';
    if (domain.len > 0)
        memcpy(at + len, domain.at, domain.len);
    return slice_of(at, len + domain.len);
}

static enum envelope_fault
keep_mailbox(const struct raw_mailbox *mailbox, struct slice route, struct arena *arena,
             struct envelope_path *ret_path)
{
    struct envelope_path path = {
        .kind = ENVELOPE_PATH_MAILBOX,
        .domain_kind = mailbox->domain_kind,
        .local = copy_unquoted(arena, mailbox),
        .domain = copy_lower(arena, mailbox->domain),
        .route = copy_lower(arena, route),
        .is_utf8 = !utf8_is_ascii(mailbox->local) || !utf8_is_ascii(mailbox->domain),
    };
    enum envelope_domain_kind kind;

    path.canonical = make_canonical(arena, path.local, path.domain);
    if (arena_failed(arena))
        return ENVELOPE_NO_MEMORY;
    if (path.domain_kind != ENVELOPE_DOMAIN_NAME &&
        !envelope_literal_parse(slice_between(path.domain, 1, path.domain.len - 1), &kind,
                                path.address))
        return ENVELOPE_BAD_DOMAIN;
    *ret_path = path;
    return ENVELOPE_OK;
}

/* "<" "Postmaster" ">" (RFC 5321 §4.1.1.3): the one name that needs no domain. */
static bool
take_postmaster(struct cursor *cursor, struct envelope_path *ret_path)
{
    static const struct slice name = SLICE("postmaster");
    struct cursor work = *cursor;

    if (!cursor_take_text_nocase(&work, name) ||
        (!cursor_is_done(&work) && cursor_peek(&work) != '>' && cursor_peek(&work) != ' '))
        return false;
    *ret_path = (struct envelope_path){.kind = ENVELOPE_PATH_POSTMASTER,
                                       .local = name,
                                       .domain = SLICE(""),
                                       .canonical = name,
                                       .route = SLICE("")};
    *cursor = work;
    return true;
}

/* What stands between the brackets, or there without them. */
static enum envelope_fault
take_inside(struct cursor *cursor, bool may_be_postmaster, struct arena *arena,
            struct envelope_path *ret_path)
{
    struct raw_mailbox mailbox;
    struct slice route;

    if (may_be_postmaster && take_postmaster(cursor, ret_path))
        return ENVELOPE_OK;
    enum envelope_fault fault = take_route(cursor, &route);
    if (fault == ENVELOPE_OK)
        fault = take_mailbox(cursor, &mailbox);
    return fault == ENVELOPE_OK ? keep_mailbox(&mailbox, route, arena, ret_path) : fault;
}

static enum envelope_fault
take_path(struct cursor *cursor, bool is_forward, struct arena *arena,
          struct envelope_path *ret_path)
{
    struct cursor work = *cursor;
    struct envelope_path path;

    cursor_skip_blanks(&work);
    bool is_bracketed = cursor_take_byte(&work, '<');
    if (is_bracketed && !is_forward && cursor_take_byte(&work, '>')) {
        *ret_path = (struct envelope_path){.kind = ENVELOPE_PATH_NULL,
                                           .local = SLICE(""),
                                           .domain = SLICE(""),
                                           .canonical = SLICE(""),
                                           .route = SLICE("")};
        *cursor = work;
        return ENVELOPE_OK;
    }
    if (cursor_is_done(&work))
        return ENVELOPE_BAD_SYNTAX;
    enum envelope_fault fault = take_inside(&work, is_forward, arena, &path);
    if (fault != ENVELOPE_OK)
        return fault;
    if (is_bracketed ? !cursor_take_byte(&work, '>')
                     : !cursor_is_done(&work) && cursor_peek(&work) != ' ')
        return ENVELOPE_BAD_SYNTAX;
    *ret_path = path;
    *cursor = work;
    return ENVELOPE_OK;
}

enum envelope_fault
envelope_path_take_reverse(struct cursor *cursor, struct arena *arena,
                           struct envelope_path *ret_path)
{
    return take_path(cursor, false, arena, ret_path);
}

enum envelope_fault
envelope_path_take_forward(struct cursor *cursor, struct arena *arena,
                           struct envelope_path *ret_path)
{
    return take_path(cursor, true, arena, ret_path);
}

enum envelope_fault
envelope_mailbox_parse(struct slice text, struct arena *arena, struct envelope_path *ret_path)
{
    struct cursor cursor = cursor_of(text);
    struct raw_mailbox mailbox;
    enum envelope_fault fault = take_mailbox(&cursor, &mailbox);

    if (fault != ENVELOPE_OK)
        return fault;
    if (!cursor_is_done(&cursor))
        return ENVELOPE_BAD_DOMAIN;
    return keep_mailbox(&mailbox, slice_of(text.at, 0), arena, ret_path);
}

void
envelope_path_put(struct buffer *buffer, const struct envelope_path *path, bool with_route)
{
    buffer_put_byte(buffer, '<');
    if (with_route && path->route.len > 0) {
        buffer_put(buffer, path->route);
        buffer_put_byte(buffer, ':');
    }
    buffer_put(buffer, path->canonical);
    buffer_put_byte(buffer, '>');
}
