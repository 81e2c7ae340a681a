/* SPDX-License-Identifier: ISC */
/* The transport table: its grammar, and looking a row up. */
#include "routing/transports.h"

#include "base/cursor.h"
#include "base/map.h"
#include "directory/address.h"
#include "envelope/literal.h"

#include <stdlib.h>

enum {
    ARENA_FACTOR = 16, /* octets of table for one of text, at the very most */
    ARENA_MIN = 1024 * 1024,
    PORT_MAX = 65535,
    NAME_MAX_OCTETS = 64 /* of a program or of credentials */
};

struct row {
    struct slice pattern; /* as written */
    struct routing_transport transport;
};

struct routing_transports {
    struct arena arena;
    struct map rows;     /* by canonical pattern */
    struct map personal; /* domains with addresses that have rows of their own */
    bool has_senders;
    size_t count;
    struct routing_problem problems[ROUTING_PROBLEMS_MAX];
    size_t problem_count;
};

/* ---- one next hop -------------------------------------------------------------------------- */

static byte_set blanks = {[' '] = true, ['\t'] = true, ['\r'] = true};

/* The next word; empty at the end of the line. */
static struct slice
take_word(struct cursor *line)
{
    cursor_skip_set(line, blanks);
    const uint8_t *start = line->at;
    while (!cursor_is_done(line) && !blanks[*line->at])
        line->at++;
    return slice_of(start, (size_t)(line->at - start));
}

static bool
is_label(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_alpha(text.at[i]) && !byte_is_digit(text.at[i]) && text.at[i] != '-' &&
            text.at[i] != '_' && text.at[i] != '.')
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_OCTETS;
}

