/* SPDX-License-Identifier: ISC */
/* The loop: libuv's, with our timers, jobs and batches around its poll. One turn:
 *
 *   alarm: due timers → prepare: send, change watches → poll: ready descriptors → check: jobs, send
 */
#include "host/linux/loop_private.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_WAITING_MAX = 256 * 1024, /* lines that may gather in one turn */
    LOG_WRITE_MAX = 4096,         /* PIPE_BUF: lines of several processes do not mix in a pipe */
    LOG_GATHER_MS = 10,           /* a line waits so long for others, unless it is a warning */
    JOBS_SIZE_FIRST = 64,
    REST_LOOK_MS = 2000, /* so often a process that has worked looks whether it is at rest again */
    REST_TURNS_MAX = 20, /* turns of the loop in that time that are rest: timers and the like */
    /* Octets that malloc keeps while there is work: some dozens of messages of 64 KiB, so that a
     * burst of them does not fault in anew what the one before it has given back. */
    MEMORY_KEPT_MAX = 16 * 1024 * 1024,
};

void *
host_allocate(size_t size)
{
    void *at = malloc(size);

    if (!at)
        abort();
    return at;
}

/* ---- clock and randomness ------------------------------------------------------------------ */

static int64_t
read_clock(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct instant
host_now(struct host *host)
{
    if (!host->now_is_known) {
        host->now = (struct instant){read_clock(CLOCK_MONOTONIC)};
        host->now_is_known = true;
    }
    return host->now;
}

struct wall
host_wall(struct host *host)
{
    (void)host;
    return (struct wall){read_clock(CLOCK_REALTIME)};
}

static void
draw(void *ret_bytes, size_t len)
{
    uint8_t *at = ret_bytes;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* the kernel always has some; nothing may run on guessable secrets */
        at += got;
        len -= (size_t)got;
    }
}

/* Small pieces come from a stock, so that a queue id does not cost a system call. What was given
 * out is not kept. */
void
host_random(struct host *host, void *ret_bytes, size_t len)
{
    if (len > sizeof(host->random) / 4) {
        draw(ret_bytes, len);
        return;
    }
    if (host->random_left < len) {
        draw(host->random, sizeof(host->random));
        host->random_left = sizeof(host->random);
    }
    uint8_t *from = host->random + sizeof(host->random) - host->random_left;
    memcpy(ret_bytes, from, len);
    explicit_bzero(from, len);
    host->random_left -= len;
}

void
host_linux_forget_random(struct host *host)
{
    explicit_bzero(host->random, sizeof(host->random));
    host->random_left = 0;
}

/* ---- log ----------------------------------------------------------------------------------- */

/* The end of the last whole line within `max` bytes of s, or all of an endless line. */
static size_t
whole_lines(struct slice s, size_t max)
{
    size_t end = slice_find_last_byte(slice_first(s, max), '\n');

    return end < max && end < s.len ? end + 1 : slice_find_byte(s, '\n') + 1;
}

void
host_linux_flush_log(struct host *host)
{
    while (buffer_len(&host->log) > 0) {
        struct slice waiting = buffer_slice(&host->log);
        size_t len =
            waiting.len <= LOG_WRITE_MAX ? waiting.len : whole_lines(waiting, LOG_WRITE_MAX);
        ssize_t written = write(STDERR_FILENO, waiting.at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break; /* nobody reads our log: mail goes on */
        buffer_consume(&host->log, (size_t)written);
    }
    buffer_clear(&host->log);
    host->log_due = INSTANT_NEVER;
}

/* "2026-11-21T03:55:00.123Z ", for lines that no journal dates. */
static void
put_time(struct buffer *buffer, struct wall now)
{
    time_t seconds = wall_seconds(now);
    struct tm parts;

    if (!gmtime_r(&seconds, &parts))
        return;
    buffer_put_padded(buffer, (uint64_t)parts.tm_year + 1900, 4);
    buffer_put_byte(buffer, '-');
    buffer_put_padded(buffer, (uint64_t)parts.tm_mon + 1, 2);
    buffer_put_byte(buffer, '-');
    buffer_put_padded(buffer, (uint64_t)parts.tm_mday, 2);
    buffer_put_byte(buffer, 'T');
    buffer_put_padded(buffer, (uint64_t)parts.tm_hour, 2);
    buffer_put_byte(buffer, ':');
    buffer_put_padded(buffer, (uint64_t)parts.tm_min, 2);
    buffer_put_byte(buffer, ':');
    buffer_put_padded(buffer, (uint64_t)parts.tm_sec, 2);
    buffer_put_byte(buffer, '.');
    buffer_put_padded(buffer, (uint64_t)(now.ns % 1000000000) / 1000000, 3);
    buffer_put(buffer, SLICE("Z "));
}

void
host_log(struct host *host, enum host_level level, struct slice line)
{
    if (buffer_room(&host->log) < line.len + 64)
        host_linux_flush_log(host);
    if (host->log_goes_to_journal) {
        buffer_put_byte(&host->log, '<');
        buffer_put_decimal(&host->log, level);
        buffer_put_byte(&host->log, '>');
    } else {
        put_time(&host->log, host_wall(host));
    }
    buffer_put(&host->log, line);
    buffer_put_byte(&host->log, '\n');
    if (level <= HOST_LEVEL_WARNING || buffer_len(&host->log) >= LOG_WRITE_MAX)
        host->log_due = host_now(host);
    else if (instant_is_never(host->log_due))
        host->log_due = instant_after(host_now(host), duration_ms(LOG_GATHER_MS));
}

void
host_log_configure(struct host *host, const struct host_log_settings *settings)
{
    host->log_settings = *settings;
}

const struct host_log_settings *
host_log_settings(const struct host *host)
{
    return &host->log_settings;
}

/* systemd sets JOURNAL_STREAM to DEVICE:INODE of the socket that it gave as descriptor 2. */
static bool
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    char expected[64];

    if (!stream || fstat(STDERR_FILENO, &info) < 0)
        return false;
    snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    return strcmp(stream, expected) == 0;
}

