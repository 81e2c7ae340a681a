/* SPDX-License-Identifier: ISC */
/* A protocol engine as those see it who move its bytes: a connection, a test, a simulator. It does
 * no input or output of its own and knows no clock; each engine's header says the rest.
 *
 * The room of a protocol has one table for each of its engines (smtp_server_kind, ...). */
#ifndef BASE_ENGINE_H
#define BASE_ENGINE_H

#include "base/slice.h"
#include "base/time.h"

struct engine_kind {
    /* Takes bytes from the front of input; returns how many. 0 while it cannot go on. */
    size_t (*feed)(void *engine, struct slice input, struct instant now);
    /* What is to be sent now. Valid until the next call of the engine. */
    struct slice (*output)(const void *engine);
    /* So many bytes of it went. */
    void (*sent)(void *engine, size_t len, struct instant now);
    /* When expire wants to be called; INSTANT_NEVER for never. Both NULL: it never is. */
    struct instant (*deadline)(const void *engine);
    void (*expire)(void *engine, struct instant now);
    /* True while an answer, or more of it, is still to come: from the owner, or held back by the
     * engine until its deadline. A peer that has closed its side is waited for as long as this
     * is true. NULL: it never is. */
    bool (*is_busy)(const void *engine);
};

/* Defines NAME_kind by the functions NAME_feed, NAME_output and so on. */
#define ENGINE_KIND(NAME)                                                                          \
    static size_t NAME##_kind_feed(void *engine, struct slice input, struct instant now)           \
    {                                                                                              \
        return NAME##_feed(engine, input, now);                                                    \
    }                                                                                              \
    static struct slice NAME##_kind_output(const void *engine)                                     \
    {                                                                                              \
        return NAME##_output(engine);                                                              \
    }                                                                                              \
    static void NAME##_kind_sent(void *engine, size_t len, struct instant now)                     \
    {                                                                                              \
        NAME##_sent(engine, len, now);                                                             \
    }                                                                                              \
    static struct instant NAME##_kind_deadline(const void *engine)                                 \
    {                                                                                              \
        return NAME##_deadline(engine);                                                            \
    }                                                                                              \
    static void NAME##_kind_expire(void *engine, struct instant now)                               \
    {                                                                                              \
        NAME##_expire(engine, now);                                                                \
    }                                                                                              \
    static bool NAME##_kind_is_busy(const void *engine)                                            \
    {                                                                                              \
        return NAME##_is_busy(engine);                                                             \
    }                                                                                              \
    const struct engine_kind NAME##_kind = {                                                       \
        .feed = NAME##_kind_feed,                                                                  \
        .output = NAME##_kind_output,                                                              \
        .sent = NAME##_kind_sent,                                                                  \
        .deadline = NAME##_kind_deadline,                                                          \
        .expire = NAME##_kind_expire,                                                              \
        .is_busy = NAME##_kind_is_busy,                                                            \
    }

#endif
