/* SPDX-License-Identifier: ISC */
/* What speaks with strangers, and who knows who they are. */
#include "role/process.h"

int
main(void)
{
    static const struct role *const roles[ROLE_KINDS] = {
        [ROLE_SMTP] = &role_smtp,
        [ROLE_ACCESS] = &role_access,
        [ROLE_TRANSPORT] = &role_transport,
        [ROLE_AUTH] = &role_auth,
        [ROLE_ISSUER] = &role_issuer,
    };

    return role_process_main(roles);
}
