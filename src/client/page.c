/* SPDX-License-Identifier: ISC */
#include "client/page.h"

#include "base/cursor.h"
#include "mime/html.h"
#include "text/utf8.h"

enum { REFERENCE_MAX = 32, LINK_MAX = 2000, TAG_MAX = 64 * 1024 };

struct page {
    struct buffer *out;
    unsigned breaks; /* line ends that are due before the next text: at most two */
    bool has_blank;  /* a blank is due */
    bool is_begun;   /* something was put */
    bool is_pre;
    struct slice link; /* address of the <a> that is open; empty: none */
    size_t link_start; /* of its text in `out` */
};

/* ---- text ---------------------------------------------------------------------------------- */

static void
put_due(struct page *page)
{
    for (; page->is_begun && page->breaks > 0; page->breaks--, page->has_blank = false)
        buffer_put_byte(page->out, '\n');
    page->breaks = 0;
    if (page->has_blank && page->is_begun)
        buffer_put_byte(page->out, ' ');
    page->has_blank = false;
    page->is_begun = true;
}

static void
put_character(struct page *page, uint32_t character)
{
    bool is_space = character == ' ' || character == '\n' || character == '\r' ||
                    character == '\t' || character == '\f';

    if (is_space && !page->is_pre) {
        page->has_blank = page->has_blank || page->breaks == 0;
        return;
    }
    if (character == '\r')
        return;
    put_due(page);
    utf8_put(page->out, character == 0xA0 ? ' ' : character);
}

static void
put_text(struct page *page, const char *text)
{
    for (; *text; text++)
        put_character(page, (uint8_t)*text);
}

static void
need_breaks(struct page *page, unsigned count)
{
    page->breaks = page->breaks > count ? page->breaks : count;
    page->has_blank = false;
}

/* "&eacute;": puts the character, or "&" when it is none. */
static void
take_reference(struct page *page, struct cursor *cursor)
{
    struct slice rest = slice_first(cursor_rest(cursor), REFERENCE_MAX);
    size_t end = slice_find_byte(rest, ';');
    uint32_t character = end < rest.len ? mime_html_character(slice_first(rest, end)) : 0;

    put_character(page, character ? character : '&');
    if (character)
        cursor->at += end + 1;
}

/* ---- tags ---------------------------------------------------------------------------------- */

struct tag {
    struct slice name; /* without "/" */
    struct slice rest; /* its attributes */
    bool is_end;
};

static bool
is_named(const struct tag *tag, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_nocase(tag->name, slice_of_string(names[i])))
            return true;
    }
    return false;
}

static bool
is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
}

/* The value of an attribute, without its quotes; empty without. */
static struct slice
attribute(struct slice rest, const char *name)
{
    while (rest.len > 0) {
        while (rest.len > 0 && (is_blank(rest.at[0]) || rest.at[0] == '/'))
            rest = slice_skip(rest, 1);
        size_t len = 0;
        while (len < rest.len && !is_blank(rest.at[len]) && rest.at[len] != '=')
            len++;
        struct slice key = slice_first(rest, len), value = slice_of(rest.at, 0);
        rest = slice_skip(rest, len > 0 ? len : 1);
        if (rest.len > 0 && rest.at[0] == '=') {
            rest = slice_skip(rest, 1);
            uint8_t quote = rest.len > 0 ? rest.at[0] : 0;
            if (quote == '"' || quote == '\'') {
                rest = slice_skip(rest, 1);
                value = slice_first(rest, slice_find_byte(rest, quote));
            } else {
                len = 0;
                while (len < rest.len && !is_blank(rest.at[len]))
                    len++;
                value = slice_first(rest, len);
            }
            rest = slice_skip(rest, value.len + (quote == '"' || quote == '\'' ? 1 : 0));
        }
        if (slice_equal_nocase(key, slice_of_string(name)))
            return value;
    }
    return SLICE("");
}

/* A value with its references, as text. */
static void
put_value(struct page *page, struct slice value)
{
    struct cursor cursor = cursor_of(value);
    uint32_t character;

    while (utf8_take(&cursor, &character)) {
        if (character == '&')
            take_reference(page, &cursor);
        else
            put_character(page, character);
    }
}

/* At the end of a link its address is shown, unless the text is just that. */
static void
end_link(struct page *page)
{
    struct slice all = buffer_slice(page->out);
    struct slice text = slice_trim(slice_skip(all, page->link_start));
    struct slice address = slice_first(page->link, LINK_MAX);

    page->link = SLICE("");
    if (address.len == 0 || address.at[0] == '#' || slice_equal(text, address))
        return;
    if (slice_starts_with_nocase(address, SLICE("mailto:")) &&
        slice_equal(text, slice_skip(address, 7)))
        return;
    put_text(page, text.len > 0 ? " <" : "<");
    put_value(page, address);
    put_text(page, ">");
}

