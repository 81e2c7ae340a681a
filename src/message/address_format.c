/* SPDX-License-Identifier: ISC */
#include "message/address.h"

#include "message/address_private.h"
#include "message/fold.h"
#include "message/lexer.h"

struct slice
address_label(const struct address *address)
{
    return address->name.len ? address->name : address->comment;
}

void
address_put_spec(struct buffer *buffer, const struct address *address)
{
    if (lexer_is_dot_atom(address->local))
        buffer_put(buffer, address->local);
    else if (address->local.len)
        lexer_put_quoted(buffer, address->local);
    if (address->domain.len) {
        buffer_put_byte(buffer, '@');
        buffer_put(buffer, address->domain);
    }
}

/* A name with encoded words: these must stand unquoted, and alone between blanks (RFC 2047 §5). */
static void
put_encoded_name(struct buffer *buffer, struct slice name)
{
    while (name.len) {
        size_t len = slice_find_byte(name, ' ');
        struct slice word = slice_first(name, len);
        if (lexer_is_atom(word) || words_is_encoded_word(word))
            buffer_put(buffer, word);
        else
            lexer_put_quoted(buffer, word);
        if (len < name.len)
            buffer_put_byte(buffer, ' ');
        name = slice_skip(name, len + 1);
    }
}

/* Whether the name can stand as a phrase of atoms with single blanks between. */
static bool
is_phrase(struct slice name)
{
    while (name.len) {
        size_t len = slice_find_byte(name, ' ');
        if (!lexer_is_atom(slice_first(name, len)) || len + 1 == name.len)
            return false;
        name = slice_skip(name, len + 1);
    }
    return true;
}

static void
put_name(struct buffer *buffer, struct slice name, bool has_encoded_word)
{
    bool looks_encoded = slice_find(name, SLICE("=?")) < name.len;

    if (has_encoded_word && looks_encoded)
        put_encoded_name(buffer, name);
    else if (is_phrase(name) && !looks_encoded)
        buffer_put(buffer, name);
    else
        lexer_put_quoted(buffer, name);
}

void
address_format(const struct address *address, struct buffer *out)
{
    struct slice label = address_label(address);

    if (address->kind == ADDRESS_GROUP_END) {
        buffer_put_byte(out, ';');
        return;
    }
    if (label.len || address->kind == ADDRESS_GROUP_START)
        put_name(out, label, address->has_encoded_word);
    if (address->kind == ADDRESS_GROUP_START) {
        buffer_put_byte(out, ':');
        return;
    }
    if (label.len == 0 && address->local.len) {
        address_put_spec(out, address);
        return;
    }
    buffer_put_text(out, label.len ? " <" : "<");
    address_put_spec(out, address);
    buffer_put_byte(out, '>');
}

/* What stands between an address and the one before it. */
static struct slice
separator(const struct address *before, const struct address *address)
{
    if (!before || address->kind == ADDRESS_GROUP_END)
        return SLICE("");
    return before->kind == ADDRESS_GROUP_START ? SLICE(" ") : SLICE(", ");
}

void
address_list_format(const struct address_list *list, size_t column, struct buffer *out)
{
    const struct address *before = NULL;
    struct buffer one;

    buffer_init(&one, buffer_room(out));
    for (const struct address *address = list->first; address; address = address->next) {
        struct slice between = separator(before, address);
        buffer_clear(&one);
        address_format(address, &one);
        /* One more for the comma that may come. */
        size_t len = between.len + buffer_len(&one) + 1;
        if (between.len && column + len > FOLD_COLUMN_MAX) {
            buffer_put(out, slice_first(between, between.len - 1));
            buffer_put(out, SLICE("\r\n "));
            column = 1;
        } else {
            buffer_put(out, between);
            column += between.len;
        }
        column = fold_put_text(out, column, buffer_slice(&one));
        before = address;
    }
    buffer_finish(&one);
}
