/* SPDX-License-Identifier: ISC */
/* How run.py speaks to the programs that hold dialogues in memory: over standard input and output,
 * a line at a time.
 *
 *     set NAME VALUE      before open; see the programs
 *     split N             feed N octets at a time from now on; 0: as they come
 *     open ID SERVICE     ID is a number below REQUESTS_SESSIONS_MAX
 *     feed ID HEX         what the client sends
 *     tls ID              the handshake after STARTTLS is done
 *     end ID              the client closes its side
 *     stop ID             the service goes down
 *     time MS             time passes
 *     mail ADDRESS        shows what was delivered there
 *
 * Each is answered by any number of "out ID HEX", "closed ID", "message HEX", then by "done". */
#ifndef TESTS_DIALOGUE_REQUESTS_H
#define TESTS_DIALOGUE_REQUESTS_H

#include "base/slice.h"
#include "base/time.h"

enum { REQUESTS_SESSIONS_MAX = 64 };

/* What a program does; NULL: it cannot. ids are in range, and but for `open` of what was opened. */
struct requests_handler {
    void (*set)(const char *name, const char *value);
    void (*open)(size_t id, const char *service);
    bool (*is_open)(size_t id);
    void (*feed)(size_t id, struct slice piece);
    void (*tls)(size_t id);
    void (*end)(size_t id);
    void (*stop)(size_t id);
    void (*settle)(size_t id); /* after each of these; says what came */
    void (*pass_time)(struct duration duration);
    void (*mail)(const char *address);
};

/* Until standard input ends. */
void requests_serve(const struct requests_handler *handler);
/* "WHAT ID HEX". */
void requests_print(const char *what, size_t id, struct slice bytes);
/* Tells why, and ends the program. */
void requests_fail(const char *why) __attribute__((noreturn));

#endif
