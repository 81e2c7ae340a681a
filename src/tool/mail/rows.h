/* SPDX-License-Identifier: ISC */
/* Messages as a list: one line each, or JSON. */
#ifndef TOOL_MAIL_ROWS_H
#define TOOL_MAIL_ROWS_H

#include "tool/mail/pick.h"

/* Fetches the headers and writes the list. */
MUST_USE int rows_write(struct client_folder *folder, const struct picked *picked, bool is_json);

/* The same as trees of conversations. */
MUST_USE int rows_write_threads(struct client_folder *folder, const struct picked *picked,
                                bool is_json);

#endif
