/* SPDX-License-Identifier: ISC */
/* The world as a role sees it: clock, timers, streams, channels of notes, bodies in memory, files.
 * Two hosts implement this page: linux/ (libuv) and sim/ (the simulator). A role is a state
 * machine on it and knows neither.
 *
 * One thread. A handler is never called from inside a call that a role makes, only from the loop;
 * opening, closing and watching are legal in every handler, also closing the object that it is
 * about. `*_close` accepts a pointer to NULL and sets the pointer to NULL.
 * Results: 0 or a count, or a negative errno. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/buffer.h"
#include "base/time.h"

struct host;

/* An open thing that can be handed to another process along with a note: a descriptor on Linux, a
 * number of the simulator's there. Owned by exactly one holder. */
typedef int host_handle;
#define HOST_HANDLE_NONE (-1)

void host_handle_close(struct host *host, host_handle handle);
/* A second handle for the same open thing (dup), so that it can be sent on twice; or -errno. */
MUST_USE host_handle host_handle_copy(struct host *host, host_handle handle);

/* A longer piece of memory is asked of the kernel by itself, and is the kernel's again when it is
 * freed; shorter ones come from the heap of the process. */
enum { HOST_MEMORY_SINGLE_MAX = 2 * 1024 * 1024 };

/* ---- clock, randomness, log ---------------------------------------------------------------- */

/* Monotonic; the same all through one handler call. */
struct instant host_now(struct host *host);
struct wall host_wall(struct host *host);
void host_random(struct host *host, void *ret_bytes, size_t len);

/* Writes one log line (no line end in it; one is added). Lines gather and leave at the end of the
 * loop's turn. See log.h for how lines are built. */
enum host_level { HOST_LEVEL_ERROR = 3, HOST_LEVEL_WARNING, HOST_LEVEL_NOTICE, HOST_LEVEL_INFO,
                  HOST_LEVEL_DEBUG }; /* the numbers of syslog (RFC 5424 §6.2.1) */
void host_log(struct host *host, enum host_level level, struct slice line);

/* What log.h obeys; set once by whoever runs the host, and again at a reload. */
struct host_log_settings {
    enum host_level level_max; /* lines above it are not built */
    bool mask_addresses;       /* local parts of mail addresses become a short hash */
    bool mask_peers;           /* network addresses lose their host part */
    uint64_t mask_seed;        /* the same in all processes: equal addresses get equal hashes */
    char process[24];          /* "smtp/0" */
};
void host_log_configure(struct host *host, const struct host_log_settings *settings);
const struct host_log_settings *host_log_settings(const struct host *host);

/* ---- timers and jobs ----------------------------------------------------------------------- */

typedef void (*host_fn)(void *context);

struct host_timer;
struct host_timer *host_timer_open(struct host *host, host_fn fn, void *context);
/* Fires once at `when` (or at the next turn of the loop if that has passed); replaces an earlier
 * setting. INSTANT_NEVER disarms. */
void host_timer_set(struct host_timer *timer, struct instant when);
void host_timer_close(struct host_timer **timer);

/* Calls fn once, after everything that is ready now has been handled: the place to do, in one
 * batch, what the handlers of this turn of the loop have gathered. */
void host_defer(struct host *host, host_fn fn, void *context);

/* Work has been done that is as rare as a start: when this process comes to rest, what only that
 * work needed goes back to the kernel, as after the start. */
void host_rest_again(struct host *host);

/* Ends the loop of this host, after the deferred jobs. */
void host_stop(struct host *host);

/* ---- streams ------------------------------------------------------------------------------- */

enum host_family { HOST_FAMILY_UNIX, HOST_FAMILY_IPV4, HOST_FAMILY_IPV6 };

struct host_address {
    enum host_family family;
    uint8_t bytes[16]; /* network order; 4 of them for IPv4 */
    uint16_t port;
    uint32_t user; /* of a peer on a unix socket: whose process it is */
};

enum { HOST_READABLE = 1, HOST_WRITABLE = 2 };

struct host_stream;
typedef void (*host_stream_fn)(void *context, unsigned events);

/* Connects; the first HOST_WRITABLE event says that it is connected, or that a read will tell why
 * not. */
MUST_USE int host_stream_connect(struct host *host, const struct host_address *address,
                                 struct host_stream **ret_stream);
/* The same from one of our own addresses, of the same family; its port does not matter. */
MUST_USE int host_stream_connect_from(struct host *host, const struct host_address *from,
                                      const struct host_address *address,
                                      struct host_stream **ret_stream);

/* Which events (level-triggered, 0 for none) call fn. Close of the peer is HOST_READABLE. */
void host_stream_watch(struct host_stream *stream, unsigned events, host_stream_fn fn,
                       void *context);

