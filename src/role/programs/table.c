/* SPDX-License-Identifier: ISC */
/* Tables that other programs keep, with the libraries of all kinds. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_TABLE] = &role_table,
    };

    return role_process_main(roles);
}
