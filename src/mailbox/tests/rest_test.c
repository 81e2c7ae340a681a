/* SPDX-License-Identifier: ISC */
/* A store that rests has given back what work needed. kill -9 of a process whose store rests (its
 * view is closed and opened again) after each burst of mail: all that was acknowledged is there,
 * and the view is sound, whenever the end came. */
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/store_private.h"
#include "mailbox/tests/folder.h"

#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#if HAS_ADDRESS_SANITIZER
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc 12 has no header that says so */
#endif

enum {
    ROUNDS = 24,
    BURST = 60,        /* messages: more changes than those after which a view may stay open */
    DELAY_US_MAX = 6000, /* after it began to rest: before, while and after it is opened again */
    LARGE_BYTES = 3 << 20,  /* of a message */
    LARGE_CHANGES = 20000,  /* of a turn: its head is longer than a megabyte */
    KEPT_MAX = 64 << 10     /* octets that may have come to be in use */
};

/* In memory that both processes have. */
struct progress {
    volatile uint32_t acknowledged; /* the highest UID */
    volatile unsigned rests;        /* begun */
};

static const account_id account = 7;

static void
pause_us(long us)
{
    struct timespec time = {.tv_nsec = us * 1000};

    (void)nanosleep(&time, NULL);
}

/* In the process that is killed. */
static void
work(struct folder *folder, struct progress *progress)
{
    folder_open_store(folder);
    for (;;) {
        for (unsigned i = 0; i < BURST; i++) {
            uint32_t uid = folder_deliver(folder, account, "Subject: x\r\n\r\nbody\r\n");
            if (uid == 0)
                abort();
            progress->acknowledged = uid;
        }
        store_sync_view(folder->store);
        progress->rests++;
        store_rest(folder->store);
    }
}

static void
count_finding(void *context, struct slice text)
{
    (void)text;
    *(unsigned *)context += 1;
}

static void
expect_all(struct folder *folder, uint32_t acknowledged)
{
    unsigned findings = 0;
    struct buffer text;

    folder_open_store(folder);
    buffer_init(&text, 4096);
    for (uint32_t uid = 1; uid <= acknowledged; uid++) {
        buffer_clear(&text);
        assert_int_equal(folder_read(folder, account, "INBOX", uid, &text), STORE_OK);
        assert_true(slice_equal(buffer_slice(&text), SLICE("Subject: x\r\n\r\nbody\r\n")));
    }
    struct check *check = check_open(folder->store, count_finding, &findings);
    assert_non_null(check);
    while (check_step(check))
        ;
    check_close(&check);
    assert_int_equal(findings, 0);
    assert_null(strstr(folder->reports, "damaged"));
    store_close(&folder->store);
    buffer_finish(&text);
}

static void
a_kill_while_the_store_rests_loses_nothing(void **state)
{
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct folder folder;
    int status;
    (void)state;

    assert_ptr_not_equal(progress, MAP_FAILED);
    folder_open(&folder);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned before = progress->rests;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            work(&folder, progress);
        while (progress->rests == before && waitpid(child, &status, WNOHANG) == 0)
            pause_us(20);
        pause_us((long)round * round * DELAY_US_MAX / (ROUNDS * ROUNDS));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        expect_all(&folder, progress->acknowledged);
    }
    assert_true(progress->acknowledged >= ROUNDS * BURST);
    folder_close(&folder);
    assert_int_equal(munmap(progress, sizeof(*progress)), 0);
}

static size_t
memory_in_use(void)
{
#if HAS_ADDRESS_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* A large body, read; a turn that changes much, and one that takes it back. */
static void
work_hard(struct folder *folder)
{
    char *text = malloc(LARGE_BYTES + 1);
    struct buffer read;

    assert_non_null(text);
    memset(text, 'x', LARGE_BYTES);
    text[LARGE_BYTES] = 0;
    uint32_t uid = folder_deliver(folder, account, text);
    buffer_init(&read, LARGE_BYTES);
    assert_int_equal(folder_read(folder, account, "INBOX", uid, &read), STORE_OK);
    assert_int_equal(buffer_len(&read), LARGE_BYTES);
    buffer_finish(&read);
    free(text);
    for (uint64_t i = 0; i < 2 * (uint64_t)LARGE_CHANGES; i++) {
        struct key key = key_account(1000 + i % LARGE_CHANGES);
        if (i < LARGE_CHANGES)
            draft_put(&folder->store->draft, key_slice(&key), SLICE("a value of some length"));
        else
            draft_del(&folder->store->draft, key_slice(&key));
        if (i % LARGE_CHANGES == LARGE_CHANGES - 1)
            assert_int_equal(folder_commit(folder), STORE_OK);
    }
    store_sync_view(folder->store);
    store_rest(folder->store);
}

static void
a_store_at_rest_has_given_back_what_its_largest_turn_needed(void **state)
{
    struct folder folder;
    (void)state;

    folder_open(&folder);
    folder_open_store(&folder);
    assert_true(folder_deliver(&folder, account, "Subject: x\r\n\r\nbody\r\n") > 0);
    store_sync_view(folder.store);
    store_rest(folder.store);
    size_t before = memory_in_use();
    for (unsigned i = 0; i < 3; i++)
        work_hard(&folder);
    size_t after = memory_in_use();
    assert_in_range(after, 0, before + KEPT_MAX);
    store_close(&folder.store);
    folder_close(&folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_while_the_store_rests_loses_nothing),
        cmocka_unit_test(a_store_at_rest_has_given_back_what_its_largest_turn_needed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
