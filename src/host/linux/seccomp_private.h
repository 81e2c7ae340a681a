/* SPDX-License-Identifier: ISC */
/* System call filters, by what kind of work a process does. Private to the room. */
#ifndef HOST_LINUX_SECCOMP_PRIVATE_H
#define HOST_LINUX_SECCOMP_PRIVATE_H

#include "base/compiler.h"

enum seccomp_kind {
    SECCOMP_COMPUTE, /* memory, and the descriptors it has */
    SECCOMP_LOOP,    /* besides: the loop, accept, memfds; the default of roles */
    SECCOMP_FILES,   /* besides: files, as far as Landlock and rights let it */
    SECCOMP_NAMES,   /* besides the loop: a thread and sockets of a resolver's library */
    SECCOMP_CLIENT,  /* besides files: sockets of a library that asks a server */
    SECCOMP_CONNECT, /* besides the loop: streams to other hosts */
    SECCOMP_USERS,   /* besides: becomes the user whose file it writes (letter boxes) */
    SECCOMP_START,   /* everything but what no mail system does: for those who start others */
};

/* Sets the filter of this process for good; 0 or a negative errno. Needs no_new_privs or root. */
MUST_USE int seccomp_enter(enum seccomp_kind kind);

#endif
