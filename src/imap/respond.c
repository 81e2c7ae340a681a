/* SPDX-License-Identifier: ISC */
/* Pieces of responses (RFC 9051 §9). */
#include "imap/rights.h"
#include "imap/server_private.h"

#include "text/date.h"
#include "text/utf7.h"

enum { QUOTED_MAX = 1000 };

/* Octets that a quoted string may hold as they are; 8-bit ones only go where UTF-8 is spoken, so
 * they go as a literal everywhere. */
enum quoting {
    QUOTING_NONE,    /* as it is */
    QUOTING_SPECIAL, /* with backslashes */
    QUOTING_LITERAL, /* in no quoted string */
};

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* 0x80 in each octet that is 0, none if there is none. */
static uint64_t
zeros_in(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* What has been seen of a string: 0x80 in some octet when there is one that no quoted string may
 * hold, or one that needs a backslash. */
struct seen {
    uint64_t other, special;
};

static inline void
see(struct seen *seen, uint64_t word)
{
    /* below a space (right for the lowest one, which is enough), DEL, 8-bit */
    seen->other |= ((word - EACH_BYTE(' ')) & ~word) | word | zeros_in(word ^ EACH_BYTE(0x7F));
    seen->special |= zeros_in(word ^ EACH_BYTE('"')) | zeros_in(word ^ EACH_BYTE('\\'));
}

static inline void
copy_eight(uint8_t *to, const uint8_t *from, struct seen *seen)
{
    uint64_t word;

    memcpy(&word, from, sizeof(word));
    memcpy(to, &word, sizeof(word));
    see(seen, word);
}

/* Copies a string and says what it may stand in. Eight octets at a time, the last of them maybe
 * twice: every ENVELOPE is full of strings. */
static enum quoting
copy_string(uint8_t *to, struct slice string)
{
    enum { WORD = sizeof(uint64_t) };
    struct seen seen = {0, 0};
    uint64_t word = EACH_BYTE('a');

    for (size_t i = 0; i + WORD < string.len; i += WORD)
        copy_eight(to + i, string.at + i, &seen);
    if (string.len >= WORD) {
        copy_eight(to + string.len - WORD, string.at + string.len - WORD, &seen);
    } else {
        for (size_t i = 0; i < string.len; i++) {
            to[i] = string.at[i];
            word = word << 8 | string.at[i];
        }
        see(&seen, word);
    }
    return seen.other & EACH_BYTE(0x80)     ? QUOTING_LITERAL
           : seen.special & EACH_BYTE(0x80) ? QUOTING_SPECIAL
                                            : QUOTING_NONE;
}

/* Puts the string in quotes if it may stand there as it is. */
static enum quoting
put_quoted(struct buffer *out, struct slice string)
{
    uint8_t *space = buffer_reserve(out, string.len + 2);

    if (!space)
        return QUOTING_NONE;
    enum quoting quoting = copy_string(space + 1, string);
    if (quoting == QUOTING_NONE) {
        space[0] = space[string.len + 1] = '"';
        buffer_commit(out, string.len + 2);
    }
    return quoting;
}

static void
put_escaped(struct buffer *out, struct slice string)
{
    buffer_put_byte(out, '"');
    for (size_t i = 0; i < string.len; i++) {
        if (string.at[i] == '"' || string.at[i] == '\\')
            buffer_put_byte(out, '\\');
        buffer_put_byte(out, string.at[i]);
    }
    buffer_put_byte(out, '"');
}

void
imap_put_string(struct buffer *out, struct slice string)
{
    enum quoting quoting = string.len > QUOTED_MAX ? QUOTING_LITERAL : put_quoted(out, string);

    if (quoting == QUOTING_SPECIAL) {
        put_escaped(out, string);
    } else if (quoting == QUOTING_LITERAL) {
        imap_put_number(out, "{", string.len, "}\r\n");
        buffer_put(out, string);
    }
}

void
imap_put_nstring(struct buffer *out, struct slice string)
{
    if (!string.at)
        buffer_put_text(out, "NIL");
    else
        imap_put_string(out, string);
}

void
imap_put_astring(struct buffer *out, struct slice string)
{
    bool is_atom =
        string.len > 0 && string.len < IMAP_ATOM_MAX && !slice_equal_nocase(string, SLICE("NIL"));

    for (size_t i = 0; is_atom && i < string.len; i++)
        is_atom = imap_is_atom_char(string.at[i]);
    if (is_atom)
        buffer_put(out, string);
    else
        imap_put_string(out, string);
}

void
imap_put_name(struct imap_server *server, struct slice name)
{
    struct buffer *out = &server->output;
    struct buffer encoded;

    if (imap_is_utf8(server)) {
        /* quoted with UTF-8 in it (RFC 9051 §9, RFC 6855 §3) */
        put_escaped(out, name);
        return;
    }
    buffer_init(&encoded, (size_t)8 * ACCESS_STORE_MAILBOX_LIST_NAME_MAX);
    if (utf7_encode(name, &encoded))
        imap_put_astring(out, buffer_slice(&encoded));
    else
        imap_put_string(out, name);
    buffer_finish(&encoded);
}

void
imap_put_flags(struct imap_server *server, uint8_t flags, uint64_t keywords)
{
    static const struct {
        uint8_t bit;
        struct slice name;
    } names[] = {
        {IMAP_ANSWERED, {(const uint8_t *)"\\Answered", 9}},
        {IMAP_FLAGGED, {(const uint8_t *)"\\Flagged", 8}},
        {IMAP_DELETED, {(const uint8_t *)"\\Deleted", 8}},
        {IMAP_SEEN, {(const uint8_t *)"\\Seen", 5}},
        {IMAP_DRAFT, {(const uint8_t *)"\\Draft", 6}},
    };
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;
    bool is_first = true;

    buffer_put_byte(out, '(');
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!(flags & names[i].bit))
            continue;
        if (!is_first)
            buffer_put_byte(out, ' ');
        buffer_put(out, names[i].name);
        is_first = false;
    }
    for (; keywords != 0; keywords &= keywords - 1) {
        uint8_t index = (uint8_t)__builtin_ctzll(keywords);
        if (index >= mailbox->name_count)
            break;
        if (!is_first)
            buffer_put_byte(out, ' ');
        buffer_put(out, mailbox->names[index]);
        is_first = false;
    }
    buffer_put_byte(out, ')');
}

