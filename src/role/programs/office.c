/* SPDX-License-Identifier: ISC */
/* What keeps and finds, with no network and no TLS. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_STORE] = &role_store,
        [ROLE_ROUTE] = &role_route,
        [ROLE_DELIVER] = &role_deliver,
        [ROLE_LETTERBOX] = &role_letterbox,
        [ROLE_HAND] = &role_hand,
    };

    return role_process_main(roles);
}
