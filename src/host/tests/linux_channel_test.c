/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/linux/linux.h"
#include "host/linux/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct end {
    struct host *host;
    struct host_channel *channel;
    unsigned came;
    unsigned expected;  /* stop after so many */
    uint64_t sum;
    bool is_closed;
    bool closes_itself; /* at the first note */
    unsigned rooms;
    host_handle handle;
    bool is_in_order; /* so far: each note begins with its number */
};

static void
on_note(void *context, struct slice note, host_handle handle)
{
    struct end *end = context;

    end->came++;
    end->is_in_order = end->is_in_order && note.at[0] == end->came;
    for (size_t i = 0; i < note.len; i += 997)
        end->sum += note.at[i];
    end->sum += note.len;
    if (handle != HOST_HANDLE_NONE) {
        host_handle_close(end->host, end->handle);
        end->handle = handle;
    }
    if (end->closes_itself)
        host_channel_close(&end->channel);
    if (end->came == end->expected)
        host_stop(end->host);
}

static void
on_closed(void *context)
{
    struct end *end = context;

    assert_false(end->is_closed);
    end->is_closed = true;
    host_channel_close(&end->channel);
    host_stop(end->host);
}

static void
on_room(void *context)
{
    ((struct end *)context)->rooms++;
}

static const struct host_channel_handler handler = {on_note, on_closed, on_room};

struct pair {
    struct host *host;
    struct end left, right;
};

static void
open_pair(struct pair *pair)
{
    host_handle left, right;

    *pair = (struct pair){0};
    assert_int_equal(host_linux_open(&pair->host), 0);
    assert_int_equal(host_channel_pair(pair->host, &left, &right), 0);
    pair->left = (struct end){.host = pair->host, .handle = HOST_HANDLE_NONE};
    pair->right = pair->left;
    pair->left.channel = host_channel_open(pair->host, left, &handler, &pair->left);
    pair->right.channel = host_channel_open(pair->host, right, &handler, &pair->right);
}

static void
close_pair(struct pair *pair)
{
    host_channel_close(&pair->left.channel);
    host_channel_close(&pair->right.channel);
    host_handle_close(pair->host, pair->left.handle);
    host_handle_close(pair->host, pair->right.handle);
    host_linux_close(&pair->host);
}

static size_t
open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void
many_notes_of_all_lengths_arrive_whole(void **state)
{
    static uint8_t note[HOST_NOTE_MAX];
    struct pair pair;
    uint64_t sum = 0;

    (void)state;
    open_pair(&pair);
    for (size_t i = 0; i < sizeof(note); i++)
        note[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < 500; i++) {
        size_t len = i % 100 == 0 ? sizeof(note) : i * 37 % 5000 + 1;
        host_channel_send(pair.left.channel, slice_of(note, len), HOST_HANDLE_NONE);
        for (size_t at = 0; at < len; at += 997)
            sum += note[at];
        sum += len;
    }
    pair.right.expected = 500;
    host_linux_run(pair.host);
    assert_int_equal(pair.right.came, 500);
    assert_int_equal(pair.right.sum, sum);
    close_pair(&pair);
}