static void
take_tag(struct page *page, const struct tag *tag)
{
    static const char *const paragraphs[] = {"p",  "h1", "h2", "h3",         "h4",  "h5",   "h6",
                                             "ul", "ol", "dl", "blockquote", "pre", "table"};
    static const char *const lines[] = {"br",     "div",    "tr",   "li",      "dt",
                                        "dd",     "hr",     "body", "section", "article",
                                        "header", "footer", "form"};
    static const char *const cells[] = {"td", "th"};

    if (is_named(tag, paragraphs, COUNT_OF(paragraphs)))
        need_breaks(page, 2);
    else if (slice_equal_nocase(tag->name, SLICE("br")) && page->breaks > 0)
        need_breaks(page, 2);
    else if (is_named(tag, lines, COUNT_OF(lines)))
        need_breaks(page, 1);
    else if (is_named(tag, cells, COUNT_OF(cells)))
        page->has_blank = page->breaks == 0;
    if (slice_equal_nocase(tag->name, SLICE("pre")))
        page->is_pre = !tag->is_end;
    if (slice_equal_nocase(tag->name, SLICE("li")) && !tag->is_end)
        put_text(page, "*"), page->has_blank = true;
    if (slice_equal_nocase(tag->name, SLICE("img")) && attribute(tag->rest, "alt").len > 0) {
        put_text(page, "[");
        put_value(page, attribute(tag->rest, "alt"));
        put_text(page, "]");
    }
    if (slice_equal_nocase(tag->name, SLICE("a"))) {
        end_link(page);
        page->link = tag->is_end ? SLICE("") : attribute(tag->rest, "href");
        page->link_start = buffer_len(page->out);
    }
}

/* How much of a tag's text is up to its '>' (quotes may hold one). */
static size_t
tag_len(struct slice text)
{
    uint8_t quote = 0;

    for (size_t i = 0; i < text.len && i < TAG_MAX; i++) {
        uint8_t byte = text.at[i];
        if (quote)
            quote = byte == quote ? 0 : quote;
        else if ((byte == '"' || byte == '\'') && i > 0 && text.at[i - 1] == '=')
            quote = byte;
        else if (byte == '>')
            return i;
    }
    return slice_find_byte(text, '>'); /* a quote that never ends is none */
}

/* Passes over what nobody sees: up to behind the element's end. */
static void
skip_element(struct cursor *cursor, struct slice name)
{
    for (struct slice rest = cursor_rest(cursor); rest.len > 0;) {
        size_t at = slice_find(rest, SLICE("</"));
        rest = slice_skip(rest, at + 2);
        cursor->at = rest.at;
        if (slice_starts_with_nocase(rest, name)) {
            cursor->at = slice_skip(rest, slice_find_byte(rest, '>') + 1).at;
            return;
        }
    }
}

static bool
can_begin_tag(uint8_t octet)
{
    return byte_is_alpha(octet) || byte_is_digit(octet) || octet == '!' || octet == '?' ||
           octet == '/';
}

static void
take_markup(struct page *page, struct cursor *cursor)
{
    static const char *const hidden[] = {"script", "style",    "head",
                                         "title",  "noscript", "template"};
    struct slice rest = cursor_rest(cursor);

    if (slice_starts_with(rest, SLICE("!--"))) {
        size_t end = slice_find(slice_skip(rest, 3), SLICE("-->"));
        cursor->at = slice_skip(rest, 3 + end + 3).at;
        return;
    }
    if (rest.len > 0 && !can_begin_tag(rest.at[0])) {
        put_character(page, '<'); /* "a < b": its '>' is not sought */
        return;
    }
    size_t len = tag_len(rest);
    struct tag tag = {.is_end = rest.len > 0 && rest.at[0] == '/'};
    struct slice inside = slice_between(rest, tag.is_end ? 1 : 0, len);
    size_t name_len = 0;
    while (name_len < inside.len &&
           (byte_is_alpha(inside.at[name_len]) || byte_is_digit(inside.at[name_len])))
        name_len++;
    tag.name = slice_first(inside, name_len);
    tag.rest = slice_skip(inside, name_len);
    cursor->at = slice_skip(rest, len + 1).at;
    if (!tag.is_end && is_named(&tag, hidden, COUNT_OF(hidden)))
        skip_element(cursor, tag.name);
    else
        take_tag(page, &tag);
}

void
page_put(struct slice html, struct buffer *out)
{
    struct page page = {.out = out, .link = SLICE("")};
    struct cursor cursor = cursor_of(html);
    uint32_t character;

    while (!cursor_is_done(&cursor)) {
        if (!utf8_take(&cursor, &character)) {
            cursor.at++;
            character = UTF8_REPLACEMENT;
        }
        if (character == '<')
            take_markup(&page, &cursor);
        else if (character == '&')
            take_reference(&page, &cursor);
        else
            put_character(&page, character);
    }
    end_link(&page);
    if (page.is_begun)
        buffer_put_byte(out, '\n');
}
