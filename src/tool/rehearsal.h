/* SPDX-License-Identifier: ISC */
/* What a start with a configuration would stumble over, told without starting: what only files,
 * users and other options of this machine can show. What stands in one value alone, config_parse
 * and config_check have told before. */
#ifndef TOOL_REHEARSAL_H
#define TOOL_REHEARSAL_H

#include "tool/settings.h"

/* 0, or the exit code of the first thing that is wrong; each is told. What is only odd, like a
 * certificate that is over, is told as a warning. */
MUST_USE int rehearsal_run(const struct settings *settings);

#endif
