/* SPDX-License-Identifier: ISC */
/* The log of turns: files NNNNNNNN.seg in one folder, written at the tail of the last, read
 * anywhere.
 *
 * A segment begins with a header (format version, shard, epoch, first turn, wall time, secret). It
 * is sealed when the next one is begun. Room is set aside in steps, so that a sync seldom has to
 * write more than data. A segment whose header says first turn N makes void every turn >= N that
 * stands in segments before it: that is how a turn is written again after a sync has failed,
 * whatever the disk kept of the first try.
 *
 * Without the secret in its header a segment cannot be walked. So the header stands twice, in a
 * file NNNNNNNN.twin too; whichever of them is damaged is mended from the other when the log is
 * opened. */
#ifndef MAILBOX_LOG_H
#define MAILBOX_LOG_H

#include "host/host.h"
#include "mailbox/segment.h"
#include "mailbox/turn.h"

enum {
    LOG_RESERVE_STEP = 8 << 20,    /* room is set aside so many octets at a time */
    LOG_BLANK_STEP = 256 << 10,    /* of it, so much is written with zeros ahead of the tail */
    LOG_BLANK_PIECES = 16,         /* in so many writes: what one has put side by side, the kernel
                                    * keeps as one, and looks at all of it for each small turn */
    LOG_BLANK_TURN_MAX = 64 << 10, /* turns for which that pays */
    LOG_SPARE = 1 << 20,          /* of it, only for turns that free space, when the disk is full */
    LOG_OPEN_MAX = 64,            /* segments kept open for reading */
    LOG_SEGMENT_BYTES = 64 << 20, /* a segment is sealed when it is longer, by default */
};

struct turn_log;

struct log_segment {
    uint32_t number;
    uint64_t len;        /* octets up to the end of its last turn; before the cut: of the file */
    uint64_t first_turn; /* as its header says; 0: the header is damaged */
    struct wall begun;
    uint64_t secret;
    uint64_t epoch;
    bool is_mended; /* header or twin was damaged when the log was opened */
    bool is_unread; /* the disk could read neither (the other may be damaged): first_turn is 0 */
    bool lacks_header, lacks_twin;
};

/* Opens the folder's segments and reads their headers. 0, or a negative errno with a sentence in
 * `why`; a newer format gives -EPROTONOSUPPORT and nothing is touched. A segment whose header is
 * damaged, and its twin too, can be read, but not walked; the same when the disk cannot read
 * them (is_unread). `dir` and `host` are borrowed. */
MUST_USE int turn_log_open(struct host *host, struct host_dir *dir, uint32_t shard,
                           uint64_t segment_bytes, struct buffer *why, struct turn_log **ret_log);
void turn_log_close(struct turn_log **log);

/* Segments by rising number; the pointer is valid until the next append or removal. */
size_t turn_log_count(const struct turn_log *log);
const struct log_segment *turn_log_segment(const struct turn_log *log, size_t index);
const struct log_segment *turn_log_find(const struct turn_log *log, uint32_t number);

/* What a walk over turns meets. */
enum log_event {
    LOG_TURN,    /* a good turn: header, rows and changes */
    LOG_DAMAGED, /* [place, place + len) holds no turn, but turns follow: gone on behind it */
    LOG_TAIL,    /* [place, place + len): nothing good from here on in the last segment */
    LOG_UNREAD,  /* [place, place + len) cannot be read, or not all of it (EIO): what stands there
                    nobody knows; the next time it may be a turn */
};

struct log_found {
    enum log_event event;
    struct place place;
    uint64_t len;
    struct turn_header header;
    struct slice meta;
    bool is_body_damaged; /* asked for with is_thorough */
    bool is_blank;        /* LOG_TAIL: nothing but zeros */
};

/* A walk. Before the cut: in the last segment a turn whose bodies are not whole and that no good
 * turn follows is the torn tail: nobody was told that it is durable. */
struct log_walk {
    struct turn_log *log;
    struct place place;
    bool is_thorough; /* check the bodies of all turns, not only of the last segment's */
    uint64_t last;    /* number of the turn before `place`; 0: not known. Between it and the first
                         turn of the next segment nothing is missing: what lies there is the rest
                         of a turn that failed, no damage */
    struct buffer meta;
    struct buffer chunk;
};

/* Starts at `from` ({0, 0}: at the first segment). The log is borrowed; it may grow meanwhile. */
void log_walk_open(struct log_walk *walk, struct turn_log *log, struct place from,
                   bool is_thorough);
/* The next thing: 1, or 0 at the end of the log, or a negative errno (-EPROTONOSUPPORT for a turn
 * of a newer format). What it found is valid until the next call. */
MUST_USE int log_walk_next(struct log_walk *walk, struct log_found *ret_found);
void log_walk_close(struct log_walk *walk);

/* Makes `end` the end of the last segment: what lies behind is cut off. Once, before appending.
 * [start, end) is the last turn found there, or empty: it is written again, because a process may
 * have died between a failed sync and the answer, and after that failure a kernel shows octets as
 * written that never reached the disk. */
MUST_USE int turn_log_cut(struct turn_log *log, uint64_t start, uint64_t end);
/* After it, every turn up to the ends of the segments is known to have been durable once. */
bool turn_log_is_cut(const struct turn_log *log);

/* Cuts what lies behind `end` off a segment that is not the last. */
MUST_USE int turn_log_trim_end(struct turn_log *log, uint32_t number, uint64_t end);

/* Appends one turn under this epoch and number and syncs it. 0: durable, *ret_place is where it
 * begins. Otherwise a negative errno and the log is as if nothing had been asked; -ENOSPC when the
 * disk is full, -EMSGSIZE when the turn is over a bound. After a failed sync the turn is tried
 * again in a fresh segment before giving up with -EIO: only then, and only if the disk then loses
 * power before the next turn, may the turn be found there after all. */
MUST_USE int turn_log_append(struct turn_log *log, const struct turn *turn, uint64_t epoch,
                             uint64_t number, struct place *ret_place);

/* Gives back memory that only large turns needed. */
void turn_log_rest(struct turn_log *log);

/* Between turns, while nobody waits: writes zeros far enough ahead of small turns (large ones gain
 * nothing), where room is set aside. Turns that then go over them leave the file's map of blocks as
 * it is, and their sync is half as dear. The disk gets them meanwhile; what fails does no harm. */
void turn_log_prepare(struct turn_log *log);
/* Whether that would do anything now. */
bool turn_log_is_unprepared(const struct turn_log *log);

/* Reads exactly len octets; -EIO when they are not there, -ENOENT when the segment is not. */
MUST_USE int turn_log_read(struct turn_log *log, struct place place, void *at, size_t len);

/* Deletes a sealed segment. */
MUST_USE int turn_log_remove(struct turn_log *log, uint32_t number);

#endif
