/* SPDX-License-Identifier: ISC */
/* Which media type a file is sent as, by the ending of its name. */
#ifndef MIME_FILE_TYPE_H
#define MIME_FILE_TYPE_H

#include "base/slice.h"

/* "image/png" for "holiday.PNG"; "application/octet-stream" for what is not known. */
const char *mime_file_type(struct slice name);

#endif
