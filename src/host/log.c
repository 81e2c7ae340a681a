/* SPDX-License-Identifier: ISC */
#include "host/log.h"

#include "base/hash.h"
#include "host/address.h"

static const char *const level_names[] = {
    [HOST_LEVEL_ERROR] = "error", [HOST_LEVEL_WARNING] = "warning", [HOST_LEVEL_NOTICE] = "notice",
    [HOST_LEVEL_INFO] = "info",   [HOST_LEVEL_DEBUG] = "debug",
};

/* Room kept at the end of a line for the word that says that it was cut. */
#define CUT_MARK " cut=1"

void
log_begin(struct log_line *line, struct host *host, enum host_level level, const char *event)
{
    const struct host_log_settings *settings = host_log_settings(host);

    *line = (struct log_line){.host = host, .level = level,
                              .is_wanted = level <= settings->level_max};
    buffer_init(&line->text, LOG_LINE_MAX);
    if (!line->is_wanted)
        return;
    buffer_put(&line->text, SLICE("level="));
    buffer_put_text(&line->text, level_names[level]);
    if (settings->process[0]) {
        buffer_put(&line->text, SLICE(" process="));
        buffer_put_text(&line->text, settings->process);
    }
    buffer_put(&line->text, SLICE(" event="));
    buffer_put_text(&line->text, event);
}

/* Puts " key=value" whole, or cuts the line in front of it. `value` is already quoted. */
static void
put_word(struct log_line *line, const char *key, struct slice value)
{
    size_t key_len = strlen(key);

    if (!line->is_wanted || line->is_cut)
        return;
    if (buffer_room(&line->text) < key_len + 2 + value.len + sizeof(CUT_MARK) - 1) {
        line->is_cut = true;
        buffer_put(&line->text, SLICE(CUT_MARK));
        return;
    }
    buffer_put_byte(&line->text, ' ');
    buffer_put(&line->text, slice_of(key, key_len));
    buffer_put_byte(&line->text, '=');
    buffer_put(&line->text, value);
}

/* Octets that need no quotes around them; UTF-8 goes through as it is. */
static bool
is_plain(uint8_t byte)
{
    return byte > ' ' && byte != '"' && byte != '\\' && byte != '=' && byte != 0x7F;
}

/* How long the UTF-8 character at the front is (RFC 3629 §4); 0 when there is none that is valid
 * and may be shown: the C1 controls drive terminals too. */
static size_t
utf8_len(struct slice s)
{
    uint8_t first = s.at[0];
    size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;

    if (first < 0xC2 || first > 0xF4 || s.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s.at[i] & 0xC0) != 0x80)
            return 0;
    uint8_t second = s.at[1];
    bool is_out = (first == 0xC2 && second < 0xA0) || (first == 0xE0 && second < 0xA0) ||
                  (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
                  (first == 0xF4 && second > 0x8F);
    return is_out ? 0 : len;
}

static void
put_escaped(struct buffer *buffer, uint8_t byte)
{
    if (byte == '"' || byte == '\\') {
        buffer_put_byte(buffer, '\\');
        buffer_put_byte(buffer, byte);
    } else if (byte == '\r') {
        buffer_put(buffer, SLICE("\\r"));
    } else if (byte == '\n') {
        buffer_put(buffer, SLICE("\\n"));
    } else {
        buffer_put(buffer, SLICE("\\x"));
        buffer_put_hex(buffer, slice_of(&byte, 1));
    }
}

