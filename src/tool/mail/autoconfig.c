/* SPDX-License-Identifier: ISC */
#include "tool/mail/autoconfig.h"

#include "base/buffer.h"

#include <expat.h>
#include <stdlib.h>

enum { TEXT_MAX = 512, DEPTH_SERVER = 3 };

struct server {
    char type[16], host[TEXT_MAX], port[8], socket[16], login[TEXT_MAX];
};

struct reading {
    XML_Parser parser;
    struct arena *arena;
    const char *address;
    struct autoconfig *found;
    unsigned incoming_rank, outgoing_rank; /* of what was found; 0: nothing */
    unsigned depth, providers;
    bool is_incoming, is_server;
    struct server server;
    struct buffer text; /* of the element that is open */
    bool has_failed;
};

/* ---- values -------------------------------------------------------------------------------- */

static void
put_known(struct reading *reading, struct slice value, struct buffer *out)
{
    struct slice address = slice_of_string(reading->address);
    size_t at = slice_find_last_byte(address, '@');
    const struct {
        const char *name;
        struct slice value;
    } known[] = {{"%EMAILADDRESS%", address},
                 {"%EMAILLOCALPART%", slice_first(address, at)},
                 {"%EMAILDOMAIN%", slice_skip(address, at + 1)}};

    while (value.len > 0) {
        size_t taken = 0;
        for (size_t i = 0; i < COUNT_OF(known) && taken == 0; i++) {
            if (!slice_starts_with(value, slice_of_string(known[i].name)))
                continue;
            buffer_put(out, known[i].value);
            taken = strlen(known[i].name);
        }
        if (taken == 0)
            buffer_put_byte(out, value.at[0]);
        value = slice_skip(value, taken ? taken : 1);
    }
}

/* What does not fit is left out: such a server is not usable. */
static void
keep(char *place, size_t size, struct slice value)
{
    place[0] = '\0';
    if (value.len >= size || slice_find_byte(value, '\0') < value.len)
        return;
    memcpy(place, value.at, value.len);
    place[value.len] = '\0';
}

static void
take_value(struct reading *reading, const char *name)
{
    struct server *server = &reading->server;
    const struct {
        const char *name;
        char *place;
        size_t size;
    } values[] = {{"hostname", server->host, sizeof(server->host)},
                  {"port", server->port, sizeof(server->port)},
                  {"socketType", server->socket, sizeof(server->socket)},
                  {"username", server->login, sizeof(server->login)}};
    struct buffer value;

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (strcmp(values[i].name, name) != 0)
            continue;
        buffer_init(&value, (size_t)4 * TEXT_MAX);
        put_known(reading, slice_trim(buffer_slice(&reading->text)), &value);
        keep(values[i].place, values[i].size, buffer_slice(&value));
        buffer_finish(&value);
    }
}

/* ---- servers ------------------------------------------------------------------------------- */

/* The scheme of the URL, and how good it is; 0: not to be used. */
static unsigned
rank_of(const struct reading *reading, const char **ret_scheme)
{
    static const struct {
        const char *type, *socket, *scheme;
        bool is_incoming;
        unsigned rank;
    } kinds[] = {{"imap", "SSL", "imaps", true, 4},  {"imap", "STARTTLS", "imap", true, 3},
                 {"pop3", "SSL", "pop3s", true, 2},  {"pop3", "STARTTLS", "pop3", true, 1},
                 {"smtp", "SSL", "smtps", false, 2}, {"smtp", "STARTTLS", "smtp", false, 1}};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].is_incoming == reading->is_incoming &&
            strcmp(kinds[i].type, reading->server.type) == 0 &&
            strcmp(kinds[i].socket, reading->server.socket) == 0) {
            *ret_scheme = kinds[i].scheme;
            return kinds[i].rank;
        }
    }
    return 0;
}

static void
take_server(struct reading *reading)
{
    unsigned *rank = reading->is_incoming ? &reading->incoming_rank : &reading->outgoing_rank;
    const struct server *server = &reading->server;
    const char *scheme = "";
    unsigned found = rank_of(reading, &scheme);
    struct buffer url;

    if (found <= *rank || !server->host[0] || !server->port[0])
        return;
    *rank = found;
    buffer_init(&url, (size_t)2 * TEXT_MAX);
    buffer_put_text(&url, scheme);
    buffer_put_text(&url, "://");
    buffer_put_text(&url, server->host);
    buffer_put_text(&url, ":");
    buffer_put_text(&url, server->port);
    const char *text = arena_copy_string(reading->arena, buffer_slice(&url));
    buffer_finish(&url);
    if (!reading->is_incoming) {
        reading->found->outgoing = text;
        return;
    }
    reading->found->incoming = text;
    reading->found->login = NULL;
    if (server->login[0] && strcmp(server->login, reading->address) != 0)
        reading->found->login = arena_copy_string(reading->arena, slice_of_string(server->login));
}

/* ---- elements ------------------------------------------------------------------------------ */

static void
begin_element(void *context, const char *name, const char **attributes)
{
    struct reading *reading = context;

    reading->depth++;
    buffer_clear(&reading->text);
    reading->providers += reading->depth == 2 && strcmp(name, "emailProvider") == 0;
    if (reading->depth != DEPTH_SERVER || reading->providers != 1)
        return;
    reading->is_incoming = strcmp(name, "incomingServer") == 0;
    reading->is_server = reading->is_incoming || strcmp(name, "outgoingServer") == 0;
    reading->server = (struct server){0};
    for (; attributes[0]; attributes += 2) {
        if (strcmp(attributes[0], "type") == 0)
            keep(reading->server.type, sizeof(reading->server.type),
                 slice_of_string(attributes[1]));
    }
}

static void
end_element(void *context, const char *name)
{
    struct reading *reading = context;

    if (reading->is_server && reading->depth == DEPTH_SERVER + 1)
        take_value(reading, name);
    if (reading->is_server && reading->depth == DEPTH_SERVER) {
        take_server(reading);
        reading->is_server = false;
    }
    buffer_clear(&reading->text);
    reading->depth--;
}

static void
take_text(void *context, const char *text, int len)
{
    struct reading *reading = context;

    buffer_put(&reading->text, slice_of(text, (size_t)len));
}

/* Entities of a document type are how such texts grow without end. */
static void
refuse_type(void *context, const char *name, const char *system_id, const char *public_id,
            int has_subset)
{
    struct reading *reading = context;

    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    reading->has_failed = true;
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

bool
autoconfig_parse(struct arena *arena, struct slice text, const char *address,
                 struct autoconfig *ret_found)
{
    struct reading reading = {
        .parser = XML_ParserCreate(NULL), .arena = arena, .address = address, .found = ret_found};

    *ret_found = (struct autoconfig){0};
    if (!reading.parser)
        abort();
    buffer_init(&reading.text, TEXT_MAX);
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, begin_element, end_element);
    XML_SetCharacterDataHandler(reading.parser, take_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, refuse_type);
    bool is_good =
        text.len < INT32_MAX &&
        XML_Parse(reading.parser, (const char *)text.at, (int)text.len, 1) == XML_STATUS_OK &&
        !reading.has_failed && !arena_failed(arena);
    XML_ParserFree(reading.parser);
    buffer_finish(&reading.text);
    if (!is_good)
        *ret_found = (struct autoconfig){0};
    return is_good && reading.providers > 0;
}