/* Bytes moved, 0 at the end of the peer's data, -EAGAIN when nothing can move now. */
MUST_USE int64_t host_stream_read(struct host_stream *stream, void *at, size_t len);
MUST_USE int64_t host_stream_write(struct host_stream *stream, struct slice bytes);
/* The same for bytes behind which more or the end comes at once: they may leave in one packet. */
MUST_USE int64_t host_stream_write_near_end(struct host_stream *stream, struct slice bytes);

/* Sends the end of our data. */
void host_stream_shut(struct host_stream *stream);
void host_stream_close(struct host_stream **stream);

/* A proxy has said for whom it speaks: that is the peer from here on. */
void host_stream_set_peer(struct host_stream *stream, const struct host_address *peer);
/* Who is at the other end, and to which of our addresses it came. */
void host_stream_peer(const struct host_stream *stream, struct host_address *ret_address);
void host_stream_local(const struct host_stream *stream, struct host_address *ret_address);

struct host_listener;
/* The stream belongs to the callee. */
typedef void (*host_accept_fn)(void *context, struct host_stream *stream);

/* Takes over a listening handle, got from the parent. */
struct host_listener *host_listener_open(struct host *host, host_handle handle, host_accept_fn fn,
                                         void *context);
/* While paused, newcomers wait in the kernel's queue. */
void host_listener_pause(struct host_listener *listener, bool is_paused);
void host_listener_close(struct host_listener **listener);

/* ---- channels of notes --------------------------------------------------------------------- */

/* A note travels whole or not at all; longer than this it is refused by the sender's side. */
enum { HOST_NOTE_MAX = 72 * 1024 };

struct host_channel;

struct host_channel_handler {
    /* One note came. `note` is valid during the call. `handle` belongs to the callee
     * (HOST_HANDLE_NONE when none came with it). */
    void (*on_note)(void *context, struct slice note, host_handle handle);
    /* The peer is gone. Nothing more will be called; the callee closes the channel. */
    void (*on_closed)(void *context);
    /* After host_channel_is_full was true: there is room again. May be NULL. */
    void (*on_room)(void *context);
};

/* Takes over the handle of one end; NULL when it is none. */
struct host_channel *host_channel_open(struct host *host, host_handle handle,
                                       const struct host_channel_handler *handler, void *context);

/* Queues a note; it leaves at the end of this turn of the loop, many in one system call, or at once
 * when it is long. Takes `handle` over in any case. Notes are never dropped while the channel
 * stands: senders that can wait look at host_channel_is_full first; the hard bound behind it closes
 * the channel. */
void host_channel_send(struct host_channel *channel, struct slice note, host_handle handle);

/* True while more than HOST_CHANNEL_SOFT bytes wait to leave. */
enum { HOST_CHANNEL_SOFT = 1024 * 1024, HOST_CHANNEL_HARD = 32 * 1024 * 1024 };
bool host_channel_is_full(const struct host_channel *channel);
/* While paused, no note is handed over: they wait in the kernel, and then at the peer, who sees
 * its channel become full. A few notes that have already been fetched may still come. */
void host_channel_pause(struct host_channel *channel, bool is_paused);
void host_channel_close(struct host_channel **channel);

/* A connected pair, one end for each of two processes. */
MUST_USE int host_channel_pair(struct host *host, host_handle *ret_left, host_handle *ret_right);

/* Sends a note over one end of a pair and waits for a note from there: nothing else happens in this
 * process meanwhile. Only for what is answered within a millisecond and asked by a library that
 * cannot go on later (a signature in a TLS handshake). An empty question only waits, for another
 * answer. `ret_answer` is cleared first. 0; -ETIMEDOUT: no answer; -EAGAIN: the peer takes no
 * question; -EPIPE and the like: it is gone. The handle stays the caller's. */
MUST_USE int host_ask(struct host *host, host_handle handle, struct slice question,
                      struct duration patience, struct buffer *ret_answer);

/* For unix sockets of kind SEQPACKET that the tool connects to: each accepted peer is a channel. */
typedef void (*host_channel_accept_fn)(void *context, host_handle handle);
struct host_listener *host_channel_listener_open(struct host *host, host_handle handle,
                                                 host_channel_accept_fn fn, void *context);

/* ---- helpers ------------------------------------------------------------------------------- */

/* Work that takes milliseconds or blocks (hashing a password, PAM) and must not hold up the loop:
 * a child process that answers one note after another, in their order, by calling `fn`. The caller
 * opens a channel on the handle, sends questions and gets each answer as a note; closing the
 * channel ends the helper, and a helper that dies closes the channel. Open helpers before the
 * process is confined and before it has read secrets: they inherit what is there.
 * The simulator calls `fn` in its own process. */
