/* SPDX-License-Identifier: ISC */
/* What a protocol gives so that dialogues can be held with its engine alone: one row of the table
 * in engine.c. */
#ifndef TESTS_DIALOGUE_ENGINE_H
#define TESTS_DIALOGUE_ENGINE_H

#include "base/buffer.h"
#include "base/engine.h"
#include "pop3/tests/lobby.h"
#include "smtp/tests/office.h"

/* What `set` lines of a dialogue have changed: name and value, both NUL-terminated. */
enum { DIALOGUE_SETTINGS_MAX = 32, DIALOGUE_WORD_MAX = 64 };
struct dialogue_setting {
    char name[DIALOGUE_WORD_MAX];
    char value[DIALOGUE_WORD_MAX];
};

/* What all connections of a dialogue share. */
struct dialogue_world {
    struct office office; /* every message that was delivered */
    struct lobby lobby;   /* the same, for readers */
    size_t lobby_seen;    /* how many of the office's are in the lobby */
    struct dialogue_setting settings[DIALOGUE_SETTINGS_MAX];
    size_t setting_count;
};

/* The value, or NULL when it was not set. */
const char *dialogue_setting_find(const struct dialogue_world *world, const char *name);
/* The number, or 0. */
uint32_t dialogue_setting_number(const struct dialogue_world *world, const char *name);

struct dialogue_engine {
    const char *service; /* as `connect` names it */
    const struct engine_kind *kind;
    /* *ret_server is the engine, owned by the session. */
    void *(*open)(struct dialogue_world *world, const char *service, struct instant now,
                  void **ret_server);
    void (*close)(void *session);
    /* Takes events and answers questions. */
    void (*work)(void *session, struct instant now);
    /* The client has closed its side. */
    void (*end)(void *session, struct instant now);
    /* The service is stopped (421 and the like). */
    void (*stop)(void *session, struct instant now);
    bool (*wants_tls)(void *session);
    void (*tls_started)(void *session, struct instant now);
    bool (*is_closed)(void *session);
};

extern const struct dialogue_engine dialogue_engine_smtp, dialogue_engine_pop3;

#endif
