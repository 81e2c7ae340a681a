/* SPDX-License-Identifier: ISC */
/* What only the parent and the tool do: start and watch processes, catch signals, bind listening
 * sockets, connect to a process's unix socket. */
#ifndef HOST_LINUX_PROCESS_H
#define HOST_LINUX_PROCESS_H

#include "host/host.h"

#include <sys/types.h>

/* ---- children ------------------------------------------------------------------------------ */

/* The descriptor under which a spawned process finds its channel to the parent. */
enum { HOST_PROCESS_CHANNEL = 3 };

struct host_process;

/* How it ended: exit code, or -signal number. The callee closes the process. */
typedef void (*host_process_exit_fn)(void *context, int status);

/* A program of ours by its name; NULL: this one. They stand in one folder, or, installed, in a
 * folder of libexec. What is opened stays what it is when its file is replaced, so that who starts
 * a process a month later starts the version that it knows. ret_path (may be NULL) gets the file's
 * path, or when there is none the last one that was looked at. */
MUST_USE int host_program_open(const char *name, struct buffer *ret_path, host_handle *ret_program);
/* The exit code of a process whose program could not be executed, or lacks a library. */
enum { HOST_PROCESS_NOT_EXECUTED = 127 };
/* This process becomes `program`; returns -errno when it cannot. */
int host_program_become(host_handle program, const char *const *arguments);

/* Runs `program` (borrowed) with `arguments` (NULL-terminated, [0] is its name) and
 * `channel` as descriptor HOST_PROCESS_CHANNEL. It inherits descriptor 2 and nothing else, not even
 * the environment (but LANG, TZ and *SAN_OPTIONS), is out of reach of the terminal's signals, and
 * is killed when this process ends. Takes `channel` over in any case. */
MUST_USE int host_process_spawn(struct host *host, host_handle program,
                                const char *const *arguments, host_handle channel,
                                host_process_exit_fn on_exit, void *context,
                                struct host_process **ret_process);

pid_t host_process_id(const struct host_process *process);
void host_process_signal(struct host_process *process, int signal);
/* Stops watching; the process itself goes on. */
void host_process_close(struct host_process **process);

/* In the child: the channel to the parent that spawn left; -EBADF when there is none. */
MUST_USE int host_process_parent_channel(host_handle *ret_handle);

/* ---- signals ------------------------------------------------------------------------------- */

struct host_signal;
/* Calls fn from the loop each time `signal` comes. */
MUST_USE int host_signal_open(struct host *host, int signal, host_fn fn, void *context,
                              struct host_signal **ret_signal);
void host_signal_close(struct host_signal **signal);

/* ---- listening sockets --------------------------------------------------------------------- */

/* Binds and listens; IPv6 sockets take IPv6 only. -EADDRINUSE, -EACCES, -EADDRNOTAVAIL as from
 * bind. `ret_port` (may be NULL) tells the port when the address asked for port 0. */
MUST_USE int host_listen_tcp(const struct host_address *address, host_handle *ret_handle,
                             uint16_t *ret_port);

/* A unix socket of kind SEQPACKET at `path`, made with `mode` (for the tool). Replaces a socket
 * that nobody listens to any more; -EADDRINUSE when somebody does. */
MUST_USE int host_listen_channel(const char *path, mode_t mode, host_handle *ret_handle);

/* The same for streams: LMTP on this machine. */
MUST_USE int host_listen_unix(const char *path, mode_t mode, host_handle *ret_handle);

/* Connects to a socket of host_listen_channel; the handle is for host_channel_open. */
MUST_USE int host_channel_connect(const char *path, host_handle *ret_handle);

/* ---- supervisor ---------------------------------------------------------------------------- */

/* Tells systemd (a datagram to $NOTIFY_SOCKET): "READY=1", "STATUS=…". Returns 0 also when there is
 * no supervisor. */
int host_supervisor_tell(struct slice state);

#endif