enum host_helper_kind {
    HOST_HELPER_PURE,       /* computes only: gives up all rights at once */
    HOST_HELPER_PRIVILEGED, /* keeps the rights of now: PAM, name service, letter boxes */
};
typedef void (*host_helper_fn)(void *context, struct slice question, struct buffer *answer);
MUST_USE int host_helper_open(struct host *host, enum host_helper_kind kind, host_helper_fn fn,
                              void *context, host_handle *ret_handle);

/* ---- errands: programs of this machine ------------------------------------------------------ */

/* A program with a fixed argument vector: no shell sees it. It has PATH, HOME, USER, LOGNAME and
 * SHELL in its environment, its user's home as folder, a session of its own, and `input` at
 * descriptor 0; what it says at 1 and 2 is kept up to a bound. Set-user-ID programs get no more
 * rights. When it ends, what is left of its session's processes is killed. -ENOSYS in the
 * simulator. */
struct host_errand_order {
    const char *user; /* never root; "": ours */
    const char *const *arguments; /* NULL-terminated; [0] is an absolute path */
    const char *const *variables; /* "NAME=value", NULL-terminated */
    host_handle input; /* a sealed blob, read by nobody else; stays the caller's */
    uint64_t memory_bytes_max;    /* of address space, for each of its processes */
    uint32_t processor_s_max;
    size_t output_bytes_max;
};
struct host_errand;
/* Its exit code or -signal number. The callee closes the errand. */
typedef void (*host_errand_fn)(void *context, int status, struct slice output);
/* -ENOENT: no such user or program; -EPERM: the user is root, or we may not become that user; or
 * why the program could not be executed. */
MUST_USE int host_errand_open(struct host *host, const struct host_errand_order *order,
                              host_errand_fn fn, void *context, struct host_errand **ret_errand);
/* Asks its processes to end (SIGTERM), or ends them. */
void host_errand_stop(struct host_errand *errand, bool is_last_word);
/* One that still runs is killed, and fn is not called. */
void host_errand_close(struct host_errand **errand);

/* A stream to a unix socket of this machine; for another process, which makes a stream of it. */
MUST_USE int host_unix_connect(struct host *host, const char *path, host_handle *ret_handle);
/* The two ends of a stream within this machine, for two processes. */
MUST_USE int host_stream_pair(struct host *host, host_handle *ret_left, host_handle *ret_right);
/* Takes over the handle of a connected stream. */
MUST_USE int host_stream_adopt(struct host *host, host_handle handle,
                               struct host_stream **ret_stream);

/* ---- bodies in memory ---------------------------------------------------------------------- */

/* Bytes written by one process, then sealed for good, and handed to another (a memfd on Linux). */
struct host_blob;
MUST_USE int host_blob_open(struct host *host, struct host_blob **ret_blob);
MUST_USE int host_blob_put(struct host_blob *blob, struct slice bytes);
/* Seals it, closes the blob and gives the handle to pass on. */
MUST_USE int host_blob_seal(struct host_blob **blob, host_handle *ret_handle);
void host_blob_close(struct host_blob **blob);

/* Maps a sealed blob that another process sent, read-only; refuses what is not sealed (-EPERM).
 * The handle stays the caller's. */
struct host_mapping {
    struct slice bytes;
};
MUST_USE int host_blob_map(struct host *host, host_handle handle, struct host_mapping *ret_mapping);
void host_blob_unmap(struct host *host, struct host_mapping *mapping);

/* A part of a mapping of a file that a library made: the pages that it touches can be read again
 * from the file, and need not count as this process's memory until then. */
void host_mapping_forget(struct host *host, struct slice part);

/* The same, but it will be read soon: it is asked for from the disk, and nobody waits. A part that
 * is not mapped is no error. */
void host_mapping_want(struct host *host, struct slice part);

/* ---- descriptors of libraries -------------------------------------------------------------- */

/* Calls fn while there is something to read at a descriptor that belongs to a library (a resolver).
 * It is watched through a copy: the library may close its own at any time. -ENOSYS in the
 * simulator, which has no libraries that open sockets. */
struct host_descriptor;
MUST_USE int host_descriptor_open(struct host *host, int descriptor, host_fn fn, void *context,
                                  struct host_descriptor **ret_descriptor);
void host_descriptor_close(struct host_descriptor **descriptor);

/* ---- files --------------------------------------------------------------------------------- */

/* Files are reached below a folder that is open; a name is one component ("/", "." and ".." are
 * refused with -EINVAL), and a symbolic link is never followed. Calls block: only roles that own a
 * disk (store, auth, letterbox) use them. */
struct host_dir;
struct host_file;

enum {
    HOST_FILE_READ = 0,
    HOST_FILE_WRITE = 1,     /* read and write */
    HOST_FILE_CREATE = 2,    /* make it when it is not there, mode 0600 */
    HOST_FILE_EXCLUSIVE = 4, /* with CREATE: -EEXIST when it is there */
    HOST_FILE_SHARED = 8,    /* with CREATE: mode 0644, for what other users may read */
};