static void
a_note_costs_little_in_batches(void **state)
{
    enum { NOTES = 100000, NOTE_LEN = 200 };
    static uint8_t note[NOTE_LEN];
    struct pair pair;

    (void)state;
    open_pair(&pair);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    pair.right.expected = NOTES;
    for (unsigned sent = 0; sent < NOTES; sent += 50) {
        pair.right.expected = sent + 50;
        for (unsigned i = 0; i < 50; i++)
            host_channel_send(pair.left.channel, slice_of(note, sizeof(note)), HOST_HANDLE_NONE);
        host_linux_run(pair.host);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(pair.right.came, NOTES);
    double us = (double)(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
                         before.ru_stime.tv_sec) * 1e6 +
                (double)(after.ru_utime.tv_usec + after.ru_stime.tv_usec -
                         before.ru_utime.tv_usec - before.ru_stime.tv_usec);
    printf("%.2f us of CPU for a note, both ends\n", us / NOTES);
    close_pair(&pair);
}

static void
a_handle_travels_with_its_note(void **state)
{
    struct pair pair;
    int ends[2];
    char byte = 'x';

    (void)state;
    open_pair(&pair);
    size_t before = open_descriptors();
    assert_int_equal(pipe(ends), 0);
    pair.right.expected = 2;
    host_channel_send(pair.left.channel, SLICE("plain"), HOST_HANDLE_NONE);
    host_channel_send(pair.left.channel, SLICE("with"), ends[1]);
    host_linux_run(pair.host);
    assert_int_equal(write(pair.right.handle, &byte, 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    host_handle_close(pair.host, pair.right.handle);
    pair.right.handle = HOST_HANDLE_NONE;
    assert_int_equal(open_descriptors(), before);
    close_pair(&pair);
}

/* Long notes leave at once: nothing that was said before may come behind them. */
static void
long_notes_keep_their_place(void **state)
{
    static uint8_t note[60000];
    struct pair pair;

    (void)state;
    open_pair(&pair);
    pair.right.is_in_order = true;
    pair.right.expected = 90;
    for (unsigned i = 1; i <= 90; i++) {
        note[0] = (uint8_t)i;
        host_handle handle = i % 30 == 0 ? dup(0) : HOST_HANDLE_NONE;
        host_channel_send(pair.left.channel, slice_of(note, i % 3 == 0 ? sizeof(note) : 10),
                          handle);
    }
    host_linux_run(pair.host);
    assert_int_equal(pair.right.came, 90);
    assert_true(pair.right.is_in_order);
    assert_int_not_equal(pair.right.handle, HOST_HANDLE_NONE);
    close_pair(&pair);
}

/* Queues take turns with the memory that they grow: nothing of one may come over another. */
static void
bursts_of_several_channels_stay_apart(void **state)
{
    static uint8_t note[8000];
    struct pair pair;

    (void)state;
    open_pair(&pair);
    pair.left.is_in_order = pair.right.is_in_order = true;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 1; i <= 40; i++) {
            note[0] = (uint8_t)(round * 40 + i);
            host_channel_send(pair.left.channel, slice_of(note, i * 199), HOST_HANDLE_NONE);
            host_channel_send(pair.right.channel, slice_of(note, 8000 - i * 199), HOST_HANDLE_NONE);
        }
        pair.left.expected = pair.right.expected = (round + 1) * 40;
        while (pair.left.came < pair.left.expected || pair.right.came < pair.right.expected)
            host_linux_run(pair.host);
    }
    assert_true(pair.left.is_in_order);
    assert_true(pair.right.is_in_order);
    assert_false(pair.left.is_closed || pair.right.is_closed);
    close_pair(&pair);
}

static void
surplus_handles_are_closed(void **state)
{
    struct host *host;
    int ends[2];
    int three[3];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(three))];
    } control = {0};
    struct iovec vector = {(void *)(uintptr_t)"n", 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    (void)state;
    assert_int_equal(host_linux_open(&host), 0);
    assert_int_equal(host_channel_pair(host, &ends[0], &ends[1]), 0);
    struct end right = {.host = host, .expected = 1, .handle = HOST_HANDLE_NONE};
    right.channel = host_channel_open(host, ends[1], &handler, &right);
    size_t before = open_descriptors();
    control.header = (struct cmsghdr){CMSG_LEN(sizeof(three)), SOL_SOCKET, SCM_RIGHTS};
    for (size_t i = 0; i < COUNT_OF(three); i++)
        three[i] = dup(STDERR_FILENO);
    memcpy(CMSG_DATA(&control.header), three, sizeof(three));
    assert_int_equal(sendmsg(ends[0], &message, 0), 1);
    for (size_t i = 0; i < COUNT_OF(three); i++)
        close(three[i]);
    host_linux_run(host);
    assert_int_equal(right.came, 1);
    assert_int_equal(open_descriptors(), before + 1);
    host_handle_close(host, right.handle);
    host_channel_close(&right.channel);
    close(ends[0]);
    host_linux_close(&host);
}

