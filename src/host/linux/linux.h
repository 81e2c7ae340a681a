/* SPDX-License-Identifier: ISC */
/* The Linux host: what the frame of a program calls around its roles. */
#ifndef HOST_LINUX_LINUX_H
#define HOST_LINUX_LINUX_H

#include "host/host.h"

/* Makes a host for this process. Ignores SIGPIPE and SIGXFSZ; an abort for want of memory becomes a
 * line on descriptor 2 and exit code 71. Log lines go to descriptor 2: with a
 * level prefix "<6>" when that is journald, with the time of day in front otherwise. */
MUST_USE int host_linux_open(struct host **ret_host);

/* Runs the loop until host_stop. May be called again after that. */
void host_linux_run(struct host *host);

/* Everything opened on it should be closed before; what is not, the end of the process closes. */
void host_linux_close(struct host **host);

/* Writes out log lines that wait: before _exit, exec or fork. */
void host_linux_flush_log(struct host *host);

#endif
