/* SPDX-License-Identifier: ISC */
/* The names of fields, and how they are found: by length, for few names share one. */
#include "message/field.h"

#define NAME(text) {(const uint8_t *)("" text), sizeof(text) - 1}

static const struct slice names[FIELD_ID_COUNT] = {
    [FIELD_OTHER] = NAME(""),
    [FIELD_DATE] = NAME("Date"),
    [FIELD_FROM] = NAME("From"),
    [FIELD_SENDER] = NAME("Sender"),
    [FIELD_REPLY_TO] = NAME("Reply-To"),
    [FIELD_TO] = NAME("To"),
    [FIELD_CC] = NAME("Cc"),
    [FIELD_BCC] = NAME("Bcc"),
    [FIELD_MESSAGE_ID] = NAME("Message-ID"),
    [FIELD_IN_REPLY_TO] = NAME("In-Reply-To"),
    [FIELD_REFERENCES] = NAME("References"),
    [FIELD_SUBJECT] = NAME("Subject"),
    [FIELD_COMMENTS] = NAME("Comments"),
    [FIELD_KEYWORDS] = NAME("Keywords"),
    [FIELD_RESENT_DATE] = NAME("Resent-Date"),
    [FIELD_RESENT_FROM] = NAME("Resent-From"),
    [FIELD_RESENT_SENDER] = NAME("Resent-Sender"),
    [FIELD_RESENT_TO] = NAME("Resent-To"),
    [FIELD_RESENT_CC] = NAME("Resent-Cc"),
    [FIELD_RESENT_BCC] = NAME("Resent-Bcc"),
    [FIELD_RESENT_MESSAGE_ID] = NAME("Resent-Message-ID"),
    [FIELD_RESENT_REPLY_TO] = NAME("Resent-Reply-To"),
    [FIELD_RETURN_PATH] = NAME("Return-Path"),
    [FIELD_RECEIVED] = NAME("Received"),
    [FIELD_DELIVERED_TO] = NAME("Delivered-To"),
    [FIELD_X_ORIGINAL_TO] = NAME("X-Original-To"),
    [FIELD_RECEIVED_SPF] = NAME("Received-SPF"),
    [FIELD_AUTHENTICATION_RESULTS] = NAME("Authentication-Results"),
    [FIELD_ARC_AUTHENTICATION_RESULTS] = NAME("ARC-Authentication-Results"),
    [FIELD_ARC_MESSAGE_SIGNATURE] = NAME("ARC-Message-Signature"),
    [FIELD_ARC_SEAL] = NAME("ARC-Seal"),
    [FIELD_DKIM_SIGNATURE] = NAME("DKIM-Signature"),
    [FIELD_MIME_VERSION] = NAME("MIME-Version"),
    [FIELD_CONTENT_TYPE] = NAME("Content-Type"),
    [FIELD_CONTENT_TRANSFER_ENCODING] = NAME("Content-Transfer-Encoding"),
    [FIELD_CONTENT_ID] = NAME("Content-ID"),
    [FIELD_CONTENT_DESCRIPTION] = NAME("Content-Description"),
    [FIELD_CONTENT_DISPOSITION] = NAME("Content-Disposition"),
    [FIELD_CONTENT_LANGUAGE] = NAME("Content-Language"),
    [FIELD_CONTENT_LOCATION] = NAME("Content-Location"),
    [FIELD_CONTENT_MD5] = NAME("Content-MD5"),
    [FIELD_CONTENT_DURATION] = NAME("Content-Duration"),
    [FIELD_CONTENT_FEATURES] = NAME("Content-Features"),
    [FIELD_CONTENT_LENGTH] = NAME("Content-Length"),
    [FIELD_LIST_ID] = NAME("List-Id"),
    [FIELD_LIST_HELP] = NAME("List-Help"),
    [FIELD_LIST_POST] = NAME("List-Post"),
    [FIELD_LIST_OWNER] = NAME("List-Owner"),
    [FIELD_LIST_ARCHIVE] = NAME("List-Archive"),
    [FIELD_LIST_SUBSCRIBE] = NAME("List-Subscribe"),
    [FIELD_LIST_UNSUBSCRIBE] = NAME("List-Unsubscribe"),
    [FIELD_LIST_UNSUBSCRIBE_POST] = NAME("List-Unsubscribe-Post"),
    [FIELD_MAILING_LIST] = NAME("Mailing-List"),
    [FIELD_AUTO_SUBMITTED] = NAME("Auto-Submitted"),
    [FIELD_PRECEDENCE] = NAME("Precedence"),
    [FIELD_X_LOOP] = NAME("X-Loop"),
    [FIELD_DISPOSITION_NOTIFICATION_TO] = NAME("Disposition-Notification-To"),
    [FIELD_RETURN_RECEIPT_TO] = NAME("Return-Receipt-To"),
    [FIELD_ERRORS_TO] = NAME("Errors-To"),
    [FIELD_MAIL_FOLLOWUP_TO] = NAME("Mail-Followup-To"),
    [FIELD_MAIL_REPLY_TO] = NAME("Mail-Reply-To"),
    [FIELD_APPARENTLY_TO] = NAME("Apparently-To"),
    [FIELD_ORIGINAL_RECIPIENT] = NAME("Original-Recipient"),
    [FIELD_TLS_REQUIRED] = NAME("TLS-Required"),
    [FIELD_EXPIRES] = NAME("Expires"),
    [FIELD_IMPORTANCE] = NAME("Importance"),
    [FIELD_PRIORITY] = NAME("Priority"),
    [FIELD_X_PRIORITY] = NAME("X-Priority"),
    [FIELD_SENSITIVITY] = NAME("Sensitivity"),
    [FIELD_USER_AGENT] = NAME("User-Agent"),
    [FIELD_X_MAILER] = NAME("X-Mailer"),
    [FIELD_ORGANIZATION] = NAME("Organization"),
    [FIELD_ORIGINAL_FROM] = NAME("Original-From"),
    [FIELD_STATUS] = NAME("Status"),
    [FIELD_X_STATUS] = NAME("X-Status"),
    [FIELD_X_UID] = NAME("X-UID"),
    [FIELD_X_KEYWORDS] = NAME("X-Keywords"),
    [FIELD_X_SPAM_FLAG] = NAME("X-Spam-Flag"),
    [FIELD_X_SPAM_STATUS] = NAME("X-Spam-Status"),
};

