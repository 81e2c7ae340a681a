/* SPDX-License-Identifier: ISC */
#include "mailbox/log.h"

#include <errno.h>
#include <stdlib.h>

struct open_segment {
    uint32_t number; /* 0: free */
    struct host_file *file;
    uint64_t used;
};

struct turn_log {
    struct host *host;
    struct host_dir *dir;
    uint32_t shard;
    uint64_t segment_bytes;
    struct log_segment *segments;
    size_t count, size;
    /* The tail: the last segment, open for writing; NULL before the cut and while there is none
     * that can be trusted. */
    struct host_file *tail;
    uint64_t reserved;   /* octets of the tail that have room on the disk */
    uint64_t blank;      /* up to here zeros have been written ahead */
    uint64_t last_total; /* octets of the last turn */
    bool is_tight;       /* the disk would not set more aside when last asked */
    uint32_t highest;    /* number ever used */
    struct open_segment open[LOG_OPEN_MAX];
    uint64_t uses;
    bool is_cut;
    struct buffer head;
    struct slice *pieces;
    size_t pieces_size;
};

static int
compare_segments(const void *left, const void *right)
{
    const struct log_segment *a = left, *b = right;

    return a->number < b->number ? -1 : a->number > b->number;
}

static struct log_segment *
add_segment(struct turn_log *log, uint32_t number)
{
    if (log->count == log->size) {
        log->size = log->size ? log->size * 2 : 16;
        log->segments = realloc(log->segments, log->size * sizeof(*log->segments));
        if (!log->segments)
            abort();
    }
    log->segments[log->count] = (struct log_segment){.number = number};
    if (number > log->highest)
        log->highest = number;
    return &log->segments[log->count++];
}

static bool
note_file(void *context, const char *name)
{
    struct turn_log *log = context;
    uint32_t number;
    bool is_new;

    if (!segment_name_parse(slice_of_string(name), &number, &is_new))
        return true;
    if (!is_new)
        add_segment(log, number);
    else if (number > log->highest)
        log->highest = number; /* left by a crash while it was made: holds nothing */
    return true;
}

static void
say(struct buffer *why, const char *what, const char *name)
{
    buffer_clear(why);
    buffer_put_text(why, what);
    buffer_put_text(why, name);
}

/* What stands in the first octets of a file. */
enum copy { COPY_GOOD, COPY_DAMAGED, COPY_MISSING, COPY_UNREAD };

static enum copy
read_copy(struct host_file *file, uint32_t number, struct segment_header *ret_header)
{
    uint8_t bytes[SEGMENT_HEADER_LEN];
    struct segment_header header;
    int64_t got = host_file_read(file, bytes, sizeof(bytes), 0);

    if (got < 0)
        return COPY_UNREAD;
    if (got != sizeof(bytes) || !segment_header_take(slice_of(bytes, sizeof(bytes)), &header) ||
        (header.version <= SEGMENT_VERSION && header.number != number))
        return COPY_DAMAGED;
    *ret_header = header;
    return COPY_GOOD;
}

static enum copy
read_twin(struct turn_log *log, uint32_t number, struct segment_header *ret_header)
{
    char name[SEGMENT_NAME_SIZE];
    struct host_file *file = NULL;

    segment_twin_name(number, name);
    int result = host_file_open(log->dir, name, HOST_FILE_READ, &file);
    if (result < 0)
        return result == -ENOENT ? COPY_MISSING : COPY_UNREAD;
    enum copy copy = read_copy(file, number, ret_header);
    host_file_close(&file);
    return copy;
}

static int
write_header(struct host_file *file, const struct segment_header *header)
{
    struct buffer bytes;

    buffer_init(&bytes, SEGMENT_HEADER_LEN);
    segment_header_put(&bytes, header);
    struct slice piece = buffer_slice(&bytes);
    int result = host_file_write(file, &piece, 1, 0);
    if (result == 0)
        result = host_file_sync(file);
    buffer_finish(&bytes);
    return result;
}

