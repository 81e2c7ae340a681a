/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/links.h"
#include "host/linux/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    struct host *host;
    char path[64];
    struct host_dir *dir;
};

static int
open_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    memcpy(place->path, "/tmp/host_file_XXXXXX", sizeof("/tmp/host_file_XXXXXX"));
    assert_non_null(mkdtemp(place->path));
    assert_int_equal(host_linux_open(&place->host), 0);
    assert_int_equal(host_dir_open(place->host, place->path, &place->dir), 0);
    *state = place;
    return 0;
}

static bool
remove_entry(void *context, const char *name)
{
    struct place *place = context;
    struct host_dir *below;

    if (host_dir_open_below(place->dir, name, &below) == 0) {
        struct place inner = {.dir = below};
        assert_int_equal(host_dir_list(below, remove_entry, &inner), 0);
        host_dir_close(&below);
    }
    assert_int_equal(host_dir_remove(place->dir, name), 0);
    return true;
}

static int
close_place(void **state)
{
    struct place *place = *state;

    assert_int_equal(host_dir_list(place->dir, remove_entry, place), 0);
    host_dir_close(&place->dir);
    host_linux_close(&place->host);
    assert_int_equal(rmdir(place->path), 0);
    free(place);
    return 0;
}

static void
write_whole(struct host_dir *dir, const char *name, struct slice bytes)
{
    struct host_file *file;

    assert_int_equal(host_file_open(dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    assert_int_equal(host_file_truncate(file, 0), 0);
    assert_int_equal(host_file_write(file, &bytes, 1, 0), 0);
    assert_int_equal(host_file_sync(file), 0);
    host_file_close(&file);
}

static void
pieces_are_written_one_after_another(void **state)
{
    struct place *place = *state;
    struct slice pieces[200];
    uint8_t read_back[2000];
    struct host_file *file;
    uint64_t size;

    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        pieces[i] = i % 5 == 0 ? SLICE("") : i % 2 ? SLICE("odd") : SLICE("even");
    assert_int_equal(host_file_open(place->dir, "f", HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    assert_int_equal(host_file_write(file, pieces, COUNT_OF(pieces), 3), 0);
    assert_int_equal(host_file_write(file, pieces, 0, 0), 0);
    size_t expected = 3;
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        expected += pieces[i].len;
    assert_int_equal(host_file_size(file, &size), 0);
    assert_int_equal(size, expected);
    assert_int_equal(host_file_read(file, read_back, sizeof(read_back), 0), expected);
    assert_memory_equal(read_back, "\0\0\0oddevenoddevenevenodd", 10);
    size_t at = 3;
    for (size_t i = 0; i < COUNT_OF(pieces); at += pieces[i++].len)
        assert_true(slice_equal(slice_of(read_back + at, pieces[i].len), pieces[i]));
    assert_int_equal(host_file_read(file, read_back, 10, expected + 1), 0);
    host_file_close(&file);
}

static void
names_lead_down_only_and_links_lead_nowhere(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    struct host_dir *dir;
    char path[128];
    static const char *const bad[] = {"", ".", "..", "a/b", "/etc/passwd", "../x"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(host_file_open(place->dir, bad[i], 0, &file), -EINVAL);
        assert_int_equal(host_dir_open_below(place->dir, bad[i], &dir), -EINVAL);
        assert_int_equal(host_dir_make(place->dir, bad[i]), -EINVAL);
        assert_int_equal(host_dir_remove(place->dir, bad[i]), -EINVAL);
        assert_int_equal(host_dir_rename(place->dir, "a", bad[i]), -EINVAL);
        assert_int_equal(host_dir_rename(place->dir, bad[i], "a"), -EINVAL);
    }
    snprintf(path, sizeof(path), "%s/link", place->path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(host_file_open(place->dir, "link", 0, &file), -ELOOP);
    assert_int_equal(host_dir_remove(place->dir, "link"), 0);
    assert_int_equal(symlink("/etc", path), 0);
    assert_int_equal(host_dir_open_below(place->dir, "link", &dir), -ENOTDIR);
    snprintf(path, sizeof(path), "%s/fifo", place->path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(host_file_open(place->dir, "fifo", 0, &file), -EINVAL);
}

static void
exclusive_creation_happens_once(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    unsigned flags = HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EXCLUSIVE;
    struct host_file_info info;

    assert_int_equal(host_file_open(place->dir, "f", flags, &file), 0);
    host_file_close(&file);
    assert_int_equal(host_file_open(place->dir, "f", flags, &file), -EEXIST);
    assert_int_equal(host_file_open(place->dir, "none", HOST_FILE_WRITE, &file), -ENOENT);
    assert_int_equal(host_dir_find(place->dir, "f", &info), 0);
    assert_false(info.is_folder);
    assert_int_equal(info.owner, getuid());
    assert_int_equal(host_dir_find(place->dir, "none", &info), -ENOENT);
}

static void
names_move_between_folders(void **state)
{
    struct place *place = *state;
    struct host_dir *tmp, *new;
    struct host_file_info info;
    uint64_t before, after, free_bytes, total;

    assert_int_equal(host_dir_make(place->dir, "tmp"), 0);
    assert_int_equal(host_dir_make(place->dir, "new"), 0);
    assert_int_equal(host_dir_make(place->dir, "new"), -EEXIST);
    assert_int_equal(host_dir_open_below(place->dir, "tmp", &tmp), 0);
    assert_int_equal(host_dir_open_below(place->dir, "new", &new), 0);
    assert_string_equal(host_dir_path(new) + strlen(place->path), "/new");
    write_whole(tmp, "a", SLICE("1"));
    assert_int_equal(host_dir_stamp(tmp, "a", &before), 0);
    assert_int_equal(host_dir_move(tmp, "a", new, "b"), 0);
    assert_int_equal(host_dir_find(tmp, "a", &info), -ENOENT);
    assert_int_equal(host_dir_find(new, "b", &info), 0);
    assert_int_equal(info.size, 1);
    write_whole(new, "b", SLICE("22"));
    assert_int_equal(host_dir_stamp(new, "b", &after), 0);
    assert_int_not_equal(before, after);
    assert_int_equal(host_dir_sync(new), 0);
    assert_int_equal(host_dir_space(new, &free_bytes, &total), 0);
    assert_true(total > 0 && free_bytes <= total);
    assert_int_equal(host_dir_remove(place->dir, "new"), -ENOTEMPTY);
    host_dir_close(&tmp);
    host_dir_close(&new);
}

static void
reserved_room_reads_as_zeros(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    uint8_t bytes[100];
    uint64_t size;

    assert_int_equal(host_file_open(place->dir, "f", HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    int error = host_file_reserve(file, 1000000);
    if (error != -EOPNOTSUPP) {
        assert_int_equal(error, 0);
        assert_int_equal(host_file_size(file, &size), 0);
        assert_int_equal(size, 1000000);
        assert_int_equal(host_file_read(file, bytes, sizeof(bytes), 999950), 50);
        for (int i = 0; i < 50; i++)
            assert_int_equal(bytes[i], 0);
    }
    host_file_close(&file);
}

/* In a child, since a process never conflicts with its own fcntl lock. */
static int
lock_result_of_another_process(struct host_dir *dir, int (*lock)(struct host_file *))
{
    pid_t pid = fork();

    if (pid == 0) {
        struct host_file *file;
        int error = host_file_open(dir, "f", HOST_FILE_WRITE, &file);
        _exit(error < 0 ? 1 : lock(file) == -EWOULDBLOCK ? 2 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void
locks_keep_others_out(void **state)
{
    struct place *place = *state;
    struct host_file *file;

    write_whole(place->dir, "f", SLICE("x"));
    assert_int_equal(host_file_open(place->dir, "f", HOST_FILE_WRITE, &file), 0);
    assert_int_equal(lock_result_of_another_process(place->dir, host_file_lock), 0);
    assert_int_equal(host_file_lock(file), 0);
    assert_int_equal(lock_result_of_another_process(place->dir, host_file_lock), 2);
    assert_int_equal(lock_result_of_another_process(place->dir, host_file_lock_record), 0);
    assert_int_equal(host_file_lock_record(file), 0);
    assert_int_equal(lock_result_of_another_process(place->dir, host_file_lock_record), 2);
    host_file_close(&file);
    assert_int_equal(lock_result_of_another_process(place->dir, host_file_lock), 0);
}

static void
names_of_a_file_are_counted(void **state)
{
    struct place *place = *state;
    struct host_file *file;
    char from[80], to[80];
    uint64_t links;

    assert_int_equal(host_file_open(place->dir, "f", HOST_FILE_WRITE | HOST_FILE_CREATE, &file), 0);
    assert_int_equal(host_file_links(file, &links), 0);
    assert_int_equal(links, 1);
    snprintf(from, sizeof(from), "%s/f", place->path);
    snprintf(to, sizeof(to), "%s/g", place->path);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(host_file_links(file, &links), 0);
    assert_int_equal(links, 2);
    host_file_close(&file);
}

enum { MAP_PAGES = 128, MAP_PAGE = 4096, MAP_WAITS_MAX = 5000 };

static size_t
count_pages_there(uint8_t *map)
{
    unsigned char there[MAP_PAGES];
    size_t count = 0;

    assert_int_equal(mincore(map, sizeof(there) * MAP_PAGE, there), 0);
    for (size_t i = 0; i < sizeof(there); i++)
        count += there[i] & 1;
    return count;
}

/* A library's map that is read at random: nothing comes by itself. */
static void
a_part_of_a_map_that_is_wanted_comes(void **state)
{
    struct place *place = *state;
    uint8_t *bytes = calloc(MAP_PAGES, MAP_PAGE);
    char path[80];

    write_whole(place->dir, "map", slice_of(bytes, (size_t)MAP_PAGES * MAP_PAGE));
    free(bytes);
    snprintf(path, sizeof(path), "%s/map", place->path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    uint8_t *map = mmap(NULL, (size_t)MAP_PAGES * MAP_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(madvise(map, (size_t)MAP_PAGES * MAP_PAGE, MADV_RANDOM), 0);
    host_mapping_want(place->host, slice_of(map + 1, (size_t)MAP_PAGES * MAP_PAGE - 2));
    for (int i = 0; i < MAP_WAITS_MAX && count_pages_there(map) < MAP_PAGES; i++)
        usleep(1000);
    assert_int_equal(count_pages_there(map), MAP_PAGES);
    host_mapping_want(place->host, slice_of(map, (size_t)MAP_PAGES * MAP_PAGE)); /* is there */
    /* Reaches past the map's end, and a part that is nowhere: no error. */
    host_mapping_want(place->host, slice_of(map + MAP_PAGE, (size_t)MAP_PAGES * MAP_PAGE));
    assert_int_equal(munmap(map, (size_t)MAP_PAGES * MAP_PAGE), 0);
    host_mapping_want(place->host, slice_of(map, MAP_PAGE));
    close(fd);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(pieces_are_written_one_after_another),
        WITH_PLACE(names_lead_down_only_and_links_lead_nowhere),
        WITH_PLACE(exclusive_creation_happens_once),
        WITH_PLACE(names_move_between_folders),
        WITH_PLACE(reserved_room_reads_as_zeros),
        WITH_PLACE(locks_keep_others_out),
        WITH_PLACE(names_of_a_file_are_counted),
        WITH_PLACE(a_part_of_a_map_that_is_wanted_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
