/* SPDX-License-Identifier: ISC */
#include "queue/schedule.h"

enum { INTERVALS = 8 };

struct duration
queue_interval(const struct queue_policy *policy, uint32_t attempts, uint32_t random)
{
    static const uint16_t minutes[INTERVALS] = {2, 5, 10, 20, 40, 60, 120, 240};
    uint32_t at = attempts == 0 ? 0 : attempts - 1;
    int64_t seconds = minutes[at < INTERVALS ? at : INTERVALS - 1] * 60;
    int64_t longest = policy->interval_max.ns / 1000000000;

    /* With a longer bound it goes on doubling behind the table. */
    for (uint32_t i = INTERVALS; i <= at && seconds < longest; i++)
        seconds *= 2;
    if (seconds > longest)
        seconds = longest > 0 ? longest : 1;
    int64_t tenth = seconds / 10;
    return duration_s(seconds - tenth + (int64_t)(random % (uint32_t)(2 * tenth + 1)));
}

static struct wall
wall_plus(struct wall start, struct duration span)
{
    struct wall sum;

    return __builtin_add_overflow(start.ns, span.ns, &sum.ns) ? (struct wall){INT64_MAX} : sum;
}

/* Patience and notices count from when it was free to go. */
static struct wall
released(const struct queue_message *message)
{
    return message->released.ns > message->arrival.ns ? message->released : message->arrival;
}

struct wall
queue_end(const struct queue_policy *policy, const struct queue_message *message)
{
    struct wall end =
        wall_plus(released(message),
                  message->flags & QUEUE_REPORT ? policy->report_lifetime : policy->lifetime);

    if (message->flags & QUEUE_DELIVER_BY && message->flags & QUEUE_BY_RETURNS &&
        message->deliver_by.ns < end.ns)
        end = message->deliver_by;
    return end;
}

/* Whether a notice is due that was not given. By-mode N asks for one at its time (RFC 2852 §4.2).
 */
static bool
must_tell(const struct queue_policy *policy, const struct queue_message *message,
          struct queue_recipient *recipient, struct wall now)
{
    int64_t age = now.ns - released(message).ns;
    bool is_late = (policy->notice.ns > 0 && age >= policy->notice.ns) ||
                   (message->flags & QUEUE_DELIVER_BY && !(message->flags & QUEUE_BY_RETURNS) &&
                    now.ns >= message->deliver_by.ns);
    bool is_very_late = policy->notice_again.ns > 0 && age >= policy->notice_again.ns;

    if (is_very_late && !(recipient->told & QUEUE_TOLD_LONG_DELAY)) {
        recipient->told |= QUEUE_TOLD_DELAY | QUEUE_TOLD_LONG_DELAY;
        return true;
    }
    if (is_late && !(recipient->told & QUEUE_TOLD_DELAY)) {
        recipient->told |= QUEUE_TOLD_DELAY;
        return true;
    }
    return false;
}

enum queue_step
queue_postpone(const struct queue_policy *policy, const struct queue_message *message,
               struct queue_recipient *recipient, struct wall now, struct wall until)
{
    struct wall due = until;

    if (now.ns >= recipient->ends.ns)
        return QUEUE_STEP_EXPIRE;
    /* The last attempt is made when patience ends, not after. */
    if (due.ns > recipient->ends.ns)
        due = recipient->ends;
    /* By-mode N: its notice is due at its time (RFC 2852 §4.1.3). */
    if (message->flags & QUEUE_DELIVER_BY && now.ns < message->deliver_by.ns &&
        due.ns > message->deliver_by.ns)
        due = message->deliver_by;
    /* Rounded up: a due time in whole seconds must not come before what it means. */
    recipient->due.ns =
        due.ns > INT64_MAX - 1000000000 ? due.ns : (due.ns + 999999999) / 1000000000 * 1000000000;
    return must_tell(policy, message, recipient, now) ? QUEUE_STEP_TELL : QUEUE_STEP_WAIT;
}

enum queue_step
queue_defer(const struct queue_policy *policy, const struct queue_message *message,
            struct queue_recipient *recipient, struct wall now, uint32_t random)
{
    return queue_postpone(policy, message, recipient, now,
                          wall_plus(now, queue_interval(policy, recipient->attempts, random)));
}

struct wall
queue_turn(const struct queue_policy *policy, const struct queue_message *message, struct wall now,
           uint32_t random)
{
    uint32_t attempts = 1;

    /* In two steps of the schedule about as much time has passed as in the next. */
    while (attempts < INTERVALS &&
           queue_interval(policy, attempts + 1, 0).ns <= now.ns - released(message).ns)
        attempts++;
    return wall_plus(now, queue_interval(policy, attempts, random));
}
