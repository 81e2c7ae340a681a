/* SPDX-License-Identifier: ISC */
/* Response codes and capabilities, as the client reads them. */
#include "imap/client.h"
#include "imap/grammar.h"

bool
imap_client_parse_append_uid(struct slice code, uint32_t *ret_uid_validity, uint32_t *ret_uid)
{
    struct cursor cursor = cursor_of(code);
    uint32_t uid_validity, uid;

    if (!imap_take_word(&cursor, SLICE("APPENDUID")) || !imap_take_space(&cursor) ||
        !imap_take_nz_number(&cursor, &uid_validity) || !imap_take_space(&cursor) ||
        !imap_take_nz_number(&cursor, &uid) || !cursor_is_done(&cursor))
        return false;
    *ret_uid_validity = uid_validity;
    *ret_uid = uid;
    return true;
}
