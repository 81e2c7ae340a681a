/* SPDX-License-Identifier: ISC */
/* Wraps GNU libidn's stringprep. Code points that Unicode 3.2 did not know are let through
 * (RFC 3454 §7 forbids them in stored strings only because their form could still change; it has
 * not, and people do put them into passwords). */
#include "sasl/prepare.h"
#include "sasl/digest.h"

#include "text/utf8.h"

#include <stringprep.h>

/* Longer texts are no password; normal form KC makes one character into at most 18. */
enum { TEXT_MAX = 1024, FORM_MAX = TEXT_MAX * 18 + 1 };

static bool
is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < 0x20 || text.at[i] >= 0x7F)
            return false;
    }
    return true;
}

static bool
prepare_unicode(struct buffer *buffer, struct slice text)
{
    char form[FORM_MAX];

    memcpy(form, text.at, text.len);
    form[text.len] = '\0';
    int result = stringprep(form, sizeof(form), 0, stringprep_saslprep);
    size_t len = result == STRINGPREP_OK ? strlen(form) : 0;
    bool is_prepared = len > 0 && len <= buffer_room(buffer);
    if (is_prepared)
        buffer_put(buffer, slice_of(form, len));
    sasl_wipe(form, sizeof(form));
    return is_prepared;
}

bool
sasl_prepare(struct buffer *buffer, struct slice text)
{
    if (text.len == 0 || text.len > TEXT_MAX || text.len > buffer_room(buffer))
        return false;
    if (is_plain(text)) {
        buffer_put(buffer, text);
        return true;
    }
    if (!utf8_is_valid(text) || slice_find_byte(text, 0) < text.len)
        return false;
    return prepare_unicode(buffer, text);
}
