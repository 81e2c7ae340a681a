/* SPDX-License-Identifier: ISC */
/* Our addresses and the kernel's. Private to the room. */
#ifndef HOST_LINUX_SOCKET_PRIVATE_H
#define HOST_LINUX_SOCKET_PRIVATE_H

#include "host/host.h"

#include <sys/socket.h>

/* From the kernel's form; IPv4-mapped IPv6 becomes IPv4. */
void socket_address_read(const struct sockaddr_storage *from, struct host_address *ret_address);

/* The length of what was written; 0 for families that have no such form. */
socklen_t socket_address_write(const struct host_address *address, struct sockaddr_storage *ret_to);

#endif
