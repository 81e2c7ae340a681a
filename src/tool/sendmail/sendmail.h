/* SPDX-License-Identifier: ISC */
/* What programs of a Unix machine call to send mail: `sendmail`, `mailq`, `newaliases`. */
#ifndef TOOL_SENDMAIL_SENDMAIL_H
#define TOOL_SENDMAIL_SENDMAIL_H

#include "base/slice.h"

/* True when the program was called by one of these names. */
bool sendmail_is_name(const char *program);

/* Runs it with the words of main; returns an exit code. */
int sendmail_main(int count, char **words);

#endif