/* Writes the header to a file of its own. */
static int
write_twin(struct turn_log *log, const struct segment_header *header)
{
    char name[SEGMENT_NAME_SIZE];
    struct host_file *file = NULL;

    segment_twin_name(header->number, name);
    int result = host_file_open(log->dir, name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file);
    if (result == 0)
        result = write_header(file, header);
    host_file_close(&file);
    return result;
}

/* Takes the header from itself or from its twin. */
static int
settle_header(struct turn_log *log, struct log_segment *segment, struct host_file *file)
{
    struct segment_header header = {0}, spare = {0};
    enum copy own = read_copy(file, segment->number, &header);
    enum copy twin = read_twin(log, segment->number, &spare);

    if (own != COPY_GOOD && twin == COPY_GOOD)
        header = spare;
    if (own != COPY_GOOD && twin != COPY_GOOD) {
        segment->is_unread = own == COPY_UNREAD || twin == COPY_UNREAD;
        return 0;
    }
    if (header.version > SEGMENT_VERSION)
        return -EPROTONOSUPPORT;
    if (header.shard != log->shard)
        return -EINVAL;
    segment->first_turn = header.first_turn;
    segment->begun = header.begun;
    segment->secret = header.secret;
    segment->epoch = header.epoch;
    segment->is_mended = own == COPY_DAMAGED || twin == COPY_DAMAGED;
    segment->lacks_header = own != COPY_GOOD;
    segment->lacks_twin = twin != COPY_GOOD; /* or is of a release that did not write it */
    /* Mended, it is there: nothing may be written in its place. */
    if (segment->len < SEGMENT_HEADER_LEN)
        segment->len = SEGMENT_HEADER_LEN;
    return 0;
}

/* Makes good whichever of the two is missing. When that fails, the other serves. */
static void
mend_header(struct turn_log *log, const struct log_segment *segment)
{
    const struct segment_header header = {
        .version = SEGMENT_VERSION,
        .shard = log->shard,
        .number = segment->number,
        .epoch = segment->epoch,
        .first_turn = segment->first_turn,
        .begun = segment->begun,
        .secret = segment->secret,
    };
    char name[SEGMENT_NAME_SIZE];
    struct host_file *file = NULL;

    segment_name(segment->number, false, name);
    if (segment->lacks_header && host_file_open(log->dir, name, HOST_FILE_WRITE, &file) == 0)
        (void)!write_header(file, &header);
    host_file_close(&file);
    if (segment->lacks_twin)
        (void)!write_twin(log, &header);
}

/* Reads a segment's size and header. */
static int
read_header(struct turn_log *log, struct log_segment *segment, struct buffer *why)
{
    char name[SEGMENT_NAME_SIZE];
    struct host_file *file = NULL;

    segment_name(segment->number, false, name);
    int result = host_file_open(log->dir, name, HOST_FILE_READ, &file);
    if (result == 0)
        result = host_file_size(file, &segment->len);
    if (result == 0)
        result = settle_header(log, segment, file);
    host_file_close(&file);
    if (result == -EPROTONOSUPPORT)
        say(why, "was written by a newer release of Facteur, use that one: log segment ", name);
    else if (result == -EINVAL)
        say(why, "belongs to another shard: log segment ", name);
    else if (result < 0)
        say(why, "cannot read log segment ", name);
    return result;
}

int
turn_log_open(struct host *host, struct host_dir *dir, uint32_t shard, uint64_t segment_bytes,
              struct buffer *why, struct turn_log **ret_log)
{
    struct turn_log *log = calloc(1, sizeof(*log));

