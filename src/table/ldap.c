/* SPDX-License-Identifier: ISC */
/* An attribute of the entries that an LDAP server finds: the one file that knows libldap. The place
 * is a URL (RFC 4516): ldaps://HOST/BASE?ATTRIBUTE?sub?(uid=$1), with ????StartTLS at the end for
 * TLS on the usual port. */
#include "table/table_private.h"

#include <ldap.h>
#include <stdlib.h>

enum { WAIT_S = 5, ENTRIES_MAX = 100, FILTER_MAX = 8 * 1024 };

struct ldap {
    LDAPURLDesc *url;
    char *server; /* the URL without what is to be found there; of libldap */
    struct arena arena;
    const char *user, *secret;
    LDAP *connection;
};

static void
disconnect(struct ldap *ldap)
{
    if (ldap->connection)
        ldap_unbind_ext_s(ldap->connection, NULL, NULL);
    ldap->connection = NULL;
}

static void
close_ldap(void *state)
{
    struct ldap *ldap = state;

    disconnect(ldap);
    ldap_memfree(ldap->server);
    if (ldap->url)
        ldap_free_urldesc(ldap->url);
    arena_wipe(&ldap->arena);
    free(ldap);
}

/* The server alone, as ldap_initialize wants it. */
static char *
server_of(const LDAPURLDesc *url)
{
    LDAPURLDesc server = *url;

    server.lud_dn = NULL;
    server.lud_attrs = NULL;
    server.lud_scope = LDAP_SCOPE_DEFAULT;
    server.lud_filter = NULL;
    server.lud_exts = NULL;
    return ldap_url_desc2str(&server);
}

static bool
open_ldap(struct table *table, const struct table_spec *spec, struct slice bytes,
          const struct table_login *login)
{
    struct ldap *ldap = calloc(1, sizeof(*ldap));

    (void)bytes;
    if (!ldap)
        abort();
    arena_init(&ldap->arena, 1 << 16);
    const char *place = arena_copy_string(&ldap->arena, spec->place);
    if (login) {
        ldap->user = arena_copy_string(&ldap->arena, login->user);
        ldap->secret = arena_copy_string(&ldap->arena, login->secret);
    }
    if (!place || ldap_url_parse(place, &ldap->url) != 0 || !ldap->url->lud_filter ||
        !strstr(ldap->url->lud_filter, "$1") || !ldap->url->lud_attrs ||
        !(ldap->server = server_of(ldap->url))) {
        table_say_why(table, "expected ldaps://HOST/BASE?ATTRIBUTE?sub?(uid=$1)", "");
        close_ldap(ldap);
        return false;
    }
    table->state = ldap;
    return true;
}

/* ---- connecting ---------------------------------------------------------------------------- */

static bool
wants_starttls(const LDAPURLDesc *url)
{
    for (char **extension = url->lud_exts; extension && *extension; extension++) {
        const char *name = **extension == '!' ? *extension + 1 : *extension;
        if (slice_equal_nocase(slice_of_string(name), SLICE("StartTLS")))
            return true;
    }
    return false;
}

static int
log_in(struct ldap *ldap)
{
    struct berval secret = {0, NULL};

    if (ldap->secret)
        secret = (struct berval){strlen(ldap->secret), (char *)(uintptr_t)ldap->secret};
    return ldap_sasl_bind_s(ldap->connection, ldap->user, LDAP_SASL_SIMPLE, &secret, NULL, NULL,
                            NULL);
}

static bool
connect_to(struct table *table, struct ldap *ldap)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    const int version = LDAP_VERSION3;

    disconnect(ldap);
    int error = ldap_initialize(&ldap->connection, ldap->server);
    if (error == LDAP_SUCCESS) {
        ldap_set_option(ldap->connection, LDAP_OPT_PROTOCOL_VERSION, &version);
        ldap_set_option(ldap->connection, LDAP_OPT_NETWORK_TIMEOUT, &wait);
        ldap_set_option(ldap->connection, LDAP_OPT_TIMEOUT, &wait);
        /* A referral would send the password to a host that nobody configured. */
        ldap_set_option(ldap->connection, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    }
    if (error == LDAP_SUCCESS && wants_starttls(ldap->url))
        error = ldap_start_tls_s(ldap->connection, NULL, NULL);
    if (error == LDAP_SUCCESS)
        error = log_in(ldap);
    if (error == LDAP_SUCCESS)
        return true;
    table_say_why(table, "no connection", ldap_err2string(error));
    disconnect(ldap);
    return false;
}

