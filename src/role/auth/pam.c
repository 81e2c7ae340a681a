/* SPDX-License-Identifier: ISC */
/* Wraps libpam: service `facteur` (/etc/pam.d/facteur; without it, PAM's `other` decides). Runs in
 * a helper process, where blocking is all right. */
#include "role/auth/auth_private.h"

#include <security/pam_appl.h>
#include <stdlib.h>

/* Answers every question that is not echoed with the password, and tells PAM nothing else. */
static int
converse(int count, const struct pam_message **messages, struct pam_response **ret_responses,
         void *context)
{
    if (count <= 0 || count > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));
    if (!responses)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            responses[i].resp = strdup(context); /* PAM frees it */
    }
    *ret_responses = responses;
    return PAM_SUCCESS;
}

/* That nobody could be asked says nothing of the password. */
enum directory_password
auth_pam_verdict(int result)
{
    switch (result) {
    case PAM_SUCCESS:
        return DIRECTORY_PASSWORD_RIGHT;
    case PAM_OPEN_ERR:
    case PAM_SYMBOL_ERR:
    case PAM_SERVICE_ERR:
    case PAM_SYSTEM_ERR:
    case PAM_BUF_ERR:
    case PAM_CRED_INSUFFICIENT:
    case PAM_AUTHINFO_UNAVAIL:
    case PAM_CONV_ERR:
    case PAM_ABORT:
    case PAM_MODULE_UNKNOWN:
        return DIRECTORY_PASSWORD_UNKNOWN;
    default:
        return DIRECTORY_PASSWORD_WRONG;
    }
}

enum directory_password
auth_pam_verify(const char *login, const char *password)
{
    char *copy = strdup(password);
    struct pam_conv conversation = {converse, copy};
    pam_handle_t *handle = NULL;

    if (!copy)
        abort();
    int result = pam_start("facteur", login, &conversation, &handle);
    if (result == PAM_SUCCESS)
        result = pam_authenticate(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (result == PAM_SUCCESS)
        result = pam_acct_mgmt(handle, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (handle)
        pam_end(handle, result);
    sasl_wipe(copy, strlen(copy));
    free(copy);
    return auth_pam_verdict(result);
}
