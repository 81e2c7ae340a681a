/* SPDX-License-Identifier: ISC */
#include "base/hash.h"
#include "mailbox/log.h"

#include <errno.h>

enum { WALK_CHUNK = 1 << 20 };

void
log_walk_open(struct log_walk *walk, struct turn_log *log, struct place from, bool is_thorough)
{
    *walk = (struct log_walk){.log = log, .place = from, .is_thorough = is_thorough};
    buffer_init(&walk->meta, TURN_META_MAX);
    buffer_init(&walk->chunk, WALK_CHUNK);
}

void
log_walk_close(struct log_walk *walk)
{
    buffer_finish(&walk->meta);
    buffer_finish(&walk->chunk);
}

/* Reads `len` octets (at most the buffer's bound) into it. */
static int
fetch(struct log_walk *walk, struct buffer *buffer, struct place place, size_t len,
      struct slice *ret_bytes)
{
    buffer_clear(buffer);
    uint8_t *at = buffer_reserve(buffer, len ? len : 1);
    if (!at)
        return -EMSGSIZE;
    int result = len ? turn_log_read(walk->log, place, at, len) : 0;
    if (result < 0)
        return result;
    buffer_commit(buffer, len);
    *ret_bytes = buffer_slice(buffer);
    return 0;
}

/* The hash of `len` octets at `place`: 1 when it is the wanted one, 0, or a negative errno. */
static int
has_hash(struct log_walk *walk, struct place place, uint64_t len, uint64_t wanted)
{
    struct hash_stream *stream = hash_stream_open();
    struct slice bytes;
    int result = 0;

    while (len > 0 && result == 0) {
        size_t some = len < WALK_CHUNK ? (size_t)len : WALK_CHUNK;
        result = fetch(walk, &walk->chunk, place, some, &bytes);
        if (result == 0)
            hash_stream_put(stream, bytes);
        place.offset += some;
        len -= some;
    }
    uint64_t hash = hash_stream_close(&stream);
    return result < 0 ? result : hash == wanted;
}

static int
are_bodies_good(struct log_walk *walk, const struct log_found *found)
{
    struct turn_reader reader;
    struct turn_row row;
    int result = turn_open_meta(found->meta, &found->header, &reader);

    for (uint32_t i = 0; result > 0 && i < found->header.body_count; i++) {
        if (!turn_take_row(&reader, &row))
            return 0;
        struct place place = {found->place.segment, found->place.offset + row.offset};
        result = has_hash(walk, place, row.len, row.hash);
        place.offset += row.len;
        if (result > 0)
            result = has_hash(walk, place, row.record_len, row.record_hash);
    }
    return result;
}

/* Reads header and meta at walk->place: 1 good, 0 not a turn, or a negative errno. */
static int
read_turn(struct log_walk *walk, const struct log_segment *segment, struct log_found *found)
{
    struct turn_reader reader;
    struct slice bytes;
    uint64_t left = segment->len - walk->place.offset;

    if (left < TURN_HEADER_LEN)
        return 0;
    int result = fetch(walk, &walk->chunk, walk->place, TURN_HEADER_LEN, &bytes);
    if (result < 0)
        return result;
    switch (turn_take_header(bytes, segment->secret, walk->place, &found->header)) {
    case TURN_NEWER:
        return -EPROTONOSUPPORT;
    case TURN_BAD:
        return 0;
    case TURN_GOOD:
        break;
    }
    if (found->header.total_len > left)
        return 0;
    struct place meta = {walk->place.segment, walk->place.offset + TURN_HEADER_LEN};
    result = fetch(walk, &walk->meta, meta, found->header.meta_len, &found->meta);
    if (result < 0)
        return result;
    if (turn_meta_hash(found->meta, segment->secret) != found->header.meta_hash ||
        !turn_open_meta(found->meta, &found->header, &reader))
        return 0;
    found->event = LOG_TURN;
    found->place = walk->place;
    found->len = found->header.total_len;
    return 1;
}

/* What lies before the next header of a turn. */
struct stretch {
    uint64_t end;   /* where that header is, or the segment's end */
    bool is_blank;  /* only zeros, up to the segment's end */
    bool is_unread; /* some of it cannot be read */
};

/* Looks for a turn's header from `from` on. */
static int
find_turn(struct log_walk *walk, const struct log_segment *segment, uint64_t from,
          struct stretch *ret_stretch)
{
    struct stretch stretch = {.end = segment->len, .is_blank = true};
    struct turn_header header;
    struct slice bytes;

