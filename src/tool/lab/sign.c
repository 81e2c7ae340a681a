/* SPDX-License-Identifier: ISC */
/* The lab's domain that is signed where asked (DNSSEC), and the TLSA record of its host (DANE). */
#include "tool/lab/lab.h"

#include "base/buffer.h"
#include "sasl/digest.h"
#include "text/base64.h"
#include "tool/files.h"
#include "tool/say.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { CERTIFICATE_MAX = 64 * 1024, KEY_MAX = 4096, DIGEST_SIZE = 32 };

static const struct files_owner own = {.user = FILES_NOBODY, .group = FILES_NOBODY, .mode = 0644};

/* ---- TLSA (RFC 6698) ----------------------------------------------------------------------- */

/* Of the first certificate in the file. */
static bool
digest_file(const char *path, uint8_t ret_digest[DIGEST_SIZE])
{
    static const struct slice begin = {(const uint8_t *)"-----BEGIN CERTIFICATE-----", 27};
    struct buffer text, der;
    int code = files_read(path, CERTIFICATE_MAX, &text);

    buffer_init(&der, CERTIFICATE_MAX);
    if (code == EX_OK) {
        struct slice body = buffer_slice(&text);
        body = slice_skip(body, slice_find(body, begin) + begin.len);
        (void)base64_decode(slice_first(body, slice_find(body, SLICE("-----END"))), &der);
        sasl_digest(SASL_HASH_SHA_256, buffer_slice(&der), ret_digest);
    }
    bool is_there = buffer_len(&der) > 0;
    buffer_finish(&text);
    buffer_finish(&der);
    return is_there;
}

int
lab_put_tlsa(const struct lab *lab, const struct lab_host *host, struct buffer *zone)
{
    char *chain = lab_path(lab, host->name, "chain.pem");
    uint8_t digest[DIGEST_SIZE];
    int code = EX_OK;

    if (!digest_file(chain, digest))
        code = say_error(EX_DATAERR, "%s has no certificate in it", chain);
    buffer_put_byte(zone, '_');
    buffer_put_decimal(zone, LAB_PORT);
    buffer_put_text(zone, "._tcp.");
    buffer_put_text(zone, host->name);
    buffer_put_text(zone, ". IN TLSA 3 0 1 ");
    if (code == EX_OK)
        buffer_put_hex(zone, slice_of(digest, sizeof(digest)));
    buffer_put_byte(zone, '\n');
    free(chain);
    return code;
}

/* ---- the zone ------------------------------------------------------------------------------ */

static int
run(const char *folder, char *const *words)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || chdir(folder) != 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(null, STDOUT_FILENO) < 0)
            _exit(EX_OSERR);
        execvp(words[0], words);
        _exit(EX_UNAVAILABLE);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EX_OK;
    return say_error(EX_UNAVAILABLE,
                     "%s did not do its work; a signed lab needs: apt install ldnsutils", words[0]);
}

/* The name of the key that was made, without its ending; freed by the caller, or NULL. */
static char *
find_key(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char *name = NULL;

    while (dir && !name && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == 'K' && len > 4 &&
            strcmp(entry->d_name + len - 4, ".key") == 0 &&
            !(name = strndup(entry->d_name, len - 4)))
            abort();
    }
    if (dir)
        closedir(dir);
    return name;
}

/* What the hosts trust: the zone's own key. */
static int
write_anchors(const char *folder, const char *key)
{
    struct buffer name, text;

    buffer_init(&name, KEY_MAX);
    buffer_put_text(&name, key);
    buffer_put(&name, slice_of(".key", 5)); /* with its NUL */
    char *from = files_path(folder, (const char *)buffer_slice(&name).at);
    char *to = files_path(folder, "anchors");
    int code = files_read(from, KEY_MAX, &text);
    if (code == EX_OK)
        code = files_replace(to, buffer_slice(&text), &own);
    buffer_finish(&text);
    buffer_finish(&name);
    free(from);
    free(to);
    return code;
}

int
lab_sign_zone(const struct lab *lab)
{
    char keygen[] = "ldns-keygen", algorithm[] = "-a", curve[] = "ECDSAP256SHA256", sep[] = "-k";
    char signer[] = "ldns-signzone", output[] = "-f", file[] = LAB_SIGNED ".signed";
    char zone[] = LAB_SIGNED;
    char *keygen_words[] = {keygen, algorithm, curve, sep, zone, NULL};
    char *folder = files_path(lab->folder, "names"), *done = lab_path(lab, "names", file);
    int code = EX_OK;

    if (!files_exists(done)) {
        code = run(folder, keygen_words);
        char *key = find_key(folder);
        char *signer_words[] = {signer, output, file, zone, key, NULL};
        if (code == EX_OK)
            code = key ? write_anchors(folder, key) : EX_UNAVAILABLE;
        if (code == EX_OK)
            code = run(folder, signer_words);
        free(key);
    }
    free(folder);
    free(done);
    return code;
}
