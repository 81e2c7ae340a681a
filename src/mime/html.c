/* SPDX-License-Identifier: ISC */
#include "mime/html.h"

#include "text/utf8.h"

enum state {
    STATE_TEXT,
    STATE_REFERENCE,     /* behind '&' */
    STATE_TAG_NAME,      /* behind '<' */
    STATE_TAG,           /* behind the name */
    STATE_COMMENT,       /* behind "<!--" */
    STATE_COMMENT_DASH,  /* and a '-' */
    STATE_COMMENT_DASHES /* and another */
};

/* U+00A0 to U+00FF in their order. */
static const char *const latin_names[] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",
    "copy",   "ordf",   "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn",
    "sup2",   "sup3",   "acute",  "micro",  "para",   "middot", "cedil",  "sup1",   "ordm",
    "raquo",  "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",  "Atilde",
    "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute", "Ecirc",  "Euml",   "Igrave",
    "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde",
    "Ouml",   "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN",
    "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",  "aelig",  "ccedil",
    "egrave", "eacute", "ecirc",  "euml",   "igrave", "iacute", "icirc",  "iuml",   "eth",
    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave",
    "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml",
};

static const struct {
    const char *name;
    uint32_t character;
} other_names[] = {
    {"apos", '\''},     {"amp", 0x26},      {"lt", 0x3C},       {"gt", 0x3E},
    {"quot", 0x22},     {"euro", 0x20AC},   {"mdash", 0x2014},  {"ndash", 0x2013},
    {"hellip", 0x2026}, {"lsquo", 0x2018},  {"rsquo", 0x2019},  {"sbquo", 0x201A},
    {"ldquo", 0x201C},  {"rdquo", 0x201D},  {"bdquo", 0x201E},  {"bull", 0x2022},
    {"trade", 0x2122},  {"oelig", 0x153},   {"OElig", 0x152},   {"scaron", 0x161},
    {"Scaron", 0x160},  {"Yuml", 0x178},    {"fnof", 0x192},    {"circ", 0x2C6},
    {"tilde", 0x2DC},   {"ensp", 0x2002},   {"emsp", 0x2003},   {"thinsp", 0x2009},
    {"zwnj", 0x200C},   {"zwj", 0x200D},    {"lrm", 0x200E},    {"rlm", 0x200F},
    {"dagger", 0x2020}, {"Dagger", 0x2021}, {"permil", 0x2030}, {"lsaquo", 0x2039},
    {"rsaquo", 0x203A}, {"larr", 0x2190},   {"uarr", 0x2191},   {"rarr", 0x2192},
    {"darr", 0x2193},   {"harr", 0x2194},   {"minus", 0x2212},  {"infin", 0x221E},
    {"ne", 0x2260},     {"le", 0x2264},     {"ge", 0x2265},
};

static const char *const hidden_elements[] = {"style", "script", "title", "template"};

/* Tags inside of words. */
static const char *const inline_elements[] = {
    "a", "abbr", "b",     "big",  "code",   "em",     "font", "i",   "ins", "kbd", "mark",
    "s", "samp", "small", "span", "strike", "strong", "sub",  "sup", "tt",  "u",   "wbr",
};

/* Most names differ in their first letter. The name is not empty. */
static bool
is_named(struct slice name, const char *known)
{
    return name.at[0] == (uint8_t)known[0] && slice_equal(name, slice_of_string(known));
}

