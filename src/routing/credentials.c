/* SPDX-License-Identifier: ISC */
#include "routing/credentials.h"

static struct slice
take_word(struct slice *line)
{
    size_t len = 0;

    while (len < line->len && line->at[len] != ' ' && line->at[len] != '\t')
        len++;
    struct slice word = slice_first(*line, len);
    *line = slice_trim(slice_skip(*line, len));
    return word;
}

bool
routing_credentials_find(struct slice file, struct slice name,
                         struct routing_credentials *ret_credentials)
{
    bool is_found = false;

    while (file.len > 0) {
        size_t end = slice_find_byte(file, '\n');
        struct slice line = slice_trim(slice_first(file, end));
        file = slice_skip(file, end + 1);
        if (line.len == 0 || line.at[0] == '#' || !slice_equal(take_word(&line), name))
            continue;
        struct slice user = take_word(&line);
        if (user.len == 0 || user.len > ROUTING_USER_MAX || line.len == 0 ||
            line.len > ROUTING_SECRET_MAX)
            continue;
        *ret_credentials = (struct routing_credentials){user, line};
        is_found = true;
    }
    return is_found;
}
