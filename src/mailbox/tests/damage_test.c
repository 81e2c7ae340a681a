/* SPDX-License-Identifier: ISC */
/* Each octet of each file of a store in turn is changed while nobody has it open (in every test
 * each of a stride; MAILBOX_DAMAGE_STEP=1 for all, MAILBOX_DAMAGE_FROM and MAILBOX_DAMAGE_TO for
 * some). What must hold then: no message reads as something that it is not; what cannot be read is
 * named; all else reads as before; new mail is taken; and the store is sound when it is opened once
 * more. A process of its own opens it each time, because LMDB may fall. */
#include "mailbox/check.h"
#include "mailbox/mailbox.h"
#include "mailbox/message.h"
#include "mailbox/tests/folder.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    FILES_MAX = 32,
    MESSAGES = 12,
    TEXT_MAX = 4000,
    PIECE = 900,
    SEGMENT_BYTES = 8192,
    OPENINGS_MAX = 3,
    COMMITS = 6, /* so many take from the list of free pages what the view had when it was hurt */
    NEW_ACCOUNT = 9
};

struct kept_file {
    char name[64]; /* below the store */
    uint8_t *bytes;
    size_t len, used; /* behind that there are zeros only, which are set aside for the future */
};

static struct kept_file files[FILES_MAX];
static size_t file_count;

/* What a process found; in memory that it shares with us. */
struct verdict {
    bool is_opened, is_named, is_taking;
    unsigned lost, wrong, lost_at_last, findings_at_last;
    int error; /* of opening it, and what it was */
    char why[200];
};

static struct verdict *verdict;

static account_id
account_of(unsigned i)
{
    return 7 + i % 2;
}

static uint32_t
uid_of(unsigned i)
{
    return 1 + i / 2;
}

/* The text of message i; some are longer than a piece. */
static const char *
text_of(unsigned i)
{
    static char text[TEXT_MAX];
    size_t len = (size_t)snprintf(text, sizeof(text), "Subject: number %u\r\n\r\n", i);

    for (size_t end = 200 + 290 * i; len < end; len++)
        text[len] = (char)('a' + (len * 7 + i * 13) % 26);
    text[len] = '\0';
    return text;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void
keep_file(const char *path, const char *name)
{
    struct kept_file *file = &files[file_count++];
    struct stat info;

    assert_true(file_count <= FILES_MAX && strlen(name) < sizeof(file->name));
    snprintf(file->name, sizeof(file->name), "%s", name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fstat(fileno(in), &info), 0);
    file->len = (size_t)info.st_size;
    file->bytes = malloc(file->len + 1);
    assert_non_null(file->bytes);
    assert_int_equal(fread(file->bytes, 1, file->len, in), file->len);
    fclose(in);
    for (file->used = file->len; file->used > 0 && file->bytes[file->used - 1] == 0;)
        file->used--;
    file->used = file->used + 64 < file->len ? file->used + 64 : file->len;
}

static void
keep_folder(struct folder *folder, const char *below)
{
    char path[700], name[300];

    snprintf(path, sizeof(path), "%s/%s", folder->path, below);
    DIR *list = opendir(path);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", below, entry->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder->path, name);
        keep_file(path, name);
    }
    closedir(list);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind;
    return place->level > 0 ? remove(path) : 0;
}