/* ---- looking up ---------------------------------------------------------------------------- */

/* RFC 4515 §3: what a filter would understand becomes \XX. */
static void
put_escaped(struct buffer *out, struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.at[i] >= 0x80 || strchr("*()\\", key.at[i]) || key.at[i] < ' ') {
            buffer_put_byte(out, '\\');
            buffer_put_hex(out, slice_of(&key.at[i], 1));
        } else {
            buffer_put_byte(out, key.at[i]);
        }
    }
}

static void
put_filter(struct buffer *out, const char *filter, struct slice key)
{
    for (size_t i = 0; filter[i] != 0; i++) {
        if (filter[i] == '$' && filter[i + 1] == '1') {
            put_escaped(out, key);
            i++;
        } else {
            buffer_put_byte(out, (uint8_t)filter[i]);
        }
    }
    buffer_put_byte(out, 0);
}

static int
search(struct ldap *ldap, const char *filter, LDAPMessage **ret_found)
{
    struct timeval wait = {.tv_sec = WAIT_S};

    return ldap_search_ext_s(
        ldap->connection, ldap->url->lud_dn ? ldap->url->lud_dn : "",
        ldap->url->lud_scope == LDAP_SCOPE_DEFAULT ? LDAP_SCOPE_SUBTREE : ldap->url->lud_scope,
        filter, ldap->url->lud_attrs, 0, NULL, NULL, &wait, ENTRIES_MAX, ret_found);
}

static void
put_values(const struct ldap *ldap, LDAPMessage *found, struct buffer *ret_value)
{
    for (LDAPMessage *entry = ldap_first_entry(ldap->connection, found); entry;
         entry = ldap_next_entry(ldap->connection, entry)) {
        struct berval **values =
            ldap_get_values_len(ldap->connection, entry, ldap->url->lud_attrs[0]);
        for (size_t i = 0; values && values[i]; i++)
            table_put_piece(ret_value, slice_of(values[i]->bv_val, values[i]->bv_len));
        ldap_value_free_len(values);
    }
}

static enum table_outcome
look_up_ldap(struct table *table, struct slice key, struct buffer *ret_value)
{
    struct ldap *ldap = table->state;
    struct buffer filter;
    LDAPMessage *found = NULL;
    int error = LDAP_SERVER_DOWN;

    buffer_init(&filter, FILTER_MAX);
    put_filter(&filter, ldap->url->lud_filter, key);
    if (buffer_overflowed(&filter)) {
        buffer_finish(&filter);
        return TABLE_NOT_FOUND;
    }
    /* The server may have closed the connection while nobody asked. */
    for (int tries = 0; tries < 2 && error == LDAP_SERVER_DOWN; tries++) {
        ldap_msgfree(found);
        found = NULL;
        if ((tries > 0 || !ldap->connection) && !connect_to(table, ldap)) {
            buffer_finish(&filter);
            return TABLE_TEMPORARY;
        }
        error = search(ldap, (const char *)buffer_slice(&filter).at, &found);
    }
    buffer_finish(&filter);
    if (error == LDAP_SUCCESS)
        put_values(ldap, found, ret_value);
    ldap_msgfree(found);
    if (error == LDAP_SUCCESS || error == LDAP_NO_SUCH_OBJECT)
        return buffer_len(ret_value) > 0 ? TABLE_FOUND : TABLE_NOT_FOUND;
    table_say_why(table, "the search fails", ldap_err2string(error));
    disconnect(ldap);
    return TABLE_TEMPORARY;
}

const struct table_driver table_driver_ldap = {
    .open = open_ldap, .look_up = look_up_ldap, .close = close_ldap};
