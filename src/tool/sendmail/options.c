/* SPDX-License-Identifier: ISC */
#include "tool/sendmail/options.h"

#include "tool/say.h"

#include <string.h>
#include <sysexits.h>

/* How an option's value is written. */
enum value {
    NO_VALUE,
    ATTACHED, /* behind the letter, or none: -d0.1 */
    REQUIRED  /* behind the letter, or the next word */
};

static const struct {
    char letter;
    enum value value;
} letters[] = {
    {'A', REQUIRED}, {'B', REQUIRED}, {'C', REQUIRED}, {'D', REQUIRED}, {'F', REQUIRED},
    {'G', NO_VALUE}, {'I', NO_VALUE}, {'L', REQUIRED}, {'M', ATTACHED}, {'N', REQUIRED},
    {'O', REQUIRED}, {'R', REQUIRED}, {'U', NO_VALUE}, {'V', REQUIRED}, {'X', REQUIRED},
    {'b', REQUIRED}, {'d', ATTACHED}, {'e', ATTACHED}, {'f', REQUIRED}, {'h', REQUIRED},
    {'i', NO_VALUE}, {'m', NO_VALUE}, {'n', NO_VALUE}, {'o', REQUIRED}, {'p', REQUIRED},
    {'q', ATTACHED}, {'r', REQUIRED}, {'s', NO_VALUE}, {'t', NO_VALUE}, {'v', NO_VALUE},
    {'x', NO_VALUE},
};

static int
set_mode(struct sendmail_options *options, const char *value)
{
    static const struct {
        char letter;
        enum sendmail_mode mode;
    } modes[] = {{'m', SENDMAIL_SEND},  {'s', SENDMAIL_SESSION}, {'v', SENDMAIL_VERIFY},
                 {'p', SENDMAIL_QUEUE}, {'i', SENDMAIL_ALIASES}, {'a', SENDMAIL_SESSION}};

    for (size_t i = 0; i < COUNT_OF(modes) && value[1] == '\0'; i++) {
        if (modes[i].letter == value[0]) {
            options->mode = modes[i].mode;
            return EX_OK;
        }
    }
    if (value[0] == 'd' || value[0] == 'D')
        return say_error(EX_USAGE, "sendmail -b%s: the server is started by: facteur serve", value);
    return say_error(EX_USAGE, "sendmail -b%s: expected -bm, -bs, -bv, -bp or -bi", value);
}

/* Options of options: only those that change what a message is. */
static void
set_old_option(struct sendmail_options *options, const char *value)
{
    options->dots_are_text = options->dots_are_text || strcmp(value, "i") == 0;
    options->is_verbose = options->is_verbose || strcmp(value, "v") == 0;
}

static int
set(struct sendmail_options *options, char letter, const char *value)
{
    switch (letter) {
    case 'C':
        options->config = value;
        break;
    case 'F':
        options->full_name = value;
        break;
    case 'I':
        options->mode = SENDMAIL_ALIASES;
        break;
    case 'N':
        options->notify = value;
        break;
    case 'R':
        options->ret = value;
        break;
    case 'V':
        options->envelope_id = value;
        break;
    case 'b':
        return set_mode(options, value);
    case 'f':
    case 'r':
        options->sender = value;
        break;
    case 'i':
        options->dots_are_text = true;
        break;
    case 'o':
        set_old_option(options, value);
        break;
    case 'q':
        options->mode = SENDMAIL_RETRY;
        break;
    case 't':
        options->from_header = true;
        break;
    case 'v':
        options->is_verbose = true;
        break;
    default:
        break;
    }
    return EX_OK;
}

/* One word of options; *index moves on when it takes the next word as a value. */
static int
read_word(int count, char **words, int *index, struct sendmail_options *options)
{
    const char *at = words[*index] + 1;
    int code = EX_OK;

    while (*at && code == EX_OK) {
        char letter = *at++;
        size_t i = 0;
        while (i < COUNT_OF(letters) && letters[i].letter != letter)
            i++;
        if (i == COUNT_OF(letters))
            return say_error(EX_USAGE, "sendmail: there is no option -%c; see man sendmail",
                             letter);
        if (letters[i].value == NO_VALUE) {
            code = set(options, letter, "");
            continue;
        }
        if (*at == '\0' && letters[i].value == REQUIRED && *index + 1 == count)
            return say_error(EX_USAGE, "sendmail: -%c needs a value behind it", letter);
        bool is_next = *at == '\0' && letters[i].value == REQUIRED;
        return set(options, letter, is_next ? words[++*index] : at);
    }
    return code;
}

int
sendmail_options_read(int count, char **words, struct sendmail_options *ret_options)
{
    const char *slash = strrchr(words[0], '/');
    const char *name = slash ? slash + 1 : words[0];
    int index = 1, code = EX_OK;

    *ret_options = (struct sendmail_options){.mode = SENDMAIL_SEND};
    if (strcmp(name, "mailq") == 0)
        ret_options->mode = SENDMAIL_QUEUE;
    else if (strcmp(name, "newaliases") == 0)
        ret_options->mode = SENDMAIL_ALIASES;
    for (; index < count && code == EX_OK && words[index][0] == '-' && words[index][1]; index++) {
        if (strcmp(words[index], "--") == 0) {
            index++;
            break;
        }
        if (strcmp(words[index], "--help") == 0) {
            ret_options->mode = SENDMAIL_HELP;
            return EX_OK;
        }
        code = read_word(count, words, &index, ret_options);
    }
    ret_options->recipients = words + index;
    ret_options->recipient_count = (size_t)(count - index);
    return code;
}
