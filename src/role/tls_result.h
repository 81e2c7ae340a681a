/* SPDX-License-Identifier: ISC */
/* What became of TLS in a session with another host, in the terms of RFC 8460 §4.3. */
#ifndef ROLE_TLS_RESULT_H
#define ROLE_TLS_RESULT_H

#include "note/store_transport.h"

/* NULL for what is no failure. */
const char *tls_result_name(enum store_transport_tls_result result);

#endif