    for (uint64_t at = from; at < segment->len;) {
        uint64_t left = segment->len - at;
        size_t some = left < WALK_CHUNK ? (size_t)left : WALK_CHUNK;
        int result = fetch(walk, &walk->chunk, (struct place){segment->number, at}, some, &bytes);
        if (result == -EIO) { /* a bad spot of the disk: look behind it */
            stretch.is_blank = false;
            stretch.is_unread = true;
            at += some;
            continue;
        }
        if (result < 0)
            return result;
        for (size_t i = 0; i < some; i += TURN_ALIGN) {
            struct slice rest = slice_skip(bytes, i);
            if (rest.len >= 4 && (rest.at[0] | rest.at[1] | rest.at[2] | rest.at[3]) == 0)
                continue;
            stretch.is_blank = false;
            if (turn_take_header(rest, segment->secret, (struct place){segment->number, at + i},
                                 &header) != TURN_BAD) {
                stretch.end = at + i;
                *ret_stretch = stretch;
                return 0;
            }
        }
        /* Chunks overlap by a header, so that none is cut in two. */
        at += left <= WALK_CHUNK ? some : some - TURN_HEADER_LEN;
    }
    *ret_stretch = stretch;
    return 0;
}

static const struct log_segment *
segment_at(const struct turn_log *log, uint32_t number, const struct log_segment **ret_next)
{
    for (size_t i = 0; i < turn_log_count(log); i++) {
        const struct log_segment *segment = turn_log_segment(log, i);
        if (segment->number >= number) {
            *ret_next = i + 1 < turn_log_count(log) ? turn_log_segment(log, i + 1) : NULL;
            return segment;
        }
    }
    return NULL;
}

static void
go_to_next_segment(struct log_walk *walk)
{
    walk->place = (struct place){walk->place.segment + 1, 0};
}

/* What stands at walk->place is no turn, or cannot be read. 1: *found says what it is; 0: go on. */
static int
pass_over(struct log_walk *walk, const struct log_segment *segment,
          const struct log_segment *next_segment, bool is_unread, struct log_found *found)
{
    struct stretch stretch;

    int result = find_turn(walk, segment, walk->place.offset, &stretch);
    if (result < 0)
        return result;
    if (stretch.end == walk->place.offset) /* a header whose turn is not whole: look behind it */
        result = find_turn(walk, segment, stretch.end + TURN_ALIGN, &stretch);
    if (result < 0)
        return result;
    is_unread |= stretch.is_unread;
    found->place = walk->place;
    found->len = stretch.end - walk->place.offset;
    if (stretch.end < segment->len) {
        found->event = is_unread ? LOG_UNREAD : LOG_DAMAGED;
        walk->place.offset = stretch.end;
        return 1;
    }
    go_to_next_segment(walk);
    found->event = is_unread ? LOG_UNREAD : next_segment ? LOG_DAMAGED : LOG_TAIL;
    found->is_blank = stretch.is_blank && !is_unread;
    bool is_whole = next_segment && walk->last != 0 && next_segment->first_turn == walk->last + 1;
    return next_segment && (found->is_blank || is_whole) ? 0 : 1;
}

/* A turn with a bad body is the torn tail where that can still be, unless another turn follows. One
 * whose body cannot be read may be that or not, unless another turn follows: then it was kept, and
 * who reads the body is told. */
static int
judge_bodies(struct log_walk *walk, const struct log_segment *segment, bool is_open,
             struct log_found *found)
{
    uint64_t end = found->place.offset + found->len;
    struct stretch stretch = {.end = segment->len};

    int body = are_bodies_good(walk, found);
    if (body == 1)
        return 1;
    if (body < 0 && body != -EIO)
        return body;
    int result = is_open ? find_turn(walk, segment, end, &stretch) : 0;
    if (result < 0)
        return result;
    if (!is_open || stretch.end < segment->len) {
        found->is_body_damaged = body == 0;
        return 1;
    }
    found->event = body < 0 || stretch.is_unread ? LOG_UNREAD : LOG_TAIL;
    found->len = segment->len - found->place.offset;
    go_to_next_segment(walk);
    return 1;
}

int
log_walk_next(struct log_walk *walk, struct log_found *ret_found)
{
    for (;;) {
        const struct log_segment *next,
            *segment = segment_at(walk->log, walk->place.segment, &next);
        struct log_found found = {0};
        if (!segment)
            return 0;
        if (walk->place.segment != segment->number || walk->place.offset < SEGMENT_HEADER_LEN)
            walk->place = (struct place){segment->number, SEGMENT_HEADER_LEN};
        if (segment->first_turn == 0) {
            found.event = segment->is_unread ? LOG_UNREAD : LOG_DAMAGED;
            found.place = (struct place){segment->number, 0};
            found.len = segment->len;
            go_to_next_segment(walk);
            *ret_found = found;
            return 1;
        }
        if (walk->place.offset >= segment->len) {
            go_to_next_segment(walk);
            continue;
        }
        int result = read_turn(walk, segment, &found);
        if (result > 0 && next && next->first_turn != 0 &&
            found.header.number >= next->first_turn) {
            go_to_next_segment(walk); /* void: it was written again */
            continue;
        }
        if (result > 0) {
            walk->place.offset += found.len;
            bool is_open = !next && !turn_log_is_cut(walk->log);
            if (walk->is_thorough || is_open)
                result = judge_bodies(walk, segment, is_open, &found);
        } else if (result == 0 || result == -EIO) {
            result = pass_over(walk, segment, next, result == -EIO, &found);
        }
        if (result != 0) {
            if (found.event == LOG_TURN)
                walk->last = found.header.number;
            *ret_found = found;
            return result;
        }
    }
}
