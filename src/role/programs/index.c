/* SPDX-License-Identifier: ISC */
/* The text index, with SQLite. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_INDEX] = &role_index,
    };

    return role_process_main(roles);
}
