/* SPDX-License-Identifier: ISC */
/* Questions to name servers. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_RESOLVE] = &role_resolve,
    };

    return role_process_main(roles);
}