enum { NAME_LEN_MAX = 27, NAMES_OF_A_LEN = 11 };

/* The ids whose names have this length, those of every message first; then FIELD_OTHER. */
static const uint8_t ids_of_len[NAME_LEN_MAX + 1][NAMES_OF_A_LEN] = {
    [2] = {FIELD_TO, FIELD_CC},
    [3] = {FIELD_BCC},
    [4] = {FIELD_FROM, FIELD_DATE},
    [5] = {FIELD_X_UID},
    [6] = {FIELD_SENDER, FIELD_X_LOOP, FIELD_STATUS},
    [7] = {FIELD_SUBJECT, FIELD_LIST_ID, FIELD_EXPIRES},
    [8] = {FIELD_RECEIVED, FIELD_REPLY_TO, FIELD_COMMENTS, FIELD_KEYWORDS, FIELD_ARC_SEAL,
          FIELD_PRIORITY, FIELD_X_MAILER, FIELD_X_STATUS},
    [9] = {FIELD_RESENT_TO, FIELD_RESENT_CC, FIELD_LIST_HELP, FIELD_LIST_POST,
          FIELD_ERRORS_TO},
    [10] = {FIELD_MESSAGE_ID, FIELD_REFERENCES, FIELD_RESENT_BCC, FIELD_CONTENT_ID,
          FIELD_LIST_OWNER, FIELD_PRECEDENCE, FIELD_IMPORTANCE, FIELD_X_PRIORITY,
          FIELD_USER_AGENT, FIELD_X_KEYWORDS},
    [11] = {FIELD_IN_REPLY_TO, FIELD_RESENT_DATE, FIELD_RESENT_FROM, FIELD_RETURN_PATH,
          FIELD_CONTENT_MD5, FIELD_SENSITIVITY, FIELD_X_SPAM_FLAG},
    [12] = {FIELD_CONTENT_TYPE, FIELD_MIME_VERSION, FIELD_DELIVERED_TO, FIELD_RECEIVED_SPF,
          FIELD_LIST_ARCHIVE, FIELD_MAILING_LIST, FIELD_TLS_REQUIRED, FIELD_ORGANIZATION},
    [13] = {FIELD_RESENT_SENDER, FIELD_X_ORIGINAL_TO, FIELD_MAIL_REPLY_TO,
          FIELD_APPARENTLY_TO, FIELD_ORIGINAL_FROM, FIELD_X_SPAM_STATUS},
    [14] = {FIELD_DKIM_SIGNATURE, FIELD_CONTENT_LENGTH, FIELD_LIST_SUBSCRIBE,
          FIELD_AUTO_SUBMITTED},
    [15] = {FIELD_RESENT_REPLY_TO},
    [16] = {FIELD_CONTENT_LANGUAGE, FIELD_CONTENT_LOCATION, FIELD_CONTENT_DURATION,
          FIELD_CONTENT_FEATURES, FIELD_LIST_UNSUBSCRIBE, FIELD_MAIL_FOLLOWUP_TO},
    [17] = {FIELD_RESENT_MESSAGE_ID, FIELD_RETURN_RECEIPT_TO},
    [18] = {FIELD_ORIGINAL_RECIPIENT},
    [19] = {FIELD_CONTENT_DESCRIPTION, FIELD_CONTENT_DISPOSITION},
    [21] = {FIELD_ARC_MESSAGE_SIGNATURE, FIELD_LIST_UNSUBSCRIBE_POST},
    [22] = {FIELD_AUTHENTICATION_RESULTS},
    [25] = {FIELD_CONTENT_TRANSFER_ENCODING},
    [26] = {FIELD_ARC_AUTHENTICATION_RESULTS},
    [27] = {FIELD_DISPOSITION_NOTIFICATION_TO},
};

enum field_id
field_id_of(struct slice name)
{
    if (name.len == 0 || name.len > NAME_LEN_MAX)
        return FIELD_OTHER;
    uint8_t first = byte_to_lower(name.at[0]);
    for (const uint8_t *id = ids_of_len[name.len]; *id != FIELD_OTHER; id++) {
        if (byte_to_lower(names[*id].at[0]) == first && slice_equal_nocase(names[*id], name))
            return (enum field_id)*id;
    }
    return FIELD_OTHER;
}

struct slice
field_name(enum field_id id)
{
    return names[id];
}