static void
what_was_said_before_death_is_heard(void **state)
{
    struct pair pair;

    (void)state;
    open_pair(&pair);
    /* The right end dies with a note of ours unread, which resets the socket. */
    host_channel_send(pair.left.channel, SLICE("never read"), HOST_HANDLE_NONE);
    for (int i = 0; i < 40; i++)
        host_channel_send(pair.right.channel, SLICE("last words"), HOST_HANDLE_NONE);
    host_channel_pause(pair.right.channel, true);
    host_channel_pause(pair.left.channel, true);
    host_defer(pair.host, (host_fn)host_stop, pair.host);
    host_linux_run(pair.host);
    host_channel_close(&pair.right.channel);
    host_channel_pause(pair.left.channel, false);
    host_linux_run(pair.host);
    assert_int_equal(pair.left.came, 40);
    assert_true(pair.left.is_closed);
    close_pair(&pair);
}

static void
a_handler_may_close_its_channel(void **state)
{
    struct pair pair;
    size_t before;

    (void)state;
    open_pair(&pair);
    before = open_descriptors();
    pair.right.closes_itself = true;
    for (int i = 0; i < 30; i++)
        host_channel_send(pair.left.channel, SLICE("note"), dup(STDERR_FILENO));
    host_linux_run(pair.host); /* until left learns that right has gone */
    assert_int_equal(pair.right.came, 1);
    assert_true(pair.left.is_closed);
    assert_int_equal(open_descriptors(), before - 2 + 1); /* both ends, and the handle of note 1 */
    close_pair(&pair);
}

static void
a_full_channel_says_so_and_says_when_there_is_room(void **state)
{
    static uint8_t note[60000];
    struct pair pair;
    unsigned sent = 0;

    (void)state;
    open_pair(&pair);
    host_channel_pause(pair.right.channel, true);
    for (int turn = 0; turn < 200 && !host_channel_is_full(pair.left.channel); turn++) {
        host_channel_send(pair.left.channel, slice_of(note, sizeof(note)), HOST_HANDLE_NONE);
        sent++;
        host_defer(pair.host, (host_fn)host_stop, pair.host);
        host_linux_run(pair.host);
    }
    assert_true(host_channel_is_full(pair.left.channel));
    assert_int_equal(pair.right.came, 0);
    host_channel_pause(pair.right.channel, false);
    pair.right.expected = sent;
    host_linux_run(pair.host);
    assert_int_equal(pair.left.rooms, 1);
    assert_false(host_channel_is_full(pair.left.channel));
    close_pair(&pair);
}

static void
past_the_hard_bound_the_channel_ends(void **state)
{
    static uint8_t note[HOST_NOTE_MAX];
    struct pair pair;

    (void)state;
    open_pair(&pair);
    host_channel_pause(pair.right.channel, true);
    /* Twice the bound: what is long leaves at once, as far as the kernel has room. */
    for (unsigned i = 0; i <= 2 * HOST_CHANNEL_HARD / HOST_NOTE_MAX; i++)
        host_channel_send(pair.left.channel, slice_of(note, sizeof(note)), HOST_HANDLE_NONE);
    assert_false(pair.left.is_closed);
    host_linux_run(pair.host);
    assert_true(pair.left.is_closed);
    close_pair(&pair);
}

static void
a_note_over_the_limit_ends_the_channel_on_either_side(void **state)
{
    static uint8_t note[HOST_NOTE_MAX + 1];
    struct pair pair;

    (void)state;
    open_pair(&pair);
    host_channel_send(pair.left.channel, slice_of(note, sizeof(note)), HOST_HANDLE_NONE);
    host_linux_run(pair.host);
    assert_true(pair.left.is_closed);
    close_pair(&pair);

    host_handle left, right;
    assert_int_equal(host_linux_open(&pair.host), 0);
    assert_int_equal(host_channel_pair(pair.host, &left, &right), 0);
    struct end end = {.host = pair.host, .handle = HOST_HANDLE_NONE};
    end.channel = host_channel_open(pair.host, right, &handler, &end);
    assert_int_equal(send(left, note, sizeof(note), 0), sizeof(note));
    host_linux_run(pair.host);
    assert_true(end.is_closed);
    assert_int_equal(end.came, 0);
    host_handle_close(pair.host, left);
    host_linux_close(&pair.host);
}

