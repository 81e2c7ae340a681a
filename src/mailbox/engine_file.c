/* SPDX-License-Identifier: ISC */
/* The embedded engine: the log of turns in a folder of this machine. Every completion is called
 * before the call returns. Ownership is a lock on a file, held until the process ends. */
#include "mailbox/engine.h"

#include <errno.h>
#include <stdlib.h>

enum {
    /* Bodies that are read in the order of the log come in large pieces: one system call then
     * serves dozens. */
    AHEAD_BYTES = 128 << 10,
    AHEAD_GAP_MAX = 16 << 10, /* what may be passed over; more is not in order */
    AHEAD_RUN = 4,            /* after so many in order */
};

struct engine_file {
    struct engine engine;
    struct host_dir *log_dir;
    struct host_file *lock;
    struct turn_log *log;
    uint64_t epoch;
    struct buffer read;
    uint8_t *ahead; /* of the log's durable part, which never changes; NULL: nothing */
    struct place ahead_place;
    size_t ahead_len;
    struct place next; /* where the last read ended */
    unsigned run;      /* reads that were in order */
};

static struct engine_file *
file_engine(struct engine *engine)
{
    return CONTAINER_OF(engine, struct engine_file, engine);
}

static int
file_acquire(struct engine *engine, uint64_t epoch, uint64_t turn, uint64_t *ret_epoch)
{
    (void)turn;
    *ret_epoch = file_engine(engine)->epoch = epoch + 1;
    return 0;
}

static int
file_replay(struct engine *engine, struct place from, uint64_t turn, bool is_first,
            engine_turn_fn fn, void *context)
{
    struct engine_file *file = file_engine(engine);
    size_t count = turn_log_count(file->log);
    struct log_walk walk;
    struct log_found found;
    int result;

    if (count == 0)
        return is_first ? turn_log_cut(file->log, 0, 0) : 0;
    const struct log_segment *last = turn_log_segment(file->log, count - 1);
    uint64_t end = last->len, start = end;
    log_walk_open(&walk, file->log, from, false);
    walk.last = turn;
    while ((result = log_walk_next(&walk, &found)) > 0) {
        if (found.event == LOG_TAIL)
            end = found.place.offset;
        else if (found.event == LOG_TURN && found.place.segment == last->number)
            start = found.place.offset;
        if (!fn(context, &found)) {
            result = -ECANCELED;
            break;
        }
    }
    log_walk_close(&walk);
    return result < 0 || !is_first ? result : turn_log_cut(file->log, start, end);
}

static void
file_commit(struct engine *engine, const struct turn *turn, uint64_t number, engine_commit_fn fn,
            void *context)
{
    struct engine_file *file = file_engine(engine);
    struct place place = {0};
    int result = turn_log_append(file->log, turn, file->epoch, number, &place);

    fn(context,
       result == 0                                                  ? ENGINE_DURABLE
       : result == -ENOSPC || result == -EDQUOT || result == -EFBIG ? ENGINE_NO_SPACE
                                                                    : ENGINE_FAILED,
       place);
}

/* What is in order runs on; anything else ends the run, and gives its memory back. */
static void
count_run(struct engine_file *file, struct place place, size_t len)
{
    bool is_next = place.segment == file->next.segment && place.offset >= file->next.offset &&
                   place.offset - file->next.offset <= AHEAD_GAP_MAX;

    file->next = (struct place){place.segment, place.offset + len};
    file->run = is_next ? file->run + 1 : 0;
    if (is_next)
        return;
    free(file->ahead);
    file->ahead = NULL;
}

static void
read_ahead(struct engine_file *file, struct place place, size_t len)
{
    const struct log_segment *segment = turn_log_find(file->log, place.segment);

    if (file->run < AHEAD_RUN || !segment || place.offset + len > segment->len || len > AHEAD_BYTES)
        return;
    uint64_t there = segment->len - place.offset;
    size_t some = there < AHEAD_BYTES ? (size_t)there : AHEAD_BYTES;
    if (!file->ahead)
        file->ahead = malloc(AHEAD_BYTES);
    if (!file->ahead)
        abort();
    file->ahead_place = place;
    file->ahead_len = turn_log_read(file->log, place, file->ahead, some) == 0 ? some : 0;
}