    if (!log)
        abort();
    log->host = host;
    log->dir = dir;
    log->shard = shard;
    log->segment_bytes = segment_bytes ? segment_bytes : LOG_SEGMENT_BYTES;
    buffer_init(&log->head, SIZE_MAX);
    int result = host_dir_list(dir, note_file, log);
    if (result < 0)
        say(why, "cannot list the log's folder ", host_dir_path(dir));
    if (log->count > 0)
        qsort(log->segments, log->count, sizeof(*log->segments), compare_segments);
    for (size_t i = 0; result == 0 && i < log->count; i++)
        result = read_header(log, &log->segments[i], why);
    for (size_t i = 0; result == 0 && i < log->count; i++)
        mend_header(log, &log->segments[i]);
    if (result < 0)
        turn_log_close(&log);
    *ret_log = log;
    return result;
}

void
turn_log_close(struct turn_log **log)
{
    struct turn_log *old = *log;

    if (!old)
        return;
    for (size_t i = 0; i < LOG_OPEN_MAX; i++)
        host_file_close(&old->open[i].file);
    host_file_close(&old->tail);
    free(old->segments);
    free(old->pieces);
    buffer_finish(&old->head);
    free(old);
    *log = NULL;
}

size_t
turn_log_count(const struct turn_log *log)
{
    return log->count;
}

const struct log_segment *
turn_log_segment(const struct turn_log *log, size_t index)
{
    assert(index < log->count);
    return &log->segments[index];
}

