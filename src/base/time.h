/* SPDX-License-Identifier: ISC */
/* Instants of a monotonic clock, spans between them, and times of day; three types that do not
 * mix. Nobody below `host` reads a clock: time is an argument. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/compiler.h"

/* A point on a monotonic clock, in nanoseconds since an unknown start. */
struct instant {
    int64_t ns;
};

/* A span, in nanoseconds. */
struct duration {
    int64_t ns;
};

/* A time of day: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted. */
struct wall {
    int64_t ns;
};

#define INSTANT_NEVER ((struct instant){INT64_MAX})

static inline struct duration
duration_ms(int64_t ms)
{
    return (struct duration){ms * 1000000};
}

static inline struct duration
duration_s(int64_t s)
{
    return (struct duration){s * 1000000000};
}

/* Never overflows: far futures become INSTANT_NEVER. */
static inline struct instant
instant_after(struct instant start, struct duration span)
{
    struct instant sum;
    return __builtin_add_overflow(start.ns, span.ns, &sum.ns) ? INSTANT_NEVER : sum;
}

static inline bool
instant_is_before(struct instant left, struct instant right)
{
    return left.ns < right.ns;
}

static inline bool
instant_is_never(struct instant when)
{
    return when.ns == INT64_MAX;
}

static inline struct duration
instant_since(struct instant now, struct instant earlier)
{
    return (struct duration){now.ns - earlier.ns};
}

/* So many seconds after 1970. Never overflows: what is out of reach becomes the end of it. */
static inline struct wall
wall_of_seconds(int64_t s)
{
    struct wall when;

    if (__builtin_mul_overflow(s, 1000000000, &when.ns))
        when.ns = s < 0 ? INT64_MIN : INT64_MAX;
    return when;
}

static inline int64_t
wall_seconds(struct wall when)
{
    return when.ns / 1000000000;
}

#endif
