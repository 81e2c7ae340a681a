/* SPDX-License-Identifier: ISC */
/* Self-signed certificates as files: for the demo and the lab. */
#ifndef TOOL_CERTIFICATE_H
#define TOOL_CERTIFICATE_H

#include "base/slice.h"

/* Makes a key and a certificate for these names, and writes both, readable for the user alone. 0,
 * or an exit code after having said what is wrong with a name or a file. */
MUST_USE int certificate_make_files(const struct slice *names, size_t count, const char *chain_path,
                                    const char *key_path);

#endif
