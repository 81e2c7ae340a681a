/* SPDX-License-Identifier: ISC */
/* Network addresses as text (RFC 5952 for IPv6) and how much of them names one customer. */
#ifndef HOST_ADDRESS_H
#define HOST_ADDRESS_H

#include "host/host.h"

/* Puts the address without its port: "192.0.2.1", "2001:db8::1", "unix:1000". */
void host_address_put(struct buffer *buffer, const struct host_address *address);

/* The same with the port: "192.0.2.1:25", "[2001:db8::1]:25", "unix:1000". */
void host_address_put_with_port(struct buffer *buffer, const struct host_address *address);

/* Reads an IPv4 or IPv6 address; IPv4-mapped IPv6 becomes IPv4. The port becomes `port`. */
MUST_USE bool host_address_parse(struct slice text, uint16_t port,
                                 struct host_address *ret_address);

/* The bytes that name one customer of a network: all four of IPv4, the first eight (/64) of IPv6,
 * none for a unix socket. For limits and lock-outs. Borrows from `address`. */
struct slice host_address_customer(const struct host_address *address);

/* Whether it is of this machine: 127.0.0.0/8, ::1, a unix socket. */
bool host_address_is_loopback(const struct host_address *address);

/* The raw bytes of the address, 4 or 16 or none. Borrows from `address`. */
struct slice host_address_bytes(const struct host_address *address);

#endif
