/* SPDX-License-Identifier: ISC */
/* Private keys, and what computes with them. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_KEYS] = &role_keys,
    };

    return role_process_main(roles);
}