/* The octets if they were read already; at is NULL if not. */
static struct slice
find_ahead(const struct engine_file *file, struct place place, size_t len)
{
    uint64_t start = place.offset - file->ahead_place.offset;
    bool is_there = file->ahead && place.segment == file->ahead_place.segment &&
                    place.offset >= file->ahead_place.offset && start <= file->ahead_len &&
                    len <= file->ahead_len - start;

    return is_there ? slice_of(file->ahead + start, len) : slice_of(NULL, 0);
}

static void
file_body_read(struct engine *engine, struct place place, size_t len, engine_read_fn fn,
               void *context)
{
    struct engine_file *file = file_engine(engine);

    count_run(file, place, len);
    if (!find_ahead(file, place, len).at)
        read_ahead(file, place, len);
    struct slice there = find_ahead(file, place, len);
    if (there.at) {
        fn(context, 0, there);
        return;
    }
    buffer_clear(&file->read);
    uint8_t *at = buffer_reserve(&file->read, len ? len : 1);
    int result = !at ? -EMSGSIZE : len ? turn_log_read(file->log, place, at, len) : 0;
    fn(context, result, result == 0 ? slice_of(at, len) : slice_of("", 0));
    /* One large body must not be paid for as long as the process lives. */
    if (len > 4 * 1024 * 1024)
        buffer_finish(&file->read);
}

static void
file_checkpoint(struct engine *engine, struct place place)
{
    (void)engine;
    (void)place; /* segments stay until they are trimmed */
}

static int
file_trim(struct engine *engine, uint32_t segment)
{
    return turn_log_remove(file_engine(engine)->log, segment);
}

static struct turn_log *
file_log(struct engine *engine)
{
    return file_engine(engine)->log;
}

static void
file_rest(struct engine *engine)
{
    struct engine_file *file = file_engine(engine);

    turn_log_rest(file->log);
    buffer_finish(&file->read);
    free(file->ahead);
    file->ahead = NULL;
}

static void
file_close(struct engine **engine)
{
    struct engine_file *file = file_engine(*engine);

    turn_log_close(&file->log);
    host_file_close(&file->lock);
    host_dir_close(&file->log_dir);
    buffer_finish(&file->read);
    free(file->ahead);
    free(file);
    *engine = NULL;
}

static const struct engine_ops file_ops = {
    file_acquire,    file_replay, file_commit, file_body_read,
    file_checkpoint, file_trim,   file_log,    file_rest,    file_close,
};

static int
open_folder(struct engine_file *file, struct host_dir *dir, struct buffer *why)
{
    int result = host_dir_make(dir, "log");

    if (result == 0 || result == -EEXIST)
        result = host_dir_sync(dir);
    if (result == 0)
        result = host_dir_open_below(dir, "log", &file->log_dir);
    if (result == 0)
        result = host_file_open(dir, "lock", HOST_FILE_WRITE | HOST_FILE_CREATE, &file->lock);
    if (result < 0) {
        buffer_put_text(why, "cannot make or open the log's folder in ");
        buffer_put_text(why, host_dir_path(dir));
        return result;
    }
    result = host_file_lock(file->lock);
    if (result < 0) {
        buffer_put_text(why, "another process has the store open: ");
        buffer_put_text(why, host_dir_path(dir));
    }
    return result;
}

int
engine_file_open(struct host *host, struct host_dir *dir, uint32_t shard, uint64_t segment_bytes,
                 struct buffer *why, struct engine **ret_engine)
{
    struct engine_file *file = calloc(1, sizeof(*file));

    if (!file)
        abort();
    file->engine.ops = &file_ops;
    buffer_init(&file->read, (size_t)BODY_LEN_MAX + BODY_RECORD_MAX);
    struct engine *engine = &file->engine;
    int result = open_folder(file, dir, why);
    if (result == 0)
        result = turn_log_open(host, file->log_dir, shard, segment_bytes, why, &file->log);
    if (result < 0)
        file_close(&engine);
    *ret_engine = engine;
    return result;
}
