/* SPDX-License-Identifier: ISC */
/* Certificates and keys: read by the parent, who may, handed to the roles that speak TLS, read
 * again when the files change. */
#include "role/parent/parent_private.h"

#include <errno.h>
#include <stdlib.h>

int
file_read(struct slice path, size_t max, struct buffer *out)
{
    char name[4096];

    if (path.len >= sizeof(name))
        return -ENAMETOOLONG;
    memcpy(name, path.at, path.len);
    name[path.len] = 0;
    FILE *file = fopen(name, "rbe");
    if (!file)
        return -errno;
    uint8_t *space = buffer_reserve(out, max);
    size_t len = space ? fread(space, 1, max, file) : 0;
    bool is_whole = space && !ferror(file) && fgetc(file) == EOF;
    fclose(file);
    if (!is_whole)
        return -EFBIG;
    buffer_commit(out, len);
    return 0;
}

static bool
read_part(struct slice path, size_t max, struct buffer *out, struct buffer *problems)
{
    buffer_init(out, max);
    int error = file_read(path, max, out);
    if (error == 0)
        return true;
    buffer_put_text(problems, "key or certificate ");
    buffer_put(problems, path);
    buffer_put_text(problems, ": ");
    buffer_put_text(problems, strerror(-error));
    buffer_put_text(problems, error == -ENOENT
                                  ? "; check tls_certificate, tls_key, tls_names or dkim_keys\n"
                                  : "; it must be a PEM file that the parent can read\n");
    return false;
}

static void
drop(struct certificate *certificates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_finish(&certificates[i].chain);
        buffer_wipe(&certificates[i].key);
    }
}

static bool
load_one(struct certificate *certificate, struct buffer *problems)
{
    bool has_chain = true;

    if (certificate->chain_path.len > 0)
        has_chain = read_part(certificate->chain_path, PARENT_ROLE_CERTIFICATE_CHAIN_MAX,
                              &certificate->chain, problems);
    else
        buffer_init(&certificate->chain, 0);
    return read_part(certificate->key_path, PARENT_ROLE_CERTIFICATE_KEY_MAX, &certificate->key,
                     problems) &&
           has_chain;
}

/* Names and paths of all that the configuration asks for; keys of DKIM have no chain. False when an
 * entry cannot be read; config_check has said so before. */
static bool
name_all(const struct config *config, struct certificate *certificates, size_t *ret_count)
{
    size_t count = 0;

    if (config->tls_certificate.len) {
        certificates[count].chain_path = config->tls_certificate;
        certificates[count++].key_path = config->tls_key;
    }
    for (size_t i = 0; i < config->tls_names.count; i++, count++) {
        if (!config_tls_name(config->tls_names.at[i], &certificates[count].name,
                             &certificates[count].chain_path, &certificates[count].key_path))
            return false;
    }
    for (size_t i = 0; i < config->dkim_keys.count; i++, count++) {
        if (!config_dkim_key(config->dkim_keys.at[i], &certificates[count].name,
                             &certificates[count].key_path))
            return false;
    }
    *ret_count = count;
    return true;
}

/* True when the two sets hold the same bytes under the same names. */
static bool
are_same(const struct certificate *left, const struct certificate *right, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(left[i].name, right[i].name) ||
            !slice_equal(buffer_slice(&left[i].chain), buffer_slice(&right[i].chain)) ||
            !slice_equal(buffer_slice(&left[i].key), buffer_slice(&right[i].key)))
            return false;
    }
    return true;
}

/* Names that are no longer configured: their keys sign nothing more. The default, which has none,
 * stays: the ports that speak TLS with it are open until a restart. */
static void
tell_gone(struct parent *parent, const struct certificate *fresh, size_t count)
{
    for (size_t i = 0; i < parent->certificate_count; i++) {
        struct certificate gone = {.name = parent->certificates[i].name};
        bool is_gone = gone.name.len > 0;
        for (size_t j = 0; j < count; j++)
            is_gone = is_gone && !slice_equal_nocase(gone.name, fresh[j].name);
        for (size_t c = 0; is_gone && c < parent->child_count; c++)
            child_send_certificate(&parent->children[c], &gone);
    }
}

bool
certificates_load(struct parent *parent, const struct config *config, bool *ret_changed,
                  struct buffer *problems)
{
    struct certificate *fresh = calloc(CERTIFICATES_MAX, sizeof(*fresh));
    size_t count = 0;

    if (!fresh)
        abort();
    bool is_good = name_all(config, fresh, &count);
    for (size_t i = 0; i < count; i++)
        is_good = load_one(&fresh[i], problems) && is_good;
    if (is_good) {
        *ret_changed =
            count != parent->certificate_count || !are_same(fresh, parent->certificates, count);
        tell_gone(parent, fresh, count);
        drop(parent->certificates, parent->certificate_count);
        memcpy(parent->certificates, fresh, count * sizeof(*fresh));
        parent->certificate_count = count;
    } else {
        drop(fresh, count);
    }
    free(fresh);
    return is_good;
}

void
certificates_borrow(struct parent *parent)
{
    (void)!name_all(&parent->config, parent->certificates, &parent->certificate_count);
}

void
certificates_forget(struct parent *parent)
{
    drop(parent->certificates, parent->certificate_count);
    parent->certificate_count = 0;
}

void
certificates_send(struct parent *parent, struct child *child)
{
    for (size_t i = 0; i < parent->certificate_count; i++)
        child_send_certificate(child, &parent->certificates[i]);
}