static void
make_below(struct folder *folder, const char *name)
{
    char path[400];

    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* All as it was kept, but for the octet at `at` of `hurt`. */
static void
lay_out(struct folder *folder, const struct kept_file *hurt, size_t at, bool has_view)
{
    char path[400];

    nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    make_below(folder, "log");
    make_below(folder, "view");
    for (size_t i = 0; i < file_count; i++) {
        if (!has_view && strncmp(files[i].name, "view/", 5) == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%.*s", folder->path, (int)sizeof(files[i].name) - 1,
                 files[i].name);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        uint8_t old = hurt == &files[i] ? files[i].bytes[at] : 0;
        if (hurt == &files[i])
            files[i].bytes[at] ^= (uint8_t)(at % 3 == 0 ? 0xFF : 1 << at % 8);
        assert_int_equal(fwrite(files[i].bytes, 1, files[i].used, out), files[i].used);
        if (hurt == &files[i])
            files[i].bytes[at] = old;
        assert_int_equal(fclose(out), 0);
        assert_int_equal(truncate(path, (off_t)files[i].len), 0);
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static void
keep_piece(void *context, enum store_result result, struct slice bytes)
{
    struct buffer *text = context;

    if (result == STORE_OK)
        buffer_put(text, bytes);
}

/* In pieces, as a client may ask for them. */
static void
read_pieces(struct folder *folder, body_id body, struct buffer *text)
{
    for (size_t before = SIZE_MAX; buffer_len(text) != before;) {
        before = buffer_len(text);
        mailbox_body_read(folder->store, body, before, PIECE, keep_piece, text);
    }
}

/* Counts what is not there, and what is there and is not what was delivered. */
static void
look(struct folder *folder, unsigned *ret_lost, unsigned *ret_wrong)
{
    struct message_entry entry;
    struct buffer text;
    mailbox_id inbox;

    buffer_init(&text, 1 << 20);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct slice wanted = slice_of_string(text_of(i));
        buffer_clear(&text);
        if (mailbox_find(folder->store, account_of(i), SLICE("INBOX"), &inbox) == STORE_OK &&
            mailbox_message_get(folder->store, account_of(i), inbox, uid_of(i), &entry) ==
                STORE_OK) {
            read_pieces(folder, entry.body, &text);
            *ret_wrong += entry.len != wanted.len;
        }
        if (slice_equal(buffer_slice(&text), wanted))
            continue;
        *ret_lost += 1;
        *ret_wrong += !slice_starts_with(wanted, buffer_slice(&text));
    }
    buffer_finish(&text);
}

static void
count_finding(void *context, struct slice text)
{
    snprintf(verdict->why, sizeof(verdict->why), "%.*s", (int)text.len, (const char *)text.at);
    *(unsigned *)context += 1;
}

static unsigned
check_all(struct folder *folder)
{
    unsigned findings = 0;
    struct check *check = check_open(folder->store, count_finding, &findings);

    if (!check)
        return 1;
    while (check_step(check))
        ;
    check_close(&check);
    if (store_has_pending(folder->store))
        (void)folder_commit(folder);
    return findings;
}

static bool
open_again(struct folder *folder)
{
    struct buffer why;

    buffer_init(&why, 1024);
    verdict->error = store_open(&folder->options, &why, &folder->store);
    snprintf(verdict->why, sizeof(verdict->why), "%.*s", (int)buffer_len(&why),
             (const char *)buffer_slice(&why).at);
    buffer_finish(&why);
    return verdict->error == 0;
}

/* Damage that only a commit meets makes the view anew, and the next mail is taken. */
static bool
takes_mail(struct folder *folder)
{
    bool is_taken = false;

    for (unsigned i = 0; i < COMMITS; i++) {
        is_taken = folder_deliver(folder, NEW_ACCOUNT, "Subject: new\r\n\r\n") > 0;
        store_sync_view(folder->store);
    }
    return is_taken;
}

/* In the process that may fall. */
static void
judge(struct folder *folder)
{
    verdict->is_opened = open_again(folder);
    if (!verdict->is_opened)
        return;
    look(folder, &verdict->lost, &verdict->wrong);
    unsigned findings = check_all(folder);
    store_sync_view(folder->store);
    verdict->is_taking = takes_mail(folder);
    verdict->is_named =
        findings > 0 || strstr(folder->reports, "damaged:") || strstr(folder->reports, "tail_cut:");
    store_close(&folder->store);
    /* Damage in pages that were not in use is met later, and then the view is made anew. */
    for (unsigned i = 0; i < OPENINGS_MAX; i++) {
        verdict->is_opened = open_again(folder);
        if (!verdict->is_opened)
            return;
        verdict->lost_at_last = 0;
        look(folder, &verdict->lost_at_last, &verdict->wrong);
        verdict->findings_at_last = check_all(folder);
        store_sync_view(folder->store);
        store_close(&folder->store);
        if (verdict->findings_at_last == 0)
            break;
    }
}

/* 0, or the signal by which it fell. */
static int
try_store(struct folder *folder)
{
    int status;

    *verdict = (struct verdict){0};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka would take the fall for a failed test, and remove the folder. */
        signal(SIGBUS, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        judge(folder);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static int
make_store(void **state)
{
    static struct folder folder;

    verdict =
        mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED)
        return -1;
    folder_open(&folder);
    folder.options.segment_bytes = SEGMENT_BYTES;
    folder.options.map_bytes = 16 << 20;
    folder_open_store(&folder);
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (folder_deliver(&folder, account_of(i), text_of(i)) != uid_of(i))
            return -1;
    }
    store_close(&folder.store);
    file_count = 0;
    keep_folder(&folder, "log");
    keep_folder(&folder, "view");
    *state = &folder;
    return 0;
}

static int
remove_store(void **state)
{
    while (file_count > 0)
        free(files[--file_count].bytes);
    folder_close(*state);
    return munmap(verdict, sizeof(*verdict));
}

static size_t
stride(void)
{
    const char *step = getenv("MAILBOX_DAMAGE_STEP");

    return step ? strtoul(step, NULL, 10) : 401;
}

/* For who goes on where another run was ended, or shares the octets among several. */
static size_t
first_octet(void)
{
    const char *from = getenv("MAILBOX_DAMAGE_FROM");

    return from ? strtoul(from, NULL, 10) : 0;
}

static size_t
octets_end(const struct kept_file *file)
{
    const char *given = getenv("MAILBOX_DAMAGE_TO");
    size_t end = given ? strtoul(given, NULL, 10) : SIZE_MAX;

    return end < file->used ? end : file->used;
}

/* A part of a file may be of octets that mean nothing. */
static bool
is_whole(void)
{
    return first_octet() == 0 && !getenv("MAILBOX_DAMAGE_TO");
}

static void
say(const struct kept_file *file, size_t at)
{
    fail_msg("octet %zu of %s: opened %d (%d, %s) named %d taking %d lost %u wrong %u, then "
             "lost %u findings %u",
             at, file->name, verdict->is_opened, verdict->error, verdict->why, verdict->is_named,
             verdict->is_taking, verdict->lost, verdict->wrong, verdict->lost_at_last,
             verdict->findings_at_last);
}

static void
damage_log(struct folder *folder, bool has_view)
{
    /* The turns that made the accounts are in the log only: one of them is lost with its first. */
    unsigned lost_max = has_view ? 1 : MESSAGES / 2, tries = 0, named = 0, lost = 0;

    for (size_t i = 0; i < file_count; i++) {
        for (size_t at = first_octet();
             strncmp(files[i].name, "log/", 4) == 0 && at < octets_end(&files[i]);
             at += at < 64 && stride() > 7 ? 7 : stride()) {
            lay_out(folder, &files[i], at, has_view);
            int fallen = try_store(folder);
            if (fallen || !verdict->is_opened || !verdict->is_taking || verdict->wrong > 0 ||
                verdict->lost > lost_max || (verdict->lost > 0 && !verdict->is_named) ||
                verdict->lost_at_last > lost_max)
                say(&files[i], at);
            tries++;
            named += verdict->is_named;
            lost += verdict->lost;
        }
    }
    print_message("%u octets of the log, %s the view: %u named, %u messages lost\n", tries,
                  has_view ? "with" : "without", named, lost);
    assert_true(tries > 0 && (named > 0 || !is_whole()));
}

static void
an_octet_of_the_log_costs_one_message_at_most(void **state)
{
    damage_log(*state, true);
}

static void
without_the_view_it_costs_what_hung_on_that_turn(void **state)
{
    damage_log(*state, false);
}

/* The log has all: the view is made anew. */
static void
an_octet_of_the_view_costs_nothing(void **state)
{
    struct folder *folder = *state;
    unsigned tries = 0, named = 0, fallen = 0;

    for (size_t i = 0; i < file_count; i++) {
        for (size_t at = first_octet();
             strncmp(files[i].name, "view/", 5) == 0 && at < octets_end(&files[i]);
             at += stride()) {
            lay_out(folder, &files[i], at, true);
            folder->options.is_view_suspect = false;
            int fall = try_store(folder);
            if (fall) { /* LMDB fell; so will the store, until it is told to begin anew */
                fallen++;
                folder->options.is_view_suspect = true;
                fall = try_store(folder);
            }
            if (fall || !verdict->is_opened || !verdict->is_taking || verdict->wrong > 0 ||
                verdict->lost_at_last > 0 || verdict->findings_at_last > 0 ||
                (verdict->lost > 0 && !verdict->is_named))
                say(&files[i], at);
            tries++;
            named += verdict->is_named;
        }
    }
    folder->options.is_view_suspect = false;
    print_message("%u octets of the view: %u named, LMDB fell over %u\n", tries, named, fallen);
    assert_true(tries > 0 && (named > 0 || !is_whole()));
}

/* A word names the tests that are to run, with * and ?; without one all are. */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_octet_of_the_log_costs_one_message_at_most, make_store,
                                        remove_store),
        cmocka_unit_test_setup_teardown(without_the_view_it_costs_what_hung_on_that_turn,
                                        make_store, remove_store),
        cmocka_unit_test_setup_teardown(an_octet_of_the_view_costs_nothing, make_store,
                                        remove_store),
    };

    if (argc == 2)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
