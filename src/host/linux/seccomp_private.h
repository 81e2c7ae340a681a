/* SPDX-License-Identifier: ISC */
/* System call filters, put together from parts: a process gets those that its work needs, as
 * recorded (calls.txt, tools/calls). Private to the room. */
#ifndef HOST_LINUX_SECCOMP_PRIVATE_H
#define HOST_LINUX_SECCOMP_PRIVATE_H

#include "base/compiler.h"

enum seccomp_part {
    SECCOMP_COMPUTE = 0,      /* memory, and the descriptors it has: what everybody may */
    SECCOMP_NOTES = 1 << 0,   /* the loop, and notes of other roles */
    SECCOMP_BLOBS = 1 << 1,   /* makes contents that are too large for notes */
    SECCOMP_DOORS = 1 << 2,   /* accepts connections, and has streams */
    SECCOMP_READ = 1 << 3,    /* reads files, as far as Landlock and rights let it */
    SECCOMP_WRITE = 1 << 4,   /* writes files, the same */
    SECCOMP_USERS = 1 << 5,   /* becomes the user whose file it writes (letter boxes) */
    SECCOMP_NAMES = 1 << 6,   /* a thread and sockets of a resolver's library */
    SECCOMP_CLIENT = 1 << 7,  /* sockets of a library that asks a server */
    SECCOMP_CONNECT = 1 << 8, /* streams to other hosts */
    SECCOMP_START =
        1 << 9, /* everything but what no mail system does: for those who start others */
    SECCOMP_RING = 1 << 10, /* goes on with the ring that its loop has */
};

/* Sets the filter of this process for good; 0 or a negative errno. Needs no_new_privs or root. */
MUST_USE int seccomp_enter(unsigned parts);

/* As if the kernel had no io_uring, for this process and all that it starts; else the same. */
MUST_USE int seccomp_forbid_rings(void);

#endif