/* ---- timers and jobs ----------------------------------------------------------------------- */

struct host_timer *
host_timer_open(struct host *host, host_fn fn, void *context)
{
    return timers_open(&host->timers, fn, context);
}

static void
on_alarm(uv_timer_t *alarm)
{
    struct host *host = alarm->data;
    struct host_timer *timer;

    host_enter_handler(host);
    /* A timer set during this walk is due in the next one: no handler can hold the loop. */
    struct instant start = host_now(host);
    host->alarm_at = INSTANT_NEVER;
    uint64_t last = host->timers.sequence;
    while ((timer = timers_take_due(&host->timers, start))) {
        if (timer->sequence > last) {
            host_timer_set(timer, start);
            break;
        }
        host_enter_handler(host);
        timer->fn(timer->context);
    }
}

/* Leaves the code and constants of an object in its file until they are used again. What the loader
 * has written to stays: it lies in segments that are writable, in part until that was done. */
static int
leave_in_file(struct dl_phdr_info *object, size_t len, void *context)
{
    const uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

    (void)len;
    (void)context;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~mask;
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + mask) & ~mask;
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

/* After work: memory that only load needed goes back to the kernel. */
static void
on_rest_time(void *context)
{
    struct host *host = context;

    if (host->turns > REST_TURNS_MAX) {
        host->turns = 0;
        host_timer_set(host->rest, instant_after(host_now(host), duration_ms(REST_LOOK_MS)));
        return;
    }
    host->turns = 0;
    host->is_at_rest = true;
    channel_inbox_rest(host->inbox);
    malloc_trim(0);
    /* What the start needs is not needed again soon, what work needs is. */
    if (!host->has_rested)
        (void)dl_iterate_phdr(leave_in_file, NULL);
    host->has_rested = true;
}

static void
look_for_rest(struct host *host)
{
    host->is_at_rest = false;
    host_timer_set(host->rest, instant_after(host_now(host), duration_ms(REST_LOOK_MS)));
}

void
host_rest_again(struct host *host)
{
    host->has_rested = false;
    look_for_rest(host);
}

/* One more turn of the loop; the first ones after a rest say that it is over. */
static void
count_turn(struct host *host)
{
    host->turns++;
    if (host->is_at_rest && host->turns > REST_TURNS_MAX)
        look_for_rest(host);
}

static void
set_alarm(struct host *host)
{
    struct instant next = timers_next(&host->timers);

    next = instant_is_before(host->log_due, next) ? host->log_due : next;
    if (next.ns == host->alarm_at.ns)
        return;
    host->alarm_at = next;
    if (instant_is_never(next)) {
        uv_timer_stop(&host->alarm);
        return;
    }
    host_enter_handler(host);
    int64_t left = instant_since(next, host_now(host)).ns;
    uint64_t left_ms = left > 0 ? ((uint64_t)left + 999999) / 1000000 : 0;
    uv_update_time(&host->loop);
    uv_timer_start(&host->alarm, on_alarm, left_ms, 0);
}

void
host_defer(struct host *host, host_fn fn, void *context)
{
    struct jobs *jobs = &host->jobs;

    if (jobs->count == jobs->size) {
        jobs->size = jobs->size ? jobs->size * 2 : JOBS_SIZE_FIRST;
        jobs->items = realloc(jobs->items, jobs->size * sizeof(struct job));
        if (!jobs->items)
            abort();
    }
    jobs->items[jobs->count++] = (struct job){fn, context};
}

