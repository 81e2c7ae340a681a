/* SPDX-License-Identifier: ISC */
#include "queue/flow.h"

enum { ONE = 64 };

void
flow_init(struct flow *flow, uint32_t window, uint32_t rate_a_minute, struct duration interval_max)
{
    *flow = (struct flow){
        .window_64ths = (window > 0 ? window : 1) * ONE,
        .is_willing = true,
        .shut_until = {INT64_MIN},
        .gap = {rate_a_minute > 0 ? INT64_C(60000000000) / rate_a_minute : 0},
        .start_after = {INT64_MIN},
    };
    flow_bound(flow, interval_max);
}

void
flow_bound(struct flow *flow, struct duration interval_max)
{
    struct duration longest = duration_s(FLOW_PAUSE_MAX_S);

    flow->pause_max = interval_max.ns < longest.ns ? interval_max : longest;
}

bool
flow_is_shut(const struct flow *flow, struct instant now)
{
    return instant_is_before(now, flow->shut_until);
}

bool
flow_may_start(const struct flow *flow, struct instant now)
{
    /* After a pause, one transaction finds out for all. */
    uint32_t window = flow->failures >= FLOW_SHUT_AFTER ? 1 : flow->window_64ths / ONE;

    return !flow_is_shut(flow, now) && !instant_is_before(now, flow->start_after) &&
           flow->in_flight < window;
}

struct instant
flow_next(const struct flow *flow, struct instant now)
{
    if (flow_is_shut(flow, now))
        return flow->shut_until;
    if (instant_is_before(now, flow->start_after))
        return flow->start_after;
    return flow_may_start(flow, now) ? now : INSTANT_NEVER;
}

void
flow_started(struct flow *flow, struct instant now)
{
    flow->in_flight++;
    if (flow->gap.ns > 0)
        flow->start_after = instant_after(now, flow->gap);
}

static void
shut(struct flow *flow, struct instant now)
{
    struct duration pause = duration_s(FLOW_PAUSE_FIRST_S);

    for (uint32_t i = FLOW_SHUT_AFTER; i < flow->failures && pause.ns < flow->pause_max.ns; i++)
        pause.ns *= 2;
    flow->shut_until = instant_after(now, pause.ns < flow->pause_max.ns ? pause : flow->pause_max);
}

void
flow_ended(struct flow *flow, struct instant now, enum flow_end end)
{
    assert(flow->in_flight > 0);
    flow->in_flight--;
    switch (end) {
    case FLOW_REACHED:
        flow->failures = 0;
        flow->shut_until = (struct instant){INT64_MIN};
        /* Later, a whole window of successes makes it wider by one. */
        flow->window_64ths += flow->is_willing ? ONE : ONE * ONE / flow->window_64ths;
        if (flow->window_64ths > FLOW_WINDOW_MAX * ONE)
            flow->window_64ths = FLOW_WINDOW_MAX * ONE;
        break;
    case FLOW_REFUSED:
        flow->failures = 0;
        flow->is_willing = false;
        flow->window_64ths = flow->window_64ths > 2 * ONE ? flow->window_64ths - ONE : ONE;
        break;
    case FLOW_UNREACHABLE:
        if (flow_is_shut(flow, now))
            break; /* one that began before the others found out */
        flow->failures++;
        flow->is_willing = false;
        flow->window_64ths = flow->window_64ths > 2 * ONE ? flow->window_64ths / 2 : ONE;
        if (flow->failures >= FLOW_SHUT_AFTER)
            shut(flow, now);
        break;
    case FLOW_UNKNOWN:
        break;
    }
}

void
flow_open(struct flow *flow)
{
    flow->shut_until = (struct instant){INT64_MIN};
}

bool
flow_is_idle(const struct flow *flow, struct instant now)
{
    struct instant forgiven =
        flow->failures == 0 ? now : instant_after(flow->shut_until, flow->pause_max);

    return flow->in_flight == 0 && !instant_is_before(now, forgiven) &&
           !instant_is_before(now, flow->start_after);
}
