/* SPDX-License-Identifier: ISC */
#ifndef HOST_LINUX_HELPER_PRIVATE_H
#define HOST_LINUX_HELPER_PRIVATE_H

/* In a helper that only computes: gives up everything but memory and its channel. */
int helper_confine(void);

#endif