static void
blobs_arrive_sealed_and_others_are_refused(void **state)
{
    struct host *host;
    struct host_blob *blob;
    struct host_mapping mapping;
    host_handle handle;
    int ends[2];

    (void)state;
    assert_int_equal(host_linux_open(&host), 0);
    assert_int_equal(host_blob_open(host, &blob), 0);
    assert_int_equal(host_blob_put(blob, SLICE("From: a\r\n")), 0);
    assert_int_equal(host_blob_put(blob, SLICE("\r\nbody\r\n")), 0);
    assert_int_equal(host_blob_seal(&blob, &handle), 0);
    assert_int_equal(host_blob_map(host, handle, &mapping), 0);
    assert_true(slice_equal(mapping.bytes, SLICE("From: a\r\n\r\nbody\r\n")));
    host_blob_unmap(host, &mapping);
    assert_int_equal(write(handle, "x", 1), -1);
    assert_int_equal(ftruncate(handle, 0), -1);
    host_handle_close(host, handle);

    assert_int_equal(host_blob_open(host, &blob), 0);
    assert_int_equal(host_blob_seal(&blob, &handle), 0);
    assert_int_equal(host_blob_map(host, handle, &mapping), 0);
    assert_int_equal(mapping.bytes.len, 0);
    host_blob_unmap(host, &mapping);
    host_handle_close(host, handle);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(host_blob_map(host, ends[0], &mapping), -EPERM);
    close(ends[0]);
    close(ends[1]);
    host_linux_close(&host);
}

static void
reverse(void *context, struct slice question, struct buffer *answer)
{
    (void)context;
    /* Where the kernel refuses instead of killing, the helper ends itself: it answers only if it
     * could open something. */
    if (slice_equal(question, SLICE("open")) && open("/", O_RDONLY | O_CLOEXEC) < 0)
        _exit(EXIT_FAILURE);
    for (size_t i = question.len; i-- > 0;)
        buffer_put_byte(answer, question.at[i]);
}

static void
helpers_answer_and_end_with_their_channel(void **state)
{
    struct host *host;
    host_handle handle;

    (void)state;
    assert_int_equal(host_linux_open(&host), 0);
    assert_int_equal(host_helper_open(host, HOST_HELPER_PURE, reverse, NULL, &handle), 0);
    struct end end = {.host = host, .expected = 2, .handle = HOST_HANDLE_NONE};
    end.channel = host_channel_open(host, handle, &handler, &end);
    host_channel_send(end.channel, SLICE("abc"), HOST_HANDLE_NONE);
    host_channel_send(end.channel, SLICE("de"), HOST_HANDLE_NONE);
    host_linux_run(host);
    assert_int_equal(end.came, 2);
    assert_int_equal(end.sum, 3 + 2 + 'c' + 'e');
    /* A pure helper cannot open a folder; we learn of its end as of any peer's death. */
    host_channel_send(end.channel, SLICE("open"), HOST_HANDLE_NONE);
    host_linux_run(host);
    assert_true(end.is_closed);
    assert_int_equal(end.came, 2);
    host_linux_close(&host);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_notes_of_all_lengths_arrive_whole),
        cmocka_unit_test(a_note_costs_little_in_batches),
        cmocka_unit_test(a_handle_travels_with_its_note),
        cmocka_unit_test(long_notes_keep_their_place),
        cmocka_unit_test(bursts_of_several_channels_stay_apart),
        cmocka_unit_test(surplus_handles_are_closed),
        cmocka_unit_test(what_was_said_before_death_is_heard),
        cmocka_unit_test(a_handler_may_close_its_channel),
        cmocka_unit_test(a_full_channel_says_so_and_says_when_there_is_room),
        cmocka_unit_test(past_the_hard_bound_the_channel_ends),
        cmocka_unit_test(a_note_over_the_limit_ends_the_channel_on_either_side),
        cmocka_unit_test(blobs_arrive_sealed_and_others_are_refused),
        cmocka_unit_test(helpers_answer_and_end_with_their_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
