/* SPDX-License-Identifier: ISC */
#include "tool/certificate.h"

#include "tls/certificate.h"
#include "tool/files.h"
#include "tool/say.h"

#include <sysexits.h>
#include <time.h>

enum { PROBLEM_MAX = 1024, DAYS = 3650 };

int
certificate_make_files(const struct slice *names, size_t count, const char *chain_path,
                       const char *key_path)
{
    static const struct files_owner own = {
        .user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0600};
    struct buffer chain, key, problem;
    struct timespec now;
    int code = EX_OK;

    buffer_init(&chain, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&key, TLS_CERTIFICATE_PEM_MAX);
    buffer_init(&problem, PROBLEM_MAX);
    clock_gettime(CLOCK_REALTIME, &now);
    struct tls_certificate_request request = {
        .names = names,
        .names_count = count,
        .now = {now.tv_sec * 1000000000 + now.tv_nsec},
        .days = DAYS,
    };
    if (!tls_certificate_make(&request, &chain, &key, &problem))
        code = say_error(EX_USAGE, "no certificate: %.*s; give a name like example.test",
                         (int)buffer_len(&problem), (const char *)buffer_slice(&problem).at);
    if (code == EX_OK)
        code = files_replace(key_path, buffer_slice(&key), &own);
    if (code == EX_OK)
        code = files_replace(chain_path, buffer_slice(&chain), &own);
    buffer_wipe(&key);
    buffer_finish(&chain);
    buffer_finish(&problem);
    return code;
}