MUST_USE int host_dir_open(struct host *host, const char *path, struct host_dir **ret_dir);
MUST_USE int host_dir_open_below(struct host_dir *dir, const char *name, struct host_dir **ret_dir);
void host_dir_close(struct host_dir **dir);
/* The path it was opened by, for libraries that open files themselves (LMDB) and for messages. */
const char *host_dir_path(const struct host_dir *dir);
MUST_USE int host_dir_make(struct host_dir *dir, const char *name);
MUST_USE int host_dir_rename(struct host_dir *dir, const char *from, const char *to);
/* Between two folders of one file system (Maildir: from tmp to new). */
MUST_USE int host_dir_move(struct host_dir *from_dir, const char *from, struct host_dir *to_dir,
                           const char *to);
/* A file or an empty folder. */
MUST_USE int host_dir_remove(struct host_dir *dir, const char *name);
/* Makes creations, renames and removals in it durable. */
MUST_USE int host_dir_sync(struct host_dir *dir);
/* Calls fn for each name in it, in no order, without "." and ".."; stops when fn returns false. */
typedef bool (*host_dir_fn)(void *context, const char *name);
MUST_USE int host_dir_list(struct host_dir *dir, host_dir_fn fn, void *context);

MUST_USE int host_file_open(struct host_dir *dir, const char *name, unsigned flags,
                            struct host_file **ret_file);
void host_file_close(struct host_file **file);
/* Reads up to len bytes; fewer only at the end of the file. */
MUST_USE int64_t host_file_read(struct host_file *file, void *at, size_t len, uint64_t offset);
/* Writes all pieces one after another, or returns the error after an unknown part of them. */
MUST_USE int host_file_write(struct host_file *file, const struct slice *pieces, size_t count,
                             uint64_t offset);
/* Writes like host_file_write and makes what it has written durable, in one system call where that
 * is possible. After an error *ret_is_unknown says whether it may or may not be on the disk; else
 * the error came before anything was synced. */
MUST_USE int host_file_write_durably(struct host_file *file, const struct slice *pieces,
                                     size_t count, uint64_t offset, bool *ret_is_unknown);
MUST_USE int host_file_size(struct host_file *file, uint64_t *ret_size);
/* What the file system says of a file; `inode` tells whether a name still means the open file. */
struct host_file_info {
    uint64_t size;
    uint64_t inode;
    struct wall modified;
    uint32_t owner; /* user number */
    uint32_t mode;  /* permission bits */
    bool is_folder;
};
MUST_USE int host_file_info(struct host_file *file, struct host_file_info *ret_info);
MUST_USE int host_dir_find(struct host_dir *dir, const char *name, struct host_file_info *ret_info);
/* Has the file system set aside room up to `size` (the size that is read grows to it, the new
 * bytes are zeros), so that later writes below it can neither fail for want of space nor make a
 * sync write more than data. -EOPNOTSUPP where it cannot: go on without. */
MUST_USE int host_file_reserve(struct host_file *file, uint64_t size);
MUST_USE int host_file_truncate(struct host_file *file, uint64_t size);
/* Makes written data durable (fdatasync). */
MUST_USE int host_file_sync(struct host_file *file);
/* Has the disk begin to write a part of the file, without waiting for it and without promising
 * anything: a later sync finds less to do. */
MUST_USE int host_file_push(struct host_file *file, uint64_t offset, uint64_t len);
/* An exclusive lock held until close; -EWOULDBLOCK when another process has it. */
MUST_USE int host_file_lock(struct host_file *file);
/* A number that changes when the file of that name is written to or replaced; -ENOENT without. */
MUST_USE int host_dir_stamp(struct host_dir *dir, const char *name, uint64_t *ret_stamp);
/* The exclusive lock of fcntl over the whole file, which other mail programs take on an mbox;
 * -EWOULDBLOCK when another process has it. */
MUST_USE int host_file_lock_record(struct host_file *file);
/* From here to host_user_leave files are opened with the rights of this system user, when the
 * process was left the right to that (letterbox, as root); otherwise only "" and the user that we
 * are are accepted: -EPERM. -ENOENT for a user that does not exist. */
MUST_USE int host_user_assume(struct host *host, const char *user);
void host_user_leave(struct host *host);
/* The number and the home folder of a system user ("": of us); -ENOENT when there is none. */
enum { HOST_HOME_MAX = 1024 };
struct host_user {
    uint32_t number;
    char home[HOST_HOME_MAX];
};
MUST_USE int host_user_find(struct host *host, const char *user, struct host_user *ret_user);
/* Free and total bytes of the file system. */
MUST_USE int host_dir_space(struct host_dir *dir, uint64_t *ret_free, uint64_t *ret_total);

#endif