void
imap_put_fetch(struct imap_server *server, uint32_t place, uint32_t number, bool has_uid)
{
    struct buffer *out = &server->output;
    uint32_t uid = server->view.mailbox->uids[place];

    if (server->enabled & IMAP_ENABLED_UIDONLY) {
        imap_put_number(out, "* ", uid, " UIDFETCH (");
        return;
    }
    imap_put_number(out, "* ", number, " FETCH (");
    if (has_uid)
        imap_put_number(out, "UID ", uid, " ");
}

void
imap_put_known_flags(struct imap_server *server, bool is_forced)
{
    const struct imap_mailbox *mailbox = server->view.mailbox;
    struct buffer *out = &server->output;

    if (!is_forced && server->announced == mailbox->name_count)
        return;
    uint64_t keywords = mailbox->name_count == IMAP_KEYWORDS_MAX
                            ? UINT64_MAX
                            : (UINT64_C(1) << mailbox->name_count) - 1;
    server->announced = mailbox->name_count;
    buffer_put_text(out, "* FLAGS ");
    imap_put_flags(server, 31, keywords);
    buffer_put_text(out, "\r\n* OK [PERMANENTFLAGS ");
    if (server->is_read_only) {
        buffer_put_text(out, "()] none can be changed\r\n");
        return;
    }
    bool has_keywords = server->rights & IMAP_RIGHT_WRITE;
    imap_put_flags(server, imap_rights_flags(server->rights), has_keywords ? keywords : 0);
    if (has_keywords) {
        buffer_truncate(out, buffer_len(out) - 1); /* the bracket */
        buffer_put_text(out, " \\*)");
    }
    buffer_put_text(out, "] these are kept\r\n");
}

void
imap_put_mailbox_id(struct buffer *out, uint64_t owner, uint32_t uid_validity)
{
    imap_put_number(out, "F", uid_validity, "");
    if (owner != 0)
        imap_put_number(out, "_", owner, "");
}

void
imap_put_date_time(struct buffer *out, int64_t ns)
{
    buffer_put_byte(out, '"');
    date_format_imap((struct wall){ns}, 0, out);
    buffer_put_byte(out, '"');
}
