/* SPDX-License-Identifier: ISC */
/* The sockets: bound by the parent, who may, and handed to the roles that serve them. */
#include "role/parent/parent_private.h"

#include "host/address.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

void
listener_put_address(const struct parent_listener *listener, struct buffer *out)
{
    if (listener->where.address.family == HOST_FAMILY_UNIX) {
        buffer_put_text(out, "unix:");
        buffer_put(out, listener->where.path);
    } else {
        host_address_put_with_port(out, &listener->where.address);
    }
}

/* What to do about an address that cannot be had. */
static const char *
remedy(int error)
{
    switch (error) {
    case -EADDRINUSE:
        return "another program listens there: stop it, or choose another port";
    case -EACCES:
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE: start as root, or choose a "
               "higher port";
    case -EADDRNOTAVAIL:
        return "this machine has no such address";
    default:
        return "check the address";
    }
}

static bool
complain(struct parent *parent, const char *option, struct slice address, int error)
{
    parent_complain(parent, "%s: cannot listen on %.*s: %s; %s", option, (int)address.len,
                    (const char *)address.at, strerror(-error), remedy(error));
    return false;
}

static int
bind_one(const struct config_listener *where, host_handle *ret_handle)
{
    char path[128];

    if (where->address.family != HOST_FAMILY_UNIX)
        return host_listen_tcp(&where->address, ret_handle, NULL);
    if (where->path.len >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, where->path.at, where->path.len);
    path[where->path.len] = 0;
    return host_listen_unix(path, 0666, ret_handle);
}

static bool
open_service(struct parent *parent, const char *option, enum role_service service,
             const struct config_listeners *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct parent_listener *listener = &parent->listeners[parent->listener_count];
        listener->service = service;
        listener->where = list->at[i];
        int error = bind_one(&listener->where, &listener->handle);
        if (error < 0) {
            struct buffer address;
            buffer_init(&address, 256);
            listener_put_address(listener, &address);
            complain(parent, option, buffer_slice(&address), error);
            buffer_finish(&address);
            return false;
        }
        parent->listener_count++;
    }
    return true;
}

/* Where `sendmail` hands in mail: for every user of the machine. */
static bool
open_local_submission(struct parent *parent)
{
    struct slice folder = parent->config.runtime_dir;
    int len = snprintf(parent->submit_path, sizeof(parent->submit_path), "%.*s/%s", (int)folder.len,
                       (const char *)folder.at, SUBMIT_SOCKET_NAME);
    struct config_listener where = {.address = {.family = HOST_FAMILY_UNIX},
                                    .path = slice_of(parent->submit_path, (size_t)len)};
    struct config_listeners list = {&where, parent->config.local_submission};

    assert((size_t)len < sizeof(parent->submit_path)); /* parent.sock was bound before */
    return open_service(parent, "local_submission", SERVICE_SUBMISSION, &list);
}

/* A socket for the tool, for its owner's eyes only. */
static bool
open_admin(struct parent *parent, const char *name, host_handle *ret_handle)
{
    char path[4096];
    struct slice folder = parent->config.runtime_dir;

    snprintf(path, sizeof(path), "%.*s/%s", (int)folder.len, (const char *)folder.at, name);
    int error = host_listen_channel(path, 0600, ret_handle);
    if (error == -EADDRINUSE) {
        parent_complain(parent,
                        "%s: another facteur serves here: stop it with 'facteur stop', or choose "
                        "another runtime_dir",
                        path);
        return false;
    }
    return error == 0 || complain(parent, "runtime_dir", slice_of_string(path), error);
}

bool
listeners_open(struct parent *parent)
{
    const struct config *config = &parent->config;
    host_handle admin;

    if (!open_admin(parent, PARENT_SOCKET_NAME, &admin))
        return false;
    parent->admin = host_channel_listener_open(parent->host, admin, admin_accept, parent);
    return open_admin(parent, STORE_SOCKET_NAME, &parent->store_admin) &&
           open_service(parent, "smtp_listen", SERVICE_SMTP, &config->smtp_listen) &&
           open_service(parent, "submission_listen", SERVICE_SUBMISSION,
                        &config->submission_listen) &&
           open_local_submission(parent) &&
           open_service(parent, "submissions_listen", SERVICE_SUBMISSIONS,
                        &config->submissions_listen) &&
           open_service(parent, "lmtp_listen", SERVICE_LMTP, &config->lmtp_listen) &&
           open_service(parent, "imap_listen", SERVICE_IMAP, &config->imap_listen) &&
           open_service(parent, "imaps_listen", SERVICE_IMAPS, &config->imaps_listen) &&
           open_service(parent, "pop3_listen", SERVICE_POP3, &config->pop3_listen) &&
           open_service(parent, "pop3s_listen", SERVICE_POP3S, &config->pop3s_listen);
}

static void
remove_path(struct slice folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%.*s%s%s", (int)folder.len, (const char *)folder.at,
             *name ? "/" : "", name);
    unlink(path);
}

void
listeners_close(struct parent *parent)
{
    if (parent->admin)
        remove_path(parent->config.runtime_dir, PARENT_SOCKET_NAME);
    host_listener_close(&parent->admin);
    if (parent->store_admin >= 0) {
        remove_path(parent->config.runtime_dir, STORE_SOCKET_NAME);
        host_handle_close(parent->host, parent->store_admin);
    }
    for (size_t i = 0; i < parent->listener_count; i++) {
        if (parent->listeners[i].where.address.family == HOST_FAMILY_UNIX)
            remove_path(parent->listeners[i].where.path, "");
        host_handle_close(parent->host, parent->listeners[i].handle);
    }
    parent->listener_count = 0;
}
