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

void
certificates_forget(struct certificates *certificates)
{
    for (size_t i = 0; i < certificates->count; i++) {
        buffer_finish(&certificates->at[i].chain);
        buffer_wipe(&certificates->at[i].key);
    }
    free(certificates->at);
    *certificates = (struct certificates){.count = 0};
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

static size_t
count_named(const struct config *config)
{
    return (config->tls_certificate.len > 0) + config->tls_names.count + config->dkim_keys.count;
}

/* Names and paths of all that the configuration asks for; keys of DKIM have no chain. False when an
 * entry cannot be read; config_check has said so before. */
static bool
name_all(const struct config *config, struct certificate *certificates)
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
    return true;
}

/* True when the two sets hold the same bytes under the same names. */
static bool
are_same(const struct certificates *left, const struct certificates *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++) {
        const struct certificate *one = &left->at[i], *other = &right->at[i];
        if (!slice_equal(one->name, other->name) ||
            !slice_equal(buffer_slice(&one->chain), buffer_slice(&other->chain)) ||
            !slice_equal(buffer_slice(&one->key), buffer_slice(&other->key)))
            return false;
    }
    return true;
}

/* Names that are no longer configured: their keys sign nothing more. The default, which has none,
 * stays: the ports that speak TLS with it are open until a restart. */
static void
tell_gone(struct parent *parent, const struct certificates *fresh)
{
    for (size_t i = 0; i < parent->certificates.count; i++) {
        struct certificate gone = {.name = parent->certificates.at[i].name};
        bool is_gone = gone.name.len > 0;
        for (size_t j = 0; j < fresh->count; j++)
            is_gone = is_gone && !slice_equal_nocase(gone.name, fresh->at[j].name);
        for (size_t c = 0; is_gone && c < parent->child_count; c++)
            child_send_certificate(&parent->children[c], &gone);
    }
}

bool
certificates_read(const struct config *config, struct buffer *problems,
                  struct certificates *ret_certificates)
{
    struct certificates fresh = {.count = count_named(config)};

    fresh.at = calloc(fresh.count + 1, sizeof(*fresh.at)); /* never nothing */
    if (!fresh.at)
        abort();
    bool is_good = name_all(config, fresh.at);
    for (size_t i = 0; i < fresh.count; i++)
        is_good = load_one(&fresh.at[i], problems) && is_good;
    if (is_good)
        *ret_certificates = fresh;
    else
        certificates_forget(&fresh);
    return is_good;
}

bool
certificates_adopt(struct parent *parent, struct certificates *fresh)
{
    bool are_new = !are_same(fresh, &parent->certificates);

    if (are_new)
        tell_gone(parent, fresh);
    certificates_forget(&parent->certificates);
    parent->certificates = *fresh;
    *fresh = (struct certificates){.count = 0};
    for (size_t i = 0; are_new && i < parent->child_count; i++)
        certificates_send(parent, &parent->children[i]);
    return are_new;
}

void
certificates_borrow(const struct parent *parent, struct certificates *certificates)
{
    if (certificates->count == count_named(&parent->config))
        (void)!name_all(&parent->config, certificates->at);
}

void
certificates_send(struct parent *parent, struct child *child)
{
    for (size_t i = 0; i < parent->certificates.count; i++)
        child_send_certificate(child, &parent->certificates.at[i]);
}
