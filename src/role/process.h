/* SPDX-License-Identifier: ISC */
/* What each child process runs: a host, and the frame around the role that the parent names. */
#ifndef ROLE_PROCESS_H
#define ROLE_PROCESS_H

#include "role/role.h"

/* All of a program that has `roles` (by kind; NULL: not this one). Returns an exit code. */
int role_process_main(const struct role *const *roles);

#endif