static bool
take_port(struct cursor *cursor, uint16_t *ret_port)
{
    uint32_t port;

    if (cursor_is_done(cursor))
        return true;
    if (!cursor_take_byte(cursor, ':') || !cursor_take_u32(cursor, 1, PORT_MAX, &port) ||
        !cursor_is_done(cursor))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* HOST[:PORT] or [HOST][:PORT]; HOST is a name or, in brackets, an address (RFC 5321 §4.1.3). */
static const char *
parse_host(struct slice text, struct arena *arena, struct routing_transport *transport)
{
    struct cursor cursor = cursor_of(text);
    enum envelope_domain_kind kind;
    uint8_t address[16];
    struct slice host;

    transport->is_host = cursor_take_byte(&cursor, '[');
    if (transport->is_host) {
        if (!cursor_take_until(&cursor, ']', &host) || !cursor_take_byte(&cursor, ']'))
            return "expected a bracket ] behind the host";
    } else {
        host = slice_first(text, slice_find_byte(text, ':'));
        cursor.at += host.len;
    }
    if (!take_port(&cursor, &transport->port))
        return "expected a port from 1 to 65535 behind the host";
    if (host.len == 0 && !transport->is_host) {
        transport->host = host;
        return NULL;
    }
    if (transport->is_host && envelope_literal_parse(host, &kind, address)) {
        transport->host = arena_copy(arena, host);
        return NULL;
    }
    if (!directory_domain_parse(arena, host, &transport->host) || transport->host.at[0] == '[')
        return "expected a host name, or an address in brackets";
    transport->host = arena_copy(arena, transport->host);
    return NULL;
}

/* error:[STATUS] TEXT; `rest` is what follows on the line. */
static const char *
parse_error(struct slice first, struct cursor *rest, struct arena *arena,
            struct routing_transport *transport)
{
    struct slice text = slice_trim(cursor_rest(rest));
    bool is_status = first.len >= 5 && (first.at[0] == '5' || first.at[0] == '4') &&
                     first.at[1] == '.' && first.len <= 9;
    struct buffer whole;

    rest->at = rest->end;
    transport->status = is_status ? arena_copy_string(arena, first) : "5.7.1";
    for (size_t i = 0; is_status && i < first.len; i++) {
        if (!byte_is_digit(first.at[i]) && first.at[i] != '.')
            return "expected a status like 5.7.1";
    }
    if (is_status) {
        transport->text = arena_copy(arena, text);
        return transport->status ? NULL : "expected a shorter table";
    }
    buffer_init(&whole, ROUTING_LINE_MAX);
    buffer_put(&whole, first);
    buffer_put_text(&whole, text.len > 0 ? " " : "");
    buffer_put(&whole, text);
    transport->text = arena_copy(arena, buffer_slice(&whole));
    buffer_finish(&whole);
    return NULL;
}

static const char *
parse_carrier(struct slice word, struct cursor *rest, struct arena *arena,
              struct routing_transport *transport)
{
    size_t colon = slice_find_byte(word, ':');
    struct slice name = slice_first(word, colon), place = slice_skip(word, colon + 1);

    if (colon == word.len)
        return "expected smtp:, lmtp:, pipe:, discard:, error: or local: and a place";
    if (slice_equal(name, SLICE("smtp")))
        return parse_host(place, arena, transport);
    if (slice_equal(name, SLICE("lmtp"))) {
        transport->carrier = ROUTING_LMTP;
        if (!slice_starts_with(place, SLICE("unix:")))
            return place.len > 0 ? parse_host(place, arena, transport) : "expected a host";
        transport->path = arena_copy(arena, slice_skip(place, 5));
        if (place.len > 5 + ROUTING_PATH_MAX)
            return "expected a shorter path";
        return place.len > 5 && place.at[5] == '/' ? NULL : "expected lmtp:unix:/PATH";
    }
    if (slice_equal(name, SLICE("pipe"))) {
        transport->carrier = ROUTING_PIPE;
        transport->path = arena_copy(arena, place);
        return is_label(place) ? NULL : "expected the name of a program: pipe:NAME";
    }
    if (slice_equal(name, SLICE("error"))) {
        transport->carrier = ROUTING_ERROR;
        return parse_error(place, rest, arena, transport);
    }
    transport->carrier = slice_equal(name, SLICE("local")) ? ROUTING_LOCAL : ROUTING_DISCARD;
    if (transport->carrier == ROUTING_DISCARD && !slice_equal(name, SLICE("discard")))
        return "expected smtp:, lmtp:, pipe:, discard:, error: or local: and a place";
    return place.len == 0 ? NULL : "expected nothing behind the colon";
}

static bool
parse_tls(struct slice text, enum routing_tls *ret_tls)
{
    for (int tls = ROUTING_TLS_NONE; tls <= ROUTING_TLS_VERIFY; tls++) {
        if (slice_equal(text, slice_of_string(routing_tls_name((enum routing_tls)tls)))) {
            *ret_tls = (enum routing_tls)tls;
            return true;
        }
    }
    return false;
}

static bool
parse_source(struct slice text, struct routing_transport *transport)
{
    enum envelope_domain_kind kind;
    struct routing_address address = {.len = 4};
    char tagged[64];

    if (slice_find_byte(text, ':') < text.len && text.len < 48) {
        int len =
            snprintf(tagged, sizeof(tagged), "IPv6:%.*s", (int)text.len, (const char *)text.at);
        text = slice_of(tagged, (size_t)len);
        address.len = 16;
    }
    if (!envelope_literal_parse(text, &kind, address.bytes) ||
        kind != (address.len == 4 ? ENVELOPE_DOMAIN_IPV4 : ENVELOPE_DOMAIN_IPV6))
        return false;
    *(address.len == 4 ? &transport->source_ipv4 : &transport->source_ipv6) = address;
    return true;
}

static const char *
parse_option(struct slice word, struct arena *arena, struct routing_transport *transport)
{
    size_t equals = slice_find_byte(word, '=');
    struct slice key = slice_first(word, equals), value = slice_skip(word, equals + 1);

    if (slice_equal(key, SLICE("tls"))) {
        transport->has_tls = true;
        return parse_tls(value, &transport->tls) ? NULL
                                                 : "expected none, may, dane, encrypt or verify";
    }
    if (slice_equal(key, SLICE("auth"))) {
        transport->auth = arena_copy(arena, value);
        return is_label(value) ? NULL : "expected the name of credentials: auth=NAME";
    }
    if (slice_equal(key, SLICE("source")))
        return parse_source(value, transport) ? NULL
                                              : "expected an address of ours: source=ADDRESS";
    if (slice_equal(key, SLICE("proxy"))) {
        bool is_known = value.len == 1 && (value.at[0] == '1' || value.at[0] == '2');
        transport->proxy = is_known ? (uint8_t)(value.at[0] - '0') : 0;
        return is_known ? NULL : "expected a version of the PROXY protocol: proxy=1 or proxy=2";
    }
    return "expected tls=, auth=, source= or proxy=";
}

const char *
routing_transport_parse(struct slice text, struct arena *arena,
                        struct routing_transport *ret_transport)
{
    struct routing_transport transport = {
        .host = SLICE(""), .path = SLICE(""), .auth = SLICE(""), .text = SLICE("")};
    struct cursor line = cursor_of(text);
    struct slice word = take_word(&line);
    const char *what = parse_carrier(word, &line, arena, &transport);

    transport.written = arena_copy(arena, word);
    while (!what && (word = take_word(&line)).len > 0)
        what = parse_option(word, arena, &transport);
    if (!what && arena_failed(arena))
        what = "expected a shorter table";
    if (!what)
        *ret_transport = transport;
    return what;
}

/* ---- patterns ------------------------------------------------------------------------------ */

/* Puts the form in which a pattern is found: "from:" stays in front, *.domain stands as .domain. */
static bool
put_pattern(struct slice pattern, struct arena *arena, struct buffer *out)
{
    struct directory_address address;
    struct slice domain;
    bool is_sender = slice_starts_with(pattern, SLICE("from:"));

    if (slice_equal(pattern, SLICE("*")) || slice_equal(pattern, SLICE("from:<>"))) {
        buffer_put(out, pattern);
        return true;
    }
    if (is_sender) {
        buffer_put_text(out, "from:");
        pattern = slice_skip(pattern, 5);
    }
    size_t at = slice_find_last_byte(pattern, '@');
    if (at < pattern.len && at > 0) {
        if (!directory_address_parse(arena, pattern, &address) || address.domain.len == 0)
            return false;
        directory_address_format(out, &address);
        return true;
    }
    if (is_sender != (at == 0 && pattern.len > 0))
        return false;
    if (is_sender)
        buffer_put_byte(out, '@');
    pattern = slice_skip(pattern, is_sender);
    if (!is_sender && slice_starts_with(pattern, SLICE("*."))) {
        buffer_put_byte(out, '.');
        pattern = slice_skip(pattern, 2);
    }
    if (!directory_domain_parse(arena, pattern, &domain))
        return false;
    buffer_put(out, domain);
    return true;
}

static void
add_problem(struct routing_transports *transports, size_t line, const char *what)
{
    if (transports->problem_count < ROUTING_PROBLEMS_MAX)
        transports->problems[transports->problem_count] = (struct routing_problem){line, what};
    transports->problem_count++;
}

/* For whom the next hop of a domain may be another one. */
static void
note_exception(struct routing_transports *transports, struct slice key)
{
    size_t at = slice_find_last_byte(key, '@');

    if (slice_starts_with(key, SLICE("from:")))
        transports->has_senders = true;
    else if (at < key.len)
        (void)map_set(&transports->personal,
                      arena_copy(&transports->arena, slice_skip(key, at + 1)), transports);
}

static const char *
read_row(struct routing_transports *transports, struct slice line)
{
    struct cursor cursor = cursor_of(line);
    struct slice pattern = take_word(&cursor);
    struct buffer key;
    const char *what = NULL;

    if (pattern.len == 0 || pattern.at[0] == '#')
        return NULL;
    if (line.len > ROUTING_LINE_MAX)
        return "expected a shorter line";
    if (transports->count == ROUTING_ROWS_MAX)
        return "expected fewer rows: keep them in a table elsewhere";
    buffer_init(&key, ROUTING_LINE_MAX);
    struct row *row = ARENA_NEW(&transports->arena, struct row);
    if (!row)
        what = "expected a shorter table";
    else if (!put_pattern(pattern, &transports->arena, &key))
        what = "expected an address, a domain, *.domain, from:ADDRESS, from:@DOMAIN, from:<> or *";
    else
        what = routing_transport_parse(cursor_rest(&cursor), &transports->arena, &row->transport);
    if (!what) {
        row->pattern = arena_copy(&transports->arena, pattern);
        (void)map_set(&transports->rows, buffer_slice(&key), row);
        note_exception(transports, buffer_slice(&key));
        transports->count++;
    }
    buffer_finish(&key);
    return what;
}

struct routing_transports *
routing_transports_parse(struct slice text, uint64_t seed)
{
    struct routing_transports *transports = calloc(1, sizeof(*transports));
    size_t number = 0;

    if (!transports)
        abort();
    arena_init(&transports->arena, text.len * ARENA_FACTOR + ARENA_MIN);
    map_init(&transports->rows, seed);
    map_init(&transports->personal, seed);
    while (text.len > 0) {
        size_t end = slice_find_byte(text, '\n');
        const char *what = read_row(transports, slice_first(text, end));
        number++;
        if (what)
            add_problem(transports, number, what);
        text = slice_skip(text, end + 1);
    }
    return transports;
}

void
routing_transports_close(struct routing_transports **transports)
{
    if (!*transports)
        return;
    map_finish(&(*transports)->rows);
    map_finish(&(*transports)->personal);
    arena_finish(&(*transports)->arena);
    free(*transports);
    *transports = NULL;
}

size_t
routing_transports_problem_count(const struct routing_transports *transports)
{
    return transports->problem_count;
}

const struct routing_problem *
routing_transports_problem(const struct routing_transports *transports, size_t index)
{
    return index < transports->problem_count && index < ROUTING_PROBLEMS_MAX
               ? &transports->problems[index]
               : NULL;
}

/* ---- looking up ---------------------------------------------------------------------------- */

static const struct row *
find_pattern(const struct routing_transports *transports, const char *before, struct slice pattern)
{
    struct buffer key;

    buffer_init(&key, ROUTING_LINE_MAX);
    buffer_put_text(&key, before);
    buffer_put(&key, pattern);
    const struct row *row = map_find(&transports->rows, buffer_slice(&key));
    buffer_finish(&key);
    return row;
}

static const struct row *
find_domain(const struct routing_transports *transports, struct slice domain)
{
    const struct row *row = domain.len > 0 ? find_pattern(transports, "", domain) : NULL;

    while (!row && domain.len > 0 && domain.at[0] != '[') {
        domain = slice_skip(domain, slice_find_byte(domain, '.') + 1);
        if (domain.len > 0)
            row = find_pattern(transports, ".", domain);
    }
    return row;
}

static const struct row *
find_recipient(const struct routing_transports *transports, struct slice recipient)
{
    size_t at = slice_find_last_byte(recipient, '@');
    const struct row *row = find_pattern(transports, "", recipient);

    return row ? row : find_domain(transports, slice_skip(recipient, at + 1));
}

static const struct row *
find_sender(const struct routing_transports *transports, struct slice sender)
{
    size_t at = slice_find_last_byte(sender, '@');

    if (sender.len == 0)
        return find_pattern(transports, "from:<>", SLICE(""));
    const struct row *row = find_pattern(transports, "from:", sender);
    return row ? row : find_pattern(transports, "from:", slice_skip(sender, at));
}

const struct routing_transport *
routing_transports_find(const struct routing_transports *transports, struct slice sender,
                        struct slice recipient, struct slice *ret_pattern)
{
    const struct row *row = find_recipient(transports, recipient);

    if (!row)
        row = find_sender(transports, sender);
    if (!row)
        row = find_pattern(transports, "*", SLICE(""));
    if (!row)
        return NULL;
    *ret_pattern = row->pattern;
    return &row->transport;
}

bool
routing_transports_are_by_domain(const struct routing_transports *transports, struct slice domain)
{
    if (map_find(&transports->personal, domain))
        return false;
    return !transports->has_senders || find_domain(transports, domain);
}