static size_t
find_index(const struct turn_log *log, uint32_t number)
{
    size_t low = 0, high = log->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->segments[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct log_segment *
turn_log_find(const struct turn_log *log, uint32_t number)
{
    size_t index = find_index(log, number);

    return index < log->count && log->segments[index].number == number ? &log->segments[index]
                                                                       : NULL;
}

/* The file of a segment from among those kept open, the least used one giving way. */
static int
open_segment(struct turn_log *log, uint32_t number, struct host_file **ret_file)
{
    struct open_segment *oldest = &log->open[0];
    char name[SEGMENT_NAME_SIZE];

    for (size_t i = 0; i < LOG_OPEN_MAX; i++) {
        struct open_segment *open = &log->open[i];
        if (open->number == number) {
            open->used = ++log->uses;
            *ret_file = open->file;
            return 0;
        }
        if (open->used < oldest->used)
            oldest = open;
    }
    segment_name(number, false, name);
    struct host_file *file = NULL;
    int result = host_file_open(log->dir, name, HOST_FILE_READ, &file);
    if (result < 0)
        return result;
    host_file_close(&oldest->file);
    *oldest = (struct open_segment){number, file, ++log->uses};
    *ret_file = file;
    return 0;
}

static void
forget_open(struct turn_log *log, uint32_t number)
{
    for (size_t i = 0; i < LOG_OPEN_MAX; i++) {
        if (log->open[i].number == number) {
            host_file_close(&log->open[i].file);
            log->open[i] = (struct open_segment){0};
        }
    }
}

int
turn_log_read(struct turn_log *log, struct place place, void *at, size_t len)
{
    struct host_file *file;

    if (!turn_log_find(log, place.segment))
        return -ENOENT;
    int result = open_segment(log, place.segment, &file);
    if (result < 0)
        return result;
    int64_t got = host_file_read(file, at, len, place.offset);
    if (got < 0)
        return (int)got;
    return (uint64_t)got == len ? 0 : -EIO;
}

int
turn_log_remove(struct turn_log *log, uint32_t number)
{
    size_t index = find_index(log, number);
    char name[SEGMENT_NAME_SIZE];

    if (index + 1 >= log->count || log->segments[index].number != number)
        return -ENOENT;
    segment_name(number, false, name);
    forget_open(log, number);
    int result = host_dir_remove(log->dir, name);
    if (result < 0 && result != -ENOENT)
        return result;
    segment_twin_name(number, name);
    (void)!host_dir_remove(log->dir, name);
    memmove(&log->segments[index], &log->segments[index + 1],
            (log->count - index - 1) * sizeof(*log->segments));
    log->count--;
    return host_dir_sync(log->dir);
}

/* Reads a stretch of the tail and writes the same octets back. */
static int
write_again(struct turn_log *log, uint64_t start, uint64_t end)
{
    uint8_t *chunk = malloc(LOG_RESERVE_STEP);
    int result = 0;

    if (!chunk)
        abort();
    while (result == 0 && start < end) {
        size_t some = end - start < LOG_RESERVE_STEP ? (size_t)(end - start) : LOG_RESERVE_STEP;
        struct slice piece = {chunk, some};
        int64_t got = host_file_read(log->tail, chunk, some, start);
        result = got < 0 ? (int)got : (uint64_t)got < some ? -EIO : 0;
        if (result == 0)
            result = host_file_write(log->tail, &piece, 1, start);
        start += some;
    }
    free(chunk);
    return result;
}

int
turn_log_cut(struct turn_log *log, uint64_t start, uint64_t end)
{
    char name[SEGMENT_NAME_SIZE];

    assert(!log->tail);
    /* A process that died may have left names that the disk does not know yet. */
    int result = host_dir_sync(log->dir);
    if (result < 0)
        return result;
    log->is_cut = true;
    if (log->count == 0)
        return 0;
    struct log_segment *last = &log->segments[log->count - 1];
    if (last->first_turn == 0)
        return 0; /* without a header: the next turn begins a new one */
    segment_name(last->number, false, name);
    result = host_file_open(log->dir, name, HOST_FILE_WRITE, &log->tail);
    if (result == 0)
        result = host_file_truncate(log->tail, end);
    if (result == 0)
        result = write_again(log, start, end);
    if (result == 0)
        result = host_file_sync(log->tail);
    if (result < 0) {
        host_file_close(&log->tail);
        return result;
    }
    last->len = log->reserved = log->blank = end;
    return 0;
}

bool
turn_log_is_cut(const struct turn_log *log)
{
    return log->is_cut;
}

int
turn_log_trim_end(struct turn_log *log, uint32_t number, uint64_t end)
{
    size_t index = find_index(log, number);
    struct host_file *file = NULL;
    char name[SEGMENT_NAME_SIZE];

    if (index + 1 >= log->count || log->segments[index].number != number)
        return -ENOENT;
    segment_name(number, false, name);
    int result = host_file_open(log->dir, name, HOST_FILE_WRITE, &file);
    if (result == 0)
        result = host_file_truncate(file, end);
    host_file_close(&file);
    /* From here on nobody looks behind it, whatever became of the file. */
    log->segments[index].len = end;
    return result;
}

/* ---- the tail ------------------------------------------------------------------------------ */

/* Ends the tail; what was set aside and not used is given back. */
static void
seal_tail(struct turn_log *log)
{
    if (!log->tail)
        return;
    /* When this fails, zeros or the remains of a failed turn stay behind the end: walks know both.
     */
    (void)!host_file_truncate(log->tail, log->segments[log->count - 1].len);
    host_file_close(&log->tail);
}

/* A segment that begins on a full disk must have the spare, too: where it cannot, the tail, which
 * has it, grows over its length. */
static int
reserve_spare(struct host_file *file)
{
    int result = host_file_reserve(file, SEGMENT_HEADER_LEN + LOG_SPARE);

    return result == -EOPNOTSUPP ? 0 : result;
}

/* What was begun of it and is not used: each turn on a full disk would leave one more. */
static void
forget_segment(struct turn_log *log, uint32_t number)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(number, true, name);
    (void)!host_dir_remove(log->dir, name);
    segment_twin_name(number, name);
    (void)!host_dir_remove(log->dir, name);
}

/* Makes the header durable under the name .new first: so a .seg always has a header. Once the name
 * .seg may stand on the disk, it makes void what the segment before it gets: that one is then
 * ended, whether we have the new one or not. */
static int
make_segment(struct turn_log *log, const struct segment_header *header, struct host_file **ret_file)
{
    char name[SEGMENT_NAME_SIZE], new_name[SEGMENT_NAME_SIZE];
    struct host_file *file = NULL;

    segment_name(header->number, true, new_name);
    segment_name(header->number, false, name);
    int result = write_twin(log, header);
    if (result == 0)
        result = host_file_open(log->dir, new_name, HOST_FILE_WRITE | HOST_FILE_CREATE, &file);
    if (result == 0)
        result = write_header(file, header);
    if (result == 0 && log->tail)
        result = reserve_spare(file);
    if (result < 0) {
        forget_segment(log, header->number);
    } else {
        seal_tail(log);
        result = host_dir_rename(log->dir, new_name, name);
    }
    if (result == 0)
        result = host_dir_sync(log->dir);
    if (result < 0)
        host_file_close(&file);
    *ret_file = file;
    return result;
}

static int
begin_segment(struct turn_log *log, uint64_t epoch, uint64_t first_turn)
{
    struct segment_header header = {
        .version = SEGMENT_VERSION,
        .shard = log->shard,
        .number = ++log->highest,
        .epoch = epoch,
        .first_turn = first_turn,
        .begun = host_wall(log->host),
    };
    struct host_file *file = NULL;

    host_random(log->host, &header.secret, sizeof(header.secret));
    int result = make_segment(log, &header, &file);
    if (result < 0)
        return result;
    log->tail = file;
    log->is_tight = false;
    struct log_segment *segment = add_segment(log, header.number);
    segment->len = log->reserved = log->blank = SEGMENT_HEADER_LEN;
    segment->first_turn = first_turn;
    segment->begun = header.begun;
    segment->secret = header.secret;
    segment->epoch = epoch;
    return 0;
}

/* Sees to it that the disk has room up to `end`; on a full disk the last LOG_SPARE octets are left
 * to turns that change what is there, and half of them to those that free space. */
static int
make_room(struct turn_log *log, uint64_t end, enum turn_need turn_need)
{
    static const uint32_t spares[] = {
        [TURN_TAKES] = LOG_SPARE, [TURN_CHANGES] = LOG_SPARE / 2, [TURN_FREES] = 0};
    uint64_t need = end + spares[turn_need];

    if (end + LOG_SPARE <= log->reserved)
        return 0;
    uint64_t step = ((end + LOG_SPARE) / LOG_RESERVE_STEP + 1) * LOG_RESERVE_STEP;
    int result = host_file_reserve(log->tail, step);
    if (result == 0) {
        log->reserved = step;
        log->is_tight = false;
        return 0;
    }
    if (result == -EOPNOTSUPP)
        return 0;
    log->is_tight = result == -ENOSPC;
    if (need <= log->reserved)
        return 0;
    if (result == -ENOSPC && (result = host_file_reserve(log->tail, need)) == 0)
        log->reserved = need;
    return result;
}

static void
add_piece(struct turn_log *log, size_t *count, struct slice piece)
{
    if (piece.len == 0)
        return;
    if (*count == log->pieces_size) {
        log->pieces_size = log->pieces_size ? log->pieces_size * 2 : 64;
        log->pieces = realloc(log->pieces, log->pieces_size * sizeof(*log->pieces));
        if (!log->pieces)
            abort();
    }
    log->pieces[(*count)++] = piece;
}

/* Header and meta from our buffer, bodies from where they are, zeros at the end. */
static size_t
gather(struct turn_log *log, const struct turn *turn, uint64_t total)
{
    static const uint8_t zeros[TURN_ALIGN];
    size_t count = 0;
    uint64_t len = buffer_len(&log->head);

    add_piece(log, &count, buffer_slice(&log->head));
    for (size_t i = 0; i < turn->body_count; i++) {
        const struct turn_body *body = &turn->bodies[i];
        add_piece(log, &count, body->parts[0]);
        add_piece(log, &count, body->parts[1]);
        add_piece(log, &count, body->record);
        len += body->parts[0].len + body->parts[1].len + body->record.len;
    }
    add_piece(log, &count, slice_of(zeros, total - len));
    return count;
}

/* Writes and syncs at the tail. *ret_is_torn: it is unknown what the disk has now. */
static int
write_turn(struct turn_log *log, const struct turn *turn, uint64_t epoch, uint64_t number,
           bool *ret_is_torn)
{
    struct log_segment *last = &log->segments[log->count - 1];
    uint64_t total = turn_len(turn);
    struct turn_stamp stamp = {log->shard, epoch, number, last->secret, {last->number, last->len}};

    int result = make_room(log, last->len + total, turn->need);
    if (result < 0)
        return result;
    buffer_clear(&log->head);
    if (!turn_put(turn, &stamp, &log->head))
        return -EMSGSIZE;
    size_t count = gather(log, turn, total);
    result = host_file_write_durably(log->tail, log->pieces, count, last->len, ret_is_torn);
    if (result < 0 && host_file_truncate(log->tail, last->len) < 0)
        *ret_is_torn = true;
    if (result < 0)
        log->reserved = log->blank = last->len;
    else
        last->len += total;
    if (log->reserved < last->len)
        log->reserved = last->len;
    log->last_total = total;
    return result;
}

void
turn_log_rest(struct turn_log *log)
{
    buffer_finish(&log->head);
    free(log->pieces);
    log->pieces = NULL;
    log->pieces_size = 0;
}

/* Where the next zeros begin. */
static uint64_t
blank_from(const struct turn_log *log)
{
    uint64_t end = log->segments[log->count - 1].len;

    return end > log->blank ? end : log->blank;
}

bool
turn_log_is_unprepared(const struct turn_log *log)
{
    if (!log->tail || log->is_tight || log->last_total > LOG_BLANK_TURN_MAX)
        return false;
    return log->blank < log->segments[log->count - 1].len + LOG_BLANK_STEP &&
           log->reserved >= blank_from(log) + LOG_BLANK_STEP;
}

void
turn_log_prepare(struct turn_log *log)
{
    static const uint8_t zeros[LOG_BLANK_STEP / LOG_BLANK_PIECES];
    const struct slice piece = slice_of(zeros, sizeof(zeros));

    if (!turn_log_is_unprepared(log))
        return;
    uint64_t from = blank_from(log);
    int result = 0;
    log->blank = from;
    for (size_t i = 0; result == 0 && i < LOG_BLANK_PIECES; i++)
        result = host_file_write(log->tail, &piece, 1, from + i * sizeof(zeros));
    if (result == 0 && host_file_push(log->tail, from, LOG_BLANK_STEP) == 0)
        log->blank = from + LOG_BLANK_STEP;
}

int
turn_log_append(struct turn_log *log, const struct turn *turn, uint64_t epoch, uint64_t number,
                struct place *ret_place)
{
    int result = -EMSGSIZE;

    if (turn_len(turn) == 0)
        return result;
    for (int tries = 0; tries < 2; tries++) {
        bool is_torn = false;
        if (!log->tail ||
            (log->segments[log->count - 1].len >= log->segment_bytes && !log->is_tight)) {
            result = begin_segment(log, epoch, number);
            if (result < 0 && !log->tail)
                return tries == 0 ? result
                                  : -EIO; /* while there is a tail, it may grow over its length */
        }
        struct log_segment *last = &log->segments[log->count - 1];
        struct place place = {last->number, last->len};
        result = write_turn(log, turn, epoch, number, &is_torn);
        if (result == 0)
            *ret_place = place;
        if (!is_torn)
            return result == 0 || tries == 0 ? result : -EIO;
        /* What a failed sync has left on the disk nobody can know: the segment ends before it, and
         * the header of the next one makes void what may stand there. */
        seal_tail(log);
    }
    return result;
}