void
log_text(struct log_line *line, const char *key, struct slice value)
{
    struct buffer quoted;
    bool needs_quotes = value.len == 0;

    if (!line->is_wanted)
        return;
    for (size_t i = 0; i < value.len; i++)
        needs_quotes = needs_quotes || !is_plain(value.at[i]);
    for (size_t at = 0; at < value.len && !needs_quotes;) {
        size_t len = value.at[at] < 0x80 ? 1 : utf8_len(slice_skip(value, at));
        needs_quotes = len == 0;
        at += len;
    }
    if (!needs_quotes && value.len <= LOG_VALUE_MAX) {
        put_word(line, key, value);
        return;
    }
    buffer_init(&quoted, LOG_VALUE_MAX + 16);
    buffer_put_byte(&quoted, '"');
    for (size_t at = 0; at < value.len;) {
        struct slice rest = slice_skip(value, at);
        if (buffer_len(&quoted) >= LOG_VALUE_MAX - 4) {
            buffer_put(&quoted, SLICE("…"));
            break;
        }
        size_t len = rest.at[0] < 0x80 ? 0 : utf8_len(rest);
        if (len > 0)
            buffer_put(&quoted, slice_first(rest, len));
        else if (is_plain(rest.at[0]) && rest.at[0] < 0x80)
            buffer_put_byte(&quoted, rest.at[0]);
        else if (rest.at[0] == ' ' || rest.at[0] == '=')
            buffer_put_byte(&quoted, rest.at[0]);
        else
            put_escaped(&quoted, rest.at[0]);
        at += len ? len : 1;
    }
    buffer_put_byte(&quoted, '"');
    put_word(line, key, buffer_slice(&quoted));
    buffer_finish(&quoted);
}

void
log_string(struct log_line *line, const char *key, const char *value)
{
    log_text(line, key, slice_of_string(value));
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
    struct buffer text;

    if (!line->is_wanted)
        return;
    buffer_init(&text, 32);
    buffer_put_decimal(&text, value);
    put_word(line, key, buffer_slice(&text));
    buffer_finish(&text);
}

void
log_bool(struct log_line *line, const char *key, bool value)
{
    put_word(line, key, value ? SLICE("yes") : SLICE("no"));
}

void
log_duration(struct log_line *line, const char *key, struct duration value)
{
    struct buffer text;
    uint64_t us = value.ns > 0 ? (uint64_t)value.ns / 1000 : 0;

    if (!line->is_wanted)
        return;
    buffer_init(&text, 48);
    buffer_put_decimal(&text, us / 1000);
    buffer_put_byte(&text, '.');
    buffer_put_padded(&text, us % 1000, 3);
    put_word(line, key, buffer_slice(&text));
    buffer_finish(&text);
}

void
log_error(struct log_line *line, const char *key, int negative_errno)
{
    const char *text = strerrordesc_np(-negative_errno);

    log_string(line, key, text ? text : "unknown error");
}

/* ~HASH@domain: the same address always looks the same, nobody can be read from it at a glance. */
static void
put_masked_address(struct buffer *buffer, uint64_t seed, struct slice address)
{
    size_t at = slice_find_last_byte(address, '@');
    uint64_t hash = hash64(slice_first(address, at), seed);
    uint8_t bytes[4];

    memcpy(bytes, &hash, sizeof(bytes));
    buffer_put_byte(buffer, '~');
    buffer_put_hex(buffer, slice_of(bytes, sizeof(bytes)));
    buffer_put(buffer, slice_skip(address, at));
}

void
log_address(struct log_line *line, const char *key, struct slice value)
{
    const struct host_log_settings *settings = host_log_settings(line->host);
    struct buffer text;

    if (!line->is_wanted)
        return;
    if (!settings->mask_addresses || value.len == 0) {
        log_text(line, key, value);
        return;
    }
    buffer_init(&text, value.len + 16);
    put_masked_address(&text, settings->mask_seed, value);
    log_text(line, key, buffer_slice(&text));
    buffer_finish(&text);
}

void
log_peer(struct log_line *line, const char *key, const struct host_address *value)
{
    struct host_address shown = *value;
    struct buffer text;

    if (!line->is_wanted)
        return;
    if (host_log_settings(line->host)->mask_peers) {
        size_t kept = value->family == HOST_FAMILY_IPV4 ? 3 : 6;
        memset(shown.bytes + kept, 0, sizeof(shown.bytes) - kept);
    }
    buffer_init(&text, 64);
    host_address_put(&text, &shown);
    log_text(line, key, buffer_slice(&text));
    buffer_finish(&text);
}

void
log_end(struct log_line *line)
{
    if (line->is_wanted)
        host_log(line->host, line->level, buffer_slice(&line->text));
    buffer_finish(&line->text);
}

void
log_event(struct host *host, enum host_level level, const char *event, const char *key,
          struct slice value)
{
    struct log_line line;

    log_begin(&line, host, level, event);
    log_text(&line, key, value);
    log_end(&line);
}