static bool
is_among(struct slice name, const char *const *names, size_t count, size_t *ret_index)
{
    for (size_t i = 0; name.len > 0 && i < count; i++) {
        if (is_named(name, names[i])) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static uint32_t
number_of(struct slice digits)
{
    uint32_t number = 0;
    bool is_hex = digits.len && byte_to_lower(digits.at[0]) == 'x';

    digits = slice_skip(digits, is_hex);
    for (size_t i = 0; i < digits.len; i++) {
        uint8_t digit = byte_to_lower(digits.at[i]);
        uint32_t value = byte_is_digit(digit) ? (uint32_t)digit - '0' : (uint32_t)digit - 'a' + 10;
        if (value >= (is_hex ? 16U : 10U) || number > 0x10FFFF)
            return 0;
        number = number * (is_hex ? 16 : 10) + value;
    }
    return number > 0x10FFFF ? 0 : number;
}

uint32_t
mime_html_character(struct slice name)
{
    size_t index;

    if (name.len && name.at[0] == '#')
        return number_of(slice_skip(name, 1));
    if (is_among(name, latin_names, COUNT_OF(latin_names), &index))
        return 0xA0 + (uint32_t)index;
    for (size_t i = 0; name.len > 0 && i < COUNT_OF(other_names); i++) {
        if (is_named(name, other_names[i].name))
            return other_names[i].character;
    }
    return 0;
}

static struct slice
name_of(const struct mime_html *html)
{
    return slice_of(html->name, html->name_len);
}

static void
enter(struct mime_html *html, enum state state)
{
    html->state = (uint8_t)state;
    html->name_len = 0;
    html->quote = 0;
}

static void
put_character(struct buffer *out, uint32_t character)
{
    if (character == 0xA0)
        buffer_put_byte(out, ' ');
    else if (character != 0xAD)
        utf8_put(out, character);
}

/* A reference ends: with ';', or with whatever cannot be part of one. Unknown ones are text. */
static void
end_reference(struct mime_html *html, struct buffer *out)
{
    uint32_t character = mime_html_character(name_of(html));

    if (character) {
        put_character(out, character);
        return;
    }
    buffer_put_byte(out, '&');
    buffer_put(out, name_of(html));
}

static void
end_tag(struct mime_html *html, struct buffer *out)
{
    struct slice name = name_of(html);
    bool is_end = name.len && name.at[0] == '/';
    size_t index;

    name = slice_skip(name, is_end);
    if (name.len && name.at[name.len - 1] == '/')
        name.len--;
    if (html->hidden) {
        if (is_end && slice_equal(name, slice_of_string(hidden_elements[html->hidden - 1])))
            html->hidden = 0;
    } else if (!is_end && is_among(name, hidden_elements, COUNT_OF(hidden_elements), &index)) {
        html->hidden = (uint8_t)(index + 1);
        buffer_put_byte(out, ' ');
    } else if (!is_among(name, inline_elements, COUNT_OF(inline_elements), &index)) {
        buffer_put_byte(out, ' ');
    }
    enter(html, STATE_TEXT);
}

/* In a script "a < b" is no tag, and in no element "<3". */
static bool
can_begin_tag(const struct mime_html *html, uint8_t octet)
{
    return octet == '/' ||
           (!html->hidden && (byte_is_alpha(octet) || octet == '!' || octet == '?'));
}

/* True when the octet belongs to the tag. */
static bool
tag_name_octet(struct mime_html *html, uint8_t octet, struct buffer *out)
{
    if (html->name_len == 0 && !can_begin_tag(html, octet)) {
        if (!html->hidden)
            buffer_put_byte(out, '<');
        enter(html, STATE_TEXT);
        return false;
    }
    if (octet == '>') {
        end_tag(html, out);
    } else if (octet <= ' ') {
        html->state = STATE_TAG;
    } else if (html->name_len < MIME_HTML_NAME_MAX) {
        html->name[html->name_len++] = byte_to_lower(octet);
        if (slice_equal(name_of(html), SLICE("!--")))
            html->state = STATE_COMMENT;
    }
    return true;
}

static void
tag_octet(struct mime_html *html, uint8_t octet, struct buffer *out)
{
    if (html->quote) {
        if (octet == html->quote)
            html->quote = 0;
    } else if (octet == '"' || octet == '\'') {
        html->quote = octet;
    } else if (octet == '>') {
        end_tag(html, out);
    }
}

static void
comment_octet(struct mime_html *html, uint8_t octet)
{
    if (octet == '-')
        html->state = html->state == STATE_COMMENT ? STATE_COMMENT_DASH : STATE_COMMENT_DASHES;
    else if (octet == '>' && html->state == STATE_COMMENT_DASHES)
        enter(html, STATE_TEXT);
    else
        html->state = STATE_COMMENT;
}

/* True when the octet belongs to the reference. */
static bool
reference_octet(struct mime_html *html, uint8_t octet, struct buffer *out)
{
    bool is_part =
        byte_is_alpha(octet) || byte_is_digit(octet) || (octet == '#' && html->name_len == 0);

    if (is_part && html->name_len < MIME_HTML_NAME_MAX) {
        html->name[html->name_len++] = octet;
        return true;
    }
    bool is_known = mime_html_character(name_of(html)) != 0;
    end_reference(html, out);
    enter(html, STATE_TEXT);
    return octet == ';' && is_known;
}

/* Puts the text up to the next '<' or '&'. Returns how much was passed. */
static size_t
text_run(struct mime_html *html, struct slice piece, struct buffer *out)
{
    size_t len = 0;

    while (len < piece.len && piece.at[len] != '<' && piece.at[len] != '&')
        len++;
    if (!html->hidden)
        buffer_put(out, slice_first(piece, len));
    if (len == piece.len)
        return len;
    if (piece.at[len] == '<')
        enter(html, STATE_TAG_NAME);
    else if (!html->hidden)
        enter(html, STATE_REFERENCE);
    return len + 1;
}

void
mime_html_feed(struct mime_html *html, struct slice piece, struct buffer *out)
{
    for (size_t at = 0; at < piece.len;) {
        switch ((enum state)html->state) {
        case STATE_TEXT:
            at += text_run(html, slice_skip(piece, at), out);
            break;
        case STATE_REFERENCE:
            at += reference_octet(html, piece.at[at], out);
            break;
        case STATE_TAG_NAME:
            at += tag_name_octet(html, piece.at[at], out);
            break;
        case STATE_TAG:
            tag_octet(html, piece.at[at++], out);
            break;
        case STATE_COMMENT:
        case STATE_COMMENT_DASH:
        case STATE_COMMENT_DASHES:
            comment_octet(html, piece.at[at++]);
            break;
        }
    }
}

void
mime_html_finish(struct mime_html *html, struct buffer *out)
{
    if (html->state == STATE_REFERENCE)
        end_reference(html, out);
    else if (html->state == STATE_TAG_NAME && html->name_len == 0 && !html->hidden)
        buffer_put_byte(out, '<');
    *html = (struct mime_html){0};
}
