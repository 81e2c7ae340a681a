/* SPDX-License-Identifier: ISC */
#include "host/people.h"

#include <pwd.h>

bool
host_people_each(host_people_fn fn, void *context)
{
    const struct passwd *user;
    bool goes_on = true;

    setpwent();
    while (goes_on && (user = getpwent()))
        goes_on = fn(context, user->pw_uid, slice_of_string(user->pw_name),
                     slice_of_string(user->pw_gecos ? user->pw_gecos : ""));
    endpwent();
    return goes_on;
}