/* Jobs that jobs defer wait for the next turn. */
static void
run_jobs(struct host *host)
{
    struct jobs jobs = host->jobs;

    host->jobs = host->jobs_running;
    host->jobs_running = jobs;
    for (size_t i = 0; i < jobs.count; i++) {
        host_enter_handler(host);
        jobs.items[i].fn(jobs.items[i].context);
    }
    host->jobs_running.count = 0;
}

void
host_stop(struct host *host)
{
    host->is_stopping = true;
}

static void
do_nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void
before_poll(uv_prepare_t *prepare)
{
    struct host *host = prepare->data;

    channels_flush(host);
    host_enter_handler(host);
    count_turn(host);
    if (!instant_is_never(host->log_due) && !instant_is_before(host_now(host), host->log_due))
        host_linux_flush_log(host);
    watches_apply(host);
    set_alarm(host);
    /* libuv computes how long to wait after this; an active idle handle makes that zero. */
    if (host->jobs.count > 0 || host->is_stopping)
        uv_idle_start(&host->no_wait, do_nothing);
    else
        uv_idle_stop(&host->no_wait);
}

static void
after_poll(uv_check_t *check)
{
    struct host *host = check->data;

    run_jobs(host);
    channels_flush(host);
    if (host->is_stopping && host->jobs.count == 0) {
        host_linux_flush_log(host);
        uv_stop(&host->loop);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Who gets no memory aborts. That is no fault of what the process has read, and whoever started it
 * can tell it from one; the operator is told what was missing. */
static void
on_abort(int number)
{
    static const char text[] = "facteur: there is no memory for more; this process ends\n";

    if (errno == ENOMEM) {
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(EX_OSERR);
    }
    (void)!raise(number); /* ends the process now, whoever has sent it */
}

static void
watch_aborts(void)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&action.sa_mask);
    (void)!sigaction(SIGABRT, &action, NULL);
}

int
host_linux_open(struct host **ret_host)
{
    watch_aborts();
    struct host *host = host_allocate(sizeof(*host));

    /* Memory of one message's size comes and goes all the time: the kernel is asked for it once. */
    mallopt(M_MMAP_THRESHOLD, HOST_MEMORY_SINGLE_MAX);
    mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT_MAX);
    *host = (struct host){.alarm_at = INSTANT_NEVER,
                          .log_due = INSTANT_NEVER,
                          .log_settings = {.level_max = HOST_LEVEL_INFO},
                          .log_goes_to_journal = stderr_is_journal()};
    int error = uv_loop_init(&host->loop);
    if (error < 0) {
        free(host);
        return error;
    }
    timers_init(&host->timers);
    host->rest = host_timer_open(host, on_rest_time, host);
    host_timer_set(host->rest, instant_after(host_now(host), duration_ms(REST_LOOK_MS)));
    list_init(&host->watches_changed);
    list_init(&host->channels_to_flush);
    buffer_init(&host->log, LOG_WAITING_MAX);
    uv_prepare_init(&host->loop, &host->before_poll);
    uv_check_init(&host->loop, &host->after_poll);
    uv_idle_init(&host->loop, &host->no_wait);
    uv_timer_init(&host->loop, &host->alarm);
    host->before_poll.data = host->after_poll.data = host->alarm.data = host;
    uv_prepare_start(&host->before_poll, before_poll);
    uv_check_start(&host->after_poll, after_poll);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* who writes beyond the limit of a file's size is told EFBIG */
    *ret_host = host;
    return 0;
}

void
host_linux_run(struct host *host)
{
    uv_run(&host->loop, UV_RUN_DEFAULT);
    host->is_stopping = false;
}

void
host_linux_close(struct host **host_at)
{
    struct host *host = *host_at;

    if (!host)
        return;
    *host_at = NULL;
    host_linux_flush_log(host);
    uv_close((uv_handle_t *)&host->before_poll, NULL);
    uv_close((uv_handle_t *)&host->after_poll, NULL);
    uv_close((uv_handle_t *)&host->no_wait, NULL);
    uv_close((uv_handle_t *)&host->alarm, NULL);
    uv_run(&host->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&host->loop) == UV_EBUSY)
        return; /* the owners of what is still open hold pointers to the host */
    host_timer_close(&host->rest);
    timers_finish(&host->timers);
    channel_inbox_free(&host->inbox);
    free(host->jobs.items);
    free(host->jobs_running.items);
    buffer_finish(&host->log);
    free(host);
}
